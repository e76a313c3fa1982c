//! What became of each fault: asked for, effective, proven, removed, undo proven.
//!
//! The moment of effect is an interval: from the sending of the request to the engine's stamp of what it did
//! (or, for what the engine does not stamp, to its answer). Reading back proves the state, not the time.

use super::{EvidenceId, FaultFindings, FaultOn, Interval, Ledger, Operation, Worked, clocks::Clock, packets};
use crate::{
    agent::work::{Work, signal::Signalling},
    clock::At,
    container::{EngineEvent, Op, OpOutcome},
    event::{Difference, Event, EventKind, FaultId, FaultTerms, Operated, RunStarted},
};
use std::collections::BTreeMap;

/// The engine may stamp what it did a little after it answered.
const AFTERWARDS: u64 = 15_000_000_000;

/// Signals after which the engine stamps an end.
const FATAL: [&str; 6] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGABRT", "SIGSEGV"];

/// All faults of the scenario, with what the journal says of each.
pub fn findings(started: &RunStarted, events: &[Event], t0: Option<At>, ledger: &mut Ledger) -> Vec<FaultFindings> {
    let clock = Clock::of_engine(started.started, events);
    let mut faults: Vec<FaultFindings> =
        started.terms.faults.iter().enumerate().map(|(id, terms)| planned(id, terms, t0)).collect();
    let mut seen = Seen { engine: engine_events(events), clock };
    for event in events {
        let line = event.seq + 1;
        if let Some(fault) = fault_of(&event.kind).and_then(|id| faults.get_mut(id)) {
            // What comes every second would bury the rest.
            if !matches!(event.kind, EventKind::WorkMeasured { .. }) {
                fault.evidence.push(ledger.line(line));
            }
            take(fault, event, ledger.line(line), &mut seen);
        }
    }
    packets::count(events, &mut faults, ledger);
    faults.iter_mut().for_each(conclude);
    faults
}

fn planned(id: FaultId, terms: &FaultTerms, t0: Option<At>) -> FaultFindings {
    FaultFindings {
        id,
        kind: terms.kind.clone(),
        label: terms.label.clone(),
        intended: t0.map(|t0| t0.saturating_add(terms.at.ns())),
        length: terms.length,
        held: terms.held,
        requested: None,
        effective: None,
        undo_requested: None,
        undo_reason: None,
        removed: None,
        ended_by: None,
        lost_ns: 0,
        skipped: None,
        proven: None,
        undo_proven: None,
        containers: terms.containers.iter().map(|name| untouched(name)).collect(),
        evidence: Vec::new(),
    }
}

fn untouched(name: &str) -> FaultOn {
    FaultOn {
        container: name.to_owned(),
        effective: None,
        removed: None,
        proof: None,
        undo_proof: None,
        operations: Vec::new(),
        worked: None,
        packets: None,
    }
}

/// Which fault an event is about.
pub fn fault_of(kind: &EventKind) -> Option<FaultId> {
    match kind {
        EventKind::UndoRecorded { fault, .. }
        | EventKind::FaultRequested { fault, .. }
        | EventKind::FaultChecked { fault, .. }
        | EventKind::FaultSkipped { fault, .. }
        | EventKind::FaultEnded { fault, .. }
        | EventKind::WorkMeasured { fault, .. }
        | EventKind::AgentFired { fault, .. }
        | EventKind::AgentUndone { fault, .. }
        | EventKind::FaultLost { fault, .. }
        | EventKind::FaultBack { fault, .. }
        | EventKind::UndoRequested { fault, .. }
        | EventKind::UndoChecked { fault, .. } => Some(*fault),
        EventKind::Operated(operated) => Some(operated.fault),
        _ => None,
    }
}

/// What the engine saw, by container id, and how to read its clock.
struct Seen<'a> {
    engine: BTreeMap<&'a str, Vec<(At, &'a EngineEvent)>>,
    clock: Clock,
}

