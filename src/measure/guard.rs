//! Guards: a limit pooled over a sliding window.

use super::{Reading, Sample, Slice, Tally, judge};
use crate::{clock::At, event::Guard, event::Limit, event::Metric, units::Span};
use std::{collections::VecDeque, fmt, sync::Arc};

/// Why a guard tripped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trip {
    /// Its condition held over the window.
    Condition(Reading),
    /// Requests were under way, and none ended for as long as the window.
    NoData(Span),
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trip::Condition(reading) => write!(f, "{reading}"),
            Trip::NoData(window) => write!(f, "no request ended in {window}"),
        }
    }
}

/// What a guard needs to know of one slice.
#[derive(Debug)]
struct Part {
    to: At,
    offered: u64,
    samples: Arc<[Sample]>,
    /// Samples that count against the limit: failures, or answers beyond the bound.
    against: u64,
}

/// One guard over the slices of its probe. A guard says nothing before its window has been filled once.
#[derive(Debug)]
pub struct SlidingGuard {
    limit: Limit,
    window: Span,
    since: Option<At>,
    parts: VecDeque<Part>,
    ended: u64,
    against: u64,
}

impl SlidingGuard {
    /// Nothing seen yet.
    pub fn new(guard: &Guard) -> SlidingGuard {
        SlidingGuard {
            limit: guard.limit,
            window: guard.window,
            since: None,
            parts: VecDeque::new(),
            ended: 0,
            against: 0,
        }
    }

    /// Takes the next slice of the guard's probe; says so if the condition holds over the window up to it.
    pub fn take(&mut self, slice: &Slice) -> Option<Trip> {
        self.slide(slice);
        let full = slice.to.saturating_sub(*self.since.get_or_insert(slice.from)) >= self.window.ns();
        if !full {
            return None;
        }
        if self.ended == 0 {
            let under_way = u64::from(slice.in_flight) + slice.backlog > 0;
            return under_way.then_some(Trip::NoData(self.window));
        }
        // A share of the window that is nowhere near the bound needs no histogram.
        if self.may_hold() { self.condition() } else { None }
    }

    /// Whether slices have stopped coming for as long as the window: then the load itself is gone.
    pub fn silent(&self, now: At) -> bool {
        self.parts.back().is_some_and(|last| now.saturating_sub(last.to) >= self.window.ns())
    }

    fn slide(&mut self, slice: &Slice) {
        let against = slice.samples.iter().filter(|sample| self.counts_against(sample)).count() as u64;
        self.ended += slice.samples.len() as u64;
        self.against += against;
        let samples = Arc::clone(&slice.samples);
        self.parts.push_back(Part { to: slice.to, offered: slice.offered, samples, against });
        while let Some(first) = self.parts.front()
            && first.to + self.window.ns() <= slice.to
        {
            self.ended -= first.samples.len() as u64;
            self.against -= first.against;
            self.parts.pop_front();
        }
    }

    fn counts_against(&self, sample: &Sample) -> bool {
        match self.limit.metric {
            Metric::Errors(_) => sample.class != super::Class::Ok,
            Metric::Latency { bound, .. } => sample.class.timed() && sample.response_ns() >= bound.ns() / 1000 * 999,
        }
    }

    /// False only if the condition is an upper one and clearly not met.
    fn may_hold(&self) -> bool {
        use crate::event::Comparison::{Above, AtLeast};
        self.against > 0 || !matches!(self.limit.op, AtLeast | Above)
    }

    fn condition(&self) -> Option<Trip> {
        let mut tally = Tally::new();
        for part in &self.parts {
            tally.offer(part.offered);
            part.samples.iter().for_each(|sample| tally.add(sample));
        }
        let reading = judge(self.limit, &tally);
        (reading.holds == Some(true)).then_some(Trip::Condition(reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Comparison,
        measure::{Class, SLICE_NS},
        units::Percent,
    };

    fn guard(metric: Metric, window: u64) -> SlidingGuard {
        let limit = Limit { metric, op: Comparison::Above };
        SlidingGuard::new(&Guard { probe: "p".into(), limit, window: Span::secs(window) })
    }

    /// A tenth of a second at 100/s.
    fn slice(number: u64, class: Class, service_ms: u64, in_flight: u32) -> Slice {
        let sample = Sample { index: 0, class, lateness_ns: 0, waited_ns: 0, service_ns: service_ms * 1_000_000 };
        let samples = if in_flight > 0 { vec![] } else { vec![sample; 10] };
        let from = number * SLICE_NS;
        Slice { probe: 0, from, to: from + SLICE_NS, offered: 10, samples: samples.into(), in_flight, backlog: 0 }
    }

    #[test]
    fn errors_are_pooled_over_the_window() {
        let mut guard = guard(Metric::Errors(Percent(0.3)), 10);
        let broken_from = 150;
        let trip = (0..400).find_map(|n| {
            let class = if n < broken_from { Class::Ok } else { Class::Refused };
            guard.take(&slice(n, class, 1, 0)).map(|trip| (n, trip))
        });
        let (at, trip) = trip.unwrap();
        assert_eq!(at, broken_from + 30, "after 3.1 s of a total outage");
        assert_eq!(trip.to_string(), "errors 31%, limit > 30% (n 1000)");
    }

    #[test]
    fn nothing_trips_before_the_window_was_full_once() {
        let mut guard = guard(Metric::Errors(Percent(0.3)), 10);
        let first = (0..400).find(|n| guard.take(&slice(*n, Class::Refused, 1, 0)).is_some());
        assert_eq!(first, Some(99));
    }

    #[test]
    fn slow_answers_trip_a_latency_guard() {
        let bound = Span::millis(400);
        let mut guard = guard(Metric::Latency { quantile: 0.9, bound }, 2);
        assert!((0..100).all(|n| guard.take(&slice(n, Class::Ok, 5, 0)).is_none()));
        let first = (100..200).find(|n| guard.take(&slice(*n, Class::Ok, 900, 0)).is_some());
        assert_eq!(first, Some(102), "more than a tenth of 20 slices");
    }

    #[test]
    fn silence_trips_it_too() {
        let mut guard = guard(Metric::Errors(Percent(0.3)), 2);
        assert!((0..100).all(|n| guard.take(&slice(n, Class::Ok, 5, 0)).is_none()));
        let trip = (100..200).find_map(|n| guard.take(&slice(n, Class::Ok, 5, 7)).map(|trip| (n, trip)));
        assert_eq!(trip, Some((119, Trip::NoData(Span::secs(2)))));
        assert!(!guard.silent(13_900_000_000) && guard.silent(14_000_000_000));
    }
}
