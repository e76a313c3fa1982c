//! The raw lines that a figure rests on: lines of the journal as they stand, requests decoded to rows. Bounded: the
//! first and the last few of each place, each cut at a length.

use crate::{
    analysis::{Evidence, EvidenceId, Findings, Place},
    journal::{
        RunFolder,
        requests::{RequestLogError, RequestReader},
    },
    measure::{ProbeId, Sample},
    review::{escape, model::Look, quantity},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    ops::Range,
};

/// How many lines or rows are shown from the front of a place, and as many from its end.
const SHOWN: usize = 5;
/// How much of a line is shown, in characters.
const LINE: usize = 600;
/// How much of a file is searched for its lines, bytes.
const READ: u64 = 64 << 20;

/// A place, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Raw {
    /// `e7`
    pub id: String,
    /// `journal.jsonl:12-14`
    pub place: String,
    /// The bytes there; `None` if the folder does not hold it.
    pub bytes: Option<[u64; 2]>,
    /// Of these bytes.
    pub sha256: Option<String>,
    /// What stands there.
    pub excerpt: Excerpt,
}

/// Some of what stands at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The first ones.
    pub first: Vec<String>,
    /// How many lines or requests are left out here.
    pub left_out: u64,
    /// The last ones.
    pub last: Vec<String>,
    /// Why there is no more, if something is wrong.
    pub trouble: Option<String>,
}

/// The places of these ids, in order.
pub fn open_all(folder: &RunFolder, findings: &Findings, ids: &[EvidenceId]) -> Vec<Raw> {
    ids.iter().filter_map(|id| open(folder, findings, *id)).collect()
}

fn open(folder: &RunFolder, findings: &Findings, id: EvidenceId) -> Option<Raw> {
    let evidence = findings.evidence.get(id.0)?;
    let place = findings.places.get(id.0).and_then(Option::as_ref);
    let excerpt = match place {
        None => trouble("the run folder does not hold it"),
        Some(place) => {
            let read = match evidence {
                Evidence::Requests { probe, from, to, .. } => {
                    requests(folder, findings, place, *probe, *from..to.saturating_add(1)).map_err(|e| e.to_string())
                }
                _ => lines(folder, place).map_err(|e| e.to_string()),
            };
            read.unwrap_or_else(|error| trouble(&error))
        }
    };
    Some(Raw {
        id: id.to_string(),
        place: evidence.to_string(),
        bytes: place.map(|p| [p.bytes.start, p.bytes.end]),
        sha256: place.map(|p| p.digest.clone()),
        excerpt,
    })
}

fn trouble(why: &str) -> Excerpt {
    Excerpt { first: vec![], left_out: 0, last: vec![], trouble: Some(why.to_owned()) }
}

fn lines(folder: &RunFolder, place: &Place) -> io::Result<Excerpt> {
    let mut file = File::open(folder.path().join(&place.file))?;
    file.seek(SeekFrom::Start(place.bytes.start))?;
    let length = place.bytes.end.saturating_sub(place.bytes.start);
    let mut ends = Ends::default();
    for line in BufReader::new(file.take(length.min(READ))).split(b'\n') {
        ends.take(shown(&String::from_utf8_lossy(&line?)));
    }
    let trouble = (length > READ).then(|| format!("only the first {} were looked at", quantity::bytes(READ)));
    Ok(Excerpt { trouble, ..ends.excerpt() })
}

/// One line without anything that a terminal would act on, and not too long.
fn shown(line: &str) -> String {
    let clean = escape::plain(line);
    match clean.char_indices().nth(LINE) {
        Some((at, _)) => format!("{}… ({} bytes in all)", &clean[..at], line.len()),
        None => clean,
    }
}

/// The first and the last few of a stream.
#[derive(Default)]
struct Ends {
    first: Vec<String>,
    last: std::collections::VecDeque<String>,
    dropped: u64,
}

impl Ends {
    fn take(&mut self, line: String) {
        if self.first.len() < SHOWN {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > SHOWN {
            self.last.pop_front();
            self.dropped += 1;
        }
    }

    fn excerpt(self) -> Excerpt {
        Excerpt { first: self.first, left_out: self.dropped, last: self.last.into(), trouble: None }
    }
}

/// Requests stand in the order in which they ended; they are shown by their number.
fn requests(
    folder: &RunFolder,
    findings: &Findings,
    place: &Place,
    probe: ProbeId,
    wanted: Range<u64>,
) -> Result<Excerpt, RequestLogError> {
    let mut reader = RequestReader::open(&folder.requests())?;
    reader.skip_to(place.bytes.start)?;
    let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
    let mut met = 0u64;
    while let Some(block) = reader.next_block()? {
        let ours = block.samples.into_iter().filter(|s| block.probe == probe && wanted.contains(&s.index));
        for sample in ours {
            met += 1;
            first.insert(sample.index, sample);
            last.insert(sample.index, sample);
            if first.len() > SHOWN {
                first.pop_last();
            }
            if last.len() > SHOWN {
                last.pop_first();
            }
        }
        if reader.block_bytes().end >= place.bytes.end {
            break;
        }
    }
    last.retain(|index, _| !first.contains_key(index));
    let rows = |some: &BTreeMap<u64, Sample>| some.values().map(|s| row(findings, probe, s)).collect::<Vec<_>>();
    Ok(Excerpt {
        left_out: met.saturating_sub((first.len() + last.len()) as u64),
        first: rows(&first),
        last: rows(&last),
        trouble: None,
    })
}

/// `request 2022  due t+0.089s  sent 85us late  took 12.3ms  ok`
fn row(findings: &Findings, probe: ProbeId, sample: &Sample) -> String {
    let look = Look::at(findings);
    let schedule = findings.probes.get(usize::from(probe)).and_then(|p| p.schedule);
    let due = schedule.map_or_else(String::new, |s| {
        let at = s.interval_ns.checked_mul(sample.index).and_then(|since| since.checked_add(s.first_at));
        at.map_or_else(String::new, |at| format!("  due {}", look.when(at).t))
    });
    format!(
        "request {}{due}  sent {} late  took {}  {}",
        sample.index,
        quantity::span(sample.lateness_ns),
        quantity::span(sample.service_ns),
        sample.class.name()
    )
}
