//! Two runs side by side: what was promised, what was measured, what changed, and which difference is more than noise.
//!
//! The tests look at one second of requests as one observation, because requests of the same second share a fate
//! (an outage, a full queue), so that a thousand failures in one second are one event and not a thousand. They know
//! the noise inside the two runs. Two runs of the same system differ by more than that; only further runs tell how much.

mod blocks;
mod bootstrap;
mod changes;
mod proportion;

pub use changes::Change;

use super::{
    Absent, Criterion, CriterionStatus, Figure, FigureKind, Findings, Interval, Objective, ProbeFindings, Value,
};
use crate::{event::Phase, journal::RunFolder};
use blocks::{Block, Blocks};
use serde::Serialize;

/// A difference is more than noise when chance gives one as large in fewer than one of so many comparisons.
pub const LEVEL: f64 = 0.05;
/// A difference that is smaller than this share of the first value is called small, be it noise or not.
pub const SMALL: f64 = 0.05;

/// Two runs side by side: `a` before `b`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The first run.
    pub a: Side,
    /// The second run.
    pub b: Side,
    /// Whether both ran a scenario of the same name.
    pub same_scenario: bool,
    /// What is not the same around the measurement.
    pub changes: Vec<Change>,
    /// What both promised.
    pub criteria: Vec<CriterionPair>,
    /// Error ratios and percentiles by probe and phase, each with its test.
    pub tested: Vec<Tested>,
    /// Figures of which each run has one value; no test can tell such a difference from noise.
    pub figures: Vec<FigurePair>,
    /// What only one of them has, or why something could not be tested.
    pub remarks: Vec<String>,
}

/// One of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Its id.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// RFC 3339, UTC.
    pub started: jiff::Timestamp,
    /// The verdict's word.
    pub word: String,
    /// The exit code.
    pub code: u8,
}

/// The same promise in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CriterionPair {
    /// In which phase.
    pub phase: Phase,
    /// Whose; `None` for a container that must be unaffected.
    pub probe: Option<String>,
    /// `errors`, `p99`, ...
    pub what: String,
    /// What was promised in each; the same unless the scenario changed.
    pub objective: [Option<Objective>; 2],
    /// What was measured in each.
    pub measured: [Result<Value, Absent>; 2],
    /// What came of it in each.
    pub status: [CriterionStatus; 2],
}

/// The same figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigurePair {
    /// Which.
    pub kind: FigureKind,
    /// Of which probe.
    pub probe: Option<String>,
    /// What it came to in each.
    pub value: [Result<Value, Absent>; 2],
    /// Whether the two ranges of measuring error, nanoseconds, have nothing in common; `None` without ranges.
    pub apart: Option<bool>,
}

/// A quantity of which each run has many observations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    /// Of which probe.
    pub probe: String,
    /// In which phase.
    pub phase: Phase,
    /// What.
    pub quantity: Quantity,
    /// The two values: shares, or nanoseconds.
    pub value: [Value; 2],
    /// Over how many requests in each.
    pub n: [u64; 2],
    /// The second minus the first lies in here with 95 % confidence; nanoseconds, percentiles only.
    pub interval: Option<Interval<i64>>,
    /// Which test.
    pub test: Test,
    /// How probable a difference at least as large is by chance alone.
    pub p: f64,
    /// The same, raised for the number of tests in this comparison (Holm).
    pub adjusted_p: f64,
    /// What that means.
    pub reading: Reading,
}

/// What is tested.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Failed of logged requests.
    Errors,
    /// A percentile of the response time: 0.99 for p99.
    Percentile(f64),
}

/// Which test decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Two-proportion z-test, every request for itself.
    TwoProportion,
    /// Two-proportion z-test, its variance from what one-second clusters came to.
    TwoProportionClustered,
    /// Fisher's exact test.
    Fisher,
    /// Bootstrap over one-second blocks; the difference against its standard error.
    Bootstrap,
}

