//! Whether the drill goes on. The first reason to halt is kept; people may become more pressing.

use crate::{
    clock::{At, RunClock},
    event::UndoReason,
};
use tokio::sync::watch;

/// Why the drill goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// As the undo is explained.
    pub why: UndoReason,
    /// For people.
    pub text: String,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<Reason>,
    /// How often a person asked to stop.
    asked: u32,
}

/// Shared by all parts of the engine.
#[derive(Debug, Default)]
pub(crate) struct Halt(watch::Sender<State>);

impl Halt {
    /// No further fault; undo. A reason given earlier stays.
    pub(crate) fn halt(&self, why: UndoReason, text: impl Into<String>) {
        self.0.send_modify(|state| {
            state.reason.get_or_insert_with(|| Reason { why, text: text.into() });
        });
    }

    /// A person asked to stop: once means stop and undo, twice means without waiting for anything.
    pub(crate) fn person(&self, by: &str) {
        self.halt(UndoReason::Stopped, by);
        self.0.send_modify(|state| state.asked += 1);
    }

    /// Why the drill halts, if it does.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.0.borrow().reason.clone()
    }

    /// Whether a person asked to stop, whatever halted the drill first.
    pub(crate) fn stopped(&self) -> bool {
        self.0.borrow().asked > 0
    }

    /// Whether a person asked twice.
    pub(crate) fn hurried(&self) -> bool {
        self.0.borrow().asked > 1
    }

    /// Ends when the drill halts.
    pub(crate) async fn halted(&self) {
        self.until(|state| state.reason.is_some()).await;
    }

    /// Ends when a person asks to stop.
    pub(crate) async fn until_stopped(&self) {
        self.until(|state| state.asked > 0).await;
    }

    /// Ends when a person asks a second time.
    pub(crate) async fn until_hurried(&self) {
        self.until(|state| state.asked > 1).await;
    }

    /// Sleeps until `at`; `false` if the drill halts before that.
    pub(crate) async fn sleep(&self, clock: &RunClock, at: At) -> bool {
        tokio::select! {
            biased;
            () = self.halted() => false,
            () = tokio::time::sleep_until(clock.instant(at)) => true,
        }
    }

    async fn until(&self, so: impl Fn(&State) -> bool) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|state| so(state)).await;
    }
}
