//! A run is never falsely green, and never falsely red: one drill for each exit code and for each further rule
//! of the verdict, against real containers.

use crate::drill::{Drill, FIREDRILL, Ran, Web, hit};
use firedrill::{
    container::State,
    event::{EventKind, NotStarted},
};
use rustix::process::Signal;
use std::process::Command;

/// A scenario over `web`: load at 100/s, short phases; `faults` and what else is wanted come behind.
fn over(web: &Web, rest: &str) -> String {
    format!(
        "scenario: truth
targets:
  web: {{ project: $PROJECT, service: web, pick: all }}
load:
  web:
    http: {{ url: \"{}\", timeout: 500ms }}
    rate: 100/s
    max_in_flight: 32
    ok: {{ status: 2xx }}
timing: {{ warm_up: 500ms, baseline: 2s, recovery: 4s }}
{rest}",
        web.url
    )
}

const LIMITS: &str = "expect:
  baseline: { web: { errors: \"<= 1%\" } }
  during: { web: { errors: \"<= 1%\" } }
  recovery: { web: { errors: \"<= 1%\", within: 2s, stable_for: 1s } }
";

const LOOSE: &str = "expect:
  baseline: { web: { errors: \"<= 1%\" } }
  recovery: { web: { errors: \"<= 1%\", within: 2s, stable_for: 1s } }
";

const PAUSE: &str = "faults:
  - pause: { target: web }
    at: 200ms
    for: 2s
";

fn injected(ran: &Ran) -> bool {
    ran.events().iter().any(|e| matches!(e.kind, EventKind::FaultRequested { .. }))
}

#[test]
fn held_is_0_and_says_that_there_was_no_impact_at_this_load() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let other = stage.idle("other", &[], |_| ()).id;
    let faults = "faults:\n  - pause: { target: other }\n    at: 0s\n    for: 1s\n";
    let yaml = over(&web, &format!("{LIMITS}{faults}"))
        .replace("load:", "  other: { project: $PROJECT, service: other, pick: all }\nload:");
    let ran = stage.run(&yaml, &[]);
    ran.expect(0);
    assert_eq!(stage.state(&other), State::Running);
    assert!(ran.review().to_lowercase().contains("no impact"), "{}", ran.review());
}

#[test]
fn broken_only_during_the_fault_is_1() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run(&over(&web, &format!("{LIMITS}{PAUSE}")), &[]);
    ran.expect(1);
    assert_eq!(stage.state(&web.id), State::Running);
    assert_eq!(ran.result["verdict"]["word"].as_str().unwrap().to_uppercase(), "VIOLATED");
}

#[test]
fn an_outage_that_breaks_no_limit_is_0() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    stage.run(&over(&web, &format!("{LOOSE}{PAUSE}")), &[]).expect(0);
}

#[test]
fn not_recovered_in_time_is_1() {
    let mut stage = Drill::new();
    // The engine's own start takes a moment, so the errors begin somewhere in the fault and never end.
    let web = stage.web("web", "0s:ok,5s:errors");
    let ran = stage.run(&over(&web, &format!("{LOOSE}{PAUSE}")), &[]);
    ran.expect(1);
    assert!(ran.review().to_lowercase().contains("not recovered"));
}

#[test]
fn a_dip_after_the_recovery_counts_until_its_end() {
    let mut stage = Drill::new();
    // Fault from about 3 s to 4 s of the server's life (frozen time counts), dip from 6 s to 7 s.
    let web = stage.web("web", "0s:ok,6s:errors,7s:ok");
    let yaml =
        over(&web, &format!("{LOOSE}{PAUSE}")).replace("for: 2s", "for: 1s").replace("within: 2s", "within: 3500ms");
    let yaml = yaml.replace("recovery: 4s", "recovery: 8s");
    let ran = stage.run(&yaml, &[]);
    let recovered = ran.events().iter().any(|e| matches!(e.kind, EventKind::GatePassed));
    assert!(recovered, "{}", ran.output);
    // Where exactly the dip falls depends on start-up; it lies well behind the first return to health.
    let lag = recovery_lag_ns(&ran).expect("recovered");
    assert!(lag > 1_000_000_000, "the lag runs to the end of the dip, not to the first return: {lag} ns");
}

fn recovery_lag_ns(ran: &Ran) -> Option<u64> {
    let findings = firedrill::analysis::analyse(&firedrill::journal::RunFolder(ran.folder.clone()?)).unwrap();
    let figure = findings.figure(firedrill::analysis::FigureKind::RecoveryLag, findings.main_probe, None)?;
    figure.value.ok().map(|lag| lag.number() as u64)
}

#[test]
fn a_file_that_is_no_scenario_is_2() {
    let stage = Drill::new();
    let ran = stage.run("scenario: [", &[]);
    ran.expect(2);
    assert!(ran.folder.is_none() && ran.output.contains("scenario.yaml:1"), "{}", ran.output);
}

#[test]
fn nothing_to_judge_is_2() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    stage.run(&over(&web, PAUSE), &[]).expect(2);
    assert_eq!(stage.state(&web.id), State::Running);
}

#[test]
fn one_invalid_file_of_a_series_is_2_and_nothing_is_injected() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let good = stage.scenario("a", &over(&web, &format!("{LIMITS}{PAUSE}")));
    let bad = stage.scenario("b", "scenario: b\nwhat: is this\n");
    let done = stage.command(&[&good, &bad], &[]).output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!stage.reports().exists() || std::fs::read_dir(stage.reports()).unwrap().next().is_none());
}

#[test]
fn a_folder_without_scenarios_is_2() {
    let empty = tempfile::tempdir().unwrap();
    let done = Command::new(FIREDRILL).arg("run").arg(empty.path()).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
}

#[test]
fn no_docker_is_3() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let scenario = stage.scenario("s", &over(&web, &format!("{LIMITS}{PAUSE}")));
    let mut command = stage.command(&[&scenario], &[]);
    let done = command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("/nonexistent/docker.sock"), "{said}");
}

#[test]
fn no_such_target_is_3() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let yaml = over(&web, &format!("{LIMITS}{PAUSE}")).replace("service: web", "service: wbe");
    let ran = stage.run(&yaml, &[]);
    ran.expect(3);
    assert!(ran.output.contains("wbe"), "{}", ran.output);
}

#[test]
fn a_sole_replica_without_pick_all_is_3() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let yaml = over(&web, &format!("{LIMITS}{PAUSE}")).replace(", pick: all", "");
    let ran = stage.run(&yaml, &[]);
    ran.expect(3);
    assert!(ran.output.contains("pick: all"), "{}", ran.output);
}

#[test]
fn a_second_drill_on_a_target_is_3_and_names_the_first() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let yaml = over(&web, &format!("{LOOSE}{PAUSE}"));
    let second_reports = tempfile::tempdir().unwrap();
    let first = stage.run_while(&yaml, &[], |stage, running| {
        running.until(|kind| matches!(kind, EventKind::LocksTaken { .. }));
        let scenario = stage.scenario("second", &yaml);
        let mut command = Command::new(FIREDRILL);
        let done = command.arg("run").arg(scenario).arg("--reports").arg(second_reports.path()).output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(3), "{said}");
        let holder = crate::drill::run_folder(&stage.reports()).unwrap();
        assert!(said.contains(holder.file_name().unwrap().to_str().unwrap()), "it names the holder: {said}");
    });
    first.expect(0);
}

