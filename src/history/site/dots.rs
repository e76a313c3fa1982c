//! A strip of dots as SVG: what a run came to is its shape, too, so that colour is never alone.

use crate::review::escape::markup;
use std::fmt::Write;

/// Dots move closer when they need more room than this, pixels; closer than the least step, the strip is scrolled.
const ROOM: f64 = 216.0;
const STEP: (f64, f64) = (9.0, 36.0);
const LEFT: f64 = 64.0;
const TOP: f64 = 12.0;
const HEIGHT: f64 = 60.0;
/// Where dots without a value stand, below the scale.
const WITHOUT: f64 = TOP + HEIGHT + 14.0;
const BOTTOM: f64 = WITHOUT + 10.0;

/// One run.
pub struct Dot {
    /// `None`: not measured.
    pub value: Option<f64>,
    /// What it came to.
    pub shape: Shape,
    /// For people.
    pub says: String,
    /// Where its review is.
    pub href: Option<String>,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A full dot.
    Held,
    /// A ring.
    Low,
    /// A ring with a cross.
    Violated,
    /// A small grey dot.
    Other,
}

impl Shape {
    /// By exit code.
    pub fn of(code: u8, low_margin: bool) -> Shape {
        match code {
            0 if low_margin => Shape::Low,
            0 => Shape::Held,
            1 | 5 => Shape::Violated,
            _ => Shape::Other,
        }
    }
}

/// The drawing. `marks` are the runs at which something changed.
pub fn draw(dots: &[Dot], marks: &[usize], most: f64, name: &str, range: &str, print: fn(f64) -> String) -> String {
    let step = (ROOM / dots.len().max(1) as f64).clamp(STEP.0, STEP.1);
    let width = LEFT + step * dots.len().max(1) as f64 + 8.0;
    let x = |at: usize| LEFT + step * (at as f64 + 0.5);
    let y = |value: f64| if most > 0.0 { TOP + HEIGHT * (1.0 - value / most) } else { TOP + HEIGHT };
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg class=\"dots\" width=\"{width:.0}\" height=\"{BOTTOM:.0}\" viewBox=\"0 0 {width:.0} {BOTTOM:.0}\" role=\"group\" \
         aria-label=\"{}: {}\">",
        markup(name),
        markup(range)
    );
    let (top, base) = (TOP, TOP + HEIGHT);
    let _ = write!(svg, "<path class=\"d-grid\" d=\"M{LEFT:.0} {top:.0}H{width:.0}M{LEFT:.0} {base:.0}H{width:.0}\"/>");
    for (at, text) in [(top, if most > 0.0 { print(most) } else { String::new() }), (base, print(0.0))] {
        let _ = write!(
            svg,
            "<text class=\"d-scale\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            markup(&text)
        );
    }
    for mark in marks {
        let left = x(*mark) - step / 2.0;
        let _ = write!(svg, "<path class=\"d-mark\" d=\"M{left:.1} 2V{BOTTOM:.0}\"/>");
    }
    for (at, dot) in dots.iter().enumerate() {
        one(&mut svg, dot, x(at), dot.value.map_or(WITHOUT, y));
    }
    svg.push_str("</svg>");
    svg
}

fn one(svg: &mut String, dot: &Dot, x: f64, y: f64) {
    let says = markup(&dot.says);
    if let Some(href) = &dot.href {
        let _ = write!(svg, "<a href=\"{}\" aria-label=\"{says}\">", markup(href));
    }
    let class = match (dot.value, dot.shape) {
        (None, _) => "d-none",
        (_, Shape::Held) => "d-held",
        (_, Shape::Low) => "d-low",
        (_, Shape::Violated) => "d-violated",
        (_, Shape::Other) => "d-other",
    };
    let r = if matches!(class, "d-none" | "d-other") { 2.5 } else { 4.5 };
    let _ =
        write!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"><title>{says}</title></circle>");
    if class == "d-violated" {
        let _ = write!(svg, "<path class=\"d-cross\" d=\"M{:.1} {:.1}l6 6m0 -6l-6 6\"/>", x - 3.0, y - 3.0);
    }
    if dot.href.is_some() {
        svg.push_str("</a>");
    }
}
