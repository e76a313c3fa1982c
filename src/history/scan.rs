//! Where runs lie in a folder of reports.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Runs lie in the folder itself or up to so many folders deeper (a GameDay, a team, a year).
const DEPTH: usize = 3;
/// No folder of reports holds more; a mistyped path must not read a whole disk.
const MOST: usize = 100_000;

/// A run folder, with what its files looked like when it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder.
    pub path: PathBuf,
    /// Below the folder of reports, parts separated by `/`.
    pub name: String,
    /// `result.json`; `None` if there is none.
    pub result: Option<Stamp>,
    /// `review.md`; `None` if there is none.
    pub review: Option<Stamp>,
}

/// What tells that a file is the one that was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    /// When it was changed, seconds.
    seconds: i64,
    /// And nanoseconds.
    nanos: i64,
    /// Bytes.
    pub size: u64,
}

impl Stamp {
    /// Of a plain file; `None` if it is missing or something else.
    pub fn of(path: &Path) -> Option<Stamp> {
        let file = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Stamp { seconds: file.mtime(), nanos: file.mtime_nsec(), size: file.len() })
    }
}

/// Every run folder, in no order.
///
/// # Errors
/// If the folder of reports cannot be listed. Folders in it that cannot are left out.
pub fn runs(reports: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    look_into(reports, "", DEPTH, &mut found)?;
    Ok(found)
}

fn look_into(folder: &Path, name: &str, depth: usize, found: &mut Vec<Found>) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let file_name = entry.file_name();
        let shown = file_name.to_string_lossy();
        // Links are not followed: they may lead in a circle, or out of the store.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || shown.starts_with('.') || found.len() >= MOST {
            continue;
        }
        let path = entry.path();
        let name = if name.is_empty() { shown.into_owned() } else { format!("{name}/{shown}") };
        let result = Stamp::of(&path.join("result.json"));
        if result.is_some() || path.join("journal.jsonl").is_file() {
            let review = Stamp::of(&path.join("review.md"));
            found.push(Found { path, name, result, review });
        } else if depth > 1 {
            // A folder that cannot be read hides its own runs, not the others.
            let _ = look_into(&path, &name, depth - 1, found);
        }
    }
    Ok(())
}
