//! What each probe saw: its criteria, its phases, its ticks, its impact to the request.

use super::{Absent, EvidenceId, Objective, Value, findings::Interval};
use crate::{
    clock::At,
    event::{Phase, ProbeKind, Slo},
    measure::{Class, ProbeId, Schedule},
    units::{Rate, Span},
};
use serde::{Deserialize, Serialize};

/// One row of the hypothesis table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// `Baseline`, `During` or `Recovery`; `During` for `expect.unaffected`.
    pub phase: Phase,
    /// Whose; `None` for `expect.unaffected`.
    pub probe: Option<ProbeId>,
    /// What is bounded.
    pub what: Bounded,
    /// The bound; `None` only for [`Bounded::Unaffected`].
    pub objective: Option<Objective>,
    /// From when to when it was judged.
    pub window: Option<(At, At)>,
    /// The same quantity in the baseline, where that makes sense.
    pub baseline: Option<Value>,
    /// Measured, or why not.
    pub measured: Result<Value, Absent>,
    /// Over how many requests (for errors: offered; for percentiles: answers and timeouts).
    pub n: u64,
    /// Distance to the bound as a share of it; negative if broken. `None` if absent or the bound is 0.
    pub margin: Option<f64>,
    /// What came of it.
    pub status: CriterionStatus,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// What a criterion bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounded {
    /// Share of offered requests that did not end well.
    Errors,
    /// Response time at this quantile; 1.0 is the maximum.
    Latency(f64),
    /// Failures over all of `during`.
    MaxFailed,
    /// Recovered within this of the start of recovery, and stable.
    RecoveredWithin,
    /// A container or service outside the targets stays as it is.
    Unaffected(String),
    /// An alert fires within this of the first fault effective.
    AlertFires {
        /// Its name, with labels.
        alert: String,
        /// So long.
        within: Span,
    },
    /// An alert has resolved within this of the last undo effective.
    AlertResolves {
        /// Its name, with labels.
        alert: String,
        /// So long.
        within: Span,
    },
    /// The alert of this name does not begin to fire; `None`: nor does any that is not expected.
    NoPage(Option<String>),
}

impl Bounded {
    /// Whether it is about alerts, and carries its bound in its words.
    pub fn about_alerts(&self) -> bool {
        matches!(self, Bounded::AlertFires { .. } | Bounded::AlertResolves { .. } | Bounded::NoPage(_))
    }
}

/// `errors`, `p99`, `max`, `failed in all`, `recovered within`, `db unaffected`, `alert CacheDown fires within 1m`.
impl std::fmt::Display for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bounded::Errors => f.write_str("errors"),
            Bounded::Latency(1.0) => f.write_str("max"),
            Bounded::Latency(q) => write!(f, "p{}", crate::units::trimmed(q * 100.0, 4)),
            Bounded::MaxFailed => f.write_str("failed in all"),
            Bounded::RecoveredWithin => f.write_str("recovered within"),
            Bounded::Unaffected(name) => write!(f, "{name} unaffected"),
            Bounded::AlertFires { alert, within } => write!(f, "alert {alert} fires within {within}"),
            Bounded::AlertResolves { alert, within } => write!(f, "alert {alert} resolves within {within}"),
            Bounded::NoPage(Some(name)) => write!(f, "alert {name} does not fire"),
            Bounded::NoPage(None) => f.write_str("no other alert fires"),
        }
    }
}

/// What came of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriterionStatus {
    /// As promised.
    Met,
    /// Not as promised.
    Broken,
    /// The data do not tell (see the verdict's reasons and the doubts).
    Undecided,
    /// The run did not get so far.
    NotReached,
}

/// What one probe saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeFindings {
    /// Its position.
    pub id: ProbeId,
    /// Its name.
    pub name: String,
    /// What it sends.
    pub kind: ProbeKind,
    /// Load (users) rather than a mere probe.
    pub load: bool,
    /// What it is sent to.
    pub subject: String,
    /// How often.
    pub rate: Rate,
    /// How long an answer may take, from intended.
    pub timeout: Span,
    /// Its SLO.
    pub slo: Option<Slo>,
    /// Whether `expect` names it; if not, it is recorded and not judged.
    pub judged: bool,
    /// When its requests were due; `None`: it was never started.
    pub schedule: Option<Schedule>,
    /// By phase, of those reached: baseline, during, recovery.
    pub phases: Vec<PhaseStats>,
    /// From the start of load to the end, without gaps.
    pub ticks: Vec<Tick>,
    /// Length of a judged tick, ns (1, 2 or 5 s; longer for probes that are slower than that).
    pub tick_ns: u64,
    /// One point a second (or a tick, if that is longer), coarser for very long runs: for charts.
    pub chart: Vec<ChartPoint>,
    /// What it went through; `None`: no bad run from the first fault on.
    pub impact: Option<Impact>,
    /// Gaps between good completions in which nothing succeeded, from the first fault on, to the request.
    pub outages: Vec<Outage>,
    /// Response-time distributions per phase, for percentile plots.
    pub distributions: Vec<Distribution>,
}

