//! Memory held inside the target, charged to its cgroup.

use super::{
    Figures, WorkError, room,
    threads::{Shared, Threads},
};
use crate::units::Bytes;
use serde::{Deserialize, Serialize};
use std::{fmt, fs, io::Write, thread, time::Duration};

/// How much, and who dies when it is too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Bytes.
    pub bytes: u64,
    /// Whether the kernel, short of memory, shall rather kill the target than us.
    pub victim_target: bool,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let victim = if self.victim_target { "; if there is not enough, the target is killed" } else { "" };
        write!(f, "hold {} of memory{victim}", Bytes(self.bytes))
    }
}

/// Taken piece by piece, so that it can be stopped at any time.
const PIECE: usize = 4 << 20;
/// Written at once; small, so that the kernel does not take us for the greater.
const BLOCK: usize = 64 << 10;
/// How long the start waits for all of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whoever asks the kernel to kill us first rather than the target.
///
/// # Errors
/// `/proc` does not let us.
pub fn give_way() -> Result<(), WorkError> {
    fs::write("/proc/self/oom_score_adj", "1000").map_err(|e| WorkError::io("/proc/self/oom_score_adj", e))
}

/// Holding, or about to.
pub struct Holder {
    hold: Hold,
    threads: Threads,
}

impl Holder {
    /// Nothing is held yet.
    ///
    /// # Errors
    /// The host cannot spare so much.
    pub fn prepare(hold: &Hold) -> Result<Holder, WorkError> {
        room::memory(hold.bytes)?;
        if !hold.victim_target {
            give_way()?;
        }
        Ok(Holder { hold: hold.clone(), threads: Threads::default() })
    }

    /// Takes the memory.
    ///
    /// # Errors
    /// The target may make no more threads.
    pub fn start(&mut self) -> Result<String, WorkError> {
        let (bytes, unseen) = (self.hold.bytes, self.hold.victim_target);
        let work =
            move |shared: &Shared| if unseen { hold_in_file(bytes, shared) } else { hold_in_heap(bytes, shared) };
        self.threads.start("hold".into(), work)?;
        Ok(format!("{} of {} held", Bytes(self.threads.reach(bytes, PATIENCE)), Bytes(bytes)))
    }

    /// Bytes held now.
    pub fn figures(&self) -> Figures {
        Figures { held: self.threads.count(), ..Figures::default() }
    }

    /// Gives it back.
    pub fn stop(&mut self) -> String {
        self.threads.stop();
        // What is counted is what is held now.
        self.threads = Threads::default();
        "nothing is held".into()
    }
}

/// In pages that are ours, so that the kernel takes us for the one who uses too much.
fn hold_in_heap(bytes: u64, shared: &Shared) {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    take(bytes, shared, |piece| {
        // No two pages are alike, and none is empty: nothing can be merged or left out.
        let mark = pieces.len() as u64 + 1;
        let fill = |at: usize| (mark.wrapping_mul(0x9e37_79b9) as usize ^ (at / 61)) as u8;
        pieces.push((0..piece).map(fill).collect());
        true
    });
    std::hint::black_box(&pieces);
}

/// In a file of memory that no process maps: charged to the target's cgroup, and to no process, so that the target
/// looks like the one who uses too much.
fn hold_in_file(bytes: u64, shared: &Shared) {
    let Ok(fd) = rustix::fs::memfd_create("firedrill", rustix::fs::MemfdFlags::CLOEXEC) else { return };
    let mut file = fs::File::from(fd);
    let block = vec![0xa5_u8; BLOCK];
    take(bytes, shared, |piece| {
        let blocks = (0..piece).step_by(BLOCK).map(|at| BLOCK.min(piece - at));
        blocks.into_iter().all(|block_size| file.write_all(&block[..block_size]).is_ok())
    });
}

/// Takes piece after piece, then waits.
fn take(bytes: u64, shared: &Shared, mut one: impl FnMut(usize) -> bool) {
    let mut left = bytes;
    while left > 0 && !shared.stopped() {
        let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        if !one(piece) {
            break;
        }
        left -= piece as u64;
        shared.add(piece as u64);
    }
    while !shared.stopped() {
        thread::park_timeout(Duration::from_millis(50));
    }
}
