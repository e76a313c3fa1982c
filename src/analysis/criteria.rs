//! The hypothesis table: each limit with what was promised, measured and left over.

use super::{
    Absent, Bounded, Criterion, CriterionStatus, EvidenceId, Impact, Ledger, Neighbour, Objective, PhaseStats, Value,
    log::ProbeLog, stats::Group, windows::Windows,
};
use crate::{
    clock::At,
    event::{Comparison, Limit, Limits, Metric, Phase, Terms},
    measure::ProbeId,
};
use std::ops::Range;

/// What the criteria of a probe are judged from.
pub struct Seen<'a> {
    /// Its requests; `None`: it was never started.
    pub log: Option<&'a ProbeLog>,
    /// Its phases.
    pub stats: &'a [PhaseStats],
    /// What it went through.
    pub impact: Option<&'a Impact>,
}

/// Over 5 % unknown, and a phase tells nothing.
pub const UNKNOWN_TOLERATED: f64 = 0.05;

/// All rows: by phase, then by probe, then those outside of the targets.
pub fn judge(
    terms: &Terms,
    windows: &Windows,
    seen: &[Seen<'_>],
    blast: &[Neighbour],
    ledger: &mut Ledger,
) -> Vec<Criterion> {
    let expect = &terms.expect;
    let phases =
        [(Phase::Baseline, &expect.baseline), (Phase::During, &expect.during), (Phase::Recovery, &expect.recovery)];
    let mut rows = Vec::new();
    for (phase, by_name) in phases {
        for (id, probe) in terms.probes.iter().enumerate() {
            if let (Some(limits), Some(seen)) = (by_name.get(&probe.name), seen.get(id)) {
                let judge = OfProbe { id: id as ProbeId, phase, limits, windows, seen };
                rows.extend(judge.rows(ledger));
            }
        }
    }
    rows.extend(expect.unaffected.iter().map(|name| unaffected(name, windows, blast)));
    rows
}

struct OfProbe<'a> {
    id: ProbeId,
    phase: Phase,
    limits: &'a Limits,
    windows: &'a Windows,
    seen: &'a Seen<'a>,
}

