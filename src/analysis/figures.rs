//! Every figure that needs no alerts and no ledger, by its definition.

use super::{
    Absent, EvidenceId, FaultFindings, Figure, FigureKind, Impact, Interval, Objective, PhaseStats, ProbeFindings,
    TickState, Value, Verdict,
    log::{ProbeLog, RequestLog},
    series::{Series, Tally},
    windows::Windows,
};
use crate::{
    clock::At,
    event::{Comparison, Expectations, Phase},
};
use std::ops::Range;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// All figures of a run.
pub fn all(
    probes: &[ProbeFindings],
    faults: &[FaultFindings],
    windows: &Windows,
    log: &RequestLog,
    expect: &Expectations,
    verdict: &Verdict,
) -> Vec<Figure> {
    let mut figures = Vec::new();
    for fault in faults {
        figures.extend(of_fault(fault));
    }
    let effective = faults.iter().filter_map(|f| f.effective).min_by_key(|e| e.low);
    for probe in probes {
        let log = log.probes.get(&probe.id);
        figures.extend(OfProbe { probe, windows, log, expect, effective }.all());
    }
    figures.push(margin(verdict));
    let none = |kind, why| figure(kind, Err(why), Vec::new());
    figures.push(none(FigureKind::DataLoss, Absent::NoLedger));
    figures
}

/// A figure of the run.
pub(super) fn figure(kind: FigureKind, value: Result<Value, Absent>, evidence: Vec<EvidenceId>) -> Figure {
    Figure {
        kind,
        probe: None,
        fault: None,
        phase: None,
        value,
        range: None,
        n: None,
        objective: None,
        margin: None,
        evidence,
    }
}

fn margin(verdict: &Verdict) -> Figure {
    let value = verdict.smallest_margin.map(|(margin, _)| Value::Share(margin));
    figure(FigureKind::SmallestMargin, value.ok_or(Absent::NoObjective), Vec::new())
}

fn span(from: At, to: At) -> i64 {
    i64::try_from(i128::from(to) - i128::from(from)).unwrap_or(i64::MAX)
}

/// A time between two moments that are both known only roughly: the best value takes the later end of both, which
/// is where the engine's stamp and the first good completion lie.
fn between(from: Interval<At>, to: Interval<At>) -> (Value, Interval<i64>) {
    (Value::Time(span(from.high, to.high)), Interval { low: span(from.high, to.low), high: span(from.low, to.high) })
}

/// A time between two moments.
pub(super) fn timed(
    kind: FigureKind,
    from: Option<Interval<At>>,
    to: Option<Interval<At>>,
    absent: Absent,
    evidence: &[EvidenceId],
) -> Figure {
    let mut found = figure(kind, Err(absent), evidence.to_vec());
    if let (Some(from), Some(to)) = (from, to) {
        let (value, range) = between(from, to);
        found.value = Ok(value);
        found.range = Some(Interval { low: range.low.min(range.high), high: range.high });
    }
    found
}

fn exactly(at: At) -> Interval<At> {
    Interval { low: at, high: at }
}

fn compare(mut figure: Figure, objective: Option<Objective>) -> Figure {
    figure.objective = objective;
    figure.margin = figure.value.ok().and_then(|value| objective?.margin(value));
    figure
}

/// Whoever recovers before the recovery phase has kept the promise as whoever does when it begins, and no better.
fn lag(mut figure: Figure, objective: Option<Objective>) -> Figure {
    let late = figure.value.ok().map(|value| match value {
        Value::Time(ns) => Value::Time(ns.max(0)),
        other => other,
    });
    figure.objective = objective;
    figure.margin = late.and_then(|value| objective?.margin(value));
    figure
}

fn of_fault(fault: &FaultFindings) -> Vec<Figure> {
    let due = fault.intended.map(exactly);
    let asked = fault.undo_requested.map(exactly);
    let removed = if fault.undo_requested.is_some() { fault.removed } else { None };
    let injected = timed(FigureKind::InjectionDelay, due, fault.effective, Absent::NoFault, &fault.evidence);
    let undone = timed(FigureKind::RemovalDelay, asked, removed, Absent::NotRemoved, &fault.evidence);
    let held = timed(FigureKind::EffectiveFor, fault.effective, fault.removed, Absent::NotRemoved, &fault.evidence);
    let least = fault
        .length
        .filter(|_| fault.held)
        .map(|length| Objective { op: Comparison::AtLeast, bound: Value::Time((length.ns() as f64 * 0.9) as i64) });
    let mut all = vec![injected, undone, compare(held, least)];
    all.iter_mut().for_each(|f| f.fault = Some(fault.id));
    all
}

struct OfProbe<'a> {
    probe: &'a ProbeFindings,
    windows: &'a Windows,
    log: Option<&'a ProbeLog>,
    expect: &'a Expectations,
    effective: Option<Interval<At>>,
}

