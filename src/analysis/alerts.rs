//! What the alerts did: each from pending to resolved on our clock, and what was expected of it.
//!
//! An edge is known to lie between two moments: between the last question that found it otherwise and the first answer
//! that showed it, or, where the source stamps its rules' evaluations, between two of those.

mod figures;
mod judge;
mod spells;
#[cfg(test)]
mod tests;

pub use figures::figures;
pub use judge::criteria;

use super::{EvidenceId, Interval, Ledger, clocks::Clock, windows::Windows};
use crate::{
    clock::At,
    event::{ALERT_NAME, AlertLabels, AlertState, DetectTerms, Event, RunStarted, alert_title},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spells::Watch;

/// What was seen of alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertFindings {
    /// From the first answer to the last; `None`: there was none.
    pub watched: Option<(At, At)>,
    /// How many answers.
    pub answers: u64,
    /// When nothing was known: from the last answer before to the first one after, or to the end of the watch.
    pub gaps: Vec<(At, At)>,
    /// The source's clock - ours, nanoseconds, if it showed one.
    pub clock_ns: Option<Interval<i64>>,
    /// The truth table: those expected in the order of the scenario, then all others that fired.
    pub rows: Vec<AlertRow>,
    /// Every change, in order.
    pub edges: Vec<AlertEdge>,
    /// The first answer and the last.
    pub evidence: Vec<EvidenceId>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertRow {
    /// `CheckoutErrors`; with its labels in braces where another bears the same name.
    pub alert: String,
    /// Its position among those expected.
    pub expected: Option<usize>,
    /// What came of it.
    pub outcome: AlertOutcome,
    /// When it began to be pending, before it fired.
    pub pending: Option<Interval<At>>,
    /// When it began to fire; the first time from the fault on, if there was one.
    pub firing: Option<Interval<At>>,
    /// When it had stopped for the last time; `None`: it had not.
    pub resolved: Option<Interval<At>>,
    /// All stretches in which it was not quiet: what it was, from, to.
    pub stretches: Vec<(AlertState, At, At)>,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// A change of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertEdge {
    /// `CheckoutErrors`; with its labels in braces where another bears the same name.
    pub alert: String,
    /// What it was from then on.
    pub state: AlertState,
    /// When.
    pub at: Interval<At>,
    /// It was so when the first answer came; `at` is that.
    pub already: bool,
    /// Whether it is among those expected, ...
    pub expected: bool,
    /// ... or among those that must not fire.
    pub forbidden: bool,
    /// Where.
    pub evidence: EvidenceId,
}

/// What came of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertOutcome {
    /// Expected, and it fired in time.
    Fired,
    /// Expected, and it fired too late.
    Late,
    /// Expected, and it did not fire.
    Missing,
    /// Expected, and the data do not tell: the source could not be read, or it fired before the fault already.
    NotKnown,
    /// It fired, and must not have.
    Forbidden,
    /// It fired, and nothing was said of it; or it fired before the fault already.
    Unrelated,
}

impl AlertOutcome {
    /// In a table.
    pub fn name(self) -> &'static str {
        match self {
            AlertOutcome::Fired => "fired",
            AlertOutcome::Late => "late",
            AlertOutcome::Missing => "missing",
            AlertOutcome::NotKnown => "not known",
            AlertOutcome::Forbidden => "forbidden",
            AlertOutcome::Unrelated => "unrelated",
        }
    }
}

/// What the alerts are looked at with: the promise, the answers, and when the fault was there.
pub struct Alerts<'a> {
    terms: &'a DetectTerms,
    watch: Watch,
    /// The first fault effective.
    fault: Option<Interval<At>>,
    windows: &'a Windows,
}

