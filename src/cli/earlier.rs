//! What earlier runs of a scenario came to, as their `result.json` says.

use crate::{event::EarlierRun, journal::RunFolder};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// How many earlier runs a review tells of.
const MOST: usize = 20;
/// Larger files are no results of ours, bytes.
const MAX_BYTES: u64 = 16 << 20;

/// As much of a `result.json` as is wanted here.
#[derive(Deserialize)]
struct Result {
    run: Run,
    verdict: Verdict,
    #[serde(default)]
    figures: Vec<Figure>,
}

#[derive(Deserialize)]
struct Run {
    id: String,
    scenario: String,
    started: jiff::Timestamp,
    #[serde(default)]
    git: Option<String>,
    #[serde(default)]
    images: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Verdict {
    word: String,
    code: u8,
}

#[derive(Deserialize)]
struct Figure {
    kind: String,
    measured: Measured,
}

#[derive(Deserialize)]
struct Measured {
    value: Option<f64>,
}

/// What earlier runs of the scenario came to, newest first.
pub fn earlier(reports: &Path, scenario: &str, this: &RunFolder) -> Vec<EarlierRun> {
    let Ok(entries) = fs::read_dir(reports) else { return vec![] };
    let marker = format!("-{scenario}-");
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.contains(&marker) && *name != this.run());
    // They begin with their time.
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.iter().filter_map(|name| one(&reports.join(name), scenario)).take(MOST).collect()
}

/// `None` if it is no finished run of that scenario.
fn one(folder: &Path, scenario: &str) -> Option<EarlierRun> {
    let path = folder.join("result.json");
    if fs::metadata(&path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let result: Result = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let recovered = result.figures.iter().find(|figure| figure.kind == "time_to_recover");
    (result.run.scenario == scenario).then(|| EarlierRun {
        run: result.run.id,
        started: result.run.started,
        word: result.verdict.word,
        code: result.verdict.code,
        recover_ns: recovered.and_then(|figure| figure.measured.value).map(|ns| ns as u64),
        git: result.run.git,
        images: result.run.images,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(reports: &Path, name: &str, scenario: &str) {
        let folder = reports.join(name);
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "{{\"run\":{{\"id\":\"{name}\",\"scenario\":\"{scenario}\",\"started\":\"2026-03-01T10:00:00Z\"}},
            \"verdict\":{{\"word\":\"HELD\",\"code\":0}},
            \"figures\":[{{\"kind\":\"time_to_recover\",\"measured\":{{\"value\":1.5e9}}}}]}}"
        );
        fs::write(folder.join("result.json"), text).unwrap();
    }

    #[test]
    fn runs_of_the_same_scenario_are_told_newest_first() {
        let reports = tempfile::tempdir().unwrap();
        for name in ["20260301T100000Z-a-0001", "20260302T100000Z-a-0001", "20260303T100000Z-a-0001"] {
            put(reports.path(), name, "a");
        }
        put(reports.path(), "20260304T100000Z-x-a-0001", "x-a");
        fs::create_dir_all(reports.path().join("20260305T100000Z-a-0001")).unwrap();
        let this = RunFolder(reports.path().join("20260303T100000Z-a-0001"));
        let earlier = earlier(reports.path(), "a", &this);
        let runs: Vec<&str> = earlier.iter().map(|run| run.run.as_str()).collect();
        assert_eq!(runs, ["20260302T100000Z-a-0001", "20260301T100000Z-a-0001"]);
        assert_eq!(earlier[0].recover_ns, Some(1_500_000_000));
    }
}
