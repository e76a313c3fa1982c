//! Faults of packets, under `faults:`.

use super::{defaulted, faults::TARGET, optional, required};
use crate::scenario::{
    form::{Choice, Form, Key, Shape},
    leaf,
};

static OTHER_END: Form = Form::Either(&leaf::PEER, &PEER_MAP);
static PEER_MAP: Form = Form::Map(&PEER);
static SOME_PORTS: Form = Form::Leaf(&leaf::PORTS);

const TO: Key = optional(
    "to",
    Form::OneOrMore(&OTHER_END),
    "The other ends: names of targets, addresses, blocks of addresses, hosts, compose services, containers. They are looked up on all networks when the fault fires, and followed when they are started anew. Without it: everybody.",
    "[store, 10.0.0.0/8, { host: api.example.com, port: 443 }]",
);
const DIRECTION: Key =
    defaulted("direction", Form::Leaf(&leaf::DIRECTION), "both", "Which way, as the target sees it.", "out");
const PROTOCOL: Key = optional("protocol", Form::Leaf(&leaf::PROTOCOL), "Only packets of this protocol.", "tcp");
const PORTS: Key = optional(
    "ports",
    Form::OneOrMore(&SOME_PORTS),
    "Only these ports of the other end: what the target calls.",
    "[5432, 8000-8100]",
);
const OWN_PORTS: Key =
    optional("own_ports", Form::OneOrMore(&SOME_PORTS), "Only these ports of the target: what it serves.", "80");
pub(super) const ONLY: Key = optional(
    "only",
    Form::Leaf(&leaf::PART),
    "Only a share: of the connections (all packets of some), or of the packets. Chosen by the seed.",
    "20% of connections",
);
const LOOPBACK: Key = defaulted(
    "loopback",
    Form::Leaf(&leaf::TRUTH),
    "false",
    "Whether traffic inside the container is meant as well.",
    "true",
);
const CORRELATION: Key = defaulted(
    "correlation",
    Form::Leaf(&leaf::PERCENT),
    "0%",
    "How much each packet's chance leans on the one before.",
    "25%",
);

const fn percent(about: &'static str) -> Key {
    required("percent", Form::Leaf(&leaf::PERCENT), about, "10%")
}

macro_rules! packet_fault {
    ($name:literal, $choice:expr, $($key:expr),*) => {
        Shape {
            name: concat!($name, "-fault"),
            what: concat!("`", $name, "`"),
            about: "",
            keys: &[TARGET, $($key,)* TO, DIRECTION, PROTOCOL, PORTS, OWN_PORTS, LOOPBACK],
            choice: $choice,
            pattern: None,
        }
    };
}

pub(super) static DELAY: Shape = packet_fault!(
    "delay",
    None,
    required("time", Form::Leaf(&leaf::SPAN), "How late packets come; with both directions, each way.", "200ms"),
    defaulted("jitter", Form::Leaf(&leaf::SPAN), "0ms", "How far that varies.", "20ms"),
    defaulted(
        "distribution",
        Form::Leaf(&leaf::DISTRIBUTION),
        "uniform",
        "How it varies; `jitter` is the half width of `uniform`, and the standard deviation of the others.",
        "normal",
    ),
    CORRELATION,
    ONLY
);
pub(super) static LOSS: Shape = packet_fault!(
    "loss",
    Some(Choice {
        what: "model of loss",
        keys: &[
            optional("percent", Form::Leaf(&leaf::PERCENT), "So many packets, one by one.", "10%"),
            optional(
                "gilbert_elliott",
                Form::Map(&GILBERT_ELLIOTT),
                "In bursts: two states, good and bad.",
                "{ p: 1%, r: 20% }",
            ),
            optional(
                "four_state",
                Form::Map(&FOUR_STATE),
                "In bursts and alone: the four-state Markov model of tc-netem(8).",
                "{ p13: 1%, p31: 20% }",
            ),
        ],
        later: &[],
    }),
    defaulted(
        "correlation",
        Form::Leaf(&leaf::PERCENT),
        "0%",
        "With `percent`: how much each packet's chance leans on the one before.",
        "25%",
    ),
    ONLY
);
pub(super) static DUPLICATE: Shape =
    packet_fault!("duplicate", None, percent("How many packets come twice."), CORRELATION, ONLY);
