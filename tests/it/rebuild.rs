//! The review depends on the run folder alone.

use crate::drill::{Drill, FIREDRILL};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const OUTPUTS: [&str; 4] = ["result.json", "review.md", "review.html", "junit.xml"];

fn outputs(folder: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    OUTPUTS.into_iter().map(|name| (name, fs::read(folder.join(name)).unwrap())).collect()
}

fn a_run() -> (Drill, PathBuf) {
    let mut drill = Drill::new();
    let web = drill.web("web", "0s:ok");
    let yaml = format!(
        "scenario: rebuild
targets:
  web: {{ project: $PROJECT, service: web, pick: all }}
load:
  web: {{ http: {{ url: \"{}\", timeout: 500ms }}, rate: 200/s, ok: {{ status: 2xx }} }}
expect:
  baseline: {{ web: {{ errors: \"<= 1%\" }} }}
  recovery: {{ web: {{ errors: \"<= 1%\", within: 2s, stable_for: 1s }} }}
timing: {{ warm_up: 500ms, baseline: 1s, recovery: 4s }}
faults:
  - pause: {{ target: web }}
    at: 0s
    for: 1s
",
        web.url
    );
    let ran = drill.run(&yaml, &[]);
    ran.expect(0);
    let folder = ran.folder.expect("a run folder");
    (drill, folder)
}

fn review(folder: &Path, zone: &str) -> std::process::Output {
    Command::new(FIREDRILL).arg("review").arg(folder).env("TZ", zone).env("LANG", "tr_TR.UTF-8").output().unwrap()
}

/// Nine days ago, for every file: whoever looks at times of files sees others than the run did.
fn age(folder: &Path) {
    let aged =
        Command::new("find").arg(folder).args(["-exec", "touch", "-d", "9 days ago", "{}", "+"]).status().unwrap();
    assert!(aged.success());
}

#[test]
fn the_review_is_rebuilt_byte_for_byte_from_the_run_folder_alone() {
    let (drill, folder) = a_run();
    let before = outputs(&folder);
    for name in OUTPUTS {
        fs::remove_file(folder.join(name)).unwrap();
    }
    for n in 0..5 {
        let other = drill.reports().join(format!("20200101T00000{n}Z-rebuild-{n:04}"));
        fs::create_dir(&other).unwrap();
        fs::write(other.join("result.json"), &before["result.json"]).unwrap();
    }
    age(&folder);
    let done = review(&folder, "Pacific/Kiritimati");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for (name, bytes) in outputs(&folder) {
        assert!(bytes == before[name], "{name} differs");
    }
}

#[test]
fn a_flipped_byte_in_the_request_log_does_not_go_unnoticed() {
    let (_drill, folder) = a_run();
    let before = outputs(&folder);
    let mut log = fs::read(folder.join("requests.bin")).unwrap();
    let middle = log.len() / 2;
    log[middle] ^= 0x10;
    fs::write(folder.join("requests.bin"), log).unwrap();
    let done = review(&folder, "UTC");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let silent = done.status.success() && said.is_empty() && outputs(&folder) == before;
    assert!(!silent, "the same review from a damaged log");
}
