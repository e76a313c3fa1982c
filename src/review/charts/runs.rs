//! The same scenario over time: one dot a run, never a mean. Durations are skewed, and a mean of them says nothing.

use super::{
    Size, Words,
    scale::{Scale, linear_ticks},
    svg::{Anchor, Svg},
};
use crate::review::quantity;

/// From so many measured runs on, their median and range are worth a word.
const ENOUGH: usize = 5;

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// `03-01`
    pub day: String,
    /// Time to recover, nanoseconds; `None`: not measured, or it did not recover.
    pub recover: Option<u64>,
    /// Whether it held.
    pub held: bool,
    /// Whether a version changed between the run before and this one.
    pub changed: bool,
}

/// Draws them, oldest first; the last is the run that the review is about.
pub fn draw(words: &Words, size: Size, runs: &[Dot]) -> String {
    let (height, left, right) = match size {
        Size::Wide => (190.0, 52.0, size.width() - 20.0),
        Size::Narrow => (180.0, 48.0, size.width() - 12.0),
    };
    let (top, bottom) = (40.0, height - 30.0);
    let mut svg = Svg::new(words, size, height);
    let heading = match size {
        Size::Wide => "Time to recover: filled held, hollow did not; dotted: versions changed",
        Size::Narrow => "Time to recover; hollow: did not hold",
    };
    svg.text("c-heading", (left, 16.0), Anchor::Start, heading);
    let highest = runs.iter().filter_map(|run| run.recover).max().unwrap_or(0) as f64 / 1e9;
    let (ticks, high) = linear_ticks(highest.max(0.1), 3);
    let y = Scale::linear((0.0, high), (bottom, top));
    for tick in ticks {
        svg.line("c-grid", (left, y.at(tick)), (right, y.at(tick)));
        svg.text("c-tick", (left - 6.0, y.at(tick) + 4.0), Anchor::End, &quantity::span((tick * 1e9).round() as u64));
    }
    let step = (right - left) / runs.len() as f64;
    let every = (46.0 / step).ceil().max(1.0) as usize;
    for (i, run) in runs.iter().enumerate() {
        let x = left + step * (i as f64 + 0.5);
        if run.changed {
            svg.line("c-mark", (x - step / 2.0, top - 8.0), (x - step / 2.0, bottom));
        }
        let class = if run.held { "c-run" } else { "c-run c-run-not" };
        match run.recover {
            Some(ns) => svg.dot(class, (x, y.at(ns as f64 / 1e9)), if i + 1 == runs.len() { 6.5 } else { 4.5 }),
            None => svg.text("c-label", (x, bottom - 4.0), Anchor::Middle, "?"),
        }
        if (runs.len() - 1 - i).is_multiple_of(every) {
            svg.text("c-tick", (x, bottom + 16.0), Anchor::Middle, &run.day);
        }
    }
    svg.finish()
}

/// What the chart shows, in a sentence.
pub fn caption(runs: &[Dot]) -> String {
    let held = runs.iter().filter(|run| run.held).count();
    let changed = runs.iter().filter(|run| run.changed).count() as u64;
    let mut times: Vec<u64> = runs.iter().filter_map(|run| run.recover).collect();
    times.sort_unstable();
    let half = times.len() / 2;
    let middle = times
        .get(half)
        .map(|upper| if times.len().is_multiple_of(2) { times[half - 1].midpoint(*upper) } else { *upper });
    let spread = match (times.first(), times.last(), middle) {
        (Some(low), Some(high), Some(middle)) if times.len() >= ENOUGH => format!(
            " Median time to recover {}, from {} to {} (N = {} runs).",
            quantity::span(middle),
            quantity::span(*low),
            quantity::span(*high),
            times.len()
        ),
        _ => String::new(),
    };
    format!(
        "{held} of {} runs held, this one the last dot; versions changed {}.{spread}",
        runs.len(),
        quantity::plural(changed, "time", "times")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_told_only_of_enough_runs_and_never_a_mean() {
        let run = |s: u64| Dot { day: "03-01".into(), recover: Some(s * 1_000_000_000), held: s < 9, changed: s == 2 };
        let few: Vec<Dot> = (1..5).map(run).collect();
        assert_eq!(caption(&few), "4 of 4 runs held, this one the last dot; versions changed 1 time.");
        let many: Vec<Dot> = [1, 2, 3, 4, 90].map(run).to_vec();
        assert!(
            caption(&many).ends_with("Median time to recover 3s, from 1s to 1m30s (N = 5 runs)."),
            "{}",
            caption(&many)
        );
        assert!(!caption(&many).contains("mean"));
    }
}
