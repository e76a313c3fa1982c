//! `firedrill lint` as it is typed.

use crate::drill::FIREDRILL;
use std::{fs, path::Path, process::Command};

/// Exit code and standard output.
fn lint(arguments: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(FIREDRILL).arg("lint").args(arguments).env("NO_COLOR", "1").output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

fn bad() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("review.md");
    fs::write(&file, "# T\n\nThe alert should have fired!\n").unwrap();
    let path = file.display().to_string();
    (folder, path)
}

#[test]
fn what_it_finds_is_said_in_three_ways() {
    let (_folder, path) = bad();
    let (code, text) = lint(&[&path]);
    assert_eq!(code, Some(1));
    assert!(text.contains(&format!("{path}:3:11: error: `should have`: ")), "{text}");
    let (_, json) = lint(&["--format", "json", &path]);
    let checks: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(checks.as_array().unwrap().len(), 2, "{json}");
    let (_, sarif) = lint(&["--format", "sarif", &path]);
    let log: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(log["version"], "2.1.0");
}

#[test]
fn the_sample_review_passes() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample/run/review.md");
    let (code, text) = lint(&["--fail-on", "suggestion", &sample.display().to_string()]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn the_rules_are_written_as_a_style_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(lint(&["--vale", &folder.path().display().to_string()]).0, Some(0));
    assert!(folder.path().join("Firedrill/counterfactual.yml").is_file());
    let (code, rules) = lint(&["--rules"]);
    assert!(code == Some(0) && rules.contains("counterfactual (error): "), "{rules}");
}

#[test]
fn a_rule_that_there_is_not_is_refused() {
    let (_folder, path) = bad();
    let done = Command::new(FIREDRILL).args(["lint", "--rule", "persn-named", &path]).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!((done.status.code(), done.stdout.len()), (Some(2), 0));
    assert!(said.contains("there is no rule `persn-named`; did you mean `person-named`?"), "{said}");
}

#[test]
fn what_is_no_text_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.md");
    fs::write(&file, [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(lint(&[&file.display().to_string()]).0, Some(2));
    assert_eq!(lint(&["no-such-file.md"]).0, Some(2));
}
