//! Which request is due, waiting, under way or over. Pure: time is passed in.

use crate::{
    clock::At,
    measure::{Class, ProbeId, SLICE_NS, Sample, Schedule, Slice},
};
use std::collections::VecDeque;

/// A request that may be sent now: it has a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Its number in the schedule.
    pub index: u64,
    /// When it was due.
    pub intended: At,
    /// When it will have taken too long.
    pub deadline: At,
    /// How long it waited for its slot, in nanoseconds.
    pub waited_ns: u64,
}

/// A request that was due while all slots were taken.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    index: u64,
    /// When we saw that it was due and that no slot was free. What lies between intended and this is our
    /// own lateness, what lies after it the server's doing.
    noticed: At,
}

/// Paces one probe: an open loop with a bounded number of slots.
#[derive(Debug)]
pub struct Pacer {
    schedule: Schedule,
    timeout_ns: u64,
    slots: u32,
    in_flight: u32,
    next: u64,
    /// Nothing due at or after this is sent.
    stop: At,
    waiting: VecDeque<Waiting>,
    samples: Vec<Sample>,
    sliced: At,
}

impl Pacer {
    /// Starts at the first request of the schedule.
    pub fn new(schedule: Schedule, timeout_ns: u64, max_in_flight: u32) -> Pacer {
        Pacer {
            schedule,
            timeout_ns,
            slots: max_in_flight.max(1),
            in_flight: 0,
            next: 0,
            stop: At::MAX,
            waiting: VecDeque::new(),
            samples: Vec::new(),
            sliced: schedule.first_at / SLICE_NS * SLICE_NS,
        }
    }

    /// Nothing due at or after `at` will be sent. What was due before, was sent, or waits, goes on.
    pub fn stop(&mut self, at: At) {
        self.stop = self.stop.min(at);
    }

    /// The next request that is due and has a slot. Requests that are due without a slot start waiting.
    pub fn due(&mut self, now: At) -> Option<Job> {
        while self.next_due() <= now {
            let index = self.next;
            self.next += 1;
            if now >= self.deadline(index) {
                // We were held up for longer than its timeout.
                self.give_up(Waiting { index, noticed: now });
            } else if self.in_flight < self.slots {
                return Some(self.start(index, 0));
            } else {
                self.waiting.push_back(Waiting { index, noticed: now });
            }
        }
        None
    }

    /// Records how a request ended and frees its slot. An end after the deadline is a timeout, at its full
    /// time. [`Pacer::waiting`] may have the next use for the slot.
    pub fn ended(&mut self, job: Job, sent: At, ended: At, class: Class) {
        self.in_flight -= 1;
        let lateness_ns = sent.min(job.deadline) - job.intended;
        let (class, ended) = match class {
            Class::NotSent => (class, sent),
            _ if sent >= job.deadline => (Class::NotSent, sent),
            Class::Timeout => (class, job.deadline),
            _ if ended > job.deadline => (Class::Timeout, job.deadline),
            _ => (class, ended),
        };
        let service_ns = ended.saturating_sub(sent);
        self.samples.push(Sample { index: job.index, class, lateness_ns, waited_ns: job.waited_ns, service_ns });
    }

    /// The request that waited longest, if a slot is free for it.
    pub fn waiting(&mut self, now: At) -> Option<Job> {
        self.expire(now);
        if self.in_flight >= self.slots {
            return None;
        }
        let Waiting { index, noticed } = self.waiting.pop_front()?;
        Some(self.start(index, now.saturating_sub(noticed)))
    }

    /// Gives up what waited for its whole timeout.
    pub fn expire(&mut self, now: At) {
        while let Some(&first) = self.waiting.front()
            && self.deadline(first.index) <= now
        {
            self.waiting.pop_front();
            self.give_up(first);
        }
    }

    /// When there is something to do next, other than what answers bring.
    pub fn next_event(&self) -> At {
        let expiry = self.waiting.front().map_or(At::MAX, |first| self.deadline(first.index));
        self.next_due().min(expiry)
    }

    /// Whether all that was due before the stop has ended.
    pub fn finished(&self) -> bool {
        self.next_due() == At::MAX && self.in_flight == 0 && self.waiting.is_empty()
    }

    /// How many requests have been due so far.
    pub fn offered(&self) -> u64 {
        self.next
    }

    /// What was due and ended since the last slice.
    pub fn slice(&mut self, probe: ProbeId, to: At) -> Slice {
        let from = std::mem::replace(&mut self.sliced, to);
        let due = |at: At| self.schedule.due_before(at.min(self.stop));
        Slice {
            probe,
            from,
            to,
            offered: due(to) - due(from),
            samples: self.samples.drain(..).collect(),
            in_flight: self.in_flight,
            backlog: self.waiting.len() as u64,
        }
    }

