//! `firedrill recover`: undo what a killed run left behind.

use super::{Exit, Global, live::Live, output};
use crate::{
    analysis,
    container::docker,
    engine::{self, unfinished},
    journal::{
        RunFolder,
        read::{self, Journal},
        runner,
    },
    review,
};
use anyhow::{Context, bail};
use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Arguments of `firedrill recover`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill recover                                             what is not undone (code 5 if anything is)
  firedrill recover reports/20260301T100000Z-cache-loss-7f3a    undo it")]
pub struct Recover {
    /// The run folder, or the name of one in the reports; without it, what is left is listed.
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
    /// Do not ask before the undo commands of `exec` faults.
    #[arg(long)]
    pub yes: bool,
}

impl Recover {
    /// Lists, or undoes.
    ///
    /// # Errors
    /// If the run cannot be found, read, trusted, or its engine reached.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        match &self.run {
            Some(run) => self.recover(run, global),
            None => Ok(self.list()),
        }
    }

    fn list(&self) -> Exit {
        let mut any = false;
        for folder in runner::folders(&self.reports) {
            let Ok(journal) = read::read(&folder) else { continue };
            let open = unfinished(&journal);
            if open.is_empty() || runner::lives(&folder) {
                continue;
            }
            any = true;
            let names: Vec<&str> = open.iter().map(|(_, injection)| injection.name.as_str()).collect();
            output::say(format_args!("{}  {}", folder.path().display(), names.join(", ")));
        }
        if any {
            output::warn("undo with: firedrill recover RUN");
            return Exit::CleanupUnproven;
        }
        output::say(format_args!("nothing is left to undo in {}", self.reports.display()));
        Exit::Held
    }

    fn recover(&self, run: &Path, global: &Global) -> anyhow::Result<Exit> {
        let folder = self.folder(run)?;
        trusted(&folder)?;
        let Some(_alive) = runner::hold(&folder)? else {
            bail!("{} is still running; stop it with `firedrill stop`", folder.run());
        };
        let journal = read::read(&folder)?;
        if unfinished(&journal).is_empty() {
            output::say(format_args!("nothing is left to undo of {}", folder.run()));
            return Ok(Exit::Held);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let clean = runtime.block_on(self.undo(&folder, &journal, global))?;
        again(&folder);
        Ok(if clean { Exit::Held } else { Exit::CleanupUnproven })
    }

    fn folder(&self, run: &Path) -> anyhow::Result<RunFolder> {
        let places = [run.to_owned(), self.reports.join(run)];
        let found = places.into_iter().map(RunFolder).find(|folder| folder.journal().is_file());
        found.with_context(|| format!("{} is no run folder", run.display()))
    }

    async fn undo(&self, folder: &RunFolder, journal: &Journal, global: &Global) -> anyhow::Result<bool> {
        let docker = Arc::new(docker::connect().await?);
        let live = Live::lines(global)?;
        let mut sink = live.sink();
        sink.accept(&journal.events[0]);
        let mut approve = |container: &str, command: &str| self.yes || asked(container, command);
        let outcome = engine::recover(folder, journal, docker, vec![sink], &mut approve).await;
        live.finish();
        let outcome = outcome?;
        for left in &outcome.left {
            output::warn(format_args!("left: {left}"));
        }
        if outcome.clean {
            output::say(format_args!("everything of {} is as before", folder.run()));
        }
        Ok(outcome.clean)
    }
}

/// A journal says what is done to containers, so nobody else may have written it.
fn trusted(folder: &RunFolder) -> anyhow::Result<()> {
    let (dir, journal) = (fs::symlink_metadata(folder.path())?, fs::symlink_metadata(folder.journal())?);
    let me = rustix::process::geteuid().as_raw();
    let shown = folder.path().display();
    if !dir.is_dir() || !journal.is_file() {
        bail!("{shown} is not trusted: it or its journal is a link");
    }
    if dir.uid() != me || journal.uid() != me {
        bail!("{shown} is not trusted: it belongs to user {}, you are {me}", dir.uid());
    }
    if dir.mode() & 0o077 != 0 {
        bail!("{shown} is not trusted: others may enter it (mode {:o}); if it is yours: chmod 700", dir.mode() & 0o777);
    }
    Ok(())
}

/// Asks on the terminal; without one, no.
fn asked(container: &str, command: &str) -> bool {
    if !io::stdin().is_terminal() {
        output::warn(format_args!("`{command}` in {container} is not run without --yes"));
        return false;
    }
    let _ = write!(io::stderr().lock(), "run `{}` in {container}? [y/N] ", engine::clean(command));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Writes the review again; the undo matters more than it.
fn again(folder: &RunFolder) {
    let written = analysis::analyse(folder).map_err(anyhow::Error::new);
    let written = written.and_then(|findings| Ok(review::write_all(folder, &findings)?));
    match written {
        Ok(()) => output::say(folder.path().join("review.md").display()),
        Err(error) => output::complain(&error.context("the review could not be written again")),
    }
}
