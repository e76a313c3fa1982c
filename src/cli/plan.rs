//! `firedrill plan`: what would be done, to which containers, with every undo. Touches nothing.

use super::{
    Exit, Global,
    output::{say, warn},
};
use crate::{
    container::{
        ContainerError,
        docker::{self, Docker},
    },
    plan::{self, Options, PlanError},
    scenario::{Diagnostics, Loaded},
};
use rand::{TryRng, rngs::SysRng};
use serde_json::{Value, json};

/// Arguments of `firedrill plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill plan scenarios/demo.yaml                second by second, with every undo
  firedrill plan scenarios/demo.yaml --seed 7       what `run --seed 7` would pick
  firedrill plan scenarios/demo.yaml --json         for machines")]
pub struct Plan {
    #[command(flatten)]
    pub scenarios: super::Scenarios,
    #[command(flatten)]
    pub how: How,
}

/// What decides a plan besides the scenario: what `run` and `plan` have in common.
#[derive(Debug, Clone, clap::Args)]
pub struct How {
    /// The seed of all chance (which containers are picked); chosen and printed if it is not given.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Let `exec` probes run commands on this host.
    #[arg(long)]
    pub allow_host_exec: bool,
}

impl How {
    /// The seed that was asked for, or a new one: short enough to be read out and typed again.
    pub fn seed(&self) -> u64 {
        self.seed.or_else(|| SysRng.try_next_u32().ok().map(u64::from)).unwrap_or(0)
    }

    /// What the plan may contain.
    pub fn options(&self) -> Options {
        Options { allow_host_exec: self.allow_host_exec }
    }
}

impl Plan {
    /// Prints the plan of every scenario. 2: one is invalid, and none was planned. 3: one could not be run.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let Some(scenarios) = valid(self.scenarios.read()?, global) else { return Ok(Exit::Invalid) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let engine = runtime.block_on(docker::connect());
        let seed = self.how.seed();
        let mut exits = Vec::new();
        for (number, loaded) in scenarios.iter().enumerate() {
            if number > 0 && !global.json {
                say("");
            }
            exits.push(match &engine {
                Ok(docker) => runtime.block_on(self.one(loaded, docker, seed, global))?,
                Err(error) => no_engine(loaded, error, global),
            });
        }
        Ok(Exit::worst(exits))
    }

    async fn one(&self, loaded: &Loaded, docker: &Docker, seed: u64, global: &Global) -> anyhow::Result<Exit> {
        match plan::make(&loaded.scenario, docker, seed, &self.how.options()).await {
            Ok(plan) if global.json => say(serde_json::to_string_pretty(&plan)?),
            Ok(plan) => {
                say(plan::text(&plan));
                say("\nNothing was touched.");
            }
            Err(errors) => {
                refuse(loaded, &errors, global);
                return Ok(Exit::CouldNotRun);
            }
        }
        Ok(Exit::Held)
    }
}

/// All of them, if every one is valid; else says what is wrong with any.
pub(super) fn valid(read: Vec<Result<Loaded, Diagnostics>>, global: &Global) -> Option<Vec<Loaded>> {
    let (good, bad): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
    for errors in bad.iter().filter_map(|one| one.as_ref().err()) {
        if global.json {
            say(errors.as_json());
        } else {
            warn(errors.render(global.color.stderr()));
        }
    }
    bad.is_empty().then(|| good.into_iter().flatten().collect())
}

/// Says why a scenario cannot be run, each reason at its place in the file.
pub(super) fn refuse(loaded: &Loaded, errors: &[PlanError], global: &Global) {
    if global.json {
        let errors: Vec<Value> = errors.iter().map(as_json).collect();
        return say(json!({ "file": loaded.path.to_string_lossy(), "could_not_run": errors }));
    }
    for error in errors {
        if error.place.line == 0 {
            warn(format_args!("error: {}: {}", loaded.path.display(), error.message));
            error.help.iter().for_each(|help| warn(format_args!("  help: {help}")));
        } else {
            let shown = loaded.error_at(error.place, error.message.clone(), error.help.clone());
            warn(shown.render(global.color.stderr()));
        }
    }
}

fn as_json(error: &PlanError) -> Value {
    json!({
        "line": (error.place.line > 0).then_some(error.place.line),
        "column": (error.place.line > 0).then_some(error.place.column),
        "message": error.message,
        "help": error.help,
    })
}

fn no_engine(loaded: &Loaded, error: &ContainerError, global: &Global) -> Exit {
    refuse(loaded, &[PlanError::of_engine(error)], global);
    Exit::CouldNotRun
}
