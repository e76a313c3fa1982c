//! What else the verdict looks at: several promises at once, neighbours, containers that die later.

use super::*;
use crate::agent::protocol::Counters;

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

#[test]
fn packets_that_an_agent_could_hold_no_more_count_as_past_it() {
    let with = |unheld| {
        let mut stage = Stage::new();
        let counters =
            Counters { hit: 109_020, meant: 109_020, delayed: 109_020 - unheld, unheld, ..Counters::default() };
        let container = API.to_owned();
        stage.tell(UNDO + 2 * MS, EventKind::AgentUndone { fault: 0, container, counters: Box::new(counters) });
        stage.analyse()
    };
    assert_eq!(outcome(&with(1_000)), (Word::Held, 0), "under 1 %");
    let most = with(64_620);
    assert_eq!(outcome(&most), (Word::Undecided, 6));
    assert!(matches!(whys(&most)[..], [Why::Leaked { fault: 0, share }] if (share - 0.593).abs() < 0.001));
}

#[test]
fn a_fault_that_changed_none_of_the_packets_that_it_met_decides_nothing() {
    let with = |counters: Counters| {
        let mut stage = Stage::new();
        let container = API.to_owned();
        stage.tell(UNDO + 2 * MS, EventKind::AgentUndone { fault: 0, container, counters: Box::new(counters) });
        stage.analyse()
    };
    let met = Counters { hit: 27, seen: 27, meant: 27, ..Counters::default() };
    assert_eq!(outcome(&with(Counters { dropped: 1, ..met.clone() })), (Word::Held, 0));
    let untouched = with(met);
    assert_eq!(outcome(&untouched), (Word::Undecided, 6));
    assert!(matches!(whys(&untouched)[..], [Why::NoPackets { fault: 0 }]));
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