fn engine_events(events: &[Event]) -> BTreeMap<&str, Vec<(At, &EngineEvent)>> {
    let mut by_id: BTreeMap<&str, Vec<(At, &EngineEvent)>> = BTreeMap::new();
    for event in events {
        if let EventKind::ContainerChanged { event: seen, .. } = &event.kind {
            by_id.entry(&seen.id).or_default().push((event.at, seen));
        }
    }
    by_id
}

fn take(fault: &mut FaultFindings, event: &Event, line: EvidenceId, seen: &mut Seen<'_>) {
    match &event.kind {
        EventKind::FaultRequested { intended, .. } => {
            fault.intended = Some(*intended);
            fault.requested.get_or_insert(event.at);
        }
        EventKind::Operated(operated) => operate(fault, operated, line, seen),
        EventKind::FaultChecked { container, proven, seen, .. } => {
            on(fault, container).proof = Some((*proven, seen.clone()));
        }
        EventKind::WorkMeasured { container, figures, .. } => {
            on(fault, container).worked = Some(Worked { figures: *figures, evidence: line });
        }
        EventKind::FaultSkipped { why, .. } => fault.skipped = Some(why.clone()),
        EventKind::FaultEnded { container, by, .. } => {
            fault.ended_by = Some(by.clone());
            let on = on(fault, container);
            let since = on.effective.map_or(0, |effective| effective.low);
            on.removed.get_or_insert(ended_by_itself(container, since, event.at, seen));
        }
        EventKind::UndoRequested { why, .. } => {
            fault.undo_requested.get_or_insert(event.at);
            fault.undo_reason.get_or_insert(*why);
        }
        EventKind::UndoChecked { container, proven, differences, .. } => {
            on(fault, container).undo_proof = Some((*proven, differences.clone()));
        }
        _ => {}
    }
}

fn on<'a>(fault: &'a mut FaultFindings, container: &str) -> &'a mut FaultOn {
    let known = fault.containers.iter().position(|c| c.container == container);
    let position = known.unwrap_or_else(|| {
        fault.containers.push(untouched(container));
        fault.containers.len() - 1
    });
    &mut fault.containers[position]
}