impl<'a> Alerts<'a> {
    /// `None` without an alert source.
    pub fn of(
        started: &'a RunStarted,
        events: &[Event],
        fault: Option<Interval<At>>,
        windows: &'a Windows,
        ledger: &mut Ledger,
    ) -> Option<Alerts<'a>> {
        let terms = started.terms.detect.as_ref()?;
        let clock = Clock::of_alert_source(started.started, events);
        let watch = Watch::read(terms, events, &clock, windows.watch_end, ledger);
        Some(Alerts { terms, watch, fault, windows })
    }

    /// What a review says of them.
    pub fn findings(&self) -> AlertFindings {
        let watch = &self.watch;
        AlertFindings {
            watched: watch.watched,
            answers: watch.answers,
            gaps: watch.gaps.clone(),
            clock_ns: watch.clock_ns,
            edges: watch.edges.iter().map(|edge| self.edge(edge)).collect(),
            rows: self.expected_rows().chain(self.other_rows()).collect(),
            evidence: watch.evidence.clone(),
        }
    }

    fn expected_rows(&self) -> impl Iterator<Item = AlertRow> + '_ {
        self.terms.alerts.iter().enumerate().map(|(at, terms)| {
            let seen = self.seen(|labels| terms.matches(labels));
            let outcome = self.outcome(terms);
            self.row(self.terms.title(terms), Some(at), outcome, &seen)
        })
    }

    /// Everything else that fired at any time, one row for each set of labels.
    fn other_rows(&self) -> impl Iterator<Item = AlertRow> + '_ {
        let mut all: Vec<&AlertLabels> =
            self.watch.spells.iter().filter(|spell| spell.fires()).map(|spell| &spell.labels).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().filter(|labels| !self.is_expected(labels)).map(|labels| {
            let seen = self.seen(|other| other == labels);
            let outcome = match self.forbids(labels) && seen.iter().any(|spell| self.after_fault(spell)) {
                true => AlertOutcome::Forbidden,
                false => AlertOutcome::Unrelated,
            };
            self.row(self.title(labels), None, outcome, &seen)
        })
    }

    /// As short as it is unlike the others.
    fn title(&self, labels: &AlertLabels) -> String {
        if let Some(terms) = self.terms.alerts.iter().find(|alert| alert.matches(labels)) {
            return self.terms.title(terms);
        }
        let name = labels.get(ALERT_NAME).map_or("", String::as_str);
        let mut named =
            self.watch.spells.iter().map(|spell| &spell.labels).filter(|l| l.get(ALERT_NAME) == labels.get(ALERT_NAME));
        if named.all(|other| other == labels) { name.to_owned() } else { alert_title(name, labels) }
    }

    fn edge(&self, edge: &spells::Edge) -> AlertEdge {
        AlertEdge {
            alert: self.title(&edge.labels),
            state: edge.state,
            at: edge.at.unwrap_or(Interval { low: edge.seen, high: edge.seen }),
            already: edge.at.is_none(),
            expected: self.is_expected(&edge.labels),
            forbidden: self.forbids(&edge.labels),
            evidence: edge.evidence,
        }
    }

    fn row(&self, alert: String, expected: Option<usize>, outcome: AlertOutcome, seen: &[&spells::Spell]) -> AlertRow {
        let after: Vec<_> = seen.iter().filter(|spell| self.after_fault(spell)).collect();
        let told = after.first().copied().or_else(|| seen.iter().find(|spell| spell.fires())).or(seen.first());
        let counted = || if after.is_empty() { seen.iter().collect() } else { after.clone() };
        let over = counted().iter().all(|spell| spell.ended.is_some());
        let last = counted().iter().filter_map(|spell| spell.ended).max_by_key(|ended| ended.high);
        AlertRow {
            alert,
            expected,
            outcome,
            pending: told.and_then(|spell| spell.pending),
            firing: told.and_then(|spell| spell.firing),
            resolved: last.filter(|_| over),
            stretches: seen.iter().flat_map(|spell| spell.stretches(self.windows.watch_end)).collect(),
            evidence: seen.iter().flat_map(|spell| spell.evidence.clone()).collect(),
        }
    }

    fn is_expected(&self, labels: &AlertLabels) -> bool {
        self.terms.alerts.iter().any(|alert| alert.matches(labels))
    }

    fn forbids(&self, labels: &AlertLabels) -> bool {
        let named = labels.get(ALERT_NAME).is_some_and(|name| self.terms.no_page.names.contains(name));
        named || self.terms.no_page.others && !self.is_expected(labels)
    }

    /// Spells of the alerts that are meant, in order.
    fn seen(&self, meant: impl Fn(&AlertLabels) -> bool) -> Vec<&spells::Spell> {
        self.watch.spells.iter().filter(|spell| meant(&spell.labels)).collect()
    }

    /// Whether it began to fire from the first fault on, and before the watch was over.
    fn after_fault(&self, spell: &spells::Spell) -> bool {
        let Some((fault, firing)) = self.fault.zip(spell.firing) else { return false };
        firing.high > fault.low && firing.low < self.windows.watch_end
    }
}
