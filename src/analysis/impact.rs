//! What a probe went through: bad runs from the fault on, their edges, mitigation, recovery and its confirmation.

use super::{
    Impact, Interval, Ledger, Outage, Tick,
    edges::{self, Stretch},
    log::ProbeLog,
    series::Series,
    stats::Group,
    ticks::{self, Health, Judged},
    windows::Windows,
};
use crate::{
    clock::At,
    event::{Expectations, Limits},
    measure::ProbeId,
};

/// Without `stable_for`, a state counts as lasting after this many ticks.
const LASTING_TICKS: u64 = 3;

/// The limits that say when this probe is well: those of recovery, else of the baseline, else of `during`.
pub fn health(expect: &Expectations, name: &str) -> Health {
    let limits = [&expect.recovery, &expect.baseline, &expect.during]
        .into_iter()
        .find_map(|phase| phase.get(name).filter(|limits| !limits.limits.is_empty()));
    Health::from_limits(limits)
}

/// The looser limits that count as mitigated.
fn mitigated_health(expect: &Expectations, name: &str) -> Option<Health> {
    let limits = expect.mitigated.get(name).or_else(|| expect.during.get(name)).filter(|l| !l.limits.is_empty())?;
    Some(Health::from_limits(Some(limits)))
}

/// One probe's requests, judged moment by moment.
pub struct Watched<'a> {
    /// Whose.
    pub id: ProbeId,
    /// Its name.
    pub name: &'a str,
    /// Its requests.
    pub log: &'a ProbeLog,
    /// The phases.
    pub windows: &'a Windows,
    /// What was promised.
    pub expect: &'a Expectations,
    health: Health,
    judged: Vec<Judged>,
}

impl<'a> Watched<'a> {
    /// Judges every tick from the start of load to the end of the watch.
    pub fn new(id: ProbeId, name: &'a str, log: &'a ProbeLog, windows: &'a Windows, expect: &'a Expectations) -> Self {
        let health = health(expect, name);
        let judged = judge(&log.series, &health, windows);
        Watched { id, name, log, windows, expect, health, judged }
    }

    /// As the findings show them.
    pub fn ticks(&self) -> Vec<Tick> {
        self.judged.iter().map(|j| j.tick).collect()
    }

    /// Length of a whole tick.
    pub fn tick_ns(&self) -> u64 {
        self.health.tick_ns(self.log.series.interval())
    }

    /// Bad runs that end at or after the fault.
    fn runs(&self) -> Vec<(usize, usize)> {
        let Some(fault) = self.windows.fault() else { return Vec::new() };
        after(&self.judged, ticks::bad_runs(&self.judged), fault)
    }

