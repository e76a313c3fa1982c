//! Alerts of the made-up drill: t=0 and the fault at 10 s, the undo at 20 s, the end at 40 s; answers every second.

use super::*;
use crate::{
    analysis::{
        Absent, Bounded, CriterionStatus, FigureKind, Findings, Hypothesis, Value,
        stage::{MS, OVER, S, Stage, T0, UNDO, frozen},
    },
    event::{ALERT_NAME, AlertChanged, AlertLabels, AlertSource, AlertTerms, EventKind, NoPage},
    units::Span,
};

/// The source's clock is so far ahead of ours.
const AHEAD: i64 = 3_000_000_000;

fn labels(name: &str) -> AlertLabels {
    [(ALERT_NAME.to_owned(), name.to_owned()), ("severity".to_owned(), "page".to_owned())].into()
}

/// `Down` is expected within 5 s and gone within 10 s of the undo; `Search` must be silent.
fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.run.terms.detect = Some(DetectTerms {
        source: AlertSource::Prometheus,
        url: "http://prometheus:9090".into(),
        every: Span::secs(1),
        labels: AlertLabels::new(),
        alerts: vec![AlertTerms {
            name: "Down".into(),
            labels: [("severity".to_owned(), "page".to_owned())].into(),
            within: Span::secs(5),
            resolves_within: Some(Span::secs(10)),
        }],
        no_page: NoPage { others: false, names: vec!["Search".into()] },
    });
    for second in 0..=40 {
        read(&mut stage, second * S + 100 * MS);
    }
    stage
}

fn wall(stage: &Stage, at: At) -> i64 {
    i64::try_from(stage.run.started.as_nanosecond()).unwrap() + at as i64 + AHEAD
}

/// An answer, 2 ms after it was asked for.
fn read(stage: &mut Stage, at: At) {
    let asked = wall(stage, at - MS);
    let clock_ns = Some([asked, asked + MS as i64]);
    stage.tell(at, EventKind::AlertsRead { sent: at - 2 * MS, clock_ns, pending: 0, firing: 0 });
}

/// A change, seen in the first answer after it; its rule was evaluated half a second before that answer.
fn change(stage: &mut Stage, name: &str, second: u64, state: AlertState) {
    let seen = second * S + 100 * MS;
    let stamped_ns = [wall(stage, seen - S), wall(stage, seen - S / 2)];
    let after = Some(seen - S - 2 * MS);
    let change = AlertChanged { labels: labels(name), state, after, stamped_ns: Some(stamped_ns), says_ns: None };
    stage.tell(seen, EventKind::AlertChanged(change));
}

fn already(stage: &mut Stage, name: &str) {
    let change =
        AlertChanged { labels: labels(name), state: AlertState::Firing, after: None, stamped_ns: None, says_ns: None };
    stage.tell(100 * MS, EventKind::AlertChanged(change));
}

/// Analysed once more, in a folder of its own.
fn again(stage: &mut Stage) -> Findings {
    stage.folder = tempfile::tempdir().unwrap();
    stage.analyse()
}

/// Outcome of each row, by alert.
fn table(findings: &Findings) -> Vec<(String, &'static str)> {
    let rows = &findings.alerts.as_ref().expect("alerts").rows;
    rows.iter().map(|row| (row.alert.split('{').next().unwrap().to_owned(), row.outcome.name())).collect()
}

/// What came of each promise about alerts.
fn judged(findings: &Findings) -> Vec<(CriterionStatus, Result<Value, Absent>)> {
    let about = |what: &Bounded| {
        matches!(what, Bounded::AlertFires { .. } | Bounded::AlertResolves { .. } | Bounded::NoPage(_))
    };
    findings.criteria.iter().filter(|c| about(&c.what)).map(|c| (c.status, c.measured)).collect()
}

fn figure(findings: &Findings, kind: FigureKind) -> Result<Value, Absent> {
    findings.figure(kind, None, None).expect("every figure is there").value
}

