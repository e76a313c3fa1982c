//! An action item as an issue on GitHub.

use super::{Issue, NotifyError, Sent, Token, post};
use crate::review::{
    action::Verify,
    escape::{code_span, markdown},
};
use serde::{Deserialize, Serialize};

/// Where GitHub's interface is; GitHub Enterprise has its own.
pub const API: &str = "https://api.github.com";

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Body {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Labels; GitHub makes those that it does not have.
    pub labels: Vec<String>,
}

/// The item as an issue.
pub fn body(issue: &Issue<'_>) -> Body {
    let item = issue.item;
    let mut parts = Vec::new();
    if let Some(found) = &item.finding {
        parts.push(format!("**Finding.** {} (rule {})", markdown(&found.says), code_span(&found.rule)));
    }
    if !item.done_when.is_empty() {
        parts.push(format!("**Done when.** {}", markdown(&item.done_when)));
    }
    parts.push(match &item.verify {
        Verify::Scenario { scenario, criterion } => format!(
            "**Verified by** a run of {} that shows: {}. Only such a run closes the item.",
            code_span(scenario),
            code_span(criterion)
        ),
        Verify::Person(how) if how.trim().is_empty() => "**Verified by** a person.".into(),
        Verify::Person(how) => format!("**Verified by** a person: {}", markdown(how)),
    });
    let due = item.due.map_or("none".into(), |due| due.to_string());
    parts.push(format!("Priority {}, type {}, due {due}.", item.priority, item.aim));
    parts.push(format!(
        "From the review {} of the drill {} (run {}, verdict {}). Item {}.",
        code_span(issue.review),
        markdown(issue.scenario),
        code_span(issue.run),
        markdown(issue.verdict),
        item.id
    ));
    let labels = vec!["firedrill".into(), item.priority.to_string(), item.aim.to_string()];
    Body { title: item.title.clone(), body: parts.join("\n\n"), labels }
}

#[derive(Deserialize)]
struct Answer {
    html_url: String,
}

/// Makes the issue in a repository (`owner/name`).
///
/// # Errors
/// If GitHub cannot be reached or refuses; see [`NotifyError`].
pub async fn send(api: &str, repository: &str, token: &Token, body: &Body) -> Result<Sent, NotifyError> {
    let sound = |part: &str| {
        part.chars().any(|c| c != '.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !repository.split_once('/').is_some_and(|(owner, name)| sound(owner) && sound(name)) {
        let why = "is not a repository such as owner/name";
        return Err(NotifyError::Address { address: crate::review::escape::plain(repository), why });
    }
    let address = format!("{}/repos/{repository}/issues", api.trim_end_matches('/'));
    let auth = post::Auth::Bearer(token);
    let answer: Answer = post::json(&address, &auth, "application/vnd.github+json", body).await?;
    let ticket = post::address(&answer.html_url);
    ticket.map(|ticket| Sent { ticket }).ok_or_else(|| NotifyError::NoTicket {
        host: api.to_owned(),
        says: crate::review::escape::plain(&answer.html_url),
    })
}
