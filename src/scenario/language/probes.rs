//! `load:` and `probes:`

use super::{defaulted, optional, required};
use crate::scenario::{
    form::{Choice, Form, Key, Shape},
    leaf,
};

const RATE: Key = required(
    "rate",
    Form::Leaf(&leaf::RATE),
    "How often; requests are due evenly spaced, whatever the answers are.",
    "200/s",
);
const OK_KEY: Key = optional(
    "ok",
    Form::Map(&OK),
    "What counts as a good answer. Without it: a 2xx status, an open connection, exit code 0, a healthy container.",
    "{ status: 2xx, contains: '\"paid\":true' }",
);
const IN_FLIGHT: Key = defaulted(
    "max_in_flight",
    Form::Leaf(&leaf::COUNT),
    "256",
    "How many may be under way at once. What finds no free slot before its timeout counts as `not sent`.",
    "256",
);
const SLO_KEY: Key = optional(
    "slo",
    Form::Map(&SLO),
    "Service level objective, for the error budget in the review; never judged.",
    "{ objective: 99.9%, period: 30d }",
);

/// One load.
pub static LOAD: Shape = Shape {
    name: "load",
    what: "a load",
    about: "Requests as users send them, on schedule.",
    keys: &[RATE, OK_KEY, IN_FLIGHT, SLO_KEY],
    choice: Some(Choice { what: "kind of request", keys: &[HTTP_KEY, TCP_KEY], later: &[] }),
    pattern: None,
};

/// One probe.
pub static PROBE: Shape = Shape {
    name: "probe",
    what: "a probe",
    about: "A question asked at a steady rate beside the load.",
    keys: &[RATE, OK_KEY, IN_FLIGHT, SLO_KEY],
    choice: Some(Choice { what: "kind of request", keys: &[HTTP_KEY, TCP_KEY, EXEC_KEY, HEALTH_KEY], later: &[] }),
    pattern: None,
};

const HTTP_KEY: Key = optional(
    "http",
    Form::Map(&HTTP),
    "An HTTP request. Redirects are not followed, nothing is sent twice.",
    "{ url: \"http://127.0.0.1:8080/\", timeout: 2s }",
);
const TCP_KEY: Key = optional(
    "tcp",
    Form::Map(&TCP),
    "A TCP connection, optionally with a line sent and an answer.",
    "{ address: \"{cache}:6379\", send: \"PING\\r\\n\" }",
);
const EXEC_KEY: Key = optional(
    "exec",
    Form::Map(&EXEC),
    "A command; its exit code and output are the answer.",
    "{ target: cache, command: [redis-cli, ping] }",
);
const HEALTH_KEY: Key = optional(
    "health",
    Form::Map(&HEALTH),
    "Docker's health state of a target; all its containers must be healthy.",
    "{ target: cache }",
);

const TIMEOUT: Key = defaulted(
    "timeout",
    Form::Leaf(&leaf::SOME_SPAN),
    "2s",
    "How long an answer may take, from the moment at which the request was due.",
    "2s",
);

static HTTP: Shape = Shape {
    name: "http",
    what: "an HTTP request",
    about: "Texts may hold `${seq}` (the number of the request), `${run}` (the id of the run) and `${env:NAME}` (a secret: it reaches no journal, review or error text).",
    keys: &[
        defaulted("method", Form::Leaf(&leaf::METHOD), "GET", "The method, in capitals.", "POST"),
        required(
            "url",
            Form::Leaf(&leaf::URL),
            "Where it goes. A target's name in braces as the host stands for that target's own address, or its published port.",
            "http://127.0.0.1:8080/checkout",
        ),
        optional(
            "headers",
            Form::Names { what: "a header", name: &leaf::HEADER, of: &Form::Leaf(&leaf::HEADER_VALUE) },
            "Headers, by name.",
            "{ authorization: \"Bearer ${env:TOKEN}\" }",
        ),
        optional("body", Form::Leaf(&leaf::ANY_TEXT), "The body, as it is.", "sku=42"),
        optional(
            "json",
            Form::Anything,
            "The body, as JSON; sets `content-type` unless a header does. Not together with `body`.",
            "{ sku: \"42\", order: \"${seq}\" }",
        ),
        defaulted("insecure", Form::Leaf(&leaf::TRUTH), "false", "Certificates are not checked.", "true"),
        TIMEOUT,
    ],
    choice: None,
    pattern: None,
};

static TCP: Shape = Shape {
    name: "tcp",
    what: "a TCP connection",
    about: "A connection that stands is a good answer; with `send`, what comes back can be judged by `ok`.",
    keys: &[
        required(
            "address",
            Form::Leaf(&leaf::ADDRESS),
            "Where it goes, `host:port`. A target's name in braces as the host stands for that target's own address.",
            "127.0.0.1:6379",
        ),
        optional(
            "send",
            Form::Leaf(&leaf::ANY_TEXT),
            "Sent once the connection stands; write `\\r\\n` in double quotes.",
            "\"PING\\r\\n\"",
        ),
        TIMEOUT,
    ],
    choice: None,
    pattern: None,
};

static EXEC: Shape = Shape {
    name: "exec",
    what: "a command",
    about: "Runs in the containers of a target, in turn, or on this host.",
    keys: &[
        optional("target", Form::Leaf(&leaf::NAME), "The target to run it in. Either this or `on_host`.", "cache"),
        optional(
            "on_host",
            Form::Leaf(&leaf::TRUTH),
            "Runs on this host instead; firedrill must be started with `--allow-host-exec`.",
            "true",
        ),
        required(
            "command",
            Form::List(&Form::Leaf(&leaf::ANY_TEXT), 1),
            "Program and arguments; no shell is added.",
            "[redis-cli, ping]",
        ),
        TIMEOUT,
    ],
    choice: None,
    pattern: None,
};

static HEALTH: Shape = Shape {
    name: "health",
    what: "a health question",
    about: "Asks the engine what the container's health check says.",
    keys: &[required("target", Form::Leaf(&leaf::NAME), "Which target is asked.", "cache"), TIMEOUT],
    choice: None,
    pattern: None,
};

static OK: Shape = Shape {
    name: "ok",
    what: "a good answer",
    about: "All keys given must hold.",
    keys: &[
        defaulted(
            "status",
            Form::OneOrMore(&Form::Leaf(&leaf::STATUS)),
            "2xx",
            "`http` only: good statuses.",
            "[200, 404]",
        ),
        defaulted("exit", Form::Leaf(&leaf::EXIT), "0", "`exec` only: the good exit code.", "0"),
        optional(
            "contains",
            Form::Leaf(&leaf::TEXT),
            "`http`, `tcp`, `exec`: a text somewhere in the answer; it may hold `${seq}`.",
            "PONG",
        ),
        optional(
            "matches",
            Form::Leaf(&leaf::REGEX),
            "`http`, `tcp`, `exec`: a regular expression that matches somewhere in the answer. Not together with `contains`.",
            "\"role:(master|primary)\"",
        ),
    ],
    choice: None,
    pattern: None,
};

static SLO: Shape = Shape {
    name: "slo",
    what: "a service level objective",
    about: "A figure of the review: how much of the error budget the drill has cost.",
    keys: &[
        required("objective", Form::Leaf(&leaf::PERCENT), "The share of requests that must be good.", "99.9%"),
        defaulted("period", Form::Leaf(&leaf::SOME_SPAN), "30d", "Over which time.", "30d"),
    ],
    choice: None,
    pattern: None,
};
