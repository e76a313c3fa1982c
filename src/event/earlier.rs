//! What earlier runs of a scenario came to, as a run captures it at its end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an earlier run of the same scenario came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierRun {
    /// Its id.
    pub run: String,
    /// When it started.
    pub started: Timestamp,
    /// Its verdict word.
    pub word: String,
    /// Its exit code.
    pub code: u8,
    /// Time to recover of the main load, nanoseconds, if it was measured.
    pub recover_ns: Option<u64>,
    /// `git describe` of the scenario then.
    pub git: Option<String>,
    /// Image ids of the targets then, by container name.
    pub images: BTreeMap<String, String>,
    /// Fingerprints of what rules found then; `None`: its result does not tell.
    #[serde(default)]
    pub findings: Option<Vec<String>>,
}

/// An action item of an earlier run's review, on which work or a decision was owed when this run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenItem {
    /// Its id.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// How far it was: `accepted by ana`.
    pub state: String,
    /// Of the finding that it comes from.
    pub fingerprint: Option<String>,
    /// Since when it was owed.
    pub since: jiff::civil::Date,
    /// The run whose review it stands in.
    pub run: String,
}

/// What earlier runs of a scenario contribute to a review.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Earlier {
    /// Newest first.
    pub runs: Vec<EarlierRun>,
    /// Oldest first.
    pub open: Vec<OpenItem>,
}
