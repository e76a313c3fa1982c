//! Many requests, counted: outcomes by class, and two latency histograms.

use super::{Class, Sample};
use crate::units::Span;
use hdrhistogram::Histogram;
use std::time::Duration;

/// A request that the generator itself sends later than this is late, in nanoseconds.
pub const BEHIND_NS: u64 = 10_000_000;

/// Requests of one probe over some time. Latencies are kept to three digits, from 1 us.
#[derive(Debug, Clone)]
pub struct Tally {
    offered: u64,
    counts: [u64; Class::ALL.len()],
    late: u64,
    response: Latencies,
    service: Latencies,
}

/// A histogram that knows its largest value exactly.
#[derive(Debug, Clone)]
struct Latencies {
    cells: Histogram<u64>,
    longest_us: u64,
}

impl Latencies {
    fn new() -> Latencies {
        Latencies { cells: Histogram::new(3).expect("three digits are allowed"), longest_us: 0 }
    }

    fn record(&mut self, ns: u64) {
        let us = (ns / 1000 + u64::from(ns % 1000 >= 500)).max(1);
        self.longest_us = self.longest_us.max(us);
        self.cells.record(us).expect("histograms grow as needed");
    }

    fn merge(&mut self, other: &Latencies) {
        self.longest_us = self.longest_us.max(other.longest_us);
        self.cells.add(&other.cells).expect("histograms grow as needed");
    }

    fn clear(&mut self) {
        self.longest_us = 0;
        self.cells.reset();
    }

    /// To the three digits of a cell; the longest is exact.
    fn quantile(&self, quantile: f64) -> Option<Span> {
        let us = self.cells.value_at_quantile(quantile).min(self.longest_us);
        (!self.cells.is_empty()).then_some(Span(Duration::from_micros(us)))
    }
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Tally {
        let counts = [0; Class::ALL.len()];
        Tally { offered: 0, counts, late: 0, response: Latencies::new(), service: Latencies::new() }
    }

    /// Requests that were due. Those that have not ended yet are offered as well.
    pub fn offer(&mut self, requests: u64) {
        self.offered += requests;
    }

    /// A request that ended.
    pub fn add(&mut self, sample: &Sample) {
        self.counts[sample.class as usize] += 1;
        if sample.own_lateness_ns() > BEHIND_NS {
            self.late += 1;
        }
        if sample.class.timed() {
            self.response.record(sample.response_ns());
            self.service.record(sample.service_ns);
        }
    }

    /// All that another tally counted.
    pub fn merge(&mut self, other: &Tally) {
        self.offered += other.offered;
        self.late += other.late;
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.response.merge(&other.response);
        self.service.merge(&other.service);
    }

    /// Forgets everything, and keeps its memory.
    pub fn clear(&mut self) {
        self.offered = 0;
        self.late = 0;
        self.counts = Default::default();
        self.response.clear();
        self.service.clear();
    }

    /// Requests that were due; never fewer than those that ended.
    pub fn offered(&self) -> u64 {
        self.offered.max(self.ended())
    }

    /// Requests that ended in this way.
    pub fn count(&self, class: Class) -> u64 {
        self.counts[class as usize]
    }

    /// Requests that ended in any way.
    pub fn ended(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Requests that ended otherwise than ok.
    pub fn failed(&self) -> u64 {
        self.ended() - self.count(Class::Ok)
    }

    /// The share of offered requests that ended otherwise than ok; `None` if none were offered.
    pub fn error_share(&self) -> Option<f64> {
        let offered = self.offered();
        (offered > 0).then(|| self.failed() as f64 / offered as f64)
    }

    /// Whether the generator was behind by its own fault: 1 % or more of the requests were late.
    pub fn behind(&self) -> bool {
        self.late > 0 && self.late * 100 >= self.ended()
    }

    /// Requests that the generator sent late by its own fault.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Requests whose latency counts: answers, and timeouts at their full time.
    pub fn timed(&self) -> u64 {
        self.response.cells.len()
    }

    /// The response time, from the intended send, that this share of answers and timeouts stays within.
    /// `None` without any. Whether so many carry that share is for [`super::carries`] to say.
    pub fn response(&self, quantile: f64) -> Option<Span> {
        self.response.quantile(quantile)
    }

    /// The service time, from the real send, that this share of answers and timeouts stays within.
    pub fn service(&self, quantile: f64) -> Option<Span> {
        self.service.quantile(quantile)
    }

    /// Response times in microseconds.
    pub fn response_histogram(&self) -> &Histogram<u64> {
        &self.response.cells
    }

    /// Service times in microseconds.
    pub fn service_histogram(&self) -> &Histogram<u64> {
        &self.service.cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(class: Class, lateness_ms: u64, waited_ms: u64, service_ms: u64) -> Sample {
        let ms = 1_000_000;
        Sample {
            index: 0,
            class,
            lateness_ns: lateness_ms * ms,
            waited_ns: waited_ms * ms,
            service_ns: service_ms * ms,
        }
    }

    #[test]
    fn refused_requests_are_errors_and_stay_out_of_latency() {
        let mut tally = Tally::new();
        (0..98).for_each(|_| tally.add(&sample(Class::Ok, 0, 0, 5)));
        tally.add(&sample(Class::Refused, 0, 0, 1));
        tally.add(&sample(Class::Timeout, 0, 0, 2000));
        assert_eq!((tally.failed(), tally.timed(), tally.error_share()), (2, 99, Some(0.02)));
        assert_eq!(tally.response(1.0), Some(Span::secs(2)));
        let p50 = tally.response(0.5).unwrap().ns();
        assert!((4_995_000..=5_005_000).contains(&p50), "{p50}");
    }

    #[test]
    fn unanswered_requests_are_offered_as_well() {
        let mut tally = Tally::new();
        assert_eq!(tally.error_share(), None);
        tally.offer(10);
        tally.add(&sample(Class::Refused, 0, 0, 1));
        assert_eq!(tally.error_share(), Some(0.1));
    }

    #[test]
    fn a_full_house_does_not_make_the_generator_late() {
        let mut tally = Tally::new();
        (0..100).for_each(|_| tally.add(&sample(Class::Ok, 2000, 1995, 5)));
        assert!(!tally.behind());
        tally.add(&sample(Class::Ok, 12, 0, 5));
        assert!(!tally.behind(), "1 of 101 is less than 1 %");
        tally.add(&sample(Class::Ok, 12, 0, 5));
        assert!(tally.behind());
    }

    #[test]
    fn merged_tallies_are_the_tally_of_all() {
        let (mut one, mut two, mut all) = (Tally::new(), Tally::new(), Tally::new());
        for n in 0..500 {
            let sample = sample(Class::ALL[n % 8], 1, 0, n as u64);
            if n % 3 == 0 {
                one.add(&sample)
            } else {
                two.add(&sample)
            }
            all.add(&sample);
        }
        one.merge(&two);
        assert_eq!((one.counts, one.response(0.9)), (all.counts, all.response(0.9)));
    }
}
