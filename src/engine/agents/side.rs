//! One network with its agent: which faults it is for, and how far each of them is.

use super::link::Link;
use crate::{
    agent::{protocol::FaultId as Number, traffic::Block},
    container::{ContainerId, Op, PacketFault},
    event::FaultId,
    plan::Plan,
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// One network namespace.
pub(super) struct Side {
    /// The container whose network it is.
    pub owner: ContainerId,
    /// Its name.
    pub name: String,
    /// What the agent is for.
    pub posts: Vec<Post>,
    /// Asked to begin, and not to end.
    pub fired: Numbers,
    /// Asked to end.
    pub over: Numbers,
    /// Known to be gone.
    pub proven: Numbers,
    /// Held while several things are said that belong together.
    pub state: tokio::sync::Mutex<State>,
    link: Mutex<Option<Link>>,
}

/// One fault on one target.
pub(super) struct Post {
    /// What the agent calls it.
    pub number: Number,
    /// Which.
    pub fault: FaultId,
    /// The target.
    pub on: ContainerId,
    /// Its name.
    pub container: String,
    /// What is done.
    pub packets: PacketFault,
    /// All its chance.
    pub seed: u64,
}

/// What changes while a drill goes on.
#[derive(Default)]
pub(super) struct State {
    /// The start of the owner after which the agent was made.
    pub started_at: String,
    /// Where the other ends were last.
    pub peers: BTreeMap<Number, Vec<Block>>,
    /// The owner ended, and its network with it.
    pub lost: bool,
    /// How often a new agent was tried in vain.
    pub failures: u32,
}

/// A set of an agent's fault numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers(AtomicU64);

impl Numbers {
    pub(super) fn add(&self, number: Number) {
        self.0.fetch_or(bit(number), Ordering::Relaxed);
    }

    pub(super) fn take(&self, number: Number) {
        self.0.fetch_and(!bit(number), Ordering::Relaxed);
    }

    pub(super) fn has(&self, number: Number) -> bool {
        self.0.load(Ordering::Relaxed) & bit(number) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

fn bit(number: Number) -> u64 {
    1_u64.checked_shl(number.0.into()).unwrap_or(0)
}

impl Side {
    fn new(owner: ContainerId, name: String) -> Side {
        Side {
            owner,
            name,
            posts: Vec::new(),
            fired: Numbers::default(),
            over: Numbers::default(),
            proven: Numbers::default(),
            state: tokio::sync::Mutex::default(),
            link: Mutex::default(),
        }
    }

    /// The agent, dead or alive.
    pub(super) fn link(&self) -> Option<Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_link(&self, link: Option<Link>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// What has not been undone.
    pub(super) fn open(&self) -> impl Iterator<Item = &Post> {
        self.posts.iter().filter(|post| !self.over.has(post.number))
    }
}

/// One side for each network that the plan's packet faults hit.
///
/// # Errors
/// More faults on one network than an agent can have.
pub(super) fn of_plan(plan: &Plan) -> Result<Vec<Arc<Side>>, String> {
    let mut sides: BTreeMap<ContainerId, Side> = BTreeMap::new();
    for step in &plan.steps {
        for injection in &step.injections {
            for packets in injection.apply.iter().filter_map(packets) {
                let name = plan.name_of(&packets.owner).unwrap_or(&injection.name).to_owned();
                let side = sides.entry(packets.owner.clone()).or_insert_with(|| Side::new(packets.owner.clone(), name));
                let number = u8::try_from(side.posts.len()).ok().filter(|number| *number < Number::MOST);
                let number = number.ok_or_else(|| {
                    format!("more than {} packet faults on the network of {}", Number::MOST, side.name)
                })?;
                side.posts.push(Post {
                    number: Number(number),
                    fault: step.fault,
                    on: injection.on.clone(),
                    container: injection.name.clone(),
                    packets: packets.clone(),
                    seed: child(plan.seed, step.fault, &injection.name),
                });
            }
        }
    }
    Ok(sides.into_values().map(Arc::new).collect())
}

fn packets(op: &Op) -> Option<&PacketFault> {
    match op {
        Op::Packets(fault) => Some(fault),
        _ => None,
    }
}

/// A seed of its own for each fault on each container: adding one does not change what another one does.
fn child(seed: u64, fault: FaultId, container: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update((fault as u64).to_le_bytes())
        .chain_update(container)
        .finalize();
    digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_and_go() {
        let numbers = Numbers::default();
        [0, 7, 63].into_iter().for_each(|number| numbers.add(Number(number)));
        assert!(numbers.has(Number(63)) && !numbers.has(Number(1)) && !numbers.is_empty());
        [0, 7, 63].into_iter().for_each(|number| numbers.take(Number(number)));
        assert!(numbers.is_empty());
        numbers.add(Number(200));
        assert!(numbers.is_empty(), "no such number");
    }

    #[test]
    fn every_fault_on_every_container_has_chance_of_its_own() {
        assert_eq!(child(1, 0, "a"), child(1, 0, "a"));
        assert_ne!(child(1, 0, "a"), child(1, 1, "a"));
        assert_ne!(child(1, 0, "a"), child(1, 0, "b"));
        assert_ne!(child(1, 0, "a"), child(2, 0, "a"));
    }
}
