//! A narrow link: so many bits a second, with a burst that passes at once and a queue that is not endless.

use crate::units::{Bytes, Span};
use serde::{Deserialize, Serialize};

/// A limit. Packets count with their IP header, without the link's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Bits a second.
    pub bits_per_second: u64,
    /// What passes at once after a rest.
    #[serde(default)]
    pub burst: Bytes,
    /// How much may wait; more is dropped. 200 ms of the rate, and at least ten full packets, unless given.
    #[serde(default)]
    pub queue: Option<Bytes>,
}

const QUEUE: Span = Span::millis(200);
const QUEUE_LEAST: f64 = 15_000.0;

/// A [`RateLimit`] at work: when the link will have sent all that it took.
#[derive(Debug, Clone)]
pub struct Link {
    ns_per_byte: f64,
    burst_ns: f64,
    queue_ns: f64,
    busy_until: f64,
}

impl Link {
    /// An idle link.
    pub fn new(limit: RateLimit) -> Link {
        let ns_per_byte = 8e9 / limit.bits_per_second as f64;
        let queue = limit.queue.map_or((QUEUE.ns() as f64 / ns_per_byte).max(QUEUE_LEAST), |bytes| bytes.0 as f64);
        Link {
            ns_per_byte,
            burst_ns: limit.burst.0 as f64 * ns_per_byte,
            queue_ns: queue * ns_per_byte,
            busy_until: 0.0,
        }
    }

    /// When a packet of `length` bytes that comes at `at` has left (nanoseconds); `None` if the queue is full.
    pub fn send(&mut self, at: u64, length: usize) -> Option<u64> {
        let now = at as f64;
        let start = self.busy_until.max(now);
        if start - now - self.burst_ns > self.queue_ns {
            return None;
        }
        self.busy_until = start + length as f64 * self.ns_per_byte;
        Some((self.busy_until - self.burst_ns).max(now).round() as u64)
    }
}

impl RateLimit {
    /// # Errors
    /// A rate of nothing.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.bits_per_second == 0 { Err("a rate of 0 bit/s is a blackhole; say so".into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(burst: u64, queue: Option<u64>) -> Link {
        Link::new(RateLimit { bits_per_second: 8_000_000, burst: Bytes(burst), queue: queue.map(Bytes) })
    }

    #[test]
    fn packets_leave_one_after_the_other_at_the_rate() {
        let mut link = link(0, None);
        assert_eq!([link.send(0, 1000), link.send(0, 1000)], [Some(1_000_000), Some(2_000_000)]);
        assert_eq!(link.send(10_000_000, 500), Some(10_500_000), "an idle link saves nothing up");
    }

    #[test]
    fn a_burst_passes_at_once_after_a_rest() {
        let mut link = link(2000, None);
        let sent: Vec<_> = (0..4).map(|_| link.send(5_000_000, 1000)).collect();
        assert_eq!(sent, [Some(5_000_000), Some(5_000_000), Some(6_000_000), Some(7_000_000)]);
    }

    #[test]
    fn a_full_queue_drops() {
        let mut link = link(0, Some(2500));
        let sent = (0..5).filter(|_| link.send(0, 1000).is_some()).count();
        assert_eq!(sent, 3, "the third starts to wait behind 2000 bytes, the fourth would behind 3000");
        assert!(link.send(3_000_000, 1000).is_some());
    }
}
