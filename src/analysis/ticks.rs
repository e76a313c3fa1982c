//! Is this moment bad? A test that neither takes noise for impact nor impact for noise.
//!
//! A tick is bad when its failures, or its answers slower than the limit, are more than chance gives in all but
//! one of a thousand ticks of a service that is just within its limit, or when plenty was sent and nothing was ok. A bad run is two bad ticks among three
//! that follow each other, or one tick so bad that chance gives it once in a milliard.

use super::{
    Tick, TickState,
    poisson::{BEYOND_DOUBT, Quantiles, TICK},
    series::{Series, Tally},
};
use crate::{
    clock::At,
    event::{Comparison, Limits, Metric},
    measure::Class,
};
use std::ops::Range;

const SECOND: u64 = 1_000_000_000;

/// More late or lost requests than this share of a tick's, and it is unknown.
const TOLERATED: f64 = 0.01;

/// What a healthy moment looks like: upper limits only (a lower bound drills alerts, not health).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// The share of requests that may fail.
    pub errors: f64,
    /// Response-time limits.
    pub latency: Vec<LatencyLimit>,
}

/// The share of answers above the bound may be 1 - quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyLimit {
    /// 0.99 for p99.
    pub quantile: f64,
    /// The slowest response that is not slow, µs.
    pub bound_us: u32,
}

/// Where nothing is promised about errors: what still passes for health.
const UNPROMISED: f64 = 0.01;

impl Health {
    /// From the limits of a phase.
    pub fn from_limits(limits: Option<&Limits>) -> Health {
        let mut errors = None;
        let mut latency = Vec::new();
        for limit in limits.iter().flat_map(|l| &l.limits) {
            match (limit.metric, limit.op) {
                (_, Comparison::AtLeast | Comparison::Above) => {}
                (Metric::Errors(share), _) => errors = Some(share.0),
                (Metric::Latency { quantile, bound }, op) => {
                    let below = u64::from(op == Comparison::Below);
                    let bound_us = u32::try_from((bound.ns().saturating_sub(below)) / 1000).unwrap_or(u32::MAX);
                    latency.push(LatencyLimit { quantile, bound_us });
                }
            }
        }
        Health { errors: errors.unwrap_or(UNPROMISED), latency }
    }

    /// Whether this request is not as it should be.
    pub fn ill(&self, series: &Series, index: usize) -> bool {
        series.class(index).is_some_and(|class| class != Class::Ok) || self.slow(series, index)
    }

    /// Whether it is slower than the strictest bound.
    pub fn slow(&self, series: &Series, index: usize) -> bool {
        let strictest = self.latency.iter().map(|l| l.bound_us).min();
        strictest
            .is_some_and(|bound| series.class(index).is_some_and(Class::timed) && series.response_us(index) > bound)
    }

    /// How long a tick must be: 1, 2 or 5 s, so that n(1-q) >= 10 where that can be had; never shorter than the
    /// time between two requests.
    pub fn tick_ns(&self, interval_ns: u64) -> u64 {
        let rate = SECOND as f64 / interval_ns as f64;
        let share = self.latency.iter().map(|l| 1.0 - l.quantile).filter(|s| *s > 1e-9).fold(f64::INFINITY, f64::min);
        let enough = |seconds: &u64| share.is_infinite() || rate * *seconds as f64 * share >= 10.0 - 1e-9;
        let seconds = [1, 2].into_iter().find(enough).unwrap_or(5);
        (seconds * SECOND).max(interval_ns.div_ceil(SECOND) * SECOND)
    }
}

/// Cuts time into ticks so that one starts at `anchor` (the fault): no tick mixes before and after.
pub fn grid(span: Range<At>, anchor: At, tick_ns: u64) -> Vec<Range<At>> {
    let mut ticks = Vec::new();
    let mut from = span.start;
    while from < span.end {
        let next = if from < anchor {
            let left = (anchor - from) % tick_ns;
            from + if left == 0 { tick_ns } else { left }
        } else {
            anchor + ((from - anchor) / tick_ns + 1) * tick_ns
        };
        ticks.push(from..next.min(span.end));
        from = next;
    }
    ticks
}

/// A tick, and whether it is bad beyond doubt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// As the findings show it.
    pub tick: Tick,
    /// Chance gives this once in a milliard.
    pub beyond_doubt: bool,
}

/// Judges every tick.
pub fn judge(series: &Series, health: &Health, ticks: &[Range<At>]) -> Vec<Judged> {
    let mut chance = Quantiles::default();
    let mut judged: Vec<Judged> = ticks.iter().map(|tick| judge_one(series, health, tick, &mut chance)).collect();
    for i in silent(series, ticks) {
        judged[i].tick.state = TickState::Bad;
        judged[i].beyond_doubt = true;
    }
    judged
}

/// A tick with fewer requests says nothing by its silence.
const SILENCE: usize = 10;
/// Answers to what was due so long before a tick are looked for in it.
const LOOK_BACK: u64 = 120 * SECOND;

