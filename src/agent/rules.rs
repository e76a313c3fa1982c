//! Our table: what stands in it for which faults.
//!
//! Each direction has a base chain that lets our own copies and neighbour discovery pass and then jumps to `cut-*` and
//! `shape-*`; behind it a second base chain counts what came through unshaped. Only the chains without a hook change
//! while faults come and go: taking a *base* chain away makes the kernel drop every held packet of the namespace. The
//! queues have chains of their own that stand from the start: where only iptables' target reaches a queue, the kernel
//! makes a new one wait until whatever was removed last is gone, a grace period of tens of milliseconds when it idles.

use super::{
    inject::{ANSWER_MARK, MARK},
    nft::{Base, Hook, Is, Meta, QueueBy, Refusal, Rule, Step, Verdict},
    protocol::{Cut, FaultId},
    traffic::{Block, Direction, Ports, Protocol, Traffic, Way, bytes},
};

/// Before connection tracking (-200) and anything that people write, so that a copy of ours goes through all of it.
const PRIORITY: i32 = -500;
/// `ARPHRD_LOOPBACK`.
const LOOPBACK: u16 = 772;
/// A queue number that nobody listens to: beyond those that we look for a free one among.
const VOID: u16 = 0xfdfe;
const VOID_CHAIN: &str = "void";
/// More rules than this for one fault are refused.
pub const RULES_MOST: usize = 4096;

/// What rules can use in this namespace.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// Packets can be kept out of connection tracking.
    pub untracked: bool,
    /// The queues that we listen to (out, in), and how packets reach them.
    pub queues: Option<([u16; 2], QueueBy)>,
}

/// What the rules of one fault do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Hand packets to our queues.
    Queue,
    /// End them; `void` if there are queues, so that the sender is told nothing.
    Cut {
        /// Silently or by an answer.
        cut: Cut,
        /// Whether the chain `void` ends packets.
        void: bool,
    },
}

/// A fault as rules see it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which.
    pub fault: FaultId,
    /// Which packets.
    pub traffic: Traffic,
    /// What happens to them.
    pub act: Act,
}

/// Both ways.
pub const WAYS: [Way; 2] = [Way::Out, Way::In];

/// The chains that change.
pub fn changing() -> Vec<String> {
    WAYS.iter().flat_map(|way| ["cut", "shape", "leak"].map(|what| format!("{what}-{}", way.name()))).collect()
}

/// The chains that hand packets to queues; they never change.
pub fn queueing(means: Means) -> Vec<Rule> {
    let Some((numbers, by)) = means.queues else { return Vec::new() };
    let mut rules: Vec<Rule> =
        WAYS.map(|way| rule(&queue(way), "queue", vec![Step::Queue(numbers[way as usize], by)])).into();
    rules.push(rule(VOID_CHAIN, "void", vec![Step::Void(VOID, by)]));
    rules
}

fn queue(way: Way) -> String {
    format!("queue-{}", way.name())
}

/// The base chains and where they are hooked.
pub fn base() -> Vec<(String, Hook)> {
    let number = |way| if way == Way::Out { 3 } else { 1 };
    let chains = |way: Way| {
        let hook = Hook { number: number(way), priority: PRIORITY };
        [(way.name().to_owned(), hook), (format!("{}-after", way.name()), Hook { priority: PRIORITY + 1, ..hook })]
    };
    WAYS.into_iter().flat_map(chains).collect()
}

/// The rules that always stand. Our answers are kept out of connection tracking where that is possible.
///
/// Tracked, an answer from 127.0.0.11 would open a connection of its own, and the next question from the same port would
/// count as a reply on it: Docker's redirection, which only looks at what is new, would let it go astray.
pub fn standing(means: Means) -> Vec<Rule> {
    let jump = |to: String| vec![Step::Verdict(Verdict::Jump(to))];
    let mut rules = queueing(means);
    for way in WAYS {
        let (first, after) = (way.name().to_owned(), format!("{}-after", way.name()));
        for chain in [&first, &after] {
            rules.push(rule(chain, "ours", ours(MARK, false)));
            rules.push(rule(
                chain,
                "answers",
                ours(ANSWER_MARK, means.untracked && *chain == first && way == Way::Out),
            ));
            rules.push(rule(chain, "neighbours", neighbours()));
        }
        rules.push(rule(&first, "cuts", jump(format!("cut-{}", way.name()))));
        rules.push(rule(&first, "shapes", jump(format!("shape-{}", way.name()))));
        rules.push(rule(&after, "leaks", jump(format!("leak-{}", way.name()))));
    }
    rules
}

