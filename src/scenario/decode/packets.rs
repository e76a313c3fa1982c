//! Faults of packets.

use super::{Decoder, text, value};
use crate::{
    agent::{
        protocol::{Cut, Effect},
        shape::{
            Corrupt, Reorder, Shape,
            chance::Chance,
            delay::{Delay, Distribution},
            loss::{FourState, GilbertElliott, Loss},
            rate::RateLimit,
        },
        traffic::{Block, Direction, Ports, Protocol, Share, Traffic},
    },
    fault::{Fault, PacketKind, PacketSettings, Partition, To},
    scenario::{
        leaf,
        tree::{Entry, Node},
    },
    units::{BitRate, Percent, Span},
};

/// How late the others come while some overtake, unless the scenario says otherwise.
const REORDER_DELAY: Span = Span::millis(10);

impl Decoder {
    /// `None`: no fault of packets, or nothing that can be read.
    pub(super) fn packet_fault(&mut self, entry: &Entry) -> Option<Fault> {
        let node = &entry.node;
        let shaped = |shape: Shape| Effect::Shape(Box::new(shape));
        let (kind, effect) = match entry.key.as_str() {
            "delay" => (PacketKind::Delay, shaped(Shape { delay: Some(delay(node)), ..Shape::default() })),
            "loss" => (PacketKind::Loss, shaped(Shape { loss: Some(self.loss(node)), ..Shape::default() })),
            "duplicate" => (PacketKind::Duplicate, shaped(Shape { duplicate: Some(chance(node)), ..Shape::default() })),
            "corrupt" => {
                let corrupt = Corrupt { chance: chance(node), undetected: is(node, "undetected") };
                (PacketKind::Corrupt, shaped(Shape { corrupt: Some(corrupt), ..Shape::default() }))
            }
            "reorder" => (PacketKind::Reorder, shaped(reorder(node))),
            "rate" => (PacketKind::Rate, shaped(Shape { rate: Some(self.rate(node)), ..Shape::default() })),
            "blackhole" => (PacketKind::Blackhole, Effect::Cut(Cut::Drop)),
            "reject" => (PacketKind::Reject, Effect::Cut(Cut::Reject)),
            "disconnect" if node.get("via").is_none() => (PacketKind::Disconnect, Effect::Cut(Cut::Drop)),
            "dns" => return Some(self.dns(node)),
            "partition" => return Some(Fault::Partition(self.partition(node))),
            _ => return None,
        };
        let mut traffic = traffic(node);
        let to = self.others(node, &mut traffic);
        self.ports_of_icmp(node, &traffic);
        let network = text(node, "network").filter(|_| kind == PacketKind::Disconnect);
        Some(Fault::Packets(Box::new(PacketSettings { kind, traffic, to, network, effect })))
    }

    fn loss(&mut self, node: &Node) -> Loss {
        if let Some(correlation) = node.get("correlation").filter(|_| node.get("percent").is_none()) {
            self.report(
                correlation,
                "`correlation` belongs to `percent`; a model of bursts has its own",
                "remove it, or say `percent`",
            );
        }
        if let Some(model) = node.get("gilbert_elliott") {
            return Loss::GilbertElliott(GilbertElliott {
                p: value(model, "p").unwrap_or_default(),
                r: value(model, "r"),
                lost_in_bad: value(model, "lost_in_bad"),
                lost_in_good: value(model, "lost_in_good"),
            });
        }
        if let Some(model) = node.get("four_state") {
            let loss = FourState {
                p13: value(model, "p13").unwrap_or_default(),
                p31: value(model, "p31"),
                p32: value(model, "p32"),
                p23: value(model, "p23"),
                p14: value(model, "p14"),
            };
            if let Err(why) = Loss::FourState(loss).check() {
                self.report(model, why, "lower one of them");
            }
            return Loss::FourState(loss);
        }
        Loss::Random(chance(node))
    }

    fn rate(&mut self, node: &Node) -> RateLimit {
        let read: Option<BitRate> = value(node, "bandwidth");
        if let Some(given) = node.get("bandwidth").filter(|_| read == Some(BitRate(0))) {
            self.report(given, "a bandwidth of nothing lets nothing through", "say `blackhole`, which is that");
        }
        let burst = value(node, "burst").unwrap_or_default();
        RateLimit { bits_per_second: read.unwrap_or_default().0, burst, queue: value(node, "queue") }
    }

    fn partition(&mut self, node: &Node) -> Partition {
        let groups = node.get("between").map(Node::items).unwrap_or_default();
        let group = |group: &Node| match group.items() {
            [] => vec![group.clone()],
            items => items.to_vec(),
        };
        let groups: Vec<Vec<Node>> = groups.iter().map(group).collect();
        let mut seen: Vec<String> = Vec::new();
        let mut between = Vec::new();
        for group in &groups {
            let mut names = Vec::new();
            for member in group {
                let Some(name) = self.target(member) else { continue };
                if seen.contains(&name) {
                    self.report(member, format!("`{name}` is in two groups"), "each target may be on one side only");
                }
                seen.push(name.clone());
                names.push(name);
            }
            between.push(names);
        }
        let one_way = is(node, "one_way");
        if let Some(given) = node.get("one_way").filter(|_| one_way && between.len() > 2) {
            let help = "write two groups, or one partition for each pair";
            self.report(given, "`one_way` is between two groups, and there are more", help);
        }
        let by = if text(node, "by").as_deref() == Some("reject") { Cut::Reject } else { Cut::Drop };
        Partition { between, by, one_way }
    }

