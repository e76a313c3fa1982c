//! Whole made-up drills: each row of the verdict's table, each further rule, and the figures.

use super::{stage::*, *};
use crate::{
    clock::At,
    container::Op,
    event::*,
    measure::{Class, Sample},
    units::{Percent, Span},
};

fn outcome(findings: &Findings) -> (Word, u8) {
    (findings.verdict.word, findings.verdict.code)
}

fn whys(findings: &Findings) -> Vec<&Why> {
    findings.verdict.reasons.iter().map(|r| &r.why).collect()
}

fn time(findings: &Findings, kind: FigureKind) -> i64 {
    let figure = findings.figure(kind, Some(0), None).unwrap();
    match figure.value {
        Ok(Value::Time(ns)) => ns,
        other => panic!("{kind:?}: {other:?}"),
    }
}

fn value(findings: &Findings, kind: FigureKind) -> Result<Value, Absent> {
    findings.figure(kind, Some(0), None).unwrap().value
}

fn near(found: i64, truth: u64, within: u64) -> bool {
    found.abs_diff(truth as i64) <= within
}

fn not_judged_during(stage: &mut Stage) {
    stage.run.terms.expect.during.clear();
}

// Each code.

#[test]
fn code_0_held_and_no_impact_in_those_words() {
    let findings = Stage::new().analyse();
    assert_eq!(outcome(&findings), (Word::Held, 0), "{:?}", findings.verdict);
    assert!(findings.verdict.no_impact && findings.verdict.reasons.is_empty() && findings.doubts.is_empty());
    assert_eq!(findings.verdict.run, RunOutcome::Complete);
    assert_eq!(value(&findings, FigureKind::TimeToImpact), Err(Absent::NoImpact));
    assert_eq!(value(&findings, FigureKind::TimeToRecover), Err(Absent::NoImpact));
    assert!(findings.criteria.iter().all(|c| c.status == CriterionStatus::Met), "{:#?}", findings.criteria);
}

#[test]
fn code_0_low_margin_is_said() {
    let mut stage = Stage::new();
    stage.web(|at| (if at > T0 && (at / (5 * MS)).is_multiple_of(111) { Class::Reset } else { Class::Ok }, 5 * MS));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::HeldLowMargin, 0), "{:?}", findings.verdict);
    let (margin, row) = findings.verdict.smallest_margin.unwrap();
    assert!((0.05..0.2).contains(&margin) && findings.criteria[row].what == Bounded::Errors);
    assert_eq!(findings.figure(FigureKind::SmallestMargin, None, None).unwrap().value, Ok(Value::Share(margin)));
}

#[test]
fn code_1_violated_during_the_fault_only() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Violated, 1), "{:?}", findings.verdict);
    let broken: Vec<_> = findings.criteria.iter().filter(|c| c.status == CriterionStatus::Broken).collect();
    assert!(broken.iter().all(|c| c.phase == Phase::During) && !broken.is_empty());
    assert!(broken[0].margin.unwrap() < 0.0);
}

#[test]
fn code_1_not_recovered_in_time() {
    let mut stage = Stage::new();
    not_judged_during(&mut stage);
    stage.web(frozen(T0 + PAUSING, UNDO + 8 * S));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::NotRecovered, 1), "{:?}", findings.verdict);
    assert!(near(time(&findings, FigureKind::RecoveryLag), 8 * S, 15 * MS), "late, but it is measured");
}

#[test]
fn code_1_not_recovered_at_all() {
    let mut stage = Stage::new();
    not_judged_during(&mut stage);
    stage.web(|at| (if at > T0 + PAUSING { Class::Refused } else { Class::Ok }, MS));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::NotRecovered, 1), "{:?}", findings.verdict);
    let Err(Absent::NotRecovered { at_least_ns }) = value(&findings, FigureKind::TimeToRecover) else {
        panic!("{:?}", value(&findings, FigureKind::TimeToRecover))
    };
    assert!(near(at_least_ns as i64, 30 * S, 50 * MS), "{at_least_ns}");
    assert_eq!(findings.probes[0].impact.as_ref().unwrap().end, None);
}

