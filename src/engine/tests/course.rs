//! Drills that go as planned, and those that people and guards end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pause_goes_in_and_out_at_its_moments() {
    let mut setting = setting(&[(Fault::Pause, 200, Some(2000))]);
    let ran = setting.run().await;
    let expected = [
        "200 fault 0",
        "205 pause",
        "205 During",
        "210 checked 0 true",
        "2200 undo 0 Due",
        "2205 unpause",
        "2210 undone 0 true",
        "2210 Recovery",
        "12205 Report",
        "12315 end true",
    ];
    let words = ran.words();
    assert_eq!(words[words.len() - expected.len()..], expected, "{words:#?}");
    assert_eq!(ran.outcome, Outcome { complete: true, clean: true, left: vec![], stopped: false, lost: false });
    assert_eq!(ran.state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn the_gate_passes_when_the_last_answer_of_its_window_is_in() {
    let ran = setting(&[(Fault::Pause, 0, Some(1000))]).run().await;
    let load = ran.at(|kind| matches!(kind, EventKind::LoadStarted { .. }));
    // 50 ms of lead, 1 s of warm-up, a window of 5 s, and the rest of the slice in which the last answer came.
    let (opens, passes) = (load + 6050 * MS, ran.zero());
    assert!((opens..opens + 100 * MS).contains(&passes), "{opens} {passes}");
    let place = |wanted: fn(&EventKind) -> bool| ran.events.iter().position(|event| wanted(&event.kind));
    let undo = place(|kind| matches!(kind, EventKind::UndoRecorded { .. }));
    assert!(undo < place(|kind| matches!(kind, EventKind::LoadStarted { .. })), "armed before anything else");
}

#[tokio::test(start_paused = true)]
async fn a_baseline_that_never_meets_its_limits_injects_nothing() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(1000))]);
    setting.load = load::Sim::new(|_, index, _| (if index % 10 == 0 { Class::Status } else { Class::Ok }, MS));
    let ran = setting.run().await;
    let judged = ran.events.iter().filter(|event| matches!(event.kind, EventKind::BaselineJudged { met: false, .. }));
    assert_eq!(judged.count(), 3);
    assert!(ran.has(|kind| matches!(kind, EventKind::NotStarted(NotStarted::BaselineNotMet(_)))));
    assert_eq!((ran.operations(), ran.outcome.clean, ran.outcome.complete), (vec![], true, false));
}

#[tokio::test(start_paused = true)]
async fn a_gate_needs_answers() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(1000))]);
    setting.load = load::Sim::new(|_, _, _| (Class::Ok, 60 * S));
    let ran = setting.run().await;
    assert!(ran.has(|kind| matches!(kind, EventKind::NotStarted(NotStarted::BaselineNotMet(_)))), "{:?}", ran.words());
}

#[tokio::test(start_paused = true)]
async fn a_kill_without_end_is_held_to_the_end_and_its_recovery_counts_from_the_fault() {
    let ran = setting(&[(Fault::Kill { signal: "SIGKILL".into() }, 0, None)]).run().await;
    let words = ran.words();
    let undo = words.iter().position(|word| word.contains("undo 0 RunEnded")).unwrap_or_else(|| panic!("{words:#?}"));
    assert!(words[undo - 1].ends_with("Report") && words[undo - 1].starts_with("100"), "{words:#?}");
    assert_eq!((ran.state(), ran.outcome.clean), (State::Running, true));
}

#[tokio::test(start_paused = true)]
async fn overlapping_faults_are_undone_in_their_own_time_and_neither_leaks() {
    let network = "shop_default".to_owned();
    let faults = [(Fault::Disconnect { network }, 0, Some(6000)), (Fault::Pause, 1000, Some(2000))];
    let ran = setting(&faults).run().await;
    let words: Vec<String> =
        ran.words().into_iter().filter(|word| word.contains("undo") || word.contains("Recovery")).collect();
    assert_eq!(
        words,
        ["3000 undo 1 Due", "3010 undone 1 true", "6000 undo 0 Due", "6010 undone 0 true", "6010 Recovery"],
        "the pause is proven gone while the network is still off"
    );
    assert!(ran.outcome.clean && ran.api.as_ref().unwrap().networks.contains_key("shop_default"));
}