fn rule(chain: &str, tag: &str, steps: Vec<Step>) -> Rule {
    Rule { chain: chain.into(), tag: tag.into(), steps }
}

fn ours(mark: u32, untracked: bool) -> Vec<Step> {
    let mut steps = vec![Step::Meta(Meta::Mark), Step::Compare(Is::Equal, mark.to_ne_bytes().to_vec())];
    steps.extend(untracked.then_some(Step::Untrack));
    steps.push(Step::Verdict(Verdict::Accept));
    steps
}

/// Without these an IPv6 address is not reachable at all, which would be another fault.
fn neighbours() -> Vec<Step> {
    vec![
        Step::Meta(Meta::Protocol),
        Step::Compare(Is::Equal, vec![58]),
        Step::Payload(Base::Transport, 0, 1),
        Step::Compare(Is::Least, vec![133]),
        Step::Compare(Is::Most, vec![137]),
        Step::Verdict(Verdict::Accept),
    ]
}

/// The name of a fault's counter.
pub fn counter(fault: FaultId, way: Way, what: &str) -> String {
    format!("{}-{}-{what}", fault.0, way.name())
}

/// The counters of a fault.
pub fn counters(fault: FaultId) -> Vec<String> {
    WAYS.iter().flat_map(|way| ["hit", "cut", "leak"].map(|what| counter(fault, *way, what))).collect()
}

/// The rules of the changing chains: silent cuts, then refusals (whose own answers pass), then queues.
pub fn changing_rules(faults: &[Standing]) -> Vec<Rule> {
    let of = |wanted: fn(&Act) -> bool| faults.iter().filter(move |fault| wanted(&fault.act));
    let refuses = |act: &Act| matches!(act, Act::Cut { cut: Cut::Reject, .. });
    let mut rules: Vec<Rule> = of(|act| matches!(act, Act::Cut { cut: Cut::Drop, .. })).flat_map(cuts).collect();
    if of(refuses).next().is_some() {
        rules.extend(answers());
    }
    rules.extend(of(refuses).flat_map(cuts));
    rules.extend(of(|act| matches!(act, Act::Queue)).flat_map(shapes));
    rules
}

fn cuts(fault: &Standing) -> Vec<Rule> {
    let Act::Cut { cut, void } = fault.act else { return Vec::new() };
    each_way(fault, |way, matched| {
        let chain = format!("cut-{}", way.name());
        let end = |steps: &[Step], last| {
            let counts = ["hit", "cut"].map(|what| Step::Count(counter(fault.fault, way, what)));
            rule(&chain, &tag(fault), [steps, &counts, &[last]].concat())
        };
        let tcp = [Step::Meta(Meta::Protocol), Step::Compare(Is::Equal, vec![6])];
        match cut {
            Cut::Drop => vec![end(matched, silence(way, void))],
            Cut::Reject => vec![
                end(&[matched, &tcp].concat(), Step::Reject(Refusal::Reset)),
                end(matched, Step::Reject(Refusal::Unreachable)),
            ],
        }
    })
}

fn silence(way: Way, void: bool) -> Step {
    let silent = way == Way::Out && void;
    Step::Verdict(if silent { Verdict::Jump(VOID_CHAIN.into()) } else { Verdict::Drop })
}

