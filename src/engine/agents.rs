//! The agents of a drill: one beside each network that a packet fault hits, for all its faults.
//!
//! They are started and armed before t=0 (`raise`), so that firing is one line; they are told each second that we
//! live, and followed when what they stand beside is started anew (`follow`). What each of them says becomes a fact.
//! When the runner dies, their line ends, and they let go by themselves.

mod follow;
mod link;
mod peers;
mod raise;
mod side;

use super::drill::{Done, Drill};
use crate::{
    agent::protocol::{Command, Counters, FaultId as Number, Receipt},
    container::{ContainerError, ContainerId, Helper, Op, OpOutcome},
    event::{Difference, EventKind, FaultId},
};
use futures_util::future::join_all;
use link::{Link, Unanswered};
use side::{Side, State};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long an agent may take over one command.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long its end may take.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// All agents of a drill.
#[derive(Default)]
pub(crate) struct Agents(Mutex<Vec<Arc<Side>>>);

impl Agents {
    fn all(&self) -> Vec<Arc<Side>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which agent is to do a fault on a target, and under which number.
    fn of(&self, fault: FaultId, on: &ContainerId) -> Option<(Arc<Side>, Number)> {
        self.all().into_iter().find_map(|side| {
            let number = side.posts.iter().find(|post| post.fault == fault && post.on == *on)?.number;
            Some((side, number))
        })
    }
}

impl Drill {
    /// Starts an agent beside every network that will be hit, and has it take its faults in. No packet notices.
    ///
    /// # Errors
    /// What an agent lacks, in words; nothing has been touched.
    pub(crate) async fn arm_agents(self: &Arc<Self>) -> Result<(), String> {
        let sides = side::of_plan(&self.plan)?;
        self.agents.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&sides);
        let armed = sides.iter().map(|side| async { self.raise(side, &mut *side.state.lock().await).await });
        join_all(armed).await.into_iter().collect()
    }

    /// Fires a fault on a target: one line to its agent.
    pub(crate) async fn fire(self: &Arc<Self>, fault: FaultId, on: &ContainerId) -> Done {
        let Some((side, number)) = self.agents.of(fault, on) else {
            return Err(ContainerError::Conflict("no agent has been armed for it".into()));
        };
        let mut state = side.state.lock().await;
        side.fired.add(number);
        let fired = match self.living(&side, &mut state).await {
            Ok(link) => link.ask(Command::Fire { fault: number }, PATIENCE).await,
            Err(why) => Err(Unanswered::Gone(why)),
        };
        match fired {
            Ok(Receipt::Fired { rules, .. }) => Ok(OpOutcome::Seen(format!("{rules} rules in place, read back"))),
            Ok(_) => Ok(OpOutcome::Done),
            Err(Unanswered::Silent(span)) => Err(ContainerError::Unknown(span)),
            Err(why) => {
                side.fired.take(number);
                Err(ContainerError::Conflict(why.to_string()))
            }
        }
    }

    /// The agent; a new one if it died since it was armed and nothing has been fired through it.
    async fn living(self: &Arc<Self>, side: &Arc<Side>, state: &mut State) -> Result<Link, String> {
        match side.link() {
            Some(link) if !link.is_over() => Ok(link),
            _ => {
                self.raise(side, state).await?;
                side.link().ok_or_else(|| "there is no agent".into())
            }
        }
    }

    /// Lets the packets of a fault go as before, and makes sure of it. A fault of an earlier run is undone by
    /// removing whatever agent is left.
    pub(crate) async fn free(self: &Arc<Self>, fault: FaultId, on: &ContainerId, op: &Op) -> Done {
        let Some((side, number)) = self.agents.of(fault, on) else { return self.containers.perform(on, op).await };
        let state = side.state.lock().await;
        if side.proven.has(number) {
            return Ok(OpOutcome::Already);
        }
        side.over.add(number);
        let done = match side.link().filter(|link| !link.is_over()) {
            Some(link) => match link.ask(Command::Undo { fault: number }, PATIENCE).await {
                Ok(_) => Ok(OpOutcome::Done),
                Err(why) => {
                    self.record.tell(EventKind::AgentRefused {
                        fault: Some(fault),
                        container: side.name.clone(),
                        why: format!("{why}; the agent is removed, and its rules with it"),
                    });
                    self.containers.remove_helper(&link.id).await?;
                    self.make_sure(&side, &state).await.map(|()| OpOutcome::Done)
                }
            },
            None => {
                // Its line broke; the agent may live on until its lease ends, and nobody else can be there before.
                if let Some(link) = side.link() {
                    self.containers.remove_helper(&link.id).await?;
                }
                self.make_sure(&side, &state).await.map(|()| OpOutcome::Already)
            }
        };
        side.fired.take(number);
        if done.is_ok() {
            side.proven.add(number);
        }
        done
    }

    /// What keeps the undo of a packet fault from being proven.
    pub(crate) fn packets_left(&self, fault: FaultId, on: &ContainerId) -> Option<Difference> {
        let (side, number) = self.agents.of(fault, on)?;
        (!side.proven.has(number)).then(|| Difference {
            what: "packet rules".into(),
            before: "none".into(),
            after: format!(
                "not known to be gone; restart {}, or remove the table `firedrill` in its network",
                side.name
            ),
            must_match: true,
        })
    }

    /// Ends every agent; whoever does not go is removed.
    pub(crate) async fn dismiss_agents(&self) {
        let links = self.agents.all().into_iter().filter_map(|side| side.link());
        join_all(links.map(|link| self.dismiss(link))).await;
    }

    async fn dismiss(&self, link: Link) {
        link.dismiss();
        link.tell(&Command::End);
        let _ = tokio::time::timeout(LAST_WORDS, link.over()).await;
        if let Err(error) = self.containers.remove_helper(&link.id).await {
            tracing::warn!(agent = %link.id, %error, "an agent could not be removed; its lease ends it");
        }
    }

    /// Takes over an agent: what it says is told, and its end noticed.
    fn connect(self: &Arc<Self>, side: &Arc<Side>, helper: Helper) -> Link {
        let (drill, beside) = (Arc::clone(self), Arc::clone(side));
        let explained = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&explained);
        let listen = move |receipt| {
            if matches!(receipt, Receipt::Ended { .. }) {
                seen.store(true, Ordering::Relaxed);
            }
            for fact in facts(&beside, receipt) {
                drill.record.tell(fact);
            }
        };
        let (drill, beside) = (Arc::clone(self), Arc::clone(side));
        Link::start(helper, listen, move |ours, complaints| {
            drill.agent_ended(&beside, ours, explained.load(Ordering::Relaxed), &complaints);
        })
    }

    /// An agent that ends without being told to takes its faults with it.
    fn agent_ended(&self, side: &Side, ours: bool, explained: bool, complaints: &str) {
        if !explained && !ours {
            self.record.tell(EventKind::AgentEnded {
                container: side.name.clone(),
                why: None,
                failed: Some(complaints.to_owned()).filter(|text| !text.is_empty()),
                lost_receipts: 0,
            });
        }
        if ours {
            return;
        }
        for post in side.posts.iter().filter(|post| side.fired.has(post.number)) {
            if self.ledger.end_if_active(post.fault, &post.on) {
                let (fault, container) = (post.fault, post.container.clone());
                self.record.tell(EventKind::FaultEnded { fault, container, by: "the agent ended".into() });
            }
        }
    }
}

