//! What was promised of alerts, and what came of it.

use super::{AlertOutcome, Alerts, spells::Spell};
use crate::{
    analysis::{
        Absent, Bounded, Criterion, CriterionStatus, EvidenceId, Interval, Objective, Value,
        criteria::UNKNOWN_TOLERATED,
    },
    clock::At,
    event::{AlertTerms, Comparison, Phase},
};

/// One row for each promise: alerts that fire in time and resolve in time, then those that must not fire.
pub fn criteria(alerts: &Alerts<'_>) -> Vec<Criterion> {
    let mut rows = Vec::new();
    for terms in &alerts.terms.alerts {
        rows.push(alerts.fires(terms));
        rows.extend(terms.resolves_within.map(|within| alerts.resolves(terms, within.ns())));
    }
    let names = alerts.terms.no_page.names.iter().map(Some);
    rows.extend(names.chain(alerts.terms.no_page.others.then_some(None)).map(|name| alerts.silent(name)));
    rows
}

/// A judged time: what was measured, and what came of it.
struct Judged {
    measured: Result<Value, Absent>,
    status: CriterionStatus,
}

impl Judged {
    fn not(absent: Absent, status: CriterionStatus) -> Judged {
        Judged { measured: Err(absent), status }
    }

    /// From one moment to another. It counts if it holds, or does not, wherever in its range the truth lies.
    fn time(from: Interval<At>, to: Interval<At>, bound: u64) -> Judged {
        let span = |from: At, to: At| i64::try_from(i128::from(to) - i128::from(from)).unwrap_or(i64::MAX);
        let bound = i64::try_from(bound).unwrap_or(i64::MAX);
        let status = match () {
            () if span(from.low, to.high) <= bound => CriterionStatus::Met,
            () if span(from.high, to.low) > bound => CriterionStatus::Broken,
            () => CriterionStatus::Undecided,
        };
        // As for every figure, the later end of both is the best value.
        Judged { measured: Ok(Value::Time(span(from.high, to.high))), status }
    }
}

