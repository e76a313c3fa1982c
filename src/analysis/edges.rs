//! From "this tick is bad" to "from this request on": where impact starts and ends.
//!
//! Two witnesses. A *gap* between good completions shows an outage to within one request, whatever the timeout;
//! where good and ill requests are mixed, a *change point* shows from which request on the mixture is another.

use super::{Interval, Outage, series::Series, ticks::Health};
use crate::clock::At;
use std::ops::Range;

/// A gap is an outage when so many requests were due in it, ...
const DUE_IN_GAP: u64 = 10;
/// ... or, for slow probes, when it is so long and at least two were due.
const LONG_GAP: u64 = 1_000_000_000;

/// All gaps between good completions, of requests due in `window`, in which nothing was completed well although
/// enough was due, and at least one of those due was ill.
pub fn outages(series: &Series, health: &Health, window: Range<At>) -> Vec<Outage> {
    let good = Completions::of_good(series, &window);
    let mut pairs = good.gaps();
    // Before the first good completion there is no `last_good`; the start of the window stands for it.
    let (first, last) = good.ends();
    if first.is_none_or(|first| first > window.start + LONG_GAP) {
        pairs.insert(0, (window.start, first));
    }
    if let Some(last) = last.filter(|last| *last < window.end) {
        pairs.push((last, None));
    }
    let mut gaps: Vec<Outage> =
        pairs.into_iter().filter_map(|(last, first)| outage(series, health, last, first, window.end)).collect();
    gaps.retain(|gap| gap.first_good.is_none_or(|end| end > window.start));
    gaps
}

/// When requests were completed well, so coarsely that millions need no sorting and so finely that every gap
/// that can be an outage leaves a slot empty.
struct Completions {
    /// The first and the last completion in each slot of time.
    slots: Vec<(At, At)>,
}

const EMPTY: (At, At) = (At::MAX, 0);

impl Completions {
    fn of_good(series: &Series, window: &Range<At>) -> Completions {
        // What was due before may be completed inside, and the first completion inside needs one before it.
        let from = window.start.saturating_sub(LEAD);
        let until = window.end.saturating_add(LEAD);
        let interval = series.interval();
        let slot_ns = if interval <= LONG_GAP / DUE_IN_GAP { interval * (DUE_IN_GAP / 2) } else { interval / 2 }.max(1);
        let mut slots = Vec::new();
        for ended in series.due_in(from..window.end).filter(|i| series.ok(*i)).map(|i| series.ended(i)) {
            let slot = (ended.min(until) - from) / slot_ns;
            let Ok(slot) = usize::try_from(slot) else { continue };
            if slot >= slots.len() {
                slots.resize(slot + 1, EMPTY);
            }
            let (first, last) = slots[slot];
            slots[slot] = (ended.min(first), ended.max(last));
        }
        Completions { slots }
    }

    /// The very first and the very last.
    fn ends(&self) -> (Option<At>, Option<At>) {
        let used = |slot: &&(At, At)| **slot != EMPTY;
        let first = self.slots.iter().find(used).map(|(first, _)| *first);
        (first, self.slots.iter().rfind(used).map(|(_, last)| *last))
    }

    /// Neighbouring completions with an empty slot between them.
    fn gaps(&self) -> Vec<(At, Option<At>)> {
        let used: Vec<usize> = (0..self.slots.len()).filter(|i| self.slots[*i] != EMPTY).collect();
        let apart = used.windows(2).filter(|pair| pair[1] - pair[0] > 1);
        apart.map(|pair| (self.slots[pair[0]].1, Some(self.slots[pair[1]].0))).collect()
    }
}

/// Requests that were due so long before a window are looked at for completions in it, and so long after.
const LEAD: u64 = 120_000_000_000;

fn outage(series: &Series, health: &Health, last: At, first: Option<At>, watch_end: At) -> Option<Outage> {
    let length = first.unwrap_or(watch_end).saturating_sub(last);
    if length < 2 * series.interval() {
        return None;
    }
    let inside = series.due_in(last..first.unwrap_or(watch_end).min(watch_end));
    let due = inside.len() as u64;
    let enough = due >= DUE_IN_GAP || (due >= 2 && length >= LONG_GAP);
    // A long silence is an outage even if nothing is promised of latency, and all was answered in the end.
    let silence = due >= DUE_IN_GAP && length >= LONG_GAP;
    if !enough || !(silence || inside.clone().any(|i| health.ill(series, i))) {
        return None;
    }
    let failed = inside.filter(|i| series.class(*i).is_some() && !series.ok(*i)).count() as u64;
    Some(Outage { last_good: last, first_good: first, due, failed })
}

