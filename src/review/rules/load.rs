//! What response times and outcomes of the load tell.

use super::{Basis, Candidate, Case, Needs, Rule, Seen, first, rests, same};
use crate::{
    analysis::{Distribution, ProbeFindings, UsageSeries},
    event::Phase,
    measure::Class,
    review::{action::Aim, model::verdict, quantity},
};
use std::collections::BTreeMap;

const S: u64 = 1_000_000_000;
/// Values that people give timeouts, in nanoseconds.
const ROUND: [u64; 12] = [S / 2, S, 3 * S / 2, 2 * S, 5 * S / 2, 3 * S, 5 * S, 10 * S, 15 * S, 20 * S, 30 * S, 60 * S];
/// How near to a round value counts as on it: a timeout is never early, and its answer takes a while.
const LATE: f64 = 0.03;
/// Which share of requests must lie there.
const SHARE: f64 = 0.01;

const SENT: Needs = Needs {
    missing: "no load of that name was sent during the fault",
    seen: |case, on| {
        let mut named = case.findings.probes.iter().filter(|probe| probe.load && same(&probe.name, on));
        named.any(|probe| probe.phase(Phase::During).is_some_and(|during| during.offered > 0))
    },
};

pub(super) const PLATEAU: Rule = Rule {
    id: "plateau-at-a-round-time",
    looks_for: "1% or more of the response times within 3% above a round value that is not the load's own timeout",
    needs: Some(SENT),
    find: plateau,
};

fn plateau(case: &Case<'_>) -> Vec<Seen> {
    let one = |probe: &ProbeFindings| {
        let during = probe.distributions.iter().find(|d| d.phase == Phase::During)?;
        let before = probe.distributions.iter().find(|d| d.phase == Phase::Baseline);
        let own = |round: u64| probe.timeout.ns().abs_diff(round) < round / 20;
        let on = |round: &&u64| {
            !own(**round) && share_at(during, **round) >= SHARE && before.is_none_or(|b| share_at(b, **round) == 0.0)
        };
        let round = ROUND.iter().find(on)?;
        let (share, time) = (quantity::share(share_at(during, *round)), quantity::span(*round));
        let stats = probe.phase(Phase::During)?;
        Some(Seen {
            service: probe.name.clone(),
            by_fault: true,
            signal: format!("plateau at {time}"),
            title: format!(
                "At least {share} of the responses of {} took {time} during the fault (N = {}): a timeout of that length \
                 lies on their way.",
                probe.name,
                quantity::count(stats.response.n)
            ),
            basis: Basis::Hypothesis,
            test: format!(
                "Halve that timeout where it is set and run the scenario again: the plateau moves to half of {time}."
            ),
            evidence: first(&stats.evidence, 3),
            candidate: Candidate {
                title: format!("Shorten the timeout of {time} behind {} to fit its promise", probe.name),
                aim: Aim::Mitigate,
                weight: case.weight(),
                done_when: format!("no more than 1% of responses take {time} in 1 run"),
                criterion: rests(PLATEAU.id, &probe.name),
            },
        })
    };
    case.findings.probes.iter().filter(|p| p.load).filter_map(one).collect()
}

/// Which share of responses lies at a value, or a little above it. From the quantiles, so never too much.
fn share_at(distribution: &Distribution, value: u64) -> f64 {
    let there = |ns: u64| ns >= value && (ns as f64) <= value as f64 * (1.0 + LATE);
    let quantiles = || distribution.points.iter().filter(|(_, ns)| there(*ns)).map(|(q, _)| *q);
    match (quantiles().next(), quantiles().next_back()) {
        (Some(first), Some(last)) => last - first,
        _ => 0.0,
    }
}

pub(super) const NO_ANSWER: Rule = Rule {
    id: "no-answer-in-time",
    looks_for: "1% or more of the requests of a load that waited for their whole timeout during the fault",
    needs: Some(SENT),
    find: no_answer,
};

fn no_answer(case: &Case<'_>) -> Vec<Seen> {
    let one = |probe: &ProbeFindings| {
        let during = probe.phase(Phase::During)?;
        let timeouts = during.by_class.iter().find(|(class, _)| *class == Class::Timeout).map_or(0, |(_, n)| *n);
        let enough = during.offered > 0 && timeouts as f64 >= SHARE * during.offered as f64;
        enough.then_some(())?;
        Some(Seen {
            service: probe.name.clone(),
            by_fault: true,
            signal: "timeouts".into(),
            title: format!(
                "{}: {} requests during the fault got no answer within {}, the timeout of the load.",
                verdict::capital(&probe.name),
                quantity::part(timeouts, during.offered),
                probe.timeout
            ),
            basis: Basis::Observed,
            test: format!(
                "Give the calls behind {} a timeout below {} and run the scenario again: failures come sooner, and as \
                 errors.",
                probe.name, probe.timeout
            ),
            evidence: first(&during.evidence, 3),
            candidate: Candidate {
                title: format!("Set timeouts below {} on the calls that {} makes", probe.timeout, probe.name),
                aim: Aim::Mitigate,
                weight: case.weight(),
                done_when: format!("fewer than 1% of the requests of {} time out in 1 run", probe.name),
                criterion: rests(NO_ANSWER.id, &probe.name),
            },
        })
    };
    case.findings.probes.iter().filter(|p| p.load).filter_map(one).collect()
}

