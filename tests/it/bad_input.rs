//! Whatever lies in a run folder, and whatever names and texts are in it: a clear error or a review, nothing that injects,
//! nothing that leaks, no panic.
#![expect(clippy::print_stdout, reason = "what it took is of interest")]

use crate::drill::{Drill, FIREDRILL};
use firedrill::{
    container::OpOutcome,
    event::{EventKind, Operated},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What is done to a journal.
type Change = fn(String) -> Vec<u8>;

/// A folder with the sample run's evidence, its journal changed.
fn run_with(change: impl FnOnce(String) -> Vec<u8>) -> (tempfile::TempDir, PathBuf) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample/run");
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    fs::create_dir_all(folder.join("logs")).unwrap();
    for name in ["requests.bin", "scenario.yaml", "plan.json"] {
        fs::copy(sample.join(name), folder.join(name)).unwrap();
    }
    fs::write(folder.join("journal.jsonl"), change(fs::read_to_string(sample.join("journal.jsonl")).unwrap())).unwrap();
    (dir, folder)
}

/// Every verb that reads a run folder; what they print and their codes.
fn read_all(folder: &Path) -> Vec<(i32, String)> {
    let verbs: [&[&str]; 5] =
        [&["review"], &["review", "--open-prompts"], &["explain"], &["verify"], &["review", "--json"]];
    let run = |verb: &&[&str]| {
        let done = Command::new(FIREDRILL).arg(verb[0]).arg(folder).args(&verb[1..]).output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{verb:?}: {said}");
        (done.status.code().expect("no signal"), said)
    };
    verbs.iter().map(run).collect()
}

#[test]
fn what_is_no_journal_is_refused_with_the_reason() {
    let newer = |text: String| text.replacen("\"format\":1", "\"format\":99", 1).into_bytes();
    let cases: [(Change, &str); 6] = [
        (|_| vec![], "is not the journal of a run: it is empty, so nothing of a run is left in it"),
        (|_| b"\n\n\n".to_vec(), "its first line, the start of a run, is empty or cut off"),
        (|text| text.into_bytes()[..300].to_vec(), "its first line, the start of a run, is empty or cut off"),
        (|_| vec![0; 4096], "its first line is not the start of a run: expected value"),
        (|text| text.lines().skip(1).collect::<Vec<_>>().join("\n").into_bytes(), "does not begin with a run's start"),
        (newer, "has format 99, this firedrill reads up to 1; use a newer one"),
    ];
    for (change, says) in cases {
        let (_dir, folder) = run_with(change);
        for (code, said) in read_all(&folder) {
            assert!(code == 2 && said.contains(says) && said.contains("journal.jsonl"), "{code}: {said}");
        }
        assert!(!folder.join("review.md").exists(), "nothing is written");
    }
}

#[test]
fn what_is_left_of_a_journal_is_reviewed_and_what_is_missing_is_told() {
    let cut: Change = |text| text.as_bytes()[..text.len() * 2 / 3].to_vec();
    let unknown: Change = |text| {
        let added = text.lines().count();
        format!("{text}{{\"seq\":{added},\"at\":1,\"kind\":{{\"moon_rose\":{{\"<script>\":1}}}}}}\n").into_bytes()
    };
    let without: Change = |text| {
        text.lines()
            .enumerate()
            .filter(|(i, _)| *i != 20)
            .map(|(_, l)| format!("{l}\n"))
            .collect::<String>()
            .into_bytes()
    };
    let flipped: Change = |text| {
        let mut bytes = text.into_bytes();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 40].fill(0xff);
        bytes
    };
    for (change, says) in [
        (cut, "CUT SHORT"),
        (unknown, "does not know"),
        (without, "line 21 is event 21 where event 20 is due"),
        (flipped, "cannot be read"),
    ] {
        let (_dir, folder) = run_with(change);
        let told = read_all(&folder);
        assert_eq!(told[0].0, 0, "{}", told[0].1);
        let review = fs::read_to_string(folder.join("review.md")).unwrap();
        assert!(review.contains(says), "{says} is not in {review}");
    }
}

