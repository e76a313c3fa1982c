//! One type for every figure of a review: a value with its unit, or the reason why there is none.

use super::{EvidenceId, findings::Interval};
use crate::{
    clock::At,
    event::{Comparison, FaultId, Phase},
    measure::ProbeId,
    units::{Rate, Span, trimmed},
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A measured or promised quantity with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A length of time in nanoseconds; negative where one thing may come before another.
    Time(i64),
    /// A number of things (requests, ticks, ...).
    Count(u64),
    /// A number that estimates a count (excess failures): may be negative or broken.
    Estimate(f64),
    /// A fraction of 1, read as a percentage.
    Share(f64),
    /// A factor: 14.4 is "14.4x".
    Factor(f64),
    /// Per second.
    Rate(f64),
    /// Bytes.
    Bytes(u64),
    /// Yes or no.
    Flag(bool),
}

impl Value {
    /// As a plain number in the base unit (ns, 1, bytes), for margins and charts.
    pub fn number(self) -> f64 {
        match self {
            Value::Time(ns) => ns as f64,
            Value::Count(n) | Value::Bytes(n) => n as f64,
            Value::Estimate(v) | Value::Share(v) | Value::Factor(v) | Value::Rate(v) => v,
            Value::Flag(yes) => f64::from(u8::from(yes)),
        }
    }
}

/// Rounded for people: `1.24s`, `812ms`, `0.1%`, `14.4x`, `187.3/s`. The exact value is in the JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::Time(ns) if ns < 0 => write!(f, "-{}", readable(ns.unsigned_abs())),
            Value::Time(ns) => f.write_str(&readable(ns.unsigned_abs())),
            Value::Count(n) => write!(f, "{n}"),
            Value::Estimate(v) => f.write_str(&trimmed(v, 1)),
            Value::Share(v) => write!(f, "{}%", trimmed(v * 100.0, if v < 0.001 { 4 } else { 2 })),
            Value::Factor(v) => write!(f, "{}x", trimmed(v, 2)),
            Value::Rate(v) => Rate(v).fmt(f),
            Value::Bytes(n) => crate::units::Bytes(n).fmt(f),
            Value::Flag(yes) => f.write_str(if yes { "yes" } else { "no" }),
        }
    }
}

/// Three significant digits at least, and never finer than the microsecond.
fn readable(ns: u64) -> String {
    let step = match ns {
        0..1_000_000 => 1_000,
        1_000_000..100_000_000 => 100_000,
        100_000_000..1_000_000_000 => 1_000_000,
        1_000_000_000..100_000_000_000 => 10_000_000,
        _ => 100_000_000,
    };
    let rounded = (ns + step / 2) / step * step;
    if ns > 0 && rounded == 0 { "<1us".into() } else { Span(Duration::from_nanos(rounded)).to_string() }
}

