//! The engine against a real Docker Engine: what is on disk before what, what a killed run leaves and how it is
//! mended, and that neither disk nor terminal holds a fault on.

use crate::drill::{Drill, FIREDRILL, Over, Web, hit, run_folder, wait_for};
use firedrill::{
    container::{Container, ContainerId, State, compare},
    event::{EventKind, NoteKind},
    journal::{RunFolder, read},
};
use rustix::process::Signal;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn over(web: &Web, fault: &str, length: &str) -> String {
    Over { name: "engine", rate: "50/s", ..Over::default() }.fault(web, fault, length)
}

const PAUSE: &str = "pause: { target: web }";

fn recover(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(FIREDRILL).arg("recover").arg(folder).args(more).stdin(Stdio::null()).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[test]
fn a_killed_run_is_listed_and_recovered() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    stage.run_while(&over(&web, PAUSE, "60s"), &["--no-keeper"], |_, running| {
        running.until(hit);
        running.signal(Signal::KILL);
    });
    assert_eq!(stage.state(&web.id), State::Paused);
    let folder = run_folder(&stage.reports()).unwrap();
    let list = Command::new(FIREDRILL).args(["recover", "--list", "--reports"]).arg(stage.reports()).output().unwrap();
    let said = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.status.code() == Some(5) && said.contains(folder.to_str().unwrap()), "{said}");

    let (code, said) = recover(&folder, &[]);
    assert_eq!(code, Some(0), "{said}");
    same(&before, &stage.inspect(&web.id));
    let journal = read::read(&RunFolder(folder.clone())).unwrap();
    assert!(journal.cut_short && journal.damage.is_none(), "{:?}", journal.damage);
    assert!(journal.events.iter().any(|event| matches!(&event.kind, EventKind::CleanedUp { left } if left.is_empty())));
    assert!(fs::read_to_string(folder.join("review.md")).unwrap().contains("cut short"));
    let (code, said) = recover(&folder, &[]);
    assert!(code == Some(0) && said.contains("nothing is left"), "{said}");
    // The lock was given back: the next drill may have the target.
    fs::remove_dir_all(stage.reports()).unwrap();
    let again = stage.run(&over(&web, PAUSE, "300ms"), &[]);
    assert!(again.events().iter().any(|event| hit(&event.kind)), "{}", again.output);
}

#[track_caller]
fn same(before: &Container, after: &Container) {
    let differences = compare::differences(before, after);
    assert!(compare::proven(&differences) && after.state == before.state, "{differences:#?}");
}

/// The faults with something to undo.
const KILLED: [&str; 5] = [
    "kill: { target: web }",
    "stop: { target: web, grace: 1s }",
    PAUSE,
    "disconnect: { target: web, network: bridge, via: docker }",
    "exec: { target: web, command: [/firedrill, --version], undo: [/firedrill, --version] }",
];

/// Kills the runner at moments spread over the run by a fixed sequence, then recovers.
fn killed_anywhere(settings: &str, times: u64) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    for round in 0..times {
        // From the first lock to after the undo: 100 ms to 3 s.
        let after = Duration::from_millis(100 + round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 2900);
        let length = if round % 2 == 0 { "1s" } else { "60s" };
        stage.run_while(&over(&web, settings, length), &["--no-keeper"], |_, running| {
            running.until(|kind| matches!(kind, EventKind::LocksTaken { .. }));
            std::thread::sleep(after);
            running.signal(Signal::KILL);
        });
        let folder = run_folder(&stage.reports()).unwrap();
        let (code, said) = recover(&folder, &["--yes"]);
        assert_eq!(code, Some(0), "{settings}, killed after {after:?}: {said}");
        same(&before, &stage.inspect(&web.id));
        fs::remove_dir_all(stage.reports()).unwrap();
    }
}

#[test]
fn a_run_killed_at_any_moment_is_recovered() {
    for settings in KILLED {
        killed_anywhere(settings, 2);
    }
}

#[test]
#[ignore = "50 runs a fault: a quarter of an hour"]
fn fifty_runs_killed_at_any_moment_are_recovered() {
    for settings in KILLED {
        killed_anywhere(settings, 50);
    }
}

