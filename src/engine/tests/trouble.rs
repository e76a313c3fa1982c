//! Drills that meet trouble: operations, engines, targets and tasks that fail.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_is_read_back() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(20_000))]);
    setting.sim.trouble("pause", Trouble::DoneUnheard);
    setting.sim.trouble("unpause", Trouble::DoneUnheard);
    let ran = setting.run().await;
    assert!(ran.has(|kind| matches!(kind, EventKind::FaultChecked { proven: true, .. })));
    assert!(ran.outcome.clean && ran.outcome.complete, "{:#?}", ran.words());
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_does_not_go_in_ends_the_drill() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(5000)), (Fault::Pause, 30_000, Some(1000))]);
    setting.sim.trouble("pause", Trouble::Fails(ContainerError::Conflict("no".into())));
    let ran = setting.run().await;
    let words = ran.words();
    assert!(ran.has(|kind| matches!(kind, EventKind::FaultChecked { proven: false, .. })), "{words:#?}");
    assert!(ran.has(|kind| matches!(kind, EventKind::FaultSkipped { fault: 1, .. })), "{words:#?}");
    assert!(ran.outcome.clean && !ran.outcome.complete);
}

#[tokio::test(start_paused = true)]
async fn an_undo_outlasts_an_engine_that_is_away() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(5000))]);
    let lose = |sim: Sim, _| {
        sim.lose("restarting");
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            sim.restore();
        });
    };
    let ran = setting.run_and(Duration::from_secs(4), lose).await;
    assert!(
        ran.has(|kind| matches!(kind, EventKind::EngineLost { .. })) && ran.has(|kind| *kind == EventKind::EngineBack)
    );
    assert!(ran.outcome.clean, "{:#?}", ran.words());
    assert_eq!(ran.state(), State::Running);
}

