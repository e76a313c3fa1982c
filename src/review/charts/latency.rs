//! Response time percentiles over time on a log scale, and the error rate below on the same time axis.

use super::{
    Bound, Scene, Size, Words,
    frame::Frame,
    points::{Series, thin},
    scale::{Scale, linear_ticks, log_bounds, log_ticks},
    svg::{Anchor, fit, width_of},
};
use crate::review::quantity;

/// One probe over time. Latencies in nanoseconds, `NaN` where nothing was answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latency {
    /// Median.
    pub p50: Series,
    /// 90th percentile.
    pub p90: Series,
    /// 99th percentile.
    pub p99: Series,
    /// Slowest.
    pub max: Series,
    /// Share of offered requests that were not ok, 0 to 1.
    pub errors: Series,
    /// Limits and guards on latency, in nanoseconds.
    pub latency_bounds: Vec<Bound>,
    /// Limits and guards on errors, 0 to 1.
    pub error_bounds: Vec<Bound>,
}

impl Latency {
    fn lines(&self) -> [(&'static str, &'static str, &'static str, &Series); 4] {
        [
            ("c-line c-max", "c-end c-max-end", "max", &self.max),
            ("c-line c-p99", "c-end c-p99-end", "p99", &self.p99),
            ("c-line c-p90", "c-end c-p90-end", "p90", &self.p90),
            ("c-line c-p50", "c-end c-p50-end", "p50", &self.p50),
        ]
    }
}

/// Draws it.
pub fn draw(words: &Words, scene: &Scene, size: Size, data: &Latency) -> String {
    let heights = if size == Size::Wide { [250.0, 84.0] } else { [200.0, 70.0] };
    let mut frame = Frame::begin(words, scene, size, &heights);
    latency_panel(&mut frame, data);
    error_panel(&mut frame, data);
    frame.finish()
}

fn latency_panel(frame: &mut Frame<'_>, data: &Latency) {
    let (top, bottom) = frame.panel(0);
    let values = data.lines().into_iter().flat_map(|(.., s)| s.iter().map(|p| p.1));
    let bounds = log_bounds(values.chain(data.latency_bounds.iter().map(|b| b.value)));
    let y = Scale::log(bounds, (bottom, top));
    frame.heading(0, "Response time from the intended send, log scale", "Response time, log scale");
    let ticks: Vec<_> = log_ticks(bounds, 8).into_iter().map(|v| (v, tick(v))).collect();
    frame.grid(&y, &ticks);
    let mut ends = Vec::new();
    for (class, end, name, series) in data.lines() {
        let thinned = thin(series, frame.size.points());
        let points: Vec<_> = thinned.iter().map(|(t, v)| (frame.x.at(*t), y.at(*v))).collect();
        frame.svg.polyline(class, &points);
        if let Some((_, at)) = points.iter().rev().find(|(_, v)| v.is_finite()) {
            ends.push((*at, end, name.to_owned()));
        }
    }
    frame.ends(ends, (top, bottom));
    bounds_lines(frame, &y, &data.latency_bounds, (top, bottom));
}

/// `5ms`, `200us`, `2s`: axis labels are round, so they need no digits behind the point.
pub fn tick(ns: f64) -> String {
    let (value, unit) = match ns {
        v if v >= 0.999e9 => (v / 1e9, "s"),
        v if v >= 0.999e6 => (v / 1e6, "ms"),
        v if v >= 0.999e3 => (v / 1e3, "us"),
        v => (v, "ns"),
    };
    format!("{}{unit}", crate::units::trimmed(value, 1))
}

fn error_panel(frame: &mut Frame<'_>, data: &Latency) {
    let (top, bottom) = frame.panel(1);
    let worst = data.errors.iter().map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max);
    // A guard far above what happened does not flatten it.
    let near = data.error_bounds.iter().map(|b| b.value).filter(|v| *v <= (worst * 4.0).max(0.02));
    let high = (near.fold(worst * 1.1, f64::max) * 100.0).clamp(0.5, 100.0);
    let (ticks, high) = linear_ticks(high, 2);
    let high = high.min(100.0);
    let y = Scale::linear((0.0, high / 100.0), (bottom, top));
    frame.heading(1, "Error rate, share of offered requests", "Error rate");
    let ticks: Vec<_> = ticks
        .into_iter()
        .filter(|v| *v <= high)
        .map(|v| (v / 100.0, format!("{}%", crate::units::trimmed(v, 2))))
        .collect();
    frame.grid(&y, &ticks);
    let thinned = thin(&data.errors, frame.size.points());
    area_under(frame, &thinned, &y, bottom);
    bounds_lines(frame, &y, &data.error_bounds, (top, bottom));
    if let Some(bound) = data.error_bounds.iter().find(|b| b.value > high / 100.0) {
        let text = fit(&format!("{}: above this scale", bound.label), frame.right - frame.left - 90.0);
        frame.svg.text("c-note", (frame.right, top - 8.0), Anchor::End, &text);
    }
    if worst == 0.0 {
        let middle = ((frame.left + frame.right) / 2.0, (top + bottom) / 2.0 + 4.0);
        frame.svg.text("c-note", middle, Anchor::Middle, "no errors");
    }
}

