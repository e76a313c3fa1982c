//! The rules of findings: each fires on the run that it is made for, and rests on one that is much like it.

use crate::sample;
use firedrill::{
    analysis::*,
    event::{Phase, UndoReason},
    history::followup::{Outcome, check},
    measure::Class,
    review::{
        action::{self, ActionItem, Priority, State, Verify},
        rules::{self, Wanted},
    },
    units::Span,
};
use std::collections::BTreeSet;

const S: u64 = 1_000_000_000;

type Edit = fn(&mut Findings);
/// A rule's id, what makes it fire, and what makes it rest again.
type Trial = (&'static str, fn() -> Findings, Edit, Edit);

fn target(findings: &mut Findings) -> &mut firedrill::container::Container {
    &mut findings.scope.targets.get_mut("cache").unwrap()[0]
}

fn crashed(findings: &mut Findings) {
    findings.faults[0].kind = "crash".into();
    findings.faults[0].undo_reason = Some(UndoReason::Due);
    target(findings).restart_policy.name = "no".into();
}

fn named(container: &mut firedrill::container::Container, service: &str) {
    container.labels.insert("com.docker.compose.service".into(), service.into());
}

fn figure(findings: &mut Findings, kind: FigureKind) -> &mut Figure {
    findings.figures.iter_mut().find(|figure| figure.kind == kind).unwrap()
}

fn oom(findings: &mut Findings) {
    let row = findings.timeline.iter_mut().find_map(|row| match &mut row.what {
        Happening::ContainerChanged { action, .. } => Some(action),
        _ => None,
    });
    *row.unwrap() = "oom".into();
}

fn on_a_plateau(findings: &mut Findings, at: u64) {
    let during = findings.probes[0].distributions.iter_mut().find(|d| d.phase == Phase::During).unwrap();
    during.points = vec![(0.0, S / 20), (0.5, S / 10), (0.9, at), (0.95, at + S / 100), (0.99, at + S / 80)];
}

fn alerts(findings: &mut Findings) -> &mut AlertFindings {
    findings.alerts.as_mut().unwrap()
}

/// The worker receives twice as much while the fault is on.
fn amplified(findings: &mut Findings) {
    for point in &mut findings.usage[1].points {
        point.rx_per_s = Some(if (27 * S..56 * S).contains(&point.at) { 18_000.0 } else { 9_000.0 });
    }
}

const TRIALS: [Trial; 28] = [
    ("not-recovered", sample::not_recovered, |_| {}, |f| f.run.cut_short = true),
    ("cleanup-unproven", sample::cut_short, |_| {}, |f| f.verdict.cleanup = Cleanup::Proven),
    (
        "recovered-late",
        sample::held,
        |f| f.criteria[7].status = CriterionStatus::Broken,
        |f| f.criteria[7].measured = Err(Absent::NotRecovered { at_least_ns: S }),
    ),
    (
        "promise-broken",
        sample::violated,
        |_| {},
        |f| f.criteria.iter_mut().for_each(|c| c.status = CriterionStatus::Met),
    ),
    (
        "recovered-after-removal",
        sample::held,
        |f| figure(f, FigureKind::RecoveredUnderFault).value = Ok(Value::Flag(false)),
        |f| f.faults[0].held = false,
    ),
    (
        "guard-tripped",
        sample::held,
        |f| {
            let (condition, measured) = (condition(&f.terms.guards[0]), "41%".into());
            f.guards =
                vec![GuardTrip { at: 30 * S, guard: 0, condition, measured, halted: true, evidence: EvidenceId(0) }];
        },
        |f| f.guards[0].halted = false,
    ),
    ("non-target-degraded", sample::held, |_| {}, |f| f.blast[0].bad = false),
    ("out-of-memory", sample::held, oom, |f| f.timeline.clear()),
    ("stayed-down", sample::held, crashed, |f| target(f).restart_policy.name = "always".into()),
    ("single-instance", sample::held, |f| named(target(f), "redis"), |f| named(&mut f.scope.watched[0], "redis")),
    ("plateau-at-a-round-time", sample::held, |f| on_a_plateau(f, S), |f| on_a_plateau(f, 2 * S)),
    (
        "no-answer-in-time",
        sample::held,
        |_| {},
        |f| f.probes[0].phases[1].by_class.retain(|(class, _)| *class != Class::Timeout),
    ),
    (
        "low-margin",
        sample::held,
        |f| {
            (f.verdict.low_margin, f.verdict.smallest_margin) = (true, Some((0.04, 3)));
            f.criteria[3].margin = Some(0.04);
        },
        |f| f.verdict.low_margin = false,
    ),
    (
        "healthy-while-bad",
        sample::held,
        // It is asked every 5s, three times, and may take 2s: it has noticed after 21s.
        |f| figure(f, FigureKind::DegradedSpan).value = Ok(Value::Time(21 * S as i64)),
        |f| figure(f, FigureKind::DegradedSpan).value = Ok(Value::Time(20 * S as i64)),
    ),
    ("load-amplified", sample::held, amplified, |f| f.usage[1].points.iter_mut().for_each(|p| p.rx_per_s = Some(9e3))),
    (
        "log-burst",
        sample::held,
        |f| {
            let (container, kind) = ("shop-redis-1".into(), "connect to #: refused".into());
            f.bursts = vec![LogBurst { container, kind, lines: 240, first: 27 * S, evidence: EvidenceId(4) }];
        },
        |f| f.bursts.clear(),
    ),
    ("undecided", sample::undecided, |_| {}, |f| f.verdict.hypothesis = Hypothesis::Held),
    (
        "unknown-ticks",
        sample::held,
        |f| f.probes[0].phases[1].unknown_share = 0.06,
        |f| f.probes[0].phases[1].unknown_share = 0.05,
    ),
    (
        "clock-stepped",
        sample::held,
        |f| {
            let kind = DoubtKind::WallClockStepped(2 * S as i64);
            f.doubts = vec![Doubt { kind, decisive: false, evidence: vec![EvidenceId(1)] }];
        },
        |f| f.doubts.clear(),
    ),
    (
        "no-health-check",
        sample::held,
        |f| target(f).health = None,
        |f| target(f).health = Some(firedrill::container::Health::Starting),
    ),
    ("no-memory-limit", sample::held, |_| {}, |f| target(f).limits.memory = 1 << 28),
    ("expected-alert-absent", sample::missed_alert, |_| {}, |f| f.criteria[9].status = CriterionStatus::Undecided),
    (
        "expected-alert-late",
        sample::missed_alert,
        |f| f.criteria[8].status = CriterionStatus::Broken,
        |f| f.criteria[8].status = CriterionStatus::Met,
    ),
    ("unexpected-page", sample::missed_alert, |_| {}, |f| f.criteria[10].status = CriterionStatus::Met),
    (
        "alert-resets-late",
        sample::missed_alert,
        |f| {
            let what = Bounded::AlertResolves { alert: "CheckoutErrors".into(), within: Span::secs(5) };
            let (phase, measured) = (Phase::Recovery, Err(Absent::StillFiring));
            f.criteria[9] = Criterion { what, phase, measured, ..f.criteria[9].clone() };
        },
        |f| f.criteria[9].status = CriterionStatus::Met,
    ),
    (
        "alert-still-firing",
        sample::missed_alert,
        |f| alerts(f).rows[0].resolved = None,
        |f| f.terms.detect.as_mut().unwrap().alerts[0].resolves_within = Some(Span::secs(90)),
    ),
    (
        "clock-skewed",
        sample::missed_alert,
        |f| alerts(f).clock_ns = Some(Interval { low: -3 * S as i64, high: -2 * S as i64 }),
        |f| alerts(f).clock_ns = Some(Interval { low: -3 * S as i64, high: 1 }),
    ),
    ("image-not-pinned", sample::held, |_| {}, |f| target(f).image = format!("redis@sha256:{:0<64}", 1)),
];

#[test]
fn each_rule_fires_and_rests() {
    let tried: BTreeSet<&str> = TRIALS.iter().map(|(id, ..)| *id).collect();
    let all: BTreeSet<&str> = rules::RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(tried, all, "each rule has a trial");
    for (id, run, fires, rests) in TRIALS {
        let mut findings = run();
        fires(&mut findings);
        let hits = rules::hits(&findings);
        let hit = hits.iter().find(|hit| hit.rule == id).unwrap_or_else(|| panic!("{id} does not fire"));
        assert!(!hit.evidence.is_empty(), "{id} shows nothing");
        assert!(hit.title.ends_with('.') && hit.test.ends_with('.'), "{id}: {} {}", hit.title, hit.test);
        assert!(!hit.candidate.title.ends_with('.') && !hit.candidate.done_when.is_empty(), "{id}");
        rests(&mut findings);
        assert!(rules::hits(&findings).iter().all(|hit| hit.rule != id), "{id} does not rest");
    }
}

/// What verifies the item behind a rule, where that is not what makes the rule rest.
const MENDED: [(&str, Edit); 10] = [
    ("not-recovered", |f| {
        *f = sample::held();
        // At the last moment that is promised.
        f.criteria[7].measured = Ok(Value::Time(30 * S as i64));
    }),
    ("cleanup-unproven", |f| *f = sample::held()),
    ("recovered-late", |f| f.criteria[7].status = CriterionStatus::Met),
    ("recovered-after-removal", |f| figure(f, FigureKind::RecoveredUnderFault).value = Ok(Value::Flag(true))),
    ("guard-tripped", |f| f.guards.clear()),
    ("low-margin", |f| {
        f.verdict.low_margin = false;
        f.criteria[3].margin = Some(0.2);
    }),
    ("healthy-while-bad", |f| {
        let noticed = Happening::ContainerChanged {
            container: target(f).name.clone(),
            action: "health_status: unhealthy".into(),
            exit_code: None,
            target: true,
        };
        f.timeline.iter_mut().find(|row| matches!(row.what, Happening::ContainerChanged { .. })).unwrap().what =
            noticed;
    }),
    ("undecided", |f| *f = sample::held()),
    ("expected-alert-absent", |f| f.criteria[9].status = CriterionStatus::Met),
    ("alert-still-firing", |f| {
        let at = f.probes[0].impact.as_ref().unwrap().end.unwrap().high + S;
        alerts(f).rows[0].resolved = Some(Interval { low: at, high: at });
    }),
];

/// The item that a rule proposes, said to be done.
fn claimed(rule: &str, findings: &Findings) -> ActionItem {
    let items = rules::actions(findings, &rules::hits(findings));
    let of = |item: &ActionItem| item.finding.as_ref().is_some_and(|found| found.rule == rule);
    ActionItem { state: State::Done, ..items.into_iter().find(of).unwrap_or_else(|| panic!("{rule} proposes nothing")) }
}

fn asked(item: &ActionItem, findings: &Findings) -> (Outcome, String) {
    let checked = check(item, findings, &rules::hits(findings));
    (checked.outcome, checked.why)
}

#[test]
fn each_rule_s_item_is_closed_by_the_run_that_it_asks_for_and_by_no_other() {
    for (id, run, fires, rests) in TRIALS {
        let mut findings = run();
        fires(&mut findings);
        let item = claimed(id, &findings);
        let (outcome, why) = asked(&item, &findings);
        assert_eq!(outcome, Outcome::Regressed, "{id}, as it was found: {why}");
        let mend = MENDED.iter().find(|(mended, _)| *mended == id).map_or(rests, |(_, mend)| *mend);
        mend(&mut findings);
        let (outcome, why) = asked(&item, &findings);
        assert_eq!(outcome, Outcome::Verified, "{id}, mended: {why}");
        // A run in which nothing of all that can be seen.
        let mut other = sample::held();
        other.criteria.clear();
        other.figures.clear();
        other.probes.clear();
        other.terms.guards.clear();
        (other.scope.targets, other.scope.watched, other.blast) = Default::default();
        (other.faults[0].containers, other.logs, other.usage) = Default::default();
        other.run.host = "another".into();
        let (outcome, why) = asked(&item, &other);
        let general = matches!(id, "cleanup-unproven" | "undecided");
        assert_eq!(outcome == Outcome::Undecided, !general, "{id}, of another drill: {why}");
        findings.verdict = sample::cut_short().verdict;
        findings.verdict.cleanup = Cleanup::Proven;
        (findings.verdict.word, findings.verdict.code) = (Word::Stopped, 130);
        assert_eq!(asked(&item, &findings).0, Outcome::Undecided, "{id}, stopped");
    }
}

fn wanting(criterion: &str) -> ActionItem {
    let item = claimed("no-memory-limit", &sample::held());
    ActionItem { verify: Verify::Scenario { scenario: "s.yaml".into(), criterion: criterion.into() }, ..item }
}

#[test]
fn a_late_recovery_verifies_no_promise_of_one() {
    let item = claimed("not-recovered", &sample::not_recovered());
    let mut late = sample::held();
    late.criteria[7].measured = Ok(Value::Time(60 * S as i64));
    late.criteria[7].status = CriterionStatus::Broken;
    assert_eq!(
        asked(&item, &late),
        (Outcome::Regressed, "`recovery: checkout recovered within 30s` was broken: 1m".into())
    );
    // As an earlier review words it.
    assert_eq!(asked(&wanting("recovery: checkout recovered within <= 30s"), &late).0, Outcome::Regressed);
    // Nothing is promised of the recovery.
    let mut silent = sample::not_recovered();
    silent.criteria.truncate(7);
    silent.terms.expect.recovery.clear();
    let item = claimed("not-recovered", &silent);
    assert_eq!(asked(&item, &silent).0, Outcome::Regressed);
    let mut well = sample::held();
    well.criteria.truncate(7);
    assert_eq!(asked(&item, &well), (Outcome::Verified, "checkout recovered".into()));
    well.probes[0].phases.truncate(2);
    assert_eq!(asked(&item, &well), (Outcome::Undecided, "no judged probe checkout was sent after the fault".into()));
}

#[test]
fn a_margin_is_one_of_a_run_that_held() {
    let (_, run, fires, _) = TRIALS.into_iter().find(|(id, ..)| *id == "low-margin").unwrap();
    let mut close = run();
    fires(&mut close);
    let item = claimed("low-margin", &close);
    let mut violated = sample::violated();
    assert_eq!(asked(&item, &violated).0, Outcome::Regressed);
    violated.criteria[3] = sample::held().criteria[3].clone();
    let (outcome, why) = asked(&item, &violated);
    assert!(outcome == Outcome::Regressed && why.ends_with("and the run ended as VIOLATED"), "{why}");
    let held = sample::held();
    assert_eq!(
        asked(&item, &held),
        (Outcome::Verified, "`during: checkout p99 <= 400ms` was met: 212ms, a margin of +47%".into())
    );
    let mut looser = sample::held();
    looser.criteria[3].objective.as_mut().unwrap().bound = Value::Time(S as i64);
    assert_eq!(asked(&item, &looser).0, Outcome::Undecided, "another bound is another promise");
}

#[test]
fn what_no_run_can_be_asked_is_undecided_and_says_why() {
    let held = sample::held();
    for (criterion, why) in [
        ("everybody is happy", "the scenario promises nothing that reads `everybody is happy`"),
        ("during: stock p99 <= 1s", "the scenario promises nothing that reads `during: stock p99 <= 1s`"),
        ("guard stock errors > 1% for 1s does not trip", "the scenario has no guard stock errors > 1% for 1s"),
        ("rule no-such-rule finds nothing on api", "no rule is called no-such-rule"),
        (
            "rule promise-broken finds nothing on checkout",
            "that rule promise-broken finds nothing verifies nothing; a promise of the scenario does",
        ),
        (
            "rule no-memory-limit finds nothing on payments",
            "rule no-memory-limit finds nothing on payments, and could not have: no target is called so",
        ),
        (
            "rule stayed-down finds nothing on shop-redis-1",
            "rule stayed-down finds nothing on shop-redis-1, and could not have: no crash of it took effect",
        ),
    ] {
        assert_eq!(asked(&wanting(criterion), &held), (Outcome::Undecided, why.into()));
    }
}

#[test]
fn a_criterion_is_read_as_it_was_written() {
    for (name, findings) in sample::all() {
        let markdown = firedrill::review::texts(&findings)[2].1.clone();
        let (items, hits) = (action::read(&markdown).0, rules::hits(&findings));
        for (item, hit) in items.iter().zip(&hits) {
            let Verify::Scenario { criterion, .. } = &item.verify else { panic!("{name}: {}", item.id) };
            assert!(rules::same(criterion, &hit.candidate.criterion.to_string()), "{name}: {criterion}");
            let (wanted, read) = (&hit.candidate.criterion, Wanted::read(criterion));
            assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(wanted), "{name}: {criterion}");
        }
    }
}

