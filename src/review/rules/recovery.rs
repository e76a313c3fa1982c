//! What was promised, and how service came back.

use super::{Basis, Candidate, Case, Rule, Seen, Wanted, Weight, first, promise, wanted::within};
use crate::{
    analysis::{Bounded, Criterion, CriterionStatus, FigureKind, ProbeFindings, Value},
    review::{action::Aim, model::verdict, quantity},
};

pub(super) const NOT_RECOVERED: Rule = Rule {
    id: "not-recovered",
    looks_for: "a judged probe that was still degraded when the watch ended",
    needs: None,
    find: not_recovered,
};

fn judged<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a ProbeFindings> {
    case.findings.probes.iter().filter(|probe| probe.judged)
}

fn not_recovered(case: &Case<'_>) -> Vec<Seen> {
    if case.findings.run.cut_short {
        return vec![];
    }
    let still_bad = judged(case).filter_map(|probe| Some((probe, probe.impact.as_ref().filter(|i| i.end.is_none())?)));
    let seen = |(probe, impact): (&ProbeFindings, &crate::analysis::Impact)| {
        let watched = case.findings.run.ended.saturating_sub(impact.start.middle());
        let within = within(case.findings, &probe.name);
        Seen {
            service: probe.name.clone(),
            by_fault: true,
            signal: "recovery".into(),
            title: format!(
                "{} was still degraded when the watch ended, {} after the impact began.",
                verdict::capital(&probe.name),
                quantity::span(watched)
            ),
            basis: Basis::Observed,
            test: format!(
                "Run the scenario again with a recovery phase twice as long: it tells slow recovery from none. \
                 Restart one dependency of {} at a time and see which one brings it back.",
                probe.name
            ),
            evidence: first(&impact.evidence, 2),
            candidate: Candidate {
                title: format!("Let {} recover by itself after {}", probe.name, case.fault_labels()),
                aim: Aim::Mitigate,
                weight: Weight::NotRecovered,
                done_when: format!("{} recovers {within} in 1 run", probe.name),
                criterion: recovery(case, probe),
            },
        }
    };
    still_bad.map(seen).collect()
}

/// As promised, if anything is.
fn recovery(case: &Case<'_>, probe: &ProbeFindings) -> Wanted {
    let own = |c: &&Criterion| c.what == Bounded::RecoveredWithin && c.probe == Some(probe.id);
    let promised = case.findings.criteria.iter().find(own);
    promised.map_or(Wanted::Recovered(probe.name.clone()), |own| Wanted::Promise(promise(own, case.findings)))
}

pub(super) const RECOVERED_LATE: Rule = Rule {
    id: "recovered-late",
    looks_for: "a recovery that took longer than was promised",
    needs: None,
    find: recovered_late,
};

fn broken<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (&'a Criterion, &'a ProbeFindings)> {
    let criteria = case.findings.criteria.iter().filter(|c| c.status == CriterionStatus::Broken);
    criteria.filter_map(|c| Some((c, case.findings.probes.get(usize::from(c.probe?))?)))
}

fn recovered_late(case: &Case<'_>) -> Vec<Seen> {
    let late = broken(case).filter(|(c, _)| c.what == Bounded::RecoveredWithin && c.measured.is_ok());
    let seen = |(criterion, probe): (&Criterion, &ProbeFindings)| Seen {
        service: probe.name.clone(),
        by_fault: true,
        signal: "recovery time".into(),
        title: format!("{}.", verdict::capital(&verdict::criterion_reading(&case.look, criterion))),
        basis: Basis::Observed,
        test: "Run the scenario again and take the time of each step between the removal and recovery: reconnects, \
               health checks, caches that fill."
            .into(),
        evidence: first(&criterion.evidence, 3),
        candidate: Candidate {
            title: format!("Shorten the recovery of {} to {}", probe.name, within(case.findings, &probe.name)),
            aim: Aim::Mitigate,
            weight: Weight::Violated,
            done_when: format!(
                "{} recovers {} after the removal, in 1 run",
                probe.name,
                within(case.findings, &probe.name)
            ),
            criterion: Wanted::Promise(promise(criterion, case.findings)),
        },
    };
    late.map(seen).collect()
}

pub(super) const PROMISE_BROKEN: Rule = Rule {
    id: "promise-broken",
    looks_for: "the limit of each probe that was broken by most, during the fault or after it",
    needs: None,
    find: promise_broken,
};

fn promise_broken(case: &Case<'_>) -> Vec<Seen> {
    let mut worst: Vec<(&Criterion, &ProbeFindings)> = Vec::new();
    let depth = |criterion: &Criterion| criterion.margin.unwrap_or(f64::MIN);
    for (criterion, probe) in broken(case).filter(|(c, _)| c.what != Bounded::RecoveredWithin) {
        match worst.iter_mut().find(|(_, known)| known.id == probe.id) {
            Some(known) if depth(criterion) < depth(known.0) => known.0 = criterion,
            Some(_) => {}
            None => worst.push((criterion, probe)),
        }
    }
    let seen = |(criterion, probe): (&Criterion, &ProbeFindings)| {
        let bound = criterion.objective.map(quantity::objective).unwrap_or_default();
        Seen {
            service: probe.name.clone(),
            by_fault: true,
            signal: criterion.what.to_string(),
            title: format!("{}.", verdict::capital(&verdict::criterion_reading(&case.look, criterion))),
            basis: Basis::Observed,
            test: format!(
                "Run the scenario again with half the dose or half the load: the same figure tells whether {} follows the \
                 dose.",
                criterion.what
            ),
            evidence: first(&criterion.evidence, 3),
            candidate: Candidate {
                title: format!("Keep {} {} at {bound} while {} lasts", probe.name, criterion.what, case.fault_labels()),
                aim: Aim::Prevent,
                weight: Weight::Violated,
                done_when: format!("{} is {bound} in 1 run", verdict::criterion_name(&case.look, criterion)),
                criterion: Wanted::Promise(promise(criterion, case.findings)),
            },
        }
    };
    worst.into_iter().map(seen).collect()
}

