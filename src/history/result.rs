//! Reads a `result.json`, whoever wrote it and whatever became of it since.

use super::past::{Alerted, Figures, Measured, Seen, Summary};
use crate::{analysis::AlertOutcome, review::result::FORMAT};
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, io::Read, path::Path};

/// Larger files are no results of ours, bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Which codes a verdict can have.
const WORDS: [(&str, &[u8]); 9] = [
    ("HELD", &[0]),
    ("HELD, LOW MARGIN", &[0]),
    ("VIOLATED", &[1]),
    ("NOT RECOVERED", &[1]),
    ("HALTED", &[4]),
    ("STOPPED", &[130]),
    ("UNDECIDED", &[2, 6]),
    ("NOT STARTED", &[3, 4, 7, 130]),
    ("CLEANUP UNPROVEN", &[5]),
];

/// What a file tells.
pub struct Told {
    /// When the run started.
    pub started: Timestamp,
    /// The scenario's name.
    pub scenario: String,
    /// All else.
    pub summary: Summary,
}

/// Reads one.
///
/// # Errors
/// What is wrong with the file, for people, without its name.
pub fn read(path: &Path) -> Result<Told, String> {
    let file = fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {} MB, so it is no result of firedrill", MAX_BYTES >> 20));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Told, String> {
    if bytes.trim_ascii().is_empty() {
        return Err("is empty".into());
    }
    // The version first: of a newer file nothing else can be relied on.
    let format = serde_json::from_slice::<Version>(bytes).map_err(|error| broken(&error))?.format;
    if format > FORMAT {
        return Err(format!("has format {format}, this firedrill reads up to {FORMAT}; use a newer one"));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| broken(&error))?;
    file.sound()?;
    Ok(file.read())
}

fn broken(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => format!("is cut short at line {}", error.line()),
        _ => format!("is not what firedrill writes: {error}"),
    }
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// As much of a `result.json` as is wanted here. What a version did not have yet is a default.
#[derive(Deserialize)]
struct File {
    run: Run,
    verdict: Verdict,
    #[serde(default)]
    figures: Vec<Figure>,
    #[serde(default)]
    probes: Vec<Probe>,
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default)]
    alerts: Option<Alerts>,
    #[serde(default)]
    findings: Option<Vec<Seen>>,
}

#[derive(Deserialize)]
struct Run {
    id: String,
    scenario: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    owner: Option<String>,
    started: Timestamp,
    #[serde(default)]
    took_ns: u64,
    #[serde(default)]
    cut_short: bool,
    #[serde(default)]
    version: String,
    #[serde(default)]
    git: Option<String>,
    #[serde(default)]
    scenario_digest: String,
    #[serde(default)]
    images: BTreeMap<String, String>,
    #[serde(default)]
    main_probe: Option<String>,
    #[serde(default)]
    service: Option<String>,
}

#[derive(Deserialize)]
struct Verdict {
    word: String,
    code: u8,
    #[serde(default)]
    low_margin: bool,
    #[serde(default)]
    smallest_margin: Option<f64>,
}

#[derive(Deserialize)]
struct Figure {
    kind: String,
    #[serde(default)]
    probe: Option<String>,
    measured: Measured,
    #[serde(default)]
    n: Option<u64>,
}

#[derive(Deserialize)]
struct Probe {
    name: String,
    #[serde(default)]
    load: bool,
    #[serde(default)]
    judged: bool,
    #[serde(default)]
    phases: BTreeMap<String, Phase>,
}

#[derive(Deserialize)]
struct Phase {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    p99_ns: Option<u64>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    label: String,
    #[serde(default)]
    effective_ns: Option<[i64; 2]>,
}

#[derive(Deserialize)]
struct Alerts {
    rows: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    alert: String,
    outcome: AlertOutcome,
    #[serde(default)]
    firing_ns: Option<[i64; 2]>,
}

impl Alert {
    /// What it did once a fault was on, from this moment; `None`: it fired before and was not expected.
    fn read(self, fault: Option<i64>) -> Option<Alerted> {
        let told = |expected, fired| Some(Alerted { alert: self.alert, expected, fired });
        match self.outcome {
            AlertOutcome::Fired | AlertOutcome::Late => told(true, Some(true)),
            AlertOutcome::Missing => told(true, Some(false)),
            AlertOutcome::NotKnown => told(true, None),
            AlertOutcome::Forbidden | AlertOutcome::Unrelated => {
                self.firing_ns.zip(fault).filter(|(firing, fault)| firing[0] >= *fault)?;
                told(false, Some(true))
            }
        }
    }
}

impl File {
    /// What no firedrill has ever written has been changed by something else.
    fn sound(&self) -> Result<(), String> {
        let odd = |what: String| Err(format!("was changed by something else: {what}"));
        let Verdict { word, code, .. } = &self.verdict;
        if self.run.id.is_empty() || self.run.scenario.is_empty() {
            return odd("the run or the scenario has no name".into());
        }
        match WORDS.iter().find(|(known, _)| known == word) {
            Some((_, codes)) if !codes.contains(code) => {
                odd(format!("the verdict {word} does not go with the code {code}"))
            }
            _ => Ok(()),
        }
    }

    /// As the review chooses it, as far as the file tells.
    fn main_probe(&self) -> Option<String> {
        let judged = || self.probes.iter().filter(|probe| probe.judged);
        let chosen = judged().find(|probe| probe.load).or_else(|| judged().next()).or_else(|| self.probes.first());
        self.run.main_probe.clone().or_else(|| chosen.map(|probe| probe.name.clone()))
    }

