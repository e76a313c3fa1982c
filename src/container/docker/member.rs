//! The line to one agent: orders and their answers, its heartbeat, its figures, and why it is over.

use crate::{
    agent::{
        protocol::{Command, FaultId, Receipt, VERSION, line},
        work::Figures,
    },
    container::{ContainerError, Helper, Said},
    units::Span,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};

/// How often an agent hears that we are there.
const BEAT: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long its end may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);

type Order = (Command, oneshot::Sender<Receipt>);

/// An agent that has been greeted. Dropping it ends its stdin, and with it all that it does.
#[derive(Debug)]
pub(super) struct Member {
    orders: mpsc::Sender<Order>,
    known: Arc<Mutex<Known>>,
    pid: u32,
}

/// What is known of it.
#[derive(Debug, Default)]
struct Known {
    figures: BTreeMap<FaultId, Figures>,
    over: Option<String>,
    complaints: Vec<String>,
}

impl Known {
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
        tokio::spawn(drive(helper, to_do, Arc::clone(&known)));
        let mut member = Member { orders, known, pid: 0 };
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
            _ = beat.tick() => tell(&Command::Heartbeat),
            order = orders.recv() => match order {
                Some((command, answer)) => {
                    waiting = Some(answer);
                    tell(&command)
                }
                None => return,
            },
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
        Ok(Receipt::Figures { works, .. }) => known.figures = works,
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
