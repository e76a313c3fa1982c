//! Offered requests by outcome, stacked: what was offered, and what became of it.

use super::{
    Scene, Size, Words,
    frame::Frame,
    points::pool,
    scale::{Scale, linear_ticks},
    svg::{Anchor, width_of},
};
use crate::{measure::Class, review::quantity};

/// Requests per tick by outcome, in the order of [`Class::ALL`].
pub type Counts = [u64; Class::ALL.len()];

/// Offered requests over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcomes {
    /// Start of the tick in seconds since t=0, and what became of the requests that were due in it.
    pub ticks: Vec<(f64, Counts)>,
    /// Length of a tick in seconds.
    pub tick: f64,
}

impl Outcomes {
    fn totals(&self) -> Counts {
        let mut totals = Counts::default();
        for (_, row) in &self.ticks {
            for (total, n) in totals.iter_mut().zip(row) {
                *total += n;
            }
        }
        totals
    }
}

/// The strokes that tell the classes apart without colour, in the order of [`Class::ALL`].
const STROKES: [&str; 8] = [
    "",
    "M-1 7L7 -1M-1 1L1 -1M5 7L7 5",
    "M-1 -1L7 7M5 -1L7 1M-1 5L1 7",
    "M0 3L6 3",
    "M3 0L3 6",
    "M0 0L6 6M6 0L0 6",
    "M1.5 1.5h1v1h-1zM4.5 4.5h1v1h-1z",
    "M0 3L6 3M3 0L3 6",
];

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Ok => "c-k-ok",
        Class::Timeout => "c-k-timeout",
        Class::Refused => "c-k-refused",
        Class::Reset => "c-k-reset",
        Class::Closed => "c-k-closed",
        Class::Status => "c-k-status",
        Class::WrongContent => "c-k-content",
        Class::NotSent => "c-k-unsent",
    }
}

/// Draws it.
pub fn draw(words: &Words, scene: &Scene, size: Size, data: &Outcomes) -> String {
    let mut frame = Frame::begin(words, scene, size, &[if size == Size::Wide { 150.0 } else { 130.0 }]);
    let (top, bottom) = frame.panel(0);
    let (rows, pooled) = pool(&data.ticks, size.points() / 4);
    let step = data.tick * pooled as f64;
    let rate = |n: u64| n as f64 / step;
    // The last row may pool fewer ticks; it is drawn as wide as it is.
    let edge = data.ticks.last().map_or(scene.to, |(t, _)| t + data.tick);
    let highest = rows.iter().map(|(_, row)| rate(row.iter().sum())).fold(0.0, f64::max);
    let (ticks, high) = linear_ticks(highest, 3);
    let y = Scale::linear((0.0, high), (bottom, top));
    frame.heading(0, "Requests per second by outcome, stacked", "Requests per second");
    let labels: Vec<_> = ticks.iter().map(|v| (*v, quantity::count(v.round() as u64))).collect();
    frame.grid(&y, &labels);
    let widths: Vec<f64> = rows.iter().map(|(t, _)| ((t + step).min(edge) - t).max(data.tick)).collect();
    let mut below = vec![0.0; rows.len()];
    let totals = data.totals();
    for (k, class) in Class::ALL.into_iter().enumerate().filter(|(k, _)| totals[*k] > 0) {
        let above: Vec<f64> =
            rows.iter().enumerate().map(|(i, (_, row))| below[i] + row[k] as f64 / widths[i]).collect();
        let strip = steps(&frame.x, &y, &rows, &widths, (&below, &above));
        frame.svg.area(&format!("c-k {}", class_name(class)), &strip, None);
        if !STROKES[k].is_empty() {
            let fill = frame.svg.pattern(&format!("k{k}"), "c-k-stroke", 6.0, STROKES[k]);
            frame.svg.area("c-k-pattern", &strip, Some(&fill));
        }
        below = above;
    }
    legend(&mut frame, &totals, top);
    frame.finish()
}

/// The outline of one class: its upper edge from left to right, its lower edge back.
fn steps(
    x: &Scale,
    y: &Scale,
    rows: &[(f64, Counts)],
    widths: &[f64],
    (below, above): (&[f64], &[f64]),
) -> Vec<(f64, f64)> {
    let edge = |i: usize| (x.at(rows[i].0), x.at(rows[i].0 + widths[i]));
    let mut out = Vec::with_capacity(rows.len() * 4);
    for (i, value) in above.iter().enumerate() {
        push_flat(&mut out, (edge(i).0, y.at(*value)));
        push_flat(&mut out, (edge(i).1, y.at(*value)));
    }
    for (i, value) in below.iter().enumerate().rev() {
        push_flat(&mut out, (edge(i).1, y.at(*value)));
        push_flat(&mut out, (edge(i).0, y.at(*value)));
    }
    out
}

/// Adds a point; the middle of three on one level is left out.
fn push_flat(out: &mut Vec<(f64, f64)>, point: (f64, f64)) {
    let level = |a: &(f64, f64)| (a.1 - point.1).abs() < 0.05;
    if out.len() >= 2 && level(&out[out.len() - 1]) && level(&out[out.len() - 2]) {
        out.pop();
    }
    out.push(point);
}

/// Swatches with names and counts, right of the heading, or below each other's row when narrow.
fn legend(frame: &mut Frame<'_>, totals: &Counts, top: f64) {
    let shown: Vec<usize> = (0..totals.len()).filter(|k| totals[*k] > 0).collect();
    let names: Vec<String> = shown.iter().map(|k| Class::ALL[*k].name().to_owned()).collect();
    let width: f64 = names.iter().map(|n| width_of(n) + 28.0).sum();
    let mut x = if frame.size == Size::Wide { (frame.right - width).max(frame.left + 260.0) } else { frame.left + 4.0 };
    let mut y = if frame.size == Size::Wide { top - 17.0 } else { top + 4.0 };
    for (k, name) in shown.iter().zip(&names) {
        if x + width_of(name) + 16.0 > frame.right {
            x = frame.left + 4.0;
            y += 15.0;
        }
        let class = format!("c-k c-swatch {}", class_name(Class::ALL[*k]));
        frame.svg.rect(&class, (x, y), (11.0, 11.0), None);
        if !STROKES[*k].is_empty() {
            let fill = format!("url(#{})", frame.svg.id(&format!("k{k}")));
            frame.svg.rect("c-k-pattern", (x, y), (11.0, 11.0), Some(&fill));
        }
        frame.svg.text("c-label c-halo", (x + 15.0, y + 10.0), Anchor::Start, name);
        x += width_of(name) + 28.0;
    }
}

/// What the chart shows, in a sentence.
pub fn caption(data: &Outcomes) -> String {
    let totals = data.totals();
    let offered: u64 = totals.iter().sum();
    let mut failed: Vec<(u64, &str)> =
        Class::ALL.into_iter().zip(totals).skip(1).filter(|(_, n)| *n > 0).map(|(c, n)| (n, c.name())).collect();
    failed.sort_by(|a, b| b.cmp(a));
    let ok = format!(
        "Of {} offered over the time shown, {} ended ok.",
        quantity::plural(offered, "request", "requests"),
        quantity::count(totals[0])
    );
    if failed.is_empty() {
        return ok;
    }
    let parts: Vec<String> = failed.iter().map(|(n, name)| format!("{} {name}", quantity::count(*n))).collect();
    format!("{ok} The others: {}.", parts.join(", "))
}
