//! Windows, edges and figures.

use super::*;

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
