//! Which alerts told of the fault, how soon, and which did not: the truth table and what follows from it.

use super::{
    Told,
    look::{Look, list},
    verdict::capital,
};
use crate::{
    analysis::{Absent, AlertFindings, AlertOutcome, AlertRow, Bounded, FigureKind, Interval, Value},
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
pub struct AlertTable {
    /// One row an alert, those expected first.
    pub rows: Vec<AlertWords>,
    /// How many more there were.
    pub left_out: usize,
    /// What the table comes to, one line each.
    pub lines: Vec<Told>,
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
pub fn table(look: &Look<'_>) -> Option<AlertTable> {
    let (terms, alerts) = (look.findings.terms.detect.as_ref()?, look.findings.alerts.as_ref()?);
    let rows: Vec<AlertWords> = alerts.rows.iter().take(MOST).map(|row| words(look, terms, row)).collect();
    Some(AlertTable { lines: lines(look), left_out: alerts.rows.len() - rows.len(), rows })
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

fn lines(look: &Look<'_>) -> Vec<Told> {
    shares(look).into_iter().chain(reset(look)).collect()
}

/// Where the alerts were asked for, and how often.
pub fn source(look: &Look<'_>) -> Option<Told> {
    let (terms, alerts) = (look.findings.terms.detect.as_ref()?, look.findings.alerts.as_ref()?);
    let answers = quantity::plural(alerts.answers, "answer", "answers");
    let text = format!("{} at {}: {answers}, asked every {}{}", terms.source, terms.url, terms.every, clock(alerts));
    Some(look.told(text, alerts.evidence.iter().copied()))
}

/// `; its clock: 3.2ms ahead, give or take 600us`.
fn clock(alerts: &AlertFindings) -> String {
    alerts.clock_ns.map(|lead| format!("; its clock: {}", quantity::lead(lead))).unwrap_or_default()
}

/// How many of those expected fired, and how many of those that fired were expected.
fn shares(look: &Look<'_>) -> Option<Told> {
    let mut evidence = Vec::new();
    let mut said = Vec::new();
    for kind in [FigureKind::AlertRecall, FigureKind::AlertPrecision] {
        let Some(figure) = look.findings.figure(kind, None, None) else { continue };
        let (Ok(Value::Share(share)), Some(n)) = (figure.value, figure.n) else { continue };
        said.push(format!("{} {}", kind.name(), quantity::part((share * n as f64).round() as u64, n)));
        evidence.extend(&figure.evidence);
    }
    (!said.is_empty()).then(|| look.told(format!("{}.", capital(&list(&said, 2))), evidence))
}

/// When the last expected alert was over.
fn reset(look: &Look<'_>) -> Option<Told> {
    let figure = look.findings.figure(FigureKind::AlertReset, None, None)?;
    let text = match figure.value {
        Ok(Value::Time(ns)) => {
            let way = if ns < 0 { "before" } else { "after" };
            format!("The last expected alert resolved {} {way} the recovery.", quantity::span(ns.unsigned_abs()))
        }
        Err(Absent::StillFiring) => "An expected alert was still firing when the watch ended.".into(),
        _ => return None,
    };
    Some(look.told(text, figure.evidence.iter().copied()))
}

/// Whether and how soon the fault was told, in a sentence.
pub fn sentence(look: &Look<'_>) -> Told {
    let figure = look.findings.figure(FigureKind::TimeToDetect, None, None);
    let (Some(_), Some(alerts), Some(figure)) = (&look.findings.terms.detect, &look.findings.alerts, figure) else {
        return look.told("Detection: no alert source is connected, so the time to detect is not measured.", vec![]);
    };
    let silent = named(alerts, |outcome| outcome == AlertOutcome::Missing);
    let not = match silent.is_empty() {
        true => String::new(),
        false => format!("; {} did not fire", list(&silent, 3)),
    };
    let text = match figure.value {
        Ok(Value::Time(ns)) => format!("Detected by {}{not}.", first(look, alerts, ns)),
        Err(Absent::NotDetected) => format!("Not detected: {} did not fire.", list(&silent, 3)),
        Err(absent) => format!("Detection: {absent}."),
        Ok(value) => format!("Detected after {}{not}.", quantity::value(value)),
    };
    let expected = alerts.rows.iter().filter(|row| row.expected.is_some());
    look.told(text, figure.evidence.iter().copied().chain(expected.flat_map(|row| row.evidence.iter().copied())))
}

/// `alert CacheDown at t+12.3s (10:00:42 UTC), 12.3s after the fault (promised within 20s, margin +39%)`
fn first(look: &Look<'_>, alerts: &AlertFindings, from_fault: i64) -> String {
    let right = |row: &&AlertRow| matches!(row.outcome, AlertOutcome::Fired | AlertOutcome::Late);
    let first =
        alerts.rows.iter().filter(right).filter_map(|row| Some((row.firing?.high, row))).min_by_key(|(at, _)| *at);
    let after = after(look, from_fault);
    let Some((at, row)) = first else { return format!("an alert{after}") };
    let promised = look.findings.criteria.iter().find_map(|c| match &c.what {
        Bounded::AlertFires { alert, within } if *alert == row.alert => {
            let margin = c.margin.map(|margin| format!(", margin {}", quantity::margin(margin)));
            Some(format!(" (promised within {within}{})", margin.unwrap_or_default()))
        }
        _ => None,
    });
    format!("alert {} at {}{after}{}", row.alert, look.moment(at), promised.unwrap_or_default())
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
fn named(alerts: &AlertFindings, outcome: impl Fn(AlertOutcome) -> bool) -> Vec<String> {
    alerts.rows.iter().filter(|row| outcome(row.outcome)).map(|row| row.alert.clone()).collect()
}
