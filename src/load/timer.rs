//! A timer of the kernel's. tokio's own timers round up to the next millisecond: too coarse to pace with.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::{
    io,
    os::fd::OwnedFd,
    task::{Context, Poll, ready},
};
use tokio::io::{Interest, unix::AsyncFd};

/// Wakes its task once, after a time that is exact to some ten microseconds.
#[derive(Debug)]
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// Not armed yet. Call it inside a runtime.
    #[expect(deprecated, reason = "its successor is unsafe to call; an OwnedFd keeps the promise that it asks for")]
    pub fn new() -> io::Result<Timer> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Timer(AsyncFd::with_interest(fd, Interest::READABLE)?))
    }

    /// Wakes the task so many nanoseconds from now, at least one; forgets any earlier time.
    pub fn arm(&mut self, after_ns: u64) -> io::Result<()> {
        let after_ns = after_ns.max(1);
        let it_value =
            Timespec { tv_sec: (after_ns / 1_000_000_000) as i64, tv_nsec: (after_ns % 1_000_000_000) as i64 };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        Ok(())
    }

    /// Ready once the time has come. Arming sets the kernel's count back to zero, so it is never read.
    pub fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}
