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
pub mod packets;
pub mod sim;

pub use helper::{Helper, NewHelper, Said};
pub use packets::{PacketFault, Peer};

use crate::{
    agent::work::{Figures, Work},
    units::Span,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, future::Future, net::IpAddr, pin::Pin};
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

/// Everything that firedrill makes on a Docker host bears this label, with the id of the run.
pub const RUN_LABEL: &str = "firedrill.run";

/// Who made it ([`Holder::runner`]), so that what a dead process left can be told from what a living one uses.
pub const RUNNER_LABEL: &str = "firedrill.runner";

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

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// Where its runner runs: process id, host name, start of that process; see [`Holder::here`].
    pub runner: String,
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
