//! What is worth acting on: deterministic rules over findings. A rule looks at facts and prints a sentence with its
//! figures, the evidence, a way to test it, and a candidate action. It never names a cause that was not measured: what
//! follows from facts alone is *observed*, everything else a *hypothesis*.
//!
//! # A new rule
//! One function in the file of its theme, one entry in [`RULES`], and one case each in `tests/it/rules.rs`
//! that must and must not fire, and that shows the end state which its candidate action is verified by. Its id goes into fingerprints: once published it does not change.

mod alerts;
mod containers;
mod load;
mod measuring;
mod neighbours;
mod recovery;
mod wanted;

pub use wanted::{Wanted, promise, same};

use super::{
    action::{ActionItem, Aim, Found, Priority, State, Step, Verify, digits, id_of},
    model::{again, look::Look},
};
use crate::{
    analysis::{EvidenceId, Findings, Hypothesis, Word},
    clock::wall,
};
use jiff::{civil::Date, tz::TimeZone};
use std::collections::BTreeSet;

/// How many candidate actions and factors are shown; the rest is folded away, and so is an action of hygiene.
pub const VISIBLE: usize = 8;

/// One rule.
pub struct Rule {
    /// Its id: `no-memory-limit`.
    pub id: &'static str,
    /// What it looks for, for the appendix.
    pub looks_for: &'static str,
    /// When its silence about something means that all is well; `None`: something else than its silence tells that.
    needs: Option<Needs>,
    find: fn(&Case<'_>) -> Vec<Seen>,
}

/// What a run must have looked at before a rule's silence about something tells anything of it.
struct Needs {
    /// Why a run without that tells nothing, for people.
    missing: &'static str,
    /// Whether the run has it.
    seen: fn(&Case<'_>, &str) -> bool,
}

/// All rules.
pub static RULES: [Rule; 28] = [
    recovery::NOT_RECOVERED,
    measuring::CLEANUP_UNPROVEN,
    recovery::RECOVERED_LATE,
    recovery::PROMISE_BROKEN,
    alerts::ABSENT,
    alerts::LATE,
    alerts::UNEXPECTED,
    alerts::RESETS_LATE,
    recovery::AFTER_REMOVAL,
    recovery::GUARD_TRIPPED,
    neighbours::DEGRADED,
    containers::OUT_OF_MEMORY,
    containers::STAYED_DOWN,
    containers::SINGLE_INSTANCE,
    load::PLATEAU,
    load::NO_ANSWER,
    load::AMPLIFIED,
    containers::LOG_BURST,
    recovery::LOW_MARGIN,
    containers::HEALTHY_WHILE_BAD,
    measuring::UNDECIDED,
    measuring::UNKNOWN_TICKS,
    measuring::CLOCK_STEPPED,
    measuring::CLOCK_SKEWED,
    alerts::STILL_FIRING,
    containers::NO_HEALTH_CHECK,
    containers::NO_MEMORY_LIMIT,
    containers::IMAGE_NOT_PINNED,
];

/// A rule that found something.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleHit {
    /// The rule's id.
    pub rule: &'static str,
    /// Of rule, service, fault kind and signal: the same for the same finding in every run. 12 hexadecimal digits.
    pub fingerprint: String,
    /// What it is about: a compose service, a container or a probe.
    pub service: String,
    /// The kinds of fault that the drill applied, or `none` where the finding does not depend on them.
    pub fault: String,
    /// What shows it: `p99`, `memory limit`, ...
    pub signal: String,
    /// The finding in a sentence, with its figures.
    pub title: String,
    /// Whether facts say so, or it is a guess that a test can settle.
    pub basis: Basis,
    /// In how many of the last runs it was found, if it was found before.
    pub again: Option<String>,
    /// How that could be tested.
    pub test: String,
    /// Where it shows.
    pub evidence: Vec<EvidenceId>,
    /// What is proposed.
    pub candidate: Candidate,
}

impl RuleHit {
    /// The finding, and whether it was found before.
    pub fn says(&self) -> String {
        self.again.as_ref().map_or_else(|| self.title.clone(), |again| format!("{} {again}", self.title))
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The evidence shows it.
    Observed,
    /// The evidence allows it.
    Hypothesis,
}

impl Basis {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Observed => "observed",
            Basis::Hypothesis => "hypothesis",
        }
    }
}

