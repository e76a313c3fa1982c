//! Starting an agent, and making sure that nothing is left of one.

use super::{
    PATIENCE,
    link::Unanswered,
    peers,
    side::{Side, State},
};
use crate::{
    agent::{
        protocol::{Command, Cut, Effect, FaultId as Number, PID, Receipt, VERSION},
        traffic::Traffic,
    },
    container::{Container, ContainerError, NewHelper},
    engine::drill::Drill,
    event::EventKind,
    units::Span,
};
use std::{sync::Arc, time::Duration};

/// How long the first word of an agent, and the taking in of a fault, may take: a kernel may load modules first.
const FIRST: Duration = Duration::from_secs(10);
/// An agent lets go after so long a silence of ours.
const HEARTBEAT: Span = Span::secs(5);
/// How long an agent that only looks may live.
const LOOKING: Span = Span::secs(20);

impl Drill {
    /// Starts an agent beside a network, greets it, and has it take in what has not been undone.
    ///
    /// # Errors
    /// Why there is none, in words; nothing of it is left then.
    pub(super) async fn raise(self: &Arc<Self>, side: &Arc<Side>, state: &mut State) -> Result<(), String> {
        let raised = self.try_raise(side, state).await;
        if raised.is_err()
            && let Some(link) = side.link()
        {
            link.dismiss();
            let _ = self.containers.remove_helper(&link.id).await;
            side.set_link(None);
        }
        raised
    }

    async fn try_raise(self: &Arc<Self>, side: &Arc<Side>, state: &mut State) -> Result<(), String> {
        let owner = self.containers.inspect(&side.owner).await.map_err(|error| format!("{}: {error}", side.name))?;
        let deadline = self.plan.longest();
        let helper = self.containers.start_helper(&self.agent(&owner, deadline)).await;
        let helper = helper.map_err(|error| format!("no agent can be started beside {}: {error}", side.name))?;
        let agent = helper.id.clone();
        let link = self.connect(side, helper);
        side.set_link(Some(link.clone()));
        let said = |error| format!("the agent beside {} cannot begin: {error}", side.name);
        link.ask(Command::Hello { version: VERSION }, FIRST).await.map_err(said)?;
        let container = side.name.clone();
        self.record.tell(EventKind::AgentStarted { container, agent, deadline, heartbeat: HEARTBEAT });
        for post in side.open() {
            let found = peers::addresses(self.containers.as_ref(), &post.packets).await?.unwrap_or_default();
            let own = peers::own(&owner, &post.packets);
            let traffic = Traffic { own, peers: found.clone(), ..post.packets.traffic.clone() };
            let (effect, seed) = (post.packets.effect.clone(), post.seed);
            let armed = link.ask(Command::Arm { fault: post.number, traffic, effect, seed }, FIRST).await;
            let label = || self.plan.terms.faults.get(post.fault).map_or("the fault", |terms| terms.label.as_str());
            let armed = armed
                .map_err(|why| format!("`{}` is not possible on {}: {}", label(), post.container, told(why, &owner)))?;
            if let Receipt::Armed { abilities, .. } = armed {
                let peers = found.iter().map(ToString::to_string).collect();
                let (fault, container) = (post.fault, post.container.clone());
                self.record.tell(EventKind::AgentArmed { fault, container, peers, seed, abilities });
            }
            state.peers.insert(post.number, found);
        }
        state.started_at = owner.started_at;
        Ok(())
    }

    fn agent(&self, owner: &Container, deadline: Span) -> NewHelper {
        let (deadline, heartbeat) = (deadline.to_string(), HEARTBEAT.to_string());
        let arguments = ["agent", "--deadline", &deadline, "--heartbeat", &heartbeat];
        let new = NewHelper::new(&self.holder.run, "packets", &arguments).in_network_of(&owner.id);
        new.with("NET_ADMIN").with("NET_RAW")
    }

    /// That no rule of ours is left where an agent went: the network is gone, or a new agent finds it free.
    pub(super) async fn make_sure(&self, side: &Side, state: &State) -> Result<(), ContainerError> {
        let owner = match self.containers.inspect(&side.owner).await {
            Err(ContainerError::NotFound { .. }) => return Ok(()),
            answer => answer?,
        };
        if !owner.state.runs() || owner.started_at != state.started_at {
            return Ok(());
        }
        let helper = self.containers.start_helper(&self.agent(&owner, LOOKING)).await?;
        let link = super::Link::start(helper, |_| (), |_, _| ());
        let nothing =
            Command::Arm { fault: Number(0), traffic: Traffic::default(), effect: Effect::Cut(Cut::Drop), seed: 0 };
        let mut found = link.ask(Command::Hello { version: VERSION }, FIRST).await;
        if found.is_ok() {
            found = link.ask(nothing, PATIENCE).await;
        }
        self.dismiss(link).await;
        let left = |why| format!("rules may be left in the network of {}: {}", side.name, told(why, &owner));
        found.map(drop).map_err(|why| ContainerError::Conflict(left(why)))
    }
}

/// What an agent says cannot be done, with what it does not know filled in.
fn told(why: Unanswered, owner: &Container) -> String {
    why.to_string().replace(PID, &owner.pid.to_string())
}
