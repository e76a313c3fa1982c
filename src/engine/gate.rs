//! The baseline: up to three consecutive windows, each judged as soon as every request due in it has ended.

use super::drill::Drill;
use crate::{
    clock::At,
    event::{EventKind, Limits, NotStarted, Phase, UndoReason},
    measure::{ProbeId, Schedule, Slice, Tally, judge},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How many windows are tried.
const TRIES: usize = 3;
/// How long after its timeout a request may still be told: slices come in tenths of a second.
const SLACK: Duration = Duration::from_secs(1);

/// What was measured in the windows so far.
pub(crate) struct Gate {
    start: At,
    length: u64,
    probes: Mutex<BTreeMap<ProbeId, Lane>>,
    grew: Notify,
}

struct Lane {
    name: String,
    limits: Limits,
    schedule: Schedule,
    windows: [Tally; TRIES],
}

impl Gate {
    /// A gate whose first window begins at `start`.
    pub(crate) fn new(drill: &Drill, schedules: &BTreeMap<ProbeId, Schedule>, start: At) -> Gate {
        let terms = &drill.plan.terms;
        let lane = |(&id, &schedule): (&ProbeId, &Schedule)| {
            let name = terms.probes.get(usize::from(id))?.name.clone();
            let limits = terms.expect.baseline.get(&name)?.clone();
            Some((id, Lane { name, limits, schedule, windows: Default::default() }))
        };
        let probes = schedules.iter().filter_map(lane).collect();
        let length = terms.timing.baseline.ns().max(1);
        Gate { start, length, probes: Mutex::new(probes), grew: Notify::new() }
    }

    /// Takes what a probe did.
    pub(crate) fn take(&self, slice: &Slice) {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = probes.get_mut(&slice.probe) else { return };
        for sample in slice.samples.iter() {
            let Some(since) = lane.schedule.intended(sample.index).checked_sub(self.start) else { continue };
            if let Some(window) = lane.windows.get_mut((since / self.length) as usize) {
                window.add(sample);
            }
        }
        drop(probes);
        self.grew.notify_waiters();
    }

    fn bounds(&self, window: usize) -> (At, At) {
        let from = self.start + self.length * window as u64;
        (from, from + self.length)
    }

    /// Ends when every request due in the window has ended.
    async fn complete(&self, window: usize) {
        loop {
            let mut grew = std::pin::pin!(self.grew.notified());
            grew.as_mut().enable();
            if self.is_complete(window) {
                return;
            }
            grew.await;
        }
    }

    fn is_complete(&self, window: usize) -> bool {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        probes.values().all(|lane| lane.windows[window].ended() >= lane.due(self.bounds(window)))
    }

    /// What was measured, and whether it held, a line a limit. What has not ended by now counts as offered.
    fn judge(&self, window: usize) -> Vec<(String, bool)> {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let bounds = self.bounds(window);
        let mut readings = Vec::new();
        for lane in probes.values_mut() {
            let due = lane.due(bounds);
            lane.windows[window].offer(due);
            for limit in &lane.limits.limits {
                let reading = judge(*limit, &lane.windows[window]);
                readings.push((format!("{}: {reading}", lane.name), reading.holds == Some(true)));
            }
        }
        readings
    }
}

impl Lane {
    fn due(&self, (from, to): (At, At)) -> u64 {
        self.schedule.due_before(to) - self.schedule.due_before(from)
    }
}

impl Drill {
    /// Waits until a window of the baseline meets its limits.
    ///
    /// # Errors
    /// Why nothing is injected.
    pub(crate) async fn pass_gate(self: &Arc<Self>, gate: &Gate) -> Result<(), NotStarted> {
        if !self.halt.sleep(&self.clock, gate.start).await {
            return Err(self.not_started());
        }
        self.record.tell(EventKind::PhaseStarted(Phase::Baseline));
        let mut broken = String::new();
        for window in 0..TRIES {
            let (from, to) = gate.bounds(window);
            if !self.halt.sleep(&self.clock, to).await || !self.gather(gate, window).await {
                return Err(self.not_started());
            }
            let judged = gate.judge(window);
            let met = judged.iter().all(|(_, held)| *held);
            let not_met = judged.iter().filter(|(_, held)| !held).map(|(reading, _)| reading.as_str());
            broken = not_met.collect::<Vec<_>>().join("; ");
            let attempt = window as u32 + 1;
            let readings = judged.into_iter().map(|(reading, _)| reading).collect();
            self.record.tell(EventKind::BaselineJudged { attempt, from, to, met, readings });
            if met {
                return Ok(());
            }
        }
        Err(NotStarted::BaselineNotMet(broken))
    }

    /// Waits for the last answers of a window; `false` if the drill halts.
    async fn gather(&self, gate: &Gate, window: usize) -> bool {
        let longest = self.plan.probes.iter().map(|probe| probe.timeout.0).max().unwrap_or_default();
        tokio::select! {
            biased;
            () = self.halt.halted() => false,
            () = gate.complete(window) => true,
            () = tokio::time::sleep(longest + SLACK) => true,
        }
    }

    /// Why the drill halted before anything was injected.
    pub(crate) fn not_started(&self) -> NotStarted {
        let Some(reason) = self.halt.reason() else { return NotStarted::CouldNotRun("it was not begun".into()) };
        match reason.why {
            UndoReason::Guard => NotStarted::GuardTripped(reason.text),
            UndoReason::Stopped => NotStarted::Stopped(reason.text),
            _ => NotStarted::CouldNotRun(reason.text),
        }
    }
}
