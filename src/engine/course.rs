//! The course of a drill: preflight, load, gate, faults, recovery. Its undo is not left to it: whatever happens
//! here, a panic included, the conductor unwinds the ledger afterwards.

use super::{drill::Drill, gate::Gate, guards::Onlooker, timeline::StepEnd};
use crate::{
    clock::At,
    event::{EventKind, NotStarted, Phase, UndoReason},
    load::{self, Driver, Load},
    measure::Slice,
};
use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet};

/// How long after its start the first request is due, in nanoseconds: threads and connections need a moment.
const LEAD_NS: u64 = 50_000_000;

/// What sends the load, and where its slices go.
pub(crate) struct Loading {
    pub load: Load,
    pub context: load::Context,
    pub slices: UnboundedReceiver<Slice>,
    pub onlooker: Option<Onlooker>,
}

/// The driver of a running load, kept where the end of a drill finds it.
pub(crate) type Slot = Arc<Mutex<Option<Driver>>>;

impl Drill {
    /// Runs the drill up to the end of its recovery.
    ///
    /// # Errors
    /// Why nothing was injected.
    pub(crate) async fn course(self: Arc<Self>, loading: Loading, slot: Slot) -> Result<(), NotStarted> {
        self.preflight().await?;
        if self.halt.reason().is_some() {
            return Err(self.not_started());
        }
        self.find_alerts().await.map_err(NotStarted::CouldNotRun)?;
        // It is started while the baseline is measured, and knows every undo before t=0.
        let keeper = self.start_keeper();
        let gate = self.start_load(loading, &slot)?;
        self.pass_gate(&gate).await?;
        self.await_keeper(keeper).await?;
        self.look_once_more().await.map_err(NotStarted::CouldNotRun)?;
        let zero = self.record.tell(EventKind::GatePassed);
        let mut from = self.faults(zero).await;
        if let Some(reason) = self.halt.reason() {
            self.unwind(reason.why).await;
            from = self.clock.now();
        }
        self.recover(from).await;
        Ok(())
    }

    fn start_load(self: &Arc<Self>, loading: Loading, slot: &Slot) -> Result<Arc<Gate>, NotStarted> {
        let first_at = self.clock.now() + LEAD_NS;
        let schedules = load::schedules(&self.plan.probes, first_at);
        let driver = load::drive(&loading.load, &self.plan.probes, &schedules, loading.context)
            .map_err(|error| NotStarted::CouldNotRun(error.to_string()))?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
        self.schedules.get_or_init(|| schedules.clone());
        self.record.tell(EventKind::LoadStarted { schedules: schedules.clone() });
        self.record.tell(EventKind::PhaseStarted(Phase::WarmUp));
        let start = first_at + self.plan.terms.timing.warm_up.ns();
        let gate = Arc::new(Gate::new(self, &schedules, start));
        tokio::spawn(Arc::clone(self).follow(loading.slices, Arc::clone(&gate), loading.onlooker));
        Ok(gate)
    }

    /// Plays the timeline; returns from when the recovery counts.
    async fn faults(self: &Arc<Self>, zero: At) -> At {
        let mut steps = JoinSet::new();
        for step in 0..self.plan.steps.len() {
            steps.spawn(Arc::clone(self).step(step, zero));
        }
        let mut from = zero;
        loop {
            let ended = tokio::select! {
                ended = steps.join_next() => ended,
                // The steps go on and end by themselves; what they do afterwards is undone as well.
                () = self.halt.until_hurried() => {
                    let drill = Arc::clone(self);
                    tokio::spawn(async move { drill.unwind(UndoReason::Stopped).await });
                    steps.join_next().await
                }
            };
            match ended {
                None => return from,
                Some(Ok(StepEnd::RecoveryFrom(at))) => from = from.max(at),
                Some(Ok(StepEnd::Skipped | StepEnd::Halted)) => {}
                Some(Err(died)) => self.halt.halt(UndoReason::Failed, format!("a task of the drill died: {died}")),
            }
        }
    }

    /// Watches the recovery in full length; only a person cuts it short. A guard that trips while faults are
    /// held to the end has them undone, and the recovery counts from there.
    async fn recover(self: &Arc<Self>, mut from: At) {
        if self.halt.stopped() {
            return;
        }
        self.record.tell(EventKind::PhaseStarted(Phase::Recovery));
        let mut halted = self.halt.reason().is_some();
        self.note_undone();
        loop {
            let until = from + self.plan.terms.timing.recovery.ns();
            tokio::select! {
                biased;
                () = self.halt.until_stopped() => return,
                () = self.halt.halted(), if !halted => {}
                () = self.sleep(until) => return,
            }
            halted = true;
            let why = self.halt.reason().map_or(UndoReason::Failed, |reason| reason.why);
            self.unwind(why).await;
            self.note_undone();
            from = self.clock.now();
        }
    }

    /// From the last undo on, guards are only recorded.
    pub(crate) fn note_undone(&self) {
        let held = self.ledger.snapshot().iter().any(|entry| entry.holds() && !entry.injection.undo.is_empty());
        self.all_undone.store(!held, Ordering::Relaxed);
    }
}
