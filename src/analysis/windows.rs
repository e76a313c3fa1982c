//! Which stretch of time is which phase, and which request belongs to it.

use super::{BaselineTry, FaultFindings, Interval, Ledger, PhaseWindow};
use crate::{
    clock::At,
    event::{Event, EventKind, Phase, Timing, UndoReason},
};
use std::ops::Range;

/// The phases that are judged, in order.
pub const JUDGED: [Phase; 3] = [Phase::Baseline, Phase::During, Phase::Recovery];

/// The phases in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Windows {
    /// The first request of any probe may have been due.
    pub load_from: Option<At>,
    /// Nothing is looked at from here on.
    pub watch_end: At,
    /// In a run that ended before anything was judged: from the first request to its end. It stands for the warm-up.
    pub unjudged: Option<Range<At>>,
    /// The baseline window that was judged last.
    pub baseline: Option<Range<At>>,
    /// t=0.
    pub t0: Option<At>,
    /// First fault effective to last undo effective.
    pub during: Option<Range<At>>,
    /// From there.
    pub recovery: Option<Range<At>>,
    /// The last undo may have been effective from here on: what gets well later did not do so under the fault.
    pub letting_go: Option<At>,
}

impl Windows {
    /// One of the judged phases.
    pub fn of(&self, phase: Phase) -> Option<Range<At>> {
        match phase {
            Phase::Baseline => self.baseline.clone(),
            Phase::During => self.during.clone(),
            Phase::Recovery => self.recovery.clone(),
            Phase::WarmUp => self.unjudged.clone(),
            Phase::Preflight | Phase::Report => None,
        }
    }

    /// The same from the fault on, up to this moment.
    pub fn until(&self, end: At) -> Windows {
        let load_from = self.fault().or(self.load_from);
        Windows { load_from, watch_end: end.min(self.watch_end), ..self.clone() }
    }

    /// The moment before which nothing can have been done by a fault.
    pub fn fault(&self) -> Option<At> {
        self.during.as_ref().map(|during| during.start)
    }

    /// Which judged phase (a position in [`JUDGED`]) a request belongs to; the first one's is free where none was judged.
    #[inline]
    pub fn phase_of(&self, intended: At, ended: At) -> Option<usize> {
        let within = |range: &Option<Range<At>>| range.as_ref().is_some_and(|r| r.contains(&intended));
        if within(&self.recovery) {
            Some(2)
        } else if within(&self.during) || self.carried(intended, ended) {
            Some(1)
        } else {
            (within(&self.baseline) || within(&self.unjudged)).then_some(0)
        }
    }

    /// Due before the fault and unanswered at t=0, or when the fault struck: it belongs to `during`.
    #[inline]
    pub fn carried(&self, intended: At, ended: At) -> bool {
        let (Some(during), Some(baseline)) = (&self.during, &self.baseline) else { return false };
        let before_fault = intended >= baseline.start && intended < during.start;
        let unanswered_at_t0 = self.t0.is_some_and(|t0| intended < t0 && ended > t0);
        before_fault && (ended > during.start || unanswered_at_t0)
    }
}

/// Finds the phases.
pub fn find(events: &[Event], faults: &[FaultFindings], timing: Timing, tries: &[BaselineTry]) -> Windows {
    let end = events.iter().map(|e| e.at).max().unwrap_or(0);
    let started = |phase| events.iter().find(|e| e.kind == EventKind::PhaseStarted(phase)).map(|e| e.at);
    let given_up = || events.iter().find(|e| matches!(e.kind, EventKind::NotStarted(_))).map(|e| e.at);
    let over = started(Phase::Report).or_else(given_up).unwrap_or(end);
    let load_from = events.iter().find_map(|e| match &e.kind {
        EventKind::LoadStarted { schedules } => Some(schedules.values().map(|s| s.first_at).min().unwrap_or(e.at)),
        _ => None,
    });
    let t0 = events.iter().find(|e| e.kind == EventKind::GatePassed).map(|e| e.at);
    // Whatever a damaged journal claims, nothing lies behind its last event.
    let baseline = tries.last().map(|t| t.from..t.to.min(end)).filter(|b| b.start < b.end);
    let mut windows = Windows { load_from, watch_end: over, baseline, t0, ..Windows::default() };
    let Some(from) = faults.iter().filter_map(first_touch).min() else {
        // Nothing was touched; what the engine watched as recovery is still there to be seen.
        windows.recovery = started(Phase::Recovery).map(|from| from..over).filter(|r| r.start < r.end);
        let unjudged = windows.baseline.is_none() && windows.recovery.is_none();
        windows.unjudged = load_from.filter(|from| unjudged && *from < over).map(|from| from..over);
        return windows;
    };
    let from = from.min(end);
    let touched = || faults.iter().filter(|f| first_touch(f).is_some());
    match touched().map(|f| Some(last_touch(f)?.high)).try_fold(from, |a, b| Some(a.max(b?))) {
        Some(to) if to < over => {
            windows.during = Some(from..to);
            windows.recovery = Some(to..over.min(to.saturating_add(timing.recovery.ns())));
            windows.letting_go = touched().filter_map(|f| Some(last_touch(f)?.low)).max();
        }
        _ => windows.during = Some(from..over.max(from)),
    }
    if let Some(recovery) = &windows.recovery {
        windows.watch_end = recovery.end;
    }
    windows
}

