//! People edit reviews: what they write stays, is shown as theirs, and is signed only when nothing waits.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The evidence of the sample run in a folder of its own, with a review of today.
pub struct Run {
    _dir: tempfile::TempDir,
    pub folder: PathBuf,
}

impl Run {
    pub fn new() -> Run {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample/run");
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("run");
        fs::create_dir_all(folder.join("logs")).unwrap();
        for name in ["journal.jsonl", "requests.bin", "scenario.yaml", "plan.json"] {
            fs::copy(sample.join(name), folder.join(name)).unwrap();
        }
        for log in fs::read_dir(sample.join("logs")).unwrap().flatten() {
            fs::copy(log.path(), folder.join("logs").join(log.file_name())).unwrap();
        }
        let run = Run { _dir: dir, folder };
        run.does("review", &[], 0);
        run
    }

    pub fn does(&self, verb: &str, more: &[&str], code: i32) -> String {
        let Output { status, stdout, stderr } =
            Command::new(env!("CARGO_BIN_EXE_firedrill")).arg(verb).arg(&self.folder).args(more).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(code), "{verb} {more:?}: {said}");
        said
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }

    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from}: {text}");
        fs::write(self.folder.join(name), text.replacen(from, to, 1)).unwrap();
    }

    pub fn all(&self) -> Vec<String> {
        ["result.json", "junit.xml", "review.md", "review.base.md", "review.html"].map(|name| self.read(name)).to_vec()
    }

    /// Answers every question, and declines every action item.
    fn answer(&self) {
        let text = self.read("review.md").replace("\nAnswer:\n", "\nAnswer: The front showed one error, then none.\n");
        let declined = text.replace("- State: proposed", "- State: declined\n- Reason: it is a sample");
        fs::write(self.folder.join("review.md"), declined).unwrap();
    }
}

#[test]
fn without_edits_the_same_bytes_are_written_again() {
    let run = Run::new();
    let before = run.all();
    run.does("review", &[], 0);
    assert!(run.all() == before);
    assert_eq!(run.read("review.md"), run.read("review.base.md"));
    assert!(run.does("verify", &[], 0).contains("nothing differs"));
}

#[test]
fn what_people_wrote_stays_and_is_shown_as_theirs_and_harmless() {
    let run = Run::new();
    let machine = run.read("result.json");
    run.replace("review.md", "\nAnswer:\n", "\nAnswer: The **front** showed one error.\n");
    let ours = "## What we learned\n\nThe replica was back soon. <script>alert(1)</script> [x](javascript:alert(2))\n\n## Timeline";
    run.replace("review.md", "## Timeline", ours);
    run.replace("review.md", "**How it ended.**", "**How it went on.**");
    let edited = run.read("review.md");
    run.does("review", &[], 0);
    assert_eq!(run.read("review.md"), edited);
    assert_eq!(run.read("result.json"), machine);
    let page = run.read("review.html");
    assert!(page.contains("<strong>front</strong> showed one error"), "the answer");
    assert!(page.contains("Written by people") && page.contains("</span> What we learned"), "the section");
    assert!(
        page.contains("&lt;script&gt;alert(1)") && !page.contains("<script") && !page.contains("href=\"javascript")
    );
    assert!(page.contains("<del>**How it ended.**"), "what it replaces");
    let once = run.all();
    run.does("review", &[], 0);
    assert!(run.all() == once, "again, and nothing changes");
    run.does("verify", &[], 0);
}

/// What a review says of itself, changed by hand, and what is told of it.
const FORGED: [(&str, &str, &str); 8] = [
    ("\n**HELD**\n", "\n**VIOLATED**\n", "generated as `HELD`, `VIOLATED` here"),
    ("hypothesis: \"held\"", "hypothesis: \"violated\"", "generated as `held`, `violated` here"),
    ("from 22.2ms to 209ms", "from 209ms to 22.2ms", "`209ms`, `22.2ms` here"),
    ("| **met** |", "| **not met** |", "generated as `met`, `not met` here"),
    (
        "Checkout: 1 of 6,477 (0.015%) requests failed",
        "Checkout: none of 6,477 requests failed",
        "generated as `1`, `6,477`, `0.015%`",
    ),
    ("The image of api is named by a tag", "99% lost; the image of api is named by a tag", "`99%` here"),
    (
        "| during | checkout failed in all | <= 20 |",
        "| during | checkout failed in all | >= 20 |",
        "generated as `<=`, `>=` here",
    ),
    ("[e0]: #e0\n", "[e0]: #e0\n\n**Checkout recovered** at t+9.0s.\n", ""),
];

