//! `detect:`

use super::{defaulted, optional, required};
use crate::scenario::{
    form::{Choice, Form, Key, Shape},
    leaf,
};

/// The address alone may stand for the settings.
static SOURCE_SETTINGS: Form = Form::Map(&SOURCE);
const LABELS: Form = Form::Names { what: "a label", name: &leaf::LABEL_NAME, of: &Form::Leaf(&leaf::TEXT) };

/// Which alerts are expected, and who is asked.
pub static DETECT: Shape = Shape {
    name: "detect",
    what: "`detect`",
    about: "Asked from the warm-up to the end of the recovery. A source that cannot be read before the first fault ends the drill there, with nothing injected; one that is lost later leaves what it would have told undecided.",
    keys: &[
        defaulted("every", Form::Leaf(&leaf::SOME_SPAN), "1s", "How often the source is asked.", "1s"),
        optional(
            "labels",
            LABELS,
            "Only alerts with these labels are looked at; all of them must be there.",
            "{ environment: staging }",
        ),
        optional(
            "alerts",
            Form::List(&Form::Map(&ALERT), 1),
            "Alerts that the faults must make fire.",
            "[{ name: CheckoutErrors, within: 1m }]",
        ),
        optional(
            "no_page",
            Form::OneOrMore(&Form::Leaf(&leaf::NO_PAGE)),
            "Alerts that must not begin to fire from the first fault to the end, by name; `others`: none but those under `alerts`.",
            "[SearchDown]",
        ),
    ],
    choice: Some(Choice { what: "alert source", keys: &[PROMETHEUS, ALERTMANAGER], later: &[] }),
    pattern: None,
};

const PROMETHEUS: Key = optional(
    "prometheus",
    Form::Either(&leaf::URL, &SOURCE_SETTINGS),
    "Prometheus, or what answers its queries: pending and firing alerts, from its `ALERTS` series.",
    "\"http://127.0.0.1:9090\"",
);
const ALERTMANAGER: Key = optional(
    "alertmanager",
    Form::Either(&leaf::URL, &SOURCE_SETTINGS),
    "Alertmanager (API v2): what fires; what is silenced or inhibited there does not count as firing.",
    "{ url: \"http://127.0.0.1:9093\" }",
);

/// Where alerts are asked for.
static SOURCE: Shape = Shape {
    name: "alert-source",
    what: "an alert source",
    about: "Its address alone may stand for it.",
    keys: &[
        required(
            "url",
            Form::Leaf(&leaf::URL),
            "Where its interface begins, without `/api`. A target's name in braces as the host stands for that target.",
            "http://127.0.0.1:9090",
        ),
        optional(
            "token",
            Form::Leaf(&leaf::TOKEN),
            "The bearer token: the name of an environment variable. What it holds reaches no file.",
            "\"${env:PROMETHEUS_TOKEN}\"",
        ),
        defaulted("insecure", Form::Leaf(&leaf::TRUTH), "false", "Certificates are not checked.", "true"),
    ],
    choice: None,
    pattern: None,
};

/// One expected alert.
static ALERT: Shape = Shape {
    name: "alert",
    what: "an alert",
    about: "Judged by itself: that it fires in time, and that it stops in time. One that fires before the first fault already tells nothing.",
    keys: &[
        required("name", Form::Leaf(&leaf::TEXT), "Its name, the label `alertname`.", "CheckoutErrors"),
        optional("labels", LABELS, "Labels that it bears besides.", "{ severity: page }"),
        required(
            "within",
            Form::Leaf(&leaf::SOME_SPAN),
            "It fires no later than this after the first fault is effective.",
            "1m",
        ),
        optional(
            "resolves_within",
            Form::Leaf(&leaf::SOME_SPAN),
            "It has stopped firing no later than this after the last undo.",
            "2m",
        ),
    ],
    choice: None,
    pattern: None,
};
