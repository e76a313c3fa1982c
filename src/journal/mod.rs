//! The run folder: where every fact of a run goes, and the only thing that `analysis` and `review` read.
//!
//! ```text
//! reports/20260301T100000Z-cache-loss-7f3a/
//!   journal.jsonl   one event a line, in order, fsynced at the points that matter
//!   requests.bin    every request (see `requests`)
//!   latency.hlog    HdrHistogram interval log V2, an export
//!   scenario.yaml   as it was read
//!   plan.json       as it was resolved
//!   logs/           what targets and neighbours printed
//!   runner          locked (flock) by the runner for as long as it lives
//!   keeper          the undo list of a keeper that is a process on this machine, while it lives
//!   inbox           what people say from other terminals, on its way to the journal
//!   result.json, review.md, review.html, junit.xml   computed from the above
//!   review.base.md  review.md as it was generated last, to tell what people wrote
//! ```

pub mod hlog;
pub mod read;
pub mod requests;
pub mod runner;
pub mod seal;
pub mod write;

use std::path::{Path, PathBuf};

/// The paths in a run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(pub PathBuf);

impl RunFolder {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `journal.jsonl`
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.jsonl")
    }

    /// `requests.bin`
    pub fn requests(&self) -> PathBuf {
        self.0.join("requests.bin")
    }

    /// `latency.hlog`
    pub fn hlog(&self) -> PathBuf {
        self.0.join("latency.hlog")
    }

    /// `scenario.yaml`
    pub fn scenario(&self) -> PathBuf {
        self.0.join("scenario.yaml")
    }

    /// `plan.json`
    pub fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }

    /// `keeper`
    pub fn keeper(&self) -> PathBuf {
        self.0.join("keeper")
    }

    /// `logs/`
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// `runner`
    pub fn runner(&self) -> PathBuf {
        self.0.join("runner")
    }

    /// `inbox`
    pub fn inbox(&self) -> PathBuf {
        self.0.join("inbox")
    }

    /// The run's id: the folder's name.
    pub fn run(&self) -> String {
        self.0.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
