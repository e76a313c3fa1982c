//! `faults:`

use super::{defaulted, dns, optional, packets, required};
use crate::scenario::{
    form::{Choice, Form, Key, Shape},
    leaf,
};

/// One fault on the timeline.
pub static FAULT: Shape = Shape {
    name: "fault",
    what: "a fault",
    about: "What is done to a target, and when. Everything is undone, whatever happens.",
    keys: &[
        defaulted(
            "at",
            Form::Leaf(&leaf::SPAN),
            "0s",
            "When, counted from the moment at which the baseline has been met.",
            "0s",
        ),
        optional(
            "for",
            Form::Leaf(&leaf::SOME_SPAN),
            "For how long; then it is undone. Without it: until the run ends. `restart`, and `exec` with `undo: none`, take none.",
            "30s",
        ),
    ],
    choice: Some(Choice {
        what: "kind of fault",
        keys: &[
            optional(
                "kill",
                Form::Map(&KILL),
                "A fatal signal through the engine. The restart policy does not act; the container is started again at the end.",
                "{ target: cache }",
            ),
            optional(
                "crash",
                Form::Map(&CRASH),
                "A fatal signal from the host's side: the restart policy acts, and the review says whether and when the container came back. Started at the end if it did not.",
                "{ target: api }",
            ),
            optional(
                "signal",
                Form::Map(&SIGNAL),
                "Any signal to the container's main process, from the host's side. What it ends, and nobody starts again, is started at the end.",
                "{ target: api, signal: HUP }",
            ),
            optional(
                "process",
                Form::Map(&PROCESS),
                "A signal to some of the container's processes, from the host's side.",
                "{ target: web, name: \"nginx: worker\", signal: KILL }",
            ),
            optional(
                "stop",
                Form::Map(&STOP),
                "An orderly stop; started again at the end.",
                "{ target: cache, grace: 10s }",
            ),
            optional(
                "restart",
                Form::Map(&RESTART),
                "Stop and start, all at once or one after the other.",
                "{ target: api, one_by_one: healthy }",
            ),
            optional("pause", Form::Map(&PAUSE), "Frozen: connections stand, nothing answers.", "{ target: cache }"),
            optional(
                "disconnect",
                Form::Map(&DISCONNECT),
                "Off one network: a cut of its packets, or with `via: docker` through the engine.",
                "{ target: api, network: shop_back }",
            ),
            optional(
                "delay",
                Form::Map(&packets::DELAY),
                "Packets come late.",
                "{ target: api, to: store, time: 200ms }",
            ),
            optional("loss", Form::Map(&packets::LOSS), "Packets get lost by chance.", "{ target: api, percent: 10% }"),
            optional(
                "duplicate",
                Form::Map(&packets::DUPLICATE),
                "Packets come twice.",
                "{ target: api, percent: 5% }",
            ),
            optional("corrupt", Form::Map(&packets::CORRUPT), "Packets are damaged.", "{ target: api, percent: 1% }"),
            optional(
                "reorder",
                Form::Map(&packets::REORDER),
                "Packets overtake each other.",
                "{ target: api, percent: 25%, delay: 20ms }",
            ),
            optional("rate", Form::Map(&packets::RATE), "The link is slow.", "{ target: api, bandwidth: 1Mbit/s }"),
            optional(
                "partition",
                Form::Map(&packets::PARTITION),
                "Groups of containers do not reach each other.",
                "{ between: [primary, replica] }",
            ),
            optional(
                "blackhole",
                Form::Map(&packets::BLACKHOLE),
                "Packets vanish: nobody answers, and nobody says so.",
                "{ target: api, to: store, ports: 6379 }",
            ),
            optional(
                "reject",
                Form::Map(&packets::REJECT),
                "Packets are refused: TCP by a reset, others by ICMP.",
                "{ target: api, to: store, ports: 6379 }",
            ),
            optional(
                "dns",
                Form::Map(&dns::DNS),
                "Names are not found, found late, or lead elsewhere.",
                "{ target: api, names: payments*, answer: servfail }",
            ),
            optional(
                "exec",
                Form::Map(&EXEC),
                "A command in the container, and the one that undoes it.",
                "{ target: cache, command: [redis-cli, config, set, maxmemory, 1mb], undo: [redis-cli, config, set, maxmemory, \"0\"] }",
            ),
            optional(
                "cpu",
                Form::Map(&CPU),
                "Less CPU time than it has (`quota`, in its cgroup), or something inside that uses it up (`workers`).",
                "{ target: api, quota: 0.2 cores }",
            ),
            optional(
                "memory",
                Form::Map(&MEMORY),
                "Less memory than it may have (`limit`, in its cgroup), or something inside that holds some (`hold`).",
                "{ target: api, limit: 64MB }",
            ),
            optional(
                "pids",
                Form::Map(&PIDS),
                "Fewer processes and threads than it may have, in its cgroup.",
                "{ target: api, limit: 20 }",
            ),
            optional(
                "io",
                Form::Map(&IO),
                "Something inside writes to one of its file systems, each block driven to the disk.",
                "{ target: store, path: /data, rate: 10MB }",
            ),
            optional(
                "disk",
                Form::Map(&DISK),
                "A file that fills a file system of its own (a tmpfs, a volume with a size); the host's disk is refused.",
                "{ target: store, path: /data, leave: 1MB }",
            ),
        ],
        later: &[],
    }),
    pattern: None,
};