#[test]
fn code_1_recovered_too_late_to_stay_so() {
    let mut stage = Stage::new();
    not_judged_during(&mut stage);
    stage.run.terms.expect.recovery.get_mut("web").unwrap().within = None;
    stage.web(|at| (if (T0 + PAUSING..OVER - S).contains(&at) { Class::Refused } else { Class::Ok }, MS));
    let findings = stage.analyse();
    assert_eq!(findings.verdict.code, 1, "{:?}", findings.verdict);
    assert_eq!(findings.verdict.word, Word::NotRecovered);
    assert!(!findings.probes[0].impact.as_ref().unwrap().confirmed);
}

#[test]
fn code_2_nothing_to_judge() {
    let mut stage = Stage::new();
    stage.run.terms.expect = Expectations::default();
    let findings = stage.analyse();
    assert_eq!(findings.verdict.code, 2);
    assert_eq!(whys(&findings), [&Why::NothingToJudge]);
    assert!(!findings.probes[0].judged);
}

fn not_started(why: NotStarted) -> Findings {
    let mut stage = Stage::new();
    stage.cut(T0 - 1);
    stage.tell(T0, EventKind::NotStarted(why));
    stage.tell(T0, EventKind::CleanedUp { left: vec![] });
    stage.tell(T0, EventKind::RunEnded { complete: false });
    stage.analyse()
}

#[test]
fn codes_3_7_4_and_130_before_anything_was_touched() {
    let cases = [
        (NotStarted::CouldNotRun("why".into()), 3),
        (NotStarted::BaselineNotMet("why".into()), 7),
        (NotStarted::GuardTripped("why".into()), 4),
        (NotStarted::Stopped("why".into()), 130),
    ];
    for (why, code) in cases {
        let findings = not_started(why.clone());
        assert_eq!(outcome(&findings), (Word::NotStarted, code));
        assert_eq!(findings.verdict.cleanup, Cleanup::Proven);
        assert_eq!(findings.verdict.run, RunOutcome::NotStarted(why));
        assert_eq!(value(&findings, FigureKind::TimeToImpact), Err(Absent::NoFault));
        assert_eq!(value(&findings, FigureKind::RequestsFailed), Err(Absent::NoFault));
    }
}

#[test]
fn code_4_halted_by_a_guard() {
    let mut stage = Stage::new();
    stage.run.terms.guards = vec![Guard {
        probe: "web".into(),
        limit: Limit { op: Comparison::Above, ..errors(0.3) },
        window: Span::secs(2),
    }];
    stage.tell(T0 + 4 * S, EventKind::GuardTripped { guard: 0, measured: "errors 99%".into(), halts: true });
    stage.change(|_, kind| {
        if let EventKind::RunEnded { complete } = kind {
            *complete = false;
        }
    });
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Halted, 4));
    assert_eq!(findings.verdict.run, RunOutcome::Halted(0));
    assert_eq!(findings.guards[0].condition, "web errors > 30% for 2s");
}

#[test]
fn a_guard_that_trips_after_the_last_undo_is_only_recorded() {
    let mut stage = Stage::new();
    stage.tell(UNDO + S, EventKind::GuardTripped { guard: 0, measured: "errors 99%".into(), halts: false });
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Held, 0));
    assert_eq!(findings.guards.len(), 1);
}

#[test]
fn code_130_stopped_by_a_person_even_if_limits_broke() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    stage.tell(UNDO + 2 * S, EventKind::StopRequested { by: "ctrl-C".into() });
    stage.forget(|kind| matches!(kind, EventKind::PhaseStarted(Phase::Report)));
    stage.cut(UNDO + 3 * S);
    stage.tell(UNDO + 3 * S, EventKind::PhaseStarted(Phase::Report));
    stage.tell(UNDO + 3 * S, EventKind::RunEnded { complete: false });
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Stopped, 130));
    assert_eq!(findings.verdict.hypothesis, Hypothesis::Violated, "the facts stay what they are");
}

#[test]
fn code_5_is_the_loudest() {
    let differs =
        Difference { what: "state".into(), before: "running".into(), after: "paused".into(), must_match: true };
    let mut unproven = Stage::new();
    unproven.forget(|kind| matches!(kind, EventKind::UndoChecked { .. }));
    let mut unlooked = Stage::new();
    unlooked.forget(|kind| matches!(kind, EventKind::UndoChecked { .. }));
    unproven.tell(UNDO + 20 * MS, undo_checked(false, vec![differs]));
    unproven.tell(UNDO + 21 * MS, EventKind::StopRequested { by: "ctrl-C".into() });
    let mut left = Stage::new();
    left.forget(|kind| matches!(kind, EventKind::CleanedUp { .. }));
    left.tell(OVER + 30 * MS, EventKind::CleanedUp { left: vec!["shop-api-1: ...".into()] });
    for stage in [unproven, unlooked, left] {
        let findings = stage.analyse();
        assert_eq!(outcome(&findings), (Word::CleanupUnproven, 5));
        assert_eq!(findings.verdict.cleanup, Cleanup::Unproven);
        assert!(matches!(whys(&findings)[0], Why::UndoUnproven { .. }));
    }
}

