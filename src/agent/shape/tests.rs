use super::*;
use crate::units::{Percent, Span};

pub(super) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

#[track_caller]
pub(super) fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected} within {tolerance}");
}

fn chance(percent: f64) -> Chance {
    Chance { percent: Percent(percent), correlation: Percent(0.0) }
}

fn late(ms: u64) -> Option<Delay> {
    Some(Delay {
        time: Span::millis(ms),
        jitter: Span::ZERO,
        distribution: Default::default(),
        correlation: Percent(0.0),
    })
}

fn fates(shape: Shape, n: u64) -> Vec<Fate> {
    let mut shaper = Shaper::new(&shape, 7);
    (0..n).map(|i| shaper.next(i * 1_000_000, 1000)).collect()
}

fn share(fates: &[Fate], what: impl Fn(&Fate) -> bool) -> f64 {
    fates.iter().filter(|fate| what(fate)).count() as f64 / fates.len() as f64
}

#[test]
fn the_same_seed_gives_the_same_fates() {
    let shape = Shape { loss: Some(Loss::Random(chance(0.3))), delay: late(5), ..Shape::default() };
    assert_eq!(fates(shape, 500), fates(shape, 500));
}

#[test]
fn doubled_and_damaged_packets_come_in_their_shares() {
    let corrupt = Corrupt { chance: chance(0.05), undetected: true };
    let shape = Shape { duplicate: Some(chance(0.2)), corrupt: Some(corrupt), ..Shape::default() };
    let fates = fates(shape, 50_000);
    near(share(&fates, |fate| fate.double.is_some()), 0.2, 0.006);
    near(share(&fates, |fate| fate.first.is_ok_and(|way| way.damage == Some(Damage::Undetected))), 0.05, 0.004);
}

#[test]
fn a_doubled_packet_that_is_lost_arrives_once() {
    let shape = Shape { duplicate: Some(chance(1.0)), loss: Some(Loss::Random(chance(1.0))), ..Shape::default() };
    assert!(fates(shape, 10).iter().all(|fate| fate.first.is_ok() && fate.double.is_none()));
}

#[test]
fn some_skip_the_delay() {
    let reorder = Reorder { chance: chance(0.25), gap: 1 };
    let shape = Shape { delay: late(10), reorder: Some(reorder), ..Shape::default() };
    let all = fates(shape, 20_000);
    near(share(&all, |fate| fate.first.is_ok_and(|way| way.past_others)), 0.25, 0.01);
    let late = all.iter().zip(0..).all(|(fate, i)| {
        let way = fate.first.expect("nothing is lost");
        way.due == i * 1_000_000 + if way.past_others { 0 } else { 10_000_000 }
    });
    assert!(late);
}

#[test]
fn a_gap_lets_every_nth_past() {
    let reorder = Reorder { chance: chance(1.0), gap: 5 };
    let all = fates(Shape { delay: late(10), reorder: Some(reorder), ..Shape::default() }, 10);
    let past: Vec<usize> = (0..10).filter(|i| all[*i].first.is_ok_and(|way| way.past_others)).collect();
    assert_eq!(past, [4, 9]);
}

#[test]
fn rate_and_delay_add_up() {
    let rate = RateLimit { bits_per_second: 8_000_000, burst: Default::default(), queue: None };
    let mut shaper = Shaper::new(&Shape { delay: late(5), rate: Some(rate), ..Shape::default() }, 1);
    let due: Vec<u64> = (0..3).map(|_| shaper.next(0, 1000).first.expect("sent").due).collect();
    assert_eq!(due, [6_000_000, 7_000_000, 8_000_000]);
}

#[test]
fn senseless_settings_are_refused() {
    let reorder = Some(Reorder { chance: chance(0.1), gap: 1 });
    assert!(Shape::default().check().is_err());
    assert!(Shape { reorder, ..Shape::default() }.check().is_err());
    assert!(Shape { reorder, delay: late(1), ..Shape::default() }.check().is_ok());
}

#[test]
fn settings_read_as_they_are_written() {
    let text = r#"{"delay":{"time":"100ms","jitter":"10ms","distribution":"paretonormal","correlation":"25%"},
        "loss":{"gilbert_elliott":{"p":"1%","r":"25%"}},"rate":{"bits_per_second":1000000}}"#;
    let shape: Shape = serde_json::from_str(text).unwrap();
    assert_eq!(shape.delay.unwrap().time, Span::millis(100));
    let again: Shape = serde_json::from_str(&serde_json::to_string(&shape).unwrap()).unwrap();
    assert_eq!(again, shape);
    assert!(serde_json::from_str::<Shape>(r#"{"dealy":{"time":"1ms"}}"#).is_err(), "a typing error is an error");
}
