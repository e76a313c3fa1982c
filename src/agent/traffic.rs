//! Which packets a fault is about. Everything that is given must hold; nothing given means all traffic of the target.

use super::packet::Flow;
use crate::units::Percent;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    str::FromStr,
};

/// The packets of a fault.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traffic {
    /// Which way.
    pub direction: Direction,
    /// The target's own ends (its addresses on one network); empty: all of them.
    pub own: Vec<Block>,
    /// The other ends; empty: everybody.
    pub peers: Vec<Block>,
    /// Over IP; `None`: all.
    pub protocol: Option<Protocol>,
    /// Ports on the target's side; empty: all. Ports alone mean TCP and UDP.
    pub local_ports: Vec<Ports>,
    /// Ports on the other side; empty: all.
    pub remote_ports: Vec<Ports>,
    /// Only some of them.
    pub share: Option<Share>,
    /// Loopback, too; it is left alone otherwise.
    pub loopback: bool,
}

/// A direction, as the target sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// What it sends.
    Out,
    /// What it gets.
    In,
}

impl Direction {
    /// The ways, one by one.
    pub fn ways(self) -> &'static [Way] {
        match self {
            Direction::Both => &[Way::Out, Way::In],
            Direction::Out => &[Way::Out],
            Direction::In => &[Way::In],
        }
    }
}

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Sent by the target.
    Out,
    /// Sent to the target.
    In,
}

impl Way {
    /// Its name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Way::Out => "out",
            Way::In => "in",
        }
    }
}

/// What is carried by IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6 (but never neighbour discovery).
    Icmp,
}

/// Only a part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// All packets of some connections: the same ones in both directions.
    Connections(Percent),
    /// Some packets.
    Packets(Percent),
}

/// Addresses with a common beginning. Written `10.0.0.0/8` or `fd00::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block {
    /// The first address.
    pub address: IpAddr,
    /// How many bits count.
    pub bits: u8,
}

impl Block {
    /// One address.
    pub fn of(address: IpAddr) -> Block {
        Block { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The bits that count, as a mask in network order: 4 or 16 bytes.
    pub fn mask(&self) -> Vec<u8> {
        let bytes = if self.address.is_ipv4() { 4 } else { 16 };
        (0..bytes)
            .map(|i| 0xff_u8.checked_shl(8 - u32::from(self.bits).saturating_sub(8 * i).min(8)).unwrap_or(0))
            .collect()
    }

    /// Whether it holds this address.
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, &self.mask()) == bytes(self.address)
    }
}