    fn start(&mut self, index: u64, waited_ns: u64) -> Job {
        self.in_flight += 1;
        Job { index, intended: self.schedule.intended(index), deadline: self.deadline(index), waited_ns }
    }

    fn give_up(&mut self, request: Waiting) {
        let waited_ns = self.deadline(request.index).saturating_sub(request.noticed);
        let lateness_ns = self.timeout_ns;
        let index = request.index;
        self.samples.push(Sample { index, class: Class::NotSent, lateness_ns, waited_ns, service_ns: 0 });
    }

    fn deadline(&self, index: u64) -> At {
        self.schedule.intended(index).saturating_add(self.timeout_ns)
    }

    /// When the next request is due; never, once stopped.
    fn next_due(&self) -> At {
        let at = self.schedule.intended(self.next);
        if at < self.stop { at } else { At::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn pacer(slots: u32) -> Pacer {
        Pacer::new(Schedule { first_at: 10 * MS, interval_ns: MS }, 50 * MS, slots)
    }

    fn all_due(pacer: &mut Pacer, now: At) -> Vec<Job> {
        std::iter::from_fn(|| pacer.due(now)).collect()
    }

    #[test]
    fn each_request_is_due_once_at_its_time() {
        let mut pacer = pacer(100);
        assert!(pacer.due(10 * MS - 1).is_none());
        assert_eq!(pacer.next_event(), 10 * MS);
        let jobs = all_due(&mut pacer, 12 * MS);
        assert_eq!(jobs.iter().map(|j| j.intended).collect::<Vec<_>>(), [10 * MS, 11 * MS, 12 * MS]);
        assert_eq!(pacer.next_event(), 13 * MS);
    }

    #[test]
    fn a_full_house_is_the_servers_doing_and_not_ours() {
        let mut pacer = pacer(1);
        let first = pacer.due(10 * MS).unwrap();
        assert!(pacer.due(11 * MS).is_none(), "the only slot is taken");
        pacer.ended(first, 10 * MS, 40 * MS, Class::Ok);
        let second = pacer.waiting(40 * MS).unwrap();
        pacer.ended(second, 40 * MS, 45 * MS, Class::Ok);
        let sample = pacer.slice(0, 100 * MS).samples[1];
        assert_eq!((sample.lateness_ns, sample.waited_ns, sample.own_lateness_ns()), (29 * MS, 29 * MS, 0));
        assert_eq!(sample.response_ns(), 34 * MS);
    }

    #[test]
    fn what_waits_for_its_whole_timeout_is_not_sent() {
        let mut pacer = pacer(1);
        let _held = pacer.due(10 * MS).unwrap();
        assert!(pacer.due(12 * MS).is_none());
        pacer.expire(60 * MS + MS);
        let slice = pacer.slice(0, 100 * MS);
        let given_up =
            Sample { index: 1, class: Class::NotSent, lateness_ns: 50 * MS, waited_ns: 49 * MS, service_ns: 0 };
        assert_eq!((&slice.samples[..], slice.backlog, slice.in_flight), (&[given_up][..], 1, 1));
    }

    #[test]
    fn being_held_up_ourselves_is_our_own_lateness() {
        let mut pacer = pacer(1);
        let jobs = all_due(&mut pacer, 10 * MS + 70 * MS);
        assert_eq!(jobs[0].index, 21, "those before are past their timeout");
        let slice = pacer.slice(0, 100 * MS);
        assert_eq!(slice.samples.len(), 21);
        assert!(slice.samples.iter().all(|s| s.class == Class::NotSent && s.own_lateness_ns() == 50 * MS));
    }

    #[test]
    fn late_answers_are_timeouts_at_their_full_time() {
        let mut pacer = pacer(9);
        let job = pacer.due(10 * MS).unwrap();
        pacer.ended(job, 11 * MS, 61 * MS, Class::Ok);
        let sample = pacer.slice(0, 100 * MS).samples[0];
        assert_eq!((sample.class, sample.response_ns()), (Class::Timeout, 50 * MS));
    }

    #[test]
    fn a_stop_ends_it_once_all_is_answered() {
        let mut pacer = pacer(9);
        pacer.stop(12 * MS);
        let jobs = all_due(&mut pacer, 900 * MS / 20);
        assert_eq!((jobs.len(), pacer.finished()), (2, false));
        jobs.iter().for_each(|job| pacer.ended(*job, job.intended, job.intended + MS, Class::Ok));
        assert!(pacer.finished());
        assert_eq!(pacer.slice(0, 100 * MS).offered, 2);
    }
}