pub(super) const AMPLIFIED: Rule = Rule {
    id: "load-amplified",
    looks_for: "a service that received over 1.5 times the bytes a second that it received before, at the same load",
    needs: Some(Needs {
        missing: "too little is known of what it received before and during the fault",
        seen: |case, on| {
            by_service(case).iter().any(|(service, series)| same(service, on) && both(case, series).is_some())
        },
    }),
    find: amplified,
};

/// So much more than before is no noise.
const AMPLIFIED_BY: f64 = 1.5;
/// Less than this before the fault (bytes a second) is too little to compare with.
const COMPARABLE: f64 = 5_000.0;

fn amplified(case: &Case<'_>) -> Vec<Seen> {
    let Some(main) = case.look.main().filter(|main| main.load) else { return vec![] };
    let one = |(service, series): (String, Vec<&UsageSeries>)| {
        let (before, during) = both(case, &series)?;
        (during > AMPLIFIED_BY * before).then_some(())?;
        let bytes = |v: f64| format!("{}/s", quantity::bytes(v as u64));
        Some(Seen {
            service: service.clone(),
            by_fault: true,
            signal: "amplification".into(),
            title: format!(
                "{service} received {} during the fault and {} before it, {}x as much, while {} was sent at {} all the time.",
                bytes(during),
                bytes(before),
                crate::units::trimmed(during / before, 1),
                main.name,
                main.rate
            ),
            basis: Basis::Hypothesis,
            test: format!(
                "Count the requests that {service} gets for each one of {}, once with retries and fallbacks switched off.",
                main.name
            ),
            evidence: series.iter().find_map(|s| s.evidence).into_iter().collect(),
            candidate: Candidate {
                title: format!("Limit the retries and fallbacks that reach {service} during {}", case.fault_labels()),
                aim: Aim::Prevent,
                weight: case.weight(),
                done_when: format!("{service} receives at most 1.5x the bytes a second of the baseline in 1 run"),
                criterion: rests(AMPLIFIED.id, &service),
            },
        })
    };
    by_service(case).into_iter().filter_map(one).collect()
}

/// Bytes a second before and during the fault, if they can be compared.
fn both(case: &Case<'_>, series: &[&UsageSeries]) -> Option<(f64, f64)> {
    case.look.main().filter(|main| main.load)?;
    let received = |phase| received(case, series, phase);
    let (before, during) = (received(Phase::Baseline)?, received(Phase::During)?);
    (before >= COMPARABLE).then_some((before, during))
}

/// What containers used, all of a service together: where one of two is lost, the other's share is no amplification.
/// Services whose own packets a fault changes are left out: what is sent again for a lost packet is no retry.
fn by_service<'a>(case: &'a Case<'_>) -> BTreeMap<String, Vec<&'a UsageSeries>> {
    let scope = &case.findings.scope;
    let faults = || case.findings.faults.iter().flat_map(|fault| &fault.containers);
    let mut services: BTreeMap<String, Vec<&UsageSeries>> = BTreeMap::new();
    for series in &case.findings.usage {
        let mut all = scope.targets.values().flatten().chain(&scope.watched);
        let named = all.find(|container| container.name == series.container);
        let service = named.and_then(|container| container.service()).unwrap_or(&series.container);
        services.entry(service.to_owned()).or_default().push(series);
    }
    services.retain(|_, all| {
        all.iter().all(|one| faults().all(|on| on.container != one.container || on.packets.is_none()))
    });
    services
}

/// Bytes a second over a phase; `None` if too little of it was sampled.
fn received(case: &Case<'_>, series: &[&UsageSeries], phase: Phase) -> Option<f64> {
    let window = case.findings.phase(phase)?;
    let within = |at: u64| window.from < at && at <= window.to;
    let mean = |one: &&UsageSeries| {
        let rates: Vec<f64> = one.points.iter().filter(|p| within(p.at)).filter_map(|p| p.rx_per_s).collect();
        (rates.len() >= 3).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
    };
    series.iter().filter_map(mean).reduce(|a, b| a + b)
}
