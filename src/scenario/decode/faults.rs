//! `faults:`

use super::{Decoder, text, texts, value};
use crate::{
    agent::work::{
        Work,
        burn::Burn,
        fill::{Amount, Fill},
        hold::Hold,
        load::Load,
        squeeze::Resource,
    },
    fault::{Fault, OneByOne},
    scenario::{
        FaultEntry,
        diagnostics::Diagnostic,
        leaf,
        tree::{Entry, Node},
    },
    units::{Bytes, Cores, Percent, Span},
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
        let targets = match &fault {
            Fault::Partition(partition) => partition.sides(),
            _ => entry.node.get("target").and_then(|node| self.target(node)).into_iter().collect(),
        };
        let length = value(item, "for");
        if let Some(held) = item.entry("for").filter(|_| !fault.held()) {
            self.not_held(held, &fault);
        }
        Some(FaultEntry { place: entry.place, fault, targets, at: value(item, "at").unwrap_or(Span::ZERO), length })
    }

    /// `None`: not a fault, or nothing that can be read.
    fn settings(&mut self, entry: &Entry) -> Option<Fault> {
        let node = &entry.node;
        let fault = match entry.key.as_str() {
            "kill" => Fault::Kill { signal: format!("SIG{}", read(node, "signal", leaf::signal).unwrap_or("KILL")) },
            "crash" => Fault::Crash { signal: format!("SIG{}", read(node, "signal", leaf::signal).unwrap_or("KILL")) },
            "signal" => Fault::Signal { signal: any_signal(node), process: None },
            "process" => {
                Fault::Signal { signal: any_signal(node), process: Some(text(node, "name").unwrap_or_default()) }
            }
            "cpu" => self.cpu(entry),
            "memory" => self.memory(entry),
            "pids" => Fault::Squeeze { resource: Resource::Pids, to: value(node, "limit").unwrap_or(0) },
            "io" => Fault::Burn(Work::Load(Load {
                path: text(node, "path").unwrap_or_default().into(),
                workers: value(node, "workers").unwrap_or(1),
                rate: value(node, "rate").map(|Bytes(rate)| rate),
            })),
            "disk" => self.disk(entry),
            "stop" => Fault::Stop { grace: value(node, "grace") },
            "restart" => Fault::Restart { grace: value(node, "grace"), one_by_one: self.one_by_one(node) },
            "pause" => Fault::Pause,
            "disconnect" if node.get("via").is_some() => {
                Fault::Disconnect { network: text(node, "network").unwrap_or_default() }
            }
            "exec" => {
                let undo = node.get("undo").filter(|undo| undo.text().is_none()).map(|_| texts(node, "undo"));
                Fault::Exec { command: texts(node, "command"), user: text(node, "user"), undo }
            }
            _ => return self.packet_fault(entry),
        };
        Some(fault)
    }

    fn cpu(&mut self, entry: &Entry) -> Fault {
        let node = &entry.node;
        match self.either(entry, "quota", "workers") {
            "quota" => Fault::Squeeze { resource: Resource::Cpu, to: value(node, "quota").map_or(0, |Cores(to)| to) },
            _ => {
                let load = value(node, "load").map_or(100, |Percent(share)| (share * 100.0).round() as u8);
                Fault::Burn(Work::Burn(Burn { workers: value(node, "workers").unwrap_or(1), load }))
            }
        }
    }

    fn memory(&mut self, entry: &Entry) -> Fault {
        let node = &entry.node;
        let bytes = |key| value(node, key).map_or(0, |Bytes(bytes)| bytes);
        match self.either(entry, "limit", "hold") {
            "limit" => Fault::Squeeze { resource: Resource::Memory, to: bytes("limit") },
            _ => {
                let victim_target = node.get("victim").is_some();
                Fault::Burn(Work::Hold(Hold { bytes: bytes("hold"), victim_target }))
            }
        }
    }

    fn disk(&mut self, entry: &Entry) -> Fault {
        let node = &entry.node;
        let amount = match self.either(entry, "fill", "leave") {
            "fill" => read(node, "fill", leaf::amount).unwrap_or(Amount::Bytes(0)),
            _ => Amount::Leave(value(node, "leave").map_or(0, |Bytes(bytes)| bytes)),
        };
        Fault::Burn(Work::Fill(Fill { path: text(node, "path").unwrap_or_default().into(), amount }))
    }

    /// Which of two keys is there; that it is exactly one is seen to, and that what belongs to the other is not there.
    fn either(&mut self, entry: &Entry, first: &'static str, second: &'static str) -> &'static str {
        let node = &entry.node;
        let kind = &entry.key;
        match (node.get(first), node.get(second)) {
            (Some(_), Some(other)) => {
                self.report(
                    other,
                    format!("`{kind}` takes `{first}` or `{second}`, not both"),
                    "make two faults of it",
                );
            }
            (None, None) if !node.entries().is_empty() => {
                let error =
                    Diagnostic::new(entry.place, entry.span.clone(), format!("`{kind}` lacks `{first}` or `{second}`"));
                self.errors.push(error.help(format!("`{first}` makes less of it; `{second}` uses it up").replace(
                    "`fill` makes less of it; `leave` uses it up",
                    "`fill` says how much is taken, `leave` how much is left",
                )));
            }
            _ => {}
        }
        let alone = |key: &str| match key {
            "load" => Some("workers"),
            "victim" => Some("hold"),
            _ => None,
        };
        for other in node.entries() {
            if let Some(needs) = alone(&other.key).filter(|needs| node.get(needs).is_none()) {
                self.report(
                    &other.node,
                    format!("`{}` goes with `{needs}`", other.key),
                    format!("add `{needs}`, or remove `{}`", other.key),
                );
            }
        }
        if node.get(first).is_some() { first } else { second }
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

/// What is behind a key, if it can be read.
fn read<T>(node: &Node, key: &str, how: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    how(node.get(key)?.text()?).ok()
}

fn any_signal(node: &Node) -> String {
    format!("SIG{}", read(node, "signal", leaf::any_signal).unwrap_or("KILL"))
}
