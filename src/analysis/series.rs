//! The requests of one probe, side by side in the order in which they were due: five bytes each.
//!
//! Because they are due in order, every tick and every phase is one stretch of these columns.

use crate::{
    clock::At,
    measure::{BEHIND_NS, Class, Sample, Schedule},
};
use std::ops::Range;

const CLASS: u8 = 0b111;
const LATE: u8 = 1 << 3;
const LOGGED: u8 = 1 << 7;
/// In the log, ended well, and not sent late by the generator.
const GOOD: u8 = LOGGED | Class::Ok as u8;

/// Requests of one probe by their number in its schedule.
#[derive(Debug, Clone)]
pub struct Series {
    schedule: Schedule,
    /// Requests due before the end of the watch; later ones are ignored, as nothing is judged there.
    due: usize,
    flags: Vec<u8>,
    response_us: Vec<u32>,
}

/// No drill sends more requests to one probe: 20,000 a second for a day.
const MOST: u64 = 1 << 31;

impl Series {
    /// For the requests due before `until`. `None` if the schedule makes no sense (a damaged journal).
    pub fn new(schedule: Schedule, until: At) -> Option<Series> {
        let sound = schedule.interval_ns > 0 && schedule.first_at < 1 << 62 && until < 1 << 62;
        let due = sound.then(|| schedule.due_before(until)).filter(|due| *due <= MOST)?;
        let due = usize::try_from(due).ok()?;
        Some(Series { schedule, due, flags: Vec::new(), response_us: Vec::new() })
    }

    /// Takes one request; false if it is not one of those that were due.
    pub fn put(&mut self, sample: &Sample) -> bool {
        let Some(index) = usize::try_from(sample.index).ok().filter(|i| *i < self.due) else { return false };
        if index >= self.flags.len() {
            self.flags.resize(index + 1, 0);
            self.response_us.resize(index + 1, 0);
        }
        let late = if sample.own_lateness_ns() > BEHIND_NS { LATE } else { 0 };
        self.flags[index] = LOGGED | late | sample.class as u8;
        let response = sample.lateness_ns.saturating_add(sample.service_ns) / 1000;
        self.response_us[index] = u32::try_from(response).unwrap_or(u32::MAX);
        true
    }

    /// When requests are due.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// Nanoseconds between requests.
    pub fn interval(&self) -> u64 {
        self.schedule.interval_ns
    }

    /// When a request was due.
    pub fn intended(&self, index: usize) -> At {
        self.schedule.intended(index as u64)
    }

    /// The requests due in this stretch of time.
    pub fn due_in(&self, window: Range<At>) -> Range<usize> {
        let before = |at: At| (self.schedule.due_before(at.min(1 << 62)) as usize).min(self.due);
        before(window.start)..before(window.end).max(before(window.start))
    }

    /// How a request ended; `None` if the log does not hold it.
    #[inline]
    pub fn class(&self, index: usize) -> Option<Class> {
        let flags = *self.flags.get(index)?;
        if flags & LOGGED == 0 { None } else { Class::from_code(flags & CLASS) }
    }

    /// Whether the generator sent it late by its own fault.
    #[inline]
    pub fn late(&self, index: usize) -> bool {
        self.flags.get(index).is_some_and(|flags| flags & LATE != 0)
    }

    /// Ended - intended, in microseconds; 0 if the log does not hold it.
    #[inline]
    pub fn response_us(&self, index: usize) -> u32 {
        self.response_us.get(index).copied().unwrap_or(0)
    }

    /// When a request ended.
    pub fn ended(&self, index: usize) -> At {
        self.intended(index) + u64::from(self.response_us(index)) * 1000
    }

    /// Whether it ended well.
    #[inline]
    pub fn ok(&self, index: usize) -> bool {
        self.class(index) == Some(Class::Ok)
    }

    /// How requests ended, by class code, and how many the log does not hold.
    pub fn tally(&self, requests: Range<usize>) -> Tally {
        let mut tally = Tally { offered: requests.len() as u64, ..Tally::default() };
        let logged = &self.flags[self.logged(requests)];
        // Most stretches hold nothing but good answers, and those can be counted many at a time.
        let good = logged.iter().filter(|flags| **flags == GOOD).count();
        if good == logged.len() {
            tally.by_class[Class::Ok as usize] = good as u64;
            return tally;
        }
        for flags in logged {
            if flags & LOGGED != 0 {
                tally.by_class[usize::from(flags & CLASS)] += 1;
                tally.late += u64::from(flags & LATE != 0);
            }
        }
        tally
    }

