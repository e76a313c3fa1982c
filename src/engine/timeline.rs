//! One fault on the timeline: fired at its moment, read back, held, undone when it is due.

use super::{
    drill::{Done, Drill, succeeded},
    proof,
};
use crate::{
    clock::At,
    container::{ContainerError, Op, OpOutcome},
    event::{EventKind, FaultId, Phase, UndoReason},
    fault::{Injection, Proof},
    plan::Step,
};
use futures_util::future::join_all;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// How long a fault may take to be seen: a process that handles a signal needs its time.
const PROOF_PATIENCE: Duration = Duration::from_secs(5);
const PROOF_STEP: Duration = Duration::from_millis(20);

/// How the part of a fault before the recovery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepEnd {
    /// It was never sent.
    Skipped,
    /// From here on its recovery is watched: its undo, or the fault itself if it is momentary or held to the end.
    RecoveryFrom(At),
    /// The drill halted; what it holds is in the ledger.
    Halted,
}

impl Drill {
    /// Takes one fault from its moment to its undo.
    pub(crate) async fn step(self: Arc<Self>, step: usize, zero: At) -> StepEnd {
        let step = &self.plan.steps[step];
        let due = zero + step.at.ns();
        if !self.halt.sleep(&self.clock, due).await {
            return self.skip(step.fault);
        }
        self.keeping.sure().await;
        if self.halt.reason().is_some() {
            return self.skip(step.fault);
        }
        self.record.tell(EventKind::FaultRequested { fault: step.fault, intended: due });
        let proven = self.apply(step).await;
        let applied = self.clock.now();
        if !proven && self.halt.reason().is_none() {
            self.halt
                .halt(UndoReason::NotProven, format!("{} did not go in", self.plan.terms.faults[step.fault].label));
        }
        if self.halt.reason().is_some() {
            return StepEnd::Halted;
        }
        match step.length {
            None => StepEnd::RecoveryFrom(applied),
            Some(length) => self.hold(step.fault, due + length.ns()).await,
        }
    }

    fn skip(&self, fault: FaultId) -> StepEnd {
        let why = self.halt.reason().map_or_else(String::new, |reason| reason.text);
        self.record.tell(EventKind::FaultSkipped { fault, why });
        StepEnd::Skipped
    }

    async fn hold(self: &Arc<Self>, fault: FaultId, until: At) -> StepEnd {
        let (intended, why) = tokio::select! {
            biased;
            () = self.halt.halted() => return StepEnd::Halted,
            () = self.ledger.until_ended(fault) => (None, UndoReason::AlreadyOver),
            () = self.sleep(until) => (Some(until), UndoReason::Due),
        };
        StepEnd::RecoveryFrom(self.undo(fault, intended, why).await)
    }

    /// Sends a fault to all its containers, and reads it back. Whether it is proven on all of them.
    async fn apply(self: &Arc<Self>, step: &Step) -> bool {
        let Some(rolling) = step.one_by_one else {
            let all = step.injections.iter().map(|injection| self.apply_one(step.fault, injection, None));
            return join_all(all).await.into_iter().all(|proven| proven);
        };
        let wait = Op::AwaitHealthy { within: rolling.within };
        for injection in &step.injections {
            let proven = self.apply_one(step.fault, injection, Some(&wait)).await;
            if !proven || self.halt.reason().is_some() {
                return false;
            }
        }
        true
    }

    async fn apply_one(self: &Arc<Self>, fault: FaultId, injection: &Injection, then: Option<&Op>) -> bool {
        self.ledger.begin(fault, injection);
        let waits = injection.apply.iter().any(|op| matches!(op, Op::AwaitHealthy { .. }));
        let mut last = None;
        for op in injection.apply.iter().chain(then.filter(|_| !waits)) {
            if last.is_some() && self.halt.reason().is_some() {
                break;
            }
            let done = self.operate(fault, false, injection, op).await;
            self.enter_during(&done);
            let went_on = succeeded(&done);
            last = Some(done);
            if !went_on {
                break;
            }
        }
        self.ledger.applied(fault, &injection.on);
        self.read_back(fault, injection, last.as_ref()).await
    }

    /// The first operation that may have had an effect begins the phase.
    fn enter_during(&self, done: &Done) {
        let may_have = matches!(done, Ok(_) | Err(ContainerError::Unknown(_)));
        if may_have && !self.during.swap(true, Ordering::Relaxed) {
            self.record.tell(EventKind::PhaseStarted(Phase::During));
        }
    }

    async fn read_back(&self, fault: FaultId, injection: &Injection, last: Option<&Done>) -> bool {
        let failed = last.is_some_and(|done| match done {
            Ok(outcome) => *outcome == OpOutcome::Already,
            Err(error) => !matches!(error, ContainerError::Unknown(_)),
        });
        let deadline = Instant::now() + PROOF_PATIENCE;
        let (proven, seen) = loop {
            let (proven, seen) = self.look(injection, last).await;
            let patient = !failed
                && !matches!(injection.proof, Proof::CommandSucceeded | Proof::InPlace)
                && self.halt.reason().is_none();
            if proven || !patient || Instant::now() >= deadline {
                break (proven, seen);
            }
            tokio::time::sleep(PROOF_STEP).await;
        };
        let failure = last.and_then(|done| done.as_ref().err()).map(|error| format!("{seen}; {error}"));
        let seen = failure.unwrap_or(seen);
        if proven {
            self.ledger.seen(fault, &injection.on);
        }
        self.record.tell(EventKind::FaultChecked { fault, container: injection.name.clone(), proven, seen });
        proven
    }

    async fn look(&self, injection: &Injection, last: Option<&Done>) -> (bool, String) {
        match (self.containers.inspect(&injection.on).await, self.snapshot(&injection.on)) {
            // Somebody was there first: what is seen now is not this fault's doing.
            (Ok(now), _) if matches!(last, Some(Ok(OpOutcome::Already))) => {
                (false, format!("{}, and it was so before the fault", now.state.name()))
            }
            (Ok(now), Some(before)) => proof::seen(&injection.proof, before, &now, last),
            (Ok(now), None) => proof::seen(&injection.proof, &now, &now, last),
            (Err(error), _) => (false, error.to_string()),
        }
    }
}
