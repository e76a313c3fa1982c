//! History over a folder of reports, as it is typed.

use assert_cmd::Command;
use std::{fs, path::Path, sync::LazyLock, time::Instant};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run");

const SAMPLE_RESULT: &str = include_str!("../../reports/sample/run/result.json");
/// Its id, and when it was.
static SAMPLE_RUN: LazyLock<[String; 2]> = LazyLock::new(|| {
    let result: serde_json::Value = serde_json::from_str(SAMPLE_RESULT).unwrap();
    ["id", "started"].map(|key| result["run"][key].as_str().unwrap().to_owned())
});

fn firedrill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(arguments).env("NO_COLOR", "1");
    command
}

fn said(arguments: &[&str]) -> String {
    let done = firedrill(arguments).assert().success().get_output().clone();
    String::from_utf8(done.stdout).unwrap()
}

/// A run as the sample was, but of another moment.
fn copy(reports: &Path, number: usize, result: &str) {
    let (day, minute) = (1 + number / 1440, number % 1440);
    let started = format!("2026-03-{day:02}T{:02}:{:02}:00Z", minute / 60, minute % 60);
    let run = format!("202603{day:02}T{:02}{:02}00Z-demo-{number:04x}", minute / 60, minute % 60);
    let [id, moment] = &*SAMPLE_RUN;
    let text = result.replace(moment, &started).replace(id, &run);
    let folder = reports.join(run);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("result.json"), text).unwrap();
    fs::copy(Path::new(SAMPLE).join("review.md"), folder.join("review.md")).unwrap();
}

/// Measured here without optimising and on a machine that does other things: the bounds only notice a wrong order.
#[test]
fn a_thousand_runs_are_read_in_seconds_and_once() {
    let reports = tempfile::tempdir().unwrap();
    let result = SAMPLE_RESULT;
    (0..1_000).for_each(|number| copy(reports.path(), number, result));
    let began = Instant::now();
    let cold = firedrill::history::read(reports.path()).unwrap();
    let cold_took = began.elapsed();
    let began = Instant::now();
    let warm = firedrill::history::read(reports.path()).unwrap();
    let warm_took = began.elapsed();
    println!("1,000 runs: cold {cold_took:?}, warm {warm_took:?}");
    assert_eq!((cold.runs.len(), cold.read_anew, warm.read_anew), (1_000, 1_000, 0));
    assert!(cold.runs == warm.runs && cold.runs.iter().all(|past| past.troubles.is_empty()));
    assert!(cold_took.as_secs() < 60 && warm_took.as_secs() < 10, "cold {cold_took:?}, warm {warm_took:?}");
}

#[test]
fn every_run_has_a_line_and_what_is_wrong_with_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().to_str().unwrap();
    let result = SAMPLE_RESULT;
    copy(folder.path(), 0, result);
    for (name, text) in [
        ("20260302T100000Z-cut-0001", &result[..5_000]),
        ("20260302T110000Z-newer-0001", "{\"format\": 99}"),
        ("20260302T120000Z-tampered-0001", &result.replacen("\"code\": 0", "\"code\": 1", 1)),
    ] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("result.json"), text).unwrap();
    }
    let done = firedrill(&["history", "--reports", reports]).assert().success().get_output().clone();
    let (out, errors) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    let verdicts: Vec<&str> = out.lines().skip(1).map(|line| line.split_whitespace().nth(4).unwrap()).collect();
    assert_eq!(verdicts, ["UNREADABLE", "UNREADABLE", "UNREADABLE", "HELD"], "{out}");
    for told in ["is cut short at line", "has format 99", "the verdict HELD does not go with the code 1"] {
        assert!(errors.contains(told), "{told}: {errors}");
    }
    assert!(out.contains("1 of 6,477 (0.015%)") && out.contains("22.2ms to 209ms"), "{out}");
    let json = said(&["history", "--json", "--scenario", "demo", "--reports", reports]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["runs"].as_array().unwrap().len(), 1);
    assert_eq!(json["runs"][0]["summary"]["figures"]["offered"], 6477);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let done = firedrill(&["history", "--reports", "/nowhere/reports"]).assert().code(2).get_output().clone();
    let errors = String::from_utf8(done.stderr).unwrap();
    assert!(errors.contains("/nowhere/reports cannot be listed; name another one with --reports"), "{errors}");
}

/// The sample's run with its journal changed, in a folder of its own.
fn changed(reports: &Path, name: &str, change: impl Fn(String) -> String) {
    let folder = reports.join(name);
    fs::create_dir(&folder).unwrap();
    let journal = fs::read_to_string(Path::new(SAMPLE).join("journal.jsonl")).unwrap();
    fs::write(folder.join("journal.jsonl"), change(journal)).unwrap();
    fs::copy(Path::new(SAMPLE).join("requests.bin"), folder.join("requests.bin")).unwrap();
}