#[test]
fn a_folder_that_others_may_enter_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    stage.run_while(&over(&web, PAUSE, "60s"), &["--no-keeper"], |_, running| {
        running.until(hit);
        running.signal(Signal::KILL);
    });
    let folder = run_folder(&stage.reports()).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, said) = recover(&folder, &[]);
    assert!(code == Some(2) && said.contains("not trusted"), "{said}");
    assert_eq!(stage.state(&web.id), State::Paused);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    // An operation that undoes nothing is refused, even from a folder of our own.
    let journal = folder.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replace("\"undo\":[\"unpause\"]", "\"undo\":[{\"kill\":{\"signal\":\"SIGKILL\"}}]"))
        .unwrap();
    let (code, said) = recover(&folder, &[]);
    assert!(code == Some(2) && said.contains("undoes nothing"), "{said}");
    fs::write(&journal, text).unwrap();
    assert_eq!(recover(&folder, &[]).0, Some(0));
}

#[test]
fn a_pipe_that_nobody_reads_does_not_hold_a_fault_on() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let scenario = stage.scenario("scenario", &over(&web, PAUSE, "1s"));
    let mut command = Command::new("sh");
    let line = "\"$0\" run \"$1\" --reports \"$2\" 2>&1 | sleep 12";
    let mut child =
        command.args(["-c", line, FIREDRILL]).arg(&scenario).arg(stage.reports()).stdin(Stdio::null()).spawn().unwrap();
    undone_on_time(&stage, &web.id, Duration::from_secs(1));
    child.wait().unwrap();
}

/// Waits for the pause, and for its end, which must come when it is due.
fn undone_on_time(stage: &Drill, id: &ContainerId, length: Duration) {
    wait_for(|| stage.state(id) == State::Paused);
    let paused = Instant::now();
    wait_for(|| stage.state(id) == State::Running);
    let held = paused.elapsed();
    assert!(held < length + Duration::from_secs(1), "held for {held:?}");
}

#[test]
fn a_full_disk_does_not_hold_a_fault_on() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let reports = stage.reports();
    fs::create_dir_all(&reports).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&reports).status().unwrap();
    assert!(mounted.success(), "tests on a real engine run as root");
    let _unmount = Unmount(&reports);
    let ran = stage.run_while(&over(&web, PAUSE, "3s"), &[], |stage, running| {
        running.until(hit);
        // What is left of the disk goes to somebody else.
        let _ = fs::write(reports.join("filler"), vec![0_u8; 512 * 1024]);
        undone_on_time(stage, &web.id, Duration::from_secs(3));
    });
    assert_eq!(stage.state(&web.id), State::Running);
    assert_eq!(ran.code, 6, "the journal is lost, so nothing is decided: {}", ran.output);
}

