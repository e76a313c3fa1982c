//! Everything by which a container could show that a fault was on it: what the engine says, rules in its network,
//! limits of its cgroup, and how many processes it has.

use firedrill::container::{Container, State, compare};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// The files of a cgroup that faults write to, of both versions.
const LIMITS: [&str; 10] = [
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "cpu.shares",
    "cpu.max",
    "cpu.weight",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.max",
    "memory.high",
    "pids.max",
];

#[derive(Debug, Clone)]
pub struct Trace {
    container: Container,
    rules: String,
    limits: BTreeMap<String, String>,
    processes: usize,
    /// Stopped by a signal.
    stopped: bool,
    files: Vec<String>,
}

impl Trace {
    pub fn of(container: &Container) -> Trace {
        Trace {
            container: container.clone(),
            rules: rules(container.pid),
            limits: limits(container.pid),
            processes: processes(container.pid),
            stopped: is_stopped(container.pid),
            files: files(container.pid),
        }
    }

    /// What is not as it was.
    pub fn differs(&self, now: &Trace) -> Vec<String> {
        let differences = compare::differences(&self.container, &now.container);
        let must = differences.into_iter().filter(|difference| difference.must_match);
        let mut wrong: Vec<String> = must
            .map(|difference| format!("{}: {}, now {}", difference.what, difference.before, difference.after))
            .collect();
        if now.container.state != self.container.state {
            wrong.push(format!("it is {}", now.container.state.name()));
        }
        if now.container.state == State::Running {
            if now.rules != self.rules {
                wrong.push(format!("rules in its network: {}", now.rules));
            }
            if now.limits != self.limits {
                wrong.push(format!("limits: {:?}, now {:?}", self.limits, now.limits));
            }
            if now.stopped {
                wrong.push("its process is stopped".into());
            }
            if now.files != self.files {
                wrong.push(format!("files: {:?}, now {:?}", self.files, now.files));
            }
            if now.processes != self.processes {
                wrong.push(format!("{} processes, now {}", self.processes, now.processes));
            }
        }
        wrong
    }
}

fn rules(pid: i64) -> String {
    let pid = pid.to_string();
    let listed = Command::new("nsenter").args(["-t", &pid, "-n", "nft", "list", "ruleset"]).output();
    listed.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default()
}

/// By file, of every hierarchy that the process is in.
fn limits(pid: i64) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default().lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let folder = Path::new("/sys/fs/cgroup").join(controllers).join(path.trim_start_matches('/'));
        for file in LIMITS {
            if let Ok(value) = fs::read_to_string(folder.join(file)) {
                found.insert(file.to_owned(), value.trim().to_owned());
            }
        }
    }
    found
}

fn is_stopped(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}

/// What lies where faults put files.
fn files(pid: i64) -> Vec<String> {
    let listed = |folder: &str| {
        let entries = fs::read_dir(format!("/proc/{pid}/root{folder}")).into_iter().flatten().flatten();
        entries.map(|entry| format!("{folder}{}", entry.file_name().to_string_lossy())).collect::<Vec<_>>()
    };
    let mut all: Vec<String> = ["/", "/tmp/", "/dev/shm/"].into_iter().flat_map(listed).collect();
    all.sort();
    all
}

/// How many processes share the process's own pid namespace.
fn processes(pid: i64) -> usize {
    let Ok(own) = fs::read_link(format!("/proc/{pid}/ns/pid")) else { return 0 };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(|entry| fs::read_link(entry.path().join("ns/pid")).is_ok_and(|link| link == own)).count()
}

/// No process of firedrill goes on for a run: neither a keeper beside the runner, nor anything else that names it.
pub fn nothing_runs(run: &str) -> Result<(), String> {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains("--run") && words.contains(run) {
            return Err(format!("process {} goes on: {words}", entry.file_name().to_string_lossy()));
        }
    }
    Ok(())
}
