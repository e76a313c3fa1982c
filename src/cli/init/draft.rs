//! The scenario's text: what a newcomer would write after an hour with the manual, with comments that say what to change.

use super::{
    measure::{Ask, Entry, Seen},
    survey::{Service, System},
};
use crate::units::{Span, trimmed};
use std::{collections::BTreeSet, fmt::Write, time::Duration};

/// No limit is tighter than this: response times of an idle system vary by more.
const LEAST_LIMIT: Span = Span::millis(50);
/// How much slower than measured is still as usual.
const ROOM: f64 = 3.0;

/// What is done, to which service.
struct Drill<'a> {
    on: &'a Service,
    fault: &'static str,
    pick: &'static str,
    length: &'static str,
    title: String,
    hypothesis: String,
}

/// The whole file.
pub fn scenario(system: &System, entry: &Entry) -> String {
    let names = names(system);
    let name = |service: &str| {
        let at = system.services.iter().position(|one| one.name == service).unwrap_or(0);
        names[at].as_str()
    };
    let drill = drill(system, entry);
    let target = name(&drill.on.name);
    let mut text = String::new();
    let slug = format!("{}-{target}", drill.fault).to_lowercase().replace('_', "-");
    let _ = write!(
        text,
        "# Drafted by `firedrill init` from what runs here. Read it, change what you know better, then:
#   firedrill plan FILE     what it would do, second by second
#   firedrill run FILE      do it, measure, undo, and write the review
scenario: {slug}
title: {title}
hypothesis: {hypothesis}
of: entry

targets:
",
        title = quoted(&drill.title),
        hypothesis = quoted(&drill.hypothesis),
    );
    for (service, name) in system.services.iter().zip(&names) {
        let pick = if service.name == drill.on.name { drill.pick } else { "all" };
        let found = match &system.project {
            Some(project) => format!("project: {}, service: {}", quoted(project), quoted(&service.name)),
            None => format!("name: {}", quoted(&service.name)),
        };
        // The others stand ready to be hit; what is not hit need not be a target.
        let used = if service.name == drill.on.name { "" } else { "# " };
        let _ = writeln!(text, "  {used}{name}: {{ {found}, pick: {pick} }}");
    }
    ask(&mut text, entry);
    expect(&mut text, entry);
    let _ = write!(
        text,
        "
timing: {{ warm_up: 2s, baseline: 10s, recovery: 20s }}

faults:
  - {}: {{ target: {target} }}
    at: 0s
    for: {}
",
        drill.fault, drill.length
    );
    text
}

/// One of several replicas is killed; where there are none, what the entry leans on is frozen; else the entry is.
fn drill<'a>(system: &'a System, entry: &Entry) -> Drill<'a> {
    let (front, behind): (Vec<&Service>, Vec<&Service>) =
        system.services.iter().partition(|service| service.name == entry.service);
    let replicated = behind.iter().chain(&front).find(|service| service.replicas > 1);
    if let Some(on) = replicated {
        return Drill {
            on,
            fault: "kill",
            pick: "1",
            length: "10s",
            title: format!("{} loses one of its {} replicas", on.name, on.replicas),
            hypothesis: format!("When a replica of {} is killed, users hardly notice.", on.name),
        };
    }
    let on = behind.first().or(front.first()).expect("a system has a service");
    Drill {
        on,
        fault: "pause",
        pick: "all",
        length: "5s",
        title: format!("{} hangs for five seconds", on.name),
        hypothesis: format!("When {} hangs, most requests are still answered, and all of them soon after.", on.name),
    }
}

fn ask(text: &mut String, entry: &Entry) {
    let what = match &entry.ask {
        Ask::Http { url, status, insecure } => {
            let insecure = if *insecure { ", insecure: true" } else { "" };
            format!("http: {{ url: {}, timeout: 2s{insecure} }}\n    ok: {{ status: {status} }}", quoted(url))
        }
        Ask::Tcp { address } => format!("tcp: {{ address: {}, timeout: 2s }}", quoted(address)),
    };
    let refused = matches!(&entry.ask, Ask::Http { status, .. } if status.ends_with("499"));
    let note = if refused {
        "\n# It refuses this request (4xx), which proves little: put a path here that it serves."
    } else {
        ""
    };
    let _ = write!(
        text,
        "
# What users do. Ask for something that goes through the whole system, at a rate like theirs.{note}
load:
  entry:
    {what}
    rate: 20/s
"
    );
}

