//! All runs of a folder of reports, and the cache that makes reading them again quick.
//!
//! The cache (`.cache/index.json` in the folder, ignored by git through a file of its own) is keyed by path, time of
//! change and size of what was read. Without it, or when it cannot be read or written, everything is read anew.

use super::{
    past::Past,
    result,
    scan::{self, Found, Stamp},
};
use crate::review::action::{self, ActionItem};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, path::Path};

/// Whatever changes what is read from a file changes this, or the tool's version.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/3");
/// No review that people read is larger, bytes.
const MAX_REVIEW: usize = 8 << 20;
/// A larger cache is none of ours, bytes.
const MAX_CACHE: u64 = 256 << 20;

/// The runs of a folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reports {
    /// Newest first; those without any known time at the end.
    pub runs: Vec<Past>,
    /// How many had to be read because the cache did not have them.
    #[serde(skip)]
    pub read_anew: usize,
}

/// Reads every run of a folder of reports. Runs that cannot be read are listed with what is wrong.
///
/// # Errors
/// If the folder itself cannot be listed.
pub fn read(reports: &Path) -> io::Result<Reports> {
    let found = scan::runs(reports)?;
    let cache = Cache::load(reports);
    let mut next = Cache { version: VERSION.into(), runs: BTreeMap::new() };
    let mut read_anew = 0;
    for run in found {
        let kept = cache.get(&run).cloned();
        read_anew += usize::from(kept.is_none());
        let past = kept.unwrap_or_else(|| read_one(&run));
        next.runs.insert(run.name, Kept { result: run.result, review: run.review, past });
    }
    if read_anew > 0 || next.runs.len() != cache.runs.len() {
        // It only saves time; a folder that cannot be written is read anew each time.
        let _ = next.store(reports);
    }
    let mut runs: Vec<Past> = next.runs.into_values().map(|kept| kept.past).collect();
    runs.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| b.folder.cmp(&a.folder)));
    tell_copies(&mut runs);
    Ok(Reports { runs, read_anew })
}

/// The run of a folder, read anew; `None` if there is no such folder.
pub fn one(folder: &Path) -> Option<Past> {
    let name = folder.file_name()?.to_string_lossy().into_owned();
    let stamp = |file: &str| Stamp::of(&folder.join(file));
    let (result, review) = (stamp("result.json"), stamp("review.md"));
    folder.is_dir().then(|| read_one(&Found { path: folder.to_owned(), name, result, review }))
}

/// One run, as its files are now.
fn read_one(found: &Found) -> Past {
    let (started, scenario) = from_name(found.name.rsplit('/').next().unwrap_or(&found.name));
    let (actions, mut troubles) = found.review.map_or_else(Default::default, |_| actions(&found.path));
    let folder = found.name.clone();
    let mut past = Past { folder, started, scenario, troubles: Vec::new(), summary: None, actions };
    match found.result {
        None => {
            past.troubles.push("there is no result.json: the run goes on, or `firedrill review` was not run".into())
        }
        Some(_) => match result::read(&found.path.join("result.json")) {
            Ok(told) => {
                past.started = Some(told.started);
                past.scenario = Some(told.scenario);
                past.summary = Some(told.summary);
            }
            Err(why) => past.troubles.push(format!("result.json {why}")),
        },
    }
    past.troubles.append(&mut troubles);
    past
}

/// The action items of a review, and what is wrong with it.
fn actions(folder: &Path) -> (Vec<ActionItem>, Vec<String>) {
    let text = match fs::read(folder.join("review.md")).map(String::from_utf8) {
        Ok(Ok(text)) if text.len() <= MAX_REVIEW => text,
        Ok(Ok(_)) => return (vec![], vec![format!("review.md is larger than {} MB", MAX_REVIEW >> 20)]),
        Ok(Err(_)) => return (vec![], vec!["review.md is not UTF-8 text".into()]),
        Err(error) => return (vec![], vec![format!("review.md cannot be read: {error}")]),
    };
    let (items, troubles) = action::read(&text);
    (items, troubles.iter().map(|trouble| format!("review.md {trouble}")).collect())
}

/// What the name of a run folder tells: `20260301T100000Z-cache-loss-7f3a`.
fn from_name(name: &str) -> (Option<Timestamp>, Option<String>) {
    let time = name.get(..16).and_then(|time| DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok());
    let Some(time) = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok()) else { return (None, None) };
    let scenario = name.get(17..).and_then(|rest| rest.rsplit_once('-')).map(|(scenario, _)| scenario.to_owned());
    (Some(time.timestamp()), scenario.filter(|scenario| !scenario.is_empty()))
}

