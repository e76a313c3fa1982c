//! What the alerts did not tell, told without need, or went on telling.

use super::{Basis, Candidate, Case, Needs, Rule, Seen, Wanted, Weight, first, promise, rests, same};
use crate::{
    analysis::{AlertOutcome, AlertRow, Bounded, Criterion, CriterionStatus},
    clock::At,
    review::{action::Aim, model::verdict, quantity},
};

/// What a rule says of a broken promise about alerts.
struct Words {
    signal: &'static str,
    title: String,
    test: String,
    candidate: String,
    aim: Aim,
    weight: Weight,
}

fn broken(case: &Case<'_>, of: impl Fn(&Criterion) -> Option<Words>) -> Vec<Seen> {
    let criteria = case.findings.criteria.iter().filter(|c| c.status == CriterionStatus::Broken);
    let seen = |criterion: &Criterion| {
        let words = of(criterion)?;
        Some(Seen {
            service: case.service(),
            by_fault: true,
            // Several alerts of one drill are several findings.
            signal: format!("{} {}", words.signal, alert(&criterion.what)),
            title: words.title,
            basis: Basis::Observed,
            test: words.test,
            evidence: first(&criterion.evidence, 3),
            candidate: Candidate {
                title: words.candidate,
                aim: words.aim,
                weight: words.weight,
                done_when: format!("{} in 1 run", criterion.what),
                criterion: Wanted::Promise(promise(criterion, case.findings)),
            },
        })
    };
    criteria.filter_map(seen).collect()
}

fn alert(what: &Bounded) -> &str {
    match what {
        Bounded::AlertFires { alert, .. } | Bounded::AlertResolves { alert, .. } => alert,
        Bounded::NoPage(Some(name)) => name,
        _ => "others",
    }
}

pub(super) const ABSENT: Rule = Rule {
    id: "expected-alert-absent",
    looks_for: "an alert that the fault was expected to make fire, and that did not",
    needs: None,
    find: |case| {
        broken(case, |criterion| match (&criterion.what, &criterion.measured) {
            (Bounded::AlertFires { alert, within }, Err(_)) => Some(Words {
                signal: "alert",
                title: format!(
                    "Alert {alert} was expected within {within} of {} and did not fire.",
                    case.fault_labels()
                ),
                test: format!(
                    "Evaluate the rule of {alert} over the time of this run: its condition was never true, or not for long."
                ),
                candidate: format!("Make alert {alert} fire within {within} of {}", case.fault_labels()),
                aim: Aim::Detect,
                weight: Weight::PageMissed,
            }),
            _ => None,
        })
    },
};

pub(super) const LATE: Rule = Rule {
    id: "expected-alert-late",
    looks_for: "an expected alert that fired later than was promised",
    needs: None,
    find: |case| {
        broken(case, |criterion| match (&criterion.what, &criterion.measured) {
            (Bounded::AlertFires { alert, within }, Ok(took)) => Some(Words {
                signal: "alert delay",
                title: format!(
                    "Alert {alert} fired {} after the fault, promised within {within}.",
                    quantity::value(*took)
                ),
                test: format!(
                    "Compare scrape interval, evaluation interval and the `for` of the rule of {alert} with that time."
                ),
                candidate: format!("Shorten the way from {} to alert {alert} to {within}", case.fault_labels()),
                aim: Aim::Detect,
                weight: case.weight(),
            }),
            _ => None,
        })
    },
};

