//! What packet faults did, from the receipts of their agents.
//!
//! An agent counts from its start. A container that is started again gets a new one, whose counts are added.

use super::{FaultFindings, Ledger, Packets};
use crate::{
    agent::protocol::Counters,
    clock::At,
    event::{Event, EventKind, FaultId},
};
use std::collections::BTreeMap;

/// What one fault did on one container.
#[derive(Default)]
struct Account {
    /// Of agents that are gone.
    before: Counters,
    /// Of the agent there is, and the line that says so.
    now: Option<(Box<Counters>, u64)>,
    /// Lines worth citing.
    lines: Vec<u64>,
    lost_since: Option<At>,
    lost_ns: u64,
}

/// Adds what agents counted to the faults that they did.
pub fn count(events: &[Event], faults: &mut [FaultFindings], ledger: &mut Ledger) {
    let mut accounts: BTreeMap<(FaultId, &str), Account> = BTreeMap::new();
    for event in events {
        let (fault, container) = match &event.kind {
            EventKind::AgentFired { fault, container, .. }
            | EventKind::AgentCounted { fault, container, .. }
            | EventKind::AgentUndone { fault, container, .. }
            | EventKind::FaultLost { fault, container, .. }
            | EventKind::FaultBack { fault, container } => (*fault, container.as_str()),
            _ => continue,
        };
        accounts.entry((fault, container)).or_default().take(event);
    }
    for ((fault, container), account) in accounts {
        let Some(fault) = faults.get_mut(fault) else { continue };
        fault.lost_ns = fault.lost_ns.max(account.lost_ns);
        let on = fault.containers.iter_mut().find(|on| on.container == container);
        if let Some(on) = on {
            on.packets = account.close(ledger);
        }
    }
}

impl Account {
    fn take(&mut self, event: &Event) {
        let line = event.seq + 1;
        match &event.kind {
            EventKind::AgentFired { .. } => self.lines.push(line),
            EventKind::AgentCounted { counters, .. } => self.now = Some((counters.clone(), line)),
            EventKind::AgentUndone { counters, .. } => {
                self.now = Some((counters.clone(), line));
                self.turn();
                self.lost(event.at);
            }
            EventKind::FaultLost { .. } => {
                self.turn();
                self.lost_since.get_or_insert(event.at);
            }
            EventKind::FaultBack { .. } => self.lost(event.at),
            _ => {}
        }
    }

    /// The time without a hold ends.
    fn lost(&mut self, at: At) {
        self.lost_ns += self.lost_since.take().map_or(0, |since| at.saturating_sub(since));
    }

    /// The agent there is ends; another one may count from nothing.
    fn turn(&mut self) {
        if let Some((counters, line)) = self.now.take() {
            add(&mut self.before, *counters);
            self.lines.push(line);
        }
    }

    fn close(mut self, ledger: &mut Ledger) -> Option<Packets> {
        self.turn();
        let evidence = self.lines.iter().map(|line| ledger.line(*line)).collect();
        (!self.lines.is_empty()).then_some(Packets { counters: self.before, evidence })
    }
}

fn add(sum: &mut Counters, one: Counters) {
    let seen_most = |counters: &Counters| counters.achieved.as_ref().map_or(0, |spread| spread.count);
    if seen_most(&one) > seen_most(sum) {
        (sum.achieved, sum.late) = (one.achieved, one.late);
    }
    sum.hit += one.hit;
    sum.cut += one.cut;
    sum.seen += one.seen;
    sum.meant += one.meant;
    sum.queries += one.queries;
    sum.matched += one.matched;
    sum.answered += one.answered;
    sum.delayed += one.delayed;
    sum.dropped += one.dropped;
    sum.overflowed += one.overflowed;
    sum.duplicated += one.duplicated;
    sum.corrupted += one.corrupted;
    sum.reordered += one.reordered;
    sum.early += one.early;
    sum.unheld += one.unheld;
    sum.unsent += one.unsent;
    sum.leaked += one.leaked;
}