#[tokio::test(start_paused = true)]
async fn a_guard_undoes_everything_newest_first_and_the_recovery_is_watched_in_full() {
    let network = "shop_default".to_owned();
    let mut setting = setting(&[
        (Fault::Disconnect { network }, 0, Some(60_000)),
        (Fault::Pause, 1000, Some(60_000)),
        (Fault::Kill { signal: "KILL".into() }, 90_000, Some(1000)),
    ]);
    let frozen = 9 * S..14 * S;
    setting.load = load::Sim::new(
        move |_, _, intended| {
            if frozen.contains(&intended) { (Class::Refused, 0) } else { (Class::Ok, MS) }
        },
    );
    let limit = Limit { metric: Metric::Errors(Percent(0.3)), op: Comparison::Above };
    setting.plan.terms.guards = vec![Guard { probe: "web".into(), limit, window: Span::secs(2) }];
    let ran = setting.run().await;
    let words = ran.words();
    let from = words.iter().position(|word| word.contains("guard true")).unwrap_or_else(|| panic!("{words:#?}"));
    let kinds: Vec<&str> = words[from..].iter().map(|word| word.split_once(' ').unwrap().1).collect();
    assert_eq!(
        kinds,
        [
            "guard true",
            "skipped 2",
            "undo 1 Guard",
            "unpause",
            "undone 1 true",
            "undo 0 Guard",
            "connect",
            "undone 0 true",
            "Recovery",
            "Report",
            "end false"
        ]
    );
    let [recovery, report] =
        [Phase::Recovery, Phase::Report].map(|phase| ran.at(|kind| *kind == EventKind::PhaseStarted(phase)));
    assert_eq!((report - recovery) / MS, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_guard_in_the_baseline_means_that_nothing_is_injected() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(1000))]);
    setting.load = load::Sim::new(|_, _, _| (Class::Refused, 0));
    let limit = Limit { metric: Metric::Errors(Percent(0.3)), op: Comparison::Above };
    setting.plan.terms.guards = vec![Guard { probe: "web".into(), limit, window: Span::secs(2) }];
    let ran = setting.run().await;
    assert!(ran.has(|kind| matches!(kind, EventKind::NotStarted(NotStarted::GuardTripped(_)))));
    assert!(ran.operations().is_empty() && ran.outcome.clean);
}

#[tokio::test(start_paused = true)]
async fn one_stop_undoes_and_ends_without_recovery() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(60_000)), (Fault::Pause, 90_000, Some(1))]);
    let stop = |_, stops: mpsc::UnboundedSender<String>| stops.send("ctrl-C".into()).unwrap();
    let ran = setting.run_and(Duration::from_secs(2), stop).await;
    let kinds: Vec<String> = ran.words().iter().map(|word| word.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(
        kinds[4..],
        ["stop ctrl-C", "skipped 1", "undo 0 Stopped", "unpause", "undone 0 true", "Report", "end false"]
    );
    assert!(ran.outcome.stopped && ran.outcome.clean);
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_does_not_wait_for_an_operation_that_hangs() {
    let network = "shop_default".to_owned();
    let mut setting = setting(&[(Fault::Pause, 0, Some(60_000)), (Fault::Disconnect { network }, 1000, None)]);
    setting.sim.trouble("disconnect", Trouble::NotDone);
    let stop = |_, stops: mpsc::UnboundedSender<String>| (0..2).for_each(|_| stops.send("ctrl-C".into()).unwrap());
    let ran = setting.run_and(Duration::from_millis(1500), stop).await;
    let undone = ran.at(|kind| matches!(kind, EventKind::UndoChecked { fault: 0, proven: true, .. })) - ran.zero();
    assert!(undone < 1600 * MS, "at once: {:#?}", ran.words());
    assert!(ran.outcome.clean, "{:?}", ran.outcome);
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_gate_starts_nothing() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(1000))]);
    setting.stops.send("SIGTERM".into()).unwrap();
    let ran = setting.run().await;
    assert!(ran.has(|kind| *kind == EventKind::NotStarted(NotStarted::Stopped("SIGTERM".into()))));
    assert!(ran.operations().is_empty() && ran.outcome.stopped);
}

#[tokio::test(start_paused = true)]
async fn numbers_have_no_gaps_and_moments_never_go_back() {
    let ran = setting(&[(Fault::Pause, 0, Some(1000))]).run().await;
    assert!((0..).zip(&ran.events).all(|(seq, event)| event.seq == seq));
    assert!(ran.events.is_sorted_by_key(|event| event.at));
    assert_eq!(ran.performed_ops(), [Op::Pause, Op::Unpause]);
}
