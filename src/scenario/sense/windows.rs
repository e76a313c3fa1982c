//! Lengths that do not go into each other.

use crate::{
    scenario::{Scenario, diagnostics::Diagnostic, tree::Node},
    units::Span,
};
use std::time::Duration;

pub(super) fn check(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let mut errors = recovery(root, scenario);
    errors.extend(during(root, scenario));
    errors.extend(guards(root, scenario));
    errors
}

/// How long `during` lasts by plan; `None` if no held fault says.
pub(super) fn during_length(scenario: &Scenario) -> Option<Span> {
    let start = scenario.faults.iter().map(|fault| fault.at.0).min()?;
    let recovery = scenario.timing.recovery.0;
    let ends = scenario.faults.iter().filter(|fault| fault.fault.held()).map(|fault| {
        // Held to the end of the run, which then is the time that is watched.
        let length = fault.length.map_or(recovery, |length| length.0);
        fault.at.0.saturating_add(length)
    });
    ends.max().map(|end| Span(end.saturating_sub(start)))
}

/// A limit's key in a phase, to point at.
fn key<'a>(root: &'a Node, phase: &str, probe: &str, key: &str) -> Option<&'a Node> {
    root.get("expect")?.get(phase)?.get(probe)?.get(key)
}

fn recovery(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let watched = scenario.timing.recovery;
    let mut errors = Vec::new();
    for (probe, limits) in &scenario.expect.recovery {
        let (within, stable) = (limits.within.unwrap_or_default(), limits.stable_for.unwrap_or_default());
        let needed = Span(within.0.saturating_add(stable.0));
        let place = key(root, "recovery", probe, "stable_for").or_else(|| key(root, "recovery", probe, "within"));
        if let Some(node) = place.filter(|_| needed > watched) {
            let message = format!(
                "`within` {within} and `stable_for` {stable} make {needed}, but the recovery is watched for {watched} only"
            );
            let error = Diagnostic::new(node.place, node.span.clone(), message);
            errors
                .push(error.help(format!("write `timing: {{ recovery: {needed} }}` or more, or shorten one of them")));
        }
    }
    errors
}

fn during(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let Some(length) = during_length(scenario) else { return Vec::new() };
    let late = scenario.expect.during.iter().filter(|(_, limits)| {
        limits.within.is_some_and(|within| within >= length && length.0 > Duration::ZERO) && !limits.limits.is_empty()
    });
    late.filter_map(|(probe, _)| key(root, "during", probe, "within"))
        .map(|node| {
            let within = node.text().unwrap_or_default();
            let message =
                format!("the limits would be judged from {within} after the fault, but it is undone after {length}");
            Diagnostic::new(node.place, node.span.clone(), message)
                .help("shorten `within`, or let the fault last longer (`for`)")
        })
        .collect()
}

/// A guard whose window is longer than everything before the fault can never be judged in time.
fn guards(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let load = scenario.timing.warm_up.0 + scenario.timing.baseline.0 + scenario.timing.recovery.0;
    let all = Span(load.saturating_add(during_length(scenario).unwrap_or_default().0));
    let items = root.get("abort").map(Node::items).unwrap_or_default();
    let windows = items.iter().flat_map(Node::entries).filter_map(|entry| entry.node.get("for"));
    windows
        .filter(|node| node.text().and_then(|text| text.parse::<Span>().ok()).is_some_and(|window| window > all))
        .map(|node| {
            let message =
                format!("this guard looks at {}, but the whole drill takes {all}", node.text().unwrap_or_default());
            Diagnostic::new(node.place, node.span.clone(), message).help("shorten `for`; 5s to 30s is usual")
        })
        .collect()
}
