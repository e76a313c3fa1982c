//! The truth of an outage: a container whose program stamps CLOCK_MONOTONIC is really paused, and the outage as
//! reported starts and ends within one request interval + 5 ms of what the program itself saw.

use crate::drill::{Drill, Ran};
use firedrill::{
    analysis::{Findings, Outage, analyse},
    journal::RunFolder,
};
use rustix::time::{ClockId, clock_gettime};
use std::fs;

const MS: i64 = 1_000_000;

/// Nanoseconds of a clock.
fn read(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What CLOCK_MONOTONIC calls the wall's zero, to within the time between two readings.
fn wall_minus_monotonic() -> i64 {
    let reading = || {
        let before = read(ClockId::Monotonic);
        let wall = read(ClockId::Realtime);
        let after = read(ClockId::Monotonic);
        (after - before, wall - before.midpoint(after))
    };
    (0..100).map(|_| reading()).min().unwrap().1
}

/// The longest freeze that the program saw, in nanoseconds since the start of the run.
fn truth(ran: &Ran, findings: &Findings) -> (i64, i64) {
    let folder = ran.folder.as_ref().unwrap();
    let logs = findings.logs.iter().map(|log| fs::read_to_string(folder.join(&log.file)).unwrap());
    let stamps: Vec<(i64, i64)> = logs.flat_map(|text| text.lines().filter_map(stamp).collect::<Vec<_>>()).collect();
    let (from, to) = stamps.into_iter().max_by_key(|(from, to)| to - from).expect("the program saw its freeze");
    let started = i64::try_from(findings.run.started.as_nanosecond()).unwrap();
    let at = |monotonic: i64| monotonic + wall_minus_monotonic() - started;
    (at(from), at(to))
}

/// `... frozen FROM TO`
fn stamp(line: &str) -> Option<(i64, i64)> {
    let mut numbers = line.split_once("frozen ")?.1.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn paused_for_two_seconds(drill: &mut Drill, rate: u32) -> (Ran, Findings) {
    let web = drill.web("web", "0s:ok");
    let yaml = format!(
        "scenario: outage
targets:
  web: {{ project: $PROJECT, service: web, pick: all }}
load:
  web: {{ http: {{ url: \"{}\", timeout: 3s }}, rate: {rate}/s, max_in_flight: 64, ok: {{ status: 2xx }} }}
expect:
  baseline: {{ web: {{ errors: \"<= 20%\" }} }}
  recovery: {{ web: {{ errors: \"<= 20%\", within: 4s, stable_for: 1s }} }}
timing: {{ warm_up: 1s, baseline: 2s, recovery: 6s }}
faults:
  - pause: {{ target: web }}
    at: 300ms
    for: 2s
",
        web.url
    );
    let ran = drill.run(&yaml, &[]);
    let folder = RunFolder(ran.folder.clone().unwrap_or_else(|| panic!("no run: {}", ran.output)));
    let findings = analyse(&folder).unwrap();
    (ran, findings)
}

/// How far off start and end are, in nanoseconds.
fn off(rate: u32) -> (i64, i64) {
    let mut drill = Drill::new();
    let (ran, findings) = paused_for_two_seconds(&mut drill, rate);
    assert!(findings.run.t0.is_some(), "not started: {}", ran.output);
    let (from, to) = truth(&ran, &findings);
    let probe = findings.main().unwrap();
    let longest = |o: &&Outage| o.first_good.map(|end| end - o.last_good);
    let outage =
        probe.outages.iter().max_by_key(longest).unwrap_or_else(|| panic!("no outage: {:#?}", findings.verdict));
    let first_good = outage.first_good.expect("it came back");
    let (start, end) = (outage.last_good.cast_signed() - from, first_good.cast_signed() - to);

    let impact = probe.impact.as_ref().unwrap();
    assert!(impact.start.low.abs_diff(outage.last_good) < 50_000_000, "the impact starts with the outage: {impact:?}");
    assert!(impact.end.unwrap().high >= first_good, "and ends no sooner than it: {impact:?}");
    // A busy machine may stamp the freeze too early and the thaw too late, never the other way round.
    let fault = &findings.faults[0];
    let (effective, removed) = (fault.effective.unwrap(), fault.removed.unwrap());
    assert!(from <= effective.high.cast_signed() + 2 * MS, "frozen at {from}, effective {effective:?}");
    assert!(to >= removed.low.cast_signed() - 2 * MS, "thawed at {to}, removed {removed:?}");
    (start, end)
}

/// The machine that runs the tests may itself freeze for a moment: the best of three counts.
fn outage_at(rate: u32) -> (i64, i64) {
    // `make truth` runs these alone on a quiet machine; beside compilers and other drills they only tell the gross.
    let slack = if std::env::var_os("FIREDRILL_TEST_QUIET").is_some() { 5 * MS } else { 100 * MS };
    let allowed = 1_000_000_000 / i64::from(rate) + slack;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (start, end) = off(rate);
        if start.abs() <= allowed && end.abs() <= allowed {
            return (start, end);
        }
        seen.push((start, end));
    }
    panic!("at {rate}/s off by more than {allowed} ns three times: {seen:?}");
}

#[test]
fn at_100_per_second() {
    let (start, end) = outage_at(100);
    println!("100/s: start off by {start} ns, end off by {end} ns");
}

#[test]
fn at_1000_per_second() {
    let (start, end) = outage_at(1_000);
    println!("1000/s: start off by {start} ns, end off by {end} ns");
}

#[test]
fn at_5000_per_second() {
    let (start, end) = outage_at(5_000);
    println!("5000/s: start off by {start} ns, end off by {end} ns");
}