/// What a receipt says, as facts of the run.
fn facts(side: &Side, receipt: Receipt) -> Vec<EventKind> {
    let whose = |number: Number| {
        let post = side.posts.iter().find(|post| post.number == number);
        post.map(|post| (post.fault, post.container.clone()))
    };
    let told = |number, fact: &dyn Fn(FaultId, String) -> EventKind| {
        whose(number).map(|(fault, container)| fact(fault, container)).into_iter().collect()
    };
    match receipt {
        Receipt::Fired { fault, at, rules } => {
            told(fault, &|fault, container| EventKind::AgentFired { fault, container, agent_ns: at, rules })
        }
        Receipt::Counters { faults, cpu, .. } => {
            // Nothing that is armed only has touched anything.
            let on = faults.into_iter().filter(|(number, _)| side.fired.has(*number));
            let counted = |(number, counters): (Number, Counters)| {
                let (fault, container) = whose(number)?;
                Some(EventKind::AgentCounted { fault, container, counters: Box::new(counters), cpu_ns: cpu })
            };
            on.filter_map(counted).collect()
        }
        Receipt::Undone { fault, counters, .. } => {
            told(fault, &|fault, container| EventKind::AgentUndone { fault, container, counters: counters.clone() })
        }
        Receipt::Refused { fault, why } => {
            let fault = fault.and_then(|number| Some(whose(number)?.0));
            vec![EventKind::AgentRefused { fault, container: side.name.clone(), why }]
        }
        Receipt::Ended { why, failed, lost_receipts, .. } => {
            vec![EventKind::AgentEnded { container: side.name.clone(), why: Some(why), failed, lost_receipts }]
        }
        // Answers that somebody waits for, and what is about work that is not on packets.
        _ => vec![],
    }
}