    /// Gaps between good completions around the bad runs.
    pub fn outages(&self) -> Vec<Outage> {
        let runs = self.runs();
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Vec::new() };
        let from = self.judged[first.0].tick.from.saturating_sub(self.tick_ns());
        let to = self.judged[last.1].tick.to.saturating_add(self.tick_ns()).min(self.windows.watch_end);
        edges::outages(&self.log.series, &self.health, from..to)
    }

    /// The impact, if there was any.
    pub fn impact(&self, outages: &[Outage], ledger: &mut Ledger) -> Option<Impact> {
        let fault = self.windows.fault()?;
        let bad_runs = self.runs();
        let series = &self.log.series;
        let mut start = edges::onset(series, &self.health, self.stretch(*bad_runs.first()?), outages);
        // What was under way when the fault struck was due before it, but cannot have suffered earlier.
        start = Interval { low: start.low.max(fault), high: start.high.max(fault) };
        let last = self.stretch(*bad_runs.last()?);
        let end = edges::offset(series, &self.health, last, outages, self.windows.watch_end);
        let end = end.map(|end| Interval { low: end.low.max(start.low), high: end.high.max(start.low) });
        let stable = self.stable_for();
        let confirmed_at = end.map(|end| end.high.saturating_add(stable)).filter(|at| *at <= self.windows.watch_end);
        let confirmed = confirmed_at.is_some() && end.is_some_and(|end| self.well_from(end.high));
        let recovered = end.filter(|_| confirmed).map(|end| end.high);
        let mitigated = self.mitigated(start.low).or_else(|| recovered.filter(|at| self.still_on(*at)));
        let stretch = Group::due_in(self.log, start.low..end.map_or(self.windows.watch_end, |end| end.high));
        let evidence = vec![ledger.cite(stretch.evidence(self.id))];
        Some(Impact {
            start,
            end,
            confirmed,
            confirmed_at: confirmed_at.filter(|_| confirmed),
            bad_runs,
            mitigated,
            evidence,
        })
    }

    fn stretch(&self, run: (usize, usize)) -> Stretch {
        stretch(&self.judged, run, self.tick_ns())
    }

    fn limits(&self) -> Option<&Limits> {
        self.expect.recovery.get(self.name)
    }

    /// How long it must stay well.
    fn stable_for(&self) -> u64 {
        self.limits().and_then(|l| l.stable_for).map_or(0, |span| span.ns())
    }

    /// Whether everything due from here to the end, pooled, meets what is expected of the recovery.
    fn well_from(&self, from: At) -> bool {
        let group = Group::due_in(self.log, from..self.windows.watch_end);
        let mut limits = self.limits().into_iter().flat_map(|l| &l.limits);
        // Too few for a percentile: the ticks have not seen anything bad, and that is all there is.
        limits.all(|limit| group.meets(*limit) != Some(false))
    }

    /// From when on the mitigated limits hold, and for how long they must to count.
    fn mitigated(&self, start: At) -> Option<At> {
        let during = self.windows.during.clone()?;
        let health = mitigated_health(self.expect, self.name)?;
        let judged = judge(&self.log.series, &health, &self.windows.until(during.end));
        let tick_ns = health.tick_ns(self.log.series.interval());
        let lasting = match self.stable_for() {
            0 => LASTING_TICKS * tick_ns,
            promised => promised,
        };
        let runs = after(&judged, ticks::bad_runs(&judged), start.saturating_sub(tick_ns));
        let gaps = edges::outages(&self.log.series, &health, start.saturating_sub(tick_ns)..during.end);
        let mut well_since = Some(start);
        for run in runs {
            let stretch = stretch(&judged, run, tick_ns);
            if well_since.is_some_and(|since| stretch.first.0 >= since.saturating_add(lasting)) {
                break;
            }
            well_since = edges::offset(&self.log.series, &health, stretch, &gaps, during.end).map(|end| end.high);
        }
        well_since.filter(|since| since.saturating_add(lasting) <= during.end)
    }

    /// Whether the fault was still on at this moment. Well again for good by then is mitigated too, however little
    /// of the fault was left to watch, unless the scenario says itself what mitigated means.
    fn still_on(&self, at: At) -> bool {
        let until = self.windows.letting_go.or(self.windows.during.as_ref().map(|during| during.end));
        until.is_some_and(|until| at < until) && !self.expect.mitigated.contains_key(self.name)
    }
}

fn judge(series: &Series, health: &Health, windows: &Windows) -> Vec<Judged> {
    let from = windows.load_from.unwrap_or(0).max(series.schedule().first_at);
    let anchor = windows.fault().or(windows.t0).unwrap_or(from);
    let tick_ns = health.tick_ns(series.interval());
    ticks::judge(series, health, &ticks::grid(from..windows.watch_end, anchor, tick_ns))
}

/// The runs that reach beyond this moment, cut to what lies there.
fn after(ticks: &[Judged], runs: Vec<(usize, usize)>, at: At) -> Vec<(usize, usize)> {
    let first = ticks.partition_point(|j| j.tick.from < at);
    runs.into_iter().filter(|(_, last)| *last >= first).map(|(from, last)| (from.max(first), last)).collect()
}

fn stretch(ticks: &[Judged], run: (usize, usize), tick_ns: u64) -> Stretch {
    let span = |i: usize| (ticks[i].tick.from, ticks[i].tick.to);
    Stretch { first: span(run.0), last: span(run.1), tick_ns }
}
