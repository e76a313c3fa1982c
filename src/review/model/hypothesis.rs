//! Expected and observed, one row a criterion.

use super::look::{Look, phase_name};
use crate::{
    analysis::{Absent, Bounded, Criterion, CriterionStatus, Value},
    review::{explain::Names, quantity},
};
use schemars::JsonSchema;
use serde::Serialize;

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

/// All of them.
pub fn rows(look: &Look<'_>) -> Vec<CriterionRow> {
    let names = Names::of(look.findings);
    look.findings.criteria.iter().map(|c| row(look, &names, c)).collect()
}

fn row(look: &Look<'_>, names: &Names, criterion: &Criterion) -> CriterionRow {
    let dash = || "–".to_owned();
    CriterionRow {
        id: names.criterion(criterion),
        phase: phase_name(criterion.phase),
        probe: criterion.probe.map(|p| look.probe_name(p).to_owned()).unwrap_or_default(),
        what: criterion.what.to_string(),
        expected: expected(criterion),
        baseline: criterion.baseline.map_or_else(dash, quantity::value),
        measured: measured(criterion),
        n: if criterion.n > 0 { quantity::count(criterion.n) } else { dash() },
        margin: criterion.margin.map_or_else(dash, quantity::margin),
        status: status(criterion.status),
        evidence: look.cite(&criterion.evidence),
    }
}

fn expected(criterion: &Criterion) -> String {
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