/// The bytes of an address in network order.
pub fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn masked(address: IpAddr, mask: &[u8]) -> Vec<u8> {
    bytes(address).iter().zip(mask).map(|(byte, mask)| byte & mask).collect()
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Block, String> {
        let wrong = || format!("`{text}` is not an address or a block of addresses");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let whole = Block::of(address.parse().map_err(|_| wrong())?);
        let block = Block { bits: bits.unwrap_or(whole.bits), ..whole };
        if block.bits > whole.bits {
            return Err(wrong());
        }
        if !block.holds(block.address) {
            return Err(format!("`{text}` has bits set behind its first {}", block.bits));
        }
        Ok(block)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == Block::of(self.address).bits {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

/// A port or a range of them. Written `80` or `8000-8100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Ports, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Ports { first, last }),
            _ => Err(format!("`{text}` is not a port or a range of ports")),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
as_text!(Block, Ports);

impl Traffic {
    /// # Errors
    /// Ports of a protocol that has none.
    pub fn check(&self) -> Result<(), String> {
        let ports = !self.local_ports.is_empty() || !self.remote_ports.is_empty();
        if ports && self.protocol == Some(Protocol::Icmp) { Err("ICMP has no ports".into()) } else { Ok(()) }
    }

    /// Whether a packet is one of them, its share apart.
    pub fn matches(&self, way: Way, flow: &Flow, over_loopback: bool) -> bool {
        let (local, remote, local_port, remote_port) = match way {
            Way::Out => (flow.source, flow.destination, flow.ports.map(|p| p.0), flow.ports.map(|p| p.1)),
            Way::In => (flow.destination, flow.source, flow.ports.map(|p| p.1), flow.ports.map(|p| p.0)),
        };
        (self.loopback || !over_loopback)
            && self.direction.ways().contains(&way)
            && (self.own.is_empty() || self.own.iter().any(|block| block.holds(local)))
            && (self.peers.is_empty() || self.peers.iter().any(|block| block.holds(remote)))
            && self.protocol.is_none_or(|protocol| protocol.is(flow.protocol))
            && one_of(&self.local_ports, local_port)
            && one_of(&self.remote_ports, remote_port)
    }
}

fn one_of(ports: &[Ports], port: Option<u16>) -> bool {
    ports.is_empty() || port.is_some_and(|port| ports.iter().any(|range| (range.first..=range.last).contains(&port)))
}

impl Protocol {
    fn is(self, number: u8) -> bool {
        match self {
            Protocol::Tcp => number == 6,
            Protocol::Udp => number == 17,
            Protocol::Icmp => number == 1 || number == 58,
        }
    }
}

/// Whether a connection is among the chosen share: the same answer for all its packets, in both directions.
pub fn chosen(percent: Percent, flow: &Flow, seed: u64) -> bool {
    let (port, other) = flow.ports.unwrap_or((0, 0));
    let mut ends = [(flow.source, port), (flow.destination, other)];
    ends.sort();
    // The standard hasher starts from fixed keys: the same seed chooses the same connections.
    let mut hasher = DefaultHasher::new();
    (seed, flow.protocol, ends).hash(&mut hasher);
    (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64 <= percent.0 && percent.0 > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(source: &str, destination: &str, protocol: u8, ports: Option<(u16, u16)>) -> Flow {
        Flow {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol,
            ports,
            transport: 20,
            length: 60,
        }
    }

    #[test]
    fn blocks_read_print_and_hold() {
        for (text, holds, not) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("fd00:1::/33", "fd00:1:0:1::5", "fd00:1:8000::"),
        ] {
            let block: Block = text.parse().unwrap();
            assert_eq!(block.to_string(), text);
            assert!(block.holds(holds.parse().unwrap()), "{text} holds {holds}");
            assert!(!block.holds(not.parse().unwrap()), "{text} does not hold {not}");
        }
        assert!("10.0.0.1/8".parse::<Block>().unwrap_err().contains("bits set"));
        assert!("10.0.0.0/33".parse::<Block>().is_err());
        assert!("db".parse::<Block>().is_err());
    }

    #[test]
    fn everything_given_must_hold() {
        let traffic = Traffic {
            peers: vec!["10.0.0.2".parse().unwrap()],
            protocol: Some(Protocol::Tcp),
            remote_ports: vec!["5432".parse().unwrap(), "6000-6010".parse().unwrap()],
            ..Traffic::default()
        };
        let (a, b) = ("10.0.0.1", "10.0.0.2");
        assert!(traffic.matches(Way::Out, &flow(a, b, 6, Some((40000, 5432))), false));
        assert!(traffic.matches(Way::In, &flow(b, a, 6, Some((6010, 40000))), false));
        assert!(!traffic.matches(Way::Out, &flow(a, b, 17, Some((40000, 5432))), false), "protocol");
        assert!(!traffic.matches(Way::Out, &flow(a, "10.0.0.3", 6, Some((40000, 5432))), false), "peer");
        assert!(!traffic.matches(Way::Out, &flow(a, b, 6, Some((5432, 40000))), false), "side of the port");
        assert!(!traffic.matches(Way::Out, &flow(a, b, 6, None), false), "a packet without ports");
        assert!(!traffic.matches(Way::Out, &flow(a, b, 6, Some((40000, 5432))), true), "loopback is left alone");
        let all = Traffic { loopback: true, ..Traffic::default() };
        assert!([true, false].map(|over| all.matches(Way::In, &flow(a, b, 6, None), over)) == [true, true]);
        let own = Traffic { own: vec![a.parse().unwrap()], ..Traffic::default() };
        assert!(
            own.matches(Way::Out, &flow(a, b, 17, None), false) && own.matches(Way::In, &flow(b, a, 6, None), false)
        );
        assert!(!own.matches(Way::Out, &flow("10.0.0.9", b, 17, None), false), "from another address of its own");
        let out = Traffic { direction: Direction::Out, ..Traffic::default() };
        assert!(!out.matches(Way::In, &flow(b, a, 6, None), false), "direction");
    }

    #[test]
    fn a_connection_is_chosen_as_a_whole_and_in_its_share() {
        let count = (1..=20_000_u16)
            .filter(|port| {
                let there = chosen(Percent(0.3), &flow("10.0.0.1", "10.0.0.2", 6, Some((*port, 80))), 9);
                assert_eq!(there, chosen(Percent(0.3), &flow("10.0.0.2", "10.0.0.1", 6, Some((80, *port))), 9));
                there
            })
            .count();
        assert!((5700..6300).contains(&count), "{count}");
    }

    #[test]
    fn icmp_has_no_ports() {
        let text = r#"{"protocol":"icmp","remote_ports":["80"]}"#;
        assert!(serde_json::from_str::<Traffic>(text).unwrap().check().is_err());
    }
}
