//! What containers began to print when a fault came: many lines of one kind, and none of that kind before.

use super::{Evidence, EvidenceId, Ledger, LogFile, clocks::Clock};
use crate::{clock::At, journal::RunFolder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, ops::Range};

/// So many lines of one kind are a burst.
const MANY: usize = 10;
/// How much of a line tells its kind, in characters.
const KIND: usize = 100;

/// Lines of one kind that a container printed from the fault on, and not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBurst {
    /// The container.
    pub container: String,
    /// The beginning of such a line; `#` stands for every word with a digit in it.
    pub kind: String,
    /// How many there were.
    pub lines: u64,
    /// When the first was printed.
    pub first: At,
    /// From the first of them to the last.
    pub evidence: EvidenceId,
}

/// The largest burst of each container.
pub fn find(
    folder: &RunFolder,
    logs: &[LogFile],
    fault: Option<At>,
    engine: &Clock,
    ledger: &mut Ledger,
) -> Vec<LogBurst> {
    let Some(fault) = fault else { return vec![] };
    let mut bursts = Vec::new();
    for log in logs {
        let Ok(text) = fs::read(folder.path().join(&log.file)) else { continue };
        let lines = read(&String::from_utf8_lossy(&text), engine);
        // Of a log that was cut, the beginning is gone: what stood there is not known.
        if log.cut && lines.first().is_none_or(|line| line.at >= fault) {
            continue;
        }
        let mut kinds: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in &lines {
            kinds.entry(&line.kind).or_default().push(line);
        }
        let new = kinds.values().filter(|lines| lines.len() >= MANY && lines.iter().all(|line| line.at >= fault));
        let Some(most) = new.max_by_key(|lines| lines.len()) else { continue };
        let (from, to) = (most[0].bytes.start, most[most.len() - 1].bytes.end);
        bursts.push(LogBurst {
            container: log.container.clone(),
            kind: most[0].kind.clone(),
            lines: most.len() as u64,
            first: most[0].at,
            evidence: ledger.cite(Evidence::Part { file: log.file.clone(), from, to }),
        });
    }
    bursts
}

struct Line {
    at: At,
    kind: String,
    bytes: Range<u64>,
}

/// The lines that the engine has stamped, in order, with the time on our clock.
fn read(text: &str, engine: &Clock) -> Vec<Line> {
    let mut start = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let bytes = start..start + line.len() as u64;
        start = bytes.end;
        let Some((stamp, said)) = line.split_once(' ') else { continue };
        let Ok(stamp) = stamp.parse::<Timestamp>() else { continue };
        let ns = i64::try_from(stamp.as_nanosecond()).unwrap_or(i64::MAX);
        let Some(at) = engine.at(ns, 0) else { continue };
        lines.push(Line { at: at.middle(), kind: kind(said), bytes });
    }
    lines
}

/// Lines that differ in numbers only are of one kind.
fn kind(said: &str) -> String {
    let plain: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let word = |word: &str| match word.contains(|c: char| c.is_ascii_digit()) {
        true => "#".to_owned(),
        false => word.to_owned(),
    };
    let words: Vec<String> = plain.split_whitespace().map(word).collect();
    words.join(" ").chars().take(KIND).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind};

    /// A log of one line a second, the fault after five: what is printed when.
    fn bursts(text: impl Fn(u64) -> &'static str, cut: bool) -> Vec<LogBurst> {
        let dir = tempfile::tempdir().unwrap();
        let started: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let line = |s: u64| format!("2026-03-01T10:00:{s:02}.5Z {} {s}ms\n", text(s));
        fs::write(dir.path().join("api.log"), (0..30).map(line).collect::<String>()).unwrap();
        let compared = EventKind::ClockCompared { offset_ns: 0, rtt_ns: 0 };
        let clock = Clock::of_engine(started, &[Event { seq: 0, at: 0, kind: compared }]);
        let log = LogFile { container: "api".into(), file: "api.log".into(), bytes: 1, cut };
        let folder = RunFolder(dir.path().to_owned());
        find(&folder, &[log], Some(5_000_000_000), &clock, &mut Ledger::default())
    }

    #[test]
    fn a_new_kind_of_line_is_a_burst_and_an_old_one_is_not() {
        let found = bursts(|s| if s < 5 { "served in" } else { "refused: retry" }, false);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind.as_str(), found[0].lines, found[0].first), ("refused: retry #", 25, 5_500_000_000));
        assert!(bursts(|_| "served in", false).is_empty(), "as before");
        assert!(bursts(|s| if s % 4 == 0 { "slow" } else { "served in" }, false).is_empty(), "it was there before");
        assert!(bursts(|s| if (5..14).contains(&s) { "refused" } else { "served in" }, false).is_empty(), "too few");
        assert_eq!(bursts(|s| if s < 5 { "served in" } else { "refused" }, true).len(), 1, "cut before the fault");
    }
}
