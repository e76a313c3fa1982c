//! What a list shows of a run.

use crate::review::action::ActionItem;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One run in a folder of reports, readable or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its folder, below the folder of reports; parts are separated by `/`.
    pub folder: String,
    /// When it started; from the folder's name if its result cannot be read, if that tells.
    pub started: Option<Timestamp>,
    /// The scenario's name; from the folder's name if its result cannot be read, if that tells.
    pub scenario: Option<String>,
    /// What is wrong with its files, for people: each names the file.
    pub troubles: Vec<String>,
    /// What its `result.json` says; `None` if that cannot be read.
    pub summary: Option<Summary>,
    /// The action items of its `review.md`, as people left them.
    pub actions: Vec<ActionItem>,
}

impl Past {
    /// The run's id: as its result says, else the folder's name.
    pub fn run(&self) -> &str {
        let name = self.folder.rsplit('/').next().unwrap_or(&self.folder);
        self.summary.as_ref().map_or(name, |summary| &summary.run)
    }

    /// Its review as a path below the folder of reports.
    pub fn review(&self) -> String {
        format!("{}/review.md", self.folder)
    }
}

/// What a `result.json` says, as far as lists, trends and patterns need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run's id.
    pub run: String,
    /// One line for people.
    pub title: String,
    /// Free tags.
    pub tags: Vec<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// From the first to the last event, nanoseconds.
    pub took_ns: u64,
    /// The journal stops before the end.
    pub cut_short: bool,
    /// The tool's version.
    pub version: String,
    /// `git describe` of the scenario's folder.
    pub git: Option<String>,
    /// sha256 of the scenario file.
    pub scenario_digest: String,
    /// Image ids of the targets, by container.
    pub images: BTreeMap<String, String>,
    /// `HELD`, `VIOLATED`, ...
    pub word: String,
    /// The exit code.
    pub code: u8,
    /// Held with less than 20 % of room.
    pub low_margin: bool,
    /// The smallest distance to any bound, as a share of it.
    pub smallest_margin: Option<f64>,
    /// The load or probe that the figures are about.
    pub probe: Option<String>,
    /// Its key figures.
    pub figures: Figures,
    /// The service that users see.
    pub service: Option<String>,
    /// The labels of the faults that took effect, in order.
    pub injected: Vec<String>,
    /// What alerts did; `None`: there was no alert source.
    pub alerts: Option<Vec<Alerted>>,
    /// What the rules found; `None`: written before there were rules.
    pub findings: Option<Vec<Seen>>,
}

/// The figures of a run that are worth a column: those of its main probe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Requests failed from the first fault on.
    pub failed: Option<f64>,
    /// Of so many offered.
    pub offered: Option<u64>,
    /// 99th percentile of the response time before the fault, nanoseconds.
    pub p99_before_ns: Option<u64>,
    /// The same while the fault was effective.
    pub p99_during_ns: Option<u64>,
    /// Recovery - start of impact, nanoseconds.
    pub recover: Measured,
    /// Alert - fault, nanoseconds.
    pub detect: Measured,
}

/// A number, or why there is none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// In the figure's base unit.
    pub value: Option<f64>,
    /// Why it was not measured.
    #[serde(default)]
    pub absent: Option<String>,
}

/// What an alert did in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerted {
    /// Its name.
    pub alert: String,
    /// Whether the scenario expected it.
    pub expected: bool,
    /// Whether it fired once a fault was on; `None`: the data do not tell.
    pub fired: Option<bool>,
}

/// Something that a rule found in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The rule's id.
    pub rule: String,
    /// The same thing has the same fingerprint in every run.
    pub fingerprint: String,
    /// Where, if it is about one service.
    #[serde(default)]
    pub service: Option<String>,
    /// Under which kind of fault.
    #[serde(default)]
    pub fault: Option<String>,
    /// One line for people.
    #[serde(default)]
    pub title: String,
}
