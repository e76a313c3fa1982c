//! A plan as a person reads it: second by second, every operation with its undo, and what is judged.

use super::{Plan, ProbePlan, Step};
use crate::{
    event::{Guard, Limit, Limits, ProbeTerms, Timing, alert_title},
    units::Span,
};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// When the last thing changes; what is held to the end counts from its start.
fn last_change(plan: &Plan) -> Duration {
    let end = |step: &Step| step.at.0 + step.length.map_or(Duration::ZERO, |length| length.0);
    plan.steps.iter().map(end).max().unwrap_or_default()
}

/// The whole plan, ending without a line break.
pub fn text(plan: &Plan) -> String {
    let mut page = Page::default();
    let terms = &plan.terms;
    page.line(0, format!("{}: {}", terms.scenario, terms.title));
    if let Some(hypothesis) = &terms.hypothesis {
        page.line(2, hypothesis);
    }
    page.line(2, format!("seed {}, engine {} at {}", plan.seed, plan.engine.version, plan.engine.address));
    page.section("Targets", plan.choices.iter().cloned());
    page.section("Sent", terms.probes.iter().zip(&plan.probes).map(sent));
    page.head("Timeline (t=0 is when the baseline is met)");
    timeline(&mut page, plan);
    page.head("Judged");
    judged(&mut page, plan);
    page.section("Alerts", alerts(plan));
    page.section("Stops early, and undoes", terms.guards.iter().map(guard));
    page.section("Watched, not touched", names(plan));
    page.section("Know before you run it", plan.notes.iter().cloned());
    page.0.trim_end().to_owned()
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, indent: usize, text: impl AsRef<str>) {
        let _ = writeln!(self.0, "{:indent$}{}", "", text.as_ref());
    }

    fn head(&mut self, text: &str) {
        self.line(0, "");
        self.line(0, text);
    }

    fn section(&mut self, head: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.head(head);
            lines.for_each(|line| self.line(2, line));
        }
    }

    fn moment(&mut self, at: &str, text: impl AsRef<str>) {
        let _ = writeln!(self.0, "{at:>8}  {}", text.as_ref());
    }
}

fn sent((terms, probe): (&ProbeTerms, &ProbePlan)) -> String {
    let what = if terms.load { "load" } else { "probe" };
    let ProbePlan { name, rate, timeout, max_in_flight, .. } = probe;
    format!("{name} ({what}): {} at {rate}, timeout {timeout}, at most {max_in_flight} at once", terms.subject)
}

fn timeline(page: &mut Page, plan: &Plan) {
    let Timing { warm_up, baseline, recovery } = plan.terms.timing;
    let before = Span(warm_up.0 + baseline.0);
    if warm_up.0 > Duration::ZERO {
        page.moment(&format!("-{before}"), format!("everything is sent; the first {warm_up} do not count"));
    }
    page.moment(&format!("-{baseline}"), "baseline; not met in three windows, nothing is injected");
    for moment in moments(plan) {
        moment.print(page, plan);
    }
    let change = last_change(plan);
    page.moment(&Span(change).to_string(), format!("recovery is watched for {recovery}"));
    let end = Span(change + recovery.0).to_string();
    for step in plan.steps.iter().filter(|step| step.length.is_none()) {
        undo(page, plan, &end, step);
    }
    page.moment(&end, "the end; every target has been compared with its snapshot");
}

/// What is done at one time.
struct Moment {
    at: Duration,
    undo: bool,
    step: usize,
}

impl Moment {
    fn print(&self, page: &mut Page, plan: &Plan) {
        let (at, step) = (Span(self.at).to_string(), &plan.steps[self.step]);
        if self.undo {
            return undo(page, plan, &at, step);
        }
        page.moment(&at, &plan.terms.faults[step.fault].label);
        if step.one_by_one.is_some() {
            page.line(12, "one after the other, each healthy before the next");
        }
        for injection in &step.injections {
            let ops: Vec<String> = injection.apply.iter().map(ToString::to_string).collect();
            page.line(12, format!("{}: {}; proven when {}", injection.name, ops.join(", then "), injection.proof));
        }
    }
}

/// In the order of time; at one time, what ends comes before what begins.
fn moments(plan: &Plan) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (number, step) in plan.steps.iter().enumerate() {
        moments.push(Moment { at: step.at.0, undo: false, step: number });
        if let Some(length) = step.length {
            moments.push(Moment { at: step.at.0 + length.0, undo: true, step: number });
        }
    }
    moments.sort_by_key(|moment| (moment.at, !moment.undo, moment.step));
    moments
}

fn undo(page: &mut Page, plan: &Plan, at: &str, step: &Step) {
    if step.injections.iter().all(|injection| injection.undo.is_empty()) {
        return;
    }
    page.moment(at, format!("undo of {}", plan.terms.faults[step.fault].label));
    for injection in &step.injections {
        let ops: Vec<String> = injection.undo.iter().map(ToString::to_string).collect();
        page.line(12, format!("{}: {}", injection.name, ops.join(", then ")));
    }
}

fn judged(page: &mut Page, plan: &Plan) {
    let expect = &plan.terms.expect;
    let phases = [("baseline", &expect.baseline), ("during", &expect.during), ("recovery", &expect.recovery)];
    for (phase, limits) in phases {
        phase_limits(page, phase, limits);
    }
    if !expect.unaffected.is_empty() {
        page.line(2, format!("unaffected: {}", expect.unaffected.join(", ")));
    }
    if expect.is_empty() {
        page.line(2, "nothing");
    }
}

fn phase_limits(page: &mut Page, phase: &str, limits: &BTreeMap<String, Limits>) {
    for (probe, limits) in limits {
        let mut parts: Vec<String> = limits.limits.iter().map(limit).collect();
        parts.extend(limits.within.map(|within| match phase {
            "during" => format!("from {within} after the fault on"),
            _ => format!("within {within}"),
        }));
        parts.extend(limits.stable_for.map(|stable| format!("stable for {stable}")));
        parts.extend(limits.max_failed.map(|failed| format!("at most {failed} failed")));
        page.line(2, format!("{phase}: {probe} {}", parts.join(", ")));
    }
}

fn limit(limit: &Limit) -> String {
    format!("{} {} {}", limit.name(), limit.op.sign(), limit.value(limit.bound()))
}

fn guard(guard: &Guard) -> String {
    format!("{}: {} for {}", guard.probe, limit(&guard.limit), guard.window)
}

/// Who is asked, what must fire, what must not.
fn alerts(plan: &Plan) -> Vec<String> {
    let Some(detect) = &plan.terms.detect else { return Vec::new() };
    let mut lines = vec![format!("{} at {} is asked every {}", detect.source, detect.url, detect.every)];
    if !detect.labels.is_empty() {
        lines.push(format!("only those with {}", alert_title("", &detect.labels)));
    }
    lines.extend(detect.alerts.iter().map(|alert| {
        let resolves = alert.resolves_within.map(|time| format!(", and resolves within {time} of the last undo"));
        format!("{alert} fires within {} of the first fault{}", alert.within, resolves.unwrap_or_default())
    }));
    lines.extend(detect.no_page.names.iter().map(|name| format!("{name} does not fire")));
    if detect.no_page.others {
        lines.push("no other alert begins to fire".into());
    }
    lines
}

fn names(plan: &Plan) -> Vec<String> {
    let names: Vec<&str> = plan.neighbours.iter().map(|one| one.name.as_str()).collect();
    if names.is_empty() { Vec::new() } else { vec![names.join(", ")] }
}
