//! Faults of packets: `delay`, `loss`, `duplicate`, `corrupt`, `reorder`, `rate`, `blackhole`, `reject`, `partition`,
//! `dns`, and `disconnect` as a cut of one network. They lay hold of nothing, so several on one target compose.
//!
//! A packet fault hits a network *namespace*: who shares it is hit as well, and an agent stands beside its owner.

use super::{FaultError, Injection, Proof, injection, must_run, refuse};
use crate::{
    agent::{
        protocol::{Cut, Effect},
        traffic::{Block, Direction, Traffic},
    },
    container::{Container, ContainerId, Op, PacketFault, Peer},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A packet fault as a scenario asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PacketSettings {
    /// Under which name.
    pub kind: PacketKind,
    /// Which packets; their addresses come from what follows.
    pub traffic: Traffic,
    /// The other ends; empty: everybody.
    pub to: Vec<To>,
    /// Only over this network of the target.
    pub network: Option<String>,
    /// What becomes of them.
    pub effect: Effect,
}

/// The names of packet faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacketKind {
    /// Late.
    Delay,
    /// Never, by chance.
    Loss,
    /// Twice.
    Duplicate,
    /// Damaged.
    Corrupt,
    /// Ahead of those before.
    Reorder,
    /// Slowly.
    Rate,
    /// Never, silently.
    Blackhole,
    /// Refused.
    Reject,
    /// Never, over one network.
    Disconnect,
    /// Look-ups of names.
    Dns,
}

impl PacketKind {
    /// Its key in a scenario.
    pub fn key(self) -> &'static str {
        match self {
            PacketKind::Delay => "delay",
            PacketKind::Loss => "loss",
            PacketKind::Duplicate => "duplicate",
            PacketKind::Corrupt => "corrupt",
            PacketKind::Reorder => "reorder",
            PacketKind::Rate => "rate",
            PacketKind::Blackhole => "blackhole",
            PacketKind::Reject => "reject",
            PacketKind::Disconnect => "disconnect",
            PacketKind::Dns => "dns",
        }
    }
}

/// Groups of targets that do not reach each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Names of targets, two groups or more. Agents stand beside the containers of all but the last.
    pub between: Vec<Vec<String>>,
    /// How packets end.
    pub by: Cut,
    /// Only what the first group sends ends; there are two groups then.
    pub one_way: bool,
}

impl Partition {
    /// The targets that agents stand beside.
    pub fn sides(&self) -> Vec<String> {
        let all_but_last = self.between.len().saturating_sub(1);
        self.between.iter().take(all_but_last).flatten().cloned().collect()
    }
}

/// An other end, as a scenario names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// The containers of a target.
    Target(String),
    /// Addresses.
    Addresses(Block),
    /// A host by name.
    Host(String),
    /// All containers of a compose service; without a project, of the target's own.
    Service {
        /// Its project.
        project: Option<String>,
        /// Its name.
        service: String,
    },
    /// A container by its full name.
    Container(String),
}

/// What runs beside a container.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// By the target's name.
    pub targets: Option<&'a BTreeMap<String, Vec<Container>>>,
    /// All containers of the engine.
    pub all: &'a [Container],
}

impl<'a> Around<'a> {
    fn target(&self, name: &str) -> &'a [Container] {
        self.targets.and_then(|targets| targets.get(name)).map_or(&[], Vec::as_slice)
    }
}

pub(super) fn compile(settings: &PacketSettings, on: &Container, around: &Around<'_>) -> Result<Injection, FaultError> {
    let owner = owner(on, around)?;
    let place = around.all.iter().find(|one| one.id == owner).unwrap_or(on);
    if let Some(network) = settings.network.as_ref().filter(|name| !place.networks.contains_key(*name)) {
        let there: Vec<&str> = place.networks.keys().map(String::as_str).collect();
        return refuse(format!("{} is not on the network {network}; it is on {}", on.name, there.join(", ")));
    }
    let to = settings.to.iter().map(|to| peers(to, on, around)).collect::<Result<Vec<_>, _>>()?.concat();
    let fault = PacketFault {
        owner,
        traffic: settings.traffic.clone(),
        to,
        network: settings.network.clone(),
        effect: settings.effect.clone(),
    };
    injected(fault, on)
}

