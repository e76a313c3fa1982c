use super::*;
use crate::analysis::stage::{MS, Stage, T0, UNDO, frozen};

fn reviewed() -> (Stage, RunFolder) {
    let mut stage = Stage::new();
    stage.run.scenario_digest = "d8ad5d4d5ec1ac1ae1a0eb65f2f5a9e8a4e1a2b60bb06c2ec24a3f3ff6c6f0ab".into();
    stage.web(frozen(T0 + 8 * MS, UNDO + 6 * MS));
    let folder = stage.write();
    let digest = crate::journal::seal::digest(fs::File::open(folder.scenario()).unwrap()).unwrap().0;
    let journal = fs::read_to_string(folder.journal()).unwrap().replace(&stage.run.scenario_digest, &digest);
    fs::write(folder.journal(), journal).unwrap();
    fs::write(folder.plan(), "{}\n").unwrap();
    write::write_all(&folder, &analyse(&folder).unwrap()).unwrap();
    (stage, folder)
}

fn replace(folder: &RunFolder, name: &str, from: &str, to: &str) {
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn told(folder: &RunFolder) -> Vec<String> {
    let line = |d: &Difference| format!("{}:{}: {}", d.file, d.line.map_or(String::new(), |l| l.to_string()), d.says);
    verify(folder).unwrap().differs.iter().map(line).collect()
}

#[track_caller]
fn finds(folder: &RunFolder, file: &str, what: &str) {
    let told = told(folder);
    assert!(told.iter().any(|line| line.starts_with(file) && line.contains(what)), "{told:#?}");
}

#[test]
fn an_untouched_folder_is_all_good() {
    let (_stage, folder) = reviewed();
    let verified = verify(&folder).unwrap();
    assert_eq!((verified.differs, verified.notes), (vec![], vec![]));
    assert!(verified.files >= 4 && verified.figures > 15);
}

#[test]
fn a_journal_that_was_touched_is_found() {
    let (_stage, folder) = reviewed();
    replace(&folder, "journal.jsonl", "\"proven\":true", "\"proven\":false");
    finds(&folder, "journal.jsonl:", "its sha256 is");
    finds(&folder, "result.json:", "here, the run folder gives");
    let text = fs::read_to_string(folder.journal()).unwrap();
    let without: String = text.lines().enumerate().filter(|(i, _)| *i != 5).map(|(_, l)| format!("{l}\n")).collect();
    fs::write(folder.journal(), without).unwrap();
    finds(&folder, "journal.jsonl:6:", "is event 6 where event 5 is due");
}

#[test]
fn a_request_log_that_was_touched_is_found() {
    let (_stage, folder) = reviewed();
    let mut bytes = fs::read(folder.requests()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.requests(), bytes).unwrap();
    finds(&folder, "requests.bin:", "its sha256 is");
    finds(&folder, "requests.bin:", "damaged");
}

#[test]
fn plan_scenario_and_logs_are_watched_too() {
    let (_stage, folder) = reviewed();
    fs::write(folder.plan(), "{ }\n").unwrap();
    finds(&folder, "plan.json:", "result.json says");
    fs::write(folder.scenario(), "scenario: loud\n").unwrap();
    finds(&folder, "scenario.yaml:", "the journal says");
    fs::write(folder.logs().join("odd.log"), "x").unwrap();
    finds(&folder, "logs/odd.log:", "was not there");
    fs::remove_file(folder.plan()).unwrap();
    finds(&folder, "plan.json:", "it is gone");
}

#[test]
fn a_result_that_was_touched_is_named_by_its_figure_and_line() {
    let (_stage, folder) = reviewed();
    let text = fs::read_to_string(folder.path().join("result.json")).unwrap();
    let at = text.find("\"id\": \"time-to-recover/web\"").unwrap();
    let value = at + text[at..].find("\"value\": ").unwrap() + "\"value\": ".len();
    let line = text[..value].matches('\n').count() + 1;
    fs::write(folder.path().join("result.json"), format!("{}1{}", &text[..value], &text[value..])).unwrap();
    finds(&folder, &format!("result.json:{line}:"), "time-to-recover/web (measured/value)");
    fs::write(folder.path().join("result.json"), "{").unwrap();
    finds(&folder, "result.json:1:", "no JSON");
}

#[test]
fn what_is_missing_in_a_result_differs() {
    let (_stage, folder) = reviewed();
    let path = folder.path().join("result.json");
    let whole: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let without = |take: &dyn Fn(&mut Value)| {
        let mut less = whole.clone();
        take(&mut less);
        fs::write(&path, serde_json::to_string_pretty(&less).unwrap()).unwrap();
    };
    without(&|result| *result = serde_json::json!({}));
    finds(&folder, "result.json:", "so that none was compared with it");
    finds(&folder, "result.json:1:", "verdict: missing, the run folder gives {");
    for key in ["format", "verdict", "figures", "places", "actions"] {
        without(&|result| drop(result.as_object_mut().unwrap().remove(key)));
        finds(&folder, "result.json:1:", &format!("{key}: missing"));
    }
    without(&|result| {
        for figure in result["figures"].as_array_mut().unwrap() {
            figure.as_object_mut().unwrap().remove("measured");
        }
    });
    finds(&folder, "result.json:", "time-to-recover/web (measured): missing");
    without(&|result| result["files"][0]["size"] = 7.into());
    finds(&folder, "result.json:", "7 here");
    without(&|result| result["places"]["e1"]["sha256"] = "0".into());
    finds(&folder, "result.json:", "places.e1.sha256");
    without(&|result| result["format"] = 0.into());
    finds(&folder, "result.json:", "format: 0 here, the run folder gives 1");
}

#[test]
fn numbers_in_the_prose_are_compared_and_words_are_not() {
    let (_stage, folder) = reviewed();
    replace(&folder, "review.md", "**How it ended.** ", "**How it ended.** As we had hoped: ");
    assert_eq!(told(&folder), Vec::<String>::new());
    let notes = verify(&folder).unwrap().notes;
    assert!(notes.iter().any(|note| note.file == "review.html"), "{notes:?}");
    replace(&folder, "review.md", "code: 1", "code: 0");
    finds(&folder, "review.md:", "generated as `1`, `0` here");
}

#[test]
fn pages_and_the_base_are_compared() {
    let (_stage, folder) = reviewed();
    replace(&folder, "review.html", "<h1>", "<h1>x");
    finds(&folder, "review.html:", "not what the run folder gives");
    replace(&folder, "junit.xml", "<testcase", "<testcase x=\"\"");
    finds(&folder, "junit.xml:", "not what the run folder gives");
    replace(&folder, "review.base.md", "# quiet", "# loud");
    finds(&folder, "review.base.md:", "not what the run folder gives");
    fs::remove_file(folder.path().join("review.md")).unwrap();
    finds(&folder, "review.md:", "missing");
}
