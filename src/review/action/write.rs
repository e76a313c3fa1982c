//! An action item as Markdown: a heading, and a list of named lines below it.

use super::{ActionItem, Found, Verify, read};
use crate::review::escape;

/// The named lines, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    State,
    Type,
    Priority,
    Owner,
    Due,
    Ticket,
    Finding,
    DoneWhen,
    Verify,
    Reason,
    History,
}

impl Key {
    pub(super) const ALL: [Key; 11] = [
        Key::State,
        Key::Type,
        Key::Priority,
        Key::Owner,
        Key::Due,
        Key::Ticket,
        Key::Finding,
        Key::DoneWhen,
        Key::Verify,
        Key::Reason,
        Key::History,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Key::State => "State",
            Key::Type => "Type",
            Key::Priority => "Priority",
            Key::Owner => "Owner",
            Key::Due => "Due",
            Key::Ticket => "Ticket",
            Key::Finding => "Finding",
            Key::DoneWhen => "Done when",
            Key::Verify => "Verify",
            Key::Reason => "Reason",
            Key::History => "History",
        }
    }
}

impl ActionItem {
    /// The item as it stands in a review: a heading of the third level and its lines, ending in a line break.
    pub fn markdown(&self) -> String {
        let lines = Key::ALL.into_iter().filter_map(|key| self.line(key));
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        format!("{}\n\n{lines}", self.heading())
    }

    pub(super) fn heading(&self) -> String {
        let title = escape::markdown(&self.title);
        // A number sign at the end of a heading is taken for its fence.
        let title = title.strip_suffix('#').map_or(title.clone(), |head| format!("{head}\\#"));
        format!("### {}: {title}", self.id)
    }

    /// A named line; `None` for a reason and a history that nobody has given.
    pub(super) fn line(&self, key: Key) -> Option<String> {
        let value = match key {
            Key::State => escape::markdown(&self.state_words()),
            Key::Type => self.aim.to_string(),
            Key::Priority if self.priority_why.is_empty() => self.priority.to_string(),
            Key::Priority => format!("{} ({})", self.priority, escape::markdown(&self.priority_why)),
            Key::Owner => self.owner.as_deref().map_or("unassigned".into(), escape::markdown),
            Key::Due => self.due.map_or("none".into(), |day| day.to_string()),
            Key::Ticket => self.ticket.as_deref().map_or("none".into(), link),
            Key::Finding => self.finding.as_ref().map_or("none".into(), found),
            Key::DoneWhen => escape::markdown(&self.done_when),
            Key::Verify => verify(&self.verify),
            Key::Reason => escape::markdown(self.reason.as_deref()?),
            Key::History if self.history.is_empty() => return None,
            Key::History => {
                let steps = self.history.iter();
                let steps = steps.map(|s| format!("{} {}", s.on, escape::markdown(&s.what.replace(';', ","))));
                steps.collect::<Vec<_>>().join("; ")
            }
        };
        Some(format!("- {}: {value}", key.name()).trim_end().to_owned())
    }

    /// A review with this item's lines put in the place of those that it has now. What people wrote beside them stays,
    /// and so does every line whose meaning is the same. `None` if the review has no such item.
    pub fn put_into(&self, markdown: &str) -> Option<String> {
        // Where every line ends as on Windows, the new ones do too.
        let breaks = |end: &str| markdown.matches(end).count();
        if breaks("\r\n") == 0 || breaks("\r\n") < breaks("\n") {
            return read::replace(markdown, self);
        }
        Some(read::replace(&markdown.replace("\r\n", "\n"), self)?.replace('\n', "\r\n"))
    }
}

/// An address that Markdown takes for a link as it is, else plain text.
fn link(ticket: &str) -> String {
    let clean = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@%+=&,;".contains(c);
    let address = ["https://", "http://"].iter().any(|scheme| ticket.starts_with(scheme));
    if address && ticket.chars().all(clean) { format!("<{ticket}>") } else { escape::markdown(ticket) }
}

fn found(found: &Found) -> String {
    let mut text = escape::markdown(&found.rule);
    if !found.fingerprint.is_empty() {
        text.push_str(&format!(" {}", escape::code_span(&found.fingerprint)));
    }
    if !found.evidence.is_empty() {
        text.push_str(&format!(" ({})", found.evidence.join(", ")));
    }
    if !found.says.is_empty() {
        text.push_str(&format!(": {}", escape::markdown(&found.says)));
    }
    text
}

fn verify(verify: &Verify) -> String {
    match verify {
        Verify::Scenario { scenario, criterion } => {
            format!("scenario {}, criterion {}", escape::code_span(scenario), escape::code_span(criterion))
        }
        Verify::Person(how) => escape::markdown(how),
    }
}