pub(super) const TARGET: Key = required("target", Form::Leaf(&leaf::NAME), "Which target it hits.", "cache");
const GRACE: Key = optional(
    "grace",
    Form::Leaf(&leaf::SPAN),
    "How long it may take to end before it is killed; without it, the container's own setting.",
    "10s",
);

static KILL: Shape = Shape {
    name: "kill",
    what: "`kill`",
    about: "",
    keys: &[TARGET, defaulted("signal", Form::Leaf(&leaf::SIGNAL), "KILL", "Which signal; fatal ones only.", "TERM")],
    choice: None,
    pattern: None,
};

static STOP: Shape =
    Shape { name: "stop", what: "`stop`", about: "", keys: &[TARGET, GRACE], choice: None, pattern: None };

static RESTART: Shape = Shape {
    name: "restart",
    what: "`restart`",
    about: "",
    keys: &[
        TARGET,
        GRACE,
        optional(
            "one_by_one",
            Form::Leaf(&leaf::ONE_BY_ONE),
            "`healthy`: one container after the other, each healthy again before the next.",
            "healthy",
        ),
        defaulted(
            "within",
            Form::Leaf(&leaf::SOME_SPAN),
            "60s",
            "With `one_by_one`: how long one container may take to be healthy again.",
            "60s",
        ),
    ],
    choice: None,
    pattern: None,
};

static PAUSE: Shape = Shape { name: "pause", what: "`pause`", about: "", keys: &[TARGET], choice: None, pattern: None };

static DISCONNECT: Shape = Shape {
    name: "disconnect",
    what: "`disconnect`",
    about: "",
    keys: &[
        TARGET,
        required(
            "network",
            Form::Leaf(&leaf::TEXT),
            "The network's name, as the engine knows it (`shop_back`).",
            "shop_back",
        ),
        optional(
            "via",
            Form::Leaf(&leaf::VIA),
            "Without it, an agent cuts all packets of the container's own addresses on that network, which is undone exactly. `docker` takes it off through the engine; `firedrill plan` lists what cannot be given back then (a dynamic address, for one).",
            "docker",
        ),
    ],
    choice: None,
    pattern: None,
};

static EXEC: Shape = Shape {
    name: "exec-fault",
    what: "`exec`",
    about: "",
    keys: &[
        TARGET,
        required(
            "command",
            Form::List(&Form::Leaf(&leaf::ANY_TEXT), 1),
            "Program and arguments; no shell is added.",
            "[redis-cli, config, set, maxmemory, 1mb]",
        ),
        required(
            "undo",
            Form::Either(&leaf::NONE, &Form::List(&Form::Leaf(&leaf::ANY_TEXT), 1)),
            "The command that undoes it, or `none`.",
            "[redis-cli, config, set, maxmemory, \"0\"]",
        ),
        optional(
            "user",
            Form::Leaf(&leaf::TEXT),
            "As whom, by name or number; without it, the container's own user.",
            "root",
        ),
    ],
    choice: None,
    pattern: None,
};

