//! Which alerts told of the fault, how soon, and which did not: the truth table and what follows from it.

use super::{
    look::{Look, list},
    verdict::capital,
};
use crate::{
    analysis::{Absent, AlertFindings, AlertOutcome, AlertRow, FigureKind, Interval, Value},
    clock::At,
    event::DetectTerms,
    review::quantity,
};
use schemars::JsonSchema;
use serde::Serialize;

/// How many alerts have a row; the others are counted.
const MOST: usize = 25;

/// What a review says of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Detection {
    /// What the table comes to, one line each.
    pub lines: Vec<String>,
    /// One row an alert, those expected first.
    pub rows: Vec<AlertWords>,
    /// How many more there were.
    pub left_out: usize,
}

/// An alert in the truth table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AlertWords {
    /// Its name.
    pub alert: String,
    /// `within 1m`, `silent`, `–`.
    pub expected: String,
    /// `fired`, `late`, `missing`, `not known`, `forbidden`, `unrelated`.
    pub outcome: &'static str,
    /// When it began to be pending.
    pub pending: String,
    /// When it began to fire.
    pub firing: String,
    /// When it had resolved.
    pub resolved: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// `None` without an alert source.
pub fn detection(look: &Look<'_>) -> Option<Detection> {
    let (terms, alerts) = (look.findings.terms.detect.as_ref()?, look.findings.alerts.as_ref()?);
    let rows: Vec<AlertWords> = alerts.rows.iter().take(MOST).map(|row| words(look, terms, row)).collect();
    Some(Detection { lines: lines(look, terms, alerts), left_out: alerts.rows.len() - rows.len(), rows })
}

fn words(look: &Look<'_>, terms: &DetectTerms, row: &AlertRow) -> AlertWords {
    let dash = || "–".to_owned();
    let at = |at: Option<Interval<At>>| at.map_or_else(dash, |at| look.short(at.high));
    let within = row.expected.and_then(|at| terms.alerts.get(at)).map(|alert| format!("within {}", alert.within));
    AlertWords {
        alert: row.alert.clone(),
        expected: within
            .unwrap_or_else(|| if row.outcome == AlertOutcome::Forbidden { "silent".into() } else { dash() }),
        outcome: row.outcome.name(),
        pending: at(row.pending),
        firing: match (row.firing, row.stretches.first()) {
            (None, Some((crate::event::AlertState::Firing, ..))) => "before the drill".into(),
            (firing, _) => at(firing),
        },
        resolved: match (row.resolved, row.stretches.is_empty()) {
            (None, false) => "not before the end".into(),
            (resolved, _) => at(resolved),
        },
        evidence: look.cite(&row.evidence),
    }
}

fn lines(look: &Look<'_>, terms: &DetectTerms, alerts: &AlertFindings) -> Vec<String> {
    let answers = quantity::plural(alerts.answers, "answer", "answers");
    let source = format!("{} at {}: {answers}, asked every {}{}.", terms.source, terms.url, terms.every, clock(alerts));
    let mut lines = Vec::new();
    for (kind, what) in [
        (FigureKind::AlertRecall, "expected alerts fired"),
        (FigureKind::AlertPrecision, "alerts that fired were expected"),
        (FigureKind::AlertReset, "The last expected alert resolved"),
    ] {
        lines.extend(figure(look, kind, what));
    }
    lines.push(source);
    lines
}

/// `; its clock: 3.2ms ahead, give or take 600us`.
fn clock(alerts: &AlertFindings) -> String {
    let Some(lead) = alerts.clock_ns else { return String::new() };
    let middle = lead.low.midpoint(lead.high);
    let way = if middle < 0 { "behind" } else { "ahead" };
    let half = (lead.high - lead.low).unsigned_abs() / 2;
    let (by, give) = (quantity::span(middle.unsigned_abs()), quantity::span(half));
    format!("; its clock: {by} {way}, give or take {give}")
}

/// A figure in a line; one that is absent because there was nothing to measure is left out.
fn figure(look: &Look<'_>, kind: FigureKind, what: &str) -> Option<String> {
    let figure = look.findings.figure(kind, None, None)?;
    match (figure.value, figure.n) {
        (Ok(Value::Share(share)), Some(n)) => {
            let part = (share * n as f64).round() as u64;
            Some(format!("{}: {} {what}.", capital(kind.name()), quantity::part(part, n)))
        }
        (Ok(Value::Time(ns)), _) => {
            let way = if ns < 0 { "before" } else { "after" };
            Some(format!("{what} {} {way} the recovery.", quantity::span(ns.unsigned_abs())))
        }
        (Err(Absent::StillFiring), _) => Some("An expected alert was still firing when the watch ended.".into()),
        _ => None,
    }
}

/// Whether and how soon the fault was told, in a sentence.
pub fn sentence(look: &Look<'_>) -> String {
    let figure = look.findings.figure(FigureKind::TimeToDetect, None, None);
    let (Some(_), Some(alerts), Some(figure)) = (&look.findings.terms.detect, &look.findings.alerts, figure) else {
        return "Detection: no alert source is connected, so the time to detect is not measured.".into();
    };
    let silent = named(alerts, |outcome| outcome == AlertOutcome::Missing);
    let not = match silent.is_empty() {
        true => String::new(),
        false => format!("; {} did not fire", list(&silent, 3)),
    };
    match figure.value {
        Ok(Value::Time(ns)) => format!("Detected by {}{}{not}.", first(look, alerts), after(look, ns)),
        Err(Absent::NotDetected) => format!("Not detected: {} did not fire.", list(&silent, 3)),
        Err(absent) => format!("Detection: {absent}."),
        Ok(value) => format!("Detected after {}{not}.", quantity::value(value)),
    }
}

/// `alert CacheDown at t+12.3s (10:00:42 UTC)`
fn first(look: &Look<'_>, alerts: &AlertFindings) -> String {
    let right = |row: &&AlertRow| matches!(row.outcome, AlertOutcome::Fired | AlertOutcome::Late);
    let first =
        alerts.rows.iter().filter(right).filter_map(|row| Some((row.firing?.high, row))).min_by_key(|(at, _)| *at);
    first.map_or("an alert".into(), |(at, row)| format!("alert {} at {}", row.alert, look.moment(at)))
}

/// `, 12.3s after the fault and 4s before the impact began`.
fn after(look: &Look<'_>, from_fault: i64) -> String {
    let impact = match look.findings.figure(FigureKind::TimeToDetectFromImpact, None, None).map(|f| f.value) {
        Some(Ok(Value::Time(ns))) if ns < 0 => {
            format!(" and {} before the impact began", quantity::span(ns.unsigned_abs()))
        }
        Some(Ok(Value::Time(ns))) => format!(" and {} after the impact began", quantity::span(ns.unsigned_abs())),
        _ => String::new(),
    };
    format!(", {} after the fault{impact}", quantity::span(from_fault.max(0).unsigned_abs()))
}

/// Alerts of such an outcome.
pub fn named(alerts: &AlertFindings, outcome: impl Fn(AlertOutcome) -> bool) -> Vec<String> {
    alerts.rows.iter().filter(|row| outcome(row.outcome)).map(|row| row.alert.clone()).collect()
}