#[test]
fn two_runs_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "other", |journal| {
        journal.replace("\"scenario\":\"demo\"", "\"scenario\":\"cousin\"").replace("20.10.24+dfsg1", "29.1.0")
    });
    let reports = folder.path().to_str().unwrap();
    let text = said(&["compare", SAMPLE, "other", "--reports", reports]);
    assert!(text.contains("runs of different scenarios: only what bears the same name is compared"), "{text}");
    for line in ["scenario  demo            cousin", "engine    20.10.24+dfsg1  29.1.0"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("0 of 21 tested differences are beyond noise"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&said(&["compare", SAMPLE, SAMPLE, "--json"])).unwrap();
    assert_eq!((&json["same_scenario"], json["changes"].as_array().unwrap().len()), (&true.into(), 0));
}

#[test]
fn what_one_run_lacks_is_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "without", |journal| {
        let lines = journal.lines().filter(|line| !line.contains("baseline_judged"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    let text = said(&["compare", SAMPLE, folder.path().join("without").to_str().unwrap(), "--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let phases: Vec<&str> =
        json["tested"].as_array().unwrap().iter().map(|one| one["phase"].as_str().unwrap()).collect();
    assert!(phases.len() == 14 && !phases.contains(&"baseline"), "{phases:?}");
}

#[test]
fn what_is_no_run_cannot_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("journal.jsonl"), "not a journal\n").unwrap();
    for (run, told) in [
        ("nowhere", "there is no run nowhere, neither here nor in"),
        ("/tmp", "/tmp is not the folder of a run: it holds no journal.jsonl"),
        (folder.path().to_str().unwrap(), "cannot be compared"),
    ] {
        let done = firedrill(&["compare", SAMPLE, run]).assert().code(2).get_output().clone();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(errors.contains(told), "{errors}");
    }
}

/// The page over all runs of a shop that drills: two scenarios, every verdict, alerts, open items, and a day that comes
/// again.
pub fn site() -> String {
    let folder = tempfile::tempdir().unwrap();
    let result = SAMPLE_RESULT;
    let review = fs::read_to_string(Path::new(SAMPLE).join("review.md")).unwrap();
    (0..12).for_each(|number| put(folder.path(), number, result, &review));
    said(&["history", "--site", "--today", "2027-03-08", "--reports", folder.path().to_str().unwrap()]);
    fs::read_to_string(folder.path().join("index.html")).unwrap()
}

/// The sample's run as another one: of another day, with other figures and another end.
fn put(reports: &Path, number: usize, result: &str, review: &str) {
    let mut json: serde_json::Value = serde_json::from_str(result).unwrap();
    let (scenario, day) = ([("checkout-kill"), ("cache-loss")][number % 2], 1 + number);
    let run = format!("202603{day:02}T100000Z-{scenario}-{number:04x}");
    let (word, code) =
        [("HELD", 0), ("VIOLATED", 1), ("HELD, LOW MARGIN", 0), ("HELD", 0), ("STOPPED", 130)][number % 5];
    json["run"]["id"] = run.as_str().into();
    json["run"]["scenario"] = scenario.into();
    json["run"]["title"] =
        ["Checkout survives the loss of a replica", "Checkout survives the loss of its cache"][number % 2].into();
    json["run"]["owner"] = ["payments-sre", "platform"][number % 2].into();
    json["run"]["tags"] = vec![["replicas", "cache"][number % 2]].into();
    json["run"]["started"] = format!("2026-03-{day:02}T10:00:00Z").into();
    json["run"]["git"] = ["v1.0", "v1.1"][usize::from(number > 6)].into();
    json["verdict"]["word"] = word.into();
    json["verdict"]["code"] = code.into();
    json["verdict"]["low_margin"] = (word == "HELD, LOW MARGIN").into();
    for figure in json["figures"].as_array_mut().unwrap() {
        let size = (number * 7 % 5 + 1) as f64;
        match figure["kind"].as_str().unwrap() {
            "requests_failed" => figure["measured"]["value"] = (size * 40.0).into(),
            "time_to_recover" => {
                figure["measured"] = serde_json::json!({ "value": size * 0.6e9, "unit": "ns", "absent": null })
            }
            _ => {}
        }
    }
    json["faults"][0]["label"] = ["kill api (SIGKILL)", "pause cache"][number % 2].into();
    let alert = |alert: &str, outcome: &str| serde_json::json!({ "alert": alert, "outcome": outcome, "expected": 0, "evidence": [] });
    let rows = [
        vec![alert("CheckoutErrors", if number == 4 { "missing" } else { "fired" }), alert("CheckoutSlow", "late")],
        vec![alert("CacheDown", "missing")],
    ];
    json["alerts"] = serde_json::json!({ "source": "prometheus", "answers": 9, "gaps_ns": [], "clock_ns": null, "rows": rows[number % 2] });
    let folder = reports.join(&run);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("result.json"), json.to_string()).unwrap();
    // An id is its own in every review; somebody took up the second run's first item, and is late.
    let id = regex::Regex::new("### A-[0-9a-f]").unwrap();
    let text = id.replace_all(review, format!("### A-{number:x}")).into_owned();
    let taken =
        text.replacen("State: proposed", "State: accepted by ana", 1).replacen("Due: none", "Due: 2027-03-05", 1);
    fs::write(folder.join("review.md"), if number == 1 { taken } else { text }).unwrap();
    fs::write(folder.join("review.html"), "").unwrap();
}

#[test]
fn the_page_over_all_runs_is_one_file_that_fits_a_telephone() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().to_str().unwrap();
    let result = SAMPLE_RESULT;
    (0..30).for_each(|number| copy(folder.path(), number, result));
    let hostile = folder.path().join("20260302T100000Z-hostile-0001");
    fs::create_dir(&hostile).unwrap();
    for (name, text) in firedrill::review::texts(&crate::sample::hostile()) {
        // Halted is 4; another code would be taken for a change by somebody else.
        fs::write(hostile.join(name), text.replacen("\"code\": 1", "\"code\": 4", 1)).unwrap();
    }
    said(&["history", "--site", "--today", "2027-03-01", "--reports", reports]);
    let page = fs::read_to_string(folder.path().join("index.html")).unwrap();
    assert!(page.contains("31 runs of 2 scenarios") && page.contains("id=\"anniversary\""), "{page}");
    assert!(page.matches("<script").count() == 1 && !page.contains("<img"));
    assert!(page.contains("href=\"./20260302T100000Z-hostile-0001/review.html\""));
    for page in [&page, &site()] {
        assert_eq!(crate::page::ask(page, 360, MEASURED), "360,360,0", "width, scroll width, requests");
    }
    let filter = format!("(document.getElementById('v-quiet').checked = true, {SHOWN})");
    assert_eq!(crate::page::ask(&page, 1200, &filter), "1", "the filter needs no script");
    let patterns = said(&["history", "--patterns", "--reports", reports]);
    assert!(patterns.starts_with("what rules found, as the results of 31 runs say"), "{patterns}");
}

