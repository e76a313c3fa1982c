//! Writes SVG. Every text that comes from outside is cleaned and escaped here and nowhere else.

use super::{Size, Words};
use crate::review::escape;
use std::fmt::Write;

/// A drawing under construction.
#[derive(Debug)]
pub struct Svg {
    text: String,
    id: String,
}

/// A coordinate, to a tenth of a pixel.
struct N(f64);

impl std::fmt::Display for N {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = if self.0.is_finite() { (self.0 * 10.0).round() as i64 } else { 0 };
        if tenths % 10 == 0 {
            write!(f, "{}", tenths / 10)
        } else {
            let sign = if tenths < 0 { "-" } else { "" };
            write!(f, "{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
        }
    }
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At its first letter.
    Start,
    /// In its middle.
    Middle,
    /// At its last letter.
    End,
}

impl Svg {
    /// Begins a drawing of this size, with its text alternative.
    pub fn new(words: &Words, size: Size, height: f64) -> Svg {
        let id = format!("{}-{}", words.id, size.suffix());
        let mut text = String::with_capacity(32 * 1024);
        let _ = write!(
            text,
            r#"<svg class="chart {}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-labelledby="{id}-t {id}-d" xmlns="http://www.w3.org/2000/svg"><title id="{id}-t">{}</title><desc id="{id}-d">{}</desc>"#,
            size.suffix(),
            N(size.width()),
            N(height),
            N(size.width()),
            N(height),
            escape::markup(&words.title),
            escape::markup(&words.description),
        );
        Svg { text, id }
    }

    /// An id that is unique in the page.
    pub fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    /// Defines a pattern of diagonal or other strokes and returns its `url(#...)`.
    pub fn pattern(&mut self, name: &str, class: &str, step: f64, path: &str) -> String {
        let id = self.id(name);
        let _ = write!(
            self.text,
            r#"<defs><pattern id="{id}" width="{0}" height="{0}" patternUnits="userSpaceOnUse"><path class="{class}" d="{path}"/></pattern></defs>"#,
            N(step),
        );
        format!("url(#{id})")
    }

    /// A filled rectangle; `fill` overrides the class by a pattern.
    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (w, h): (f64, f64), fill: Option<&str>) {
        let fill = fill.map(|f| format!(r#" fill="{f}""#)).unwrap_or_default();
        let _ = write!(
            self.text,
            r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}"{fill}/>"#,
            N(x),
            N(y),
            N(w.max(0.0)),
            N(h.max(0.0)),
        );
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ =
            write!(self.text, r#"<path class="{class}" d="M{} {}L{} {}"/>"#, N(from.0), N(from.1), N(to.0), N(to.1));
    }

    /// A line through points; a point that is not a number breaks it.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let data = path_data(points);
        if !data.is_empty() {
            let _ = write!(self.text, r#"<path class="{class}" d="{data}"/>"#);
        }
    }

    /// A closed area; `fill` overrides the class by a pattern.
    pub fn area(&mut self, class: &str, points: &[(f64, f64)], fill: Option<&str>) {
        let fill = fill.map(|f| format!(r#" fill="{f}""#)).unwrap_or_default();
        let _ = write!(self.text, r#"<path class="{class}" d="{}Z"{fill}/>"#, path_data(points));
    }

    /// A circle.
    pub fn dot(&mut self, class: &str, (x, y): (f64, f64), r: f64) {
        let _ = write!(self.text, r#"<circle class="{class}" cx="{}" cy="{}" r="{}"/>"#, N(x), N(y), N(r));
    }

    /// A text; it may come from anywhere.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let text = escape::markup(text);
        let _ = write!(self.text, r#"<text class="{class}" x="{}" y="{}"{anchor}>{text}</text>"#, N(x), N(y));
    }

    /// The finished drawing.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }
}

fn path_data(points: &[(f64, f64)]) -> String {
    let mut data = String::with_capacity(points.len() * 10);
    let mut pen_up = true;
    for (x, y) in points {
        if !y.is_finite() {
            pen_up = true;
            continue;
        }
        let _ = write!(data, "{}{} {}", if pen_up { 'M' } else { 'L' }, N(*x), N(*y));
        pen_up = false;
    }
    data
}

/// About how wide a text is at the size of a chart's labels (12 px): enough to keep labels apart.
pub fn width_of(text: &str) -> f64 {
    let one = |c: char| match c {
        '<' | '>' | '=' | '+' | '%' | '@' | 'm' | 'w' | 'M' | 'W' => 10.0,
        ' ' | 'l' | 'i' => 4.2,
        c if c.is_ascii_punctuation() => 4.2,
        _ => 7.0,
    };
    text.chars().map(one).sum()
}

/// Shortens a text to about this width.
pub fn fit(text: &str, width: f64) -> String {
    if width_of(text) <= width {
        return text.into();
    }
    let mut out = String::new();
    for c in text.chars() {
        if width_of(&out) + 14.0 > width {
            break;
        }
        out.push(c);
    }
    format!("{}…", out.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_exact() {
        let data = path_data(&[(0.0, 1.04), (2.25, f64::NAN), (3.0, -4.56), (5.0, 0.0)]);
        assert_eq!(data, "M0 1M3 -4.6L5 0");
    }

    #[test]
    fn texts_are_escaped() {
        let words = Words { id: "c".into(), title: "<script>".into(), description: "a & b".into() };
        let mut svg = Svg::new(&words, Size::Wide, 10.0);
        svg.text("x", (0.0, 0.0), Anchor::Start, "\u{1b}[31m</text><script>\u{202e}");
        let text = svg.finish();
        assert!(!text.contains("<script"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
