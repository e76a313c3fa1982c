//! The alert source of a drill: read before, lost and back meanwhile, never in the way.

use super::*;
use crate::{
    detect::{Alert, ReadError, Reading, Settings},
    units::Span,
};

fn firing(name: &str) -> Alert {
    let labels = [(ALERT_NAME.to_owned(), name.to_owned())].into();
    Alert { labels, state: AlertState::Firing, stamp_ns: None, says_ns: None }
}

/// A pause of 3 s while an alert source answers so, by moment of the run.
fn watched(answer: impl Fn(At) -> Result<Vec<Alert>, ReadError> + Send + Sync + 'static) -> Setting {
    let mut setting = setting(&[(Fault::Pause, 0, Some(3000))]);
    let (source, url, every) = (AlertSource::Alertmanager, "http://am:9093".to_owned(), Span::secs(1));
    let labels = AlertLabels::new();
    setting.plan.detect =
        Some(Settings { source, url: url.clone(), token: None, insecure: false, every, labels: labels.clone() });
    let (alerts, no_page) = (vec![], NoPage { others: true, names: vec![] });
    setting.plan.terms.detect = Some(DetectTerms { source, url, every, labels, alerts, no_page });
    setting.alerts = detect::Source::Sim(Arc::new(move |at| {
        answer(at).map(|alerts| Reading { sent: at, answered: at, clock_ns: None, alerts })
    }));
    setting
}

fn lost() -> Result<Vec<Alert>, ReadError> {
    Err(ReadError::Unreachable("connection refused".into()))
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_read_ends_the_drill_before_anything_is_broken() {
    let ran = watched(|_| lost()).run().await;
    let why = "the alert source, Alertmanager at http://am:9093, cannot be read: connection refused";
    assert!(ran.has(|kind| *kind == EventKind::NotStarted(NotStarted::CouldNotRun(why.into()))), "{:#?}", ran.events);
    assert!(!ran.has(|kind| matches!(kind, EventKind::FaultRequested { .. } | EventKind::LoadStarted { .. })));
    assert!(ran.outcome.clean);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_lost_later_is_told_as_lost_and_the_drill_goes_on() {
    let ran = watched(|at| if (8 * S..11 * S).contains(&at) { lost() } else { Ok(vec![]) }).run().await;
    assert!(ran.outcome.complete);
    let lost = ran.at(|kind| matches!(kind, EventKind::AlertSourceLost { detail } if detail == "connection refused"));
    let back = ran.at(|kind| *kind == EventKind::AlertSourceBack);
    assert!((8 * S..9 * S).contains(&lost) && (11 * S..12 * S).contains(&back), "{lost} {back}");
    assert_eq!(ran.events.iter().filter(|e| matches!(e.kind, EventKind::AlertSourceLost { .. })).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn alerts_are_read_to_the_end_and_told_when_they_change() {
    let ran = watched(|at| {
        let mut alerts = vec![firing("Old")];
        alerts.extend((7 * S..9 * S).contains(&at).then(|| firing("Bad\u{1b}[31m")));
        Ok(alerts)
    })
    .run()
    .await;
    let change = |event: &Event| match &event.kind {
        EventKind::AlertChanged(change) => Some((change.labels[ALERT_NAME].clone(), change.state, change.after)),
        _ => None,
    };
    let changes: Vec<_> = ran.events.iter().filter_map(change).collect();
    let [
        (ref old, AlertState::Firing, None),
        (ref bad, AlertState::Firing, Some(from)),
        (_, AlertState::Resolved, Some(to)),
    ] = changes[..]
    else {
        panic!("{changes:?}")
    };
    assert_eq!((old.as_str(), bad.as_str()), ("Old", "Bad [31m"), "no label moves a cursor");
    assert!((6 * S..7 * S).contains(&from) && (8 * S..9 * S).contains(&to), "{from} {to}");
    let end = ran.at(|kind| *kind == EventKind::PhaseStarted(Phase::Report));
    let last = ran.events.iter().rfind(|e| matches!(e.kind, EventKind::AlertsRead { .. })).unwrap().at;
    assert!(last + S + MS >= end, "read until {last}, over at {end}");
}
