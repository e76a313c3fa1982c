//! One drill for a verb: plan it, run it, review it, and say what it came to.

use super::{Exit, Global, earlier, live::Live, output};
use crate::{
    analysis::{self, Findings},
    clock::RunClock,
    container::{Container, Containers, Health, State, docker},
    detect,
    engine::{self, Outcome, signals::Stops},
    event::{FORMAT, NotStarted, RunStarted},
    journal::RunFolder,
    keeper::line::Place,
    load::Load,
    plan::{self, Plan, PlanError},
    review,
    scenario::Loaded,
};
use anyhow::Context;
use rand::{TryRng, rngs::SysRng};
use std::{path::Path, process::Command, sync::Arc, time::Duration};

/// What all drills of one command have in common.
pub struct Request {
    /// Where run folders go.
    pub reports: std::path::PathBuf,
    /// The seed of all chance; chosen anew for each drill if absent.
    pub seed: Option<u64>,
    /// A low margin counts as violated.
    pub strict: bool,
    /// Whether somebody outside of this process keeps the undo list.
    pub keeper: bool,
    /// What the plan may do.
    pub plan: plan::Options,
    /// What was typed, or stands for it.
    pub command: Vec<String>,
}

/// What a drill came to.
pub struct Done {
    /// Its exit code.
    pub exit: Exit,
    /// The scenario's name.
    pub scenario: String,
    /// Its folder.
    pub folder: Option<RunFolder>,
    /// What its journal says, if it could be analysed.
    pub findings: Option<Findings>,
    /// Why there is no review of it, for people.
    pub trouble: Option<String>,
    /// The containers that it hit.
    pub targets: Vec<Container>,
}

/// Runs one drill, and writes its review.
///
/// # Errors
/// Only what keeps a run folder from being made; all else is in [`Done`].
pub async fn drill(
    loaded: &Loaded,
    request: &Request,
    stops: &Stops,
    clock: RunClock,
    global: &Global,
) -> anyhow::Result<Done> {
    let live = Live::start(global)?;
    let started = started(loaded, request, clock)?;
    let seed = started.seed;
    let opened = engine::open(&request.reports, clock, started, &loaded.source, vec![live.sink()])
        .with_context(|| format!("no run folder can be made in {}", request.reports.display()))?;
    let folder = opened.folder.clone();
    let planned = planned(loaded, seed, request).await;
    let (outcome, targets, refusal) = match planned {
        Err(refusal) => (opened.abandon(NotStarted::CouldNotRun(refusal.short.clone())), vec![], Some(refusal.full)),
        Ok((containers, plan)) => {
            let place = || Place::at(&plan.engine.address, folder.keeper());
            let place = request.keeper.then(place);
            let targets: Vec<Container> = plan.targets.values().flatten().cloned().collect();
            let context = engine::Context {
                containers,
                load: Load::Real,
                alerts: detect::Source::Real,
                env: Arc::new(|name| std::env::var(name).ok()),
                onlooker: Some(live.onlooker()),
                stops: stops.subscribe(),
                place,
                earlier: earlier::earlier(&request.reports, &loaded.scenario.name, &folder),
            };
            (opened.conduct(plan, context).await, targets, None)
        }
    };
    live.finish();
    let mut done = reviewed(loaded, folder, &outcome, request.strict);
    done.targets = targets;
    super::history::refresh_site(&request.reports);
    if let Some(refusal) = refusal {
        output::warn(refusal);
    }
    Ok(done)
}

/// Why a plan could not be made: in a line, and as it is shown.
struct Refusal {
    short: String,
    full: String,
}

async fn planned(loaded: &Loaded, seed: u64, request: &Request) -> Result<(Arc<dyn Containers>, Plan), Refusal> {
    let docker = docker::connect().await.map_err(|error| {
        let short = error.to_string();
        Refusal { full: format!("error: {short}"), short }
    })?;
    match plan::make(&loaded.scenario, &docker, seed, &request.plan).await {
        Ok(plan) => Ok((Arc::new(docker), plan)),
        Err(errors) => Err(refused(loaded, &errors)),
    }
}

