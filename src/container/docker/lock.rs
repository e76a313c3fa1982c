//! One drill per target at a time: the lock is a container's *name*, which the engine gives away atomically.
//! The container behind it holds nothing and is never started.

use super::{Docker, Ours, Role, image, setup::NewContainer};
use crate::container::{ContainerError, ContainerId, Holder, RUN_LABEL};
use bollard::models::ContainerInspectResponse;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

const IMAGE: &str = "firedrill-lock:1";
pub(super) const TARGET_LABEL: &str = "firedrill.lock";
pub(super) const RUNNER_LABEL: &str = crate::container::RUNNER_LABEL;
/// On locks that only `recover` gives back when their holder is gone.
pub(super) const ASKS_LABEL: &str = "firedrill.asks-first";
/// A name that is taken while its container is not to be seen yet is looked at so often, 50 ms apart.
const LOOKS: usize = 40;
/// How long the keeper of a killed run may take to undo, before its lock counts as stale.
const KEEPER_WITHIN: Duration = Duration::from_secs(75);

fn name(target: &ContainerId) -> String {
    format!("firedrill-lock-{}", target.id)
}

impl Docker {
    pub(super) async fn take(&self, target: &ContainerId, holder: &Holder) -> Result<Option<Holder>, ContainerError> {
        let mut labels = BTreeMap::from([
            (RUN_LABEL.into(), holder.run.clone()),
            (TARGET_LABEL.into(), target.id.clone()),
            (RUNNER_LABEL.into(), holder.runner.clone()),
        ]);
        labels.extend(holder.asks_first.then(|| (ASKS_LABEL.into(), "true".into())));
        let lock = NewContainer {
            name: name(target),
            image: IMAGE.into(),
            command: vec!["none".into()],
            network_mode: Some("none".into()),
            labels,
            ..NewContainer::default()
        };
        let (mut looks, deadline) = (0, Instant::now() + KEEPER_WITHIN);
        while looks < LOOKS {
            looks += 1;
            match self.create_container(&lock).await {
                Ok(_) => return Ok(None),
                Err(ContainerError::NotFound { .. }) => self.load_lock_image().await?,
                Err(ContainerError::Conflict(_)) => match self.held(target).await? {
                    Some((_, other)) if other == *holder => return Ok(None),
                    // Its keeper is undoing: the lock is about to be given back.
                    Some((_, other)) if other.is_gone() && Instant::now() < deadline && self.kept(&other.run).await => {
                        looks = 0;
                        tokio::time::sleep(Duration::from_millis(250)).await;
                    }
                    Some((_, other)) if other.is_gone() && other.asks_first => return Ok(Some(other)),
                    Some((id, other)) if other.is_gone() => self.remove_container(&id).await?,
                    Some((_, other)) => return Ok(Some(other)),
                    None => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Err(error) => return Err(error),
            }
        }
        Err(ContainerError::Conflict(format!("the name {} is taken by something that cannot be seen", name(target))))
    }

    /// Whether a keeper of the run is at work.
    async fn kept(&self, run: &str) -> bool {
        let ours = self.ours(Some(run)).await.unwrap_or_default();
        ours.iter().any(|one| one.role == Role::Keeper && one.running)
    }

    /// Removes what killed runs have left and nobody has a use for: the locks of containers that are gone, and
    /// helpers that were made and never started, or have ended. Locks of containers that are there stay: they tell
    /// `recover` where to look.
    pub(super) async fn reap_orphans(&self) -> Result<Vec<String>, ContainerError> {
        let orphans: Vec<Ours> = self.ours(None).await?.into_iter().filter(Ours::is_orphan).collect();
        let mut reaped = Vec::new();
        for orphan in orphans {
            let useless = match &orphan.role {
                Role::Lock(target) => self.is_gone(target).await,
                Role::Helper => !orphan.running,
                // One that has ended without its end knows something that `recover` wants.
                Role::Keeper => !orphan.begun,
            };
            if useless {
                self.remove_container(&orphan.id).await?;
                reaped.push(orphan.name);
            }
        }
        Ok(reaped)
    }

    async fn is_gone(&self, container: &str) -> bool {
        let found = self.ask(self.client.inspect_container(container, None)).await;
        matches!(found, Err(ContainerError::NotFound { .. }))
    }

    pub(super) async fn give_back(&self, target: &ContainerId, run: &str) -> Result<(), ContainerError> {
        match self.held(target).await? {
            Some((id, holder)) if holder.run == run => self.remove_container(&id).await,
            _ => Ok(()),
        }
    }

    /// The lock's own id, so that nobody removes a lock that another has taken meanwhile; and who holds it.
    pub(super) async fn held(&self, target: &ContainerId) -> Result<Option<(String, Holder)>, ContainerError> {
        match self.ask(self.client.inspect_container(&name(target), None)).await {
            Ok(answer) => Ok(Some(read(answer))),
            Err(ContainerError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn load_lock_image(&self) -> Result<(), ContainerError> {
        let labels = BTreeMap::from([(RUN_LABEL.to_owned(), "lock".to_owned())]);
        let recipe = image::Recipe { tag: IMAGE.into(), labels, ..image::Recipe::default() };
        let packed = image::pack(&recipe, &[]).map_err(|e| ContainerError::Conflict(e.to_string()))?;
        self.load(IMAGE, packed).await.map(drop)
    }
}

fn read(answer: ContainerInspectResponse) -> (String, Holder) {
    let mut labels = answer.config.and_then(|config| config.labels).unwrap_or_default();
    let asks_first = labels.contains_key(ASKS_LABEL);
    let mut label = |name: &str| labels.remove(name).unwrap_or_default();
    (answer.id.unwrap_or_default(), Holder { run: label(RUN_LABEL), runner: label(RUNNER_LABEL), asks_first })
}
