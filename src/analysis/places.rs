//! Evidence down to the byte: which bytes of which file an evidence id stands for, and their digest. Reads the files
//! front to back or seeks in them; never holds one in memory.

use super::{Evidence, log::ProbeLog};
use crate::{
    journal::{RunFolder, seal::digest},
    measure::ProbeId,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

/// What an evidence id leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Relative to the run folder.
    pub file: String,
    /// First byte, and the first that does not belong to it. Of requests: the blocks that hold them.
    pub bytes: Range<u64>,
    /// sha256 of these bytes, hexadecimal.
    pub digest: String,
}

/// The places of all evidence, in its order; `None` where the file does not hold it.
pub fn places(folder: &RunFolder, evidence: &[Evidence], probes: &BTreeMap<ProbeId, ProbeLog>) -> Vec<Option<Place>> {
    let starts = line_starts(&folder.journal(), evidence).unwrap_or_default();
    let place = |evidence: &Evidence| {
        let (file, bytes) = match evidence {
            Evidence::Journal { from, to } => {
                ("journal.jsonl".to_owned(), *starts.get(from)?..*starts.get(&to.checked_add(1)?)?)
            }
            Evidence::Requests { probe, from, to, .. } => {
                ("requests.bin".to_owned(), probes.get(probe)?.bytes_of(*from, *to)?)
            }
            Evidence::File(name) => (name.clone(), 0..std::fs::metadata(folder.path().join(name)).ok()?.len()),
            Evidence::Part { file, from, to } => (file.clone(), *from..*to),
        };
        let digest = digest_of(&folder.path().join(&file), &bytes).ok()?;
        Some(Place { file, bytes, digest })
    };
    evidence.iter().map(place).collect()
}

/// Where the lines begin that evidence starts with, or ends before. The end of the file begins the line after the last.
fn line_starts(journal: &Path, evidence: &[Evidence]) -> io::Result<BTreeMap<u64, u64>> {
    let edges = evidence.iter().filter_map(|e| match e {
        Evidence::Journal { from, to } => Some([*from, to.saturating_add(1)]),
        _ => None,
    });
    let wanted: BTreeSet<u64> = edges.flatten().collect();
    let mut reader = BufReader::with_capacity(1 << 16, File::open(journal)?);
    let mut starts = BTreeMap::new();
    let (mut line, mut offset, mut ended) = (1, 0, true);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        for (at, byte) in bytes.iter().enumerate() {
            if ended && wanted.contains(&line) {
                starts.insert(line, offset + at as u64);
            }
            ended = *byte == b'\n';
            line += u64::from(ended);
        }
        let read = bytes.len();
        offset += read as u64;
        reader.consume(read);
    }
    starts.entry(if ended { line } else { line + 1 }).or_insert(offset);
    Ok(starts)
}

/// sha256 of part of a file.
///
/// # Errors
/// If the file cannot be read, or is shorter.
pub fn digest_of(path: &Path, bytes: &Range<u64>) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(bytes.start))?;
    let length = bytes.end.saturating_sub(bytes.start);
    let (digest, read) = digest(file.take(length))?;
    if read < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(digest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_to_the_byte_and_what_is_not_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder(dir.path().to_owned());
        std::fs::write(folder.journal(), "one\ntwo\nthree").unwrap();
        let line = |from, to| Evidence::Journal { from, to };
        let found = places(&folder, &[line(1, 1), line(2, 3), line(3, 3), line(4, 4)], &BTreeMap::new());
        let bytes: Vec<_> = found.iter().map(|p| p.as_ref().map(|p| (p.bytes.start, p.bytes.end))).collect();
        assert_eq!(bytes, [Some((0, 4)), Some((4, 13)), Some((8, 13)), None]);
        let digest = &found[2].as_ref().unwrap().digest;
        assert_eq!(digest, "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f");
    }
}
