//! The big red button: whoever runs a drill is asked to stop, by every way that there is.

use super::left::await_all;
use crate::{
    cli::{note::who, output},
    container::{
        ContainerError,
        docker::{Docker, Role},
    },
    engine::{self, Said},
    journal::{RunFolder, runner},
};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// How long drills may take to end; their keepers undo after a third of it.
const END_WITHIN: Duration = Duration::from_secs(75);
/// How long helpers of drills without a keeper may take to let go.
const LET_GO_WITHIN: Duration = Duration::from_secs(12);
const STEP: Duration = Duration::from_millis(100);

/// Asks all drills to stop: those of the reports by their inbox, those of the engine by their keepers, which undo
/// by themselves if the drill does not; what is still beside a target then is told to let go. Returns the runs of
/// the reports that do not end.
///
/// # Errors
/// Those of the engine.
pub async fn press(docker: &Docker, reports: &Path) -> Result<Vec<String>, ContainerError> {
    let living: Vec<RunFolder> = runner::folders(reports).into_iter().filter(runner::lives).collect();
    for folder in &living {
        output::warn(format_args!("stopping {}", folder.run()));
        if let Err(error) = engine::say(folder, &Said::Stop { who: who() }) {
            output::warn(format_args!("{} cannot be told: {error}", folder.run()));
        }
    }
    let keepers = docker.ours(None).await?.into_iter().filter(|one| one.role == Role::Keeper && one.running);
    for keeper in keepers {
        docker.signal_ours(&keeper.id, "SIGINT").await?;
    }
    let deadline = Instant::now() + END_WITHIN;
    await_all(docker, END_WITHIN, |one| one.role == Role::Keeper && one.running).await?;
    while living.iter().any(runner::lives) && Instant::now() < deadline {
        tokio::time::sleep(STEP).await;
    }
    let helpers = docker.ours(None).await?.into_iter().filter(|one| one.role == Role::Helper && one.running);
    for helper in helpers {
        docker.signal_ours(&helper.id, "SIGTERM").await?;
    }
    await_all(docker, LET_GO_WITHIN, |one| one.role == Role::Helper && one.running).await?;
    Ok(living.iter().filter(|folder| runner::lives(folder)).map(RunFolder::run).collect())
}
