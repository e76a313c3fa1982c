//! The Docker Engine, and what speaks its API. The only place that names bollard.
//!
//! An operation is sent as it stands: nothing is asked before it, so that it takes effect as soon as a bare
//! call of the API would. Every call is bounded, and ends done, failed or unknown.

mod connect;
mod crew;
mod errors;
mod freezer;
mod helper;
pub mod image;
mod lock;
mod member;
mod operate;
mod ours;
mod read;
mod setup;
mod trial;
mod watch;

pub use connect::{connect, connect_to};
pub use ours::{KEEPER, LOCK, Ours, Role};
pub use setup::{HealthCheck, NewContainer, NewEndpoint, NewPort};
pub use trial::Trials;

use super::{
    Answer, Container, ContainerError, ContainerId, Containers, EngineInfo, Helper, Holder, NewHelper, Op, OpOutcome,
    Usage, Watch,
};
use crate::{
    agent::work::{Figures, Work},
    units::Span,
};
use bollard::{
    errors::Error,
    query_parameters::{ListContainersOptionsBuilder, LogsOptionsBuilder, StatsOptionsBuilder},
};
use errors::told;
use futures_util::{StreamExt, future::join_all};
use jiff::Timestamp;
use std::{collections::VecDeque, future::Future, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// How long an engine may take beyond the operation's own time.
pub const BOUND: Duration = Duration::from_secs(10);

/// How long one container of a list may take.
const LOOK: Duration = Duration::from_secs(5);

/// A connection to one engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Docker {
    client: bollard::Docker,
    info: EngineInfo,
    /// What the engine's clock showed when, as we connected.
    connected: (Timestamp, Instant),
    paused: freezer::Paused,
    /// What helpers are made of.
    program: helper::Program,
    /// Agents that work on processes and resources.
    crew: crew::Crew,
}

impl Docker {
    /// The same, for a run: helpers bear its label.
    #[must_use]
    pub fn of_run(self, run: &str) -> Docker {
        self.crew.belong_to(run);
        self
    }

    /// What engine this is, as it was when we connected.
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// What the engine's clock shows now, by our monotonic one; early by as long as an answer took to come.
    fn engine_now_ns(&self) -> i64 {
        let (theirs, then) = self.connected;
        let since = i64::try_from(then.elapsed().as_nanos()).unwrap_or(i64::MAX);
        i64::try_from(theirs.as_nanosecond()).unwrap_or(0).saturating_add(since)
    }

    /// Waits for an answer, at most [`BOUND`] beyond `own`.
    async fn bounded<T>(
        &self,
        own: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ContainerError> {
        match tokio::time::timeout(BOUND + own, call).await {
            Ok(answer) => answer.map_err(|error| told(error, &self.info.address)),
            Err(_) => Err(ContainerError::Unknown(Span(BOUND + own))),
        }
    }

    async fn ask<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, ContainerError> {
        self.bounded(Duration::ZERO, call).await
    }

    async fn look(&self, id: &str) -> Result<Container, ContainerError> {
        let looking = async {
            match self.client.inspect_container(id, None).await {
                Err(Error::JsonDataError { contents, message, column }) => {
                    read::foreign(&contents).ok_or(Error::JsonDataError { contents, message, column })
                }
                answer => answer,
            }
        };
        Ok(read::container(&self.info.id, self.ask(looking).await?))
    }

    async fn all(&self) -> Result<Vec<Container>, ContainerError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let found = self.ask(self.client.list_containers(Some(options))).await?;
        let ids: Vec<String> = found.into_iter().filter_map(|one| one.id).collect();
        let mut containers = Vec::with_capacity(ids.len());
        let looks = ids.iter().map(|id| tokio::time::timeout(LOOK, self.look(id)));
        for (id, answer) in ids.iter().zip(join_all(looks).await) {
            match answer {
                Ok(Ok(container)) => containers.push(container),
                // It went away between the list and the look.
                Ok(Err(ContainerError::NotFound { .. })) => {}
                Ok(Err(error)) => return Err(error),
                // An engine can be stuck over one container; that must not hide the others.
                Err(_) => tracing::warn!("the engine says nothing about container {id}; it is left out"),
            }
        }
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    async fn time(&self) -> Result<Timestamp, ContainerError> {
        connect::clock(&self.ask(self.client.info()).await?)
    }

    async fn used(&self, id: &str) -> Result<Usage, ContainerError> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stream = std::pin::pin!(self.client.stats(id, Some(options)));
        let first = async { stream.next().await.transpose() };
        let stats = self.ask(first).await?;
        stats.map(read::usage).ok_or_else(|| ContainerError::NotFound { what: format!("container {id}") })
    }

