//! The fault in the look-up of names, under `faults:`.

use super::{faults::TARGET, optional, packets::ONLY};
use crate::scenario::{
    form::{Form, Shape},
    leaf,
};

static SOME_NAME: Form = Form::Leaf(&leaf::NAMES);
static SOME_ADDRESS: Form = Form::Leaf(&leaf::IP);
static SOME_RESOLVER: Form = Form::Leaf(&leaf::RESOLVER);

pub(super) static DNS: Shape = Shape {
    name: "dns",
    what: "`dns`",
    about: "Questions over UDP are answered in the resolver's place, Docker's own included. Over TCP no answer is made up: there, what would be answered falsely goes unanswered. DNS inside TLS or HTTPS is not seen.",
    keys: &[
        TARGET,
        optional(
            "names",
            Form::OneOrMore(&SOME_NAME),
            "Which names, with `*` and `?`; case does not count. A search domain may stand behind what the application asked for, so `payments*` is safer than `payments`. Without it: all.",
            "[payments*, \"*.example.com\"]",
        ),
        optional(
            "answer",
            Form::Leaf(&leaf::DNS_ANSWER),
            "What is answered; without it, what the resolver says.",
            "servfail",
        ),
        optional(
            "addresses",
            Form::OneOrMore(&SOME_ADDRESS),
            "What a wrong answer says, for no time to come (its time to live is 0).",
            "[192.0.2.1]",
        ),
        optional("delay", Form::Leaf(&leaf::SOME_SPAN), "How much later the answer comes.", "500ms"),
        ONLY,
        optional(
            "resolvers",
            Form::OneOrMore(&SOME_RESOLVER),
            "Only questions to these resolvers. Without it: to all of them.",
            "[127.0.0.11, 10.0.0.0/8]",
        ),
    ],
    choice: None,
    pattern: None,
};
