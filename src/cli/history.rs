//! `firedrill history`: all runs of a folder of reports.

mod patterns;

use super::{Exit, Global, output, table::Table};
use crate::{
    clock::RunClock,
    history::{self, Past, Reports, owed, site, words::Row},
};
use anyhow::Context;
use jiff::{civil::Date, tz::TimeZone};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Arguments of `firedrill history`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The runs are the folders of the reports themselves; what is kept in `.cache` beside them only saves time.
No mean over runs is shown anywhere: each run is a row. Compare two of them with `firedrill compare`.
OPEN are the open items of a run's review as `firedrill actions --open` lists them: a finding of several runs once.

Examples:
  firedrill history
  firedrill history --scenario cache-loss --limit 10
  firedrill history --patterns      what comes back, what alerts saw, what is owed
  firedrill history --site          write reports/index.html
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
    /// Instead of runs, what they have in common: what rules found, by rule, service, fault and team; which expected
    /// alerts fired, and which fault no alert sees; how long action items have been open.
    #[arg(long, conflicts_with = "site")]
    pub patterns: bool,
    /// Write `index.html` into the folder: all runs as one page, for any web server or none.
    /// Once it is there, every run brings it up to date.
    #[arg(long)]
    pub site: bool,
    /// Take this for today (tests).
    #[arg(long, value_name = "DAY", hide = true)]
    pub today: Option<Date>,
}

impl History {
    /// Prints the list.
    ///
    /// # Errors
    /// If the folder of reports cannot be listed.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let mut reports = read(&self.reports)?;
        if self.site {
            let file = write_site(&self.reports, &reports, self.today.unwrap_or_else(today))?;
            match global.json {
                true => output::say(serde_json::json!({ "site": file })),
                false => output::say(file.display()),
            }
            return Ok(Exit::Held);
        }
        let all = reports.runs.len();
        let open = owed::open(&reports);
        reports.runs.retain(|past| self.scenario.is_none() || past.scenario == self.scenario);
        reports.runs.truncate(self.limit.unwrap_or(usize::MAX));
        if self.patterns {
            return patterns::tell(&reports, self.today.unwrap_or_else(today), global);
        }
        if global.json {
            output::say(serde_json::to_string_pretty(&reports)?);
            return Ok(Exit::Held);
        }
        if reports.runs.is_empty() {
            let of = self.scenario.as_ref().map(|name| format!(" of the scenario {name}")).unwrap_or_default();
            output::say(format_args!("no run{of} in {} ({all} of others)", self.reports.display()));
            return Ok(Exit::Held);
        }
        table(&reports.runs, &open, global);
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

/// The day, UTC.
fn today() -> Date {
    RunClock::start().started().to_zoned(TimeZone::UTC).date()
}

/// Writes the page over all runs; whole, or not at all.
fn write_site(folder: &Path, reports: &Reports, today: Date) -> anyhow::Result<PathBuf> {
    let page = site::page(reports, today, |file| folder.join(file).is_file());
    let (file, half) = (folder.join("index.html"), folder.join(".index.html.new"));
    fs::write(&half, page).and_then(|()| fs::rename(&half, &file)).with_context(|| {
        // The error that matters is the one at hand.
        let _ = fs::remove_file(&half);
        format!("{} cannot be written", file.display())
    })?;
    Ok(file)
}

/// Brings the page over all runs up to date, if there is one and it is ours. A run does not fail over it.
pub fn refresh_site(folder: &Path) {
    let ours = fs::read_to_string(folder.join("index.html")).is_ok_and(|page| page.contains(site::MARK));
    if ours {
        let written = read(folder).and_then(|reports| write_site(folder, &reports, today()));
        if let Err(error) = written {
            output::warn(format_args!("the page over all runs is not up to date: {error:#}"));
        }
    }
}

fn table(runs: &[Past], open: &BTreeMap<String, usize>, global: &Global) {
    let heads = ["STARTED", "SCENARIO", "VERDICT", "FAILED", "P99 BEFORE TO DURING", "RECOVERED IN", "DETECTED IN"];
    let mut table = Table::new(heads.into_iter().chain(["MARGIN", "OPEN", "FOLDER"]));
    let rows: Vec<Row> = runs.iter().map(|past| Row::of(past, open)).collect();
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
