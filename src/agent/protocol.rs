//! What runner and agent say to each other: one JSON value a line, typed, and of bounded length.
//!
//! The runner commands; the agent answers with receipts. Moments are CLOCK_MONOTONIC nanoseconds of the agent's kernel.
//! A line that is not understood is refused and changes nothing.

use super::{
    dns::Dns,
    fates::Work,
    nft::QueueBy,
    shape::Shape,
    traffic::{Block, Traffic},
    work::{self, Figures, Subject},
};
use crate::units::Span;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read},
};

/// Of this protocol. Both sides must have the same: the agent is the same binary as the runner.
pub const VERSION: u32 = 1;

/// The longest line, in bytes.
pub const LINE_MOST: usize = 64 * 1024;

/// In what an agent says: the number of the container's main process, which only the runner knows.
pub const PID: &str = "PID";

/// A fault among those of one agent; chosen by the runner, below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u8);

impl FaultId {
    /// How many there may be.
    pub const MOST: u8 = 64;
}

/// From the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// First of all, within five seconds.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// Prepare a fault; nothing happens to any packet.
    Arm {
        /// Its number.
        fault: FaultId,
        /// Which packets.
        #[serde(default)]
        traffic: Traffic,
        /// What happens to them.
        effect: Effect,
        /// All its chance comes from this.
        seed: u64,
    },
    /// Prepare work on processes or resources; nothing happens to the target.
    Prepare {
        /// Its number.
        fault: FaultId,
        /// What.
        work: work::Work,
        /// On which container, if that is not the one that the agent is in.
        subject: Option<Subject>,
    },
    /// Put back the limit that an agent which is gone has left.
    Mend {
        /// For the answer.
        fault: FaultId,
        /// What was done.
        work: work::Work,
        /// To which container.
        subject: Subject,
    },
    /// End what an engine that died has lost sight of.
    EndOrphans {
        /// For the answer.
        fault: FaultId,
        /// The full id of a container that the engine takes for stopped, and cannot start.
        container: String,
    },
    /// Begin.
    Fire {
        /// An armed or prepared fault.
        fault: FaultId,
    },
    /// Its peers have other addresses now.
    Follow {
        /// An armed or fired fault.
        fault: FaultId,
        /// All of them.
        peers: Vec<Block>,
    },
    /// End one fault; what it holds goes on at once.
    Undo {
        /// An armed or fired fault.
        fault: FaultId,
    },
    /// I am here.
    Heartbeat,
    /// Undo everything and exit.
    End,
}

/// What happens to packets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// They come late, never, twice, damaged, out of order or slowly.
    Shape(Box<Shape>),
    /// They end here.
    Cut(Cut),
    /// Those that ask a resolver for a name are answered falsely, late or not at all.
    Dns(Box<Dns>),
}

impl Effect {
    /// What the packet thread has to do for it; `None`: the kernel's rules do it alone.
    pub(super) fn work(&self) -> Option<Work> {
        match self {
            Effect::Shape(shape) => Some(Work::Shape(shape.clone())),
            Effect::Dns(dns) => Some(Work::Dns(dns.clone())),
            Effect::Cut(_) => None,
        }
    }
}

/// How packets end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Silently.
    Drop,
    /// With an answer: a TCP reset, or ICMP port unreachable.
    Reject,
}

