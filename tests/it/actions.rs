//! Action items over all reviews: listed, decided, sent to a tracker, and closed by a drill.

use crate::{
    drill::{Drill, FIREDRILL, Over},
    sample,
};
use firedrill::review::{
    action::{self, ActionItem, State, Verify},
    texts,
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::JoinHandle,
};
use tempfile::TempDir;

const TOKEN: &str = "ghp_never_to_be_seen_0123456789";

/// A folder of reports with one violated run in it.
struct Reports {
    folder: TempDir,
}

impl Reports {
    fn new() -> Reports {
        let reports = Reports { folder: tempfile::tempdir().unwrap() };
        let run = reports.folder.path().join("20260301T100000Z-cache-loss-7f3a");
        fs::create_dir(&run).unwrap();
        for (name, text) in texts(&sample::violated()) {
            fs::write(run.join(name), text).unwrap();
        }
        reports
    }

    fn review(&self) -> PathBuf {
        self.folder.path().join("20260301T100000Z-cache-loss-7f3a/review.md")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.review()).unwrap()
    }

    fn items(&self) -> Vec<ActionItem> {
        action::read(&self.text()).0
    }

    fn item(&self, id: &str) -> ActionItem {
        self.items().into_iter().find(|item| item.id == id).unwrap()
    }

    fn actions(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(FIREDRILL);
        command.arg("actions").args(arguments).arg("--reports").arg(self.folder.path()).env("NO_COLOR", "1");
        command.env_remove("FIREDRILL_GITHUB_TOKEN").env("NO_PROXY", "*");
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        told(self.actions(arguments).output().unwrap())
    }
}

