//! Opening a run, conducting its drill, and ending it whatever happened.

use super::{
    agents::Agents,
    alerts::Alerts,
    course::{Loading, Slot},
    drill::Drill,
    guards::Onlooker,
    halt::Halt,
    keeping::Keeping,
    ledger::{Ledger, Life},
    record::Record,
};
use crate::{
    clock::RunClock,
    container::{ContainerError, ContainerId, Containers, Holder},
    detect::{self, Ask},
    event::{Earlier, EventKind, NotStarted, Phase, RunStarted, Sink, UndoReason},
    journal::{
        RunFolder,
        hlog::{self, HlogError, Tagged},
        requests::{RequestReader, RequestWriter},
        runner::{self, Alive},
        seal,
        write::{self, JournalSink, Loss},
    },
    keeper::line::Place,
    load::{self, Load},
    measure::{ProbeId, Schedule},
    plan::Plan,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering, mpsc as sync_mpsc},
    thread,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};

/// How long the end of a run waits for a disk.
const DISK_PATIENCE: Duration = Duration::from_secs(5);
/// How long the export of a long run may take.
const EXPORT_PATIENCE: Duration = Duration::from_secs(20);

/// A run whose folder exists and whose start is written; nothing has been asked of any engine yet.
pub struct Opened {
    /// Where it is kept.
    pub folder: RunFolder,
    clock: RunClock,
    record: Record,
    losses: mpsc::UnboundedReceiver<Loss>,
    /// Tells other processes that we live; a disk that takes no lock is no reason not to.
    alive: Option<Alive>,
}

/// What a drill needs besides its plan.
pub struct Context {
    /// The engine.
    pub containers: Arc<dyn Containers>,
    /// What sends the load.
    pub load: Load,
    /// What answers for the alert source.
    pub alerts: detect::Source,
    /// Fills in secrets of requests.
    pub env: load::Env,
    /// Sees every slice of the load.
    pub onlooker: Option<Onlooker>,
    /// Who asks to stop, each time they do.
    pub stops: mpsc::UnboundedReceiver<String>,
    /// Where a keeper may live; `None`: the run has none.
    pub place: Option<Place>,
    /// What earlier runs of this scenario came to.
    pub earlier: Earlier,
}

/// What became of a run, known even if its journal was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it went through all its phases.
    pub complete: bool,
    /// Whether every undo is proven.
    pub clean: bool,
    /// What is left, for people.
    pub left: Vec<String>,
    /// Whether a person asked to stop.
    pub stopped: bool,
    /// Whether part of the evidence could not be written.
    pub lost: bool,
}

/// Makes a run folder and writes the first line of its journal. `started.run` becomes the folder's name.
/// `sinks` get every event as well.
///
/// # Errors
/// What the system says if the folder or the journal cannot be made.
pub fn open(
    reports: &Path,
    clock: RunClock,
    mut started: RunStarted,
    source: &str,
    mut sinks: Vec<Box<dyn Sink>>,
) -> io::Result<Opened> {
    let folder = write::create(reports, &started.terms.scenario, clock.started())?;
    started.run = folder.run();
    let (tell, losses) = mpsc::unbounded_channel();
    sinks.insert(0, Box::new(JournalSink::create(&folder, tell.clone())?));
    let record = Record::new(clock, 0, sinks);
    record.tell(EventKind::RunStarted(Box::new(started)));
    if let Err(loss) = write::whole(&folder, "scenario.yaml", &record.mask().bytes(source.as_bytes())) {
        let _ = tell.send(loss);
    }
    let alive = runner::hold(&folder).ok().flatten();
    Ok(Opened { folder, clock, record, losses, alive })
}

/// A run that is kept in memory only, for tests.
#[cfg(test)]
pub(super) struct Pieces {
    pub folder: RunFolder,
    pub clock: RunClock,
    pub sinks: Vec<Box<dyn Sink>>,
}

#[cfg(test)]
impl Opened {
    pub(super) fn in_memory(pieces: Pieces, started: RunStarted) -> Opened {
        let Pieces { folder, clock, sinks } = pieces;
        let record = Record::new(clock, 0, sinks);
        record.tell(EventKind::RunStarted(Box::new(started)));
        Opened { folder, clock, record, losses: mpsc::unbounded_channel().1, alive: None }
    }
}

impl Opened {
    /// Ends a run that could not begin, before anything was touched.
    pub fn abandon(self, why: NotStarted) -> Outcome {
        self.record.tell(EventKind::NotStarted(why));
        self.record.tell(EventKind::CleanedUp { left: vec![] });
        self.record.tell(EventKind::RunEnded { complete: false });
        let lost = close(&self.record);
        Outcome { complete: false, clean: true, left: vec![], stopped: false, lost }
    }

