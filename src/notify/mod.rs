//! What leaves this machine, and only when somebody asks for it: an action item to where work is tracked.
//!
//! One file a destination, each with the body as it is shown and as it is sent; `post` sends. A token comes from the
//! environment, goes into one header, and nowhere else: not into a file, an output or an error.

pub mod github;
pub mod jira;
mod post;

pub use post::{Sent, Token};

use crate::review::action::ActionItem;

/// Why something could not be sent, for people; never holds a token.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The address is not one that a token may be sent to.
    #[error("{address} {why}")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No answer came.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        host: String,
        /// What the system said.
        why: String,
    },
    /// The answer was no.
    #[error("{host} answered {status}: {says}")]
    Refused {
        /// Where.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Its words, cut.
        says: String,
    },
    /// It said yes, but not where the ticket is.
    #[error("{host} took it, but its answer names no ticket: {says}")]
    NoTicket {
        /// Where.
        host: String,
        /// Its words, cut.
        says: String,
    },
}

/// An action item with what a reader elsewhere needs to know of its run.
#[derive(Debug, Clone)]
pub struct Issue<'a> {
    /// The item.
    pub item: &'a ActionItem,
    /// The scenario's name.
    pub scenario: &'a str,
    /// The run's id.
    pub run: &'a str,
    /// The verdict's word.
    pub verdict: &'a str,
    /// The review's Markdown, as a path below the folder of reports.
    pub review: &'a str,
}
