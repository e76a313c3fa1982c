//! An action item as an issue in Jira: version 2 of its interface, which takes wiki text.

use super::{Issue, NotifyError, Sent, Token, post};
use crate::review::{action::Verify, escape::plain};
use serde::{Deserialize, Serialize};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Body {
    /// All of it.
    pub fields: Fields,
}

/// The fields of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fields {
    /// Where it goes.
    pub project: Project,
    /// `Task`
    pub issuetype: Kind,
    /// One line.
    pub summary: String,
    /// Wiki text.
    pub description: String,
    /// Without spaces.
    pub labels: Vec<String>,
    /// `2026-12-22`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duedate: Option<String>,
}

/// A project by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// `OPS`
    pub key: String,
}

/// A kind of issue by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// `Task`
    pub name: String,
}

/// The item as an issue of a project.
pub fn body(issue: &Issue<'_>, project: &str) -> Body {
    let item = issue.item;
    let mut parts = Vec::new();
    if let Some(found) = &item.finding {
        parts.push(format!("*Finding.* {} (rule {})", wiki(&found.says), wiki(&found.rule)));
    }
    if !item.done_when.is_empty() {
        parts.push(format!("*Done when.* {}", wiki(&item.done_when)));
    }
    parts.push(match &item.verify {
        Verify::Scenario { scenario, criterion } => format!(
            "*Verified by* a run of {} that shows: {}. Only such a run closes the item.",
            wiki(scenario),
            wiki(criterion)
        ),
        Verify::Person(how) if how.trim().is_empty() => "*Verified by* a person.".into(),
        Verify::Person(how) => format!("*Verified by* a person: {}", wiki(how)),
    });
    parts.push(format!(
        "From the review {} of the drill {} (run {}, verdict {}). Priority {}, type {}. Item {}.",
        wiki(issue.review),
        wiki(issue.scenario),
        wiki(issue.run),
        wiki(issue.verdict),
        item.priority,
        item.aim,
        wiki(&item.id)
    ));
    Body {
        fields: Fields {
            project: Project { key: project.to_owned() },
            issuetype: Kind { name: "Task".into() },
            summary: plain(&item.title).chars().take(250).collect(),
            description: parts.join("\n\n"),
            labels: vec!["firedrill".into(), item.priority.to_string(), item.aim.to_string()],
            duedate: item.due.map(|due| due.to_string()),
        },
    }
}

/// Text in which nothing is a mark of Jira's wiki.
fn wiki(text: &str) -> String {
    let clean = plain(text);
    let mut out = String::with_capacity(clean.len() + 8);
    for c in clean.chars() {
        if "\\{}[]*_+^~?!|#-@".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[derive(Deserialize)]
struct Answer {
    key: String,
}

/// Makes the issue. With a `user` the token is that user's (Jira Cloud), else it stands for itself.
///
/// # Errors
/// If Jira cannot be reached or refuses; see [`NotifyError`].
pub async fn send(url: &str, user: Option<&str>, token: &Token, body: &Body) -> Result<Sent, NotifyError> {
    let base = url.trim_end_matches('/');
    let auth = user.map_or(post::Auth::Bearer(token), |user| post::Auth::Basic(user, token));
    let answer: Answer = post::json(&format!("{base}/rest/api/2/issue"), &auth, "application/json", body).await?;
    let sound = !answer.key.is_empty() && answer.key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let ticket = post::address(&format!("{base}/browse/{}", answer.key)).filter(|_| sound);
    ticket.map(|ticket| Sent { ticket }).ok_or_else(|| NotifyError::NoTicket {
        host: plain(base),
        says: plain(&answer.key).chars().take(100).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_wiki() {
        assert_eq!(
            wiki("p99 *now* {color:red} [x|y] a-b\n@all"),
            "p99 \\*now\\* \\{color:red\\} \\[x\\|y\\] a\\-b \\@all"
        );
    }
}
