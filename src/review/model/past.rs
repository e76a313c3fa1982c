//! The same scenario before. One row a run, never a mean: durations are skewed.

use super::look::Look;
use crate::{event::EarlierRun, review::quantity};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PastRun {
    /// Its id.
    pub run: String,
    /// When.
    pub started: String,
    /// Its verdict word.
    pub word: String,
    /// Time to recover, or `not measured`.
    pub recover: String,
    /// `git describe` then, if known.
    pub git: String,
    /// What differs from the run that this review is about.
    pub changes: String,
}

/// Newest first.
pub fn runs(look: &Look<'_>) -> Vec<PastRun> {
    let row = |run: &EarlierRun| {
        let changes = changes(look, run);
        PastRun {
            run: run.run.clone(),
            started: quantity::utc(run.started),
            word: run.word.clone(),
            recover: run.recover_ns.map_or("not measured".into(), quantity::span),
            git: run.git.clone().unwrap_or_else(|| "unknown".into()),
            changes: if changes.is_empty() { "none known".into() } else { changes.join(", ") },
        }
    };
    look.findings.earlier.iter().map(row).collect()
}

/// What differs between a run before and this one.
pub fn changes(look: &Look<'_>, then: &EarlierRun) -> Vec<String> {
    let mut changes = Vec::new();
    if let (Some(before), Some(now)) = (&then.git, &look.findings.run.git)
        && before != now
    {
        changes.push(format!("git {before} to {now}"));
    }
    let containers = look.findings.scope.targets.values().flatten();
    let now: BTreeMap<&str, &str> = containers.map(|c| (c.name.as_str(), c.image_id.as_str())).collect();
    for (name, image) in &now {
        if then.images.get(*name).is_some_and(|before| before != image) {
            changes.push(format!("new image of {name}"));
        }
    }
    changes
}
