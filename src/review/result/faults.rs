//! Every fault with its times and proofs.

use crate::{
    agent::protocol::Counters,
    analysis::{FaultFindings, Findings, Interval},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A fault.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FaultPart {
    /// `pause`, `kill`, ...
    pub kind: String,
    /// For people.
    pub label: String,
    /// On which containers.
    pub containers: Vec<String>,
    /// Effective between these moments.
    pub effective_ns: Option<[i64; 2]>,
    /// Removed between these moments.
    pub removed_ns: Option<[i64; 2]>,
    /// Seen to be in place; null if nobody looked.
    pub proven: Option<bool>,
    /// Seen to be undone; null if there was nothing to undo or nobody looked.
    pub undo_proven: Option<bool>,
    /// What agents counted, by container; empty for a fault that is not about packets.
    pub packets: BTreeMap<String, PacketsPart>,
}

/// What became of the packets of one container.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PacketsPart {
    /// Met by the fault's rules.
    pub met: u64,
    /// Cut by the kernel.
    pub cut: u64,
    /// Held for a time.
    pub delayed: u64,
    /// Dropped by chance.
    pub dropped: u64,
    /// Dropped because the queue of a rate was full.
    pub overflowed: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Let past others.
    pub reordered: u64,
    /// Names that were answered falsely.
    pub answered: u64,
    /// Passed at once although they were to be late: no more could be held.
    pub unheld: u64,
    /// Passed although they were meant.
    pub leaked: u64,
}

impl From<&Counters> for PacketsPart {
    /// The counts that readers are promised, out of all that an agent keeps.
    fn from(counts: &Counters) -> PacketsPart {
        PacketsPart {
            met: counts.hit,
            cut: counts.cut,
            delayed: counts.delayed,
            dropped: counts.dropped,
            overflowed: counts.overflowed,
            duplicated: counts.duplicated,
            corrupted: counts.corrupted,
            reordered: counts.reordered,
            answered: counts.answered,
            unheld: counts.unheld,
            leaked: counts.leaked,
        }
    }
}

pub(super) fn faults(findings: &Findings) -> Vec<FaultPart> {
    let zero = findings.run.t0.unwrap_or(0) as i64;
    let moments = |i: Option<Interval<u64>>| i.map(|i| [i.low as i64 - zero, i.high as i64 - zero]);
    let one = |fault: &FaultFindings| {
        let counted = fault.containers.iter().filter_map(|on| Some((on, on.packets.as_ref()?)));
        FaultPart {
            kind: fault.kind.clone(),
            label: fault.label.clone(),
            containers: fault.containers.iter().map(|c| c.container.clone()).collect(),
            effective_ns: moments(fault.effective),
            removed_ns: moments(fault.removed),
            proven: fault.proven,
            undo_proven: fault.undo_proven,
            packets: counted.map(|(on, packets)| (on.container.clone(), (&packets.counters).into())).collect(),
        }
    };
    findings.faults.iter().map(one).collect()
}
