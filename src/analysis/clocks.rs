//! Stamps of others (the engine, an alert source) on our clock. How far the two are apart is measured several times a
//! run; each answer is good to half of the question's round trip, and to the grain of what it shows.

use super::Interval;
use crate::{
    clock::At,
    event::{Event, EventKind},
};
use jiff::Timestamp;

/// Translates the time of another clock to the run's.
#[derive(Debug, Default)]
pub struct Clock {
    started_ns: i128,
    /// When, and between what its lead over our clock lay then.
    readings: Vec<(At, Interval<i64>)>,
    /// What all readings agree on, if they do.
    agreed: Option<Interval<i64>>,
}

impl Clock {
    /// The engine's, from all comparisons of a run.
    pub fn of_engine(started: Timestamp, events: &[Event]) -> Clock {
        Clock::new(started, events, |event| match event.kind {
            EventKind::ClockCompared { offset_ns, rtt_ns } => {
                let half = i64::try_from(rtt_ns / 2).unwrap_or(i64::MAX);
                Some(Interval { low: offset_ns.saturating_sub(half), high: offset_ns.saturating_add(half) })
            }
            _ => None,
        })
    }

    /// The alert source's, from all its answers.
    pub fn of_alert_source(started: Timestamp, events: &[Event]) -> Clock {
        let started_ns = i64::try_from(started.as_nanosecond()).unwrap_or(i64::MAX);
        let ours = |at: At| started_ns.saturating_add(i64::try_from(at).unwrap_or(i64::MAX));
        Clock::new(started, events, |event| match event.kind {
            // It showed `from` at the earliest when it was asked, and `to` at the latest when it had answered.
            EventKind::AlertsRead { sent, clock_ns: Some([from, to]), .. } => {
                Some(Interval { low: from.saturating_sub(ours(event.at)), high: to.saturating_sub(ours(sent)) })
            }
            _ => None,
        })
    }

    fn new(started: Timestamp, events: &[Event], reading: impl Fn(&Event) -> Option<Interval<i64>>) -> Clock {
        let readings: Vec<_> = events.iter().filter_map(|event| Some((event.at, reading(event)?))).collect();
        let low = readings.iter().map(|(_, lead)| lead.low).max();
        let high = readings.iter().map(|(_, lead)| lead.high).min();
        let agreed = low.zip(high).filter(|(low, high)| low <= high).map(|(low, high)| Interval { low, high });
        Clock { started_ns: started.as_nanosecond(), readings, agreed }
    }

    /// How far it is ahead of ours, nanoseconds; everything that was measured if that does not agree.
    pub fn lead(&self) -> Option<Interval<i64>> {
        let all = || self.readings.iter().map(|(_, lead)| *lead);
        self.agreed.or_else(|| all().reduce(|a, b| Interval { low: a.low.min(b.low), high: a.high.max(b.high) }))
    }

    /// When a stamp of its lies on our clock; `near` is about when (clocks drift). `None` without any comparison.
    pub fn at(&self, stamp_ns: i64, near: At) -> Option<Interval<At>> {
        let lead = self.agreed.or_else(|| self.around(near))?;
        let since = i128::from(stamp_ns) - self.started_ns;
        let at = |lead: i64| At::try_from((since - i128::from(lead)).max(0)).unwrap_or(At::MAX);
        Some(Interval { low: at(lead.high), high: at(lead.low) })
    }

    /// Readings that contradict each other: what those next to the moment allow, taken together.
    fn around(&self, near: At) -> Option<Interval<i64>> {
        let next = self.readings.partition_point(|(at, _)| *at < near);
        let sides = [next.checked_sub(1), Some(next)];
        let found = sides.into_iter().flatten().filter_map(|i| self.readings.get(i)).map(|(_, lead)| *lead);
        found.reduce(|a, b| Interval { low: a.low.min(b.low), high: a.high.max(b.high) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(readings: &[(At, i64, u64)]) -> Clock {
        let event = |&(at, offset_ns, rtt_ns): &(At, i64, u64)| Event {
            seq: 0,
            at,
            kind: EventKind::ClockCompared { offset_ns, rtt_ns },
        };
        let events: Vec<Event> = readings.iter().map(event).collect();
        Clock::of_engine(Timestamp::from_second(1_000).unwrap(), &events)
    }

    const STARTED: i64 = 1_000_000_000_000;

    #[test]
    fn the_best_of_readings_that_agree_counts() {
        let clock = clock(&[(0, 500, 200), (10, 480, 1_000), (20, 530, 100)]);
        assert_eq!(clock.at(STARTED + 10_000, 5), Some(Interval { low: 9_420, high: 9_520 }));
    }

    #[test]
    fn readings_that_disagree_make_the_moment_vague() {
        let clock = clock(&[(0, 0, 20), (1_000, 5_000, 20), (2_000, 5_000, 20)]);
        assert_eq!(clock.at(STARTED + 10_000, 500), Some(Interval { low: 4_990, high: 10_010 }));
        assert_eq!(clock.at(STARTED + 10_000, 1_500), Some(Interval { low: 4_990, high: 5_010 }));
        assert_eq!(clock.at(STARTED + 10_000, 9_500), Some(Interval { low: 4_990, high: 5_010 }));
    }

    #[test]
    fn without_a_reading_the_engine_tells_nothing() {
        assert_eq!(clock(&[]).at(STARTED, 0), None);
        assert!(clock(&[(0, i64::MIN, u64::MAX)]).at(i64::MAX, 0).is_some(), "nothing panics");
    }
}