/// Text of every kind that somebody might put into a name, a label, a note or an error.
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>](javascript:alert(3)) {{ 7919 * 104729 }}{% for x in y %} \
    `rm -rf` | a | **b** \u{1b}[31m\u{1b}]0;title\u{7} \u{202e}gpj.exe\u{2066} \"' \\";

#[test]
fn texts_in_a_journal_inject_nothing_into_any_file_or_terminal() {
    let (_dir, folder) = run_with(|text| {
        let inside = serde_json::to_string(HOSTILE).unwrap();
        let inside = &inside[1..inside.len() - 1];
        let named =
            text.replace("firedrill-demo-5fee843b-api-2", inside).replace("\"checkout\"", &format!("\"{inside}\""));
        let titled = named.replace("The shop loses one of its two replicas", inside).replace("shop-team", inside);
        let seq = titled.lines().count();
        let note = format!(
            "{{\"seq\":{seq},\"at\":20000000000,\"kind\":{{\"noted\":{{\"kind\":\"decided\",\"text\":\"{inside}\",\"who\":\"{inside}\"}}}}}}\n"
        );
        format!("{titled}{note}").into_bytes()
    });
    let mut shown = read_all(&folder);
    for more in [&["--template", "google"][..], &["--template", "short"], &["--template", "confluence"]] {
        let done = Command::new(FIREDRILL).arg("review").arg(&folder).args(more).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        shown.push((0, String::from_utf8(done.stdout).unwrap()));
    }
    let json = shown.remove(4).1;
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    let files = ["review.md", "review.html", "junit.xml", "review.base.md"];
    let texts = files.map(|name| (name.to_owned(), fs::read_to_string(folder.join(name)).unwrap()));
    for (name, text) in texts.into_iter().chain(shown.into_iter().map(|(_, said)| ("terminal".to_owned(), said))) {
        let acts =
            |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!text.contains(acts), "{name} has a character that acts");
        assert!(!text.contains("829348951"), "{name}: a template was run");
        let markup = name == "review.html" || name == "junit.xml" || text.contains("<ac:");
        assert!(!markup || !text.contains("<script") && !text.contains("<img"), "{name} has a tag");
        assert!(!text.contains("href=\"javascript"), "{name} has a link");
    }
}

