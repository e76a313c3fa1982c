//! Whether the runner of a run folder still lives: it holds a lock on the file `runner`, which the system takes
//! back when the process is gone, however it went.

use super::RunFolder;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The life of a run: as long as this is held, its runner lives.
#[derive(Debug)]
pub struct Alive {
    _file: File,
}

/// Takes the run folder for this process; `None` if another one has it.
///
/// # Errors
/// What the system says if the file cannot be made or locked.
pub fn hold(folder: &RunFolder) -> io::Result<Option<Alive>> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.runner())?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // Only for people; on a full disk the lock alone will do.
    let _ = writeln!(file, "{}", std::process::id());
    Ok(Some(Alive { _file: file }))
}

/// Whether the runner of this folder lives.
pub fn lives(folder: &RunFolder) -> bool {
    let Ok(file) = File::open(folder.runner()) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

/// The run folders among the reports, newest first.
pub fn folders(reports: &Path) -> Vec<RunFolder> {
    let entries = fs::read_dir(reports).into_iter().flatten().flatten();
    let mut paths: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.join("journal.jsonl").is_file()).collect();
    // They begin with their time.
    paths.sort_unstable_by(|a, b| b.file_name().cmp(&a.file_name()));
    paths.into_iter().map(RunFolder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_lives_as_long_as_it_holds_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder(dir.path().to_owned());
        assert!(!lives(&folder));
        let alive = hold(&folder).unwrap().unwrap();
        assert!(lives(&folder) && hold(&folder).unwrap().is_none());
        drop(alive);
        assert!(!lives(&folder) && hold(&folder).unwrap().is_some());
    }
}
