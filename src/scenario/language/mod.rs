//! The language as a table: every key with its form, meaning and an example. The check of a file, the JSON Schema
//! and the reference are made from it.

mod detect;
mod dns;
mod expect;
mod faults;
mod packets;
mod probes;
mod targets;

pub use detect::DETECT;
pub use expect::{EXPECT, GUARD, TIMING};
pub use faults::FAULT;
pub use probes::{LOAD, PROBE};
pub use targets::TARGET;

use super::{
    form::{Form, Key, Need, Shape},
    leaf,
};

pub(super) const fn required(name: &'static str, form: Form, about: &'static str, example: &'static str) -> Key {
    Key { name, form, need: Need::Required, about, example }
}

pub(super) const fn optional(name: &'static str, form: Form, about: &'static str, example: &'static str) -> Key {
    Key { name, form, need: Need::Optional, about, example }
}

pub(super) const fn defaulted(
    name: &'static str,
    form: Form,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Key {
    Key { name, form, need: Need::Default(default), about, example }
}

/// A whole file.
pub static SCENARIO: Shape = Shape {
    name: "scenario",
    what: "a scenario",
    about: "One drill: what is broken, what is sent meanwhile, and what is believed to hold.",
    keys: &[
        required(
            "scenario",
            Form::Leaf(&leaf::SLUG),
            "The name of the drill: lower-case letters, digits and hyphens. Runs and reviews are named after it.",
            "cache-loss",
        ),
        optional(
            "title",
            Form::Leaf(&leaf::TEXT),
            "One line for people; the headline of the review.",
            "Checkout survives the loss of its cache",
        ),
        optional(
            "hypothesis",
            Form::Leaf(&leaf::TEXT),
            "What is believed, in prose. `expect` says it in numbers.",
            "Without Redis, checkout falls back to the database.",
        ),
        optional("of", Form::Leaf(&leaf::TEXT), "The user-facing service that the review is about.", "checkout"),
        optional("owner", Form::Leaf(&leaf::TEXT), "Who owns the review and what comes of it.", "payments-sre"),
        optional("tags", Form::OneOrMore(&Form::Leaf(&leaf::TEXT)), "Free words to find it by.", "[failover, cache]"),
        optional(
            "vars",
            VARS,
            "Variables of this file, used as `${NAME}`; `--set NAME=value` overrides them. A value may use `--set` and the environment: `\"${PORT:-8080}\"`.",
            "{ PORT: \"8080\" }",
        ),
        required(
            "targets",
            TARGETS,
            "The containers that faults may hit, by names of your own.",
            "{ cache: { project: shop, service: redis } }",
        ),
        optional(
            "load",
            LOADS,
            "What users do, by names of your own: sent on schedule, whatever the answers are.",
            "{ checkout: { http: { url: \"http://127.0.0.1:8080/\" }, rate: 200/s } }",
        ),
        optional(
            "probes",
            PROBES,
            "What is asked beside the load, by names of your own. A name is either a load or a probe.",
            "{ cache: { tcp: { address: \"{cache}:6379\" }, rate: 5/s } }",
        ),
        required(
            "expect",
            Form::Map(&EXPECT),
            "What is judged. Nothing to judge is an error.",
            "{ during: { checkout: { errors: \"<= 0.1%\" } } }",
        ),
        optional(
            "detect",
            Form::Map(&DETECT),
            "Which alerts the faults must make fire, and where they are seen.",
            "{ prometheus: \"http://127.0.0.1:9090\", alerts: [{ name: CheckoutErrors, within: 1m }] }",
        ),
        optional(
            "abort",
            ABORT,
            "Guards: the drill is stopped and undone when one trips.",
            "[{ checkout: { errors: \"> 30%\", for: 10s } }]",
        ),
        optional(
            "timing",
            Form::Map(&TIMING),
            "How long the phases last.",
            "{ warm_up: 5s, baseline: 20s, recovery: 60s }",
        ),
        required(
            "faults",
            Form::List(&Form::Map(&FAULT), 1),
            "What is broken, when and for how long; t=0 is when the baseline has been met.",
            "[{ kill: { target: cache }, at: 0s, for: 30s }]",
        ),
    ],
    choice: None,
    pattern: None,
};

const VARS: Form = Form::Names { what: "a variable", name: &leaf::VARIABLE, of: &Form::Leaf(&leaf::ANY_TEXT) };
const TARGETS: Form = Form::Names { what: "a target", name: &leaf::NAME, of: &Form::Map(&TARGET) };
const LOADS: Form = Form::Names { what: "a load", name: &leaf::NAME, of: &Form::Map(&LOAD) };
const PROBES: Form = Form::Names { what: "a probe", name: &leaf::NAME, of: &Form::Map(&PROBE) };
const ABORT: Form = Form::List(&Form::Names { what: "a load or probe", name: &leaf::NAME, of: &Form::Map(&GUARD) }, 1);
