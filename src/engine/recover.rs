//! Undoing what a killed run left on, from its journal. The journal is untrusted: only typed undos are played,
//! only on containers that the journal's own snapshots name, on the engine that they came from.

use super::{
    agents::Agents, conductor::Outcome, drill::Drill, halt::Halt, keeping::Keeping, ledger::Ledger, record::Record,
};
use crate::{
    clock::RunClock,
    container::{Container, ContainerError, ContainerId, Containers, EngineInfo, Holder, Op, compare, mend::mend},
    event::{EventKind, FaultId, Sink, UndoReason},
    fault::Injection,
    journal::{RunFolder, read::Journal, write::JournalSink},
    keeper::protocol::echo,
    plan::Plan,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;

/// Why nothing is recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal cannot be appended to.
    #[error("the journal cannot be written: {0}")]
    Journal(#[from] io::Error),
    /// The engine does not answer.
    #[error(transparent)]
    Engine(#[from] ContainerError),
    /// The run was on another engine.
    #[error("this is the engine {here}; the run was on {there}")]
    OtherEngine {
        /// The id of the one that answers.
        here: String,
        /// The id in the journal.
        there: String,
    },
    /// The journal asks for something that no undo of ours is.
    #[error("the journal is not to be trusted: {0}")]
    Untrusted(String),
    /// Another drill holds a target.
    #[error("{container} is the target of another drill: run {run}")]
    Held {
        /// Its name.
        container: String,
        /// Who.
        run: String,
    },
}

/// What a run may have left on: recorded undos that are not proven.
pub fn unfinished(journal: &Journal) -> Vec<(FaultId, Injection)> {
    let mut open: BTreeMap<(FaultId, String), Injection> = BTreeMap::new();
    for event in &journal.events {
        match &event.kind {
            EventKind::UndoRecorded { fault, injections } => {
                let key = |injection: &Injection| (*fault, injection.name.clone());
                open.extend(injections.iter().map(|injection| (key(injection), injection.clone())));
            }
            EventKind::UndoChecked { fault, container, proven: true, .. } => {
                open.remove(&(*fault, container.clone()));
            }
            // Nothing was begun, or everything that was is proven: what is still open was never begun.
            EventKind::NotStarted(_) => open.clear(),
            EventKind::CleanedUp { left } if left.is_empty() => open.clear(),
            _ => {}
        }
    }
    open.into_iter().map(|((fault, _), injection)| (fault, injection)).collect()
}

/// Plays the undos of a run that was killed, and appends what came of them to its journal. `approve` is asked
/// before a command is run in a container: its name, and the command.
///
/// # Errors
/// Why nothing was touched.
pub async fn recover(
    folder: &RunFolder,
    journal: &Journal,
    containers: Arc<dyn Containers>,
    mut sinks: Vec<Box<dyn Sink>>,
    approve: &mut (dyn FnMut(&str, &str) -> bool + Send),
) -> Result<Outcome, RecoverError> {
    let plan = plan_of(journal);
    let open = unfinished(journal);
    check(&plan, &open)?;
    let here = containers.engine().await?.id;
    if let Some((_, injection)) = open.iter().find(|(_, injection)| injection.on.host != here) {
        return Err(RecoverError::OtherEngine { here, there: injection.on.host.clone() });
    }
    free(containers.as_ref(), &open, &folder.run()).await?;
    let (losses, _) = mpsc::unbounded_channel();
    sinks.insert(0, Box::new(JournalSink::append(folder, losses)?));
    let last = journal.events.last().map_or(0, |event| event.at);
    let clock = RunClock::resume(journal.started.started, last);
    let record = Record::new(clock, journal.next, sinks);
    record.hide(&secrets(&open));
    let drill = Arc::new(drill(plan, containers, record, clock, folder));
    tokio::time::sleep(
        open.iter().map(|(fault, injection)| in_flight(journal, *fault, injection)).max().unwrap_or_default(),
    )
    .await;
    let (mut left, mut open_still) = (Vec::new(), BTreeSet::new());
    for (fault, injection) in open {
        if !drill.needs(&injection, requested(journal, fault)).await {
            continue;
        }
        if let Some(command) = refused(&injection, approve) {
            left.push(format!("{}: `{command}` was not allowed", injection.name));
            open_still.insert(injection.on);
            continue;
        }
        drill.ledger.begin(fault, &injection);
        drill.ledger.applied(fault, &injection.on);
    }
    drill.unwind(UndoReason::Recovered).await;
    drill.locked.lock().unwrap_or_else(PoisonError::into_inner).retain(|target| !open_still.contains(target));
    Ok(drill.close_recovery(left).await)
}

fn drill(plan: Plan, containers: Arc<dyn Containers>, record: Record, clock: RunClock, folder: &RunFolder) -> Drill {
    let targets = plan.targets.values().flatten().map(|target| target.id.clone()).collect();
    Drill {
        holder: Holder::here(&folder.run()),
        plan,
        containers,
        record,
        clock,
        halt: Halt::default(),
        ledger: Ledger::default(),
        agents: Agents::default(),
        alerts: None,
        during: true.into(),
        all_undone: false.into(),
        load_over: true.into(),
        locked: Mutex::new(targets),
        schedules: OnceLock::new(),
        env: Arc::new(|name| std::env::var(name).ok()),
        offset_ns: 0.into(),
        folder: folder.clone(),
        place: None,
        keeping: Keeping::default(),
    }
}

impl Drill {
    /// Whether the fault may be on. The journal may have lost the moment at which it was sent, so a container
    /// that is not as before counts; commands leave no trace and count if they were sent.
    async fn needs(&self, injection: &Injection, requested: bool) -> bool {
        let Some(before) = self.snapshot(&injection.on) else { return requested };
        match self.containers.inspect(&injection.on).await {
            Ok(now) => {
                let differs = !compare::proven(&compare::differences(before, &now)) || !mend(before, &now).is_empty();
                requested || differs
            }
            Err(_) => true,
        }
    }

    async fn close_recovery(&self, mut left: Vec<String>) -> Outcome {
        left.extend(self.left());
        self.unlock().await;
        self.record.tell(EventKind::CleanedUp { left: left.clone() });
        let lost = super::conductor::close(&self.record);
        Outcome { complete: false, clean: left.is_empty(), left, stopped: false, lost }
    }
}

fn requested(journal: &Journal, fault: FaultId) -> bool {
    journal.events.iter().any(|event| matches!(event.kind, EventKind::FaultRequested { fault: f, .. } if f == fault))
}

/// How long an operation that was under way when the runner died may still do something.
fn in_flight(journal: &Journal, fault: FaultId, injection: &Injection) -> Duration {
    let answered = journal.events.iter().any(|event| {
        matches!(&event.kind, EventKind::Operated(done) if done.fault == fault && !done.undo && done.on == injection.on)
    });
    match requested(journal, fault) && !answered {
        true => echo(injection),
        false => Duration::ZERO,
    }
}

/// As much of the plan as undoing needs.
fn plan_of(journal: &Journal) -> Plan {
    let (mut targets, mut neighbours, mut engine) = (BTreeMap::new(), vec![], None);
    for event in &journal.events {
        match &event.kind {
            EventKind::TargetsResolved { targets: t, neighbours: n, .. } => {
                (targets, neighbours) = (t.clone(), n.clone());
            }
            EventKind::EngineFound(info) => engine = Some(info.clone()),
            _ => {}
        }
    }
    Plan {
        seed: journal.started.seed,
        engine: engine.unwrap_or_else(nowhere),
        terms: journal.started.terms.clone(),
        targets,
        neighbours,
        choices: vec![],
        probes: vec![],
        steps: vec![],
        detect: None,
        secrets: vec![],
        notes: vec![],
    }
}

fn nowhere() -> EngineInfo {
    let text = String::new;
    EngineInfo {
        id: text(),
        name: text(),
        version: text(),
        api: text(),
        cgroup: 0,
        os: text(),
        kernel: text(),
        arch: text(),
        security: vec![],
        address: text(),
    }
}

/// Nothing but undos of ours, on targets of that run.
fn check(plan: &Plan, open: &[(FaultId, Injection)]) -> Result<(), RecoverError> {
    let untrusted = |why: String| Err(RecoverError::Untrusted(why));
    for (fault, injection) in open {
        let target = plan.targets.values().flatten().find(|target| target.id == injection.on);
        let Some(target) = target else {
            return untrusted(format!("{} was no target of the run", injection.name));
        };
        if *fault >= plan.terms.faults.len() || target.name != injection.name || !is_id(&injection.on) {
            return untrusted(format!("the undo for {} does not fit the run", injection.name));
        }
        if target.protected() {
            return untrusted(format!("{} may never be a target", injection.name));
        }
        if let Some(op) = injection.undo.iter().find(|op| !is_undo(op, target)) {
            return untrusted(format!("`{}` on {} undoes nothing", op.kind(), injection.name));
        }
    }
    Ok(())
}

fn is_id(id: &ContainerId) -> bool {
    id.id.len() == 64 && id.id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_undo(op: &Op, target: &Container) -> bool {
    match op {
        Op::Start | Op::Unpause | Op::Exec { .. } | Op::End { .. } => true,
        Op::Connect { network, attachment } => target.networks.get(network) == Some(attachment.as_ref()),
        Op::FreePackets { owner } => *owner == target.id || target.network_mode == format!("container:{}", owner.id),
        Op::Kill { .. }
        | Op::Stop { .. }
        | Op::Restart { .. }
        | Op::Pause
        | Op::Disconnect { .. }
        | Op::Begin { .. }
        | Op::Packets(_)
        | Op::AwaitHealthy { .. } => false,
    }
}

/// No other drill holds any of the targets.
async fn free(containers: &dyn Containers, open: &[(FaultId, Injection)], run: &str) -> Result<(), RecoverError> {
    let mut seen = BTreeSet::new();
    for (_, injection) in open {
        if !seen.insert(&injection.on) {
            continue;
        }
        if let Some(holder) = containers.locked(&injection.on).await?
            && holder.run != run
            && !holder.is_gone()
        {
            return Err(RecoverError::Held { container: injection.name.clone(), run: holder.run });
        }
    }
    Ok(())
}

/// What the commands' `${env:NAME}` stand for here.
fn secrets(open: &[(FaultId, Injection)]) -> Vec<String> {
    let ops = open.iter().flat_map(|(_, injection)| &injection.undo);
    let words = ops.flat_map(|op| if let Op::Exec { command, .. } = op { command.as_slice() } else { &[] });
    let names = words.flat_map(|word| word.split("${env:").skip(1)).filter_map(|rest| rest.split('}').next());
    names.filter_map(|name| std::env::var(name).ok()).collect()
}

/// The command that was not allowed, if one was not.
fn refused(injection: &Injection, approve: &mut (dyn FnMut(&str, &str) -> bool + Send)) -> Option<String> {
    injection.undo.iter().find_map(|op| match op {
        Op::Exec { command, .. } => {
            let command = command.join(" ");
            (!approve(&injection.name, &command)).then_some(command)
        }
        _ => None,
    })
}
