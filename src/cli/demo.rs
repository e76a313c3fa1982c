//! `firedrill demo`, and the hidden `firedrill demo-serve` that its containers run.

use super::{
    Exit, Global,
    drill::{self, Done, Request},
    output, run, series,
};
use crate::{
    clock::RunClock,
    container::docker::{self, Docker},
    demo::{self, DemoError, KEPT_PROJECT, Owner, Role, Shop},
    engine::signals::Stops,
    plan,
    scenario::{self, Loaded},
};
use anyhow::Context;
use clap::Subcommand;
use futures_util::FutureExt;
use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
};

/// What is run, as it lies in the repository; in the binary, so that it needs no file.
const KILL: Script = Script { text: include_str!("../../scenarios/demo.yaml"), path: "scenarios/demo.yaml" };
const NETWORK: Script =
    Script { text: include_str!("../../scenarios/demo-network.yaml"), path: "scenarios/demo-network.yaml" };

/// A scenario of the demo.
#[derive(Debug, Clone, Copy)]
struct Script {
    text: &'static str,
    path: &'static str,
}

/// Arguments of `firedrill demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The shop alone, for scenarios of your own:
  firedrill demo up
  firedrill run scenarios/examples/pause.yaml
  firedrill demo down")]
pub struct Demo {
    #[command(subcommand)]
    action: Option<Action>,
    /// Break the network rather than a replica: a store that is far away, a replica that is cut off.
    #[arg(long)]
    network: bool,
    /// Leave the shop running afterwards; `firedrill demo down` removes it.
    #[arg(long)]
    keep: bool,
    /// Where the run folder goes.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    reports: PathBuf,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Start the shop and leave it running.
    Up(Project),
    /// Remove the shop that `up` or `--keep` left running.
    Down(Project),
}

#[derive(Debug, Clone, clap::Args)]
struct Project {
    /// Its compose project: scenarios find it with `--set project=NAME`.
    #[arg(long, value_name = "NAME", default_value = KEPT_PROJECT)]
    project: String,
}

impl Demo {
    /// Does it.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let done = runtime.block_on(self.with_docker(global));
        // An operation that hangs must not hold the end of the program.
        runtime.shutdown_background();
        done
    }

    async fn with_docker(&self, global: &Global) -> anyhow::Result<Exit> {
        let docker = match docker::connect().await {
            Ok(docker) => docker,
            Err(error) => return Ok(could_not(error.into(), "the demo needs a Docker Engine")),
        };
        clear_leftovers(&docker).await?;
        match &self.action {
            Some(Action::Up(Project { project })) => up(&docker, project, global).await,
            Some(Action::Down(Project { project })) => down(&docker, project, global).await,
            None => self.whole(&docker, global).await,
        }
    }

    /// The shop, the drill, the review; then the shop is removed, whatever happened.
    async fn whole(&self, docker: &Docker, global: &Global) -> anyhow::Result<Exit> {
        let stops = Stops::listen(run::give_up)?;
        let (project, owner) = if self.keep {
            (KEPT_PROJECT.to_owned(), Owner::kept())
        } else {
            (format!("{KEPT_PROJECT}-{:08x}", fresh()?), Owner::this_process())
        };
        say(global, "starting a small web shop: a front, two replicas of its api, a store");
        // A panic must not leave the shop behind either.
        let drilled = AssertUnwindSafe(self.drill(docker, &project, &owner, &stops, global)).catch_unwind().await;
        let removed = if self.keep { Ok(()) } else { demo::down(docker, &project).await };
        match (&removed, self.keep) {
            (Err(error), _) => {
                output::warn(format_args!("the shop could not be removed: {error}; firedrill demo down does it later"))
            }
            (Ok(()), true) => say(global, "the shop is still up; remove it with: firedrill demo down"),
            (Ok(()), false) => say(global, "the shop is removed"),
        }
        let drilled = drilled.map_err(|_| anyhow::anyhow!("the drill ended in a defect of firedrill; see above"))?;
        let done = match drilled {
            Ok(Some(done)) => done,
            Ok(None) => return Ok(Exit::Stopped),
            Err(error) => {
                output::complain(&error);
                return Ok(Exit::CouldNotRun);
            }
        };
        series::tell(&[self.script().loaded(&project)?], std::slice::from_ref(&done), global, None)?;
        Ok(if removed.is_err() { Exit::CleanupUnproven } else { done.exit })
    }

    fn script(&self) -> Script {
        if self.network { NETWORK } else { KILL }
    }

    /// `None` if somebody asked to stop before the drill began.
    async fn drill(
        &self,
        docker: &Docker,
        project: &str,
        owner: &Owner,
        stops: &Stops,
        global: &Global,
    ) -> anyhow::Result<Option<Done>> {
        let mut asked = stops.subscribe();
        tokio::select! {
            shop = found_or_started(docker, project, owner) => shop.context("the shop did not start")?,
            Some(_) = asked.recv() => return Ok(None),
        };
        let request = Request {
            reports: self.reports.clone(),
            seed: None,
            strict: false,
            keeper: true,
            plan: plan::Options { allow_host_exec: false },
            command: std::env::args().collect(),
        };
        drill::drill(&self.script().loaded(project)?, &request, stops, RunClock::start(), global).await.map(Some)
    }
}

