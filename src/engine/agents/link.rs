//! The line to one agent: commands out, each with the receipt that answers it; what comes unasked goes to a listener.

use crate::{
    agent::protocol::{self, Command, FaultId as Number, Receipt},
    container::{ContainerId, Helper, Said},
    units::Span,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

/// How much of what an agent complains about is kept, in bytes.
const COMPLAINTS: usize = 500;

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// It says why.
    #[error("the agent refuses: {0}")]
    Refused(String),
    /// It says nothing; whether it was done is unknown.
    #[error("the agent does not answer within {0}")]
    Silent(Span),
    /// It is not there any more.
    #[error("the agent is gone{0}")]
    Gone(String),
}

/// A connection to one agent. Copies are the same connection; when the last is dropped, the agent lets go.
#[derive(Clone)]
pub(crate) struct Link {
    /// The agent's container.
    pub id: ContainerId,
    say: mpsc::Sender<String>,
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Vec<Waiting>>,
    heard: Mutex<Instant>,
    closed: AtomicBool,
    over: Notify,
    /// Its end is our doing.
    dismissed: AtomicBool,
    complaints: Mutex<String>,
}

struct Waiting {
    command: Command,
    answer: oneshot::Sender<Receipt>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Takes over a helper. `listen` gets every receipt; `ended` is called once, when no more can come: with whether
    /// that was our doing, and with what the agent complained about.
    pub(crate) fn start(
        helper: Helper,
        listen: impl Fn(Receipt) + Send + 'static,
        ended: impl FnOnce(bool, String) + Send + 'static,
    ) -> Link {
        let Helper { id, say, mut said } = helper;
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            heard: Mutex::new(Instant::now()),
            closed: false.into(),
            over: Notify::new(),
            dismissed: false.into(),
            complaints: Mutex::default(),
        });
        let link = Link { id, say, shared: Arc::clone(&shared) };
        tokio::spawn(async move {
            while let Some(word) = said.recv().await {
                match word {
                    Said::Line(line) => shared.take(&line, &listen),
                    Said::Complaint(text) => shared.complain(&text),
                }
            }
            shared.close();
            let complaints = lock(&shared.complaints).clone();
            ended(shared.dismissed.load(Ordering::Relaxed), complaints);
        });
        link
    }

    /// Says something and waits for the receipt that answers it.
    pub(crate) async fn ask(&self, command: Command, patience: Duration) -> Result<Receipt, Unanswered> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = lock(&self.shared.waiting);
            if self.is_over() {
                return Err(self.gone());
            }
            waiting.push(Waiting { command: command.clone(), answer });
        }
        if self.say.send(said(&command)).await.is_err() {
            return Err(self.gone());
        }
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(Receipt::Refused { why, .. })) => Err(Unanswered::Refused(why)),
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(_)) => Err(self.gone()),
            Err(_) => {
                lock(&self.shared.waiting).retain(|one| one.command != command);
                Err(Unanswered::Silent(Span(patience)))
            }
        }
    }

    /// Says something that nobody answers; lost if the line is full, for then nobody listens.
    pub(crate) fn tell(&self, command: &Command) {
        let _ = self.say.try_send(said(command));
    }

    /// From now on its end is ours.
    pub(crate) fn dismiss(&self) {
        self.shared.dismissed.store(true, Ordering::Relaxed);
    }

    /// Whether nothing can come any more.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Since when it has said nothing.
    pub(crate) fn silence(&self) -> Duration {
        lock(&self.shared.heard).elapsed()
    }

    /// Ends when nothing can come any more.
    pub(crate) async fn over(&self) {
        loop {
            let mut over = std::pin::pin!(self.shared.over.notified());
            over.as_mut().enable();
            if self.is_over() {
                return;
            }
            over.await;
        }
    }

    fn gone(&self) -> Unanswered {
        let last = lock(&self.shared.complaints).clone();
        Unanswered::Gone(if last.is_empty() { last } else { format!(": {last}") })
    }
}

fn said(command: &Command) -> String {
    protocol::line(command).trim_end().to_owned()
}

impl Shared {
    fn take(&self, line: &str, listen: &impl Fn(Receipt)) {
        let receipt: Receipt = match serde_json::from_str(line) {
            Ok(receipt) => receipt,
            Err(error) => return self.complain(&format!("not a receipt: {error}")),
        };
        *lock(&self.heard) = Instant::now();
        listen(receipt.clone());
        let mut waiting = lock(&self.waiting);
        if let Some(at) = waiting.iter().position(|one| answers(&receipt, &one.command)) {
            let _ = waiting.remove(at).answer.send(receipt);
        }
    }

