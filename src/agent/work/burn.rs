//! CPU time used up inside the target, so that its own limits and its neighbours feel it.

use super::{
    Figures, WorkError,
    threads::{Shared, Threads},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

/// How much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burn {
    /// Threads.
    pub workers: u32,
    /// What each of them uses of one core, in percent.
    pub load: u8,
}

impl fmt::Display for Burn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = if self.workers == 1 { "worker" } else { "workers" };
        write!(f, "burn CPU with {} {workers} at {}%", self.workers, self.load)
    }
}

/// A worker runs and rests in turns of this length.
const TURN: Duration = Duration::from_millis(20);

/// Burning, or about to.
pub struct Burner {
    burn: Burn,
    threads: Threads,
    from: u64,
    burned: u64,
}

impl Burner {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn prepare(burn: &Burn) -> Result<Burner, WorkError> {
        if burn.workers == 0 || !(1..=100).contains(&burn.load) {
            return super::refuse("a burn needs at least one worker, and a load from 1% to 100%");
        }
        super::hold::give_way()?;
        Ok(Burner { burn: burn.clone(), threads: Threads::default(), from: 0, burned: 0 })
    }

    /// Lets the workers run.
    ///
    /// # Errors
    /// The target may make no more threads.
    pub fn start(&mut self) -> Result<String, WorkError> {
        self.from = cpu_ns();
        for number in 0..self.burn.workers {
            let busy = TURN * u32::from(self.burn.load) / 100;
            self.threads.start(format!("burn-{number}"), move |shared| work(shared, busy))?;
        }
        // Seen is only what has been burned.
        thread::sleep(TURN * 3);
        Ok(format!("{} workers run", self.threads.running()))
    }

    /// CPU time so far.
    pub fn figures(&self) -> Figures {
        let running = if self.threads.running() == 0 { 0 } else { cpu_ns().saturating_sub(self.from) };
        Figures { burned_ns: self.burned + running, ..Figures::default() }
    }

    /// Ends it.
    pub fn stop(&mut self) -> String {
        self.burned = self.figures().burned_ns;
        self.threads.stop();
        "no worker runs".into()
    }
}

fn work(shared: &Shared, busy: Duration) {
    while !shared.stopped() {
        let turn = Instant::now();
        let mut sum = 1_u64;
        while turn.elapsed() < busy {
            for _ in 0..1000 {
                sum = black_box(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7));
            }
        }
        if let Some(rest) = TURN.checked_sub(turn.elapsed()).filter(|_| busy < TURN) {
            thread::sleep(rest);
        }
    }
}

/// CPU time of this process, in nanoseconds.
fn cpu_ns() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as u64 * 1_000_000_000 + used.tv_nsec as u64
}
