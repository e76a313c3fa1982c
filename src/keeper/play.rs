//! Undoing what a dead runner left on. Each container is compared with what it was, and only what differs is set
//! right, so that it does not matter who else undoes at the same time, or that somebody had done so before.

use super::protocol::Undo;
use crate::container::{Container, ContainerError, ContainerId, Containers, Op, OpOutcome, State, compare, mend::mend};
use futures_util::future::try_join_all;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How long an undo is tried.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long everything must stay as before where the engine was started anew: it may not have noticed yet what ended
/// while it was away.
pub const SETTLING: Duration = Duration::from_secs(8);

/// The engine cannot be reached any more, so nothing can be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoEngine(pub String);

/// Sets all containers right, at once; returns those that are not as before in the end. A container that is gone
/// has nothing left to undo. Nothing is taken for settled before it was watched for so long.
///
/// # Errors
/// If the engine is gone.
pub async fn play(
    containers: &dyn Containers,
    undos: &[Undo],
    watched: Duration,
) -> Result<Vec<ContainerId>, NoEngine> {
    let mut by_container: BTreeMap<&str, Task> = BTreeMap::new();
    for undo in undos {
        let task = by_container.entry(&undo.before.id.id).or_insert_with(|| Task {
            before: &undo.before,
            echo: Duration::ZERO,
            works: vec![],
            asks_first: false,
            watched,
        });
        task.echo = task.echo.max(undo.echo());
        task.works.extend(undo.works());
        task.asks_first |= undo.asks_first();
    }
    let ended = try_join_all(by_container.values().map(|task| task.run(containers))).await?;
    let left = by_container.values().zip(ended).filter(|(_, as_before)| !as_before);
    Ok(left.map(|(task, _)| task.before.id.clone()).collect())
}

/// One container.
struct Task<'a> {
    before: &'a Container,
    /// So long an operation that was under way may still do something.
    echo: Duration,
    /// What an agent that was killed may have left on it.
    works: Vec<&'a Op>,
    /// A command, which nobody has allowed yet, is part of what makes it as before.
    asks_first: bool,
    /// So long it must be as before at least.
    watched: Duration,
}

impl Task<'_> {
    /// Whether the container is as before in the end, for all that a keeper can do, or gone.
    async fn run(&self, containers: &dyn Containers) -> Result<bool, NoEngine> {
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        let (mut revived, mut worked) = (false, false);
        loop {
            let proven = match containers.inspect(&self.before.id).await {
                Err(ContainerError::NotFound { .. }) => return Ok(true),
                Err(ContainerError::Unreachable { detail, .. }) => return Err(NoEngine(detail)),
                Err(_) => false,
                // Brought back by us, and ended again by itself: its own doing.
                Ok(now) if revived && !now.state.runs() => return Ok(!self.asks_first),
                Ok(now) => {
                    let ops = mend(self.before, &now);
                    for op in &ops {
                        revived |= self.does(containers, op).await?;
                    }
                    ops.is_empty() && settled(self.before, &now)
                }
            };
            if proven && started.elapsed() >= self.echo {
                worked = worked || self.ends_works(containers).await?;
                if worked && started.elapsed() >= self.watched {
                    return Ok(!self.asks_first);
                }
            }
            if started.elapsed() >= PATIENCE.max(self.echo * 2) {
                return Ok(false);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether nothing of what agents began is left.
    async fn ends_works(&self, containers: &dyn Containers) -> Result<bool, NoEngine> {
        for op in &self.works {
            match containers.perform(&self.before.id, op).await {
                Err(ContainerError::Unreachable { detail, .. }) => return Err(NoEngine(detail)),
                Ok(_) | Err(ContainerError::NotFound { .. }) => {}
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Does one operation; whether it made the container run.
    async fn does(&self, containers: &dyn Containers, op: &Op) -> Result<bool, NoEngine> {
        match containers.perform(&self.before.id, op).await {
            Err(ContainerError::Unreachable { detail, .. }) => Err(NoEngine(detail)),
            Err(_) => Ok(false),
            Ok(outcome) => Ok(*op == Op::Start && outcome == OpOutcome::Done),
        }
    }
}

fn settled(before: &Container, now: &Container) -> bool {
    now.state != State::Restarting && compare::proven(&compare::differences(before, now))
}