/// A bad run in time, and the tick lengths around it.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Start of its first bad tick.
    pub first: (At, At),
    /// Its last bad tick.
    pub last: (At, At),
    /// Length of a tick.
    pub tick_ns: u64,
}

/// Where a bad run starts.
pub fn onset(series: &Series, health: &Health, run: Stretch, gaps: &[Outage]) -> Interval<At> {
    let requests = series.due_in(run.first.0.saturating_sub(run.tick_ns)..run.first.1);
    let share = ill_share(series, health, series.due_in(run.first.0..run.last.1));
    if share == 0.0 {
        let silence = gaps.iter().find(|gap| overlaps(gap, run.first));
        let from = silence.map_or(run.first.0, |gap| gap.last_good);
        return Interval { low: from, high: from + series.interval() };
    }
    let first_ill = first_of_mixture(series, health, requests, share);
    let turned = turned_ill(series, health, first_ill);
    let edge = gaps.iter().rfind(|gap| starts_with(gap, series, first_ill, turned));
    match edge {
        Some(gap) => Interval { low: gap.last_good, high: gap.last_good + series.interval() },
        None => Interval { low: series.intended(first_ill.saturating_sub(1)), high: series.intended(first_ill) },
    }
}

fn overlaps(gap: &Outage, tick: (At, At)) -> bool {
    gap.last_good < tick.1 && gap.first_good.is_none_or(|end| end > tick.0)
}

/// Whether the first ill request was under way or due when the gap began, and had not turned ill before.
fn starts_with(gap: &Outage, series: &Series, first_ill: usize, turned: At) -> bool {
    let due = series.intended(first_ill);
    turned > gap.last_good && due < gap.last_good + 2 * series.interval() && gap.first_good.is_none_or(|end| end > due)
}

/// When a request was seen to be ill: a failed one when it ended, a slow one when it passed the bound.
fn turned_ill(series: &Series, health: &Health, index: usize) -> At {
    let bound = health.latency.iter().map(|l| l.bound_us).min().unwrap_or(u32::MAX);
    if series.ok(index) { series.intended(index) + u64::from(bound) * 1000 } else { series.ended(index) }
}

/// Where a bad run ends; `None` if it reaches the end of the watch.
pub fn offset(series: &Series, health: &Health, run: Stretch, gaps: &[Outage], watch_end: At) -> Option<Interval<At>> {
    let until = (run.last.1 + run.tick_ns).min(watch_end);
    let requests = series.due_in(run.last.0..until);
    let share = ill_share(series, health, series.due_in(run.last.0..run.last.1));
    let silent = share == 0.0;
    let last_ill = if silent { requests.start } else { last_of_mixture(series, health, requests, share) };
    let well_from = last_ill + 1;
    let gap = gaps.iter().rfind(|gap| overlaps(gap, run.last));
    if gap.is_some_and(|gap| gap.first_good.is_none()) || series.intended(well_from) >= watch_end {
        return None;
    }
    let by_mixture = Interval { low: series.intended(last_ill), high: series.intended(well_from) };
    let by_gap = gap.and_then(|gap| gap.first_good).map(|end| {
        let low = end.saturating_sub(series.interval());
        Interval { low, high: end }
    });
    Some(by_gap.filter(|gap| gap.high >= by_mixture.high).unwrap_or(by_mixture))
}

fn ill_share(series: &Series, health: &Health, requests: Range<usize>) -> f64 {
    let n = requests.len().max(1) as f64;
    requests.filter(|i| health.ill(series, *i)).count() as f64 / n
}

/// The first request of the stretch in which `share` are ill: where the sum of (ill - share / 2) is least.
fn first_of_mixture(series: &Series, health: &Health, requests: Range<usize>, share: f64) -> usize {
    let (mut sum, mut least, mut first) = (0.0, 0.0, requests.start);
    for i in requests {
        sum += f64::from(u8::from(health.ill(series, i))) - share / 2.0;
        if sum <= least {
            (least, first) = (sum, i + 1);
        }
    }
    first
}

/// The same from the other end.
fn last_of_mixture(series: &Series, health: &Health, requests: Range<usize>, share: f64) -> usize {
    let (mut sum, mut least, mut last) = (0.0, 0.0, requests.end.saturating_sub(1));
    for i in requests.rev() {
        sum += f64::from(u8::from(health.ill(series, i))) - share / 2.0;
        if sum <= least {
            (least, last) = (sum, i.saturating_sub(1));
        }
    }
    last
}

#[cfg(test)]
mod tests;
