//! A drill whose alerts were watched: one told in time, one was expected and silent, one nobody had thought of fired.

use super::*;
use firedrill::event::{AlertLabels, AlertSource, AlertState, AlertTerms, DetectTerms, NoPage};

fn edge(at: u64) -> Option<Interval<u64>> {
    Some(Interval { low: at - 400 * MS, high: at })
}

fn expected(name: &str) -> AlertTerms {
    AlertTerms {
        name: name.into(),
        labels: AlertLabels::from([("severity".to_owned(), "page".to_owned())]),
        within: Span::secs(20),
        resolves_within: None,
    }
}

fn alert_row(alert: String, expected: Option<usize>, outcome: AlertOutcome) -> AlertRow {
    AlertRow {
        alert,
        expected,
        outcome,
        pending: None,
        firing: None,
        resolved: None,
        stretches: vec![],
        evidence: vec![EvidenceId(3)],
    }
}

fn fired(alert: String, expected: Option<usize>, outcome: AlertOutcome, at: u64) -> AlertRow {
    AlertRow {
        pending: edge(at - 3 * S),
        firing: edge(at),
        resolved: edge(UNDO + 8 * S),
        stretches: vec![(AlertState::Pending, at - 3 * S, at), (AlertState::Firing, at, UNDO + 8 * S)],
        ..alert_row(alert, expected, outcome)
    }
}

fn fires(terms: &AlertTerms, measured: Result<Value, Absent>) -> Criterion {
    let what = Bounded::AlertFires { alert: terms.name.clone(), within: terms.within };
    let judged = criterion(Phase::During, what, time(20 * S), measured.unwrap_or(time(99 * S)), 117);
    let margin = if measured.is_ok() { judged.margin } else { None };
    Criterion { probe: None, measured, margin, window: Some((T0 + 11 * MS, T0 + 20 * S)), ..judged }
}

/// Violated by an alert alone.
pub fn missed_alert() -> Findings {
    let mut findings = held();
    findings.blast.clear();
    // One load is enough of a story.
    findings.probes.truncate(1);
    findings.terms.probes.truncate(1);
    let (told, silent) = (expected("CheckoutErrors"), expected("CacheDown"));
    findings.terms.detect = Some(DetectTerms {
        source: AlertSource::Prometheus,
        url: "http://127.0.0.1:9090".into(),
        every: Span::secs(1),
        labels: AlertLabels::new(),
        alerts: vec![told.clone(), silent.clone()],
        no_page: NoPage { others: true, names: vec![] },
    });
    let other = "SearchSlow".to_owned();
    let before = AlertRow {
        stretches: vec![(AlertState::Firing, S, END)],
        ..alert_row("Watchdog".into(), None, AlertOutcome::Unrelated)
    };
    findings.alerts = Some(AlertFindings {
        watched: Some((S, END)),
        answers: 117,
        gaps: vec![(UNDO + 20 * S, UNDO + 24 * S)],
        clock_ns: Some(Interval { low: 2_900_000, high: 4_100_000 }),
        edges: vec![],
        rows: vec![
            fired(told.name.clone(), Some(0), AlertOutcome::Fired, T0 + 9 * S),
            alert_row(silent.name.clone(), Some(1), AlertOutcome::Missing),
            fired(other, None, AlertOutcome::Forbidden, T0 + 14 * S),
            before,
        ],
        evidence: vec![EvidenceId(3)],
    });
    findings.criteria.push(fires(&told, Ok(time(9 * S - 11 * MS))));
    findings.criteria.push(fires(&silent, Err(Absent::NotFired)));
    findings.criteria.push(Criterion {
        what: Bounded::NoPage(None),
        objective: None,
        margin: None,
        measured: Ok(Value::Flag(false)),
        status: CriterionStatus::Broken,
        ..fires(&told, Ok(time(0)))
    });
    let broken = |at| Reason { why: Why::Broken(at), evidence: vec![EvidenceId(3)] };
    findings.verdict = Verdict {
        word: Word::Violated,
        code: 1,
        hypothesis: Hypothesis::Violated,
        reasons: vec![broken(9), broken(10)],
        ..findings.verdict
    };
    findings.figures.retain(|figure| figure.kind != FigureKind::TimeToDetect);
    let of = |kind, value| figure(kind, None, Ok(value));
    findings.figures.extend([
        Figure {
            range: Some(Interval { low: 8_589_000_000, high: 8_998_000_000 }),
            ..of(FigureKind::TimeToDetect, time(9 * S - 11 * MS))
        },
        of(FigureKind::TimeToDetectFromImpact, time(9 * S - 12 * MS)),
        Figure { n: Some(2), ..of(FigureKind::AlertPrecision, Value::Share(0.5)) },
        Figure { n: Some(2), ..of(FigureKind::AlertRecall, Value::Share(0.5)) },
        of(FigureKind::AlertReset, time(34 * S)),
    ]);
    findings.doubts = vec![Doubt {
        kind: DoubtKind::AlertSourceLost { from: UNDO + 20 * S, to: UNDO + 24 * S },
        decisive: false,
        evidence: vec![EvidenceId(3)],
    }];
    let news = |at, alert: &str, state, expected| TimelineRow {
        give_or_take_ns: Some(400 * MS),
        ..row(
            at,
            Source::Alerts,
            Happening::AlertChanged { alert: alert.into(), state, expected, already: false },
            expected,
        )
    };
    findings.timeline.extend([
        news(T0 + 9 * S, &told.name, AlertState::Firing, true),
        news(T0 + 14 * S, "SearchSlow", AlertState::Firing, false),
        news(UNDO + 8 * S, &told.name, AlertState::Resolved, true),
    ]);
    findings.timeline.push(row(
        UNDO + 20 * S,
        Source::Runner,
        Happening::AlertSourceLost("connection refused".into()),
        true,
    ));
    findings.timeline.sort_by_key(|row| row.at);
    findings
}

/// The same with so much else that went wrong that eight proposals press, and as many factors.
pub fn crowded() -> Findings {
    let mut findings = missed_alert();
    findings.blast = held().blast;
    let target = &mut findings.scope.targets.get_mut("cache").unwrap()[0];
    target.labels.insert("com.docker.compose.service".into(), "redis".into());
    findings.timeline.push(row(T0 + 2 * S, Source::Engine, changed("shop-api-1", "oom", false), false));
    findings.timeline.sort_by_key(|row| row.at);
    let during = findings.probes[0].distributions.iter_mut().find(|d| d.phase == Phase::During).unwrap();
    during.points = vec![(0.0, S / 20), (0.5, S / 10), (0.9, S), (0.95, S + S / 100), (0.99, S + S / 80)];
    let burst = |container: &str| LogBurst {
        container: container.into(),
        kind: "connect to # refused".into(),
        lines: 240,
        first: T0 + S,
        evidence: EvidenceId(4),
    };
    findings.bursts = vec![burst("shop-api-1"), burst("shop-front-1")];
    findings
}
