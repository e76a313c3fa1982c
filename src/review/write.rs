//! From findings to the files of a run folder, each written whole or not at all.

use super::{junit, model::Review, result, template};
use crate::{analysis::Findings, journal::RunFolder};
use std::{fs, io, io::Write, path::Path};

/// The names of the files that a review consists of, in the order in which they are written.
pub const FILES: [&str; 4] = ["result.json", "junit.xml", "review.md", "review.html"];

/// The texts of a review, by file name. Pure: the same findings give the same bytes.
pub fn texts(findings: &Findings) -> [(&'static str, String); 4] {
    let review = Review::of(findings);
    let [result, junit, markdown, html] = FILES;
    [
        (result, result::json(findings, &review)),
        (junit, junit::one(findings, &review)),
        (markdown, template::markdown(&review)),
        (html, template::html(&review)),
    ]
}

/// Writes the review into the folder of its run.
///
/// # Errors
/// What the system says if a file cannot be written; files written before that are whole.
pub fn write_all(folder: &RunFolder, findings: &Findings) -> io::Result<()> {
    for (name, text) in texts(findings) {
        put(folder.path(), name, &text)?;
    }
    Ok(())
}

/// A file under its name only when all of it is written: a reader never meets half of it.
fn put(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let half = folder.join(format!(".{name}.new"));
    let write = || {
        let mut file = fs::File::create(&half)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&half, folder.join(name))
    };
    write().inspect_err(|_| {
        // The error that matters is the one at hand.
        let _ = fs::remove_file(&half);
    })
}
