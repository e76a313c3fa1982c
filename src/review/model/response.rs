//! Detection and response: what told of the fault, how service came back, and who did what.

use super::{
    Told,
    detection::{self, AlertTable},
    look::{Look, list},
    verdict::{capital, containers_of},
};
use crate::{
    analysis::{Cleanup, EvidenceId, FaultFindings, FigureKind, Happening, Source, Value},
    event::{NoteKind, UndoReason},
    review::quantity,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The section: from the alert to the end of the impact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Response {
    /// Whether and how soon the fault was told.
    pub detected: Told,
    /// Which alerts were expected, and which fired; absent without an alert source.
    pub alerts: Option<AlertTable>,
    /// How service came back, how each fault ended, and who else acted.
    pub lines: Vec<Told>,
    /// Of the lines, the one that says how service came back.
    #[serde(skip)]
    pub ending: Told,
    /// Whether everything was put back, if there was anything to put back; a line only if that is not proven.
    #[serde(skip)]
    pub cleanup: Option<Told>,
    /// Each fault that was applied: `pause cache on shop-redis-1 from t+0.0s (10:00:30 UTC) to t+30.0s`.
    #[serde(skip)]
    pub applied: Vec<Told>,
}

/// Builds it.
pub fn response(look: &Look<'_>) -> Response {
    let faults: Vec<&FaultFindings> = look.findings.faults.iter().filter(|fault| fault.requested.is_some()).collect();
    let ending = look.told(ending(look), ending_evidence(look));
    let cleanup = cleanup(look);
    let lines = [ending.clone()].into_iter();
    let unproven = cleanup.clone().filter(|_| look.findings.verdict.cleanup == Cleanup::Unproven);
    let lines = lines.chain(faults.iter().map(|fault| spell(look, fault))).chain(unproven);
    Response {
        detected: detection::sentence(look),
        alerts: detection::table(look),
        lines: lines.chain(engine_acts(look)).chain([people(look)]).collect(),
        ending,
        cleanup,
        applied: faults
            .iter()
            .map(|fault| Told { text: applied(look, fault), evidence: of_spell(look, fault) })
            .collect(),
    }
}

/// In a sentence: recovered by itself, after removal, or not.
fn ending(look: &Look<'_>) -> String {
    let Some(main) = look.main() else { return "There was no probe to see an ending.".into() };
    let Some(impact) = &main.impact else { return "There was nothing to recover from.".into() };
    let watched = look.findings.run.ended;
    let name = capital(&main.name);
    let Some(end) = impact.end else {
        return format!(
            "{name} was still degraded when the watch ended at {}, {} after the impact began.",
            look.short(watched),
            quantity::span(watched.saturating_sub(impact.start.middle()))
        );
    };
    let took =
        look.time(FigureKind::TimeToRecover).unwrap_or_else(|| end.middle().saturating_sub(impact.start.middle()));
    let confirmed = if impact.confirmed { "" } else { "; the recovery is not confirmed" };
    format!(
        "{name} recovered at {}, {} after the impact began{}{confirmed}.",
        look.moment(end.middle()),
        quantity::span(took),
        relative_to_removal(look)
    )
}

/// `, 1.2s after the last fault was removed`, or before it, or by itself.
fn relative_to_removal(look: &Look<'_>) -> String {
    let under = look.figure(FigureKind::RecoveredUnderFault).map(|f| f.value);
    let lag = look.figure(FigureKind::RecoveryLag).map(|f| f.value);
    match (under, lag) {
        (Some(Ok(Value::Flag(true))), Some(Ok(Value::Time(lag)))) if lag < 0 => {
            format!(", by itself, {} before the last fault was removed", quantity::span(lag.unsigned_abs()))
        }
        (Some(Ok(Value::Flag(true))), _) => ", by itself, while the fault was still active".into(),
        (_, Some(Ok(Value::Time(lag)))) if lag < 0 => ", while the last fault was being removed".into(),
        (_, Some(Ok(Value::Time(lag)))) => {
            format!(", {} after the last fault was removed", quantity::span(lag.unsigned_abs()))
        }
        _ => String::new(),
    }
}

/// Where the end of the impact shows, and the removal of the faults.
fn ending_evidence(look: &Look<'_>) -> Vec<EvidenceId> {
    let impact = look.main().and_then(|main| main.impact.as_ref()).map(|impact| impact.evidence.clone());
    let removed = look.findings.faults.iter().flat_map(|f| f.evidence.last().copied());
    impact.unwrap_or_default().into_iter().take(2).chain(removed).collect()
}

fn cleanup(look: &Look<'_>) -> Option<Told> {
    let faults = &look.findings.faults;
    let held = faults.iter().any(|f| f.held && f.requested.is_some());
    match look.findings.verdict.cleanup {
        Cleanup::Unproven => Some(look.told("It is not proven that everything was put back.", look.faults_evidence())),
        Cleanup::Proven if held => {
            let undone = faults.iter().filter_map(|f| f.evidence.last().copied());
            Some(look.told("Every undo was read back and proven.", undone))
        }
        Cleanup::Proven => None,
    }
}

/// A fault, from its effect to its end.
fn spell(look: &Look<'_>, fault: &FaultFindings) -> Told {
    let ended = removal(look, fault).map(|how| format!(": {how}")).unwrap_or_default();
    Told { text: format!("{}{ended}.", capital(&applied(look, fault))), evidence: of_spell(look, fault) }
}

/// How a fault went in, and how it ended.
fn of_spell(look: &Look<'_>, fault: &FaultFindings) -> Vec<String> {
    let (all, begun) = (&fault.evidence, 3);
    let ended = &all[all.len().saturating_sub(2).max(begun.min(all.len()))..];
    look.cite_some(all.iter().take(begun).chain(ended).copied(), 5)
}

/// `pause cache on shop-redis-1 from t+0.0s (10:00:30 UTC) to t+30.0s`
fn applied(look: &Look<'_>, fault: &FaultFindings) -> String {
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

/// How one fault was ended, if it was.
fn removal(look: &Look<'_>, fault: &FaultFindings) -> Option<String> {
    let crash = fault.kind == "crash";
    match (&fault.ended_by, fault.undo_requested) {
        (Some(by), _) if crash => return Some(came_back(look, fault, by)),
        (Some(by), _) => return Some(format!("not the runner ended it ({by})")),
        (None, None) if fault.held => return Some("no undo is recorded".into()),
        (None, None) => return None,
        (None, Some(_)) => {}
    }
    let why = match fault.undo_reason {
        Some(UndoReason::Due) | None => "at the end of its time",
        Some(UndoReason::RunEnded) => "at the end of the run",
        Some(UndoReason::Guard) => "because a guard tripped",
        Some(UndoReason::Stopped) => "because the drill was stopped",
        Some(UndoReason::NotProven) => "because the fault did not go in as planned",
        Some(UndoReason::Failed) => "because the runner met an error of its own",
        Some(UndoReason::AlreadyOver) => "after it had ended without the runner",
        Some(UndoReason::Recovered) => "by firedrill recover",
    };
    let delay = match look.findings.figure(FigureKind::RemovalDelay, None, Some(fault.id)).map(|f| f.value) {
        Some(Ok(Value::Time(ns))) => format!(", effective {} later", quantity::span(ns.max(0) as u64)),
        _ => String::new(),
    };
    let asked = look.moment(fault.undo_requested?);
    let how = match fault.kind.as_str() {
        "crash" => "the container did not come back by itself; the runner started it",
        "kill" | "stop" => "started again by the runner",
        _ => "undone by the runner",
    };
    Some(format!("{how} {why}, asked at {asked}{delay}"))
}

/// What a crash is for: whether the container came back by itself, by what, and how soon.
fn came_back(look: &Look<'_>, fault: &FaultFindings, by: &str) -> String {
    let Some((down, up)) = fault.effective.zip(fault.removed) else {
        return format!("the container came back by itself ({by})");
    };
    let took = quantity::span(up.middle().saturating_sub(down.middle()));
    format!("the container came back by itself at {}, {took} after it (by: {by})", look.moment(up.middle()))
}

/// Starts and restarts that the engine saw on targets outside of our own operations.
fn engine_acts(look: &Look<'_>) -> Option<Told> {
    let targets = || look.findings.scope.targets.values().flatten();
    let started: Vec<_> =
        look.findings.blast.iter().filter(|n| n.starts > 0 && targets().any(|c| c.name == n.container)).collect();
    let names =
        started.iter().map(|n| format!("{} ({})", n.container, quantity::plural(n.starts.into(), "start", "starts")));
    let names = list(&names.collect::<Vec<_>>(), 5);
    let evidence = started.iter().flat_map(|n| n.evidence.iter().copied());
    (!started.is_empty()).then(|| look.told(format!("Started outside of the runner's operations: {names}."), evidence))
}

/// What people said while it went on.
fn people(look: &Look<'_>) -> Told {
    let notes = &look.findings.notes;
    let first = notes.iter().find(|n| n.kind == NoteKind::Ack);
    let people = look.findings.timeline.iter().filter(|r| r.source == Source::Person);
    let said = people.filter(|r| matches!(r.what, Happening::Noted { .. })).count().max(notes.len());
    let count = quantity::plural(said as u64, "note", "notes");
    let text = match (first, said) {
        (_, 0) => "Response: nobody left a note during the drill, so the time to respond is not measured.".into(),
        (Some(ack), _) => {
            format!("Response: first acknowledged at {}; {count} in the timeline.", look.moment(ack.at))
        }
        (None, _) => format!(
            "Response: {count} in the timeline, none of them an acknowledgement, so the time to respond is not measured."
        ),
    };
    look.told(text, notes.iter().map(|note| note.evidence))
}