/// From the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// The answer to hello.
    Ready {
        /// [`VERSION`].
        version: u32,
        /// How it lets go by itself.
        lease: Terms,
        /// Its process, as its own namespace numbers it.
        pid: u32,
    },
    /// The work can be begun.
    Prepared {
        /// Which.
        fault: FaultId,
    },
    /// The work is begun.
    Begun {
        /// Which.
        fault: FaultId,
        /// When.
        at: u64,
        /// What can be seen of it.
        seen: String,
    },
    /// The work is over although nobody ended it; its target changed under it.
    Lost {
        /// Which.
        fault: FaultId,
        /// What is seen instead.
        why: String,
    },
    /// Every second while work is under way.
    Figures {
        /// When.
        at: u64,
        /// By fault.
        works: BTreeMap<FaultId, Figures>,
    },
    /// The work is over, read back.
    Over {
        /// Which.
        fault: FaultId,
        /// When.
        at: u64,
        /// What can be seen now.
        seen: String,
        /// For the last time.
        figures: Figures,
    },
    /// The fault can be fired.
    Armed {
        /// Which.
        fault: FaultId,
        /// What this kernel and these rights allow.
        abilities: Abilities,
    },
    /// The fault is in place.
    Fired {
        /// Which.
        fault: FaultId,
        /// When its rules took effect.
        at: u64,
        /// How many rules were read back, and were as they should be.
        rules: usize,
    },
    /// Its peers are these now.
    Followed {
        /// Which.
        fault: FaultId,
        /// When.
        at: u64,
    },
    /// Every second while something is armed.
    Counters {
        /// When.
        at: u64,
        /// By fault.
        faults: BTreeMap<FaultId, Counters>,
        /// CPU time of the agent so far, in nanoseconds.
        cpu: u64,
    },
    /// The fault is gone, read back.
    Undone {
        /// Which.
        fault: FaultId,
        /// When.
        at: u64,
        /// For the last time.
        counters: Box<Counters>,
    },
    /// A command that was not done; nothing has changed by it.
    Refused {
        /// The fault, if it was about one.
        fault: Option<FaultId>,
        /// Why, for people.
        why: String,
    },
    /// The last line.
    Ended {
        /// Why.
        why: EndReason,
        /// When everything was undone.
        at: u64,
        /// What could not be undone orderly; the kernel does it when this process exits.
        failed: Option<String>,
        /// Receipts that nobody took in time.
        lost_receipts: u64,
    },
}

/// The terms of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The end, counted from the start of the agent.
    pub deadline: Span,
    /// The longest silence of the runner.
    pub heartbeat: Span,
}

/// Why an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It was told to.
    Command,
    /// Its time was over.
    Deadline,
    /// The runner closed the line, or died.
    Eof,
    /// The runner was silent for too long.
    Heartbeat,
    /// SIGTERM or SIGINT.
    Signal,
    /// Nobody said hello in time.
    NoHello,
    /// A runner of another version.
    Version,
    /// It could not go on.
    Failed,
}

/// What is possible here; found out by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// The kernel removes our table when we die. Otherwise cuts are made by the queue, which nobody then listens to.
    pub owner: bool,
    /// How packets reach us; `None`: only cuts are possible.
    pub queue: Option<QueueBy>,
    /// Copies can be sent (NET_RAW).
    pub raw: bool,
    /// What we answer for others can be kept out of connection tracking.
    pub untracked: bool,
}

/// What a fault did. Packets, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Met by its rules in the kernel, cut ones included.
    pub hit: u64,
    /// Cut by the kernel.
    pub cut: u64,
    /// Seen by the engine. More than `hit` where the kernel had merged segments.
    pub seen: u64,
    /// Of those, meant by its share (and, if names are what it is about, by its names).
    pub meant: u64,
    /// Of those, questions to resolvers; Docker's own on behalf of the target not among them.
    pub queries: u64,
    /// Of those, about names that are meant.
    pub matched: u64,
    /// Answered by us.
    pub answered: u64,
    /// Held for a time.
    pub delayed: u64,
    /// Dropped by chance, or left without an answer.
    pub dropped: u64,
    /// Dropped because the queue of its rate was full.
    pub overflowed: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Let past others.
    pub reordered: u64,
    /// Let go before they were due: the fault ended.
    pub early: u64,
    /// Let go at once though they were to be late: as many were held as may be.
    pub unheld: u64,
    /// Copies that the kernel would not send.
    pub unsent: u64,
    /// Passed though they should have been handed to the engine (it was too slow); of all faults of this agent.
    pub leaked: u64,
    /// Held now, and their bytes; of all faults of this agent.
    pub held: u64,
    /// Bytes of copies held now; of all faults of this agent.
    pub held_bytes: u64,
    /// The delay that packets really had, from the engine's sight to their release.
    pub achieved: Option<Spread>,
    /// How much later than due they were released.
    pub late: Option<Spread>,
}

