//! The state of the twin and how operations change it, in the order and with the refusals of a real engine.

use super::agent::Standing;
use crate::container::{
    Attachment, Container, ContainerError, EngineEvent, EngineInfo, Health, Holder, NewHelper, Op, OpOutcome, State,
    Watch, helper::Namespace,
};
use crate::{agent::work::Work, units::Span};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::mpsc::UnboundedSender;

/// The id of the twin's host.
pub const HOST: &str = "sim";

/// What can go wrong with one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It is refused, and not done.
    Fails(ContainerError),
    /// No answer comes, and it is not done.
    NotDone,
    /// No answer comes, and it *is* done.
    DoneUnheard,
    /// It takes so long.
    Slow(Span),
}

pub(super) fn engine() -> EngineInfo {
    EngineInfo {
        id: HOST.into(),
        name: "sim".into(),
        version: "1.0".into(),
        api: "1.41".into(),
        cgroup: 2,
        os: "none".into(),
        kernel: "0.0".into(),
        arch: "amd64".into(),
        security: Vec::new(),
        address: "sim://".into(),
    }
}

#[derive(Debug, Default)]
pub(super) struct World {
    /// By full id.
    containers: BTreeMap<String, Container>,
    logs: BTreeMap<String, Vec<(Timestamp, String)>>,
    pub(super) watchers: Vec<UnboundedSender<Watch>>,
    pub(super) troubles: VecDeque<(String, Trouble)>,
    pub(super) performed: Vec<(Timestamp, String, Op)>,
    pub(super) answers: BTreeMap<(String, String), OpOutcome>,
    pub(super) locks: BTreeMap<String, Holder>,
    /// Work that is under way, by container.
    pub(super) works: Vec<(String, Work)>,
    /// Agents by id.
    agents: BTreeMap<String, Standing>,
    /// Packet faults put in place by an operation rather than by an agent, by the owner of the network.
    packets: BTreeMap<String, usize>,
    pub(super) agent_refuses: Option<String>,
    pub(super) no_traffic: bool,
    lost: bool,
    starts: u32,
}

type Done = Result<OpOutcome, ContainerError>;

impl World {
    pub(super) fn new(containers: impl IntoIterator<Item = Container>) -> World {
        let containers = containers.into_iter().map(|one| (one.id.id.clone(), one)).collect();
        World { containers, ..World::default() }
    }

