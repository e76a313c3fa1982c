//! What one request came to, and the arithmetic over many: interval histograms, limits, guards.

mod guard;
mod limits;
mod slice;
mod tally;

pub use guard::{SlidingGuard, Trip};
pub use limits::{Reading, carries, judge};
pub use slice::{SLICE_NS, Slice};
pub use tally::{BEHIND_NS, Tally};

use serde::{Deserialize, Serialize};

/// How a request ended. Everything but [`Class::Ok`] counts as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Class {
    /// Answered, and as expected.
    Ok = 0,
    /// No (full) answer within the timeout, which counts from the intended time.
    Timeout = 1,
    /// The connection was refused, or no route or name led to the peer.
    Refused = 2,
    /// The connection was reset.
    Reset = 3,
    /// The connection ended before the answer did.
    Closed = 4,
    /// Answered with an unexpected status (HTTP status, exit code, health state).
    Status = 5,
    /// Answered with the right status and the wrong content.
    WrongContent = 6,
    /// Could not be sent before its timeout: no slot or connection came free.
    NotSent = 7,
}

impl Class {
    /// All of them, in the order of their codes.
    pub const ALL: [Class; 8] = [
        Class::Ok,
        Class::Timeout,
        Class::Refused,
        Class::Reset,
        Class::Closed,
        Class::Status,
        Class::WrongContent,
        Class::NotSent,
    ];

    /// The class with this code in the request log.
    pub fn from_code(code: u8) -> Option<Class> {
        Class::ALL.get(usize::from(code)).copied()
    }

    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Timeout => "timeout",
            Class::Refused => "refused",
            Class::Reset => "reset",
            Class::Closed => "closed",
            Class::Status => "unexpected status",
            Class::WrongContent => "wrong content",
            Class::NotSent => "not sent",
        }
    }

    /// Whether the target really answered.
    pub fn answered(self) -> bool {
        matches!(self, Class::Ok | Class::Status | Class::WrongContent)
    }

    /// Whether the response time counts in percentiles: answers, and timeouts at their full time.
    pub fn timed(self) -> bool {
        self.answered() || self == Class::Timeout
    }
}

/// Which probe (or load) of a run: its position in [`crate::event::Terms::probes`].
pub type ProbeId = u16;

/// One request, as the request log keeps it. All spans in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its number in the schedule of its probe; the intended time follows from it ([`Schedule`]).
    pub index: u64,
    /// How it ended.
    pub class: Class,
    /// Sent - intended (for [`Class::NotSent`]: given up - intended).
    pub lateness_ns: u64,
    /// The part of the lateness spent waiting for a free slot: the server's doing, not the generator's.
    pub waited_ns: u64,
    /// Ended - sent; 0 if it was never sent.
    pub service_ns: u64,
}

impl Sample {
    /// Ended - intended: free of coordinated omission.
    pub fn response_ns(&self) -> u64 {
        self.lateness_ns + self.service_ns
    }

    /// The lateness that the generator itself caused.
    pub fn own_lateness_ns(&self) -> u64 {
        self.lateness_ns.saturating_sub(self.waited_ns)
    }
}

/// When the requests of a probe are due. Exact: no rounding adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// When request 0 is due, in nanoseconds since the run started.
    pub first_at: u64,
    /// Nanoseconds between requests.
    pub interval_ns: u64,
}

impl Schedule {
    /// When the request with this number is due, in nanoseconds since the run started.
    pub fn intended(&self, index: u64) -> u64 {
        self.first_at + index * self.interval_ns
    }

    /// How many requests are due before `at`.
    pub fn due_before(&self, at: u64) -> u64 {
        at.saturating_sub(self.first_at).div_ceil(self.interval_ns)
    }
}
