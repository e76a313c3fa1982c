//! `expect:`, `abort:` and `timing:`

use super::{Decoder, entries, limits, texts, value, with_candidates};
use crate::{
    event::{Expectations, Guard, Limits, Timing},
    scenario::{
        diagnostics::Diagnostic,
        tree::{Entry, Node},
    },
    units::Span,
};
use std::collections::BTreeMap;

impl Decoder {
    pub(super) fn expect(&mut self, root: &Node) -> Expectations {
        let Some(entry) = root.entry("expect") else { return Expectations::default() };
        let node = &entry.node;
        let expect = Expectations {
            baseline: self.phase(node, "baseline"),
            during: self.phase(node, "during"),
            recovery: self.phase(node, "recovery"),
            mitigated: self.phase(node, "mitigated"),
            unaffected: texts(node, "unaffected"),
            may_touch_nothing: value(node, "may_touch_nothing").unwrap_or(false),
        };
        if expect.is_empty() {
            let error = Diagnostic::new(entry.place, entry.span.clone(), "there is nothing to judge");
            self.errors.push(error.help("give limits in at least one of `baseline`, `during` and `recovery`, such as `during: { checkout: { errors: \"<= 0.1%\" } }`"));
        }
        expect
    }

    fn phase(&mut self, expect: &Node, phase: &str) -> BTreeMap<String, Limits> {
        let mut all = BTreeMap::new();
        for entry in entries(expect, phase) {
            self.known_probe(entry);
            let node = &entry.node;
            let limits = Limits {
                limits: limits::limits(node),
                within: value(node, "within"),
                stable_for: value(node, "stable_for"),
                max_failed: value(node, "max_failed"),
            };
            self.something_to_hold(entry, limits.limits.is_empty() && limits.max_failed.is_none());
            all.insert(entry.key.clone(), limits);
        }
        all
    }

    /// Each limit of a guard is a guard of its own.
    pub(super) fn guards(&mut self, root: &Node) -> Vec<Guard> {
        let mut guards = Vec::new();
        for entry in root.get("abort").map(Node::items).unwrap_or_default().iter().flat_map(Node::entries) {
            self.known_probe(entry);
            let found = limits::limits(&entry.node);
            self.something_to_hold(entry, found.is_empty());
            let window = value(&entry.node, "for").unwrap_or(Span::ZERO);
            guards.extend(found.into_iter().map(|limit| Guard { probe: entry.key.clone(), limit, window }));
        }
        guards
    }

    fn known_probe(&mut self, entry: &Entry) {
        if self.probes.contains(&entry.key) {
            return;
        }
        let known: Vec<&str> = self.probes.iter().map(String::as_str).collect();
        let error =
            Diagnostic::new(entry.place, entry.span.clone(), format!("there is no load or probe `{}`", entry.key));
        self.errors.push(with_candidates(error, &entry.key, &known, "probe"));
    }

    fn something_to_hold(&mut self, entry: &Entry, nothing: bool) {
        // Wrong limits have been reported; only a map without any is silent so far.
        let tried = entry.node.entries().iter().any(|e| !matches!(e.key.as_str(), "within" | "stable_for" | "for"));
        if nothing && !tried && !entry.node.is_null() {
            let error = Diagnostic::new(entry.place, entry.span.clone(), format!("`{}` has no limit here", entry.key));
            self.errors.push(error.help("add one, such as `errors: \"<= 0.1%\"` or `p99: \"<= 100ms\"`"));
        }
    }
}

pub(super) fn timing(root: &Node) -> Timing {
    let given = |key: &str| root.get("timing").and_then(|node| value(node, key));
    Timing {
        warm_up: given("warm_up").unwrap_or(Span::secs(5)),
        baseline: given("baseline").unwrap_or(Span::secs(20)),
        recovery: given("recovery").unwrap_or(Span::secs(60)),
    }
}
