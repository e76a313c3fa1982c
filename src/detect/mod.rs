//! What monitoring says while a drill goes on: an alert source is asked again and again, and what has changed since
//! the last answer is told.
//!
//! ```text
//! Settings -> Source (asks; bounded in time and size) -> Reading (all alerts, now) -> Tracker (pure: what changed)
//! ```
//! The one that asks is a file a source: [`prometheus`] and [`alertmanager`] each say what to ask, and make a reading
//! of the answer.

mod alertmanager;
mod ask;
mod prometheus;
mod tracker;

pub use ask::{Ask, Source};
pub use tracker::Tracker;

use crate::{
    clock::At,
    event::{ALERT_NAME, AlertLabels, AlertSource, AlertState, bears},
    units::Span,
};
use serde::{Deserialize, Serialize};

/// More alerts than this in one answer are not read: something else is meant.
pub const MOST_ALERTS: usize = 2_000;

/// Who is asked, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Who.
    pub source: AlertSource,
    /// Where its interface begins: `http://127.0.0.1:9090`.
    pub url: String,
    /// `${env:NAME}`: the name of the bearer token, never the token.
    pub token: Option<String>,
    /// Certificates are not checked.
    pub insecure: bool,
    /// How often.
    pub every: Span,
    /// Only alerts with these labels are looked at.
    pub labels: AlertLabels,
}

/// One alert in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its name among them.
    pub labels: AlertLabels,
    /// Never [`AlertState::Resolved`].
    pub state: AlertState,
    /// When the source last found it so, on the source's clock, nanoseconds since 1970.
    pub stamp_ns: Option<i64>,
    /// Since when it fires, as it says.
    pub says_ns: Option<i64>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When the question was sent.
    pub sent: At,
    /// When the answer was complete.
    pub answered: At,
    /// What the source's clock showed meanwhile: between these, nanoseconds since 1970.
    pub clock_ns: Option<[i64; 2]>,
    /// All that is not quiet.
    pub alerts: Vec<Alert>,
}

/// What an answer says, without when it was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Body {
    clock_ns: Option<[i64; 2]>,
    alerts: Vec<Alert>,
}

impl Body {
    /// Without those that are not to be looked at, or bear no name. Errors: too many.
    fn only(mut self, labels: &AlertLabels) -> Result<Body, ReadError> {
        self.alerts.retain(|alert| alert.labels.contains_key(ALERT_NAME) && bears(&alert.labels, labels));
        match self.alerts.len() {
            many if many > MOST_ALERTS => Err(ReadError::TooMany(many)),
            _ => Ok(self),
        }
    }
}

/// Why nothing is known of the alerts now. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No connection, no answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// Answered, and refused.
    #[error("it answers with status {0}{1}")]
    Status(u16, &'static str),
    /// Answered, and it is not what such a source says.
    #[error("its answer cannot be read: {0}")]
    Rubbish(String),
    /// The answer is larger than this many bytes.
    #[error("its answer is larger than {0} bytes; narrow it with `labels`")]
    TooLarge(usize),
    /// So many alerts.
    #[error("it knows of {0} alerts that are not quiet, more than {MOST_ALERTS}; narrow it with `labels`")]
    TooMany(usize),
}
