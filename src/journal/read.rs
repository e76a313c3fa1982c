//! Reading a journal back, whatever happened to it: a run killed half-way, a cut line, kinds of event that a
//! later version added. Never panics; refuses only what is no journal, or one of a newer format.

mod odd;

use super::RunFolder;
use crate::event::{Event, EventKind, FORMAT, RunStarted};
use odd::{Odd, format_of, known};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
};

/// All that a journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// The first event. The containers of each fault are filled in from the events that name them.
    pub started: RunStarted,
    /// Every event that this version knows, the first included, in order; `seq` is its line, counted from 0.
    pub events: Vec<Event>,
    /// Events of kinds that this version does not know: line number (from 1) and kind.
    pub unknown: Vec<(u64, String)>,
    /// Whether the run's own end is missing.
    pub cut_short: bool,
    /// What is wrong with the file, for people, if anything is.
    pub damage: Option<String>,
    /// The sequence number that a further event would have.
    pub next: u64,
}

/// Why a journal cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The first line is not the start of a run.
    #[error("{path} is not the journal of a run: {detail}", path = path.display())]
    NotAJournal {
        /// Which file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// Written by a later firedrill.
    #[error("{path} has format {found}, this firedrill reads up to {FORMAT}; use a newer one", path = path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// A line that is longer is none of ours, bytes.
const LINE: u64 = 16 << 20;
/// No drill lasts longer; an event that claims a later moment is damaged. Nanoseconds: eight days.
const LATEST: u64 = 8 * 86_400 * 1_000_000_000;
/// Events of unknown kinds that are told by name.
const UNKNOWN: usize = 1_000;

/// How much of a journal is kept, so that one of any length is read in bounded memory.
#[derive(Debug, Clone, Copy)]
struct Most {
    /// Samples that come every second: of more, every second, fourth, ... is kept.
    samples: usize,
    /// Other events; more than a drill of days has, so that the rest is damage.
    others: usize,
}

const MOST: Most = Most { samples: 300_000, others: 200_000 };

/// Reads the journal of a run folder.
///
/// # Errors
/// Only if there is no journal to speak of, or it is of a newer format; damage further on is reported inside.
pub fn read(folder: &RunFolder) -> Result<Journal, JournalError> {
    let path = folder.journal();
    match File::open(&path) {
        Ok(file) => parse(BufReader::with_capacity(1 << 16, file), path),
        Err(error) => Err(JournalError::Unreadable { path, error }),
    }
}

/// Reads a journal from anything; `path` is for error messages.
///
/// # Errors
/// As [`read`].
pub fn parse(from: impl BufRead, path: PathBuf) -> Result<Journal, JournalError> {
    parse_most(from, path, MOST)
}

fn parse_most(mut from: impl BufRead, path: PathBuf, most: Most) -> Result<Journal, JournalError> {
    let mut line = Vec::new();
    let unreadable = |error| JournalError::Unreadable { path: path.clone(), error };
    next_line(&mut from, &mut line).map_err(unreadable)?;
    if let Some(found) = format_of(&line).filter(|&found| found > FORMAT) {
        return Err(JournalError::Newer { path, found });
    }
    let (first, started) = match serde_json::from_slice::<Event>(&line) {
        Ok(Event { kind: EventKind::RunStarted(started), seq, at }) => {
            (Event { kind: EventKind::RunStarted(started.clone()), seq, at }, *started)
        }
        Ok(_) => return Err(JournalError::NotAJournal { path, detail: "it does not begin with a run's start".into() }),
        Err(error) => return Err(JournalError::NotAJournal { path, detail: no_start(&line, &error) }),
    };
    let mut reading = Reading::new(first.seq.saturating_add(1), most);
    reading.events.push(first);
    let mut number = 2;
    while next_line(&mut from, &mut line).map_err(unreadable)? {
        reading.take(number, &line);
        number += 1;
    }
    Ok(reading.finish(started))
}

/// Why a first line is not the start of a run.
fn no_start(line: &[u8], error: &serde_json::Error) -> String {
    if line.is_empty() {
        "it is empty, so nothing of a run is left in it".into()
    } else if error.is_eof() {
        "its first line, the start of a run, is empty or cut off".into()
    } else {
        format!("its first line is not the start of a run: {error}")
    }
}

/// The next line with its end; false at the end of the file. Of a line that is too long only the beginning.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = from.by_ref().take(LINE).read_until(b'\n', line)?;
    if read as u64 == LINE && !line.ends_with(b"\n") {
        from.skip_until(b'\n')?;
        line.push(b'\n');
    }
    Ok(read > 0)
}

