//! Who holds a lock, said so that another process on the same machine can tell whether the holder still lives.

use super::Holder;
use std::{fs, io};

/// A process, told from every other one that ever was on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    host: String,
    boot: String,
    /// The namespace that the number counts in.
    namespace: String,
    pid: u32,
    /// When it started, in clock ticks since the boot.
    started: u64,
}

impl Holder {
    /// This process, holding for a run.
    pub fn here(run: &str) -> Holder {
        let pid = std::process::id();
        let process = Process {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: namespace(),
            pid,
            started: started(pid).ok().flatten().unwrap_or(0),
        };
        Holder { run: run.into(), runner: process.to_string(), asks_first: false }
    }

    /// Whether the holder is gone for certain: it ran on this machine, in this process namespace, and either the
    /// machine was booted since or no such process is left. What cannot be told is not gone.
    pub fn is_gone(&self) -> bool {
        let Some(process) = Process::parse(&self.runner) else { return false };
        if process.host != read("/proc/sys/kernel/hostname") {
            return false;
        }
        if process.boot != read("/proc/sys/kernel/random/boot_id") {
            return true;
        }
        process.namespace == namespace() && matches!(started(process.pid), Ok(now) if now != Some(process.started))
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Process { host, boot, namespace, pid, started } = self;
        write!(f, "process {pid} on {host} (started {started}, boot {boot}, {namespace})")
    }
}

impl Process {
    fn parse(text: &str) -> Option<Process> {
        let (pid, rest) = text.strip_prefix("process ")?.split_once(" on ")?;
        let (host, rest) = rest.split_once(" (started ")?;
        let mut parts = rest.strip_suffix(')')?.split(", ");
        let started = parts.next()?.parse().ok()?;
        let boot = parts.next()?.strip_prefix("boot ")?;
        let namespace = parts.next()?;
        Some(Process {
            host: host.into(),
            boot: boot.into(),
            namespace: namespace.into(),
            pid: pid.parse().ok()?,
            started,
        })
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default()
}

/// When a process started; `None` if there is none of that number.
fn started(pid: u32) -> io::Result<Option<u64>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // The name, in brackets, may hold anything; the start is the 20th field behind it.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest);
    Ok(fields.and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_holder_is_told_from_one_that_is_gone() {
        let here = Holder::here("r1");
        let process = Process::parse(&here.runner).unwrap();
        assert_eq!(process.to_string(), here.runner);
        assert!(!here.is_gone());
        let gone = |change: fn(&mut Process)| {
            let mut process = process.clone();
            change(&mut process);
            Holder { run: "r1".into(), runner: process.to_string(), asks_first: false }.is_gone()
        };
        assert!(gone(|p| p.started += 1), "the number was given to another process");
        assert!(gone(|p| p.pid = 4_000_000), "no such process");
        assert!(gone(|p| p.boot = "earlier".into()), "the machine was booted since");
        assert!(!gone(|p| p.host = "elsewhere".into()), "another machine's processes cannot be seen");
        assert!(!gone(|p| p.namespace = "pid:[1]".into()), "nor those of another namespace, such as a container's");
        assert!(!Holder { run: "r1".into(), runner: "nonsense".into(), asks_first: false }.is_gone());
    }
}
