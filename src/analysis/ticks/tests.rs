use super::*;
use crate::{analysis::series::made_up, units::Percent};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

const MS: u64 = 1_000_000;

fn health(errors: f64, latency: &[(f64, u32)]) -> Health {
    let latency = latency.iter().map(|&(quantile, ms)| LatencyLimit { quantile, bound_us: ms * 1000 }).collect();
    Health { errors, latency }
}

fn judged(series: &Series, health: &Health, anchor: At) -> Vec<Judged> {
    let end = series.intended(series.due_in(0..u64::MAX).end);
    judge(series, health, &grid(0..end, anchor, health.tick_ns(series.interval())))
}

#[test]
fn ticks_widen_until_the_percentile_has_enough_to_go_by() {
    let p99 = health(0.001, &[(0.99, 100)]);
    for (rate, seconds) in [(1_000, 1), (500, 2), (400, 5), (200, 5), (1, 5)] {
        assert_eq!(p99.tick_ns(SECOND / rate), seconds * SECOND, "{rate}/s");
    }
    assert_eq!(health(0.001, &[]).tick_ns(SECOND / 10), SECOND);
    assert_eq!(health(0.001, &[(1.0, 100)]).tick_ns(SECOND / 10), SECOND, "a maximum needs no company");
    assert_eq!(health(0.001, &[]).tick_ns(10 * SECOND), 10 * SECOND, "at least one request a tick");
}

#[test]
fn a_tick_starts_at_the_fault_and_nothing_is_left_out() {
    let ticks = grid(300..10_050, 2_500, 1_000);
    assert!(ticks.iter().any(|t| t.start == 2_500));
    assert_eq!((ticks[0].clone(), ticks[1].clone()), (300..500, 500..1_500));
    assert_eq!(ticks.last(), Some(&(9_500..10_050)));
    assert!(ticks.windows(2).all(|pair| pair[0].end == pair[1].start));
    assert_eq!(grid(0..3_000, 0, 1_000).len(), 3);
    assert_eq!(grid(0..3_000, 9_000, 1_000).len(), 3);
}

#[test]
fn healthy_at_half_its_error_limit_is_healthy_in_200_of_200_minutes() {
    let rng = RefCell::new(ChaCha8Rng::seed_from_u64(7));
    for minute in 0..200 {
        let series = made_up(200.0, 60.0, |_, _| {
            let failed = rng.borrow_mut().random_bool(0.0005);
            (if failed { Class::Reset } else { Class::Ok }, 5 * MS)
        });
        let ticks = judged(&series, &health(0.001, &[(0.99, 100)]), 0);
        assert_eq!(bad_runs(&ticks), [], "minute {minute}");
        let ticks = judged(&series, &health(0.001, &[]), 0);
        assert_eq!(bad_runs(&ticks), [], "minute {minute}, ticks of a second");
    }
}

#[test]
fn healthy_at_half_its_latency_limit_is_healthy_in_200_of_200_minutes() {
    let rng = RefCell::new(ChaCha8Rng::seed_from_u64(8));
    for minute in 0..200 {
        let series = made_up(1_000.0, 60.0, |_, _| {
            let slow = rng.borrow_mut().random_bool(0.005);
            (Class::Ok, if slow { 150 * MS } else { 5 * MS })
        });
        assert_eq!(bad_runs(&judged(&series, &health(0.001, &[(0.99, 100)]), 0)), [], "minute {minute}");
    }
}

#[test]
fn five_times_the_limit_is_found_in_200_of_200_minutes() {
    let rng = RefCell::new(ChaCha8Rng::seed_from_u64(9));
    for minute in 0..200 {
        let series = made_up(1_000.0, 60.0, |_, at| {
            let failed = at >= 30 * SECOND && rng.borrow_mut().random_bool(0.01);
            (if failed { Class::Status } else { Class::Ok }, 5 * MS)
        });
        let runs = bad_runs(&judged(&series, &health(0.002, &[]), 30 * SECOND));
        assert!(runs.first().is_some_and(|(first, _)| (30..45).contains(first)), "minute {minute}: {runs:?}");
    }
}

#[test]
fn recovered_then_a_fail_back_dip_are_two_runs() {
    let series = made_up(200.0, 60.0, |_, at| {
        let down = (10 * SECOND..20 * SECOND).contains(&at) || (40 * SECOND..41 * SECOND).contains(&at);
        (if down { Class::Refused } else { Class::Ok }, MS)
    });
    let ticks = judged(&series, &health(0.001, &[]), 10 * SECOND);
    assert_eq!(bad_runs(&ticks), [(10, 19), (40, 40)]);
}

