//! The timeline: what the runner and the engine recorded, and what the request log shows, in one order.

use super::{
    AlertEdge, AlertFindings, FaultFindings, Happening, Interval, Ledger, ProbeFindings, Source, TimelineRow,
    around::{Change, change},
};
use crate::{
    agent::protocol::EndReason,
    clock::At,
    event::{AlertState, Event, EventKind, Phase},
};

/// All rows, in order.
pub fn timeline(
    events: &[Event],
    faults: &[FaultFindings],
    probes: &[ProbeFindings],
    alerts: Option<&AlertFindings>,
    ledger: &mut Ledger,
) -> Vec<TimelineRow> {
    let mut trips = 0;
    let mut rows: Vec<TimelineRow> = events.iter().filter_map(|event| recorded(event, &mut trips, ledger)).collect();
    rows.extend(faults.iter().flat_map(effects));
    rows.extend(probes.iter().flat_map(seen_by));
    rows.extend(alerts.into_iter().flat_map(|alerts| &alerts.edges).map(told));
    rows.sort_by_key(|row| row.at);
    rows
}

fn recorded(event: &Event, trips: &mut usize, ledger: &mut Ledger) -> Option<TimelineRow> {
    let (source, milestone, what) = match &event.kind {
        EventKind::Noted { kind, text, who } => {
            (Source::Person, true, Happening::Noted { kind: *kind, text: text.clone(), who: who.clone() })
        }
        EventKind::ContainerChanged { target, event } => {
            let change = change(event)?;
            let worth = !target && matches!(change, Change::OutOfMemory | Change::Died | Change::Health("unhealthy"));
            let what = Happening::ContainerChanged {
                container: event.name.clone(),
                action: event.action.clone(),
                exit_code: event.exit_code,
                target: *target,
            };
            (Source::Engine, worth, what)
        }
        EventKind::GuardTripped { .. } => {
            *trips += 1;
            (Source::Runner, true, Happening::GuardTripped { trip: *trips - 1 })
        }
        kind => {
            let (milestone, what) = by_runner(kind)?;
            (Source::Runner, milestone, what)
        }
    };
    Some(TimelineRow {
        at: event.at,
        give_or_take_ns: None,
        source,
        what,
        milestone,
        evidence: vec![ledger.line(event.seq + 1)],
    })
}

/// What the runner did, and whether it belongs to the shortest story.
fn by_runner(kind: &EventKind) -> Option<(bool, Happening)> {
    Some(match kind {
        EventKind::RunStarted(_) => (false, Happening::RunStarted),
        EventKind::TargetsResolved { targets, .. } => {
            (false, Happening::TargetsChosen(targets.values().map(Vec::len).sum()))
        }
        EventKind::LoadStarted { .. } => (false, Happening::LoadStarted),
        EventKind::PhaseStarted(phase) => (*phase == Phase::Recovery, Happening::PhaseStarted(*phase)),
        EventKind::BaselineJudged { attempt, met, .. } => {
            (!met, Happening::BaselineJudged { attempt: *attempt, met: *met })
        }
        EventKind::GatePassed => (true, Happening::GatePassed),
        EventKind::NotStarted(why) => (true, Happening::NotStarted(why.clone())),
        EventKind::FaultRequested { fault, .. } => (false, Happening::FaultRequested(*fault)),
        EventKind::Operated(done) => {
            let error = match &done.outcome {
                Err(error) => error.to_string(),
                Ok(outcome) if !outcome.succeeded() => "the command did not end with 0".to_owned(),
                Ok(_) => return None,
            };
            let (fault, undo, container) = (done.fault, done.undo, done.container.clone());
            (true, Happening::OperationFailed { fault, undo, container, error })
        }
        EventKind::FaultChecked { fault, container, proven, seen } => {
            let (container, seen) = (container.clone(), seen.clone());
            (!proven, Happening::FaultChecked { fault: *fault, container, proven: *proven, seen })
        }
        EventKind::FaultSkipped { fault, why } => (true, Happening::FaultSkipped { fault: *fault, why: why.clone() }),
        EventKind::FaultEnded { fault, container, by } => {
            (true, Happening::FaultEnded { fault: *fault, container: container.clone(), by: by.clone() })
        }
        EventKind::UndoRequested { fault, why, .. } => (false, Happening::UndoRequested { fault: *fault, why: *why }),
        EventKind::UndoChecked { fault, container, proven, .. } => {
            (!proven, Happening::UndoChecked { fault: *fault, container: container.clone(), proven: *proven })
        }
        EventKind::StopRequested { by } => (true, Happening::StopRequested(by.clone())),
        EventKind::EngineLost { detail } => (true, Happening::EngineLost(detail.clone())),
        EventKind::EngineBack => (false, Happening::EngineBack),
        EventKind::AlertSourceLost { detail } => (true, Happening::AlertSourceLost(detail.clone())),
        EventKind::AlertSourceBack => (false, Happening::AlertSourceBack),
        EventKind::KeeperLost { detail } => (true, Happening::KeeperLost(detail.clone())),
        EventKind::EvidenceLost { file, .. } => (true, Happening::EvidenceLost(file.clone())),
        EventKind::WallClockStepped { by_ns } => (false, Happening::WallClockStepped(*by_ns)),
        EventKind::CleanedUp { left } => (!left.is_empty(), Happening::CleanedUp { left: left.clone() }),
        EventKind::RunEnded { complete } => (false, Happening::RunEnded { complete: *complete }),
        EventKind::AgentFollowed { fault, container, peers } => {
            let (container, peers) = (container.clone(), peers.clone());
            (false, Happening::PeersMoved { fault: *fault, container, peers })
        }
        EventKind::AgentRefused { container, why, .. } => {
            (true, Happening::AgentTrouble { container: container.clone(), why: why.clone() })
        }
        EventKind::AgentEnded { why: Some(EndReason::Command), failed: None, .. } => return None,
        EventKind::AgentEnded { container, why, failed, .. } => {
            let why = ended(*why, failed.as_deref());
            (true, Happening::AgentTrouble { container: container.clone(), why })
        }
        EventKind::FaultLost { fault, container, why } => {
            (true, Happening::FaultLost { fault: *fault, container: container.clone(), why: why.clone() })
        }
        EventKind::FaultBack { fault, container } => {
            (true, Happening::FaultBack { fault: *fault, container: container.clone() })
        }
        EventKind::AgentStarted { .. }
        | EventKind::AgentArmed { .. }
        | EventKind::AgentFired { .. }
        | EventKind::AgentCounted { .. }
        | EventKind::AgentUndone { .. }
        | EventKind::EngineFound(_)
        | EventKind::LocksTaken { .. }
        | EventKind::UndoRecorded { .. }
        | EventKind::KeeperStarted { .. }
        | EventKind::KeeperLeftOut
        | EventKind::ContainerChanged { .. }
        | EventKind::UsageSampled { .. }
        | EventKind::WorkMeasured { .. }
        | EventKind::ClockCompared { .. }
        | EventKind::AlertsRead { .. }
        | EventKind::AlertChanged(_)
        | EventKind::GuardTripped { .. }
        | EventKind::Noted { .. }
        | EventKind::LogsSaved { .. }
        | EventKind::FilesSealed { .. }
        | EventKind::HistoryCaptured { .. } => return None,
    })
}

