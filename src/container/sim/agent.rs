//! The twin of a packet agent: it obeys, counts as if packets came by a hundred a second, and lets go when its line
//! ends, when it is removed, and when the container that it stands beside ends.

use super::Sim;
use crate::{
    agent::protocol::{Abilities, Command, Counters, EndReason, FaultId, Receipt, Terms, VERSION, line},
    container::{
        ContainerId, Helper, NewHelper, Said,
        helper::{LINES_WAITING, Namespace},
    },
    units::Span,
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, interval},
};

/// Packets of every fired fault, a second.
const TRAFFIC: u64 = 100;

/// An agent of the twin, as its world sees it.
#[derive(Debug)]
pub(super) struct Standing {
    /// Beside which container.
    pub owner: String,
    /// What is in place, by number.
    pub fired: BTreeSet<u8>,
    /// Dropped when the agent is removed.
    _life: mpsc::Sender<()>,
}

/// Starts one.
pub(super) fn start(sim: &Sim, new: &NewHelper, host: &str) -> Helper {
    let (say, commands) = mpsc::channel(LINES_WAITING);
    let (words, said) = mpsc::channel(LINES_WAITING);
    let (life, alive) = mpsc::channel(1);
    let owner = match &new.network {
        Namespace::Of(owner) => owner.clone(),
        Namespace::Own | Namespace::Host => String::new(),
    };
    let id = sim.world().stand(Standing { owner, fired: BTreeSet::new(), _life: life });
    let agent = Agent { sim: sim.clone(), id: id.clone(), words, fired_at: BTreeMap::new(), greeted: false };
    tokio::spawn(agent.live(commands, alive));
    Helper { id: ContainerId { host: host.into(), id }, say, said }
}

struct Agent {
    sim: Sim,
    id: String,
    words: mpsc::Sender<Said>,
    fired_at: BTreeMap<FaultId, Instant>,
    greeted: bool,
}

impl Agent {
    async fn live(mut self, mut commands: mpsc::Receiver<String>, mut alive: mpsc::Receiver<()>) {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                biased;
                // Removed: no last words.
                _ = alive.recv() => return,
                said = commands.recv() => {
                    let command = said.and_then(|text| serde_json::from_str::<Command>(&text).ok());
                    let over = match command {
                        Some(command) => self.obey(command).await,
                        None => Some(EndReason::Eof),
                    };
                    if let Some(why) = over {
                        self.sim.world().fall(&self.id);
                        return self.say(Receipt::Ended { why, at: 0, failed: None, lost_receipts: 0 }).await;
                    }
                }
                _ = seconds.tick(), if self.greeted => {
                    let faults = self.fired_at.keys().map(|fault| (*fault, self.counters(*fault))).collect();
                    self.say(Receipt::Counters { at: 0, faults, cpu: 0 }).await;
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Option<EndReason> {
        let receipt = match command {
            Command::Hello { .. } => {
                self.greeted = true;
                Receipt::Ready {
                    version: VERSION,
                    lease: Terms { deadline: Span::ZERO, heartbeat: Span::ZERO },
                    pid: 1,
                }
            }
            Command::Arm { fault, .. } => {
                let refusal = self.sim.world().agent_refuses.take();
                match refusal {
                    Some(why) => Receipt::Refused { fault: Some(fault), why },
                    None => Receipt::Armed {
                        fault,
                        abilities: Abilities { owner: true, queue: None, raw: true, untracked: true },
                    },
                }
            }
            Command::Fire { fault } => {
                self.fired_at.insert(fault, Instant::now());
                self.sim.world().fire(&self.id, fault.0);
                Receipt::Fired { fault, at: 0, rules: 2 }
            }
            Command::Follow { fault, .. } => Receipt::Followed { fault, at: 0 },
            Command::Undo { fault } => {
                let counters = Box::new(self.counters(fault));
                self.fired_at.remove(&fault);
                self.sim.world().free(&self.id, fault.0);
                Receipt::Undone { fault, at: 0, counters }
            }
            Command::End => return Some(EndReason::Command),
            _ => return None,
        };
        self.say(receipt).await;
        None
    }

    fn counters(&self, fault: FaultId) -> Counters {
        let since = self.fired_at.get(&fault).map_or(Duration::ZERO, Instant::elapsed);
        let hit = if self.sim.world().no_traffic { 0 } else { TRAFFIC * since.as_millis() as u64 / 1000 };
        Counters { hit, seen: hit, meant: hit, delayed: hit, ..Counters::default() }
    }

    async fn say(&self, receipt: Receipt) {
        let _ = self.words.send(Said::Line(line(&receipt))).await;
    }
}
