//! A signal from the host's side, as a crash of the program's own would look to the engine: its restart policy acts.

use super::{Figures, Subject, WorkError, cgroup, refuse};
use regex::Regex;
use rustix::{
    event::{PollFd, PollFlags},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};
use std::{fmt, fs};

/// Which signal, to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signalling {
    /// `SIGKILL`, ...
    pub signal: String,
    /// Every process of the container in whose name or command line this regex is found; without it, the main one.
    pub process: Option<String>,
}

impl Signalling {
    /// Whether it lasts until it is taken back.
    pub fn holds(&self) -> bool {
        self.signal == "SIGSTOP"
    }

    /// The signal that takes it back.
    pub fn taken_back(&self) -> Signalling {
        Signalling { signal: "SIGCONT".into(), process: self.process.clone() }
    }
}

impl fmt::Display for Signalling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some(process) => write!(f, "{} to the processes `{process}`, from outside", self.signal),
            None => write!(f, "{} to its main process, from outside", self.signal),
        }
    }
}

/// Signals by name, without `SIG`.
pub const SIGNALS: [(&str, Signal); 30] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ILL", Signal::ILL),
    ("TRAP", Signal::TRAP),
    ("ABRT", Signal::ABORT),
    ("BUS", Signal::BUS),
    ("FPE", Signal::FPE),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("STKFLT", Signal::STKFLT),
    ("CHLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("URG", Signal::URG),
    ("XCPU", Signal::XCPU),
    ("XFSZ", Signal::XFSZ),
    ("VTALRM", Signal::VTALARM),
    ("PROF", Signal::PROF),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
    ("SYS", Signal::SYS),
];

/// Signals that a process need not handle to be changed by them.
const UNASKED: [Signal; 3] = [Signal::KILL, Signal::STOP, Signal::CONT];

/// A signal by its name, with or without `SIG`.
pub fn named(name: &str) -> Option<Signal> {
    let bare = name.strip_prefix("SIG").unwrap_or(name);
    SIGNALS.iter().find(|(known, _)| *known == bare).map(|(_, signal)| *signal)
}

/// A process that is held by a descriptor: whatever becomes of its number, it is this one.
pub(super) struct Held {
    fd: OwnedFd,
}

impl Held {
    /// Takes hold of a process, and makes sure that it is the container's.
    fn take(subject: &Subject) -> Result<Held, WorkError> {
        Held::of(subject.pid, || cgroup::belongs(subject))
    }

    /// Takes hold of a process, and makes sure that it is the one that is meant.
    pub(super) fn of(pid: i32, meant: impl Fn() -> Result<(), WorkError>) -> Result<Held, WorkError> {
        let gone = |error| WorkError::io(format!("process {pid}"), error);
        let number = Pid::from_raw(pid).ok_or_else(|| WorkError("the container does not run".into()))?;
        let held = Held { fd: pidfd_open(number, PidfdFlags::empty()).map_err(gone)? };
        meant()?;
        // What was read of the number is true of the descriptor only if the process is still there.
        if held.ended() { refuse(format!("process {pid} is gone; the container has ended")) } else { Ok(held) }
    }

    /// Sends it a signal; one that has ended needs none.
    pub(super) fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        match pidfd_send_signal(&self.fd, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            answer => answer,
        }
    }

    fn ended(&self) -> bool {
        let mut polled = [PollFd::new(&self.fd, PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&now)).map_or(true, |ready| ready > 0)
    }
}

/// A signal that can be sent now.
pub struct Aimed {
    signal: Signal,
    name: String,
    subject: Subject,
    process: Option<Regex>,
    main: Held,
    /// Those that stand still because of us.
    stopped: Vec<Held>,
    signalled: u64,
}

/// Takes hold of the container's main process, and finds out whether the signal would do anything.
///
/// # Errors
/// No such signal or process, or one that would ignore it.
pub fn aim(signalling: &Signalling, subject: &Subject) -> Result<Aimed, WorkError> {
    let name = signalling.signal.clone();
    let signal = named(&name).ok_or_else(|| WorkError(format!("{name} is no signal that can be sent")))?;
    let main = Held::take(subject)?;
    let pattern = |text: &String| Regex::new(text).map_err(|e| WorkError(format!("`{text}`: {e}")));
    let process = signalling.process.as_ref().map(pattern).transpose()?;
    if process.is_none() {
        heeded(subject.pid, signal, &name)?;
    }
    let aimed = Aimed { signal, name, subject: subject.clone(), process, main, stopped: Vec::new(), signalled: 0 };
    if aimed.process.is_some() && aimed.matching()?.is_empty() {
        return aimed.nobody();
    }
    Ok(aimed)
}