/// Why an agent ended, when it was not told to.
fn ended(why: Option<EndReason>, failed: Option<&str>) -> String {
    let why = match why {
        Some(EndReason::Command) => "it ended as told",
        Some(EndReason::Deadline) => "its time was over",
        Some(EndReason::Eof) => "its line to the runner broke",
        Some(EndReason::Heartbeat) => "the runner was silent for too long",
        Some(EndReason::Signal) => "somebody sent it a signal",
        Some(EndReason::NoHello) => "nobody greeted it",
        Some(EndReason::Version) => "it is of another version",
        Some(EndReason::Failed) => "it could not go on",
        None => "it was ended by somebody, and its rules went with it",
    };
    failed.map_or_else(|| why.to_owned(), |failed| format!("{why} ({failed})"))
}

fn row(within: Interval<At>, source: Source, what: Happening, evidence: &[super::EvidenceId]) -> TimelineRow {
    let (at, vague) = (within.low, within.high.saturating_sub(within.low));
    let give_or_take_ns = (vague > 0).then_some(vague);
    TimelineRow { at, give_or_take_ns, source, what, milestone: true, evidence: evidence.to_vec() }
}

/// When containers felt a fault, and when they were free of it.
fn effects(fault: &FaultFindings) -> Vec<TimelineRow> {
    let mut rows = Vec::new();
    for on in &fault.containers {
        let evidence =
            |undo: bool| on.operations.iter().filter(|o| o.undo == undo).map(|o| o.evidence).collect::<Vec<_>>();
        let (id, container) = (fault.id, on.container.clone());
        if let Some(at) = on.effective {
            let what = Happening::FaultEffective { fault: id, container: container.clone() };
            rows.push(row(at, Source::Engine, what, &evidence(false)));
        }
        if let Some(at) = on.removed {
            let what = Happening::FaultRemoved { fault: id, container };
            let undone = evidence(true);
            rows.push(row(at, Source::Engine, what, if undone.is_empty() { &fault.evidence } else { &undone }));
        }
    }
    rows
}

/// What an alert did. What was so from the start is no news.
fn told(edge: &AlertEdge) -> TimelineRow {
    let (alert, state) = (edge.alert.clone(), edge.state);
    let what = Happening::AlertChanged { alert, state, expected: edge.expected, already: edge.already };
    let news =
        matches!(state, AlertState::Firing | AlertState::Suppressed) || edge.expected && state == AlertState::Resolved;
    let milestone = news && !edge.already && (edge.expected || edge.forbidden);
    TimelineRow { milestone, ..row(edge.at, Source::Alerts, what, &[edge.evidence]) }
}

/// What the request log shows.
fn seen_by(probe: &ProbeFindings) -> Vec<TimelineRow> {
    let Some(impact) = &probe.impact else { return Vec::new() };
    let between = |at, what| row(at, Source::Probe, what, &impact.evidence);
    let add = |at, what| between(Interval { low: at, high: at }, what);
    let mut rows = vec![between(impact.start, Happening::ImpactBegan(probe.id))];
    if let Some(at) = impact.mitigated {
        rows.push(add(at, Happening::Mitigated(probe.id)));
    }
    if let Some(end) = impact.end.filter(|_| impact.confirmed) {
        rows.push(between(end, Happening::Recovered(probe.id)));
    }
    if let Some(at) = impact.confirmed_at {
        rows.push(TimelineRow { milestone: false, ..add(at, Happening::RecoveryConfirmed(probe.id)) });
    }
    rows
}