#[test]
fn a_third_ctrl_c_gives_up_and_says_how_to_undo() {
    const ENDLESS: &str = "exec: { target: web, command: [/firedrill, --version], undo: [/firedrill, idle] }";
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let began = Instant::now();
    let ran = stage.run_while(&over(&web, ENDLESS, "60s"), &[], |_, running| {
        running.until(hit);
        for _ in 0..3 {
            running.signal(Signal::INT);
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    ran.expect(5);
    assert!(ran.output.contains("firedrill recover"), "{}", ran.output);
    assert!(began.elapsed() < Duration::from_secs(15), "it did not wait for the undo");
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn the_undo_is_on_disk_before_the_first_byte_of_the_fault() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let trace = tempfile::NamedTempFile::new().unwrap();
    let scenario = stage.scenario("scenario", &over(&web, PAUSE, "300ms"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "65536", "-e", "trace=write,writev,sendto,sendmsg,fdatasync,fsync", "-o"]);
    strace.arg(trace.path()).args([FIREDRILL, "run"]).arg(&scenario).arg("--reports").arg(stage.reports());
    let done = strace.stdin(Stdio::null()).output().unwrap();
    assert_eq!(stage.state(&web.id), State::Running, "{}", String::from_utf8_lossy(&done.stderr));
    let trace = fs::read_to_string(trace.path()).unwrap();
    let line = |wanted: &dyn Fn(&str) -> bool, from: usize| {
        let found = trace.lines().skip(from).position(wanted);
        from + found.unwrap_or_else(|| panic!("not in the trace, from line {from}"))
    };
    let recorded = line(&|line| line.contains("undo_recorded") && line.contains("journal.jsonl"), 0);
    let synced = line(
        &|line| line.contains("fdatasync(") && line.contains("journal.jsonl") && !line.contains("unfinished"),
        recorded,
    );
    let paused = line(&|line| line.contains("/pause HTTP/1.1"), 0);
    assert!(recorded < synced && synced < paused, "recorded {recorded}, synced {synced}, paused {paused}");
}

#[test]
fn what_people_say_is_in_the_journal_and_one_may_stop_it() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run_while(&over(&web, PAUSE, "60s"), &[], |stage, running| {
        running.until(hit);
        let say = |words: &[&str]| {
            let done = Command::new(FIREDRILL).args(words).arg("--reports").arg(stage.reports()).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        say(&["saw", "the", "queue", "\u{1b}[31mgrows"]);
        say(&["stop", run_folder(&stage.reports()).unwrap().to_str().unwrap()]);
    });
    ran.expect(130);
    assert_eq!(stage.state(&web.id), State::Running);
    let said = |kind: &EventKind| matches!(kind, EventKind::Noted { kind: NoteKind::Saw, text, .. } if text == "the queue  [31mgrows");
    assert!(ran.events().iter().any(|event| said(&event.kind)));
}

/// Otherwise a kill that killed nobody would count as one, and somebody else's outage would be ended by the drill.
#[test]
fn a_target_that_died_before_the_fault_is_not_hit() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let timing = "warm_up: 200ms, baseline: 5s, recovery: 1s";
    let yaml = Over { timing, ..Over::default() }.fault(&web, "kill: { target: web }", "1s");
    let ran = stage.run_while(&yaml, &[], |stage, running| {
        running.until(|kind| matches!(kind, EventKind::LoadStarted { .. }));
        stage.docker(&["kill", &web.id.id]);
    });
    ran.expect(3);
    assert!(ran.output.contains("changed before the first fault (running, then exited)"), "{}", ran.output);
    assert_eq!(stage.state(&web.id), State::Exited);
}

#[test]
fn overlapping_faults_leave_nothing_behind() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let before = stage.inspect(&web.id);
    let network = before.networks.keys().next().unwrap();
    let cut = format!("disconnect: {{ target: web, network: {network}, via: docker }}");
    let both = over(&web, &cut, "2s") + "  - pause: { target: web }\n    at: 500ms\n    for: 500ms\n";
    let ran = stage.run(&both, &[]);
    assert!(ran.code == 0 || ran.code == 6, "{}", ran.output);
    assert!(
        ran.events().iter().all(|event| !matches!(event.kind, EventKind::UndoChecked { proven: false, .. })),
        "{}",
        ran.output
    );
    same(&before, &stage.inspect(&web.id));
}

/// A drill on a daemon of our own, without load: commands in a container beside the target.
fn without_load(length: &str) -> String {
    format!(
        "scenario: restarted-engine
targets:
  api: {{ project: $PROJECT, service: api, pick: all }}
  witness: {{ project: $PROJECT, service: witness, pick: all }}
probes:
  witness:
    exec: {{ target: witness, command: [/firedrill, --version], timeout: 2s }}
    rate: 2/s
expect:
  recovery: {{ witness: {{ errors: \"<= 90%\" }} }}
timing: {{ warm_up: 200ms, baseline: 1s, recovery: 2s }}
faults:
  - pause: {{ target: api }}
    at: 100ms
    for: {length}
"
    )
}

#[test]
fn a_daemon_restarted_in_the_middle_of_a_drill_is_outlasted_by_the_undo() {
    let Some(mut second) = crate::second_daemon::SecondDaemon::start(true) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = runtime.block_on(second.stage());
    let api = runtime.block_on(stage.one("api"));
    runtime.block_on(stage.one("witness"));
    let folder = tempfile::tempdir().unwrap();
    let (scenario, reports) = (folder.path().join("scenario.yaml"), folder.path().join("reports"));
    fs::write(&scenario, without_load("4s").replace("$PROJECT", &stage.prefix)).unwrap();
    let mut command = second.inside(FIREDRILL);
    command.arg("run").arg(&scenario).arg("--reports").arg(&reports);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let events = || run_folder(&reports).and_then(|f| read::read(&RunFolder(f)).ok()).map_or(vec![], |j| j.events);
    wait_for(|| events().iter().any(|event| hit(&event.kind)));
    second.kill();
    std::thread::sleep(Duration::from_secs(5));
    second.resume();
    child.wait().unwrap();
    let told = events();
    let has = |wanted: &dyn Fn(&EventKind) -> bool| told.iter().any(|event| wanted(&event.kind));
    assert!(has(&|kind| matches!(kind, EventKind::EngineLost { .. })) && has(&|kind| *kind == EventKind::EngineBack));
    assert!(has(&|kind| matches!(kind, EventKind::UndoChecked { proven: true, .. })), "{told:#?}");
    assert_eq!(runtime.block_on(stage.look(&api)).state, State::Running);
    drop(stage);
}
