//! The way out of a deadlock of the engine.
//!
//! A pause freezes whatever is in the container's cgroup. If that is a command that the engine is just starting (an
//! `exec`, a health check: a `runc init` on its way in), the engine waits for the command with the container's list
//! of commands locked; whoever inspects the container then waits for that list with the container itself locked;
//! and the unpause that would end it all waits for the container (goroutine dump of a 20.10: `ContainerExecStart`,
//! `GetExecIDs`, `containerUnpause`). It stays frozen for good, and the more a drill looks, the likelier it is.
//!
//! Who may write to the cgroup can help: thaw it until the command has passed, and freeze it again. That takes some
//! milliseconds. A container that *we* paused is watched so; and a pause or unpause that is not answered is helped.

use super::{Docker, operate::already};
use crate::container::{ContainerError, OpOutcome, State};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// An answer that comes sooner is no deadlock.
const SUSPICIOUS: Duration = Duration::from_millis(300);
/// A command on its way in needs a few milliseconds of one core.
const PASSING: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(2);
/// How often an unpause is sent that met a command being let pass.
const TRIES: usize = 5;
/// How long the engine may take to hear of what it did itself.
const SETTLING: Duration = Duration::from_secs(3);
/// How often a container that we paused is looked at: at first, and later on.
const OFTEN: Duration = Duration::from_millis(10);
const SELDOM: Duration = Duration::from_millis(250);
/// Where cgroups are looked for, and how deep.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup/freezer", "/sys/fs/cgroup"];
const DEPTH: usize = 4;

/// The switch of one container's cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Freezer {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The ids of the containers that we paused and have not thawed.
pub(super) type Paused = Arc<Mutex<BTreeSet<String>>>;

fn lock(paused: &Paused) -> MutexGuard<'_, BTreeSet<String>> {
    paused.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Docker {
    pub(super) async fn pause(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        let mut outcome = self.freeze(id).await?;
        let deadline = Instant::now() + SETTLING;
        while outcome == OpOutcome::Already && self.is_behind(id) && Instant::now() < deadline {
            sleep(OFTEN).await;
            outcome = self.freeze(id).await?;
        }
        if outcome == OpOutcome::Done && self.is_local() {
            lock(&self.paused).insert(id.into());
            tokio::spawn(attend(Arc::clone(&self.paused), id.to_owned()));
        }
        Ok(outcome)
    }

    pub(super) async fn unpause(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        // From here on, nobody freezes it again.
        lock(&self.paused).remove(id);
        let mut outcome = self.thaw(id).await;
        for _ in 0..TRIES {
            match &outcome {
                // The engine believes it paused while a command is being let pass: what it believes is made true.
                Err(ContainerError::Refused { message, .. }) if message.contains("container not paused") => {
                    let _ = Freezer::find(id).map(|freezer| freezer.set(true));
                    outcome = self.thaw(id).await;
                }
                _ => break,
            }
        }
        self.settle(id).await;
        outcome
    }

    async fn freeze(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        let call = self.helped(id, true, self.client.pause_container(id));
        already(self.ask(call).await, "already paused")
    }

    /// Whether the container, which the engine calls paused, runs: it has yet to hear of the last unpause.
    fn is_behind(&self, id: &str) -> bool {
        self.is_local() && Freezer::find(id).is_some_and(|freezer| !freezer.is_frozen())
    }

    async fn thaw(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        let call = self.helped(id, false, self.client.unpause_container(id));
        already(self.ask(call).await, "is not paused")
    }

    /// Where commands came in, the engine may hear of the pause only after the unpause, and call the container
    /// paused for a moment more.
    async fn settle(&self, id: &str) {
        let deadline = Instant::now() + SETTLING;
        while self.look(id).await.is_ok_and(|one| one.state == State::Paused) && Instant::now() < deadline {
            sleep(OFTEN).await;
        }
    }

    fn is_local(&self) -> bool {
        self.info.address.starts_with("unix://")
    }

    /// Waits for a pause (`frozen`) or an unpause, and helps the engine out where it waits for itself. Afterwards
    /// the cgroup is as the engine believes it to be.
    async fn helped<T>(&self, id: &str, frozen: bool, call: impl Future<Output = T>) -> T {
        tokio::pin!(call);
        let mut helped = None;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut call => break answer,
                () = sleep(SUSPICIOUS), if self.is_local() => {
                    if let Some(freezer) = Freezer::find(id).filter(Freezer::is_stuck) {
                        freezer.let_pass(|freezer| drop(freezer.set(true))).await;
                        helped = Some(freezer);
                    }
                }
            }
        };
        if let Some(freezer) = helped.filter(|freezer| freezer.is_frozen() != frozen) {
            let _ = freezer.set(frozen);
        }
        answer
    }
}

