//! Reasons to distrust what was measured.

use super::{
    AlertFindings, Doubt, DoubtKind, FaultFindings, Ledger, ProbeFindings, criteria::UNKNOWN_TOLERATED,
    log::RequestLog, windows::Windows,
};
use crate::{
    clock::At,
    event::{Event, EventKind, Expectations, Phase},
    journal::read::Journal,
};

/// A fault whose moment is less certain than this (ns) is told.
const VAGUE_NS: u64 = 1_000_000_000;

/// What a doubt is drawn from.
pub struct Sources<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The request log.
    pub log: &'a RequestLog,
    /// The phases.
    pub windows: &'a Windows,
    /// What the probes saw.
    pub probes: &'a [ProbeFindings],
    /// The faults.
    pub faults: &'a [FaultFindings],
    /// The alerts.
    pub alerts: Option<&'a AlertFindings>,
}

/// All of them, the decisive ones first.
pub fn find(sources: &Sources<'_>, ledger: &mut Ledger) -> Vec<Doubt> {
    let events = &sources.journal.events;
    let mut doubts = of_journal(sources, ledger);
    doubts.extend(evidence_lost(events, ledger));
    for probe in sources.probes {
        doubts.extend(of_probe(probe, &sources.journal.started.terms.expect));
    }
    doubts.extend(engine_lost(events, sources.windows.watch_end, ledger));
    doubts.extend(sources.alerts.into_iter().flat_map(alerts_lost));
    doubts.extend(without_keeper(events, sources.windows.watch_end, ledger));
    doubts.extend(sources.faults.iter().filter_map(vague));
    doubts.sort_by_key(|doubt| !doubt.decisive);
    doubts
}

fn of_journal(sources: &Sources<'_>, ledger: &mut Ledger) -> Vec<Doubt> {
    let journal = sources.journal;
    let mut doubts = Vec::new();
    let mut add = |kind, decisive, evidence| doubts.push(Doubt { kind, decisive, evidence });
    if journal.cut_short {
        let last = journal.events.last().map_or(1, |e| e.seq + 1);
        add(DoubtKind::CutShort, true, vec![ledger.line(last)]);
    }
    for damage in [&journal.damage, &sources.log.damage].into_iter().flatten() {
        // A run that was killed leaves a cut log: that is the doubt above.
        let same = journal.cut_short && sources.log.damage.as_ref() == Some(damage);
        if !same {
            add(DoubtKind::Damaged(damage.clone()), true, Vec::new());
        }
    }
    if !journal.unknown.is_empty() {
        let evidence = journal.unknown.iter().take(10).map(|(line, _)| ledger.line(*line)).collect();
        add(DoubtKind::UnknownEvents(journal.unknown.len() as u64), false, evidence);
    }
    for event in &journal.events {
        if let EventKind::WallClockStepped { by_ns } = event.kind {
            add(DoubtKind::WallClockStepped(by_ns), false, vec![ledger.line(event.seq + 1)]);
        }
    }
    doubts
}

/// Only what figures are computed from is decisive: the journal and the request log.
fn evidence_lost(events: &[Event], ledger: &mut Ledger) -> Vec<Doubt> {
    let lost = |event: &Event| match &event.kind {
        EventKind::EvidenceLost { file, detail } => {
            let decisive = file.contains("journal") || file.contains("requests");
            let kind = DoubtKind::EvidenceLost { file: file.clone(), detail: detail.clone() };
            Some(Doubt { kind, decisive, evidence: vec![ledger.line(event.seq + 1)] })
        }
        _ => None,
    };
    events.iter().filter_map(lost).collect()
}