/// While the engine was away nothing was tried: what it refuses when it is back is tried again as ever.
#[tokio::test(start_paused = true)]
async fn an_engine_that_was_away_may_refuse_an_undo_and_is_asked_again() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(5000))]);
    let lose = |sim: Sim, _| {
        sim.lose("restarting");
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            for _ in 0..2 {
                sim.trouble("unpause", Trouble::Fails(ContainerError::Conflict("not yet".into())));
            }
            sim.restore();
        });
    };
    let ran = setting.run_and(Duration::from_secs(4), lose).await;
    assert!(ran.outcome.clean, "{:#?}", ran.words());
    assert_eq!(ran.state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stays_away_leaves_the_undo_unproven() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(5000))]);
    let ran = setting.run_and(Duration::from_secs(4), |sim, _| sim.lose("gone")).await;
    assert!(!ran.outcome.clean && ran.outcome.left[0].contains("shop-api-1"), "{:?}", ran.outcome);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_removed_cannot_be_undone_and_the_run_ends_all_the_same() {
    let mut setting = setting(&[(Fault::Kill { signal: "KILL".into() }, 0, Some(5000))]);
    let ran = setting.run_and(Duration::from_secs(1), |sim, _| sim.remove("shop-api-1")).await;
    assert!(!ran.outcome.clean && ran.has(|kind| matches!(kind, EventKind::UndoChecked { proven: false, .. })));
    assert!(ran.has(|kind| *kind == EventKind::RunEnded { complete: true }));
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_somebody_ends_is_over_at_that_moment() {
    let mut setting = setting(&[(Fault::Kill { signal: "KILL".into() }, 0, Some(60_000))]);
    let ran = setting.run_and(Duration::from_secs(4), |sim, _| sim.started_by_someone("shop-api-1")).await;
    let words = ran.words();
    assert!(words.iter().any(|word| word.contains("ended 0 started by someone else")), "{words:#?}");
    assert!(words.iter().any(|word| word.contains("undo 0 AlreadyOver")), "{words:#?}");
    let recovery = ran.at(|kind| *kind == EventKind::PhaseStarted(Phase::Recovery)) - ran.zero();
    assert!(recovery < 4100 * MS, "{words:#?}");
    assert!(ran.outcome.clean);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_dies_during_the_baseline_is_left_alone() {
    let mut setting = setting(&[(Fault::Kill { signal: "KILL".into() }, 0, Some(1000))]);
    let crash = |sim: Sim, _| sim.crash("shop-api-1", 1);
    let ran = setting.run_and_after(EventKind::PhaseStarted(Phase::Baseline), Duration::from_millis(10), crash).await;
    let why = "shop-api-1 changed before the first fault (running, then exited); run it again";
    assert!(ran.has(|kind| *kind == EventKind::NotStarted(NotStarted::CouldNotRun(why.into()))), "{:#?}", ran.words());
    assert_eq!(ran.state(), State::Exited, "it was not stopped by the drill, and is not started by it");
}

#[tokio::test(start_paused = true)]
async fn what_was_so_already_is_no_faults_doing() {
    let mut setting = setting(&[(Fault::Kill { signal: "KILL".into() }, 5000, Some(1000))]);
    let ran = setting.run_and(Duration::from_secs(1), |sim, _| sim.crash("shop-api-1", 1)).await;
    let checked = |kind: &EventKind| {
        matches!(kind, EventKind::FaultChecked { proven: false, seen, .. }
            if seen == "exited, and it was so before the fault")
    };
    assert!(ran.has(checked) && !ran.outcome.complete, "{:#?}", ran.words());
}

#[tokio::test(start_paused = true)]
async fn started_again_by_us_and_then_dying_is_no_failed_undo() {
    let mut setting = setting(&[(Fault::Kill { signal: "KILL".into() }, 0, Some(1000))]);
    setting.sim.trouble("start", Trouble::Slow(Span::secs(1)));
    let crash = |sim: Sim, _| {
        drop(tokio::spawn(async move {
            while sim.look("shop-api-1").state != State::Running {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            sim.crash("shop-api-1", 1);
        }))
    };
    let ran = setting.run_and(Duration::from_millis(1100), crash).await;
    assert_eq!((ran.state(), ran.outcome.clean), (State::Exited, true), "{:#?}", ran.words());
}

#[tokio::test(start_paused = true)]
async fn a_locked_target_is_refused_by_name() {
    let mut setting = setting(&[(Fault::Pause, 0, Some(1000))]);
    let api = setting.sim.look("shop-api-1").id;
    let other =
        crate::container::Holder { run: "other-run".into(), runner: "process 1 on there".into(), asks_first: false };
    crate::container::Containers::lock(&setting.sim, &api, &other).await.unwrap();
    let ran = setting.run().await;
    let named = |kind: &EventKind| matches!(kind, EventKind::NotStarted(NotStarted::CouldNotRun(why)) if why.contains("other-run"));
    assert!(ran.has(named));
    let held = crate::container::Containers::locked(&setting.sim, &api).await.unwrap();
    assert_eq!(held, Some(other), "somebody else's lock stays");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drill_is_undone() {
    let network = "shop_default".to_owned();
    let mut setting = setting(&[(Fault::Pause, 0, Some(60_000)), (Fault::Disconnect { network }, 3000, Some(1000))]);
    // Its terms are missing, so its step dies over them.
    setting.plan.steps[1].fault = 99;
    setting.sim.trouble("disconnect", Trouble::Fails(ContainerError::Conflict("no".into())));
    let ran = setting.run().await;
    assert_eq!(ran.state(), State::Running, "{:#?}", ran.words());
    assert!(ran.has(|kind| matches!(kind, EventKind::UndoRequested { fault: 0, why: UndoReason::Failed, .. })));
    assert!(ran.outcome.clean && !ran.outcome.complete);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_is_told_once_and_moves_nothing() {
    const NINE_DAYS: i64 = 9 * 86_400 * S as i64;
    let mut quiet = setting(&[(Fault::Pause, 0, Some(5000))]);
    let undisturbed = quiet.run().await.words();
    let mut setting = setting(&[(Fault::Pause, 0, Some(5000))]);
    setting.wall_step = (8 * S, -NINE_DAYS);
    let ran = setting.run().await;
    let steps = ran.events.iter().filter_map(|event| match event.kind {
        EventKind::WallClockStepped { by_ns } => Some(by_ns),
        _ => None,
    });
    assert_eq!(steps.collect::<Vec<_>>(), [-NINE_DAYS]);
    assert_eq!(ran.words(), undisturbed);
}
