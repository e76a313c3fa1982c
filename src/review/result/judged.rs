//! What was promised, what was measured, and what the rules found.

use super::evidence::ids;
use crate::{
    analysis::{Absent, Criterion, CriterionStatus, Figure, Value},
    event,
    review::rules::RuleHit,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Something promised.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CriterionPart {
    /// What `firedrill explain` calls it: `during/checkout/p99`.
    pub id: String,
    /// `baseline`, `during`, `recovery`.
    pub phase: PhaseName,
    /// Whose; null for a container that must be unaffected.
    pub probe: Option<String>,
    /// `errors`, `p99`, `recovered within`, ...
    pub what: String,
    /// `<=`, `<`, `>=`, `>`.
    pub op: Option<&'static str>,
    /// In the unit of `measured`.
    pub bound: Option<f64>,
    /// What was measured.
    pub measured: Quantity,
    /// Over how many requests.
    pub n: u64,
    /// Distance to the bound as a share of it; negative if broken.
    pub margin: Option<f64>,
    /// What came of it.
    pub status: Status,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// What came of a criterion.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As promised.
    Met,
    /// Not as promised.
    Broken,
    /// The data do not tell.
    Undecided,
    /// The run did not get so far.
    NotReached,
}

/// A phase of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Phase")]
pub enum PhaseName {
    /// Docker, targets, locks, limits.
    Preflight,
    /// Load, thrown away.
    WarmUp,
    /// The gate.
    Baseline,
    /// From the first fault effective to the last undo effective.
    During,
    /// From there.
    Recovery,
    /// What remains.
    Report,
}

/// A figure.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FigurePart {
    /// What `firedrill explain` calls it: `time-to-recover/checkout`.
    pub id: String,
    /// `time_to_recover`, ...
    pub kind: String,
    /// Of which probe.
    pub probe: Option<String>,
    /// Of which fault: its position.
    pub fault: Option<usize>,
    /// What it came to.
    pub measured: Quantity,
    /// Where the truth lies, in the unit of the value.
    pub range: Option<[i64; 2]>,
    /// Over how many.
    pub n: Option<u64>,
    /// `<=`, `<`, `>=`, `>`.
    pub op: Option<&'static str>,
    /// In the unit of the value.
    pub bound: Option<f64>,
    /// Distance to the bound as a share of it.
    pub margin: Option<f64>,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// A quantity: its number in a base unit, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Quantity {
    /// The number; null if it was not measured.
    pub value: Option<f64>,
    /// `ns`, `count`, `share`, `factor`, `per_second`, `bytes`, `flag` (0 or 1).
    pub unit: Option<&'static str>,
    /// Why it was not measured.
    pub absent: Option<String>,
}

/// What a rule found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingPart {
    /// The rule's id.
    pub rule: String,
    /// Of rule, service, fault and signal: the same for the same finding in every run.
    pub fingerprint: String,
    /// What it is about.
    pub service: String,
    /// The kinds of fault, joined by `+`; `none` where the finding does not depend on them.
    pub fault: String,
    /// What shows it.
    pub signal: String,
    /// The finding in a sentence.
    pub title: String,
    /// `observed` or `hypothesis`.
    pub basis: String,
    /// In how many of the last runs it was found, if it was found before.
    pub again: Option<String>,
    /// How it could be tested.
    pub test: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

fn quantity(value: Result<Value, Absent>) -> Quantity {
    match value {
        Ok(value) => Quantity { value: Some(value.number()), unit: Some(unit(value)), absent: None },
        Err(absent) => Quantity { value: None, unit: None, absent: Some(absent.to_string()) },
    }
}

fn unit(value: Value) -> &'static str {
    match value {
        Value::Time(_) => "ns",
        Value::Count(_) | Value::Estimate(_) => "count",
        Value::Share(_) => "share",
        Value::Factor(_) => "factor",
        Value::Rate(_) => "per_second",
        Value::Bytes(_) => "bytes",
        Value::Flag(_) => "flag",
    }
}

pub(super) fn criterion(id: String, criterion: &Criterion, probe: Option<String>) -> CriterionPart {
    CriterionPart {
        id,
        phase: phase(criterion.phase),
        probe,
        what: criterion.what.to_string(),
        op: criterion.objective.map(|o| o.op.sign()),
        bound: criterion.objective.map(|o| o.bound.number()),
        measured: quantity(criterion.measured),
        n: criterion.n,
        margin: criterion.margin,
        status: match criterion.status {
            CriterionStatus::Met => Status::Met,
            CriterionStatus::Broken => Status::Broken,
            CriterionStatus::Undecided => Status::Undecided,
            CriterionStatus::NotReached => Status::NotReached,
        },
        evidence: ids(&criterion.evidence),
    }
}

fn phase(phase: event::Phase) -> PhaseName {
    match phase {
        event::Phase::Preflight => PhaseName::Preflight,
        event::Phase::WarmUp => PhaseName::WarmUp,
        event::Phase::Baseline => PhaseName::Baseline,
        event::Phase::During => PhaseName::During,
        event::Phase::Recovery => PhaseName::Recovery,
        event::Phase::Report => PhaseName::Report,
    }
}

pub(super) fn figure(id: String, figure: &Figure, probe: Option<String>) -> FigurePart {
    FigurePart {
        id,
        kind: figure.kind.name().replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
        probe,
        fault: figure.fault,
        measured: quantity(figure.value),
        range: figure.range.map(|r| [r.low, r.high]),
        n: figure.n,
        op: figure.objective.map(|o| o.op.sign()),
        bound: figure.objective.map(|o| o.bound.number()),
        margin: figure.margin,
        evidence: ids(&figure.evidence),
    }
}

pub(super) fn finding(hit: &RuleHit) -> FindingPart {
    FindingPart {
        rule: hit.rule.into(),
        fingerprint: hit.fingerprint.clone(),
        service: hit.service.clone(),
        fault: hit.fault.clone(),
        signal: hit.signal.clone(),
        title: hit.title.clone(),
        basis: hit.basis.name().into(),
        again: hit.again.clone(),
        test: hit.test.clone(),
        evidence: ids(&hit.evidence),
    }
}
