//! From a plan to facts. One conductor tells each fact to the record, which numbers, stamps and hands it on.
//!
//! [`open`] makes the run folder and writes the first line; then the plan may take its time. [`Opened::conduct`]
//! runs the drill: its `course` (preflight, gate, timeline, recovery) is one task, and whatever becomes of that
//! task, the conductor undoes what the ledger holds, proves it, and ends the record.

mod agents;
mod alerts;
mod conductor;
mod course;
mod drill;
mod evidence;
mod gate;
mod guards;
mod halt;
mod holding;
mod inbox;
mod keeping;
mod ledger;
mod preflight;
mod proof;
mod record;
mod recover;
pub mod signals;
#[cfg(test)]
mod tests;
mod timeline;
mod undo;
mod watch;

pub use conductor::{Context, Opened, Outcome, open};
pub use guards::Onlooker;
pub use inbox::{Said, clean, say};
pub use recover::{RecoverError, recover, unfinished};
