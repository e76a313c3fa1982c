//! What alerts saw of the faults, over all runs: which of those expected fired, and which fault no alert sees.

use super::{Alerted, Past, Reports, Summary};
use crate::review::quantity;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// From so many expected alerts on, the share that fired is worth a number of its own.
const ENOUGH: usize = 5;

/// Of the alerts that were expected of a service, those that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recall {
    /// The service that users see.
    pub service: String,
    /// In how many runs alerts were expected and their source could be read.
    pub runs: usize,
    /// How many were expected, each run's counted.
    pub expected: usize,
    /// How many of them fired, late ones too.
    pub fired: usize,
}

/// Which fault is seen by which alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Every alert that was expected or fired, by name.
    pub alerts: Vec<String>,
    /// What was injected; what no alert saw is first, what nothing is known of is last.
    pub faults: Vec<Covered>,
}

/// What was injected in a run, and what alerts made of it in all runs of the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The labels of the faults; several if they were injected in one run, in which nobody can tell them apart.
    pub fault: String,
    /// Whether any alert fired; null if no run tells.
    pub seen: Option<bool>,
    /// How many runs had an alert source.
    pub watched: usize,
    /// How many had none.
    pub unwatched: usize,
    /// One for each alert of the coverage.
    pub cells: Vec<Cell>,
}

/// One alert under one fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Cell {
    /// In how many runs it fired once the fault was on.
    pub fired: usize,
    /// Of so many that tell.
    pub of: usize,
    /// In how many it was expected.
    pub expected: usize,
}

impl Recall {
    /// `3 of 4 (too few for a share)`
    pub fn says(&self) -> String {
        let Recall { fired, expected, .. } = self;
        if *expected < ENOUGH {
            return format!("{fired} of {expected} (too few for a share)");
        }
        format!("{fired} of {expected} ({})", quantity::share(*fired as f64 / *expected as f64))
    }
}

impl Covered {
    /// In a table.
    pub fn says(&self) -> &'static str {
        match self.seen {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not known",
        }
    }
}

impl Cell {
    /// In a table: `2 of 3` fired, with a mark where it was not expected; `-` where nothing was expected or fired.
    pub fn says(&self) -> String {
        match (self.expected, self.fired, self.of) {
            (0, 0, _) => "-".into(),
            (_, _, 0) => "not known".into(),
            (0, fired, of) => format!("{fired} of {of}, not expected"),
            (_, fired, of) => format!("{fired} of {of}"),
        }
    }
}

impl Coverage {
    /// How many faults no alert saw.
    pub fn unseen(&self) -> usize {
        self.faults.iter().filter(|fault| fault.seen == Some(false)).count()
    }

    /// Of how many faults it is known whether an alert sees them.
    pub fn known(&self) -> usize {
        self.faults.iter().filter(|fault| fault.seen.is_some()).count()
    }

    /// `7 of 12 injected faults are seen by no alert.` `None`: nothing was injected yet.
    pub fn says(&self) -> Option<String> {
        let (unseen, known) = (self.unseen(), self.known());
        let dark = self.faults.len() - known;
        let faults = |n: usize| if n == 1 { "fault" } else { "faults" };
        let of_the_dark = format!(
            "{dark} injected {} nothing is known: no run with {} had an alert source that could be read.",
            faults(dark),
            if dark == 1 { "it" } else { "them" }
        );
        let is = if unseen == 1 { "is" } else { "are" };
        match (known, dark) {
            (0, 0) => None,
            (0, _) => Some(format!("Of {of_the_dark}")),
            (_, 0) => Some(format!("{unseen} of {known} injected {} {is} seen by no alert.", faults(known))),
            _ => {
                Some(format!("{unseen} of {known} injected {} {is} seen by no alert; of {of_the_dark}", faults(known)))
            }
        }
    }
}

/// By service; the one with the most silent alerts first.
pub fn recall(reports: &Reports) -> Vec<Recall> {
    let mut services: BTreeMap<&str, Recall> = BTreeMap::new();
    for summary in super::once(reports).filter_map(|past| past.summary.as_ref()) {
        let alerts = summary.alerts.iter().flatten().filter(|alert| alert.expected);
        let fired: Vec<bool> = alerts.filter_map(|alert| alert.fired).collect();
        let Some(service) = summary.service.as_deref().filter(|_| !fired.is_empty()) else { continue };
        let none = || Recall { service: service.to_owned(), runs: 0, expected: 0, fired: 0 };
        let recall = services.entry(service).or_insert_with(none);
        recall.runs += 1;
        recall.expected += fired.len();
        recall.fired += fired.iter().filter(|fired| **fired).count();
    }
    let mut all: Vec<Recall> = services.into_values().collect();
    all.sort_by_key(|recall| std::cmp::Reverse(recall.expected - recall.fired));
    all
}