#[test]
fn verify_tells_what_was_forged_and_lets_people_write() {
    let run = Run::new();
    let draft = run.read("review.md");
    for (from, to, says) in FORGED {
        run.replace("review.md", from, to);
        let code = i32::from(!says.is_empty());
        let said = run.does("verify", &[], code);
        assert!(says.is_empty() || said.contains("differs: review.md:") && said.contains(says), "{from}: {said}");
        fs::write(run.folder.join("review.md"), &draft).unwrap();
    }
    let sentence = draft.lines().find(|line| line.starts_with("**What users of the probe saw.**")).unwrap();
    run.replace("review.md", sentence, "None of 6,477 users saw anything slower than 20ms.");
    assert!(run.does("verify", &[], 1).contains("`6,477`, `20ms` here"));
    fs::write(run.folder.join("review.md"), &draft).unwrap();
    let row = draft.lines().find(|line| line.starts_with("| Requests failed |")).unwrap();
    run.replace("review.md", &format!("{row}\n"), "");
    assert!(run.does("verify", &[], 1).contains(&format!("a line is gone; generated as `{row}`")));
    fs::write(run.folder.join("review.md"), &draft).unwrap();
    run.answer();
    run.replace("review.md", "requests failed (promised", "of the requests went wrong (promised");
    run.replace("review.md", "owner: \"shop-team\"\ndue: 2026-11-27", "owner: ana\ndue: 2026-12-24");
    run.replace("review.md", "## Timeline", "## What we saw\n\nThe pager rang 3 times in 90s.\n\n## Timeline");
    let text = run.read("review.md");
    let lessons = &text[text.find("## What went well").unwrap()..text.find("## Action items").unwrap()];
    run.replace("review.md", lessons, "");
    assert!(run.does("verify", &[], 0).contains("nothing differs"));
    fs::write(run.folder.join("result.json"), "{}").unwrap();
    let said = run.does("verify", &[], 1);
    assert!(said.contains("no digests of files") && said.contains("verdict: missing, the run folder gives"), "{said}");
}