// Code 6, in all its forms.

#[test]
fn code_6_fault_not_proven_even_if_limits_broke() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    stage.forget(|kind| matches!(kind, EventKind::FaultChecked { .. }));
    stage.tell(T0 + 20 * MS, checked(false));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    assert!(matches!(whys(&findings)[0], Why::FaultUnproven { fault: 0, .. }));
    assert!(whys(&findings).iter().any(|why| matches!(why, Why::Broken(_))), "what broke is still told");
}

#[test]
fn code_6_fault_refused_by_the_engine() {
    let mut stage = Stage::new();
    let refused = crate::container::ContainerError::Conflict("cannot pause".into());
    stage.forget(|kind| matches!(kind, EventKind::FaultChecked { .. } | EventKind::ContainerChanged { .. }));
    stage.change(move |_, kind| {
        if let EventKind::Operated(done) = kind
            && !done.undo
        {
            done.outcome = Err(refused.clone());
        }
    });
    stage.tell(T0 + 20 * MS, checked(false));
    stage.change(|_, kind| {
        if let EventKind::RunEnded { complete } = kind {
            *complete = false;
        }
    });
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    assert_eq!((findings.faults[0].effective, &findings.verdict.run), (None, &RunOutcome::GaveUp));
    assert!(findings.timeline.iter().any(|row| matches!(row.what, Happening::OperationFailed { .. })));
}

#[test]
fn code_6_effective_under_90_percent_of_for() {
    let mut stage = Stage::new();
    let early = UNDO - 3 * S;
    stage.engine(early, &crate::container::sim::container("shop", "api", 1).id, API, "unpause", None, true);
    stage.tell(
        early + 100 * MS,
        EventKind::FaultEnded { fault: 0, container: API.into(), by: "ended by someone else".into() },
    );
    stage.change(|_, kind| {
        if let EventKind::Operated(done) = kind
            && done.undo
        {
            done.outcome = Ok(crate::container::OpOutcome::Already);
        }
    });
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    let Why::EffectiveTooShort { fault: 0, share } = whys(&findings)[0] else { panic!("{:?}", whys(&findings)) };
    assert!((0.69..0.71).contains(share), "{share}");
    assert_eq!(findings.faults[0].ended_by.as_deref(), Some("ended by someone else"));
    let removed = findings.faults[0].removed.unwrap();
    assert!(near(removed.high as i64, early, 2 * MS), "that moment ends it: {removed:?}");
}

#[test]
fn code_6_touched_nothing_unless_it_may() {
    let mut stage = Stage::new();
    stage.run.terms.faults.clear();
    stage.forget(|kind| super::faults::fault_of(kind).is_some());
    assert_eq!(outcome(&stage.analyse()), (Word::Undecided, 6));
    stage.run.terms.expect.may_touch_nothing = true;
    stage.folder = tempfile::tempdir().unwrap();
    stage.run.terms.expect.during.clear();
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Held, 0), "{:?}", findings.verdict);
}

/// `web` with this lateness for the requests due within.
fn late(from: At, to: At, lateness_ns: u64, waited_ns: u64) -> Findings {
    let mut stage = Stage::new();
    stage.load("web", 200.0, move |index, at| {
        let late = (from..to).contains(&at);
        let (lateness_ns, waited_ns) = if late { (lateness_ns, waited_ns) } else { (0, 0) };
        Some(Sample { index, class: Class::Ok, lateness_ns, waited_ns, service_ns: 5 * MS })
    });
    stage.run.terms.expect.recovery.get_mut("web").unwrap().limits = vec![errors(0.01)];
    stage.analyse()
}

#[test]
fn code_6_the_generator_was_behind() {
    let findings = late(T0 + S, T0 + 3 * S, 30 * MS, 0);
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    let Why::UnknownTicks { probe: 0, phase: Phase::During, share, behind: true } = whys(&findings)[0] else {
        panic!("{:?}", whys(&findings))
    };
    assert!((0.15..0.35).contains(share), "{share}");
    let during = findings.probes[0].phase(Phase::During).unwrap();
    assert_eq!(during.worst_own_lateness_ns, 30 * MS);
    assert!(during.behind_share > 0.15);
}

