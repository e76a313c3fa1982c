//! What a run leaves on an engine besides its faults: helpers, locks, and the keeper itself.

use crate::container::{
    ContainerError, ContainerId,
    docker::{Docker, Ours, Role},
};
use std::time::Duration;
use tokio::time::Instant;

/// How long helpers may take to let go by themselves: their leases are shorter.
const LET_GO_WITHIN: Duration = Duration::from_secs(12);
const STEP: Duration = Duration::from_millis(50);

/// Removes everything that a run has made, its keeper last: helpers when they have let go, and the locks of all
/// targets but those that are `left`. Called by that keeper, it does not return.
///
/// # Errors
/// Those of the engine.
pub async fn sweep(docker: &Docker, run: &str, left: &[ContainerId]) -> Result<(), ContainerError> {
    let deadline = Instant::now() + LET_GO_WITHIN;
    let mut ours = docker.ours(Some(run)).await?;
    while ours.iter().any(holds) && Instant::now() < deadline {
        tokio::time::sleep(STEP).await;
        ours = docker.ours(Some(run)).await?;
    }
    let stays = |one: &Ours| matches!(&one.role, Role::Lock(target) if left.iter().any(|left| left.id == *target));
    let (keepers, others): (Vec<Ours>, Vec<Ours>) =
        ours.into_iter().filter(|one| !stays(one)).partition(|one| one.role == Role::Keeper);
    for one in others.iter().chain(&keepers) {
        docker.remove_container(&one.id).await?;
    }
    Ok(())
}

/// Whether it may hold a fault that it is about to let go.
fn holds(one: &Ours) -> bool {
    one.role == Role::Helper && one.running
}
