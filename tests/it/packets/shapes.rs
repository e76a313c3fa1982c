//! What the settings of `delay`, `loss` and `reorder` do to packets, beside what theory says. The chances are seeded, so
//! only the machine can disturb the times; shares and sequences are the same each time.

use super::{
    BOTH, UDP_OUT,
    checker::{Arrival, connect, echo, listen, percentile, stream},
    delay,
    lab::{Agent, Lab},
    limit, runs, slow,
};
use std::collections::BTreeSet;

/// What arrives of so many datagrams, outward under this shape.
fn shaped(lab: &Lab, agent: &mut Agent, number: u8, shape: &str, rate: f64, count: u64) -> Vec<Arrival> {
    agent.fault(number, UDP_OUT, &format!(r#"{{"shape":{shape}}}"#));
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(rate, count));
    assert_eq!(agent.undo(number).leaked, 0, "{shape}");
    arrivals
}

/// Delays in the order of sending, in ms.
fn delays(mut arrivals: Vec<Arrival>) -> Vec<f64> {
    arrivals.sort_by_key(|arrival| arrival.number);
    arrivals.into_iter().map(|arrival| arrival.delay_ms).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    self::mean(&values.iter().map(|value| (value - mean).powi(2)).collect::<Vec<_>>()).sqrt()
}

/// How much each value leans on the one before.
fn correlation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let products: Vec<f64> = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).collect();
    self::mean(&products) / deviation(values).powi(2)
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "every figure is printed, as in the tests beside")]
fn near(what: &str, value: f64, expected: f64, tolerance: f64) {
    println!("{what}: {value:.3}, theory {expected:.3}");
    assert!((value - expected).abs() <= tolerance, "{what}: {value} is not {expected} within {tolerance}");
}

#[test]
fn a_fault_on_icmp_meets_echoes_and_nothing_else() {
    let lab = Lab::new();
    listen(&lab.peer, &["10.99.0.2"], &[80]);
    let mut agent = lab.agent();
    agent.fault(1, r#"{"protocol":"icmp"}"#, &delay("100ms"));
    for address in [lab.peer.v4, lab.peer.v6] {
        for number in 0..3 {
            let took = echo(&lab.target, address, number).as_secs_f64() * 1e3;
            println!("echo of {address}: {took:.2} ms");
            assert!(took >= 199.9 && took < limit(203.0, 600.0), "out and back: {took} ms");
        }
    }
    assert!(percentile(&stream(&lab.target, &lab.peer, lab.peer.v4, slow(500.0, 100)), 0.5) < 90.0, "UDP");
    let (failed, took) = connect(&lab.target, "10.99.0.2", 80);
    assert!(failed.is_none() && took.as_millis() < 90, "TCP: {took:?}");
    let counters = agent.undo(1);
    assert!(counters.delayed >= 12 && counters.leaked == 0, "{counters:?}");
    assert!(echo(&lab.target, lab.peer.v4, 9).as_millis() < 100, "healed");
    agent.fault(2, BOTH, &delay("40ms"));
    assert!(echo(&lab.target, lab.peer.v6, 10).as_secs_f64() >= 0.0799, "a fault on all traffic meets them too");
}

#[test]
fn four_states_lose_the_share_and_the_runs_of_theory() {
    let lab = Lab::new();
    let count = 20_000;
    let shape = r#"{"loss":{"four_state":{"p13":"2%","p31":"20%","p32":"30%","p23":"40%","p14":"1%"}}}"#;
    let arrivals = shaped(&lab, &mut lab.agent(), 1, shape, 8000.0, count);
    let lost = runs(&arrivals, count);
    let share = lost.iter().sum::<u64>() as f64 / count as f64;
    // For each packet received in a gap: lost in bursts p13 / p31, received within them p32 / p23 of that, lost alone p14.
    let (burst, alone) = (0.02 / 0.2, 0.01);
    near("share lost", share, (burst + alone) / (1.0 + burst + burst * 0.3 / 0.4 + alone), 0.013);
    let starts = 0.02 + burst * 0.3 + alone;
    near("lost in a row", lost.iter().sum::<u64>() as f64 / lost.len() as f64, (burst + alone) / starts, 0.11);
}

#[test]
fn every_distribution_has_the_mean_and_the_spread_that_are_asked() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    // How many are earlier than the mean tells them apart.
    let distributions = [
        ("uniform", 50.0 / 3f64.sqrt(), 0.5),
        ("normal", 50.0, 0.5),
        ("pareto", 50.0, 0.704),
        ("paretonormal", 50.0, 0.636),
    ];
    for (number, (name, spread, below)) in (0..).zip(distributions) {
        let shape = format!(r#"{{"delay":{{"time":"200ms","jitter":"50ms","distribution":"{name}"}}}}"#);
        let delays = delays(shaped(&lab, &mut agent, number, &shape, 4000.0, 4000));
        assert!(delays.len() > 3990, "{} arrived", delays.len());
        near(&format!("{name}, mean"), mean(&delays), 200.0, limit(3.0, 12.0));
        near(&format!("{name}, deviation"), deviation(&delays), spread, spread * 0.3);
        let early = delays.iter().filter(|delay| **delay < 200.0).count() as f64 / delays.len() as f64;
        near(&format!("{name}, below the mean"), early, below, limit(0.03, 0.12));
    }
}

#[test]
fn neighbours_correlate_as_asked() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    for (number, asked) in [(0, 0.0), (1, 0.6)] {
        let shape = format!(
            r#"{{"delay":{{"time":"200ms","jitter":"50ms","distribution":"normal","correlation":"{}%"}}}}"#,
            asked * 100.0
        );
        let delays = delays(shaped(&lab, &mut agent, number, &shape, 4000.0, 4000));
        near("correlation of neighbouring delays", correlation(&delays), asked, limit(0.05, 0.15));
    }
    let count = 20_000;
    let shape = r#"{"loss":{"random":{"percent":"20%","correlation":"75%"}}}"#;
    let arrivals = shaped(&lab, &mut agent, 2, shape, 8000.0, count);
    let lost = runs(&arrivals, count);
    let all = lost.iter().sum::<u64>() as f64;
    near("share lost", all / count as f64, 0.2, 0.02);
    // Of two normal values that correlate by 0.75: how often the second is in the lowest fifth if the first is.
    near("lost after a loss", 1.0 - lost.len() as f64 / all, 0.601, 0.03);
}

#[test]
fn a_gap_lets_every_fifth_past() {
    let lab = Lab::new();
    let shape = r#"{"delay":{"time":"100ms"},"reorder":{"chance":{"percent":"100%"},"gap":5}}"#;
    let arrivals = shaped(&lab, &mut lab.agent(), 1, shape, 1000.0, 1000);
    let past: BTreeSet<u64> = arrivals.iter().filter(|one| one.delay_ms < 99.9).map(|one| one.number).collect();
    println!("{} of 1000 let past", past.len());
    assert_eq!(arrivals.len(), 1000);
    assert!(past.iter().all(|number| number % 5 == 4), "{past:?}");
    assert!(past.len() as f64 > limit(199.0, 150.0), "{} let past", past.len());
}
