//! What killed runs have left: undos that nobody has proven, and things of ours on the engine.

use crate::{
    cli::output,
    container::{
        ContainerError, RUN_LABEL,
        docker::{Docker, LOCK, Ours, Role},
    },
    engine::unfinished,
    journal::{RunFolder, read, runner},
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// How long a keeper that is undoing is waited for.
const KEEPER_WITHIN: Duration = Duration::from_secs(75);
/// How long a helper may take to let go by itself.
const LET_GO_WITHIN: Duration = Duration::from_secs(12);
const STEP: Duration = Duration::from_millis(100);

/// All of it.
#[derive(Debug, Serialize)]
pub struct Left {
    /// Runs whose undo is not proven, and whose process is gone; newest first.
    pub runs: Vec<OpenRun>,
    /// Containers of ours that nobody needs any more.
    pub made: Vec<Made>,
    /// Names of helper images on the engine. They are kept for the next drill, so they alone are nothing to undo.
    pub images: Vec<String>,
}

/// A run that was killed.
#[derive(Debug, Serialize)]
pub struct OpenRun {
    /// Its id.
    pub run: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The containers that may still be under a fault.
    pub containers: Vec<String>,
}

/// A container of ours.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// `lock`, `keeper`, `helper`.
    pub role: &'static str,
    /// The run that it was made for.
    pub run: String,
    /// Whether it runs.
    pub running: bool,
    #[serde(skip)]
    id: String,
}

impl OpenRun {
    /// Its folder.
    pub fn folder(&self) -> RunFolder {
        RunFolder(self.folder.clone())
    }
}

impl Left {
    /// Looks for it among the reports and, if there is one, on the engine. With `all`, what living runs have made
    /// counts as well.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn find(reports: &Path, docker: Option<&Docker>, all: bool) -> Result<Left, ContainerError> {
        let runs = runner::folders(reports).into_iter().filter_map(open).collect();
        let (ours, images) = match docker {
            Some(docker) => (docker.ours(None).await?, docker.our_images().await?),
            None => (vec![], vec![]),
        };
        let made = ours.into_iter().filter(|one| all || one.is_orphan()).map(Made::from).collect();
        Ok(Left { runs, made, images })
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.made.is_empty()
    }

    /// Runs that still lock a container, and whose journal cannot be read here: nobody here knows what they left on it.
    pub fn elsewhere(&self, reports: &Path) -> BTreeSet<String> {
        let locking = self.made.iter().filter(|one| one.role == LOCK).map(|one| one.run.clone());
        locking.filter(|run| read::read(&RunFolder(reports.join(run))).is_err()).collect()
    }

    /// Prints it, one line each.
    pub fn show(&self) {
        for run in &self.runs {
            output::say(format_args!("{}  {}", run.folder.display(), run.containers.join(", ")));
        }
        for one in &self.made {
            let state = if one.running { ", running" } else { "" };
            output::say(format_args!("{} {}  of run {}{state}", one.role, one.name, one.run));
        }
    }

    /// Prints the images, one line each.
    pub fn show_images(&self) {
        for image in &self.images {
            output::say(format_args!("image {image}  for the next drill; `firedrill recover --all` removes it"));
        }
    }

    /// Removes the containers, helpers not before they had time to let go. The locks of `held` runs stay.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn remove(&self, docker: &Docker, held: &[String]) -> Result<(), ContainerError> {
        let mine = |one: &Made| !(one.role == LOCK && held.contains(&one.run));
        let helpers: Vec<&Made> = self.made.iter().filter(|one| one.running).collect();
        if !helpers.is_empty() {
            await_all(docker, LET_GO_WITHIN, |one| helpers.iter().any(|made| made.id == one.id && one.running)).await?;
        }
        for one in self.made.iter().filter(|one| mine(one)) {
            docker.remove_container(&one.id).await?;
        }
        Ok(())
    }
}

impl From<Ours> for Made {
    fn from(one: Ours) -> Made {
        Made { role: one.role.name(), name: one.name, run: one.run, running: one.running, id: one.id }
    }
}

fn open(folder: RunFolder) -> Option<OpenRun> {
    if runner::lives(&folder) {
        return None;
    }
    let open = unfinished(&read::read(&folder).ok()?);
    let mut containers: Vec<String> = open.into_iter().map(|(_, injection)| injection.name).collect();
    containers.dedup();
    (!containers.is_empty()).then(|| OpenRun { run: folder.run(), folder: folder.path().to_owned(), containers })
}

/// Waits for the keepers of dead runs, which are undoing; `true` if none is left at work.
///
/// # Errors
/// Those of the engine.
pub async fn await_keepers(docker: &Docker) -> Result<bool, ContainerError> {
    await_all(docker, KEEPER_WITHIN, |one| one.role == Role::Keeper && one.running && one.is_orphan()).await
}

/// Waits until nothing of ours is so; `false` if that takes too long.
pub(super) async fn await_all(
    docker: &Docker,
    within: Duration,
    so: impl Fn(&Ours) -> bool,
) -> Result<bool, ContainerError> {
    let deadline = Instant::now() + within;
    while docker.ours(None).await?.iter().any(&so) {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(true)
}

/// Removes what all runs share: images, and networks if there are any. What somebody uses stays.
///
/// # Errors
/// Those of the engine.
pub async fn remove_shared(docker: &Docker) -> Result<(), ContainerError> {
    for network in docker.networks_labelled(RUN_LABEL).await? {
        docker.remove_network(&network).await?;
    }
    for image in docker.our_images().await? {
        if let Err(error) = docker.remove_image(&image).await {
            output::warn(format_args!("image {image} stays: {error}"));
        }
    }
    Ok(())
}