    pub(super) fn all(&self) -> Vec<Container> {
        let mut all: Vec<Container> = self.containers.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(super) fn named(&self, name: &str) -> Option<&Container> {
        self.containers.values().find(|one| one.name == name)
    }

    pub(super) fn get(&self, id: &str) -> Result<&Container, ContainerError> {
        self.containers.get(id).ok_or_else(|| ContainerError::NotFound { what: format!("container {id}") })
    }

    fn get_mut(&mut self, id: &str) -> Result<&mut Container, ContainerError> {
        self.containers.get_mut(id).ok_or_else(|| ContainerError::NotFound { what: format!("container {id}") })
    }

    pub(super) fn reachable(&self) -> Result<(), ContainerError> {
        if self.lost {
            let address = engine().address;
            return Err(ContainerError::Unreachable { address, detail: "connection refused".into() });
        }
        Ok(())
    }

    pub(super) fn lose(&mut self, why: &str) {
        self.lost = true;
        self.tell(&Watch::Lost(why.into()));
    }

    pub(super) fn restore(&mut self) {
        self.lost = false;
        self.tell(&Watch::Back);
    }

    pub(super) fn trouble_for(&mut self, op: &Op) -> Option<Trouble> {
        let at = self.troubles.iter().position(|(kind, _)| kind == op.kind())?;
        self.troubles.remove(at).map(|(_, trouble)| trouble)
    }

    /// Does an operation as a real engine would, and tells who watches.
    pub(super) fn perform(&mut self, id: &str, op: &Op, now: Timestamp) -> Done {
        let name = self.get(id)?.name.clone();
        self.performed.push((now, name.clone(), op.clone()));
        match op {
            Op::Kill { .. } => self.end(id, 137, &["kill", "die"], now),
            Op::Stop { .. } => self.end(id, 0, &["kill", "die", "stop"], now),
            Op::Start => self.start(id, now),
            Op::Restart { .. } => {
                self.end(id, 0, &["kill", "die", "stop"], now)?;
                self.start(id, now)?;
                self.event(id, "restart", None, now);
                Ok(OpOutcome::Done)
            }
            Op::Pause => self.freeze(id, State::Running, State::Paused, "pause", now),
            Op::Unpause => self.freeze(id, State::Paused, State::Running, "unpause", now),
            Op::Disconnect { network } => self.disconnect(id, network),
            Op::Connect { network, attachment } => self.connect(id, network, attachment),
            Op::Exec { command, .. } => self.exec(id, &name, command, now),
            Op::Begin { work } => self.begin(id, &name, work),
            Op::End { work } => {
                let before = self.works.len();
                self.works.retain(|(on, one)| on != id || one != work);
                Ok(if self.works.len() < before { OpOutcome::Seen("ended".into()) } else { OpOutcome::Already })
            }
            Op::Packets(fault) => {
                *self.packets.entry(fault.owner.id.clone()).or_default() += 1;
                Ok(OpOutcome::Done)
            }
            Op::FreePackets { owner } => {
                let some = self.packet_faults(&owner.id) > 0;
                self.packets.remove(&owner.id);
                self.remove_agents(&owner.id);
                Ok(if some { OpOutcome::Done } else { OpOutcome::Already })
            }
            Op::AwaitHealthy { .. } => Ok(OpOutcome::Done),
        }
    }

    /// Whether a helper can be started.
    pub(super) fn can_help(&self, new: &NewHelper) -> Result<(), ContainerError> {
        match &new.network {
            _ if new.role != "packets" => {
                let message = format!("the twin has no helper `{}`", new.role);
                Err(ContainerError::Refused { status: 501, message })
            }
            Namespace::Of(owner) if self.get(owner)?.state != State::Running => {
                Err(ContainerError::Conflict("cannot join the network of a container that does not run".into()))
            }
            _ => Ok(()),
        }
    }

    /// A new agent; its id.
    pub(super) fn stand(&mut self, agent: Standing) -> String {
        self.starts += 1;
        let id = format!("agent-{}", self.starts);
        self.agents.insert(id.clone(), agent);
        id
    }

    /// An agent ends, and what it had put in place with it.
    pub(super) fn fall(&mut self, id: &str) {
        self.agents.remove(id);
    }

    pub(super) fn remove_agents(&mut self, owner: &str) {
        self.agents.retain(|_, agent| agent.owner != owner);
    }

    pub(super) fn fire(&mut self, agent: &str, fault: u8) {
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.fired.insert(fault);
        }
    }