fn refused(loaded: &Loaded, errors: &[PlanError]) -> Refusal {
    let short = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
    let colour = output::When::Auto.stderr();
    let show = |error: &PlanError| loaded.error_at(error.place, &error.message, error.help.clone()).render(colour);
    Refusal { short, full: errors.iter().map(show).collect::<Vec<_>>().join("\n") }
}

fn started(loaded: &Loaded, request: &Request, clock: RunClock) -> anyhow::Result<RunStarted> {
    let seed = match request.seed {
        Some(seed) => seed,
        // Short enough to be typed again.
        None => u64::from(SysRng.try_next_u32().context("the system gives no random number")?),
    };
    let path = loaded.path.canonicalize().unwrap_or_else(|_| loaded.path.clone());
    Ok(RunStarted {
        format: FORMAT,
        run: String::new(),
        started: clock.started(),
        time_zone: jiff::tz::TimeZone::system().iana_name().unwrap_or("Etc/UTC").to_owned(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: request.command.clone(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        scenario_path: loaded.path.display().to_string(),
        scenario_digest: loaded.digest.clone(),
        seed,
        git: path.parent().and_then(described),
        terms: plan::promised(&loaded.scenario),
    })
}

/// How long git may take.
const GIT_PATIENCE: Duration = Duration::from_millis(250);

/// `git describe` of a folder, if it is in git and git is quick.
fn described(folder: &Path) -> Option<String> {
    // A folder's own configuration must not run programs.
    let settings = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(settings).args(["describe", "--always", "--dirty"]);
    git.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(git.output()));
    let output = wait.recv_timeout(GIT_PATIENCE).ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn reviewed(loaded: &Loaded, folder: RunFolder, outcome: &Outcome, strict: bool) -> Done {
    let mut done = Done {
        exit: fallback(outcome),
        scenario: loaded.scenario.name.clone(),
        folder: None,
        findings: None,
        trouble: None,
        targets: vec![],
    };
    match analysis::analyse(&folder) {
        Ok(findings) => {
            done.exit = exit(&findings, outcome, strict);
            if let Err(error) = review::write_all(&folder, &findings) {
                done.exit = done.exit.without_a_review();
                done.trouble = Some(format!("the review cannot be written: {error}"));
            }
            done.findings = Some(findings);
        }
        Err(error) => done.trouble = Some(format!("the run cannot be analysed: {error}")),
    }
    done.folder = Some(folder);
    done
}

/// The verdict's code; but what the engine knows to be left behind is never hidden by a lost journal.
fn exit(findings: &Findings, outcome: &Outcome, strict: bool) -> Exit {
    let code = Exit::from_code(findings.verdict.code).unwrap_or(Exit::Undecided);
    match code {
        _ if !outcome.clean => Exit::CleanupUnproven,
        code if outcome.lost => code.without_a_review(),
        Exit::Held if strict && findings.verdict.low_margin => Exit::Violated,
        code => code,
    }
}

/// What is known without the journal.
fn fallback(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome { clean: false, .. } => Exit::CleanupUnproven,
        Outcome { stopped: true, .. } => Exit::Stopped,
        _ => Exit::Undecided,
    }
}

/// How long the next drill of a series waits for the last one's targets.
const SETTLE: Duration = Duration::from_secs(60);

/// Waits until these containers run and are healthy; says which are not in the end.
pub async fn settled(containers: &[Container], stops: &Stops) -> Vec<String> {
    let Ok(docker) = docker::connect().await else { return vec![] };
    let deadline = tokio::time::Instant::now() + SETTLE;
    loop {
        let mut open = Vec::new();
        for container in containers {
            let well = docker.inspect(&container.id).await.is_ok_and(|now| {
                now.state == State::Running && now.health.is_none_or(|health| health == Health::Healthy)
            });
            if !well {
                open.push(container.name.clone());
            }
        }
        if open.is_empty() || stops.asked() || tokio::time::Instant::now() >= deadline {
            return open;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
