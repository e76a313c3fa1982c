//! The terms of a drill: what was promised and how it is judged. Versioned with the journal, so that
//! a review can be rebuilt from the run folder alone.

use super::DetectTerms;
use crate::units::{Percent, Rate, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that `analysis` needs to know of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The scenario's name (a slug).
    pub scenario: String,
    /// One line for people; the name if none was given.
    pub title: String,
    /// What is believed, in prose.
    pub hypothesis: Option<String>,
    /// The user-facing service that the review is about.
    pub of: Option<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Loads first, then the other probes; a [`crate::measure::ProbeId`] is a position in here.
    pub probes: Vec<ProbeTerms>,
    /// What is judged.
    pub expect: Expectations,
    /// What is promised of alerts, if a source of them is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect: Option<DetectTerms>,
    /// What stops the drill early.
    pub guards: Vec<Guard>,
    /// Lengths of the phases.
    pub timing: Timing,
    /// The faults, in the order of the scenario; a fault's id is its position in here.
    pub faults: Vec<FaultTerms>,
}

/// One load or probe, as far as judging needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeTerms {
    /// Its name in the scenario.
    pub name: String,
    /// `http`, `tcp`, `exec` or `health`.
    pub kind: ProbeKind,
    /// Whether it is load (users) or a mere probe beside it.
    pub load: bool,
    /// What it is sent to, for people: `POST http://127.0.0.1:8080/checkout`. Never holds a secret.
    pub subject: String,
    /// How often.
    pub rate: Rate,
    /// How long an answer may take, from the intended time.
    pub timeout: Span,
    /// How many may be under way at once.
    pub max_in_flight: u32,
    /// The service level objective, if one was given.
    pub slo: Option<Slo>,
}

/// The kinds of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// HTTP request.
    Http,
    /// TCP connect, optionally with send and expect.
    Tcp,
    /// A command, in a container or on this host.
    Exec,
    /// Docker's health state of a container.
    Health,
}

/// A service level objective: a figure of the review, never judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// The share of requests that must be good.
    pub objective: Percent,
    /// Over which period.
    pub period: Span,
}

/// What is judged, by phase and probe name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Expectations {
    /// The gate: not met, nothing is injected.
    pub baseline: BTreeMap<String, Limits>,
    /// From the first fault effective to the last undo effective.
    pub during: BTreeMap<String, Limits>,
    /// Afterwards.
    pub recovery: BTreeMap<String, Limits>,
    /// Looser limits that count as mitigated while the fault is still active; `during` if absent.
    pub mitigated: BTreeMap<String, Limits>,
    /// Services or containers outside the targets that must stay as they are.
    pub unaffected: Vec<String>,
    /// A fault that touches nothing is a good result.
    pub may_touch_nothing: bool,
}

impl Expectations {
    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.baseline.is_empty() && self.during.is_empty() && self.recovery.is_empty() && self.unaffected.is_empty()
    }
}

/// The limits of one probe in one phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// All must hold.
    pub limits: Vec<Limit>,
    /// `during`: judged from this long after the fault. `recovery`: recovered within this long.
    pub within: Option<Span>,
    /// `recovery`: and stays so for this long.
    pub stable_for: Option<Span>,
    /// `during`: at most so many failures in all of it.
    pub max_failed: Option<u64>,
}

/// One limit: metric, operator, bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// What is measured.
    pub metric: Metric,
    /// How it compares with the bound.
    pub op: Comparison,
}

/// What a limit bounds, with the bound in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Every outcome but ok, over offered requests.
    Errors(Percent),
    /// The response time that this share of answers and timeouts stays within.
    Latency {
        /// 0.99 for p99; 1 for `max`.
        quantile: f64,
        /// The bound.
        bound: Span,
    },
}

/// How the measured value must compare with the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `<`
    #[serde(rename = "<")]
    Below,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
    /// `>`
    #[serde(rename = ">")]
    Above,
}

impl Comparison {
    /// As written in a scenario.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::AtMost => "<=",
            Comparison::Below => "<",
            Comparison::AtLeast => ">=",
            Comparison::Above => ">",
        }
    }

    /// Whether `measured` compares so with `bound`.
    pub fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Comparison::AtMost => measured <= bound,
            Comparison::Below => measured < bound,
            Comparison::AtLeast => measured >= bound,
            Comparison::Above => measured > bound,
        }
    }
}

/// Stops the drill when its condition holds, pooled over a sliding `for`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Which probe.
    pub probe: String,
    /// What trips it.
    pub limit: Limit,
    /// The length of the sliding window.
    #[serde(rename = "for")]
    pub window: Span,
}

/// Lengths of the phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Load before the baseline, thrown away.
    pub warm_up: Span,
    /// One window of the baseline; up to three are tried.
    pub baseline: Span,
    /// Watched after the last undo, always in full.
    pub recovery: Span,
}

/// One fault on the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultTerms {
    /// `kill`, `pause`, ...
    pub kind: String,
    /// For people: `kill cache (SIGKILL)`.
    pub label: String,
    /// The names of the containers it hits.
    pub containers: Vec<String>,
    /// Intended start, from t=0.
    pub at: Span,
    /// Intended length; without it the fault is momentary, or held to the end of the run.
    #[serde(rename = "for")]
    pub length: Option<Span>,
    /// Whether anything is held that must be undone.
    pub held: bool,
}
