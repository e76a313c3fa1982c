//! What an engine tells: who it is, what happened, what a container uses, and why it refuses.

use crate::units::Span;
use serde::{Deserialize, Serialize};

/// What can go wrong between us and an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerError {
    /// Nothing answers there.
    #[error("no Docker engine answers at {address}: {detail}")]
    Unreachable {
        /// Where we asked.
        address: String,
        /// What the system said.
        detail: String,
    },
    /// The thing is not there (any more).
    #[error("no such {what}")]
    NotFound {
        /// `container 1f2e...`.
        what: String,
    },
    /// Something stands in the way: a name that is taken, a state that does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Any other answer of the engine.
    #[error("the engine answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// No answer within the bound; whether it was done is unknown.
    #[error("no answer within {0}; whether it was done is unknown")]
    Unknown(Span),
}

/// What we know of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// The id that it gives itself.
    pub id: String,
    /// Host name.
    pub name: String,
    /// `20.10.24`.
    pub version: String,
    /// Negotiated API version.
    pub api: String,
    /// 1 or 2.
    pub cgroup: u8,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// `amd64`, `arm64`.
    pub arch: String,
    /// Rootless, user namespaces, ...
    pub security: Vec<String>,
    /// Where we reached it (`unix:///var/run/docker.sock`).
    pub address: String,
}

/// Something that the engine saw happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineEvent {
    /// Full container id.
    pub id: String,
    /// Container name.
    pub name: String,
    /// `die`, `oom`, `start`, `health_status: healthy`, `pause`, ...
    pub action: String,
    /// Exit code, with `die`.
    pub exit_code: Option<i64>,
    /// On the daemon's clock, nanoseconds since the epoch.
    pub time_ns: i64,
}

/// What comes over the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watch {
    /// Something happened.
    Event(EngineEvent),
    /// The stream ended; the text says why. It is followed by `Back` once the engine answers again.
    Lost(String),
    /// The stream is back; what happened in between was asked for and has been delivered.
    Back,
}

/// What a container uses, as the engine counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time so far, nanoseconds.
    pub cpu_ns: u64,
    /// Memory now, bytes (without page cache where the engine tells).
    pub memory: u64,
    /// Memory limit, bytes; 0 is none.
    pub memory_limit: u64,
    /// Received so far, bytes, all networks.
    pub rx: u64,
    /// Sent so far, bytes, all networks.
    pub tx: u64,
}
