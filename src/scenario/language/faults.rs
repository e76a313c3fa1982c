//! `faults:`

use super::{defaulted, optional, required};
use crate::scenario::{
    form::{Choice, Form, Key, Shape},
    leaf,
};

/// Faults that are designed, and come with the agent.
pub const LATER: &[&str] = &[
    "crash",
    "signal",
    "process",
    "delay",
    "loss",
    "duplicate",
    "corrupt",
    "reorder",
    "rate",
    "partition",
    "blackhole",
    "reject",
    "dns",
    "cpu",
    "memory",
    "pids",
    "io",
    "disk",
];

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
                "Off one network.",
                "{ target: api, network: shop_back, via: docker }",
            ),
            optional(
                "exec",
                Form::Map(&EXEC),
                "A command in the container, and the one that undoes it.",
                "{ target: cache, command: [redis-cli, config, set, maxmemory, 1mb], undo: [redis-cli, config, set, maxmemory, \"0\"] }",
            ),
        ],
        later: LATER,
    }),
    pattern: None,
};

const TARGET: Key = required("target", Form::Leaf(&leaf::NAME), "Which target it hits.", "cache");
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
        required(
            "via",
            Form::Leaf(&leaf::VIA),
            "How: `docker` takes it off through the engine; a cut by packets, which can be undone exactly, comes in a later version. `firedrill plan` lists what cannot be given back exactly (a dynamic address, for one).",
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
