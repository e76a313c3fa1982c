//! What is done to the packets of a container's network, as plain data: which packets, and what becomes of them.

use super::ContainerId;
use crate::{
    agent::{
        protocol::{Cut, Effect},
        shape::{Shape, delay::Delay, loss::Loss},
        traffic::{Block, Direction, Protocol, Share, Traffic},
    },
    units::{BitRate, Bytes, Percent, Span},
};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// A packet fault on one network namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PacketFault {
    /// The container whose network it is: the target, or the one whose network the target shares.
    pub owner: ContainerId,
    /// Which packets. Its addresses are filled in from what follows when the fault fires.
    pub traffic: Traffic,
    /// The other ends; empty: everybody.
    pub to: Vec<Peer>,
    /// Only what goes over this network of the container.
    pub network: Option<String>,
    /// What becomes of them.
    pub effect: Effect,
}

/// An other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// By address.
    Addresses(Block),
    /// A container, at all its addresses, wherever they move.
    Container {
        /// Which.
        id: ContainerId,
        /// Its name.
        name: String,
    },
    /// A host by name, at the addresses that the runner finds.
    Host(String),
}

impl Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Addresses(block) => block.fmt(f),
            Peer::Container { name, .. } | Peer::Host(name) => f.write_str(name),
        }
    }
}

impl Display for PacketFault {
    /// `packets delayed by 200ms, to and from shop-store-1, tcp, its port 80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.to.is_empty() { "everybody".into() } else { listed(&self.to) };
        if let Effect::Dns(_) = &self.effect {
            let whom = if self.to.is_empty() { "any resolver" } else { &whose };
            write!(f, "{}, asked of {whom}", words(&self.effect))?;
            return which(&self.traffic, f);
        }
        let way = match self.traffic.direction {
            Direction::Both => "to and from",
            Direction::Out => "to",
            Direction::In => "from",
        };
        write!(f, "packets {}, {way} {whose}", words(&self.effect))?;
        if let Some(network) = &self.network {
            write!(f, " over {network}")?;
        }
        which(&self.traffic, f)
    }
}

fn which(traffic: &Traffic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match traffic.protocol {
        Some(Protocol::Tcp) => f.write_str(", tcp")?,
        Some(Protocol::Udp) => f.write_str(", udp")?,
        Some(Protocol::Icmp) => f.write_str(", icmp")?,
        None => {}
    }
    if !traffic.remote_ports.is_empty() {
        write!(f, ", their port {}", listed(&traffic.remote_ports))?;
    }
    if !traffic.local_ports.is_empty() {
        write!(f, ", its port {}", listed(&traffic.local_ports))?;
    }
    match traffic.share {
        Some(Share::Connections(percent)) => write!(f, ", {percent} of the connections")?,
        Some(Share::Packets(percent)) => write!(f, ", {percent} of them")?,
        None => {}
    }
    if traffic.loopback { f.write_str(", loopback too") } else { Ok(()) }
}

fn listed<T: Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What becomes of packets: `delayed by 200ms`, `10% lost`, `dropped`; or of look-ups.
pub fn words(effect: &Effect) -> String {
    match effect {
        Effect::Cut(Cut::Drop) => "dropped".into(),
        Effect::Cut(Cut::Reject) => "refused".into(),
        Effect::Shape(shape) => shaped(shape).join(", "),
        Effect::Dns(dns) => format!("look-ups of {dns}"),
    }
}

fn shaped(shape: &Shape) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(shape.rate.map(|rate| {
        let burst = if rate.burst == Bytes(0) { String::new() } else { format!(" with bursts of {}", rate.burst) };
        format!("slowed to {}{burst}", BitRate(rate.bits_per_second))
    }));
    parts.extend(shape.delay.map(|delay| delayed(&delay)));
    parts.extend(shape.loss.map(lost));
    parts.extend(shape.duplicate.map(|chance| format!("{} doubled", chance.percent)));
    parts.extend(shape.corrupt.map(|corrupt| {
        let unnoticed = if corrupt.undetected { " unnoticed" } else { "" };
        format!("{} damaged{unnoticed}", corrupt.chance.percent)
    }));
    parts.extend(shape.reorder.map(|reorder| format!("{} let past the others", reorder.chance.percent)));
    parts
}

fn delayed(delay: &Delay) -> String {
    use crate::agent::shape::delay::Distribution;
    let form = match delay.distribution {
        Distribution::Uniform => "",
        Distribution::Normal => ", normal",
        Distribution::Pareto => ", pareto",
        Distribution::ParetoNormal => ", paretonormal",
    };
    let varied = if delay.jitter == Span::ZERO { String::new() } else { format!(" (jitter {}{form})", delay.jitter) };
    format!("delayed by {}{varied}", delay.time)
}

fn lost(loss: Loss) -> String {
    match loss {
        Loss::Random(chance) if chance.correlation == Percent::default() => format!("{} lost", chance.percent),
        Loss::Random(chance) => format!("{} lost, correlated by {}", chance.percent, chance.correlation),
        Loss::GilbertElliott(model) => format!("lost in bursts (Gilbert-Elliott, p {})", model.p),
        Loss::FourState(model) => format!("lost in bursts (four states, p13 {})", model.p13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_fault_reads_as_a_sentence() {
        let owner = ContainerId { host: "h".into(), id: "a".into() };
        let delay = Delay {
            time: Span::millis(200),
            jitter: Span::millis(20),
            distribution: Default::default(),
            correlation: Percent::default(),
        };
        let shape = Shape { delay: Some(delay), ..Shape::default() };
        let mut fault = PacketFault {
            owner: owner.clone(),
            traffic: Traffic { remote_ports: vec!["80".parse().unwrap()], ..Traffic::default() },
            to: vec![Peer::Container { id: owner, name: "shop-store-1".into() }],
            network: None,
            effect: Effect::Shape(Box::new(shape)),
        };
        let said = fault.to_string();
        assert_eq!(said, "packets delayed by 200ms (jitter 20ms), to and from shop-store-1, their port 80");
        fault.to.clear();
        fault.effect = Effect::Cut(Cut::Drop);
        fault.traffic = Traffic { direction: Direction::Out, ..Traffic::default() };
        assert_eq!(fault.to_string(), "packets dropped, to everybody");
    }
}
