//! Faults. A fault is a compiler: settings + container snapshot -> what to do and how to undo it, as data.
//!
//! Nothing here talks to anybody. What a fault needs to know about its target is in the snapshot, and what it
//! wants done is a list of [`Op`]s; so a plan can be printed, a dry run be a run, an undo be on disk before the
//! first operation, and one property hold for all faults: apply, then undo, leaves the world as it was.
//!
//! # A new fault
//! 1. One file here, 35-90 lines with its tests: a pure `compile(settings, on) -> Result<Injection, FaultError>`.
//!    - *Refuse* what cannot be undone ([`must_run`], [`must_survive_its_end`] and the fault's own reasons): a
//!      refusal is exit 3 before anything was touched.
//!    - `apply` and `undo` are in the order they are done. An undo must be idempotent: it may be played twice, by
//!      two people, and after somebody else has mended the thing.
//!    - `claims` says what it lays hold of. Two claims on one thing at one time are a plan error.
//!    - `proof` is what must be seen afterwards; the engine's "200 OK" is none.
//!    - `notes` are for the person who decides whether to run it: what will *not* be as before.
//! 2. One variant of [`Fault`], and the arms that the compiler then asks for.
//! 3. If no [`Op`] does it: one variant of `Op`, an arm in `container/docker/operate.rs` and one in `container/sim`.
//! 4. One decoder in `scenario/decode`, one example scenario, and one line in each of the two property tests
//!    (`fault::tests` on the twin, `tests/it/faults.rs` on a real engine).

mod burn;
mod crash;
mod disconnect;
mod exec;
mod kill;
mod packets;
mod pause;
mod restart;
mod squeeze;
mod stop;

pub use packets::{Around, PacketKind, PacketSettings, Partition, To};

use crate::{
    agent::work::{Work, squeeze::Resource},
    container::{Container, ContainerId, Op, State},
    units::Span,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a fault does to one container, and how that is undone. Plain data: it is journaled before it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// Which container.
    pub on: ContainerId,
    /// Its name, for people.
    pub name: String,
    /// In order.
    pub apply: Vec<Op>,
    /// In order; empty if there is nothing to undo.
    pub undo: Vec<Op>,
    /// What it lays hold of; two claims on one thing at one time are a plan error.
    pub claims: Vec<Claim>,
    /// What must be seen after `apply` for the fault to count as proven.
    pub proof: Proof,
    /// What people should know before they let it run (restart policy off, addresses that may change, ...).
    pub notes: Vec<String>,
}

impl Injection {
    /// Whether its undo has a command in it, which nobody runs for a dead runner unless somebody allows it.
    pub fn asks_first(&self) -> bool {
        self.undo.iter().any(|op| matches!(op, Op::Exec { .. }))
    }
}

/// A part of a container that only one fault may hold at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Whether it runs.
    Running,
    /// Its place on one network.
    Network(String),
    /// The limit of a resource in its cgroup.
    Limit(String),
    /// Nothing that another fault could want (a command in it).
    Inside(String),
}

/// What must be seen after the operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It does not run.
    NotRunning,
    /// It is paused.
    Paused,
    /// It runs, and was started later than in the snapshot.
    Restarted,
    /// It is not on this network.
    OffNetwork(String),
    /// The command ended with 0.
    CommandSucceeded,
    /// It has ended since, whether or not it runs again.
    Ended,
    /// Its agent has put it in place and read it back. Whether it *touched* anything is told by what it counts.
    InPlace,
}

impl fmt::Display for Proof {
    /// What must be seen, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::NotRunning => f.write_str("it does not run"),
            Proof::Paused => f.write_str("it is paused"),
            Proof::Restarted => f.write_str("it runs, and was started anew"),
            Proof::OffNetwork(network) => write!(f, "it is not on {network}"),
            Proof::CommandSucceeded => f.write_str("the command ended with 0"),
            Proof::Ended => f.write_str("it has ended, whether or not it runs again"),
            Proof::InPlace => f.write_str("its agent has read it back"),
        }
    }
}

/// Why a fault cannot be compiled for a container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub String);

/// The faults and their settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A fatal signal through the engine; the restart policy does not act.
    Kill {
        /// `SIGKILL` unless said otherwise.
        signal: String,
    },
    /// A fatal signal from the host's side; the restart policy acts.
    Crash {
        /// `SIGKILL` unless said otherwise.
        signal: String,
    },
    /// Any signal from the host's side.
    Signal {
        /// `SIGHUP`, ...
        signal: String,
        /// To the processes in whose name or command line this regex is found; `None`: to the main process.
        process: Option<String>,
    },
    /// A lower limit in its cgroup.
    Squeeze {
        /// Of what.
        resource: Resource,
        /// In the resource's unit.
        to: u64,
    },
    /// Something inside uses up what it has: a burn, a hold, a load or a fill.
    Burn(Work),
    /// An orderly stop.
    Stop {
        /// Grace before the kill.
        grace: Option<Span>,
    },
    /// Stop and start.
    Restart {
        /// Grace before the kill.
        grace: Option<Span>,
        /// One container after the other, each healthy before the next; `None`: all at once.
        one_by_one: Option<OneByOne>,
    },
    /// Freeze.
    Pause,
    /// Packets come late, never, twice, damaged, out of order or slowly.
    Packets(Box<PacketSettings>),
    /// Groups of containers that do not reach each other.
    Partition(Partition),
    /// Off one network, through the engine.
    Disconnect {
        /// The network's name.
        network: String,
    },
    /// A command in the container.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
        /// As whom.
        user: Option<String>,
        /// The command that undoes it; `None` only where the scenario says `undo: none`.
        undo: Option<Vec<String>>,
    },
}

