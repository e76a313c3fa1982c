//! The page in a real browser: complete, sound, and fitting a telephone. Needs `chromium` (Debian's package).

use crate::sample;
use firedrill::{analysis::Findings, review::texts};
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn html(findings: &Findings) -> String {
    texts(findings).into_iter().find(|(name, _)| *name == "review.html").unwrap().1
}

/// Runs the browser without a screen on a page and returns what it printed.
pub fn browse(page: &Path, arguments: &[String]) -> String {
    let search = std::env::var("PATH").unwrap_or_default();
    let installed = |name: &&&str| std::env::split_paths(&search).any(|folder| folder.join(name).is_file());
    let chromium = NAMES.iter().find(installed).expect("no chromium in PATH: apt-get install -y chromium");
    let profile = tempfile::tempdir().unwrap();
    let done = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"])
        .args(["--disable-background-networking", "--no-first-run", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{chromium}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Asks the laid-out page, at this width, for the value of some JavaScript. The page itself forbids scripts but its own,
/// so the question is put into a copy without that rule; a window is never narrower than 500 pixels, so it goes into a frame.
pub fn ask(html: &str, width: u32, question: &str) -> String {
    ask_in(html, width, Scheme::Light, question)
}

#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    Dark,
    Light,
}

pub fn scheme(scheme: Scheme) -> String {
    format!("--blink-settings=preferredColorScheme={}", scheme as u8)
}

pub fn ask_in(html: &str, width: u32, colours: Scheme, question: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let rule = Regex::new(r#"<meta http-equiv="Content-Security-Policy"[^>]*>"#).unwrap();
    let script = format!("<script>parent.document.documentElement.dataset.answer = String({question})</script></body>");
    let inner = rule.replace(html, "").replace("</body>", &script).replace('&', "&amp;").replace('"', "&quot;");
    let style = format!("width: {width}px; height: 900px; border: 0");
    fs::write(&page, format!("<!doctype html><html><body><iframe style=\"{style}\" srcdoc=\"{inner}\"></iframe>"))
        .unwrap();
    let dom = browse(&page, &["--dump-dom".into(), "--window-size=1400,900".into(), scheme(colours)]);
    let answer = Regex::new(r#"<html[^>]* data-answer="([^"]*)""#).unwrap();
    answer.captures(&dom).expect("the script ran")[1].to_owned()
}

#[test]
fn nothing_is_wider_than_a_telephone() {
    let told = ["held", "not-started", "cut-short", "hostile"];
    for (name, findings) in sample::all().into_iter().filter(|(name, _)| told.contains(name)) {
        let question =
            "[innerWidth, document.documentElement.scrollWidth, performance.getEntriesByType('resource').length]";
        assert_eq!(ask(&html(&findings), 360, question), "360,360,0", "{name}: width, scroll width, requests");
    }
}

#[test]
fn the_wide_drawing_is_for_desks_and_the_narrow_one_for_telephones() {
    let shown = "[...document.querySelectorAll('svg.chart')].filter(s => s.getBoundingClientRect().width > 0)\
                 .every(s => s.classList.contains(innerWidth < 600 ? 'n' : 'w'))";
    let page = html(&sample::held());
    assert_eq!((ask(&page, 360, shown), ask(&page, 1200, shown)), ("true".into(), "true".into()));
}

#[test]
fn pictures_of_it_are_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, html(&sample::violated())).unwrap();
    let shoot = |name: &str, colours: Scheme| {
        let file = folder.path().join(name);
        let size = "--window-size=1200,2000".into();
        browse(&page, &[format!("--screenshot={}", file.display()), size, scheme(colours)]);
        fs::read(file).unwrap()
    };
    let (light, dark) = (shoot("light.png", Scheme::Light), shoot("dark.png", Scheme::Dark));
    assert!(light.len() > 50_000 && dark.len() > 50_000, "{} and {} bytes", light.len(), dark.len());
    assert!(light != dark, "dark is another picture");
    let file = folder.path().join("paper.pdf");
    browse(&page, &[format!("--print-to-pdf={}", file.display()), "--no-pdf-header-footer".into()]);
    let paper = fs::read(file).unwrap();
    assert!(paper.starts_with(b"%PDF") && paper.len() > 30_000, "{} bytes", paper.len());
}

#[test]
fn links_lead_somewhere_and_nothing_leads_out() {
    let tag = Regex::new(r#"<(?:"[^"]*"|[^">])*>"#).unwrap();
    let urls = Regex::new(r"url\(([^)]*)\)").unwrap();
    for (name, findings) in sample::all() {
        let html = html(&findings);
        let tags: Vec<&str> = tag.find_iter(&html).map(|m| m.as_str()).collect();
        let all = |attribute: &str| -> Vec<String> {
            let pattern = Regex::new(&format!(r#"\s{attribute}="([^"]*)""#)).unwrap();
            tags.iter().flat_map(|t| pattern.captures_iter(t)).map(|c| c[1].to_owned()).collect()
        };
        let ids = all("id");
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{name}: an id stands twice");
        for link in all("href") {
            let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {link} leads out of the page"));
            assert!(unique.contains(&id.to_owned()), "{name}: #{id} leads nowhere");
        }
        for reference in all("aria-labelledby").iter().flat_map(|r| r.split(' ')) {
            assert!(unique.contains(&reference.to_owned()), "{name}: {reference}");
        }
        assert!(all("src").is_empty() && !html.contains("@import"), "{name}: something is loaded");
        assert!(urls.captures_iter(&html).all(|c| c[1].starts_with('#')), "{name}: something is loaded");
    }
}

/// What a screen reader needs, asked of the laid-out page: a language, one main part, names for pictures, tables, links
/// and fields, heads for columns, and no order of focus but the page's own.
pub const NAMELESS: &str = r"(() => {
  const named = e => (e.getAttribute('aria-label') || e.title || '').trim()
    || (e.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id)?.textContent ?? '').join('').trim();
  const all = selector => [...document.querySelectorAll(selector)];
  const tell = e => e.outerHTML.slice(0, 90);
  const wrong = [];
  if (!document.documentElement.lang) wrong.push('no language');
  if (!document.title.trim()) wrong.push('no title');
  if (all('main').length != 1) wrong.push(all('main').length + ' main parts');
  for (const e of all('svg[role=img]')) if (!named(e) && !e.querySelector('title')) wrong.push('picture: ' + tell(e));
  for (const e of all('svg[role=group]')) if (!named(e)) wrong.push('drawing: ' + tell(e));
  for (const e of all('svg:not([role=img]):not([role=group]):not([aria-hidden=true])')) wrong.push('neither picture nor hidden: ' + tell(e));
  for (const e of all('table')) if (!e.caption && !named(e)) wrong.push('table: ' + tell(e));
  for (const e of all('table')) if (!e.querySelector('th')) wrong.push('no heads: ' + tell(e));
  for (const e of all('th')) if (!e.scope) wrong.push('a head of what: ' + tell(e));
  for (const e of all('a[href], button, summary')) if (!e.textContent.trim() && !named(e)) wrong.push('no name: ' + tell(e));
  for (const e of all('input, select, textarea')) if (!e.labels.length && !named(e)) wrong.push('no label: ' + tell(e));
  for (const e of all('[tabindex]')) if (e.tabIndex > 0) wrong.push('order of focus: ' + tell(e));
  for (const e of all('img')) if (!e.hasAttribute('alt')) wrong.push('no alt: ' + tell(e));
  return wrong.slice(0, 5).join(' | ');
})()";

/// Colours as they are computed, laid over one another, and the contrast of two as WCAG 2.1 defines it.
const COLOURS: &str = r"
  const read = c => { const n = c.match(/[\d.]+/g).map(Number); return { rgb: n.slice(0, 3), a: n.length > 3 ? n[3] : 1 } };
  const over = (top, under) => top.rgb.map((v, i) => v * top.a + under[i] * (1 - top.a));
  const ground = e => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(read(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b };
  const contrast = (a, b) => { const [low, high] = [light(a), light(b)].sort((a, b) => a - b); return (high + .05) / (low + .05) };
";

/// Every text outside drawings against the ground that is really behind it, as WCAG 2.1 AA wants it: 4.5, or 3 for large
/// letters.
const FAINT: &str = r"
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
  for (let node; node = walker.nextNode();) {
    const e = node.parentElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!node.data.trim() || e.closest('script, style, svg, [aria-hidden=true]') || !box.width || style.visibility == 'hidden') continue;
    const under = ground(e), ink = over(read(style.color), under);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    const found = contrast(ink, under);
    if (found < (large ? 3 : 4.5)) faint.push(found.toFixed(2) + ' ' + node.data.trim().slice(0, 40));
  }
  return faint.slice(0, 5).join(' | ');
";

/// Every text and every mark of a drawing against what is painted before it at the same place: 4.5 for texts, 3 for marks.
/// A text with a halo stands on its halo. Left out is what only helps the eye and is told elsewhere in the drawing: grid
/// lines; the shading of a fault and the hatching of its impact, which have bars with labels; areas with a line at
/// their edge.
const PALE: &str = r"
  const helps = /^(?!c-k-stroke)(c-grid|d-grid|c-fault|c-impact|c-errors|c-budget-used|c-cpu|c-k.*)$/;
  const opacity = e => { let all = 1; for (let at = e; at instanceof SVGElement; at = at.parentElement) all *= getComputedStyle(at).opacity; return all };
  const paint = (e, kind) => {
    let colour = getComputedStyle(e)[kind], faded = opacity(e);
    if (colour == 'none') return null;
    const pattern = colour.match(/url\(.#([^)]*?).?\)/);
    if (pattern) {
      const line = document.getElementById(pattern[1]).firstElementChild;
      colour = getComputedStyle(line).stroke, faded = opacity(line);
    }
    const ink = read(colour);
    return { rgb: ink.rgb, a: ink.a * faded * getComputedStyle(e)[kind + 'Opacity'], pattern: !!pattern };
  };
  const places = e => {
    const box = e.getBBox(), fractions = [.1, .3, .5, .7, .9];
    if (e.localName == 'path' && getComputedStyle(e).fill == 'none') return fractions.map(f => e.getPointAtLength(e.getTotalLength() * f));
    if (e.localName == 'text') return fractions.map(f => new DOMPoint(box.x + box.width * f, box.y + box.height / 2));
    return [new DOMPoint(box.x + box.width / 2, box.y + box.height / 2)];
  };
  const pale = new Set();
  for (const svg of document.querySelectorAll('svg')) {
    if (!svg.getBoundingClientRect().width) continue;
    const page = ground(svg.parentElement), painted = [];
    const behind = at => painted.reduce((under, one) => one.e.isPointInFill(at) ? over(one.fill, under) : under, page);
    for (const e of svg.querySelectorAll('text, path, rect, circle')) {
      if (e.closest('defs')) continue;
      const kind = e.getAttribute('class') ?? '', text = e.localName == 'text';
      const style = getComputedStyle(e), fill = paint(e, 'fill'), stroke = paint(e, 'stroke');
      for (const at of helps.test(kind) ? [] : places(e)) {
        const halo = text && stroke && style.paintOrder.startsWith('stroke');
        const under = halo ? over(stroke, behind(at)) : behind(at);
        const inks = text ? [fill] : [fill, stroke];
        const found = Math.max(...inks.filter(ink => ink).map(ink => contrast(over(ink, under), under)));
        if (found < (text ? 4.5 : 3)) pale.add(found.toFixed(2) + ' ' + kind + ' ' + (text ? e.textContent.slice(0, 30) : e.localName));
      }
      if (!text && fill && !fill.pattern && fill.a > 0) painted.push({ e, fill });
    }
  }
  return [...pale].slice(0, 12).join(' | ');
";

fn with_colours(question: &str) -> String {
    format!("(() => {{ {COLOURS} {question} }})()")
}

/// What is hard to read on a page in either scheme; nothing, on a good one.
pub fn hard_to_read(html: &str, width: u32) -> String {
    let mut all = String::new();
    for colours in [Scheme::Light, Scheme::Dark] {
        for question in [FAINT, PALE] {
            let told = ask_in(html, width, colours, &with_colours(question));
            if !told.is_empty() {
                all += &format!("{colours:?}, {width}: {told}\n");
            }
        }
    }
    all
}

#[test]
fn a_screen_reader_finds_names_for_everything() {
    for (name, findings) in sample::all().into_iter().filter(|(name, _)| ["violated", "not-started"].contains(name)) {
        assert_eq!(ask(&html(&findings), 1200, NAMELESS), "", "{name}");
    }
}

#[test]
fn no_text_is_faint_in_either_scheme() {
    let page = html(&sample::violated());
    assert_eq!(hard_to_read(&page, 1200) + &hard_to_read(&page, 360), "");
    let faded = page.replace("</style>", ".c-p99 { stroke: #dddddd; } .c-tick { fill: #999999; }</style>");
    let told = hard_to_read(&faded, 1200);
    assert!(told.contains("c-line c-p99 path") && told.contains("c-tick"), "{told}");
}

#[test]
fn headings_are_in_order() {
    let heading = Regex::new(r"<h([1-6])").unwrap();
    for (name, findings) in sample::all() {
        let html = html(&findings);
        let levels: Vec<u32> = heading.captures_iter(&html).map(|c| c[1].parse().unwrap()).collect();
        assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{name}: a level is left out: {levels:?}");
    }
}

#[test]
fn text_stands_out_from_its_ground() {
    let css = include_str!("../../src/review/templates/review.css");
    let variable = Regex::new(r"--([a-z0-9-]+): (#[0-9a-f]{6});").unwrap();
    let read = |part: &str| -> BTreeMap<String, [f64; 3]> {
        variable.captures_iter(part).map(|c| (c[1].to_owned(), rgb(&c[2]))).collect()
    };
    let (light, rest) = css.split_once("@media").unwrap();
    let dark = rest.split_once("\n}\n").unwrap().0;
    for (scheme, colours) in [("light", read(light)), ("dark", read(dark))] {
        let mut pairs =
            vec![("ink", "paper"), ("soft", "paper"), ("soft", "raised"), ("ink", "raised"), ("link", "paper")];
        pairs.extend([("good", "good-wash"), ("warn", "warn-wash"), ("bad", "bad-wash"), ("quiet", "quiet-wash")]);
        pairs.extend(["good-wash", "warn-wash", "bad-wash", "quiet-wash"].map(|wash| ("soft", wash)));
        pairs.extend([
            ("good", "paper"),
            ("warn", "paper"),
            ("bad", "paper"),
            ("c-limit", "paper"),
            ("c-p50", "paper"),
        ]);
        for (text, ground) in pairs {
            let contrast = contrast(colours[text], colours[ground]);
            assert!(contrast >= 4.5, "{scheme}: {text} on {ground}: {contrast:.2}");
        }
    }
}

fn rgb(hex: &str) -> [f64; 3] {
    [1, 3, 5].map(|i| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0)
}

/// As WCAG 2 defines it.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let luminance = |c: [f64; 3]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}
