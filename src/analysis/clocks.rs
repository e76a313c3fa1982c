//! The engine's stamps on our clock. How far the two are apart is measured several times a run; each answer is
//! good to half of the question's round trip.

use super::Interval;
use crate::{
    clock::At,
    event::{Event, EventKind},
};
use jiff::Timestamp;

/// Translates the engine's time to the run's.
#[derive(Debug, Default)]
pub struct EngineClock {
    started_ns: i128,
    /// When, and between what the engine's lead over our clock lay then.
    readings: Vec<(At, Interval<i64>)>,
    /// What all readings agree on, if they do.
    agreed: Option<Interval<i64>>,
}

impl EngineClock {
    /// From all comparisons of a run.
    pub fn new(started: Timestamp, events: &[Event]) -> EngineClock {
        let reading = |event: &Event| match event.kind {
            EventKind::ClockCompared { offset_ns, rtt_ns } => {
                let half = i64::try_from(rtt_ns / 2).unwrap_or(i64::MAX);
                let (low, high) = (offset_ns.saturating_sub(half), offset_ns.saturating_add(half));
                Some((event.at, Interval { low, high }))
            }
            _ => None,
        };
        let readings: Vec<_> = events.iter().filter_map(reading).collect();
        let low = readings.iter().map(|(_, lead)| lead.low).max();
        let high = readings.iter().map(|(_, lead)| lead.high).min();
        let agreed = low.zip(high).filter(|(low, high)| low <= high).map(|(low, high)| Interval { low, high });
        EngineClock { started_ns: started.as_nanosecond(), readings, agreed }
    }

    /// When the engine's stamp lies on our clock; `near` is about when (clocks drift). `None` without any comparison.
    pub fn at(&self, engine_ns: i64, near: At) -> Option<Interval<At>> {
        let lead = self.agreed.or_else(|| self.around(near))?;
        let since = i128::from(engine_ns) - self.started_ns;
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

    fn clock(readings: &[(At, i64, u64)]) -> EngineClock {
        let event = |&(at, offset_ns, rtt_ns): &(At, i64, u64)| Event {
            seq: 0,
            at,
            kind: EventKind::ClockCompared { offset_ns, rtt_ns },
        };
        let events: Vec<Event> = readings.iter().map(event).collect();
        EngineClock::new(Timestamp::from_second(1_000).unwrap(), &events)
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
