//! What was seen beside the faults: neighbours, usage, logs.

use crate::{analysis::EvidenceId, clock::At};
use serde::{Deserialize, Serialize};

/// What happened to a container that was not a target. Only those to which something happened, and those that
/// `expect.unaffected` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its name.
    pub container: String,
    /// Its compose service.
    pub service: Option<String>,
    /// Named by `expect.unaffected`.
    pub must_be_unaffected: bool,
    /// Times it ended.
    pub dies: u32,
    /// Times it started.
    pub starts: u32,
    /// Times the kernel's out-of-memory killer struck.
    pub ooms: u32,
    /// Health changes, in order: when, and to what (`unhealthy`).
    pub health: Vec<(At, String)>,
    /// Whether it went bad from the first fault on: out of memory, unhealthy, or ended with an error (for one
    /// that must be unaffected: ended at all).
    pub bad: bool,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// What a container used over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageSeries {
    /// Its name.
    pub container: String,
    /// Whether it was a target.
    pub target: bool,
    /// In order.
    pub points: Vec<UsagePoint>,
    /// The lines of the journal from the first sample to the last.
    pub evidence: Option<EvidenceId>,
}

/// What a container used between the sample before and this one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UsagePoint {
    /// When.
    pub at: At,
    /// Cores busy since the sample before (1.0 = one core); `None` for the first and after a restart.
    pub cores: Option<f64>,
    /// Memory, bytes.
    pub memory: u64,
    /// Memory limit, bytes; `None` is none.
    pub memory_limit: Option<u64>,
    /// Bytes received a second; `None` as for `cores`.
    pub rx_per_s: Option<f64>,
    /// Bytes sent a second.
    pub tx_per_s: Option<f64>,
}

/// A container's log in the run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// The container.
    pub container: String,
    /// Relative to the run folder.
    pub file: String,
    /// Bytes.
    pub bytes: u64,
    /// Whether older lines were cut.
    pub cut: bool,
}
