//! What loads and probes send, and what they take for a good answer.
//!
//! All texts may hold `${seq}`, `${run}`, `${env:NAME}` and, in addresses, `{target}`.

use serde::{Deserialize, Serialize};

/// An HTTP request and what counts as ok.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpSettings {
    /// `GET` unless said otherwise.
    pub method: String,
    /// `http://...` or `https://...`; `{target}` as its host stands for a target's own address.
    pub url: String,
    /// In the order of the file.
    pub headers: Vec<(String, String)>,
    /// What is sent with it.
    pub body: Option<Body>,
    /// Certificates are not checked.
    pub insecure: bool,
    /// Good statuses.
    pub status: Vec<StatusRange>,
    /// What the body must hold.
    pub content: Option<Content>,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// As it stands.
    Text(String),
    /// JSON, already serialised, its `content-type` among the headers; what is filled in becomes part of a JSON string.
    Json(String),
}

/// An inclusive range of statuses: `2xx` is 200 to 299.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRange {
    /// First.
    pub from: u16,
    /// Last.
    pub to: u16,
}

/// What an answer must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// This text somewhere.
    Contains(String),
    /// A match of this regex (checked to be valid).
    Matches(String),
}

/// A TCP connection, optionally with a dialogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpSettings {
    /// `host:port`; `{target}` as host stands for a target's own address.
    pub address: String,
    /// Sent after the connection stands.
    pub send: Option<String>,
    /// What must come back.
    pub expect: Option<Content>,
}

/// A command whose exit code and output are the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSettings {
    /// The target to run it in, by name; `None` is this host (needs `--allow-host-exec`).
    pub target: Option<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The good exit code.
    pub exit: i64,
    /// What the output must hold.
    pub content: Option<Content>,
}