/// When a fault may first have had an effect. One that never had any, as far as we know, does not count.
fn first_touch(fault: &FaultFindings) -> Option<At> {
    fault.effective.map(|effective| effective.low)
}

/// When the last effect of a fault on `during` is over: its undo, or, where it is held to the end of the run or
/// holds nothing, the fault itself. `None`: it was never over.
fn last_touch(fault: &FaultFindings) -> Option<Interval<At>> {
    let to_the_end = fault.held && fault.length.is_none();
    let at_the_end = matches!(fault.undo_reason, Some(UndoReason::RunEnded) | None);
    match fault.removed {
        Some(removed) if !(to_the_end && at_the_end) => Some(removed),
        None if fault.held && fault.length.is_some() => None,
        _ => fault.effective,
    }
}

/// The tries of the gate.
pub fn baseline_tries(events: &[Event], ledger: &mut Ledger) -> Vec<BaselineTry> {
    let mut tries = Vec::new();
    for event in events {
        if let EventKind::BaselineJudged { attempt, from, to, met, readings } = &event.kind {
            let evidence = ledger.line(event.seq + 1);
            let (attempt, from, to, met, readings) = (*attempt, *from, *to, *met, readings.clone());
            tries.push(BaselineTry { attempt, from, to, met, readings, evidence });
        }
    }
    tries
}

/// All phases that were reached, judged or not, with the lines that place them.
pub fn phases(events: &[Event], windows: &Windows, faults: &[FaultFindings], ledger: &mut Ledger) -> Vec<PhaseWindow> {
    let marks: Vec<(Phase, At, u64)> = events
        .iter()
        .filter_map(|e| if let EventKind::PhaseStarted(phase) = e.kind { Some((phase, e.at, e.seq + 1)) } else { None })
        .collect();
    let end = events.iter().map(|e| e.at).max().unwrap_or(0);
    let mut phases: Vec<PhaseWindow> = Vec::new();
    for (i, (phase, at, line)) in marks.iter().enumerate() {
        let next = marks.get(i + 1).map_or(end, |(_, at, _)| *at);
        let placed = JUDGED.contains(phase) && windows.of(*phase).is_some();
        let judged = placed || matches!(phase, Phase::During | Phase::Recovery);
        if !judged && !phases.iter().any(|p| p.phase == *phase) {
            phases.push(PhaseWindow { phase: *phase, from: *at, to: next, evidence: vec![ledger.line(*line)] });
        }
    }
    for phase in JUDGED {
        if let Some(window) = windows.of(phase) {
            let evidence = match phase {
                Phase::Baseline => lines(events, ledger, |kind| matches!(kind, EventKind::BaselineJudged { .. })),
                _ => {
                    faults.iter().flat_map(|f| &f.containers).flat_map(|c| &c.operations).map(|o| o.evidence).collect()
                }
            };
            phases.push(PhaseWindow { phase, from: window.start, to: window.end, evidence });
        }
    }
    phases.sort_by_key(|p| (p.phase, p.from));
    phases
}

/// The lines of all events of some kind.
pub fn lines(events: &[Event], ledger: &mut Ledger, wanted: impl Fn(&EventKind) -> bool) -> Vec<super::EvidenceId> {
    events.iter().filter(|e| wanted(&e.kind)).map(|e| ledger.line(e.seq + 1)).collect()
}
