//! Notices when a held fault ends without us: a person, a restart policy, a restarted engine.

use super::{
    drill::Drill,
    ledger::{Entry, Life},
    proof,
};
use crate::{
    container::{Container, Op, State},
    event::EventKind,
    fault::Injection,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// How often held faults are looked at when no event calls for it (networks have no container events).
const STEP: Duration = Duration::from_secs(2);

impl Drill {
    /// Looks at held faults whenever something happened to a target, and every two seconds.
    pub(crate) async fn watch_holds(self: Arc<Self>, stirred: Arc<Notify>) {
        loop {
            tokio::select! {
                () = stirred.notified() => {}
                () = tokio::time::sleep(STEP) => {}
            }
            for entry in self.ledger.snapshot() {
                if entry.life == Life::Active && entry.seen && proof::lasting(&entry.injection.proof) {
                    self.check_hold(&entry).await;
                }
            }
        }
    }

    async fn check_hold(self: &Arc<Self>, entry: &Entry) {
        let injection = &entry.injection;
        let (Ok(now), Some(before)) = (self.containers.inspect(&injection.on).await, self.snapshot(&injection.on))
        else {
            return;
        };
        let lost = self.lost(injection);
        let holds = lost.is_none() && proof::holds(&injection.proof, before, &now);
        if lost.is_some() {
            self.end_works(entry).await;
        }
        if holds || !self.ledger.end_if_active(entry.fault, &injection.on) {
            return;
        }
        let by = lost.unwrap_or_else(|| by_whom(before, &now));
        self.record.tell(EventKind::FaultEnded { fault: entry.fault, container: injection.name.clone(), by });
    }
}

impl Drill {
    /// What an agent that is over has left on is not kept until the undo is due.
    async fn end_works(self: &Arc<Self>, entry: &Entry) {
        self.keeping.sure().await;
        if !self.has_lock(&entry.injection.on) {
            return;
        }
        for op in entry.injection.undo.iter().filter(|op| matches!(op, Op::End { .. })) {
            // How it ended is told, and the undo that comes tries again.
            let _ = self.operate(entry.fault, true, &entry.injection, op).await;
        }
    }

    /// Why the agent of a fault no longer works, if it has one that should.
    pub(super) fn lost(&self, injection: &Injection) -> Option<String> {
        injection.undo.iter().find_map(|op| match op {
            Op::End { work } => self.containers.lost(&injection.on, work),
            _ => None,
        })
    }
}

fn by_whom(before: &Container, now: &Container) -> String {
    match now.state {
        _ if now.restart_count > before.restart_count => "restart policy".into(),
        State::Running if now.started_at != before.started_at => "started by someone else".into(),
        State::Running => "ended by someone else".into(),
        state => format!("the container is {}", state.name()),
    }
}
