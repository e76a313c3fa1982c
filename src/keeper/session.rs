//! The life of one keeper: commands in, acknowledgements out, and the undo when nobody speaks any more.

use super::{
    list::List,
    play::{self, NoEngine},
    protocol::{Answer, Command, Hello, LINE_MOST, VERSION},
};
use crate::{
    agent::protocol::{ReadError, read},
    container::{ContainerError, ContainerId, Containers},
};
use std::{
    io::{BufReader, Read},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// How long a keeper waits for the first word of the runner that has just made it.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long a keeper that was started again waits for a runner that lives, and looks for it all the time.
pub const AGAIN_WITHIN: Duration = Duration::from_secs(5);
/// After so long a silence the engine is asked whether it lives: it carries the runner's words, and dies without
/// ending the stream.
pub const QUIET: Duration = Duration::from_secs(3);
/// The longest silence of a runner that lives. Its death is told by the end of the stream, at once.
pub const SILENCE: Duration = Duration::from_secs(10);
/// How long a run that was asked to stop may take to undo by itself.
pub const STOP_WITHIN: Duration = Duration::from_secs(20);

/// What a keeper hears.
#[derive(Debug)]
pub enum Heard {
    /// A command.
    Command(Command),
    /// A line that is none.
    Nonsense(String),
    /// The runner is gone.
    Gone,
    /// Somebody wants the run to stop and everything undone (SIGINT).
    Button,
    /// The keeper itself is to end, and to be started again (SIGTERM: the engine is being shut down).
    Leave,
}

/// How a keeper ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The runner undid everything, or the keeper did: nothing of the run need stay.
    Over,
    /// Some containers are not as before; their locks stay for `recover`.
    Left(Vec<ContainerId>),
    /// The engine is gone, or ends: the next start of the keeper goes on.
    Later(String),
    /// It was no good from the beginning.
    Refused(String),
}

/// Reads commands on a thread of its own, until there are no more.
pub fn listen(from: impl Read + Send + 'static, to: mpsc::UnboundedSender<Heard>) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        loop {
            let heard = match read(&mut from, LINE_MOST) {
                Ok(Some(command)) => Heard::Command(command),
                Ok(None) | Err(ReadError::Io(_) | ReadError::TooLong) => Heard::Gone,
                Err(error @ ReadError::Malformed(_)) => Heard::Nonsense(error.to_string()),
            };
            let last = matches!(heard, Heard::Gone);
            if to.send(heard).is_err() || last {
                return;
            }
        }
    });
}

/// Keeps a list until its runner ends or dies; then undoes what is left.
pub async fn keep(
    containers: &dyn Containers,
    list: List,
    mut heard: mpsc::UnboundedReceiver<Heard>,
    answers: mpsc::UnboundedSender<Answer>,
) -> End {
    let again = list.hello().is_some();
    let mut session = Session { containers, list, answers, greeted: false, again };
    match session.obey(&mut heard).await {
        Some(end) => end,
        None => session.undo().await,
    }
}

struct Session<'a> {
    containers: &'a dyn Containers,
    list: List,
    answers: mpsc::UnboundedSender<Answer>,
    greeted: bool,
    /// It was started again: by an engine that was, or after it had died.
    again: bool,
}

