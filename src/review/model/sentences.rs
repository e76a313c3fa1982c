//! The three sentences above the fold, computed from the sections below it, so that both agree.

use super::{
    Sentence, detection,
    look::{Look, list},
    restore,
    verdict::{capital, containers_of, end_of_sentence},
};
use crate::{
    analysis::{EvidenceId, FaultFindings, FigureKind, PhaseStats, ProbeFindings, RunOutcome, Value},
    event::Phase,
    measure::ProbeId,
    review::quantity,
};

/// What we did; what users of the probe saw; how it ended.
pub fn three(look: &Look<'_>) -> Vec<Sentence> {
    if let RunOutcome::NotStarted(_) = &look.findings.verdict.run {
        return vec![
            told(look, "What we did", prepared(look), look.terms_evidence()),
            told(look, "What users of the probe saw", before_zero(look), tried(look)),
            told(look, "How it ended", "No fault was injected, so there was nothing to undo.".into(), vec![]),
        ];
    }
    vec![
        told(look, "What we did", did(look), [look.faults_evidence(), look.terms_evidence()].concat()),
        told(look, "What users of the probe saw", saw(look), seen_in(look)),
        told(look, "How it ended", ended(look), restore::evidence(look)),
    ]
}

fn told(look: &Look<'_>, lead: &'static str, text: String, evidence: Vec<EvidenceId>) -> Sentence {
    Sentence { lead, text, evidence: look.cite_some(evidence, 4) }
}

/// The tries of the gate.
fn tried(look: &Look<'_>) -> Vec<EvidenceId> {
    look.findings.baseline_tries.iter().map(|t| t.evidence).collect()
}

/// Requests and impact of the main probe, then of the others that saw any.
fn seen_in(look: &Look<'_>) -> Vec<EvidenceId> {
    let impacts = look.findings.probes.iter().filter_map(|probe| probe.impact.as_ref());
    let impacts = impacts.flat_map(|impact| impact.evidence.iter().copied());
    let failed = look.figure(FigureKind::RequestsFailed).map(|f| f.evidence.clone()).unwrap_or_default();
    let baseline = look.main_phase(Phase::Baseline).map(|stats| stats.evidence.clone()).unwrap_or_default();
    impacts.take(2).chain(failed).chain(baseline).collect()
}

fn prepared(look: &Look<'_>) -> String {
    match look.main().filter(|p| p.schedule.is_some()) {
        Some(main) => {
            format!("{} was sent at {} to see the baseline; no fault was applied.", capital(&main.name), main.rate)
        }
        None => "Nothing was sent and no fault was applied.".into(),
    }
}

fn before_zero(look: &Look<'_>) -> String {
    match look.findings.baseline_tries.last() {
        Some(last) => format!(
            "The baseline was judged {}, last: {}.",
            quantity::plural(look.findings.baseline_tries.len() as u64, "time", "times"),
            end_of_sentence(&list(&last.readings, 3))
        ),
        None => "No load was sent.".into(),
    }
}

fn did(look: &Look<'_>) -> String {
    let findings = look.findings;
    let injected: Vec<String> =
        findings.faults.iter().filter(|f| f.requested.is_some()).map(|f| one_fault(look, f)).collect();
    let load = look.main().map(|p| format!(" while {} was sent at {}", p.name, p.rate)).unwrap_or_default();
    match injected.as_slice() {
        [] => format!("No fault was injected{load}."),
        _ => format!("The drill applied {}{load}.", list(&injected, 3)),
    }
}

/// `pause cache on shop-cache-1 from t+0.0s (10:00:30 UTC) to t+30.0s`.
fn one_fault(look: &Look<'_>, fault: &FaultFindings) -> String {
    let containers = containers_of(fault);
    let on = if containers.is_empty() || fault.label.contains(&containers) {
        String::new()
    } else {
        format!(" on {containers}")
    };
    let from = fault.effective.map(|e| e.low).or(fault.requested);
    let window = match (from, fault.removed) {
        (Some(from), Some(to)) => format!("from {} to {}", look.moment(from), look.short(to.high)),
        (Some(from), None) => format!("at {}", look.moment(from)),
        (None, _) => String::new(),
    };
    let unseen = if fault.proven == Some(false) { ", not proven" } else { "" };
    format!("{}{on} {window}{unseen}", fault.label).trim_end().to_owned()
}

