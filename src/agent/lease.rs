//! When an agent lets go by itself: a pure account of time, asked by the session.

use super::protocol::{EndReason, Terms};
use std::time::{Duration, Instant};

/// How long an agent waits for the first word.
pub const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// The lease of one agent.
#[derive(Debug, Clone)]
pub struct Lease {
    terms: Terms,
    started: Instant,
    greeted: bool,
    heard: Instant,
}

impl Lease {
    /// Starts with the agent, whether or not anybody ever speaks.
    pub fn start(terms: Terms, now: Instant) -> Lease {
        Lease { terms, started: now, greeted: false, heard: now }
    }

    /// Its terms.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Whether somebody said hello.
    pub fn greeted(&self) -> bool {
        self.greeted
    }

    /// Somebody said hello.
    pub fn greet(&mut self, now: Instant) {
        self.greeted = true;
        self.hear(now);
    }

    /// Somebody said something sensible.
    pub fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Why it is over, if it is.
    pub fn over(&self, now: Instant) -> Option<EndReason> {
        let (end, why) = self.ends();
        if now >= end { Some(why) } else { None }
    }

    /// When it will be over if nobody says anything, and why.
    pub fn ends(&self) -> (Instant, EndReason) {
        let deadline = (self.started + self.terms.deadline.0, EndReason::Deadline);
        let silence = if self.greeted {
            (self.heard + self.terms.heartbeat.0, EndReason::Heartbeat)
        } else {
            (self.started + HELLO_WITHIN, EndReason::NoHello)
        };
        if deadline.0 <= silence.0 { deadline } else { silence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    fn lease() -> (Lease, Instant) {
        let now = Instant::now();
        (Lease::start(Terms { deadline: Span::secs(60), heartbeat: Span::secs(2) }, now), now)
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn without_a_hello_it_ends_after_five_seconds() {
        let (mut lease, start) = lease();
        lease.hear(after(start, 4000));
        assert_eq!(lease.over(after(start, 4999)), None);
        assert_eq!(lease.over(after(start, 5000)), Some(EndReason::NoHello));
    }

    #[test]
    fn silence_ends_it_and_every_word_renews_it() {
        let (mut lease, start) = lease();
        lease.greet(start);
        lease.hear(after(start, 1500));
        assert_eq!(lease.over(after(start, 3499)), None);
        assert_eq!(lease.over(after(start, 3500)), Some(EndReason::Heartbeat));
    }

    #[test]
    fn the_deadline_holds_whatever_is_said() {
        let (mut lease, start) = lease();
        lease.greet(start);
        for second in 0..60 {
            lease.hear(after(start, second * 1000));
        }
        assert_eq!(lease.over(after(start, 59_999)), None);
        assert_eq!(lease.over(after(start, 60_000)), Some(EndReason::Deadline));
    }
}
