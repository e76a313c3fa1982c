//! Faults on processes and resources, seen from outside of whoever does them: by the engine's count, in the cgroup, and
//! through the host's view of the target's files.

use crate::{
    drill::{Drill, wait_for},
    stage::Stage,
};
use firedrill::{
    agent::work::{
        Work,
        burn::Burn,
        fill::{Amount, Fill},
        hold::Hold,
        load::Load,
        squeeze::Resource,
    },
    container::{Container, ContainerId, Containers, Op, OpOutcome, State, compare, docker::Role},
    event::{Event, EventKind},
    fault::{Fault, Injection},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

const CORE: u64 = 1_000_000_000;
const MB: u64 = 1_000_000;

fn compiled(fault: &Fault, on: &Container) -> Injection {
    fault.compile(on).unwrap_or_else(|error| panic!("{fault:?}: {error}"))
}

async fn play(stage: &Stage, id: &ContainerId, ops: &[Op]) -> Vec<String> {
    let mut seen = Vec::new();
    for op in ops {
        match stage.docker.perform(id, op).await {
            Ok(OpOutcome::Seen(text)) => seen.push(text),
            Ok(OpOutcome::Over { seen: text, figures }) => seen.push(format!("{text}; {figures}")),
            Ok(outcome) => assert!(outcome.succeeded(), "{op}: {outcome:?}"),
            Err(error) => panic!("{op}: {error}"),
        }
    }
    seen
}

async fn refusal(stage: &Stage, id: &ContainerId, fault: &Fault) -> String {
    let op = compiled(fault, &stage.look(id).await).apply.remove(0);
    stage.docker.perform(id, &op).await.expect_err("it is refused").to_string()
}

/// Every limit in the cgroups of a container, as the host sees them.
fn limits(id: &ContainerId) -> BTreeMap<PathBuf, String> {
    let names = ["cpu.cfs_quota_us", "cpu.max", "memory.limit_in_bytes", "memory.max", "pids.max"];
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        let here = folder.file_name().is_some_and(|name| name.to_string_lossy().contains(&id.id));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if here && names.iter().any(|name| path.ends_with(name)) {
                found.insert(path.clone(), fs::read_to_string(&path).unwrap_or_default());
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "the host shows the cgroup of {id}");
    found
}

/// What the container used of CPU time over a while, in cores.
async fn cores(stage: &Stage, id: &ContainerId, over: Duration) -> f64 {
    let used = || async { stage.docker.usage(id).await.unwrap().cpu_ns };
    let (before, begun) = (used().await, Instant::now());
    tokio::time::sleep(over).await;
    let after = used().await;
    (after - before) as f64 / begun.elapsed().as_nanos() as f64
}

/// Helpers beside a container, running or not.
async fn helpers(stage: &Stage, id: &ContainerId) -> Vec<String> {
    let all = stage.docker.list().await.unwrap();
    let beside = all.into_iter().filter(|one| one.labels.get("firedrill.beside") == Some(&id.id));
    beside.map(|one| one.name).collect()
}

async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Commands of ours that run inside a container, by the host's list of processes.
fn inside(on: &Container) -> Vec<String> {
    let root = fs::read_link(format!("/proc/{}/ns/mnt", on.pid)).unwrap();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let same = |pid: &String| fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|its| its == root);
    let line = |pid: String| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
    pids.filter(|pid| pid.parse::<u32>().is_ok()).filter(same).map(line).filter(|l| l.contains(" agent ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_lets_the_restart_policy_act_and_without_one_is_started_at_the_end() {
    let stage = Stage::new().await;
    let mut new = stage.idle("api", 1);
    new.restart_policy.name = "always".into();
    let id = stage.start(&new).await;
    let before = stage.look(&id).await;
    let crash = Fault::Crash { signal: "SIGKILL".into() };
    let made = compiled(&crash, &before);
    let seen = play(&stage, &id, &made.apply).await;
    assert_eq!(seen, [format!("SIGKILL sent to process {}", before.pid)]);
    until("its policy has started it", || async {
        let now = stage.look(&id).await;
        now.state == State::Running && now.started_at != before.started_at && now.restart_count == 1
    })
    .await;
    play(&stage, &id, &made.undo).await;
    let now = stage.look(&id).await;
    assert_eq!((now.restart_count, compare::proven(&compare::differences(&before, &now))), (1, true));

    let plain = stage.start(&stage.idle("api", 2)).await;
    let before = stage.look(&plain).await;
    let made = compiled(&crash, &before);
    play(&stage, &plain, &made.apply).await;
    until("it has ended", || async { stage.look(&plain).await.state == State::Exited }).await;
    assert_eq!(stage.look(&plain).await.exit_code, Some(137));
    play(&stage, &plain, &made.undo).await;
    assert!(compare::proven(&compare::differences(&before, &stage.look(&plain).await)));
    until("its helper is gone", || async { helpers(&stage, &plain).await.is_empty() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reach_the_main_process_or_those_that_are_meant() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let signal = |signal: &str, process: Option<&str>| Fault::Signal {
        signal: signal.into(),
        process: process.map(String::from),
    };
    let said = refusal(&stage, &id, &signal("SIGHUP", None)).await;
    assert!(said.contains("no handler for SIGHUP"), "{said}");
    let said = refusal(&stage, &id, &signal("SIGKILL", Some("postgres"))).await;
    assert!(said.contains("no process of the container"), "{said}");
    // Its first process stands still, and goes on with the undo.
    let before = stage.look(&id).await;
    let state = || fs::read_to_string(format!("/proc/{}/status", before.pid)).unwrap().contains("State:\tT");
    let stop = compiled(&signal("SIGSTOP", Some("firedrill idle")), &before);
    play(&stage, &id, &stop.apply).await;
    until("it stands still", || async { state() }).await;
    play(&stage, &id, &stop.undo).await;
    until("it goes on", || async { !state() }).await;
    // It handles TERM, and ends by itself.
    play(&stage, &id, &compiled(&signal("SIGTERM", None), &before).apply).await;
    until("it has ended", || async { stage.look(&id).await.state == State::Exited }).await;
    assert_eq!(stage.look(&id).await.exit_code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squeeze_is_felt_and_the_very_bytes_come_back() {
    let stage = Stage::new().await;
    let mut new = stage.idle("api", 1);
    new.limits.nano_cpus = 1_500_000_000;
    new.limits.memory = 256 << 20;
    let id = stage.start(&new).await;
    let on = stage.look(&id).await;
    let before = limits(&id);
    let busy = compiled(&Fault::Burn(Work::Burn(Burn { workers: 1, load: 100 })), &on);
    play(&stage, &id, &busy.apply).await;

    let squeeze = |resource, to| compiled(&Fault::Squeeze { resource, to }, &on);
    let cpu = squeeze(Resource::Cpu, CORE / 5);
    let seen = play(&stage, &id, &cpu.apply).await;
    assert!(seen[0].contains("20000"), "{seen:?}");
    let used = cores(&stage, &id, Duration::from_secs(2)).await;
    assert!(used < 0.35, "squeezed to 0.2 cores it used {used}");
    let seen = play(&stage, &id, &cpu.undo).await;
    assert!(seen[0].contains("as before") && seen[0].contains("periods throttled"), "{seen:?}");
    assert_eq!(limits(&id), before);
    play(&stage, &id, &busy.undo).await;

    let memory = squeeze(Resource::Memory, 96 << 20);
    play(&stage, &id, &memory.apply).await;
    assert!(limits(&id).values().any(|text| text.trim() == (96_u64 << 20).to_string()), "{:?}", limits(&id));
    let pids = squeeze(Resource::Pids, 40);
    play(&stage, &id, &pids.apply).await;
    assert!(limits(&id).values().any(|text| text.trim() == "40"), "{:?}", limits(&id));
    for undo in [&pids.undo, &memory.undo] {
        play(&stage, &id, undo).await;
    }
    assert_eq!(limits(&id), before);
    until("no helper is left", || async { helpers(&stage, &id).await.is_empty() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_below_what_is_used_is_refused_and_one_that_an_agent_left_is_mended() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let on = stage.look(&id).await;
    let before = limits(&id);
    let hold = compiled(&Fault::Burn(Work::Hold(Hold { bytes: 64 * MB, victim_target: false })), &on);
    play(&stage, &id, &hold.apply).await;
    until("it is held", || async { stage.docker.usage(&id).await.unwrap().memory > 60 * MB }).await;
    let said = refusal(&stage, &id, &Fault::Squeeze { resource: Resource::Memory, to: 32 << 20 }).await;
    assert!(said.contains("choose a higher one"), "{said}");
    play(&stage, &id, &hold.undo).await;
    until("nothing is held", || async { stage.docker.usage(&id).await.unwrap().memory < 40 * MB }).await;

    let squeeze = compiled(&Fault::Squeeze { resource: Resource::Pids, to: 50 }, &on);
    play(&stage, &id, &squeeze.apply).await;
    for name in helpers(&stage, &id).await {
        let killed = std::process::Command::new("docker").args(["kill", "-s", "KILL", &name]).output().unwrap();
        assert!(killed.status.success());
    }
    assert_ne!(limits(&id), before, "an agent that is killed undoes nothing");
    play(&stage, &id, &squeeze.undo).await;
    assert_eq!(limits(&id), before);
    assert!(!matches!(play(&stage, &id, &squeeze.undo).await.as_slice(), [seen] if !seen.contains("as before")));
}

/// A container that may do nothing and has nothing but one program, with a small file system in memory.
fn poor(stage: &Stage) -> ContainerId {
    let name = stage.name("poor-1");
    let arguments = ["run", "-d", "--name", &name, "--read-only", "--cap-drop", "ALL", "--user", "4321:4321"];
    let more = ["--security-opt", "no-new-privileges", "--tmpfs", "/data:size=32m", &crate::stage::image_tag(), "idle"];
    let made = std::process::Command::new("docker").args(arguments).args(more).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let id = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    ContainerId { host: stage.docker.info().id.clone(), id }
}

#[tokio::test(flavor = "multi_thread")]
async fn burners_work_where_nothing_is_allowed_and_leave_nothing() {
    let stage = Stage::new().await;
    let id = poor(&stage);
    let on = stage.look(&id).await;
    let burn = compiled(&Fault::Burn(Work::Burn(Burn { workers: 2, load: 60 })), &on);
    play(&stage, &id, &burn.apply).await;
    let used = cores(&stage, &id, Duration::from_secs(2)).await;
    assert!(used > 0.2, "two workers at 60% used {used} cores of a busy machine");
    let running = inside(&on);
    assert_eq!(running.len(), 1, "{running:?}");
    let seen = play(&stage, &id, &burn.undo).await;
    assert!(seen[0].contains("of CPU time used up"), "{seen:?}");
    until("nothing of ours runs in it", || async { inside(&on).is_empty() }).await;
    assert!(cores(&stage, &id, Duration::from_secs(1)).await < 0.1);

    let free = || rustix::fs::statvfs(format!("/proc/{}/root/data", on.pid)).map(|s| s.f_bavail * s.f_frsize).unwrap();
    let before = free();
    let fill = |amount| Fault::Burn(Work::Fill(Fill { path: "/data".into(), amount }));
    for (amount, left) in [(Amount::Leave(MB), 0..=MB), (Amount::Percent(50), MB..=before / 2 + MB)] {
        let disk = compiled(&fill(amount), &on);
        play(&stage, &id, &disk.apply).await;
        assert!(left.contains(&free()), "{amount:?}: {} of {before} are free", free());
        play(&stage, &id, &disk.undo).await;
        until("the room is free again", || async { free() == before }).await;
    }
    let said = refusal(&stage, &id, &fill(Amount::Bytes(100 * MB))).await;
    assert!(said.contains("less than 100MB"), "{said}");
    let said =
        refusal(&stage, &id, &Fault::Burn(Work::Fill(Fill { path: "/".into(), amount: Amount::Bytes(MB) }))).await;
    assert!(said.contains("host's own disk") && said.contains("--tmpfs"), "{said}");
    let load = Fault::Burn(Work::Load(Load { path: "/data".into(), workers: 1, rate: None }));
    let said = refusal(&stage, &id, &load).await;
    assert!(said.contains("reaches no disk"), "{said}");
    assert_eq!(fs::read_dir(format!("/proc/{}/root/data", on.pid)).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_memory_is_short_the_burner_dies_or_the_target_if_that_is_asked_for() {
    let stage = Stage::new().await;
    let mut new = stage.idle("api", 1);
    new.command.extend(["--memory", "25MB"].map(String::from));
    new.limits.memory = 64 << 20;
    new.limits.memory_swap = 64 << 20;
    let id = stage.start(&new).await;
    let on = stage.look(&id).await;
    let hold = |bytes, victim_target| Work::Hold(Hold { bytes, victim_target });
    // What the plan would refuse: more than there is.
    let too_much = hold(100 * MB, false);
    let begun = stage.docker.perform(&id, &Op::Begin { work: too_much.clone() }).await;
    until("the burner is gone", || async { inside(&on).is_empty() }).await;
    until("that is noticed", || async { begun.is_err() || stage.docker.lost(&id, &too_much).is_some() }).await;
    let now = stage.look(&id).await;
    assert_eq!((now.state, now.started_at.as_str()), (State::Running, on.started_at.as_str()), "the target lives");
    play(&stage, &id, &[Op::End { work: too_much }]).await;
    let _ = stage.docker.perform(&id, &Op::Begin { work: hold(100 * MB, true) }).await;
    until("the target was killed", || async { stage.look(&id).await.oom_killed }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn io_is_written_where_a_disk_is_and_no_file_is_seen() {
    let stage = Stage::new().await;
    let id = stage.one("store").await;
    let on = stage.look(&id).await;
    let load = compiled(&Fault::Burn(Work::Load(Load { path: "/".into(), workers: 2, rate: Some(4 * MB) })), &on);
    let files = || fs::read_dir(format!("/proc/{}/root", on.pid)).unwrap().count();
    let before = files();
    play(&stage, &id, &load.apply).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(files(), before);
    let seen = play(&stage, &id, &load.undo).await;
    assert!(seen[0].contains("written"), "{seen:?}");
    until("nothing of ours runs in it", || async { inside(&on).is_empty() }).await;
}

const WEB: &str = "scenario: resources
targets:
  web: { project: $PROJECT, service: web, pick: all }
load:
  web: { http: { url: \"$URL\", timeout: 1s }, rate: 50/s, ok: { status: 2xx } }
expect:
  recovery: { web: { errors: \"<= 90%\" } }
timing: { warm_up: 200ms, baseline: 1s, recovery: 3s }
faults:
";

fn proven(event: &Event) -> bool {
    matches!(event.kind, EventKind::FaultChecked { proven: true, .. })
}

#[test]
fn a_killed_runner_leaves_nothing_on_within_the_lease() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    let at_first = limits(&web.id);
    let other = stage.idle("other", &[], |_| ());
    let stands = || fs::read_to_string(format!("/proc/{}/status", other.pid)).unwrap().contains("State:\tT");
    let faults = "  - signal: { target: other, signal: STOP }
  - cpu: { target: web, quota: 0.5 cores }
  - pids: { target: web, limit: 60 }
  - cpu: { target: web, workers: 1, load: 50% }
  - memory: { target: web, hold: 20MB }
";
    let targets = "targets:\n  other: { project: $PROJECT, service: other, pick: all }";
    let yaml = format!("{}{faults}", WEB.replace("$URL", &web.url).replace("targets:", targets));
    let ran = stage.run_while(&yaml, &[], |_, running| {
        wait_for(|| limits(&web.id) != at_first && inside(&before).len() == 2 && stands());
        std::thread::sleep(Duration::from_millis(500));
        running.signal(Signal::KILL);
    });
    let killed = Instant::now();
    wait_for(|| limits(&web.id) == at_first && inside(&before).is_empty() && !stands());
    assert!(killed.elapsed() < Duration::from_secs(10), "gone after {:?}", killed.elapsed());
    assert!(compare::proven(&compare::differences(&before, &stage.inspect(&web.id))));
    assert!(ran.events().iter().any(proven), "{}", ran.output);
}

#[test]
fn the_review_of_a_crash_says_that_the_container_came_back_and_by_what() {
    let mut stage = Drill::new();
    let web = stage.web_with("web", "0s:ok", |new| new.restart_policy.name = "always".into());
    let yaml = format!("{}  - crash: {{ target: web }}\n    for: 5s\n", WEB.replace("$URL", &web.url));
    let ran = stage.run(&yaml, &[]);
    assert!(matches!(ran.code, 0 | 6), "6 only where the machine is too busy to measure: {}", ran.output);
    let review = ran.review();
    assert!(review.contains("came back by itself") && review.contains("restart policy"), "{review}");
    assert_eq!(stage.inspect(&web.id).restart_count, 1);
}

#[test]
fn a_squeeze_that_cannot_be_is_told_before_anything_is_touched() {
    let mut stage = Drill::new();
    let web = stage.web_with("web", "0s:ok", |new| new.limits.pids = 30);
    let before = limits(&web.id);
    let yaml = format!("{}  - disk: {{ target: web, path: /, fill: 10MB }}\n", WEB.replace("$URL", &web.url));
    let ran = stage.run(&yaml, &[]);
    ran.expect(3);
    assert!(ran.output.contains("host's own disk"), "{}", ran.output);
    let yaml = format!("{}  - pids: {{ target: web, limit: 30 }}\n", WEB.replace("$URL", &web.url));
    let ran = stage.run(&yaml, &[]);
    ran.expect(3);
    assert!(ran.output.contains("must be lower"), "{}", ran.output);
    assert_eq!(limits(&web.id), before);
}

/// Waits for the squeeze, does something to its target or agent, and gives the outcome.
fn squeezed_while(meanwhile: impl FnOnce(&Drill, &ContainerId)) -> (Drill, crate::drill::Ran, bool) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = limits(&web.id);
    let yaml = format!("{}  - pids: {{ target: web, limit: 70 }}\n    for: 6s\n", WEB.replace("$URL", &web.url));
    let ran = stage.run_while(&yaml, &[], |stage, running| {
        running.until(|kind| matches!(kind, EventKind::FaultChecked { proven: true, .. }));
        meanwhile(stage, &web.id);
    });
    let as_before = limits(&web.id) == before;
    (stage, ran, as_before)
}

/// Does something to the one agent beside a container.
fn agents(on: &ContainerId, command: &[&str]) {
    let docker = |arguments: &[&str]| std::process::Command::new("docker").args(arguments).output().unwrap().stdout;
    let label = format!("label=firedrill.beside={}", on.id);
    let list = ["ps", "-q", "--filter", &label, "--filter", "label=firedrill.role=agent"];
    let ids = String::from_utf8(docker(&list)).unwrap();
    assert_eq!(ids.lines().count(), 1, "{ids}");
    docker(&[command, &[ids.trim()]].concat());
}

fn ended_by(ran: &crate::drill::Ran) -> Option<String> {
    ran.events().into_iter().find_map(|event| match event.kind {
        EventKind::FaultEnded { by, .. } => Some(by),
        _ => None,
    })
}

fn undone(ran: &crate::drill::Ran) -> bool {
    ran.events().iter().any(|event| matches!(event.kind, EventKind::UndoChecked { proven: true, .. }))
}

#[test]
fn a_squeeze_whose_agent_is_killed_is_put_back_at_once() {
    let (_stage, ran, as_before) = squeezed_while(|_, on| agents(on, &["kill"]));
    assert!(as_before && undone(&ran), "{}", ran.output);
    assert!(ended_by(&ran).is_some_and(|by| by.contains("without a word")), "{}", ran.output);
}

#[test]
fn a_squeeze_whose_target_is_started_again_is_over_and_said_to_be() {
    let (_stage, ran, as_before) = squeezed_while(|stage, on| stage.docker(&["restart", "-t", "1", &on.id]));
    assert!(as_before && undone(&ran), "{}", ran.output);
    assert!(ended_by(&ran).is_some(), "{}", ran.output);
}

#[test]
fn a_squeeze_that_neither_runner_nor_agent_could_take_back_is_recovered() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = limits(&web.id);
    let yaml = format!("{}  - pids: {{ target: web, limit: 70 }}\n", WEB.replace("$URL", &web.url));
    let ran = stage.run_while(&yaml, &[], |_, running| {
        running.until(|kind| matches!(kind, EventKind::FaultChecked { proven: true, .. }));
        running.signal(Signal::STOP);
        agents(&web.id, &["kill"]);
        running.signal(Signal::KILL);
    });
    assert_ne!(limits(&web.id), before, "nobody was there to take it back");
    let folder = ran.folder.clone().expect("a run folder");
    let recover = |folder: &PathBuf| {
        let done = std::process::Command::new(crate::drill::FIREDRILL).arg("recover").arg(folder).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (code, said) = recover(&folder);
    assert_eq!((code, limits(&web.id)), (Some(0), before), "{said}");
}

/// The agents of ours inside a container, as the host numbers them.
fn pids_inside(on: &Container) -> Vec<Pid> {
    let root = fs::read_link(format!("/proc/{}/ns/mnt", on.pid)).unwrap();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let same = |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|its| its == root);
    let agent = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"/proc/"));
    pids.filter(same).filter(agent).filter_map(Pid::from_raw).collect()
}

/// Runs a drill whose one agent inside the target stands still soon after the fault is on: by what the fault ended, if
/// that was noticed before its undo, and how long the agent was there.
fn frozen_inside(fault: &str, length: &str) -> (Option<String>, Duration) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    let yaml = format!("{}  - {fault}\n    for: {length}\n", WEB.replace("$URL", &web.url));
    let mut on = Duration::ZERO;
    let ran = stage.run_while(&yaml, &[], |_, running| {
        running.until(|kind| matches!(kind, EventKind::FaultChecked { proven: true, .. }));
        let begun = Instant::now();
        running.until(|kind| matches!(kind, EventKind::WorkMeasured { .. }));
        let pids = pids_inside(&before);
        assert_eq!(pids.len(), 1);
        kill_process(pids[0], Signal::STOP).unwrap();
        wait_for(|| pids_inside(&before).is_empty());
        on = begun.elapsed();
    });
    assert!(undone(&ran), "{}", ran.output);
    ran.expect(6);
    assert!(ran.review().contains("fell silent"), "{}", ran.review());
    (ended_by(&ran), on)
}

#[test]
fn an_agent_inside_that_stands_still_is_killed_and_its_fault_lost() {
    let (ended, on) = frozen_inside("cpu: { target: web, workers: 1 }", "25s");
    assert!(on < Duration::from_secs(16), "{on:?}");
    assert_eq!(ended.as_deref(), Some("the agent fell silent"));
}

#[test]
fn an_undo_does_not_wait_for_an_agent_that_stands_still() {
    let (_, on) = frozen_inside("memory: { target: web, hold: 20MB }", "4s");
    assert!(on < Duration::from_secs(14), "{on:?}");
}

#[test]
fn a_squeeze_whose_agent_stands_still_is_put_back() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = limits(&web.id);
    let yaml = format!("{}  - cpu: {{ target: web, quota: 0.5 cores }}\n    for: 25s\n", WEB.replace("$URL", &web.url));
    let ran = stage.run_while(&yaml, &[], |_, running| {
        running.until(|kind| matches!(kind, EventKind::WorkMeasured { .. }));
        agents(&web.id, &["pause"]);
        let paused = Instant::now();
        wait_for(|| limits(&web.id) == before);
        assert!(paused.elapsed() < Duration::from_secs(15), "{:?}", paused.elapsed());
    });
    assert!(undone(&ran), "{}", ran.output);
    ran.expect(6);
    assert_eq!(ended_by(&ran).as_deref(), Some("the agent fell silent"));
}

#[test]
fn the_lock_is_not_given_back_while_a_frozen_agent_holds_something() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    let yaml = format!("{}  - memory: {{ target: web, hold: 20MB }}\n", WEB.replace("$URL", &web.url));
    let ran = stage.run_while(&yaml, &[], |_, running| {
        running.until(|kind| matches!(kind, EventKind::FaultChecked { proven: true, .. }));
        pids_inside(&before).into_iter().for_each(|pid| kill_process(pid, Signal::STOP).unwrap());
        running.signal(Signal::KILL);
    });
    let run = ran.folder.as_ref().unwrap().file_name().unwrap().to_str().unwrap();
    let locked = || crate::keeper::ours(run).iter().any(|one| matches!(one.role, Role::Lock(_)));
    wait_for(|| !locked());
    assert_eq!(pids_inside(&before), [], "whoever gets the lock next finds nobody");
    wait_for(|| crate::keeper::ours(run).is_empty());
}
