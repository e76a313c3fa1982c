// Everything is readable without this; it only searches.
const field = document.getElementById("find");
const count = document.getElementById("found");
const rows = [...document.querySelectorAll(".runs tbody tr")];
const texts = rows.map(row => `${row.textContent} ${row.dataset.words}`.toLowerCase());
const search = () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(word => word);
  rows.forEach((row, i) => { row.hidden = !words.every(word => texts[i].includes(word)); });
  const shown = rows.filter(row => row.getClientRects().length > 0).length;
  count.textContent = shown < rows.length ? `${shown} of ${rows.length} shown` : "";
};
document.getElementById("search").hidden = false;
document.getElementById("runs").addEventListener("input", search);
search();
