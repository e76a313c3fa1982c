//! How the containers were set up, and what became of them.

use super::{Basis, Candidate, Case, Needs, Rule, Seen, Weight, first, rests, same};
use crate::{
    analysis::{EvidenceId, FigureKind, Happening, LogBurst, TimelineRow},
    container::{Container, HealthChecks},
    review::{
        action::Aim,
        model::{quoted, verdict},
        quantity,
    },
    units::Span,
};
use std::collections::{BTreeMap, BTreeSet};

fn name_of(container: &Container) -> String {
    container.service().unwrap_or(&container.name).to_owned()
}

/// The targets by service, each service once, of those that a condition holds for.
fn targets<'a>(case: &'a Case<'_>, holds: fn(&Container) -> bool) -> BTreeMap<String, Vec<&'a Container>> {
    let mut by_service: BTreeMap<String, Vec<&Container>> = BTreeMap::new();
    for container in case.findings.scope.targets.values().flatten().filter(|container| holds(container)) {
        let known = by_service.entry(name_of(container)).or_default();
        if known.iter().all(|one| one.name != container.name) {
            known.push(container);
        }
    }
    by_service
}

/// All targets and all that was watched beside them.
fn everything<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Container> {
    let scope = &case.findings.scope;
    scope.targets.values().flatten().chain(&scope.watched)
}

/// Whether a fault of one of these kinds took effect on a container of a service.
fn struck(case: &Case<'_>, service: &str, kinds: &[&str]) -> bool {
    let faults = case.findings.faults.iter().filter(|f| kinds.contains(&f.kind.as_str()) && f.effective.is_some());
    let mut names = faults.flat_map(|fault| &fault.containers).map(|on| on.container.as_str());
    let own = targets(case, |_| true).into_iter().filter(|(name, _)| same(name, service));
    let own: Vec<&str> = own.flat_map(|(_, containers)| containers).map(|c| c.name.as_str()).collect();
    names.any(|name| own.contains(&name))
}

const TARGET: Needs = Needs {
    missing: "no target is called so",
    seen: |case, on| targets(case, |_| true).keys().any(|service| same(service, on)),
};

fn snapshot(case: &Case<'_>) -> Vec<EvidenceId> {
    case.findings.scope.evidence.into_iter().collect()
}

/// What a rule says of a service.
struct Says {
    signal: &'static str,
    title: String,
    test: String,
    aim: Aim,
    /// What is to be done, and the state that ends it.
    candidate: String,
    done_when: String,
}

/// What became of a service under the faults of this drill.
fn happened(case: &Case<'_>, rule: &'static str, service: &str, evidence: Vec<EvidenceId>, says: Says) -> Seen {
    Seen {
        service: service.into(),
        by_fault: true,
        signal: says.signal.into(),
        title: says.title,
        basis: Basis::Observed,
        test: says.test,
        evidence,
        candidate: Candidate {
            title: says.candidate,
            aim: says.aim,
            weight: case.weight(),
            done_when: says.done_when,
            criterion: rests(rule, service),
        },
    }
}

/// A setting of each service, as the engine showed it before the drill: it broke no promise.
fn settings(
    case: &Case<'_>,
    rule: &'static str,
    holds: fn(&Container) -> bool,
    says: impl Fn(&str, &Container) -> Says,
) -> Vec<Seen> {
    let one = |(service, containers): (String, Vec<&Container>)| {
        let mut seen = happened(case, rule, &service, snapshot(case), says(&service, containers.first()?));
        seen.by_fault = false;
        seen.candidate.weight = Weight::Hygiene;
        Some(seen)
    };
    targets(case, holds).into_iter().filter_map(one).collect()
}

pub(super) const NO_MEMORY_LIMIT: Rule = Rule {
    id: "no-memory-limit",
    looks_for: "targets that may use all memory of the host",
    needs: Some(TARGET),
    find: |case| {
        settings(
            case,
            NO_MEMORY_LIMIT.id,
            |c| c.limits.memory == 0,
            |service, _| Says {
                signal: "memory limit",
                title: format!("{service} runs without a memory limit: it may use all memory of the host."),
                test: format!("Squeeze the memory of {service} in a drill, and watch the containers beside it."),
                aim: Aim::Prevent,
                candidate: format!("Set a memory limit on {service}"),
                done_when: format!("docker inspect shows a memory limit above 0 on {service}"),
            },
        )
    },
};

pub(super) const NO_HEALTH_CHECK: Rule = Rule {
    id: "no-health-check",
    looks_for: "targets whose state the engine cannot tell",
    needs: Some(TARGET),
    find: |case| {
        settings(
            case,
            NO_HEALTH_CHECK.id,
            |c| c.health.is_none(),
            |service, _| Says {
                signal: "health check",
                title: format!("{service} has no health check: the engine takes it for good as long as it runs."),
                test: format!("Pause {service} in a drill: with a health check the engine reports it unhealthy."),
                aim: Aim::Detect,
                candidate: format!("Add a health check to {service}"),
                done_when: format!("{service} turns unhealthy within 30s of the fault in 1 run"),
            },
        )
    },
};

