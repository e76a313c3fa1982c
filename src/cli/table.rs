//! A table on the terminal: columns as wide as their widest cell, two spaces between them.

use super::live;

/// Rows of cells under heads.
pub struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Row, column and colour of the cells that have one.
    paints: Vec<(usize, usize, &'static str)>,
}

impl Table {
    /// Without rows.
    pub fn new<H: Into<String>>(heads: impl IntoIterator<Item = H>) -> Table {
        Table { heads: heads.into_iter().map(Into::into).collect(), rows: Vec::new(), paints: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Gives a cell of the last row a colour.
    pub fn paint(&mut self, column: usize, code: &'static str) {
        self.paints.push((self.rows.len().saturating_sub(1), column, code));
    }

    /// The lines, without white space at their ends.
    pub fn text(&self, colour: bool) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.chain(self.heads.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let line = |number: Option<usize>, cells: &[String]| {
            let cell = |(column, cell): (usize, &String)| {
                let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
                let code = self.paints.iter().find(|(row, of, _)| Some(*row) == number && *of == column);
                code.map_or_else(|| cell.clone(), |(_, _, code)| live::paint(colour, code, cell)) + &pad
            };
            cells.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let heads = std::iter::once(line(None, &self.heads));
        let rows = self.rows.iter().enumerate().map(|(number, cells)| line(Some(number), cells));
        heads.chain(rows).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_with_and_without_colour() {
        let mut table = Table::new(["A", "BB"]);
        table.row(["long".into(), "x".into()]);
        table.paint(0, "1;31");
        table.row(["s".into(), "y".into()]);
        assert_eq!(table.text(false), "A     BB\nlong  x\ns     y");
        assert_eq!(table.text(true), "A     BB\n\u{1b}[1;31mlong\u{1b}[0m  x\ns     y");
    }
}
