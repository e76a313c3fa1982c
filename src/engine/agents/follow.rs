//! While a drill goes on: telling agents that we live, noticing those that do not, and following what they stand
//! beside and whom they tell apart when those are started anew.

use super::{
    PATIENCE, peers,
    side::{Side, State},
};
use crate::{
    agent::protocol::Command,
    container::{ContainerError, Peer, State as Running},
    engine::drill::Drill,
    event::EventKind,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::MissedTickBehavior};

/// How often we say that we live.
const BEAT: Duration = Duration::from_secs(1);
/// An agent that counts every second and has said nothing for so long is frozen, and nothing else would end it.
const FROZEN: Duration = Duration::from_secs(15);
/// How often addresses are looked at when no event calls for it (networks have no container events).
const LOOK: Duration = Duration::from_secs(2);
/// How often names of hosts are looked up: every so many looks.
const NAMES: u32 = 5;
/// How often a new agent is tried beside a container that was started again.
const TRIES: u32 = 5;

impl Drill {
    /// Says that we live, and removes agents that do not.
    pub(crate) async fn beat(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for side in self.agents.all() {
                let Some(link) = side.link().filter(|link| !link.is_over()) else { continue };
                link.tell(&Command::Heartbeat);
                if !side.fired.is_empty() && link.silence() > FROZEN {
                    let why = format!("it has said nothing for {} s and is removed", FROZEN.as_secs());
                    self.record.tell(EventKind::AgentRefused { fault: None, container: side.name.clone(), why });
                    let _ = self.containers.remove_helper(&link.id).await;
                }
            }
        }
    }

    /// Looks at what agents stand beside and whom they tell apart, whenever something stirred and every two seconds.
    pub(crate) async fn follow_agents(self: Arc<Self>, stirred: Arc<Notify>) {
        for look in 1_u32.. {
            tokio::select! {
                () = stirred.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            for side in self.agents.all() {
                self.follow_side(&side, look.is_multiple_of(NAMES)).await;
            }
        }
    }

    async fn follow_side(self: &Arc<Self>, side: &Arc<Side>, names: bool) {
        let mut state = side.state.lock().await;
        if state.started_at.is_empty() || side.open().next().is_none() {
            return;
        }
        match self.containers.inspect(&side.owner).await {
            Ok(owner) if owner.state == Running::Running || owner.state == Running::Paused => {
                if owner.started_at != state.started_at {
                    self.lose(side, &mut state, "the container was started anew");
                    self.move_in(side, &mut state).await;
                }
            }
            Ok(owner) => return self.lose(side, &mut state, &format!("the container is {}", owner.state.name())),
            Err(ContainerError::NotFound { .. }) => return self.lose(side, &mut state, "the container is gone"),
            Err(_) => return,
        }
        self.follow_peers(side, &mut state, names).await;
    }

    /// Tells once that what was fired has nobody to hit any more.
    fn lose(&self, side: &Side, state: &mut State, why: &str) {
        if std::mem::replace(&mut state.lost, true) {
            return;
        }
        for post in side.open().filter(|post| side.fired.has(post.number)) {
            let (fault, container) = (post.fault, post.container.clone());
            self.record.tell(EventKind::FaultLost { fault, container, why: why.into() });
        }
    }

    /// Puts an agent into the new network, and has it do what the one in the old network did.
    async fn move_in(self: &Arc<Self>, side: &Arc<Side>, state: &mut State) {
        if state.failures >= TRIES {
            return;
        }
        if let Some(old) = side.link() {
            // What it did ended with its network; its end must not count as theirs.
            old.dismiss();
            let _ = self.containers.remove_helper(&old.id).await;
        }
        match self.raise_and_fire(side, state).await {
            Ok(()) => (state.lost, state.failures) = (false, 0),
            Err(why) => {
                state.failures += 1;
                self.record.tell(EventKind::AgentRefused { fault: None, container: side.name.clone(), why });
                if state.failures >= TRIES {
                    self.give_up(side);
                }
            }
        }
    }

    async fn raise_and_fire(self: &Arc<Self>, side: &Arc<Side>, state: &mut State) -> Result<(), String> {
        let before = state.started_at.clone();
        let raised = self.raise(side, state).await;
        let Some(link) = side.link().filter(|_| raised.is_ok()) else { return raised };
        for post in side.open().filter(|post| side.fired.has(post.number)) {
            if let Err(why) = link.ask(Command::Fire { fault: post.number }, PATIENCE).await {
                state.started_at = before;
                return Err(why.to_string());
            }
            let (fault, container) = (post.fault, post.container.clone());
            self.record.tell(EventKind::FaultBack { fault, container });
        }
        Ok(())
    }

    fn give_up(&self, side: &Side) {
        for post in side.open().filter(|post| side.fired.has(post.number)) {
            if self.ledger.end_if_active(post.fault, &post.on) {
                let (fault, container) = (post.fault, post.container.clone());
                let by = "no agent could be started in its new network".into();
                self.record.tell(EventKind::FaultEnded { fault, container, by });
            }
        }
    }

    async fn follow_peers(&self, side: &Side, state: &mut State, names: bool) {
        let Some(link) = side.link().filter(|link| !link.is_over()) else { return };
        for post in side.open() {
            let moves = |peer: &Peer| match peer {
                Peer::Container { .. } => true,
                Peer::Host(_) => names,
                Peer::Addresses(_) => false,
            };
            if !post.packets.to.iter().any(moves) {
                continue;
            }
            let Ok(Some(mut now)) = peers::addresses(self.containers.as_ref(), &post.packets).await else { continue };
            let before = state.peers.get(&post.number).cloned().unwrap_or_default();
            if post.packets.to.iter().any(|peer| matches!(peer, Peer::Host(_))) {
                // Answers of name servers take turns: connections to the earlier address go on.
                now.extend(before.iter().filter(|block| !now.contains(block)).copied().collect::<Vec<_>>());
            }
            if now.len() == before.len() && now.iter().all(|block| before.contains(block)) {
                continue;
            }
            if link.ask(Command::Follow { fault: post.number, peers: now.clone() }, PATIENCE).await.is_ok() {
                let (fault, container) = (post.fault, post.container.clone());
                let peers = now.iter().map(ToString::to_string).collect();
                self.record.tell(EventKind::AgentFollowed { fault, container, peers });
                state.peers.insert(post.number, now);
            }
        }
    }
}
