//! Two network namespaces of the test's own, joined by a cable, and an agent in the first.

use super::{cost::machine_cpu, promised::is_quiet};
use firedrill::agent::protocol::{Command, Counters, Effect, FaultId, Receipt, VERSION, line};
use firedrill::agent::traffic::Traffic;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::fd::AsFd,
    process::{self, Child, ChildStdin, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a command; what it prints.
pub fn sh(command: &str) -> String {
    let out = process::Command::new("sh").args(["-c", command]).output().expect("a shell");
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("text")
}

/// One side of the cable.
pub struct Side {
    pub namespace: String,
    pub v4: &'static str,
    pub v6: &'static str,
}

impl Side {
    /// Runs this in the namespace, on a thread of its own.
    pub fn spawn<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        let path = format!("/run/netns/{}", self.namespace);
        thread::spawn(move || {
            let namespace = File::open(&path).expect("the namespace is there");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("the tests run as root");
            what()
        })
    }

    /// Runs this in the namespace.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        self.spawn(what).join().expect("it ended well")
    }

    /// Runs a command in the namespace; what it prints.
    pub fn sh(&self, command: &str) -> String {
        sh(&format!("ip netns exec {} {command}", self.namespace))
    }

    /// Every rule, ours and others'; counters left out.
    pub fn rules(&self) -> String {
        self.sh("nft -s list ruleset") + &self.sh("iptables-save").replace(|c: char| c.is_ascii_digit(), "")
    }
}

/// A target and a peer.
pub struct Lab {
    pub target: Side,
    pub peer: Side,
    _alone: File,
}

impl Lab {
    /// Waits until no other test of this kind runs, here or in another process: they measure time.
    pub fn new() -> Lab {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let alone = File::create(std::env::temp_dir().join("firedrill-test-packets.lock")).expect("a lock file");
        rustix::fs::flock(&alone, rustix::fs::FlockOperation::LockExclusive).expect("locked");
        await_quiet();
        let name = format!("fdt-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let side = |end: &str, v4, v6| Side { namespace: format!("{name}{end}"), v4, v6 };
        let lab =
            Lab { target: side("t", "10.99.0.1", "fd99::1"), peer: side("p", "10.99.0.2", "fd99::2"), _alone: alone };
        let (t, p) = (&lab.target.namespace, &lab.peer.namespace);
        sh(&format!("ip netns add {t} && ip netns add {p}"));
        sh(&format!("ip -n {t} link add cable type veth peer name cable netns {p}"));
        for side in [&lab.target, &lab.peer] {
            let (n, v4, v6) = (&side.namespace, side.v4, side.v6);
            sh(&format!("ip -n {n} addr add {v4}/24 dev cable && ip -n {n} addr add {v6}/64 dev cable nodad"));
            sh(&format!("ip -n {n} link set cable up && ip -n {n} link set lo up"));
        }
        sh(&format!("ip -n {p} addr add 10.99.0.3/24 dev cable"));
        lab
    }

    /// An agent beside the target, greeted, with a long lease.
    pub fn agent(&self) -> Agent {
        let mut agent = Agent::start(self, &["--deadline", "2m", "--heartbeat", "1m"]);
        agent.say(&Command::Hello { version: VERSION });
        agent.wait(|receipt| matches!(receipt, Receipt::Ready { .. }).then_some(()));
        agent
    }
}

/// Where times are held to what is promised, the machine must be idle: waits for that, half a minute at most, and says
/// how it was.
#[expect(clippy::print_stdout, reason = "figures need the conditions under which they were measured")]
fn await_quiet() {
    if !is_quiet() {
        return;
    }
    assert!(
        std::env::var_os("FIREDRILL_BIN").is_some(),
        "what is promised is promised of a release build: make packets"
    );
    let (mut busy, mut looks) = (1.0, 0);
    while busy > 0.05 && looks < 60 {
        let before = machine_cpu();
        thread::sleep(Duration::from_millis(500));
        (busy, looks) = ((machine_cpu() - before) / 0.5, looks + 1);
    }
    println!("others use {:.0} % of a CPU (waited {:.1} s)", busy * 100.0, f64::from(looks) / 2.0);
}

impl Drop for Lab {
    fn drop(&mut self) {
        for side in [&self.target, &self.peer] {
            let _ = process::Command::new("ip").args(["netns", "del", &side.namespace]).status();
        }
    }
}

/// The program whose engine is tested: another build of it (a release) if `FIREDRILL_BIN` says so.
fn binary() -> String {
    std::env::var("FIREDRILL_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_firedrill").into())
}