    fn key_figures(&self, main: Option<&str>) -> Figures {
        let figure = |kind: &str| self.figures.iter().find(|f| f.kind == kind && f.probe.as_deref() == main);
        let any = |kind: &str| figure(kind).or_else(|| self.figures.iter().find(|f| f.kind == kind));
        let measured = |figure: Option<&Figure>| figure.map(|f| f.measured.clone()).unwrap_or_default();
        let phases = self.probes.iter().find(|probe| Some(probe.name.as_str()) == main).map(|probe| &probe.phases);
        let p99 = |phase: &str| phases?.get(phase)?.response.p99_ns;
        Figures {
            failed: figure("requests_failed").and_then(|f| f.measured.value),
            offered: figure("requests_failed").and_then(|f| f.n),
            p99_before_ns: p99("baseline"),
            p99_during_ns: p99("during"),
            recover: measured(figure("time_to_recover")),
            detect: measured(any("time_to_detect")),
        }
    }

    fn read(self) -> Told {
        let probe = self.main_probe();
        let figures = self.key_figures(probe.as_deref());
        let (run, verdict) = (self.run, self.verdict);
        let effective = self.faults.iter().filter_map(|fault| Some((fault.effective_ns?[0], &fault.label)));
        let first = effective.clone().map(|(at, _)| at).min();
        let alerted = |alerts: Alerts| alerts.rows.into_iter().filter_map(|alert| alert.read(first)).collect();
        let summary = Summary {
            run: run.id,
            title: run.title,
            tags: run.tags,
            owner: run.owner,
            took_ns: run.took_ns,
            cut_short: run.cut_short,
            version: run.version,
            git: run.git,
            scenario_digest: run.scenario_digest,
            images: run.images,
            word: verdict.word,
            code: verdict.code,
            low_margin: verdict.low_margin,
            smallest_margin: verdict.smallest_margin,
            service: run.service.or_else(|| probe.clone()),
            probe,
            figures,
            injected: effective.map(|(_, label)| label.clone()).collect(),
            alerts: self.alerts.map(alerted),
            findings: self.findings,
        };
        Told { started: run.started, scenario: run.scenario, summary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"format": 1,
        "run": {"id": "20260301T100000Z-a-0001", "scenario": "a", "started": "2026-03-01T10:00:00Z"},
        "verdict": {"word": "HELD", "code": 0, "smallest_margin": 0.4},
        "probes": [{"name": "side", "judged": true, "phases": {}},
                   {"name": "shop", "judged": true, "load": true, "phases": {"during": {"response": {"p99_ns": 7}}}}],
        "figures": [{"kind": "requests_failed", "probe": "side", "measured": {"value": 9}, "n": 10},
                    {"kind": "requests_failed", "probe": "shop", "measured": {"value": 2}, "n": 100},
                    {"kind": "time_to_recover", "probe": "shop", "measured": {"value": null, "absent": "no impact"}}],
        "faults": [{"label": "kill api", "effective_ns": [5, 6]}, {"label": "never", "effective_ns": null}],
        "alerts": {"rows": [{"alert": "Errors", "outcome": "late"}, {"alert": "Slow", "outcome": "missing"},
                            {"alert": "Disk", "outcome": "unrelated", "firing_ns": [7, 8]},
                            {"alert": "Before", "outcome": "unrelated", "firing_ns": [-7, 8]},
                            {"alert": "Dark", "outcome": "not_known"}]}}"#;

    fn why(text: &str) -> String {
        parse(text.as_bytes()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn the_figures_are_those_of_the_first_judged_load() {
        let told = parse(WHOLE.as_bytes()).map_err(|e| panic!("{e}")).unwrap();
        assert_eq!((told.scenario.as_str(), told.summary.probe.as_deref()), ("a", Some("shop")));
        let figures = told.summary.figures;
        assert_eq!((figures.failed, figures.offered, figures.p99_during_ns), (Some(2.0), Some(100), Some(7)));
        assert_eq!(figures.recover.absent.as_deref(), Some("no impact"));
    }

    #[test]
    fn what_alerts_did_counts_from_the_fault_on() {
        let summary = parse(WHOLE.as_bytes()).map_err(|e| panic!("{e}")).unwrap().summary;
        assert_eq!((summary.service.as_deref(), summary.injected.as_slice()), (Some("shop"), &["kill api".into()][..]));
        let told: Vec<(String, bool, Option<bool>)> =
            summary.alerts.unwrap().into_iter().map(|alert| (alert.alert, alert.expected, alert.fired)).collect();
        let one = |name: &str, expected, fired| (name.to_owned(), expected, fired);
        assert_eq!(
            told,
            [
                one("Errors", true, Some(true)),
                one("Slow", true, Some(false)),
                one("Disk", false, Some(true)),
                one("Dark", true, None)
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        assert_eq!(why(""), "is empty");
        assert_eq!(why(&WHOLE[..200]), "is cut short at line 4");
        assert_eq!(why(&WHOLE.replacen("1", "9", 1)), "has format 9, this firedrill reads up to 1; use a newer one");
        assert!(why(&WHOLE.replace("\"code\": 0", "\"code\": 1")).contains("HELD does not go with the code 1"));
        assert!(why(&WHOLE.replace("2026-03-01T", "yesterday ")).starts_with("is not what firedrill writes:"));
        assert!(why("[1, 2]").starts_with("is not what firedrill writes:"));
        assert!(why(&"[".repeat(100_000)).starts_with("is not what firedrill writes:"));
    }
}
