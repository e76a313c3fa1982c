//! The facts of a run, in the past tense. The engine records them and nothing else; every verdict is
//! computed from them later. One event is one line of `journal.jsonl`.

mod alerts;
mod earlier;
mod kind;
mod run;
mod terms;
mod undo;
pub use alerts::*;
pub use earlier::*;
pub use kind::*;
pub use run::*;
pub use terms::*;
pub use undo::*;

use crate::clock::At;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// The version of the journal. A reader keeps unknown kinds of event; it refuses a higher version.
pub const FORMAT: u32 = 1;

/// One fact: numbered and stamped by the conductor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 0, 1, 2, ... without gaps.
    pub seq: u64,
    /// Nanoseconds since the run started, monotonic.
    pub at: At,
    /// What happened.
    pub kind: EventKind,
}

/// Which fault: its position in [`Terms::faults`].
pub type FaultId = usize;

/// What people say from another terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// Any remark.
    Note,
    /// "I am on it."
    Ack,
    /// "I saw this."
    Saw,
    /// "We decided that."
    Decided,
}

impl NoteKind {
    /// As typed and as read.
    pub fn name(self) -> &'static str {
        match self {
            NoteKind::Note => "note",
            NoteKind::Ack => "ack",
            NoteKind::Saw => "saw",
            NoteKind::Decided => "decided",
        }
    }
}

/// Takes the events of a run, in order. `accept` only hands over: the work is done on the sink's own thread.
pub trait Sink: Send {
    /// Takes one event.
    fn accept(&mut self, event: &Event);

    /// Asks that everything accepted so far outlive a power cut. The answer comes when it does, or says why it
    /// does not; `None` from a sink that keeps nothing.
    fn make_durable(&mut self) -> Option<OnDisk> {
        None
    }
}

/// The answer to [`Sink::make_durable`]; an error is what the system said.
pub type OnDisk = oneshot::Receiver<Result<(), String>>;
