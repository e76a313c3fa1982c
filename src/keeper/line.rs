//! The runner's side: finding a place for a keeper, and the first words with it.

use super::protocol::{Answer, Command, Hello, Undo, VERSION};
use crate::{
    agent::protocol::line,
    container::{ContainerId, Containers, Helper, NewHelper, Said, docker::KEEPER, helper::HelperMount},
};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Child,
    sync::mpsc,
    time::timeout,
};

/// Where a keeper's container sees the socket of its engine.
pub const SOCKET: &str = "/var/run/docker.sock";
/// Where a keeper's container has its list.
pub const LIST: &str = "/undo.jsonl";
/// How long each answer of a keeper may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many lines may wait on either side.
const WAITING: usize = 64;

/// Where the keepers of a run may live.
#[derive(Debug, Clone)]
pub struct Place {
    /// The engine's socket, on the engine's host.
    pub socket: String,
    /// Where a keeper that is a process beside the runner has its list.
    pub local: PathBuf,
}

impl Place {
    /// Beside an engine at this address; the usual socket if the address is none (the engine may be on another host).
    pub fn at(address: &str, local: PathBuf) -> Place {
        let socket = address.strip_prefix("unix://").unwrap_or(SOCKET).to_owned();
        Place { socket, local }
    }
}

/// A keeper that listens.
#[derive(Debug)]
pub struct Line {
    /// Where it is, for people.
    pub place: String,
    /// Its container, unless it is a process.
    pub container: Option<ContainerId>,
    say: mpsc::Sender<String>,
    said: mpsc::Receiver<String>,
    /// Reaped when it ends.
    process: Option<Child>,
}

impl Line {
    /// Finds a place for a keeper (that of the keeper before, if there was one), greets it, and has it keep all this.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub async fn open(
        place: &Place,
        containers: &dyn Containers,
        before: Option<&ContainerId>,
        hello: &Hello,
        undos: &[Undo],
    ) -> Result<Line, String> {
        let beside = match Line::beside_engine(place, containers, before, hello).await {
            Ok(mut line) => match line.greet(hello, undos).await {
                Ok(()) => return Ok(line),
                Err(why) => {
                    if let Some(id) = &line.container {
                        let _ = containers.remove_helper(id).await;
                    }
                    why
                }
            },
            Err(why) => why,
        };
        let mut line = Line::process(place, &hello.run).map_err(|error| format!("{beside}; as a process: {error}"))?;
        line.greet(hello, undos).await.map_err(|error| format!("{beside}; as a process: {error}"))?;
        line.place = format!("{} (not in a container: {beside})", line.place);
        Ok(line)
    }

    async fn beside_engine(
        place: &Place,
        containers: &dyn Containers,
        before: Option<&ContainerId>,
        hello: &Hello,
    ) -> Result<Line, String> {
        if let Some(id) = before
            && let Ok(helper) = containers.resume_helper(id).await
        {
            return Ok(Line::of(helper));
        }
        let mut new = NewHelper::new(&hello.run, KEEPER, &["keeper", "--run", &hello.run, "--list", LIST]);
        new.mounts = vec![HelperMount { source: place.socket.clone(), target: SOCKET.into(), read_only: false }];
        new.lasting = true;
        containers.start_helper(&new).await.map(Line::of).map_err(|error| error.to_string())
    }

    fn of(helper: Helper) -> Line {
        let Helper { id, say, mut said } = helper;
        let (hear, lines) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(said) = said.recv().await {
                match said {
                    Said::Line(line) => {
                        if hear.send(line).await.is_err() {
                            return;
                        }
                    }
                    Said::Complaint(words) => tracing::debug!("the keeper says: {words}"),
                }
            }
        });
        Line { place: format!("container {}", id.short()), container: Some(id), say, said: lines, process: None }
    }

    /// A process of its own group, which outlives the runner and its terminal.
    fn process(place: &Place, run: &str) -> Result<Line, String> {
        let mut command = tokio::process::Command::new(program(Path::new("/proc/self/exe")));
        command.args(["keeper", "--run", run, "--local", "--list"]).arg(&place.local);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let number = child.id().unwrap_or_default();
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no pipes".into());
        };
        let (say, mut lines) = mpsc::channel::<String>(WAITING);
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if stdin.write_all(line.as_bytes()).await.is_err() || stdin.write_all(b"\n").await.is_err() {
                    return;
                }
            }
        });
        let (hear, said) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if hear.send(line).await.is_err() {
                    return;
                }
            }
        });
        Ok(Line {
            place: format!("process {number} beside the runner"),
            container: None,
            say,
            said,
            process: Some(child),
        })
    }

    async fn greet(&mut self, hello: &Hello, undos: &[Undo]) -> Result<(), String> {
        self.say(&Command::Hello(hello.clone())).await?;
        match self.answer().await? {
            Answer::Ready { version: VERSION } => {}
            other => return Err(format!("the keeper said {other:?} to hello")),
        }
        for undo in undos {
            self.say(&Command::Keep(Box::new(undo.clone()))).await?;
        }
        let mut kept = 0;
        while kept < undos.len() {
            match self.answer().await? {
                Answer::Kept { .. } => kept += 1,
                Answer::Refused { why } => return Err(format!("the keeper refuses: {why}")),
                Answer::Ready { .. } | Answer::StopAsked => {}
            }
        }
        Ok(())
    }

    /// Says something.
    ///
    /// # Errors
    /// If the keeper is gone.
    pub async fn say(&self, command: &Command) -> Result<(), String> {
        let said = self.say.send(line(command).trim_end().to_owned());
        match timeout(PATIENCE, said).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("the keeper is gone".into()),
            Err(_) => Err("the keeper takes no more".into()),
        }
    }

    /// Ends the keeper, in the middle of whatever it does.
    pub async fn cut(mut self, containers: &dyn Containers) {
        let ended = match (&self.container, &mut self.process) {
            (Some(id), _) => containers.remove_helper(id).await.map_err(|error| error.to_string()),
            (None, Some(process)) => process.kill().await.map_err(|error| error.to_string()),
            (None, None) => Ok(()),
        };
        if let Err(error) = ended {
            tracing::warn!("the keeper that is not listened to any more stays: {error}");
        }
    }

    /// The next answer, whenever it comes; `None` when there are no more. Lines that are none are passed over.
    pub async fn hear(&mut self) -> Option<Answer> {
        loop {
            let line = self.said.recv().await?;
            match serde_json::from_str(&line) {
                Ok(answer) => return Some(answer),
                Err(error) => tracing::debug!("not an answer of a keeper ({error}): {line}"),
            }
        }
    }

    async fn answer(&mut self) -> Result<Answer, String> {
        match timeout(PATIENCE, self.hear()).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("the keeper ended".into()),
            Err(_) => Err(format!("the keeper does not answer within {} s", PATIENCE.as_secs())),
        }
    }
}

/// The running program, even if its file was replaced meanwhile; by its name where it can be read.
fn program(itself: &Path) -> PathBuf {
    std::fs::read_link(itself).ok().filter(|path| path.exists()).unwrap_or_else(|| itself.to_owned())
}