/// What a figure tells. Definitions: [`FigureKind::definition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureKind {
    /// Fault effective - fault due. Per fault.
    InjectionDelay,
    /// Fault removed - undo asked. Per fault.
    RemovalDelay,
    /// How long the fault was effective. Per fault; the objective is 90 % of `for`.
    EffectiveFor,
    /// Start of impact - fault effective. Per probe.
    TimeToImpact,
    /// First expected alert firing - first fault effective. For the run; absent without an alert source.
    TimeToDetect,
    /// First expected alert firing - start of impact of the main probe; negative: the alert was first. For the run.
    TimeToDetectFromImpact,
    /// Expected alerts that fired / all that fired, from the first fault to the end. For the run.
    AlertPrecision,
    /// Expected alerts that fired / expected ones. For the run.
    AlertRecall,
    /// Last expected alert resolved - recovery of the main probe. For the run.
    AlertReset,
    /// From the start of impact until the mitigated limits hold while the fault is active. Per probe.
    TimeToMitigate,
    /// Recovery - start of impact. Per probe.
    TimeToRecover,
    /// Recovery - start of the recovery phase; what `recovery.within` is compared with. Per probe.
    RecoveryLag,
    /// Whether recovery came before the fault was removed. Per probe.
    RecoveredUnderFault,
    /// Recovery - fault effective, against `within` of recovery counted from the fault. Per probe.
    RecoveryFromFault,
    /// Sum of the bad ticks from the fault on. Per probe.
    DegradedTicks,
    /// From the start of impact to the end of the last bad run. Per probe.
    DegradedSpan,
    /// Sum of the unknown ticks from the fault on. Per probe.
    UnknownTicks,
    /// Sum of the outage gaps: time in which nothing was completed well. Per probe.
    OutageTime,
    /// Requests failed from the first fault effective to the end of recovery. Per probe; N is offered.
    RequestsFailed,
    /// Failed - baseline ratio x offered, same window. Per probe.
    ExcessFailures,
    /// Good answers a second during / in the baseline. Per probe.
    GoodputKept,
    /// Error ratio of `during` / (1 - SLO). Per probe.
    BurnRate,
    /// The highest burn rate of any minute (of the whole window if it is shorter). Per probe.
    PeakBurnRate,
    /// Share of the SLO period's error budget that the drill would have used. Per probe.
    BudgetConsumed,
    /// The smallest margin to any judged objective. For the run.
    SmallestMargin,
    /// Always absent until a ledger probe exists.
    DataLoss,
}

impl FigureKind {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            FigureKind::InjectionDelay => "injection delay",
            FigureKind::RemovalDelay => "removal delay",
            FigureKind::EffectiveFor => "fault effective for",
            FigureKind::TimeToImpact => "time to impact",
            FigureKind::TimeToDetect => "time to detect",
            FigureKind::TimeToDetectFromImpact => "time to detect from impact",
            FigureKind::AlertPrecision => "alert precision",
            FigureKind::AlertRecall => "alert recall",
            FigureKind::AlertReset => "alerts reset after",
            FigureKind::TimeToMitigate => "time to mitigate",
            FigureKind::TimeToRecover => "time to recover",
            FigureKind::RecoveryLag => "recovery lag",
            FigureKind::RecoveredUnderFault => "recovered under fault",
            FigureKind::RecoveryFromFault => "recovery from the fault",
            FigureKind::DegradedTicks => "degraded (bad ticks)",
            FigureKind::DegradedSpan => "degraded (first to last)",
            FigureKind::UnknownTicks => "unknown ticks",
            FigureKind::OutageTime => "no good answer for",
            FigureKind::RequestsFailed => "requests failed",
            FigureKind::ExcessFailures => "excess failures",
            FigureKind::GoodputKept => "goodput kept",
            FigureKind::BurnRate => "burn rate",
            FigureKind::PeakBurnRate => "peak burn rate",
            FigureKind::BudgetConsumed => "error budget consumed",
            FigureKind::SmallestMargin => "smallest margin",
            FigureKind::DataLoss => "data loss",
        }
    }

    /// How it is computed, in one sentence, for the appendix.
    pub fn definition(self) -> &'static str {
        match self {
            FigureKind::InjectionDelay => "Fault effective minus the moment at which the fault was due.",
            FigureKind::RemovalDelay => "Fault removed minus the moment at which its undo was asked for.",
            FigureKind::EffectiveFor => "From the fault effective to the fault removed.",
            FigureKind::TimeToImpact => "Start of impact minus the first fault effective.",
            FigureKind::TimeToDetect => "First expected alert firing minus the first fault effective.",
            FigureKind::TimeToDetectFromImpact => {
                "First expected alert firing minus the start of impact; negative if the alert came first."
            }
            FigureKind::AlertPrecision => {
                "Expected alerts that fired, divided by all alerts that began to fire from the first fault to the end of recovery."
            }
            FigureKind::AlertRecall => "Expected alerts that fired, in time or late, divided by those expected.",
            FigureKind::AlertReset => "Last expected alert resolved minus recovery; negative if the alerts were first.",
            FigureKind::TimeToMitigate => {
                "From the start of impact until the mitigated limits hold for good while the fault is still active."
            }
            FigureKind::TimeToRecover => "Recovery minus the start of impact.",
            FigureKind::RecoveryLag => "Recovery minus the start of the recovery phase (the last undo effective).",
            FigureKind::RecoveredUnderFault => "Whether recovery came before the last undo can have been effective.",
            FigureKind::RecoveryFromFault => "Recovery minus the first fault effective.",
            FigureKind::DegradedTicks => "Length of all bad ticks from the first fault effective on.",
            FigureKind::DegradedSpan => "From the start of impact to the end of the last bad run.",
            FigureKind::UnknownTicks => "Length of all unknown ticks from the first fault effective on.",
            FigureKind::OutageTime => "Sum of the gaps between good completions while nothing succeeded.",
            FigureKind::RequestsFailed => {
                "Requests that did not end well, of those due from the first fault effective to the end of recovery."
            }
            FigureKind::ExcessFailures => "Requests failed minus the baseline's error ratio times the requests due.",
            FigureKind::GoodputKept => "Good answers per second during the fault, divided by the baseline's.",
            FigureKind::BurnRate => "Error ratio during the fault, divided by 1 - SLO.",
            FigureKind::PeakBurnRate => "The highest burn rate over any one minute from the first fault effective on.",
            FigureKind::BudgetConsumed => {
                "Error ratio integrated over the drill, divided by (1 - SLO) times the SLO's period: the share used up, \
                 read as if this had been production traffic."
            }
            FigureKind::SmallestMargin => {
                "The smallest distance of a judged value to its bound, as a share of the bound."
            }
            FigureKind::DataLoss => "Acknowledged writes that are missing afterwards.",
        }
    }
}

