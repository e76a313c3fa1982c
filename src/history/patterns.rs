//! What keeps coming back: findings of all runs, counted by rule, service, kind of fault and team; beside them what alerts
//! saw, and what is owed.

use super::{
    Past, Reports, Seen,
    age::{self, Open},
    alerts::{self, Coverage, Recall},
    owed,
};
use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Counted over the runs whose results tell what rules found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Patterns {
    /// How many runs tell.
    pub runs: usize,
    /// By the rule that found something.
    pub rules: Vec<Pattern>,
    /// By the service that it was found on.
    pub services: Vec<Pattern>,
    /// By the kinds of fault that were on; findings that depend on none are left out.
    pub faults: Vec<Pattern>,
    /// By who owns the finding's action item, else the review.
    pub teams: Vec<Pattern>,
    /// Which alerts fired of those expected, by service.
    pub recall: Vec<Recall>,
    /// Which fault is seen by which alert.
    pub coverage: Coverage,
    /// What is owed.
    pub open: Open,
}

/// Something that was found, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// The rule, the service, the kinds of fault or the team.
    pub name: String,
    /// In how many runs.
    pub runs: usize,
    /// How many different findings.
    pub findings: usize,
    /// When first, UTC.
    pub first: Option<Date>,
    /// When last, UTC.
    pub last: Option<Date>,
    /// In which scenarios.
    pub scenarios: Vec<String>,
}

/// Stands where nobody owns a finding.
const NOBODY: &str = "unassigned";

/// Counts them as of a day; the most frequent first.
pub fn patterns(reports: &Reports, today: Date) -> Patterns {
    let told: Vec<(&Past, &Vec<Seen>)> =
        super::once(reports).filter_map(|past| Some((past, past.summary.as_ref()?.findings.as_ref()?))).collect();
    let owners = owners(reports);
    Patterns {
        runs: told.len(),
        rules: count(&told, |_, seen| Some(&seen.rule)),
        services: count(&told, |_, seen| seen.service.as_deref()),
        faults: count(&told, |_, seen| seen.fault.as_deref().filter(|fault| *fault != "none")),
        teams: count(&told, |past, seen| {
            let review = past.summary.as_ref().and_then(|summary| summary.owner.as_deref());
            Some(owners.get(seen.fingerprint.as_str()).copied().or(review).unwrap_or(NOBODY))
        }),
        recall: alerts::recall(reports),
        coverage: alerts::coverage(reports),
        open: age::open(reports, today),
    }
}

/// Who took up each finding: the owner in the newest review that names one.
fn owners(reports: &Reports) -> BTreeMap<&str, &str> {
    let mut owners = BTreeMap::new();
    for (_, item) in owed::all(reports) {
        if let (Some(finding), Some(owner)) = (owed::fingerprint(item), item.owner.as_deref()) {
            owners.entry(finding).or_insert(owner);
        }
    }
    owners
}

#[derive(Default)]
struct Tally<'a> {
    runs: BTreeSet<&'a str>,
    findings: BTreeSet<&'a str>,
    days: BTreeSet<Date>,
    scenarios: BTreeSet<&'a str>,
}

fn count<'a>(told: &[(&'a Past, &'a Vec<Seen>)], key: impl Fn(&'a Past, &'a Seen) -> Option<&'a str>) -> Vec<Pattern> {
    let mut tallies: BTreeMap<&str, Tally<'a>> = BTreeMap::new();
    for (past, findings) in told {
        for seen in findings.iter() {
            let Some(name) = key(past, seen).filter(|name| !name.is_empty()) else { continue };
            let tally = tallies.entry(name).or_default();
            tally.runs.insert(past.run());
            tally.findings.insert(&seen.fingerprint);
            tally.days.extend(past.started.map(|at| at.to_zoned(TimeZone::UTC).date()));
            tally.scenarios.extend(past.scenario.as_deref());
        }
    }
    let one = |(name, tally): (&str, Tally<'_>)| Pattern {
        name: name.to_owned(),
        runs: tally.runs.len(),
        findings: tally.findings.len(),
        first: tally.days.first().copied(),
        last: tally.days.last().copied(),
        scenarios: tally.scenarios.into_iter().map(String::from).collect(),
    };
    let mut all: Vec<Pattern> = tallies.into_iter().map(one).collect();
    all.sort_by(|a, b| b.runs.cmp(&a.runs).then_with(|| a.name.cmp(&b.name)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::past;

    #[test]
    fn what_comes_back_is_counted_by_run() {
        let runs = vec![
            past("b", "cache", 2, &[("no-limit", "redis", "none", "f1"), ("late", "shop", "kill", "f2")]),
            past("a", "store", 1, &[("no-limit", "redis", "none", "f1"), ("no-limit", "store", "none", "f3")]),
        ];
        let found = patterns(&Reports { runs, read_anew: 0 }, "2026-03-03".parse().unwrap());
        let told: Vec<(&str, usize, usize)> =
            found.rules.iter().map(|p| (p.name.as_str(), p.runs, p.findings)).collect();
        assert_eq!(told, [("no-limit", 2, 2), ("late", 1, 1)]);
        assert_eq!(found.services[0].scenarios, ["cache", "store"]);
        assert_eq!(found.rules[0].first.unwrap().to_string(), "2026-03-01");
        assert_eq!(found.faults.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["kill"]);
        assert_eq!(found.teams.iter().map(|p| (p.name.as_str(), p.runs)).collect::<Vec<_>>(), [("unassigned", 2)]);
    }

    #[test]
    fn a_finding_belongs_to_whoever_took_it_up() {
        let mut runs = vec![
            past("b", "cache", 2, &[("no-limit", "redis", "none", "f1"), ("late", "shop", "kill", "f2")]),
            past("a", "store", 1, &[("no-limit", "redis", "none", "f1")]),
        ];
        runs[0].summary.as_mut().unwrap().owner = Some("payments".into());
        runs[1].actions = owed::tests::past("a", &[("A-0000000a", "accepted", "f1", "none")]).actions;
        runs[1].actions[0].owner = Some("platform".into());
        let found = patterns(&Reports { runs, read_anew: 0 }, "2026-03-03".parse().unwrap());
        let told: Vec<(&str, usize)> = found.teams.iter().map(|p| (p.name.as_str(), p.runs)).collect();
        assert_eq!(told, [("platform", 2), ("payments", 1)]);
    }
}