fn area_under(frame: &mut Frame<'_>, series: &[(f64, f64)], y: &Scale, bottom: f64) {
    let points: Vec<(f64, f64)> = series.iter().map(|(t, v)| (frame.x.at(*t), y.at(*v))).collect();
    for run in points.split(|(_, v)| !v.is_finite()).filter(|run| !run.is_empty()) {
        let mut closed = vec![(run[0].0, bottom)];
        closed.extend_from_slice(run);
        closed.push((run[run.len() - 1].0, bottom));
        frame.svg.area("c-errors", &closed, None);
    }
    frame.svg.polyline("c-line c-error-line", &points);
}

/// Limit and guard lines with their labels, which keep off each other.
fn bounds_lines(frame: &mut Frame<'_>, y: &Scale, bounds: &[Bound], (top, bottom): (f64, f64)) {
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    let right = frame.right;
    let shown = |b: &&Bound| y.holds(b.value) && frame.x.at(b.from) < right;
    let shown: Vec<&Bound> = bounds.iter().filter(shown).collect();
    for bound in shown {
        let (a, b, at) = (frame.x.at(bound.from), frame.x.at(bound.to), y.at(bound.value));
        frame.svg.line(if bound.guard { "c-guard" } else { "c-limit" }, (a, at), (b, at));
        let text = fit(&bound.label, frame.right - frame.left);
        let width = width_of(&text);
        let start = if a + width <= frame.right { a } else { frame.right - width };
        let meets = |y: f64| taken.iter().any(|(s, e, t)| start < *e && start + width > *s && (t - y).abs() < 12.0);
        let (above, below) = (at - 4.0, at + 12.0);
        let base = if meets(above) || above - 8.0 < top { below } else { above };
        if !meets(base) && base < bottom {
            taken.push((start, start + width, base));
            frame.svg.text("c-bound", (start + 2.0, base), Anchor::Start, &text);
        }
    }
}

/// What the chart shows, in a sentence: where the worst second was and what it came to.
pub fn caption(data: &Latency, scene: &Scene) -> String {
    let worst = |s: &Series| s.iter().copied().filter(|p| p.1.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1));
    let at = |t: f64| {
        let moment = quantity::moment((t * 1e9).round() as i64);
        format!("{}{}", scene.origin, moment.trim_start_matches('t'))
    };
    let first = data.p99.iter().find(|p| p.1.is_finite());
    let mut text = match (first, worst(&data.p99)) {
        (Some((_, calm)), Some((t, high))) => format!(
            "Per-second p99 began at {} and was highest at {}, {}.",
            quantity::span(*calm as u64),
            at(t),
            quantity::span(high as u64)
        ),
        _ => "No request was answered.".to_owned(),
    };
    match worst(&data.errors) {
        Some((t, share)) if share > 0.0 => {
            text.push_str(&format!(" The error rate was highest at {}, {}.", at(t), quantity::share(share)));
        }
        _ => text.push_str(" No request ended in an error."),
    }
    text
}
