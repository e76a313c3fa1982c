//! How the containers were set up, and what became of them.

use super::{Basis, Candidate, Case, Rule, Seen, Weight, first, rests};
use crate::{
    analysis::{EvidenceId, FigureKind, Happening, TimelineRow},
    container::Container,
    review::{action::Aim, model::verdict, quantity},
};
use std::collections::BTreeMap;

/// A check shorter than this cannot be expected to have noticed: the engine's default is one every 30 s.
const CHECKED_BY: u64 = 30_000_000_000;

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

fn snapshot(case: &Case<'_>) -> Vec<EvidenceId> {
    case.findings.scope.evidence.into_iter().collect()
}

/// A setting of a service, as the engine showed it before the drill.
fn setting(case: &Case<'_>, service: &str, signal: &str, title: String, test: String, candidate: Candidate) -> Seen {
    Seen {
        service: service.into(),
        by_fault: false,
        signal: signal.into(),
        title,
        basis: Basis::Observed,
        test,
        evidence: snapshot(case),
        candidate,
    }
}

pub(super) const NO_MEMORY_LIMIT: Rule = Rule {
    id: "no-memory-limit",
    looks_for: "targets that may use all memory of the host",
    find: |case| {
        let one = |(service, _): (String, Vec<&Container>)| {
            let candidate = Candidate {
                title: format!("Set a memory limit on {service}"),
                aim: Aim::Prevent,
                weight: Weight::Hygiene,
                done_when: format!("docker inspect shows a memory limit above 0 on {service}"),
                criterion: rests(NO_MEMORY_LIMIT.id, &service),
            };
            let title = format!("{service} runs without a memory limit: it may use all memory of the host.");
            let test = format!("Squeeze the memory of {service} in a drill, and watch the containers beside it.");
            setting(case, &service, "memory limit", title, test, candidate)
        };
        targets(case, |c| c.limits.memory == 0).into_iter().map(one).collect()
    },
};

pub(super) const NO_HEALTH_CHECK: Rule = Rule {
    id: "no-health-check",
    looks_for: "targets whose state the engine cannot tell",
    find: |case| {
        let one = |(service, _): (String, Vec<&Container>)| {
            let candidate = Candidate {
                title: format!("Add a health check to {service}"),
                aim: Aim::Detect,
                weight: Weight::Hygiene,
                done_when: format!("{service} turns unhealthy within 30s of the fault in 1 run"),
                criterion: rests(NO_HEALTH_CHECK.id, &service),
            };
            let title = format!("{service} has no health check: the engine takes it for good as long as it runs.");
            let test = format!("Pause {service} in a drill: with a health check the engine reports it unhealthy.");
            setting(case, &service, "health check", title, test, candidate)
        };
        targets(case, |c| c.health.is_none()).into_iter().map(one).collect()
    },
};

pub(super) const IMAGE_NOT_PINNED: Rule = Rule {
    id: "image-not-pinned",
    looks_for: "targets whose image is named by a tag that can move",
    find: |case| {
        let one = |(service, containers): (String, Vec<&Container>)| {
            let image = containers.first().map(|c| c.image.clone()).unwrap_or_default();
            let candidate = Candidate {
                title: format!("Name the image of {service} by its digest"),
                aim: Aim::Process,
                weight: Weight::Hygiene,
                done_when: format!("docker inspect shows an image of {service} that ends in @sha256 and a digest"),
                criterion: rests(IMAGE_NOT_PINNED.id, &service),
            };
            let title = format!("The image of {service} is named by a tag ({image}), not by its digest.");
            let test = "Pull the tag on another host and compare the image ids.".to_owned();
            setting(case, &service, "image", title, test, candidate)
        };
        let moves = |c: &Container| !c.image.contains("@sha256:") && !c.image.starts_with("sha256:");
        targets(case, moves).into_iter().map(one).collect()
    },
};

pub(super) const STAYED_DOWN: Rule = Rule {
    id: "stayed-down",
    looks_for: "a target that ended, has no restart policy, and was started by the runner",
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
            seen.push(Seen {
                by_fault: true,
                basis: Basis::Observed,
                evidence: first(&fault.evidence, 3),
                ..setting(
                    case,
                    &service,
                    "restart policy",
                    format!(
                        "{} stayed down after {} until the runner started it at {asked}; its restart policy is `no`.",
                        container.name, fault.label
                    ),
                    format!(
                        "Crash {service} again with a restart policy set: the time to recover tells what it is worth."
                    ),
                    Candidate {
                        title: format!("Set a restart policy on {service}"),
                        aim: Aim::Prevent,
                        weight: case.weight(),
                        done_when: format!("{service} comes back by itself in 1 run of the scenario"),
                        criterion: rests(STAYED_DOWN.id, &service),
                    },
                )
            });
        }
    }
    seen
}

