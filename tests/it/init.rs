//! `firedrill init`, as it is typed: against a shop that runs, and where nothing can be drafted.

use crate::drill::FIREDRILL;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn firedrill(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(FIREDRILL).current_dir(folder).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn told(done: &Output) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
}

/// The demo's shop under a name of its own, gone when the test ends.
struct Shop(String);

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = Command::new(FIREDRILL).args(["demo", "down", "--project", &self.0]).output();
    }
}

#[test]
fn what_it_drafts_from_a_running_system_is_valid_and_runs_as_it_is() {
    let shop = Shop(format!("fdt-init-{}", std::process::id()));
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let up = firedrill(here, &["demo", "up", "--project", &shop.0]);
    assert!(up.status.success(), "{}", told(&up));
    let done = firedrill(here, &["init", "--project", &shop.0, "--for", "2s"]);
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    let text = fs::read_to_string(here.join("first-drill.yaml")).unwrap();
    assert!(told(&done).contains("measuring http://127.0.0.1:"), "what is sent is said: {}", told(&done));
    assert!(text.contains("- kill: { target: api }") && text.contains("# Measured while nothing was wrong"), "{text}");
    assert_eq!(firedrill(here, &["validate", "first-drill.yaml"]).status.code(), Some(0), "{text}");
    let ran = firedrill(here, &["run", "first-drill.yaml"]);
    assert!(matches!(ran.status.code(), Some(0 | 1 | 6)), "{}\n{text}", told(&ran));
    assert!(told(&ran).contains("review.html"), "{}", told(&ran));
    let again = firedrill(here, &["init", "--project", &shop.0, "--no-measure"]);
    assert_eq!(again.status.code(), Some(2), "{}", told(&again));
    assert!(told(&again).contains("--force"), "{}", told(&again));
    assert_eq!(fs::read_to_string(here.join("first-drill.yaml")).unwrap(), text, "what is there stays");
}

#[test]
fn a_project_that_does_not_run_is_told_with_those_that_do() {
    let folder = tempfile::tempdir().unwrap();
    let done = firedrill(folder.path(), &["init", "--project", "no-such-project"]);
    assert_eq!(done.status.code(), Some(3), "{}", told(&done));
    assert!(told(&done).contains("no compose project `no-such-project` runs; there is"), "{}", told(&done));
    assert!(!folder.path().join("first-drill.yaml").exists());
}
