//! How soon the alerts told, how many of them were right, and how long they went on.

use super::{AlertFindings, AlertOutcome, AlertRow};
use crate::{
    analysis::{
        Absent, EvidenceId, Figure, FigureKind, Impact, Interval, Value,
        figures::{figure, timed},
    },
    clock::At,
};

/// All five; absent ones say why.
pub fn figures(alerts: Option<&AlertFindings>, fault: Option<Interval<At>>, impact: Option<&Impact>) -> Vec<Figure> {
    let Some(alerts) = alerts else {
        return KINDS.map(|kind| figure(kind, Err(Absent::NoAlertSource), Vec::new())).into();
    };
    let impact_began = impact.map(|impact| impact.start);
    vec![
        detected(FigureKind::TimeToDetect, alerts, fault, Absent::NoFault),
        detected(FigureKind::TimeToDetectFromImpact, alerts, impact_began, without(fault)),
        precision(alerts, fault),
        recall(alerts, fault),
        reset(alerts, fault, impact),
    ]
}

const KINDS: [FigureKind; 5] = [
    FigureKind::TimeToDetect,
    FigureKind::TimeToDetectFromImpact,
    FigureKind::AlertPrecision,
    FigureKind::AlertRecall,
    FigureKind::AlertReset,
];

fn without(fault: Option<Interval<At>>) -> Absent {
    if fault.is_some() { Absent::NoImpact } else { Absent::NoFault }
}

/// Those that were expected.
fn expected(alerts: &AlertFindings) -> impl Iterator<Item = &AlertRow> {
    alerts.rows.iter().filter(|row| row.expected.is_some())
}

/// Expected and fired, in time or late.
fn right(row: &AlertRow) -> bool {
    row.expected.is_some() && matches!(row.outcome, AlertOutcome::Fired | AlertOutcome::Late)
}

/// Began to fire from the first fault on.
fn fired(row: &AlertRow, fault: Interval<At>) -> bool {
    row.firing.is_some_and(|firing| firing.high > fault.low)
}

fn lines(rows: &[&AlertRow], alerts: &AlertFindings) -> Vec<EvidenceId> {
    let lines: Vec<EvidenceId> = rows.iter().flat_map(|row| row.evidence.clone()).collect();
    if lines.is_empty() { alerts.evidence.clone() } else { lines }
}

/// Why no expected alert fired.
fn undetected(alerts: &AlertFindings) -> Absent {
    let rows: Vec<&AlertRow> = expected(alerts).collect();
    match () {
        () if rows.is_empty() => Absent::NothingExpected,
        () if rows.iter().any(|row| row.outcome == AlertOutcome::NotKnown) => Absent::AlertsNotKnown,
        () => Absent::NotDetected,
    }
}

fn detected(kind: FigureKind, alerts: &AlertFindings, from: Option<Interval<At>>, absent: Absent) -> Figure {
    let first = expected(alerts).filter(|row| right(row)).min_by_key(|row| row.firing.map(|firing| firing.high));
    let absent = if from.is_some() { undetected(alerts) } else { absent };
    let lines = lines(&first.into_iter().collect::<Vec<_>>(), alerts);
    timed(kind, from, first.and_then(|row| row.firing), absent, &lines)
}

fn share(kind: FigureKind, rows: &[&AlertRow], of: usize, absent: Absent, alerts: &AlertFindings) -> Figure {
    let part = rows.iter().filter(|row| right(row)).count();
    let value = if of > 0 { Ok(Value::Share(part as f64 / of as f64)) } else { Err(absent) };
    Figure { n: Some(of as u64), ..figure(kind, value, lines(rows, alerts)) }
}

fn precision(alerts: &AlertFindings, fault: Option<Interval<At>>) -> Figure {
    let Some(fault) = fault else { return figure(FigureKind::AlertPrecision, Err(Absent::NoFault), Vec::new()) };
    let all: Vec<&AlertRow> = alerts.rows.iter().filter(|row| fired(row, fault)).collect();
    let absent = if undetected(alerts) == Absent::AlertsNotKnown { Absent::AlertsNotKnown } else { Absent::NoneFired };
    share(FigureKind::AlertPrecision, &all, all.len(), absent, alerts)
}

fn recall(alerts: &AlertFindings, fault: Option<Interval<At>>) -> Figure {
    let kind = FigureKind::AlertRecall;
    let rows: Vec<&AlertRow> = expected(alerts).collect();
    match (fault, undetected(alerts)) {
        (None, _) => figure(kind, Err(Absent::NoFault), Vec::new()),
        (_, absent @ Absent::AlertsNotKnown) => figure(kind, Err(absent), lines(&rows, alerts)),
        (_, absent) => share(kind, &rows, rows.len(), absent, alerts),
    }
}

/// The last of the expected ones that fired.
fn reset(alerts: &AlertFindings, fault: Option<Interval<At>>, impact: Option<&Impact>) -> Figure {
    let rows: Vec<&AlertRow> = expected(alerts).filter(|row| right(row)).collect();
    let over = rows.iter().all(|row| row.resolved.is_some());
    let last = rows.iter().filter_map(|row| row.resolved).max_by_key(|at| at.high).filter(|_| over);
    let recovered = impact.filter(|impact| impact.confirmed).and_then(|impact| impact.end);
    let absent = match (impact, recovered) {
        _ if rows.is_empty() => undetected(alerts),
        (None, _) => without(fault),
        (Some(_), None) => Absent::NotReached,
        (Some(_), Some(_)) => Absent::StillFiring,
    };
    timed(FigureKind::AlertReset, recovered, last, absent, &lines(&rows, alerts))
}
