//! `firedrill actions accept|decline|start|done`: a decision, written into the review.

use super::Place;
use crate::{
    cli::{Exit, Global, history, note, output},
    history::owed,
    review::{
        self,
        action::{ActionItem, State, Step},
        people::REVIEW,
    },
};
use anyhow::{Context, bail};
use jiff::civil::Date;
use std::{fs, path::Path};

/// A decision about one item.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// The item's id: `A-3f9a1c2b`.
    pub id: String,
    /// Why; needed to decline.
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::words)]
    pub reason: Option<String>,
    /// Who does it.
    #[arg(long, value_name = "NAME", value_parser = crate::cli::name)]
    pub owner: Option<String>,
    /// Until when.
    #[arg(long, value_name = "DAY")]
    pub due: Option<Date>,
    /// Who decided; your login name otherwise.
    #[arg(long, value_name = "NAME", value_parser = crate::cli::name)]
    pub by: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

impl Change {
    /// Writes the new state into the review that the item stands in.
    pub fn run(&self, state: State, global: &Global) -> anyhow::Result<Exit> {
        let reports = self.place.read()?;
        let (past, item) = owed::find(&reports, &self.id).map_err(anyhow::Error::msg)?;
        let file = self.place.reports.join(past.review());
        let after = self.changed(item, state)?;
        write_back(&file, &after)?;
        history::refresh_site(&self.place.reports);
        if global.json {
            output::say(serde_json::to_string_pretty(&after)?);
        } else if !global.quiet {
            output::say(format_args!("{} is {} now; written into {}", after.id, after.state_words(), file.display()));
        }
        Ok(Exit::Held)
    }

    fn changed(&self, item: &ActionItem, state: State) -> anyhow::Result<ActionItem> {
        if state == State::Declined && self.reason.is_none() {
            bail!("{} is declined with a reason only: --reason 'the service is switched off in May'", item.id);
        }
        if item.state == State::Verified {
            bail!("{} is {} already; a later drill may find it regressed", item.id, item.state_words());
        }
        let by = self.by.clone().unwrap_or_else(note::who);
        let mut after = item.clone();
        (after.state, after.by) = (state, Some(by));
        after.reason = if state == State::Declined { self.reason.clone() } else { None };
        after.owner = self.owner.clone().or(after.owner);
        after.due = self.due.or(after.due);
        after.history.push(Step { on: self.place.today(), what: after.state_words() });
        Ok(after)
    }
}

/// Puts an item into the review that it stands in; every other byte stays.
///
/// # Errors
/// If the review cannot be read or written, or has no such item any more.
pub fn write_back(file: &Path, item: &ActionItem) -> anyhow::Result<()> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    let new = item.put_into(&text).with_context(|| format!("{shown} has no action item {} any more", item.id))?;
    Ok(review::put(file.parent().unwrap_or(Path::new("")), REVIEW, &new)?)
}