    /// Runs the drill to its end.
    pub async fn conduct(self, plan: Plan, context: Context) -> Outcome {
        let secrets: Vec<String> = plan.secrets.iter().filter_map(|name| (context.env)(name)).collect();
        self.record.hide(&secrets);
        self.tell_plan(&plan);
        let ask = |settings: &detect::Settings| Ask::new(settings.clone(), &context.alerts, &context.env);
        let alerts = match plan.detect.as_ref().map(ask).transpose() {
            Ok(alerts) => alerts,
            Err(why) => {
                return self.abandon(NotStarted::CouldNotRun(format!("the alert source cannot be asked: {why}")));
            }
        };
        let drill = Arc::new(Drill {
            holder: Holder::here(&self.folder.run()),
            plan,
            containers: Arc::clone(&context.containers),
            record: self.record.clone(),
            clock: self.clock,
            halt: Halt::default(),
            ledger: Ledger::default(),
            agents: Agents::default(),
            alerts: alerts.map(Alerts::new),
            during: false.into(),
            all_undone: false.into(),
            load_over: false.into(),
            locked: Mutex::default(),
            schedules: OnceLock::new(),
            env: Arc::clone(&context.env),
            offset_ns: 0.into(),
            folder: self.folder.clone(),
            place: context.place,
            keeping: Keeping::default(),
        });
        let requests = match RequestWriter::create(&self.folder.requests()) {
            Ok(requests) => requests,
            Err(error) => {
                return self.abandon(NotStarted::CouldNotRun(format!("requests.bin cannot be made: {error}")));
            }
        };
        let (tap, slices) = mpsc::unbounded_channel();
        let load_context = load::Context {
            clock: self.clock,
            run: self.folder.run(),
            env: Arc::clone(&context.env),
            log: requests.sink(),
            tap,
            containers: Some(Arc::clone(&context.containers)),
        };
        let loading = Loading { load: context.load, context: load_context, slices, onlooker: context.onlooker };
        let side = side_tasks(&drill, context.stops, self.losses);
        let slot = Slot::default();
        let course = tokio::spawn(Arc::clone(&drill).course(loading, Arc::clone(&slot))).await;
        let not_started = match course {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(died) => {
                drill.halt.halt(UndoReason::Failed, format!("the drill's own task died: {died}"));
                None
            }
        };
        let outcome = drill.end(not_started, &slot, requests, context.earlier, side).await;
        drop(self.alive);
        outcome
    }

    fn tell_plan(&self, plan: &Plan) {
        self.record.tell(EventKind::EngineFound(plan.engine.clone()));
        self.record.tell(EventKind::TargetsResolved {
            targets: plan.targets.clone(),
            neighbours: plan.neighbours.clone(),
            choices: plan.choices.clone(),
        });
        let text = serde_json::to_vec_pretty(&self.record.mask().all(plan.clone())).unwrap_or_default();
        if let Err(Loss { file, detail }) = write::whole(&self.folder, "plan.json", &text) {
            self.record.tell(EventKind::EvidenceLost { file, detail });
        }
    }
}

/// What goes on beside the course until the drill ends.
fn side_tasks(
    drill: &Arc<Drill>,
    mut stops: mpsc::UnboundedReceiver<String>,
    mut losses: mpsc::UnboundedReceiver<Loss>,
) -> JoinSet<()> {
    let mut side = JoinSet::new();
    let [stirred, moved] = [(), ()].map(|()| Arc::new(Notify::new()));
    side.spawn(Arc::clone(drill).watch_events(Arc::clone(&stirred), Arc::clone(&moved)));
    side.spawn(Arc::clone(drill).watch_holds(stirred));
    side.spawn(Arc::clone(drill).follow_agents(moved));
    side.spawn(Arc::clone(drill).beat());
    side.spawn(Arc::clone(drill).sample());
    side.spawn(Arc::clone(drill).read_inbox());
    side.spawn(Arc::clone(drill).watch_alerts());
    let asked = Arc::clone(drill);
    side.spawn(async move {
        while let Some(by) = stops.recv().await {
            asked.stop(&by);
        }
    });
    let told = Arc::clone(drill);
    side.spawn(async move {
        while let Some(Loss { file, detail }) = losses.recv().await {
            told.record.tell(EventKind::EvidenceLost { file, detail });
        }
    });
    side
}

