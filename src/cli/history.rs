//! `firedrill history`: all runs of a folder of reports.

use super::{Exit, Global, output, table::Table};
use crate::history::{self, Past, Reports, words::Row};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Arguments of `firedrill history`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The runs are the folders of the reports themselves; what is kept in `.cache` beside them only saves time.
No mean over runs is shown anywhere: each run is a row. Compare two of them with `firedrill compare`.

Examples:
  firedrill history
  firedrill history --scenario cache-loss --limit 10
  firedrill history --json | jq '.runs[] | select(.summary.code == 1) | .folder'"
)]
pub struct History {
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
    /// Only runs of this scenario.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Only the newest so many.
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

impl History {
    /// Prints the list.
    ///
    /// # Errors
    /// If the folder of reports cannot be listed.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let mut reports = read(&self.reports)?;
        let all = reports.runs.len();
        reports.runs.retain(|past| self.scenario.is_none() || past.scenario == self.scenario);
        reports.runs.truncate(self.limit.unwrap_or(usize::MAX));
        if global.json {
            output::say(serde_json::to_string_pretty(&reports)?);
            return Ok(Exit::Held);
        }
        if reports.runs.is_empty() {
            let of = self.scenario.as_ref().map(|name| format!(" of the scenario {name}")).unwrap_or_default();
            output::say(format_args!("no run{of} in {} ({all} of others)", self.reports.display()));
            return Ok(Exit::Held);
        }
        table(&reports.runs, global);
        Ok(Exit::Held)
    }
}

/// All runs of a folder.
///
/// # Errors
/// If it cannot be listed.
pub fn read(reports: &Path) -> anyhow::Result<Reports> {
    history::read(reports).with_context(|| {
        format!("the folder of reports {} cannot be listed; name another one with --reports", reports.display())
    })
}

fn table(runs: &[Past], global: &Global) {
    let heads = ["STARTED", "SCENARIO", "VERDICT", "FAILED", "P99 BEFORE TO DURING", "RECOVERED IN", "DETECTED IN"];
    let mut table = Table::new(heads.into_iter().chain(["MARGIN", "OPEN", "FOLDER"]));
    let rows: Vec<Row> = runs.iter().map(Row::of).collect();
    for row in &rows {
        let Row { started, scenario, verdict, failed, p99, recovered, detected, margin, open, folder, .. } = row;
        table.row(
            [started, scenario, verdict, failed, p99, recovered, detected, margin, open, folder].map(Clone::clone),
        );
        if let Some(code) = painted(row.tone) {
            table.paint(2, code);
        }
    }
    output::say(table.text(global.color.stdout()));
    for row in rows.iter().filter(|_| !global.quiet) {
        for trouble in &row.troubles {
            output::warn(format_args!("{}: {trouble}", row.folder));
        }
    }
}

/// The terminal's colour for a tone.
fn painted(tone: &str) -> Option<&'static str> {
    match tone {
        "good" => Some("1;32"),
        "warn" => Some("1;33"),
        "bad" => Some("1;31"),
        _ => None,
    }
}
