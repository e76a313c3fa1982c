//! What one fault did, counted in the packet thread.

use super::protocol::{Counters, Spread};
use base64::Engine as _;
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};

/// The greatest delay that is told apart: ten minutes, in microseconds.
const MOST_US: u64 = 600_000_000;

/// Counts and times of one fault.
pub struct Tally {
    /// The counts; those of the kernel and of the whole agent are filled in by others.
    pub counts: Counters,
    achieved: Histogram<u32>,
    late: Histogram<u32>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { counts: Counters::default(), achieved: histogram(), late: histogram() }
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, MOST_US, 3).expect("three digits between 1 and ten minutes are sensible bounds")
}

impl Tally {
    /// A packet was let go after this time, so much later than due (nanoseconds).
    pub fn released(&mut self, achieved: u64, late: u64) {
        self.achieved.saturating_record(achieved / 1000);
        self.late.saturating_record(late / 1000);
    }

    /// All of it.
    pub fn counters(&self) -> Counters {
        Counters { achieved: spread(&self.achieved), late: spread(&self.late), ..self.counts.clone() }
    }
}

fn spread(histogram: &Histogram<u32>) -> Option<Spread> {
    if histogram.is_empty() {
        return None;
    }
    let at = |percentile| histogram.value_at_percentile(percentile) * 1000;
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(Spread {
        count: histogram.len(),
        p50: at(50.0),
        p90: at(90.0),
        p99: at(99.0),
        max: histogram.max() * 1000,
        hdr: base64::engine::general_purpose::STANDARD.encode(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_percentiles() {
        let mut tally = Tally::default();
        assert_eq!(tally.counters().achieved, None);
        for ms in 1..=100 {
            tally.released(ms * 1_000_000, 5_000);
        }
        let counters = tally.counters();
        let achieved = counters.achieved.expect("some");
        assert_eq!(achieved.count, 100);
        assert!((49_900_000..50_100_000).contains(&achieved.p50), "{}", achieved.p50);
        assert_eq!(counters.late.expect("some").max, 5_000);
    }
}
