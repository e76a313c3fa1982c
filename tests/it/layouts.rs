//! A review in another layout: those that come with firedrill, and templates of one's own.

use crate::edits::Run;
use firedrill::review::{custom, lint, model::Review};
use std::{fs, process::Command};

#[test]
fn a_review_is_set_in_other_layouts_with_what_people_wrote() {
    let run = Run::new();
    run.replace("review.md", "\nAnswer:\n", "\nAnswer: One error & <b>none</b> since.\n");
    let before = run.all();
    let google = run.does("review", &["--template", "google"], 0);
    assert!(google.contains("## Contributing factors") && google.contains("One error & &lt;b>none"), "{google}");
    assert!(run.does("review", &["--template", "short"], 0).len() < google.len() / 2);
    let page = run.folder.join("page.xml");
    run.does("review", &["--template", "confluence", "-o", page.to_str().unwrap()], 0);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<ac:structured-macro") && page.contains("One error &amp; &lt;b&gt;none"), "{page}");
    assert_eq!(page.matches("<td>").count(), page.matches("</td>").count());
    assert!(run.all() == before, "the folder is left alone");
    for layout in [&google, &run.does("review", &["--template", "short"], 0)] {
        let grave = lint::lint(layout, &lint::Options::default()).into_iter().filter(|f| f.level == lint::Level::Error);
        let told: Vec<_> = grave.map(|f| format!("{}:{} {}", f.line, f.rule, f.found)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}

#[test]
fn a_template_of_ones_own_is_escaped_and_its_mistakes_are_named() {
    let run = Run::new();
    let with = |name: &str, text: &str, code| {
        let path = run.folder.parent().unwrap().join(name);
        fs::write(&path, text).unwrap();
        run.does("review", &["--template", path.to_str().unwrap()], code)
    };
    assert_eq!(with("a.md", "{{ banner.word }} {{ \"<b>*x*\" }}\n", 0), "HELD &lt;b>\\*x\\*\n");
    assert_eq!(with("a.html", "{{ \"<b>*x*\" }}\n", 0), "&lt;b&gt;*x*\n");
    assert_eq!(with("a.txt", "{{ \"<b>\\x1b\" }}{{ prompts|length }}\n", 0).lines().count(), 1);
    for (text, says) in [
        ("x\n{{ nothing.there }}\n", "bad.md:2: undefined value"),
        ("x\n\n{% if %}\n", "bad.md:3: syntax error"),
        ("{% include \"/etc/passwd\" %}", "a template can read no files"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "does a loop not end?"),
        ("{{ title|nonsense }}", "bad.md:1: unknown filter"),
    ] {
        let said = with("bad.md", text, 2);
        assert!(said.contains(says), "{said}");
    }
    assert!(
        run.does("review", &["--template", "gogle"], 2).contains("those that come with firedrill are google, short")
    );
}

#[test]
fn a_template_that_wants_much_memory_ends_before_it_has_it() {
    let run = Run::new();
    let grow = "{% set ns = namespace(x='0123456789') %}{% for i in range(60) %}STEP{% endfor %}{{ ns.x|length }}";
    for text in [
        grow.replace("STEP", "{% set ns.x = ns.x ~ ns.x %}"),
        grow.replace("STEP", "{% set ns.x = ns.x * 100 %}"),
        grow.replace("STEP", "{% set ns.x = ns.x|replace('0', ns.x) %}"),
        grow.replace("STEP", "{% set ns.x = [ns.x, ns.x]|join(ns.x) %}"),
        grow.replace("STEP", "{% set ns.x = [ns.x, ns.x]|tojson %}"),
        grow.replace("STEP", "{% set ns.x = ns.x|code ~ ns.x|block %}"),
        grow.replace("STEP", "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}"),
        grow.replace("'0123456789'", "[1]").replace("STEP", "{% set ns.x = (ns.x + ns.x)|list %}"),
        "{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(99) }}".into(),
        "{% for i in range(100000) %}{{ '0123456789' * 100000 }}{% endfor %}".into(),
        "{{ '%1000000000d'|format(1) }}".into(),
        "{{ 'x'|indent(1000000000) ~ ('x\n' * 1000)|indent(1000000000) }}".into(),
    ] {
        let path = run.folder.parent().unwrap().join("huge.md");
        fs::write(&path, &text).unwrap();
        let limited = format!(
            "ulimit -v 600000; exec {} review {} --template {}",
            env!("CARGO_BIN_EXE_firedrill"),
            run.folder.display(),
            path.display()
        );
        let done = Command::new("sh").args(["-c", &limited]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains("huge.md:1: "), "{text}: {said}");
    }
}

#[test]
fn what_a_template_sees_fits_the_schema_that_is_kept() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/src/review/context.schema.json");
    let schema = custom::context_schema();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|v| v == "always") {
        fs::write(kept, &schema).unwrap();
    }
    assert!(fs::read_to_string(kept).unwrap() == schema, "{kept} is not what the code says; INSTA_UPDATE=always");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for (name, findings) in crate::sample::all() {
        let seen = serde_json::to_value(Review::of(&findings)).unwrap();
        crate::review::fits(&seen, &schema, &schema, name);
    }
}

#[test]
fn another_layout_is_written_over_nothing_of_the_run() {
    let run = Run::new();
    run.replace("review.md", "\nAnswer:\n", "\nAnswer: One error.\n");
    let before = run.all();
    std::os::unix::fs::symlink(run.folder.join("review.md"), run.folder.join("link.md")).unwrap();
    for own in ["review.md", "review.base.md", "link.md", "journal.jsonl", "followup.md", "../run/logs/x.md"] {
        let to = run.folder.join(own);
        let told = run.does("review", &["--template", "short", "-o", to.to_str().unwrap()], 2);
        assert!(told.contains(own) && told.contains("is a file of the run itself"), "{told}");
    }
    assert!(run.all() == before && !run.folder.join("followup.md").exists());
    for _ in 0..2 {
        run.does("review", &["--template", "short", "-o", run.folder.join("page.md").to_str().unwrap()], 0);
    }
}
