//! What the drill itself owes: a clean end, and figures that can be trusted.

use super::{Basis, Candidate, Case, Needs, Rule, Seen, Wanted, Weight, first, rests, same};
use crate::{
    analysis::{Cleanup, DoubtKind, Hypothesis, Interval, Value, Why},
    event::Phase,
    review::{
        action::Aim,
        model::{
            look::{list, phase_name},
            verdict,
        },
        quantity,
    },
};

/// More than this share of unknown ticks is worth an action.
const UNKNOWN: f64 = 0.05;

pub(super) const CLEANUP_UNPROVEN: Rule = Rule {
    id: "cleanup-unproven",
    looks_for: "a fault whose undo was not read back",
    needs: None,
    find: cleanup_unproven,
};

fn cleanup_unproven(case: &Case<'_>) -> Vec<Seen> {
    let findings = case.findings;
    if findings.verdict.cleanup == Cleanup::Proven {
        return vec![];
    }
    let held = findings.faults.iter().filter(|f| f.requested.is_some());
    let left = held.flat_map(|f| f.containers.iter().map(move |on| (f, on)));
    let left: Vec<_> = left.filter(|(_, on)| on.undo_proof.as_ref().is_none_or(|(proven, _)| !proven)).collect();
    let names: Vec<String> = left.iter().map(|(_, on)| on.container.clone()).collect();
    let names = if names.is_empty() { "the targets".into() } else { list(&names, 3) };
    let evidence: Vec<_> = left.iter().flat_map(|(fault, _)| fault.evidence.iter().copied()).collect();
    vec![Seen {
        service: names.clone(),
        by_fault: true,
        signal: "cleanup".into(),
        title: format!("It is not proven that {names} is as it was before the drill."),
        basis: Basis::Observed,
        test: format!("Compare docker inspect of {names} with the snapshot in plan.json."),
        evidence: first(&evidence, 3),
        candidate: Candidate {
            title: format!("Bring {names} back with firedrill recover, and compare with the snapshot"),
            aim: Aim::Process,
            weight: Weight::CleanupUnproven,
            done_when:
                "firedrill recover reports that 0 things are left, and 1 run of the scenario ends with proven cleanup"
                    .into(),
            criterion: Wanted::Clean,
        },
    }]
}

pub(super) const UNDECIDED: Rule =
    Rule { id: "undecided", looks_for: "a run that could not judge its hypothesis", needs: None, find: undecided };

fn undecided(case: &Case<'_>) -> Vec<Seen> {
    let verdict = &case.findings.verdict;
    let nothing_else =
        verdict.hypothesis == Hypothesis::Undecided && !case.not_started() && !case.findings.run.cut_short;
    let reason = verdict.reasons.iter().find(|r| !matches!(r.why, Why::UndoUnproven { .. } | Why::Unjudged(_)));
    let Some(reason) = reason.filter(|_| nothing_else) else { return vec![] };
    vec![Seen {
        service: case.findings.run.scenario.clone(),
        by_fault: true,
        signal: "verdict".into(),
        title: format!("The hypothesis could not be judged. {}", verdict::why(&case.look, &reason.why)),
        basis: Basis::Observed,
        test: "Run the scenario again after the change: the verdict is decided or names another reason.".into(),
        evidence: first(&reason.evidence, 3),
        candidate: Candidate {
            title: format!("Change {} so that its next run is decided", case.findings.run.scenario),
            aim: Aim::Process,
            weight: Weight::Hygiene,
            done_when: "1 run of the scenario ends held or violated".into(),
            criterion: Wanted::Decided,
        },
    }]
}

pub(super) const UNKNOWN_TICKS: Rule = Rule {
    id: "unknown-ticks",
    looks_for: "a judged probe with more than 5% unknown ticks in a phase",
    needs: Some(Needs {
        missing: "no judged probe of that name was sent",
        seen: |case, on| {
            let mut judged = case.findings.probes.iter().filter(|probe| probe.judged && same(&probe.name, on));
            judged.any(|probe| probe.phases.iter().any(|phase| phase.offered > 0))
        },
    }),
    find: unknown_ticks,
};

