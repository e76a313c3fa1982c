//! `faults:`

use super::{Decoder, text, texts, value};
use crate::{
    fault::{Fault, OneByOne},
    scenario::{
        FaultEntry,
        diagnostics::Diagnostic,
        leaf,
        tree::{Entry, Node},
    },
    units::Span,
};

/// How long one container of a rolling restart may take, unless the scenario says otherwise.
const HEALTHY_WITHIN: Span = Span::secs(60);

impl Decoder {
    pub(super) fn faults(&mut self, root: &Node) -> Vec<FaultEntry> {
        let items = root.get("faults").map(Node::items).unwrap_or_default();
        items.iter().filter_map(|item| self.fault(item)).collect()
    }

    fn fault(&mut self, item: &Node) -> Option<FaultEntry> {
        let (entry, fault) = item.entries().iter().find_map(|entry| Some((entry, self.settings(entry)?)))?;
        let target = entry.node.get("target").and_then(|node| self.target(node)).unwrap_or_default();
        let length = value(item, "for");
        if let Some(held) = item.entry("for").filter(|_| !fault.held()) {
            self.not_held(held, &fault);
        }
        Some(FaultEntry { place: entry.place, fault, target, at: value(item, "at").unwrap_or(Span::ZERO), length })
    }

    /// `None`: not a fault, or nothing that can be read.
    fn settings(&mut self, entry: &Entry) -> Option<Fault> {
        let node = &entry.node;
        let fault = match entry.key.as_str() {
            "kill" => {
                let signal =
                    node.get("signal").and_then(Node::text).and_then(|text| leaf::signal(text).ok()).unwrap_or("KILL");
                Fault::Kill { signal: format!("SIG{signal}") }
            }
            "stop" => Fault::Stop { grace: value(node, "grace") },
            "restart" => Fault::Restart { grace: value(node, "grace"), one_by_one: self.one_by_one(node) },
            "pause" => Fault::Pause,
            "disconnect" => Fault::Disconnect { network: text(node, "network").unwrap_or_default() },
            "exec" => {
                let undo = node.get("undo").filter(|undo| undo.text().is_none()).map(|_| texts(node, "undo"));
                Fault::Exec { command: texts(node, "command"), user: text(node, "user"), undo }
            }
            _ => return None,
        };
        Some(fault)
    }

    fn one_by_one(&mut self, node: &Node) -> Option<OneByOne> {
        let rolling = node.get("one_by_one").is_some();
        if let Some(within) = node.get("within").filter(|_| !rolling) {
            self.report(
                within,
                "`within` says how long one container may take, but all are restarted at once",
                "add `one_by_one: healthy`, or remove `within`",
            );
        }
        rolling.then(|| OneByOne { within: value(node, "within").unwrap_or(HEALTHY_WITHIN) })
    }

    fn not_held(&mut self, held: &Entry, fault: &Fault) {
        let why = match fault {
            Fault::Exec { .. } => "`exec` with `undo: none` holds nothing that could be undone after `for`",
            _ => "`restart` is over when the container runs again; it cannot last",
        };
        let help = match fault {
            Fault::Exec { .. } => "remove `for`, or give the command that undoes it",
            _ => "remove `for`; `stop` with `for` keeps a container down for a while",
        };
        self.errors.push(Diagnostic::new(held.place, held.span.clone(), why).help(help));
    }
}
