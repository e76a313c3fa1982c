//! How service came back: by itself, after the removal, or not; and who did what.

use super::{
    Told,
    look::{Look, list},
};
use crate::{
    analysis::{Cleanup, EvidenceId, FaultFindings, FigureKind, Happening, Source, Value},
    event::{NoteKind, UndoReason},
    review::quantity,
};

/// In a sentence: recovered by itself, after removal, or not.
pub fn ending(look: &Look<'_>) -> String {
    let Some(main) = look.main() else { return "There was no probe to see an ending.".into() };
    let Some(impact) = &main.impact else { return "There was nothing to recover from.".into() };
    let watched = look.findings.run.ended;
    let Some(end) = impact.end else {
        return format!(
            "{} was still degraded when the watch ended at {}, {} after the impact began.",
            super::verdict::capital(&main.name),
            look.short(watched),
            quantity::span(watched.saturating_sub(impact.start.middle()))
        );
    };
    let took =
        look.time(FigureKind::TimeToRecover).unwrap_or_else(|| end.middle().saturating_sub(impact.start.middle()));
    let head = format!(
        "{} recovered at {}, {} after the impact began",
        super::verdict::capital(&main.name),
        look.moment(end.middle()),
        quantity::span(took)
    );
    let confirmed = if impact.confirmed { "" } else { "; the recovery is not confirmed" };
    format!("{head}{}{confirmed}.", relative_to_removal(look))
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

/// Whether everything was put back, in a sentence.
pub fn undone(look: &Look<'_>) -> String {
    let findings = look.findings;
    let held = findings.faults.iter().any(|f| f.held && f.requested.is_some());
    match findings.verdict.cleanup {
        Cleanup::Unproven => "It is not proven that everything was put back.".into(),
        Cleanup::Proven if held => "Every undo was read back and proven.".into(),
        Cleanup::Proven => String::new(),
    }
}

/// Who and what restored service, and what is known of detection and response.
pub fn lines(look: &Look<'_>) -> Vec<Told> {
    let mut lines = vec![look.told(ending(look), evidence(look))];
    let removed = |fault: &FaultFindings| Some(look.told(removal(look, fault)?, fault.evidence.iter().copied()));
    lines.extend(look.findings.faults.iter().filter_map(removed));
    lines.extend(engine_acts(look));
    if look.findings.terms.detect.is_none() {
        lines.push(look.told(super::detection::sentence(look), vec![]));
    }
    lines.push(look.told(response(look), look.findings.notes.iter().map(|note| note.evidence)));
    lines
}

/// Where the end of the impact shows, and the removal of the faults.
pub fn evidence(look: &Look<'_>) -> Vec<EvidenceId> {
    let impact = look.main().and_then(|main| main.impact.as_ref()).map(|impact| impact.evidence.clone());
    let removed = look.findings.faults.iter().flat_map(|f| f.evidence.last().copied());
    impact.unwrap_or_default().into_iter().take(2).chain(removed).collect()
}

/// How one fault was ended.
fn removal(look: &Look<'_>, fault: &FaultFindings) -> Option<String> {
    if let Some(by) = &fault.ended_by {
        if fault.kind == "crash" {
            return Some(came_back(look, fault, by));
        }
        let at = fault.removed.map(|r| format!(" at {}", look.moment(r.middle()))).unwrap_or_default();
        return Some(format!("{} ended{at}: {by}, not the runner.", super::verdict::capital(&fault.label)));
    }
    let asked = fault.undo_requested?;
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
    let label = super::verdict::capital(&fault.label);
    if fault.kind == "crash" {
        return Some(format!(
            "{label}: the container did not come back by itself; the runner started it {why}, asked at {}{delay}.",
            look.moment(asked)
        ));
    }
    Some(format!("{label} was undone by the runner {why}, asked at {}{delay}.", look.moment(asked)))
}

/// What a crash is for: whether the container came back by itself, by what, and how soon.
fn came_back(look: &Look<'_>, fault: &FaultFindings, by: &str) -> String {
    let label = super::verdict::capital(&fault.label);
    let Some((down, up)) = fault.effective.zip(fault.removed) else {
        return format!("{label}: the container came back by itself ({by}).");
    };
    let took = quantity::span(up.middle().saturating_sub(down.middle()));
    format!("{label}: the container came back by itself at {}, {took} after it (by: {by}).", look.moment(up.middle()))
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
fn response(look: &Look<'_>) -> String {
    let notes = &look.findings.notes;
    let first = notes.iter().find(|n| n.kind == NoteKind::Ack);
    let people = look.findings.timeline.iter().filter(|r| r.source == Source::Person);
    let said = people.filter(|r| matches!(r.what, Happening::Noted { .. })).count().max(notes.len());
    match (first, said) {
        (_, 0) => "Response: nobody left a note during the drill, so the time to respond is not measured.".into(),
        (Some(ack), n) => format!(
            "Response: first acknowledged at {}; {} in the timeline.",
            look.moment(ack.at),
            quantity::plural(n as u64, "note", "notes")
        ),
        (None, n) => format!(
            "Response: {} in the timeline, none of them an acknowledgement, so the time to respond is not measured.",
            quantity::plural(n as u64, "note", "notes")
        ),
    }
}
