//! Blows to dockerd itself: one of our own, with its own data and namespaces.

use super::{Blow, EndedBy, Kill, Subject, trace::Trace};
use crate::{
    drill::{FIREDRILL, run_folder},
    second_daemon::{SecondDaemon, watched_by_peer},
    stage::Stage,
};
use firedrill::{
    container::ContainerId,
    event::EventKind,
    journal::{RunFolder, read},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::VecDeque,
    fs,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a drill, and what is left of it, may take to end when its engine was away.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the engine is away.
const AWAY_MS: u64 = 1500;

/// Strikes until there is nothing left to strike, or no time.
pub fn strike(queue: &Mutex<VecDeque<(Subject, Blow)>>, seed: u64, until: Instant) -> Vec<Kill> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut kills = Vec::new();
    let mut range = None;
    while Instant::now() < until {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(mut here) = range.take().or_else(Range::new) else { break };
        let Some((subject, blow)) = next() else { break };
        let struck = here.drill(&subject, blow, &mut rng).map_err(|why| here.keep(&subject, blow, &why));
        // The next drill is to begin with a whole target, whatever came of this one.
        range = struck.is_ok().then_some(here);
        let (healed, wrong) = struck.map_or_else(|why| (None, Some(why)), |healed| (healed, None));
        kills.push(Kill { fault: subject.name, blow, healed, wrong });
    }
    kills
}

/// A drill under way; it does not outlive its test.
struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Range {
    stage: Option<Stage>,
    runtime: Runtime,
    second: SecondDaemon,
    web: ContainerId,
    before: Trace,
    folder: TempDir,
}

impl Range {
    fn new() -> Option<Range> {
        let second = SecondDaemon::start(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stage = runtime.block_on(second.stage());
        let web = runtime.block_on(stage.one("web"));
        runtime.block_on(stage.one("peer"));
        let before = Trace::of(&runtime.block_on(stage.look(&web)));
        let folder = tempfile::tempdir().unwrap();
        Some(Range { stage: Some(stage), runtime, second, web, before, folder })
    }

    fn stage(&self) -> &Stage {
        self.stage.as_ref().expect("it is there until the end")
    }

    fn start(&self, subject: &Subject) -> Child {
        let text = watched_by_peer(&self.stage().prefix, subject.yaml, subject.length("3s"));
        let path = self.folder.path().join("scenario.yaml");
        fs::write(&path, text).unwrap();
        let mut command = self.second.inside(FIREDRILL);
        command.arg("run").arg(path).arg("--reports").arg(self.folder.path().join("reports"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Keeps the reports of a drill that went wrong for whoever looks into it.
    fn keep(&self, subject: &Subject, blow: Blow, why: &str) -> String {
        let kept = subject.kept(blow);
        let _ = fs::remove_dir_all(&kept);
        let _ = Command::new("cp").arg("-a").arg(self.folder.path()).arg(&kept).status();
        format!("{why} (kept in {})", kept.display())
    }

    fn events(&self) -> Vec<EventKind> {
        let folder = run_folder(&self.folder.path().join("reports"));
        let journal = folder.and_then(|folder| read::read(&RunFolder(folder)).ok());
        journal.map_or(vec![], |journal| journal.events.into_iter().map(|event| event.kind).collect())
    }

    fn drill(&mut self, subject: &Subject, blow: Blow, rng: &mut ChaCha8Rng) -> Result<Option<Duration>, String> {
        let _ = fs::remove_dir_all(self.folder.path().join("reports"));
        let mut child = Runner(self.start(subject));
        self.until("the keeper", || self.events().iter().any(|kind| matches!(kind, EventKind::KeeperStarted { .. })))?;
        std::thread::sleep(Duration::from_millis(rng.random_range(0..3500)));
        let struck = Instant::now();
        match blow {
            Blow::DaemonStopped => self.second.stop(),
            Blow::DaemonAndRunner => {
                let _ = child.0.kill();
                self.second.kill();
            }
            _ => self.second.kill(),
        }
        std::thread::sleep(Duration::from_millis(AWAY_MS));
        self.second.resume();
        let back = Instant::now();
        let mut code = None;
        self.until("the end of the drill", || {
            code = child.0.try_wait().ok().flatten();
            code.is_some()
        })?;
        if code.and_then(|status| status.code()) == Some(5) {
            return Err(format!("the drill ended with 5 after {:?}", struck.elapsed()));
        }
        if blow == Blow::DaemonAndRunner && subject.ended == EndedBy::Recover {
            self.recover()?;
        }
        self.until("as before", || self.is_as_before()).map_err(|why| format!("{why}: {}", self.difference()))?;
        let healed = back.elapsed();
        let ours = || self.runtime.block_on(self.stage().docker.ours(None)).unwrap_or_default();
        self.until("nothing left", || ours().is_empty())
            .map_err(|why| format!("{why}: {:?}", ours().into_iter().map(|one| one.name).collect::<Vec<_>>()))?;
        match self.is_as_before() {
            true => Ok((blow == Blow::DaemonAndRunner).then_some(healed)),
            false => Err(format!("it does not stay so: {}", self.difference())),
        }
    }

    fn recover(&self) -> Result<(), String> {
        let folder = run_folder(&self.folder.path().join("reports")).expect("a run folder");
        let mut command = self.second.inside(FIREDRILL);
        let done = command.arg("recover").arg(folder).arg("--yes").stdin(Stdio::null()).output();
        let done = done.map_err(|error| error.to_string())?;
        match done.status.success() {
            true => Ok(()),
            false => Err(format!("recover: {}", String::from_utf8_lossy(&done.stderr))),
        }
    }

    fn is_as_before(&self) -> bool {
        self.difference().is_empty()
    }

    fn difference(&self) -> String {
        self.before.differs(&Trace::of(&self.runtime.block_on(self.stage().look(&self.web)))).join("; ")
    }

    fn until(&self, what: &str, mut so: impl FnMut() -> bool) -> Result<(), String> {
        let began = Instant::now();
        while !so() {
            if began.elapsed() > PATIENCE {
                return Err(format!("{what}: in vain for {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // The stage is swept while its daemon still lives.
        self.stage.take();
    }
}
