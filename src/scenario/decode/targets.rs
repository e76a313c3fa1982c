//! `targets:`

use super::{Decoder, entries, text, texts};
use crate::scenario::{
    Pick, Selector, Target,
    diagnostics::{Diagnostic, listed},
    tree::{Entry, Node, Value},
};
use std::collections::BTreeMap;

impl Decoder {
    pub(super) fn targets(&mut self, root: &Node) -> Vec<Target> {
        let entries = entries(root, "targets");
        let targets: Vec<Target> = entries.iter().map(|entry| self.one_target(entry)).collect();
        self.except_cycles(entries, &targets);
        targets
    }

    fn one_target(&mut self, entry: &Entry) -> Target {
        let node = &entry.node;
        let selector = Selector {
            project: text(node, "project"),
            service: text(node, "service"),
            name: text(node, "name"),
            image: text(node, "image"),
            labels: texts(node, "label").iter().map(|label| split_label(label)).collect(),
            except: self.except(node),
        };
        let nothing = |entry: &Entry| matches!(entry.key.as_str(), "except" | "pick");
        if matches!(&node.value, Value::Map(entries) if entries.iter().all(nothing)) {
            let message = format!("the target `{}` selects nothing in particular", entry.key);
            let error = Diagnostic::new(entry.place, entry.span.clone(), message);
            let error = error.help("an empty selector would match every container");
            self.errors.push(error.help("give at least one of `project`, `service`, `name`, `image` and `label`"));
        }
        Target { name: entry.key.clone(), place: entry.place, selector, pick: pick(node) }
    }

    fn except(&mut self, node: &Node) -> Vec<String> {
        let items = node.get("except").map(Node::items).unwrap_or_default();
        items.iter().filter_map(|item| self.target(item)).collect()
    }

    /// A target that is all but itself cannot be resolved.
    fn except_cycles(&mut self, entries: &[Entry], targets: &[Target]) {
        let excepts: BTreeMap<&str, &[String]> =
            targets.iter().map(|target| (target.name.as_str(), target.selector.except.as_slice())).collect();
        for entry in entries {
            let Some(mut path) = cycle(&entry.key, &excepts) else { continue };
            path.sort_unstable();
            // Each circle once, at the first of its names.
            if path.first() != Some(&entry.key.as_str()) {
                continue;
            }
            let Some(except) = entry.node.get("except") else { continue };
            let message = match path.len() {
                1 => format!("the target `{}` is all but itself", entry.key),
                _ => format!("the targets {} are each all but another of them: nothing to start from", listed(path)),
            };
            self.report(except, message, "let one of them do without `except`");
        }
    }
}

/// The way over `except` from a target back to it.
fn cycle<'a>(start: &'a str, excepts: &BTreeMap<&'a str, &'a [String]>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = vec![start];
    while let Some(here) = open.pop() {
        for next in excepts.get(here).copied().unwrap_or_default() {
            if next == start {
                let back = std::iter::successors(Some(here), |at| came_from.get(at).copied());
                return Some(back.collect());
            }
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next, here);
                open.push(next);
            }
        }
    }
    None
}

fn split_label(label: &str) -> (String, Option<String>) {
    match label.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
        None => (label.trim().to_owned(), None),
    }
}

fn pick(node: &Node) -> Pick {
    let Some(pick) = node.get("pick") else { return Pick::TheOne };
    match pick.text() {
        None => Pick::Where { command: texts(pick, "where"), prints: text(pick, "prints").unwrap_or_default() },
        Some("all") => Pick::All,
        Some(text) => match (text.parse(), text.parse()) {
            (Ok(count), _) => Pick::Count(count),
            (_, Ok(share)) => Pick::Share(share),
            _ => Pick::TheOne,
        },
    }
}