#[test]
fn no_secret_is_in_any_file_of_a_run() {
    let mut drill = Drill::new();
    let secret = "s3cr3t-of-the-drill-4711";
    let web = drill.web_with("web", "0s:ok", |new| {
        new.env = vec![format!("DB_PASSWORD={secret}-env")];
        new.labels.insert("note".into(), format!("talks with {secret}-token"));
        new.labels.insert("api_key".into(), format!("{secret}-label"));
        new.labels.insert("auth".into(), format!("Authorization: Bearer {secret}-bearer"));
    });
    let yaml = format!(
        "scenario: secrets
targets:
  web: {{ project: $PROJECT, service: web, pick: all }}
load:
  web:
    http: {{ url: \"{}\", timeout: 500ms, headers: {{ authorization: \"Bearer ${{env:FD_TOKEN}}\", x-key: \"${{env:FD_TOKEN}}\" }} }}
    rate: 50/s
    ok: {{ status: 2xx }}
expect:
  baseline: {{ web: {{ errors: \"<= 1%\" }} }}
timing: {{ warm_up: 200ms, baseline: 1s, recovery: 1s }}
faults:
  - pause: {{ target: web }}
    at: 0s
    for: 500ms
  - exec: {{ target: web, command: [/firedrill, idle, \"--${{env:FD_TOKEN}}\"], undo: none }}
    at: 1500ms
",
        web.url
    );
    let scenario = drill.scenario("secrets", &yaml);
    let token = format!("{secret}-token");
    let set = format!("db_password={secret}-set");
    let child = drill.command(&[&scenario], &["--set", &set]).env("FD_TOKEN", &token).spawn().unwrap();
    let running = crate::drill::Running::of(child, &drill.reports());
    running.until(|kind| matches!(kind, EventKind::LoadStarted { .. }));
    for said in [format!("use {token}"), format!("mysql --password {secret}-noted")] {
        let note = Command::new(FIREDRILL).args(["note", &said, "--reports"]).arg(drill.reports()).status().unwrap();
        assert!(note.success());
    }
    let ran = running.finish();
    let folder = ran.folder.as_ref().unwrap_or_else(|| panic!("{}", ran.output));
    let told = ran.events();
    let printed = told.iter().find_map(|event| match &event.kind {
        EventKind::Operated(Operated { outcome: Ok(OpOutcome::Exited { output, .. }), .. }) => Some(output.as_str()),
        _ => None,
    });
    assert!(printed.is_some_and(|text| text.contains("'--[redacted]'")), "it was run with the value: {printed:?}");
    let noted = told.iter().filter_map(|event| match &event.kind {
        EventKind::Noted { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(noted.collect::<Vec<_>>(), ["use [redacted]", "mysql --password [redacted]"]);
    assert!(!ran.output.contains(secret), "{}", ran.output);
    let mut read = 0;
    for file in walk(folder) {
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds a secret", file.display());
        read += 1;
    }
    assert!(read >= 10, "{read} files");
    assert!(
        fs::read_to_string(folder.join("journal.jsonl")).unwrap().contains("[redacted]"),
        "the labels were recorded"
    );
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// `FIREDRILL_EVENTS=10000000 cargo test --test it -- --ignored ten_million` writes half a gigabyte, and says what it took.
#[test]
#[ignore = "a gigabyte of disk and minutes, unoptimised"]
fn a_journal_of_ten_million_events_is_read_in_bounded_memory() {
    let events = std::env::var("FIREDRILL_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000_000);
    many_events(events, 1 << 20);
}

#[test]
fn a_journal_of_very_many_events_is_read_in_bounded_memory() {
    many_events(30_000, 1 << 19);
}

fn many_events(count: usize, most_kb: u64) {
    use std::io::Write;
    let (_dir, folder) = run_with(String::into_bytes);
    let lines = fs::read_to_string(folder.join("journal.jsonl")).unwrap().lines().count();
    let file = fs::OpenOptions::new().append(true).open(folder.join("journal.jsonl")).unwrap();
    let mut to = std::io::BufWriter::new(file);
    for seq in lines..lines + count {
        let kind = if seq % 2 == 0 { "engine_back" } else { "gate_passed" };
        writeln!(to, "{{\"seq\":{seq},\"at\":{},\"kind\":\"{kind}\"}}", 43_000_000_000u64 + seq as u64).unwrap();
    }
    drop(to);
    let started = std::time::Instant::now();
    let mut child = Command::new(FIREDRILL).arg("review").arg(&folder).arg("-q").spawn().unwrap();
    let mut peak_kb = 0;
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let field = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kb = field.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0).max(peak_kb);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::yield_now();
    };
    println!("{count} events: {:?}, {peak_kb} kB at most", started.elapsed());
    assert!(status.success() && peak_kb < most_kb, "{status}, {peak_kb} kB");
    assert!(fs::metadata(folder.join("review.html")).unwrap().len() < 64 << 20);
}

/// What was sent before the journal stops is told, cited, and told alike in every place.
#[test]
fn a_journal_that_stops_before_the_gate_still_tells_what_was_sent() {
    for lines in [12, 40] {
        let cut = |text: String| text.lines().take(lines).map(|line| format!("{line}\n")).collect::<String>().into();
        let (_dir, folder) = run_with(cut);
        let run = |words: &[&str]| Command::new(FIREDRILL).args(words).arg(&folder).output().unwrap();
        assert!(run(&["review"]).status.success());
        let review = fs::read_to_string(folder.join("review.md")).unwrap();
        assert!(!review.contains("No probe was watching") && !review.contains("N = 0 requests"), "{review}");
        assert!(review.contains(" requests of checkout, before any phase was judged; "), "{review}");
        assert!(review.contains("| | before any phase was judged [e"), "{review}");
        assert!(run(&["verify"]).status.success(), "its own figures are found again");
        let file = folder.join("review.md");
        let lint = Command::new(FIREDRILL).args(["lint", "--fail-on", "suggestion"]).arg(file).output().unwrap();
        assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    }
}