/// Our answers to refused packets go out through the same chain; they must not be refused in turn.
fn answers() -> Vec<Rule> {
    let back = |mut steps: Vec<Step>| {
        steps.push(Step::Verdict(Verdict::Return));
        rule("cut-out", "answers", steps)
    };
    let protocol = |number| [Step::Meta(Meta::Protocol), Step::Compare(Is::Equal, vec![number])];
    let kind = |kind| [Step::Payload(Base::Transport, 0, 1), Step::Compare(Is::Equal, vec![kind])];
    let reset = [Step::Payload(Base::Transport, 13, 1), Step::Mask(vec![4]), Step::Compare(Is::Other, vec![0])];
    vec![
        back([&protocol(6)[..], &reset].concat()),
        back([protocol(1), kind(3)].concat()),
        back([protocol(58), kind(1)].concat()),
    ]
}

fn shapes(fault: &Standing) -> Vec<Rule> {
    each_way(fault, |way, matched| {
        let to = |chain: &str, what, last| {
            let steps = [matched, &[Step::Count(counter(fault.fault, way, what)), last]].concat();
            rule(&format!("{chain}-{}", way.name()), &tag(fault), steps)
        };
        let queued = Step::Verdict(Verdict::Jump(queue(way)));
        vec![to("shape", "hit", queued), to("leak", "leak", Step::Verdict(Verdict::Accept))]
    })
}

fn tag(fault: &Standing) -> String {
    fault.fault.0.to_string()
}

fn each_way(fault: &Standing, rules: impl Fn(Way, &[Step]) -> Vec<Rule>) -> Vec<Rule> {
    let ways = fault.traffic.direction.ways().iter();
    ways.flat_map(|way| matches(&fault.traffic, *way).into_iter().flat_map(|steps| rules(*way, &steps))).collect()
}

/// How many rules a fault would need; to be compared with [`RULES_MOST`] before any is written.
pub fn size(traffic: &Traffic) -> usize {
    let some = |n: usize| n.max(1);
    let ways = if traffic.direction == Direction::Both { 2 } else { 1 };
    let ports = some(traffic.local_ports.len()).saturating_mul(some(traffic.remote_ports.len()));
    let ends = some(traffic.peers.len()).saturating_mul(some(traffic.own.len()));
    ends.saturating_mul(ports).saturating_mul(4 * ways)
}

/// The packets of a fault as alternatives, each a series of comparisons.
fn matches(traffic: &Traffic, way: Way) -> Vec<Vec<Step>> {
    let (local_at, remote_at) = if way == Way::Out { (0, 2) } else { (2, 0) };
    let start = if traffic.loopback { Vec::new() } else { not_loopback(way) };
    let back = if way == Way::Out { Way::In } else { Way::Out };
    let own = some(&traffic.own, |block| peer(block, back));
    let peers = some(&traffic.peers, |block| peer(block, way));
    let local = some(&traffic.local_ports, |ports| port(ports, local_at));
    let remote = some(&traffic.remote_ports, |ports| port(ports, remote_at));
    let mut all = vec![start];
    for part in [own, peers, protocols(traffic), local, remote] {
        all = all.iter().flat_map(|so_far| part.iter().map(|more| [&so_far[..], more].concat())).collect();
    }
    all
}

/// One alternative for each; one without any condition if there are none.
fn some<T>(of: &[T], steps: impl Fn(&T) -> Vec<Step>) -> Vec<Vec<Step>> {
    if of.is_empty() { vec![Vec::new()] } else { of.iter().map(steps).collect() }
}

fn not_loopback(way: Way) -> Vec<Step> {
    let key = if way == Way::Out { Meta::OutType } else { Meta::InType };
    vec![Step::Meta(key), Step::Compare(Is::Other, LOOPBACK.to_ne_bytes().to_vec())]
}

fn peer(block: &Block, way: Way) -> Vec<Step> {
    let v4 = block.address.is_ipv4();
    let offset = match (v4, way) {
        (true, Way::Out) => 16,
        (true, Way::In) => 12,
        (false, Way::Out) => 24,
        (false, Way::In) => 8,
    };
    let family = if v4 { 2 } else { 10 };
    let mut steps = vec![Step::Meta(Meta::Family), Step::Compare(Is::Equal, vec![family])];
    let (address, mask) = (bytes(block.address), block.mask());
    if block.bits > 0 {
        steps.push(Step::Payload(Base::Network, offset, address.len() as u32));
        if mask.iter().any(|byte| *byte != 0xff) {
            steps.push(Step::Mask(mask));
        }
        steps.push(Step::Compare(Is::Equal, address));
    }
    steps
}

