//! Whether faults that need helpers are possible on this engine: tried, with helpers that stand beside nothing but
//! each other. No container of anybody else is touched.

use super::{Docker, member::Member};
use crate::{
    agent::{
        protocol::{Abilities, Command, Effect, FaultId, Receipt},
        shape::{
            Shape,
            delay::{Delay, Distribution},
        },
        traffic::Traffic,
        work::{Work, burn::Burn, signal::Signalling, squeeze::Resource, squeeze::Squeeze},
    },
    container::{ContainerError, ContainerId, NewHelper},
    units::{Percent, Span},
};
use std::time::Duration;

/// A helper of a trial ends by itself after so long.
const LEASE: Span = Span::secs(20);
const HEARTBEAT: Span = Span::secs(5);
/// High enough to limit nothing, were it ever written.
const MANY: u64 = 1 << 20;

/// What came of the trials; each error says what is missing.
#[derive(Debug)]
pub struct Trials {
    /// Faults of packets: what kernel and rights allow in a network of its own.
    pub packets: Result<Abilities, ContainerError>,
    /// `crash` and `signal`.
    pub signals: Result<(), ContainerError>,
    /// `cpu`, `memory` and `pids` with a limit.
    pub limits: Result<(), ContainerError>,
    /// `cpu`, `memory`, `io` and `disk` done inside the target.
    pub inside: Result<(), ContainerError>,
}

impl Docker {
    /// Tries what faults need, in a second or two. `run` labels the helpers.
    pub async fn try_helpers(&self, run: &str) -> Trials {
        let (packets, works) = tokio::join!(self.try_packets(run), self.try_works(run));
        let [signals, limits, inside] = works;
        Trials { packets, signals, limits, inside }
    }

    /// Arms a fault in an empty network.
    async fn try_packets(&self, run: &str) -> Result<Abilities, ContainerError> {
        let agent = self.start_helper(new(run).with("NET_ADMIN").with("NET_RAW")).await?;
        let member = Member::greet(agent).await?;
        let delay = Delay {
            time: LEASE,
            jitter: Span::ZERO,
            distribution: Distribution::Uniform,
            correlation: Percent::default(),
        };
        let effect = Effect::Shape(Box::new(Shape { delay: Some(delay), ..Shape::default() }));
        let traffic = Traffic::default();
        let armed = member.ask(Command::Arm { fault: FaultId(0), traffic, effect, seed: 0 }).await;
        member.leave().await;
        match armed? {
            Receipt::Armed { abilities, .. } => Ok(abilities),
            other => Err(ContainerError::Conflict(format!("the agent answered out of turn: {other:?}"))),
        }
    }

    /// Prepares, and never begins, work on a helper.
    async fn try_works(&self, run: &str) -> [Result<(), ContainerError>; 3] {
        let subject = match self.start_helper(new(run)).await {
            Ok(helper) => helper,
            Err(error) => return [(); 3].map(|()| Err(error.clone())),
        };
        let id = subject.id.clone();
        let member = match Member::greet(subject).await {
            Ok(member) => member,
            Err(error) => return [(); 3].map(|()| Err(error.clone())),
        };
        // An engine may limit whatever it runs, as Podman does.
        let pids = self.look(&id.id).await.map_or(0, |subject| subject.limits.pids);
        let from = u64::try_from(pids).ok().filter(|limit| *limit > 0);
        let works = [
            Work::Signal(Signalling { signal: "SIGCONT".into(), process: None }),
            Work::Squeeze(Squeeze { resource: Resource::Pids, to: from.map_or(MANY, |from| from - 1), from }),
            Work::Burn(Burn { workers: 1, load: 1 }),
        ];
        let [signal, squeeze, burn] = works.map(|work| self.try_work(&id, work, run));
        let tried = tokio::join!(signal, squeeze, burn);
        member.leave().await;
        self.clear(&id.id).await;
        tried.into()
    }

    /// Podman removes no container by itself while a helper that shared its processes is still there.
    async fn clear(&self, id: &str) {
        for _ in 0..20 {
            if self.remove_container(id).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_work(&self, on: &ContainerId, work: Work, run: &str) -> Result<(), ContainerError> {
        self.place(&on.id, &work, run, LEASE).await?.leave().await;
        Ok(())
    }
}

fn new(run: &str) -> NewHelper {
    NewHelper::new(run, "trial", &["agent", "--deadline", &LEASE.to_string(), "--heartbeat", &HEARTBEAT.to_string()])
}
