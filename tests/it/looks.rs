//! What the pages look like, against pictures that were kept: each part of a page, on a desk and on a telephone, light and
//! dark, reduced to a grid of greys. That is coarse enough to hold with another machine's letters, and fine enough to
//! notice a layout that fell apart. `INSTA_UPDATE=always` keeps what is seen. Needs `chromium` (Debian's package).

use crate::{
    page::{self, Scheme},
    sample,
};
use std::{fmt::Write, fs, io::Cursor, path::Path};

/// Cells of a grid.
const COLUMNS: usize = 24;
const ROWS: usize = 8;
/// Browsers draw no picture that is taller, pixels; what is kept ends well above, so that other letters do not move it out.
const TALLEST: f64 = 14_000.0;
const KEPT: f64 = 8_000.0;
/// How much greys of a part may differ on the average, of 255. Other letters were seen to come to 11, text that is gone to
/// 18, and a page without its styles to 27.
const GREYS: f64 = 13.0;
/// How much left edge and width may differ, as a share of the page's width.
const SHIFT: f64 = 0.02;
/// How much taller or flatter a part may be: other letters break other lines.
const STRETCH: f64 = 1.4;

/// A part of a page: where it is, and its greys.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    left: f64,
    width: f64,
    height: f64,
    greys: Vec<u8>,
}

/// Every visible part: name, left, top, width, height.
const PARTS: &str = "[...document.querySelectorAll('header, main > *, footer')].map(e => [e, e.getBoundingClientRect()])\
    .filter(([, box]) => box.width > 0 && box.height > 0)\
    .map(([e, box]) => [e.id || e.className.split(' ')[0] || e.localName, box.left, box.top + scrollY, box.width, box.height].join(' '))\
    .join(';')";

/// Where the parts of a page are; colours move nothing.
fn boxes(html: &str, width: u32) -> Vec<(String, [f64; 4])> {
    page::ask(html, width, PARTS).split(';').map(read_box).collect()
}

/// The parts of a page as the browser draws them.
fn look(html: &str, width: u32, colours: Scheme) -> Vec<Part> {
    seen(html, width, colours, boxes(html, width))
}

fn seen(html: &str, width: u32, colours: Scheme, boxes: Vec<(String, [f64; 4])>) -> Vec<Part> {
    let bottom = boxes.iter().map(|(_, [_, top, _, height])| top + height).fold(0.0, f64::max).min(TALLEST);
    let picture = shoot(html, width, bottom.ceil() as u32, colours);
    let seen = boxes.into_iter().filter(|(_, [_, top, _, height])| top + height <= bottom);
    seen.map(|(name, area)| part(name, area, f64::from(width), &picture)).collect()
}

fn read_box(line: &str) -> (String, [f64; 4]) {
    let mut words = line.split(' ');
    let name = words.next().unwrap().to_owned();
    let numbers: Vec<f64> = words.map(|word| word.parse().unwrap()).collect();
    (name, numbers.try_into().unwrap())
}

fn part(name: String, [left, top, width, height]: [f64; 4], page: f64, picture: &Picture) -> Part {
    let grey = |cell: usize| {
        let (column, row) = ((cell % COLUMNS) as f64, (cell / COLUMNS) as f64);
        let (x, y) = (width / COLUMNS as f64, height / ROWS as f64);
        picture.grey([left + column * x, top + row * y, left + (column + 1.0) * x, top + (row + 1.0) * y])
    };
    let greys = (0..COLUMNS * ROWS).map(grey).collect();
    Part { name, left: left / page, width: width / page, height, greys }
}

/// A window is never narrower than 500 pixels, so the page goes into a frame.
fn shoot(html: &str, width: u32, height: u32, colours: Scheme) -> Picture {
    let folder = tempfile::tempdir().unwrap();
    let (inner, outer, file) = ["inner.html", "outer.html", "page.png"].map(|name| folder.path().join(name)).into();
    fs::write(inner, html).unwrap();
    let style = format!("width: {width}px; height: {height}px; border: 0; display: block");
    let text =
        format!("<!doctype html><body style=\"margin: 0\"><iframe style=\"{style}\" src=\"inner.html\"></iframe>");
    fs::write(&outer, text).unwrap();
    // Some browsers take a part of the window for themselves.
    let size = format!("--window-size={},{}", width.max(500), height + 200);
    page::browse(&outer, &[format!("--screenshot={}", file.display()), size, page::scheme(colours)]);
    Picture::read(&fs::read(file).unwrap())
}

/// Pixels, eight bits a channel.
struct Picture {
    width: usize,
    channels: usize,
    bytes: Vec<u8>,
}

impl Picture {
    fn read(png: &[u8]) -> Picture {
        let mut decoder = png::Decoder::new(Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        Picture { width: frame.width as usize, channels: frame.color_type.samples(), bytes }
    }

    /// The mean luminance of an area: left, top, right, bottom.
    fn grey(&self, [left, top, right, bottom]: [f64; 4]) -> u8 {
        let columns = left as usize..(right as usize).clamp(left as usize + 1, self.width);
        let rows = top as usize..(bottom as usize).max(top as usize + 1);
        let pixels = rows.flat_map(|y| columns.clone().map(move |x| (y * self.width + x) * self.channels));
        let all: Vec<f64> = pixels.filter_map(|at| self.bytes.get(at..at + 3)).map(luminance).collect();
        (all.iter().sum::<f64>() / all.len().max(1) as f64).round() as u8
    }
}

fn luminance(rgb: &[u8]) -> f64 {
    0.2126 * f64::from(rgb[0]) + 0.7152 * f64::from(rgb[1]) + 0.0722 * f64::from(rgb[2])
}

/// What is kept of a page.
fn text(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        writeln!(out, "{} {:.3} {:.3} {:.0}", part.name, part.left, part.width, part.height).unwrap();
        for row in part.greys.chunks(COLUMNS) {
            let cells: Vec<String> = row.iter().map(|grey| format!("{grey:02x}")).collect();
            writeln!(out, "  {}", cells.join(" ")).unwrap();
        }
    }
    out
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("  "), parts.last_mut()) {
            (Some(cells), Some(part)) => {
                part.greys.extend(cells.split(' ').map(|cell| u8::from_str_radix(cell, 16).unwrap()));
            }
            _ => {
                let words: Vec<&str> = line.split(' ').collect();
                let number = |at: usize| words[at].parse().unwrap();
                let (name, greys) = (words[0].to_owned(), Vec::new());
                parts.push(Part { name, left: number(1), width: number(2), height: number(3), greys });
            }
        }
    }
    parts
}