#[test]
fn full_slots_are_never_a_reason_for_undecided() {
    let findings = late(T0 + S, T0 + 3 * S, 900 * MS, 900 * MS);
    assert_eq!(outcome(&findings).1, 0, "{:?}", findings.verdict);
    assert_eq!(findings.probes[0].phase(Phase::During).unwrap().behind_share, 0.0);
}

#[test]
fn a_little_lateness_is_told_and_tolerated() {
    let findings = late(T0 + 5 * S, T0 + 5 * S + 300 * MS, 30 * MS, 0);
    assert_eq!(findings.verdict.code, 6, "one second of ten is more than 5 %");
    let findings = late(UNDO + 5 * S, UNDO + 5 * S + 300 * MS, 30 * MS, 0);
    assert_eq!(findings.verdict.code, 0, "one second of twenty is not: {:?}", findings.verdict);
    assert!(findings.doubts.iter().any(|d| matches!(d.kind, DoubtKind::GeneratorBehind { .. }) && !d.decisive));
}

#[test]
fn code_6_requests_lost() {
    let mut stage = Stage::new();
    stage.load(
        "web",
        200.0,
        |index, at| {
            if (T0 + S..T0 + 5 * S).contains(&at) { None } else { ended(index, Class::Ok, 5 * MS) }
        },
    );
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    let missing = findings.probes[0].phase(Phase::During).unwrap().missing;
    assert_eq!(missing, 800);
}

#[test]
fn code_6_evidence_lost() {
    let mut stage = Stage::new();
    let lost = EventKind::EvidenceLost { file: "journal.jsonl".into(), detail: "no space left".into() };
    stage.tell(UNDO, lost);
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    let mut stage = Stage::new();
    stage.tell(UNDO, EventKind::EvidenceLost { file: "logs/db.log".into(), detail: "no space left".into() });
    assert_eq!(outcome(&stage.analyse()), (Word::Held, 0), "no figure rests on it");
}

#[test]
fn code_6_no_request_log() {
    let stage = Stage::new();
    let folder = stage.write();
    std::fs::remove_file(folder.requests()).unwrap();
    let findings = analyse(&folder).unwrap();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    assert_eq!(value(&findings, FigureKind::RequestsFailed), Err(Absent::NoData));
    assert_eq!(findings.probes[0].phase(Phase::During).unwrap().error_ratio, None, "not measured is not 0");
}

#[test]
fn cut_short_is_5_with_a_fault_on_and_6_after_it_was_undone() {
    let mut held = Stage::new();
    held.cut(T0 + 5 * S);
    let findings = held.analyse();
    assert_eq!(outcome(&findings), (Word::CleanupUnproven, 5));
    assert!(findings.run.cut_short && findings.verdict.run == RunOutcome::CutShort);
    let mut undone = Stage::new();
    undone.cut(UNDO + 5 * S);
    let findings = undone.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    assert_eq!(whys(&findings)[0], &Why::CutShort);
    let mut early = Stage::new();
    early.cut(5 * S);
    assert_eq!(outcome(&early.analyse()), (Word::Undecided, 6));
}

#[test]
fn recovered_later_by_hand_is_proven() {
    let mut stage = Stage::new();
    stage.cut(T0 + 5 * S);
    stage.tell(3_600 * S, EventKind::UndoRequested { fault: 0, intended: None, why: UndoReason::Recovered });
    stage.tell(3_601 * S, undo_checked(true, vec![]));
    stage.tell(3_601 * S, EventKind::CleanedUp { left: vec![] });
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Undecided, 6), "{:?}", findings.verdict);
    assert_eq!(findings.verdict.cleanup, Cleanup::Proven);
}

// Further rules.

#[test]
fn violated_by_one_and_undecided_by_another_is_violated() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    stage.load("other", 50.0, |index, at| if at > T0 { None } else { ended(index, Class::Ok, MS) });
    stage.run.terms.expect.during.insert("other".into(), limits(&[errors(0.01)]));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Violated, 1), "{:?}", findings.verdict);
    assert!(whys(&findings).iter().any(|why| matches!(why, Why::UnknownTicks { probe: 1, .. })));
}