/// The same run in two folders would count twice.
fn tell_copies(runs: &mut [Past]) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for past in runs.iter_mut().filter(|past| past.summary.is_some()) {
        let run = past.run().to_owned();
        match first.get(&run) {
            Some(other) => past.troubles.push(format!("{other} holds the same run")),
            None => drop(first.insert(run, past.folder.clone())),
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Cache {
    version: String,
    runs: BTreeMap<String, Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    result: Option<Stamp>,
    review: Option<Stamp>,
    past: Past,
}

impl Cache {
    /// What was kept; nothing if it is missing, damaged, or of another version.
    fn load(reports: &Path) -> Cache {
        let path = Cache::folder(reports).join("index.json");
        let small = Stamp::of(&path).is_some_and(|stamp| stamp.size <= MAX_CACHE);
        let bytes = if small { fs::read(path).unwrap_or_default() } else { Vec::new() };
        let cache: Cache = serde_json::from_slice(&bytes).unwrap_or_default();
        if cache.version == VERSION { cache } else { Cache::default() }
    }

    fn get(&self, found: &Found) -> Option<&Past> {
        let kept = self.runs.get(&found.name)?;
        (kept.result == found.result && kept.review == found.review).then_some(&kept.past)
    }

    fn store(&self, reports: &Path) -> io::Result<()> {
        let folder = Cache::folder(reports);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(".gitignore"), "*\n")?;
        let half = folder.join(format!("index.json.{}", std::process::id()));
        serde_json::to_writer(io::BufWriter::new(fs::File::create(&half)?), self)?;
        fs::rename(&half, folder.join("index.json"))
    }

    fn folder(reports: &Path) -> std::path::PathBuf {
        reports.join(".cache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run folder with a result that is as small as one may be.
    fn put(reports: &Path, name: &str, scenario: &str, started: &str) {
        let folder = reports.join(name);
        fs::create_dir_all(&folder).unwrap();
        let run = name.rsplit('/').next().unwrap();
        let text = format!(
            "{{\"format\":1,\"run\":{{\"id\":\"{run}\",\"scenario\":\"{scenario}\",\"started\":\"{started}\"}},
            \"verdict\":{{\"word\":\"HELD\",\"code\":0}}}}"
        );
        fs::write(folder.join("result.json"), text).unwrap();
    }

    fn names(reports: &Reports) -> Vec<&str> {
        reports.runs.iter().map(|past| past.folder.as_str()).collect()
    }

    #[test]
    fn runs_are_found_in_folders_of_folders_newest_first() {
        let reports = tempfile::tempdir().unwrap();
        put(reports.path(), "old", "a", "2026-03-01T10:00:00Z");
        put(reports.path(), "2026/friday/new", "a", "2026-03-02T10:00:00Z");
        fs::create_dir_all(reports.path().join("20260301T110000Z-cache-loss-7f3a")).unwrap();
        fs::write(reports.path().join("20260301T110000Z-cache-loss-7f3a/journal.jsonl"), "").unwrap();
        fs::create_dir_all(reports.path().join("empty/.hidden/x")).unwrap();
        fs::write(reports.path().join("a file"), "").unwrap();
        let read = read(reports.path()).unwrap();
        assert_eq!(names(&read), ["2026/friday/new", "20260301T110000Z-cache-loss-7f3a", "old"]);
        let without = &read.runs[1];
        assert_eq!(without.scenario.as_deref(), Some("cache-loss"));
        assert!(without.troubles[0].contains("no result.json"), "{without:?}");
    }

    #[test]
    fn the_cache_is_only_a_cache() {
        let reports = tempfile::tempdir().unwrap();
        put(reports.path(), "one", "a", "2026-03-01T10:00:00Z");
        put(reports.path(), "two", "a", "2026-03-02T10:00:00Z");
        let cold = read(reports.path()).unwrap();
        let warm = read(reports.path()).unwrap();
        assert_eq!((cold.read_anew, warm.read_anew, &cold.runs), (2, 0, &warm.runs));
        put(reports.path(), "one", "changed", "2026-03-01T10:00:00Z");
        assert_eq!(read(reports.path()).unwrap().read_anew, 1);
        let cache = reports.path().join(".cache");
        for damage in ["", "{", "{\"version\":\"0\",\"runs\":{}}", "[]"] {
            fs::write(cache.join("index.json"), damage).unwrap();
            assert_eq!(read(reports.path()).unwrap().read_anew, 2, "{damage:?}");
        }
        fs::remove_dir_all(reports.path().join("two")).unwrap();
        assert_eq!(names(&read(reports.path()).unwrap()), ["one"]);
        fs::remove_dir_all(&cache).unwrap();
        fs::write(&cache, "in the way").unwrap();
        assert_eq!(names(&read(reports.path()).unwrap()), ["one"], "a cache that cannot be written");
    }

    #[test]
    fn the_same_run_twice_is_told() {
        let reports = tempfile::tempdir().unwrap();
        put(reports.path(), "x/same", "a", "2026-03-01T10:00:00Z");
        put(reports.path(), "y/same", "a", "2026-03-01T10:00:00Z");
        let read = read(reports.path()).unwrap();
        assert_eq!(read.runs[1].troubles, ["y/same holds the same run"]);
    }
}
