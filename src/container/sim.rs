//! The in-memory twin of an engine, for tests of time and of the impossible. It stands on tokio's clock, so that
//! a paused one makes minutes pass in milliseconds, and on one lock, so that what happens has an order.

mod agent;
mod world;

use super::{
    Answer, Attachment, Container, ContainerError, ContainerId, Containers, EngineInfo, Health, Helper, Holder,
    NewHelper, Op, OpOutcome, ResourceLimits, RestartPolicy, State, Usage, Watch,
};
use crate::{
    agent::work::{Figures, Work},
    clock::RunClock,
    units::Span,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::mpsc;
use world::World;
pub use world::{HOST, Trouble};

/// How long an operation takes unless told otherwise.
const LATENCY: Duration = Duration::from_millis(5);
/// What the engine waits before its restart policy acts.
const RESTART_DELAY: Duration = Duration::from_millis(100);

/// A container as compose would make it: running, `shop-api-1` on the network `shop_default`.
pub fn container(project: &str, service: &str, number: u8) -> Container {
    let name = format!("{project}-{service}-{number}");
    let id: String = name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>() + &"0".repeat(64);
    let label = |key: &str, value: &str| (format!("com.docker.compose.{key}"), value.to_owned());
    let place = Attachment {
        network_id: format!("net-{project}_default"),
        ipv4: Some(std::net::Ipv4Addr::new(172, 30, service.len() as u8, number).into()),
        aliases: vec![service.into(), name.clone()],
        mac: Some(format!("02:42:ac:1e:{:02x}:{number:02x}", service.len())),
        ..Attachment::default()
    };
    Container {
        id: ContainerId { host: HOST.into(), id: id[..64].into() },
        image: format!("{service}:1"),
        image_id: format!("sha256:{service}"),
        labels: BTreeMap::from([label("project", project), label("service", service)]),
        state: State::Running,
        exit_code: Some(0),
        oom_killed: false,
        pid: 1000 + i64::from(number),
        started_at: "2026-03-01T09:00:00Z".into(),
        restart_count: 0,
        health: None,
        checks: None,
        restart_policy: RestartPolicy { name: "no".into(), max_retries: 0 },
        auto_remove: false,
        network_mode: format!("{project}_default"),
        pid_mode: String::new(),
        networks: BTreeMap::from([(format!("{project}_default"), place)]),
        ports: Vec::new(),
        limits: ResourceLimits::default(),
        name,
    }
}

/// An engine that is not there. Copies share one world.
#[derive(Debug, Clone)]
pub struct Sim {
    world: Arc<Mutex<World>>,
    clock: RunClock,
}

impl Sim {
    /// With these containers, at ten o'clock on 1 March 2026. Wants a tokio runtime with its time enabled.
    pub fn new(containers: impl IntoIterator<Item = Container>) -> Sim {
        let noon = "2026-03-01T10:00:00Z".parse().expect("a time");
        Sim { world: Arc::new(Mutex::new(World::new(containers))), clock: RunClock::starting_at(noon) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked with the lock held has failed already; the undo that follows must still work.
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.wall(self.clock.now())
    }

    /// A container as it is now, by name, if it is there.
    pub fn find(&self, name: &str) -> Option<Container> {
        self.world().named(name).cloned()
    }

    /// A container as it is now, by name.
    ///
    /// # Panics
    /// If there is none.
    pub fn look(&self, name: &str) -> Container {
        self.world().named(name).expect("a container of that name").clone()
    }

    /// Every operation that reached the engine, in order: when, on which container, what.
    pub fn performed(&self) -> Vec<(Timestamp, String, Op)> {
        self.world().performed.clone()
    }

    /// The next operation of that kind (`pause`, as [`Op::kind`] says it) meets trouble; several queue up.
    pub fn trouble(&self, kind: &str, trouble: Trouble) {
        self.world().troubles.push_back((kind.into(), trouble));
    }

    /// The process of a container ends by itself; the restart policy acts.
    pub fn crash(&self, name: &str, exit_code: i64) {
        let now = self.now();
        let again = self.world().crash(name, exit_code, now);
        if let Some(id) = again {
            let sim = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(RESTART_DELAY).await;
                let now = sim.now();
                sim.world().restarted_by_policy(&id, now);
            });
        }
    }

    /// Work that is under way in a container.
    pub fn working(&self, name: &str) -> Vec<Work> {
        let id = self.look(name).id.id;
        self.world().works.iter().filter(|(on, _)| *on == id).map(|(_, work)| work.clone()).collect()
    }

    /// Somebody removes a container.
    pub fn remove(&self, name: &str) {
        let now = self.now();
        self.world().remove(name, now);
    }

    /// Somebody else starts a container.
    pub fn started_by_someone(&self, name: &str) {
        let (now, id) = (self.now(), self.look(name).id);
        let _ = self.world().perform(&id.id, &Op::Start, now);
    }

    /// How many packet faults are in place on a container's network.
    pub fn packet_faults(&self, name: &str) -> usize {
        let id = self.look(name).id.id;
        self.world().packet_faults(&id)
    }

    /// Somebody kills every agent beside a container.
    pub fn kill_agents(&self, name: &str) {
        let id = self.look(name).id.id;
        self.world().remove_agents(&id);
    }

    /// The next agent that is asked to take a fault in refuses, and says why.
    pub fn agent_refuses(&self, why: &str) {
        self.world().agent_refuses = Some(why.into());
    }

    /// From now on no packet comes by.
    pub fn silence_traffic(&self) {
        self.world().no_traffic = true;
    }

    /// Health turns.
    pub fn health(&self, name: &str, health: Health) {
        let now = self.now();
        self.world().turn_health(name, health, now);
    }

    /// What a command in a container answers from now on; without, every command ends with 0 and prints nothing.
    pub fn answers(&self, name: &str, command: &[&str], exit_code: i64, output: &str) {
        let key = (name.to_owned(), command.join(" "));
        self.world().answers.insert(key, OpOutcome::Exited { code: exit_code, output: output.into() });
    }

    /// The engine stops answering; its event stream breaks. Containers live on.
    pub fn lose(&self, why: &str) {
        self.world().lose(why);
    }

    /// The engine answers again.
    pub fn restore(&self) {
        self.world().restore();
    }

    /// Waits as a call would; an error if the engine is lost.
    async fn call<T: Send>(
        &self,
        latency: Duration,
        ask: impl FnOnce(&mut World) -> Result<T, ContainerError> + Send,
    ) -> Result<T, ContainerError> {
        tokio::time::sleep(latency).await;
        let mut world = self.world();
        world.reachable()?;
        ask(&mut world)
    }

    async fn operate(&self, id: String, op: Op) -> Result<OpOutcome, ContainerError> {
        let trouble = self.world().trouble_for(&op);
        match trouble {
            None => self.act(LATENCY, &id, &op).await,
            Some(Trouble::Slow(span)) => self.act(span.0, &id, &op).await,
            Some(Trouble::Fails(error)) => self.call(LATENCY, |_| Err(error)).await,
            Some(Trouble::NotDone) => self.silence().await,
            Some(Trouble::DoneUnheard) => {
                self.act(LATENCY, &id, &op).await?;
                self.silence().await
            }
        }
    }

    async fn act(&self, latency: Duration, id: &str, op: &Op) -> Result<OpOutcome, ContainerError> {
        if let Op::AwaitHealthy { within } = op {
            return self.await_healthy(id, *within).await;
        }
        let now = || self.now();
        let outcome = self.call(latency, |world| world.perform(id, op, now())).await?;
        if let Op::Begin { work: Work::Signal(signalling) } = op
            && signalling.process.is_none()
            && world::ends(&signalling.signal)
        {
            let name = self.call(Duration::ZERO, |world| world.get(id).map(|on| on.name.clone())).await?;
            self.crash(&name, 137);
        }
        Ok(outcome)
    }

    async fn silence(&self) -> Result<OpOutcome, ContainerError> {
        let bound = Span::secs(10);
        tokio::time::sleep(bound.0).await;
        Err(ContainerError::Unknown(bound))
    }

    async fn await_healthy(&self, id: &str, within: Span) -> Result<OpOutcome, ContainerError> {
        let deadline = tokio::time::Instant::now() + within.0;
        loop {
            let container = self.call(LATENCY, |world| world.get(id).cloned()).await?;
            if container.state == State::Running && container.health.is_none_or(|h| h == Health::Healthy) {
                return Ok(OpOutcome::Done);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(ContainerError::Conflict(format!("{} is not healthy after {within}", container.name)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Containers for Sim {
    fn engine(&self) -> Answer<'_, EngineInfo> {
        Box::pin(self.call(LATENCY, |_| Ok(world::engine())))
    }

    fn list(&self) -> Answer<'_, Vec<Container>> {
        Box::pin(self.call(LATENCY, |world| Ok(world.all())))
    }

    fn inspect(&self, id: &ContainerId) -> Answer<'_, Container> {
        let id = id.id.clone();
        Box::pin(self.call(LATENCY, move |world| world.get(&id).cloned()))
    }

    fn perform(&self, id: &ContainerId, op: &Op) -> Answer<'_, OpOutcome> {
        Box::pin(self.operate(id.id.clone(), op.clone()))
    }

    fn prepare<'a>(&'a self, id: &'a ContainerId, _: &'a Op, _: &'a str, _: Span) -> Answer<'a, ()> {
        Box::pin(self.call(LATENCY, move |world| world.get(&id.id).map(drop)))
    }

    fn lost(&self, id: &ContainerId, work: &Work) -> Option<String> {
        let going_on = self.world().works.contains(&(id.id.clone(), work.clone()));
        (!going_on).then(|| "the container ended".into())
    }

    fn dismiss(&self, _: &str) -> Answer<'_, ()> {
        self.world().works.clear();
        Box::pin(async { Ok(()) })
    }

    fn figures(&self, id: &ContainerId, work: &Work) -> Option<Figures> {
        self.lost(id, work).is_none().then(|| Figures { held: 1, ..Figures::default() })
    }

    fn clock(&self) -> Answer<'_, Timestamp> {
        Box::pin(async { self.call(LATENCY, |_| Ok(())).await.map(|()| self.now()) })
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Watch> {
        let (to, receiver) = mpsc::unbounded_channel();
        self.world().watchers.push(to);
        receiver
    }

    fn usage(&self, id: &ContainerId) -> Answer<'_, Usage> {
        let id = id.id.clone();
        Box::pin(self.call(LATENCY, move |world| world.get(&id).map(|_| Usage { cpu_ns: 1, ..Usage::default() })))
    }

    fn logs(&self, id: &ContainerId, since: Timestamp, limit: usize) -> Answer<'_, Vec<u8>> {
        let id = id.id.clone();
        Box::pin(self.call(LATENCY, move |world| world.printed(&id, since, limit)))
    }

    fn lock(&self, target: &ContainerId, holder: &Holder) -> Answer<'_, Option<Holder>> {
        let (target, holder) = (target.id.clone(), holder.clone());
        Box::pin(self.call(LATENCY, move |world| {
            let held = world.locks.entry(target).or_insert_with(|| holder.clone());
            Ok((*held != holder).then(|| held.clone()))
        }))
    }

    fn unlock(&self, target: &ContainerId, run: &str) -> Answer<'_, ()> {
        let (target, run) = (target.id.clone(), run.to_owned());
        Box::pin(self.call(LATENCY, move |world| {
            world.locks.retain(|id, holder| *id != target || holder.run != run);
            Ok(())
        }))
    }

    fn locked(&self, target: &ContainerId) -> Answer<'_, Option<Holder>> {
        let target = target.id.clone();
        Box::pin(self.call(LATENCY, move |world| Ok(world.locks.get(&target).cloned())))
    }

    fn reap(&self) -> Answer<'_, Vec<String>> {
        Box::pin(self.call(LATENCY, |_| Ok(vec![])))
    }

    fn start_helper(&self, new: &NewHelper) -> Answer<'_, Helper> {
        let new = new.clone();
        Box::pin(async move {
            self.call(LATENCY, |world| world.can_help(&new)).await?;
            Ok(agent::start(self, &new, HOST))
        })
    }

    fn resume_helper(&self, id: &ContainerId) -> Answer<'_, Helper> {
        let id = id.id.clone();
        Box::pin(self.call(LATENCY, move |_| Err(ContainerError::NotFound { what: format!("container {id}") })))
    }

    fn remove_helper(&self, id: &ContainerId) -> Answer<'_, ()> {
        let id = id.id.clone();
        Box::pin(self.call(LATENCY, move |world| {
            world.fall(&id);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(change: impl Fn(&mut Container)) -> Sim {
        let mut api = container("shop", "api", 1);
        change(&mut api);
        Sim::new([api])
    }

    async fn next(watch: &mut mpsc::UnboundedReceiver<Watch>) -> String {
        match watch.recv().await.unwrap() {
            Watch::Event(event) => event.action,
            Watch::Lost(why) => format!("lost: {why}"),
            Watch::Back => "back".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crash_is_mended_by_the_restart_policy_and_a_kill_is_not() {
        let sim = one(|c| c.restart_policy.name = "always".into());
        let mut watch = sim.watch();
        sim.crash("shop-api-1", 1);
        assert_eq!(sim.look("shop-api-1").state, State::Restarting);
        assert_eq!((next(&mut watch).await, next(&mut watch).await), ("die".into(), "start".into()));
        assert_eq!((sim.look("shop-api-1").state, sim.look("shop-api-1").restart_count), (State::Running, 1));
        let id = sim.look("shop-api-1").id;
        sim.perform(&id, &Op::Kill { signal: "SIGKILL".into() }).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(sim.look("shop-api-1").state, State::Exited);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_comes_in_the_order_it_was_asked_for() {
        let sim = one(|_| {});
        let id = sim.look("shop-api-1").id;
        sim.trouble("pause", Trouble::Fails(ContainerError::Conflict("no".into())));
        sim.trouble("pause", Trouble::DoneUnheard);
        assert_eq!(sim.perform(&id, &Op::Pause).await, Err(ContainerError::Conflict("no".into())));
        assert_eq!(sim.look("shop-api-1").state, State::Running);
        assert_eq!(sim.perform(&id, &Op::Pause).await, Err(ContainerError::Unknown(Span::secs(10))));
        assert_eq!(sim.look("shop-api-1").state, State::Paused);
        assert_eq!(sim.perform(&id, &Op::Pause).await, Ok(OpOutcome::Already));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_engine_answers_nothing_until_it_is_back() {
        let sim = one(|_| {});
        let mut watch = sim.watch();
        sim.lose("restarting");
        assert!(matches!(sim.list().await, Err(ContainerError::Unreachable { .. })));
        sim.restore();
        assert_eq!((next(&mut watch).await, next(&mut watch).await), ("lost: restarting".into(), "back".into()));
        assert_eq!(sim.list().await.unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn health_starts_anew_with_the_container_and_can_be_awaited() {
        let sim = one(|c| c.health = Some(Health::Healthy));
        let id = sim.look("shop-api-1").id;
        sim.perform(&id, &Op::Restart { grace: None }).await.unwrap();
        assert_eq!(sim.look("shop-api-1").health, Some(Health::Starting));
        assert!(sim.perform(&id, &Op::AwaitHealthy { within: Span::secs(1) }).await.is_err());
        sim.health("shop-api-1", Health::Healthy);
        assert_eq!(sim.perform(&id, &Op::AwaitHealthy { within: Span::secs(1) }).await, Ok(OpOutcome::Done));
    }
}
