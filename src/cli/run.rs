//! `firedrill run`: one scenario, or several one after another.

use super::{
    Exit, Global,
    drill::{self, Done, Request},
    output,
};
use crate::{
    clock::RunClock,
    engine::signals::Stops,
    plan,
    scenario::{self, Loaded},
};
use anyhow::Context;
use std::{collections::BTreeMap, path::PathBuf};

/// Arguments of `firedrill run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill run scenarios/cache-loss.yaml
  firedrill run scenarios/ --strict --junit drills.xml      a folder, one after another, for CI
  firedrill run scenarios/cache-loss.yaml --set rate=50/s --seed 7

While it runs, from another terminal:
  firedrill note 'the queue grows'       also: ack, saw, decided
ctrl-C stops and undoes; a second one undoes without waiting; a third gives up.")]
pub struct Run {
    #[command(flatten)]
    pub scenarios: super::Scenarios,
    /// Where run folders go.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
    /// The seed of all chance (which replica is picked); printed with every run.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// A hypothesis that held with a low margin (under 20 %) counts as violated.
    #[arg(long)]
    pub strict: bool,
    /// Go on with the next scenario even after a guard halted one.
    #[arg(long)]
    pub keep_going: bool,
    /// Let `exec` probes without a target run their commands on this host.
    #[arg(long)]
    pub allow_host_exec: bool,
    /// Go without a keeper: if firedrill is killed, its faults stay on until `firedrill recover`.
    #[arg(long)]
    pub no_keeper: bool,
    /// Write one JUnit file for all scenarios.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

impl Run {
    /// Validates everything, then runs one drill after another.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let clock = RunClock::start();
        let Some(all) = self.read(global)? else { return Ok(Exit::Invalid) };
        let request = Request {
            reports: self.reports.clone(),
            seed: self.seed,
            strict: self.strict,
            keeper: !self.no_keeper,
            plan: plan::Options { allow_host_exec: self.allow_host_exec },
            command: std::env::args().collect(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let done = runtime.block_on(self.all(&all, &request, clock, global));
        // An operation that hangs must not hold the end of the program.
        runtime.shutdown_background();
        let (done, cut) = done?;
        super::series::tell(&all, &done, global, self.junit.as_deref())?;
        let stopped = cut.then_some(Exit::Stopped);
        Ok(Exit::worst(done.iter().map(|done| done.exit).chain(stopped)))
    }

    /// Every scenario that was asked for; `None` (and the errors printed) if one is invalid or none is there.
    fn read(&self, global: &Global) -> anyhow::Result<Option<Vec<Loaded>>> {
        let set: BTreeMap<String, String> = self.scenarios.set.iter().cloned().collect();
        let (mut all, mut wrong) = (Vec::new(), false);
        for path in &self.scenarios.paths {
            let files = scenario::folder(path).with_context(|| format!("{} cannot be read", path.display()))?;
            for file in files {
                match scenario::read(&file, &set, &|name| std::env::var(name).ok()) {
                    Ok(loaded) => all.push(loaded),
                    Err(errors) => {
                        wrong = true;
                        output::warn(errors.render(global.color.stderr()));
                    }
                }
            }
        }
        for loaded in all.iter().filter(|loaded| loaded.scenario.expect.is_empty()) {
            wrong = true;
            output::warn(format_args!(
                "error: {}: `expect` promises nothing, so there is nothing to judge",
                loaded.path.display()
            ));
        }
        if all.is_empty() && !wrong {
            wrong = true;
            output::warn("error: no scenario (*.yaml) is there");
        }
        Ok(if wrong { None } else { Some(all) })
    }

    /// What became of each drill, and whether a person cut the series short.
    async fn all(
        &self,
        all: &[Loaded],
        request: &Request,
        clock: RunClock,
        global: &Global,
    ) -> anyhow::Result<(Vec<Done>, bool)> {
        let stops = Stops::listen(give_up)?;
        let mut done: Vec<Done> = Vec::new();
        for (number, loaded) in all.iter().enumerate() {
            if let Some(last) = done.last() {
                if self.ends_series(last.exit) || stops.asked() {
                    break;
                }
                let open = drill::settled(&last.targets, &stops).await;
                if !open.is_empty() && !global.quiet {
                    output::warn(format_args!("not healthy after {}: {}", last.scenario, open.join(", ")));
                }
            }
            // The first run counts from the start of the program.
            let clock = if number == 0 { clock } else { RunClock::start() };
            done.push(drill::drill(loaded, request, &stops, clock, global).await?);
        }
        let cut = stops.asked() && done.len() < all.len();
        Ok((done, cut))
    }

    /// Whether no further scenario is run after one that came to this.
    fn ends_series(&self, exit: Exit) -> bool {
        match exit {
            Exit::CleanupUnproven | Exit::Stopped => true,
            Exit::Halted => !self.keep_going,
            _ => false,
        }
    }
}

/// The third request to stop: out, whatever is still on.
pub(super) fn give_up() {
    output::warn("gave up waiting; what is still on is undone by:\n  firedrill recover");
    std::process::exit(Exit::CleanupUnproven as i32);
}