/// Over all runs in which a fault took effect.
pub fn coverage(reports: &Reports) -> Coverage {
    let mut faults: BTreeMap<String, Vec<&Summary>> = BTreeMap::new();
    for summary in super::once(reports).filter_map(injected) {
        faults.entry(summary.injected.join(" + ")).or_default().push(summary);
    }
    let told = faults.values().flatten().flat_map(|summary| summary.alerts.iter().flatten());
    let alerts: Vec<&str> = told.map(|alert| alert.alert.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut rows: Vec<Covered> = faults.into_iter().map(|(fault, runs)| covered(fault, &runs, &alerts)).collect();
    rows.sort_by_key(|row| row.seen.map_or(2, u8::from));
    Coverage { alerts: alerts.into_iter().map(String::from).collect(), faults: rows }
}

fn injected(past: &Past) -> Option<&Summary> {
    past.summary.as_ref().filter(|summary| !summary.injected.is_empty())
}

fn covered(fault: String, runs: &[&Summary], alerts: &[&str]) -> Covered {
    let watched: Vec<&Vec<Alerted>> = runs.iter().filter_map(|summary| summary.alerts.as_ref()).collect();
    let cells: Vec<Cell> = alerts.iter().map(|alert| cell(alert, &watched)).collect();
    let dark = watched.iter().all(|told| told.iter().any(|alert| alert.fired.is_none()));
    let seen = cells.iter().any(|cell| cell.fired > 0);
    Covered {
        fault,
        seen: (seen || !dark).then_some(seen),
        watched: watched.len(),
        unwatched: runs.len() - watched.len(),
        cells,
    }
}

fn cell(alert: &str, watched: &[&Vec<Alerted>]) -> Cell {
    let mut cell = Cell { of: watched.len(), ..Cell::default() };
    for told in watched.iter().filter_map(|told| told.iter().find(|one| one.alert == alert)) {
        cell.expected += usize::from(told.expected);
        cell.fired += usize::from(told.fired == Some(true));
        cell.of -= usize::from(told.fired.is_none());
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::past;

    /// A run in which this was injected, and what alerts did: name, expected, fired.
    fn run(id: &str, fault: &str, alerts: Option<&[(&str, bool, Option<bool>)]>) -> Past {
        let mut past = past(id, "cache", 1, &[]);
        let summary = past.summary.as_mut().unwrap();
        summary.injected = vec![fault.into()];
        let one = |(alert, expected, fired): &(&str, bool, Option<bool>)| Alerted {
            alert: (*alert).into(),
            expected: *expected,
            fired: *fired,
        };
        summary.alerts = alerts.map(|alerts| alerts.iter().map(one).collect());
        past
    }

    fn reports() -> Reports {
        let runs = vec![
            run("a", "kill api", Some(&[("Errors", true, Some(true)), ("Slow", true, Some(false))])),
            run("b", "kill api", Some(&[("Errors", true, Some(true)), ("Disk", false, Some(true))])),
            run("c", "pause db", Some(&[("Slow", true, Some(false))])),
            run("d", "fill disk", Some(&[])),
            run("e", "delay db", Some(&[("Slow", true, None)])),
            run("f", "cut db", None),
        ];
        Reports { runs, read_anew: 0 }
    }

    #[test]
    fn what_was_expected_of_alerts_is_counted_by_service() {
        let all = recall(&reports());
        let shop = Recall { service: "shop".into(), runs: 3, expected: 4, fired: 2 };
        assert_eq!(all, [shop], "what is not known counts neither way");
    }

    #[test]
    fn a_fault_that_no_alert_sees_is_told() {
        let found = coverage(&reports());
        assert_eq!(found.alerts, ["Disk", "Errors", "Slow"]);
        let rows: Vec<(&str, Option<bool>)> = found.faults.iter().map(|row| (row.fault.as_str(), row.seen)).collect();
        assert_eq!(
            rows,
            [
                ("fill disk", Some(false)),
                ("pause db", Some(false)),
                ("kill api", Some(true)),
                ("cut db", None),
                ("delay db", None)
            ]
        );
        let kill = &found.faults[2].cells;
        assert_eq!(kill[0], Cell { fired: 1, of: 2, expected: 0 });
        assert_eq!(kill[1], Cell { fired: 2, of: 2, expected: 2 });
        assert_eq!(
            found.says().unwrap(),
            "2 of 3 injected faults are seen by no alert; of 2 injected faults nothing is known: no run with them had an \
             alert source that could be read."
        );
    }

    #[test]
    fn without_a_source_nothing_is_claimed() {
        let only = |run| coverage(&Reports { runs: vec![run], read_anew: 0 }).says();
        assert!(only(run("f", "cut db", None)).unwrap().starts_with("Of 1 injected fault nothing is known"));
        assert_eq!(only(run("d", "x", Some(&[]))).unwrap(), "1 of 1 injected fault is seen by no alert.");
        assert_eq!(only(past("a", "s", 1, &[])), None);
    }
}
