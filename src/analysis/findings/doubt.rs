//! Why a measurement or a fault cannot be relied on.

use crate::{
    analysis::EvidenceId,
    clock::At,
    event::{FaultId, Phase},
    measure::ProbeId,
};
use serde::{Deserialize, Serialize};

/// A reason to distrust.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// What is wrong.
    pub kind: DoubtKind,
    /// Whether it made the verdict undecided.
    pub decisive: bool,
    /// Where it shows.
    pub evidence: Vec<EvidenceId>,
}

/// What can be wrong with a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// The journal stops before the run ended.
    CutShort,
    /// The journal is damaged; what the reader said.
    Damaged(String),
    /// Part of the evidence could not be written.
    EvidenceLost {
        /// Which file.
        file: String,
        /// What the system said.
        detail: String,
    },
    /// Requests that were due and are not in the log.
    Missing {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// How many.
        missing: u64,
        /// Of how many due.
        due: u64,
    },
    /// More unknown ticks than a phase may have.
    Unknown {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// Unknown ticks / ticks.
        share: f64,
    },
    /// The generator sent late by its own fault.
    GeneratorBehind {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// Seconds behind / seconds.
        share: f64,
    },
    /// Too few requests for the percentile that was promised.
    TooFew {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// How many there were.
        n: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The engine's events were not seen for a while.
    EngineLost {
        /// From.
        from: At,
        /// To; the end of the run if it did not come back.
        to: At,
    },
    /// The alert source could not be read for a while.
    AlertSourceLost {
        /// From the last answer before.
        from: At,
        /// To the first one after, or to the end of the watch.
        to: At,
    },
    /// Nobody would have undone anything after a SIGKILL of the runner, by wish.
    NoKeeper,
    /// Nobody would have undone anything after a SIGKILL of the runner in this time.
    KeeperLost {
        /// From.
        from: At,
        /// To; the end of the run if it did not come back.
        to: At,
    },
    /// The moment of a fault is known only to within this (ns).
    FaultTimeVague {
        /// Which fault.
        fault: FaultId,
        /// Width of the interval.
        width_ns: u64,
    },
    /// The runner's wall clock was stepped by this (ns); figures are monotonic and not touched by it.
    WallClockStepped(i64),
    /// Events of kinds that this version does not know: how many.
    UnknownEvents(u64),
}