#[test]
fn a_probe_without_expect_is_listed_and_not_judged() {
    let mut stage = Stage::new();
    stage.load("aside", 50.0, |index, at| ended(index, if at > T0 { Class::Refused } else { Class::Ok }, MS));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Held, 0));
    assert!(!findings.probes[1].judged && findings.probes[1].impact.is_some());
    assert!(!findings.verdict.no_impact, "it did see impact");
    assert_eq!(findings.main_probe, Some(0));
}

fn neighbour_dies(unaffected: &[&str]) -> Findings {
    let mut stage = Stage::new();
    stage.run.terms.expect.unaffected = unaffected.iter().map(|s| (*s).to_owned()).collect();
    let db = crate::container::sim::container("shop", "db", 1).id;
    stage.engine(T0 + 2 * S, &db, DB, "die", Some(137), false);
    stage.engine(T0 + 2 * S, &db, DB, "exec_create: sh", None, false);
    stage.engine(T0 + 3 * S, &db, DB, "start", None, false);
    stage.engine(T0 + 4 * S, &db, DB, "health_status: unhealthy", None, false);
    stage.analyse()
}

#[test]
fn a_neighbour_going_bad_counts_only_if_it_was_to_be_unaffected() {
    let findings = neighbour_dies(&[]);
    assert_eq!(outcome(&findings), (Word::Held, 0));
    let blast = &findings.blast[0];
    assert_eq!((blast.container.as_str(), blast.dies, blast.starts, blast.bad), (DB, 1, 1, true));
    assert_eq!(blast.health[0].1, "unhealthy");
    assert_eq!(outcome(&neighbour_dies(&["db"])), (Word::Violated, 1), "by service");
    assert_eq!(outcome(&neighbour_dies(&[DB])), (Word::Violated, 1), "by name");
    assert_eq!(outcome(&neighbour_dies(&["cache"])), (Word::Undecided, 6), "nobody watched that one");
}

/// The pause becomes a kill that is undone by a start.
fn killed_and_started(stage: &mut Stage) {
    stage.change(|_, kind| match kind {
        EventKind::Operated(done) => {
            done.op = if done.undo { Op::Start } else { Op::Kill { signal: "SIGKILL".into() } }
        }
        EventKind::ContainerChanged { event, .. } => {
            event.action = if event.action == "pause" { "die" } else { "start" }.into();
        }
        _ => {}
    });
}

#[test]
fn started_again_by_us_and_then_dying_is_a_finding_and_no_undo_failure() {
    let mut stage = Stage::new();
    killed_and_started(&mut stage);
    assert_eq!(outcome(&stage.analyse()), (Word::Held, 0));
    let api = crate::container::sim::container("shop", "api", 1).id;
    stage.engine(UNDO + 2 * S, &api, API, "die", Some(1), true);
    stage.folder = tempfile::tempdir().unwrap();
    let findings = stage.analyse();
    assert_eq!(outcome(&findings), (Word::Violated, 1), "{:?}", findings.verdict);
    assert_eq!(whys(&findings), [&Why::DiedAfterUndo { container: API.into(), exit_code: Some(1) }]);
}

// Windows, edges and figures.

#[test]
fn every_moment_of_an_outage_is_placed_to_the_request() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    let findings = stage.analyse();
    let request = 5 * MS + 5 * MS;
    let fault = &findings.faults[0];
    let effective = fault.effective.unwrap();
    assert!(effective.low <= T0 + PAUSING && T0 + PAUSING <= effective.high, "{effective:?}");
    assert!(effective.high - (T0 + PAUSING) <= 400_000, "half a round trip of the clock comparison: {effective:?}");
    let outage = findings.probes[0].outages[0];
    assert!(
        near(outage.last_good as i64, T0 + PAUSING, request)
            && near(outage.first_good.unwrap() as i64, UNDO + THAWING, request)
    );
    assert!(time(&findings, FigureKind::TimeToImpact) <= request as i64);
    assert!(near(time(&findings, FigureKind::TimeToRecover), 10 * S, 2 * request));
    assert!(near(time(&findings, FigureKind::RecoveryLag), 0, request));
    assert!(near(time(&findings, FigureKind::OutageTime), 10 * S, 2 * request));
    assert!(near(time(&findings, FigureKind::DegradedSpan), 10 * S, 2 * request));
    assert_eq!(value(&findings, FigureKind::RecoveredUnderFault), Ok(Value::Flag(false)));
    assert!(matches!(value(&findings, FigureKind::TimeToMitigate), Err(Absent::NotMitigated { .. })));
    let injected = findings.figure(FigureKind::InjectionDelay, None, Some(0)).unwrap();
    assert!(matches!(injected.value, Ok(Value::Time(ns)) if near(ns, PAUSING, 400_000)), "{injected:?}");
    assert!(injected.range.is_some() && !injected.evidence.is_empty());
    let held = findings.figure(FigureKind::EffectiveFor, None, Some(0)).unwrap();
    assert!(matches!(held.value, Ok(Value::Time(ns)) if near(ns, 10 * S - 2 * MS, MS)), "{held:?}");
}

