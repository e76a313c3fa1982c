//! `firedrill actions`: what all reviews together owe, and what people make of it.

mod change;
mod export;

pub use change::write_back;

use super::{Exit, Global, output, table::Table};
use crate::{
    clock::RunClock,
    history::{
        Reports,
        owed::{self, Owed},
    },
    review::{action::State, escape::plain},
};
use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `firedrill actions`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Action items live in the reviews' Markdown (`## Action items`), where people edit them; this reads them from there.
A finding that several runs propose to act on is listed once.

States: proposed, accepted, declined (with a reason), in progress, done, then verified or regressed by a drill.
An item whose `Verify:` names a scenario is closed by a run of it only: `firedrill followup ID`.

Policy, by the priority that the rule behind a finding gives:
  P0  due in 15 days  service did not recover, the cleanup is not proven, data was lost
  P1  due in 30 days  the hypothesis was violated, an expected page was missed
  P2  due in 56 days  every promise was kept, with a margin under 20%
  P3  no date         hygiene: no promise was broken

Examples:
  firedrill actions --open
  firedrill actions --overdue --owner payments-sre
  firedrill actions --csv > actions.csv
  firedrill actions accept A-3f9a1c2b --owner payments-sre
  firedrill actions decline A-3f9a1c2b --reason 'the service is switched off in May'
  firedrill actions export A-3f9a1c2b --to github"
)]
pub struct Actions {
    #[command(subcommand)]
    pub what: Option<What>,
    /// Only those on which work or a decision is owed.
    #[arg(long)]
    pub open: bool,
    /// Only open ones whose day has passed.
    #[arg(long)]
    pub overdue: bool,
    /// Only those of this owner; `unassigned` for those without one.
    #[arg(long, value_name = "NAME", value_parser = super::name)]
    pub owner: Option<String>,
    /// Print comma-separated values (`--json` goes before it).
    #[arg(long)]
    pub csv: bool,
    #[command(flatten)]
    pub place: Place,
}

/// Where reviews are, and what day it is.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
    /// Take this for today (tests).
    #[arg(long, value_name = "DAY", hide = true)]
    pub today: Option<Date>,
}

impl Place {
    /// The day, UTC, as due dates count.
    pub fn today(&self) -> Date {
        self.today.unwrap_or_else(|| RunClock::start().started().to_zoned(TimeZone::UTC).date())
    }

    /// All runs.
    pub fn read(&self) -> anyhow::Result<Reports> {
        super::history::read(&self.reports)
    }
}

/// What to do with one item.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Print an item as an issue for a tracker, or send it there.
    Export(export::Export),
    /// It will be done.
    Accept(change::Change),
    /// It will not be done, for a reason.
    Decline(change::Change),
    /// It is begun.
    Start(change::Change),
    /// It is said to be done; a drill shows whether it is.
    Done(change::Change),
}

impl Actions {
    /// Prints the list, or does what is asked with one item.
    ///
    /// # Errors
    /// If the reviews cannot be listed, or the item is not there, or cannot be changed or sent.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        match &self.what {
            None => self.list(global),
            Some(What::Export(export)) => export.run(global),
            Some(What::Accept(change)) => change.run(State::Accepted, global),
            Some(What::Decline(change)) => change.run(State::Declined, global),
            Some(What::Start(change)) => change.run(State::InProgress, global),
            Some(What::Done(change)) => change.run(State::Done, global),
        }
    }

    fn list(&self, global: &Global) -> anyhow::Result<Exit> {
        let reports = self.place.read()?;
        let all = owed::owed(&reports, self.place.today());
        let listed: Vec<&Owed<'_>> = all.iter().filter(|owed| self.wants(owed)).collect();
        if global.json {
            let troubles = troubles(&reports);
            output::say(serde_json::to_string_pretty(&Listed { actions: &listed, troubles })?);
            return Ok(Exit::Held);
        }
        if self.csv {
            output::say(csv(&listed));
        } else if listed.is_empty() {
            output::say(format_args!("no action item of {} is meant by that", all.len()));
        } else {
            output::say(table(&listed, &self.place.reports, global));
        }
        if !global.quiet {
            troubles(&reports).iter().for_each(output::warn);
        }
        Ok(Exit::Held)
    }

    fn wants(&self, owed: &Owed<'_>) -> bool {
        let owner = owed.item.owner.as_deref().unwrap_or("unassigned");
        (!self.open || owed.item.state.open())
            && (!self.overdue || owed.overdue)
            && self.owner.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(owner))
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    actions: &'a [&'a Owed<'a>],
    /// What could not be read, with file and line.
    troubles: Vec<String>,
}