/// A rolling restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneByOne {
    /// How long one container may take to be healthy again.
    pub within: Span,
}

impl Fault {
    /// Its key in a scenario.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "kill",
            Fault::Crash { .. } => "crash",
            Fault::Signal { process: None, .. } => "signal",
            Fault::Signal { process: Some(_), .. } => "process",
            Fault::Squeeze { resource, .. } => resource.name(),
            Fault::Burn(work) => match work {
                Work::Hold(_) => "memory",
                Work::Load(_) => "io",
                Work::Fill(_) => "disk",
                Work::Burn(_) | Work::Signal(_) | Work::Squeeze(_) => "cpu",
            },
            Fault::Stop { .. } => "stop",
            Fault::Restart { .. } => "restart",
            Fault::Pause => "pause",
            Fault::Packets(settings) => settings.kind.key(),
            Fault::Partition(_) => "partition",
            Fault::Disconnect { .. } => "disconnect",
            Fault::Exec { .. } => "exec",
        }
    }

    /// Whether it holds something that must be let go (so that `for` makes sense).
    pub fn held(&self) -> bool {
        match self {
            Fault::Kill { .. } | Fault::Stop { .. } | Fault::Pause | Fault::Disconnect { .. } => true,
            Fault::Crash { .. } | Fault::Signal { .. } | Fault::Squeeze { .. } | Fault::Burn(_) => true,
            Fault::Packets(_) | Fault::Partition(_) => true,
            Fault::Restart { .. } => false,
            Fault::Exec { undo, .. } => undo.is_some(),
        }
    }

    /// Whether a container's first process may end of it.
    pub fn may_end_it(&self) -> bool {
        match self {
            Fault::Kill { .. } | Fault::Crash { .. } | Fault::Stop { .. } | Fault::Restart { .. } => true,
            // What does nothing by itself, or is commonly understood as a request to read configuration again.
            Fault::Signal { signal, .. } => {
                !["STOP", "CONT", "HUP", "WINCH", "CHLD", "URG"].contains(&signal.trim_start_matches("SIG"))
            }
            _ => false,
        }
    }

    /// Pure: what to do to this container, and how to undo it, where no other container has a part in it.
    pub fn compile(&self, on: &Container) -> Result<Injection, FaultError> {
        self.compile_among(on, &Around::default())
    }

    /// The same, among the containers that run beside it.
    pub fn compile_among(&self, on: &Container, around: &Around<'_>) -> Result<Injection, FaultError> {
        match self {
            Fault::Kill { signal } => kill::compile(signal, on),
            Fault::Crash { signal } => crash::crash(signal, on),
            Fault::Signal { signal, process } => crash::send(signal, process.as_deref(), on),
            Fault::Squeeze { resource, to } => squeeze::compile(*resource, *to, on),
            Fault::Burn(work) => burn::compile(work.clone(), on),
            Fault::Stop { grace } => stop::compile(*grace, on),
            Fault::Restart { grace, one_by_one } => restart::compile(*grace, *one_by_one, on),
            Fault::Pause => pause::compile(on),
            Fault::Packets(settings) => packets::compile(settings, on, around),
            Fault::Partition(partition) => packets::compile_partition(partition, on, around),
            Fault::Disconnect { network } => disconnect::compile(network, on),
            Fault::Exec { command, user, undo } => exec::compile(command, user.as_deref(), undo.as_deref(), on),
        }
    }
}

/// An injection that does nothing to this container yet.
fn injection(on: &Container) -> Injection {
    Injection {
        on: on.id.clone(),
        name: on.name.clone(),
        apply: Vec::new(),
        undo: Vec::new(),
        claims: Vec::new(),
        proof: Proof::CommandSucceeded,
        notes: Vec::new(),
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, FaultError> {
    Err(FaultError(why.into()))
}

/// "As it was" must be a state that an undo can lead back to.
fn must_run(on: &Container) -> Result<(), FaultError> {
    match on.state {
        State::Running => Ok(()),
        other => refuse(format!("{} is {}; a target must be running", on.name, other.name())),
    }
}

/// What the engine removes when it ends cannot be started again.
fn must_survive_its_end(on: &Container) -> Result<(), FaultError> {
    if on.auto_remove {
        return refuse(format!("{} was started with --rm: the engine removes it when it ends", on.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
