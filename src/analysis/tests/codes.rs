//! Each exit code of the table in SCENARIO.md, and each way to it.

use super::*;

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
