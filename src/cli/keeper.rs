//! `firedrill keeper`: holds the undo list of a run, and plays it when the run's process is gone.

use super::{Exit, Global};
use crate::{
    agent::protocol::line,
    container::docker,
    keeper::{
        line::SOCKET,
        list::List,
        protocol::Answer,
        session::{self, End, Heard},
        sweep,
    },
};
use std::{io::Write, path::PathBuf, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// How long an engine that is just starting is waited for, so that the list is not tried without it.
const PAUSE: Duration = Duration::from_millis(200);

/// Arguments of `firedrill keeper`.
#[derive(Debug, clap::Args)]
pub struct Keeper {
    /// The run that it belongs to.
    #[arg(long)]
    pub run: String,
    /// Where its undo list is.
    #[arg(long, value_name = "FILE")]
    pub list: PathBuf,
    /// It is a process beside the runner, not a container beside the engine.
    #[arg(long)]
    pub local: bool,
}

impl Keeper {
    /// Keeps until its run is over. Ends with an error where the next start of it should go on: its container's
    /// restart policy sees to that, and mounts the engine's socket afresh.
    pub fn run(&self, _: &Global) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exit = runtime.block_on(self.keep());
        // The thread that reads commands may still wait for one.
        runtime.shutdown_background();
        exit
    }

    async fn keep(&self) -> anyhow::Result<Exit> {
        let docker = match self.local {
            true => docker::connect().await,
            false => docker::connect_to(&format!("unix://{SOCKET}")).await,
        };
        let docker = match docker {
            Ok(docker) => docker.of_run(&self.run),
            Err(error) => {
                tokio::time::sleep(PAUSE).await;
                return Err(error.into());
            }
        };
        let list = List::open(&self.list)?;
        let (tell, heard) = mpsc::unbounded_channel();
        session::listen(std::io::stdin(), tell.clone());
        hear_signals(tell)?;
        let end = session::keep(&docker, list, heard, answers()).await;
        let left = match end {
            End::Later(_) => return Ok(Exit::Violated),
            End::Left(left) => left,
            End::Over | End::Refused(_) => vec![],
        };
        if self.local {
            let _ = std::fs::remove_file(&self.list);
        }
        // The last thing it does: this ends it, where it is a container.
        sweep::sweep(&docker, &self.run, &left).await?;
        Ok(Exit::Held)
    }
}

/// Answers are written by a thread, so that nobody waits for a runner that does not read.
fn answers() -> mpsc::UnboundedSender<Answer> {
    let (answers, mut waiting) = mpsc::unbounded_channel::<Answer>();
    std::thread::spawn(move || {
        let mut out = std::io::stdout();
        while let Some(answer) = waiting.blocking_recv() {
            if out.write_all(line(&answer).as_bytes()).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    answers
}

fn hear_signals(to: mpsc::UnboundedSender<Heard>) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // A terminal that closes is none of its business.
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            let heard = tokio::select! {
                _ = interrupt.recv() => Heard::Button,
                _ = terminate.recv() => Heard::Leave,
                _ = hangup.recv() => continue,
            };
            if to.send(heard).is_err() {
                return;
            }
        }
    });
    Ok(())
}
