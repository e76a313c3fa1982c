//! What a new run of the drill says of an action item: done, not yet, gone again, or nothing.
//!
//! Only a run that went through and was decided closes anything. What it is asked (`ask`) is the item's criterion: a
//! promise of the scenario (`during: checkout p99 <= 400ms`), or that a rule finds nothing any more.

mod ask;

use crate::{
    analysis::Findings,
    review::{
        action::{ActionItem, State, Step, Verify},
        rules::{RuleHit, Wanted},
    },
};
use ask::{Answer, Run};
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
    match (Run { findings, hits }).ask(&Wanted::read(criterion)) {
        Ok(Answer::Yes(why)) => verified(why),
        Ok(Answer::No(why)) => failed(item, why),
        Err(why) => undecided(why),
    }
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
    use crate::{analysis::CriterionStatus, history::owed, review::rules};

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
        let elsewhere = item("done", &format!("rule {} finds nothing on elsewhere", hit.rule));
        assert_eq!(check(&elsewhere, &findings, &[]).outcome, Outcome::Undecided);
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