    pub(super) fn free(&mut self, agent: &str, fault: u8) {
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.fired.remove(&fault);
        }
    }

    /// What is in place on the network of a container.
    pub(super) fn packet_faults(&self, owner: &str) -> usize {
        let agents = self.agents.values().filter(|agent| agent.owner == owner);
        agents.map(|agent| agent.fired.len()).sum::<usize>() + self.packets.get(owner).copied().unwrap_or(0)
    }

    /// A network goes with its container: agents stay in it, and hit nobody.
    fn lose_network(&mut self, owner: &str) {
        self.packets.remove(owner);
        for agent in self.agents.values_mut().filter(|agent| agent.owner == owner) {
            agent.fired.clear();
            agent.owner = format!("{owner} before");
        }
    }

    fn end(&mut self, id: &str, code: i64, actions: &[&str], now: Timestamp) -> Done {
        let container = self.get_mut(id)?;
        if !matches!(container.state, State::Running | State::Paused | State::Restarting) {
            return Ok(OpOutcome::Already);
        }
        ended(container, code);
        self.works.retain(|(on, _)| on != id);
        self.lose_network(id);
        for action in actions {
            self.event(id, action, (*action == "die").then_some(code), now);
        }
        if self.get(id)?.auto_remove {
            self.containers.remove(id);
        }
        Ok(OpOutcome::Done)
    }

    fn start(&mut self, id: &str, now: Timestamp) -> Done {
        self.starts += 1;
        let number = self.starts;
        let container = self.get_mut(id)?;
        match container.state {
            State::Running => return Ok(OpOutcome::Already),
            State::Paused => return Err(ContainerError::Conflict("cannot start a paused container".into())),
            _ => {}
        }
        started(container, number, now);
        self.event(id, "start", None, now);
        Ok(OpOutcome::Done)
    }

    fn begin(&mut self, id: &str, name: &str, work: &Work) -> Done {
        if self.get(id)?.state != State::Running {
            return Err(ContainerError::Conflict(format!("{name} does not run")));
        }
        if work.lasts() {
            self.works.push((id.to_owned(), work.clone()));
        }
        Ok(OpOutcome::Seen("begun".into()))
    }

    fn freeze(&mut self, id: &str, from: State, to: State, action: &str, now: Timestamp) -> Done {
        let container = self.get_mut(id)?;
        match container.state {
            state if state == to => return Ok(OpOutcome::Already),
            // As the engine says it of what is not paused, dead or alive.
            _ if to == State::Running && container.state != from => return Ok(OpOutcome::Already),
            state if state != from => {
                return Err(ContainerError::Conflict(format!("{} is not running", container.name)));
            }
            _ => container.state = to,
        }
        self.event(id, action, None, now);
        Ok(OpOutcome::Done)
    }

    fn disconnect(&mut self, id: &str, network: &str) -> Done {
        let gone = self.get_mut(id)?.networks.remove(network);
        Ok(if gone.is_some() { OpOutcome::Done } else { OpOutcome::Already })
    }

    fn connect(&mut self, id: &str, network: &str, attachment: &Attachment) -> Done {
        self.starts += 1;
        let number = self.starts;
        let container = self.get_mut(id)?;
        if container.networks.contains_key(network) {
            return Ok(OpOutcome::Already);
        }
        let mut place = attachment.clone();
        addressed(&mut place, number, container.state == State::Running);
        container.networks.insert(network.into(), place);
        Ok(OpOutcome::Done)
    }

    fn exec(&mut self, id: &str, name: &str, command: &[String], now: Timestamp) -> Done {
        if self.get(id)?.state != State::Running {
            return Err(ContainerError::Conflict(format!("container {name} is not running")));
        }
        let answer = self.answers.get(&(name.to_owned(), command.join(" "))).cloned();
        self.print(id, &format!("ran {}", command.join(" ")), now);
        Ok(answer.unwrap_or(OpOutcome::Exited { code: 0, output: String::new() }))
    }

    /// The process ends by itself. The id of the container if its restart policy is about to act.
    pub(super) fn crash(&mut self, name: &str, code: i64, now: Timestamp) -> Option<String> {
        let id = self.named(name)?.id.id.clone();
        let container = self.containers.get_mut(&id)?;
        let again = match container.restart_policy.name.as_str() {
            "always" | "unless-stopped" => true,
            "on-failure" => {
                let most = container.restart_policy.max_retries;
                code != 0 && (most == 0 || container.restart_count < most)
            }
            _ => false,
        };
        ended(container, code);
        if again {
            container.state = State::Restarting;
        }
        self.works.retain(|(on, _)| *on != id);
        self.lose_network(&id);
        self.event(&id, "die", Some(code), now);
        again.then_some(id)
    }

    pub(super) fn restarted_by_policy(&mut self, id: &str, now: Timestamp) {
        self.starts += 1;
        let number = self.starts;
        let Some(container) = self.containers.get_mut(id).filter(|one| one.state == State::Restarting) else { return };
        container.restart_count += 1;
        started(container, number, now);
        self.event(id, "start", None, now);
    }

    pub(super) fn remove(&mut self, name: &str, now: Timestamp) {
        let Some(container) = self.named(name).cloned() else { return };
        let id = container.id.id;
        if matches!(container.state, State::Running | State::Paused) {
            self.event(&id, "kill", None, now);
            self.event(&id, "die", Some(137), now);
        }
        self.event(&id, "destroy", None, now);
        self.containers.remove(&id);
    }

    pub(super) fn turn_health(&mut self, name: &str, health: Health, now: Timestamp) {
        let Some(id) = self.named(name).map(|one| one.id.id.clone()) else { return };
        if let Some(container) = self.containers.get_mut(&id) {
            container.health = Some(health);
        }
        self.event(&id, &format!("health_status: {}", health.name()), None, now);
    }

    pub(super) fn printed(&self, id: &str, since: Timestamp, limit: usize) -> Result<Vec<u8>, ContainerError> {
        self.get(id)?;
        let lines = self.logs.get(id).into_iter().flatten().filter(|(at, _)| *at >= since);
        let text: String = lines.map(|(at, line)| format!("{at} {line}\n")).collect();
        Ok(text.as_bytes()[text.len().saturating_sub(limit)..].to_vec())
    }

    fn print(&mut self, id: &str, line: &str, now: Timestamp) {
        self.logs.entry(id.into()).or_default().push((now, line.into()));
    }

    fn event(&mut self, id: &str, action: &str, exit_code: Option<i64>, now: Timestamp) {
        let name = self.containers.get(id).map(|one| one.name.clone()).unwrap_or_default();
        let time_ns = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        self.print(id, action, now);
        self.tell(&Watch::Event(EngineEvent { id: id.into(), name, action: action.into(), exit_code, time_ns }));
    }

    fn tell(&mut self, watch: &Watch) {
        self.watchers.retain(|watcher| watcher.send(watch.clone()).is_ok());
    }
}