/// Rounded to tenths of a second.
fn tenths(value: Result<Value, Absent>) -> i64 {
    match value {
        Ok(Value::Time(ns)) => (ns + 50_000_000).div_euclid(100_000_000),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_expected_alert_that_fires_and_resolves_in_time_is_met() {
    let mut stage = stage();
    stage.web(frozen(T0, UNDO));
    stage.run.terms.expect.during.clear();
    already(&mut stage, "Old");
    change(&mut stage, "Down", 12, AlertState::Pending);
    change(&mut stage, "Down", 14, AlertState::Firing);
    change(&mut stage, "Down", 25, AlertState::Resolved);
    let findings = stage.analyse();
    assert_eq!(table(&findings), [("Down".into(), "fired"), ("Old".into(), "unrelated")]);
    let [(fires, time), (resolves, after), (silent, flag)] = judged(&findings)[..] else { panic!() };
    assert_eq!([fires, resolves, silent], [CriterionStatus::Met; 3]);
    // Evaluated at 13.6 s; the fault was effective 8 ms after 10 s.
    assert_eq!((tenths(time), tenths(after), flag), (36, 46, Ok(Value::Flag(true))));
    assert_eq!(tenths(figure(&findings, FigureKind::TimeToDetect)), 36);
    assert_eq!(tenths(figure(&findings, FigureKind::TimeToDetectFromImpact)), 36);
    assert_eq!(tenths(figure(&findings, FigureKind::AlertReset)), 46);
    assert_eq!(figure(&findings, FigureKind::AlertPrecision), Ok(Value::Share(1.0)));
    assert_eq!(figure(&findings, FigureKind::AlertRecall), Ok(Value::Share(1.0)));
    let clock = findings.alerts.unwrap().clock_ns.unwrap();
    assert!(clock.low <= AHEAD && AHEAD <= clock.high && clock.high - clock.low <= 4 * MS as i64, "{clock:?}");
}

#[test]
fn one_that_does_not_fire_breaks_the_hypothesis() {
    let findings = stage().analyse();
    assert_eq!(table(&findings), [("Down".into(), "missing")]);
    assert_eq!(judged(&findings)[0], (CriterionStatus::Broken, Err(Absent::NotFired)));
    assert_eq!(judged(&findings)[1].0, CriterionStatus::Undecided);
    assert_eq!((findings.verdict.hypothesis, findings.verdict.code), (Hypothesis::Violated, 1));
    assert_eq!(figure(&findings, FigureKind::TimeToDetect), Err(Absent::NotDetected));
    assert_eq!(figure(&findings, FigureKind::AlertRecall), Ok(Value::Share(0.0)));
    assert_eq!(figure(&findings, FigureKind::AlertPrecision), Err(Absent::NoneFired));
}

#[test]
fn one_that_fires_late_or_stays_on_breaks_it_too() {
    let mut stage = stage();
    change(&mut stage, "Down", 18, AlertState::Firing);
    let findings = stage.analyse();
    assert_eq!(table(&findings), [("Down".into(), "late")]);
    let [(fires, _), (resolves, why), _] = judged(&findings)[..] else { panic!() };
    assert_eq!([fires, resolves], [CriterionStatus::Broken; 2]);
    assert_eq!(why, Err(Absent::StillFiring));
}

#[test]
fn a_forbidden_one_breaks_it_and_an_unrelated_one_only_costs_precision() {
    let mut stage = stage();
    change(&mut stage, "Down", 12, AlertState::Firing);
    change(&mut stage, "Down", 22, AlertState::Resolved);
    change(&mut stage, "Other", 13, AlertState::Firing);
    change(&mut stage, "Search", 15, AlertState::Firing);
    let findings = stage.analyse();
    let table = table(&findings);
    assert_eq!(table, [("Down".into(), "fired"), ("Other".into(), "unrelated"), ("Search".into(), "forbidden")]);
    assert_eq!(judged(&findings)[2], (CriterionStatus::Broken, Ok(Value::Flag(false))));
    assert_eq!(figure(&findings, FigureKind::AlertPrecision), Ok(Value::Share(1.0 / 3.0)));
    assert_eq!(findings.verdict.code, 1);
}

#[test]
fn with_others_no_alert_but_the_expected_ones_may_begin() {
    let mut stage = stage();
    stage.run.terms.detect.as_mut().unwrap().no_page = NoPage { others: true, names: vec![] };
    already(&mut stage, "Old");
    change(&mut stage, "Down", 12, AlertState::Firing);
    change(&mut stage, "Down", 22, AlertState::Resolved);
    let well = stage.analyse();
    assert_eq!(judged(&well)[2], (CriterionStatus::Met, Ok(Value::Flag(true))), "one that fired before is no news");
    change(&mut stage, "Other", 13, AlertState::Firing);
    assert_eq!(judged(&again(&mut stage))[2].0, CriterionStatus::Broken);
}

#[test]
fn what_could_not_be_read_is_undecided() {
    let mut stage = stage();
    stage.events.retain(|(at, kind)| !matches!(kind, EventKind::AlertsRead { .. }) || !(11 * S..30 * S).contains(at));
    let findings = stage.analyse();
    assert_eq!(table(&findings), [("Down".into(), "not known")]);
    for (status, why) in judged(&findings) {
        assert_eq!((status, why), (CriterionStatus::Undecided, Err(Absent::AlertSourceLost)));
    }
    assert_eq!((findings.verdict.hypothesis, findings.verdict.code), (Hypothesis::Undecided, 6));
    assert_eq!(figure(&findings, FigureKind::TimeToDetect), Err(Absent::AlertsNotKnown));
    assert_eq!(findings.alerts.unwrap().gaps.len(), 1);
}

#[test]
fn one_that_fired_before_the_fault_tells_nothing() {
    let mut stage = stage();
    already(&mut stage, "Down");
    let findings = stage.analyse();
    assert_eq!(table(&findings), [("Down".into(), "not known")]);
    assert_eq!(judged(&findings)[0], (CriterionStatus::Undecided, Err(Absent::AlreadyFiring)));
    // Resolved, and fired again after the fault: that counts.
    change(&mut stage, "Down", 9, AlertState::Resolved);
    change(&mut stage, "Down", 12, AlertState::Firing);
    change(&mut stage, "Down", 22, AlertState::Resolved);
    assert_eq!(judged(&again(&mut stage))[0].0, CriterionStatus::Met);
}

#[test]
fn a_moment_on_either_side_of_the_limit_is_undecided() {
    let mut stage = stage();
    // Between 14.1 s and 14.6 s against 15.008 s: met. Between 15.1 s and 15.6 s: late. The limit in between:
    change(&mut stage, "Down", 15, AlertState::Firing);
    assert_eq!(judged(&stage.analyse())[0].0, CriterionStatus::Met);
    stage.run.terms.detect.as_mut().unwrap().alerts[0].within = Span::millis(4_300);
    assert_eq!(judged(&again(&mut stage))[0].0, CriterionStatus::Undecided);
}

#[test]
fn a_silenced_alert_tells_nobody() {
    let mut stage = stage();
    change(&mut stage, "Down", 12, AlertState::Suppressed);
    let findings = stage.analyse();
    assert_eq!(table(&findings), [("Down".into(), "missing")]);
    let row = &findings.alerts.unwrap().rows[0];
    assert_eq!(row.stretches.iter().map(|(state, ..)| *state).collect::<Vec<_>>(), [AlertState::Suppressed]);
}

#[test]
fn without_a_source_the_figures_say_so() {
    let findings = Stage::new().analyse();
    assert_eq!(findings.alerts, None);
    assert_eq!(figure(&findings, FigureKind::TimeToDetect), Err(Absent::NoAlertSource));
}

#[test]
fn the_last_moments_are_watched() {
    let findings = stage().analyse();
    let alerts = findings.alerts.unwrap();
    assert_eq!((alerts.watched, alerts.answers), (Some((98 * MS, OVER + 100 * MS)), 41));
    assert_eq!(alerts.gaps, []);
}