fn protocols(traffic: &Traffic) -> Vec<Vec<Step>> {
    let ports = !traffic.local_ports.is_empty() || !traffic.remote_ports.is_empty();
    let numbers: &[u8] = match traffic.protocol {
        Some(Protocol::Tcp) => &[6],
        Some(Protocol::Udp) => &[17],
        Some(Protocol::Icmp) => &[1, 58],
        None if ports => &[6, 17],
        None => &[],
    };
    some(numbers, |number| vec![Step::Meta(Meta::Protocol), Step::Compare(Is::Equal, vec![*number])])
}

fn port(ports: &Ports, at: u32) -> Vec<Step> {
    let load = Step::Payload(Base::Transport, at, 2);
    let compare = |is, port: u16| Step::Compare(is, port.to_be_bytes().to_vec());
    if ports.first == ports.last {
        vec![load, compare(Is::Equal, ports.first)]
    } else {
        vec![load, compare(Is::Least, ports.first), compare(Is::Most, ports.last)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(text: &str) -> Traffic {
        serde_json::from_str(text).unwrap()
    }

    fn standing(act: Act) -> Standing {
        Standing { fault: FaultId(3), traffic: Traffic::default(), act }
    }

    #[test]
    fn everything_given_becomes_a_product_of_alternatives() {
        let traffic = traffic(r#"{"peers":["10.0.0.0/8","fd00::1"],"remote_ports":["80","90-99"],"direction":"out"}"#);
        let all = matches(&traffic, Way::Out);
        assert_eq!(all.len(), 2 * 2 * 2, "peers, protocols with ports, ports");
        assert!(all.iter().all(|steps| steps[0] == Step::Meta(Meta::OutType)), "loopback is left alone");
        assert!(all[0].contains(&Step::Mask(vec![255, 0, 0, 0])));
        assert!(all[0].contains(&Step::Payload(Base::Transport, 2, 2)));
        assert!(size(&traffic) >= all.len());
    }

    #[test]
    fn nothing_given_matches_all_but_loopback() {
        assert_eq!(matches(&Traffic::default(), Way::In).len(), 1);
        assert_eq!(matches(&traffic(r#"{"loopback":true}"#), Way::In), [Vec::new()]);
    }

    #[test]
    fn silent_cuts_come_first_and_refusals_let_their_answers_pass() {
        let faults = [Cut::Reject, Cut::Drop].map(|cut| standing(Act::Cut { cut, void: true }));
        let rules = changing_rules(&faults);
        let out: Vec<&Rule> = rules.iter().filter(|rule| rule.chain == "cut-out").collect();
        let ends: Vec<&str> = out.iter().map(|rule| rule.steps.last().unwrap().name()).collect();
        assert_eq!(ends, ["immediate", "immediate", "immediate", "immediate", "reject", "reject"]);
        assert_eq!(out[0].steps.last(), Some(&Step::Verdict(Verdict::Jump("void".into()))));
        assert_eq!(out[0].tag, "3");
    }

    #[test]
    fn what_is_queued_is_also_watched_for_leaks() {
        let rules = changing_rules(&[standing(Act::Queue)]);
        let chains: Vec<&str> = rules.iter().map(|rule| rule.chain.as_str()).collect();
        assert_eq!(chains, ["shape-out", "leak-out", "shape-in", "leak-in"]);
        assert_eq!(rules[2].steps.last(), Some(&Step::Verdict(Verdict::Jump("queue-in".into()))));
        let queues = queueing(Means { untracked: true, queues: Some(([5, 6], QueueBy::Compat)) });
        assert_eq!(queues[1], rule("queue-in", "queue", vec![Step::Queue(6, QueueBy::Compat)]));
    }
}