fn told(done: Output) -> (i32, String) {
    (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
}

#[test]
fn what_people_wrote_in_reviews_is_listed() {
    let reports = Reports::new();
    let first = reports.items().remove(0);
    let edited = reports.text().replacen("- Owner: unassigned", "*  **owner**:  Ada", 1);
    let edited = edited.replacen("- State: proposed", "- State: In_Progress by Ada", 1);
    let broken = edited.rfind("- Due: ").unwrap();
    let line = edited[..broken].lines().count() + 1;
    let end = broken + edited[broken..].find('\n').unwrap();
    fs::write(reports.review(), format!("{}- Due: some day{}", &edited[..broken], &edited[end..])).unwrap();
    let (code, text) = reports.run(&["--owner", "ada", "--overdue", "--today", "2027-01-01"]);
    assert!(code == 0 && text.contains(&first.id) && text.contains("in progress by Ada") && text.contains("OVERDUE"));
    assert!(text.contains(&format!("review.md line {line}, A-")) && text.contains("`some day` is not a day"), "{text}");
    let (_, json) = reports.run(&["--open", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["actions"].as_array().unwrap().len(), reports.items().len(), "the broken one is listed too");
    let (_, csv) = reports.run(&["--csv", "--quiet"]);
    assert_eq!(csv.lines().count(), reports.items().len() + 1);
    assert!(csv.starts_with("id,title,state,by,") && csv.contains(&first.id), "{csv}");
    assert!(reports.run(&["--owner", "nobody-else"]).1.contains("no action item of"));
}

#[test]
fn a_decision_changes_its_own_lines_only() {
    let reports = Reports::new();
    let before = reports.text();
    let id = reports.items()[0].id.clone();
    let arguments = ["accept", &id, "--owner", "payments-sre", "--by", "ana", "--today", "2026-03-05"];
    assert_eq!(reports.run(&arguments).0, 0);
    let item = reports.item(&id);
    assert_eq!((item.state_words().as_str(), item.owner.as_deref()), ("accepted by ana", Some("payments-sre")));
    assert_eq!(item.history.last().unwrap().what, "accepted by ana");
    let after = reports.text();
    let changed: Vec<(&str, &str)> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
    assert!(changed.len() == 3 && before.lines().count() == after.lines().count(), "{changed:?}");
    let (code, text) = reports.run(&["decline", &id]);
    assert!(code == 2 && text.contains("declined with a reason only"), "{text}");
    assert_eq!(reports.run(&["decline", &id, "--reason", "it goes | away", "--by", "ana"]).0, 0);
    assert_eq!(reports.item(&id).reason.as_deref(), Some("it goes | away"));
    let (code, text) = reports.run(&["done", "A-00000000"]);
    assert!(code == 2 && text.contains("no review has an action item A-00000000"), "{text}");
}

#[test]
fn machines_are_answered_in_json() {
    let reports = Reports::new();
    let id = reports.items()[0].id.clone();
    let (code, said) = reports.run(&["accept", &id, "--owner", "ana", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["id"], &said["state"]), (0, &id.into(), &"accepted".into()), "{said}");
    let mut command = Command::new(FIREDRILL);
    command.args(["history", "--site", "--json", "--reports"]).arg(reports.folder.path());
    let site: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert!(site["site"].as_str().unwrap().ends_with("index.html"), "{site}");
}

#[test]
fn of_what_is_due_one_item_that_cannot_be_asked_keeps_no_other_from_it() {
    let reports = Reports::new();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/demo.yaml");
    let mut text = reports.text();
    let items = reports.items();
    for (item, scenario) in items.iter().zip(["nowhere.yaml", here]) {
        let verify = Verify::Scenario { scenario: scenario.into(), criterion: "recovery: web errors <= 1%".into() };
        let done = ActionItem { state: State::Done, by: Some("ana".into()), verify, ..item.clone() };
        text = done.put_into(&text).unwrap();
    }
    fs::write(reports.review(), text).unwrap();
    let mut command = Command::new(FIREDRILL);
    command.args(["followup", "--due", "--dry-run", "--reports"]).arg(reports.folder.path()).env("NO_COLOR", "1");
    let (code, said) = told(command.output().unwrap());
    assert!(code == 2 && said.contains(&format!("{} is verified by nowhere.yaml", items[0].id)), "{said}");
    assert!(said.contains(&format!("would run {here}")) && said.contains(&items[1].id), "{said}");
}

#[test]
fn names_and_reasons_are_words_on_one_line() {
    let reports = Reports::new();
    let before = reports.text();
    let id = reports.items()[0].id.clone();
    for (option, value) in
        [("--by", ""), ("--by", " "), ("--by", "a; b"), ("--owner", ""), ("--owner", "a\nb"), ("--reason", " ")]
    {
        let (code, told) = reports.run(&["start", &id, option, value]);
        assert!(code == 2 && told.contains(option), "{option} {value:?}: {told}");
    }
    assert!(reports.text() == before);
    let started = reports.actions(&["start", &id]).env("USER", " ").env("LOGNAME", "ana").output().unwrap();
    assert_eq!((told(started).0, reports.item(&id).state_words().as_str()), (0, "in progress by ana"));
}

#[test]
fn a_review_keeps_its_line_endings() {
    let reports = Reports::new();
    let id = reports.items()[0].id.clone();
    fs::write(reports.review(), reports.text().replace('\n', "\r\n")).unwrap();
    assert_eq!(reports.run(&["decline", &id, "--reason", "it goes", "--by", "ana"]).0, 0);
    let text = reports.text();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_eq!(reports.item(&id).reason.as_deref(), Some("it goes"));
}

/// Answers one request, and gives back what it was sent.
fn tracker(status: &'static str, answer: String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            head.push_str(&line);
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len())
            .unwrap();
        head + &String::from_utf8(body).unwrap()
    };
    (address, std::thread::spawn(serve))
}