impl OfProbe<'_> {
    fn rows(&self, ledger: &mut Ledger) -> Vec<Criterion> {
        let window = self.window();
        let mut rows: Vec<Criterion> =
            self.limits.limits.iter().map(|limit| self.limit(*limit, window.clone(), ledger)).collect();
        if let (Phase::During, Some(most)) = (self.phase, self.limits.max_failed) {
            rows.push(self.max_failed(most, ledger));
        }
        if self.phase == Phase::Recovery && (self.limits.within.is_some() || self.limits.stable_for.is_some()) {
            rows.push(self.recovered());
        }
        rows
    }

    /// From when to when the limits are judged.
    fn window(&self) -> Option<Range<At>> {
        let phase = self.windows.of(self.phase)?;
        let from = match (self.phase, self.limits.within) {
            (Phase::During, Some(within)) => phase.start.saturating_add(within.ns()),
            (Phase::Recovery, Some(within)) => self.recovery_from(&phase, within.ns()),
            _ => phase.start,
        };
        Some(from.min(phase.end)..phase.end)
    }

    /// With `within`, the limits are those of the time after the recovery.
    fn recovery_from(&self, phase: &Range<At>, within: u64) -> At {
        match self.seen.impact {
            None => phase.start,
            Some(impact) => impact.end.map_or(phase.start.saturating_add(within), |end| end.high.max(phase.start)),
        }
    }

    fn group(&self, window: &Range<At>) -> Option<Group<'_>> {
        let log = self.seen.log?;
        let whole = self.windows.of(self.phase).is_some_and(|phase| phase == *window);
        if whole { Group::of_phase(log, self.windows, self.phase) } else { Some(Group::due_in(log, window.clone())) }
    }

    fn limit(&self, limit: Limit, window: Option<Range<At>>, ledger: &mut Ledger) -> Criterion {
        let what = match limit.metric {
            Metric::Errors(_) => Bounded::Errors,
            Metric::Latency { quantile, .. } => Bounded::Latency(quantile),
        };
        let group = window.as_ref().and_then(|window| self.group(window));
        let whole = window.is_some() && window == self.windows.of(self.phase);
        let known = self.known(self.phase, limit.metric).filter(|_| whole);
        let measure = || group.as_ref().map_or((Err(Absent::NotReached), 0), |group| group.measure(limit.metric));
        let (measured, n) = known.map_or_else(measure, |(value, n)| (Ok(value), n));
        let evidence = group.iter().map(|group| ledger.cite(group.evidence(self.id))).collect();
        let objective = Group::objective(limit);
        let baseline = self.baseline(limit.metric);
        self.row(Measured { what, objective, window, baseline, measured, n, evidence })
    }

    fn max_failed(&self, most: u64, ledger: &mut Ledger) -> Criterion {
        let window = self.windows.of(self.phase);
        let group = window.as_ref().and_then(|window| self.group(window));
        let tally = group.as_ref().map(Group::tally);
        let measured = match tally {
            None => Err(Absent::NotReached),
            Some(tally) if tally.logged() == 0 => Err(Absent::NoData),
            Some(tally) => Ok(Value::Count(tally.failed())),
        };
        let evidence = group.iter().map(|group| ledger.cite(group.evidence(self.id))).collect();
        let objective = Objective { op: Comparison::AtMost, bound: Value::Count(most) };
        let n = tally.map_or(0, |tally| tally.offered);
        self.row(Measured { what: Bounded::MaxFailed, objective, window, baseline: None, measured, n, evidence })
    }

    fn recovered(&self) -> Criterion {
        let phase = self.windows.of(Phase::Recovery);
        let whole = phase.as_ref().map_or(0, |p| p.end - p.start);
        let within = self.limits.within.map_or(whole, |within| within.ns());
        let objective = Objective { op: Comparison::AtMost, bound: time(within) };
        let start = phase.as_ref().map_or(0, |p| p.start);
        let logged = self.seen.log.is_some_and(|log| log.series.tally(log.series.due_in(start..u64::MAX)).logged() > 0);
        let measured = match (&phase, self.seen.impact) {
            (None, _) => Err(Absent::NotReached),
            (Some(_), None) if !logged => Err(Absent::NoData),
            (Some(_), None) => Err(Absent::NoImpact),
            (Some(_), Some(impact)) => match impact.end {
                Some(end) if impact.confirmed => Ok(time(end.high.saturating_sub(start))),
                Some(end) => Err(Absent::NotRecovered { at_least_ns: end.high.saturating_sub(start) }),
                None => Err(Absent::NotRecovered { at_least_ns: whole }),
            },
        };
        let evidence = self.seen.impact.map_or_else(Vec::new, |impact| impact.evidence.clone());
        let n = self.seen.stats.iter().find(|s| s.phase == Phase::Recovery).map_or(0, |s| s.offered);
        let what = Bounded::RecoveredWithin;
        self.row(Measured { what, objective, window: phase, baseline: None, measured, n, evidence })
    }

    fn baseline(&self, metric: Metric) -> Option<Value> {
        if self.phase == Phase::Baseline {
            return None;
        }
        let measure = || Group::of_phase(self.seen.log?, self.windows, Phase::Baseline)?.measure(metric).0.ok();
        self.known(Phase::Baseline, metric).map(|(value, _)| value).or_else(measure)
    }

    /// What the statistics of a whole phase say already.
    fn known(&self, phase: Phase, metric: Metric) -> Option<(Value, u64)> {
        let stats = self.seen.stats.iter().find(|s| s.phase == phase)?;
        match metric {
            Metric::Errors(_) => Some((Value::Share(stats.error_ratio?), stats.offered - stats.missing)),
            Metric::Latency { quantile, .. } => {
                let response = &stats.response;
                let named = [(0.5, response.p50), (0.9, response.p90), (0.99, response.p99), (1.0, response.max)];
                let (_, ns) = named.into_iter().find(|(q, _)| *q == quantile)?;
                Some((time(ns?), response.n))
            }
        }
    }

    fn row(&self, row: Measured) -> Criterion {
        let vague =
            self.seen.stats.iter().find(|s| s.phase == self.phase).is_some_and(|s| s.unknown_share > UNKNOWN_TOLERATED);
        let status = match row.measured {
            Err(Absent::NotReached) => CriterionStatus::NotReached,
            _ if vague => CriterionStatus::Undecided,
            Err(Absent::NoImpact) => CriterionStatus::Met,
            Err(Absent::NotRecovered { .. }) => CriterionStatus::Broken,
            Err(_) => CriterionStatus::Undecided,
            Ok(value) if row.objective.met_by(value) => CriterionStatus::Met,
            Ok(_) => CriterionStatus::Broken,
        };
        Criterion {
            phase: self.phase,
            probe: Some(self.id),
            what: row.what,
            objective: Some(row.objective),
            window: row.window.map(|w| (w.start, w.end)),
            baseline: row.baseline,
            measured: row.measured,
            n: row.n,
            margin: row.measured.ok().and_then(|value| row.objective.margin(value)),
            status,
            evidence: row.evidence,
        }
    }
}

struct Measured {
    what: Bounded,
    objective: Objective,
    window: Option<Range<At>>,
    baseline: Option<Value>,
    measured: Result<Value, Absent>,
    n: u64,
    evidence: Vec<EvidenceId>,
}

fn time(ns: u64) -> Value {
    Value::Time(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// A container or service that was to stay as it is.
fn unaffected(name: &str, windows: &Windows, blast: &[Neighbour]) -> Criterion {
    let named: Vec<&Neighbour> =
        blast.iter().filter(|n| n.container == name || n.service.as_deref() == Some(name)).collect();
    let bad = named.iter().any(|n| n.bad);
    let window = windows.during.as_ref().map(|during| (during.start, windows.watch_end));
    let (measured, status) = match (window, named.is_empty()) {
        (None, _) => (Err(Absent::NotReached), CriterionStatus::NotReached),
        (_, true) => (Err(Absent::NoEvidence), CriterionStatus::Undecided),
        (_, false) => (Ok(Value::Flag(!bad)), if bad { CriterionStatus::Broken } else { CriterionStatus::Met }),
    };
    Criterion {
        phase: Phase::During,
        probe: None,
        what: Bounded::Unaffected(name.to_owned()),
        objective: None,
        window,
        baseline: None,
        measured,
        n: named.len() as u64,
        margin: None,
        status,
        evidence: named.iter().flat_map(|n| n.evidence.clone()).collect(),
    }
}