/// Why a figure has no value. Never shown as 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Nothing went bad.
    NoImpact,
    /// It did not get better while the fault was active.
    NotMitigated {
        /// When the runner removed the fault, if it did.
        removed_at: Option<At>,
    },
    /// Not recovered by the end of the run; it took at least this long (ns).
    NotRecovered {
        /// From the start of impact (or of recovery, by figure) to the end of the watch.
        at_least_ns: u64,
    },
    /// The probe has no service level objective.
    NoSlo,
    /// No alert source is connected.
    NoAlertSource,
    /// The scenario expects no alert.
    NothingExpected,
    /// No expected alert fired, and the source was read all the time.
    NotDetected,
    /// This alert did not fire.
    NotFired,
    /// It fired before the fault already, so that it could tell nothing.
    AlreadyFiring,
    /// It had not resolved when the watch ended.
    StillFiring,
    /// No alert fired at all.
    NoneFired,
    /// The alert source could not be read when it mattered.
    AlertSourceLost,
    /// Of at least one expected alert it is not known whether it fired.
    AlertsNotKnown,
    /// No probe keeps a ledger of writes.
    NoLedger,
    /// N is too small for this.
    TooFew {
        /// How many there were.
        n: u64,
        /// How many it takes.
        needed: u64,
    },
    /// No fault became effective.
    NoFault,
    /// The fault was still active when the run ended, or holds nothing.
    NotRemoved,
    /// Nothing was promised that it could be compared with.
    NoObjective,
    /// The run did not get so far.
    NotReached,
    /// Nothing was logged there.
    NoData,
    /// The journal lacks what it takes.
    NoEvidence,
}

