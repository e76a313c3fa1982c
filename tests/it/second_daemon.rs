//! A Docker daemon of our own: to be restarted, killed and frozen in the middle of things, which the machine's own
//! one is not. It has its own data, its own mount and network namespaces, and no bridge of its own.
//!
//! Its socket lies in a folder that everybody sees; its networks are seen only from inside ([`SecondDaemon::inside`]).

use crate::stage::Stage;
use firedrill::container::docker::{self, Docker};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A daemon has so long to be there, or to be gone.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct SecondDaemon {
    folder: TempDir,
    /// Keeps the namespaces while no daemon does.
    holder: Child,
    daemon: Option<Child>,
    live_restore: bool,
}

impl SecondDaemon {
    /// A running daemon; `None`, said on standard error, where this machine cannot have one (no root, no dockerd).
    /// With `live_restore`, containers outlive it.
    #[expect(clippy::print_stderr, reason = "a test that is left out must say so")]
    pub fn start(live_restore: bool) -> Option<SecondDaemon> {
        if let Err(why) = possible() {
            eprintln!("left out: {why}");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("fdd-").tempdir_in("/tmp").unwrap();
        let holder = Command::new("unshare")
            .args(["-m", "-n", "--propagation", "private", env!("CARGO_BIN_EXE_firedrill"), "idle"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut second = SecondDaemon { folder, holder, daemon: None, live_restore };
        second.furnish();
        second.resume();
        Some(second)
    }

    /// Its address, as `DOCKER_HOST` takes it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.path("docker.sock").display())
    }

    /// A connection to it.
    pub async fn docker(&self) -> Docker {
        docker::connect_to(&self.address()).await.expect("the second daemon answers")
    }

    /// A stage on it.
    pub async fn stage(&self) -> Stage {
        Stage::on(self.docker().await).await
    }

    /// A command that sees its networks, and takes it for the engine.
    pub fn inside(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m", "-n"]).arg(program.as_ref());
        command.env("DOCKER_HOST", self.address());
        command
    }

    /// Ends it as an upgrade of the package would; without `live_restore` its containers are stopped.
    pub fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        signal(&daemon, rustix::process::Signal::TERM);
        if !ends(&mut daemon) {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// Ends it as the kernel would.
    pub fn kill(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// It hangs: connections stand, nobody answers.
    pub fn freeze(&self) {
        self.daemon.iter().for_each(|daemon| signal(daemon, rustix::process::Signal::STOP));
    }

    /// And goes on.
    pub fn thaw(&self) {
        self.daemon.iter().for_each(|daemon| signal(daemon, rustix::process::Signal::CONT));
    }

    /// Starts it again, and waits until it answers.
    pub fn resume(&mut self) {
        assert!(self.started(), "{}", fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    fn started(&mut self) -> bool {
        // Its containerd died with it; where nobody reaps, the daemon takes the dead one for alive and waits for it.
        let _ = fs::remove_file(self.path("exec/containerd/containerd.pid"));
        let _ = fs::remove_file(self.path("docker.pid"));
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.inside("dockerd");
        let own = [
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "docker.pid"),
            ("--config-file", "none.json"),
        ];
        own.iter().for_each(|(option, name)| {
            command.arg(option).arg(self.path(name));
        });
        command.args(["--host", &self.address(), "--bip", "10.213.90.1/24", "--iptables=false", "--ip-masq=false"]);
        if self.live_restore {
            command.arg("--live-restore");
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        self.answers()
    }

    /// A `/run/containerd` of its own, so that it starts a containerd of its own; and a loopback that is up.
    fn furnish(&self) {
        let script = "mkdir -p /run/containerd && mount -t tmpfs none /run/containerd && ip link set lo up";
        let waiting = Instant::now();
        while fs::read_link(format!("/proc/{}/ns/net", self.holder.id())).ok()
            == fs::read_link("/proc/self/ns/net").ok()
        {
            assert!(waiting.elapsed() < PATIENCE, "no namespaces");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.inside("sh").args(["-c", script]).status().unwrap().success());
        fs::write(self.path("none.json"), "{}").unwrap();
    }

    fn answers(&self) -> bool {
        let address = self.address();
        let asking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let waiting = Instant::now();
            while runtime.block_on(docker::connect_to(&address)).is_err() {
                if waiting.elapsed() > PATIENCE {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            true
        });
        asking.join().unwrap_or(false)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for SecondDaemon {
    fn drop(&mut self) {
        self.thaw();
        // Containers that outlive their daemon are ended by one that does not let them.
        if self.live_restore || self.daemon.is_none() {
            self.stop();
            self.live_restore = false;
            self.started();
        }
        self.stop();
        let _ = self.inside("sh").args(["-c", "umount /run/containerd"]).status();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A drill on such a daemon: a fault on `web`, and commands in `peer` that see it through. (No network leads to it from
/// where tests run.)
pub fn watched_by_peer(project: &str, fault: &str, length: &str) -> String {
    let length = if length.is_empty() { String::new() } else { format!("    for: {length}\n") };
    format!(
        "scenario: watched
targets:
  web: {{ project: {project}, service: web, pick: all }}
  peer: {{ project: {project}, service: peer, pick: all }}
probes:
  peer: {{ exec: {{ target: peer, command: [/firedrill, --version], timeout: 5s }}, rate: 2/s }}
expect:
  recovery: {{ peer: {{ errors: \"<= 100%\" }} }}
timing: {{ warm_up: 100ms, baseline: 1s, recovery: 1s }}
faults:
  - {fault}
    at: 100ms
{length}"
    )
}

fn possible() -> Result<(), &'static str> {
    if !rustix::process::geteuid().is_root() {
        return Err("a second daemon needs root");
    }
    let found = |program: &str| {
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()))
    };
    match ["dockerd", "unshare", "nsenter", "ip"].into_iter().all(found) {
        true => Ok(()),
        false => Err("dockerd, unshare, nsenter or ip is missing"),
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let _ = pid.map(|pid| rustix::process::kill_process(pid, signal));
}

fn ends(child: &mut Child) -> bool {
    let waiting = Instant::now();
    while waiting.elapsed() < PATIENCE {
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

mod tests {
    use super::*;
    use firedrill::{
        container::{ContainerError, Containers, Op, OpOutcome, State, Watch},
        units::Span,
    };
    use tokio::sync::mpsc::UnboundedReceiver;

    async fn next(watch: &mut UnboundedReceiver<Watch>, wanted: impl Fn(&Watch) -> bool) -> Watch {
        let looking = async {
            loop {
                let seen = watch.recv().await.expect("it is followed until we let go");
                if wanted(&seen) {
                    return seen;
                }
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("seen in time")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_that_restarts_is_followed_and_its_containers_are_found_again() {
        let Some(mut second) = SecondDaemon::start(true) else { return };
        let stage = second.stage().await;
        let id = stage.one("api").await;
        let mut watch = stage.docker.watch();
        second.kill();
        assert!(matches!(next(&mut watch, |_| true).await, Watch::Lost(_)));
        let error = stage.docker.perform(&id, &Op::Pause).await.unwrap_err();
        assert!(matches!(error, ContainerError::Unreachable { .. }), "{error:?}");
        second.resume();
        next(&mut watch, |seen| *seen == Watch::Back).await;
        assert_eq!(stage.look(&id).await.state, State::Running, "live-restore keeps it running");
        stage.docker.perform(&id, &Op::Kill { signal: "SIGKILL".into() }).await.unwrap();
        next(&mut watch, |seen| matches!(seen, Watch::Event(event) if event.action == "die" && event.id == id.id))
            .await;
        assert_eq!(stage.docker.perform(&id, &Op::Start).await, Ok(OpOutcome::Done));
        drop(stage);
    }

    /// It then takes the container for stopped, and says of every start that it exists already.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_that_died_while_it_started_a_container_starts_it_all_the_same() {
        let Some(mut second) = SecondDaemon::start(true) else { return };
        let stage = second.stage().await;
        let id = stage.one("web").await;
        for _ in 0..20 {
            stage.docker.perform(&id, &Op::Kill { signal: "SIGKILL".into() }).await.unwrap();
            let (docker, starting) = (stage.docker.clone(), id.clone());
            let start = tokio::spawn(async move { docker.perform(&starting, &Op::Start).await });
            let until = Instant::now() + PATIENCE;
            while processes_of(&id.id).is_empty() && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            second.kill();
            let _ = start.await;
            second.resume();
            let again = stage.docker.perform(&id, &Op::Start).await.expect("it starts");
            assert_eq!(stage.look(&id).await.state, State::Running);
            assert_eq!(processes_of(&id.id).len(), 1, "nothing is left beside it");
            if let OpOutcome::Seen(seen) = again {
                assert!(seen.starts_with("ended what the engine had lost sight of"), "{seen}");
                return;
            }
        }
        panic!("the engine never lost sight of anything");
    }

    /// Processes in the cgroup of a container.
    fn processes_of(id: &str) -> Vec<String> {
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let inside = |pid: &String| fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|it| it.contains(id));
        pids.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).filter(inside).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_that_hangs_leaves_an_operation_unknown_after_ten_seconds() {
        let Some(second) = SecondDaemon::start(false) else { return };
        let stage = second.stage().await;
        let id = stage.one("api").await;
        second.freeze();
        let started = Instant::now();
        let error = stage.docker.perform(&id, &Op::Pause).await.unwrap_err();
        assert_eq!(error, ContainerError::Unknown(Span::secs(10)));
        assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
        second.thaw();
        drop(stage);
    }

    /// Health checks and probes are commands on their way into a container that is being paused: the engine then
    /// waits for itself for ever, unless somebody lets them pass.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_pause_that_catches_a_command_on_its_way_in_is_no_deadlock() {
        let Some(second) = SecondDaemon::start(false) else { return };
        let stage = second.stage().await;
        let id = stage.one("api").await;
        let mut commands = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let (docker, id) = (stage.docker.clone(), id.clone());
            let op = Op::Exec { command: vec!["/firedrill".into(), "--version".into()], user: None };
            commands.spawn(async move {
                loop {
                    let _ = docker.perform(&id, &op).await;
                }
            });
        }
        for round in 0..12 {
            tokio::time::sleep(Duration::from_millis(40 + round * 7)).await;
            for (op, state) in [(Op::Pause, State::Paused), (Op::Unpause, State::Running)] {
                let what = format!("round {round}: {op}");
                assert_eq!(stage.docker.perform(&id, &op).await, Ok(OpOutcome::Done), "{what}");
                assert_eq!(stage.look(&id).await.state, state, "{what}");
            }
        }
        commands.shutdown().await;
        drop(stage);
    }

    /// Helpers are made of an image that has to be loaded, and locks of containers that have to be made.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_image_store_that_cannot_be_written_is_told_before_anything_happens() {
        let Some(second) = SecondDaemon::start(false) else { return };
        let stage = second.stage().await;
        stage.one("web").await;
        stage.one("peer").await;
        let data = second.path("data").display().to_string();
        let mount = |options: &str| {
            let script = format!("mount --bind {data} {data} && mount -o remount,bind,{options} {data}");
            assert!(second.inside("sh").args(["-c", &script]).status().unwrap().success());
        };
        mount("ro");
        let drill = watched_by_peer(&stage.prefix, "delay: { target: web, time: 10ms }", "1s");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("read-only.yaml");
        fs::write(&path, drill).unwrap();
        let program = env!("CARGO_BIN_EXE_firedrill");
        let ran = second.inside(program).arg("run").arg(&path).arg("--reports").arg(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.status.code(), Some(3), "{said}");
        assert!(said.contains("read-only file system"), "{said}");
        let seen = second.inside(program).arg("doctor").output().unwrap();
        let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
        assert!(seen.contains("FAILED  images: cannot be loaded") && seen.contains("free disk space"), "{seen}");
        assert!(second.inside("umount").arg(&data).status().unwrap().success());
        drop(stage);
    }
}
