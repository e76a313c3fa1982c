//! The keeper on a real engine: the runner is killed, and nobody runs a command.

use crate::{
    drill::{Drill, FIREDRILL, Over, Running, Web, hit, run_folder, wait_for},
    stage::engine_socket,
};
use firedrill::{
    container::{Container, Containers, Holder, State, compare, docker},
    event::{Event, EventKind},
};
use rustix::process::Signal;
use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn over(web: &Web, fault: &str, length: &str) -> String {
    Over { name: "keeper", ..Over::default() }.fault(web, fault, length)
}

fn started(kind: &EventKind) -> bool {
    matches!(kind, EventKind::KeeperStarted { .. })
}

/// The containers that firedrill made for a run: name and id.
pub fn ours(run: &str) -> Vec<docker::Ours> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { docker::connect().await.unwrap().ours(Some(run)).await.unwrap() })
}

/// A runner that stood still for longer than its keeper waits, while a fault became due and another drill came.
#[test]
fn a_runner_that_stood_still_goes_on_with_nothing_that_it_no_longer_holds() {
    let mut stage = Drill::new();
    let (web, side) = (stage.web("web", "0s:ok"), stage.web("web", "0s:ok"));
    let before = stage.inspect(&web.id);
    let later = "  - delay: { target: web, time: 50ms }\n    at: 13s\n    for: 2s\n";
    let yaml = format!("{}{later}", over(&web, "pause: { target: web }", "40s"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let docker = runtime.block_on(docker::connect()).unwrap();
    let other = Holder::here("other");
    let ran = stage.run_while(&yaml, &[], |stage, running| {
        running.until(hit);
        running.signal(Signal::STOP);
        let stopped = Instant::now();
        wait_for(|| is_as(stage, &before) && ours(&run_of(stage)).is_empty());
        assert_eq!(runtime.block_on(docker.lock(&web.id, &other)), Ok(None));
        stage.docker(&["pause", &web.id.id]);
        std::thread::sleep(Duration::from_secs(15).saturating_sub(stopped.elapsed()));
        running.signal(Signal::CONT);
    });
    ran.expect(6);
    let requested = |event: &&Event| matches!(event.kind, EventKind::FaultRequested { .. });
    assert_eq!(ran.events().iter().filter(requested).count(), 1, "what was due meanwhile is left out");
    assert_eq!(stage.state(&web.id), State::Paused, "what another drill does is its own");
    assert_eq!(stage.state(&side.id), State::Running);
    assert_eq!(runtime.block_on(docker.locked(&web.id)), Ok(Some(other)));
    let said = "the runner stood still for longer than its keeper waits";
    assert!(ran.review().contains(said) && ran.review().contains("run other"), "{}", ran.review());
    stage.docker(&["unpause", &web.id.id]);
}

#[test]
fn what_only_a_person_may_undo_keeps_its_target_locked() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let exec = "exec: { target: web, command: [/firedrill, --version], undo: [/firedrill, --version] }";
    stage.run_while(&over(&web, exec, "60s"), &[], |_, running| {
        running.until(hit);
        running.signal(Signal::KILL);
    });
    let run = run_of(&stage);
    let roles = || ours(&run).into_iter().map(|one| one.role).collect::<Vec<_>>();
    wait_for(|| roles() == [docker::Role::Lock(web.id.id.clone())]);
    let kept = stage.reports().with_file_name("kept").join(&run);
    fs::rename(stage.reports(), kept.parent().unwrap()).unwrap();
    let refused = stage.run(&over(&web, "pause: { target: web }", "300ms"), &[]);
    refused.expect(3);
    assert!(refused.output.contains(&run) && refused.output.contains("firedrill recover"), "{}", refused.output);
    let recover = |more: &[&str]| {
        let done = Command::new(FIREDRILL).arg("recover").arg(&kept).args(more).stdin(Stdio::null()).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (code, said) = recover(&[]);
    assert_eq!((code, roles().len()), (Some(5), 1), "nobody has allowed it: {said}");
    let (code, said) = recover(&["--yes"]);
    assert_eq!((code, roles().len()), (Some(0), 0), "{said}");
}

fn run_of(stage: &Drill) -> String {
    run_folder(&stage.reports()).unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

fn is_as(stage: &Drill, before: &Container) -> bool {
    let now = stage.inspect(&before.id);
    now.state == before.state && compare::proven(&compare::differences(before, &now))
}

/// Kills the runner when the fault is on; the target is as before, and nothing of ours is left, all by itself.
fn heals(fault: &str) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    let network = before.networks.keys().next().unwrap();
    let fault = fault.replace("$NETWORK", network);
    let ran = stage.run_while(&over(&web, &fault, "60s"), &[], |_, running| {
        running.until(hit);
        running.signal(Signal::KILL);
    });
    assert!(!is_as(&stage, &before) || ran.code != 0);
    wait_for(|| is_as(&stage, &before));
    wait_for(|| ours(&run_of(&stage)).is_empty());
    assert!(is_as(&stage, &before), "and it stays so");
    // The next drill may have it at once.
    fs::remove_dir_all(stage.reports()).unwrap();
    let again = stage.run(&over(&web, "pause: { target: web }", "300ms"), &[]);
    assert!(again.events().iter().any(|event| hit(&event.kind)), "{}", again.output);
    assert_eq!(ours(&run_of(&stage)), [], "an orderly run leaves nothing");
}

#[test]
fn a_pause_ends_when_its_runner_is_killed() {
    heals("pause: { target: web }");
}

#[test]
fn a_killed_container_is_started_when_the_runner_is_killed() {
    heals("kill: { target: web }");
}

#[test]
fn a_stopped_container_is_started_when_the_runner_is_killed() {
    heals("stop: { target: web, grace: 1s }");
}

#[test]
fn a_disconnected_container_is_back_when_the_runner_is_killed() {
    heals("disconnect: { target: web, network: $NETWORK, via: docker }");
}

fn keeper_of(stage: &Drill) -> Option<docker::Ours> {
    ours(&run_of(stage)).into_iter().find(|one| one.role == docker::Role::Keeper)
}

/// Ends a process of the host, as the kernel would.
fn kill_main_process(stage: &Drill, container: &str) {
    let id = firedrill::container::ContainerId { host: String::new(), id: container.into() };
    let pid = i32::try_from(stage.inspect(&id).pid).unwrap();
    let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::KILL);
}

#[test]
fn a_keeper_that_is_killed_is_found_again_and_still_does_its_work() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    stage.run_while(&over(&web, "pause: { target: web }", "60s"), &[], |stage, running| {
        running.until(hit);
        kill_main_process(stage, &keeper_of(stage).expect("a keeper").id);
        running.until(|kind| matches!(kind, EventKind::KeeperLost { .. }));
        wait_for(|| events(running).iter().filter(|kind| started(kind)).count() == 2);
        assert_eq!(stage.state(&web.id), State::Paused, "the drill goes on");
        running.signal(Signal::KILL);
    });
    wait_for(|| is_as(&stage, &before));
    wait_for(|| ours(&run_of(&stage)).is_empty());
}