impl ProbeFindings {
    /// The statistics of a phase, if the run reached it.
    pub fn phase(&self, phase: Phase) -> Option<&PhaseStats> {
        self.phases.iter().find(|s| s.phase == phase)
    }
}

/// One probe in one phase. Requests belong to the phase of their intended time; those unanswered when the first
/// fault struck belong to `during`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseStats {
    /// Which phase.
    pub phase: Phase,
    /// Requests that were due.
    pub offered: u64,
    /// Of those, not in the log.
    pub missing: u64,
    /// How they ended, in the order of [`Class::ALL`], only classes that occur.
    pub by_class: Vec<(Class, u64)>,
    /// Those that ended well.
    pub ok: u64,
    /// Those that did not.
    pub failed: u64,
    /// `failed` / `offered`; `None` if nothing was offered.
    pub error_ratio: Option<f64>,
    /// Good answers a second.
    pub goodput: Option<f64>,
    /// From intended: answers, and timeouts at their full time.
    pub response: Percentiles,
    /// From sent: the same requests.
    pub service: Percentiles,
    /// Sent - intended of all that were sent.
    pub lateness: Percentiles,
    /// The worst lateness that the generator itself caused, ns.
    pub worst_own_lateness_ns: u64,
    /// Seconds in which the generator was behind / seconds with anything due.
    pub behind_share: f64,
    /// Unknown ticks / ticks that lie in the phase.
    pub unknown_share: f64,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// Percentiles in nanoseconds; each only where N carries it: N (1 - q) >= 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Over how many.
    pub n: u64,
    /// Median; needs N >= 20.
    pub p50: Option<u64>,
    /// Needs N >= 100.
    pub p90: Option<u64>,
    /// Needs N >= 1,000.
    pub p99: Option<u64>,
    /// Needs N >= 10,000.
    pub p999: Option<u64>,
    /// The largest; `None` if N is 0.
    pub max: Option<u64>,
}

/// A stretch of time that is judged as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Its start (intended times from here, inclusive).
    pub from: At,
    /// Its end (exclusive).
    pub to: At,
    /// What it is.
    pub state: TickState,
    /// Requests due.
    pub offered: u32,
    /// Failed.
    pub failed: u32,
    /// Answered, but slower than the latency limit.
    pub slow: u32,
}

/// What a tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickState {
    /// Within what chance allows.
    Good,
    /// More failures or slow answers than the limit and chance together allow, or nothing ok at all.
    Bad,
    /// The generator was behind, the log has holes, or nothing was due.
    Unknown,
}

/// What a chart shows of one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChartPoint {
    /// Its start.
    pub from: At,
    /// Its end.
    pub to: At,
    /// Requests due.
    pub offered: u32,
    /// By class, in the order of [`Class::ALL`].
    pub by_class: [u32; 8],
    /// Answers and timeouts.
    pub timed: u32,
    /// Response-time percentiles in ns; `None` if nothing was timed. For the eye: not withheld for small N.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// The slowest.
    pub max: Option<u64>,
}

/// From the first bad run to recovery, edges placed to the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Start: the last good completion before users saw it (middle of the gap to the first bad one, with
    /// both ends as the range).
    pub start: Interval<At>,
    /// End of the last bad run; `None`: still bad when the watch ended.
    pub end: Option<Interval<At>>,
    /// Whether the end is confirmed as recovery: `stable_for` follows, and everything from there to the end of
    /// the run, pooled, meets `expect.recovery`.
    pub confirmed: bool,
    /// When it was confirmed (`end` + `stable_for`).
    pub confirmed_at: Option<At>,
    /// All bad runs, in order: first and last tick (positions in [`ProbeFindings::ticks`]).
    pub bad_runs: Vec<(usize, usize)>,
    /// From when on the mitigated limits hold while the fault is active.
    pub mitigated: Option<At>,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// A gap between good completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The last good completion before.
    pub last_good: At,
    /// The first good completion after; `None`: none came.
    pub first_good: Option<At>,
    /// Requests that were due in between.
    pub due: u64,
    /// Of those, failed.
    pub failed: u64,
}

/// A distribution of response times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// In which phase.
    pub phase: Phase,
    /// Quantile and response time in ns, rising; from 0 to what N carries.
    pub points: Vec<(f64, u64)>,
}