#[test]
fn a_baseline_out_of_tolerance_is_7_and_nothing_is_injected() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:one-in-10");
    let ran = stage.run(&over(&web, &format!("{LIMITS}{PAUSE}")), &[]);
    ran.expect(7);
    assert!(!injected(&ran));
    let tries = ran.events().iter().filter(|e| matches!(e.kind, EventKind::BaselineJudged { .. })).count();
    assert_eq!(tries, 3, "three windows are tried");
}

#[test]
fn halted_by_a_guard_is_4_and_undone() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let guard = "abort:\n  - web: { errors: \"> 30%\", for: 1s }\n";
    let yaml = over(&web, &format!("{LIMITS}{guard}{PAUSE}")).replace("for: 2s", "for: 20s");
    let ran = stage.run(&yaml, &[]);
    ran.expect(4);
    assert_eq!(stage.state(&web.id), State::Running);
    assert!(ran.review().contains("HALTED"));
}

#[test]
fn a_guard_in_the_baseline_is_4_and_nothing_is_injected() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:errors");
    let guard = "abort:\n  - web: { errors: \"> 30%\", for: 1s }\n";
    let ran = stage.run(&over(&web, &format!("{LIMITS}{guard}{PAUSE}")), &[]);
    ran.expect(4);
    assert!(!injected(&ran));
    let why = |e: &firedrill::event::Event| matches!(e.kind, EventKind::NotStarted(NotStarted::GuardTripped(_)));
    assert!(ran.events().iter().any(why));
}

