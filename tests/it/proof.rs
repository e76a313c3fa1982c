//! The kill table: every fault, whoever is killed, at seeded moments from arming to after the undo. After each kill
//! every target is as it was, and nothing of ours is left: no rule, process, file, container or limit.
//!
//! `make proof` makes all of it (at most 20 minutes) and prints the table; without `FIREDRILL_PROOF` a sample is taken.

mod daemons;
mod lane;
mod table;
mod trace;

use lane::Lane;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use table::Table;

/// Who is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// SIGKILL of the runner; nobody runs a command.
    Runner,
    /// SIGKILL of the keeper's process.
    Keeper,
    /// SIGKILL of the process of every helper that holds a fault.
    Helper,
    /// SIGKILL of runner, keeper and helpers at once, then `firedrill recover`.
    All,
    /// SIGKILL of the target's process under the fault.
    TargetKilled,
    /// `docker restart` of the target under the fault.
    TargetRestarted,
    /// SIGTERM of dockerd, with `--live-restore`; started again.
    DaemonStopped,
    /// SIGKILL of dockerd; started again.
    DaemonKilled,
    /// SIGKILL of dockerd and of the runner at once; dockerd is started again, and nobody runs a command.
    DaemonAndRunner,
}

impl Blow {
    pub const ALL: [Blow; 9] = [
        Blow::Runner,
        Blow::Keeper,
        Blow::Helper,
        Blow::All,
        Blow::TargetKilled,
        Blow::TargetRestarted,
        Blow::DaemonStopped,
        Blow::DaemonKilled,
        Blow::DaemonAndRunner,
    ];

    /// As a column of the table.
    pub fn title(self) -> &'static str {
        match self {
            Blow::Runner => "runner",
            Blow::Keeper => "keeper",
            Blow::Helper => "helper",
            Blow::All => "all three, then `recover`",
            Blow::TargetKilled => "target killed",
            Blow::TargetRestarted => "target restarted",
            Blow::DaemonStopped => "dockerd restarted",
            Blow::DaemonKilled => "dockerd killed",
            Blow::DaemonAndRunner => "dockerd and runner killed",
        }
    }

    /// Whether it hits dockerd, for which there is one of our own.
    fn is_daemons(self) -> bool {
        matches!(self, Blow::DaemonStopped | Blow::DaemonKilled | Blow::DaemonAndRunner)
    }
}

/// A fault of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Its key.
    pub name: &'static str,
    /// Its line in a scenario; the target is called `web`.
    pub yaml: &'static str,
    pub ended: EndedBy,
}

/// What ends a fault when its runner is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The keeper, through the engine.
    Keeper,
    /// The helper beside the target lets go.
    Helper,
    /// It is over once it is done.
    Itself,
    /// `firedrill recover`: no keeper runs a person's command unasked.
    Recover,
}

impl Subject {
    /// Whether a helper beside the target holds it.
    fn helper(&self) -> bool {
        self.ended == EndedBy::Helper
    }

    /// Whether it meets every blow often.
    fn often(&self) -> bool {
        self.ended == EndedBy::Keeper
    }

    /// As `for` says; what is over once it is done has none.
    pub fn length<'a>(&self, length: &'a str) -> &'a str {
        if self.ended == EndedBy::Itself { "" } else { length }
    }

    /// Where its reports are kept if something went wrong.
    pub fn kept(&self, blow: Blow) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("firedrill-proof-{}-{blow:?}", self.name.replace(' ', "-")))
    }
}

const fn by_keeper(name: &'static str, yaml: &'static str) -> Subject {
    Subject { name, yaml, ended: EndedBy::Keeper }
}

const fn by_helper(name: &'static str, yaml: &'static str) -> Subject {
    Subject { name, yaml, ended: EndedBy::Helper }
}

/// Every fault, and each form of those that have several.
const SUBJECTS: &[Subject] = &[
    by_keeper("kill", "kill: { target: web }"),
    by_keeper("stop", "stop: { target: web, grace: 1s }"),
    by_keeper("pause", "pause: { target: web }"),
    by_keeper("disconnect via docker", "disconnect: { target: web, network: bridge, via: docker }"),
    by_helper("disconnect cut", "disconnect: { target: web, network: bridge }"),
    Subject { name: "restart", yaml: "restart: { target: web, grace: 1s }", ended: EndedBy::Itself },
    Subject {
        name: "exec",
        yaml: "exec: { target: web, command: [/firedrill, idle, --make, /mark], undo: [/firedrill, idle, --remove, /mark] }",
        ended: EndedBy::Recover,
    },
    by_keeper("crash", "crash: { target: web }"),
    by_helper("signal", "signal: { target: web, signal: STOP }"),
    by_helper("process", "process: { target: web, name: firedrill, signal: STOP }"),
    by_helper("cpu quota", "cpu: { target: web, quota: 0.5 cores }"),
    by_helper("cpu workers", "cpu: { target: web, workers: 1, load: 20% }"),
    by_helper("memory hold", "memory: { target: web, hold: 20MB }"),
    by_helper("memory limit", "memory: { target: web, limit: 64MB }"),
    by_helper("pids", "pids: { target: web, limit: 64 }"),
    by_helper("io", "io: { target: web, path: /, workers: 1, rate: 1MB }"),
    by_helper("disk", "disk: { target: web, path: /dev/shm, leave: 1MB }"),
    by_helper("delay", "delay: { target: web, time: 20ms, jitter: 5ms }"),
    by_helper("loss", "loss: { target: web, percent: 10% }"),
    by_helper("duplicate", "duplicate: { target: web, percent: 20% }"),
    by_helper("corrupt", "corrupt: { target: web, percent: 5% }"),
    by_helper("reorder", "reorder: { target: web, percent: 20%, delay: 5ms }"),
    by_helper("rate", "rate: { target: web, bandwidth: 1Mbit/s }"),
    by_helper("blackhole", "blackhole: { target: web }"),
    by_helper("reject", "reject: { target: web }"),
    by_helper("partition", "partition: { between: [web, peer] }"),
    by_helper("dns", "dns: { target: web, names: \"*\", answer: servfail }"),
];

