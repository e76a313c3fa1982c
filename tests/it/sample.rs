//! Findings made up for the tests of the review: a drill on a shop's cache, in each of its endings.

use firedrill::{
    analysis::*,
    container::Op,
    event::{EarlierRun, NotStarted, NoteKind, OpenItem, Phase},
    units::Span,
};
use std::collections::BTreeMap;

mod alerts;
mod parts;
pub use alerts::{crowded, missed_alert};
use parts::*;

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// When the gate passed.
pub const T0: u64 = 26 * S;
const UNDO: u64 = T0 + 30 * S;
const END: u64 = T0 + 92 * S;

/// Recovered by itself under the fault; everything as promised.
pub fn held() -> Findings {
    let worker = Neighbour {
        container: "shop-worker-1".into(),
        service: Some("worker".into()),
        must_be_unaffected: false,
        dies: 0,
        starts: 0,
        ooms: 0,
        health: vec![(T0 + 12 * S, "unhealthy".into()), (UNDO + 4 * S, "healthy".into())],
        bad: true,
        evidence: vec![EvidenceId(5)],
    };
    Findings {
        format: FINDINGS_FORMAT,
        run: facts(),
        terms: terms(),
        verdict: Verdict {
            word: Word::Held,
            code: 0,
            cleanup: Cleanup::Proven,
            run: RunOutcome::Complete,
            hypothesis: Hypothesis::Held,
            reasons: vec![],
            smallest_margin: Some((0.4, 4)),
            low_margin: false,
            no_impact: false,
        },
        phases: vec![
            phase(Phase::Baseline, T0 - 20 * S, T0),
            phase(Phase::During, T0 + 2 * MS, UNDO + 9 * MS),
            phase(Phase::Recovery, UNDO + 9 * MS, END),
        ],
        baseline_tries: vec![BaselineTry {
            attempt: 1,
            from: T0 - 20 * S,
            to: T0,
            met: true,
            readings: vec!["checkout errors 0% <= 0.1%".into(), "checkout p99 14ms <= 100ms".into()],
            evidence: EvidenceId(1),
        }],
        scope: Scope {
            targets: BTreeMap::from([("cache".to_owned(), vec![container("shop-redis-1")])]),
            choices: vec!["cache: 1 of 1: shop-redis-1".into()],
            neighbours: vec!["shop-worker-1".into(), "shop-db-1".into()],
            watched: vec![container("shop-worker-1"), container("shop-db-1")],
            evidence: Some(EvidenceId(0)),
        },
        criteria: criteria(),
        probes: vec![checkout(), stock()],
        main_probe: Some(0),
        faults: vec![pause()],
        figures: figures(),
        alerts: None,
        timeline: timeline(),
        blast: vec![worker],
        usage: vec![used("shop-redis-1", true), used("shop-worker-1", false)],
        notes: vec![Note {
            at: T0 + 3 * S,
            kind: NoteKind::Ack,
            text: "on it".into(),
            who: "ana".into(),
            evidence: EvidenceId(4),
        }],
        guards: vec![],
        doubts: vec![],
        earlier: vec![EarlierRun {
            run: "20260222T100000Z-cache-loss-11aa".into(),
            started: "2026-02-22T10:00:00Z".parse().unwrap(),
            word: "VIOLATED".into(),
            code: 1,
            recover_ns: Some(41 * S),
            git: Some("v1.3.0".into()),
            images: BTreeMap::from([("shop-redis-1".to_owned(), "sha256:old".to_owned())]),
            findings: Some(vec![]),
        }],
        earlier_at: Some(EvidenceId(1)),
        open_before: vec![],
        logs: vec![LogFile {
            container: "shop-redis-1".into(),
            file: "logs/shop-redis-1.log".into(),
            bytes: 2048,
            cut: false,
        }],
        bursts: vec![],
        evidence: (0..8).map(|line| Evidence::Journal { from: line + 1, to: line + 1 }).collect(),
        places: vec![],
    }
}

/// Held, and nothing that asks for a review.
pub fn plain() -> Findings {
    let mut findings = held();
    findings.notes.clear();
    findings.timeline.retain(|row| row.source != Source::Person);
    findings.blast.clear();
    for figure in findings.figures.iter_mut().filter(|f| f.kind == FigureKind::RequestsFailed) {
        figure.value = Ok(Value::Count(6));
    }
    findings
}

/// p99 over its limit while the fault was on.
pub fn violated() -> Findings {
    let mut findings = held();
    findings.criteria[3] = criterion(Phase::During, Bounded::Latency(0.99), time(400 * MS), time(1_210 * MS), 5000);
    findings.criteria[4] = criterion(Phase::During, Bounded::MaxFailed, Value::Count(100), Value::Count(600), 6000);
    findings.verdict.word = Word::Violated;
    findings.verdict.code = 1;
    findings.verdict.hypothesis = Hypothesis::Violated;
    findings.verdict.reasons = [4, 3].map(|i| Reason { why: Why::Broken(i), evidence: vec![EvidenceId(6)] }).to_vec();
    findings.verdict.smallest_margin = Some((0.5, 6));
    let found = firedrill::review::rules::hits(&findings)[0].fingerprint.clone();
    findings.earlier[0].findings = Some(vec![found.clone()]);
    findings.open_before = vec![OpenItem {
        id: "A-0badcafe".into(),
        title: "Set a memory limit for redis".into(),
        state: "accepted by ana".into(),
        fingerprint: Some(found),
        since: "2026-02-22".parse().unwrap(),
        run: "20260222T100000Z-cache-loss-11aa".into(),
    }];
    findings
}