#[test]
fn a_finding_is_known_again_in_another_run() {
    let prints = |findings: &Findings| rules::hits(findings).iter().map(|h| h.fingerprint.clone()).collect::<Vec<_>>();
    let (first, mut second) = (sample::violated(), sample::violated());
    second.run.id = "20260401T100000Z-cache-loss-0002".into();
    second.criteria[4].measured = Ok(Value::Count(900));
    assert_eq!(prints(&first), prints(&second));
    let ids = |findings: &Findings| {
        let items = rules::actions(findings, &rules::hits(findings));
        items.into_iter().map(|item| item.id).collect::<BTreeSet<_>>()
    };
    assert!(ids(&first).is_disjoint(&ids(&second)), "an item belongs to one review");
    second.faults[0].kind = "kill".into();
    assert_ne!(prints(&first), prints(&second));
}

#[test]
fn priorities_and_due_days_follow_the_printed_rules() {
    let items = |findings: &Findings| rules::actions(findings, &rules::hits(findings));
    let violated = items(&sample::violated());
    assert!(violated.iter().is_sorted_by_key(|item| item.priority), "the gravest first");
    let worst = &violated[0];
    assert_eq!((worst.priority, worst.priority_why.as_str()), (Priority::P1, "the hypothesis was violated"));
    assert_eq!(worst.due.unwrap().to_string(), "2026-03-31", "30 days after the run's end");
    assert_eq!(worst.history[0].on.to_string(), "2026-03-01");
    let lost = items(&sample::not_recovered());
    assert_eq!((lost[0].priority, lost[0].due.unwrap().to_string()), (Priority::P0, "2026-03-16".into()));
    let held = items(&sample::held());
    assert!(held.iter().all(|item| item.priority == Priority::P3 && item.due.is_none()), "{held:#?}");
}

#[test]
fn what_is_proposed_is_read_back_from_the_review() {
    for (name, findings) in sample::all() {
        let texts = firedrill::review::texts(&findings);
        let markdown = &texts.iter().find(|(file, _)| *file == "review.md").unwrap().1;
        let (items, troubles) = action::read(markdown);
        assert!(troubles.is_empty(), "{name}: {troubles:?}");
        let proposed = rules::actions(&findings, &rules::hits(&findings));
        assert_eq!(items.len(), proposed.len(), "{name}");
        if name != "hostile" {
            assert_eq!(items, proposed, "{name}");
        }
    }
}
