//! What a plan may not do: take more than half of a service at any one moment unless asked to, lay two hands on
//! one thing, or break what shares a namespace with a target.

use super::{
    PlanError, Step,
    timeline::{Stretch, at_once, stretch},
};
use crate::{
    container::{Container, ContainerId, Op, State},
    event::FaultId,
    fault::{Claim, Fault, Injection},
    scenario::{FaultEntry, Pick, Scenario},
    units::Span,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Everything that is wrong with these steps.
pub(super) fn check(
    scenario: &Scenario,
    steps: &[Step],
    targets: &BTreeMap<String, Vec<Container>>,
    all: &[Container],
) -> Vec<PlanError> {
    let world = World { scenario, steps, targets, all };
    let mut errors = world.blast_radius();
    errors.extend(world.conflicts());
    errors.extend(world.sharers());
    errors
}

struct World<'a> {
    scenario: &'a Scenario,
    steps: &'a [Step],
    targets: &'a BTreeMap<String, Vec<Container>>,
    all: &'a [Container],
}

/// A compose service: project and name.
type Service<'a> = (&'a str, &'a str);

fn service(container: &Container) -> Option<Service<'_>> {
    Some((container.project().unwrap_or_default(), container.service()?))
}

impl<'a> World<'a> {
    fn entry(&self, fault: FaultId) -> &'a FaultEntry {
        &self.scenario.faults[fault]
    }

    fn container(&self, id: &ContainerId) -> Option<&'a Container> {
        self.all.iter().find(|one| one.id == *id)
    }

    fn asked_for_all(&self, step: &Step) -> bool {
        let all =
            |name: &String| self.scenario.targets.iter().any(|target| target.name == *name && target.pick == Pick::All);
        self.entry(step.fault).targets.iter().all(all)
    }

    /// Counted at every moment at which something starts, since only then can a count rise.
    fn blast_radius(&self) -> Vec<PlanError> {
        let mut worst: BTreeMap<Service, (usize, Span, &Step)> = BTreeMap::new();
        for step in self.steps {
            for (service, (taken, unasked)) in self.taken_at(step.at.0) {
                let most = worst.entry(service).or_insert((0, step.at, unasked));
                if taken > most.0 {
                    *most = (taken, step.at, unasked);
                }
            }
        }
        worst.into_iter().filter_map(|(service, (taken, at, step))| self.too_many(service, taken, at, step)).collect()
    }

    /// How many containers of each service are taken away at a moment, and the last step that did not ask for all;
    /// services of which every step did are left out.
    fn taken_at(&self, moment: Duration) -> BTreeMap<Service<'a>, (usize, &'a Step)> {
        let mut held: BTreeMap<Service, BTreeSet<&ContainerId>> = BTreeMap::new();
        let mut rolling: BTreeMap<Service, usize> = BTreeMap::new();
        let mut unasked: BTreeMap<Service, &Step> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| stretch(step).holds(moment)) {
            for one in step.injections.iter().flat_map(|injection| self.taken(injection)) {
                let Some(service) = service(one) else { continue };
                if !self.asked_for_all(step) {
                    unasked.insert(service, step);
                }
                if step.one_by_one.is_some() {
                    rolling.insert(service, at_once(step));
                } else {
                    held.entry(service).or_default().insert(&one.id);
                }
            }
        }
        let count = |(service, step): (Service<'a>, &'a Step)| {
            let held = held.get(&service).map_or(0, BTreeSet::len);
            (service, (held + rolling.get(&service).copied().unwrap_or(0), step))
        };
        unasked.into_iter().map(count).collect()
    }

    /// Whom an injection takes: its target; and, when it hits packets, all who share the network.
    fn taken(&self, injection: &'a Injection) -> Vec<&'a Container> {
        let mut taken: Vec<&Container> = self.container(&injection.on).into_iter().collect();
        if let Some(owner) = network_of(injection) {
            let others = self.in_network(owner).into_iter().filter(|one| one.id != injection.on);
            taken.extend(others);
        }
        taken
    }

    /// A container and those that share its network.
    fn in_network(&self, owner: &ContainerId) -> Vec<&'a Container> {
        self.container(owner).into_iter().chain(self.sharing(&owner.id)).collect()
    }

    fn too_many(&self, wanted: Service, taken: usize, at: Span, step: &Step) -> Option<PlanError> {
        let replica = |one: &&Container| {
            one.state == State::Running && service(one) == Some(wanted) && !super::select::one_off(one)
        };
        let replicas = self.all.iter().filter(replica).count();
        if taken <= replicas / 2 {
            return None;
        }
        let entry = self.entry(step.fault);
        let message = if replicas == 1 {
            format!("`{}` takes the only running replica of service {}", entry.fault.kind(), wanted.1)
        } else {
            format!(
                "at {at} this takes {taken} of {replicas} running replicas of service {}; at most {} unless asked",
                wanted.1,
                replicas / 2
            )
        };
        let help = format!("if that is meant, say `pick: all` in target `{}`", entry.targets.join("`, `"));
        Some(PlanError::new(entry.place, message).help(help))
    }

    fn conflicts(&self) -> Vec<PlanError> {
        let mut errors = Vec::new();
        for (at, later) in self.steps.iter().enumerate() {
            for earlier in &self.steps[..at] {
                errors.extend(self.conflict(earlier, later));
            }
        }
        errors
    }

    fn conflict(&self, one: &Step, other: &Step) -> Option<PlanError> {
        let (s, t) = (stretch(one), stretch(other));
        let clash = one.injections.iter().find_map(|a| {
            let b = other.injections.iter().find(|b| b.on == a.on)?;
            clashing(a, s, b, t).map(|what| (a, what))
        });
        let (injection, what) = clash?;
        let (entry, earlier) = (self.entry(other.fault), self.entry(one.fault));
        let message = format!(
            "`{}` ({}) and `{}` ({}) both want {what} of {}",
            entry.fault.kind(),
            times(t),
            earlier.fault.kind(),
            times(s),
            injection.name
        );
        Some(PlanError::new(entry.place, message).help("let one end before the other starts, or pick other containers"))
    }

    /// Who shares a namespace goes down with its owner, and does not come back with it.
    fn sharers(&self) -> Vec<PlanError> {
        let mut errors = Vec::new();
        for step in self.steps {
            let entry = self.entry(step.fault);
            let targets = entry.targets.iter().filter_map(|name| self.targets.get(name)).flatten();
            let hit: BTreeSet<&str> = targets.map(|one| one.id.id.as_str()).collect();
            for injection in &step.injections {
                let names: Vec<&Container> = match network_of(injection) {
                    Some(owner) => self.in_network(owner),
                    None => self.sharing(&injection.on.id),
                };
                let others = names.iter().filter(|one| !hit.contains(one.id.id.as_str()));
                let others: BTreeSet<&str> = others.map(|one| one.name.as_str()).collect();
                let all: BTreeSet<&str> = names.iter().map(|one| one.name.as_str()).collect();
                errors.extend(shared(entry, injection, &others, &all));
                errors.extend(self.ended_with(entry, injection));
            }
        }
        errors
    }

    /// The end of a container's first process is the end of all in its process namespace.
    fn ended_with(&self, entry: &FaultEntry, owner: &Injection) -> Option<PlanError> {
        let inside = self.joined(&owner.on.id, |one| &one.pid_mode);
        let names: BTreeSet<&str> = inside.iter().map(|one| one.name.as_str()).collect();
        if names.is_empty() || !entry.fault.may_end_it() {
            return None;
        }
        let name = &owner.name;
        let message =
            format!("{} shares the processes of {name}, and would end for good when {name} ends", select_list(&names));
        Some(PlanError::new(entry.place, message).help("that cannot be undone here; `pause` can"))
    }

    fn sharing(&self, owner: &str) -> Vec<&'a Container> {
        self.joined(owner, |one| &one.network_mode)
    }

    /// What runs in a namespace of another container.
    fn joined(&self, owner: &str, mode: impl Fn(&Container) -> &str) -> Vec<&'a Container> {
        let wanted = format!("container:{owner}");
        self.all.iter().filter(|one| mode(one) == wanted && one.state == State::Running).collect()
    }
}

