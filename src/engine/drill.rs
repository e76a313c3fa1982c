//! What all parts of a running drill share.

use super::{agents::Agents, alerts::Alerts, halt::Halt, keeping::Keeping, ledger::Ledger, record::Record};
use crate::{
    clock::{At, RunClock},
    container::{Container, ContainerError, ContainerId, Containers, Holder, Op, OpOutcome},
    event::{EventKind, FaultId, Operated},
    fault::Injection,
    journal::RunFolder,
    keeper::line::Place,
    load::{self, Template},
    measure::{ProbeId, Schedule},
    plan::Plan,
    secrets::HIDDEN,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicI64},
    },
};

/// One drill under way.
pub(crate) struct Drill {
    pub plan: Plan,
    pub containers: Arc<dyn Containers>,
    pub record: Record,
    pub clock: RunClock,
    pub halt: Halt,
    pub ledger: Ledger,
    /// Beside the networks whose packets are hit.
    pub agents: Agents,
    /// Who is asked for alerts.
    pub alerts: Option<Alerts>,
    /// Whether a fault has had an effect.
    pub during: AtomicBool,
    /// Whether nothing is left to undo, so that guards are only recorded.
    pub all_undone: AtomicBool,
    /// Whether the load has been stopped, so that its silence means nothing.
    pub load_over: AtomicBool,
    /// Targets whose lock is ours.
    pub locked: Mutex<Vec<ContainerId>>,
    /// Who we are, for locks.
    pub holder: Holder,
    /// When requests are due, once the load is on.
    pub schedules: OnceLock<BTreeMap<ProbeId, Schedule>>,
    /// Fills in the secrets of commands.
    pub env: load::Env,
    /// The engine's clock - ours, nanoseconds, when it was last asked.
    pub offset_ns: AtomicI64,
    pub folder: RunFolder,
    /// Where a keeper may live; `None`: none is wanted.
    pub place: Option<Place>,
    /// The way to the keeper.
    pub keeping: Keeping,
}

/// How an operation ended.
pub(crate) type Done = Result<OpOutcome, ContainerError>;

impl Drill {
    /// Does one operation and tells how it ended. It goes on, and is told, even if nobody waits any more.
    pub(crate) async fn operate(self: &Arc<Self>, fault: FaultId, undo: bool, injection: &Injection, op: &Op) -> Done {
        let drill = Arc::clone(self);
        let (on, container, op) = (injection.on.clone(), injection.name.clone(), op.clone());
        let task = tokio::spawn(async move {
            let sent = drill.clock.now();
            let outcome = match &op {
                Op::Packets(_) => drill.fire(fault, &on).await,
                Op::FreePackets { .. } => drill.free(fault, &on, &op).await,
                Op::Exec { command, user } => match drill.filled(command) {
                    Ok(command) => drill.containers.perform(&on, &Op::Exec { command, user: user.clone() }).await,
                    Err(why) => Err(ContainerError::Conflict(why)),
                },
                op => drill.containers.perform(&on, op).await,
            };
            let answered = drill.clock.now();
            let outcome = drill.record.mask().all(outcome);
            let told = outcome.clone();
            drill.record.tell(EventKind::Operated(Operated {
                fault,
                undo,
                on,
                container,
                op,
                sent,
                answered,
                outcome,
            }));
            told
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(died) => Err(ContainerError::Conflict(format!("the operation's task died: {died}"))),
        }
    }

    /// A command as it is run: the plan and the journal hold only the names of its secrets.
    fn filled(&self, command: &[String]) -> Result<Vec<String>, String> {
        if command.iter().any(|word| word.contains(HIDDEN)) {
            return Err("the command held a secret, which the journal does not hold: run it by hand".into());
        }
        let fill = |word: &String| Template::compile(word, &self.folder.run(), &self.env);
        command.iter().map(|word| Ok(fill(word).map_err(|unset| unset.to_string())?.fill(0).into_owned())).collect()
    }

    /// A target as it was when it was chosen.
    pub(crate) fn snapshot(&self, id: &ContainerId) -> Option<&Container> {
        self.plan.targets.values().flatten().find(|container| container.id == *id)
    }

    /// All targets, each once, in the order of their names.
    pub(crate) fn targets(&self) -> Vec<&Container> {
        let by_name: BTreeMap<&str, &Container> =
            self.plan.targets.values().flatten().map(|container| (container.name.as_str(), container)).collect();
        by_name.into_values().collect()
    }

    /// Sleeps until `at`, whatever happens.
    pub(crate) async fn sleep(&self, at: At) {
        tokio::time::sleep_until(self.clock.instant(at)).await;
    }
}

/// Whether what was wanted is so.
pub(crate) fn succeeded(done: &Done) -> bool {
    done.as_ref().is_ok_and(OpOutcome::succeeded)
}
