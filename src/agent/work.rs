//! Faults on the processes and resources of a container: what is to be done, as plain data, and one of them under way.
//!
//! Where its agent must stand follows from the work ([`Work::post`]): `signal` and `squeeze` are done from the host's
//! side, `burn`, `hold`, `load` and `fill` by an agent inside the target, which brings nothing with it.

pub mod burn;
pub mod cgroup;
mod file;
pub mod fill;
pub mod hold;
pub mod load;
pub mod orphans;
mod room;
pub mod signal;
pub mod squeeze;
mod threads;

use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// What is done to a container. Journaled before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// A signal to its processes, once.
    Signal(signal::Signalling),
    /// A lower limit in its cgroup.
    Squeeze(squeeze::Squeeze),
    /// CPU time used up inside it.
    Burn(burn::Burn),
    /// Memory held inside it.
    Hold(hold::Hold),
    /// Writing to one of its file systems.
    Load(load::Load),
    /// A file that fills one of its file systems.
    Fill(fill::Fill),
}

/// Where an agent must stand to do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Post {
    /// Among the host's processes, with the right to signal them.
    Host,
    /// Among the host's processes without any right, with the tree of cgroups.
    Cgroups,
    /// In the target, as a process of it.
    Inside,
}

impl Work {
    /// Where its agent must stand.
    pub fn post(&self) -> Post {
        match self {
            Work::Signal(_) => Post::Host,
            Work::Squeeze(_) => Post::Cgroups,
            Work::Burn(_) | Work::Hold(_) | Work::Load(_) | Work::Fill(_) => Post::Inside,
        }
    }

    /// Whether it lasts until it is undone.
    pub fn lasts(&self) -> bool {
        !matches!(self, Work::Signal(signal) if !signal.holds())
    }
}

impl fmt::Display for Work {
    /// In a sentence: `squeeze cpu to 0.2 cores`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Signal(signal) => signal.fmt(f),
            Work::Squeeze(squeeze) => squeeze.fmt(f),
            Work::Burn(burn) => burn.fmt(f),
            Work::Hold(hold) => hold.fmt(f),
            Work::Load(load) => load.fmt(f),
            Work::Fill(fill) => fill.fmt(f),
        }
    }
}

/// The container that work from the host's side is about, as the engine knows it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its full id.
    pub id: String,
    /// Its main process, as the host numbers it.
    pub pid: i32,
}

/// What work has come to so far. A figure that the work does not have is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// CPU time used up, nanoseconds.
    pub burned_ns: u64,
    /// Memory or disk held now, bytes.
    pub held: u64,
    /// Written so far, bytes.
    pub written: u64,
    /// Periods in which the target was kept from running.
    pub throttled: u64,
    /// For how long, nanoseconds.
    pub throttled_ns: u64,
    /// How often the limit was hit (memory asked for, processes not made).
    pub refused: u64,
    /// Processes that the kernel's out-of-memory killer took from the target.
    pub oom_kills: u64,
    /// Processes that were signalled.
    pub signalled: u64,
}

impl Figures {
    /// Whether anything at all came of it.
    pub fn touched(&self) -> bool {
        *self != Figures::default()
    }
}

impl fmt::Display for Figures {
    /// What is not 0, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::units::{Bytes, Span};
        let span = |ns| Span(std::time::Duration::from_nanos(ns)).to_string();
        let bytes = |n| Bytes(n).to_string();
        let count = |n: u64| n.to_string();
        let all = [
            (self.burned_ns, span(self.burned_ns / 1_000_000 * 1_000_000), "of CPU time used up"),
            (self.held, bytes(self.held), "held"),
            (self.written, bytes(self.written), "written"),
            (self.throttled, count(self.throttled), "periods throttled"),
            (self.refused, count(self.refused), "times at the limit"),
            (self.oom_kills, count(self.oom_kills), "killed for want of memory"),
            (self.signalled, count(self.signalled), "signalled"),
        ];
        let told: Vec<String> =
            all.into_iter().filter(|(value, ..)| *value > 0).map(|(_, text, what)| format!("{text} {what}")).collect();
        if told.is_empty() { f.write_str("nothing was touched") } else { f.write_str(&told.join(", ")) }
    }
}

