//! Which run it was, and its verdict.

use crate::{
    analysis::Findings,
    review::model::{Review, fact_words},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Which run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunPart {
    /// Its id, also the name of its folder.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// One line for people.
    pub title: String,
    /// Free tags.
    pub tags: Vec<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// The load or probe that tiles and sentences are about.
    pub main_probe: Option<String>,
    /// The service that users see: the scenario's `of`, else the main probe.
    pub service: Option<String>,
    /// RFC 3339, UTC.
    pub started: String,
    /// From the first to the last event.
    pub took_ns: u64,
    /// From the start to t=0; null if nothing was injected.
    pub zero_ns: Option<u64>,
    /// The journal stops before the end.
    pub cut_short: bool,
    /// The tool's version.
    pub version: String,
    /// The seed of all chance.
    pub seed: u64,
    /// sha256 of the scenario file.
    pub scenario_digest: String,
    /// `git describe` of the scenario's folder.
    pub git: Option<String>,
    /// Image ids of the targets, by container.
    pub images: BTreeMap<String, String>,
}

/// The verdict.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerdictPart {
    /// `HELD`, `VIOLATED`, ...
    pub word: String,
    /// The exit code of this run (before `--strict`).
    pub code: u8,
    /// `proven` or `unproven`.
    pub cleanup: String,
    /// `complete`, `not started`, `halted by ...`, `stopped by ...`, `cut short`.
    pub run: String,
    /// `held`, `violated` or `undecided`.
    pub hypothesis: String,
    /// Why, weightiest first.
    pub reasons: Vec<String>,
    /// Held with less than 20 % of room.
    pub low_margin: bool,
    /// No probe saw any impact at this load.
    pub no_impact: bool,
    /// As a share of the bound.
    pub smallest_margin: Option<f64>,
}

pub(super) fn run(findings: &Findings) -> RunPart {
    let run = &findings.run;
    let targets = findings.scope.targets.values().flatten();
    let main = findings.main().map(|probe| probe.name.clone());
    RunPart {
        id: run.id.clone(),
        scenario: run.scenario.clone(),
        title: run.title.clone(),
        tags: run.tags.clone(),
        owner: run.owner.clone(),
        service: run.of.clone().or_else(|| main.clone()),
        main_probe: main,
        started: run.started.to_string(),
        took_ns: run.ended,
        zero_ns: run.t0,
        cut_short: run.cut_short,
        version: run.version.clone(),
        seed: run.seed,
        scenario_digest: run.scenario_digest.clone(),
        git: run.git.clone(),
        images: targets.map(|c| (c.name.clone(), c.image_id.clone())).collect(),
    }
}

pub(super) fn verdict(findings: &Findings, review: &Review) -> VerdictPart {
    let (cleanup, run, hypothesis) = fact_words(findings);
    let verdict = &findings.verdict;
    VerdictPart {
        word: verdict.word.to_string(),
        code: verdict.code,
        cleanup,
        run,
        hypothesis,
        reasons: std::iter::once(review.banner.why.clone())
            .chain(review.banner.more.iter().map(|m| m.text.clone()))
            .collect(),
        low_margin: verdict.low_margin,
        no_impact: verdict.no_impact,
        smallest_margin: verdict.smallest_margin.map(|(margin, _)| margin),
    }
}
