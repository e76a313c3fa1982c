//! The single values of the language: what each looks like, and what is said of one that does not.

mod read;
pub use read::{amount, any_signal, limit, named_target, part, regex, signal, status, url};

use super::form::{Json, Leaf};
use crate::{
    agent::{dns::Glob, traffic::Block},
    units::{BitRate, Bytes, Cores, Percent, Span},
};
use read::*;

const NO_WORDS: &[(&str, &str)] = &[];

const fn leaf(
    name: &'static str,
    what: &'static str,
    check: fn(&str) -> Result<(), String>,
    pattern: Option<&'static str>,
    examples: &'static [&'static str],
) -> Leaf {
    Leaf { name, what, check, pattern, about: what, words: NO_WORDS, json: Json::Text, examples }
}

/// Any text; a number or truth value is taken as it is written.
pub static TEXT: Leaf = Leaf { json: Json::Scalar, ..leaf("text", "a text", filled, None, &["a text"]) };
/// Text that may be empty (a body, a variable).
pub static ANY_TEXT: Leaf = Leaf {
    about: "any text, also none",
    json: Json::Scalar,
    ..leaf("any-text", "a text", |_| Ok(()), None, &["a text"])
};
/// The scenario's name.
pub static SLUG: Leaf = Leaf {
    about: "lower-case letters, digits and hyphens",
    ..leaf("slug", "a name in lower case", slug, Some("^[a-z0-9]([a-z0-9-]{0,62})$"), &["cache-loss"])
};
/// The name of a target or probe.
pub static NAME: Leaf = Leaf {
    about: "letters, digits, `-` and `_`",
    ..leaf("name", "a name", name, Some("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"), &["checkout"])
};
/// A variable's name.
pub static VARIABLE: Leaf =
    leaf("variable", "a variable's name", variable, Some("^[A-Za-z_][A-Za-z0-9_]*$"), &["PORT"]);
/// A length of time.
pub static SPAN: Leaf = Leaf {
    about: "a length of time: `us`, `ms`, `s`, `m`, `h`, `d`, also put together",
    ..leaf("length-of-time", "a length of time", unit::<Span>, Some(SPAN_PATTERN), &["30s", "400ms", "1m30s"])
};
/// A length of time that is not nothing.
pub static SOME_SPAN: Leaf = Leaf {
    about: "a length of time, more than nothing",
    ..leaf("some-time", "a length of time", some_span, Some(SPAN_PATTERN), &["30s", "400ms", "1m30s"])
};
/// How often.
pub static RATE: Leaf = Leaf {
    about: "so many a second, minute or hour: `/s`, `/m`, `/h`",
    ..leaf("rate", "a rate", rate, Some(r"^\s*[0-9.]+\s*/\s*[smh]$|\$\{"), &["200/s", "30/m"])
};
/// A share.
pub static PERCENT: Leaf = Leaf {
    about: "0% to 100%",
    ..leaf("percentage", "a percentage", unit::<Percent>, Some(PERCENT_PATTERN), &["99.9%"])
};
/// A whole number from 1.
pub static COUNT: Leaf =
    Leaf { json: Json::Integer, ..leaf("count", "a whole number from 1", count, Some(NUMBER_PATTERN), &["256"]) };
/// A whole number from 0.
pub static NUMBER: Leaf =
    Leaf { json: Json::Integer, ..leaf("number", "a whole number", number, Some(NUMBER_PATTERN), &["500"]) };
/// The exit code of a program.
pub static EXIT: Leaf =
    Leaf { json: Json::Integer, ..leaf("exit-code", "an exit code", exit, Some(NUMBER_PATTERN), &["0"]) };
/// Yes or no.
pub static TRUTH: Leaf =
    Leaf { json: Json::Boolean, ..leaf("truth", "`true` or `false`", truth, Some(r"^(true|false)$|\$\{"), &["true"]) };
