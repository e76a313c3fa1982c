//! Where evidence ids lead, and the files of the run.

use crate::analysis::{EvidenceFile, EvidenceId, Findings, Place};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What an evidence id leads to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlacePart {
    /// Relative to the run folder.
    pub file: String,
    /// First byte, and the first that does not belong to it. Of requests: the blocks that hold them.
    pub bytes: [u64; 2],
    /// Of these bytes, hexadecimal.
    pub sha256: String,
}

/// A file of evidence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FilePart {
    /// Relative to the run folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
}

pub(super) fn places(findings: &Findings) -> BTreeMap<String, PlacePart> {
    let part = |(i, place): (usize, &Option<Place>)| {
        let Place { file, bytes, digest } = place.clone()?;
        Some((format!("e{i}"), PlacePart { file, bytes: [bytes.start, bytes.end], sha256: digest }))
    };
    findings.places.iter().enumerate().filter_map(part).collect()
}

pub(super) fn file(file: &EvidenceFile) -> FilePart {
    FilePart { name: file.name.clone(), size: file.size, sha256: file.digest.clone() }
}

pub(super) fn ids(ids: &[EvidenceId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