/// A distribution, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// Half are below.
    pub p50: u64,
    /// 90 % are below.
    pub p90: u64,
    /// 99 % are below.
    pub p99: u64,
    /// The greatest.
    pub max: u64,
    /// All of it: HdrHistogram V2, deflated, base64; microseconds.
    pub hdr: String,
}

/// Why no command was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing can follow.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Longer than it may be; the rest of it was not read.
    #[error("a line that is too long")]
    TooLong,
    /// Not a command.
    #[error("not a command: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Reads the next command; `None` at the end.
///
/// # Errors
/// A line that is no command, is too long, or cannot be read.
pub fn read_command(from: &mut impl BufRead) -> Result<Option<Command>, ReadError> {
    read(from, LINE_MOST)
}

/// Reads the next value from a line of at most so many bytes; `None` at the end.
///
/// # Errors
/// A line that is no such value, is too long, or cannot be read.
pub fn read<T: DeserializeOwned>(from: &mut impl BufRead, most: usize) -> Result<Option<T>, ReadError> {
    let mut line = Vec::new();
    from.by_ref().take(most as u64 + 1).read_until(b'\n', &mut line)?;
    if line.len() > most {
        return Err(ReadError::TooLong);
    }
    // A line that the end cut off was never finished, so it was never said.
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// A value as a line.
pub fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("commands and receipts have only text keys");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agent::shape::loss::Loss, units::Percent};

    fn read(text: &str) -> Result<Option<Command>, ReadError> {
        read_command(&mut text.as_bytes())
    }

    #[test]
    fn commands_read_as_they_are_written() {
        let loss = Loss::Random(crate::agent::shape::chance::Chance {
            percent: Percent(0.1),
            correlation: Percent::default(),
        });
        let traffic = Traffic { peers: vec!["10.0.0.0/24".parse().unwrap()], ..Traffic::default() };
        for command in [
            Command::Hello { version: VERSION },
            Command::Arm {
                fault: FaultId(1),
                traffic,
                effect: Effect::Shape(Box::new(Shape { loss: Some(loss), ..Shape::default() })),
                seed: 7,
            },
            Command::Arm { fault: FaultId(2), traffic: Traffic::default(), effect: Effect::Cut(Cut::Reject), seed: 0 },
            Command::Prepare {
                fault: FaultId(3),
                work: work::Work::Signal(work::signal::Signalling { signal: "SIGHUP".into(), process: None }),
                subject: Some(Subject { id: "ab".repeat(32), pid: 7 }),
            },
            Command::Fire { fault: FaultId(1) },
            Command::Follow { fault: FaultId(1), peers: vec!["fd00::1".parse().unwrap()] },
            Command::Undo { fault: FaultId(1) },
            Command::Heartbeat,
            Command::End,
        ] {
            assert_eq!(read(&line(&command)).unwrap(), Some(command));
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in
            ["\n", "{}\n", "\"explode\"\n", "{\"fire\":{\"fault\":1,\"now\":true}}\n", "{\"fire\":{\"fault\":999}}\n"]
        {
            assert!(matches!(read(text), Err(ReadError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn an_endless_line_is_not_swallowed() {
        let text = "x".repeat(LINE_MOST * 2);
        assert!(matches!(read(&text), Err(ReadError::TooLong)));
    }

    #[test]
    fn a_line_cut_off_by_the_end_was_never_said() {
        assert_eq!(read("\"end\"").unwrap(), None);
        assert_eq!(read("").unwrap(), None);
    }
}
