//! `firedrill idle`: the command of test containers. Ends at once on SIGTERM, though it is PID 1 there.

use super::{Exit, Global};
use crate::{
    demo::stand_in::{self, Script},
    units::Bytes,
};
use std::{io::ErrorKind::NotFound, path::PathBuf, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `firedrill idle`.
#[derive(Debug, clap::Args)]
pub struct Idle {
    /// End by itself after so many seconds, with code 0.
    #[arg(long, default_value_t = 3600)]
    pub seconds: u64,
    /// Answer HTTP on this port.
    #[arg(long)]
    pub http: Option<u16>,
    /// How to answer when, from the start of the process.
    #[arg(long, default_value = "0s:ok")]
    pub script: Script,
    /// Hold so much memory.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
    /// Print when it was frozen.
    #[arg(long)]
    pub stamp: bool,
    /// Make this file, and end: a command that tests run in a container.
    #[arg(long, value_name = "FILE")]
    pub make: Option<PathBuf>,
    /// Remove this file, if it is there, and end: what undoes it.
    #[arg(long, value_name = "FILE")]
    pub remove: Option<PathBuf>,
}

impl Idle {
    /// Waits.
    pub fn run(&self, _: &Global) -> anyhow::Result<Exit> {
        if let Some(file) = &self.make {
            std::fs::write(file, "")?;
            return Ok(Exit::Held);
        }
        if let Some(file) = &self.remove {
            let removed = std::fs::remove_file(file);
            return removed
                .or_else(|error| if error.kind() == NotFound { Ok(()) } else { Err(error.into()) })
                .map(|()| Exit::Held);
        }
        let held: Vec<u8> = (0..self.memory.unwrap_or_default().0).map(|at| at as u8 | 1).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime
            .block_on(async {
                let mut terminate = signal(SignalKind::terminate())?;
                let serving = async {
                    match self.http {
                        Some(port) => stand_in::serve(port, self.script.clone()).await,
                        None => std::future::pending().await,
                    }
                };
                let stamping =
                    async { if self.stamp { stand_in::stamp_freezes().await } else { std::future::pending().await } };
                tokio::select! {
                    _ = terminate.recv() => {}
                    served = serving => served?,
                    () = stamping => {}
                    () = tokio::time::sleep(Duration::from_secs(self.seconds)) => {}
                }
                Ok(())
            })
            .map(|()| {
                drop(std::hint::black_box(held));
                Exit::Held
            })
    }
}