/// Every byte of every file below.
fn everything(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { everything(&path) } else { fs::read(path).unwrap() }).collect()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn an_item_becomes_an_issue_and_its_address_comes_back() {
    let reports = Reports::new();
    let id = reports.items()[0].id.clone();
    let (_, printed) = reports.run(&["export", &id, "--to", "github"]);
    assert!(printed.contains("**Done when.**") && printed.contains(&id), "{printed}");
    let ticket = "https://github.com/shop/checkout/issues/12";
    let (address, server) = tracker("201 Created", format!("{{\"html_url\": \"{ticket}\"}}"));
    let send = ["export", &id, "--to", "github", "--repo", "shop/checkout", "--send"];
    let done = told(
        reports
            .actions(&send)
            .env("FIREDRILL_GITHUB_TOKEN", TOKEN)
            .env("FIREDRILL_GITHUB_URL", &address)
            .output()
            .unwrap(),
    );
    let sent = server.join().unwrap();
    assert!(done.0 == 0 && done.1.contains(ticket), "{done:?}");
    assert!(sent.starts_with("POST /repos/shop/checkout/issues HTTP/1.1\r\n"), "{sent}");
    assert!(
        sent.contains(&format!("authorization: Bearer {TOKEN}")) && sent.contains("\"labels\":[\"firedrill\""),
        "{sent}"
    );
    assert_eq!(reports.item(&id).ticket.as_deref(), Some(ticket));
    assert!(!holds(&everything(reports.folder.path()), TOKEN) && !done.1.contains(TOKEN));
    let (code, text) = reports.run(&send);
    assert!(code == 2 && text.contains("has a ticket already"), "{text}");
}

#[test]
fn jira_too_with_its_own_words() {
    let reports = Reports::new();
    let id = reports.items()[0].id.clone();
    let (address, server) = tracker("201 Created", "{\"id\": \"1\", \"key\": \"OPS-7\"}".into());
    let mut command = reports.actions(&["export", &id, "--to", "jira", "--project", "OPS", "--send", "--json"]);
    command.env("FIREDRILL_JIRA_TOKEN", TOKEN).env("FIREDRILL_JIRA_URL", format!("{address}/"));
    let done = told(command.env("FIREDRILL_JIRA_USER", "ana@example.org").output().unwrap());
    let sent = server.join().unwrap();
    assert!(done.0 == 0, "{done:?}");
    assert!(
        sent.starts_with("POST /rest/api/2/issue HTTP/1.1\r\n") && sent.contains("authorization: Basic "),
        "{sent}"
    );
    assert!(sent.contains("\"project\":{\"key\":\"OPS\"}") && sent.contains("\"duedate\":"), "{sent}");
    assert_eq!(reports.item(&id).ticket, Some(format!("{address}/browse/OPS-7")));
}

#[test]
fn a_refusal_shows_no_token_and_changes_nothing() {
    let reports = Reports::new();
    let before = reports.text();
    let id = reports.items()[0].id.clone();
    let send = ["export", &id, "--to", "github", "--repo", "shop/checkout", "--send"];
    let with = |address: &str, token: Option<&str>, arguments: &[&str]| {
        let mut command = reports.actions(arguments);
        command.env("FIREDRILL_GITHUB_URL", address);
        token.map(|token| command.env("FIREDRILL_GITHUB_TOKEN", token));
        told(command.output().unwrap())
    };
    let (address, server) = tracker("401 Unauthorized", format!("bad \u{1b}[31m credentials {TOKEN}"));
    let refused = with(&address, Some(TOKEN), &send);
    server.join().unwrap();
    assert!(refused.1.contains("answered 401: bad") && refused.1.contains("credentials ***"), "{refused:?}");
    let (address, server) = tracker("302 Found\r\nlocation: http://127.0.0.1:9/", String::new());
    let moved = with(&address, Some(TOKEN), &send);
    server.join().unwrap();
    assert!(moved.1.contains("answered 302"), "{moved:?}");
    let (address, server) = tracker("201 Created", "{\"html_url\": \"javascript:alert(1)\"}".into());
    let odd = with(&address, Some(TOKEN), &send);
    server.join().unwrap();
    assert!(odd.1.contains("names no ticket"), "{odd:?}");
    let others = [
        with("http://127.0.0.1:9", None, &send),
        with("http://127.0.0.1:9", Some(TOKEN), &send),
        with("http://tracker.example.org", Some(TOKEN), &send),
        with("https://api.github.com", Some(TOKEN), &[&send[..5], &["../x", "--send"]].concat()),
    ];
    let wanted = ["no FIREDRILL_GITHUB_TOKEN", "cannot be reached", "for everybody to read", "is not a repository"];
    for (told, wanted) in others.iter().zip(wanted) {
        assert!(told.0 == 2 && told.1.contains(wanted), "{wanted}: {told:?}");
    }
    assert!([refused, moved, odd].iter().chain(&others).all(|told| !told.1.contains(TOKEN)));
    assert!(reports.text() == before && !holds(&everything(reports.folder.path()), TOKEN));
}