pub(super) const AFTER_REMOVAL: Rule = Rule {
    id: "recovered-after-removal",
    looks_for: "service that came back only after the runner had removed the fault",
    needs: None,
    find: after_removal,
};

fn after_removal(case: &Case<'_>) -> Vec<Seen> {
    let under = case.look.figure(FigureKind::RecoveredUnderFault);
    let Some(figure) = under.filter(|f| f.value == Ok(Value::Flag(false))) else { return vec![] };
    let held = case.findings.faults.iter().any(|fault| fault.held && fault.undo_requested.is_some());
    let (Some(main), Some(removed), true) = (case.look.main(), case.look.fault_window(), held) else { return vec![] };
    let Some(impact) = main.impact.as_ref().filter(|impact| impact.end.is_some()) else { return vec![] };
    let lasted = removed.1.saturating_sub(impact.start.middle());
    vec![Seen {
        service: case.service(),
        by_fault: true,
        signal: "mitigation".into(),
        title: format!(
            "{} stayed degraded for {} under {}, and came back only after the runner removed it at {}.",
            verdict::capital(&main.name),
            quantity::span(lasted),
            case.fault_labels(),
            case.look.moment(removed.1)
        ),
        basis: Basis::Observed,
        test: "Run a variant with the fault twice as long: if the time to recover grows with it, nothing but its end \
               restores service."
            .into(),
        evidence: first(&figure.evidence, 3),
        candidate: Candidate {
            title: format!("Add a fallback that restores {} while {} lasts", main.name, case.fault_labels()),
            aim: Aim::Mitigate,
            weight: case.weight(),
            done_when: format!("{} recovers before the fault is removed in 1 run", main.name),
            criterion: Wanted::RecoveredUnderFault(main.name.clone()),
        },
    }]
}

pub(super) const GUARD_TRIPPED: Rule =
    Rule { id: "guard-tripped", looks_for: "a guard that halted the drill", needs: None, find: guard_tripped };

fn guard_tripped(case: &Case<'_>) -> Vec<Seen> {
    let halted = case.findings.guards.iter().filter(|_| !case.not_started()).find(|trip| trip.halted);
    let seen = |trip: &crate::analysis::GuardTrip| Seen {
        service: case.service(),
        by_fault: true,
        signal: "guard".into(),
        title: format!(
            "The guard {} halted the drill at {}: {}.",
            trip.condition,
            case.look.moment(trip.at),
            verdict::end_of_sentence(&trip.measured)
        ),
        basis: Basis::Observed,
        test:
            "Run a variant with a smaller dose, and raise it until the guard trips: the last dose below is the limit."
                .into(),
        evidence: vec![trip.evidence],
        candidate: Candidate {
            title: format!(
                "Limit the harm of {} so that the guard {} stays quiet",
                case.fault_labels(),
                trip.condition
            ),
            aim: Aim::Mitigate,
            weight: case.weight(),
            done_when: "1 run of the scenario ends without this guard".into(),
            criterion: Wanted::Quiet(trip.condition.clone()),
        },
    };
    halted.map(seen).into_iter().collect()
}

pub(super) const LOW_MARGIN: Rule = Rule {
    id: "low-margin",
    looks_for: "a hypothesis that held with less than 20% of room",
    needs: None,
    find: low_margin,
};

fn low_margin(case: &Case<'_>) -> Vec<Seen> {
    let verdict = &case.findings.verdict;
    let closest = verdict.smallest_margin.filter(|_| verdict.low_margin);
    let Some((margin, at)) = closest else { return vec![] };
    let Some(criterion) = case.findings.criteria.get(at) else { return vec![] };
    vec![Seen {
        service: case.service(),
        by_fault: true,
        signal: criterion.what.to_string(),
        title: format!(
            "{}: a margin of {}.",
            verdict::capital(&verdict::criterion_reading(&case.look, criterion)),
            quantity::margin(margin)
        ),
        basis: Basis::Observed,
        test: "Run a harder variant (a longer fault, more load): it tells where the limit breaks.".into(),
        evidence: first(&criterion.evidence, 3),
        candidate: Candidate {
            title: format!("Schedule a harder variant of {} within 1 month", case.findings.run.scenario),
            aim: Aim::Process,
            weight: Weight::LowMargin,
            done_when: "a variant with more load or a longer fault has run, and its margin is 20% or more".into(),
            criterion: Wanted::Room(promise(criterion, case.findings)),
        },
    }]
}
