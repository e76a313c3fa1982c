//! Every load and probe, phase by phase.

use crate::{
    analysis::{Percentiles, PhaseStats, ProbeFindings},
    review::model::phase_name,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A load or probe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProbePart {
    /// Its name.
    pub name: String,
    /// Load (users) rather than a mere probe.
    pub load: bool,
    /// Whether anything is promised of it.
    pub judged: bool,
    /// Requests a second.
    pub rate: f64,
    /// By phase name.
    pub phases: BTreeMap<String, PhasePart>,
}

/// A probe in a phase.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PhasePart {
    /// Requests due.
    pub offered: u64,
    /// Ended well.
    pub ok: u64,
    /// Did not.
    pub failed: u64,
    /// By class.
    pub by_class: BTreeMap<String, u64>,
    /// Good answers a second.
    pub goodput: Option<f64>,
    /// From the intended send.
    pub response: PercentilePart,
    /// From the real send.
    pub service: PercentilePart,
    /// Share of ticks of which nothing is known.
    pub unknown_share: f64,
}

/// Percentiles in nanoseconds, each only where N carries it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PercentilePart {
    /// Over how many.
    pub n: u64,
    /// Median.
    pub p50_ns: Option<u64>,
    /// 90th.
    pub p90_ns: Option<u64>,
    /// 99th.
    pub p99_ns: Option<u64>,
    /// 99.9th.
    pub p999_ns: Option<u64>,
    /// Slowest.
    pub max_ns: Option<u64>,
}

pub(super) fn probe(probe: &ProbeFindings) -> ProbePart {
    ProbePart {
        name: probe.name.clone(),
        load: probe.load,
        judged: probe.judged,
        rate: probe.rate.0,
        phases: probe.phases.iter().map(|s| (phase_name(s.phase).to_owned(), stats(s))).collect(),
    }
}

fn stats(stats: &PhaseStats) -> PhasePart {
    PhasePart {
        offered: stats.offered,
        ok: stats.ok,
        failed: stats.failed,
        by_class: stats.by_class.iter().map(|(class, n)| (class.name().to_owned(), *n)).collect(),
        goodput: stats.goodput,
        response: percentiles(&stats.response),
        service: percentiles(&stats.service),
        unknown_share: stats.unknown_share,
    }
}

fn percentiles(p: &Percentiles) -> PercentilePart {
    PercentilePart { n: p.n, p50_ns: p.p50, p90_ns: p.p90, p99_ns: p.p99, p999_ns: p.p999, max_ns: p.max }
}