#[test]
fn mitigated_while_the_fault_is_active() {
    let mut stage = Stage::new();
    stage.web(|at| (if (T0 + PAUSING..T0 + 3 * S).contains(&at) { Class::Refused } else { Class::Ok }, 5 * MS));
    stage.run.terms.expect.during.get_mut("web").unwrap().within = Some(Span::secs(4));
    let findings = stage.analyse();
    assert_eq!(outcome(&findings).1, 0, "{:?}", findings.verdict);
    assert!(near(time(&findings, FigureKind::TimeToMitigate), 3 * S - PAUSING, 15 * MS));
    assert_eq!(value(&findings, FigureKind::RecoveredUnderFault), Ok(Value::Flag(true)));
    assert!(time(&findings, FigureKind::RecoveryLag) < -6 * (S as i64), "before the undo: negative");
    let row = findings.criteria.iter().find(|c| c.what == Bounded::RecoveredWithin).unwrap();
    assert_eq!((row.measured, row.status), (Ok(Value::Time(0)), CriterionStatus::Met), "recovered when it began");
    assert!(!findings.verdict.no_impact);
}

#[test]
fn well_again_for_good_shortly_before_the_undo_is_mitigated() {
    let mut stage = Stage::new();
    not_judged_during(&mut stage);
    let healed = UNDO - S - S / 2;
    stage.web(move |at| (if (T0 + PAUSING..healed).contains(&at) { Class::Refused } else { Class::Ok }, 5 * MS));
    let findings = stage.analyse();
    assert_eq!(value(&findings, FigureKind::RecoveredUnderFault), Ok(Value::Flag(true)));
    assert!(near(time(&findings, FigureKind::TimeToMitigate), healed - T0 - PAUSING, 15 * MS));
}

#[test]
fn what_gets_well_while_the_fault_is_being_removed_did_not_do_so_by_itself() {
    let mut stage = Stage::new();
    not_judged_during(&mut stage);
    // Between the undo's sending and the engine's answer: nobody knows which came first.
    let healed = UNDO + THAWING / 2;
    stage.web(move |at| (if (T0 + PAUSING..healed).contains(&at) { Class::Refused } else { Class::Ok }, 0));
    let findings = stage.analyse();
    assert_eq!(value(&findings, FigureKind::RecoveredUnderFault), Ok(Value::Flag(false)));
    assert!(matches!(value(&findings, FigureKind::TimeToMitigate), Err(Absent::NotMitigated { .. })));
}

#[test]
fn recovered_and_then_a_dip_recovers_at_the_end_of_the_dip() {
    let mut stage = Stage::new();
    not_judged_during(&mut stage);
    stage.web(|at| {
        let down = (T0 + PAUSING..UNDO + THAWING).contains(&at) || (UNDO + 3 * S..UNDO + 4 * S).contains(&at);
        (if down { Class::Status } else { Class::Ok }, 5 * MS)
    });
    let findings = stage.analyse();
    assert!(
        near(time(&findings, FigureKind::RecoveryLag), 4 * S, 20 * MS),
        "{}",
        time(&findings, FigureKind::RecoveryLag)
    );
    assert_eq!(findings.verdict.code, 0, "{:?}", findings.verdict);
    assert_eq!(findings.probes[0].outages.len(), 2);
}

