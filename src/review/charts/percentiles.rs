//! Response times by percentile, before, during and after in one drawing: the tail on a log scale, where it shows.

use super::{
    Size, Words,
    scale::{Scale, log_bounds, log_ticks},
    svg::{Anchor, Svg},
};
use crate::review::quantity;

/// One distribution: its name, and quantile (0 to under 1) with response time in nanoseconds, rising.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// `before`, `during`, `after`.
    pub name: &'static str,
    /// Rising.
    pub points: Vec<(f64, f64)>,
}

/// Bounds of the drawing.
struct Box {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// How far out a quantile lies: 1 at the minimum, 2 at the median, 100 at p99.
fn depth(quantile: f64) -> f64 {
    1.0 / (1.0 - quantile.clamp(0.0, 0.999_999_9))
}

/// Draws it.
pub fn draw(words: &Words, size: Size, lines: &[Line]) -> String {
    let (height, left, right) = match size {
        Size::Wide => (250.0, 52.0, size.width() - 62.0),
        Size::Narrow => (220.0, 48.0, size.width() - 48.0),
    };
    let area = Box { left, right, top: 26.0, bottom: height - 42.0 };
    let mut svg = Svg::new(words, size, height);
    let deepest = lines.iter().flat_map(|l| &l.points).map(|p| depth(p.0)).fold(10.0, f64::max);
    let bounds = log_bounds(lines.iter().flat_map(|l| &l.points).map(|p| p.1));
    let x = Scale::log((1.0, deepest), (area.left, area.right));
    let y = Scale::log(bounds, (area.bottom, area.top));
    axes(&mut svg, &area, (&x, deepest), (&y, bounds));
    let mut ends: Vec<(f64, f64, &Line)> = Vec::new();
    for line in lines.iter().filter(|l| !l.points.is_empty()) {
        let points: Vec<_> = line.points.iter().map(|(q, ns)| (x.at(depth(*q)), y.at(*ns))).collect();
        svg.polyline(&format!("c-line c-d-{}", line.name), &points);
        let (end_x, end_y) = points[points.len() - 1];
        ends.push((end_x, end_y, line));
    }
    labels(&mut svg, ends);
    svg.finish()
}

fn axes(svg: &mut Svg, area: &Box, (x, deepest): (&Scale, f64), (y, bounds): (&Scale, (f64, f64))) {
    svg.text("c-heading", (area.left, area.top - 10.0), Anchor::Start, "Response time, log scale");
    for value in log_ticks(bounds, 7) {
        svg.line("c-grid", (area.left, y.at(value)), (area.right, y.at(value)));
        let label = super::latency::tick(value);
        svg.text("c-tick", (area.left - 6.0, y.at(value) + 4.0), Anchor::End, &label);
    }
    svg.line("c-axis", (area.left, area.bottom), (area.right, area.bottom));
    for (quantile, label) in
        [(0.0, "min"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")]
    {
        if depth(quantile) <= deepest * 1.001 {
            let at = x.at(depth(quantile));
            svg.line("c-axis", (at, area.bottom), (at, area.bottom + 5.0));
            svg.text("c-tick", (at, area.bottom + 18.0), Anchor::Middle, label);
        }
    }
    let middle = (area.left + area.right) / 2.0;
    svg.text("c-tick c-utc", (middle, area.bottom + 35.0), Anchor::Middle, "percentile, the tail spread out");
}

/// Each name at the end of its line, none on another.
fn labels(svg: &mut Svg, mut ends: Vec<(f64, f64, &Line)>) {
    ends.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (x, y, line) in ends {
        let mut at = y;
        while taken.iter().any(|(tx, ty)| (tx - x).abs() < 50.0 && (ty - at).abs() < 13.0) {
            at += 13.0;
        }
        taken.push((x, at));
        svg.text(&format!("c-end c-halo c-d-{}-end", line.name), (x + 5.0, at + 4.0), Anchor::Start, line.name);
    }
}

/// What the chart shows, in a sentence: the deepest percentile that before and during share.
pub fn caption(lines: &[Line]) -> String {
    let find = |name: &str| lines.iter().find(|l| l.name == name).and_then(|l| l.points.last()).copied();
    match (find("before"), find("during")) {
        (Some((q, before)), Some((_, _))) => {
            let during = lines.iter().find(|l| l.name == "during").map_or(0.0, |l| at_quantile(&l.points, q));
            format!(
                "At p{}, as far as the baseline's N carries: {} before, {} during the fault.",
                crate::units::trimmed(q * 100.0, 2),
                quantity::span(before as u64),
                quantity::span(during as u64)
            )
        }
        _ => "Response times by percentile, as far as N carries them.".into(),
    }
}

fn at_quantile(points: &[(f64, f64)], quantile: f64) -> f64 {
    points.iter().find(|(q, _)| *q >= quantile).or(points.last()).map_or(0.0, |(_, ns)| *ns)
}
