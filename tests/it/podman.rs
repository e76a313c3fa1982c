//! Podman through its Docker API, where it is installed: a service of the test's own, with containers of its own.

use crate::drill::{Drill, FIREDRILL, Over, Ran, Running, hit, wait_for};
use firedrill::{container::State, event::EventKind};
use std::{
    fs,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

struct Podman {
    folder: TempDir,
    service: Child,
}

impl Podman {
    /// A running service; `None`, said on standard error, where there is no Podman that may run containers.
    #[expect(clippy::print_stderr, reason = "a test that is left out must say so")]
    fn start() -> Option<Podman> {
        let folder = tempfile::Builder::new().prefix("fdp-").tempdir_in("/tmp").unwrap();
        // It would give containers more than a machine may have to give that is itself bounded.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        fs::write(folder.path().join("containers.conf"), limits).unwrap();
        let socket = folder.path().join("podman.sock");
        let mut command = podman(&folder);
        command.args(["system", "service", "--time=0", &format!("unix://{}", socket.display())]);
        let Ok(service) = command.spawn() else {
            eprintln!("left out: podman is not installed");
            return None;
        };
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: Podman without root has no faults of packets");
            return None;
        }
        wait_for(|| std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Some(Podman { folder, service })
    }

    fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("podman.sock").display())
    }

    fn firedrill(&self, command: &mut Command) -> Command {
        let mut told = Command::new(command.get_program());
        told.args(command.get_args()).env("DOCKER_HOST", self.address());
        told.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        told
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = podman(&self.folder).args(["rm", "-fa"]).status();
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// With everything in one folder.
fn podman(folder: &TempDir) -> Command {
    let path = |name: &str| folder.path().join(name);
    let mut command = Command::new("podman");
    command.arg("--root").arg(path("root")).arg("--runroot").arg(path("run")).args(["--cgroup-manager", "cgroupfs"]);
    command.env("CONTAINERS_CONF", path("containers.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn drills_run_on_podman_and_a_killed_one_lets_go() {
    let Some(podman) = Podman::start() else { return };
    let mut drill = Drill::at(&podman.address());
    let web = drill.web("web", "0s:ok");
    let yaml = format!(
        "scenario: podman
targets: {{ web: {{ project: $PROJECT, service: web, pick: all }} }}
load:
  web: {{ http: {{ url: \"{}\", timeout: 500ms }}, rate: 50/s }}
expect:
  baseline: {{ web: {{ errors: \"<= 5%\" }} }}
  recovery: {{ web: {{ errors: \"<= 5%\", within: 4s, stable_for: 1s }} }}
timing: {{ warm_up: 500ms, baseline: 1s, recovery: 5s }}
faults:
  - delay: {{ target: web, time: 100ms, direction: out }}
    at: 0s
    for: 2s
  - pause: {{ target: web }}
    at: 3s
    for: 1s
  - kill: {{ target: web }}
    at: 5s
    for: 1s
",
        web.url
    );
    let scenario = drill.scenario("podman", &yaml);
    let done = podman.firedrill(&mut drill.command(&[&scenario], &[])).output().unwrap();
    let ran = Ran::of(done, &drill.reports());
    ran.expect(0);
    let events = ran.events();
    assert!(events.iter().any(|event| matches!(event.kind, EventKind::KeeperStarted { .. })), "{}", ran.output);
    for fault in ran.result["faults"].as_array().unwrap() {
        assert_eq!((&fault["proven"], &fault["undo_proven"]), (&true.into(), &true.into()), "{fault:#}");
    }

    fs::remove_dir_all(drill.reports()).unwrap();
    let long = Over { name: "killed", ..Over::default() }.fault(&web, "pause: { target: web }", "60s");
    let scenario = drill.scenario("killed", &long);
    let child = podman.firedrill(&mut drill.command(&[&scenario], &[])).spawn().unwrap();
    let running = Running::of(child, &drill.reports());
    running.until(hit);
    assert_eq!(drill.state(&web.id), State::Paused);
    running.signal(rustix::process::Signal::KILL);
    let _ = running.finish();
    wait_for(|| drill.state(&web.id) == State::Running);

    // The second time it sees what the first one and the drills have left.
    for _ in 0..2 {
        let doctor = podman.firedrill(Command::new(FIREDRILL).arg("doctor")).output().unwrap();
        let seen = String::from_utf8_lossy(&doctor.stdout).into_owned();
        for tried in ["all faults of packets", "crash and signal", "limits on cpu", "used up inside a target"] {
            assert!(seen.lines().any(|line| line.contains("tried: ") && line.contains(tried)), "{tried}: {seen}");
        }
        assert!(seen.contains("(Podman)") && !seen.contains("FAILED") && !seen.contains("left behind"), "{seen}");
    }
}