/// Still bad at the end of the watch.
pub fn not_recovered() -> Findings {
    let mut findings = held();
    let main = &mut findings.probes[0];
    main.phases.truncate(2);
    main.phases.push(stats(Phase::Recovery, 12_000, 7_000, percentiles(12_000, 900 * MS, 2 * S, 2 * S, 2 * S)));
    let impact = main.impact.as_mut().unwrap();
    (impact.end, impact.confirmed, impact.confirmed_at, impact.mitigated) = (None, false, None, None);
    for figure in &mut findings.figures {
        match figure.kind {
            FigureKind::TimeToMitigate => figure.value = Err(Absent::NotMitigated { removed_at: Some(UNDO) }),
            FigureKind::TimeToRecover | FigureKind::RecoveryLag => {
                (figure.value, figure.range) = (Err(Absent::NotRecovered { at_least_ns: 92 * S }), None);
            }
            FigureKind::RecoveredUnderFault => figure.value = Ok(Value::Flag(false)),
            FigureKind::RequestsFailed => figure.value = Ok(Value::Count(7_600)),
            _ => {}
        }
    }
    let last = findings.criteria.last_mut().unwrap();
    last.measured = Err(Absent::NotRecovered { at_least_ns: 62 * S });
    (last.status, last.margin) = (CriterionStatus::Broken, None);
    findings.timeline.retain(|r| !matches!(r.what, Happening::Recovered(_) | Happening::RecoveryConfirmed(_)));
    findings.verdict = Verdict {
        word: Word::NotRecovered,
        code: 1,
        hypothesis: Hypothesis::Violated,
        reasons: vec![Reason { why: Why::Broken(7), evidence: vec![EvidenceId(6)] }],
        ..findings.verdict
    };
    findings
}

/// The fault was not seen to be in place.
pub fn undecided() -> Findings {
    let mut findings = held();
    findings.faults[0].proven = Some(false);
    findings.faults[0].containers[0].proof = Some((false, "running".into()));
    findings.verdict.word = Word::Undecided;
    findings.verdict.code = 6;
    findings.verdict.hypothesis = Hypothesis::Undecided;
    findings.verdict.reasons =
        vec![Reason { why: Why::FaultUnproven { fault: 0, detail: "running".into() }, evidence: vec![EvidenceId(3)] }];
    findings.doubts = vec![Doubt {
        kind: DoubtKind::GeneratorBehind { probe: 0, phase: Phase::During, share: 0.03 },
        decisive: false,
        evidence: vec![],
    }];
    findings
}

/// The baseline was not met in three windows.
pub fn not_started() -> Findings {
    let mut findings = held();
    let attempt = |n: u32| BaselineTry {
        attempt: n,
        from: (6 + 20 * (u64::from(n) - 1)) * S,
        to: (6 + 20 * u64::from(n)) * S,
        met: false,
        readings: vec!["checkout p99 180ms <= 100ms: not met".into()],
        evidence: EvidenceId(1),
    };
    findings.run.t0 = None;
    findings.baseline_tries = (1..=3).map(attempt).collect();
    let why = NotStarted::BaselineNotMet("checkout p99 180ms, promised <= 100ms".into());
    findings.verdict.word = Word::NotStarted;
    findings.verdict.code = 7;
    findings.verdict.hypothesis = Hypothesis::Undecided;
    findings.verdict.run = RunOutcome::NotStarted(why.clone());
    findings.phases.truncate(1);
    findings.criteria.clear();
    findings.figures.clear();
    findings.blast.clear();
    findings.notes.clear();
    findings.earlier.clear();
    findings.probes[0].phases.truncate(1);
    findings.probes[0].impact = None;
    findings.probes[1].phases.clear();
    let fault = &mut findings.faults[0];
    (fault.intended, fault.requested, fault.effective, fault.removed) = (None, None, None, None);
    (fault.undo_requested, fault.proven, fault.undo_proven) = (None, None, None);
    fault.containers.clear();
    findings.timeline = vec![
        row(0, Source::Runner, Happening::RunStarted, false),
        row(26 * S, Source::Runner, Happening::BaselineJudged { attempt: 1, met: false }, false),
        row(66 * S, Source::Runner, Happening::NotStarted(why), true),
    ];
    findings
}