fn expect(text: &mut String, entry: &Entry) {
    let (said, errors, p90) = match entry.seen {
        Some(Seen { n, errors, p90 }) => {
            let limit = Span(Duration::from_secs_f64(p90.0.as_secs_f64() * ROOM)).max(LEAST_LIMIT);
            let rounded = Span::millis(limit.0.as_millis().div_ceil(10) as u64 * 10);
            let share = trimmed((errors * 2.0 * 100.0).max(1.0).ceil(), 0);
            let said = format!(
                "Measured while nothing was wrong: {n} requests, {}% failed, p90 {}ms. The limits leave room.",
                trimmed(errors * 100.0, 2),
                trimmed(p90.0.as_secs_f64() * 1e3, 1)
            );
            (said, share, rounded)
        }
        None => ("Nothing was measured: these limits are guesses.".to_owned(), "1".to_owned(), Span::millis(500)),
    };
    let _ = write!(
        text,
        "
# {said}
expect:
  baseline: {{ entry: {{ errors: \"<= {errors}%\", p90: \"<= {p90}\" }} }}
  during: {{ entry: {{ errors: \"<= 10%\" }} }}
  recovery: {{ entry: {{ errors: \"<= {errors}%\", p90: \"<= {p90}\", within: 10s, stable_for: 5s }} }}

# Where it goes worse than this, the drill stops and undoes.
abort:
  - entry: {{ errors: \"> 90%\", for: 8s }}
"
    );
}

/// Names for targets: letters, digits, `-` and `_`, each once.
fn names(system: &System) -> Vec<String> {
    let mut taken = BTreeSet::from(["entry".to_owned()]);
    let name = |service: &Service| {
        let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
        let plain: String = service.name.chars().map(kept).take(40).collect();
        let plain = plain.trim_start_matches(['-', '_']);
        let plain = if plain.is_empty() { "service" } else { plain };
        let mut numbered = (1..).map(|n| if n == 1 { plain.to_owned() } else { format!("{plain}-{n}") });
        numbered.find(|name| taken.insert(name.clone())).expect("one of endlessly many is free")
    };
    system.services.iter().map(name).collect()
}

/// JSON's strings are YAML's too; `${` would begin a variable.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace("${", "$${")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::init::survey::Port;

    fn service(name: &str, replicas: usize, ports: Vec<Port>) -> Service {
        Service { name: name.into(), replicas, ports, health: false }
    }

    fn valid(text: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("first.yaml");
        std::fs::write(&path, text).unwrap();
        let read = crate::scenario::read(&path, &Default::default(), &|_: &str| None);
        assert!(read.is_ok(), "{text}\n{:?}", read.err());
    }

    #[test]
    fn every_draft_is_a_valid_scenario_whatever_things_are_called() {
        let port = Port { address: [127, 0, 0, 1].into(), host: 8080, container: 80 };
        let asks = [
            Ask::Http { url: "http://127.0.0.1:8080/".into(), status: "2xx", insecure: false },
            Ask::Http { url: "https://127.0.0.1:8443/".into(), status: "200-499", insecure: true },
            Ask::Tcp { address: "127.0.0.1:6379".into() },
        ];
        let seen = [None, Some(Seen { n: 50, errors: 0.02, p90: Span::millis(123) })];
        for (ask, seen) in asks.iter().flat_map(|ask| seen.iter().map(move |seen| (ask, seen))) {
            for replicas in [1, 3] {
                for project in [Some("my \"shop\" ${x}: #1".to_owned()), None] {
                    // Containers have plain names; what compose calls its services is up to it.
                    let odd = if project.is_some() { "_db: {{ }} ü 'x'" } else { "shop.db_1" };
                    let odd = service(odd, replicas, vec![]);
                    let services = vec![odd, service("entry", 1, vec![port]), service("entry.", 1, vec![])];
                    let entry = Entry { service: "entry".into(), ask: ask.clone(), seen: *seen };
                    valid(&scenario(&System { project, services }, &entry));
                }
            }
        }
    }

    #[test]
    fn a_replica_is_killed_and_what_stands_alone_is_frozen() {
        let port = Port { address: [127, 0, 0, 1].into(), host: 8080, container: 80 };
        let entry = Entry {
            service: "front".into(),
            ask: Ask::Tcp { address: "127.0.0.1:8080".into() },
            seen: Some(Seen { n: 50, errors: 0.0, p90: Span::millis(2) }),
        };
        let of = |api| {
            let services = vec![service("api", api, vec![]), service("front", 1, vec![port])];
            scenario(&System { project: Some("shop".into()), services }, &entry)
        };
        assert!(of(2).contains("- kill: { target: api }") && of(2).contains("p90: \"<= 50ms\""), "{}", of(2));
        assert!(of(1).contains("- pause: { target: api }") && of(1).contains("pick: all"), "{}", of(1));
    }
}