/// A real agent process.
pub struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    receipts: Receiver<Receipt>,
}

impl Agent {
    pub fn start(lab: &Lab, terms: &[&str]) -> Agent {
        Agent::within(&["ip", "netns", "exec", &lab.target.namespace], terms)
    }

    /// In the network namespace of a process, greeted, with a long lease.
    pub fn beside(pid: i64) -> Agent {
        let mut agent =
            Agent::within(&["nsenter", "-t", &pid.to_string(), "-n"], &["--deadline", "2m", "--heartbeat", "1m"]);
        agent.say(&Command::Hello { version: VERSION });
        agent.wait(|receipt| matches!(receipt, Receipt::Ready { .. }).then_some(()));
        agent
    }

    fn within(enter: &[&str], terms: &[&str]) -> Agent {
        let mut child = process::Command::new(enter[0])
            .args(&enter[1..])
            .args([binary().as_str(), "agent"])
            .args(terms)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("an agent");
        let (sender, receipts) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).expect("agents speak in receipts"));
            }
        });
        Agent { stdin: child.stdin.take(), child, receipts }
    }

    pub fn say(&mut self, command: &Command) {
        self.stdin.as_mut().expect("not closed yet").write_all(line(command).as_bytes()).expect("the agent listens");
    }

    /// Waits for a receipt of some kind.
    pub fn wait<T>(&mut self, what: impl Fn(&Receipt) -> Option<T>) -> T {
        loop {
            let receipt = self.receipts.recv_timeout(PATIENCE).expect("the receipt comes in time");
            if let Some(found) = what(&receipt) {
                return found;
            }
            if let Receipt::Refused { why, .. } = receipt {
                panic!("refused: {why}");
            }
        }
    }

    /// Arms a fault, from its JSON.
    pub fn arm(&mut self, number: u8, traffic: &str, effect: &str) {
        let traffic: Traffic = serde_json::from_str(traffic).expect("traffic");
        let effect: Effect = serde_json::from_str(effect).expect("an effect");
        self.say(&Command::Arm { fault: FaultId(number), traffic, effect, seed: 7 });
        self.wait(|receipt| matches!(receipt, Receipt::Armed { .. }).then_some(()));
    }

    /// Arms and fires a fault, from its JSON.
    pub fn fault(&mut self, number: u8, traffic: &str, effect: &str) {
        self.arm(number, traffic, effect);
        self.say(&Command::Fire { fault: FaultId(number) });
        self.wait(|receipt| matches!(receipt, Receipt::Fired { .. }).then_some(()));
    }

    /// Undoes a fault; its last counters.
    pub fn undo(&mut self, number: u8) -> Counters {
        self.say(&Command::Undo { fault: FaultId(number) });
        self.wait(|receipt| match receipt {
            Receipt::Undone { counters, .. } => Some((**counters).clone()),
            _ => None,
        })
    }

    /// CPU time of all its threads so far, in seconds.
    pub fn cpu(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        };
        tasks.filter_map(of).sum::<f64>() / 1e9
    }

    /// How much memory of its own it has (what is not shared with others), in KB.
    pub fn memory_kb(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).expect("it runs");
        let own = text.lines().filter(|line| line.starts_with("Private_"));
        own.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// Waits until the process is gone; its exit code, if it was not killed.
    pub fn gone(&mut self) -> Option<i32> {
        self.child.wait().expect("waited for").code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