    /// Keeps the newest `limit` bytes; a container that prints faster than we read is cut off at [`BOUND`].
    async fn printed(&self, id: &str, since: Timestamp, limit: usize) -> Result<Vec<u8>, ContainerError> {
        let since_seconds = i32::try_from(since.as_second()).unwrap_or(0);
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).since(since_seconds).build();
        let mut stream = std::pin::pin!(self.client.logs(id, Some(options)));
        let mut kept = VecDeque::with_capacity(limit.min(1 << 16));
        let reading = async {
            while let Some(piece) = stream.next().await {
                kept.extend(piece?.into_bytes());
                kept.drain(..kept.len().saturating_sub(limit));
            }
            Ok(())
        };
        match self.ask(reading).await {
            Err(error @ ContainerError::Unknown(_)) if kept.is_empty() => Err(error),
            Ok(()) | Err(ContainerError::Unknown(_)) => Ok(kept.into()),
            Err(error) => Err(error),
        }
    }
}

impl Containers for Docker {
    fn engine(&self) -> Answer<'_, EngineInfo> {
        Box::pin(async { Ok(connect::introduce(&self.client, &self.info.address).await?.0) })
    }

    fn list(&self) -> Answer<'_, Vec<Container>> {
        Box::pin(self.all())
    }

    fn inspect(&self, id: &ContainerId) -> Answer<'_, Container> {
        let id = id.id.clone();
        Box::pin(async move { self.look(&id).await })
    }

    fn perform(&self, id: &ContainerId, op: &Op) -> Answer<'_, OpOutcome> {
        let (id, op) = (id.id.clone(), op.clone());
        Box::pin(async move { self.operate(&id, op).await })
    }

    fn prepare<'a>(&'a self, id: &'a ContainerId, op: &'a Op, run: &'a str, deadline: Span) -> Answer<'a, ()> {
        Box::pin(self.make_ready(&id.id, op, run, deadline))
    }

    fn lost(&self, id: &ContainerId, work: &Work) -> Option<String> {
        self.work_lost(&id.id, work)
    }

    fn dismiss(&self, run: &str) -> Answer<'_, ()> {
        let run = run.to_owned();
        Box::pin(async move {
            self.crew.dismiss();
            self.clear_helpers(&run).await
        })
    }

    fn figures(&self, id: &ContainerId, work: &Work) -> Option<Figures> {
        self.work_figures(&id.id, work)
    }

    fn clock(&self) -> Answer<'_, Timestamp> {
        Box::pin(self.time())
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Watch> {
        watch::start(self.clone())
    }

    fn usage(&self, id: &ContainerId) -> Answer<'_, Usage> {
        let id = id.id.clone();
        Box::pin(async move { self.used(&id).await })
    }

    fn logs(&self, id: &ContainerId, since: Timestamp, limit: usize) -> Answer<'_, Vec<u8>> {
        let id = id.id.clone();
        Box::pin(async move { self.printed(&id, since, limit).await })
    }

    fn lock(&self, target: &ContainerId, holder: &Holder) -> Answer<'_, Option<Holder>> {
        let (target, holder) = (target.clone(), holder.clone());
        Box::pin(async move { self.take(&target, &holder).await })
    }

    fn unlock(&self, target: &ContainerId, run: &str) -> Answer<'_, ()> {
        let (target, run) = (target.clone(), run.to_owned());
        Box::pin(async move { self.give_back(&target, &run).await })
    }

    fn locked(&self, target: &ContainerId) -> Answer<'_, Option<Holder>> {
        let target = target.clone();
        Box::pin(async move { Ok(self.held(&target).await?.map(|(_, holder)| holder)) })
    }

    fn reap(&self) -> Answer<'_, Vec<String>> {
        Box::pin(self.reap_orphans())
    }

    fn start_helper(&self, new: &NewHelper) -> Answer<'_, Helper> {
        let new = new.clone();
        Box::pin(self.start_helper(new))
    }

    fn resume_helper(&self, id: &ContainerId) -> Answer<'_, Helper> {
        let id = id.clone();
        Box::pin(self.resume_helper(id))
    }

    fn remove_helper(&self, id: &ContainerId) -> Answer<'_, ()> {
        let id = id.id.clone();
        Box::pin(async move { self.remove_container(&id).await })
    }
}
