//! Undoing, and proving it: operations, a comparison with the snapshot, and a bounded number of further tries.

use super::{
    drill::{Done, Drill, succeeded},
    ledger::{Entry, Life},
    proof,
};
use crate::{
    clock::At,
    container::{Container, ContainerError, Op, OpOutcome, compare, mend::mend},
    event::{Difference, EventKind, FaultId, UndoReason},
    fault::Proof,
};
use futures_util::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long an engine that does not answer is asked again: a restart of the daemon takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often an undo that the engine answered, and that is not proven, is tried.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Drill {
    /// Undoes what is left of one fault, all its containers at once. Says when the last of them was undone.
    pub(crate) async fn undo(self: &Arc<Self>, fault: FaultId, intended: Option<At>, why: UndoReason) -> At {
        let claimed = self.claim(fault);
        self.undo_claimed(fault, claimed, intended, why).await
    }

    /// Undoes everything, the newest fault first; all at once when a person is in a hurry.
    pub(crate) async fn unwind(self: &Arc<Self>, why: UndoReason) {
        let mut overtaken = Vec::new();
        while let Some(fault) = self.ledger.newest_unclaimed() {
            let claimed = self.claim(fault);
            let drill = Arc::clone(self);
            let mut task = tokio::spawn(async move { drill.undo_claimed(fault, claimed, None, why).await });
            tokio::select! {
                _ = &mut task => {}
                () = self.halt.until_hurried() => overtaken.push(task),
            }
        }
        join_all(overtaken).await;
        self.ledger.settled().await;
    }

    async fn undo_claimed(
        self: &Arc<Self>,
        fault: FaultId,
        claimed: Vec<Claim>,
        intended: Option<At>,
        why: UndoReason,
    ) -> At {
        if claimed.iter().any(|claim| !claim.entry.injection.undo.is_empty()) {
            self.record.tell(EventKind::UndoRequested { fault, intended, why });
        }
        let ends = join_all(claimed.into_iter().map(|claim| self.undo_one(claim))).await;
        ends.into_iter().max().unwrap_or_else(|| self.clock.now())
    }

    fn claim(self: &Arc<Self>, fault: FaultId) -> Vec<Claim> {
        let claim = |entry| Claim { drill: Arc::clone(self), entry };
        self.ledger.claim(fault).into_iter().map(claim).collect()
    }

    async fn undo_one(self: &Arc<Self>, claim: Claim) -> At {
        let entry = &claim.entry;
        self.keeping.sure().await;
        if !self.has_lock(&entry.injection.on) {
            return self.undone_by_keeper(entry);
        }
        let before = self.snapshot(&entry.injection.on).expect("a plan injects into its targets only");
        let mut attempt = Attempt { ops: entry.injection.undo.clone(), revived: false };
        let (mut pause, mut tries, started) = (FIRST_PAUSE, 0, Instant::now());
        loop {
            let failed = self.attempt(entry, &mut attempt).await;
            let effective = self.clock.now();
            let check = self.check(entry, before, failed, &attempt).await;
            // An engine that did not answer has not tried.
            tries += u32::from(check.verdict == Verdict::Differs);
            let again = match check.verdict {
                Verdict::Proven | Verdict::Gone => false,
                Verdict::Unanswered => started.elapsed() < PATIENCE,
                Verdict::Differs => tries < TRIES,
            };
            if !again {
                let proven = check.verdict == Verdict::Proven;
                self.tell_if_lost(entry);
                self.ledger.undone(entry.fault, &entry.injection.on, proven);
                if proven {
                    self.keeping.undone(entry.fault, &entry.injection.on);
                }
                self.record.tell(EventKind::UndoChecked {
                    fault: entry.fault,
                    container: entry.injection.name.clone(),
                    proven,
                    differences: check.differences,
                });
                return effective;
            }
            attempt.ops = check.next;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Another drill has the target: it was given back, which a keeper does only with what it has seen to be as before.
    fn undone_by_keeper(&self, entry: &Entry) -> At {
        self.ledger.undone(entry.fault, &entry.injection.on, true);
        let (fault, container) = (entry.fault, entry.injection.name.clone());
        self.record.tell(EventKind::UndoChecked { fault, container, proven: true, differences: vec![] });
        self.clock.now()
    }

    /// Nobody knows how long work went on whose agent was found silent only when it was to end.
    fn tell_if_lost(&self, entry: &Entry) {
        let lost = self.lost(&entry.injection).filter(|_| entry.seen && entry.life == Life::Active);
        if let Some(seen) = lost {
            let (fault, container) = (entry.fault, entry.injection.name.clone());
            self.record.tell(EventKind::FaultChecked { fault, container, proven: false, seen });
        }
    }

    /// One round of operations; returns the ones that did not succeed, to be tried again.
    async fn attempt(self: &Arc<Self>, entry: &Entry, attempt: &mut Attempt) -> Vec<Op> {
        let mut failed = Vec::new();
        for op in &attempt.ops {
            let done = self.operate(entry.fault, true, &entry.injection, op).await;
            attempt.revived |= revives(op, &done);
            if !succeeded(&done) {
                failed.push(op.clone());
            }
        }
        failed
    }

    async fn check(self: &Arc<Self>, entry: &Entry, before: &Container, failed: Vec<Op>, attempt: &Attempt) -> Check {
        let now = match self.containers.inspect(&entry.injection.on).await {
            Ok(now) => now,
            Err(ContainerError::NotFound { .. }) => return Check::gone(before),
            Err(error) => return Check::unanswered(&error, failed, &attempt.ops),
        };
        let others = self.ledger.others_on(&entry.injection.on, entry.fault);
        let expected = with(before, &others.staying);
        let mut differences = compare::differences(&expected, &now);
        let in_between = compare::differences(&with(&expected, &others.leaving), &now);
        if !others.leaving.is_empty() && compare::proven(&in_between) {
            differences = in_between;
        }
        // Brought back by us and ended again: a finding about the target, not a failure of the undo.
        let died_later = attempt.revived && !now.state.runs();
        let state = differences.iter_mut().filter(|difference| difference.what == "state");
        state.for_each(|difference| difference.must_match = !died_later);
        let inside = |op: &&Op| matches!(op, Op::Exec { .. } | Op::End { .. });
        let mut next: Vec<Op> = failed.iter().filter(inside).cloned().collect();
        let inside = !next.is_empty();
        differences.extend(next.iter().map(command_failed));
        differences.extend(self.packets_left(entry.fault, &entry.injection.on));
        next.extend(failed.into_iter().filter(|op| matches!(op, Op::FreePackets { .. })));
        if differences.iter().any(|difference| difference.must_match) {
            next.extend(if died_later { vec![] } else { mend(&expected, &now) });
        }
        let differs = inside || differences.iter().any(|difference| difference.must_match);
        Check { verdict: if differs { Verdict::Differs } else { Verdict::Proven }, differences, next }
    }
}

/// The right to undo one entry. Dropped without an end (the task died), it leaves the entry to others.
struct Claim {
    drill: Arc<Drill>,
    entry: Entry,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.drill.ledger.give_back(self.entry.fault, &self.entry.injection.on);
    }
}

/// What one round does, and what earlier rounds achieved.
struct Attempt {
    ops: Vec<Op>,
    /// An operation made the container run, so it ran at that moment.
    revived: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// As before.
    Proven,
    /// The container is no more.
    Gone,
    /// The engine does not answer.
    Unanswered,
    /// Not as before.
    Differs,
}

struct Check {
    verdict: Verdict,
    differences: Vec<Difference>,
    /// What to try next.
    next: Vec<Op>,
}

impl Check {
    fn gone(before: &Container) -> Check {
        Check { verdict: Verdict::Gone, differences: compare::gone(before), next: vec![] }
    }

    fn unanswered(error: &ContainerError, failed: Vec<Op>, all: &[Op]) -> Check {
        let unknown = Difference {
            what: "container".into(),
            before: "known".into(),
            after: format!("unknown: {error}"),
            must_match: true,
        };
        // Undos are idempotent, so all of them may be sent again when none is known to have failed.
        let next = if failed.is_empty() { all.to_vec() } else { failed };
        Check { verdict: Verdict::Unanswered, differences: vec![unknown], next }
    }
}

/// A container as it would be with these faults on it.
fn with(base: &Container, proofs: &[Proof]) -> Container {
    let mut container = base.clone();
    proofs.iter().for_each(|proof| proof::under(proof, &mut container));
    container
}

fn command_failed(op: &Op) -> Difference {
    let what = match op {
        Op::Exec { command, .. } => format!("undo command `{}`", command.join(" ")),
        other => format!("`{other}`"),
    };
    Difference { what, before: "succeeds".into(), after: "failed".into(), must_match: true }
}

fn revives(op: &Op, done: &Done) -> bool {
    match (op, done) {
        (Op::Start | Op::Restart { .. }, Ok(_)) => true,
        // "Already" may also mean that it did not run.
        (Op::Unpause, Ok(outcome)) => *outcome == OpOutcome::Done,
        _ => false,
    }
}
