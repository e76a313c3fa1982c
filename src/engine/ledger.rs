//! The undo stack: what has been done to which container, in order, and how far its undo is.

use crate::{
    container::ContainerId,
    event::FaultId,
    fault::{Injection, Proof},
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many tasks may die over one undo before it is given up.
const DEATHS: u32 = 3;

/// How far one injection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its first operation has been sent, its last is not answered yet.
    Applying,
    /// All its operations have been answered.
    Active,
    /// It ended without us.
    Ended,
    /// Somebody is undoing it.
    Undoing,
    /// Undone, and whether that is proven.
    Undone {
        /// Whether the container was seen to be as before.
        proven: bool,
    },
}

/// One injection that was begun.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Of which fault.
    pub fault: FaultId,
    /// What is done, and how it is undone.
    pub injection: Injection,
    /// How far it is.
    pub life: Life,
    /// Whether it was seen to be in place, so that its end without us can be noticed.
    pub seen: bool,
    /// How many tasks died over its undo.
    pub deaths: u32,
}

impl Entry {
    /// Whether it still has (or may have) a hold on its container.
    pub(crate) fn holds(&self) -> bool {
        matches!(self.life, Life::Applying | Life::Active | Life::Undoing)
    }

    fn is(&self, fault: FaultId, on: &ContainerId) -> bool {
        self.fault == fault && self.injection.on == *on
    }
}

/// What faults beside the one in question look like on a container.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// They hold it.
    pub staying: Vec<Proof>,
    /// They are being undone: they may still hold it, or not.
    pub leaving: Vec<Proof>,
}

/// All injections that were begun, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    changed: Notify,
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An injection is about to be sent.
    pub(crate) fn begin(&self, fault: FaultId, injection: &Injection) {
        self.entries().push(Entry {
            fault,
            injection: injection.clone(),
            life: Life::Applying,
            seen: false,
            deaths: 0,
        });
    }

    /// Its last operation was answered, so it is active, even if it was undone in the meantime.
    pub(crate) fn applied(&self, fault: FaultId, on: &ContainerId) {
        self.change(fault, on, |entry| entry.life = Life::Active);
    }

    /// It was seen to be in place.
    pub(crate) fn seen(&self, fault: FaultId, on: &ContainerId) {
        self.change(fault, on, |entry| entry.seen = true);
    }

    /// It ended without us. `false` if that was not so: it was being undone.
    pub(crate) fn end_if_active(&self, fault: FaultId, on: &ContainerId) -> bool {
        let mut ended = false;
        self.change(fault, on, |entry| {
            if entry.life == Life::Active {
                entry.life = Life::Ended;
                ended = true;
            }
        });
        ended
    }

    /// Its undo is over. If an operation of the fault was answered meanwhile, it is active again and stays so.
    pub(crate) fn undone(&self, fault: FaultId, on: &ContainerId, proven: bool) {
        self.change(fault, on, |entry| {
            if entry.life == Life::Undoing {
                entry.life = Life::Undone { proven };
            }
        });
    }

    fn change(&self, fault: FaultId, on: &ContainerId, how: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries().iter_mut().find(|entry| entry.is(fault, on)) {
            how(entry);
        }
        self.changed.notify_waiters();
    }

    /// Claims what is left to undo of one fault; each entry goes to one claimant only.
    pub(crate) fn claim(&self, fault: FaultId) -> Vec<Entry> {
        self.entries().iter_mut().filter(|entry| entry.fault == fault).filter_map(claim).collect()
    }

    /// The fault begun last that has something left to undo and that nobody undoes.
    pub(crate) fn newest_unclaimed(&self) -> Option<FaultId> {
        let entries = self.entries();
        let open = |entry: &&Entry| !matches!(entry.life, Life::Undoing | Life::Undone { .. });
        entries.iter().rev().find(open).map(|entry| entry.fault)
    }

    /// The task that undid it is over. If it died, the undo is up for claiming again, a few times.
    pub(crate) fn give_back(&self, fault: FaultId, on: &ContainerId) {
        self.change(fault, on, |entry| {
            if entry.life == Life::Undoing {
                entry.deaths += 1;
                entry.life = if entry.deaths < DEATHS { Life::Active } else { Life::Undone { proven: false } };
            }
        });
    }

    /// Ends when nobody undoes anything any more.
    pub(crate) async fn settled(&self) {
        self.until(|entries| entries.iter().all(|entry| entry.life != Life::Undoing)).await;
    }

    /// All entries as they are now.
    pub(crate) fn snapshot(&self) -> Vec<Entry> {
        self.entries().clone()
    }

    /// What else holds a container beside one fault, and what of that is on its way out.
    pub(crate) fn others_on(&self, on: &ContainerId, beside: FaultId) -> Others {
        let entries = self.entries();
        let others = entries.iter().filter(|entry| entry.injection.on == *on && entry.fault != beside && entry.holds());
        // What has crashed may be back at any time.
        let maybe = |entry: &&Entry| entry.life == Life::Undoing || entry.injection.proof == Proof::Ended;
        let (leaving, staying): (Vec<&Entry>, Vec<&Entry>) = others.partition(maybe);
        let proofs = |entries: Vec<&Entry>| entries.into_iter().map(|entry| entry.injection.proof.clone()).collect();
        Others { staying: proofs(staying), leaving: proofs(leaving) }
    }

    /// Ends when every injection of the fault has ended without us.
    pub(crate) async fn until_ended(&self, fault: FaultId) {
        let ended = |entry: &Entry| entry.fault != fault || entry.life == Life::Ended;
        self.until(|entries| entries.iter().all(ended)).await;
    }

    async fn until(&self, so: impl Fn(&[Entry]) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if so(&self.entries()) {
                return;
            }
            changed.await;
        }
    }
}

fn claim(entry: &mut Entry) -> Option<Entry> {
    match entry.life {
        Life::Applying | Life::Active | Life::Ended => {
            let claimed = entry.clone();
            entry.life = Life::Undoing;
            Some(claimed)
        }
        Life::Undoing | Life::Undone { .. } => None,
    }
}