    /// The other ends; a port of theirs narrows the traffic.
    fn others(&mut self, node: &Node, traffic: &mut Traffic) -> Vec<To> {
        let Some(given) = node.get("to") else { return Vec::new() };
        let one = std::slice::from_ref(given);
        let items = if given.items().is_empty() { one } else { given.items() };
        let mut to = Vec::new();
        for item in items {
            to.extend(self.other(item, items.len(), traffic));
        }
        to
    }

    fn other(&mut self, item: &Node, of: usize, traffic: &mut Traffic) -> Option<To> {
        if let Some(word) = item.text() {
            return match word.parse::<Block>() {
                Ok(block) => Some(To::Addresses(block)),
                // One that is written like an address is explained by the check of its form.
                Err(_) if word.contains(['/', ':']) => None,
                Err(_) => self.target(item).map(To::Target),
            };
        }
        if let Some(port) = item.get("port") {
            if item.get("host").is_none() || of > 1 {
                let help = "beside others, write `ports` next to `to`; it holds for all of them";
                self.report(port, "`port` goes with a `host` that is the only other end", help);
            }
            traffic.remote_ports.extend(port.text().and_then(|text| text.parse::<Ports>().ok()));
        }
        if let Some(project) = item.get("project").filter(|_| item.get("service").is_none()) {
            self.report(project, "`project` goes with `service`", "remove it, or say which service");
        }
        let service = || Some(To::Service { project: text(item, "project"), service: text(item, "service")? });
        let host = text(item, "host").map(To::Host);
        host.or_else(service).or_else(|| text(item, "container").map(To::Container))
    }

    fn ports_of_icmp(&mut self, node: &Node, traffic: &Traffic) {
        let ports = ["ports", "own_ports"].into_iter().find_map(|key| node.get(key));
        if let Some(given) = ports.filter(|_| traffic.check().is_err()) {
            self.report(given, "ICMP has no ports", "remove the ports, or the protocol");
        }
    }
}

fn is(node: &Node, key: &str) -> bool {
    value(node, key).unwrap_or(false)
}

fn chance(node: &Node) -> Chance {
    Chance {
        percent: value(node, "percent").unwrap_or_default(),
        correlation: value(node, "correlation").unwrap_or_default(),
    }
}

fn delay(node: &Node) -> Delay {
    let distribution = match text(node, "distribution").as_deref() {
        Some("normal") => Distribution::Normal,
        Some("pareto") => Distribution::Pareto,
        Some("paretonormal") => Distribution::ParetoNormal,
        _ => Distribution::Uniform,
    };
    Delay {
        time: value(node, "time").unwrap_or_default(),
        jitter: value(node, "jitter").unwrap_or_default(),
        distribution,
        correlation: value(node, "correlation").unwrap_or_default(),
    }
}

fn reorder(node: &Node) -> Shape {
    let others = Delay {
        time: value(node, "delay").unwrap_or(REORDER_DELAY),
        jitter: Span::ZERO,
        distribution: Distribution::Uniform,
        correlation: Percent::default(),
    };
    let reorder = Reorder { chance: chance(node), gap: value(node, "gap").unwrap_or(1) };
    Shape { delay: Some(others), reorder: Some(reorder), ..Shape::default() }
}

fn traffic(node: &Node) -> Traffic {
    let ports = |key: &str| {
        let given = node.get(key);
        let one = given.and_then(|node| node.text()?.parse::<Ports>().ok());
        let items = given.map(Node::items).unwrap_or_default();
        one.into_iter().chain(items.iter().filter_map(|item| item.text()?.parse().ok())).collect::<Vec<Ports>>()
    };
    Traffic {
        direction: match text(node, "direction").as_deref() {
            Some("out") => Direction::Out,
            Some("in") => Direction::In,
            _ => Direction::Both,
        },
        protocol: match text(node, "protocol").as_deref() {
            Some("tcp") => Some(Protocol::Tcp),
            Some("udp") => Some(Protocol::Udp),
            Some("icmp") => Some(Protocol::Icmp),
            _ => None,
        },
        local_ports: ports("own_ports"),
        remote_ports: ports("ports"),
        share: text(node, "only").and_then(|text| leaf::part(&text).ok()).map(|(percent, connections)| {
            if connections { Share::Connections(percent) } else { Share::Packets(percent) }
        }),
        loopback: is(node, "loopback"),
        ..Traffic::default()
    }
}
