//! What runner and keeper say to each other: one JSON value a line, typed, and of bounded length.
//!
//! The commands that change what is kept are also what the keeper writes to disk, so that a keeper that was
//! started again knows all that the one before it was told.

use crate::{
    container::{Container, ContainerId, Op},
    event::FaultId,
    fault::Injection,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Of this protocol. Both sides must have the same: the keeper is the same binary as the runner.
pub const VERSION: u32 = 1;

/// The longest line, in bytes: a snapshot with all its labels.
pub const LINE_MOST: usize = 1 << 20;

/// How long an engine lets a container end by itself unless told otherwise.
const GRACE: Duration = Duration::from_secs(10);
/// How long any other operation may still take effect after its sender died.
const ECHO: Duration = Duration::from_millis(500);

/// From the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// First of all.
    Hello(Hello),
    /// Play this if I die. Acknowledged when it is on disk.
    Keep(Box<Undo>),
    /// It is undone, and proven to be.
    Undone {
        /// Of which fault.
        fault: FaultId,
        /// On which container.
        on: ContainerId,
    },
    /// I am here.
    Heartbeat,
    /// The run is over, and I have undone all that can be undone.
    End,
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// The run.
    pub run: String,
    /// The id of the engine that the run is on.
    pub engine: String,
    /// The targets whose lock the run holds.
    pub locked: Vec<ContainerId>,
}

/// How one fault on one container is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Of which fault.
    pub fault: FaultId,
    /// What is done, and how it is undone.
    pub injection: Injection,
    /// The container as it was: what it is to be again.
    pub before: Container,
}

impl Undo {
    /// Whether a keeper needs to know of it. Packets it leaves to their agents.
    pub fn is_for_keepers(&self) -> bool {
        self.injection.undo.iter().any(|op| !matches!(op, Op::FreePackets { .. }))
    }

    /// What an agent takes back when its runner is gone, unless somebody kills the agent as well (an engine that is
    /// started again does so to helpers), or it stands still.
    pub fn works(&self) -> impl Iterator<Item = &Op> {
        self.injection.undo.iter().filter(|op| matches!(op, Op::End { .. }))
    }

    /// Whether it has a command in it. A keeper runs none: somebody is asked first, so `recover` does.
    pub fn asks_first(&self) -> bool {
        self.injection.asks_first()
    }

    /// How long an operation of the fault may still take effect after the runner died.
    pub fn echo(&self) -> Duration {
        echo(&self.injection)
    }
}

/// How long an operation of a fault may still take effect after its sender died.
pub fn echo(injection: &Injection) -> Duration {
    let longest = injection.apply.iter().map(|op| match op {
        Op::Stop { grace } | Op::Restart { grace } => grace.map_or(GRACE, |grace| grace.0) + ECHO,
        _ => ECHO,
    });
    longest.max().unwrap_or_default()
}

/// From the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The answer to hello.
    Ready {
        /// [`VERSION`].
        version: u32,
    },
    /// The undo is on disk.
    Kept {
        /// Of which fault.
        fault: FaultId,
        /// On which container.
        on: ContainerId,
    },
    /// Something that was not done.
    Refused {
        /// Why, for people.
        why: String,
    },
    /// Somebody asked that the run stop; if it does not end soon, the keeper undoes.
    StopAsked,
}
