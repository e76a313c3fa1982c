//! How far a review has come: status, owner, due date, and who moved it; all in its front matter.

use super::{
    front,
    sections::{FRONT, split},
};
use crate::{analysis::Findings, review::escape};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeSet, fmt};

/// A review is due so many days after its drill.
const DUE_DAYS: i64 = 5;

/// Draft, in review, reviewed, closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Generated; nobody has looked yet.
    Draft,
    /// Somebody is at it.
    InReview,
    /// Somebody has signed it.
    Reviewed,
    /// Everything that came of it is done.
    Closed,
}

impl Status {
    /// In order.
    pub const ALL: [Status; 4] = [Status::Draft, Status::InReview, Status::Reviewed, Status::Closed];

    /// As it is written and typed.
    pub fn name(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::InReview => "in-review",
            Status::Reviewed => "reviewed",
            Status::Closed => "closed",
        }
    }

    /// However people write it: `In review`, `in_review`.
    pub fn named(text: &str) -> Option<Status> {
        let plain = text.trim().to_lowercase().replace([' ', '_'], "-");
        Status::ALL.into_iter().find(|status| status.name() == plain)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a review has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Standing {
    /// `draft`, `in-review`, `reviewed`, `closed`.
    pub status: Status,
    /// Who owns the review.
    pub owner: Option<String>,
    /// When it is due, `2026-03-06`.
    pub due: String,
    /// Who moved it where, and when: `2026-03-02 in-review: Ada`.
    pub history: Vec<String>,
}

/// Something in the front matter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("review.md:{line}: {says}")]
pub struct Unreadable {
    /// From 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub says: String,
}

impl Standing {
    /// Of a draft that nobody has touched.
    pub fn of(findings: &Findings) -> Standing {
        let day = findings.run.started.to_zoned(TimeZone::UTC).date();
        Standing {
            status: Status::Draft,
            owner: findings.run.owner.clone(),
            due: day.checked_add(DUE_DAYS.days()).unwrap_or(day).to_string(),
            history: vec![],
        }
    }

    /// What the front matter of a review says; what it does not say is as in a draft.
    ///
    /// # Errors
    /// A status or a date that is none.
    pub fn read(review: &str, draft: &Standing) -> Result<Standing, Unreadable> {
        let mut standing = draft.clone();
        let Some(front) = split(review).into_iter().find(|section| section.key == FRONT) else { return Ok(standing) };
        let mut met = BTreeSet::new();
        for entry in front::entries(front.text) {
            let wrong = |says: String| Unreadable { line: entry.line, says };
            if let Some(key) = entry.key.filter(|key| !met.insert(*key)) {
                return Err(wrong(format!("`{key}` stands here twice; keep one of the two lines")));
            }
            let value = front::scalar(entry.value);
            match entry.key {
                Some("status") => {
                    standing.status = Status::named(&value).ok_or_else(|| {
                        wrong(format!(
                            "the status `{}` is none of draft, in-review, reviewed, closed",
                            escape::plain(&value)
                        ))
                    })?;
                }
                Some("owner") => standing.owner = Some(value).filter(|o| !o.is_empty() && o != UNASSIGNED),
                Some("due") => {
                    let date: Date = value.parse().map_err(|_| {
                        wrong(format!("the due date `{}` is no date such as 2026-03-06", escape::plain(&value)))
                    })?;
                    standing.due = date.to_string();
                }
                Some("status_history") => standing.history = front::list(entry.value),
                _ => {}
            }
        }
        Ok(standing)
    }

    /// Moved on by somebody, on a day.
    pub fn moved(&self, to: Status, by: &str, on: Date) -> Standing {
        let mut moved = self.clone();
        moved.status = to;
        moved.history.push(format!("{on} {to}: {}", escape::plain(by).trim()));
        moved
    }

    /// The same text with this standing in its front matter; `None` if it has none.
    pub fn put_into(&self, review: &str) -> Option<String> {
        let front = split(review).into_iter().find(|section| section.key == FRONT)?;
        let lines = [
            ("status", self.status.to_string()),
            (
                "status_history",
                format!("[{}]", self.history.iter().map(|h| escape::yaml(h)).collect::<Vec<_>>().join(", ")),
            ),
        ];
        let mut text = front.text.to_owned();
        for (key, value) in lines {
            text = front::set(&text, key, &value);
        }
        Some(format!("{text}{}", &review[front.text.len()..]))
    }

    /// As the banner says it.
    pub fn words(&self) -> String {
        let last = self
            .history
            .last()
            .and_then(|entry| entry.split_once(": "))
            .map(|(when, who)| format!(" by {who} on {}", when.split(' ').next().unwrap_or(when)));
        let by = last.unwrap_or_default();
        match self.status {
            Status::Draft => "DRAFT - generated, not reviewed".into(),
            Status::InReview => "IN REVIEW".into(),
            Status::Reviewed => format!("REVIEWED{by}"),
            Status::Closed => format!("CLOSED{by}"),
        }
    }
}

/// What stands for nobody.
pub const UNASSIGNED: &str = "unassigned";

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Standing {
        Standing { status: Status::Draft, owner: Some("a".into()), due: "2026-03-06".into(), history: vec![] }
    }

    #[test]
    fn what_was_put_in_is_read_back() {
        let review =
            "---\nstatus: draft\nowner: \"shop \\x3cb> \\\"team\\\"\"\ndue: 2026-04-01\nrun: \"x\"\n---\n\n# T\n";
        let read = Standing::read(review, &draft()).unwrap();
        assert_eq!(read.owner.as_deref(), Some("shop <b> \"team\""));
        assert_eq!(read.due, "2026-04-01");
        let moved = read.moved(Status::InReview, "Ada, \"the\" [SRE]\n", "2026-03-02".parse().unwrap());
        let text = moved.put_into(review).unwrap();
        assert_eq!(Standing::read(&text, &draft()).unwrap(), moved, "{text}");
        assert_eq!(text.lines().nth(1), Some("status: in-review"));
        let again = moved.moved(Status::Reviewed, "Bob", "2026-03-03".parse().unwrap());
        assert_eq!(Standing::read(&again.put_into(&text).unwrap(), &draft()).unwrap(), again);
        assert_eq!(again.words(), "REVIEWED by Bob on 2026-03-03");
    }

    #[test]
    fn what_people_write_by_hand_is_understood_or_refused_with_its_line() {
        let read = |text: &str| Standing::read(text, &draft());
        assert_eq!(read("---\nstatus: In review\nowner: unassigned\n---\n").unwrap().status, Status::InReview);
        assert_eq!(read("---\nowner: 'Ada' \n---\n").unwrap().owner.as_deref(), Some("Ada"));
        assert_eq!(read("---\nowner: unassigned # yet\n---\n").unwrap().owner, None);
        assert_eq!(read("no front matter\n").unwrap(), draft());
        let error = read("---\nrun: x\nstatus: done\n---\n").unwrap_err();
        assert_eq!(error.to_string(), "review.md:3: the status `done` is none of draft, in-review, reviewed, closed");
        assert_eq!(read("---\ndue: soon\n---\n").unwrap_err().line, 2);
        let twice = read("---\nowner: Ada\ndue: 2026-03-06\nowner: Bob\n---\n").unwrap_err();
        assert_eq!(twice.to_string(), "review.md:4: `owner` stands here twice; keep one of the two lines");
    }
}
