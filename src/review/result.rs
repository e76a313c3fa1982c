//! `result.json`: what a run came to, for machines. Versioned; its schema is `result.schema.json`.
//!
//! Times are nanoseconds (`*_ns`), moments are nanoseconds since t=0 (since the start, without a t=0), shares are
//! fractions of 1. What was not measured is `null` with its reason beside it, never 0.

mod alerts;
mod evidence;
mod faults;
mod judged;
mod probes;
mod run;

pub use alerts::{AlertPart, AlertsPart};
pub use evidence::{FilePart, PlacePart};
pub use faults::{FaultPart, PacketsPart};
pub use judged::{CriterionPart, FigurePart, FindingPart, PhaseName, Quantity, Status};
pub use probes::{PercentilePart, PhasePart, ProbePart};
pub use run::{RunPart, VerdictPart};

use super::{action::ActionItem, explain::Names, model::Review};
use crate::analysis::Findings;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of this file. Fields may be added within a version; none changes its meaning.
pub const FORMAT: u32 = 1;

/// What a run came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "firedrill result")]
pub struct RunResult {
    /// The version of this file.
    pub format: u32,
    /// Which run, of what.
    pub run: RunPart,
    /// Three facts, one word, one code.
    pub verdict: VerdictPart,
    /// The three sentences that head the review: lead and text.
    pub summary: BTreeMap<String, String>,
    /// Everything that was promised, and what came of it.
    pub criteria: Vec<CriterionPart>,
    /// Every figure.
    pub figures: Vec<FigurePart>,
    /// Every load and probe, phase by phase.
    pub probes: Vec<ProbePart>,
    /// Every fault with its times and proofs.
    pub faults: Vec<FaultPart>,
    /// What was expected of alerts and what they did; null without an alert source.
    pub alerts: Option<AlertsPart>,
    /// What the rules found, the gravest first.
    pub findings: Vec<FindingPart>,
    /// What is proposed, one item a finding, in the same order. What became of them is in the review's Markdown.
    pub actions: Vec<ActionItem>,
    /// What the measurement does not tell.
    pub limits: Vec<String>,
    /// Where an evidence id leads in the run folder.
    pub evidence: BTreeMap<String, String>,
    /// The same down to bytes, with their digest; ids that the folder does not hold are left out.
    pub places: BTreeMap<String, PlacePart>,
    /// The files that all of this was computed from.
    pub files: Vec<FilePart>,
}

/// The file's text.
pub fn json(findings: &Findings, review: &Review) -> String {
    let result = RunResult::of(findings, review);
    let mut text = serde_json::to_string_pretty(&result).expect("plain data with string keys");
    text.push('\n');
    text
}

/// The schema's text.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(RunResult)).expect("a schema is plain JSON");
    text.push('\n');
    text
}

impl RunResult {
    /// From findings, with the review's words.
    pub fn of(findings: &Findings, review: &Review) -> RunResult {
        let name = |id: u16| findings.probes.get(usize::from(id)).map(|p| p.name.clone());
        let names = Names::of(findings);
        RunResult {
            format: FORMAT,
            run: run::run(findings),
            verdict: run::verdict(findings, review),
            summary: review.sentences.iter().map(|s| (s.lead.to_owned(), s.text.clone())).collect(),
            criteria: findings
                .criteria
                .iter()
                .map(|c| judged::criterion(names.criterion(c), c, c.probe.and_then(name)))
                .collect(),
            figures: findings
                .figures
                .iter()
                .map(|f| judged::figure(names.figure(f), f, f.probe.and_then(name)))
                .collect(),
            probes: findings.probes.iter().map(probes::probe).collect(),
            faults: faults::faults(findings),
            alerts: findings.alerts.as_ref().map(|found| alerts::alerts(findings, found)),
            findings: review.hits.iter().map(judged::finding).collect(),
            actions: review.actions.iter().map(|action| action.item.clone()).collect(),
            limits: review.limits.iter().map(|told| told.text.clone()).collect(),
            evidence: findings.evidence.iter().enumerate().map(|(i, e)| (format!("e{i}"), e.to_string())).collect(),
            places: evidence::places(findings),
            files: findings.run.files.iter().map(evidence::file).collect(),
        }
    }
}
