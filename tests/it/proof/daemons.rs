//! Blows to dockerd itself: one of our own, with its own data and namespaces.

use super::{Blow, Kill};
use crate::{
    drill::{FIREDRILL, run_folder},
    second_daemon::SecondDaemon,
    stage::Stage,
};
use firedrill::{
    container::{Container, ContainerId, compare},
    event::EventKind,
    journal::{RunFolder, read},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a drill, and what is left of it, may take to end when its engine was away.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the engine is away.
const AWAY_MS: u64 = 1500;

const FAULTS: [(&str, &str); 3] = [
    ("kill", "kill: { target: api }"),
    ("stop", "stop: { target: api, grace: 1s }"),
    ("pause", "pause: { target: api }"),
];

const SAMPLE: [(&str, Blow); 3] =
    [("kill", Blow::DaemonStopped), ("stop", Blow::DaemonKilled), ("pause", Blow::DaemonAndRunner)];

/// Every fault meets every blow so often, as long as there is time.
pub fn strike(seed: u64, times: usize, until: Instant) -> Vec<Kill> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let Some(mut range) = Range::new() else { return vec![] };
    let mut kills = Vec::new();
    for _ in 0..times {
        for (name, yaml) in FAULTS {
            for blow in [Blow::DaemonStopped, Blow::DaemonKilled, Blow::DaemonAndRunner] {
                // In a sample each blow is struck once: a daemon takes its time.
                if times == 1 && !SAMPLE.contains(&(name, blow)) {
                    continue;
                }
                if Instant::now() > until {
                    return kills;
                }
                let struck = range.drill(yaml, blow, &mut rng);
                let broken = struck.is_err();
                let (healed, wrong) = struck.map_or_else(|why| (None, Some(why)), |healed| (healed, None));
                kills.push(Kill { fault: name, blow, healed, wrong });
                if broken {
                    drop(range);
                    let Some(anew) = Range::new() else { return kills };
                    range = anew;
                }
            }
        }
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
    api: ContainerId,
    before: Container,
    folder: TempDir,
}

impl Range {
    fn new() -> Option<Range> {
        let second = SecondDaemon::start(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stage = runtime.block_on(second.stage());
        let api = runtime.block_on(stage.one("api"));
        runtime.block_on(stage.one("witness"));
        let before = runtime.block_on(stage.look(&api));
        Some(Range { stage: Some(stage), runtime, second, api, before, folder: tempfile::tempdir().unwrap() })
    }

    fn stage(&self) -> &Stage {
        self.stage.as_ref().expect("it is there until the end")
    }

    fn start(&self, yaml: &str) -> Child {
        let text = format!(
            "scenario: daemons
targets:
  api: {{ project: {0}, service: api, pick: all }}
  witness: {{ project: {0}, service: witness, pick: all }}
probes:
  witness: {{ exec: {{ target: witness, command: [/firedrill, --version], timeout: 5s }}, rate: 2/s }}
expect:
  recovery: {{ witness: {{ errors: \"<= 100%\" }} }}
timing: {{ warm_up: 100ms, baseline: 1s, recovery: 500ms }}
faults:
  - {yaml}
    at: 100ms
    for: 3s
",
            self.stage().prefix
        );
        let path = self.folder.path().join("scenario.yaml");
        fs::write(&path, text).unwrap();
        let mut command = self.second.inside(FIREDRILL);
        command.arg("run").arg(path).arg("--reports").arg(self.folder.path().join("reports"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn events(&self) -> Vec<EventKind> {
        let folder = run_folder(&self.folder.path().join("reports"));
        let journal = folder.and_then(|folder| read::read(&RunFolder(folder)).ok());
        journal.map_or(vec![], |journal| journal.events.into_iter().map(|event| event.kind).collect())
    }

    fn drill(&mut self, yaml: &str, blow: Blow, rng: &mut ChaCha8Rng) -> Result<Option<Duration>, String> {
        let _ = fs::remove_dir_all(self.folder.path().join("reports"));
        let mut child = Runner(self.start(yaml));
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

    fn is_as_before(&self) -> bool {
        self.difference().is_empty()
    }

    fn difference(&self) -> String {
        let now = self.runtime.block_on(self.stage().look(&self.api));
        let mut wrong: Vec<String> = compare::differences(&self.before, &now)
            .into_iter()
            .filter(|difference| difference.must_match)
            .map(|difference| format!("{}: {}, now {}", difference.what, difference.before, difference.after))
            .collect();
        if now.state != self.before.state {
            wrong.push(format!("it is {}", now.state.name()));
        }
        wrong.join("; ")
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
