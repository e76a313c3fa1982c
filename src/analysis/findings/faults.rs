//! What became of each fault.

use super::Interval;
use crate::{
    agent::{protocol::Counters, work::Figures},
    analysis::EvidenceId,
    clock::At,
    container::Op,
    event::{Difference, FaultId, UndoReason},
    units::Span,
};
use serde::{Deserialize, Serialize};

/// One fault, from due to undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultFindings {
    /// Its position.
    pub id: FaultId,
    /// `kill`, `pause`, ...
    pub kind: String,
    /// For people: `kill cache (SIGKILL)`.
    pub label: String,
    /// When it was due (`None` if the run did not get to t=0).
    pub intended: Option<At>,
    /// Intended length; `None`: momentary, or held to the end.
    pub length: Option<Span>,
    /// Whether it holds something that is undone.
    pub held: bool,
    /// When its first request was sent.
    pub requested: Option<At>,
    /// When the first container felt it: not before `low`, not after `high`.
    pub effective: Option<Interval<At>>,
    /// When the undo was asked for.
    pub undo_requested: Option<At>,
    /// Why then.
    pub undo_reason: Option<UndoReason>,
    /// When the last container was free of it.
    pub removed: Option<Interval<At>>,
    /// Who ended it, if it was not us: `restart policy`, ...
    pub ended_by: Option<String>,
    /// For how long, between its effect and its removal, it had nothing to hit (ns): its container was down.
    pub lost_ns: u64,
    /// Why it was left out, if it was.
    pub skipped: Option<String>,
    /// Whether every container was seen to have it. `None`: it was not injected or not looked at.
    pub proven: Option<bool>,
    /// Whether every container was seen to be free of it. `None`: there was nothing to undo, or nobody looked.
    pub undo_proven: Option<bool>,
    /// Each container.
    pub containers: Vec<FaultOn>,
    /// Where it is recorded.
    pub evidence: Vec<EvidenceId>,
}

/// A fault on one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultOn {
    /// Its name.
    pub container: String,
    /// When it felt it.
    pub effective: Option<Interval<At>>,
    /// When it was free of it.
    pub removed: Option<Interval<At>>,
    /// Read back after injection: proven or not, and what was seen.
    pub proof: Option<(bool, String)>,
    /// Read back after the undo: proven or not, and what differed.
    pub undo_proof: Option<(bool, Vec<Difference>)>,
    /// Every operation, in order.
    pub operations: Vec<Operation>,
    /// What its agent came to, if it is about processes or resources and an agent has counted.
    pub worked: Option<Worked>,
    /// What it did to packets, if it is about packets and an agent has counted.
    pub packets: Option<Packets>,
}

/// What work on processes or resources came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worked {
    /// As its agent counted last.
    pub figures: Figures,
    /// Where it is recorded.
    pub evidence: EvidenceId,
}

/// What a fault did to packets, as its agents counted: one, or several in a row when the container was started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Packets {
    /// All counts together. The times are those of the agent that saw most.
    pub counters: Counters,
    /// Where it is recorded: rules read back, and the last counts of each agent.
    pub evidence: Vec<EvidenceId>,
}

impl Packets {
    /// How many it did something to. Those that a rate is for were under it, be it reached or not.
    pub fn touched(&self, kind: &str) -> u64 {
        let c = &self.counters;
        let under = if kind == "rate" { c.meant } else { 0 };
        c.cut + c.answered + c.delayed + c.dropped + c.duplicated + c.corrupted + c.reordered + under
    }

    /// Which part of the packets that it is about got past it, because its agent was too slow or could hold no more.
    pub fn leaked_share(&self) -> f64 {
        let past = self.counters.leaked + self.counters.unheld;
        if self.counters.hit == 0 { 0.0 } else { past as f64 / self.counters.hit as f64 }
    }
}

/// An operation that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Of an undo.
    pub undo: bool,
    /// What.
    pub op: Op,
    /// Request sent.
    pub sent: At,
    /// Answer received.
    pub answered: At,
    /// `None` if all is well, else what the engine said.
    pub error: Option<String>,
    /// Where.
    pub evidence: EvidenceId,
}
