//! Containers as firedrill sees them, whatever engine runs them.
//!
//! `docker` talks to the Docker Engine (and what speaks its API), `sim` is the in-memory twin for
//! tests of time and of the impossible. Everything else knows only the trait [`Containers`]. What must be done inside
//! other containers' namespaces is done by `helper`s: our own program in containers of its own, driven by lines.

pub mod compare;
pub mod docker;
pub mod helper;
mod holder;
pub mod mend;
mod op;
pub mod packets;
pub mod sim;
mod snapshot;
mod told;

pub use helper::{Helper, NewHelper, Said};
pub use op::{Op, OpOutcome};
pub use packets::{PacketFault, Peer};
pub use snapshot::*;
pub use told::*;

use crate::{
    agent::work::{Figures, Work},
    units::Span,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, future::Future, pin::Pin};
use tokio::sync::mpsc;

/// A container of one Docker host. The host is part of it from day one: several hosts will come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContainerId {
    /// The id that the engine gives itself (`docker info`).
    pub host: String,
    /// The full id of the container.
    pub id: String,
}

impl ContainerId {
    /// The first twelve characters of the id, as Docker prints it.
    pub fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// Everything that firedrill makes on a Docker host bears this label, with the id of the run.
pub const RUN_LABEL: &str = "firedrill.run";

/// Who made it ([`Holder::runner`]), so that what a dead process left can be told from what a living one uses.
pub const RUNNER_LABEL: &str = "firedrill.runner";

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// Where its runner runs: process id, host name, start of that process; see [`Holder::here`].
    pub runner: String,
    /// Whether the lock outlives its holder: an undo may be left that only a person can allow.
    #[serde(default)]
    pub asks_first: bool,
}

/// An answer of an engine, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ContainerError>> + Send + 'a>>;

/// What firedrill needs of a container engine. Every call is bounded in time.
pub trait Containers: Send + Sync {
    /// What engine this is.
    fn engine(&self) -> Answer<'_, EngineInfo>;

    /// Every container, running or not, inspected, in the order of their names.
    fn list(&self) -> Answer<'_, Vec<Container>>;

    /// One container, by full id.
    fn inspect(&self, id: &ContainerId) -> Answer<'_, Container>;

    /// Does one operation. `Unknown` after ten seconds beyond the operation's own time.
    fn perform(&self, id: &ContainerId, op: &Op) -> Answer<'_, OpOutcome>;

    /// Makes ready what an operation needs and what takes its time (a helper); nothing happens to the container. For
    /// a run, whose helpers end by themselves after `deadline`. Done as well if nothing is needed.
    fn prepare<'a>(&'a self, id: &'a ContainerId, op: &'a Op, run: &'a str, deadline: Span) -> Answer<'a, ()>;

    /// Why work that was begun here is over although nobody ended it; `None` while it goes on.
    fn lost(&self, id: &ContainerId, work: &Work) -> Option<String>;

    /// Lets every helper go that was made ready or is at work here, and removes those of the run that stay: an engine
    /// that was restarted forgets that they were to go by themselves.
    fn dismiss(&self, run: &str) -> Answer<'_, ()>;

    /// What work that was begun here has come to so far.
    fn figures(&self, id: &ContainerId, work: &Work) -> Option<Figures>;

    /// The engine's clock now.
    fn clock(&self) -> Answer<'_, Timestamp>;

    /// Follows what happens to all containers until the receiver is dropped. Reconnects by itself.
    fn watch(&self) -> mpsc::UnboundedReceiver<Watch>;

    /// What a container uses now.
    fn usage(&self, id: &ContainerId) -> Answer<'_, Usage>;

    /// What a container printed since then (stdout and stderr, each line with its time): the newest `limit`
    /// bytes; exactly so many come when older ones were cut.
    fn logs(&self, id: &ContainerId, since: Timestamp, limit: usize) -> Answer<'_, Vec<u8>>;

    /// Takes the lock on a container for a run: atomic on the engine's side. `Some` names who holds it.
    fn lock(&self, target: &ContainerId, holder: &Holder) -> Answer<'_, Option<Holder>>;

    /// Gives the lock back; done as well if nobody held it.
    fn unlock(&self, target: &ContainerId, run: &str) -> Answer<'_, ()>;

    /// Who holds the lock on a container, if anybody.
    fn locked(&self, target: &ContainerId) -> Answer<'_, Option<Holder>>;

    /// Removes what killed runs have left and nobody has a use for; the names of it.
    fn reap(&self) -> Answer<'_, Vec<String>>;

    /// Starts a helper and attaches to it. Its image is loaded first, where it is not there.
    fn start_helper(&self, new: &NewHelper) -> Answer<'_, Helper>;

    /// Attaches again to a helper that lasts, and starts it if it does not run.
    fn resume_helper(&self, id: &ContainerId) -> Answer<'_, Helper>;

    /// Ends and removes a helper, running or not; done as well if it is gone.
    fn remove_helper(&self, id: &ContainerId) -> Answer<'_, ()>;
}
