//! The runner's side of its keeper: it knows every undo before t=0, hears what is undone, and is found again, or
//! made anew, when it is lost.
//!
//! A keeper that hears nothing for too long undoes everything and gives the targets back, although the runner may only
//! have stood still. So whoever is about to touch a target makes sure first ([`Keeping::sure`]), and a keeper that is
//! lost raises the question whether the locks are still ours.

use super::drill::Drill;
use crate::{
    container::ContainerId,
    event::{EventKind, FaultId, NotStarted, UndoReason},
    keeper::{
        line::{Line, Place},
        protocol::{Answer, Command, Hello, Undo, VERSION},
        session::SILENCE,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// How often the keeper is told that we live.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often a keeper that was lost is looked for.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long its end may take.
const END_WITHIN: Duration = Duration::from_secs(8);
/// How long it may take to have the locks again; an undo waits no longer for that.
const SURE_WITHIN: Duration = Duration::from_secs(30);

/// The way to the task that speaks with the keeper.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    way: Mutex<Option<mpsc::UnboundedSender<Told>>>,
    /// When it was last spoken to; nothing while there is none.
    spoken: watch::Sender<Option<Instant>>,
}

#[derive(Debug)]
enum Told {
    Undone(FaultId, ContainerId),
    Over(oneshot::Sender<()>),
}

impl Keeping {
    /// An undo is proven.
    pub(crate) fn undone(&self, fault: FaultId, on: &ContainerId) {
        self.tell(Told::Undone(fault, on.clone()));
    }

    fn tell(&self, told: Told) {
        if let Some(way) = &*self.way.lock().unwrap_or_else(PoisonError::into_inner) {
            // A keeper that could not be started hears nothing.
            let _ = way.send(told);
        }
    }

    /// Ends when no keeper can have taken us for dead behind our back: we have not stood still for so long, or have
    /// our locks again (those that can be had).
    pub(crate) async fn sure(&self) {
        let mut spoken = self.spoken.subscribe();
        // Nobody changes it any more if the task that speaks has died.
        let _ = timeout(SURE_WITHIN, spoken.wait_for(|at| !overdue(*at))).await;
    }

    /// The run is over: nothing is left for the keeper to do, and it goes.
    pub(crate) async fn end(&self) {
        let (done, ended) = oneshot::channel();
        self.tell(Told::Over(done));
        // If it takes too long, it finds out by itself.
        let _ = timeout(END_WITHIN, ended).await;
    }
}

/// Whether a keeper that was last spoken to then has taken us for dead.
fn overdue(spoken: Option<Instant>) -> bool {
    spoken.is_some_and(|at| at.elapsed() > SILENCE)
}

/// The answer to whether every undo is kept.
pub(crate) type Armed = oneshot::Receiver<Result<(), String>>;

impl Drill {
    /// Starts a keeper and has it keep every undo; `None` if the run has none, by wish.
    pub(crate) fn start_keeper(self: &Arc<Self>) -> Option<Armed> {
        let Some(place) = self.place.clone() else {
            self.record.tell(EventKind::KeeperLeftOut);
            return None;
        };
        let (tell, told) = mpsc::unbounded_channel();
        *self.keeping.way.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
        let (armed, answer) = oneshot::channel();
        let speaker = Speaker { undos: self.undos(), drill: Arc::clone(self), place, told, container: None };
        tokio::spawn(speaker.run(armed));
        Some(answer)
    }

    /// Waits until every undo is kept.
    ///
    /// # Errors
    /// Why it is not; nothing has been touched.
    pub(crate) async fn await_keeper(&self, armed: Option<Armed>) -> Result<(), NotStarted> {
        let Some(armed) = armed else { return Ok(()) };
        let why = tokio::select! {
            biased;
            () = self.halt.halted() => return Err(self.not_started()),
            answer = armed => match answer {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => why,
                Err(_) => "its task died".into(),
            },
        };
        Err(NotStarted::CouldNotRun(format!(
            "no keeper can be started ({why}); with --no-keeper the run goes without one, and a fault stays on if \
             firedrill is killed"
        )))
    }

    /// What a keeper can undo.
    fn undos(&self) -> BTreeMap<(FaultId, String), Undo> {
        let steps = self.plan.steps.iter();
        let all = steps.flat_map(|step| step.injections.iter().map(move |injection| (step.fault, injection)));
        let undo = |(fault, injection): (FaultId, &crate::fault::Injection)| {
            let before = self.snapshot(&injection.on)?.clone();
            let undo = Undo { fault, injection: injection.clone(), before };
            undo.is_for_keepers().then(|| ((fault, injection.on.id.clone()), undo))
        };
        all.filter_map(undo).collect()
    }
}

/// Speaks with the keeper, as long as the run lasts.
struct Speaker {
    drill: Arc<Drill>,
    place: Place,
    told: mpsc::UnboundedReceiver<Told>,
    undos: BTreeMap<(FaultId, String), Undo>,
    /// The keeper's, once there was one.
    container: Option<ContainerId>,
}

/// Why a conversation is over.
enum Over {
    Lost(String),
    Done(oneshot::Sender<()>),
    /// Nobody is left to tell us anything.
    Dropped,
}

impl Speaker {
    async fn run(mut self, armed: oneshot::Sender<Result<(), String>>) {
        let mut line = match self.open().await {
            Ok(line) => line,
            Err(why) => {
                let _ = armed.send(Err(why));
                return;
            }
        };
        self.drill.record.tell(EventKind::KeeperStarted { place: line.place.clone() });
        let _ = armed.send(Ok(()));
        loop {
            let detail = match self.talk(&mut line).await {
                Over::Lost(detail) => detail,
                Over::Done(done) => return self.leave(Some(line), done).await,
                Over::Dropped => return,
            };
            self.drill.record.tell(EventKind::KeeperLost { detail });
            let overdue = overdue(*self.drill.keeping.spoken.borrow());
            if overdue {
                // It may be undoing still, and must give nothing back behind us.
                line.cut(self.drill.containers.as_ref()).await;
            }
            self.keep_locks(overdue).await;
            self.drill.keeping.spoken.send_replace(None);
            line = match self.find_again().await {
                Ok(line) => line,
                Err(Over::Done(done)) => return self.leave(None, done).await,
                Err(_) => return,
            };
            self.keep_locks(false).await;
            self.drill.record.tell(EventKind::KeeperStarted { place: line.place.clone() });
        }
    }

    /// If the keeper gave locks back, nothing that was assumed is sure any more: the drill halts, and takes them again
    /// for its undo. What others have taken meanwhile is as it was before, or would not have been given back.
    async fn keep_locks(&self, overdue: bool) {
        let drill = &self.drill;
        if !overdue && drill.has_all_locks().await {
            return;
        }
        let others = drill.retake_locks().await;
        for (fault, on) in self.undos.values().map(|undo| (undo.fault, &undo.injection.on)) {
            if !drill.has_lock(on) {
                drill.keeping.undone(fault, on);
            }
        }
        let what = match overdue {
            true => "the runner stood still for longer than its keeper waits",
            false => "the keeper that was lost gave the targets back",
        };
        let mut why = vec![format!("{what}: its faults may have been undone, and its targets been another drill's")];
        why.extend(others);
        drill.halt.halt(UndoReason::Failed, why.join("; "));
    }

    async fn open(&mut self) -> Result<Line, String> {
        let hello = Hello {
            version: VERSION,
            run: self.drill.holder.run.clone(),
            engine: self.drill.plan.engine.id.clone(),
            locked: self.drill.locked.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        let undos: Vec<Undo> = self.undos.values().cloned().collect();
        let containers = self.drill.containers.as_ref();
        let line = Line::open(&self.place, containers, self.container.as_ref(), &hello, &undos).await?;
        self.container = line.container.clone();
        Ok(line)
    }

    async fn talk(&mut self, line: &mut Line) -> Over {
        let mut beats = interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let said = tokio::select! {
                told = self.told.recv() => match told {
                    None => return Over::Dropped,
                    Some(Told::Over(done)) => return Over::Done(done),
                    Some(Told::Undone(fault, on)) => {
                        self.undos.remove(&(fault, on.id.clone()));
                        line.say(&Command::Undone { fault, on }).await
                    }
                },
                answer = line.hear() => match answer {
                    None => return Over::Lost("it ended".into()),
                    Some(Answer::StopAsked) => {
                        self.drill.stop("firedrill recover --all");
                        Ok(())
                    }
                    Some(Answer::Refused { why }) => {
                        tracing::warn!("the keeper refuses: {why}");
                        Ok(())
                    }
                    Some(Answer::Ready { .. } | Answer::Kept { .. }) => Ok(()),
                },
                _ = beats.tick() => self.beat(line).await,
            };
            if let Err(why) = said {
                return Over::Lost(why);
            }
        }
    }

    async fn beat(&self, line: &Line) -> Result<(), String> {
        let spoken = &self.drill.keeping.spoken;
        if let Some(silence) = spoken.borrow().filter(|at| overdue(Some(*at))).map(|at| at.elapsed()) {
            return Err(format!("the runner stood still for {} s, and it took it for dead", silence.as_secs()));
        }
        line.say(&Command::Heartbeat).await?;
        spoken.send_replace(Some(Instant::now()));
        Ok(())
    }

    /// Looks for a keeper until there is one, or the run ends.
    async fn find_again(&mut self) -> Result<Line, Over> {
        let mut pause = FIRST_PAUSE;
        loop {
            let until = Instant::now() + pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
            loop {
                tokio::select! {
                    told = self.told.recv() => match told {
                        None => return Err(Over::Dropped),
                        Some(Told::Over(done)) => return Err(Over::Done(done)),
                        Some(Told::Undone(fault, on)) => drop(self.undos.remove(&(fault, on.id))),
                    },
                    () = tokio::time::sleep_until(until) => break,
                }
            }
            match self.open().await {
                Ok(line) => return Ok(line),
                Err(why) => tracing::warn!("the keeper is not found again: {why}"),
            }
        }
    }

    /// The keeper hears that it is over, and goes; its container is gone when this returns.
    async fn leave(&self, line: Option<Line>, done: oneshot::Sender<()>) {
        if let Some(line) = line {
            let _ = line.say(&Command::End).await;
        }
        if let Some(id) = &self.container
            && let Err(error) = self.drill.containers.remove_helper(id).await
        {
            tracing::warn!("the keeper stays: {error}");
        }
        let _ = done.send(());
    }
}