/// Why work cannot be done, in words with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WorkError(pub String);

impl WorkError {
    fn io(what: impl fmt::Display, error: impl Into<io::Error>) -> WorkError {
        WorkError(format!("{what}: {}", error.into()))
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, WorkError> {
    Err(WorkError(why.into()))
}

/// Work that one agent was given.
pub enum Job {
    /// See [`signal`].
    Signal(signal::Aimed),
    /// See [`squeeze`].
    Squeeze(squeeze::Squeezed),
    /// See [`burn`].
    Burn(burn::Burner),
    /// See [`hold`].
    Hold(hold::Holder),
    /// See [`load`].
    Load(load::Loader),
    /// See [`fill`].
    Fill(fill::Filler),
}

impl Job {
    /// Finds out whether it can be done; nothing happens to the target.
    ///
    /// # Errors
    /// Why not.
    pub fn prepare(work: &Work, subject: Option<&Subject>) -> Result<Job, WorkError> {
        let subject =
            || subject.ok_or_else(|| WorkError("work from the host's side needs to know its container".into()));
        Ok(match work {
            Work::Signal(signal) => Job::Signal(signal::aim(signal, subject()?)?),
            Work::Squeeze(squeeze) => Job::Squeeze(squeeze::Squeezed::prepare(squeeze, subject()?)?),
            Work::Burn(burn) => Job::Burn(burn::Burner::prepare(burn)?),
            Work::Hold(hold) => Job::Hold(hold::Holder::prepare(hold)?),
            Work::Load(load) => Job::Load(load::Loader::prepare(load)?),
            Work::Fill(fill) => Job::Fill(fill::Filler::prepare(fill)?),
        })
    }

    /// Does it, and says what can be seen of it.
    ///
    /// # Errors
    /// Why it is not done; nothing of it is left then.
    pub fn begin(&mut self) -> Result<String, WorkError> {
        match self {
            Job::Signal(aimed) => aimed.send(),
            Job::Squeeze(squeezed) => squeezed.apply(),
            Job::Burn(burner) => burner.start(),
            Job::Hold(holder) => holder.start(),
            Job::Load(loader) => loader.start(),
            Job::Fill(filler) => filler.start(),
        }
    }

    /// What it has come to so far.
    pub fn figures(&self) -> Figures {
        match self {
            Job::Signal(aimed) => aimed.figures(),
            Job::Squeeze(squeezed) => squeezed.figures(),
            Job::Burn(burner) => burner.figures(),
            Job::Hold(holder) => holder.figures(),
            Job::Load(loader) => loader.figures(),
            Job::Fill(filler) => filler.figures(),
        }
    }

    /// What has become of it, if it no longer is in place although nobody ended it.
    pub fn lost(&self) -> Option<String> {
        match self {
            Job::Squeeze(squeezed) => squeezed.lost(),
            // They end with us.
            Job::Signal(_) | Job::Burn(_) | Job::Hold(_) | Job::Load(_) | Job::Fill(_) => None,
        }
    }

    /// Ends it, and says what can be seen then. Done as well if it never began.
    ///
    /// # Errors
    /// What could not be put back.
    pub fn end(&mut self) -> Result<String, WorkError> {
        match self {
            Job::Signal(aimed) => aimed.let_go(),
            Job::Squeeze(squeezed) => squeezed.restore(),
            Job::Burn(burner) => Ok(burner.stop()),
            Job::Hold(holder) => Ok(holder.stop()),
            Job::Load(loader) => Ok(loader.stop()),
            Job::Fill(filler) => Ok(filler.stop()),
        }
    }
}
