//! What was expected of alerts and what they did.

use super::evidence::ids;
use crate::{
    analysis::{AlertFindings, AlertOutcome, AlertRow, Findings, Interval},
    event::AlertSource,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The alerts, as their source told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertsPart {
    /// `prometheus` or `alertmanager`.
    pub source: Option<AlertSource>,
    /// How many answers were read.
    pub answers: u64,
    /// From the last answer before to the first after: nothing is known of alerts then.
    pub gaps_ns: Vec<[i64; 2]>,
    /// The source's clock minus the runner's lies between these.
    pub clock_ns: Option<[i64; 2]>,
    /// Those expected in the order of the scenario, then all others that fired.
    pub rows: Vec<AlertPart>,
}

/// An alert.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertPart {
    /// Its name, and its labels in braces.
    pub alert: String,
    /// Its position in the scenario; null if it was not expected.
    pub expected: Option<usize>,
    /// What came of it.
    pub outcome: AlertOutcome,
    /// When it began to be pending: between these moments.
    pub pending_ns: Option<[i64; 2]>,
    /// When it began to fire.
    pub firing_ns: Option<[i64; 2]>,
    /// When it had resolved; null: not before the end.
    pub resolved_ns: Option<[i64; 2]>,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

pub(super) fn alerts(findings: &Findings, found: &AlertFindings) -> AlertsPart {
    let zero = findings.run.t0.unwrap_or(0) as i64;
    let moment = |i: Interval<u64>| [i.low as i64 - zero, i.high as i64 - zero];
    let row = |row: &AlertRow| AlertPart {
        alert: row.alert.clone(),
        expected: row.expected,
        outcome: row.outcome,
        pending_ns: row.pending.map(moment),
        firing_ns: row.firing.map(moment),
        resolved_ns: row.resolved.map(moment),
        evidence: ids(&row.evidence),
    };
    AlertsPart {
        source: findings.terms.detect.as_ref().map(|terms| terms.source),
        answers: found.answers,
        gaps_ns: found.gaps.iter().map(|(from, to)| [*from as i64 - zero, *to as i64 - zero]).collect(),
        clock_ns: found.clock_ns.map(|lead| [lead.low, lead.high]),
        rows: found.rows.iter().map(row).collect(),
    }
}
