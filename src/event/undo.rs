//! Operations on containers, and how an undo is judged.

use super::FaultId;
use crate::{
    clock::At,
    container::{ContainerError, ContainerId, OpOutcome},
};
use serde::{Deserialize, Serialize};

/// One operation on one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operated {
    /// Of which fault.
    pub fault: FaultId,
    /// Whether this is its undo.
    pub undo: bool,
    /// Which container.
    pub on: ContainerId,
    /// Its name.
    pub container: String,
    /// What was done.
    pub op: crate::container::Op,
    /// When the request was sent.
    pub sent: At,
    /// When the answer came.
    pub answered: At,
    /// How it ended.
    pub outcome: Result<OpOutcome, ContainerError>,
}

/// Why an undo happened when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoReason {
    /// The end of `for`.
    Due,
    /// The end of the run.
    RunEnded,
    /// A guard.
    Guard,
    /// A person.
    Stopped,
    /// The fault ended without us; what is left of it is undone and checked.
    AlreadyOver,
    /// The fault did not go in as it should.
    NotProven,
    /// The runner met an error of its own.
    Failed,
    /// `firedrill recover`.
    Recovered,
}

/// A difference between a container and its snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `state`, `networks.front.aliases`, `pid`, ...
    pub what: String,
    /// In the snapshot.
    pub before: String,
    /// Now.
    pub after: String,
    /// Whether it must be the same; otherwise it is only recorded.
    pub must_match: bool,
}
