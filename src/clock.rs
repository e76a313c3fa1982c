//! The clock of a run: read the wall once, then count monotonically.
//!
//! A stepped wall clock (NTP, a person, a laptop lid) must not move a figure, so wall time is always
//! *wall at the start + monotonic time since*. This is the only file that reads the wall clock.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// A moment of a run: nanoseconds since its start, on the runner's monotonic clock.
pub type At = u64;

/// Wall start and monotonic origin of a run. Copies agree with each other.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    started: Timestamp,
    origin: Instant,
    /// How much of the run lies before the origin, nanoseconds.
    before: At,
    wall: Wall,
}

/// What shows the time of day.
#[derive(Debug, Clone, Copy)]
enum Wall {
    Real,
    /// Agrees with the run, but for a step that somebody makes it take.
    Pretended {
        from: At,
        by_ns: i64,
    },
}

impl RunClock {
    /// Starts counting now.
    pub fn start() -> RunClock {
        RunClock { started: Timestamp::now(), origin: Instant::now(), before: 0, wall: Wall::Real }
    }

    /// Starts counting now, pretending that the wall shows `started` (tests, replays).
    pub fn starting_at(started: Timestamp) -> RunClock {
        RunClock { started, origin: Instant::now(), before: 0, wall: Wall::Pretended { from: 0, by_ns: 0 } }
    }

    /// The same, but somebody sets the pretended wall at a moment of the run.
    pub fn stepping(self, from: At, by_ns: i64) -> RunClock {
        RunClock { wall: Wall::Pretended { from, by_ns }, ..self }
    }

    /// Goes on with a run that another process began: by the wall, which is all that both have, but never back
    /// behind `last`.
    pub fn resume(started: Timestamp, last: At) -> RunClock {
        let since = Timestamp::now().as_nanosecond() - started.as_nanosecond();
        let before = At::try_from(since).unwrap_or(0).max(last);
        RunClock { started, origin: Instant::now(), before, wall: Wall::Real }
    }

    /// What the wall showed when the run started.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Nanoseconds since the start of the run.
    pub fn now(&self) -> At {
        self.at(Instant::now())
    }

    /// A monotonic instant as a moment of this run; instants before the start are its start.
    pub fn at(&self, instant: Instant) -> At {
        let since = u64::try_from(instant.saturating_duration_since(self.origin).as_nanos());
        self.before.saturating_add(since.unwrap_or(u64::MAX))
    }

    /// A moment of this run as a monotonic instant, to sleep until.
    pub fn instant(&self, at: At) -> Instant {
        self.origin + Duration::from_nanos(at.saturating_sub(self.before))
    }

    /// A moment of this run as wall time.
    pub fn wall(&self, at: At) -> Timestamp {
        wall(self.started, at)
    }

    /// What the wall really shows now; to be compared with [`RunClock::wall`], never to be mixed with it.
    pub fn wall_really(&self) -> Timestamp {
        let Wall::Pretended { from, by_ns } = self.wall else { return Timestamp::now() };
        let now = self.now();
        let by = if now < from { 0 } else { by_ns };
        self.wall(now).checked_add(SignedDuration::from_nanos(by)).unwrap_or(Timestamp::MAX)
    }
}

/// The wall time `at` nanoseconds after `started`.
pub fn wall(started: Timestamp, at: At) -> Timestamp {
    let since = SignedDuration::from_nanos(i64::try_from(at).unwrap_or(i64::MAX));
    started.checked_add(since).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wall_time_is_the_start_plus_the_monotonic_time_since() {
        let clock = RunClock::starting_at("2026-03-01T10:00:00Z".parse().unwrap());
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.now(), 1_500_000_000);
        assert_eq!(clock.wall(clock.now()).to_string(), "2026-03-01T10:00:01.5Z");
        assert_eq!(clock.instant(clock.now()), Instant::now());
    }
}