/// Whether a signal ends a program that does not handle it.
pub(super) fn ends(signal: &str) -> bool {
    ["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGABRT", "SIGSEGV"].contains(&signal)
}

/// The engine takes back what it had given: process, addresses, published ports.
fn ended(container: &mut Container, code: i64) {
    container.state = State::Exited;
    container.exit_code = Some(code);
    container.pid = 0;
    container.ports.iter_mut().for_each(|port| port.host = if port.fixed { port.host } else { 0 });
    for place in container.networks.values_mut() {
        (place.ipv4, place.ipv6) = (None, None);
    }
}

fn started(container: &mut Container, number: u32, now: Timestamp) {
    container.state = State::Running;
    container.exit_code = Some(0);
    container.pid = 50_000 + i64::from(number);
    container.started_at = now.to_string();
    container.health = container.health.map(|_| Health::Starting);
    for port in container.ports.iter_mut().filter(|port| !port.fixed) {
        port.host = 32_768 + u16::try_from(number % 20_000).unwrap_or(0);
    }
    for place in container.networks.values_mut() {
        addressed(place, number, true);
    }
}

/// A fixed address comes back; a dynamic one is another.
fn addressed(place: &mut Attachment, number: u32, running: bool) {
    let dynamic = std::net::Ipv4Addr::from(0xAC1F_0000 + number % 0xFFFF).into();
    let given = place.static_ipv4.as_ref().and_then(|text| text.parse().ok()).unwrap_or(dynamic);
    place.ipv4 = running.then_some(given);
    place.ipv6 = place.static_ipv6.as_ref().and_then(|text| text.parse().ok()).filter(|_| running);
    place.mac = place.ipv4.map(|_| format!("02:42:{number:08x}"));
}
