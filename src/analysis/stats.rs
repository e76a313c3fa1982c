//! One probe in one phase: outcomes, percentiles where N carries them, lateness.

use super::{
    Absent, ChartPoint, Distribution, Evidence, Ledger, Percentiles, PhaseStats, Tick, TickState, Value,
    log::ProbeLog,
    series::{Series, Tally},
    ticks::is_behind,
    windows::{JUDGED, Windows},
};
use crate::{
    clock::At,
    event::{Comparison, Limit, Metric, Phase},
    measure::{Class, ProbeId, carries},
};
use hdrhistogram::Histogram;
use std::ops::Range;

const SECOND: u64 = 1_000_000_000;

/// The requests of one probe that belong together: a stretch of its schedule, without some, with some others.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    series: &'a Series,
    requests: Range<usize>,
    without: &'a [usize],
    with: &'a [usize],
}

impl<'a> Group<'a> {
    /// All requests due in a window.
    pub fn due_in(log: &'a ProbeLog, window: Range<At>) -> Group<'a> {
        Group { series: &log.series, requests: log.series.due_in(window), without: &[], with: &[] }
    }

    /// The requests of a phase: those carried over the start of the fault count in `during`.
    pub fn of_phase(log: &'a ProbeLog, windows: &Windows, phase: Phase) -> Option<Group<'a>> {
        let mut group = Group::due_in(log, windows.of(phase)?);
        match phase {
            Phase::Baseline => group.without = &log.carried,
            Phase::During => group.with = &log.carried,
            _ => {}
        }
        Some(group)
    }

    /// How they ended.
    pub fn tally(&self) -> Tally {
        let mut tally = self.series.tally(self.requests.clone());
        for i in self.without.iter().filter(|i| self.requests.contains(i)) {
            if let Some(class) = self.series.class(*i) {
                tally.remove(class, self.series.late(*i));
            }
        }
        for i in self.with.iter().filter(|i| !self.requests.contains(i)) {
            if let Some(class) = self.series.class(*i) {
                tally.add(class, self.series.late(*i));
            }
        }
        tally
    }

    /// Response times (µs) of answers and timeouts, in no order.
    pub fn timed(&self) -> Vec<u32> {
        let mut timed = Vec::with_capacity(self.requests.len().min(1 << 20));
        let mut from = self.requests.start;
        for &i in self.without.iter().filter(|i| self.requests.contains(i)) {
            self.series.timed(from..i, &mut timed);
            from = i + 1;
        }
        self.series.timed(from..self.requests.end, &mut timed);
        for &i in self.with.iter().filter(|i| !self.requests.contains(i)) {
            self.series.timed(i..i + 1, &mut timed);
        }
        timed
    }

    /// The stretch of the log.
    pub fn evidence(&self, probe: ProbeId) -> Evidence {
        let first = self.with.first().copied().unwrap_or(self.requests.start).min(self.requests.start);
        let last = self.requests.end.saturating_sub(1).max(first);
        Evidence::Requests {
            probe,
            from: first as u64,
            to: last as u64,
            from_at: self.series.intended(first),
            to_at: self.series.intended(last),
        }
    }

    /// One limit's quantity, exactly: the value, and over how many requests.
    pub fn measure(&self, metric: Metric) -> (Result<Value, Absent>, u64) {
        let tally = self.tally();
        match metric {
            Metric::Errors(_) if tally.logged() == 0 => (Err(Absent::NoData), 0),
            Metric::Errors(_) => (Ok(Value::Share(tally.failed() as f64 / tally.logged() as f64)), tally.logged()),
            Metric::Latency { quantile, .. } => {
                let n = tally.timed();
                if n == 0 {
                    return (Err(Absent::NoData), 0);
                }
                if !carries(n, quantile) {
                    let needed = (10.0 / (1.0 - quantile) - 1e-6).ceil() as u64;
                    return (Err(Absent::TooFew { n, needed }), n);
                }
                let us = Ranked::new(self.timed()).at(quantile).unwrap_or(0);
                (Ok(Value::Time(i64::from(us) * 1000)), n)
            }
        }
    }

    /// Whether a limit holds, without putting anything in order; `None` if too few requests carry it.
    pub fn meets(&self, limit: Limit) -> Option<bool> {
        match (limit.metric, limit.op) {
            (Metric::Latency { quantile, bound }, Comparison::AtMost)
                if self.with.is_empty() && self.without.is_empty() =>
            {
                let n = self.series.tally(self.requests.clone()).timed();
                let beyond = n.saturating_sub(rank(quantile, n as usize) as u64);
                let bound_us = u32::try_from(bound.ns() / 1000).unwrap_or(u32::MAX);
                (n > 0 && carries(n, quantile)).then(|| self.series.slower(self.requests.clone(), bound_us) <= beyond)
            }
            _ => self.measure(limit.metric).0.ok().map(|value| Group::objective(limit).met_by(value)),
        }
    }

    /// As [`Group::measure`], against the limit's bound.
    pub fn objective(limit: Limit) -> super::Objective {
        let bound = match limit.metric {
            Metric::Errors(share) => Value::Share(share.0),
            Metric::Latency { bound, .. } => Value::Time(i64::try_from(bound.ns()).unwrap_or(i64::MAX)),
        };
        super::Objective { op: limit.op, bound }
    }
}

/// Values that are put in order only as far as they are asked for; ask for rising quantiles.
pub struct Ranked {
    values: Vec<u32>,
    sorted_to: usize,
}

impl Ranked {
    /// Over these values.
    pub fn new(values: Vec<u32>) -> Ranked {
        Ranked { values, sorted_to: 0 }
    }

    /// The smallest value that at least this share of all are not above. `None` if there are none.
    pub fn at(&mut self, quantile: f64) -> Option<u32> {
        let position = rank(quantile, self.values.len()).checked_sub(1)?;
        if position >= self.sorted_to {
            self.values[self.sorted_to..].select_nth_unstable(position - self.sorted_to);
            self.sorted_to = position + 1;
        }
        Some(self.values[position])
    }
}

/// How many of `n` values a quantile covers: from 1 to n; 0 if there are none.
pub fn rank(quantile: f64, n: usize) -> usize {
    ((quantile * n as f64 - 1e-9).ceil().max(1.0) as usize).min(n)
}

/// Everything about one probe in one phase.
pub fn phase_stats(
    id: ProbeId,
    log: &ProbeLog,
    windows: &Windows,
    phase: Phase,
    ticks: &[Tick],
    ledger: &mut Ledger,
) -> Option<(PhaseStats, Distribution)> {
    let window = windows.of(phase)?;
    let group = Group::of_phase(log, windows, phase)?;
    let tally = group.tally();
    let spread = log.phases.get(JUDGED.iter().position(|p| *p == phase).unwrap_or(0))?;
    let mut ranked = Ranked::new(group.timed());
    let distribution = distribution(phase, &mut ranked);
    let seconds = window.end.saturating_sub(window.start) as f64 / SECOND as f64;
    let stats = PhaseStats {
        phase,
        offered: tally.offered,
        missing: tally.missing(),
        by_class: Class::ALL.iter().map(|c| (*c, tally.by_class[*c as usize])).filter(|(_, n)| *n > 0).collect(),
        ok: tally.ok(),
        failed: tally.failed(),
        error_ratio: (tally.logged() > 0).then(|| tally.failed() as f64 / tally.logged() as f64),
        goodput: (tally.logged() > 0 && seconds > 0.0).then(|| tally.ok() as f64 / seconds),
        response: response(&distribution.1, tally.timed()),
        service: percentiles(&spread.service, spread.service_max),
        lateness: percentiles(&spread.lateness, spread.lateness_max),
        worst_own_lateness_ns: spread.own_max_ns,
        behind_share: behind_share(&log.series, window.clone()),
        unknown_share: unknown_share(ticks, &window),
        evidence: vec![ledger.cite(group.evidence(id))],
    };
    Some((stats, distribution.0))
}

/// Rising; the four that tables print are among them.
const QUANTILES: [f64; 16] =
    [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999, 1.0];

type Points = Vec<(f64, u64)>;

fn distribution(phase: Phase, ranked: &mut Ranked) -> (Distribution, Points) {
    let n = ranked.values.len() as u64;
    let carried = QUANTILES.iter().filter(|q| **q < 0.5 && n > 0 || carries(n, **q));
    let points: Points = carried.filter_map(|q| Some((*q, u64::from(ranked.at(*q)?) * 1000))).collect();
    (Distribution { phase, points: points.clone() }, points)
}

fn response(points: &Points, n: u64) -> Percentiles {
    let at = |quantile: f64| points.iter().find(|(q, _)| *q == quantile).map(|(_, ns)| *ns);
    Percentiles { n, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
}

fn percentiles(histogram: &Histogram<u32>, max_us: u64) -> Percentiles {
    let n = histogram.len();
    let at = |quantile: f64| carries(n, quantile).then(|| histogram.value_at_quantile(quantile).min(max_us) * 1000);
    let max = (n > 0).then_some(max_us * 1000);
    Percentiles { n, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max }
}

/// Seconds in which the generator was behind, of those with anything due.
fn behind_share(series: &Series, window: Range<At>) -> f64 {
    let (mut behind, mut all) = (0u32, 0u32);
    let mut from = window.start;
    while from < window.end {
        let to = from.saturating_add(SECOND).min(window.end);
        let tally = series.tally(series.due_in(from..to));
        if tally.logged() > 0 {
            all += 1;
            behind += u32::from(is_behind(&tally));
        }
        from = to;
    }
    if all == 0 { 0.0 } else { f64::from(behind) / f64::from(all) }
}

/// By length, so that a stub of a tick weighs little.
pub fn unknown_share(ticks: &[Tick], window: &Range<At>) -> f64 {
    let inside = |t: &Tick| t.to.min(window.end).saturating_sub(t.from.max(window.start));
    let all: u64 = ticks.iter().map(inside).sum();
    let unknown: u64 = ticks.iter().filter(|t| t.state == TickState::Unknown).map(inside).sum();
    if all == 0 { 0.0 } else { unknown as f64 / all as f64 }
}

/// At most so many points in a chart.
const CHART_POINTS: u64 = 1_200;

/// What charts show: a point a second where that is not too many.
pub fn chart(series: &Series, span: Range<At>, tick_ns: u64) -> Vec<ChartPoint> {
    let length = span.end.saturating_sub(span.start);
    let at_least = if series.interval() > SECOND { tick_ns } else { SECOND };
    let step = (length.div_ceil(CHART_POINTS).div_ceil(SECOND) * SECOND).max(at_least);
    let mut points = Vec::new();
    let mut from = span.start;
    while from < span.end {
        let to = from.saturating_add(step).min(span.end);
        points.push(chart_point(series, from..to));
        from = to;
    }
    points
}

fn chart_point(series: &Series, window: Range<At>) -> ChartPoint {
    let requests = series.due_in(window.clone());
    let tally = series.tally(requests.clone());
    let mut timed = Vec::with_capacity(requests.len().min(1 << 20));
    series.timed(requests, &mut timed);
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let n = timed.len() as u64;
    let mut ranked = Ranked::new(timed);
    let mut at = |quantile| ranked.at(quantile).map(|us| u64::from(us) * 1000);
    let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
    ChartPoint {
        from: window.start,
        to: window.end,
        offered: small(tally.offered),
        by_class: tally.by_class.map(small),
        timed: small(n),
        p50,
        p90,
        p99,
        max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_ranks() {
        let mut values: Vec<u32> = (1..=1_000).collect();
        values.reverse();
        let mut ranked = Ranked::new(values);
        for (quantile, value) in [(0.001, 1), (0.5, 500), (0.9, 900), (0.99, 990), (0.9905, 991), (1.0, 1_000)] {
            assert_eq!(ranked.at(quantile), Some(value), "{quantile}");
        }
        assert_eq!(ranked.at(0.5), Some(500), "what is already in place stays");
        assert_eq!(Ranked::new(vec![]).at(0.5), None);
        assert_eq!(Ranked::new(vec![7]).at(0.01), Some(7));
    }
}
