//! `firedrill review`

use super::{Exit, Global, output};
use crate::{analysis, journal::RunFolder, review};
use anyhow::{Context, bail};
use std::path::Path;

/// Arguments of `firedrill review`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The review depends on the folder alone: the same folder gives the same bytes, wherever and whenever.

Examples:
  firedrill review reports/20260301T100000Z-cache-loss-7f3a
  firedrill review --json reports/20260301T100000Z-cache-loss-7f3a | jq .verdict"
)]
pub struct Review {
    /// The run folder.
    #[arg(value_name = "FOLDER")]
    pub folder: std::path::PathBuf,
}

impl Review {
    /// Writes the review again, and says where it lies.
    ///
    /// # Errors
    /// If the folder is no run folder, or cannot be read or written.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let folder = folder(&self.folder)?;
        let findings = analysis::analyse(&folder)?;
        review::write_all(&folder, &findings)
            .with_context(|| format!("cannot write the review into {}", folder.path().display()))?;
        if global.json {
            output::say(review::texts(&findings)[0].1.trim_end());
        } else if !global.quiet {
            for name in review::FILES {
                output::say(folder.path().join(name).display());
            }
        }
        Ok(Exit::Held)
    }
}

/// A folder that holds a run; a journal named by its own path will do.
pub(super) fn folder(path: &Path) -> anyhow::Result<RunFolder> {
    let shown = path.display();
    let inside = path.file_name().is_some_and(|name| name == "journal.jsonl");
    let folder = RunFolder(if inside { path.parent().unwrap_or(Path::new(".")).into() } else { path.into() });
    if !folder.path().exists() {
        bail!("there is no folder {shown}");
    }
    if !folder.path().is_dir() {
        bail!("{shown} is not a folder; name the folder of a run, such as reports/20260301T100000Z-cache-loss-7f3a");
    }
    if !folder.journal().is_file() {
        bail!("{shown} is not the folder of a run: it holds no journal.jsonl");
    }
    Ok(folder)
}
