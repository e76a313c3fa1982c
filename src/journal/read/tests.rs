use super::*;
use crate::{
    event::{Expectations, Phase, Terms, Timing},
    measure::Schedule,
    units::Span,
};
use proptest::prelude::*;

/// A run that promises nothing.
pub(crate) fn started() -> RunStarted {
    let timing = Timing { warm_up: Span::ZERO, baseline: Span::secs(1), recovery: Span::secs(1) };
    RunStarted {
        format: FORMAT,
        run: "20260301T100000Z-quiet-0001".into(),
        started: "2026-03-01T10:00:00Z".parse().unwrap(),
        time_zone: "Etc/UTC".into(),
        version: "0.1.0".into(),
        command: vec![],
        host: "here".into(),
        scenario_path: "quiet.yaml".into(),
        scenario_digest: String::new(),
        seed: 1,
        git: None,
        terms: Terms {
            scenario: "quiet".into(),
            title: "quiet".into(),
            hypothesis: None,
            of: None,
            owner: None,
            tags: vec![],
            probes: vec![],
            expect: Expectations::default(),
            detect: None,
            guards: vec![],
            timing,
            faults: vec![],
        },
    }
}

fn kinds() -> Vec<EventKind> {
    let schedules = [(3, Schedule { first_at: 5, interval_ns: 1_000 })].into();
    vec![
        EventKind::RunStarted(Box::new(started())),
        EventKind::PhaseStarted(Phase::Preflight),
        EventKind::LoadStarted { schedules },
        EventKind::GatePassed,
        EventKind::EngineBack,
        EventKind::RunEnded { complete: true },
    ]
}

fn lines() -> Vec<u8> {
    let mut out = Vec::new();
    for (seq, kind) in (0..).zip(kinds()) {
        serde_json::to_writer(&mut out, &Event { seq, at: seq * 10, kind }).unwrap();
        out.push(b'\n');
    }
    out
}

fn parsed(bytes: &[u8]) -> Journal {
    parse(bytes, "journal.jsonl".into()).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let journal = parsed(&lines());
    assert_eq!(journal.events.iter().map(|event| event.kind.clone()).collect::<Vec<_>>(), kinds());
    assert_eq!((journal.cut_short, journal.damage, journal.unknown), (false, None, vec![]));
}

#[test]
fn a_cut_tail_is_a_run_cut_short_and_no_damage() {
    let all = lines();
    let journal = parsed(&all[..all.len() - 7]);
    assert_eq!((journal.events.len(), journal.cut_short, journal.damage), (5, true, None));
}

#[test]
fn unknown_kinds_are_kept_and_counted() {
    let mut all = lines();
    all.extend(
        b"{\"seq\":6,\"at\":60,\"kind\":{\"moon_rose\":{\"phase\":1}}}\n{\"seq\":7,\"at\":60,\"kind\":\"dawn\"}\n",
    );
    let journal = parsed(&all);
    assert_eq!(journal.unknown, [(7, "moon_rose".to_owned()), (8, "dawn".to_owned())]);
    assert_eq!(journal.damage, None);
}

#[test]
fn missing_and_damaged_lines_are_told() {
    let text = String::from_utf8(lines()).unwrap();
    let without: String = text.lines().filter(|l| !l.contains("load_started")).map(|l| format!("{l}\n")).collect();
    let damage = parsed(without.as_bytes()).damage.unwrap();
    assert_eq!(damage, "line 3 is event 3 where event 2 is due");
    let flipped = text.replace("\"preflight\"", "\"preflighx\"");
    assert!(parsed(flipped.as_bytes()).damage.unwrap().starts_with("line 2 cannot be read"));
}

fn long(kinds: impl Iterator<Item = EventKind>) -> Vec<u8> {
    let mut out = Vec::new();
    for (seq, kind) in (0..).zip(std::iter::once(EventKind::RunStarted(Box::new(started()))).chain(kinds)) {
        serde_json::to_writer(&mut out, &Event { seq, at: seq, kind }).unwrap();
        out.push(b'\n');
    }
    out
}

#[test]
fn of_too_many_samples_every_other_is_kept_and_too_many_events_are_told() {
    let most = Most { samples: 100, others: 10 };
    let usage = crate::container::Usage::default();
    let sampled = || EventKind::UsageSampled { container: "c".into(), usage };
    let read = |bytes: Vec<u8>| parse_most(bytes.as_slice(), "j".into(), most).unwrap();
    let ended = std::iter::once(EventKind::RunEnded { complete: true });
    let journal = read(long((0..5_000).map(|_| sampled()).chain(ended)));
    let kept = journal.events.iter().filter(|event| sample(&event.kind)).count();
    assert!((50..=101).contains(&kept), "{kept}");
    assert_eq!((journal.cut_short, journal.damage, journal.next), (false, None, 5_002));
    let last = journal.events.iter().rev().find(|event| sample(&event.kind)).unwrap();
    assert_eq!(last.seq, last.at, "an event still knows its line");

    let journal = read(long((0..50).map(|_| EventKind::EngineBack).chain([EventKind::RunEnded { complete: true }])));
    assert_eq!((journal.events.len(), journal.cut_short), (11, false));
    let damage = journal.damage.unwrap();
    assert_eq!(damage, "it holds more than 10 events besides samples; 41 of them were not looked at");
}

#[test]
fn a_line_without_end_takes_bounded_memory() {
    let mut all = lines();
    all.extend(std::iter::repeat_n(b'[', LINE as usize + 10));
    all.extend(b"\n{\"seq\":6,\"at\":60,\"kind\":\"engine_back\"}\n");
    let journal = parsed(&all);
    assert!(journal.damage.unwrap().starts_with("line 7 cannot be read"));
    assert_eq!(journal.events.last().unwrap().kind, EventKind::EngineBack);
}

#[test]
fn newer_formats_and_other_files_are_refused() {
    let newer = String::from_utf8(lines()).unwrap().replacen("\"format\":1", "\"format\":99", 1);
    let error = parse(newer.as_bytes(), "j".into()).unwrap_err();
    assert_eq!(error.to_string(), "j has format 99, this firedrill reads up to 1; use a newer one");
    for odd in ["", "\n", "[]", "{\"seq\":0,\"at\":0,\"kind\":\"gate_passed\"}\n", "\u{0}\u{0}"] {
        assert!(matches!(parse(odd.as_bytes(), "j".into()), Err(JournalError::NotAJournal { .. })), "{odd:?}");
    }
}

proptest! {
    #[test]
    fn no_mutation_makes_it_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20), cut in any::<prop::sample::Index>()) {
        let mut bytes = lines();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = parse(bytes.as_slice(), "j".into());
    }
}