/// An action that a finding suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is to be done; begins with a verb.
    pub title: String,
    /// What it is for.
    pub aim: Aim,
    /// How grave the finding is; gives the priority.
    pub weight: Weight,
    /// The end state, measurable.
    pub done_when: String,
    /// What must hold in a run of the scenario.
    pub criterion: Wanted,
}

/// How grave a finding is: the printed rule behind each priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Service did not come back.
    NotRecovered,
    /// Something of the drill may be left behind.
    CleanupUnproven,
    /// An alert that was expected did not fire.
    PageMissed,
    /// A promise was broken.
    Violated,
    /// Every promise was kept, with little room.
    LowMargin,
    /// Nothing that was promised was broken.
    Hygiene,
}

impl Weight {
    /// The priority that it gives.
    pub fn priority(self) -> Priority {
        match self {
            Weight::NotRecovered | Weight::CleanupUnproven => Priority::P0,
            Weight::PageMissed | Weight::Violated => Priority::P1,
            Weight::LowMargin => Priority::P2,
            Weight::Hygiene => Priority::P3,
        }
    }

    /// Why, as printed beside it.
    pub fn why(self) -> &'static str {
        match self {
            Weight::NotRecovered => "service did not recover",
            Weight::CleanupUnproven => "the cleanup is not proven",
            Weight::PageMissed => "an expected page was missed",
            Weight::Violated => "the hypothesis was violated",
            Weight::LowMargin => "the margin is under 20%",
            Weight::Hygiene => "hygiene: it broke no promise",
        }
    }
}

/// What a rule says; identity, evidence and scenario are added by [`Case::hit`].
struct Seen {
    service: String,
    /// Whether it belongs to the faults of this drill.
    by_fault: bool,
    signal: String,
    title: String,
    basis: Basis,
    test: String,
    evidence: Vec<EvidenceId>,
    candidate: Candidate,
}

/// A run as the rules see it.
struct Case<'a> {
    look: Look<'a>,
    findings: &'a Findings,
}

impl Case<'_> {
    /// The user-facing service, for findings that users see.
    fn service(&self) -> String {
        let main = || self.findings.main().map(|probe| probe.name.clone());
        self.findings.run.of.clone().or_else(main).unwrap_or_else(|| self.findings.run.scenario.clone())
    }

    /// The kinds of all faults that were applied, in alphabetical order.
    fn faults(&self) -> String {
        let applied = self.findings.faults.iter().filter(|fault| fault.requested.is_some());
        let kinds: BTreeSet<&str> = applied.map(|fault| fault.kind.as_str()).collect();
        if kinds.is_empty() { "none".into() } else { kinds.into_iter().collect::<Vec<_>>().join("+") }
    }

    /// What they are called: `pause cache and kill api`.
    fn fault_labels(&self) -> String {
        let applied = self.findings.faults.iter().filter(|fault| fault.requested.is_some());
        super::model::look::list(&applied.map(|fault| fault.label.clone()).collect::<Vec<_>>(), 3)
    }

    /// What a finding weighs that is only as grave as the whole run was.
    fn weight(&self) -> Weight {
        match (self.findings.verdict.hypothesis, self.findings.verdict.low_margin) {
            (Hypothesis::Violated, _) => Weight::Violated,
            (_, true) => Weight::LowMargin,
            _ => Weight::Hygiene,
        }
    }

    fn not_started(&self) -> bool {
        self.findings.verdict.word == Word::NotStarted
    }

    fn hit(&self, rule: &'static str, seen: Seen) -> RuleHit {
        let fault = if seen.by_fault { self.faults() } else { "none".into() };
        let fingerprint = digits(&[rule, &seen.service, &fault, &seen.signal], 12);
        RuleHit {
            rule,
            again: again::recurrence(self.findings, &fingerprint),
            fingerprint,
            service: seen.service,
            fault,
            signal: seen.signal,
            title: seen.title,
            basis: seen.basis,
            test: seen.test,
            evidence: seen.evidence,
            candidate: seen.candidate,
        }
    }
}