impl Session<'_> {
    /// Does what it is told; how it ended, or nothing if the runner is gone.
    async fn obey(&mut self, heard: &mut mpsc::UnboundedReceiver<Heard>) -> Option<End> {
        if self.list.is_over() {
            return Some(End::Over);
        }
        let first = if self.list.hello().is_some() { AGAIN_WITHIN } else { HELLO_WITHIN };
        let mut until = Instant::now() + first;
        let (mut stopping, mut asked) = (false, false);
        loop {
            let quiet = Instant::now() + QUIET;
            let patience = if asked { until } else { until.min(quiet) };
            match tokio::time::timeout_at(patience, heard.recv()).await {
                Err(_) if Instant::now() < until => {
                    asked = true;
                    if let Err(ContainerError::Unreachable { detail, .. }) = self.containers.clock().await {
                        return Some(End::Later(detail));
                    }
                }
                Ok(Some(Heard::Command(command))) => {
                    asked = false;
                    if let Some(end) = self.command(command).await {
                        return Some(end);
                    }
                    if self.greeted && !stopping {
                        until = Instant::now() + SILENCE;
                    }
                }
                Ok(Some(Heard::Nonsense(why))) => self.answer(Answer::Refused { why }),
                Ok(Some(Heard::Button)) if !stopping && self.greeted => {
                    self.answer(Answer::StopAsked);
                    stopping = true;
                    until = Instant::now() + STOP_WITHIN;
                }
                Ok(Some(Heard::Leave)) => return Some(End::Later("told to end".into())),
                Ok(Some(Heard::Gone | Heard::Button) | None) | Err(_) => return None,
            }
        }
    }

    fn answer(&self, answer: Answer) {
        // A runner that does not listen is about to be found dead.
        let _ = self.answers.send(answer);
    }

    async fn command(&mut self, command: Command) -> Option<End> {
        if let Command::Hello(hello) = &command
            && let Err(why) = self.check(hello).await
        {
            self.answer(Answer::Refused { why: why.clone() });
            return Some(End::Refused(why));
        }
        if !self.greeted && !matches!(command, Command::Hello(_)) {
            self.answer(Answer::Refused { why: "say hello first".into() });
            return None;
        }
        if let Err(why) = self.may_keep(&command) {
            self.answer(Answer::Refused { why });
            return None;
        }
        if let Err(error) = self.list.take(&command) {
            self.answer(Answer::Refused { why: format!("the undo list cannot be written: {error}") });
            return None;
        }
        match command {
            Command::Hello(_) => {
                self.greeted = true;
                self.answer(Answer::Ready { version: VERSION });
            }
            Command::Keep(undo) => self.answer(Answer::Kept { fault: undo.fault, on: undo.injection.on }),
            Command::End => return Some(End::Over),
            Command::Undone { .. } | Command::Heartbeat => {}
        }
        None
    }

    /// The runner must speak this language, of this engine, and be the one that spoke before.
    async fn check(&self, hello: &Hello) -> Result<(), String> {
        if hello.version != VERSION {
            return Err(format!("the runner speaks version {}, this keeper {VERSION}", hello.version));
        }
        if let Some(before) = self.list.hello().filter(|before| before.run != hello.run) {
            return Err(format!("this is the keeper of run {}", before.run));
        }
        let here = self.containers.engine().await.map_err(|error| error.to_string())?.id;
        if here != hello.engine {
            return Err(format!("the keeper's engine is {here}, the run is on {}", hello.engine));
        }
        Ok(())
    }

    /// An undo must be about the container of its snapshot, on the engine of the run.
    fn may_keep(&self, command: &Command) -> Result<(), String> {
        let Command::Keep(undo) = command else { return Ok(()) };
        let engine = self.list.hello().map(|hello| hello.engine.as_str());
        let fits = undo.injection.on == undo.before.id && Some(undo.before.id.host.as_str()) == engine;
        match fits && !undo.before.protected() {
            true => Ok(()),
            false => Err(format!("the undo for {} does not fit the run", undo.injection.name)),
        }
    }

    /// Undoes what is left, and gives the locks back.
    async fn undo(&self) -> End {
        let watched = if self.again { play::SETTLING } else { Duration::ZERO };
        let left = match play::play(self.containers, &self.list.open_undos(), watched).await {
            Ok(left) => left,
            Err(NoEngine(why)) => return End::Later(why),
        };
        let Some(hello) = self.list.hello() else { return End::Over };
        // Whoever still stands beside a target must be gone before others may have it.
        if let Err(error) = self.containers.dismiss(&hello.run).await {
            tracing::warn!(%error, "helpers may be left");
        }
        for target in hello.locked.iter().filter(|target| !left.contains(target)) {
            if self.containers.unlock(target, &hello.run).await.is_err() {
                // It stays for `recover`; the holder is gone, so nobody is held up by it.
                continue;
            }
        }
        if left.is_empty() { End::Over } else { End::Left(left) }
    }
}
