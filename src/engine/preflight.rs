//! Before anything is touched: the engine answers, the targets are ours alone and as the plan saw them, and
//! every undo is on disk.

use super::drill::Drill;
use crate::{
    clock::RunClock,
    container::{ContainerError, Containers, Holder},
    event::{EventKind, NotStarted, Phase},
};
use std::sync::{Arc, atomic::Ordering};

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
        self.arm().await.map_err(NotStarted::CouldNotRun)
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
            match self.containers.lock(&target.id, &self.holder).await {
                Ok(None) => {}
                Ok(Some(holder)) => return Err(held_by(&target.name, &holder)),
                Err(error) => return Err(format!("{} cannot be locked: {error}", target.name)),
            }
            self.locked.lock().unwrap_or_else(|dead| dead.into_inner()).push(target.id.clone());
            taken.push(target.name.clone());
        }
        self.record.tell(EventKind::LocksTaken { containers: taken });
        Ok(())
    }

    /// The plan was made before the locks were ours: has anything moved since?
    async fn look_again(&self) -> Result<(), String> {
        for target in self.targets() {
            let now = self.containers.inspect(&target.id).await.map_err(|error| format!("{}: {error}", target.name))?;
            if now.state != target.state || now.started_at != target.started_at {
                let (was, is) = (target.state.name(), now.state.name());
                return Err(format!(
                    "{} changed while the plan was made ({was}, then {is}); run it again",
                    target.name
                ));
            }
        }
        Ok(())
    }

    /// Every undo is on disk before the first fault, so that no fault waits for a disk.
    async fn arm(&self) -> Result<(), String> {
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
    format!("{target} is the target of another drill: run {}, {}", holder.run, holder.runner)
}
