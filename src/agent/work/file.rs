//! A file that nobody can see: it is gone with whoever holds it open, however they end.

use super::WorkError;
use rustix::fs::{Mode, OFlags};
use std::{fs, path::Path};

/// Opens one in a folder.
///
/// # Errors
/// The folder cannot be written to.
pub fn nameless(folder: &Path) -> Result<fs::File, WorkError> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(fd) = rustix::fs::open(folder, flags, mode) {
        return Ok(fs::File::from(fd));
    }
    // Not every file system has files that never had a name.
    let name = folder.join(format!(".firedrill-{}", std::process::id()));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let cannot = |error| WorkError::io(format!("{} cannot be written to", folder.display()), error);
    let fd = rustix::fs::open(&name, flags, mode).map_err(cannot)?;
    fs::remove_file(&name).map_err(|e| WorkError::io(name.display(), e))?;
    Ok(fs::File::from(fd))
}