pub(super) fn compile_partition(
    partition: &Partition,
    on: &Container,
    around: &Around<'_>,
) -> Result<Injection, FaultError> {
    let holds = |group: &Vec<String>| group.iter().any(|name| around.target(name).iter().any(|one| one.id == on.id));
    let Some(side) = partition.between.iter().position(holds) else {
        return refuse(format!("{} is in no group", on.name));
    };
    let mut to = Vec::new();
    for one in partition.between[side + 1..].iter().flatten().flat_map(|name| around.target(name)) {
        if one.id == on.id {
            return refuse(format!("{} is on both sides", on.name));
        }
        to.push(peer(one));
    }
    to.dedup();
    if to.is_empty() {
        return refuse(format!("nobody is on the other side of {}", on.name));
    }
    let direction = if partition.one_way { Direction::Out } else { Direction::Both };
    let fault = PacketFault {
        owner: owner(on, around)?,
        traffic: Traffic { direction, ..Traffic::default() },
        to,
        network: None,
        effect: Effect::Cut(partition.by),
    };
    injected(fault, on)
}

fn injected(fault: PacketFault, on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    fault.traffic.check().map_err(FaultError)?;
    let undo = vec![Op::FreePackets { owner: fault.owner.clone() }];
    Ok(Injection { apply: vec![Op::Packets(Box::new(fault))], undo, proof: Proof::InPlace, ..injection(on) })
}

/// Whose network a container uses.
///
/// # Errors
/// It has none that only containers use.
fn owner(on: &Container, around: &Around<'_>) -> Result<ContainerId, FaultError> {
    match on.network_mode.as_str() {
        "host" => refuse(format!(
            "{} uses the network of the host, so everything on the host would be hit; give it a network of its own",
            on.name
        )),
        "none" => refuse(format!("{} has no network, so there are no packets", on.name)),
        mode => Ok(match mode.strip_prefix("container:") {
            None => on.id.clone(),
            Some(named) => {
                let known = around.all.iter().find(|one| one.id.id == named || one.name == named);
                known.map_or(ContainerId { id: named.into(), ..on.id.clone() }, |one| one.id.clone())
            }
        }),
    }
}

fn peer(one: &Container) -> Peer {
    Peer::Container { id: one.id.clone(), name: one.name.clone() }
}

