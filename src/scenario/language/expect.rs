//! `expect:`, `abort:` and `timing:`

use super::{defaulted, optional, required};
use crate::scenario::{
    decode::limits::quantile,
    form::{Form, Key, Pattern, Shape},
    leaf,
};

/// What is judged.
pub static EXPECT: Shape = Shape {
    name: "expect",
    what: "`expect`",
    about: "Limits by phase, then by load or probe. A load or probe without limits is recorded and listed as not judged.",
    keys: &[
        optional(
            "baseline",
            Form::Names { what: "a load or probe", name: &leaf::NAME, of: &Form::Map(&BASELINE) },
            "The gate: if it is not met, nothing is broken.",
            "{ checkout: { errors: \"<= 0.1%\", p99: \"<= 100ms\" } }",
        ),
        optional(
            "during",
            Form::Names { what: "a load or probe", name: &leaf::NAME, of: &Form::Map(&DURING) },
            "From the first fault to the last undo.",
            "{ checkout: { errors: \"<= 0.1%\", within: 5s, max_failed: 500 } }",
        ),
        optional(
            "recovery",
            Form::Names { what: "a load or probe", name: &leaf::NAME, of: &Form::Map(&RECOVERY) },
            "From the last undo on.",
            "{ checkout: { errors: \"<= 0.1%\", within: 30s, stable_for: 5s } }",
        ),
        optional(
            "mitigated",
            Form::Names { what: "a load or probe", name: &leaf::NAME, of: &Form::Map(&BASELINE) },
            "Looser limits that count as mitigated while the fault still holds.",
            "{ checkout: { errors: \"<= 5%\" } }",
        ),
        optional(
            "unaffected",
            Form::OneOrMore(&Form::Leaf(&leaf::TEXT)),
            "Services or containers outside the targets that must stay as they are.",
            "[search, payments]",
        ),
        defaulted(
            "may_touch_nothing",
            Form::Leaf(&leaf::TRUTH),
            "false",
            "A fault that touches nothing is a good result.",
            "true",
        ),
    ],
    choice: None,
    pattern: None,
};

const ERRORS: Key = optional(
    "errors",
    Form::Leaf(&leaf::SHARE_LIMIT),
    "The share of requests that did not end well, of all that were due.",
    "\"<= 0.1%\"",
);
const MAX: Key = optional("max", Form::Leaf(&leaf::TIME_LIMIT), "The longest response time.", "\"<= 2s\"");

const PERCENTILES: Option<Pattern> = Some(Pattern {
    name: "p50 ... p99.99",
    regex: r"^p[0-9]{1,2}(\.[0-9]{1,3})?$",
    accepts: |key| quantile(key).is_some(),
    form: Form::Leaf(&leaf::TIME_LIMIT),
    about: "A percentile of the response time, counted from the moment at which a request was due: `p50`, `p95`, `p99.9`. There must be enough requests to carry it: N x (1 - q) of at least 10.",
    example: "\"<= 100ms\"",
});

/// Limits of the baseline, and of "mitigated".
pub static BASELINE: Shape = Shape {
    name: "limits",
    what: "a set of limits",
    about: "All must hold over the whole phase. An operator, then the bound: `<=`, `<`, `>=`, `>`.",
    keys: &[ERRORS, MAX],
    choice: None,
    pattern: PERCENTILES,
};

/// Limits while the fault holds.
pub static DURING: Shape = Shape {
    name: "limits-during",
    what: "a set of limits",
    about: "As in the baseline, and:",
    keys: &[
        ERRORS,
        MAX,
        optional(
            "within",
            Form::Leaf(&leaf::SPAN),
            "The limits are judged from this long after the fault until the undo.",
            "5s",
        ),
        optional(
            "max_failed",
            Form::Leaf(&leaf::NUMBER),
            "At most so many failures from the fault to the undo, the first moments included.",
            "500",
        ),
    ],
    choice: None,
    pattern: PERCENTILES,
};

/// Limits afterwards.
pub static RECOVERY: Shape = Shape {
    name: "limits-recovery",
    what: "a set of limits",
    about: "As in the baseline, and:",
    keys: &[
        ERRORS,
        MAX,
        optional("within", Form::Leaf(&leaf::SOME_SPAN), "Recovered no later than this after the last undo.", "30s"),
        optional("stable_for", Form::Leaf(&leaf::SOME_SPAN), "And staying so for at least this long.", "5s"),
    ],
    choice: None,
    pattern: PERCENTILES,
};

/// A guard.
pub static GUARD: Shape = Shape {
    name: "guard",
    what: "a guard",
    about: "Trips when its limit is met over a sliding window: no further fault, everything is undone, the recovery is watched, the review is written. No answers for that long trips it too. Each limit given is a guard of its own.",
    keys: &[ERRORS, MAX, required("for", Form::Leaf(&leaf::SOME_SPAN), "The length of the sliding window.", "10s")],
    choice: None,
    pattern: PERCENTILES,
};

/// Lengths of the phases.
pub static TIMING: Shape = Shape {
    name: "timing",
    what: "timing",
    about: "How long the phases last.",
    keys: &[
        defaulted("warm_up", Form::Leaf(&leaf::SPAN), "5s", "Load before the baseline; thrown away.", "5s"),
        defaulted(
            "baseline",
            Form::Leaf(&leaf::SOME_SPAN),
            "20s",
            "One window of the baseline; up to three are tried.",
            "20s",
        ),
        defaulted(
            "recovery",
            Form::Leaf(&leaf::SOME_SPAN),
            "60s",
            "Watched after the last undo, always in full.",
            "60s",
        ),
    ],
    choice: None,
    pattern: None,
};
