//! What is not the same around the measurement: versions, digests, what was asked for.

use crate::analysis::Findings;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Something that differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What.
    pub what: String,
    /// In the first run; `None` if it is not known there.
    pub before: Option<String>,
    /// In the second run.
    pub after: Option<String>,
}

/// Everything that differs, in the order in which one would suspect it.
pub fn between(a: &Findings, b: &Findings) -> Vec<Change> {
    let (before, after) = (facts(a), facts(b));
    let mut order: Vec<&String> = before.iter().map(|(what, _)| what).collect();
    order.extend(after.iter().map(|(what, _)| what).filter(|what| before.iter().all(|(other, _)| other != *what)));
    let of = |facts: &[(String, String)], what: &str| {
        facts.iter().find(|(other, _)| other == what).map(|(_, value)| value.clone())
    };
    let change = |what: &String| {
        let (before, after) = (of(&before, what), of(&after, what));
        (before != after).then(|| Change { what: what.clone(), before, after })
    };
    order.into_iter().filter_map(change).collect()
}

/// What is known of the surroundings of a run; nothing that differs between any two runs.
fn facts(findings: &Findings) -> Vec<(String, String)> {
    let run = &findings.run;
    let mut facts = vec![
        ("scenario".to_owned(), run.scenario.clone()),
        ("scenario digest".to_owned(), run.scenario_digest.clone()),
        ("git".to_owned(), run.git.clone().unwrap_or_else(|| "unknown".into())),
    ];
    facts.extend(images(findings));
    facts.extend(loads(findings));
    facts.extend([("firedrill".to_owned(), run.version.clone()), ("runner's host".to_owned(), run.host.clone())]);
    if let Some(engine) = &run.engine {
        facts.extend([
            ("engine".to_owned(), engine.version.clone()),
            ("engine's host".to_owned(), engine.name.clone()),
            ("kernel".to_owned(), engine.kernel.clone()),
            ("operating system".to_owned(), engine.os.clone()),
        ]);
    }
    facts
}

/// By target, not by container: names of containers often differ from run to run.
fn images(findings: &Findings) -> BTreeMap<String, String> {
    let target = |(name, containers): (&String, &Vec<crate::container::Container>)| {
        let images: BTreeSet<String> = containers.iter().map(|c| format!("{} {}", c.image, c.image_id)).collect();
        let images: Vec<String> = images.into_iter().collect();
        (format!("image of {name}"), images.join(", "))
    };
    findings.scope.targets.iter().map(target).collect()
}

fn loads(findings: &Findings) -> impl Iterator<Item = (String, String)> {
    findings.probes.iter().map(|probe| (format!("rate of {}", probe.name), probe.rate.to_string()))
}
