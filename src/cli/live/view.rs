//! What the display knows of the drill: phases, faults, and each probe second by second.

use crate::{
    clock::At,
    event::{Event, EventKind, FaultId, Phase, Terms},
    measure::{Slice, Tally},
    units::Span,
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How many seconds are kept.
pub const KEPT: usize = 120;
/// How often something is said when nothing happens, where there is no picture.
const SILENCE: Duration = Duration::from_secs(5);
const SECOND: u64 = 1_000_000_000;

/// One second of one probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Second {
    /// Its start.
    pub from: At,
    /// Requests that ended in it.
    pub ended: u64,
    /// Share of them that failed.
    pub failed: f64,
    /// Median response time.
    pub p50: Option<Span>,
    /// 99th percentile of response times.
    pub p99: Option<Span>,
}

/// One probe.
#[derive(Debug, Default)]
pub struct Lane {
    /// The newest last.
    pub seconds: VecDeque<Second>,
    /// Failed since t=0.
    pub failed: u64,
    tally: Tally,
    from: Option<At>,
}

/// One fault as far as it has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    /// When it was sent.
    pub from: Option<At>,
    /// When its undo was proven, or it ended by itself.
    pub to: Option<At>,
}

/// The drill as it is shown.
#[derive(Debug, Default)]
pub struct View {
    /// What was promised.
    pub terms: Option<Terms>,
    /// Where it is kept.
    pub run: String,
    /// Where it is.
    pub phase: Option<Phase>,
    /// Since when.
    pub phase_from: At,
    /// t=0.
    pub zero: Option<At>,
    /// Position as the probe's id.
    pub lanes: Vec<Lane>,
    /// Position as the fault's id.
    pub marks: Vec<Mark>,
    /// Why it goes no further.
    pub halted: Option<String>,
    at: At,
    seen: Option<Instant>,
    said: Option<Instant>,
}

impl View {
    /// Takes an event.
    pub fn event(&mut self, event: &Event) {
        self.clock(event.at);
        self.said = Some(Instant::now());
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.lanes = started.terms.probes.iter().map(|_| Lane::default()).collect();
                self.marks = vec![Mark::default(); started.terms.faults.len()];
                self.run.clone_from(&started.run);
                self.terms = Some(started.terms.clone());
            }
            EventKind::PhaseStarted(phase) => (self.phase, self.phase_from) = (Some(*phase), event.at),
            EventKind::GatePassed => self.zero = Some(event.at),
            EventKind::FaultRequested { fault, .. } => self.mark(*fault).from = Some(event.at),
            EventKind::UndoChecked { fault, .. } => self.mark(*fault).to = Some(event.at),
            EventKind::GuardTripped { halts: true, measured, .. } => self.halted = Some(format!("guard: {measured}")),
            EventKind::StopRequested { by } => self.halted = Some(format!("stopped by {by}")),
            _ => {}
        }
    }

    fn mark(&mut self, fault: FaultId) -> &mut Mark {
        if self.marks.len() <= fault {
            self.marks.resize(fault + 1, Mark::default());
        }
        &mut self.marks[fault]
    }

    /// Takes a tenth of a second of one probe.
    pub fn slice(&mut self, slice: &Slice) {
        self.clock(slice.to);
        let counts = self.zero.is_some();
        let Some(lane) = self.lanes.get_mut(usize::from(slice.probe)) else { return };
        let from = *lane.from.get_or_insert(slice.from);
        for sample in slice.samples.iter() {
            lane.tally.add(sample);
            lane.failed += u64::from(counts && sample.class != crate::measure::Class::Ok);
        }
        if slice.to.saturating_sub(from) >= SECOND {
            lane.turn(from);
            lane.from = Some(slice.to);
        }
    }

    fn clock(&mut self, at: At) {
        if at > self.at {
            (self.at, self.seen) = (at, Some(Instant::now()));
        }
    }

    /// Now, on the clock of the run.
    pub fn now(&self) -> At {
        let since = self.seen.map_or(0, |seen| seen.elapsed().as_nanos() as u64);
        self.at + since
    }

    /// How long the phase will last, if that is known.
    pub fn remaining(&self) -> Option<Duration> {
        let timing = &self.terms.as_ref()?.timing;
        let now = self.now();
        let end = match self.phase? {
            Phase::WarmUp => self.phase_from + timing.warm_up.ns(),
            Phase::Baseline if self.zero.is_none() => {
                let length = timing.baseline.ns().max(1);
                self.phase_from + (now.saturating_sub(self.phase_from) / length + 1) * length
            }
            Phase::Baseline | Phase::During => self.next_moment(now)?,
            Phase::Recovery => self.phase_from + timing.recovery.ns(),
            Phase::Preflight | Phase::Report => return None,
        };
        Some(Duration::from_nanos(end.saturating_sub(now)))
    }

    /// How long the drill will last, if all goes as planned and the first window of the baseline will do.
    pub fn remaining_in_all(&self) -> Option<Duration> {
        let terms = self.terms.as_ref()?;
        let timing = &terms.timing;
        let now = self.now();
        let faults = terms.faults.iter().map(|fault| fault.at.ns() + fault.length.unwrap_or_default().ns()).max();
        let zero = match (self.zero, self.phase?) {
            (Some(zero), _) => zero,
            (None, Phase::WarmUp) => self.phase_from + timing.warm_up.ns() + timing.baseline.ns(),
            (None, Phase::Baseline) => now + u64::try_from(self.remaining()?.as_nanos()).ok()?,
            _ => return None,
        };
        let end = match self.phase? {
            Phase::Recovery => self.phase_from,
            Phase::Report => return None,
            _ => zero + faults.unwrap_or_default(),
        };
        Some(Duration::from_nanos((end + timing.recovery.ns()).saturating_sub(now)))
    }

    /// The end of the last fault on the timeline.
    fn next_moment(&self, now: At) -> Option<At> {
        let zero = self.zero?;
        let end = |fault: &crate::event::FaultTerms| zero + fault.at.ns() + fault.length.unwrap_or_default().ns();
        self.terms.as_ref()?.faults.iter().map(end).max().filter(|end| *end > now)
    }

    /// A line to show that we live, if nothing was said for a while.
    pub fn between(&mut self) -> Option<String> {
        let silent = self.said.is_none_or(|said| said.elapsed() >= SILENCE);
        if !silent || self.lanes.is_empty() || self.phase.is_none() {
            return None;
        }
        self.said = Some(Instant::now());
        Some(super::draw::status(self))
    }
}

impl Lane {
    fn turn(&mut self, from: At) {
        let ended = self.tally.ended();
        let failed = if ended > 0 { self.tally.failed() as f64 / ended as f64 } else { 0.0 };
        let (p50, p99) = (self.tally.response(0.5), self.tally.response(0.99));
        self.tally.clear();
        self.seconds.push_back(Second { from, ended, failed, p50, p99 });
        if self.seconds.len() > KEPT {
            self.seconds.pop_front();
        }
    }
}
