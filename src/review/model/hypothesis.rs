//! Expected and observed, one row a criterion.

use super::{
    look::{Look, phase_name},
    verdict::{criterion_name, criterion_reading},
};
use crate::{
    analysis::{Absent, Bounded, Criterion, CriterionStatus, Value},
    event::Phase,
    review::{explain::Names, quantity},
};
use schemars::JsonSchema;
use serde::Serialize;

/// The section, and which of its rows the summary is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// One a criterion, in the order of the findings.
    pub rows: Vec<CriterionRow>,
    /// How many of them were met.
    pub met: usize,
    /// The one with the smallest margin.
    closest: Option<usize>,
    failed: Option<usize>,
    slow: Option<usize>,
    recovered: Option<usize>,
}

impl Expected {
    /// What is promised of failures of the main probe while the fault is there.
    pub fn failed(&self) -> Option<&CriterionRow> {
        self.rows.get(self.failed?)
    }

    /// And of its p99.
    pub fn slow(&self) -> Option<&CriterionRow> {
        self.rows.get(self.slow?)
    }

    /// And of its recovery.
    pub fn recovered(&self) -> Option<&CriterionRow> {
        self.rows.get(self.recovered?)
    }

    /// The judged one with the smallest margin.
    pub fn closest(&self) -> Option<&CriterionRow> {
        self.rows.get(self.closest?)
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CriterionRow {
    /// Permalink, as `firedrill explain` names it: `during/checkout/p99`.
    pub id: String,
    /// `baseline`, `during`, `recovery`.
    pub phase: &'static str,
    /// The probe's name; empty for a container that must be unaffected.
    pub probe: String,
    /// `errors`, `p99`, ...
    pub what: String,
    /// Both: `checkout p99`.
    pub name: String,
    /// The same in a sentence: `checkout p99 during the fault`.
    pub title: String,
    /// What became of it: `checkout p99 during the fault: 212ms, promised <= 400ms (N = 5,000)`.
    pub reading: String,
    /// `t+5.0s`: judged from there on, where its phase begins sooner.
    pub from: Option<String>,
    /// `<= 0.1%`
    pub expected: String,
    /// The same quantity in the baseline.
    pub baseline: String,
    /// Measured, or why not.
    pub measured: String,
    /// Over how many.
    pub n: String,
    /// `+23%`
    pub margin: String,
    /// `met`, `broken`, `undecided`, `not reached`.
    pub status: &'static str,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// Builds it.
pub fn expected(look: &Look<'_>) -> Expected {
    let criteria = &look.findings.criteria;
    let names = Names::of(look.findings);
    let rows: Vec<CriterionRow> = criteria.iter().map(|c| row(look, &names, c)).collect();
    let of_main = |phase: Phase, what: fn(&Bounded) -> bool| {
        criteria.iter().position(|c| c.phase == phase && c.probe == look.findings.main_probe && what(&c.what))
    };
    Expected {
        met: criteria.iter().filter(|c| c.status == CriterionStatus::Met).count(),
        closest: look.findings.verdict.smallest_margin.map(|(_, at)| at),
        failed: of_main(Phase::During, |b| *b == Bounded::MaxFailed)
            .or_else(|| of_main(Phase::During, |b| *b == Bounded::Errors)),
        slow: of_main(Phase::During, |b| *b == Bounded::Latency(0.99)),
        recovered: of_main(Phase::Recovery, |b| *b == Bounded::RecoveredWithin),
        rows,
    }
}

fn row(look: &Look<'_>, names: &Names, criterion: &Criterion) -> CriterionRow {
    let dash = || "–".to_owned();
    let probe = criterion.probe.map(|p| look.probe_name(p).to_owned()).unwrap_or_default();
    let what = criterion.what.to_string();
    CriterionRow {
        id: names.criterion(criterion),
        phase: phase_name(criterion.phase),
        name: format!("{probe} {what}").trim_start().to_owned(),
        probe,
        what,
        title: criterion_name(look, criterion),
        reading: criterion_reading(look, criterion),
        from: from(look, criterion),
        expected: promised(criterion),
        baseline: criterion.baseline.map_or_else(dash, quantity::value),
        measured: measured(criterion),
        n: if criterion.n > 0 { quantity::count(criterion.n) } else { dash() },
        margin: criterion.margin.map_or_else(dash, quantity::margin),
        status: status(criterion.status),
        evidence: look.cite(&criterion.evidence),
    }
}

/// Limits that hold from a moment within their phase on: a promise to recover has its time first.
fn from(look: &Look<'_>, criterion: &Criterion) -> Option<String> {
    let limit = matches!(criterion.what, Bounded::Errors | Bounded::Latency(_));
    let (from, _) = criterion.window.filter(|_| limit)?;
    let phase = look.findings.phase(criterion.phase)?;
    (from > phase.from).then(|| look.short(from))
}

fn promised(criterion: &Criterion) -> String {
    match (&criterion.what, criterion.objective) {
        (_, Some(objective)) => quantity::objective(objective),
        (Bounded::Unaffected(_), None) => "stays as it is".into(),
        (Bounded::NoPage(_), None) => "silent".into(),
        (_, None) => "–".into(),
    }
}

/// What was measured, in the words of the table.
pub fn measured(criterion: &Criterion) -> String {
    match (&criterion.what, criterion.measured) {
        (Bounded::Unaffected(_), Ok(Value::Flag(true))) => "stayed as it was".into(),
        (Bounded::Unaffected(_), Ok(Value::Flag(false))) => "went bad".into(),
        (Bounded::NoPage(_), Ok(Value::Flag(silent))) => if silent { "silent" } else { "fired" }.into(),
        (_, Ok(value)) => quantity::value(value),
        // The verdict beside it says so already.
        (_, Err(Absent::NotReached)) => "–".into(),
        (_, Err(absent)) => absent.to_string(),
    }
}

/// As people read it.
pub fn status(status: CriterionStatus) -> &'static str {
    match status {
        CriterionStatus::Met => "met",
        CriterionStatus::Broken => "broken",
        CriterionStatus::Undecided => "undecided",
        CriterionStatus::NotReached => "not reached",
    }
}