/// Ticks of a second or more in which plenty was sent and nothing at all was answered well: a frozen server whose
/// answers all come late, but come, breaks no limit on errors, and is an outage all the same.
fn silent(series: &Series, ticks: &[Range<At>]) -> Vec<usize> {
    let mut suspects: Vec<usize> = (0..ticks.len()).filter(|i| own_unanswered(series, &ticks[*i])).collect();
    let (Some(&first), Some(&last)) = (suspects.first(), suspects.last()) else { return suspects };
    let mut answered = vec![false; ticks.len()];
    let from = ticks[first].start.saturating_sub(LOOK_BACK);
    for request in series.due_in(from..ticks[last].end).filter(|i| series.ok(*i)) {
        let ended = series.ended(request);
        if let Some(answered) = answered.get_mut(ticks.partition_point(|tick| tick.end <= ended)) {
            *answered = true;
        }
    }
    suspects.retain(|i| !answered[*i]);
    suspects
}

/// Whether nothing that was due in a tick was answered well before it ended. (Usually its first request was.)
fn own_unanswered(series: &Series, tick: &Range<At>) -> bool {
    let requests = series.due_in(tick.clone());
    let plenty = tick.end - tick.start >= SECOND && requests.len() >= SILENCE;
    if !plenty || requests.clone().any(|i| series.ok(i) && series.ended(i) < tick.end) {
        return false;
    }
    let tally = series.tally(requests);
    !is_behind(&tally) && tally.missing() as f64 <= TOLERATED * tally.offered as f64
}

fn judge_one(series: &Series, health: &Health, tick: &Range<At>, chance: &mut Quantiles) -> Judged {
    let requests = series.due_in(tick.clone());
    let tally = series.tally(requests.clone());
    let behind = is_behind(&tally);
    // A late generator makes answers late and lets requests expire, but it refuses no connection.
    let failed = if behind { tally.failed_hard() } else { tally.failed() };
    let mut exceeds = |n: u64, count: u64, share: f64, tail: f64| count > 0 && count > chance.allowed(n, share, tail);
    let mut bad = exceeds(tally.offered, failed, health.errors, TICK);
    let mut beyond_doubt = exceeds(tally.offered, failed, health.errors, BEYOND_DOUBT);
    let mut slow = 0;
    for limit in health.latency.iter().filter(|_| tally.timed() > 0) {
        let over = series.slower(requests.clone(), limit.bound_us);
        slow = slow.max(over);
        if !behind {
            bad |= exceeds(tally.timed(), over, 1.0 - limit.quantile, TICK);
            beyond_doubt |= exceeds(tally.timed(), over, 1.0 - limit.quantile, BEYOND_DOUBT);
        }
    }
    bad |= !behind && tally.logged() > 0 && tally.ok() == 0;
    let unknown = behind || tally.offered == 0 || tally.missing() as f64 > TOLERATED * tally.offered as f64;
    let state = match (bad, unknown) {
        (true, _) => TickState::Bad,
        (false, true) => TickState::Unknown,
        (false, false) => TickState::Good,
    };
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let (offered, failed) = (small(tally.offered), small(tally.failed()));
    Judged {
        tick: Tick { from: tick.start, to: tick.end, state, offered, failed, slow: small(slow) },
        beyond_doubt: bad && beyond_doubt,
    }
}

/// Whether the generator was behind by its own fault: 1 % of the requests or more.
pub fn is_behind(tally: &Tally) -> bool {
    tally.late > 0 && tally.late as f64 >= TOLERATED * tally.logged() as f64
}

/// Bad runs, as first and last tick: bad ticks with at most one good tick between neighbours (unknown ones do not
/// part them), if there are two of them or one is beyond doubt.
pub fn bad_runs(ticks: &[Judged]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut open: Option<Run> = None;
    for (i, judged) in ticks.iter().enumerate() {
        match (judged.tick.state, &mut open) {
            (TickState::Bad, Some(run)) => run.extend(i, judged),
            (TickState::Bad, None) => open = Some(Run::start(i, judged)),
            (TickState::Good, Some(run)) if run.good_since == 1 => runs.extend(open.take().and_then(Run::finish)),
            (TickState::Good, Some(run)) => run.good_since += 1,
            _ => {}
        }
    }
    runs.extend(open.and_then(Run::finish));
    runs
}

struct Run {
    first: usize,
    last: usize,
    bad: u32,
    beyond_doubt: bool,
    good_since: u32,
}

impl Run {
    fn start(i: usize, judged: &Judged) -> Run {
        Run { first: i, last: i, bad: 1, beyond_doubt: judged.beyond_doubt, good_since: 0 }
    }

    fn extend(&mut self, i: usize, judged: &Judged) {
        self.last = i;
        self.bad += 1;
        self.good_since = 0;
        self.beyond_doubt |= judged.beyond_doubt;
    }

    fn finish(self) -> Option<(usize, usize)> {
        (self.bad >= 2 || self.beyond_doubt).then_some((self.first, self.last))
    }
}

#[cfg(test)]
mod tests;
