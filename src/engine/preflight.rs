//! Before anything is touched: the engine answers, the targets are ours alone and as the plan saw them, and
//! every undo is on disk, and every agent is armed.

use super::drill::Drill;
use crate::{
    clock::RunClock,
    container::{Container, ContainerError, ContainerId, Containers, Holder, Op},
    event::{EventKind, NotStarted, Phase},
    fault::Injection,
    units::Span,
};
use futures_util::future::try_join_all;
use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

/// What a drill may take longer than planned before its helpers end by themselves.
const SPARE: Duration = Duration::from_secs(180);

impl Drill {
    /// Makes sure that the drill may begin.
    ///
    /// # Errors
    /// Why it may not; nothing has been touched.
    pub(crate) async fn preflight(self: &Arc<Self>) -> Result<(), NotStarted> {
        self.record.tell(EventKind::PhaseStarted(Phase::Preflight));
        let could_not = |error: ContainerError| NotStarted::CouldNotRun(error.to_string());
        self.compare_clocks().await.map_err(could_not)?;
        self.reap();
        self.take_locks().await.map_err(NotStarted::CouldNotRun)?;
        self.look_again().await.map_err(NotStarted::CouldNotRun)?;
        let armed = match self.arm().await {
            Ok(()) => self.arm_agents().await,
            failed => failed,
        };
        let Err(why) = armed else { return Ok(()) };
        // Of a target that stopped meanwhile, that is told and not what its runtime made of it.
        let stopped = self.compare_targets("while helpers were armed", |now, then| now.state != then.state).await;
        Err(NotStarted::CouldNotRun(stopped.err().unwrap_or(why)))
    }

    /// Asks what the engine's clock shows, and tells how far it is from ours.
    pub(crate) async fn compare_clocks(&self) -> Result<(), ContainerError> {
        let (offset_ns, rtt_ns) = offset(self.containers.as_ref(), &self.clock).await?;
        self.offset_ns.store(offset_ns, Ordering::Relaxed);
        self.record.tell(EventKind::ClockCompared { offset_ns, rtt_ns });
        Ok(())
    }

    /// Removes what killed runs have left, beside everything else: nobody waits for it.
    fn reap(&self) {
        let containers = Arc::clone(&self.containers);
        tokio::spawn(async move {
            match containers.reap().await {
                Ok(reaped) if reaped.is_empty() => {}
                Ok(reaped) => tracing::info!("removed what killed runs had left: {}", reaped.join(", ")),
                Err(error) => tracing::debug!(%error, "what killed runs have left is not looked for"),
            }
        });
    }

    async fn take_locks(&self) -> Result<(), String> {
        let mut taken = Vec::new();
        for target in self.targets() {
            match self.containers.lock(&target.id, &self.holder_of(&target.id)).await {
                Ok(None) => {}
                Ok(Some(holder)) => return Err(held_by(&target.name, &holder)),
                Err(error) => return Err(format!("{} cannot be locked: {error}", target.name)),
            }
            self.locked.lock().unwrap_or_else(PoisonError::into_inner).push(target.id.clone());
            taken.push(target.name.clone());
        }
        self.record.tell(EventKind::LocksTaken { containers: taken });
        Ok(())
    }

