//! `firedrill recover` without a run: what is found, what is undone, and the big red button.

use crate::{
    drill::{Drill, FIREDRILL, Over, run_folder, wait_for},
    second_daemon::{SecondDaemon, watched_by_peer},
    stage::Stage,
};
use firedrill::{
    container::{ContainerId, Containers, Holder, State},
    event::EventKind,
    journal::{RunFolder, read},
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Child, Output, Stdio},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A drill without load, on a daemon that nobody else uses: what it shows there is all that there is.
struct Alone {
    second: SecondDaemon,
    runtime: Runtime,
    stage: Stage,
    web: ContainerId,
    folder: TempDir,
}

impl Alone {
    fn new() -> Option<Alone> {
        let second = SecondDaemon::start(false)?;
        let runtime = runtime();
        let stage = runtime.block_on(second.stage());
        let web = runtime.block_on(stage.one("web"));
        runtime.block_on(stage.one("peer"));
        Some(Alone { second, runtime, stage, web, folder: tempfile::tempdir().unwrap() })
    }

    fn reports(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it, and waits until the fault is on.
    fn start(&self, reports: &str, more: &[&str]) -> Child {
        self.start_with("pause: { target: web }", reports, more)
    }

    fn start_with(&self, fault: &str, reports: &str, more: &[&str]) -> Child {
        let scenario = watched_by_peer(&self.stage.prefix, fault, "60s");
        let path = self.folder.path().join("scenario.yaml");
        std::fs::write(&path, scenario).unwrap();
        let mut command = self.second.inside(FIREDRILL);
        command.arg("run").arg(path).arg("--reports").arg(self.reports(reports)).args(more);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let hit = |kind: &EventKind| matches!(kind, EventKind::FaultChecked { proven: true, .. });
        wait_for(|| events(&self.reports(reports)).iter().any(hit));
        child
    }

    fn recover(&self, reports: &str, more: &[&str]) -> Output {
        let mut command = self.second.inside(FIREDRILL);
        command.arg("recover").arg("--reports").arg(self.reports(reports)).args(more);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn state(&self) -> State {
        self.runtime.block_on(self.stage.look(&self.web)).state
    }

    /// The names of what firedrill has made.
    fn ours(&self) -> Vec<String> {
        let found = self.runtime.block_on(self.stage.docker.ours(None)).unwrap();
        found.into_iter().map(|one| one.name).collect()
    }
}

fn events(reports: &Path) -> Vec<EventKind> {
    let journal = run_folder(reports).and_then(|folder| read::read(&RunFolder(folder)).ok());
    journal.map_or(vec![], |journal| journal.events.into_iter().map(|event| event.kind).collect())
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_left_is_shown_and_undone_without_naming_a_run() {
    let Some(alone) = Alone::new() else { return };
    kill(&mut alone.start("reports", &["--no-keeper"]));
    assert_eq!(alone.state(), State::Paused);
    let listed = alone.recover("reports", &["--list", "--json"]);
    let told: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed.status.code(), Some(5), "{told:#}");
    assert_eq!(told["runs"][0]["containers"][0], alone.stage.name("web-1"), "{told:#}");
    assert_eq!(told["made"][0]["role"], "lock", "{told:#}");
    assert!(told["images"][0].is_string(), "the lock runs from the helper image: {told:#}");
    assert_eq!(alone.state(), State::Paused, "a list touches nothing");
    let elsewhere = alone.recover("elsewhere", &[]);
    assert_eq!(elsewhere.status.code(), Some(5), "what is left is not known there: {}", words(&elsewhere));
    assert!(words(&elsewhere).contains("--reports") && !alone.ours().is_empty(), "{}", words(&elsewhere));
    let undone = alone.recover("reports", &[]);
    assert!(undone.status.success() && words(&undone).contains("everything is as before"), "{}", words(&undone));
    assert_eq!((alone.state(), alone.ours()), (State::Running, vec![]));
    let again = alone.recover("reports", &["--json"]);
    let told: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert!(again.status.success() && told["clean"] == true && told["found"]["runs"] == Value::Array(vec![]));
}

#[test]
fn a_lock_that_waits_for_a_person_is_given_back_when_the_command_was_allowed_or_by_the_button() {
    let Some(alone) = Alone::new() else { return };
    let exec = "exec: { target: web, command: [/firedrill, --version], undo: [/firedrill, --version] }";
    let killed = || {
        kill(&mut alone.start_with(exec, "reports", &[]));
        wait_for(|| alone.ours().iter().all(|name| name.starts_with("firedrill-lock-")));
    };
    killed();
    let elsewhere = alone.recover("elsewhere", &[]);
    assert_eq!((elsewhere.status.code(), alone.ours().len()), (Some(5), 1), "{}", words(&elsewhere));
    assert!(words(&elsewhere).contains("--reports"), "{}", words(&elsewhere));
    let asked = alone.recover("reports", &[]);
    assert_eq!((asked.status.code(), alone.ours().len()), (Some(5), 1), "{}", words(&asked));
    let allowed = alone.recover("reports", &["--yes"]);
    assert_eq!((allowed.status.code(), alone.ours().len()), (Some(0), 0), "{}", words(&allowed));
    std::fs::remove_dir_all(alone.reports("reports")).unwrap();
    killed();
    let pressed = alone.recover("reports", &["--all", "--yes"]);
    assert_eq!((pressed.status.code(), alone.ours().len()), (Some(0), 0), "{}", words(&pressed));
}

#[test]
fn the_button_stops_drills_of_any_folder_and_removes_everything() {
    let Some(alone) = Alone::new() else { return };
    let mut child = alone.start("reports", &[]);
    // From where nothing is known of that run but what the engine shows.
    let pressed = alone.recover("elsewhere", &["--all"]);
    assert!(pressed.status.success(), "{}", words(&pressed));
    assert_eq!((alone.state(), alone.ours()), (State::Running, vec![]));
    assert_eq!(child.wait().unwrap().code(), Some(130), "the drill was stopped, and ended in order");
    let stopped = |kind: &EventKind| matches!(kind, EventKind::StopRequested { by } if by.contains("recover --all"));
    assert!(events(&alone.reports("reports")).iter().any(stopped));
}

#[test]
fn the_button_undoes_for_a_drill_that_does_not_listen() {
    let Some(alone) = Alone::new() else { return };
    let mut child = alone.start("reports", &[]);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    let pressed = alone.recover("elsewhere", &["--all"]);
    let state = alone.state();
    kill(&mut child);
    assert!(pressed.status.success(), "{}", words(&pressed));
    assert_eq!((state, alone.ours()), (State::Running, vec![]));
}

#[test]
fn locks_of_containers_that_are_gone_are_reaped_by_the_next_drill() {
    let stage = Drill::new();
    let runtime = runtime();
    let other = runtime.block_on(Stage::new());
    let id = runtime.block_on(other.one("gone"));
    let here = Holder::here("reaped");
    let dead = here.runner.replacen(&format!("process {} ", std::process::id()), "process 4000000 ", 1);
    let dead = Holder { runner: dead, ..here };
    let made = || runtime.block_on(other.docker.ours(Some("reaped"))).unwrap();
    assert_eq!(runtime.block_on(other.docker.lock(&id, &dead)), Ok(None));
    let reaped = runtime.block_on(other.docker.reap()).unwrap();
    assert!(!reaped.iter().any(|name| name.contains(&id.id)), "its target is there: it tells where to look");
    runtime.block_on(other.docker.remove_container(&id.id)).unwrap();
    assert_eq!(made().len(), 1);
    let mut stage = stage;
    let web = stage.web("web", "0s:ok");
    let drill =
        Over { name: "reaps", at: "100ms", timing: "warm_up: 200ms, baseline: 1s, recovery: 1s", ..Over::default() };
    let yaml = drill.fault(&web, "pause: { target: web }", "200ms");
    let ran = stage.run(&yaml, &[]);
    assert_eq!(made(), [], "{}", ran.output);
}