/// How much the greys differ on the average.
fn apart(a: &Part, b: &Part) -> f64 {
    let differences = a.greys.iter().zip(&b.greys).map(|(a, b)| f64::from(a.abs_diff(*b)));
    differences.sum::<f64>() / (COLUMNS * ROWS) as f64
}

/// What looks different, for people; nothing, if all is as it was.
fn differences(kept: &[Part], seen: &[Part]) -> Vec<String> {
    let names = |parts: &[Part]| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>().join(" ");
    let same = seen.get(..kept.len()).unwrap_or(seen);
    if names(kept) != names(same) {
        return vec![format!("parts: {}, were {}", names(same), names(kept))];
    }
    let mut told = Vec::new();
    for (kept, seen) in kept.iter().zip(seen) {
        let name = &kept.name;
        if (kept.left - seen.left).abs() > SHIFT || (kept.width - seen.width).abs() > SHIFT {
            told.push(format!("{name}: at {:.2} and {:.2} wide", seen.left, seen.width));
        }
        if !(1.0 / STRETCH..STRETCH).contains(&(seen.height / kept.height)) {
            told.push(format!("{name}: {:.0} tall, was {:.0}", seen.height, kept.height));
        }
        if apart(kept, seen) > GREYS {
            told.push(format!("{name}: greys differ by {:.1}", apart(kept, seen)));
        }
    }
    told
}

const SIZES: [u32; 2] = [360, 1080];

fn kept(name: &str, width: u32, colours: Scheme) -> std::path::PathBuf {
    let file = format!("{name}-{width}-{colours:?}.txt").to_lowercase();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/looks").join(file)
}

fn looks_as_kept(name: &str, html: &str) {
    for width in SIZES {
        let boxes = boxes(html, width);
        for colours in [Scheme::Light, Scheme::Dark] {
            let (file, seen) = (kept(name, width, colours), seen(html, width, colours, boxes.clone()));
            if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
                let mut bottom = 0.0;
                let high = |part: &&Part| {
                    bottom += part.height;
                    bottom < KEPT
                };
                let high: Vec<Part> = seen.iter().take_while(high).cloned().collect();
                fs::write(&file, text(&high)).unwrap();
            }
            let told = differences(&parse(&fs::read_to_string(&file).unwrap()), &seen);
            assert!(told.is_empty(), "{} looks different:\n{}", file.display(), told.join("\n"));
        }
    }
}

fn review() -> String {
    let texts = firedrill::review::texts(&sample::violated());
    texts.into_iter().find(|(name, _)| *name == "review.html").unwrap().1
}

#[test]
fn the_review_looks_as_it_did() {
    looks_as_kept("review", &review());
}

#[test]
fn the_page_over_all_runs_looks_as_it_did() {
    looks_as_kept("site", &crate::history::site());
}

/// With this at the end of its styles.
fn styled(html: &str, css: &str) -> String {
    html.replace("</style>", &format!("{css}</style>"))
}

fn told(html: &str, width: u32) -> Vec<String> {
    let file = fs::read_to_string(kept("review", width, Scheme::Light)).unwrap();
    let (kept, seen) = (parse(&file), look(html, width, Scheme::Light));
    differences(&kept, &seen)
}

/// Wider and narrower ones, with and without serifs, whichever of them this machine has.
#[test]
fn another_machine_s_letters_make_no_difference() {
    for css in [
        "body { font-family: \"DejaVu Serif\", serif !important; }",
        "body { font-stretch: condensed; font-family: \"Liberation Sans\", \"DejaVu Sans Condensed\", sans-serif !important; }",
        "body { letter-spacing: 0.02em; line-height: 1.6; }",
    ] {
        let told = told(&styled(&review(), css), 360);
        assert!(told.is_empty(), "{css}:\n{}", told.join("\n"));
    }
}

#[test]
fn a_page_that_fell_apart_is_noticed() {
    let page = review();
    let bare = regex::Regex::new("(?s)<style>.*?</style>").unwrap().replace(&page, "").into_owned();
    let desk = "svg.n { display: none !important; } svg.w { display: block !important; }";
    for (what, html, width) in [
        ("without its styles", bare.clone(), 1080),
        ("without its styles", bare, 360),
        ("charts gone black", styled(&page, "svg.chart * { fill: black !important; }"), 1080),
        ("text that cannot be read", styled(&page, "* { color: transparent !important; }"), 360),
        ("tiles below one another", styled(&page, "main > .tiles { display: block; }"), 1080),
        ("the drawing for desks on a telephone", styled(&page, desk), 360),
        ("dark where it is light", page.replace("prefers-color-scheme: dark", "prefers-color-scheme: light"), 360),
    ] {
        let told = told(&html, width);
        println!("{what}: {told:?}");
        assert!(!told.is_empty(), "{what} at {width} is not noticed");
    }
}