static CRASH: Shape = Shape {
    name: "crash",
    what: "`crash`",
    about: "",
    keys: &[TARGET, defaulted("signal", Form::Leaf(&leaf::SIGNAL), "KILL", "Which signal; fatal ones only.", "SEGV")],
    choice: None,
    pattern: None,
};

static SIGNAL: Shape = Shape {
    name: "signal-fault",
    what: "`signal`",
    about: "",
    keys: &[TARGET, required("signal", Form::Leaf(&leaf::ANY_SIGNAL), "Which signal.", "HUP")],
    choice: None,
    pattern: None,
};

static PROCESS: Shape = Shape {
    name: "process",
    what: "`process`",
    about: "",
    keys: &[
        TARGET,
        required(
            "name",
            Form::Leaf(&leaf::REGEX),
            "Which processes: a regular expression that is found in their name or command line.",
            "\"nginx: worker\"",
        ),
        defaulted("signal", Form::Leaf(&leaf::ANY_SIGNAL), "KILL", "Which signal.", "STOP"),
    ],
    choice: None,
    pattern: None,
};

static CPU: Shape = Shape {
    name: "cpu",
    what: "`cpu`",
    about: "Either a `quota`, or `workers`.",
    keys: &[
        TARGET,
        optional("quota", Form::Leaf(&leaf::CORES), "What it may use; less than it may as it is.", "0.2 cores"),
        optional("workers", Form::Leaf(&leaf::COUNT), "So many threads inside burn CPU time.", "2"),
        optional(
            "load",
            Form::Leaf(&leaf::PERCENT),
            "With `workers`: what each of them uses of one core; without it, all of it.",
            "80%",
        ),
    ],
    choice: None,
    pattern: None,
};

static MEMORY: Shape = Shape {
    name: "memory",
    what: "`memory`",
    about: "Either a `limit`, or a `hold`.",
    keys: &[
        TARGET,
        optional(
            "limit",
            Form::Leaf(&leaf::BYTES),
            "What it may use; less than it may as it is, and no less than it uses now.",
            "64MB",
        ),
        optional("hold", Form::Leaf(&leaf::BYTES), "So much is held by a process inside.", "100MB"),
        optional(
            "victim",
            Form::Leaf(&leaf::VICTIM),
            "With `hold`: who is killed when there is not enough; without it, our own process.",
            "target",
        ),
    ],
    choice: None,
    pattern: None,
};

static PIDS: Shape = Shape {
    name: "pids",
    what: "`pids`",
    about: "",
    keys: &[
        TARGET,
        required("limit", Form::Leaf(&leaf::COUNT), "How many it may have; no fewer than it has now.", "20"),
    ],
    choice: None,
    pattern: None,
};

static IO: Shape = Shape {
    name: "io",
    what: "`io`",
    about: "",
    keys: &[
        TARGET,
        required("path", Form::Leaf(&leaf::PATH), "A folder in the container that it may write to.", "/data"),
        defaulted("workers", Form::Leaf(&leaf::COUNT), "1", "How many threads write.", "4"),
        optional(
            "rate",
            Form::Leaf(&leaf::BYTES),
            "Bytes a second, all of them together; without it, as fast as it goes.",
            "10MB",
        ),
    ],
    choice: None,
    pattern: None,
};

static DISK: Shape = Shape {
    name: "disk",
    what: "`disk`",
    about: "Either `fill`, or `leave`.",
    keys: &[
        TARGET,
        required("path", Form::Leaf(&leaf::PATH), "A folder in the container, on a file system of its own.", "/data"),
        optional("fill", Form::Leaf(&leaf::FILL), "So many bytes more, or until so much of it is used.", "80%"),
        optional("leave", Form::Leaf(&leaf::LEFT), "Until so much is free.", "1MB"),
    ],
    choice: None,
    pattern: None,
};