#[test]
fn a_conflict_is_shown_named_and_never_resolved_silently() {
    let run = Run::new();
    // As if an earlier firedrill had written another sentence, and somebody had edited that.
    run.replace("review.base.md", "**How it ended.** Checkout", "**How it ended.** Earlier");
    run.replace("review.md", "**How it ended.** Checkout", "**How it ended.** Luckily, checkout");
    let said = run.does("review", &[], 1);
    assert!(said.contains("review.md:") && said.contains("conflict under `"), "{said}");
    let text = run.read("review.md");
    for part in
        ["<<<<<<< written by people\n**How it ended.** Luckily", ">>>>>>> generated now\n", "**How it ended.** Earlier"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    run.does("review", &[], 1);
    assert_eq!(run.read("review.md"), text, "it stays until somebody resolves it");
    assert!(run.does("review", &["--open-prompts"], 0).contains("a conflict under"));
}

#[test]
fn a_review_without_its_base_is_left_as_it_is() {
    let run = Run::new();
    run.replace("review.md", "**How it ended.**", "**How it went on.**");
    let edited = run.read("review.md");
    fs::remove_file(run.folder.join("review.base.md")).unwrap();
    let said = run.does("review", &[], 0);
    assert!(said.contains("review.base.md was missing"), "{said}");
    assert_eq!(run.read("review.md"), edited);
    assert!(!run.does("review", &[], 0).contains("missing"), "it is there again");
}

#[test]
fn a_review_is_signed_only_when_nothing_waits() {
    let run = Run::new();
    let open = run.does("review", &["--open-prompts"], 0);
    assert!(open.contains("Detection is unanswered") && open.contains("draft; owner shop-team; due "), "{open}");
    let json: serde_json::Value = serde_json::from_str(&run.does("review", &["--open-prompts", "--json"], 0)).unwrap();
    assert!(json["prompts"][0]["line"].as_u64().unwrap() > 20, "{json}");
    let skip = run.does("review", &["--status", "reviewed", "--by", "Ada"], 2);
    assert!(skip.contains("the next step is in-review"), "{skip}");
    run.does("review", &["--status", "in-review", "--by", "Ada"], 0);
    assert!(run.read("review.md").contains("status: in-review\n") && run.read("review.html").contains("IN REVIEW"));
    let refused = run.does("review", &["--status", "reviewed", "--by", "Ada"], 1);
    assert!(refused.contains("is unanswered") && refused.contains("the review stays in-review"), "{refused}");
    run.answer();
    run.replace("review.md", "then none.", "then none. Human error!");
    let refused = run.does("review", &["--status", "reviewed", "--by", "Ada"], 1);
    assert!(refused.contains("human-error") && !refused.contains("unanswered"), "{refused}");
    run.replace("review.md", " Human error!", "");
    run.does("review", &["--status", "reviewed", "--by", "Ada \"the\" {{ 7 * 7 }}"], 0);
    assert!(run.read("review.html").contains("REVIEWED by Ada &quot;the&quot; {{ 7 * 7 }} on "));
    run.does("review", &["--status", "closed", "--by", "Bob"], 0);
    run.does("review", &["--status", "in-review", "--by", "Bob"], 0);
    assert_eq!(run.read("review.md").lines().filter(|line| line.starts_with("status")).count(), 2);
    run.does("verify", &[], 0);
}

#[test]
fn a_status_that_is_none_is_refused_and_nothing_is_written() {
    let run = Run::new();
    run.replace("review.md", "status: draft", "status: finished");
    let before = run.all();
    let said = run.does("review", &[], 2);
    assert!(said.contains("review.md:3: the status `finished` is none of draft"), "{said}");
    assert!(run.all() == before);
    fs::write(run.folder.join("review.md"), [0xff, 0xfe]).unwrap();
    assert!(run.does("review", &[], 2).contains("is not UTF-8 text"));
}

#[test]
fn a_figure_that_was_edited_is_found_on_the_command_line() {
    let run = Run::new();
    run.replace("review.md", "| Time to recover | **1.33s** |", "| Time to recover | **0.33s** |");
    let said = run.does("verify", &[], 1);
    assert!(said.contains("generated as `1.33s`, `0.33s` here"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&run.does("verify", &["--json"], 1)).unwrap();
    assert_eq!(json["differs"][0]["file"], "review.md");
    let near = run.does("explain", &["time-to-recovr/checkout"], 2);
    assert!(near.contains("did you mean time-to-recover/checkout"), "{near}");
    let text = run.does("explain", &["time-to-recover/checkout"], 0);
    assert!(text.contains("formula     tr - ti0") && text.contains("requests.bin, probe 0"), "{text}");
}

/// What stands in the way of signing, and that it does.
fn refused(run: &Run, to: &str) -> String {
    let told = run.does("review", &["--status", to, "--by", "Ada"], 1);
    assert!(told.contains("the review stays"), "{told}");
    told
}

#[test]
fn a_block_of_code_hides_no_action_item() {
    for code in ["```\n~~~\n```", "```\n```text\n```", "````\n```\n````", "- ```\n  # x\n  ```"] {
        let run = Run::new();
        run.replace("review.md", "\nAnswer:\n", &format!("\nAnswer: The log said:\n\n{code}\n"));
        run.does("review", &[], 0);
        run.does("review", &["--status", "in-review", "--by", "Ada"], 0);
        run.replace("review.md", "- State: proposed", "- State: declined");
        assert!(refused(&run, "reviewed").contains("is declined without a reason"), "{code}");
        run.answer();
        let listed = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .args(["actions", "--reports"])
            .arg(run.folder.parent().unwrap())
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.matches("declined").count(), 2, "{code}: {listed}");
    }
}

#[test]
fn an_action_item_that_was_taken_out_or_hidden_is_named() {
    let run = Run::new();
    run.answer();
    run.replace("review.md", "\n### A-", "\n```\n### A-");
    run.does("review", &["--status", "in-review", "--by", "Ada"], 0);
    for told in [run.does("review", &["--open-prompts"], 0), refused(&run, "reviewed")] {
        assert_eq!(told.matches("was taken out; decline it with a reason instead").count(), 2, "{told}");
        assert!(told.contains("code block: nothing closes it"), "{told}");
    }
    run.replace("review.md", "\n```\n### A-", "\n### A-");
    run.does("review", &["--status", "reviewed", "--by", "Ada"], 0);
    let text = run.read("review.md");
    let item = text.find("### A-").unwrap();
    let next = item + 1 + text[item + 1..].find("### A-").unwrap();
    fs::write(run.folder.join("review.md"), format!("{}{}", &text[..item], &text[next..])).unwrap();
    assert!(refused(&run, "closed").contains(&format!("action item {} was taken out", &text[item + 4..item + 14])));
}

#[test]
fn a_state_takes_what_it_claims() {
    let run = Run::new();
    run.answer();
    run.does("review", &["--status", "in-review", "--by", "Ada"], 0);
    run.replace("review.md", "- State: declined\n- Reason: it is a sample", "- State: verified by Bob");
    assert!(refused(&run, "reviewed").contains("is verified by Bob, but no run is named that verified it"));
    let other = "20261123T100000Z-demo-0000";
    run.replace("review.md", "verified by Bob", &format!("verified by {other}"));
    assert!(refused(&run, "reviewed").contains("there is no run 20261123T100000Z-demo-0000"));
    let folder = run.folder.parent().unwrap().join(other);
    fs::create_dir(&folder).unwrap();
    assert!(refused(&run, "reviewed").contains("followup.md"));
    let text = run.read("review.md");
    let id = &text[text.find("### A-").unwrap() + 4..][..10];
    fs::write(folder.join("followup.md"), format!("| {id} | x | done | **verified** | met | `r` |\n")).unwrap();
    run.does("review", &["--status", "reviewed", "--by", "Ada"], 0);
    // Without the line that names the scenario it is still a drill's to verify.
    run.replace("review.md", &format!("- State: verified by {other}"), "- State: done by Bob");
    let from = run.read("review.md").lines().find(|line| line.starts_with("- Verify: ")).unwrap().to_owned();
    run.replace("review.md", &format!("{from}\n"), "");
    assert!(refused(&run, "closed").contains("is done by Bob; a drill has to verify it"));
    run.replace("review.md", "- State: done by Bob", &format!("- State: verified by {other}"));
    run.does("review", &["--status", "closed", "--by", "Ada"], 0);
}

#[test]
fn any_line_of_a_conflict_that_is_left_is_a_conflict() {
    let run = Run::new();
    run.replace("review.base.md", "**How it ended.** Checkout", "**How it ended.** Earlier");
    run.replace("review.md", "**How it ended.** Checkout", "**How it ended.** Luckily, checkout");
    run.does("review", &[], 1);
    for mark in ["<<<<<<< written by people\n", "||||||| generated before\n", "=======\n"] {
        run.replace("review.md", mark, "");
        let told = run.does("review", &[], 1);
        assert_eq!(told.matches("conflict under").count(), 1, "{mark}: {told}");
    }
    run.replace("review.md", ">>>>>>> generated now\n", "");
    run.does("review", &[], 0);
}

#[test]
fn what_only_keeps_the_place_of_an_answer_is_none() {
    let run = Run::new();
    run.replace("review.md", "\nAnswer:\n", "\nAnswer: TODO\n");
    assert!(run.does("review", &["--open-prompts"], 0).contains("Detection is unanswered"));
}

#[test]
fn a_status_set_by_hand_is_remarked_on_until_it_is_borne_out() {
    let run = Run::new();
    run.replace("review.md", "status: draft", "status: closed");
    let told = run.does("review", &[], 0);
    assert!(told.contains("Detection is unanswered") && told.contains("the status is closed, and one thing"), "{told}");
    assert!(run.does("verify", &[], 0).contains("the status is closed, but Detection is unanswered"));
    run.answer();
    run.replace("review.md", "- State: declined", "- State: accepted by Ada");
    assert!(run.does("review", &["--open-prompts"], 0).contains("is accepted by Ada; a drill has to verify it"));
    run.replace("review.md", "- State: accepted by Ada", "- State: declined");
    assert!(!run.does("review", &[], 0).contains("the status is"));
}

#[test]
fn the_front_matter_is_edited_without_a_conflict() {
    for (from, to) in [
        ("owner: \"shop-team\"", "owner: Ada"),
        ("owner: \"shop-team\"", "owner: 'Ada'"),
        ("owner: \"shop-team\"", "owner: unassigned"),
        ("status: draft", "status: In review"),
        ("due: 2026-11-27", "due: \"2026-12-01\""),
        ("status: draft", "status: draft # until Monday"),
        ("due: 2026-11-27", "due: 2026-11-27\nreviewers:\n  - Ada"),
    ] {
        let run = Run::new();
        run.replace("review.md", from, to);
        run.does("review", &[], 0);
        let text = run.read("review.md");
        assert!(text.contains(to) && !text.contains("<<<<<<<"), "{to}: {text}");
        run.does("review", &[], 0);
        assert_eq!(run.read("review.md"), text, "{to}");
        let next = if to.contains("In review") { "draft" } else { "in-review" };
        run.does("review", &["--status", next, "--by", "Ada"], 0);
        assert!(run.read("review.md").contains(&format!("status: {next}")), "{to}");
    }
    let run = Run::new();
    run.replace("review.md", "verdict: \"HELD\"", "verdict: \"VIOLATED\"");
    run.does("review", &[], 0);
    assert!(run.read("review.md").contains("verdict: \"HELD\""), "what is generated stays generated");
}

#[test]
fn what_presses_is_decided_on_and_the_rest_may_stay_proposed() {
    let run = Run::new();
    run.replace("review.md", "\nAnswer:\n", "\nAnswer: One error, then none.\n");
    run.replace("review.md", "## Action items\n", "## Action items\n\n### Set a timeout of 2 s\n\n- Owner: ana\n");
    run.does("review", &["--status", "in-review", "--by", "Ada"], 0);
    let told = refused(&run, "reviewed");
    assert!(told.contains("is proposed; accept or decline it: Set a timeout") && told.contains("one thing"), "{told}");
    run.replace("review.md", "Set a timeout of 2 s", "Set a timeout");
    run.replace("review.md", "- Owner: ana", "- State: done by ana");
    assert!(refused(&run, "reviewed").contains("has no end state; add `- Done when: ...`"));
    run.replace("review.md", "- State: done by ana", "- State: done by ana\n- Done when: it ends after 2 s");
    run.does("review", &["--status", "reviewed", "--by", "Ada"], 0);
    run.does("review", &["--status", "closed", "--by", "Ada"], 0);
    assert_eq!(run.read("review.md").matches("- State: proposed").count(), 2, "hygiene is carried on");
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_named_with_what_to_do() {
    let run = Run::new();
    let half = run.folder.join(".review.md.new");
    fs::create_dir(&half).unwrap();
    let told = run.does("review", &["--status", "in-review", "--by", "Ada"], 2);
    assert!(told.contains("review.md cannot be written: ") && told.contains("has to be writable"), "{told}");
    fs::remove_dir(&half).unwrap();
    fs::remove_file(run.folder.join("review.md")).unwrap();
    fs::create_dir(run.folder.join("review.md")).unwrap();
    for arguments in [&["--template", "short"][..], &["--open-prompts"], &[]] {
        let told = run.does("review", arguments, 2);
        assert!(told.contains("review.md is no file") && told.contains("move it away"), "{told}");
    }
}

#[test]
fn whoever_signs_has_a_name() {
    let run = Run::new();
    for name in ["", "  ", "Ada\nstatus: closed", "Ada; Bob"] {
        run.does("review", &["--status", "in-review", "--by", name], 2);
    }
    assert!(run.read("review.md").contains("status: draft\n"));
}
