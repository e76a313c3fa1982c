//! Reading a journal back, whatever happened to it: a run killed half-way, a cut line, kinds of event that a
//! later version added. Never panics; refuses only what is no journal, or one of a newer format.

use super::RunFolder;
use crate::event::{Event, EventKind, FORMAT, RunStarted};
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess},
};
use std::{
    collections::BTreeMap,
    fmt,
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
        Err(error) => return Err(JournalError::NotAJournal { path, detail: error.to_string() }),
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

/// Just enough of any event, of whatever version.
#[derive(Deserialize)]
struct Odd {
    seq: u64,
    kind: Kind,
}

/// The name of an event's kind: a text, or the only key of a map.
struct Kind(String);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the kind of an event")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Kind, E> {
                Ok(Kind(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                let entry = map.next_entry::<String, IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                entry.map(|(name, _)| Kind(name)).ok_or_else(|| de::Error::custom("no kind"))
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Whether this version has a kind of that name (its content may still be damaged).
fn known(name: &str) -> bool {
    let named =
        serde_json::to_string(&BTreeMap::from([(name, ())])).and_then(|text| serde_json::from_str::<EventKind>(&text));
    match named {
        Ok(_) => true,
        Err(error) => !error.to_string().starts_with(&format!("unknown variant `{name}`")),
    }
}

/// The format that a first line claims, even if nothing else in it can be read.
fn format_of(line: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct First {
        kind: Start,
    }
    #[derive(Deserialize)]
    struct Start {
        run_started: Format,
    }
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    serde_json::from_slice::<First>(line).ok().map(|first| first.kind.run_started.format)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        event::{Expectations, Phase, Terms, Timing},
        measure::Schedule,
        units::Span,
    };
    use proptest::prelude::*;

    /// A run that promises nothing.
    pub(crate) fn started() -> RunStarted {
        let timing = Timing { warm_up: Span::ZERO, baseline: Span::secs(1), recovery: Span::secs(1) };
        RunStarted {
            format: FORMAT,
            run: "20260301T100000Z-quiet-0001".into(),
            started: "2026-03-01T10:00:00Z".parse().unwrap(),
            time_zone: "Etc/UTC".into(),
            version: "0.1.0".into(),
            command: vec![],
            host: "here".into(),
            scenario_path: "quiet.yaml".into(),
            scenario_digest: String::new(),
            seed: 1,
            git: None,
            terms: Terms {
                scenario: "quiet".into(),
                title: "quiet".into(),
                hypothesis: None,
                of: None,
                owner: None,
                tags: vec![],
                probes: vec![],
                expect: Expectations::default(),
                detect: None,
                guards: vec![],
                timing,
                faults: vec![],
            },
        }
    }

    fn kinds() -> Vec<EventKind> {
        let schedules = [(3, Schedule { first_at: 5, interval_ns: 1_000 })].into();
        vec![
            EventKind::RunStarted(Box::new(started())),
            EventKind::PhaseStarted(Phase::Preflight),
            EventKind::LoadStarted { schedules },
            EventKind::GatePassed,
            EventKind::EngineBack,
            EventKind::RunEnded { complete: true },
        ]
    }

    fn lines() -> Vec<u8> {
        let mut out = Vec::new();
        for (seq, kind) in (0..).zip(kinds()) {
            serde_json::to_writer(&mut out, &Event { seq, at: seq * 10, kind }).unwrap();
            out.push(b'\n');
        }
        out
    }

    fn parsed(bytes: &[u8]) -> Journal {
        parse(bytes, "journal.jsonl".into()).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let journal = parsed(&lines());
        assert_eq!(journal.events.iter().map(|event| event.kind.clone()).collect::<Vec<_>>(), kinds());
        assert_eq!((journal.cut_short, journal.damage, journal.unknown), (false, None, vec![]));
    }

    #[test]
    fn a_cut_tail_is_a_run_cut_short_and_no_damage() {
        let all = lines();
        let journal = parsed(&all[..all.len() - 7]);
        assert_eq!((journal.events.len(), journal.cut_short, journal.damage), (5, true, None));
    }

    #[test]
    fn unknown_kinds_are_kept_and_counted() {
        let mut all = lines();
        all.extend(
            b"{\"seq\":6,\"at\":60,\"kind\":{\"moon_rose\":{\"phase\":1}}}\n{\"seq\":7,\"at\":60,\"kind\":\"dawn\"}\n",
        );
        let journal = parsed(&all);
        assert_eq!(journal.unknown, [(7, "moon_rose".to_owned()), (8, "dawn".to_owned())]);
        assert_eq!(journal.damage, None);
    }

    #[test]
    fn missing_and_damaged_lines_are_told() {
        let text = String::from_utf8(lines()).unwrap();
        let without: String = text.lines().filter(|l| !l.contains("load_started")).map(|l| format!("{l}\n")).collect();
        let damage = parsed(without.as_bytes()).damage.unwrap();
        assert_eq!(damage, "line 3 is event 3 where event 2 is due");
        let flipped = text.replace("\"preflight\"", "\"preflighx\"");
        assert!(parsed(flipped.as_bytes()).damage.unwrap().starts_with("line 2 cannot be read"));
    }

    fn long(kinds: impl Iterator<Item = EventKind>) -> Vec<u8> {
        let mut out = Vec::new();
        for (seq, kind) in (0..).zip(std::iter::once(EventKind::RunStarted(Box::new(started()))).chain(kinds)) {
            serde_json::to_writer(&mut out, &Event { seq, at: seq, kind }).unwrap();
            out.push(b'\n');
        }
        out
    }

    #[test]
    fn of_too_many_samples_every_other_is_kept_and_too_many_events_are_told() {
        let most = Most { samples: 100, others: 10 };
        let usage = crate::container::Usage::default();
        let sampled = || EventKind::UsageSampled { container: "c".into(), usage };
        let read = |bytes: Vec<u8>| parse_most(bytes.as_slice(), "j".into(), most).unwrap();
        let ended = std::iter::once(EventKind::RunEnded { complete: true });
        let journal = read(long((0..5_000).map(|_| sampled()).chain(ended)));
        let kept = journal.events.iter().filter(|event| sample(&event.kind)).count();
        assert!((50..=101).contains(&kept), "{kept}");
        assert_eq!((journal.cut_short, journal.damage, journal.next), (false, None, 5_002));
        let last = journal.events.iter().rev().find(|event| sample(&event.kind)).unwrap();
        assert_eq!(last.seq, last.at, "an event still knows its line");

        let journal =
            read(long((0..50).map(|_| EventKind::EngineBack).chain([EventKind::RunEnded { complete: true }])));
        assert_eq!((journal.events.len(), journal.cut_short), (11, false));
        let damage = journal.damage.unwrap();
        assert_eq!(damage, "it holds more than 10 events besides samples; 41 of them were not looked at");
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let mut all = lines();
        all.extend(std::iter::repeat_n(b'[', LINE as usize + 10));
        all.extend(b"\n{\"seq\":6,\"at\":60,\"kind\":\"engine_back\"}\n");
        let journal = parsed(&all);
        assert!(journal.damage.unwrap().starts_with("line 7 cannot be read"));
        assert_eq!(journal.events.last().unwrap().kind, EventKind::EngineBack);
    }

    #[test]
    fn newer_formats_and_other_files_are_refused() {
        let newer = String::from_utf8(lines()).unwrap().replacen("\"format\":1", "\"format\":99", 1);
        let error = parse(newer.as_bytes(), "j".into()).unwrap_err();
        assert_eq!(error.to_string(), "j has format 99, this firedrill reads up to 1; use a newer one");
        for odd in ["", "\n", "[]", "{\"seq\":0,\"at\":0,\"kind\":\"gate_passed\"}\n", "\u{0}\u{0}"] {
            assert!(matches!(parse(odd.as_bytes(), "j".into()), Err(JournalError::NotAJournal { .. })), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn no_mutation_makes_it_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20), cut in any::<prop::sample::Index>()) {
            let mut bytes = lines();
            for (place, byte) in edits {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len()));
            let _ = parse(bytes.as_slice(), "j".into());
        }
    }
}
