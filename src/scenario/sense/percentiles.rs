//! A percentile that too few requests carry is noise: N(1 - q) of at least 10 is needed, N = rate x window.

use super::windows::during_length;
use crate::{
    event::Limits,
    scenario::{Probe, Scenario, decode::limits::quantile, diagnostics::Diagnostic, tree::Node},
    units::{Rate, Span, trimmed},
};
use std::collections::BTreeMap;

/// What a percentile must have beyond it.
const BEYOND: f64 = 10.0;

pub(super) fn check(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let timing = scenario.timing;
    let during = during_length(scenario);
    let expect = &scenario.expect;
    let mut errors = Vec::new();
    let mut phase = |name: &str, limits: &BTreeMap<String, Limits>, window: Option<Span>, setting: &str| {
        for (probe, limits) in limits {
            let late = limits.within.filter(|_| name == "during").unwrap_or_default();
            let Some(window) = window.map(|w| Span(w.0.saturating_sub(late.0))).filter(|w| *w > Span::ZERO) else {
                continue;
            };
            let node = root.get("expect").and_then(|node| node.get(name)?.get(probe));
            errors.extend(node.into_iter().flat_map(|node| judge(node, scenario, probe, name, window, setting)));
        }
    };
    phase("baseline", &expect.baseline, Some(timing.baseline), "`timing.baseline`");
    phase("during", &expect.during, during, "`for` of the fault");
    phase("mitigated", &expect.mitigated, during, "`for` of the fault");
    phase("recovery", &expect.recovery, Some(timing.recovery), "`timing.recovery`");
    for entry in root.get("abort").map(Node::items).unwrap_or_default().iter().flat_map(Node::entries) {
        let window = entry.node.get("for").and_then(Node::text).and_then(|text| text.parse().ok());
        let window = window.filter(|w| *w > Span::ZERO);
        errors.extend(
            window.into_iter().flat_map(|w| judge(&entry.node, scenario, &entry.key, "guard", w, "`for` of the guard")),
        );
    }
    errors
}

fn judge(node: &Node, scenario: &Scenario, probe: &str, phase: &str, window: Span, setting: &str) -> Vec<Diagnostic> {
    let Some(probe) = scenario.probes.iter().find(|known| known.name == probe) else { return Vec::new() };
    let percentiles = node.entries().iter().filter_map(|entry| Some((entry, quantile(&entry.key)?)));
    percentiles
        .filter(|(_, q)| requests(probe.rate, window) * (1.0 - q) < BEYOND - 1e-6)
        .map(|(entry, q)| {
            Diagnostic::new(entry.place, entry.span.clone(), message(&entry.key, q, probe, phase, window))
                .help(advice(q, probe, window, setting))
        })
        .collect()
}

fn requests(rate: Rate, window: Span) -> f64 {
    rate.0 * window.0.as_secs_f64()
}

fn message(key: &str, q: f64, probe: &Probe, phase: &str, window: Span) -> String {
    let (sent, needed) = (requests(probe.rate, window).floor(), needed(q));
    let during = match phase {
        "guard" => format!("the guard's {window}"),
        _ => format!("{window} of `{phase}`"),
    };
    format!("`{key}` of `{}` needs {needed} requests, but {during} at {} make {sent}", probe.name, probe.rate)
}

/// How many requests carry a percentile.
fn needed(q: f64) -> f64 {
    (BEYOND / (1.0 - q) - 1e-6).ceil()
}

fn advice(q: f64, probe: &Probe, window: Span, setting: &str) -> String {
    let rate = (needed(q) / window.0.as_secs_f64()).ceil();
    let seconds = (needed(q) / probe.rate.0).ceil();
    let carried = 1.0 - BEYOND / requests(probe.rate, window);
    let usual = [99.9, 99.0, 95.0, 90.0, 50.0].into_iter().find(|p| p / 100.0 <= carried + 1e-9);
    let lower = usual.map_or(String::new(), |p| format!(", or judge `p{}`", trimmed(p, 1)));
    format!("send {rate}/s or more, or lengthen {setting} to {}{lower}", Span::secs(seconds as u64))
}
