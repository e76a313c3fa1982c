//! `firedrill note|ack|saw|decided` and `firedrill stop`: what people say while a drill runs.

use super::{Exit, Global, output};
use crate::{
    engine::{self, Said},
    event::NoteKind,
    journal::{RunFolder, runner},
};
use anyhow::{Context, bail};
use std::path::PathBuf;

/// Which drill is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// The run folder, or the name of one in the reports; needed only while several drills run.
    #[arg(long, value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
}

/// Arguments of `firedrill note` and its like.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill saw the queue grows
  firedrill decided 'we wait; the breaker will close'")]
pub struct Words {
    /// What you say; several words need no quotes.
    #[arg(required = true)]
    pub text: Vec<String>,
    #[command(flatten)]
    pub which: Which,
}

impl Words {
    /// Hands the words to the drill that is running.
    pub fn run(&self, kind: NoteKind, global: &Global) -> anyhow::Result<Exit> {
        let text = engine::clean(&self.text.join(" "));
        if text.is_empty() {
            bail!("there are no words in that");
        }
        self.which.say(&Said::Remark { kind, text, who: who() }, global)
    }
}

/// Arguments of `firedrill stop`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill stop
  firedrill stop 20261122T212546Z-demo-fc72")]
pub struct Stop {
    /// The run folder, or the name of one in the reports; needed only while several drills run.
    #[arg(value_name = "RUN", conflicts_with = "run")]
    pub named: Option<PathBuf>,
    #[command(flatten)]
    pub which: Which,
}

impl Stop {
    /// Asks the drill that is running to stop.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let which = Which { run: self.named.clone().or_else(|| self.which.run.clone()), ..self.which.clone() };
        which.say(&Said::Stop { who: who() }, global)
    }
}

impl Which {
    fn say(&self, said: &Said, global: &Global) -> anyhow::Result<Exit> {
        let folder = self.folder()?;
        engine::say(&folder, said).with_context(|| format!("{} cannot be told", folder.run()))?;
        if !global.quiet {
            output::say(format_args!("told {}", folder.run()));
        }
        Ok(Exit::Held)
    }

    fn folder(&self) -> anyhow::Result<RunFolder> {
        if let Some(run) = &self.run {
            return self.named(run);
        }
        let mut running = runner::folders(&self.reports);
        running.retain(runner::lives);
        match running.as_slice() {
            [] => bail!("no drill is running in {}; name another folder with --reports", self.reports.display()),
            [one] => Ok(one.clone()),
            several => {
                let names: Vec<String> = several.iter().map(RunFolder::run).collect();
                bail!("several drills are running; name one with --run:\n  {}", names.join("\n  "))
            }
        }
    }

    fn named(&self, run: &PathBuf) -> anyhow::Result<RunFolder> {
        let places = [run.clone(), self.reports.join(run)];
        let found = places.into_iter().map(RunFolder).find(|folder| folder.journal().is_file());
        let folder = found.with_context(|| format!("there is no run {}", run.display()))?;
        if !runner::lives(&folder) {
            bail!("{} is not running any more", folder.run());
        }
        Ok(folder)
    }
}

/// The login name; the number of the user if there is none.
pub(super) fn who() -> String {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| super::name(&std::env::var(name).ok()?).ok());
    name.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()))
}
