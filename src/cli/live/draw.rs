//! The picture: phase and time, one line a probe, and the main load second by second with the faults marked.

use super::{
    view::{Lane, View},
    words::{moment, paint},
};
use crate::{clock::At, event::Phase, units::Span};
use std::time::Duration;

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Room for the names of rows.
const NAMES: usize = 10;
const SECOND: u64 = 1_000_000_000;

/// All of it, ending with a line break; empty before there is anything to show.
pub fn picture(view: &View, colour: bool, width: usize) -> String {
    let Some(terms) = &view.terms else { return String::new() };
    let mut lines = vec![headline(view, colour)];
    for (probe, lane) in terms.probes.iter().zip(&view.lanes) {
        lines.push(format!("  {:NAMES$} {}", cut(&probe.name, NAMES), numbers(lane, colour)));
    }
    if let Some(lane) = view.lanes.first().filter(|lane| !lane.seconds.is_empty()) {
        lines.extend(chart(view, lane, colour, width.saturating_sub(NAMES + 4)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// One line for where there is no picture.
pub fn status(view: &View) -> String {
    let names = view.terms.iter().flat_map(|terms| terms.probes.iter().map(|probe| probe.name.clone()));
    let probes: Vec<String> =
        names.zip(&view.lanes).map(|(name, lane)| format!("{name}: {}", numbers(lane, false).trim())).collect();
    format!("{:>9} {}; {}", moment(view, view.now()), phase(view), probes.join("; "))
}

fn headline(view: &View, colour: bool) -> String {
    let when = moment(view, view.now());
    let halted = view.halted.as_ref().map(|why| format!("  {}", paint(colour, "33", why))).unwrap_or_default();
    format!("{} {}{halted}", paint(colour, "2", &format!("{when:>9}")), paint(colour, "1", &phase(view)))
}

fn phase(view: &View) -> String {
    let name = match (view.phase, view.zero) {
        (None, _) => "planning",
        (Some(Phase::Preflight), _) => "preflight",
        (Some(Phase::WarmUp), _) => "warm-up",
        (Some(Phase::Baseline), None) => "baseline",
        (Some(Phase::Baseline), Some(_)) => "before the first fault",
        (Some(Phase::During), _) => "during",
        (Some(Phase::Recovery), _) => "recovery",
        (Some(Phase::Report), _) => "cleaning up",
    };
    let left = view.remaining().map(|left| format!(", {} to go", rounded(left))).unwrap_or_default();
    let all = view.remaining_in_all().map(|left| format!("  ({} in all)", rounded(left))).unwrap_or_default();
    format!("{name}{left}{all}")
}

fn rounded(left: Duration) -> Span {
    Span::secs(left.as_secs_f64().ceil() as u64)
}

fn numbers(lane: &Lane, colour: bool) -> String {
    let Some(last) = lane.seconds.back() else { return "waiting for answers".into() };
    let time = |span: Option<Span>| span.map_or_else(|| "-".into(), short);
    let errors = format!("{:5.1}% errors", last.failed * 100.0);
    let errors = if last.failed > 0.0 { paint(colour, "31", &errors) } else { errors };
    format!(
        "{:>5}/s  {errors}  p50 {:>6}  p99 {:>6}  {} failed",
        last.ended,
        time(last.p50),
        time(last.p99),
        lane.failed
    )
}

/// Three digits are enough for a glance.
fn short(span: Span) -> String {
    let ns = span.ns() as f64;
    match span.ns() {
        0..1_000_000 => format!("{:.0}us", ns / 1e3),
        1_000_000..10_000_000 => format!("{:.1}ms", ns / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0}ms", ns / 1e6),
        _ => format!("{:.2}s", ns / 1e9),
    }
}

fn chart(view: &View, lane: &Lane, colour: bool, room: usize) -> Vec<String> {
    let shown = lane.seconds.len().min(room);
    let seconds: Vec<_> = lane.seconds.iter().skip(lane.seconds.len() - shown).copied().collect();
    let timed: Vec<Span> = seconds.iter().filter_map(|second| second.p99).collect();
    let scale = Scale::over(&timed);
    let latency: String = seconds.iter().map(|second| second.p99.map_or(' ', |p99| step(scale.share(p99)))).collect();
    let failed =
        seconds.iter().map(|second| if second.failed > 0.0 { step(second.failed) } else { '·' }).collect::<String>();
    let mut rows = vec![
        format!("  {:NAMES$} {latency}  to {}", "p99", short(scale.most)),
        format!("  {:NAMES$} {}", "failed", paint(colour, "31", &failed)),
    ];
    let marked = marks(view, &seconds.iter().map(|second| second.from).collect::<Vec<_>>());
    if !marked.trim().is_empty() {
        rows.push(format!("  {:NAMES$} {}", "fault", paint(colour, "35", &marked)));
    }
    rows
}

/// A scale of powers, so that a service that goes from 2 ms to 2 s has steps in between; but small changes of a
/// quiet service stay small.
struct Scale {
    least: Span,
    most: Span,
}

/// The highest step is at least so many times the lowest.
const RANGE: f64 = 20.0;

impl Scale {
    fn over(values: &[Span]) -> Scale {
        let most = values.iter().max().copied().unwrap_or_default();
        let least = values.iter().min().copied().unwrap_or_default();
        Scale { least, most }
    }

    fn share(&self, value: Span) -> f64 {
        let log = |span: Span| (span.ns().max(1) as f64).ln();
        let range = (log(self.most) - log(self.least)).max(RANGE.ln());
        (log(value) - log(self.least)) / range
    }
}

fn step(share: f64) -> char {
    STEPS[((share * 8.0) as usize).min(7)]
}

/// `━` where a fault is on, `╸` where it is momentary.
fn marks(view: &View, seconds: &[At]) -> String {
    let on = |from: At| {
        view.marks.iter().any(|mark| {
            let Some(start) = mark.from else { return false };
            start < from + SECOND && mark.to.is_none_or(|end| end >= from)
        })
    };
    seconds.iter().map(|from| if on(*from) { '━' } else { ' ' }).collect()
}

fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most { name.into() } else { name.chars().take(most - 1).chain(['…']).collect() }
}