/// Lets commands pass for as long as we hold the container paused: one that was started before the pause may
/// arrive after it.
async fn attend(paused: Paused, id: String) {
    let Some(freezer) = Freezer::find(&id) else { return };
    let mut pause = OFTEN;
    while lock(&paused).contains(&id) && freezer.folder.exists() {
        if freezer.is_stuck() {
            let freeze = |freezer: &Freezer| {
                // With the lock held, so that no unpause comes between the look and the freeze.
                let paused = lock(&paused);
                if paused.contains(&id) {
                    let _ = freezer.set(true);
                }
            };
            freezer.let_pass(freeze).await;
        }
        sleep(pause).await;
        pause = (pause * 5 / 4).min(SELDOM);
    }
}

impl Freezer {
    /// The cgroup of a container that an engine on this host runs.
    fn find(id: &str) -> Option<Freezer> {
        ROOTS.into_iter().find_map(|root| below(Path::new(root), id, DEPTH)).and_then(Freezer::at)
    }

    fn at(folder: PathBuf) -> Option<Freezer> {
        let version = if folder.join("freezer.state").exists() {
            Version::One
        } else if folder.join("cgroup.freeze").exists() {
            Version::Two
        } else {
            return None;
        };
        Some(Freezer { folder, version })
    }

    fn is_frozen(&self) -> bool {
        let (file, thawed) = match self.version {
            Version::One => ("freezer.state", "THAWED"),
            Version::Two => ("cgroup.freeze", "0"),
        };
        fs::read_to_string(self.folder.join(file)).is_ok_and(|state| state.trim() != thawed)
    }

    fn set(&self, frozen: bool) -> io::Result<()> {
        let (file, word) = match (self.version, frozen) {
            (Version::One, true) => ("freezer.state", "FROZEN"),
            (Version::One, false) => ("freezer.state", "THAWED"),
            (Version::Two, true) => ("cgroup.freeze", "1"),
            (Version::Two, false) => ("cgroup.freeze", "0"),
        };
        fs::write(self.folder.join(file), word)
    }

    fn is_stuck(&self) -> bool {
        self.is_frozen() && self.holds_newcomer()
    }

    /// Whether a process of the runtime is in there that has not become the container's own yet.
    fn holds_newcomer(&self) -> bool {
        let members = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        members
            .lines()
            .any(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| newcomer(name.trim())))
    }

    /// Thaws until nobody is on the way in, then freezes again. Gives up quietly where it may not.
    async fn let_pass(&self, freeze: impl Fn(&Freezer)) {
        tracing::info!("{} is frozen with a command on its way in; letting it pass", self.folder.display());
        let deadline = Instant::now() + PASSING;
        while self.is_stuck() && Instant::now() < deadline {
            if self.set(false).is_err() {
                return;
            }
            while self.holds_newcomer() && Instant::now() < deadline {
                sleep(STEP).await;
            }
            freeze(self);
        }
    }
}

/// `runc:[2:INIT]`, `crun`.
fn newcomer(name: &str) -> bool {
    name.starts_with("runc") || name.starts_with("crun")
}

/// `docker/<id>`, `system.slice/docker-<id>.scope`, or deeper under a parent of somebody's choice.
fn below(folder: &Path, id: &str, depth: usize) -> Option<PathBuf> {
    let folders = || {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    };
    let named = folders().find(|entry| entry.file_name().to_string_lossy().contains(id));
    if named.is_some() || depth == 0 {
        return named.map(|entry| entry.path());
    }
    folders().find_map(|entry| below(&entry.path(), id, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_by_the_containers_id_and_switched_in_the_words_of_its_version() {
        for (file, thawed, frozen) in [("freezer.state", "THAWED", "FROZEN"), ("cgroup.freeze", "0", "1")] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("system.slice/docker-abc123.scope");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), thawed).unwrap();
            let freezer = Freezer::at(below(root.path(), "abc123", DEPTH).unwrap()).unwrap();
            assert!(!freezer.is_frozen() && !freezer.is_stuck());
            freezer.set(true).unwrap();
            assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), frozen);
            assert!(freezer.is_frozen() && !freezer.is_stuck(), "frozen, and nobody on the way in");
        }
        assert!(newcomer("runc:[2:INIT]") && !newcomer("firedrill"));
    }
}