#[test]
fn slow_answers_are_impact_without_a_single_failure() {
    let series = made_up(200.0, 60.0, |_, at| {
        (Class::Ok, if (10 * SECOND..25 * SECOND).contains(&at) { 3_000 * MS } else { 5 * MS })
    });
    let ticks = judged(&series, &health(0.001, &[(0.99, 100)]), 10 * SECOND);
    assert_eq!(bad_runs(&ticks), [(2, 4)], "ticks of five seconds");
    assert!(ticks.iter().all(|j| j.tick.failed == 0));
}

#[test]
fn a_tenth_of_a_second_of_refusal_is_found_and_one_stray_failure_is_not() {
    let hundred_ms = made_up(200.0, 30.0, |_, at| {
        let down = (10 * SECOND..10 * SECOND + 100 * MS).contains(&at);
        (if down { Class::Refused } else { Class::Ok }, MS)
    });
    assert_eq!(bad_runs(&judged(&hundred_ms, &health(0.001, &[]), 0)), [(10, 10)]);
    let stray = made_up(200.0, 30.0, |i, _| (if i == 2_000 { Class::Reset } else { Class::Ok }, MS));
    assert_eq!(bad_runs(&judged(&stray, &health(0.001, &[]), 0)), []);
}

#[test]
fn one_failed_check_of_a_slow_probe_is_no_run_and_two_are() {
    let failing = |checks: Range<u64>| {
        made_up(1.0, 30.0, move |i, _| (if checks.contains(&(i as u64)) { Class::Status } else { Class::Ok }, MS))
    };
    assert_eq!(bad_runs(&judged(&failing(10..11), &health(0.1, &[]), 0)), []);
    assert_eq!(bad_runs(&judged(&failing(10..12), &health(0.1, &[]), 0)), [(10, 11)]);
}

#[test]
fn what_the_generator_did_is_unknown_but_a_refusal_is_a_refusal() {
    let late = |class| {
        let mut series = made_up(100.0, 3.0, |_, _| (Class::Ok, MS));
        for index in 100..110 {
            let late = 50 * MS;
            series.put(&crate::measure::Sample { index, class, lateness_ns: late, waited_ns: 0, service_ns: MS });
        }
        judged(&series, &health(0.001, &[(0.5, 10)]), 0)[1].tick.state
    };
    assert_eq!(late(Class::Ok), TickState::Unknown);
    assert_eq!(late(Class::Timeout), TickState::Unknown);
    assert_eq!(late(Class::Refused), TickState::Bad);
}

#[test]
fn full_slots_are_the_servers_doing() {
    let mut series = made_up(100.0, 3.0, |_, _| (Class::Ok, MS));
    for index in 100..200 {
        let late = 800 * MS;
        series.put(&crate::measure::Sample {
            index,
            class: Class::Ok,
            lateness_ns: late,
            waited_ns: late,
            service_ns: MS,
        });
    }
    assert_eq!(judged(&series, &health(0.001, &[(0.5, 10)]), 0)[1].tick.state, TickState::Bad);
}

#[test]
fn holes_in_the_log_are_unknown() {
    let schedule = crate::measure::Schedule { first_at: 0, interval_ns: 10 * MS };
    let series = Series::new(schedule, 3 * SECOND).unwrap();
    assert!(judged(&series, &health(0.001, &[]), 0).iter().all(|j| j.tick.state == TickState::Unknown));
}

#[test]
fn health_is_made_of_upper_limits() {
    let limit = |metric, op| crate::event::Limit { metric, op };
    let latency = |quantile| Metric::Latency { quantile, bound: crate::units::Span::millis(100) };
    let limits = Limits {
        limits: vec![
            limit(Metric::Errors(Percent(0.05)), Comparison::AtLeast),
            limit(latency(0.99), Comparison::Below),
            limit(latency(0.5), Comparison::Above),
        ],
        ..Limits::default()
    };
    let health = Health::from_limits(Some(&limits));
    assert_eq!(health.errors, UNPROMISED, "a lower bound says nothing of health");
    assert_eq!(health.latency, [LatencyLimit { quantile: 0.99, bound_us: 99_999 }]);
}