/// The first process of a container ignores, from anybody, what it has no handler for; all but KILL and STOP.
fn heeded(pid: i32, signal: Signal, name: &str) -> Result<(), WorkError> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let first = field("NSpid:").is_some_and(|pids| pids.contains('\t') && pids.ends_with("\t1"));
    let caught = field("SigCgt:").and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(u64::MAX);
    let handled = caught & (1 << (signal.as_raw() - 1)) != 0;
    if first && !handled && !UNASKED.contains(&signal) {
        return refuse(format!(
            "its main process has no handler for {name}, and as process 1 of its container it ignores it then; use KILL"
        ));
    }
    Ok(())
}

impl Aimed {
    /// Sends it.
    ///
    /// # Errors
    /// Nobody is there any more, or the kernel refuses.
    pub fn send(&mut self) -> Result<String, WorkError> {
        let sent = |error| WorkError::io(format!("{} could not be sent", self.name), error);
        if self.process.is_none() {
            pidfd_send_signal(&self.main.fd, self.signal).map_err(sent)?;
            self.signalled = 1;
            return Ok(format!("{} sent to process {}", self.name, self.subject.pid));
        }
        let found = self.matching()?;
        if found.is_empty() {
            return self.nobody();
        }
        let pids: Vec<String> = found.iter().map(|(pid, _)| pid.to_string()).collect();
        for (_, held) in &found {
            held.send(self.signal).map_err(sent)?;
        }
        self.signalled = found.len() as u64;
        let told = format!("{} sent to {} of its processes ({})", self.name, found.len(), pids.join(", "));
        if self.signal == Signal::STOP {
            self.stopped = found.into_iter().map(|(_, held)| held).collect();
        }
        Ok(told)
    }

    /// Lets go on what stands still because of us.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn let_go(&mut self) -> Result<String, WorkError> {
        if self.signal != Signal::STOP || self.signalled == 0 {
            return Ok("a signal holds nothing".into());
        }
        let held: Vec<&Held> = if self.process.is_none() { vec![&self.main] } else { self.stopped.iter().collect() };
        for one in &held {
            one.send(Signal::CONT).map_err(|error| WorkError::io("SIGCONT could not be sent", error))?;
        }
        Ok(format!("SIGCONT sent to {} of its processes", held.len()))
    }

    /// How many were signalled.
    pub fn figures(&self) -> Figures {
        Figures { signalled: self.signalled, ..Figures::default() }
    }

    fn nobody<T>(&self) -> Result<T, WorkError> {
        let wanted = self.process.as_ref().map_or("", Regex::as_str);
        refuse(format!("no process of the container is called `{wanted}`, and no command line of one holds it"))
    }

    /// The container's processes that are meant, held.
    fn matching(&self) -> Result<Vec<(i32, Held)>, WorkError> {
        let meant = |pid: &i32| self.process.as_ref().is_some_and(|regex| regex.is_match(&called(*pid)));
        let take = |pid| {
            let subject = Subject { id: self.subject.id.clone(), pid };
            Held::take(&subject).ok().map(|held| (pid, held))
        };
        Ok(pids()?.filter(meant).filter_map(take).collect())
    }
}

/// All processes that can be seen.
pub(super) fn pids() -> Result<impl Iterator<Item = i32>, WorkError> {
    let entries = fs::read_dir("/proc").map_err(|e| WorkError::io("/proc", e))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// Its command line, and its name. Processes that are gone are called nothing.
fn called(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let line = words.join(" ");
    format!("{}\n{}", line.trim_end(), name.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_names() {
        assert_eq!(named("SIGKILL"), Some(Signal::KILL));
        assert_eq!(named("USR1"), Some(Signal::USR1));
        assert_eq!(named("SIGRTMIN"), None);
    }

    #[test]
    fn a_process_that_is_not_the_containers_is_left_alone() {
        let me = Subject { id: "ab".repeat(32), pid: std::process::id() as i32 };
        let signalling = Signalling { signal: "SIGKILL".into(), process: None };
        assert!(aim(&signalling, &me).err().unwrap().to_string().contains("does not belong"));
    }
}
