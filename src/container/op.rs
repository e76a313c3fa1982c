//! What can be done to a container, and how it ends.

use super::{Attachment, ContainerId, PacketFault};
use crate::{
    agent::work::{Figures, Work},
    units::Span,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing to do to one container, as plain data: it is written to disk before it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Send a signal through the engine; fatal ones only (any of them switches the restart policy off).
    Kill {
        /// `SIGKILL`, ...
        signal: String,
    },
    /// Ask it to end, and kill it after the grace.
    Stop {
        /// How long it may take; the container's own setting if absent.
        grace: Option<Span>,
    },
    /// Start it.
    Start,
    /// Stop and start.
    Restart {
        /// How long the stop may take.
        grace: Option<Span>,
    },
    /// Freeze it.
    Pause,
    /// Thaw it.
    Unpause,
    /// Take it off a network.
    Disconnect {
        /// The network's name.
        network: String,
    },
    /// Put it back on a network, as it was.
    Connect {
        /// The network's name.
        network: String,
        /// How it hung there.
        attachment: Box<Attachment>,
    },
    /// Run a command in it.
    Exec {
        /// Program and arguments; no shell is added.
        command: Vec<String>,
        /// `uid` or `name`; the container's own if absent.
        user: Option<String>,
    },
    /// Begin work on its processes or resources, by a helper that ends it when nobody holds it any more.
    Begin {
        /// What.
        work: Work,
    },
    /// End that work, and put back what it changed.
    End {
        /// What was begun.
        work: Work,
    },
    /// Do something to packets of its network, by an agent beside it.
    Packets(Box<PacketFault>),
    /// Let its packets go as before. An engine does it by removing the agents beside the network's owner.
    FreePackets {
        /// Whose network it is.
        owner: ContainerId,
    },
    /// Wait until its health check says healthy (without one: until it runs).
    AwaitHealthy {
        /// And give up after so long.
        within: Span,
    },
}

impl Op {
    /// Its kind, for people and for tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Kill { .. } => "kill",
            Op::Stop { .. } => "stop",
            Op::Start => "start",
            Op::Restart { .. } => "restart",
            Op::Pause => "pause",
            Op::Unpause => "unpause",
            Op::Disconnect { .. } => "disconnect",
            Op::Connect { .. } => "connect",
            Op::Exec { .. } => "exec",
            Op::Begin { .. } => "begin",
            Op::End { .. } => "end",
            Op::Packets(_) => "packets",
            Op::FreePackets { .. } => "free packets",
            Op::AwaitHealthy { .. } => "await healthy",
        }
    }
}

impl fmt::Display for Op {
    /// As a person would say it: `kill with SIGKILL`, `connect to front (10.0.0.9)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Kill { signal } => write!(f, "kill with {signal}"),
            Op::Stop { grace: Some(grace) } => write!(f, "stop, with {grace} of grace"),
            Op::Restart { grace: Some(grace) } => write!(f, "restart, with {grace} of grace"),
            Op::Disconnect { network } => write!(f, "disconnect from {network}"),
            Op::Connect { network, attachment } => match &attachment.static_ipv4 {
                Some(address) => write!(f, "connect to {network} as {address}"),
                None => write!(f, "connect to {network}"),
            },
            Op::Exec { command, user: Some(user) } => write!(f, "run `{}` as {user}", command.join(" ")),
            Op::Exec { command, user: None } => write!(f, "run `{}`", command.join(" ")),
            Op::Begin { work } => work.fmt(f),
            Op::End { work } => write!(f, "end: {work}"),
            Op::Packets(fault) => fault.fmt(f),
            Op::FreePackets { .. } => f.write_str("let packets go as before"),
            Op::AwaitHealthy { within } => write!(f, "wait until it is healthy, at most {within}"),
            plain => f.write_str(plain.kind()),
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpOutcome {
    /// Done.
    Done,
    /// It was so already (304, "not paused", ...): counts as done, and is recorded.
    Already,
    /// Done, and this was seen of it.
    Seen(String),
    /// Work is over: what is seen now, and what it came to.
    Over {
        /// Read back.
        seen: String,
        /// For the last time.
        figures: Figures,
    },
    /// A command ended with this code and output (the first 4 KiB of it).
    Exited {
        /// Exit code.
        code: i64,
        /// Its output.
        output: String,
    },
}

impl OpOutcome {
    /// Whether what was wanted is so.
    pub fn succeeded(&self) -> bool {
        !matches!(self, OpOutcome::Exited { code, .. } if *code != 0)
    }
}
