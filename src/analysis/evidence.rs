//! Where a figure comes from: every one leads to lines of the journal or to requests in the log.

use crate::{clock::At, measure::ProbeId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A position in [`super::Findings::evidence`]. Printed `e7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EvidenceId(pub usize);

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// A place in the run folder that can be opened and read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Lines of `journal.jsonl`, from 1, both included.
    Journal {
        /// First line.
        from: u64,
        /// Last line.
        to: u64,
    },
    /// Requests of one probe in `requests.bin`, by their number in its schedule, both included.
    Requests {
        /// Which probe.
        probe: ProbeId,
        /// First request.
        from: u64,
        /// Last request.
        to: u64,
        /// When the first was due.
        from_at: At,
        /// When the last was due.
        to_at: At,
    },
    /// A whole file, relative to the run folder.
    File(String),
    /// Part of a file.
    Part {
        /// Relative to the run folder.
        file: String,
        /// First byte.
        from: u64,
        /// The first byte that does not belong to it.
        to: u64,
    },
}

/// `journal.jsonl:12-14`, `requests.bin, probe 0, requests 200-399`, `logs/api.log`.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Journal { from, to } if from == to => write!(f, "journal.jsonl:{from}"),
            Evidence::Journal { from, to } => write!(f, "journal.jsonl:{from}-{to}"),
            Evidence::Requests { probe, from, to, .. } => {
                write!(f, "requests.bin, probe {probe}, requests {from}-{to}")
            }
            Evidence::File(name) => f.write_str(name),
            Evidence::Part { file, from, to } => write!(f, "{file}, bytes {from}-{to}"),
        }
    }
}

/// The table while it grows: the same place always gets the same id.
#[derive(Debug, Default)]
pub struct Ledger {
    places: Vec<Evidence>,
    known: std::collections::HashMap<Evidence, EvidenceId>,
}

impl Ledger {
    /// The id of a place.
    pub fn cite(&mut self, place: Evidence) -> EvidenceId {
        let next = EvidenceId(self.places.len());
        *self.known.entry(place.clone()).or_insert_with(|| {
            self.places.push(place);
            next
        })
    }

    /// The id of one line of the journal, from 1.
    pub fn line(&mut self, line: u64) -> EvidenceId {
        self.cite(Evidence::Journal { from: line, to: line })
    }

    /// The finished table.
    pub fn into_places(self) -> Vec<Evidence> {
        self.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_has_one_id() {
        let mut ledger = Ledger::default();
        let (a, b, again) = (ledger.line(3), ledger.line(4), ledger.line(3));
        assert_eq!((a, b, again), (EvidenceId(0), EvidenceId(1), EvidenceId(0)));
        assert_eq!(ledger.into_places()[1].to_string(), "journal.jsonl:4");
    }
}