/// What became of one kill.
#[derive(Debug, Clone)]
pub struct Kill {
    pub fault: &'static str,
    pub blow: Blow,
    /// From the kill until the target was as before, if it was not so when it came.
    pub healed: Option<Duration>,
    /// What was not as it should be.
    pub wrong: Option<String>,
}

/// How long all of it may take.
const BUDGET: Duration = Duration::from_secs(18 * 60);
/// Drills at once.
const LANES: usize = 4;
/// Daemons of our own at once.
const DAEMONS: u64 = 2;

fn full() -> bool {
    std::env::var_os("FIREDRILL_PROOF").is_some()
}

fn seed() -> u64 {
    std::env::var("FIREDRILL_PROOF_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7)
}

/// How often a fault meets a blow in the whole table.
fn times(subject: &Subject, blow: Blow) -> usize {
    match blow {
        Blow::Helper if !subject.helper() => 0,
        Blow::Runner if subject.often() => 20,
        Blow::Runner => 6,
        Blow::Keeper | Blow::Helper | Blow::All if subject.often() => 8,
        Blow::Keeper => 1,
        Blow::Helper | Blow::All => 4,
        Blow::TargetKilled | Blow::TargetRestarted if subject.often() => 4,
        Blow::TargetKilled | Blow::TargetRestarted => 2,
        _ if !subject.often() => 1,
        Blow::DaemonStopped | Blow::DaemonKilled | Blow::DaemonAndRunner => 4,
    }
}

type Queue = VecDeque<(Subject, Blow)>;

/// All kills, or a sample of them, in a seeded order: those on the machine's own engine, and those on one of ours.
fn kills(rng: &mut ChaCha8Rng) -> (Queue, Queue) {
    let mut all = Vec::new();
    // `FIREDRILL_PROOF_FAULTS=cpu,disk` (or `cpu quota`) for whoever works on these.
    let only = std::env::var("FIREDRILL_PROOF_FAULTS").ok();
    let is = |name: &str, one: &str| name == one || name.split(' ').next() == Some(one);
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|one| is(name, one)));
    for subject in SUBJECTS.iter().filter(|subject| wanted(subject.name)) {
        for blow in Blow::ALL {
            let times = if full() { times(subject, blow) } else { times(subject, blow).min(1) };
            all.extend(std::iter::repeat_n((*subject, blow), times));
        }
    }
    for at in (1..all.len()).rev() {
        all.swap(at, rng.random_range(0..=at));
    }
    if std::env::var_os("FIREDRILL_PROOF_ONLY_DAEMONS").is_some() {
        all.retain(|(_, blow)| blow.is_daemons());
    }
    let (mut daemons, mut others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, blow)| blow.is_daemons());
    if !full() {
        others.truncate(16);
        // Each of these blows once: a daemon takes its time.
        let mut met = Vec::new();
        daemons.retain(|(_, blow)| !met.contains(blow) && (met.push(*blow), true).1);
    }
    (others.into(), daemons.into())
}

#[test]
fn whoever_is_killed_nothing_stays() {
    let mut rng = ChaCha8Rng::seed_from_u64(seed());
    let (others, daemons) = kills(&mut rng);
    let (queue, daemons) = (Mutex::new(others), Mutex::new(daemons));
    let done = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let (queue, daemons, done) = (&queue, &daemons, &done);
        let tell = |kills: Vec<Kill>| done.lock().unwrap_or_else(PoisonError::into_inner).extend(kills);
        for number in 0..if full() { DAEMONS } else { 1 } {
            scope.spawn(move || tell(daemons::strike(daemons, seed() + number, began + BUDGET)));
        }
        for number in 0..LANES as u64 {
            scope.spawn(move || {
                let mut lane = Lane::new(seed() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                while began.elapsed() < BUDGET {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((subject, blow)) = next else { break };
                    tell(vec![lane.strike(subject, blow)]);
                }
                tell(lane.close().into_iter().collect());
            });
        }
    });
    let done = done.into_inner().unwrap();
    let table = Table::of(&done);
    println!("{table}");
    println!("{} kills, seed {}, {} s", done.len(), seed(), began.elapsed().as_secs());
    let wrong: Vec<String> = done
        .iter()
        .filter_map(|kill| Some(format!("{} x {:?}: {}", kill.fault, kill.blow, kill.wrong.as_ref()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), done.len(), wrong.join("\n"));
    let left = queue.into_inner().unwrap().len() + daemons.into_inner().unwrap().len();
    assert!(!full() || left == 0, "the time was over with {left} kills to go; the machine is too busy");
}