/// Whose network's packets an injection hits, if it hits packets.
fn network_of(injection: &Injection) -> Option<&ContainerId> {
    injection.apply.iter().find_map(|op| match op {
        Op::Packets(fault) => Some(&fault.owner),
        _ => None,
    })
}

fn shared(entry: &FaultEntry, owner: &Injection, others: &BTreeSet<&str>, all: &BTreeSet<&str>) -> Option<PlanError> {
    let name = &owner.name;
    match &entry.fault {
        fault if fault.may_end_it() && !all.is_empty() => {
            let message = format!(
                "{} shares the network of {name}, and would stay cut off when {name} is started again",
                select_list(all)
            );
            Some(PlanError::new(entry.place, message).help("that cannot be undone here; `pause` can"))
        }
        Fault::Disconnect { .. } if !others.is_empty() => {
            let message = format!("{} shares the network of {name}, and would be cut off with it", select_list(others));
            Some(PlanError::new(entry.place, message).help("make it part of the target, or choose another"))
        }
        Fault::Packets(_) | Fault::Partition(_) if !others.is_empty() => {
            let message = format!("{} shares the network of {name}, and would be hit with it", select_list(others));
            Some(PlanError::new(entry.place, message).help("make it part of the target, or choose another"))
        }
        _ => None,
    }
}

fn select_list(names: &BTreeSet<&str>) -> String {
    super::select::listed(names)
}

/// What two injections on one container both want at one time.
fn clashing(a: &Injection, s: Stretch, b: &Injection, t: Stretch) -> Option<String> {
    if s.overlaps(t)
        && let Some(claim) = a.claims.iter().find(|claim| b.claims.contains(claim))
    {
        return Some(match claim {
            Claim::Running => "the running".into(),
            Claim::Limit(resource) => format!("the {resource} limit"),
            Claim::Network(network) => format!("the place on network {network}"),
            Claim::Inside(command) => format!("`{command}` inside"),
        });
    }
    let runs_in = |claims: &[Claim]| claims.iter().any(|claim| matches!(claim, Claim::Inside(_)));
    let takes = |claims: &[Claim]| claims.contains(&Claim::Running);
    // A command, or the command that undoes it, would find nobody there.
    let lost = takes(&a.claims) && runs_in(&b.claims) && (s.holds(t.from) || !b.undo.is_empty() && s.holds(t.to))
        || takes(&b.claims) && runs_in(&a.claims) && (t.holds(s.from) || !a.undo.is_empty() && t.holds(s.to));
    lost.then(|| "the inside".into())
}

fn times(stretch: Stretch) -> String {
    match stretch.to {
        Duration::MAX => format!("from {} on", Span(stretch.from)),
        to if to == stretch.from => format!("at {}", Span(stretch.from)),
        to => format!("{} to {}", Span(stretch.from), Span(to)),
    }
}
