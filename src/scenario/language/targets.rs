//! `targets:`

use super::{defaulted, optional, required};
use crate::scenario::{
    form::{Form, Shape},
    leaf,
};

/// One target.
pub static TARGET: Shape = Shape {
    name: "target",
    what: "a target",
    about: "Containers, chosen by what they are. All keys given must match; at least one is needed. Without `pick`, exactly one container is expected to match.",
    keys: &[
        optional(
            "project",
            Form::Leaf(&leaf::TEXT),
            "Compose project. Without it, matches in more than one project are refused.",
            "shop",
        ),
        optional("service", Form::Leaf(&leaf::TEXT), "Compose service.", "redis"),
        optional(
            "name",
            Form::Leaf(&leaf::REGEX),
            "Regular expression that the container's whole name must match.",
            "\"shop-api-[0-9]+\"",
        ),
        optional(
            "image",
            Form::Leaf(&leaf::TEXT),
            "Image as it was asked for; without a tag, every tag matches.",
            "\"redis:7\"",
        ),
        optional(
            "label",
            Form::OneOrMore(&Form::Leaf(&leaf::LABEL)),
            "Labels: `name=value`, or `name` for any value.",
            "[tier=cache, canary]",
        ),
        optional(
            "except",
            Form::OneOrMore(&Form::Leaf(&leaf::NAME)),
            "Other targets whose containers are left out.",
            "primary",
        ),
        defaulted(
            "pick",
            Form::Either(&leaf::PICK, &Form::Map(&WHERE)),
            "exactly one match",
            "How many of the matches: a number, a share (rounded down, at least one), `all`, or those that answer a question. Chosen by the seed of the run. More than half of a compose service, or its only container, is hit only with `all`.",
            "50%",
        ),
    ],
    choice: None,
    pattern: None,
};

static WHERE: Shape = Shape {
    name: "where",
    what: "a question to the containers",
    about: "A command that is run in every match before anything is broken; those in which it prints the text are picked.",
    keys: &[
        required(
            "where",
            Form::List(&Form::Leaf(&leaf::ANY_TEXT), 1),
            "Program and arguments; no shell is added.",
            "[redis-cli, role]",
        ),
        required("prints", Form::Leaf(&leaf::TEXT), "A line or word that its output must hold.", "master"),
    ],
    choice: None,
    pattern: None,
};