fn peers<'a>(to: &To, on: &Container, around: &Around<'a>) -> Result<Vec<Peer>, FaultError> {
    let others = |found: Vec<&'a Container>| {
        found.into_iter().filter(|one| one.id != on.id && one.ours().is_none()).collect::<Vec<_>>()
    };
    let (found, what) = match to {
        To::Addresses(block) => return Ok(vec![Peer::Addresses(*block)]),
        To::Host(name) => return Ok(vec![Peer::Host(name.clone())]),
        To::Target(name) => (others(around.target(name).iter().collect()), format!("target `{name}` has no container")),
        To::Container(name) => (
            others(around.all.iter().filter(|one| one.name == *name).collect()),
            format!("there is no container {name}"),
        ),
        To::Service { project, service } => {
            let project = project.as_deref().or(on.project());
            let is = |one: &&Container| one.service() == Some(service) && one.project() == project;
            let whose = project.map_or(String::new(), |project| format!(" in project {project}"));
            (others(around.all.iter().filter(is).collect()), format!("there is no service {service}{whose}"))
        }
    };
    if found.is_empty() {
        return refuse(format!("{what} besides {} itself to be the other end", on.name));
    }
    for (one, mode) in found.iter().map(|one| (one, one.network_mode.as_str())) {
        match mode {
            "host" => {
                let why = "is on the host's network, where its packets cannot be told from others";
                return refuse(format!("{} {why}; give an address instead", one.name));
            }
            "none" => return refuse(format!("{} has no network, so nothing goes to or from it", one.name)),
            _ => {}
        }
    }
    Ok(found.into_iter().map(peer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    fn blackhole(to: Vec<To>) -> PacketSettings {
        let (traffic, effect) = (Traffic::default(), Effect::Cut(Cut::Drop));
        PacketSettings { kind: PacketKind::Blackhole, traffic, to, network: None, effect }
    }

    fn compiled(settings: &PacketSettings, on: &Container, all: &[Container]) -> Result<PacketFault, String> {
        let targets = BTreeMap::from([("db".to_owned(), vec![sim::container("shop", "db", 1)])]);
        let around = Around { targets: Some(&targets), all };
        let injection = compile(settings, on, &around).map_err(|error| error.to_string())?;
        assert_eq!(injection.claims, [], "packet faults compose");
        match &injection.apply[0] {
            Op::Packets(fault) => Ok(fault.as_ref().clone()),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn peers_are_targets_services_containers_hosts_and_addresses() {
        let api = sim::container("shop", "api", 1);
        let all: Vec<Container> = [1, 2].map(|n| sim::container("shop", "cache", n)).into();
        let service = To::Service { project: None, service: "cache".into() };
        let settings = blackhole(vec![
            To::Target("db".into()),
            service,
            To::Container("shop-cache-2".into()),
            To::Host("api.example.com".into()),
            To::Addresses("10.0.0.0/8".parse().unwrap()),
        ]);
        let names: Vec<String> = compiled(&settings, &api, &all).unwrap().to.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["shop-db-1", "shop-cache-1", "shop-cache-2", "shop-cache-2", "api.example.com", "10.0.0.0/8"]
        );
        let nobody = blackhole(vec![To::Service { project: None, service: "api".into() }]);
        assert!(compiled(&nobody, &api, std::slice::from_ref(&api)).unwrap_err().contains("besides shop-api-1 itself"));
    }

    #[test]
    fn a_network_that_is_the_hosts_or_not_there_is_refused_and_a_shared_one_has_an_owner() {
        let mut api = sim::container("shop", "api", 1);
        let owner = sim::container("shop", "net", 1);
        api.network_mode = "host".into();
        assert!(compiled(&blackhole(vec![]), &api, &[]).unwrap_err().contains("everything on the host would be hit"));
        api.network_mode = "none".into();
        assert!(compiled(&blackhole(vec![]), &api, &[]).unwrap_err().contains("no network"));
        api.network_mode = format!("container:{}", owner.id.id);
        assert_eq!(compiled(&blackhole(vec![]), &api, std::slice::from_ref(&owner)).unwrap().owner, owner.id);
        let back = PacketSettings { network: Some("shop_default".into()), ..blackhole(vec![]) };
        api.networks.clear();
        assert_eq!(
            compiled(&back, &api, std::slice::from_ref(&owner)).unwrap().owner,
            owner.id,
            "its owner's networks"
        );
        let to = blackhole(vec![To::Container(api.name.clone())]);
        for (mode, says) in [("host", "give an address instead"), ("none", "has no network")] {
            api.network_mode = mode.into();
            assert!(compiled(&to, &owner, std::slice::from_ref(&api)).unwrap_err().contains(says), "{mode}");
        }
        let elsewhere = PacketSettings { network: Some("back".into()), ..blackhole(vec![]) };
        assert!(compiled(&elsewhere, &owner, &[]).unwrap_err().contains("it is on shop_default"));
    }

    #[test]
    fn a_partition_cuts_each_group_from_those_behind_it() {
        let (a, b, c) = (["a", "b", "c"]).map(|name| sim::container("shop", name, 1)).into();
        let targets: BTreeMap<String, Vec<Container>> =
            [&a, &b, &c].map(|one| (one.service().unwrap().to_owned(), vec![one.clone()])).into();
        let around = Around { targets: Some(&targets), all: &[] };
        let between = vec![vec!["a".to_owned()], vec!["b".into()], vec!["c".into()]];
        let partition = Partition { between, by: Cut::Drop, one_way: false };
        assert_eq!(partition.sides(), ["a", "b"]);
        let cut = |on: &Container| compile_partition(&partition, on, &around).map(|i| i.apply[0].to_string());
        assert_eq!(cut(&a).unwrap(), "packets dropped, to and from shop-b-1, shop-c-1");
        assert_eq!(cut(&b).unwrap(), "packets dropped, to and from shop-c-1");
        assert!(cut(&c).is_err(), "nobody is left to be cut from");
        let twice = Partition { between: vec![vec!["a".into()], vec!["a".into(), "b".into()]], ..partition };
        assert!(compile_partition(&twice, &a, &around).unwrap_err().to_string().contains("both sides"));
    }
}
