//! Writing to a file system of the target: blocks over and over in one small file that nobody can see, each of them
//! driven to the disk.

use super::{
    Figures, WorkError, file, refuse, room,
    threads::{Shared, Threads},
};
use crate::units::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Where and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// A folder in the target.
    pub path: PathBuf,
    /// Threads.
    pub workers: u32,
    /// Bytes a second, all of them together; `None`: as fast as it goes.
    pub rate: Option<u64>,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = if self.workers == 1 { "worker" } else { "workers" };
        write!(f, "write to {} with {} {workers}", self.path.display(), self.workers)?;
        match self.rate {
            Some(rate) => write!(f, ", {}/s", Bytes(rate)),
            None => write!(f, ", as fast as it goes"),
        }
    }
}

const BLOCK: u64 = 256 << 10;
/// What one worker's file grows to.
const FILE: u64 = 64 << 20;
/// How long the start waits for the first block.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writing, or about to.
pub struct Loader {
    load: Load,
    files: Vec<fs::File>,
    threads: Threads,
}

impl Loader {
    /// Opens the files; nothing is written yet.
    ///
    /// # Errors
    /// No such folder, none that can be written to, no disk behind it, or a disk that is too full.
    pub fn prepare(load: &Load) -> Result<Loader, WorkError> {
        let folder = room::folder(&load.path)?;
        if room::ground(&folder)? == room::Ground::Memory {
            return refuse(format!("{} is kept in memory; writing there reaches no disk", load.path.display()));
        }
        room::disk(&folder, FILE * u64::from(load.workers))?;
        super::hold::give_way()?;
        let files = (0..load.workers).map(|_| file::nameless(Path::new(&folder))).collect::<Result<_, _>>()?;
        Ok(Loader { load: load.clone(), files, threads: Threads::default() })
    }

    /// Lets the workers write.
    ///
    /// # Errors
    /// The target may make no more threads.
    pub fn start(&mut self) -> Result<String, WorkError> {
        let rate = self.load.rate.map(|rate| (rate / u64::from(self.load.workers)).max(1));
        for file in std::mem::take(&mut self.files) {
            self.threads.start("load".into(), move |shared| work(&file, rate, shared))?;
        }
        Ok(format!("{} written", Bytes(self.threads.reach(1, PATIENCE))))
    }

    /// Bytes written so far.
    pub fn figures(&self) -> Figures {
        Figures { written: self.threads.count(), ..Figures::default() }
    }

    /// Ends it; the files go with it.
    pub fn stop(&mut self) -> String {
        self.threads.stop();
        self.files.clear();
        "nothing is written, and the files are gone".into()
    }
}

/// Bytes a second.
fn work(file: &fs::File, rate: Option<u64>, shared: &Shared) {
    let size = rate.map_or(BLOCK, |rate| (rate / 4).clamp(4096, BLOCK));
    let block = vec![0x5a_u8; size as usize];
    let (begun, mut mine) = (Instant::now(), 0_u64);
    while !shared.stopped() {
        let due = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(mine as f64 / rate as f64));
        if let Some(early) = due.checked_sub(begun.elapsed()) {
            thread::sleep(early.min(Duration::from_millis(50)));
            continue;
        }
        let place = (mine / size) % (FILE / size) * size;
        if file.write_all_at(&block, place).and_then(|()| file.sync_data()).is_err() {
            return;
        }
        mine += size;
        shared.add(size);
    }
}
