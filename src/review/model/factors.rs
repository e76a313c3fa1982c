//! What contributed to what was seen: candidates, never one cause alone.

use super::look::Look;
use crate::review::{
    action::Aim,
    rules::{self, RuleHit},
};
use schemars::JsonSchema;
use serde::Serialize;

/// One candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Factor {
    /// `observed` or `hypothesis`.
    pub basis: &'static str,
    /// What is said.
    pub text: String,
    /// How that could be tested.
    pub test: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
    /// Shown at once, or folded away.
    pub visible: bool,
}

/// These say what came of the promises, which the verdict has said already; nothing comes of an effect.
const EFFECTS: [&str; 4] = ["promise-broken", "not-recovered", "recovered-late", "guard-tripped"];

/// Findings that belong to the faults of this drill. Settings that only could matter are left to the action items.
pub fn factors(look: &Look<'_>, hits: &[RuleHit]) -> Vec<Factor> {
    let contributed = hits.iter().filter(|hit| hit.fault != "none" && hit.candidate.aim != Aim::Process);
    let contributed = contributed.filter(|hit| !EFFECTS.contains(&hit.rule));
    let one = |(at, hit): (usize, &RuleHit)| Factor {
        basis: hit.basis.name(),
        text: hit.says(),
        test: hit.test.clone(),
        evidence: look.cite(&hit.evidence),
        visible: at < rules::VISIBLE,
    };
    contributed.enumerate().map(one).collect()
}