fn operate(fault: &mut FaultFindings, operated: &Operated, evidence: EvidenceId, seen: &Seen<'_>) {
    let error = match &operated.outcome {
        Ok(OpOutcome::Exited { code, .. }) if *code != 0 => Some(format!("the command ended with {code}")),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let container = on(fault, &operated.container);
    if let Ok(OpOutcome::Over { figures, .. }) = &operated.outcome {
        container.worked = Some(Worked { figures: *figures, evidence });
    }
    container.operations.push(Operation {
        undo: operated.undo,
        op: operated.op.clone(),
        sent: operated.sent,
        answered: operated.answered,
        error,
        evidence,
    });
    if matches!(operated.op, Op::AwaitHealthy { .. }) || operated.outcome.as_ref().is_ok_and(|o| !o.succeeded()) {
        return;
    }
    let (first, last) = effects(&operated.op);
    let failed = operated.outcome.is_err();
    let begun = moment(operated, first, seen).filter(|at| !failed || at.1);
    let done = last.map_or(begun, |action| moment(operated, Some(action), seen).filter(|at| !failed || at.1));
    if operated.undo {
        // The last operation of an undo lets go; one that found it so already changes no moment.
        let already = matches!(operated.outcome, Ok(OpOutcome::Already)) && container.removed.is_some();
        container.removed = if already { container.removed } else { done.map(|at| at.0).or(container.removed) };
    } else {
        container.effective = container.effective.or(begun.map(|at| at.0));
        if last.is_some() {
            container.removed = done.map(|at| at.0);
        }
    }
}

/// What the engine stamps when an operation takes effect, and, for one that ends what it began, when that ends.
fn effects(op: &Op) -> (Option<&'static str>, Option<&'static str>) {
    match op {
        Op::Kill { .. } | Op::Stop { .. } => (Some("die"), None),
        Op::Restart { .. } => (Some("die"), Some("start")),
        Op::Start => (Some("start"), None),
        Op::Pause => (Some("pause"), None),
        Op::Unpause => (Some("unpause"), None),
        Op::Begin { work: Work::Signal(Signalling { process: None, signal }) } if FATAL.contains(&signal.as_str()) => {
            (Some("die"), None)
        }
        Op::Disconnect { .. }
        | Op::Connect { .. }
        | Op::Exec { .. }
        | Op::Begin { .. }
        | Op::End { .. }
        | Op::Packets(_)
        | Op::FreePackets { .. }
        | Op::AwaitHealthy { .. } => (None, None),
    }
}

/// When an operation took effect, and whether the engine stamped it.
fn moment(operated: &Operated, action: Option<&str>, seen: &Seen<'_>) -> Option<(Interval<At>, bool)> {
    let answered = Interval { low: operated.sent, high: operated.answered.max(operated.sent) };
    let stamped = action.and_then(|action| {
        let of_container = seen.engine.get(operated.on.id.as_str())?;
        let fits = |(told, event): &&(At, &EngineEvent)| {
            let at = seen.clock.at(event.time_ns, *told).unwrap_or(Interval { low: *told, high: *told });
            event.action == action && at.high >= operated.sent && at.low <= operated.answered.saturating_add(AFTERWARDS)
        };
        let (told, event) = of_container.iter().find(fits)?;
        // Without a comparison of clocks, the moment at which we were told bounds it.
        let at = seen.clock.at(event.time_ns, *told).unwrap_or(Interval { low: operated.sent, high: *told });
        Some(Interval { low: operated.sent, high: at.high.min((*told).max(operated.sent)) })
    });
    Some(stamped.map_or((answered, false), |at| (at, true)))
}

/// When a fault ended that we did not end: the engine's stamp of what ended it, else when we found out.
fn ended_by_itself(container: &str, since: At, noticed: At, seen: &Seen<'_>) -> Interval<At> {
    let ends = |(told, event): &&(At, &EngineEvent)| {
        event.name == container
            && matches!(event.action.as_str(), "start" | "unpause")
            && (since..=noticed).contains(told)
    };
    let last = seen.engine.values().flatten().filter(ends).max_by_key(|(told, _)| *told);
    match last.map(|(told, event)| (*told, seen.clock.at(event.time_ns, *told))) {
        Some((told, Some(at))) => stamped(at, since, told),
        Some((told, None)) => Interval { low: since, high: told },
        None => Interval { low: noticed, high: noticed },
    }
}

/// The fault as a whole: effective with the first container, removed with the last.
fn conclude(fault: &mut FaultFindings) {
    let hull = |a: Interval<At>, b: Interval<At>, pick: fn(At, At) -> At| Interval {
        low: pick(a.low, b.low),
        high: pick(a.high, b.high),
    };
    let touched = || fault.containers.iter().filter(|c| c.effective.is_some());
    fault.effective = touched().filter_map(|c| c.effective).reduce(|a, b| hull(a, b, At::min));
    let removed = touched().map(|c| c.removed).collect::<Option<Vec<_>>>();
    fault.removed = removed.and_then(|all| all.into_iter().reduce(|a, b| hull(a, b, At::max)));
    let asked = fault.requested.is_some();
    let mut proofs = fault.containers.iter().map(|c| c.proof.as_ref().is_some_and(|(proven, _)| *proven));
    fault.proven = (asked && !fault.containers.is_empty()).then(|| proofs.all(|proven| proven));
    let undo = fault.containers.iter().filter(|c| !c.operations.is_empty());
    let proofs: Vec<bool> = undo.filter_map(|c| c.undo_proof.as_ref()).map(|(proven, _)| *proven).collect();
    fault.undo_proven = (!proofs.is_empty()).then(|| proofs.iter().all(|proven| *proven));
}

/// What must match and does not, for people: `state: running, now exited`.
pub fn what_differs(differences: &[Difference]) -> String {
    let must: Vec<String> = differences
        .iter()
        .filter(|d| d.must_match)
        .map(|d| format!("{}: {}, now {}", d.what, d.before, d.after))
        .collect();
    must.join("; ")
}

/// The engine's stamp, not before what it followed and not after we were told of it.
fn stamped(at: Interval<At>, since: At, told: At) -> Interval<At> {
    let high = at.high.min(told).max(since);
    Interval { low: at.low.clamp(since, high), high }
}
