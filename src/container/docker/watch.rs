//! Following the engine's events, over its restarts.

use super::{BOUND, Docker, read};
use crate::container::{Containers, EngineEvent, Watch};
use bollard::{
    models::EventMessage,
    query_parameters::{EventsOptions, EventsOptionsBuilder},
};
use futures_util::StreamExt;
use std::{collections::HashMap, time::Duration};
use tokio::sync::mpsc::{self, UnboundedSender};

/// Between attempts to reach an engine that is gone.
const RETRY: Duration = Duration::from_millis(250);
/// How often a silent stream is checked by asking for a sign of life.
const PULSE: Duration = Duration::from_secs(5);

/// Starts following; ends when the receiver is dropped.
pub(super) fn start(docker: Docker) -> mpsc::UnboundedReceiver<Watch> {
    let (to, receiver) = mpsc::unbounded_channel();
    // Known without asking: what happens from this call on is delivered, however long connecting takes.
    let last_ns = docker.engine_now_ns();
    tokio::spawn(async move {
        let mut follower = Follower { docker, to, last_ns, at_last: Vec::new() };
        let _ = follower.follow().await;
    });
    receiver
}

/// The receiver is gone.
struct Dropped;

struct Follower {
    docker: Docker,
    to: UnboundedSender<Watch>,
    /// Time of the newest event, on the engine's clock.
    last_ns: i64,
    /// The events of that very nanosecond: a back-fill delivers them again.
    at_last: Vec<EngineEvent>,
}

impl Follower {
    async fn follow(&mut self) -> Result<(), Dropped> {
        loop {
            let why = self.listen().await?;
            self.send(Watch::Lost(why))?;
            let now = self.reach().await?;
            self.back_fill(now).await?;
            self.send(Watch::Back)?;
            self.last_ns = self.last_ns.max(now);
        }
    }

    /// Waits until the engine answers; what its clock shows then.
    async fn reach(&self) -> Result<i64, Dropped> {
        loop {
            if self.to.is_closed() {
                return Err(Dropped);
            }
            match self.docker.clock().await {
                Ok(now) => return Ok(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX)),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// Delivers what happened since the newest event. An engine that was restarted has forgotten the time before.
    async fn back_fill(&mut self, until: i64) -> Result<(), Dropped> {
        let client = self.docker.client.clone();
        let mut stream = std::pin::pin!(client.events(Some(options(self.last_ns, Some(until)))));
        while let Ok(Some(Ok(message))) = tokio::time::timeout(BOUND, stream.next()).await {
            self.deliver(message)?;
        }
        Ok(())
    }

    /// Delivers events until the stream ends; why it did.
    async fn listen(&mut self) -> Result<String, Dropped> {
        let client = self.docker.client.clone();
        let to = self.to.clone();
        let mut stream = std::pin::pin!(client.events(Some(options(self.last_ns, None))));
        loop {
            tokio::select! {
                () = to.closed() => return Err(Dropped),
                next = stream.next() => match next {
                    Some(Ok(message)) => self.deliver(message)?,
                    Some(Err(error)) => return Ok(super::told(error, &self.docker.info.address).to_string()),
                    None => return Ok("the engine ended the event stream".into()),
                },
                () = tokio::time::sleep(PULSE) => if let Err(error) = self.docker.ask(client.ping()).await {
                    return Ok(error.to_string());
                },
            }
        }
    }

    fn deliver(&mut self, message: EventMessage) -> Result<(), Dropped> {
        let Some(event) = read::event(message) else { return Ok(()) };
        if event.time_ns < self.last_ns || self.at_last.contains(&event) {
            return Ok(());
        }
        if event.time_ns > self.last_ns {
            self.last_ns = event.time_ns;
            self.at_last.clear();
        }
        self.at_last.push(event.clone());
        self.send(Watch::Event(event))
    }

    fn send(&self, watch: Watch) -> Result<(), Dropped> {
        self.to.send(watch).map_err(|_| Dropped)
    }
}

fn options(since: i64, until: Option<i64>) -> EventsOptions {
    let seconds = |ns: i64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let filters = HashMap::from([("type", vec!["container"])]);
    let mut options = EventsOptionsBuilder::new().since(&seconds(since)).filters(&filters);
    if let Some(until) = until {
        options = options.until(&seconds(until));
    }
    options.build()
}
