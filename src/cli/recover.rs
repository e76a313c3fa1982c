//! `firedrill recover`: undo what killed runs left behind, and remove what they made.

mod button;
mod left;

use super::{Exit, Global, live::Live, output};
use crate::{
    analysis,
    container::docker::{self, Docker},
    engine::{self, unfinished},
    journal::{
        RunFolder,
        read::{self, Journal},
        runner,
    },
    keeper::sweep,
    review,
};
use anyhow::{Context, bail};
use left::Left;
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
  firedrill recover --list                                      what is left of killed runs (code 5 if anything is)
  firedrill recover                                             show it, and undo it
  firedrill recover reports/20260301T100000Z-cache-loss-7f3a    undo one run
  firedrill recover --all                                       stop every drill, undo and remove everything")]
pub struct Recover {
    /// The run folder, or the name of one in the reports; without it, everything that is left.
    #[arg(value_name = "RUN", conflicts_with_all = ["list", "all"])]
    pub run: Option<PathBuf>,
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
    /// Only show what is left.
    #[arg(long)]
    pub list: bool,
    /// The big red button: stop drills that are running as well, and remove everything that firedrill has made on
    /// the engine, whoever made it (but for the shop of `demo up`).
    #[arg(long)]
    pub all: bool,
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
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let done = runtime.block_on(async {
            match &self.run {
                Some(run) => self.one(run, global).await,
                None => self.everything(global).await,
            }
        });
        runtime.shutdown_background();
        done
    }

    async fn everything(&self, global: &Global) -> anyhow::Result<Exit> {
        let docker = docker::connect().await;
        if self.list {
            return self.show(docker.ok().as_ref(), global).await;
        }
        let docker = docker?;
        let mut stuck = Vec::new();
        if self.all {
            stuck = button::press(&docker, &self.reports).await?;
        } else {
            left::await_keepers(&docker).await?;
        }
        let left = Left::find(&self.reports, Some(&docker), self.all).await?;
        if !global.json {
            left.show();
        }
        let mut held = Vec::new();
        for run in &left.runs {
            match self.recovered(&run.folder(), global).await {
                Ok(true) => {}
                Ok(false) => held.push(run.run.clone()),
                Err(error) => {
                    output::complain(&error.context(format!("{} is not recovered", run.run)));
                    held.push(run.run.clone());
                }
            }
        }
        if !self.all {
            let elsewhere = left.elsewhere(&self.reports);
            for run in &elsewhere {
                output::warn(format_args!(
                    "run {run} cannot be read in {}, so what it left on its targets is not known here; recover it from \
                     its own folder (--reports), or have its lock removed all the same (--all)",
                    self.reports.display()
                ));
            }
            held.extend(elsewhere);
        }
        left.remove(&docker, &held).await?;
        if self.all {
            left::remove_shared(&docker).await?;
        }
        let still = Left::find(&self.reports, Some(&docker), self.all).await?;
        self.conclude(&left, &still, &stuck, global)
    }

    async fn show(&self, docker: Option<&Docker>, global: &Global) -> anyhow::Result<Exit> {
        if docker.is_none() {
            output::warn("no Docker engine answers: only run folders are looked at");
        }
        let left = Left::find(&self.reports, docker, self.all).await?;
        match (global.json, left.is_empty()) {
            (true, _) => output::say(serde_json::to_string_pretty(&left)?),
            (false, true) => output::say(format_args!("nothing is left to undo in {}", self.reports.display())),
            (false, false) => left.show(),
        }
        if !global.json {
            left.show_images();
        }
        Ok(if left.is_empty() { Exit::Held } else { Exit::CleanupUnproven })
    }

    fn conclude(&self, found: &Left, still: &Left, stuck: &[String], global: &Global) -> anyhow::Result<Exit> {
        let clean = still.is_empty() && stuck.is_empty();
        if global.json {
            let told = serde_json::json!({ "found": found, "left": still, "still_running": stuck, "clean": clean });
            output::say(serde_json::to_string_pretty(&told)?);
        } else if clean && found.is_empty() {
            output::say(format_args!("nothing is left to undo in {}", self.reports.display()));
        } else if clean {
            output::say("everything is as before, and nothing of firedrill's is left");
        } else {
            output::warn("still left:");
            still.show();
            stuck.iter().for_each(|run| output::warn(format_args!("{run} does not end; kill it and recover again")));
        }
        Ok(if clean { Exit::Held } else { Exit::CleanupUnproven })
    }

    async fn one(&self, run: &Path, global: &Global) -> anyhow::Result<Exit> {
        let folder = self.folder(run)?;
        let clean = self.recovered(&folder, global).await?;
        Ok(if clean { Exit::Held } else { Exit::CleanupUnproven })
    }

    /// Undoes one run and removes what it made; whether all of it is as before.
    async fn recovered(&self, folder: &RunFolder, global: &Global) -> anyhow::Result<bool> {
        trusted(folder)?;
        let Some(_alive) = runner::hold(folder)? else {
            bail!("{} is still running; stop it with `firedrill stop`", folder.run());
        };
        let journal = read::read(folder)?;
        if unfinished(&journal).is_empty() {
            if let Ok(docker) = docker::connect().await {
                sweep::sweep(&docker, &folder.run(), &[]).await?;
            }
            tell(format_args!("nothing is left to undo of {}", folder.run()), global);
            return Ok(true);
        }
        let clean = self.undo(folder, &journal, global).await?;
        again(folder, global);
        Ok(clean)
    }

    fn folder(&self, run: &Path) -> anyhow::Result<RunFolder> {
        let places = [run.to_owned(), self.reports.join(run)];
        let found = places.into_iter().map(RunFolder).find(|folder| folder.journal().is_file());
        found.with_context(|| format!("{} is no run folder", run.display()))
    }

    async fn undo(&self, folder: &RunFolder, journal: &Journal, global: &Global) -> anyhow::Result<bool> {
        let docker = docker::connect().await?;
        let live = Live::lines(global)?;
        let mut sink = live.sink();
        sink.accept(&journal.events[0]);
        let mut approve = |container: &str, command: &str| self.yes || asked(container, command);
        let outcome = engine::recover(folder, journal, Arc::new(docker.clone()), vec![sink], &mut approve).await;
        live.finish();
        let outcome = outcome?;
        for left in &outcome.left {
            output::warn(format_args!("left: {left}"));
        }
        if outcome.clean {
            sweep::sweep(&docker, &folder.run(), &[]).await?;
            tell(format_args!("everything of {} is as before", folder.run()), global);
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
fn again(folder: &RunFolder, global: &Global) {
    let written = analysis::analyse(folder).map_err(anyhow::Error::new);
    let written = written.and_then(|findings| Ok(review::write_all(folder, &findings)?));
    match written {
        Ok(_) => tell(folder.path().join("review.md").display(), global),
        Err(error) => output::complain(&error.context("the review could not be written again")),
    }
}

/// Says something, where standard output is not for machines.
fn tell(text: impl std::fmt::Display, global: &Global) {
    if !global.json {
        output::say(text);
    }
}