    /// Whether a target is ours alone.
    pub(super) fn has_lock(&self, target: &ContainerId) -> bool {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner).contains(target)
    }

    /// Whether nobody has given a lock of ours back, as far as the engine answers.
    pub(super) async fn has_all_locks(&self) -> bool {
        for target in self.targets().into_iter().filter(|target| self.has_lock(&target.id)) {
            let holder = self.containers.locked(&target.id).await;
            if holder.is_ok_and(|holder| holder.is_none_or(|holder| holder.run != self.holder.run)) {
                return false;
            }
        }
        true
    }

    /// Takes all locks again, and says who has those that cannot be had: their targets are ours no longer.
    pub(super) async fn retake_locks(&self) -> Vec<String> {
        let mut others = Vec::new();
        for target in self.targets() {
            if let Ok(Some(holder)) = self.containers.lock(&target.id, &self.holder_of(&target.id)).await {
                self.locked.lock().unwrap_or_else(PoisonError::into_inner).retain(|locked| *locked != target.id);
                others.push(held_by(&target.name, &holder));
            }
        }
        others
    }

    /// Who we are, for the lock on one target.
    pub(super) fn holder_of(&self, target: &ContainerId) -> Holder {
        let mut on = self.plan.steps.iter().flat_map(|step| &step.injections).filter(|one| one.on == *target);
        Holder { asks_first: on.any(Injection::asks_first), ..self.holder.clone() }
    }

    async fn make_ready(&self, injection: &Injection, op: &Op) -> Result<(), String> {
        let ready = self.containers.prepare(&injection.on, op, &self.holder.run, self.longest());
        ready.await.map_err(|error| format!("{}: `{op}` cannot be done: {error}", injection.name))
    }

    /// How long the drill may take at most, with time to spare: helpers end then, whatever happens.
    fn longest(&self) -> Span {
        let timing = &self.plan.terms.timing;
        let ends = self.plan.steps.iter().map(|step| step.at.0 + step.length.unwrap_or_default().0);
        let baselines = timing.baseline.0 * 3;
        Span(timing.warm_up.0 + baselines + ends.max().unwrap_or_default() + timing.recovery.0 + SPARE)
    }

    /// The plan was made before the locks were ours: has anything moved since?
    async fn look_again(&self) -> Result<(), String> {
        let moved = |now: &Container, then: &Container| now.state != then.state || now.started_at != then.started_at;
        self.compare_targets("while the plan was made", moved).await
    }

    /// The baseline took its time: is every target still in the state in which it is to be hit? One that was started
    /// anew meanwhile is; agents follow it.
    pub(crate) async fn look_once_more(&self) -> Result<(), String> {
        self.compare_targets("before the first fault", |now, then| now.state != then.state).await
    }

    async fn compare_targets(&self, when: &str, moved: impl Fn(&Container, &Container) -> bool) -> Result<(), String> {
        for target in self.targets() {
            let now = self.containers.inspect(&target.id).await.map_err(|error| format!("{}: {error}", target.name))?;
            if moved(&now, target) {
                let (was, is) = (target.state.name(), now.state.name());
                return Err(format!("{} changed {when} ({was}, then {is}); run it again", target.name));
            }
        }
        Ok(())
    }

    /// Helpers are at their posts, and every undo is on disk, before the first fault: no fault waits for either.
    async fn arm(&self) -> Result<(), String> {
        let injections = || self.plan.steps.iter().flat_map(|step| &step.injections);
        let ready =
            injections().flat_map(|injection| injection.apply.iter().map(move |op| self.make_ready(injection, op)));
        try_join_all(ready).await?;
        let undo = |step: &crate::plan::Step| EventKind::UndoRecorded {
            fault: step.fault,
            injections: step.injections.clone(),
        };
        let undos = self.plan.steps.iter().map(undo).collect();
        self.record.tell_durably(undos).await.map_err(|error| format!("the undo cannot be written to disk: {error}"))
    }
}

/// The engine's clock - ours, and how long the question took, both in nanoseconds.
pub(crate) async fn offset(containers: &dyn Containers, clock: &RunClock) -> Result<(i64, u64), ContainerError> {
    let asked = clock.now();
    let theirs = containers.clock().await?;
    let rtt_ns = clock.now() - asked;
    let ours = clock.wall(asked + rtt_ns / 2);
    let offset = theirs.as_nanosecond() - ours.as_nanosecond();
    Ok((i64::try_from(offset).unwrap_or(i64::MAX), rtt_ns))
}

fn held_by(target: &str, holder: &Holder) -> String {
    if holder.is_gone() {
        let run = &holder.run;
        return format!(
            "{target} may still be under a fault of run {run}, whose undo command nobody has run since it was killed: \
             `firedrill recover` asks, and runs it"
        );
    }
    format!("{target} is the target of another drill: run {}, {}", holder.run, holder.runner)
}
