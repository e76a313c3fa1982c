//! How a run begins, what it goes through, and what seals its files.

use super::Terms;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A finished file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedFile {
    /// Relative to the run folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// Where a run comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`FORMAT`].
    pub format: u32,
    /// The run's id, also the name of its folder.
    pub run: String,
    /// Wall time at `at` 0.
    pub started: Timestamp,
    /// IANA name of the zone that people here think in.
    pub time_zone: String,
    /// firedrill's version.
    pub version: String,
    /// The command that was typed, without secrets.
    pub command: Vec<String>,
    /// The host name of the runner.
    pub host: String,
    /// Where the scenario was read from.
    pub scenario_path: String,
    /// sha256 of the scenario file.
    pub scenario_digest: String,
    /// The seed of all chance in this run.
    pub seed: u64,
    /// `git describe --always --dirty` of the scenario's folder, if it is in git.
    pub git: Option<String>,
    /// What was promised and how it is judged.
    pub terms: Terms,
}

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Docker, targets, locks, limits.
    Preflight,
    /// Load, thrown away.
    WarmUp,
    /// The gate.
    Baseline,
    /// From the first fault effective to the last undo effective.
    During,
    /// From there, in full length.
    Recovery,
    /// What remains: logs, last undos of faults held to the end.
    Report,
}

/// Why a run did not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotStarted {
    /// Exit 3: no Docker, no such target, target locked, limits refuse it.
    CouldNotRun(String),
    /// Exit 7: the baseline was not met in three windows.
    BaselineNotMet(String),
    /// Exit 4: a guard tripped before t=0.
    GuardTripped(String),
    /// Exit 130: stopped by a person before t=0.
    Stopped(String),
}
