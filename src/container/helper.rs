//! Helpers: firedrill's own program in a container of its own, joined to namespaces of others and driven line by
//! line over its stdin and stdout. What a helper holds, it must let go when its stdin ends: that is the lease.

use super::ContainerId;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// On every helper's image: the digest of its only layer.
pub const HELPER_IMAGE_LABEL: &str = "firedrill.helper";
/// On a helper: the full id of the container that it stands beside.
pub const BESIDE_LABEL: &str = "firedrill.beside";
/// On a helper: what it is for ([`NewHelper::role`]).
pub const ROLE_LABEL: &str = "firedrill.role";

/// How many lines may wait on either side.
pub(super) const LINES_WAITING: usize = 1024;
/// The longest line of a helper, in bytes; what follows of a longer one is dropped.
pub(super) const LINE_MOST: usize = 4 << 20;

/// A helper to be started. Start from [`NewHelper::new`]: no network, no capability, no mount, nothing writable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHelper {
    /// The run that it belongs to; its `firedrill.run` label.
    pub run: String,
    /// What it is for, in one word: `agent`. Part of its name.
    pub role: String,
    /// Arguments of `firedrill`.
    pub arguments: Vec<String>,
    /// Whose network.
    pub network: Namespace,
    /// Whose processes.
    pub processes: Namespace,
    /// Whether it sees cgroups as the host does.
    pub host_cgroups: bool,
    /// `NET_ADMIN`, ...; all others are dropped. It runs as uid 0, without which they would do nothing.
    pub capabilities: Vec<String>,
    /// What of the host it sees.
    pub mounts: Vec<HelperMount>,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
    /// It outlives the connection that drives it: it may write to its own layer, is started again when it fails, and
    /// is not removed when it ends. Otherwise it is gone when it ends.
    pub lasting: bool,
}

impl NewHelper {
    /// With the least of everything.
    pub fn new(run: &str, role: &str, arguments: &[&str]) -> NewHelper {
        NewHelper {
            run: run.into(),
            role: role.into(),
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
            network: Namespace::Own,
            processes: Namespace::Own,
            host_cgroups: false,
            capabilities: Vec::new(),
            mounts: Vec::new(),
            labels: BTreeMap::new(),
            lasting: false,
        }
    }

    /// Beside this container, in its network.
    pub fn in_network_of(mut self, target: &ContainerId) -> NewHelper {
        self.network = Namespace::Of(target.id.clone());
        self.beside(target)
    }

    /// Beside this container, among its processes.
    pub fn among_processes_of(mut self, target: &ContainerId) -> NewHelper {
        self.processes = Namespace::Of(target.id.clone());
        self.beside(target)
    }

    /// Labelled as standing beside this container.
    pub fn beside(mut self, target: &ContainerId) -> NewHelper {
        self.labels.insert(BESIDE_LABEL.into(), target.id.clone());
        self
    }

    /// With this capability as well.
    pub fn with(mut self, capability: &str) -> NewHelper {
        self.capabilities.push(capability.into());
        self
    }
}

/// Whose namespace a helper lives in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Namespace {
    /// One of its own; a network of its own has nothing but loopback.
    #[default]
    Own,
    /// The host's.
    Host,
    /// That of a container, by full id.
    Of(String),
}

/// A place of the host in a helper. A source that is not there is an error, not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelperMount {
    /// On the host.
    pub source: String,
    /// In the helper.
    pub target: String,
    /// Whether it may only be read.
    pub read_only: bool,
}

/// A helper that runs.
#[derive(Debug)]
pub struct Helper {
    /// Its container.
    pub id: ContainerId,
    /// Lines to its stdin, without their line break. When the last sender is dropped, its stdin ends.
    pub say: mpsc::Sender<String>,
    /// What it says; ends with the helper, or with the connection to it.
    pub said: mpsc::Receiver<Said>,
}

/// A line of a helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// On its stdout.
    Line(String),
    /// On its stderr: for people.
    Complaint(String),
}