pub(super) const IMAGE_NOT_PINNED: Rule = Rule {
    id: "image-not-pinned",
    looks_for: "targets whose image is named by a tag that can move",
    needs: Some(TARGET),
    find: |case| {
        let moves = |c: &Container| !c.image.contains("@sha256:") && !c.image.starts_with("sha256:");
        settings(case, IMAGE_NOT_PINNED.id, moves, |service, container| Says {
            signal: "image",
            title: format!("The image of {service} is named by a tag ({}), not by its digest.", container.image),
            test: "Pull the tag on another host and compare the image ids.".into(),
            aim: Aim::Process,
            candidate: format!("Name the image of {service} by its digest"),
            done_when: format!("docker inspect shows an image of {service} that ends in @sha256 and a digest"),
        })
    },
};

pub(super) const STAYED_DOWN: Rule = Rule {
    id: "stayed-down",
    looks_for: "a target that ended, has no restart policy, and was started by the runner",
    needs: Some(Needs { missing: "no crash of it took effect", seen: |case, on| struck(case, on, &["crash"]) }),
    find: stayed_down,
};

fn stayed_down(case: &Case<'_>) -> Vec<Seen> {
    // What the engine ended itself (kill, stop) no policy would have started.
    let crashed = case.findings.faults.iter().filter(|f| f.kind == "crash" && f.ended_by.is_none());
    let crashed = crashed.filter(|f| f.effective.is_some() && f.undo_requested.is_some());
    let mut seen: Vec<Seen> = Vec::new();
    for fault in crashed {
        let by_name = |name: &str| case.findings.scope.targets.values().flatten().find(|c| c.name == name);
        for container in fault.containers.iter().filter_map(|on| by_name(&on.container)) {
            let policy = container.restart_policy.name.as_str();
            if !matches!(policy, "" | "no") {
                continue;
            }
            let service = name_of(container);
            let asked = fault.undo_requested.map(|at| case.look.moment(at)).unwrap_or_default();
            let says = Says {
                signal: "restart policy",
                title: format!(
                    "{} stayed down after {} until the runner started it at {asked}; its restart policy is `no`.",
                    container.name, fault.label
                ),
                test: format!(
                    "Crash {service} again with a restart policy set: the time to recover tells what it is worth."
                ),
                aim: Aim::Prevent,
                candidate: format!("Set a restart policy on {service}"),
                done_when: format!("{service} comes back by itself in 1 run"),
            };
            seen.push(happened(case, STAYED_DOWN.id, &service, first(&fault.evidence, 3), says));
        }
    }
    seen
}

pub(super) const OUT_OF_MEMORY: Rule = Rule {
    id: "out-of-memory",
    looks_for: "containers that the kernel's out-of-memory killer struck",
    needs: Some(Needs {
        missing: "it was neither a target nor watched",
        seen: |case, on| everything(case).any(|container| same(&container.name, on)),
    }),
    find: out_of_memory,
};

fn out_of_memory(case: &Case<'_>) -> Vec<Seen> {
    let mut struck: BTreeMap<String, Vec<EvidenceId>> = BTreeMap::new();
    for row in &case.findings.timeline {
        if let TimelineRow { what: Happening::ContainerChanged { container, action, .. }, evidence, .. } = row
            && action == "oom"
        {
            struck.entry(container.clone()).or_default().extend(evidence);
        }
    }
    let seen = |(container, evidence): (String, Vec<EvidenceId>)| {
        let times = quantity::plural(evidence.len() as u64, "time", "times");
        let says = Says {
            signal: "out of memory",
            title: format!("The kernel's out-of-memory killer struck {container} {times}."),
            test: format!(
                "Run the scenario again with twice the memory limit of {container}, and compare its peak memory."
            ),
            aim: Aim::Prevent,
            candidate: format!("Bound the memory of {container} below its limit"),
            done_when: format!("{container} ends 1 run without an out-of-memory event"),
        };
        happened(case, OUT_OF_MEMORY.id, &container, first(&evidence, 3), says)
    };
    struck.into_iter().map(seen).collect()
}

pub(super) const SINGLE_INSTANCE: Rule = Rule {
    id: "single-instance",
    looks_for: "a target that was taken away, was the only one of its service, and was missed",
    needs: Some(Needs {
        missing: "no fault took one of its containers away",
        seen: |case, on| struck(case, on, &TAKES_AWAY) && case.look.main().is_some(),
    }),
    find: single_instance,
};

/// Faults that take a whole container away.
const TAKES_AWAY: [&str; 6] = ["kill", "stop", "crash", "pause", "restart", "disconnect"];

