//! The keeper: holds the undo list of a run where the runner's death does not reach it, and undoes when the runner
//! is gone.
//!
//! Faults inside a container's own namespaces let go by themselves ([`crate::agent`]). What was done through the
//! engine (killed, stopped, paused, taken off a network) does not, so somebody must live who knows how it is undone:
//! a container of our own image beside the targets, with the engine's socket, no network and no capability; where
//! that cannot be, a process beside the runner. It is told each undo before the fault, acknowledges it when it is
//! on disk, and sets right what differs when the stream from the runner ends without "over".

pub mod line;
pub mod list;
pub mod play;
pub mod protocol;
pub mod session;
pub mod sweep;
#[cfg(test)]
mod tests;
