//! Threads that work until they are told to stop, and a number that they count up together.

use super::WorkError;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What the threads see.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
}

impl Shared {
    /// Whether it is time to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts on.
    pub fn add(&self, more: u64) {
        self.count.fetch_add(more, Ordering::Relaxed);
    }

    /// What all of them came to.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// The threads of one piece of work; they end with it.
#[derive(Debug, Default)]
pub struct Threads {
    shared: Shared,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts one more.
    ///
    /// # Errors
    /// The target may make no more threads; those that run are stopped.
    pub fn start(&mut self, name: String, work: impl FnOnce(&Shared) + Send + 'static) -> Result<(), WorkError> {
        let shared = self.shared.clone();
        let started = thread::Builder::new().name(name).spawn(move || work(&shared));
        match started {
            Ok(thread) => self.running.push(thread),
            Err(error) => {
                self.stop();
                return Err(WorkError::io("the target may make no more threads", error));
            }
        }
        Ok(())
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Waits until they have come to so much, but not for ever; what they have come to.
    pub fn reach(&self, enough: u64, patience: Duration) -> u64 {
        let begun = Instant::now();
        while self.count() < enough && begun.elapsed() < patience {
            thread::sleep(Duration::from_millis(5));
        }
        self.count()
    }

    /// What they have come to so far.
    pub fn count(&self) -> u64 {
        self.shared.count()
    }

    /// Ends them all, and waits for that.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
    }
}
