//! `dns` faults through whole drills: an application that looks names up, seen through its own pages.

use crate::drill::{Drill, Ran};
use firedrill::{agent::protocol::Counters, container::docker::NewEndpoint, event::EventKind};

/// What a drill came to.
struct Seen {
    ran: Ran,
    counters: Counters,
    review: String,
}

/// A drill on an application that looks `payments` up for each request under this path, in the way of `/resolve`.
fn drilled(path: &str, rate: &str, fault: &str) -> Seen {
    let mut stage = Drill::new();
    let network = stage.network("net");
    let place = |alias: &str| NewEndpoint { network: network.clone(), aliases: vec![alias.into()], ipv4: None };
    stage.idle("payments", &[], |new| new.networks = vec![place("payments")]);
    let app = stage.web_with("app", "0s:ok", |new| new.networks = vec![place("app")]);
    let ran = stage.run(
        &format!(
            "scenario: names
targets:
  app: {{ project: $PROJECT, service: app, pick: all }}
load:
  page:
    http: {{ url: \"{}{path}/payments\", timeout: 4s }}
    rate: {rate}
    max_in_flight: 128
expect:
  recovery: {{ page: {{ errors: \"<= 50%\" }} }}
timing: {{ warm_up: 300ms, baseline: 2s, recovery: 5s }}
faults:
  - dns: {{ target: app, {fault} }}
    at: 100ms
    for: 5s
",
            app.url
        ),
        &[],
    );
    let undone = |event: firedrill::event::Event| match event.kind {
        EventKind::AgentUndone { counters, .. } => Some(*counters),
        _ => None,
    };
    let counters = ran.events().into_iter().filter_map(undone).next_back();
    let review = ran.review();
    Seen { counters: counters.unwrap_or_else(|| panic!("{}", ran.output)), ran, review }
}

fn phase<'a>(ran: &'a Ran, phase: &str) -> &'a serde_json::Value {
    &ran.result["probes"][0]["phases"][phase]
}

fn failed(ran: &Ran, of: &str) -> f64 {
    let phase = phase(ran, of);
    phase["failed"].as_f64().unwrap() / phase["offered"].as_f64().unwrap()
}

/// The longest response in a phase, milliseconds.
fn longest(ran: &Ran, of: &str) -> f64 {
    phase(ran, of)["response"]["max_ns"].as_f64().unwrap_or_else(|| panic!("{:#}", ran.result)) / 1e6
}

#[test]
fn a_name_that_is_not_found_fails_pages_and_is_found_again_afterwards() {
    let Seen { ran, counters, review } = drilled("resolve", "20/s", "names: Pay*, answer: servfail");
    assert!(matches!(ran.code, 0 | 1), "{}", ran.output);
    assert!(failed(&ran, "baseline") < 0.2 && failed(&ran, "recovery") < 0.5, "{:#}", ran.result["probes"]);
    assert!(failed(&ran, "during") > 0.7, "{:#}", phase(&ran, "during"));
    assert!(counters.answered > 20 && counters.answered == counters.meant && counters.leaked == 0, "{counters:?}");
    assert!(review.contains(r"dns app (pay\*: servfail)") && review.contains("answered by the agent"), "{review}");
}

#[test]
fn a_late_answer_makes_pages_late_once() {
    // Look-ups of one name at one time share their question: none may last until the next begins.
    let Seen { ran, counters, .. } = drilled("resolve", "3/s", "delay: 200ms");
    let (before, during, after) = (longest(&ran, "baseline"), longest(&ran, "during"), longest(&ran, "recovery"));
    assert!((199.0..390.0).contains(&during), "{before} ms before, {during} ms during: late, and only once");
    assert!(before < 190.0 && after < 190.0, "{before} ms before, {after} ms after");
    assert!(counters.delayed >= 10 && counters.delayed == counters.matched, "{counters:?}");
}

#[test]
fn an_application_that_remembers_is_not_touched_and_the_run_says_so() {
    let Seen { ran, counters, review } = drilled("resolve-once", "20/s", "names: payments, answer: nxdomain");
    assert_eq!((counters.matched, counters.answered), (0, 0), "in place, and never asked");
    ran.expect(6);
    assert!(review.contains("nobody looked up a name that it is about"), "{review}");
}