/// For people, after "not measured: " or alone.
impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absent::NoImpact => f.write_str("no impact observed at this load"),
            Absent::NotMitigated { .. } => f.write_str("not mitigated while the fault was active"),
            Absent::NotRecovered { at_least_ns } => {
                let least = Value::Time(i64::try_from(*at_least_ns).unwrap_or(i64::MAX));
                write!(f, "not recovered by the end of the run (at least {least})")
            }
            Absent::NoSlo => f.write_str("no SLO given"),
            Absent::NoAlertSource => f.write_str("no alert source configured: not measured"),
            Absent::NothingExpected => f.write_str("no alert is expected"),
            Absent::NotDetected => f.write_str("no expected alert fired before the watch ended"),
            Absent::NotFired => f.write_str("did not fire"),
            Absent::AlreadyFiring => f.write_str("fired before the fault already"),
            Absent::StillFiring => f.write_str("still firing at the end"),
            Absent::NoneFired => f.write_str("no alert fired"),
            Absent::AlertSourceLost => f.write_str("the alert source could not be read then"),
            Absent::AlertsNotKnown => f.write_str("not known of every expected alert"),
            Absent::NoLedger => f.write_str("no ledger probe: not measured"),
            Absent::TooFew { n, needed } => write!(f, "N too small ({n}, needs {needed})"),
            Absent::NoFault => f.write_str("no fault became effective"),
            Absent::NotRemoved => f.write_str("not removed before the end"),
            Absent::NoObjective => f.write_str("no objective given"),
            Absent::NotReached => f.write_str("the run did not get so far"),
            Absent::NoData => f.write_str("no requests logged"),
            Absent::NoEvidence => f.write_str("the journal does not tell"),
        }
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// How.
    pub op: Comparison,
    /// The bound, in the unit of the value.
    pub bound: Value,
}

impl Objective {
    /// Whether the value is as promised.
    pub fn met_by(&self, value: Value) -> bool {
        self.op.holds(value.number(), self.bound.number())
    }

    /// Distance to the bound as a share of the bound; negative if it is broken. `None` if the bound is 0,
    /// where a share means nothing.
    pub fn margin(&self, value: Value) -> Option<f64> {
        let (value, bound) = (value.number(), self.bound.number());
        if bound == 0.0 {
            return None;
        }
        let room = match self.op {
            Comparison::AtMost | Comparison::Below => bound - value,
            Comparison::AtLeast | Comparison::Above => value - bound,
        };
        Some(room / bound)
    }
}

/// `<= 400ms`
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.sign(), self.bound)
    }
}

/// A figure of the review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it tells.
    pub kind: FigureKind,
    /// Of which probe, if it is a probe's.
    pub probe: Option<ProbeId>,
    /// Of which fault, if it is a fault's.
    pub fault: Option<FaultId>,
    /// Over which phase, where it has one (`GoodputKept`, `BurnRate`: during).
    pub phase: Option<Phase>,
    /// The best estimate, or why there is none.
    pub value: Result<Value, Absent>,
    /// For times: where the truth lies, if clocks or gaps between requests leave it open. Nanoseconds.
    pub range: Option<Interval<i64>>,
    /// Over how many requests (ticks for the tick figures), if it is computed from many.
    pub n: Option<u64>,
    /// What it is compared with, if anything was promised.
    pub objective: Option<Objective>,
    /// Distance to the objective as a share of it; negative if broken.
    pub margin: Option<f64>,
    /// Where it comes from.
    pub evidence: Vec<EvidenceId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_rounded_and_with_their_unit() {
        for (value, text) in [
            (Value::Time(1_234_567_890), "1.23s"),
            (Value::Time(-12_345_678), "-12.3ms"),
            (Value::Time(0), "0s"),
            (Value::Time(300), "<1us"),
            (Value::Time(95_000_000_000), "1m35s"),
            (Value::Share(0.000_45), "0.045%"),
            (Value::Share(1.0), "100%"),
            (Value::Factor(14.4), "14.4x"),
            (Value::Estimate(-0.3), "-0.3"),
            (Value::Flag(true), "yes"),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn margins_are_shares_of_the_bound() {
        let at_most = Objective { op: Comparison::AtMost, bound: Value::Time(400) };
        assert_eq!(at_most.margin(Value::Time(300)), Some(0.25));
        assert_eq!(at_most.margin(Value::Time(500)), Some(-0.25));
        let at_least = Objective { op: Comparison::AtLeast, bound: Value::Share(0.5) };
        assert_eq!(at_least.margin(Value::Share(0.75)), Some(0.5));
        let nothing = Objective { op: Comparison::AtMost, bound: Value::Share(0.0) };
        assert_eq!((nothing.margin(Value::Share(0.0)), nothing.met_by(Value::Share(0.0))), (None, true));
    }
}
