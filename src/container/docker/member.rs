//! The line to one agent: orders and their answers, its heartbeat, its figures, and why it is over.

use crate::{
    agent::{
        protocol::{Command, FaultId, Receipt, VERSION, line},
        work::Figures,
    },
    container::{ContainerError, ContainerId, Helper, Said},
    units::Span,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior},
};

/// How often an agent hears that we are there.
const BEAT: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// An agent that counts every second and has said nothing for so long stands still: it would have ended after so long
/// a silence of ours.
const SILENCE: Duration = Duration::from_secs(8);

/// How long its end may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);

type Order = (Command, oneshot::Sender<Receipt>);

/// An agent that has been greeted. Dropping it ends its stdin, and with it all that it does.
#[derive(Debug)]
pub(super) struct Member {
    orders: mpsc::Sender<Order>,
    known: Arc<Mutex<Known>>,
    pid: u32,
    on: ContainerId,
}

/// What is known of it.
#[derive(Debug, Default)]
struct Known {
    figures: BTreeMap<FaultId, Figures>,
    over: Option<String>,
    complaints: Vec<String>,
    /// When it last told figures; agents without work tell none.
    counted: Option<Instant>,
    silent: bool,
}

impl Known {
    /// Whether it is over because it has not counted for too long.
    fn falls_silent(&mut self) -> bool {
        self.silent = self.counted.is_some_and(|at| at.elapsed() > SILENCE);
        if self.silent {
            self.over.get_or_insert_with(|| "the agent fell silent".into());
        }
        self.silent
    }

    /// Why it is over, in its own words if it had any.
    fn end(&mut self) {
        let complaint = self.complaints.last().cloned();
        let why = || complaint.unwrap_or_else(|| "the agent ended without a word; something killed it".into());
        self.over.get_or_insert_with(why);
    }
}

impl Member {
    /// Says hello, and waits for the answer.
    pub(super) async fn greet(helper: Helper) -> Result<Member, ContainerError> {
        let (orders, to_do) = mpsc::channel(8);
        let known = Arc::new(Mutex::new(Known::default()));
        let on = helper.id.clone();
        tokio::spawn(drive(helper, to_do, Arc::clone(&known)));
        let mut member = Member { orders, known, pid: 0, on };
        match member.ask(Command::Hello { version: VERSION }).await? {
            Receipt::Ready { pid, .. } => member.pid = pid,
            other => return Err(ContainerError::Conflict(format!("the agent answered hello with {other:?}"))),
        }
        Ok(member)
    }

    /// Its process, in its own namespace.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The container that it is in: its own, or the one that it works in.
    pub(super) fn on(&self) -> &ContainerId {
        &self.on
    }

    /// Whether it stands still, so that nobody but us can end it.
    pub(super) fn fell_silent(&self) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).silent
    }

    /// Gives an order, and waits for the answer.
    pub(super) async fn ask(&self, command: Command) -> Result<Receipt, ContainerError> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| self.gone();
        self.orders.send((command, answer)).await.map_err(|_| self.gone())?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(Receipt::Refused { why, .. })) => Err(ContainerError::Conflict(why)),
            Ok(answer) => answer.map_err(gone),
            Err(_) => Err(ContainerError::Unknown(Span(PATIENCE))),
        }
    }

    /// Sends it away, and waits until it is gone; not for long, since its stdin ends anyway.
    pub(super) async fn leave(&self) {
        let (answer, _) = oneshot::channel();
        if self.orders.send((Command::End, answer)).await.is_ok() {
            let _ = tokio::time::timeout(GOODBYE, self.orders.closed()).await;
        }
    }

    fn gone(&self) -> ContainerError {
        ContainerError::Conflict(self.over().unwrap_or_else(|| "the agent does not listen".into()))
    }

    /// Why it is over, if it is.
    pub(super) fn over(&self) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).over.clone()
    }

    /// What its work has come to.
    pub(super) fn figures(&self) -> Figures {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.figures.values().next().copied().unwrap_or_default()
    }
}

/// Carries orders and receipts until either side is gone.
async fn drive(helper: Helper, mut orders: mpsc::Receiver<Order>, known: Arc<Mutex<Known>>) {
    let Helper { id: _, say, mut said } = helper;
    let mut waiting: Option<oneshot::Sender<Receipt>> = None;
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let tell = |command: &Command| say.try_send(line(command).trim_end().to_owned()).is_ok();
    loop {
        let went = tokio::select! {
            biased;
            word = said.recv() => match word {
                Some(Said::Line(text)) => {
                    hear(&text, &mut waiting, &known);
                    true
                }
                Some(Said::Complaint(text)) => {
                    known.lock().unwrap_or_else(PoisonError::into_inner).complaints.push(text);
                    true
                }
                None => false,
            },
            order = orders.recv() => match order {
                Some((command, answer)) => {
                    waiting = Some(answer);
                    tell(&command)
                }
                None => return,
            },
            _ = beat.tick() => {
                let silent = known.lock().unwrap_or_else(PoisonError::into_inner).falls_silent();
                !silent && tell(&Command::Heartbeat)
            }
        };
        if !went {
            known.lock().unwrap_or_else(PoisonError::into_inner).end();
            return;
        }
    }
}

fn hear(text: &str, waiting: &mut Option<oneshot::Sender<Receipt>>, known: &Mutex<Known>) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    match serde_json::from_str::<Receipt>(text) {
        Ok(Receipt::Figures { works, .. }) => {
            known.figures = works;
            known.counted = Some(Instant::now());
        }
        Ok(Receipt::Counters { .. }) => {}
        Ok(Receipt::Lost { why, .. }) => known.over = Some(why),
        Ok(Receipt::Ended { why, .. }) => known.over = Some(format!("the agent ended ({why:?})").to_lowercase()),
        Ok(receipt) => {
            // An answer that nobody waits for any more came too late.
            let _ = waiting.take().map(|waiting| waiting.send(receipt));
        }
        Err(_) => known.complaints.push(text.to_owned()),
    }
}