    /// How many of those that count in percentiles took longer than this.
    pub fn slower(&self, requests: Range<usize>, bound_us: u32) -> u64 {
        let logged = self.logged(requests);
        if self.all_good(&logged) {
            return self.response_us[logged].iter().filter(|response| **response > bound_us).count() as u64;
        }
        let timed = |i: &usize| self.class(*i).is_some_and(Class::timed);
        logged.filter(|i| self.response_us[*i] > bound_us && timed(i)).count() as u64
    }

    fn logged(&self, requests: Range<usize>) -> Range<usize> {
        requests.start.min(self.flags.len())..requests.end.min(self.flags.len())
    }

    fn all_good(&self, logged: &Range<usize>) -> bool {
        self.flags[logged.clone()].iter().all(|flags| flags & !LATE == GOOD)
    }

    /// Response times (µs) of those that count in percentiles: answers and timeouts. Appended to `into`.
    pub fn timed(&self, requests: Range<usize>, into: &mut Vec<u32>) {
        let logged = self.logged(requests);
        if self.all_good(&logged) {
            into.extend_from_slice(&self.response_us[logged]);
            return;
        }
        for (flags, response) in self.flags[logged.clone()].iter().zip(&self.response_us[logged]) {
            let timed = Class::from_code(flags & CLASS).is_some_and(Class::timed);
            if flags & LOGGED != 0 && timed {
                into.push(*response);
            }
        }
    }
}

/// How many requests ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Due.
    pub offered: u64,
    /// Logged, by class code.
    pub by_class: [u64; 8],
    /// Sent late by the generator's own fault.
    pub late: u64,
}

impl Tally {
    /// In the log.
    pub fn logged(&self) -> u64 {
        self.by_class.iter().sum()
    }

    /// Due and not in the log.
    pub fn missing(&self) -> u64 {
        self.offered - self.logged()
    }

    /// Ended well.
    pub fn ok(&self) -> u64 {
        self.by_class[Class::Ok as usize]
    }

    /// Ended otherwise.
    pub fn failed(&self) -> u64 {
        self.logged() - self.ok()
    }

    /// Failed in a way that a late generator cannot be blamed for.
    pub fn failed_hard(&self) -> u64 {
        self.failed() - self.by_class[Class::Timeout as usize] - self.by_class[Class::NotSent as usize]
    }

    /// Answers and timeouts.
    pub fn timed(&self) -> u64 {
        Class::ALL.iter().filter(|class| class.timed()).map(|class| self.by_class[*class as usize]).sum()
    }

    /// Takes one request out that belongs elsewhere.
    pub fn remove(&mut self, class: Class, late: bool) {
        self.offered = self.offered.saturating_sub(1);
        let count = &mut self.by_class[class as usize];
        *count = count.saturating_sub(1);
        self.late = self.late.saturating_sub(u64::from(late));
    }

    /// Adds one request that was due elsewhere.
    pub fn add(&mut self, class: Class, late: bool) {
        self.offered += 1;
        self.by_class[class as usize] += 1;
        self.late += u64::from(late);
    }
}

/// A series made of a rule instead of a log, for tests: class and response time of each request.
#[cfg(test)]
pub fn made_up(rate: f64, seconds: f64, rule: impl Fn(usize, At) -> (Class, u64)) -> Series {
    let schedule = Schedule { first_at: 0, interval_ns: (1e9 / rate) as u64 };
    let mut series = Series::new(schedule, (seconds * 1e9) as u64).expect("a sound schedule");
    for index in 0..series.due {
        let (class, service_ns) = rule(index, schedule.intended(index as u64));
        series.put(&Sample { index: index as u64, class, lateness_ns: 0, waited_ns: 0, service_ns });
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_due_is_refused_and_what_is_missing_is_counted() {
        let mut series = Series::new(Schedule { first_at: 0, interval_ns: 1_000_000 }, 10_000_000).unwrap();
        let sample =
            |index, class| Sample { index, class, lateness_ns: 11_000_000, waited_ns: 500_000, service_ns: 1_000 };
        assert!(series.put(&sample(3, Class::Refused)));
        assert!(series.put(&sample(4, Class::Ok)));
        assert!(!series.put(&sample(10, Class::Ok)) && !series.put(&sample(u64::MAX, Class::Ok)));
        let tally = series.tally(series.due_in(0..u64::MAX));
        assert_eq!((tally.offered, tally.missing(), tally.ok(), tally.failed(), tally.late), (10, 8, 1, 1, 2));
        assert_eq!((series.class(3), series.class(5), series.class(99)), (Some(Class::Refused), None, None));
        assert_eq!(series.ended(4), 4_000_000 + 11_001_000);
    }

    #[test]
    fn nonsense_schedules_are_refused() {
        assert!(Series::new(Schedule { first_at: 0, interval_ns: 0 }, 1).is_none());
        assert!(Series::new(Schedule { first_at: u64::MAX, interval_ns: 1 }, u64::MAX).is_none());
    }
}
