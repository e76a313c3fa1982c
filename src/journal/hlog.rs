//! `latency.hlog`: response and service times as an HdrHistogram interval log (V2), for the tools that read
//! those. An export of the request log: nothing here reads it back.
//!
//! One interval a second, by the second in which a request ended; tag `p` has the response times of probe
//! `p` (from the intended send), tag `p.service` its service times. Values are microseconds, the largest of
//! an interval is printed in milliseconds. Only answers and timeouts have latencies.

use super::requests::{Block, RequestLogError, RequestReader};
use crate::measure::{ProbeId, Schedule, Tally};
use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    time::Duration,
};

const SECOND_NS: u64 = 1_000_000_000;
/// An interval is written once requests have ended so many seconds after it: the log is in order to within
/// two. What comes later still makes an interval of its own, with the same time, which readers add.
const SETTLED_AFTER: u64 = 5;

/// Why there is no (whole) interval log.
#[derive(Debug, thiserror::Error)]
pub enum HlogError {
    /// The request log.
    #[error(transparent)]
    Requests(#[from] RequestLogError),
    /// The interval log.
    #[error("interval log: {0}")]
    Io(#[from] io::Error),
    /// A histogram that cannot be written: a bug.
    #[error("interval log: {0}")]
    Encode(String),
}

/// One probe, as far as its intervals are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Its name: the tag. Without commas and spaces, as names of probes are.
    pub name: String,
    /// When its requests were due.
    pub schedule: Schedule,
}

/// Writes the interval log of a request log. `started` is the wall time of moment 0. Requests of probes that
/// are not in `probes` are left out.
///
/// # Errors
/// If either file fails; what was written before a damaged block stays.
pub fn write(
    mut requests: RequestReader<impl Read>,
    probes: &BTreeMap<ProbeId, Tagged>,
    started: Timestamp,
    mut to: impl Write,
) -> Result<(), HlogError> {
    let mut serializer = V2DeflateSerializer::new();
    let log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[firedrill: values in microseconds]")
        .with_start_time(started.into())
        .with_base_time(started.into())
        .with_max_value_divisor(1000.0)
        .begin_log_with(&mut to, &mut serializer)?;
    let mut intervals = Intervals { probes, open: BTreeMap::new(), spare: Vec::new(), log };
    let mut block = Block { probe: 0, samples: Vec::new() };
    while requests.next_into(&mut block)? {
        let latest = intervals.take(&block);
        intervals.settle(latest.saturating_sub(SETTLED_AFTER))?;
    }
    intervals.settle(u64::MAX)?;
    to.flush()?;
    Ok(())
}

type Log<'a, 'b, W> = IntervalLogWriter<'a, 'b, W, V2DeflateSerializer>;

struct Intervals<'a, 'b, W: Write> {
    probes: &'a BTreeMap<ProbeId, Tagged>,
    /// By second, then probe: the order in which they are written.
    open: BTreeMap<(u64, ProbeId), Tally>,
    /// Empty ones that keep their memory.
    spare: Vec<Tally>,
    log: Log<'a, 'b, W>,
}

impl<W: Write> Intervals<'_, '_, W> {
    /// Counts a block; says in which second its last request ended.
    fn take(&mut self, block: &Block) -> u64 {
        let Some(probe) = self.probes.get(&block.probe) else { return 0 };
        let mut latest = 0;
        for sample in block.samples.iter().filter(|sample| sample.class.timed()) {
            let second = (probe.schedule.intended(sample.index) + sample.response_ns()) / SECOND_NS;
            let spare = &mut self.spare;
            let tally = self.open.entry((second, block.probe)).or_insert_with(|| spare.pop().unwrap_or_default());
            tally.add(sample);
            latest = latest.max(second);
        }
        latest
    }

    /// Writes the intervals before this second.
    fn settle(&mut self, before: u64) -> Result<(), HlogError> {
        while let Some(entry) = self.open.first_entry()
            && entry.key().0 < before
        {
            let ((second, probe), mut tally) = entry.remove_entry();
            self.write(second, &self.probes[&probe].name, &tally)?;
            tally.clear();
            self.spare.push(tally);
        }
        Ok(())
    }

    fn write(&mut self, second: u64, name: &str, tally: &Tally) -> Result<(), HlogError> {
        let from = Duration::from_secs(second);
        let service = format!("{name}.service");
        for (tag, values) in [(name, tally.response_histogram()), (&service, tally.service_histogram())] {
            self.log
                .write_histogram(values, from, Duration::from_secs(1), Tag::new(tag))
                .map_err(|e| HlogError::Encode(e.to_string()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::requests::RequestWriter,
        measure::{Class, Sample},
    };
    use std::process::Command;

    const MS: u64 = 1_000_000;

    /// Two probes over three seconds: 100/s with 1 to 100 ms, and 1/s that was refused once.
    fn hlog(folder: &tempfile::TempDir) -> std::path::PathBuf {
        let path = folder.path().join("requests.bin");
        let writer = RequestWriter::create(&path).unwrap();
        let sample = |index, class, service_ms| Sample {
            index,
            class,
            lateness_ns: MS,
            waited_ns: 0,
            service_ns: service_ms * MS,
        };
        let api: Vec<Sample> = (0..300).map(|n| sample(n, Class::Ok, n % 100 + 1)).collect();
        writer.sink().push(0, api.into());
        writer.sink().push(1, [sample(0, Class::Ok, 7), sample(1, Class::Refused, 1)].into());
        writer.finish().unwrap();
        let schedule = |interval_ms| Schedule { first_at: 0, interval_ns: interval_ms * MS };
        let probes = [
            (0, Tagged { name: "api".into(), schedule: schedule(10) }),
            (1, Tagged { name: "cache".into(), schedule: schedule(1000) }),
        ];
        let to = folder.path().join("latency.hlog");
        let started = "2026-03-01T10:00:00Z".parse().unwrap();
        write(RequestReader::open(&path).unwrap(), &probes.into(), started, std::fs::File::create(&to).unwrap())
            .unwrap();
        to
    }

    #[test]
    fn one_interval_a_second_and_probe_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(hlog(&folder)).unwrap();
        let heads: Vec<String> = text
            .lines()
            .map(|line| if line.starts_with('#') { line.into() } else { line.rsplit_once(',').unwrap().0.to_owned() })
            .collect();
        insta::assert_snapshot!(heads.join("\n"));
    }

    /// What another implementation of the format reads: Python's `hdrhistogram`, where it is installed.
    #[test]
    fn other_tools_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = hlog(&folder);
        let python = std::env::var("FIREDRILL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = "import sys\n\
            from hdrh.histogram import HdrHistogram\n\
            from hdrh.log import HistogramLogReader\n\
            sums = {}\n\
            reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3600000000, 3))\n\
            while (h := reader.get_next_interval_histogram()):\n\
            \x20   sums.setdefault(h.get_tag(), HdrHistogram(1, 3600000000, 3)).add(h)\n\
            for tag, h in sorted(sums.items()):\n\
            \x20   print(tag, h.total_count, h.get_value_at_percentile(50), h.get_value_at_percentile(99))\n";
        let run = Command::new(&python).args(["-c", script]).arg(&path).output();
        match run {
            Ok(output) if output.status.success() => assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                "api 300 51007 100031\napi.service 300 50015 99007\ncache 1 8003 8003\ncache.service 1 7003 7003\n"
            ),
            _ => eprintln!("SKIPPED: {python} has no `hdrhistogram`; set FIREDRILL_TEST_PYTHON to one that has"),
        }
    }
}