/// Everything that the rules find, the gravest first; among equals in the order of [`RULES`].
pub fn hits(findings: &Findings) -> Vec<RuleHit> {
    let case = Case { look: Look::at(findings), findings };
    let mut hits: Vec<RuleHit> =
        RULES.iter().flat_map(|rule| (rule.find)(&case).into_iter().map(|seen| case.hit(rule.id, seen))).collect();
    hits.sort_by_key(|hit| hit.candidate.weight.priority());
    let mut known = BTreeSet::new();
    hits.retain(|hit| known.insert(hit.fingerprint.clone()));
    hits
}

/// The candidate action of each finding, in the same order. Proposed on the day (UTC) on which the run ended.
pub fn actions(findings: &Findings, hits: &[RuleHit]) -> Vec<ActionItem> {
    let day = ended(findings);
    hits.iter().map(|hit| proposed(findings, hit, day)).collect()
}

fn ended(findings: &Findings) -> Date {
    wall(findings.run.started, findings.run.ended).to_zoned(TimeZone::UTC).date()
}

fn proposed(findings: &Findings, hit: &RuleHit, day: Date) -> ActionItem {
    let candidate = &hit.candidate;
    let priority = candidate.weight.priority();
    ActionItem {
        id: id_of(&[&findings.run.id, &hit.fingerprint]),
        title: candidate.title.clone(),
        state: State::Proposed,
        by: None,
        aim: candidate.aim,
        priority,
        priority_why: candidate.weight.why().into(),
        owner: None,
        due: priority.due(day),
        ticket: None,
        finding: Some(Found {
            rule: hit.rule.into(),
            fingerprint: hit.fingerprint.clone(),
            evidence: hit.evidence.iter().map(ToString::to_string).collect(),
            says: hit.says(),
        }),
        done_when: candidate.done_when.clone(),
        verify: Verify::Scenario {
            scenario: findings.run.scenario_path.clone(),
            criterion: candidate.criterion.to_string(),
        },
        reason: None,
        history: vec![Step { on: day, what: State::Proposed.name().into() }],
    }
}

/// The criterion of a rule that no run has to judge: it finds nothing any more.
fn rests(rule: &str, on: &str) -> Wanted {
    Wanted::Nothing { rule: rule.into(), on: on.into() }
}

/// Whether it says anything that a rule has found nothing on something in a run.
///
/// # Errors
/// Why it does not, for people.
pub fn could_find(findings: &Findings, rule: &str, on: &str) -> Result<(), String> {
    let Some(known) = RULES.iter().find(|known| known.id == rule) else {
        return Err(format!("no rule is called {rule}"));
    };
    let Some(needs) = &known.needs else {
        return Err(format!("that rule {rule} finds nothing verifies nothing; a promise of the scenario does"));
    };
    if !findings.faults.iter().any(|fault| fault.effective.is_some()) {
        return Err("no fault took effect".into());
    }
    let case = Case { look: Look::at(findings), findings };
    let blind = || format!("rule {rule} finds nothing on {on}, and could not have: {}", needs.missing);
    (needs.seen)(&case, on).then_some(()).ok_or_else(blind)
}

/// At most so many places of evidence, the first ones.
fn first(evidence: &[EvidenceId], most: usize) -> Vec<EvidenceId> {
    let mut known = BTreeSet::new();
    evidence.iter().copied().filter(|id| known.insert(*id)).take(most).collect()
}