pub(super) const OUT_OF_MEMORY: Rule = Rule {
    id: "out-of-memory",
    looks_for: "containers that the kernel's out-of-memory killer struck",
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
    let seen = |(container, evidence): (String, Vec<EvidenceId>)| Seen {
        service: container.clone(),
        by_fault: true,
        signal: "out of memory".into(),
        title: format!(
            "The kernel's out-of-memory killer struck {container} {}.",
            quantity::plural(evidence.len() as u64, "time", "times")
        ),
        basis: Basis::Observed,
        test: format!(
            "Run the scenario again with twice the memory limit of {container}, and compare its peak memory."
        ),
        evidence: first(&evidence, 3),
        candidate: Candidate {
            title: format!("Bound the memory of {container} below its limit"),
            aim: Aim::Prevent,
            weight: case.weight(),
            done_when: format!("{container} ends 1 run of the scenario without an out-of-memory event"),
            criterion: rests(OUT_OF_MEMORY.id, &container),
        },
    };
    struck.into_iter().map(seen).collect()
}

pub(super) const SINGLE_INSTANCE: Rule = Rule {
    id: "single-instance",
    looks_for: "a target that was taken away, was the only one of its service, and was missed",
    find: single_instance,
};

/// Faults that take a whole container away.
const TAKES_AWAY: [&str; 6] = ["kill", "stop", "crash", "pause", "restart", "disconnect"];

fn single_instance(case: &Case<'_>) -> Vec<Seen> {
    let Some((main, impact)) = case.look.main().and_then(|main| Some((main, main.impact.as_ref()?))) else {
        return vec![];
    };
    let scope = &case.findings.scope;
    let all = || scope.targets.values().flatten().chain(&scope.watched);
    let taken = |container: &Container| {
        let by = case.findings.faults.iter().filter(|f| TAKES_AWAY.contains(&f.kind.as_str()) && f.effective.is_some());
        by.flat_map(|f| &f.containers).any(|on| on.container == container.name)
    };
    let mut seen = Vec::new();
    for (service, containers) in targets(case, |c| c.service().is_some()) {
        let Some(one) = containers.iter().find(|c| taken(c)) else { continue };
        let same = |c: &&Container| c.service() == one.service() && c.project() == one.project();
        let instances: std::collections::BTreeSet<&str> = all().filter(same).map(|c| c.name.as_str()).collect();
        if instances.len() != 1 {
            continue;
        }
        let mut evidence = first(&impact.evidence, 2);
        evidence.extend(snapshot(case));
        seen.push(Seen {
            service: service.clone(),
            by_fault: true,
            signal: "instances".into(),
            title: format!(
                "{} was the only instance of {service}, and {} was degraded from {} on when it was taken away.",
                one.name,
                main.name,
                case.look.short(impact.start.middle())
            ),
            basis: Basis::Hypothesis,
            test: format!("Start a second instance of {service} and run the scenario again."),
            evidence,
            candidate: Candidate {
                title: format!("Run at least 2 instances of {service}"),
                aim: Aim::Prevent,
                weight: case.weight(),
                done_when: format!(
                    "the scenario takes 1 of at least 2 instances of {service} away, and its promises hold"
                ),
                criterion: rests(SINGLE_INSTANCE.id, &service),
            },
        });
    }
    seen
}

pub(super) const HEALTHY_WHILE_BAD: Rule = Rule {
    id: "healthy-while-bad",
    looks_for: "a target whose health check said healthy through 30s or more of impact",
    find: healthy_while_bad,
};

fn healthy_while_bad(case: &Case<'_>) -> Vec<Seen> {
    let lasted = case.look.time(FigureKind::DegradedSpan).filter(|ns| *ns >= CHECKED_BY);
    let (Some(lasted), Some(main)) = (lasted, case.look.main()) else { return vec![] };
    let Some(impact) = &main.impact else { return vec![] };
    let told = |container: &Container| {
        case.findings.timeline.iter().any(|row| match &row.what {
            Happening::ContainerChanged { container: name, action, .. } => {
                *name == container.name && (action.contains("unhealthy") || action == "die")
            }
            _ => false,
        })
    };
    let mut seen = Vec::new();
    for (service, containers) in targets(case, |c| c.health.is_some()) {
        let Some(silent) = containers.into_iter().find(|c| !told(c)) else { continue };
        seen.push(Seen {
            service: service.clone(),
            by_fault: true,
            signal: "health".into(),
            title: format!(
                "{} was degraded for {}, and the health check of {} reported nothing in that time.",
                verdict::capital(&main.name),
                quantity::span(lasted),
                silent.name
            ),
            basis: Basis::Observed,
            test: format!("Run the health check of {service} by hand while the fault lasts, and compare its answer."),
            evidence: first(&impact.evidence, 2),
            candidate: Candidate {
                title: format!("Let the health check of {service} ask for what its users need"),
                aim: Aim::Detect,
                weight: case.weight(),
                done_when: format!("{service} turns unhealthy within 30s of the impact in 1 run"),
                criterion: rests(HEALTHY_WHILE_BAD.id, &service),
            },
        });
    }
    seen
}
