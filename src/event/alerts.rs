//! What is promised of alerts, and what an alert source said of them.

use crate::{clock::At, units::Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The labels of an alert; its name is the one called `alertname`.
pub type AlertLabels = BTreeMap<String, String>;

/// The label that holds an alert's name.
pub const ALERT_NAME: &str = "alertname";

/// What is promised of alerts, and where they are looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectTerms {
    /// Who is asked.
    pub source: AlertSource,
    /// Where. Never holds a secret.
    pub url: String,
    /// How often.
    pub every: Span,
    /// Only alerts with these labels count.
    pub labels: AlertLabels,
    /// Those that the faults must make fire.
    pub alerts: Vec<AlertTerms>,
    /// Those that must not begin to fire.
    pub no_page: NoPage,
}

impl DetectTerms {
    /// The name of an expected alert; with its labels where another is expected by the same name.
    pub fn title(&self, alert: &AlertTerms) -> String {
        let alone = self.alerts.iter().filter(|other| other.name == alert.name).count() < 2;
        if alone { alert.name.clone() } else { alert.to_string() }
    }
}

/// Who knows of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSource {
    /// Prometheus, or what answers its queries.
    Prometheus,
    /// Alertmanager: it knows no pending alerts.
    Alertmanager,
}

/// `Prometheus`
impl fmt::Display for AlertSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AlertSource::Prometheus => "Prometheus",
            AlertSource::Alertmanager => "Alertmanager",
        })
    }
}

/// An alert that the faults must make fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTerms {
    /// Its `alertname`.
    pub name: String,
    /// Labels that it must bear besides.
    pub labels: AlertLabels,
    /// It fires no later than this after the first fault is effective.
    pub within: Span,
    /// It has stopped firing no later than this after the last undo.
    pub resolves_within: Option<Span>,
}

impl AlertTerms {
    /// Whether this is the alert that is meant.
    pub fn matches(&self, labels: &AlertLabels) -> bool {
        labels.get(ALERT_NAME) == Some(&self.name) && bears(labels, &self.labels)
    }
}

/// `CheckoutErrors`, `CheckoutErrors{severity="page"}`
impl fmt::Display for AlertTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&alert_title(&self.name, &self.labels))
    }
}

/// Whether all of `wanted` are among `labels`.
pub fn bears(labels: &AlertLabels, wanted: &AlertLabels) -> bool {
    wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// `CheckoutErrors`, `CheckoutErrors{severity="page"}`; `labels` may hold the name as well.
pub fn alert_title(name: &str, labels: &AlertLabels) -> String {
    let others = labels.iter().filter(|(label, _)| *label != ALERT_NAME);
    let others: Vec<String> = others.map(|(label, value)| format!("{label}={value:?}")).collect();
    if others.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", others.join(", ")) }
}

/// Alerts that must not begin to fire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NoPage {
    /// Not one but those that are expected.
    pub others: bool,
    /// By `alertname`.
    pub names: Vec<String>,
}

impl NoPage {
    /// Whether nothing is forbidden.
    pub fn is_empty(&self) -> bool {
        !self.others && self.names.is_empty()
    }
}

/// What an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Its condition holds, and not for long enough yet.
    Pending,
    /// It fires.
    Firing,
    /// It fires, and nobody is told: silenced or inhibited in Alertmanager.
    Suppressed,
    /// It is neither pending nor firing any more.
    Resolved,
}

/// `firing`
impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Suppressed => "suppressed",
            AlertState::Resolved => "resolved",
        })
    }
}

/// An alert that is not as the answer before had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertChanged {
    /// Whose.
    pub labels: AlertLabels,
    /// What it is now.
    pub state: AlertState,
    /// When the last question was sent that found it otherwise; `None`: the first answer had it already.
    pub after: Option<At>,
    /// Between which moments of the source's own clock it changed, nanoseconds since 1970, if the source stamps that.
    pub stamped_ns: Option<[i64; 2]>,
    /// Since when it fires by its own account (Alertmanager: by the clock of whoever sent it), nanoseconds since 1970.
    pub says_ns: Option<i64>,
}