    fn complain(&self, text: &str) {
        tracing::debug!("an agent complains: {text}");
        let mut complaints = lock(&self.complaints);
        if complaints.len() < COMPLAINTS {
            *complaints += &text.chars().filter(|c| !c.is_control()).take(COMPLAINTS).collect::<String>();
        }
    }

    /// Whoever waits is told by the drop of their answer.
    fn close(&self) {
        let mut waiting = lock(&self.waiting);
        self.closed.store(true, Ordering::Release);
        waiting.clear();
        self.over.notify_waiters();
    }
}

fn answers(receipt: &Receipt, command: &Command) -> bool {
    let about = |number: &Number| subject(command) == Some(*number);
    match (receipt, command) {
        (Receipt::Ready { .. }, Command::Hello { .. }) => true,
        (Receipt::Armed { fault, .. }, Command::Arm { .. })
        | (Receipt::Fired { fault, .. }, Command::Fire { .. })
        | (Receipt::Followed { fault, .. }, Command::Follow { .. })
        | (Receipt::Undone { fault, .. }, Command::Undo { .. })
        | (Receipt::Refused { fault: Some(fault), .. }, _) => about(fault),
        (Receipt::Refused { fault: None, .. }, Command::Hello { .. }) => true,
        _ => false,
    }
}

fn subject(command: &Command) -> Option<Number> {
    match command {
        Command::Arm { fault, .. }
        | Command::Fire { fault }
        | Command::Follow { fault, .. }
        | Command::Undo { fault } => Some(*fault),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::protocol::{Terms, VERSION};

    fn helper() -> (Helper, mpsc::Receiver<String>, mpsc::Sender<Said>) {
        let (say, commands) = mpsc::channel(8);
        let (receipts, said) = mpsc::channel(8);
        (Helper { id: ContainerId { host: "h".into(), id: "a".into() }, say, said }, commands, receipts)
    }

    fn word(receipt: &Receipt) -> Said {
        Said::Line(protocol::line(receipt))
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_gets_the_receipt_that_answers_it_whatever_comes_between() {
        let (helper, mut commands, receipts) = helper();
        let (heard, mut all) = mpsc::unbounded_channel();
        let link = Link::start(helper, move |receipt| drop(heard.send(receipt)), |_, _| ());
        let fired = |number| Receipt::Fired { fault: Number(number), at: 5, rules: 2 };
        let agent = async {
            assert!(commands.recv().await.unwrap().contains("fire"));
            receipts.send(Said::Line("nonsense".into())).await.unwrap();
            receipts.send(word(&fired(9))).await.unwrap();
            receipts.send(word(&fired(1))).await.unwrap();
        };
        let (answer, ()) = tokio::join!(link.ask(Command::Fire { fault: Number(1) }, Duration::from_secs(1)), agent);
        assert_eq!(answer, Ok(fired(1)));
        assert_eq!((all.recv().await, all.recv().await), (Some(fired(9)), Some(fired(1))));
    }

    #[tokio::test(start_paused = true)]
    async fn refusal_silence_and_death_are_told_apart() {
        let (helper, mut commands, receipts) = helper();
        let (ended, told) = oneshot::channel();
        let link = Link::start(helper, |_| (), |ours, _| ended.send(ours).expect("somebody waits"));
        let refused = Receipt::Refused { fault: Some(Number(1)), why: "no".into() };
        let undo = || link.ask(Command::Undo { fault: Number(1) }, Duration::from_secs(2));
        let agent = async {
            commands.recv().await;
            receipts.send(word(&refused)).await.unwrap();
        };
        assert_eq!(tokio::join!(undo(), agent).0, Err(Unanswered::Refused("no".into())));
        assert_eq!(undo().await, Err(Unanswered::Silent(Span::secs(2))));
        assert!(link.silence() >= Duration::from_secs(2));
        receipts.send(Said::Complaint("killed".into())).await.unwrap();
        drop(receipts);
        link.over().await;
        assert_eq!(undo().await, Err(Unanswered::Gone(": killed".into())));
        assert_eq!(told.await, Ok(false));
        let ready =
            Receipt::Ready { version: VERSION, lease: Terms { deadline: Span::ZERO, heartbeat: Span::ZERO }, pid: 1 };
        assert!(answers(&ready, &Command::Hello { version: VERSION }));
    }
}