/// The runner was killed while the fault was on.
pub fn cut_short() -> Findings {
    let mut findings = held();
    findings.run.cut_short = true;
    findings.run.ended = T0 + 11 * S;
    let fault = &mut findings.faults[0];
    (fault.undo_requested, fault.undo_reason, fault.removed, fault.undo_proven) = (None, None, None, None);
    fault.containers[0].undo_proof = None;
    fault.containers[0].removed = None;
    fault.containers[0].operations.truncate(1);
    findings.verdict.word = Word::CleanupUnproven;
    findings.verdict.code = 5;
    findings.verdict.cleanup = Cleanup::Unproven;
    findings.verdict.run = RunOutcome::CutShort;
    findings.verdict.hypothesis = Hypothesis::Undecided;
    let unproven =
        Why::UndoUnproven { fault: 0, container: "shop-redis-1".into(), detail: "no undo is recorded".into() };
    findings.verdict.reasons = [unproven, Why::CutShort].map(|why| Reason { why, evidence: vec![] }).to_vec();
    findings.doubts = vec![Doubt { kind: DoubtKind::CutShort, decisive: true, evidence: vec![] }];
    findings.timeline.retain(|r| r.at < T0 + 11 * S);
    findings.probes[0].phases.truncate(2);
    findings.probes[0].chart.truncate(36);
    findings.probes[0].ticks.truncate(36);
    for figure in findings.figures.iter_mut().filter(|f| f.kind == FigureKind::RecoveryLag) {
        figure.value = Err(Absent::NotRemoved);
    }
    for criterion in findings.criteria.iter_mut().filter(|c| c.phase == Phase::Recovery) {
        criterion.status = CriterionStatus::NotReached;
        (criterion.measured, criterion.margin, criterion.n) = (Err(Absent::NotReached), None, 0);
    }
    findings
}

/// A text with everything that must not get through.
pub const HOSTILE: &str = "<script>alert(1)</script> {{ 1237*1009 }} {% x %} **b** [l](http://evil.example) ![i](x) | `c` \
                           \u{1b}[31m \u{202e}rtl\u{202c} \u{0} ]]> \" onload=\"x' &amp; # h\n## heading\n- item";

/// The held run with that text wherever text comes from outside.
pub fn hostile() -> Findings {
    let mut findings = violated();
    let bad = || HOSTILE.to_owned();
    let run = &mut findings.run;
    (run.title, run.hypothesis, run.of, run.owner) = (bad(), Some(bad()), Some(bad()), Some(bad()));
    (run.host, run.git, run.scenario_path, run.scenario) = (bad(), Some(bad()), bad(), bad());
    run.id = format!("x{HOSTILE}");
    run.tags = vec![bad()];
    run.command = vec!["firedrill".into(), bad()];
    run.engine.as_mut().unwrap().name = bad();
    run.files[0].name = bad();
    for probe in &mut findings.probes {
        (probe.name, probe.subject) = (bad(), bad());
    }
    let fault = &mut findings.faults[0];
    fault.label = bad();
    fault.ended_by = Some(bad());
    let on = &mut fault.containers[0];
    (on.container, on.proof) = (bad(), Some((true, bad())));
    on.operations[0].error = Some(bad());
    on.operations[1].op = Op::Exec { command: vec![bad()], user: None };
    findings.notes[0].text = bad();
    findings.notes.push(Note { kind: NoteKind::Decided, ..findings.notes[0].clone() });
    for row in &mut findings.timeline {
        match &mut row.what {
            Happening::Noted { text, who, .. } => (*text, *who) = (bad(), bad()),
            Happening::ContainerChanged { container, action, .. } => (*container, *action) = (bad(), bad()),
            _ => {}
        }
    }
    findings.blast[0].container = bad();
    findings.blast[0].health[0].1 = bad();
    findings.earlier[0].run = bad();
    findings.earlier[0].git = Some(bad());
    findings.scope.choices = vec![bad()];
    findings.baseline_tries[0].readings = vec![bad()];
    findings.logs[0].file = bad();
    findings.evidence[0] = Evidence::File(bad());
    findings.guards =
        vec![GuardTrip { at: T0, guard: 0, condition: bad(), measured: bad(), halted: true, evidence: EvidenceId(0) }];
    findings.verdict.word = Word::Halted;
    findings.verdict.run = RunOutcome::Halted(0);
    findings.terms.probes[0].subject = bad();
    let alerts = missed_alert();
    (findings.terms.detect, findings.alerts) = (alerts.terms.detect, alerts.alerts);
    findings.terms.detect.as_mut().unwrap().url = bad();
    findings.alerts.as_mut().unwrap().rows.iter_mut().for_each(|row| row.alert = bad());
    let what = Bounded::AlertFires { alert: bad(), within: Span::secs(20) };
    findings.criteria.push(Criterion { what, ..alerts.criteria[9].clone() });
    let (alert, state) = (bad(), firedrill::event::AlertState::Firing);
    let what = Happening::AlertChanged { alert, state, expected: true, already: false };
    findings.timeline.push(row(T0, Source::Alerts, what, true));
    findings.terms.faults[0].containers = vec![bad()];
    findings
}

/// Every ending by name.
pub fn all() -> Vec<(&'static str, Findings)> {
    vec![
        ("held", held()),
        ("plain", plain()),
        ("violated", violated()),
        ("not-recovered", not_recovered()),
        ("undecided", undecided()),
        ("not-started", not_started()),
        ("cut-short", cut_short()),
        ("missed-alert", missed_alert()),
        ("hostile", hostile()),
    ]
}
