//! What a new run of the drill says of an action item: done, not yet, gone again, or nothing.
//!
//! Only a run that went through and was decided says anything. What it is asked is the item's criterion: a promise of
//! the scenario (`during: checkout p99 <= 400ms`), or that a rule finds nothing any more.

use crate::{
    analysis::{Criterion, CriterionStatus, Findings},
    event::Phase,
    review::{
        action::{ActionItem, State, Step, Verify},
        model::phase_name,
        quantity,
        rules::RuleHit,
    },
};
use jiff::civil::Date;
use serde::Serialize;

/// What a run says of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The end state is reached.
    Verified,
    /// It is not, and nobody had said so.
    NotYet,
    /// It is not, though it had been done or verified.
    Regressed,
    /// The run does not tell.
    Undecided,
}

impl Outcome {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Verified => "verified",
            Outcome::NotYet => "not yet",
            Outcome::Regressed => "regressed",
            Outcome::Undecided => "undecided",
        }
    }
}

/// An outcome and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What the run says.
    pub outcome: Outcome,
    /// For people.
    pub why: String,
}

/// Whether an item waits for its drill: it is said to be done, or its day has come and it was taken up.
pub fn due(item: &ActionItem, today: Date) -> bool {
    let waits = match item.state {
        State::Done | State::Regressed => true,
        State::Accepted | State::InProgress => item.due.is_some_and(|due| due <= today),
        State::Proposed | State::Declined | State::Verified => false,
    };
    waits && matches!(item.verify, Verify::Scenario { .. })
}

/// Asks a run about an item.
pub fn check(item: &ActionItem, findings: &Findings, hits: &[RuleHit]) -> Checked {
    let Verify::Scenario { criterion, .. } = &item.verify else {
        return undecided("a person verifies it, not a drill".into());
    };
    let verdict = &findings.verdict;
    if !matches!(verdict.code, 0 | 1) {
        return undecided(format!("the run ended as {} (code {}), which decides nothing", verdict.word, verdict.code));
    }
    match judged(criterion, findings) {
        Some(Judged::Same(found)) => by_criterion(item, criterion, found),
        Some(Judged::OtherBound(now)) => undecided(format!("the scenario promises `{now}` now, not `{criterion}`")),
        None => by_rule(item, criterion, hits),
    }
}

fn by_criterion(item: &ActionItem, words: &str, criterion: &Criterion) -> Checked {
    let measured = criterion.measured.map_or_else(|absent| absent.to_string(), quantity::value);
    match criterion.status {
        CriterionStatus::Met => verified(format!("`{words}` was met: {measured}")),
        CriterionStatus::Broken => failed(item, format!("`{words}` was broken: {measured}")),
        CriterionStatus::Undecided => undecided(format!("`{words}` is undecided: {measured}")),
        CriterionStatus::NotReached => undecided(format!("the run did not get as far as `{words}`")),
    }
}

/// The rule that proposed the item, or the one that its criterion names.
fn by_rule(item: &ActionItem, criterion: &str, hits: &[RuleHit]) -> Checked {
    let finding = item.finding.as_ref().filter(|found| !found.fingerprint.is_empty());
    let named = rule_and_place(criterion);
    let same = |hit: &&RuleHit| {
        finding.is_some_and(|found| found.fingerprint == hit.fingerprint)
            || named.is_some_and(|(rule, place)| rule == hit.rule && place == hit.service)
    };
    let known = |rule: &str| crate::review::rules::RULES.iter().any(|known| known.id == rule);
    let rule = named.map(|(rule, _)| rule).or(finding.map(|found| found.rule.as_str()));
    match (hits.iter().find(same), rule) {
        (Some(hit), _) => failed(item, format!("rule {} still finds: {}", hit.rule, hit.title)),
        (None, Some(rule)) if known(rule) => verified(format!("rule {rule} finds nothing any more")),
        _ => undecided(format!("the run judged nothing that reads `{criterion}`")),
    }
}

/// `rule no-memory-limit finds nothing on api`
fn rule_and_place(criterion: &str) -> Option<(&str, &str)> {
    criterion.trim().strip_prefix("rule ")?.split_once(" finds nothing on ")
}

enum Judged<'a> {
    Same(&'a Criterion),
    OtherBound(String),
}

/// The promise that these words mean.
fn judged<'a>(words: &str, findings: &'a Findings) -> Option<Judged<'a>> {
    let plain = |words: &str| words.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = plain(words);
    let all = || findings.criteria.iter().filter(|criterion| criterion.phase != Phase::Baseline);
    if let Some(same) = all().find(|criterion| plain(&in_words(criterion, findings)) == wanted) {
        return Some(Judged::Same(same));
    }
    let unbounded = |words: &str| words.split(['<', '>']).next().unwrap_or(words).trim().to_owned();
    let other = all().map(|criterion| in_words(criterion, findings));
    let mut other = other.filter(|now| unbounded(&plain(now)) == unbounded(&wanted));
    other.next().map(Judged::OtherBound)
}

