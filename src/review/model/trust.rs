//! Two lines above the fold: how far to trust the figures, and what they are about.

use super::{
    Told,
    look::{Look, list},
};
use crate::{event::Phase, review::quantity};

/// N, lateness, proof, unknown share, baseline tries.
pub fn trust(look: &Look<'_>) -> Told {
    let mut parts = Vec::new();
    if let Some(main) = look.main() {
        let judged = || main.phases.iter();
        let n: u64 = judged().map(|p| p.offered).sum();
        let early = if main.phase(Phase::WarmUp).is_some() { ", before any phase was judged" } else { "" };
        parts.push(format!("N = {} requests of {}{early}", quantity::count(n), main.name));
        if let Some(worst) = judged().map(|p| p.worst_own_lateness_ns).max() {
            parts.push(format!("the generator was at most {} late", quantity::span(worst)));
        }
        let unknown = judged().map(|p| p.unknown_share).fold(0.0, f64::max);
        parts.push(match unknown {
            0.0 => "no tick is unknown".into(),
            share => format!("up to {} of a phase's ticks are unknown", quantity::share(share)),
        });
    }
    parts.push(proof(look));
    let tries = look.findings.baseline_tries.len() as u64;
    if tries > 0 {
        let met = if look.findings.baseline_tries.last().is_some_and(|t| t.met) { "met" } else { "not met" };
        parts.push(format!("baseline {met} at try {tries} of 3"));
    }
    let tries = look.findings.baseline_tries.iter().map(|t| t.evidence);
    let evidence = look.requests_evidence().into_iter().chain(look.faults_evidence()).chain(tries);
    Told { text: format!("{}.", parts.join("; ")), evidence: look.cite_some(evidence, 6) }
}

fn proof(look: &Look<'_>) -> String {
    let injected: Vec<_> = look.findings.faults.iter().filter(|f| f.requested.is_some()).collect();
    if injected.is_empty() {
        return "no fault injected".into();
    }
    let on = || injected.iter().flat_map(|f| &f.containers);
    let seen = on().filter(|c| c.proof.as_ref().is_some_and(|(proven, _)| *proven)).count();
    let all = on().count();
    let held = injected.iter().filter(|f| f.held).flat_map(|f| &f.containers);
    let (mut undone, mut to_undo) = (0, 0);
    for container in held {
        to_undo += 1;
        undone += usize::from(container.undo_proof.as_ref().is_some_and(|(proven, _)| *proven));
    }
    let undo = if to_undo == 0 { String::new() } else { format!(", undo proven on {undone} of {to_undo}") };
    format!("fault proven on {seen} of {all} containers{undo}")
}

/// Environment, targets, load, and what came of it last time.
pub fn scope(look: &Look<'_>) -> Told {
    let findings = look.findings;
    let mut parts = Vec::new();
    match &findings.run.engine {
        Some(engine) => parts.push(format!("Docker {} on {}", engine.version, engine.name)),
        None => parts.push("no Docker engine answered".into()),
    }
    let targets: Vec<String> = findings
        .scope
        .targets
        .iter()
        .map(|(name, containers)| {
            let names: Vec<String> = containers.iter().map(|c| c.name.clone()).collect();
            format!("{name} = {}", list(&names, 3))
        })
        .collect();
    if !targets.is_empty() {
        parts.push(format!("targets: {}", targets.join(", ")));
    }
    let beside = findings.scope.neighbours.len() as u64;
    parts.push(format!("{} watched beside them", quantity::plural(beside, "container", "containers")));
    if let Some(main) = look.main() {
        let during = main.phase(Phase::During).map(|p| p.offered).filter(|n| *n > 0);
        let n = during.map(|n| format!(", {} during the fault", quantity::plural(n, "request", "requests")));
        parts.push(format!("load {} at {}{}", main.name, main.rate, n.unwrap_or_default()));
    }
    let sent = look.main_phase(Phase::During).map(|during| during.evidence.clone()).unwrap_or_default();
    let evidence = findings.scope.evidence.into_iter().chain(look.terms_evidence()).chain(sent);
    look.told(format!("{}. {}", parts.join("; "), last_time(look)), evidence)
}

fn last_time(look: &Look<'_>) -> String {
    let Some(last) = look.findings.earlier.first() else {
        return "First recorded run of this scenario.".into();
    };
    let changes = super::past::changes(look, last);
    let since = if changes.is_empty() {
        "no change of versions is known since".into()
    } else {
        format!("since then: {}", list(&changes, 3))
    };
    format!("Last run of this scenario: {} on {}; {since}.", last.word, quantity::utc(last.started))
}