fn stopped_by(signal: Signal) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let yaml = over(&web, &format!("{LIMITS}{PAUSE}")).replace("for: 2s", "for: 20s");
    let ran = stage.run_while(&yaml, &[], |_, running| {
        running.until(hit);
        running.signal(signal);
    });
    ran.expect(130);
    assert_eq!(stage.state(&web.id), State::Running);
    assert!(ran.review().contains("STOPPED"));
}

#[test]
fn ctrl_c_is_130_and_undone_and_reviewed() {
    stopped_by(Signal::INT);
}

#[test]
fn sigterm_is_130_and_undone_and_reviewed() {
    stopped_by(Signal::TERM);
}

#[test]
fn sighup_is_130_and_undone_and_reviewed() {
    stopped_by(Signal::HUP);
}

#[test]
fn a_target_that_is_gone_cannot_be_undone_and_that_is_5() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run_while(&over(&web, &format!("{LIMITS}{PAUSE}")), &[], |stage, running| {
        running.until(hit);
        stage.docker(&["rm", "-f", &web.id.id]);
    });
    ran.expect(5);
    assert!(ran.review().contains("CLEANUP UNPROVEN"));
}

#[test]
fn a_fault_that_fails_to_inject_is_6_even_if_limits_broke() {
    let mut stage = Drill::new();
    // Errors begin about when the fault would; what broke the limit is not known.
    let web = stage.web("web", "0s:ok,4s:errors");
    let fault = "faults:\n  - exec: { target: web, command: [/firedrill, no-such-verb], undo: none }\n    at: 200ms\n";
    let ran = stage.run(&over(&web, &format!("{LIMITS}{fault}")), &[]);
    ran.expect(6);
    assert!(ran.review().contains("UNDECIDED"));
}

#[test]
fn a_fault_that_somebody_ended_early_is_6() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let yaml = over(&web, &format!("{LOOSE}{PAUSE}")).replace("for: 2s", "for: 4s");
    let ran = stage.run_while(&yaml, &[], |stage, running| {
        running.until(hit);
        stage.docker(&["unpause", &web.id.id]);
    });
    ran.expect(6);
    assert!(ran.events().iter().any(|e| matches!(e.kind, EventKind::FaultEnded { .. })));
}

#[test]
fn full_slots_under_a_frozen_server_are_1_not_6() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let yaml = over(&web, &format!("{LIMITS}{PAUSE}")).replace("timeout: 500ms", "timeout: 5s");
    stage.run(&yaml.replace("errors: \"<= 1%\" } }\n  recovery", "p90: \"<= 100ms\" } }\n  recovery"), &[]).expect(1);
}

#[test]
fn violated_by_one_probe_and_undecided_by_another_is_1() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    // The second load dies with its server before its percentile carries enough answers to be judged.
    let yaml = over(&web, &format!("{LIMITS}{PAUSE}"));
    let yaml = yaml.replace(
        "timing:",
        &format!(
            "  thin:\n    http: {{ url: \"{}\", timeout: 500ms }}\n    rate: 10/s\n    ok: {{ status: 2xx }}\ntiming:",
            web.url
        ),
    );
    let yaml = yaml.replace("  during: { web:", "  during: { thin: { p50: \"<= 100ms\" }, web:");
    stage.run(&yaml, &[]).expect(1);
}

#[test]
fn a_probe_without_expect_is_listed_as_not_judged() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let sick = stage.web("sick", "0s:errors");
    let yaml = over(&web, &format!("{LOOSE}{PAUSE}")).replace(
        "timing:",
        &format!("probes:\n  sick:\n    http: {{ url: \"{}\" }}\n    rate: 10/s\ntiming:", sick.url),
    );
    let ran = stage.run(&yaml, &[]);
    ran.expect(0);
    assert!(ran.review().to_lowercase().contains("not judged"), "{}", ran.review());
}

fn neighbour_dies(expect: &str, code: i32) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let neighbour = stage.idle("neighbour", &[], |_| ());
    let yaml = over(&web, &format!("{LOOSE}{expect}{PAUSE}"));
    let ran = stage.run_while(&yaml, &[], |stage, running| {
        running.until(hit);
        stage.docker(&["kill", &neighbour.id.id]);
    });
    ran.expect(code);
    assert!(ran.review().contains(&neighbour.name.replace('-', "\\-")) || ran.review().contains(&neighbour.name));
}