/// What could not be read in the reviews, with file and line.
fn troubles(reports: &Reports) -> Vec<String> {
    let each = reports.runs.iter().flat_map(|past| past.troubles.iter().map(move |trouble| (past, trouble)));
    let of_reviews = each.filter(|(_, trouble)| trouble.starts_with("review.md"));
    of_reviews.map(|(past, trouble)| plain(&format!("{}/{trouble}", past.folder))).collect()
}

fn table(listed: &[&Owed<'_>], reports: &Path, global: &Global) -> String {
    let mut table = Table::new(["ID", "STATE", "PRIORITY", "DUE", "OWNER", "WHAT", "REVIEW"]);
    for owed in listed {
        let item = owed.item;
        let due = item.due.map_or("-".into(), |due| due.to_string());
        let due = if owed.overdue { format!("{due} OVERDUE") } else { due };
        let echoes = if owed.also.is_empty() { String::new() } else { format!(" (also in {} more)", owed.also.len()) };
        table.row([
            plain(&item.id),
            plain(&item.state_words()),
            item.priority.to_string(),
            due,
            plain(item.owner.as_deref().unwrap_or("unassigned")),
            plain(&item.title) + &echoes,
            plain(&reports.join(&owed.review).display().to_string()),
        ]);
        if owed.overdue {
            table.paint(3, "1;31");
        }
    }
    table.text(global.color.stdout())
}

const COLUMNS: &str = "id,title,state,by,type,priority,owner,due,overdue,ticket,rule,fingerprint,scenario,run,review";

fn csv(listed: &[&Owed<'_>]) -> String {
    let line = |owed: &&Owed<'_>| {
        let (item, found) = (owed.item, owed.item.finding.as_ref());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let cells = [
            item.id.clone(),
            item.title.clone(),
            item.state.to_string(),
            text(item.by.as_deref()),
            item.aim.to_string(),
            item.priority.to_string(),
            text(item.owner.as_deref()),
            item.due.map(|due| due.to_string()).unwrap_or_default(),
            if owed.overdue { "yes" } else { "no" }.into(),
            text(item.ticket.as_deref()),
            text(found.map(|found| found.rule.as_str())),
            text(found.map(|found| found.fingerprint.as_str())),
            text(owed.scenario),
            owed.run.to_owned(),
            owed.review.clone(),
        ];
        cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",")
    };
    std::iter::once(COLUMNS.to_owned()).chain(listed.iter().map(line)).collect::<Vec<_>>().join("\r\n")
}

/// A cell that no reader of such files takes for two, and no spreadsheet for a formula.
fn quoted(cell: &str) -> String {
    let clean = plain(cell);
    let guard = if clean.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if guard.is_empty() && !clean.contains([',', '"', ';']) {
        return clean;
    }
    format!("\"{guard}{}\"", clean.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::action::Priority;
    use clap::CommandFactory;

    #[test]
    fn the_policy_in_the_help_is_the_one_that_is_used() {
        let mut all = crate::cli::Cli::command();
        let help = all.find_subcommand_mut("actions").expect("a verb").render_long_help().to_string();
        for priority in Priority::ALL {
            let due = priority.days().map_or("no date".into(), |days| format!("due in {days} days"));
            assert!(help.contains(&format!("{priority}  {due}")), "{priority} {due}");
        }
    }

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a, \"b\"\nc"), "\"a, \"\"b\"\" c\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