impl OfProbe<'_> {
    fn all(&self) -> Vec<Figure> {
        let mut figures = self.times();
        figures.extend(self.degraded());
        figures.extend(self.failures());
        figures.extend(self.budget());
        figures.iter_mut().for_each(|f| f.probe = Some(self.probe.id));
        figures
    }

    fn impact(&self) -> Option<&Impact> {
        self.probe.impact.as_ref()
    }

    fn evidence(&self) -> Vec<EvidenceId> {
        self.impact().map(|impact| impact.evidence.clone()).unwrap_or_else(|| self.stats_evidence())
    }

    /// Why there are no times of impact.
    fn without_impact(&self) -> Absent {
        match (self.effective, self.log) {
            (None, _) => Absent::NoFault,
            (_, None) => Absent::NoData,
            _ if self.probe.phases.iter().all(|s| s.offered == s.missing) => Absent::NoData,
            _ => Absent::NoImpact,
        }
    }

    fn times(&self) -> Vec<Figure> {
        let evidence = self.evidence();
        let impact = self.impact();
        // An outage starts at the last good completion before it, and ends at the first one after it.
        let start = impact.map(|impact| impact.start);
        let began = start.map(|start| Interval { low: start.low, high: start.low });
        let recovered = impact.filter(|i| i.confirmed).and_then(|i| i.end);
        let absent = match impact {
            None => self.without_impact(),
            Some(impact) => {
                Absent::NotRecovered { at_least_ns: self.windows.watch_end.saturating_sub(impact.start.low) }
            }
        };
        let removed = self.windows.recovery.as_ref().map(|r| exactly(r.start));
        let within = self.expect.recovery.get(&self.probe.name).and_then(|l| l.within);
        let objective = within.map(|w| Objective { op: Comparison::AtMost, bound: Value::Time(span(0, w.ns())) });
        let mut to_impact = timed(FigureKind::TimeToImpact, self.effective, start, self.without_impact(), &evidence);
        if let (Ok(Value::Time(ns)), Some(range)) = (&mut to_impact.value, to_impact.range) {
            // The clock of the engine and the gap between two requests may cross; impact never comes first.
            *ns = (*ns).max(0).clamp(range.low.max(0), range.high.max(0));
            to_impact.range = Some(Interval { low: range.low.max(0), high: range.high.max(0) });
        }
        vec![
            to_impact,
            self.mitigated(began),
            timed(FigureKind::TimeToRecover, began, recovered, absent, &evidence),
            lag(timed(FigureKind::RecoveryLag, removed, recovered, absent, &evidence), objective),
            timed(FigureKind::RecoveryFromFault, self.effective, recovered, absent, &evidence),
            self.recovered_under_fault(recovered, absent),
        ]
    }

    fn mitigated(&self, began: Option<Interval<At>>) -> Figure {
        let removed_at = self.windows.recovery.as_ref().map(|r| r.start);
        let absent = if began.is_some() { Absent::NotMitigated { removed_at } } else { self.without_impact() };
        let mitigated = self.impact().and_then(|impact| impact.mitigated).map(exactly);
        let within = self.expect.during.get(&self.probe.name).and_then(|l| l.within);
        let objective = within.map(|w| Objective { op: Comparison::AtMost, bound: Value::Time(span(0, w.ns())) });
        compare(timed(FigureKind::TimeToMitigate, began, mitigated, absent, &self.evidence()), objective)
    }

    fn recovered_under_fault(&self, recovered: Option<Interval<At>>, absent: Absent) -> Figure {
        let value = match (recovered, self.windows.letting_go) {
            (Some(end), Some(letting_go)) => Ok(Value::Flag(end.high < letting_go)),
            (Some(_), None) => Err(Absent::NotRemoved),
            (None, _) => Err(absent),
        };
        figure(FigureKind::RecoveredUnderFault, value, self.evidence())
    }

    /// Three numbers, never one.
    fn degraded(&self) -> Vec<Figure> {
        let fault = self.windows.fault();
        let ticks: Vec<_> = self.probe.ticks.iter().filter(|t| fault.is_some_and(|fault| t.from >= fault)).collect();
        let sum = |state| ticks.iter().filter(|t| t.state == state).map(|t| t.to - t.from).sum::<u64>();
        let n = ticks.len() as u64;
        let measured = |kind, ns| {
            let value = if n == 0 { Err(self.without_impact()) } else { Ok(Value::Time(span(0, ns))) };
            Figure { n: Some(n), ..figure(kind, value, self.evidence()) }
        };
        let mut all = vec![
            measured(FigureKind::DegradedTicks, sum(TickState::Bad)),
            measured(FigureKind::UnknownTicks, sum(TickState::Unknown)),
        ];
        let last = |impact: &Impact| impact.end.unwrap_or(exactly(self.windows.watch_end));
        let start = self.impact().map(|i| exactly(i.start.low));
        let end = self.impact().map(last);
        all.push(timed(FigureKind::DegradedSpan, start, end, self.without_impact(), &self.evidence()));
        let gaps = self
            .probe
            .outages
            .iter()
            .map(|o| o.first_good.unwrap_or(self.windows.watch_end).saturating_sub(o.last_good));
        let outage = if self.probe.outages.is_empty() {
            Err(self.without_impact())
        } else {
            Ok(Value::Time(span(0, gaps.sum())))
        };
        let due = self.probe.outages.iter().map(|o| o.due).sum();
        all.push(Figure { n: Some(due), ..figure(FigureKind::OutageTime, outage, self.evidence()) });
        all
    }

    /// From the first fault effective to the end of the watch.
    fn affected(&self) -> Option<Range<At>> {
        Some(self.windows.fault()?..self.windows.watch_end)
    }

    fn phase(&self, phase: Phase) -> Option<&PhaseStats> {
        self.probe.phase(phase).filter(|stats| stats.offered > stats.missing)
    }

    fn failures(&self) -> Vec<Figure> {
        let tally = self.tally();
        let absent = if self.effective.is_none() { Absent::NoFault } else { Absent::NoData };
        let n = tally.map(|t| t.offered);
        let failed = tally.map(|t| Value::Count(t.failed())).ok_or(absent);
        let baseline = self.phase(Phase::Baseline).and_then(|b| b.error_ratio);
        let excess =
            tally.zip(baseline).map(|(t, ratio)| Value::Estimate(t.failed() as f64 - ratio * t.logged() as f64));
        let evidence = self.stats_evidence();
        let kept =
            self.phase(Phase::During).and_then(|d| d.goodput).zip(self.phase(Phase::Baseline).and_then(|b| b.goodput));
        let kept = kept.filter(|(_, before)| *before > 0.0).map(|(during, before)| Value::Share(during / before));
        let during = self.phase(Phase::During).map(|d| d.offered);
        vec![
            Figure { n, ..figure(FigureKind::RequestsFailed, failed, evidence.clone()) },
            Figure { n, ..figure(FigureKind::ExcessFailures, excess.ok_or(absent), evidence.clone()) },
            Figure {
                n: during,
                phase: Some(Phase::During),
                ..figure(FigureKind::GoodputKept, kept.ok_or(absent), evidence)
            },
        ]
    }

    fn stats_evidence(&self) -> Vec<EvidenceId> {
        let after = self.probe.phases.iter().filter(|s| s.phase != Phase::Baseline);
        after.flat_map(|s| s.evidence.clone()).collect()
    }

    /// What `during` and `recovery` count together, with those carried over the start of the fault.
    fn tally(&self) -> Option<Tally> {
        let (log, affected) = (self.log?, self.affected()?);
        let mut tally = log.series.tally(log.series.due_in(affected));
        for request in &log.carried {
            if let Some(class) = log.series.class(*request) {
                tally.add(class, log.series.late(*request));
            }
        }
        (tally.logged() > 0).then_some(tally)
    }

    /// With an SLO only: what the drill would have cost.
    fn budget(&self) -> Vec<Figure> {
        let evidence = self.stats_evidence();
        let kinds = [FigureKind::BurnRate, FigureKind::PeakBurnRate, FigureKind::BudgetConsumed];
        let all_absent = |why| kinds.map(|kind| figure(kind, Err(why), evidence.clone())).to_vec();
        let Some(slo) = self.probe.slo else { return all_absent(Absent::NoSlo) };
        let allowed = 1.0 - slo.objective.0;
        let (Some(during), Some(series), Some(affected)) =
            (self.phase(Phase::During), self.log.map(|log| &log.series), self.affected())
        else {
            return all_absent(if self.effective.is_none() { Absent::NoFault } else { Absent::NoData });
        };
        if allowed <= 0.0 {
            return all_absent(Absent::NoObjective);
        }
        let burn = during.error_ratio.map(|ratio| Value::Factor(ratio / allowed)).ok_or(Absent::NoData);
        let (peak, spent) = minutes(series, affected);
        let consumed = spent / (allowed * slo.period.ns().max(1) as f64);
        let value = |kind, value, n| Figure { n, ..figure(kind, value, evidence.clone()) };
        vec![
            Figure { phase: Some(Phase::During), ..value(FigureKind::BurnRate, burn, Some(during.offered)) },
            value(FigureKind::PeakBurnRate, peak.map(|p| Value::Factor(p / allowed)).ok_or(Absent::NoData), None),
            value(FigureKind::BudgetConsumed, Ok(Value::Share(consumed)), None),
        ]
    }
}

/// The highest error ratio of any minute, and the error ratio integrated over time (ns).
fn minutes(series: &Series, window: Range<At>) -> (Option<f64>, f64) {
    let mut seconds: Vec<(u64, u64)> = Vec::new();
    let mut spent = 0.0;
    let mut from = window.start;
    while from < window.end {
        let to = from.saturating_add(SECOND).min(window.end);
        let tally = series.tally(series.due_in(from..to));
        if tally.logged() > 0 {
            spent += tally.failed() as f64 / tally.logged() as f64 * (to - from) as f64;
        }
        seconds.push((tally.failed(), tally.logged()));
        from = to;
    }
    let width = (MINUTE / SECOND) as usize;
    let ratio = |part: &[(u64, u64)]| {
        let (failed, all) = part.iter().fold((0, 0), |(f, n), (failed, all)| (f + failed, n + all));
        (all > 0).then(|| failed as f64 / all as f64)
    };
    let peak = seconds.windows(width.min(seconds.len()).max(1)).filter_map(ratio).max_by(f64::total_cmp);
    (peak, spent)
}
