//! What happened to containers that were not targets.

use super::{Basis, Candidate, Case, Needs, Rule, Seen, Weight, first, rests, same};
use crate::{
    analysis::Neighbour,
    review::{action::Aim, model::look::list, quantity},
};

pub(super) const DEGRADED: Rule = Rule {
    id: "non-target-degraded",
    looks_for: "containers outside the targets that went bad while or after a fault was effective",
    needs: Some(Needs {
        missing: "it was not watched beside the targets",
        seen: |case, on| {
            let watched = case.findings.scope.watched.iter().map(|c| (&c.name, c.service().unwrap_or(&c.name)));
            let told =
                case.findings.blast.iter().map(|n| (&n.container, n.service.as_ref().unwrap_or(&n.container).as_str()));
            watched.chain(told).any(|(container, service)| same(service, on) && !target(case, container))
        },
    }),
    find: degraded,
};

fn target(case: &Case<'_>, name: &str) -> bool {
    case.findings.scope.targets.values().flatten().any(|container| container.name == name)
}

fn degraded(case: &Case<'_>) -> Vec<Seen> {
    let bad = case.findings.blast.iter().filter(|n| n.bad && !target(case, &n.container));
    let seen = |neighbour: &Neighbour| {
        let service = neighbour.service.clone().unwrap_or_else(|| neighbour.container.clone());
        let promised = if neighbour.must_be_unaffected { ", which was promised to stay as it is," } else { "" };
        Seen {
            service: service.clone(),
            by_fault: true,
            signal: "blast radius".into(),
            title: format!("{}{promised} was not a target and went bad: {}.", neighbour.container, what(neighbour)),
            basis: Basis::Observed,
            test: format!(
                "Cut the connection between {service} and the target in a drill of its own, and see whether {service} goes \
                 bad the same way."
            ),
            evidence: first(&neighbour.evidence, 3),
            candidate: Candidate {
                title: format!("Isolate {service} from {}", case.fault_labels()),
                aim: Aim::Prevent,
                weight: if neighbour.must_be_unaffected { Weight::Violated } else { case.weight() },
                done_when: format!("{service} stays healthy and up through 1 run"),
                criterion: rests(DEGRADED.id, &service),
            },
        }
    };
    bad.map(seen).collect()
}

fn what(neighbour: &Neighbour) -> String {
    let times = |n: u32, what: &str| (n > 0).then(|| format!("{what} {}", quantity::plural(n.into(), "time", "times")));
    let unhealthy = neighbour.health.iter().filter(|(_, state)| state == "unhealthy").count() as u32;
    let parts = [
        times(neighbour.ooms, "out of memory"),
        times(neighbour.dies, "ended"),
        times(unhealthy, "reported unhealthy"),
    ];
    list(&parts.into_iter().flatten().collect::<Vec<_>>(), 3)
}
