//! Digests of the files of a run folder, taken when they are finished: whoever changes one afterwards is found out.

use super::RunFolder;
use crate::event::SealedFile;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    fs::{self, File},
    io::{self, Read},
};

/// The files that a review rests on, besides the journal, by name. Outputs and exports are not among them.
pub fn names(folder: &RunFolder) -> Vec<String> {
    let mut names = ["plan.json", "requests.bin", "scenario.yaml"].map(String::from).to_vec();
    let logs = fs::read_dir(folder.logs()).into_iter().flatten().flatten();
    names.extend(logs.map(|entry| format!("logs/{}", entry.file_name().to_string_lossy())));
    names.sort_unstable();
    names
}

/// Their digests. A file that cannot be read has none.
pub fn seal(folder: &RunFolder) -> Vec<SealedFile> {
    let sealed = |name: String| {
        let (sha256, size) = digest(File::open(folder.path().join(&name)).ok()?).ok()?;
        Some(SealedFile { name, size, sha256 })
    };
    names(folder).into_iter().filter_map(sealed).collect()
}

/// sha256 of all that can be read, hexadecimal, and how many bytes that was.
///
/// # Errors
/// What the reader says.
pub fn digest(mut from: impl Read) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let size = io::copy(&mut from, &mut HashWriter(&mut hash))?;
    let hex = hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok((hex, size))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
