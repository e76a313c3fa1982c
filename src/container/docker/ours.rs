//! What firedrill itself has made on an engine, and who answers for it. All of it bears the label of its run.

use super::{Docker, lock};
use crate::container::{ContainerError, Holder, RUN_LABEL, helper::ROLE_LABEL};
use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::{KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder},
};
use std::collections::HashMap;

/// The role of a keeper's container.
pub const KEEPER: &str = "keeper";

/// The role of a container that is a lock.
pub const LOCK: &str = "lock";

/// A container of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The run that it was made for.
    pub run: String,
    /// What it is for.
    pub role: Role,
    /// Whether it runs.
    pub running: bool,
    /// Whether it was ever started.
    pub begun: bool,
    /// Who made it, if it says so.
    pub holder: Option<Holder>,
}

/// What a container of ours is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Keeps others from a target, by its name: the full id of the target.
    Lock(String),
    /// Holds an undo list.
    Keeper,
    /// Holds a fault, beside a target.
    Helper,
}

impl Role {
    /// As people read it.
    pub fn name(&self) -> &'static str {
        match self {
            Role::Lock(_) => LOCK,
            Role::Keeper => "keeper",
            Role::Helper => "helper",
        }
    }
}

impl Ours {
    /// Whether its runner is known to be gone.
    pub fn is_orphan(&self) -> bool {
        self.holder.as_ref().is_some_and(Holder::is_gone)
    }
}

impl Docker {
    /// What we have made on this engine, of one run or of all, in the order of their names.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn ours(&self, run: Option<&str>) -> Result<Vec<Ours>, ContainerError> {
        let label = run.map_or_else(|| RUN_LABEL.to_owned(), |run| format!("{RUN_LABEL}={run}"));
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.ask(self.client.list_containers(Some(options))).await?;
        let mut ours: Vec<Ours> = found.into_iter().filter_map(read).collect();
        ours.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ours)
    }

    /// Sends a signal to a container of ours; done as well if it does not run, or is gone.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn signal_ours(&self, id: &str, signal: &str) -> Result<(), ContainerError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        match self.ask(self.client.kill_container(id, Some(options))).await {
            Err(ContainerError::NotFound { .. }) => Ok(()),
            Err(ContainerError::Conflict(message)) if message.contains("is not running") => Ok(()),
            answer => answer,
        }
    }

    /// The tags (or ids) of the images that we have made for runs; those of demos are not among them.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn our_images(&self) -> Result<Vec<String>, ContainerError> {
        let filters = HashMap::from([("label", vec![RUN_LABEL])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let found = self.ask(self.client.list_images(Some(options))).await?;
        let ours = found.into_iter().filter(|image| image.labels.get(RUN_LABEL).is_some_and(|run| !run.is_empty()));
        let name = |tags: Vec<String>, id: String| tags.into_iter().find(|tag| !tag.starts_with('<')).unwrap_or(id);
        Ok(ours.map(|image| name(image.repo_tags, image.id)).collect())
    }
}

fn read(found: ContainerSummary) -> Option<Ours> {
    let mut labels = found.labels.unwrap_or_default();
    let run = labels.remove(RUN_LABEL).filter(|run| !run.is_empty())?;
    let role = match (labels.remove(lock::TARGET_LABEL), labels.remove(ROLE_LABEL).as_deref()) {
        (Some(target), _) => Role::Lock(target),
        (None, Some(KEEPER)) => Role::Keeper,
        (None, _) => Role::Helper,
    };
    let running = |state| {
        use ContainerSummaryStateEnum as State;
        matches!(state, State::RUNNING | State::PAUSED | State::RESTARTING)
    };
    Some(Ours {
        id: found.id?,
        name: found.names.unwrap_or_default().first().map(|name| name.trim_start_matches('/').to_owned())?,
        role,
        running: found.state.is_some_and(running),
        begun: found.state != Some(ContainerSummaryStateEnum::CREATED),
        holder: labels.remove(lock::RUNNER_LABEL).map(|runner| {
            let asks_first = labels.contains_key(lock::ASKS_LABEL);
            Holder { run: run.clone(), runner, asks_first }
        }),
        run,
    })
}
