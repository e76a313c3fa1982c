//! Reads the request log once, into one series a probe.

use super::{
    series::Series,
    windows::{JUDGED, Windows},
};
use crate::{
    clock::At,
    event::{Event, EventKind},
    journal::{RunFolder, requests::RequestLogError, requests::RequestReader},
    measure::{Class, ProbeId, Sample, Schedule},
};
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, ops::Range};

/// The requests of one probe, and what of them is only needed as a distribution.
#[derive(Debug, Clone)]
pub struct ProbeLog {
    /// Class and response time of each.
    pub series: Series,
    /// By position in [`JUDGED`].
    pub phases: [Spread; JUDGED.len()],
    /// First to last request due before the fault that belongs to `during`, by number.
    pub carried: Vec<usize>,
    /// Where its requests stand in the file, in order.
    pub blocks: Vec<BlockPlace>,
}

/// A block of the request log.
#[derive(Debug, Clone)]
pub struct BlockPlace {
    /// Its bytes in the file.
    pub bytes: Range<u64>,
    /// The lowest and the highest number of a request in it.
    pub requests: (u64, u64),
}

/// What a phase keeps beside the series: in microseconds, to three digits; the largest exactly.
#[derive(Debug, Clone)]
pub struct Spread {
    /// Ended - sent, of answers and timeouts.
    pub service: Histogram<u32>,
    /// Sent - intended, of all that were sent.
    pub lateness: Histogram<u32>,
    /// The largest service time, µs.
    pub service_max: u64,
    /// The largest lateness, µs.
    pub lateness_max: u64,
    /// The largest lateness by the generator's own fault, ns.
    pub own_max_ns: u64,
}

impl Spread {
    fn new() -> Spread {
        let histogram = || Histogram::new(3).expect("three digits are allowed");
        let (service, lateness) = (histogram(), histogram());
        Spread { service, lateness, service_max: 0, lateness_max: 0, own_max_ns: 0 }
    }

    #[inline]
    fn take(&mut self, sample: &Sample) {
        if sample.class.timed() {
            let us = sample.service_ns / 1000;
            self.service_max = self.service_max.max(us);
            record(&mut self.service, us);
        }
        if sample.class != Class::NotSent {
            let us = sample.lateness_ns / 1000;
            self.lateness_max = self.lateness_max.max(us);
            record(&mut self.lateness, us);
            self.own_max_ns = self.own_max_ns.max(sample.own_lateness_ns());
        }
    }
}

/// A histogram grows as needed; a value beyond all measure (a damaged log) counts as the largest it can hold.
#[inline]
fn record(histogram: &mut Histogram<u32>, us: u64) {
    if histogram.record(us.min(u64::from(u32::MAX))).is_err() {
        histogram.saturating_record(us);
    }
}

/// The whole log.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// By probe; only those that were started.
    pub probes: BTreeMap<ProbeId, ProbeLog>,
    /// What is wrong with it, for people.
    pub damage: Option<String>,
}

/// When requests were due, by probe.
pub fn schedules(events: &[Event]) -> BTreeMap<ProbeId, Schedule> {
    let started = events.iter().find_map(|e| match &e.kind {
        EventKind::LoadStarted { schedules } => Some(schedules.clone()),
        _ => None,
    });
    started.unwrap_or_default()
}

/// Reads it. A log that is missing, cut or damaged gives what there is.
pub fn read(folder: &RunFolder, schedules: &BTreeMap<ProbeId, Schedule>, windows: &Windows) -> RequestLog {
    let mut log = empty(schedules, windows.watch_end);
    if log.probes.is_empty() {
        return log;
    }
    log.damage = read_into(folder, &mut log.probes, windows).unwrap_or_else(|error| Some(error.to_string()));
    for probe in log.probes.values_mut() {
        probe.carried.sort_unstable();
        probe.carried.dedup();
    }
    log
}

fn empty(schedules: &BTreeMap<ProbeId, Schedule>, watch_end: At) -> RequestLog {
    let probe = |(id, schedule): (&ProbeId, &Schedule)| {
        let series = Series::new(*schedule, watch_end)?;
        Some((
            *id,
            ProbeLog {
                series,
                phases: std::array::from_fn(|_| Spread::new()),
                carried: Vec::new(),
                blocks: Vec::new(),
            },
        ))
    };
    RequestLog { probes: schedules.iter().filter_map(probe).collect(), damage: None }
}

fn read_into(
    folder: &RunFolder,
    probes: &mut BTreeMap<ProbeId, ProbeLog>,
    windows: &Windows,
) -> Result<Option<String>, RequestLogError> {
    let mut reader = RequestReader::open(&folder.requests())?;
    let mut block = crate::journal::requests::Block { probe: 0, samples: Vec::new() };
    while reader.next_into(&mut block)? {
        let Some(probe) = probes.get_mut(&block.probe) else { continue };
        block.samples.iter().for_each(|sample| probe.take(sample, windows));
        probe.placed(reader.block_bytes(), &block.samples);
    }
    Ok(reader.cut_short().then(|| "requests.bin ends without having been closed".into()))
}

impl ProbeLog {
    fn placed(&mut self, bytes: Range<u64>, samples: &[Sample]) {
        let numbers = || samples.iter().map(|sample| sample.index);
        if let (Some(low), Some(high)) = (numbers().min(), numbers().max()) {
            self.blocks.push(BlockPlace { bytes, requests: (low, high) });
        }
    }

    /// The bytes from the first to the last block that holds any of these requests.
    pub fn bytes_of(&self, from: u64, to: u64) -> Option<Range<u64>> {
        let mut holding = self.blocks.iter().filter(|block| block.requests.0 <= to && from <= block.requests.1);
        let first = holding.next()?;
        Some(first.bytes.start..holding.next_back().unwrap_or(first).bytes.end)
    }

    #[inline]
    fn take(&mut self, sample: &Sample, windows: &Windows) {
        if !self.series.put(sample) {
            return;
        }
        let intended = self.series.intended(sample.index as usize);
        let ended = intended.saturating_add(sample.lateness_ns).saturating_add(sample.service_ns);
        let Some(phase) = windows.phase_of(intended, ended) else { return };
        self.phases[phase].take(sample);
        if phase == 1 && windows.carried(intended, ended) {
            self.carried.push(sample.index as usize);
        }
    }
}