pub(super) const UNEXPECTED: Rule = Rule {
    id: "unexpected-page",
    looks_for: "an alert that began to fire and was promised not to",
    needs: None,
    find: |case| {
        let fired = || {
            let rows = case.findings.alerts.iter().flat_map(|alerts| &alerts.rows);
            rows.filter(|row| row.outcome == AlertOutcome::Forbidden).map(|row| row.alert.clone()).collect::<Vec<_>>()
        };
        broken(case, |criterion| match &criterion.what {
            Bounded::NoPage(_) => Some(Words {
                signal: "unexpected alert",
                title: format!(
                    "{} began to fire after {}; promised was: {}.",
                    crate::review::model::look::list(&fired(), 3),
                    case.fault_labels(),
                    criterion.what
                ),
                test: "Run the scenario without its fault: what fires then has another cause.".into(),
                candidate: format!("Keep alerts that {} does not concern silent", case.fault_labels()),
                aim: Aim::Detect,
                weight: case.weight(),
            }),
            _ => None,
        })
    },
};

pub(super) const RESETS_LATE: Rule = Rule {
    id: "alert-resets-late",
    looks_for: "an expected alert that went on firing for longer after the undo than was promised",
    needs: None,
    find: |case| {
        broken(case, |criterion| match &criterion.what {
            Bounded::AlertResolves { alert, within } => Some(Words {
                signal: "alert reset",
                title: format!("{}.", verdict::capital(&verdict::criterion_reading(&case.look, criterion))),
                test: format!(
                    "Look at the expression of {alert} over the recovery: a window of several minutes keeps it true for as long."
                ),
                candidate: format!("Let alert {alert} resolve within {within} of the end of the fault"),
                aim: Aim::Detect,
                weight: case.weight(),
            }),
            _ => None,
        })
    },
};

/// Firing for longer than this after all is well, and people learn to ignore it; nanoseconds.
const LONG: u64 = 60_000_000_000;

pub(super) const STILL_FIRING: Rule = Rule {
    id: "alert-still-firing",
    looks_for: "an expected alert that fired for more than 1m after the recovery, where nothing is promised of its end",
    needs: Some(Needs {
        missing: "no expected alert of that name fired and resolved, or something is promised of its end now",
        seen: |case, on| {
            ends(case).is_some_and(|(rows, _)| rows.iter().any(|row| same(&row.alert, on) && row.resolved.is_some()))
        },
    }),
    find: still_firing,
};

/// The alerts of whose end nothing is promised, of those expected that fired; and when service was back.
fn ends<'a>(case: &'a Case<'_>) -> Option<(Vec<&'a AlertRow>, At)> {
    let (terms, alerts) = (case.findings.terms.detect.as_ref()?, case.findings.alerts.as_ref()?);
    let recovered = case.look.main()?.impact.as_ref()?.end?.high;
    let promised = |row: &AlertRow| row.expected.and_then(|at| terms.alerts.get(at)?.resolves_within).is_some();
    let fired = alerts.rows.iter().filter(|row| matches!(row.outcome, AlertOutcome::Fired | AlertOutcome::Late));
    Some((fired.filter(|row| !promised(row)).collect(), recovered))
}

fn still_firing(case: &Case<'_>) -> Vec<Seen> {
    let Some((rows, recovered)) = ends(case) else { return vec![] };
    let one = |row: &AlertRow| {
        let until = row.resolved.map_or(case.findings.run.ended, |at| at.low);
        let long = until.saturating_sub(recovered);
        (long > LONG).then_some(())?;
        let (alert, still) = (&row.alert, if row.resolved.is_none() { " and was not over" } else { "" });
        Some(Seen {
            service: case.service(),
            by_fault: true,
            signal: format!("alert end {alert}"),
            title: format!("Alert {alert} fired for {} after the recovery{still}.", quantity::span(long)),
            basis: Basis::Observed,
            test: format!(
                "Look at the expression of {alert} over the recovery: a window of several minutes keeps it true for as long."
            ),
            evidence: first(&row.evidence, 3),
            candidate: Candidate {
                title: format!("Let alert {alert} resolve within 1m of the recovery"),
                aim: Aim::Detect,
                weight: Weight::Hygiene,
                done_when: format!("alert {alert} resolves within 1m of the recovery in 1 run"),
                criterion: rests(STILL_FIRING.id, alert),
            },
        })
    };
    rows.into_iter().filter_map(one).collect()
}