/// A limit of a share.
pub static SHARE_LIMIT: Leaf = Leaf {
    about: "`<=`, `<`, `>=` or `>`, then a percentage",
    ..leaf(
        "share-limit",
        "a limit",
        |t| limit::<Percent>(t).map(drop),
        Some(r"^\s*[<>]=?\s*[0-9.]+\s*%$|\$\{"),
        &["<= 0.1%"],
    )
};
/// A limit of a response time.
pub static TIME_LIMIT: Leaf = Leaf {
    about: "`<=`, `<`, `>=` or `>`, then a length of time",
    ..leaf("time-limit", "a limit", |t| limit::<Span>(t).map(drop), Some(r"^\s*[<>]=?\s*[0-9.]|\$\{"), &["<= 100ms"])
};
/// A regex.
pub static REGEX: Leaf = Leaf {
    about: "a regular expression (the syntax of Rust's `regex`)",
    ..leaf("regex", "a regular expression", |t| regex(t).map(drop), None, &["shop-api-[0-9]+"])
};
/// A label, with or without its value.
pub static LABEL: Leaf = Leaf {
    about: "`name=value`, or `name` for any value",
    ..leaf("label", "a label", label, None, &["tier=cache", "canary"])
};
/// The name of an alert's label.
pub static LABEL_NAME: Leaf = Leaf {
    about: "letters, digits and `_`",
    ..leaf("label-name", "a label's name", label_name, Some("^[A-Za-z_][A-Za-z0-9_]*$"), &["severity"])
};
/// Alerts that must not fire.
pub static NO_PAGE: Leaf = Leaf {
    about: "the name of an alert, or `others`",
    ..leaf("no-page", "the name of an alert, or `others`", filled, None, &["SearchDown", "others"])
};
/// A credential.
pub static TOKEN: Leaf = Leaf {
    about: "`${env:NAME}`, and nothing else: a secret stands in no file",
    ..leaf("token", "`${env:NAME}`", token, Some(r"^\$\{env:[A-Za-z_][A-Za-z0-9_]*\}$"), &["${env:PROMETHEUS_TOKEN}"])
};
/// How many of the matches.
pub static PICK: Leaf = Leaf {
    json: Json::Integer,
    ..leaf(
        "pick-amount",
        "a number, a percentage or `all`",
        pick,
        Some(r"^([0-9]+|[0-9.]+%|all)$|\$\{"),
        &["1", "50%", "all"],
    )
};
/// Good statuses.
pub static STATUS: Leaf = Leaf {
    json: Json::Integer,
    ..leaf(
        "status",
        "an HTTP status",
        |t| status(t).map(drop),
        Some(r"^[1-5]([0-9]{2}|xx)(-[1-5][0-9]{2})?$|\$\{"),
        &["200", "2xx", "200-204"],
    )
};
/// A request's method.
pub static METHOD: Leaf = leaf("method", "an HTTP method", method, Some(r"^[A-Z]+$|\$\{"), &["GET", "POST"]);
/// A header's name.
pub static HEADER: Leaf =
    leaf("header", "a header's name", header, Some(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"), &["accept"]);
/// A header's value.
pub static HEADER_VALUE: Leaf =
    Leaf { json: Json::Scalar, ..leaf("header-value", "a header's value", header_value, None, &["application/json"]) };
/// Where an HTTP request goes.
pub static URL: Leaf = leaf(
    "url",
    "a URL",
    |t| url(t).map(drop),
    Some(r"^https?://|\$\{"),
    &["http://127.0.0.1:8080/checkout", "http://{front}:80/"],
);
/// Where a TCP connection goes.
pub static ADDRESS: Leaf =
    leaf("address", "`host:port`", address, Some(r":[0-9]+$|\$\{"), &["127.0.0.1:6379", "{cache}:6379"]);
/// A fatal signal.
pub static SIGNAL: Leaf = Leaf {
    words: &[
        ("KILL", "ends at once; cannot be caught"),
        ("TERM", "asks to end"),
        ("INT", "as ctrl-C"),
        ("QUIT", "ends with a core dump, or gracefully (nginx)"),
        ("ABRT", "as after `abort()`"),
        ("SEGV", "as after a bad memory access"),
    ],
    ..leaf("signal", "a fatal signal", |t| signal(t).map(drop), None, &["KILL"])
};
/// Any signal.
pub static ANY_SIGNAL: Leaf = Leaf {
    words: &[
        ("HUP", "often: read the configuration again"),
        ("USR1", "what the program makes of it"),
        ("USR2", "what the program makes of it"),
        ("STOP", "stands still until the end of the fault"),
        ("CONT", "goes on"),
        ("WINCH", "nginx, Apache: end gracefully"),
        ("KILL", "ends at once; cannot be caught"),
        ("TERM", "asks to end"),
        ("INT", "as ctrl-C"),
        ("QUIT", "ends with a core dump, or gracefully (nginx)"),
        ("ABRT", "as after `abort()`"),
        ("SEGV", "as after a bad memory access"),
        ("ALRM", "a timer went off"),
        ("PIPE", "nobody reads"),
        ("CHLD", "a child ended"),
        ("URG", "out-of-band data"),
    ],
    ..leaf("any-signal", "a signal", |t| any_signal(t).map(drop), None, &["HUP"])
};
/// An amount of CPU time.
pub static CORES: Leaf = Leaf {
    about: "a number of cores, whole or part",
    ..leaf("cores", "a number of cores", unit::<Cores>, Some(r"^\s*[0-9.]+\s*cores?$|\$\{"), &["0.2 cores", "1 core"])
};
/// An amount of memory or disk.
pub static BYTES: Leaf = Leaf {
    about: "`B`, `kB`, `MB`, `GB`, or `KiB`, `MiB`, `GiB`",
    ..leaf("bytes", "a size", some_bytes, Some(BYTES_PATTERN), &["64MB", "1GiB"])
};
/// What is left of a file system; nothing, perhaps.
pub static LEFT: Leaf = Leaf {
    about: "`B`, `kB`, `MB`, `GB`, or `KiB`, `MiB`, `GiB`; `0B` is none",
    ..leaf("bytes_left", "a size", unit::<Bytes>, Some(BYTES_PATTERN), &["0B", "64MB"])
};
/// How full.
pub static FILL: Leaf = Leaf {
    about: "a size, or a percentage",
    ..leaf(
        "fill",
        "a size or a percentage",
        |t| amount(t).map(drop),
        Some(r"^\s*[0-9.]+\s*([kKMG]?i?B|%)$|\$\{"),
        &["500MB", "80%"],
    )
};
/// A folder in a container.
pub static PATH: Leaf = leaf("path", "an absolute path", path, Some(r"^/|\$\{"), &["/data"]);
/// Who is killed when memory is short.
pub static VICTIM: Leaf = Leaf {
    words: &[("target", "the kernel kills a process of the target's own rather than ours")],
    ..leaf("victim", "`target`", victim, None, &["target"])
};
/// How a disconnect is done.
pub static VIA: Leaf = Leaf {
    words: &[("docker", "the engine takes the container off the network")],
    ..leaf("via", "`docker`", via, None, &["docker"])
};
/// The other end of packets.
pub static PEER: Leaf = Leaf {
    about: "the name of a target, an address, or a block of addresses",
    ..leaf("peer", "a target, an address or a block of addresses", peer, None, &["store", "10.0.0.0/8", "fd00::1"])
};
/// Which way packets go.
pub static DIRECTION: Leaf = Leaf {
    words: &[("both", "both ways"), ("out", "what the target sends"), ("in", "what it gets")],
    ..leaf("direction", "a direction", |t| word(t, &DIRECTION), None, &["out"])
};
/// What IP carries.
pub static PROTOCOL: Leaf = Leaf {
    words: &[("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP and ICMPv6, but never neighbour discovery")],
    ..leaf("protocol", "a protocol", |t| word(t, &PROTOCOL), None, &["tcp"])
};
/// A port, or several in a row.
pub static PORTS: Leaf = Leaf {
    json: Json::Integer,
    about: "a port, or a range of them",
    ..leaf("ports", "a port or a range of ports", ports, Some(r"^[0-9]+(-[0-9]+)?$|\$\{"), &["5432", "8000-8100"])
};
/// A share of connections or packets.
pub static PART: Leaf = Leaf {
    about: "a percentage, then `of connections` or `of packets`",
    ..leaf(
        "part",
        "a share of connections or packets",
        |t| part(t).map(drop),
        Some(r"^\s*[0-9.]+\s*%\s+of\s+(connections|packets)$|\$\{"),
        &["20% of connections", "5% of packets"],
    )
};
/// How delays vary.
pub static DISTRIBUTION: Leaf = Leaf {
    words: &[
        ("uniform", "between -jitter and +jitter, all alike"),
        ("normal", "the bell"),
        ("pareto", "mostly a little early, seldom very late"),
        ("paretonormal", "a quarter normal, three quarters pareto"),
    ],
    ..leaf("distribution", "a distribution", |t| word(t, &DISTRIBUTION), None, &["normal"])
};
/// How packets end.
pub static CUT: Leaf = Leaf {
    words: &[("drop", "silently"), ("reject", "with a TCP reset, or ICMP port unreachable")],
    ..leaf("cut", "`drop` or `reject`", |t| word(t, &CUT), None, &["drop"])
};
/// Names to look up.
pub static NAMES: Leaf = Leaf {
    about: "a name; `*` stands for any characters, `?` for one",
    ..leaf(
        "names",
        "a name, with `*` and `?`",
        unit::<Glob>,
        Some(r"^[A-Za-z0-9._*?-]+$|\$\{"),
        &["payments*", "db.example.com"],
    )
};
/// What a resolver is made to say.
pub static DNS_ANSWER: Leaf = Leaf {
    words: &[
        ("servfail", "the resolver cannot say"),
        ("nxdomain", "there is no such name"),
        ("timeout", "no answer at all"),
        ("wrong", "the `addresses` given beside it"),
    ],
    ..leaf("dns-answer", "an answer", |t| word(t, &DNS_ANSWER), None, &["servfail"])
};
/// An address that a name leads to.
pub static IP: Leaf = leaf("ip", "an address", ip, Some(r"^[0-9a-fA-F.:]+$|\$\{"), &["192.0.2.1", "2001:db8::1"]);
/// Resolvers.
pub static RESOLVER: Leaf = Leaf {
    about: "an address, or a block of addresses",
    ..leaf(
        "resolver",
        "an address or a block of addresses",
        unit::<Block>,
        Some(r"^[0-9a-fA-F.:/]+$|\$\{"),
        &["127.0.0.11", "10.0.0.0/8"],
    )
};
/// How fast a link is.
pub static BIT_RATE: Leaf = Leaf {
    about: "bits a second: `bit/s`, `kbit/s`, `Mbit/s`, `Gbit/s`",
    ..leaf(
        "bit-rate",
        "a bit rate",
        unit::<BitRate>,
        Some(r"^\s*[0-9.]+\s*[kMG]?bit/s$|\$\{"),
        &["1Mbit/s", "64kbit/s"],
    )
};
/// An amount of bytes.
pub static SIZE: Leaf = Leaf {
    about: "bytes: `B`, `kB`, `MB`, `GB`, and `KiB`, `MiB`, `GiB`",
    ..leaf("size", "a size", unit::<Bytes>, Some(r"^\s*[0-9.]+\s*([kMG]i?)?B$|\$\{"), &["64MB", "16kB"])
};
/// A host outside of Docker.
pub static HOST: Leaf =
    leaf("host", "a host's name", host, Some(r"^[A-Za-z0-9.:-]+$|\$\{"), &["api.example.com", "192.0.2.7"]);
/// What a rolling restart waits for.
pub static ONE_BY_ONE: Leaf = Leaf {
    words: &[("healthy", "the next one is restarted when this one is healthy again")],
    ..leaf("one-by-one", "`healthy`", one_by_one, None, &["healthy"])
};
/// That nothing is undone.
pub static NONE: Leaf = Leaf {
    words: &[("none", "there is nothing to undo")],
    ..leaf("none", "`none`, or a command", none, None, &["none"])
};

const SPAN_PATTERN: &str = r"^\s*([0-9.]+\s*(ns|us|µs|ms|s|m|h|d)\s*)+$|\$\{";
const PERCENT_PATTERN: &str = r"^\s*[0-9.]+\s*%$|\$\{";
const BYTES_PATTERN: &str = r"^\s*[0-9.]+\s*[kKMG]?i?B$|\$\{";
const NUMBER_PATTERN: &str = r"^[0-9]+$|\$\{";