#[test]
fn failures_are_counted_to_the_request_and_by_class() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    let findings = stage.analyse();
    // Frozen for 9.998 s, of which the last 1.995 s are answered in time.
    let failed = match value(&findings, FigureKind::RequestsFailed) {
        Ok(Value::Count(n)) => n,
        other => panic!("{other:?}"),
    };
    assert!(failed.abs_diff(1_600) <= 2, "{failed}");
    let during = findings.probes[0].phase(Phase::During).unwrap();
    assert_eq!(during.by_class.iter().map(|(_, n)| n).sum::<u64>(), during.offered);
    assert_eq!(during.by_class[1], (Class::Timeout, failed));
    assert_eq!(value(&findings, FigureKind::ExcessFailures), Ok(Value::Estimate(failed as f64)));
    let Ok(Value::Share(kept)) = value(&findings, FigureKind::GoodputKept) else { panic!() };
    assert!((0.19..0.21).contains(&kept), "{kept}");
    assert_eq!(during.service.max, Some(2 * S));
    assert!(during.service.p50.unwrap().abs_diff(2 * S) < 2 * MS, "{:?}", during.service);
    assert_eq!(during.response.max, Some(2 * S));
    assert_eq!((during.response.p999, during.response.p99), (None, Some(2 * S)), "2,000 carry p99 and not p99.9");
}

#[test]
fn unanswered_at_t0_belongs_to_during() {
    let mut stage = Stage::new();
    let slow = |at: At| (T0 - 400 * MS..T0 - 300 * MS).contains(&at);
    stage.web(move |at| if slow(at) { (Class::Timeout, 2 * S) } else { (Class::Ok, 5 * MS) });
    let findings = stage.analyse();
    let of = |phase| findings.probes[0].phase(phase).unwrap().clone();
    assert_eq!((of(Phase::Baseline).failed, of(Phase::During).failed), (0, 20));
    let both = of(Phase::Baseline).offered + of(Phase::During).offered;
    assert!((3_798..=3_802).contains(&both), "nobody is counted twice: {both}");
}

#[test]
fn the_budget_needs_an_slo() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    assert_eq!(value(&stage.analyse(), FigureKind::BurnRate), Err(Absent::NoSlo));
    stage.folder = tempfile::tempdir().unwrap();
    stage.run.terms.probes[0].slo = Some(Slo { objective: Percent(0.999), period: Span::secs(30 * 86_400) });
    let findings = stage.analyse();
    let Ok(Value::Factor(burn)) = value(&findings, FigureKind::BurnRate) else { panic!() };
    assert!((790.0..810.0).contains(&burn), "80 % failed, 0.1 % allowed: {burn}");
    let Ok(Value::Share(consumed)) = value(&findings, FigureKind::BudgetConsumed) else { panic!() };
    assert!((consumed - 8.0 / 2_592.0).abs() < 1e-4, "8 s of 2,592 s: {consumed}");
}

#[test]
fn a_fault_held_to_the_end_is_recovered_from_while_it_lasts() {
    let mut stage = Stage::new();
    stage.run.terms.faults[0].length = None;
    stage.change(|at, kind| match kind {
        EventKind::UndoRequested { why, .. } => (*at, *why) = (OVER + 22 * MS, UndoReason::RunEnded),
        EventKind::UndoChecked { .. } => *at = OVER + 29 * MS,
        EventKind::Operated(done) if done.undo => {
            (*at, done.sent, done.answered) = (OVER + 28 * MS, OVER + 23 * MS, OVER + 28 * MS);
        }
        EventKind::ContainerChanged { event, .. } if event.action == "unpause" => *at = OVER + 27 * MS,
        EventKind::PhaseStarted(Phase::Recovery) => *at = T0 + 30 * MS,
        EventKind::PhaseStarted(Phase::Report) => *at = T0 + 20 * S + 30 * MS,
        _ => {}
    });
    not_judged_during(&mut stage);
    stage.web(|at| (if (T0 + PAUSING..T0 + 2 * S).contains(&at) { Class::Refused } else { Class::Ok }, 5 * MS));
    let findings = stage.analyse();
    assert_eq!(findings.verdict.code, 0, "{:?}", findings.verdict);
    let recovery = findings.phase(Phase::Recovery).unwrap();
    assert!(near(recovery.from as i64, T0 + PAUSING, MS) && recovery.to - recovery.from == 20 * S, "{recovery:?}");
    assert!(near(time(&findings, FigureKind::RecoveryLag), 2 * S - PAUSING, 20 * MS));
}