fn single_instance(case: &Case<'_>) -> Vec<Seen> {
    let Some((main, impact)) = case.look.main().and_then(|main| Some((main, main.impact.as_ref()?))) else {
        return vec![];
    };
    let taken = |container: &Container| {
        let by = case.findings.faults.iter().filter(|f| TAKES_AWAY.contains(&f.kind.as_str()) && f.effective.is_some());
        by.flat_map(|f| &f.containers).any(|on| on.container == container.name)
    };
    let mut seen = Vec::new();
    for (service, containers) in targets(case, |c| c.service().is_some()) {
        let Some(one) = containers.iter().find(|c| taken(c)) else { continue };
        let alike = |c: &&Container| c.service() == one.service() && c.project() == one.project();
        let instances: BTreeSet<&str> = everything(case).filter(alike).map(|c| c.name.as_str()).collect();
        if instances.len() != 1 {
            continue;
        }
        let mut evidence = first(&impact.evidence, 2);
        evidence.extend(snapshot(case));
        let says = Says {
            signal: "instances",
            title: format!(
                "{} was the only instance of {service}, and {} was degraded from {} on when it was taken away.",
                one.name,
                main.name,
                case.look.short(impact.start.middle())
            ),
            test: format!("Start a second instance of {service} and run the scenario again."),
            aim: Aim::Prevent,
            candidate: format!("Run at least 2 instances of {service}"),
            done_when: format!("the scenario takes 1 of at least 2 instances of {service} away, and its promises hold"),
        };
        let found = happened(case, SINGLE_INSTANCE.id, &service, evidence, says);
        seen.push(Seen { basis: Basis::Hypothesis, ..found });
    }
    seen
}

pub(super) const HEALTHY_WHILE_BAD: Rule = Rule {
    id: "healthy-while-bad",
    looks_for: "a target whose health check said healthy through an impact that lasted longer than it takes to notice",
    needs: Some(Needs {
        missing: "no health check of it had an impact to report, or the time to",
        seen: |case, on| checked(case).iter().any(|(service, checked)| same(service, on) && !checked.is_empty()),
    }),
    find: healthy_while_bad,
};

/// When a health check reports. Of a run that did not record how it is checked, the engine's defaults are assumed.
fn notices(container: &Container) -> Span {
    container.checks.unwrap_or(HealthChecks::DEFAULT).notices_within()
}

/// The targets with a health check, by service, that told of the impact or had the time to; and whether they told.
fn checked<'a>(case: &'a Case<'_>) -> BTreeMap<String, Vec<(&'a Container, bool)>> {
    let Some(lasted) = case.look.time(FigureKind::DegradedSpan) else { return BTreeMap::new() };
    let told = |container: &Container| {
        case.findings.timeline.iter().any(|row| match &row.what {
            Happening::ContainerChanged { container: name, action, .. } => {
                *name == container.name && (action.contains("unhealthy") || action == "die")
            }
            _ => false,
        })
    };
    let could = |container: &'a Container| {
        let told = told(container);
        (told || lasted >= notices(container).ns()).then_some((container, told))
    };
    let services = targets(case, |c| c.health.is_some()).into_iter();
    services.map(|(service, containers)| (service, containers.into_iter().filter_map(could).collect())).collect()
}

fn healthy_while_bad(case: &Case<'_>) -> Vec<Seen> {
    let (Some(lasted), Some(main)) = (case.look.time(FigureKind::DegradedSpan), case.look.main()) else {
        return vec![];
    };
    let Some(impact) = &main.impact else { return vec![] };
    let mut seen = Vec::new();
    for (service, checked) in checked(case) {
        let Some((silent, _)) = checked.into_iter().find(|(_, told)| !told) else { continue };
        let within = notices(silent);
        let says = Says {
            signal: "health",
            title: format!(
                "{} was degraded for {}, and the health check of {}, which reports within {within}, told nothing.",
                verdict::capital(&main.name),
                quantity::span(lasted),
                silent.name
            ),
            test: format!("Run the health check of {service} by hand while the fault lasts, and compare its answer."),
            aim: Aim::Detect,
            candidate: format!("Let the health check of {service} ask for what its users need"),
            done_when: format!("{service} turns unhealthy within {within} of the impact in 1 run"),
        };
        let evidence = first(&impact.evidence, 2).into_iter().chain(snapshot(case)).collect();
        seen.push(happened(case, HEALTHY_WHILE_BAD.id, &service, evidence, says));
    }
    seen
}

pub(super) const LOG_BURST: Rule = Rule {
    id: "log-burst",
    looks_for: "10 or more lines of one kind in the log of a container from the fault on, and none before",
    needs: Some(Needs {
        missing: "its log was not kept from the start",
        seen: |case, on| case.findings.logs.iter().any(|log| same(&log.container, on) && !log.cut),
    }),
    find: |case| {
        let one = |burst: &LogBurst| {
            let name = &burst.container;
            let says = Says {
                signal: "log",
                title: format!(
                    "{name} printed {} of a new kind from {} on: {}.",
                    quantity::plural(burst.lines, "line", "lines"),
                    case.look.moment(burst.first),
                    quoted(&burst.kind.replace('!', "")),
                ),
                test: format!("Run the scenario again and compare the log of {name} line by line with this one."),
                aim: Aim::Investigate,
                candidate: format!("Trace what makes {name} print these lines, in 4h at most"),
                done_when: "the review names their origin, or says that 4h did not find it".into(),
            };
            happened(case, LOG_BURST.id, name, vec![burst.evidence], says)
        };
        case.findings.bursts.iter().map(one).collect()
    },
};