fn saw(look: &Look<'_>) -> String {
    let Some(main) = look.main() else { return "No probe was watching.".into() };
    let Some(during) = main.phase(Phase::During) else {
        return format!("{} did not reach the phase in which a fault was effective.", capital(&main.name));
    };
    let mut text = failures(look, &main.name, during);
    text.push_str(&latency(look.main_phase(Phase::Baseline), during));
    match &main.impact {
        None => text.push_str("; no impact was observed at this load."),
        Some(impact) => {
            let after = look.time(FigureKind::TimeToImpact);
            let start = look.moment(impact.start.middle());
            text.push_str(&format!("; impact began at {start}"));
            match after {
                Some(0) => text.push_str(", with the fault"),
                Some(after) => text.push_str(&format!(", {} after the fault", quantity::span(after))),
                None => {}
            }
            match look.time(FigureKind::DegradedSpan).filter(|_| impact.end.is_some()) {
                Some(long) => text.push_str(&format!(", and lasted {}.", quantity::span(long))),
                None => text.push_str(", and was not over when the watch ended."),
            }
        }
    }
    text.push_str(&others(look, main.id));
    text
}

/// Probes beside the main one that saw impact.
fn others(look: &Look<'_>, main: ProbeId) -> String {
    let one = |probe: &ProbeFindings| {
        let impact = probe.impact.as_ref()?;
        let end = impact.end.map_or("the end of the watch".into(), |end| look.short(end.middle()));
        Some(format!("{} from {} to {end}", probe.name, look.short(impact.start.middle())))
    };
    let seen: Vec<String> = look.findings.probes.iter().filter(|p| p.id != main).filter_map(one).collect();
    if seen.is_empty() { String::new() } else { format!(" Also affected: {}.", list(&seen, 4)) }
}

/// From the first fault to the end of recovery, if that figure exists, else during.
fn failures(look: &Look<'_>, name: &str, during: &PhaseStats) -> String {
    let figure = look.figure(FigureKind::RequestsFailed);
    let (failed, offered, window) = match figure.map(|f| (f.value, f.n)) {
        Some((Ok(Value::Count(failed)), Some(n))) => (failed, n, ""),
        _ => (during.failed, during.offered, " during the fault"),
    };
    if failed == 0 {
        return format!("{}: none of {} requests failed{window}", capital(name), quantity::count(offered));
    }
    format!("{}: {} requests failed{window}", capital(name), quantity::part(failed, offered))
}

fn latency(baseline: Option<&PhaseStats>, during: &PhaseStats) -> String {
    let (name, before, then) = match (baseline.and_then(|b| b.response.p99), during.response.p99) {
        (before, Some(p99)) => ("p99", before, Some(p99)),
        _ => ("p90", baseline.and_then(|b| b.response.p90), during.response.p90),
    };
    match (before, then) {
        (Some(before), Some(then)) => {
            format!("; {name} went from {} to {}", quantity::span(before), quantity::span(then))
        }
        (None, Some(then)) => format!("; {name} was {}", quantity::span(then)),
        _ => String::new(),
    }
}

fn ended(look: &Look<'_>) -> String {
    let mut text = restore::ending(look);
    if look.findings.run.cut_short {
        text.push_str(" The journal stops there: the run was cut short.");
    }
    if look.findings.terms.detect.is_some() {
        text.push(' ');
        text.push_str(&detection::sentence(look));
    }
    let undo = restore::undone(look);
    if !undo.is_empty() {
        text.push(' ');
        text.push_str(&undo);
    }
    text
}