async fn found_or_started(docker: &Docker, project: &str, owner: &Owner) -> Result<Shop, DemoError> {
    match demo::find(docker, project).await? {
        Some(shop) => Ok(shop),
        None => demo::up(docker, project, owner).await,
    }
}

impl Script {
    /// For a shop.
    fn loaded(self, project: &str) -> anyhow::Result<Loaded> {
        let set = BTreeMap::from([("project".to_owned(), project.to_owned())]);
        scenario::read_text(Path::new(self.path), self.text.to_owned(), &set, &|_| None)
            .map_err(|errors| anyhow::anyhow!("{}", errors.render(false)))
    }
}

/// A number that no other demo on this engine has.
fn fresh() -> anyhow::Result<u32> {
    use rand::{TryRng, rngs::SysRng};
    Ok(SysRng.try_next_u32()?)
}

async fn up(docker: &Docker, project: &str, global: &Global) -> anyhow::Result<Exit> {
    match found_or_started(docker, project, &Owner::kept()).await {
        Ok(shop) => tell(&shop, global),
        Err(error) => {
            let exit = could_not(error, "the shop did not start");
            output::warn("`firedrill demo down` removes what there is of it");
            return Ok(exit);
        }
    }
    Ok(Exit::Held)
}

fn tell(shop: &Shop, global: &Global) {
    if global.json {
        output::say(serde_json::json!({ "project": shop.project, "url": shop.url }));
        return;
    }
    let named = shop.project != KEPT_PROJECT;
    let with = |option: &str| if named { format!(" {option}{}", shop.project) } else { String::new() };
    say(global, format_args!("the shop is up at {} (compose project {})", shop.url, shop.project));
    say(global, format_args!("a drill:   firedrill run scenarios/examples/pause.yaml{}", with("--set project=")));
    say(global, format_args!("remove it: firedrill demo down{}", with("--project ")));
}

async fn down(docker: &Docker, project: &str, global: &Global) -> anyhow::Result<Exit> {
    demo::down(docker, project).await.context("the shop could not be removed")?;
    say(global, "the shop is removed");
    Ok(Exit::Held)
}

/// Removes what demos left behind that were killed, and says so.
async fn clear_leftovers(docker: &Docker) -> anyhow::Result<()> {
    for project in demo::leftovers(docker).await? {
        demo::down(docker, &project).await.with_context(|| format!("{project}, left by a killed demo"))?;
        output::warn(format_args!("removed {project}, left behind by a demo that was killed"));
    }
    Ok(())
}

fn say(global: &Global, text: impl std::fmt::Display) {
    if !global.quiet && !global.json {
        output::say(text);
    }
}

fn could_not(error: DemoError, what: &'static str) -> Exit {
    output::complain(&anyhow::Error::new(error).context(what));
    Exit::CouldNotRun
}

/// Arguments of `firedrill demo-serve`.
#[derive(Debug, clap::Args)]
pub struct DemoServe {
    #[command(subcommand)]
    role: Role,
}

impl DemoServe {
    /// Serves until SIGTERM.
    pub fn run(&self, _: &Global) -> anyhow::Result<Exit> {
        demo::serve(&self.role)?;
        Ok(Exit::Held)
    }
}