pub(super) static CORRUPT: Shape = packet_fault!(
    "corrupt",
    None,
    percent("In how many packets one bit is flipped; the receiver's checksum tells, and it drops them."),
    defaulted(
        "undetected",
        Form::Leaf(&leaf::TRUTH),
        "false",
        "The checksum is made to fit again, so that wrong bytes reach the application.",
        "true",
    ),
    CORRELATION,
    ONLY
);
pub(super) static REORDER: Shape = packet_fault!(
    "reorder",
    None,
    percent("How many packets overtake the others."),
    defaulted("delay", Form::Leaf(&leaf::SOME_SPAN), "10ms", "How late the others come.", "10ms"),
    defaulted("gap", Form::Leaf(&leaf::COUNT), "1", "Only every so-many-th packet may overtake.", "5"),
    CORRELATION,
    ONLY
);
pub(super) static RATE: Shape = packet_fault!(
    "rate",
    None,
    required(
        "bandwidth",
        Form::Leaf(&leaf::BIT_RATE),
        "How fast the link is, each way; packets count with their IP header.",
        "1Mbit/s",
    ),
    defaulted("burst", Form::Leaf(&leaf::SIZE), "0B", "What passes at once after a rest.", "16kB"),
    optional(
        "queue",
        Form::Leaf(&leaf::SIZE),
        "How much may wait; more is dropped. Without it: 200 ms of the rate, and at least ten full packets.",
        "100kB",
    ),
    ONLY
);
pub(super) static BLACKHOLE: Shape = packet_fault!("blackhole", None, ONLY);
pub(super) static REJECT: Shape = packet_fault!("reject", None,);

pub(super) static PARTITION: Shape = Shape {
    name: "partition",
    what: "`partition`",
    about: "",
    keys: &[
        required(
            "between",
            Form::List(&Form::OneOrMore(&Form::Leaf(&leaf::NAME)), 2),
            "Groups of targets that do not reach each other. Agents stand beside the containers of all groups but the last.",
            "[primary, [replica, api]]",
        ),
        defaulted("by", Form::Leaf(&leaf::CUT), "drop", "How packets end.", "reject"),
        defaulted(
            "one_way",
            Form::Leaf(&leaf::TRUTH),
            "false",
            "Only what the first of two groups sends to the second ends.",
            "true",
        ),
    ],
    choice: None,
    pattern: None,
};

static PEER: Shape = Shape {
    name: "other-end",
    what: "an other end",
    about: "Whom a target talks to, when it is no target itself.",
    keys: &[
        optional("port", Form::Leaf(&leaf::PORTS), "With `host`: only this port of it.", "443"),
        optional(
            "project",
            Form::Leaf(&leaf::TEXT),
            "With `service`: its compose project, if it is another one.",
            "shop",
        ),
    ],
    choice: Some(Choice {
        what: "kind of other end",
        keys: &[
            optional(
                "host",
                Form::Leaf(&leaf::HOST),
                "A host outside of Docker, at the addresses that the runner finds under its name.",
                "api.example.com",
            ),
            optional("service", Form::Leaf(&leaf::TEXT), "All containers of a compose service.", "payments"),
            optional("container", Form::Leaf(&leaf::TEXT), "A container by its name.", "shop-db-1"),
        ],
        later: &[],
    }),
    pattern: None,
};

static GILBERT_ELLIOTT: Shape = Shape {
    name: "gilbert-elliott",
    what: "a model of Gilbert and Elliott",
    about: "Each packet moves between a good and a bad state, as in tc-netem(8).",
    keys: &[
        required("p", Form::Leaf(&leaf::PERCENT), "From good to bad.", "1%"),
        optional("r", Form::Leaf(&leaf::PERCENT), "From bad to good; without it, 100% - p.", "20%"),
        defaulted("lost_in_bad", Form::Leaf(&leaf::PERCENT), "100%", "Lost while bad (1-h).", "70%"),
        defaulted("lost_in_good", Form::Leaf(&leaf::PERCENT), "0%", "Lost while good (1-k).", "0.1%"),
    ],
    choice: None,
    pattern: None,
};

static FOUR_STATE: Shape = Shape {
    name: "four-state",
    what: "a four-state model",
    about: "Gaps and bursts, each with packets received and lost, as in tc-netem(8).",
    keys: &[
        required("p13", Form::Leaf(&leaf::PERCENT), "From a gap, received, into a burst, lost.", "1%"),
        optional(
            "p31",
            Form::Leaf(&leaf::PERCENT),
            "From a burst, lost, back into a gap; without it, 100% - p13.",
            "20%",
        ),
        defaulted("p32", Form::Leaf(&leaf::PERCENT), "0%", "From a burst, lost, to received within it.", "10%"),
        defaulted("p23", Form::Leaf(&leaf::PERCENT), "100%", "From received within a burst to lost again.", "50%"),
        defaulted("p14", Form::Leaf(&leaf::PERCENT), "0%", "From a gap, received, to one packet lost alone.", "0.5%"),
    ],
    choice: None,
    pattern: None,
};