fn unknown_ticks(case: &Case<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for probe in case.findings.probes.iter().filter(|probe| probe.judged) {
        let worst = probe.phases.iter().max_by(|a, b| a.unknown_share.total_cmp(&b.unknown_share));
        let Some(worst) = worst.filter(|phase| phase.unknown_share > UNKNOWN) else { continue };
        seen.push(Seen {
            service: probe.name.clone(),
            by_fault: false,
            signal: "unknown ticks".into(),
            title: format!(
                "{} of the ticks of {} are unknown {} (N = {} requests).",
                quantity::share(worst.unknown_share),
                probe.name,
                in_phase(worst.phase),
                quantity::count(worst.offered)
            ),
            basis: Basis::Observed,
            test: "Run the scenario on an idle host, or at half the rate: the unknown ticks go if the generator was short \
                   of time."
                .into(),
            evidence: first(&worst.evidence, 3),
            candidate: Candidate {
                title: format!("Lower the rate of {} or give the generator a core of its own", probe.name),
                aim: Aim::Process,
                weight: Weight::Hygiene,
                done_when: "at most 5% of the ticks of each phase are unknown in 1 run".into(),
                criterion: rests(UNKNOWN_TICKS.id, &probe.name),
            },
        });
    }
    seen
}

fn in_phase(phase: Phase) -> String {
    match phase {
        Phase::During => "during the fault".into(),
        other => format!("in the phase {}", phase_name(other)),
    }
}

pub(super) const CLOCK_STEPPED: Rule = Rule {
    id: "clock-stepped",
    looks_for: "a wall clock that was stepped while the drill ran",
    needs: Some(Needs { missing: "it ran on another host", seen: |case, on| same(&case.findings.run.host, on) }),
    find: clock_stepped,
};

fn clock_stepped(case: &Case<'_>) -> Vec<Seen> {
    let stepped = case.findings.doubts.iter().find_map(|doubt| match doubt.kind {
        DoubtKind::WallClockStepped(by) => Some((by, &doubt.evidence)),
        _ => None,
    });
    let Some((by, evidence)) = stepped else { return vec![] };
    vec![Seen {
        service: case.findings.run.host.clone(),
        by_fault: false,
        signal: "clock".into(),
        title: format!("The runner's wall clock was stepped by {} during the run.", quantity::value(Value::Time(by))),
        basis: Basis::Observed,
        test: "Compare the offset that the time service of the host reports before and after a run.".into(),
        evidence: first(evidence, 3),
        candidate: Candidate {
            title: format!("Let the clock of {} be slewed, not stepped", case.findings.run.host),
            aim: Aim::Process,
            weight: Weight::Hygiene,
            done_when: "1 run of the scenario ends without a step of the clock".into(),
            criterion: rests(CLOCK_STEPPED.id, &case.findings.run.host),
        },
    }]
}

/// A source whose clock is further from ours than this tells its readers the wrong times, nanoseconds.
const SKEWED: u64 = 1_000_000_000;

pub(super) const CLOCK_SKEWED: Rule = Rule {
    id: "clock-skewed",
    looks_for: "an alert source whose clock is more than 1s from the runner's",
    needs: Some(Needs {
        missing: "that source was not read, or showed no clock",
        seen: |case, on| {
            let source = case.findings.terms.detect.as_ref().is_some_and(|terms| same(&terms.source.to_string(), on));
            source && case.findings.alerts.as_ref().is_some_and(|alerts| alerts.clock_ns.is_some())
        },
    }),
    find: clock_skewed,
};

fn clock_skewed(case: &Case<'_>) -> Vec<Seen> {
    let (Some(terms), Some(alerts)) = (&case.findings.terms.detect, &case.findings.alerts) else { return vec![] };
    let nearest = |lead: &Interval<i64>| if lead.low > 0 { lead.low } else { lead.high.min(0) };
    let Some(lead) = alerts.clock_ns.as_ref().map(nearest).filter(|ns| ns.unsigned_abs() > SKEWED) else {
        return vec![];
    };
    let (by, way) = (quantity::span(lead.unsigned_abs()), if lead < 0 { "behind" } else { "ahead of" });
    let (source, host) = (terms.source.to_string(), &case.findings.run.host);
    vec![Seen {
        service: source.clone(),
        by_fault: false,
        signal: "clock skew".into(),
        title: format!(
            "The clock of {source} is {by} or more {way} the one of {host}; times of this review allow for it."
        ),
        basis: Basis::Observed,
        test: format!("Ask the time service on the host of {source} for its offset, and the one on {host}."),
        evidence: first(&alerts.evidence, 3),
        candidate: Candidate {
            title: format!("Bring the clocks of {source} and {host} within 1s of each other"),
            aim: Aim::Process,
            weight: Weight::Hygiene,
            done_when: "1 run of the scenario finds them within 1s of each other".into(),
            criterion: rests(CLOCK_SKEWED.id, &source),
        },
    }]
}
