//! `firedrill plan`, as it is typed: it says everything and touches nothing.

use crate::stage::Stage;
use assert_cmd::Command;
use firedrill::{container::Containers, plan::Plan};
use std::{fs, path::PathBuf};

fn scenario(folder: &tempfile::TempDir, project: &str, pick: &str) -> PathBuf {
    let path = folder.path().join("drill.yaml");
    let text = format!(
        "scenario: cache-loss
targets:
  api: {{ project: {project}, service: api, pick: {pick} }}
load:
  checkout:
    http: {{ url: \"http://127.0.0.1:9/\" }}
    rate: 100/s
expect:
  during: {{ checkout: {{ errors: \"<= 50%\" }} }}
timing: {{ warm_up: 1s, baseline: 5s, recovery: 5s }}
faults:
  - pause: {{ target: api }}
    at: 1s
    for: 3s
"
    );
    fs::write(&path, text).unwrap();
    path
}

fn plan(path: &PathBuf, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("plan").arg(path).args(args);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_printed_and_nothing_is_touched() {
    let stage = Stage::new().await;
    for number in 1..=2 {
        stage.start(&stage.idle("api", number)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = scenario(&folder, &stage.prefix, "1");
    let mine = async || {
        let all = stage.docker.list().await.unwrap();
        all.into_iter().filter(|one| one.project() == Some(&stage.prefix)).collect::<Vec<_>>()
    };
    let before = mine().await;
    let done = plan(&path, &["--seed", "7"]).assert().code(0);
    let text = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    for line in [
        "seed 7",
        "api: 1 of 2 (pick 1)",
        "      1s  pause api",
        ": pause; proven when it is paused",
        "      4s  undo of pause api",
        ": unpause",
        "Nothing was touched.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let done = plan(&path, &["--seed", "7", "--json"]).assert().code(0);
    let json: Plan = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert!(text.contains(&json.steps[0].injections[0].name), "the same seed picks the same container");
    assert_eq!(mine().await, before, "nothing was touched");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no run folder was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_ends_with_3_and_its_place_in_the_file() {
    let stage = Stage::new().await;
    stage.one("apis").await;
    let folder = tempfile::tempdir().unwrap();
    let path = scenario(&folder, &stage.prefix, "all");
    let done = plan(&path, &[]).assert().code(3);
    let text = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(text.contains("no container matches target `api`") && text.contains("did you mean `apis`?"), "{text}");
    assert!(text.contains("drill.yaml:3:3"), "{text}");
    let done = plan(&path, &[]).env("DOCKER_HOST", "unix:///nowhere.sock").assert().code(3);
    let text = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(text.contains("no Docker engine answers") && text.contains("firedrill doctor"), "{text}");
}
