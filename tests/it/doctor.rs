//! `firedrill doctor`, as it is typed.

use assert_cmd::Command;

fn doctor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("doctor").args(args);
    command
}

#[test]
fn where_an_engine_answers_drills_can_run() {
    let done = doctor(&[]).assert().code(0);
    let text = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    let tried = ["packets: tried: all faults", "signals: tried", "limits: tried", "burns: tried"]
        .map(|line| format!("ok  {line}"));
    let others = ["ok  engine: ", "ok  images: can be loaded", "ok  binary: static", "Drills can run here"];
    for line in others.into_iter().chain(tried.iter().map(String::as_str)) {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colour where no terminal is");
}

#[test]
fn without_an_engine_it_says_how_to_get_one_and_ends_with_3() {
    let done = doctor(&["--json"]).env("DOCKER_HOST", "unix:///nowhere.sock").assert().code(3);
    let json: serde_json::Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(json["ready"], false);
    let failed = &json["checks"][0];
    assert_eq!((failed["state"].as_str(), failed["about"].as_str()), (Some("failed"), Some("engine")));
    assert!(failed["mend"].as_str().is_some_and(|mend| mend.contains("systemctl start docker")), "{failed}");
}