impl Test {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Test::TwoProportion => "two-proportion z-test",
            Test::TwoProportionClustered => "two-proportion z-test, clustered by second",
            Test::Fisher => "Fisher's exact test",
            Test::Bootstrap => "bootstrap over one-second blocks",
        }
    }
}

/// What a test says of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Chance alone gives such a difference often enough.
    WithinNoise,
    /// It does not, but the difference is under [`SMALL`] of the first value.
    BeyondNoiseSmall,
    /// It does not.
    BeyondNoise,
}

/// A run, ready to be compared.
#[derive(Debug)]
pub struct Case {
    findings: Findings,
    blocks: Blocks,
}

impl Case {
    /// Reads a run folder.
    ///
    /// # Errors
    /// If its journal cannot be read at all. Requests that cannot be read leave nothing to test.
    pub fn read(folder: &RunFolder) -> Result<Case, super::AnalysisError> {
        Ok(Case { findings: super::analyse(folder)?, blocks: blocks::read(folder)? })
    }
}

/// Compares two runs.
pub fn compare(a: &Case, b: &Case) -> Comparison {
    let mut remarks = Vec::new();
    let mut tested = tests(a, b, &mut remarks);
    holm(&mut tested);
    Comparison {
        a: side(&a.findings),
        b: side(&b.findings),
        same_scenario: a.findings.run.scenario == b.findings.run.scenario,
        changes: changes::between(&a.findings, &b.findings),
        criteria: criteria(&a.findings, &b.findings, &mut remarks),
        tested,
        figures: figures(&a.findings, &b.findings),
        remarks,
    }
}

fn side(findings: &Findings) -> Side {
    Side {
        run: findings.run.id.clone(),
        scenario: findings.run.scenario.clone(),
        started: findings.run.started,
        word: findings.verdict.word.to_string(),
        code: findings.verdict.code,
    }
}

fn criteria(a: &Findings, b: &Findings, remarks: &mut Vec<String>) -> Vec<CriterionPair> {
    let whose = |findings: &Findings, c: &Criterion| {
        c.probe.and_then(|id| findings.probes.get(usize::from(id))).map(|probe| probe.name.clone())
    };
    let key = |findings: &Findings, c: &Criterion| (c.phase, whose(findings, c), c.what.to_string());
    let mut only_b: Vec<&Criterion> = b.criteria.iter().collect();
    let mut pairs = Vec::new();
    for first in &a.criteria {
        let Some(position) = only_b.iter().position(|second| key(b, second) == key(a, first)) else {
            remarks.push(format!("only the first run promises {}", named(key(a, first))));
            continue;
        };
        let second = only_b.remove(position);
        pairs.push(CriterionPair {
            phase: first.phase,
            probe: whose(a, first),
            what: first.what.to_string(),
            objective: [first.objective, second.objective],
            measured: [first.measured, second.measured],
            status: [first.status, second.status],
        });
    }
    remarks.extend(only_b.iter().map(|c| format!("only the second run promises {}", named(key(b, c)))));
    pairs
}

fn named((phase, probe, what): (Phase, Option<String>, String)) -> String {
    format!("{} {what} ({phase:?})", probe.unwrap_or_default()).trim().to_lowercase()
}

/// Figures of the run, and of probes that both have.
fn figures(a: &Findings, b: &Findings) -> Vec<FigurePair> {
    let whose = |findings: &Findings, figure: &Figure| {
        figure.probe.and_then(|id| findings.probes.get(usize::from(id))).map(|probe| probe.name.clone())
    };
    let pair = |first: &Figure| {
        let probe = whose(a, first);
        let same =
            |second: &&Figure| second.kind == first.kind && second.fault == first.fault && whose(b, second) == probe;
        let second = b.figures.iter().find(same)?;
        let measured = first.value.is_ok() || second.value.is_ok();
        let apart = first.range.zip(second.range).map(|(a, b)| a.high < b.low || b.high < a.low);
        measured.then_some(FigurePair { kind: first.kind, probe, value: [first.value, second.value], apart })
    };
    a.figures.iter().filter(|figure| figure.fault.is_none_or(|fault| fault == 0)).filter_map(pair).collect()
}