impl Alerts<'_> {
    /// In the truth table.
    pub(super) fn outcome(&self, terms: &AlertTerms) -> AlertOutcome {
        let judged = self.judge_fires(terms);
        match (judged.status, judged.measured) {
            (CriterionStatus::Met, _) => AlertOutcome::Fired,
            (CriterionStatus::Broken, Ok(_)) => AlertOutcome::Late,
            (CriterionStatus::Broken, Err(_)) => AlertOutcome::Missing,
            (CriterionStatus::Undecided | CriterionStatus::NotReached, _) => AlertOutcome::NotKnown,
        }
    }

    /// The first time that it fires from the fault on.
    pub(super) fn first_firing(&self, terms: &AlertTerms) -> Option<&Spell> {
        let seen = self.seen(|labels| terms.matches(labels)).into_iter();
        seen.filter(|spell| self.after_fault(spell)).min_by_key(|spell| spell.firing.map(|firing| firing.high))
    }

    fn judge_fires(&self, terms: &AlertTerms) -> Judged {
        let Some(fault) = self.fault else { return Judged::not(Absent::NotReached, CriterionStatus::NotReached) };
        if let Some(firing) = self.first_firing(terms).and_then(|spell| spell.firing) {
            return Judged::time(fault, firing, terms.within.ns());
        }
        let until = fault.high.saturating_add(terms.within.ns());
        match () {
            () if self.fired_already(terms, fault) => Judged::not(Absent::AlreadyFiring, CriterionStatus::Undecided),
            () if self.unread(fault.low, until.min(self.windows.watch_end)) => {
                Judged::not(Absent::AlertSourceLost, CriterionStatus::Undecided)
            }
            () if until > self.windows.watch_end => Judged::not(Absent::NotReached, CriterionStatus::NotReached),
            () => Judged::not(Absent::NotFired, CriterionStatus::Broken),
        }
    }

    fn fired_already(&self, terms: &AlertTerms, fault: Interval<At>) -> bool {
        let firing = |spell: &Spell| spell.fires() && spell.ended.is_none_or(|ended| ended.high > fault.low);
        self.seen(|labels| terms.matches(labels)).into_iter().any(firing)
    }

    fn unread(&self, from: At, to: At) -> bool {
        self.watch.unread(from, to) > UNKNOWN_TOLERATED
    }

    fn fires(&self, terms: &AlertTerms) -> Criterion {
        let judged = self.judge_fires(terms);
        let what = Bounded::AlertFires { alert: self.terms.title(terms), within: terms.within };
        let window = self.fault.map(|fault| (fault.high, fault.high.saturating_add(terms.within.ns())));
        let evidence = self.first_firing(terms).map(|spell| spell.evidence.clone());
        self.criterion(Phase::During, what, Some(terms.within.ns()), window, judged, evidence)
    }

    fn resolves(&self, terms: &AlertTerms, within: u64) -> Criterion {
        let what = Bounded::AlertResolves {
            alert: self.terms.title(terms),
            within: terms.resolves_within.unwrap_or_default(),
        };
        let recovery = self.windows.recovery.as_ref().map(|recovery| recovery.start);
        let window = recovery.map(|from| (from, from.saturating_add(within)));
        let after: Vec<&Spell> =
            self.seen(|labels| terms.matches(labels)).into_iter().filter(|spell| self.after_fault(spell)).collect();
        let evidence = after.iter().flat_map(|spell| spell.evidence.clone()).collect();
        let judged = match (recovery, &after[..]) {
            (None, _) => Judged::not(Absent::NotReached, CriterionStatus::NotReached),
            (Some(_), []) => match self.judge_fires(terms) {
                Judged { measured: Err(absent), .. } => Judged::not(absent, CriterionStatus::Undecided),
                judged => judged,
            },
            (Some(from), fired) => self.judge_resolved(from, within, fired),
        };
        self.criterion(Phase::Recovery, what, Some(within), window, judged, Some(evidence))
    }

    fn judge_resolved(&self, from: At, within: u64, fired: &[&Spell]) -> Judged {
        let until = from.saturating_add(within);
        if fired.iter().all(|spell| spell.ended.is_some()) {
            let last = fired.iter().filter_map(|spell| spell.ended).max_by_key(|ended| ended.high);
            let last = last.expect("at least one fired");
            return Judged::time(Interval { low: from, high: from }, last, within);
        }
        match () {
            () if self.unread(from, until.min(self.windows.watch_end)) => {
                Judged::not(Absent::AlertSourceLost, CriterionStatus::Undecided)
            }
            () if until > self.windows.watch_end => Judged::not(Absent::NotReached, CriterionStatus::NotReached),
            () => Judged::not(Absent::StillFiring, CriterionStatus::Broken),
        }
    }

    /// That an alert of this name, or any that is not expected, does not begin to fire.
    fn silent(&self, name: Option<&String>) -> Criterion {
        let what = Bounded::NoPage(name.cloned());
        let named = |spell: &&Spell| match name {
            Some(name) => spell.labels.get(crate::event::ALERT_NAME) == Some(name),
            None => !self.is_expected(&spell.labels),
        };
        let fired: Vec<&Spell> =
            self.watch.spells.iter().filter(named).filter(|spell| self.after_fault(spell)).collect();
        let surely =
            |spell: &&Spell| self.fault.zip(spell.firing).is_some_and(|(fault, firing)| firing.low >= fault.low);
        let window = self.fault.map(|fault| (fault.low, self.windows.watch_end));
        let flag = |silent, status| Judged { measured: Ok(Value::Flag(silent)), status };
        let judged = match window {
            None => Judged::not(Absent::NotReached, CriterionStatus::NotReached),
            Some(_) if fired.iter().any(surely) => flag(false, CriterionStatus::Broken),
            Some((from, to)) if self.unread(from, to) => {
                Judged::not(Absent::AlertSourceLost, CriterionStatus::Undecided)
            }
            // It may have begun before the fault, or after it.
            Some(_) if !fired.is_empty() => flag(false, CriterionStatus::Undecided),
            Some(_) => flag(true, CriterionStatus::Met),
        };
        let evidence = fired.iter().flat_map(|spell| spell.evidence.clone()).collect();
        self.criterion(Phase::During, what, None, window, judged, Some(evidence))
    }

    fn criterion(
        &self,
        phase: Phase,
        what: Bounded,
        bound: Option<u64>,
        window: Option<(At, At)>,
        judged: Judged,
        evidence: Option<Vec<EvidenceId>>,
    ) -> Criterion {
        let time = |ns: u64| Value::Time(i64::try_from(ns).unwrap_or(i64::MAX));
        let objective = bound.map(|bound| Objective { op: Comparison::AtMost, bound: time(bound) });
        Criterion {
            phase,
            probe: None,
            what,
            objective,
            window,
            baseline: None,
            measured: judged.measured,
            n: self.watch.answers,
            margin: objective.zip(judged.measured.ok()).and_then(|(objective, value)| objective.margin(value)),
            status: judged.status,
            evidence: evidence.filter(|lines| !lines.is_empty()).unwrap_or_else(|| self.watch.evidence.clone()),
        }
    }
}