#[test]
fn every_piece_of_evidence_can_be_followed() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    let findings = stage.analyse();
    let journal = std::fs::read_to_string(stage.run_folder().journal()).unwrap();
    let lines = journal.lines().count() as u64;
    for place in &findings.evidence {
        match place {
            Evidence::Journal { from, to } => assert!(1 <= *from && from <= to && *to <= lines, "{place}"),
            Evidence::Requests { probe, from, to, from_at, to_at } => {
                assert!(*probe == 0 && from <= to && from_at <= to_at, "{place}");
            }
            Evidence::File(name) | Evidence::Part { file: name, .. } => {
                assert!(stage.run_folder().path().join(name).exists());
            }
        }
    }
    let gate = findings.timeline.iter().find(|row| row.what == Happening::GatePassed).unwrap();
    let Evidence::Journal { from, .. } = findings.evidence[gate.evidence[0].0] else { panic!() };
    assert!(journal.lines().nth(from as usize - 1).unwrap().contains("gate_passed"));
    for figure in findings.figures.iter().filter(|f| f.value.is_ok() && f.kind != FigureKind::SmallestMargin) {
        assert!(!figure.evidence.is_empty(), "{figure:?}");
    }
    assert!(findings.timeline.is_sorted_by_key(|row| row.at));
}

#[test]
fn findings_survive_their_own_json_and_are_the_same_each_time() {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
    let findings = stage.analyse();
    let again = analyse(&stage.run_folder()).unwrap();
    assert_eq!(findings, again);
    let json = serde_json::to_string(&findings).unwrap();
    let read: Findings = serde_json::from_str(&json).unwrap();
    assert_eq!((read.verdict, read.timeline, read.faults), (findings.verdict, findings.timeline, findings.faults));
}

#[test]
fn usage_is_told_as_rates_and_a_restart_as_a_gap() {
    let mut stage = Stage::new();
    for (second, cpu, memory) in [(1, 500, 10), (2, 1_500, 20), (3, 100, 30)] {
        let usage = crate::container::Usage { cpu_ns: cpu * MS, memory, memory_limit: 0, rx: cpu, tx: 0 };
        stage.tell(second * S, EventKind::UsageSampled { container: API.into(), usage });
    }
    let findings = stage.analyse();
    let cores: Vec<_> = findings.usage[0].points.iter().map(|p| p.cores).collect();
    assert_eq!((findings.usage[0].target, cores), (true, vec![None, Some(1.0), None]));
    assert_eq!(findings.usage[0].points[1].rx_per_s, Some(1_000.0));
    assert_eq!(findings.usage[0].points[1].memory_limit, None);
}

mod garbled {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// Whatever happens to the files: findings or an error, never a panic.
        #[test]
        fn nothing_panics(cut_journal in 0.0..1.0f64, cut_log in 0.0..1.0f64, flips in prop::collection::vec((any::<bool>(), 0.0..1.0f64, any::<u8>()), 0..12)) {
            thread_local!(static STAGE: (Vec<u8>, Vec<u8>) = {
                let mut stage = Stage::new();
                stage.web(frozen(T0 + PAUSING, UNDO + THAWING));
                let folder = stage.write();
                (std::fs::read(folder.journal()).unwrap(), std::fs::read(folder.requests()).unwrap())
            });
            let (mut journal, mut log) = STAGE.with(Clone::clone);
            for (in_journal, at, byte) in flips {
                let file = if in_journal { &mut journal } else { &mut log };
                let at = (at * file.len() as f64) as usize;
                file[at] = byte;
            }
            let keep = |file: &mut Vec<u8>, share: f64| {
                // Half of the time whole.
                let keep = (share * 2.0).min(1.0);
                file.truncate((keep * file.len() as f64) as usize);
            };
            keep(&mut journal, cut_journal);
            keep(&mut log, cut_log);
            let folder = tempfile::tempdir().unwrap();
            let run = crate::journal::RunFolder(folder.path().to_owned());
            std::fs::write(run.journal(), &journal).unwrap();
            std::fs::write(run.requests(), &log).unwrap();
            let _ = analyse(&run);
        }

        /// Events with wild times, dropped, doubled: never a panic either.
        #[test]
        fn wild_events_do_not_panic(seed in any::<u64>()) {
            use rand::{RngExt, SeedableRng};
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut stage = Stage::new();
            let events = std::mem::take(&mut stage.events);
            for (at, kind) in events {
                match rng.random_range(0..6) {
                    0 => {}
                    1 => stage.tell(rng.random_range(0..100 * S), kind),
                    2 => { stage.tell(at, kind.clone()); stage.tell(at + 1, kind) }
                    _ => stage.tell(at, kind),
                }
            }
            stage.analyse();
        }
    }
}