const BY_HAND: &str = "
### Keep the pages of web coming

- State: accepted by ana
- Due: 2026-01-01
- Verify: scenario `scenario.yaml`, criterion `recovery: web errors <= 50%`
";

#[test]
fn a_drill_closes_what_it_verifies_and_sends_back_what_it_does_not() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let drill =
        Over { name: "followed", at: "0s", timing: "warm_up: 200ms, baseline: 1s, recovery: 3s", ..Over::default() };
    let yaml = drill.fault(&web, "pause: { target: web }", "500ms");
    let ran = stage.run(&yaml, &[]);
    // A busy machine may leave it undecided; what rules find in it is the same.
    assert!(ran.code == 0 || ran.code == 6, "{}", ran.output);
    let review = ran.folder.clone().unwrap().join("review.md");
    let text = fs::read_to_string(&review).unwrap();
    let limit = action::read(&text).0.into_iter().find(|item| item.title.contains("memory limit")).expect(&text);
    let claimed = ActionItem { state: State::Done, by: Some("ana".into()), ..limit.clone() };
    let text =
        claimed.put_into(&text).unwrap().replacen("## Action items\n", &format!("## Action items\n{BY_HAND}"), 1);
    fs::write(&review, &text).unwrap();
    let follow = |arguments: &[&str]| {
        let mut command = Command::new(FIREDRILL);
        command.arg("followup").args(arguments).arg("--reports").arg(stage.reports()).env("NO_COLOR", "1");
        told(command.output().unwrap())
    };
    let site = Command::new(FIREDRILL).args(["history", "--site", "--reports"]).arg(stage.reports()).output().unwrap();
    assert!(site.status.success());
    let (code, dry) = follow(&["--due", "--dry-run"]);
    assert!(code == 0 && dry.contains("would run") && dry.contains("recovery: web errors <= 50%"), "{dry}");
    assert_eq!(fs::read_to_string(&review).unwrap(), text, "a dry run writes nothing");
    let (code, told) = (0..3)
        .map(|_| follow(&["--due"]))
        .find(|(_, told)| !told.contains("which decides nothing"))
        .expect("one of three runs is decided");
    let (items, troubles) = action::read(&fs::read_to_string(&review).unwrap());
    assert!(code == 1 && troubles.is_empty(), "{told}");
    let state = |title: &str| items.iter().find(|item| item.title.contains(title)).unwrap().state_words();
    let runs: Vec<PathBuf> = fs::read_dir(stage.reports()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let new = runs.iter().filter(|run| run.join("followup.md").is_file()).max().expect(&told);
    let id = new.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        (state("Keep the pages"), state("memory limit")),
        (format!("verified by {id}"), format!("regressed by {id}"))
    );
    let page = fs::read_to_string(stage.reports().join("index.html")).unwrap();
    assert!(page.contains(id) && page.contains("regressed by"), "the page over all runs is brought up to date");
    let open =
        Command::new(FIREDRILL).args(["review", "--open-prompts"]).arg(review.parent().unwrap()).output().unwrap();
    let open = String::from_utf8(open.stdout).unwrap();
    assert!(open.contains("unanswered") && !open.contains("is verified by"), "the record of the run is found: {open}");
    let followup = fs::read_to_string(new.join("followup.md")).unwrap();
    assert!(followup.contains("Of 2 action items: 1 verified, 0 not yet, 1 regressed, 0 undecided."), "{followup}");
    let options = firedrill::review::lint::Options { people: vec![], on: vec![], outage: None };
    assert_eq!(firedrill::review::lint::lint(&followup, &options), [], "{followup}");
    stage.docker(&["stop", "-t", "0", &web.id.id]);
    let (code, told) = follow(&[&limit.id]);
    assert!(code == 3 && told.contains("undecided"), "{code}: {told}");
    assert!(action::read(&fs::read_to_string(&review).unwrap()).0 == items, "a run that tells nothing changes nothing");
}