#[test]
fn a_neighbour_going_bad_does_not_change_the_verdict() {
    neighbour_dies("", 0);
}

#[test]
fn a_neighbour_that_must_be_unaffected_and_is_not_is_1() {
    neighbour_dies("  unaffected: [neighbour]\n", 1);
}

#[test]
fn started_again_by_us_and_then_dying_is_1_not_5() {
    let mut stage = Drill::new();
    // Each life of the server lasts 6 s: the second ends in the recovery.
    let web = stage.web_with("web", "0s:ok", |new| new.command.extend(["--seconds".into(), "6".into()]));
    let yaml = over(&web, &format!("{LOOSE}{PAUSE}")).replace("pause:", "kill:").replace("for: 2s", "for: 500ms");
    let yaml = yaml.replace("recovery: 4s", "recovery: 8s");
    stage.run(&yaml, &[]).expect(1);
}

#[test]
fn a_low_margin_is_said_and_strict_makes_it_1() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:one-in-20");
    let limits = LIMITS.replace("\"<= 1%\"", "\"<= 5.5%\"");
    let other = "faults:\n  - pause: { target: other }\n    at: 0s\n    for: 2s\n";
    stage.idle("other", &[], |_| ());
    let yaml = over(&web, &format!("{limits}{other}"))
        .replace("load:", "  other: { project: $PROJECT, service: other, pick: all }\nload:");
    let ran = stage.run(&yaml, &["--strict"]);
    ran.expect(1);
    assert!(ran.review().contains("LOW MARGIN"), "{}", ran.review());
}

#[test]
fn a_series_exits_with_its_worst_and_stops_where_it_must() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let guard = "abort:\n  - web: { errors: \"> 30%\", for: 1s }\n";
    let halted = over(&web, &format!("{LIMITS}{guard}{PAUSE}")).replace("scenario: truth", "scenario: halted");
    let held = over(&web, &format!("{LOOSE}{PAUSE}")).replace("scenario: truth", "scenario: held");
    let (first, second) = (stage.scenario("a", &held), stage.scenario("b", &halted));
    let third = stage.scenario("c", &held.replace("scenario: held", "scenario: third"));
    let done = stage.command(&[&first, &second, &third], &[]).output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert_eq!(done.status.code(), Some(4), "{said}");
    let runs = std::fs::read_dir(stage.reports()).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(runs, 2, "a halted drill ends the series: {said}");
}

/// A cgroup that gives its processes a tenth of one core; removed when dropped.
struct TenthOfACore(std::path::PathBuf);

impl TenthOfACore {
    fn new() -> TenthOfACore {
        let name = format!("firedrill-test-{}", std::process::id());
        let (v1, v2) = (std::path::Path::new("/sys/fs/cgroup/cpu"), std::path::Path::new("/sys/fs/cgroup"));
        let first = v1.join("cpu.cfs_quota_us").exists() || v1.join("cgroup.procs").exists();
        let group = if first { v1 } else { v2 }.join(name);
        std::fs::create_dir(&group).unwrap();
        let (file, quota) = if first { ("cpu.cfs_quota_us", "10000") } else { ("cpu.max", "10000 100000") };
        std::fs::write(group.join(file), quota).unwrap();
        TenthOfACore(group)
    }
}

impl Drop for TenthOfACore {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_starved_load_generator_is_6() {
    let mut drill = Drill::new();
    let web = drill.web("web", "0s:ok");
    // What a starved generator cannot send in time fails, too; the gate lets it pass, for the verdict is what is tried.
    let any = LOOSE.replacen("<= 1%", "<= 100%", 1);
    let yaml = over(&web, &format!("{any}{PAUSE}")).replace("100/s", "2000/s");
    let scenario = drill.scenario("starved", &yaml);
    let group = TenthOfACore::new();
    let run = drill.command(&[&scenario], &[]);
    let mut starved = Command::new("sh");
    starved.args(["-c", "echo $$ > \"$0/cgroup.procs\"; exec \"$@\""]).arg(&group.0).arg(run.get_program());
    let done = starved.args(run.get_args()).output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert_eq!(done.status.code(), Some(6), "{said}");
}