const PERCENTILES: [f64; 3] = [0.5, 0.9, 0.99];

fn tests(a: &Case, b: &Case, remarks: &mut Vec<String>) -> Vec<Tested> {
    let mut tested = Vec::new();
    for first in &a.findings.probes {
        let Some(second) = b.findings.probes.iter().find(|probe| probe.name == first.name) else {
            remarks.push(format!("only the first run has the probe {}", first.name));
            continue;
        };
        for phase in super::windows::JUDGED {
            let (Some(x), Some(y)) = (a.blocks.of(first.id, phase), b.blocks.of(second.id, phase)) else { continue };
            tested.extend(errors(first, phase, x, y));
            tested.extend(percentiles(first, phase, x, y));
        }
    }
    let missing = b.findings.probes.iter().filter(|p| a.findings.probes.iter().all(|other| other.name != p.name));
    remarks.extend(missing.map(|probe| format!("only the second run has the probe {}", probe.name)));
    tested
}

fn errors(probe: &ProbeFindings, phase: Phase, a: &[Block], b: &[Block]) -> Option<Tested> {
    let total =
        |blocks: &[Block]| blocks.iter().fold((0, 0), |(failed, n), block| (failed + block.failed, n + block.logged));
    let ((failed_a, n_a), (failed_b, n_b)) = (total(a), total(b));
    if n_a == 0 || n_b == 0 {
        return None;
    }
    let (test, p) = proportion::test(a, b);
    let share = |failed: u64, n: u64| Value::Share(failed as f64 / n as f64);
    let value = [share(failed_a, n_a), share(failed_b, n_b)];
    Some(of(probe, phase, Quantity::Errors, value, [n_a, n_b], None, (test, p)))
}

fn percentiles(probe: &ProbeFindings, phase: Phase, a: &[Block], b: &[Block]) -> Vec<Tested> {
    let n = [a, b].map(|blocks| blocks.iter().map(|block| block.timed.len() as u64).sum::<u64>());
    let carried = |quantile: &f64| n.iter().all(|n| crate::measure::carries(*n, *quantile));
    let quantiles: Vec<f64> = PERCENTILES.into_iter().filter(carried).collect();
    let differences = bootstrap::percentiles(a, b, &quantiles);
    let one = |(quantile, d): (f64, bootstrap::Difference)| {
        let time = |us: u32| Value::Time(i64::from(us) * 1000);
        let interval = Interval { low: d.low_us * 1000, high: d.high_us * 1000 };
        let value = [time(d.a_us), time(d.b_us)];
        of(probe, phase, Quantity::Percentile(quantile), value, n, Some(interval), (Test::Bootstrap, d.p))
    };
    quantiles.into_iter().zip(differences).map(one).collect()
}

fn of(
    probe: &ProbeFindings,
    phase: Phase,
    quantity: Quantity,
    value: [Value; 2],
    n: [u64; 2],
    interval: Option<Interval<i64>>,
    (test, p): (Test, f64),
) -> Tested {
    let probe = probe.name.clone();
    Tested { probe, phase, quantity, value, n, interval, test, p, adjusted_p: p, reading: Reading::WithinNoise }
}

/// Raises each p-value for how many were looked at, by Holm's step-down, and reads it.
fn holm(tested: &mut [Tested]) {
    let mut order: Vec<usize> = (0..tested.len()).collect();
    order.sort_by(|i, j| tested[*i].p.total_cmp(&tested[*j].p));
    let mut least = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let still = (tested.len() - rank) as f64;
        let one = &mut tested[index];
        least = least.max((one.p * still).min(1.0));
        one.adjusted_p = least;
        one.reading = reading(one);
    }
}

fn reading(one: &Tested) -> Reading {
    let [a, b] = one.value.map(Value::number);
    match () {
        () if one.adjusted_p >= LEVEL => Reading::WithinNoise,
        () if (b - a).abs() < SMALL * a.abs() => Reading::BeyondNoiseSmall,
        () => Reading::BeyondNoise,
    }
}

#[cfg(test)]
mod tests;