const MEASURED: &str =
    "[innerWidth, document.documentElement.scrollWidth, performance.getEntriesByType('resource').length]";
/// How many runs are listed.
const SHOWN: &str = "[...document.querySelectorAll('.runs tbody tr')].filter(row => row.offsetHeight > 0).length";

#[test]
fn the_list_is_searched_by_the_page_s_own_script_and_no_other() {
    let page = site();
    let search = |words: &str| {
        let typed = format!(
            "(find => (find.value = '{words}', find.dispatchEvent(new Event('input', {{ bubbles: true }}))))(document.getElementById('find'))"
        );
        crate::page::ask(
            &page,
            1200,
            &format!("({typed}, {SHOWN} + ' ' + document.getElementById('found').textContent)"),
        )
    };
    assert_eq!(search("cache"), "6 6 of 12 shown", "by scenario");
    assert_eq!(search("KILL sigkill"), "6 6 of 12 shown", "by fault");
    assert_eq!(search("replicas 2026-03-01"), "1 1 of 12 shown", "by tag and day");
    assert_eq!(search("image-not-pinned"), "12 ", "by rule");
    assert_eq!(search("nothing of the kind"), "0 0 of 12 shown");
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (folder.path().join("own.html"), folder.path().join("other.html"));
    fs::write(&own, &page).unwrap();
    fs::write(&other, page.replace("const field", "let field")).unwrap();
    let runs = |file: &Path| !crate::page::browse(file, &["--dump-dom".into()]).contains("id=\"search\" hidden");
    assert!(runs(&own), "as it was written, its script runs");
    assert!(!runs(&other), "changed by anybody, it does not");
}

#[test]
fn the_page_over_all_runs_is_sound_and_can_be_read_by_everybody() {
    let page = site();
    assert_eq!(crate::page::ask(&page, 1200, crate::page::NAMELESS), "");
    assert_eq!(crate::page::hard_to_read(&page, 1200) + &crate::page::hard_to_read(&page, 360), "");
    let links = "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')).filter(href => \
                 href[0] == '#' ? !document.getElementById(href.slice(1)) : !href.startsWith('./2026')).join()";
    assert_eq!(crate::page::ask(&page, 1200, links), "", "links that lead nowhere");
    let ids = "(all => all.length - new Set(all).size)([...document.querySelectorAll('[id]')].map(e => e.id))";
    assert_eq!(crate::page::ask(&page, 1200, ids), "0", "ids that stand twice");
    let levels = "[...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.localName[1])";
    let order =
        format!("(all => [all.filter(h => h == 1).length, all.some((h, i) => i && h > all[i - 1] + 1)])({levels})");
    assert_eq!(crate::page::ask(&page, 1200, &order), "1,false", "one h1, and no level left out");
    assert!(page.contains("On this day") && page.contains("<time datetime=\"2026-03-08\">2026, a year ago</time>"));
    assert!(page.contains("1 of 2 injected faults is seen by no alert."), "{page}");
}