struct Reading {
    most: Most,
    events: Vec<Event>,
    unknown: Vec<(u64, String)>,
    /// What is wrong first, and how much more is.
    damage: Option<String>,
    further: u64,
    /// The sequence number that the next line should have.
    next: u64,
    ended: bool,
    /// Samples met, and of how many one is kept.
    samples: u64,
    stride: u64,
    kept_samples: usize,
    others: usize,
    /// Events that were too many.
    over: u64,
}

impl Reading {
    fn new(next: u64, most: Most) -> Reading {
        Reading {
            most,
            next,
            events: Vec::new(),
            unknown: Vec::new(),
            damage: None,
            further: 0,
            ended: false,
            samples: 0,
            stride: 1,
            kept_samples: 0,
            others: 0,
            over: 0,
        }
    }

    fn take(&mut self, number: u64, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match serde_json::from_slice::<Event>(line) {
            Ok(event) => {
                self.expect(number, event.seq);
                if event.at > LATEST {
                    return self
                        .wrong(|| format!("line {number} claims a moment more than eight days after the start"));
                }
                self.ended |= matches!(event.kind, EventKind::RunEnded { .. });
                // Whoever cites an event cites its line, also in a journal in which lines are missing.
                self.keep(Event { seq: number - 1, ..event });
            }
            Err(error) => self.take_odd(number, line, &error),
        }
    }

    fn keep(&mut self, event: Event) {
        if !sample(&event.kind) {
            match self.others < self.most.others {
                true => self.events.push(event),
                false => self.over += 1,
            }
            self.others += 1;
            return;
        }
        self.samples += 1;
        if !self.samples.is_multiple_of(self.stride) {
            return;
        }
        self.events.push(event);
        self.kept_samples += 1;
        if self.kept_samples > self.most.samples {
            let mut met = 0u64;
            self.events.retain(|event| {
                met += u64::from(sample(&event.kind));
                !sample(&event.kind) || met.is_multiple_of(2)
            });
            self.kept_samples /= 2;
            self.stride *= 2;
        }
    }

    fn wrong(&mut self, what: impl FnOnce() -> String) {
        match self.damage {
            None => self.damage = Some(what()),
            Some(_) => self.further += 1,
        }
    }

    /// A line that is no event of ours: of an unknown kind, cut at the end of the file, or damaged.
    fn take_odd(&mut self, number: u64, line: &[u8], error: &serde_json::Error) {
        match serde_json::from_slice::<Odd>(line) {
            Ok(odd) if !known(&odd.kind.0) => {
                self.expect(number, odd.seq);
                match self.unknown.len() < UNKNOWN {
                    true => self.unknown.push((number, odd.kind.0.chars().take(64).collect())),
                    false => {
                        self.wrong(|| format!("line {number} is one of more than {UNKNOWN} events of unknown kinds"))
                    }
                }
            }
            _ if !line.ends_with(b"\n") => {}
            _ => self.wrong(|| format!("line {number} cannot be read: {error}")),
        }
    }

    fn expect(&mut self, number: u64, seq: u64) {
        if seq != self.next {
            let due = self.next;
            self.wrong(|| format!("line {number} is event {seq} where event {due} is due"));
        }
        self.next = seq.saturating_add(1);
    }

    fn finish(mut self, mut started: RunStarted) -> Journal {
        name_containers(&mut started, &self.events);
        let (over, most) = (self.over, self.most.others);
        if over > 0 {
            self.wrong(|| {
                format!("it holds more than {most} events besides samples; {over} of them were not looked at")
            });
        }
        let damage = self.damage.take().map(|first| match self.further {
            0 => first,
            more => format!("{first} (and {more} more)"),
        });
        Journal { cut_short: !self.ended, started, events: self.events, unknown: self.unknown, damage, next: self.next }
    }
}

/// What comes every second as long as the drill lasts.
fn sample(kind: &EventKind) -> bool {
    matches!(kind, EventKind::UsageSampled { .. } | EventKind::WorkMeasured { .. } | EventKind::AgentCounted { .. })
}

/// A run starts before its targets are known; what each fault hits is told when its undo is recorded.
fn name_containers(started: &mut RunStarted, events: &[Event]) {
    for event in events {
        if let EventKind::UndoRecorded { fault, injections } = &event.kind
            && let Some(terms) = started.terms.faults.get_mut(*fault)
            && terms.containers.is_empty()
        {
            terms.containers = injections.iter().map(|injection| injection.name.clone()).collect();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
