//! `firedrill actions export`: an item as an issue, printed or sent.

use super::{Place, write_back};
use crate::{
    cli::{Exit, Global, history, output},
    history::{Past, owed},
    notify::{Issue, NotifyError, Sent, Token, github, jira},
    review::{action::ActionItem, escape::plain},
};
use anyhow::{Context, bail};
use serde::Serialize;

/// Arguments of `firedrill actions export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --send the issue is only printed. With it, firedrill makes the issue and writes its address into the
item's `Ticket:` line. The token stands in one header of one request, and nowhere else.

Environment, with --send:
  FIREDRILL_GITHUB_TOKEN   a token that may write issues
  FIREDRILL_GITHUB_URL     the interface of a GitHub Enterprise server; https://api.github.com without it
  FIREDRILL_JIRA_TOKEN     a personal access token, or an API token of FIREDRILL_JIRA_USER
  FIREDRILL_JIRA_USER      a login name, for Jira Cloud
  FIREDRILL_JIRA_URL       https://jira.example.org

Examples:
  firedrill actions export A-3f9a1c2b --to github
  firedrill actions export A-3f9a1c2b --to github --repo shop/checkout --send
  firedrill actions export A-3f9a1c2b --to jira --project OPS --send"
)]
pub struct Export {
    /// The item's id: `A-3f9a1c2b`.
    pub id: String,
    /// Which tracker.
    #[arg(long, value_enum, value_name = "TRACKER")]
    pub to: Tracker,
    /// Make the issue there, instead of printing it.
    #[arg(long)]
    pub send: bool,
    /// GitHub: the repository, `owner/name`.
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<String>,
    /// Jira: the project's key.
    #[arg(long, value_name = "KEY")]
    pub project: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// Where issues go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tracker {
    /// Markdown.
    Github,
    /// Wiki text.
    Jira,
}

impl Export {
    /// Prints the issue, or sends it and notes where it is.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let reports = self.place.read()?;
        let (past, item) = owed::find(&reports, &self.id).map_err(anyhow::Error::msg)?;
        if self.send {
            return self.send(past, item, global);
        }
        let review = past.review();
        match self.to {
            Tracker::Github => {
                let body = github::body(&issue(past, item, &review));
                print(&body, &body.title, &body.body, global)
            }
            Tracker::Jira => {
                let body = jira::body(&issue(past, item, &review), self.project.as_deref().unwrap_or("PROJECT"));
                print(&body, &body.fields.summary, &body.fields.description, global)
            }
        }
    }

    fn send(&self, past: &Past, item: &ActionItem, global: &Global) -> anyhow::Result<Exit> {
        if let Some(ticket) = &item.ticket {
            bail!("{} has a ticket already: {}; to make another one, write `Ticket: none`", item.id, plain(ticket));
        }
        let file = self.place.reports.join(past.review());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sent = runtime.block_on(self.post(past, item))?;
        let after = ActionItem { ticket: Some(sent.ticket.clone()), ..item.clone() };
        // What was sent must not be lost, or it is sent twice.
        write_back(&file, &after).with_context(|| format!("the issue is at {}, but", sent.ticket))?;
        history::refresh_site(&self.place.reports);
        match global.json {
            true => output::say(serde_json::to_string_pretty(&sent)?),
            false => output::say(format_args!("{}\nwritten into {}", sent.ticket, file.display())),
        }
        Ok(Exit::Held)
    }

    async fn post(&self, past: &Past, item: &ActionItem) -> anyhow::Result<Sent> {
        let review = past.review();
        let issue = issue(past, item, &review);
        let sent: Result<Sent, NotifyError> = match self.to {
            Tracker::Github => {
                let token = Token(needed("FIREDRILL_GITHUB_TOKEN", "a token that may write issues")?);
                let repo = self.repo.as_deref().context("name the repository with --repo owner/name")?;
                let api = variable("FIREDRILL_GITHUB_URL").unwrap_or_else(|| github::API.into());
                github::send(&api, repo, &token, &github::body(&issue)).await
            }
            Tracker::Jira => {
                let token = Token(needed("FIREDRILL_JIRA_TOKEN", "a token of Jira")?);
                let url = needed("FIREDRILL_JIRA_URL", "Jira's address, such as https://jira.example.org")?;
                let project = self.project.as_deref().context("name the project with --project KEY")?;
                let user = variable("FIREDRILL_JIRA_USER");
                jira::send(&url, user.as_deref(), &token, &jira::body(&issue, project)).await
            }
        };
        sent.with_context(|| format!("{} was not sent", item.id))
    }
}

fn issue<'a>(past: &'a Past, item: &'a ActionItem, review: &'a str) -> Issue<'a> {
    Issue {
        item,
        scenario: past.scenario.as_deref().unwrap_or("unknown"),
        run: past.run(),
        verdict: past.summary.as_ref().map_or("unknown", |summary| &summary.word),
        review,
    }
}

fn print(whole: &impl Serialize, title: &str, body: &str, global: &Global) -> anyhow::Result<Exit> {
    match global.json {
        true => output::say(serde_json::to_string_pretty(whole)?),
        false => output::say(format_args!("{}\n\n{body}", plain(title))),
    }
    Ok(Exit::Held)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn needed(name: &str, what: &str) -> anyhow::Result<String> {
    variable(name).with_context(|| format!("the environment has no {name}: {what}"))
}