fn of_probe(probe: &ProbeFindings, expect: &Expectations) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for stats in &probe.phases {
        let phase = stats.phase;
        let judged = judged_in(expect, &probe.name, phase);
        let mut add = |kind, decisive: bool| {
            doubts.push(Doubt { kind, decisive: decisive && judged, evidence: stats.evidence.clone() });
        };
        if stats.missing > 0 {
            let (missing, due) = (stats.missing, stats.offered);
            add(DoubtKind::Missing { probe: probe.id, phase, missing, due }, false);
        }
        if stats.unknown_share > 0.0 {
            let decisive = stats.unknown_share > UNKNOWN_TOLERATED && phase != Phase::Baseline;
            add(DoubtKind::Unknown { probe: probe.id, phase, share: stats.unknown_share }, decisive);
        }
        if stats.behind_share > 0.0 {
            add(DoubtKind::GeneratorBehind { probe: probe.id, phase, share: stats.behind_share }, false);
        }
    }
    doubts
}

/// Whether anything is promised of this probe in this phase.
pub fn judged_in(expect: &Expectations, name: &str, phase: Phase) -> bool {
    match phase {
        Phase::Baseline => expect.baseline.contains_key(name),
        Phase::During => expect.during.contains_key(name),
        Phase::Recovery => expect.recovery.contains_key(name),
        Phase::Preflight | Phase::WarmUp | Phase::Report => false,
    }
}

/// Times in which the engine's events were not seen.
fn engine_lost(events: &[Event], end: At, ledger: &mut Ledger) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut since = None;
    for event in events {
        match (&event.kind, since) {
            (EventKind::EngineLost { .. }, None) => since = Some((event.at, event.seq + 1)),
            (EventKind::EngineBack, Some((from, line))) => {
                let kind = DoubtKind::EngineLost { from, to: event.at };
                doubts.push(Doubt {
                    kind,
                    decisive: false,
                    evidence: vec![ledger.line(line), ledger.line(event.seq + 1)],
                });
                since = None;
            }
            _ => {}
        }
    }
    if let Some((from, line)) = since {
        let kind = DoubtKind::EngineLost { from, to: end.max(from) };
        doubts.push(Doubt { kind, decisive: false, evidence: vec![ledger.line(line)] });
    }
    doubts
}

/// Times in which nothing was known of alerts; what they decide is said by the criteria.
fn alerts_lost(alerts: &AlertFindings) -> impl Iterator<Item = Doubt> + '_ {
    alerts.gaps.iter().map(|&(from, to)| Doubt {
        kind: DoubtKind::AlertSourceLost { from, to },
        decisive: false,
        evidence: alerts.evidence.clone(),
    })
}

/// Times in which nobody but the runner could undo.
fn without_keeper(events: &[Event], end: At, ledger: &mut Ledger) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut lost = None;
    for event in events {
        let line = event.seq + 1;
        match (&event.kind, lost) {
            (EventKind::KeeperLeftOut, _) => {
                doubts.push(Doubt { kind: DoubtKind::NoKeeper, decisive: false, evidence: vec![ledger.line(line)] });
            }
            (EventKind::KeeperLost { .. }, None) => lost = Some((event.at, line)),
            (EventKind::KeeperStarted { .. }, Some((from, since))) => {
                let kind = DoubtKind::KeeperLost { from, to: event.at };
                let evidence = vec![ledger.line(since), ledger.line(line)];
                doubts.push(Doubt { kind, decisive: false, evidence });
                lost = None;
            }
            _ => {}
        }
    }
    if let Some((from, line)) = lost {
        let kind = DoubtKind::KeeperLost { from, to: end.max(from) };
        doubts.push(Doubt { kind, decisive: false, evidence: vec![ledger.line(line)] });
    }
    doubts
}

/// An orderly stop takes its time by design; anything else that is so vague lacks the engine's stamp.
fn vague(fault: &FaultFindings) -> Option<Doubt> {
    let effective = fault.effective?;
    let width_ns = effective.high.saturating_sub(effective.low);
    let by_design = matches!(
        fault.kind.as_str(),
        "stop" | "restart" | "exec" | "signal" | "process" | "cpu" | "memory" | "pids" | "io" | "disk"
    );
    let kind = DoubtKind::FaultTimeVague { fault: fault.id, width_ns };
    (width_ns > VAGUE_NS && !by_design).then(|| Doubt { kind, decisive: false, evidence: fault.evidence.clone() })
}
