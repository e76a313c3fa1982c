//! A checked tree to the typed model. What the check has found wrong already is skipped in silence here; what only
//! the meaning of the values can tell (an unknown target, a pattern that cannot be read) is reported.

mod detect;
mod dns;
mod expect;
mod faults;
pub mod limits;
mod packets;
mod requests;
mod targets;

use super::{
    Scenario,
    diagnostics::{Diagnostic, listed, nearest},
    tree::Node,
    variables::Expanded,
};
use std::{collections::BTreeSet, str::FromStr};

/// Decodes as much as can be; `errors` says whether that is all.
pub fn decode(root: &Node, expanded: Expanded) -> (Scenario, Vec<Diagnostic>) {
    let mut decoder = Decoder {
        errors: expanded.errors,
        targets: names(root, "targets"),
        probes: names(root, "load").union(&names(root, "probes")).cloned().collect(),
    };
    let scenario = Scenario {
        name: text(root, "scenario").unwrap_or_default(),
        title: text(root, "title"),
        hypothesis: text(root, "hypothesis").map(|prose| prose.trim().to_owned()),
        of: text(root, "of"),
        owner: text(root, "owner"),
        tags: texts(root, "tags"),
        targets: decoder.targets(root),
        probes: decoder.probes(root),
        expect: decoder.expect(root),
        detect: decoder.detect(root),
        abort: decoder.guards(root),
        timing: expect::timing(root),
        faults: decoder.faults(root),
        vars: expanded.used,
        secrets: expanded.secrets.into_iter().collect(),
    };
    (scenario, decoder.errors)
}

struct Decoder {
    errors: Vec<Diagnostic>,
    targets: BTreeSet<String>,
    probes: BTreeSet<String>,
}

impl Decoder {
    fn report(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(Diagnostic::new(node.place, node.span.clone(), message).help(help));
    }

    /// The name of a target; one that is not there is reported.
    fn target(&mut self, node: &Node) -> Option<String> {
        let name = node.text()?;
        if !self.targets.contains(name) {
            let known: Vec<&str> = self.targets.iter().map(String::as_str).collect();
            let error = Diagnostic::new(node.place, node.span.clone(), format!("there is no target `{name}`"));
            self.errors.push(with_candidates(error, name, &known, "target").narrowed(name));
        }
        Some(name.to_owned())
    }
}

/// What was probably meant, and what there is.
fn with_candidates(error: Diagnostic, word: &str, known: &[&str], what: &str) -> Diagnostic {
    let all = if what == "probe" { "loads and probes".to_owned() } else { format!("{what}s") };
    let error = match nearest(word, known.iter().copied()) {
        Some(meant) => error.label(format!("did you mean `{meant}`?")),
        None => error,
    };
    match known {
        [] if what == "probe" => {
            error.help("this scenario has no loads and no probes; add one under `load:` or `probes:`")
        }
        [] => error.help(format!("this scenario has no {all}; add one under `{all}:`")),
        _ => error.help(format!("the {all} of this scenario are {}", listed(known.iter().copied()))),
    }
}

fn names(root: &Node, key: &str) -> BTreeSet<String> {
    root.get(key).map(|node| node.entries().iter().map(|entry| entry.key.clone()).collect()).unwrap_or_default()
}

/// The text behind a key.
fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.text().map(str::to_owned)
}

/// The texts behind a key: one, or a list.
fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = node.get(key).map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
}

/// The value behind a key, if it can be read.
fn value<T: FromStr>(node: &Node, key: &str) -> Option<T> {
    node.get(key)?.text()?.parse().ok()
}

/// The entries behind a key.
fn entries<'a>(node: &'a Node, key: &str) -> &'a [super::tree::Entry] {
    node.get(key).map(Node::entries).unwrap_or_default()
}