fn events(running: &Running) -> Vec<EventKind> {
    running.events().into_iter().map(|event| event.kind).collect()
}

#[test]
fn a_keeper_that_is_removed_is_made_anew() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run_while(&over(&web, "pause: { target: web }", "4s"), &[], |stage, running| {
        running.until(hit);
        stage.docker(&["rm", "-f", &keeper_of(stage).expect("a keeper").id]);
        wait_for(|| events(running).iter().filter(|kind| started(kind)).count() == 2);
    });
    // On a busy machine the measurement may be undecided; the undo is not.
    assert!([0, 6].contains(&ran.code), "{}", ran.output);
    assert!(ran.review().contains("The keeper was lost from"), "{}", ran.review());
    assert_eq!(ours(&run_of(&stage)), []);
}

#[test]
fn runner_and_keeper_killed_at_once_leave_the_fault_to_recover() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    stage.run_while(&over(&web, "pause: { target: web }", "60s"), &[], |stage, running| {
        running.until(hit);
        let keeper = keeper_of(stage).expect("a keeper");
        stage.docker(&["rm", "-f", &keeper.id]);
        running.signal(Signal::KILL);
    });
    // The runner may have made another one in its last moment; `recover` must do either way.
    let recover = Command::new(FIREDRILL).arg("recover").arg(run_folder(&stage.reports()).unwrap()).output().unwrap();
    assert!(recover.status.success(), "{}", String::from_utf8_lossy(&recover.stderr));
    wait_for(|| is_as(&stage, &before));
    wait_for(|| ours(&run_of(&stage)).is_empty());
}

#[test]
fn without_a_keeper_the_fault_stays_and_the_review_says_so() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run(&over(&web, "pause: { target: web }", "300ms"), &["--no-keeper"]);
    assert!([0, 6].contains(&ran.code), "{}", ran.output);
    assert!(ran.review().contains("without a keeper"), "{}", ran.review());
    assert!(!ran.events().iter().any(|event| started(&event.kind)));
}

/// An engine whose socket is seen here under a name that the engine's own host does not have.
#[test]
fn where_the_socket_cannot_be_mounted_a_process_keeps() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    let scenario = stage.scenario("scenario", &over(&web, "pause: { target: web }", "60s"));
    let hidden = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs none \"$1\" && touch \"$1/s\" && mount --bind \"$4\" \"$1/s\" && \
                  DOCKER_HOST=unix://$1/s exec \"$0\" run \"$2\" --reports \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script, FIREDRILL]).arg(hidden.path()).arg(&scenario);
    command.arg(stage.reports()).arg(engine_socket());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running::of(command.spawn().unwrap(), &stage.reports());
    running.until(hit);
    let local = |kind: &EventKind| matches!(kind, EventKind::KeeperStarted { place } if place.starts_with("process"));
    assert!(events(&running).iter().any(local), "{:?}", events(&running));
    running.signal(Signal::KILL);
    wait_for(|| is_as(&stage, &before));
    wait_for(|| ours(&run_of(&stage)).is_empty());
    wait_for(|| !run_folder(&stage.reports()).unwrap().join("keeper").exists());
    running.finish();
}
