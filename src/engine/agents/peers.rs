//! Where the other ends of a packet fault are now.

use crate::{
    agent::traffic::Block,
    container::{Container, ContainerError, ContainerId, Containers, PacketFault, Peer},
    load::connect::build_resolver,
};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// How long a name may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(5);

/// No packet has this address: it stands for a peer that has none at the moment.
fn nowhere() -> Block {
    Block::of(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

/// The addresses of all peers, each once; `None` if the fault is about everybody.
///
/// # Errors
/// A name that has no address, or an engine that does not answer.
pub(super) async fn addresses(containers: &dyn Containers, fault: &PacketFault) -> Result<Option<Vec<Block>>, String> {
    if fault.to.is_empty() {
        return Ok(None);
    }
    let mut found = BTreeSet::new();
    for peer in &fault.to {
        let blocks = match peer {
            Peer::Addresses(block) => vec![*block],
            Peer::Container { id, name } => of_container(containers, id, name).await?,
            Peer::Host(name) => of_host(name).await?,
        };
        found.extend(blocks.into_iter().map(|block| (block.address, block.bits)));
    }
    let blocks: Vec<Block> = found.into_iter().map(|(address, bits)| Block { address, bits }).collect();
    Ok(Some(if blocks.is_empty() { vec![nowhere()] } else { blocks }))
}

/// A container that was made anew under the same name is the same peer; one that does not run is nowhere.
async fn of_container(containers: &dyn Containers, id: &ContainerId, name: &str) -> Result<Vec<Block>, String> {
    let by_name = ContainerId { id: name.to_owned(), ..id.clone() };
    let one = match containers.inspect(id).await {
        Err(ContainerError::NotFound { .. }) => containers.inspect(&by_name).await,
        answer => answer,
    };
    let one = match one {
        Ok(one) => one,
        Err(ContainerError::NotFound { .. }) => return Ok(vec![]),
        Err(error) => return Err(format!("{name}: {error}")),
    };
    let Some(owner) = one.network_mode.strip_prefix("container:") else { return Ok(all(&one)) };
    let owner = ContainerId { id: owner.to_owned(), ..id.clone() };
    containers.inspect(&owner).await.map(|owner| all(&owner)).map_err(|error| format!("{name}: {error}"))
}

fn all(one: &Container) -> Vec<Block> {
    one.networks.values().flat_map(|place| [place.ipv4, place.ipv6]).flatten().map(Block::of).collect()
}

async fn of_host(name: &str) -> Result<Vec<Block>, String> {
    if let Ok(address) = name.parse() {
        return Ok(vec![Block::of(address)]);
    }
    let resolver = build_resolver().ok_or("this host's resolver cannot be read")?;
    let answer = tokio::time::timeout(LOOKUP, resolver.lookup_ip(name)).await;
    let answer = answer.map_err(|_| format!("{name} is not looked up within {} s", LOOKUP.as_secs()))?;
    Ok(answer.map_err(|error| format!("{name}: {error}"))?.iter().map(Block::of).collect())
}

/// The container's own addresses on the network that the fault is about.
pub(super) fn own(owner: &Container, fault: &PacketFault) -> Vec<Block> {
    let Some(network) = &fault.network else { return vec![] };
    let place = owner.networks.get(network);
    let found: Vec<Block> = place.into_iter().flat_map(|p| [p.ipv4, p.ipv6]).flatten().map(Block::of).collect();
    if found.is_empty() { vec![nowhere()] } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::protocol::{Cut, Effect},
        container::sim::{self, Sim},
    };

    fn fault(to: Vec<Peer>) -> PacketFault {
        let owner = ContainerId { host: sim::HOST.into(), id: "0".into() };
        PacketFault { owner, traffic: Default::default(), to, network: None, effect: Effect::Cut(Cut::Drop) }
    }

    async fn found(sim: &Sim, to: Vec<Peer>) -> Option<Vec<String>> {
        let blocks = addresses(sim, &fault(to)).await.unwrap();
        blocks.map(|blocks| blocks.iter().map(ToString::to_string).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn peers_are_where_they_run_and_nowhere_when_they_do_not() {
        let db = sim::container("shop", "db", 1);
        let mut beside = sim::container("shop", "side", 1);
        beside.network_mode = format!("container:{}", db.id.id);
        beside.networks.clear();
        let sim = Sim::new([db.clone(), beside.clone()]);
        let peer = |one: &Container| Peer::Container { id: one.id.clone(), name: one.name.clone() };
        assert_eq!(found(&sim, vec![]).await, None, "everybody");
        assert_eq!(found(&sim, vec![peer(&db), peer(&beside)]).await.unwrap(), ["172.30.2.1"], "each address once");
        assert_eq!(found(&sim, vec![Peer::Host("::1".into())]).await.unwrap(), ["::1"]);
        sim.remove("shop-db-1");
        assert_eq!(found(&sim, vec![peer(&db)]).await.unwrap(), ["0.0.0.0"], "never everybody by mistake");
    }
}