impl Drill {
    /// Undoes what is left, saves what is to be saved, gives the locks back.
    async fn end(
        self: &Arc<Self>,
        not_started: Option<NotStarted>,
        slot: &Slot,
        requests: RequestWriter,
        earlier: Earlier,
        mut side: JoinSet<()>,
    ) -> Outcome {
        self.load_over.store(true, Ordering::Relaxed);
        let driver = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let over = self.clock.now();
        if let Some(why) = not_started.clone() {
            self.record.tell(EventKind::NotStarted(why));
        } else {
            self.record.tell(EventKind::PhaseStarted(Phase::Report));
        }
        // A panic in the course may have left faults on: first of all they go.
        self.unwind(self.halt.reason().map_or(UndoReason::RunEnded, |reason| reason.why)).await;
        self.dismiss_agents().await;
        if let Some(driver) = driver {
            tokio::select! {
                ended = driver.stop(over) => if let Err(error) = ended {
                    self.record.tell(EventKind::EvidenceLost { file: "requests.bin".into(), detail: error.to_string() });
                },
                () = self.halt.until_hurried() => {}
            }
        }
        self.finish_requests(requests);
        if !self.halt.hurried() {
            self.export();
        }
        if not_started.is_none() {
            self.save_logs().await;
        }
        self.seal();
        if let Err(error) = self.containers.dismiss(&self.holder.run).await {
            tracing::warn!(%error, "helpers may be left; the next drill or `firedrill recover` removes them");
        }
        let left = self.left();
        self.unlock().await;
        self.keeping.end().await;
        // How far the clocks are apart by now; an engine that is gone has been told of.
        let _ = self.compare_clocks().await;
        side.shutdown().await;
        // What was said stands in the journal, without secrets.
        let _ = std::fs::remove_file(self.folder.inbox());
        self.record.tell(EventKind::CleanedUp { left: left.clone() });
        self.tell_history(earlier);
        let complete = not_started.is_none() && self.halt.reason().is_none();
        self.record.tell(EventKind::RunEnded { complete });
        let lost = close(&self.record);
        Outcome { complete, clean: left.is_empty(), left, stopped: self.halt.stopped(), lost }
    }

    /// Closes the request log. A disk that hangs is left to itself after a while.
    fn finish_requests(&self, requests: RequestWriter) {
        let trouble = match bounded(DISK_PATIENCE, move || requests.finish()) {
            Some(Ok(written)) => written.trouble,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("the disk does not answer".into()),
        };
        if let Some(detail) = trouble {
            self.record.tell(EventKind::EvidenceLost { file: "requests.bin".into(), detail });
        }
    }

    /// Tells the digests of all that is written by now.
    fn seal(&self) {
        let folder = self.folder.clone();
        if let Some(files) = bounded(EXPORT_PATIENCE, move || seal::seal(&folder)) {
            self.record.tell(EventKind::FilesSealed { files });
        }
    }

    /// Writes the export for other tools; it is made of the request log, so losing it loses nothing.
    fn export(&self) {
        let Some(schedules) = self.schedules.get() else { return };
        let probe = |(&id, &schedule): (&ProbeId, &Schedule)| {
            let name = self.plan.terms.probes.get(usize::from(id))?.name.clone();
            Some((id, Tagged { name, schedule }))
        };
        let probes: BTreeMap<ProbeId, Tagged> = schedules.iter().filter_map(probe).collect();
        let (folder, started) = (self.folder.clone(), self.clock.started());
        let write = move || -> Result<(), HlogError> {
            let requests = RequestReader::open(&folder.requests())?;
            hlog::write(requests, &probes, started, BufWriter::new(File::create(folder.hlog())?))
        };
        match bounded(EXPORT_PATIENCE, write) {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::warn!(%error, "latency.hlog is not written"),
            None => tracing::warn!("latency.hlog takes too long"),
        }
    }

    /// What could not be undone, for people.
    pub(super) fn left(&self) -> Vec<String> {
        let entries = self.ledger.snapshot();
        let open = entries.iter().filter(|entry| entry.life != Life::Undone { proven: true });
        let label = |fault: usize| self.plan.terms.faults.get(fault).map_or("fault", |terms| terms.label.as_str());
        open.map(|entry| format!("{}: the undo of `{}` is not proven", entry.injection.name, label(entry.fault)))
            .collect()
    }

    /// Gives back the locks of all targets whose undo is proven, or that are gone; `recover` gives back the others.
    pub(super) async fn unlock(&self) {
        let locked = std::mem::take(&mut *self.locked.lock().unwrap_or_else(PoisonError::into_inner));
        for target in locked {
            if self.unproven_on(&target) && !self.is_gone(&target).await {
                continue;
            }
            if let Err(error) = self.containers.unlock(&target, &self.holder.run).await {
                tracing::warn!(%target, %error, "the lock could not be given back");
            }
        }
    }

    fn unproven_on(&self, target: &ContainerId) -> bool {
        let entries = self.ledger.snapshot();
        entries.iter().any(|entry| entry.injection.on == *target && entry.life != Life::Undone { proven: true })
    }

    async fn is_gone(&self, target: &ContainerId) -> bool {
        matches!(self.containers.inspect(target).await, Err(ContainerError::NotFound { .. }))
    }
}

/// Closes the sinks; whether the journal is known to be incomplete.
pub(super) fn close(record: &Record) -> bool {
    let durable: Vec<_> = record.durable();
    let told =
        bounded(DISK_PATIENCE, move || durable.into_iter().all(|answer| matches!(answer.blocking_recv(), Ok(Ok(())))));
    let sinks = record.finish();
    let closed = bounded(DISK_PATIENCE, move || drop(sinks));
    told != Some(true) || closed.is_none()
}

/// Does something that may hang on a disk, on a thread of its own; `None` if it takes too long.
fn bounded<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, wait) = sync_mpsc::channel();
    thread::spawn(move || {
        let _ = done.send(work());
    });
    wait.recv_timeout(patience).ok()
}
