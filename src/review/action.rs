//! Action items: what a review proposes, and what people make of it. They live in the Markdown of the review, where
//! people edit them: `write` puts them there, `read` takes them back.
//!
//! A rule proposes; a person accepts or declines; only a drill closes what a drill can verify.

mod read;
mod write;

pub use read::{Trouble, places, read};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// One action item. In the review it is a heading of its own below "Action items".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionItem {
    /// `A-3f9a1c2b`: unique over all reviews, and the same whenever the review is written again.
    pub id: String,
    /// What is to be done; begins with a verb.
    pub title: String,
    /// How far it is.
    pub state: State,
    /// The run that verified or regressed it, or whoever brought it into its state; null if nobody said.
    pub by: Option<String>,
    /// What it is for.
    #[serde(rename = "type")]
    pub aim: Aim,
    /// How soon.
    pub priority: Priority,
    /// Which rule gave the priority: `an expected page was missed`.
    pub priority_why: String,
    /// A team or a person; null is unassigned.
    pub owner: Option<String>,
    /// The day (UTC) at whose end it is overdue; null for none.
    #[schemars(with = "Option<String>")]
    pub due: Option<Date>,
    /// Where it is tracked.
    pub ticket: Option<String>,
    /// What was found; null if a person wrote the item.
    pub finding: Option<Found>,
    /// The end state, measurable.
    pub done_when: String,
    /// What shows that the end state is reached.
    pub verify: Verify,
    /// Why it was declined.
    pub reason: Option<String>,
    /// What became of it, oldest first.
    pub history: Vec<Step>,
}

/// The finding that an item comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The rule's id: `no-memory-limit`.
    pub rule: String,
    /// The same for the same finding in every run: 12 hexadecimal digits. Empty if a person removed it.
    pub fingerprint: String,
    /// Evidence ids: `e12`.
    pub evidence: Vec<String>,
    /// The finding in a sentence.
    pub says: String,
}

/// What shows that an item is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// A run of a scenario: only a drill closes the item.
    Scenario {
        /// Its path, as it was typed.
        scenario: String,
        /// What must hold in that run: a criterion (`during: checkout p99 <= 400ms`), or that a rule finds nothing
        /// (`rule no-memory-limit finds nothing on api`).
        criterion: String,
    },
    /// Somebody says so, by name; the words say what they looked at. Empty: nobody has said how.
    Person(String),
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// When, UTC.
    #[schemars(with = "String")]
    pub on: Date,
    /// `proposed`, `accepted by ana`, `verified by 20260301T100000Z-cache-loss-7f3a`.
    pub what: String,
}

/// How far an item is. `overdue` is no state: it follows from the due date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// By a rule; nobody has decided.
    Proposed,
    /// Somebody will do it.
    Accepted,
    /// Nobody will, for a reason.
    Declined,
    /// Begun.
    InProgress,
    /// Said to be done.
    Done,
    /// A drill (or a named person) has shown it.
    Verified,
    /// It was verified, and a later drill shows otherwise.
    Regressed,
}

impl State {
    /// All, in their order.
    pub const ALL: [State; 7] = [
        State::Proposed,
        State::Accepted,
        State::Declined,
        State::InProgress,
        State::Done,
        State::Verified,
        State::Regressed,
    ];

    /// As written in a review.
    pub fn name(self) -> &'static str {
        match self {
            State::Proposed => "proposed",
            State::Accepted => "accepted",
            State::Declined => "declined",
            State::InProgress => "in progress",
            State::Done => "done",
            State::Verified => "verified",
            State::Regressed => "regressed",
        }
    }

    /// Whether it is people who bring an item into this state; the others follow from runs.
    pub fn by_person(self) -> bool {
        !matches!(self, State::Proposed | State::Verified | State::Regressed)
    }

    /// Whether work or a decision is still owed.
    pub fn open(self) -> bool {
        !matches!(self, State::Declined | State::Verified)
    }
}

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// It does not happen again.
    Prevent,
    /// It does less harm.
    Mitigate,
    /// Somebody is told.
    Detect,
    /// The way of working, or of measuring.
    Process,
    /// A question with a timebox.
    Investigate,
}

impl Aim {
    /// All, in their order.
    pub const ALL: [Aim; 5] = [Aim::Prevent, Aim::Mitigate, Aim::Detect, Aim::Process, Aim::Investigate];

    /// As written in a review.
    pub fn name(self) -> &'static str {
        match self {
            Aim::Prevent => "prevent",
            Aim::Mitigate => "mitigate",
            Aim::Detect => "detect",
            Aim::Process => "process",
            Aim::Investigate => "investigate",
        }
    }
}

/// How soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Priority {
    /// 15 days.
    P0,
    /// 30 days.
    P1,
    /// 56 days.
    P2,
    /// No date.
    P3,
}

impl Priority {
    /// All, in their order.
    pub const ALL: [Priority; 4] = [Priority::P0, Priority::P1, Priority::P2, Priority::P3];

    /// As written in a review.
    pub fn name(self) -> &'static str {
        match self {
            Priority::P0 => "P0",
            Priority::P1 => "P1",
            Priority::P2 => "P2",
            Priority::P3 => "P3",
        }
    }

    /// How many days an item of this priority has, by policy.
    pub fn days(self) -> Option<i64> {
        match self {
            Priority::P0 => Some(15),
            Priority::P1 => Some(30),
            Priority::P2 => Some(56),
            Priority::P3 => None,
        }
    }

    /// When an item is due that was proposed on a day.
    pub fn due(self, proposed: Date) -> Option<Date> {
        proposed.checked_add(jiff::Span::new().days(self.days()?)).ok()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ActionItem {
    /// Its state in words: `verified by 20260301T100000Z-cache-loss-7f3a`.
    pub fn state_words(&self) -> String {
        match &self.by {
            Some(by) => format!("{} by {by}", self.state),
            None => self.state.to_string(),
        }
    }

    /// Whether its day has passed and work is still owed.
    pub fn overdue(&self, today: Date) -> bool {
        self.state.open() && self.due.is_some_and(|due| due < today)
    }
}

/// The id of an item, from what it is about.
pub fn id_of(parts: &[&str]) -> String {
    format!("A-{}", digits(parts, 8))
}

/// The first hexadecimal digits of a digest of parts; each part is told from the next.
pub fn digits(parts: &[&str], many: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..many].to_owned()
}

#[cfg(test)]
mod tests;
