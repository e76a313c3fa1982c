//! A container as it is at one moment.

use super::{ContainerId, RUN_LABEL};
use crate::units::Span;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// A container as it was when we looked: the snapshot that an undo is proven against.
/// The environment is left out: it holds secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Which.
    pub id: ContainerId,
    /// Its name, without the leading slash.
    pub name: String,
    /// The image as it was asked for (`nginx:1.27`).
    pub image: String,
    /// The image's id (`sha256:...`).
    pub image_id: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// Running, paused, ...
    pub state: State,
    /// Exit code of the last end.
    pub exit_code: Option<i64>,
    /// Whether the last end was the kernel's out-of-memory killer.
    pub oom_killed: bool,
    /// Process id on the host; 0 if not running.
    pub pid: i64,
    /// When it was last started, as the engine says it (RFC 3339).
    pub started_at: String,
    /// How often the restart policy acted.
    pub restart_count: i64,
    /// Health, if the container has a health check.
    pub health: Option<Health>,
    /// How its health is checked, if it is (and if this was recorded: older journals do not have it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<HealthChecks>,
    /// What the engine does when it ends.
    pub restart_policy: RestartPolicy,
    /// Whether the engine removes it when it ends.
    pub auto_remove: bool,
    /// `bridge`, `host`, `container:<id>`, a network's name, ...
    pub network_mode: String,
    /// Empty for processes of its own; `host`, `container:<id>` (older journals do not have it).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pid_mode: String,
    /// By network name.
    pub networks: BTreeMap<String, Attachment>,
    /// Ports published on the host.
    pub ports: Vec<PublishedPort>,
    /// Resource limits.
    pub limits: ResourceLimits,
}

impl Container {
    /// The compose project, if any.
    pub fn project(&self) -> Option<&str> {
        self.labels.get("com.docker.compose.project").map(String::as_str)
    }

    /// The compose service, if any.
    pub fn service(&self) -> Option<&str> {
        self.labels.get("com.docker.compose.service").map(String::as_str)
    }

    /// Whether somebody asked that it never be a target.
    pub fn protected(&self) -> bool {
        self.labels.get("firedrill.protect").is_some_and(|v| v == "true")
    }

    /// The run that made it, if it is one of ours. (A container inherits the labels of its image: those of a
    /// drill's own system say `firedrill.run=` to be targets all the same.)
    pub fn ours(&self) -> Option<&str> {
        self.labels.get(RUN_LABEL).map(String::as_str).filter(|run| !run.is_empty())
    }
}

/// The states of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never started.
    Created,
    /// Running.
    Running,
    /// Running, frozen.
    Paused,
    /// Ended; the restart policy is about to start it.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Could not be removed.
    Dead,
}

impl State {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Running => "running",
            State::Paused => "paused",
            State::Restarting => "restarting",
            State::Removing => "being removed",
            State::Exited => "exited",
            State::Dead => "dead",
        }
    }

    /// Whether processes of the container are there, frozen or not, or about to be.
    pub fn runs(self) -> bool {
        matches!(self, State::Running | State::Paused | State::Restarting)
    }
}

/// How often health is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChecks {
    /// Between the end of a check and the next one.
    pub every: Span,
    /// How long one may take.
    pub timeout: Span,
    /// So many failures in a row are unhealthy.
    pub retries: u32,
}

impl HealthChecks {
    /// What the engine does where nothing is said.
    pub const DEFAULT: HealthChecks = HealthChecks { every: Span::secs(30), timeout: Span::secs(30), retries: 3 };

    /// Whoever goes bad is called unhealthy after so long at most.
    pub fn notices_within(self) -> Span {
        Span((self.every.0 + self.timeout.0) * self.retries)
    }
}

/// What a health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not enough checks yet.
    Starting,
    /// Healthy.
    Healthy,
    /// Unhealthy.
    Unhealthy,
}

impl Health {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Health::Starting => "starting",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }
    }
}

/// What the engine does when a container ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped`, `on-failure`.
    pub name: String,
    /// For `on-failure`; 0 means without end.
    pub max_retries: i64,
}

/// How a container hangs on one network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attachment {
    /// The network's id.
    pub network_id: String,
    /// Current IPv4 address; dynamic unless `static_ipv4` is set.
    pub ipv4: Option<IpAddr>,
    /// Current IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// The configured static IPv4 address.
    pub static_ipv4: Option<String>,
    /// The configured static IPv6 address.
    pub static_ipv6: Option<String>,
    /// Configured link-local addresses.
    pub link_local: Vec<String>,
    /// Names on this network, without the short id, sorted.
    pub aliases: Vec<String>,
    /// Legacy links.
    pub links: Vec<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// MAC address.
    pub mac: Option<String>,
    /// Gateway priority (newer engines).
    pub priority: Option<i64>,
}

/// A port of the container that is published on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Inside.
    pub container: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Address on the host.
    pub host_ip: String,
    /// Port on the host.
    pub host: u16,
    /// Asked for by number; otherwise the engine chose it, and chooses again at the next start.
    pub fixed: bool,
}

/// Limits as the engine keeps them; 0 is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub memory_swap: i64,
    /// Billionths of a core.
    pub nano_cpus: i64,
    /// Microseconds in a period.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_period: i64,
    /// Relative weight.
    pub cpu_shares: i64,
    /// Pinned cores.
    pub cpuset: String,
    /// Processes.
    pub pids: i64,
}
