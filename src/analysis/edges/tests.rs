use super::*;
use crate::{
    analysis::{
        series::made_up,
        ticks::{LatencyLimit, bad_runs, grid, judge},
    },
    measure::Class,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn health() -> Health {
    Health { errors: 0.001, latency: vec![LatencyLimit { quantile: 0.99, bound_us: 100_000 }] }
}

/// First and last edge of the only bad run.
fn edges(series: &Series, fault: At, end: At) -> (Interval<At>, Option<Interval<At>>) {
    let health = health();
    let tick_ns = health.tick_ns(series.interval());
    let ticks = judge(series, &health, &grid(0..end, fault, tick_ns));
    let runs = bad_runs(&ticks);
    assert_eq!(runs.len(), 1, "{runs:?}");
    let span = |i: usize| (ticks[i].tick.from, ticks[i].tick.to);
    let run = Stretch { first: span(runs[0].0), last: span(runs[0].1), tick_ns };
    let gaps = outages(series, &health, fault.saturating_sub(S)..end);
    (onset(series, &health, run, &gaps), offset(series, &health, run, &gaps, end))
}

fn near(found: At, truth: At, within: u64) -> bool {
    found.abs_diff(truth) <= within
}

/// A server frozen from `from` to `to`: what is under way or arrives meanwhile waits, up to the timeout.
fn frozen(rate: f64, from: At, to: At, timeout: u64) -> Series {
    made_up(rate, 60.0, |_, at| {
        let service = 2 * MS;
        if at + service <= from || at >= to {
            return (Class::Ok, service);
        }
        let thawed = to - at + service;
        if thawed > timeout { (Class::Timeout, timeout) } else { (Class::Ok, thawed) }
    })
}

#[test]
fn a_freeze_is_placed_to_the_request_at_any_rate_and_timeout() {
    for rate in [20.0, 100.0, 1_000.0, 5_000.0] {
        for timeout in [500 * MS, 2 * S, 30 * S] {
            for (from, to) in
                [(20 * S + 123 * MS, 25 * S + 456 * MS), (20 * S, 21 * S + 7 * MS), (19 * S + 995 * MS, 34 * S)]
            {
                let series = frozen(rate, from, to, timeout);
                let (start, end) = edges(&series, 20 * S, 60 * S);
                let within = (1e9 / rate) as u64 + 5 * MS;
                assert!(near(start.low, from, within), "{rate}/s, {timeout}: started {start:?}, truth {from}");
                let end = end.expect("it recovered");
                assert!(near(end.high, to, within), "{rate}/s, {timeout}: ended {end:?}, truth {to}");
            }
        }
    }
}

#[test]
fn a_freeze_that_breaks_no_promise_is_an_outage_all_the_same() {
    for rate in [50.0, 1_000.0] {
        let (from, to) = (20 * S + 123 * MS, 25 * S + 456 * MS);
        let series = frozen(rate, from, to, 30 * S);
        let health = Health { errors: 0.2, latency: vec![] };
        let ticks = judge(&series, &health, &grid(0..60 * S, 20 * S, S));
        let runs = bad_runs(&ticks);
        assert_eq!(runs, [(21, 24)], "the seconds without any answer");
        let span = |i: usize| (ticks[i].tick.from, ticks[i].tick.to);
        let run = Stretch { first: span(21), last: span(24), tick_ns: S };
        let gaps = outages(&series, &health, 19 * S..60 * S);
        assert_eq!((gaps.len(), gaps[0].failed), (1, 0));
        let (start, end) = (onset(&series, &health, run, &gaps), offset(&series, &health, run, &gaps, 60 * S));
        let within = (1e9 / rate) as u64 + 5 * MS;
        assert!(near(start.low, from, within) && near(end.unwrap().high, to, within), "{start:?} {end:?}");
    }
}

#[test]
fn steadily_slow_is_not_silent() {
    let series = made_up(200.0, 30.0, |_, _| (Class::Ok, 3 * S + 7 * MS));
    let ticks = judge(&series, &Health { errors: 0.01, latency: vec![] }, &grid(5 * S..30 * S, 5 * S, S));
    assert_eq!(bad_runs(&ticks), []);
}

#[test]
fn a_refused_port_is_placed_to_the_request() {
    let series = made_up(200.0, 60.0, |_, at| {
        let down = (20 * S + 300 * MS..31 * S + 700 * MS).contains(&at);
        if down { (Class::Refused, 200_000) } else { (Class::Ok, 3 * MS) }
    });
    let (start, end) = edges(&series, 20 * S, 60 * S);
    assert!(near(start.low, 20 * S + 300 * MS, 10 * MS), "{start:?}");
    assert!(near(end.unwrap().high, 31 * S + 700 * MS, 10 * MS), "{end:?}");
}

#[test]
fn a_delay_without_failures_is_placed_by_the_mixture() {
    let series = made_up(200.0, 60.0, |_, at| {
        let slow = (20 * S..35 * S + 5 * MS).contains(&at);
        (Class::Ok, if slow { 3 * S } else { 5 * MS })
    });
    let (start, end) = edges(&series, 20 * S, 60 * S);
    assert!(near(start.low, 20 * S, 10 * MS), "{start:?}");
    assert!(near(end.unwrap().high, 35 * S + 5 * MS, 10 * MS), "{end:?}");
}

#[test]
fn one_replica_of_two_is_placed_by_the_mixture_in_spite_of_strays() {
    for seed in 0..20 {
        let rng = RefCell::new(ChaCha8Rng::seed_from_u64(seed));
        let series = made_up(200.0, 60.0, |_, at| {
            let share = if (20 * S..30 * S).contains(&at) { 0.5 } else { 0.0005 };
            (if rng.borrow_mut().random_bool(share) { Class::Reset } else { Class::Ok }, 5 * MS)
        });
        let (start, end) = edges(&series, 20 * S, 60 * S);
        assert!(near(start.low, 20 * S, 60 * MS), "seed {seed}: {start:?}");
        assert!(near(end.unwrap().high, 30 * S, 60 * MS), "seed {seed}: {end:?}");
    }
}

#[test]
fn what_never_comes_back_has_no_end() {
    let series = made_up(200.0, 60.0, |_, at| (if at >= 20 * S { Class::Refused } else { Class::Ok }, MS));
    let (start, end) = edges(&series, 20 * S, 60 * S);
    assert!(near(start.low, 20 * S, 10 * MS));
    assert_eq!(end, None);
    let gaps = outages(&series, &health(), 20 * S..60 * S);
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].first_good, gaps[0].due, gaps[0].failed), (None, 8_000, 8_000));
}

#[test]
fn what_never_worked_is_one_gap() {
    let series = made_up(200.0, 10.0, |_, _| (Class::Refused, MS));
    let gaps = outages(&series, &health(), 0..10 * S);
    assert_eq!((gaps.len(), gaps[0].last_good, gaps[0].failed), (1, 0, 2_000));
}

#[test]
fn jitter_is_no_outage() {
    let series = made_up(200.0, 20.0, |i, _| (Class::Ok, if i % 50 == 0 { 90 * MS } else { 2 * MS }));
    assert_eq!(outages(&series, &health(), 0..20 * S), []);
}