/// `during: checkout p99 <= 400ms`, as a rule writes it into an item.
fn in_words(criterion: &Criterion, findings: &Findings) -> String {
    let probe = criterion.probe.and_then(|id| findings.probes.get(usize::from(id)));
    let whose = probe.map(|probe| format!("{} ", probe.name)).unwrap_or_default();
    let bound = criterion.objective.map(|o| format!(" {}", quantity::objective(o))).unwrap_or_default();
    format!("{}: {whose}{}{bound}", phase_name(criterion.phase), criterion.what)
}

fn verified(why: String) -> Checked {
    Checked { outcome: Outcome::Verified, why }
}

fn undecided(why: String) -> Checked {
    Checked { outcome: Outcome::Undecided, why }
}

fn failed(item: &ActionItem, why: String) -> Checked {
    let claimed = matches!(item.state, State::Done | State::Verified | State::Regressed);
    Checked { outcome: if claimed { Outcome::Regressed } else { Outcome::NotYet }, why }
}

/// The item after a run: closed, sent back, or as it was with a note. `None`: nothing is to be written.
pub fn after(item: &ActionItem, checked: &Checked, run: &str, today: Date) -> Option<ActionItem> {
    let mut after = item.clone();
    let step = match checked.outcome {
        Outcome::Undecided => return None,
        Outcome::NotYet => format!("not yet, says {run}"),
        Outcome::Verified | Outcome::Regressed => {
            let verified = checked.outcome == Outcome::Verified;
            after.state = if verified { State::Verified } else { State::Regressed };
            after.by = Some(run.to_owned());
            after.state_words()
        }
    };
    after.history.push(Step { on: today, what: step });
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history::owed, review::rules};

    fn item(state: &str, criterion: &str) -> ActionItem {
        let past = owed::tests::past("r", &[("A-0000000a", state, "f1", "2026-04-01")]);
        let scenario = "s.yaml".to_owned();
        ActionItem { verify: Verify::Scenario { scenario, criterion: criterion.into() }, ..past.actions[0].clone() }
    }

    fn sample() -> Findings {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run");
        crate::analysis::analyse(&crate::journal::RunFolder(folder.into())).unwrap()
    }

    #[test]
    fn a_run_is_asked_for_the_item_s_criterion() {
        let mut findings = sample();
        let hits = rules::hits(&findings);
        let outcome = |item: &ActionItem, findings: &Findings| check(item, findings, &hits).outcome;
        let met = item("done", "During:  checkout p99 <= 150ms");
        assert_eq!(outcome(&met, &findings), Outcome::Verified);
        let other = check(&item("done", "during: checkout p99 <= 90ms"), &findings, &hits);
        assert_eq!(
            other.why,
            "the scenario promises `during: checkout p99 <= 150ms` now, not `during: checkout p99 <= 90ms`"
        );
        assert_eq!(outcome(&item("done", "everybody is happy"), &findings), Outcome::Undecided);
        for criterion in &mut findings.criteria {
            criterion.status = CriterionStatus::Broken;
        }
        assert_eq!(outcome(&met, &findings), Outcome::Regressed);
        assert_eq!(outcome(&item("accepted", "during: checkout p99 <= 150ms"), &findings), Outcome::NotYet);
        findings.verdict.code = 6;
        assert_eq!(outcome(&met, &findings), Outcome::Undecided);
    }

    #[test]
    fn or_whether_the_rule_still_finds_it() {
        let findings = sample();
        let hits = rules::hits(&findings);
        let hit = hits.first().expect("the demo has no memory limits");
        let still = item("done", &format!("rule {} finds nothing on {}", hit.rule, hit.service));
        assert_eq!(check(&still, &findings, &hits).outcome, Outcome::Regressed);
        assert_eq!(check(&still, &findings, &[]).outcome, Outcome::Verified);
        assert_eq!(
            check(&item("done", "rule no-such-rule finds nothing on x"), &findings, &[]).outcome,
            Outcome::Undecided
        );
    }

    #[test]
    fn only_what_a_run_decided_is_written() {
        let day = "2026-05-01".parse().unwrap();
        let done = item("done by ana", "x");
        let checked = |outcome| Checked { outcome, why: String::new() };
        let verified = after(&done, &checked(Outcome::Verified), "run-1", day).unwrap();
        assert_eq!(
            (verified.state_words(), verified.history[0].what.as_str()),
            ("verified by run-1".into(), "verified by run-1")
        );
        let later = after(&verified, &checked(Outcome::Regressed), "run-2", day).unwrap();
        assert_eq!((later.state_words(), later.history.len()), ("regressed by run-2".into(), 2));
        let not_yet = after(&done, &checked(Outcome::NotYet), "run-1", day).unwrap();
        assert_eq!((not_yet.state, not_yet.history[0].what.as_str()), (State::Done, "not yet, says run-1"));
        assert_eq!(after(&done, &checked(Outcome::Undecided), "run-1", day), None);
    }

    #[test]
    fn what_is_due_is_done_or_of_today() {
        let on = |state: &str, day: &str| due(&item(state, "x"), day.parse().unwrap());
        assert!(on("done", "2026-01-01") && on("regressed", "2026-01-01") && on("accepted", "2026-04-01"));
        assert!(!on("accepted", "2026-03-31") && !on("proposed", "2026-05-01") && !on("verified", "2026-05-01"));
    }
}
