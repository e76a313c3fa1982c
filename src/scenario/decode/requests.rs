//! `load:` and `probes:`

use super::{Decoder, entries, text, texts, value};
use crate::{
    event::Slo,
    load::{Body, Content, ExecSettings, HttpSettings, StatusRange, TcpSettings},
    scenario::{
        Probe, ProbeSettings,
        diagnostics::Diagnostic,
        leaf,
        tree::{Entry, Node, Scalar, ScalarKind, Value},
    },
    units::{Rate, Span},
};

/// Slots, unless the scenario says otherwise.
const MAX_IN_FLIGHT: u32 = 256;
/// How long an answer may take, unless the scenario says otherwise.
const TIMEOUT: Span = Span::secs(2);

impl Decoder {
    pub(super) fn probes(&mut self, root: &Node) -> Vec<Probe> {
        let (loads, probes) = (entries(root, "load"), entries(root, "probes"));
        for probe in probes {
            if let Some(load) = loads.iter().find(|load| load.key == probe.key) {
                let message = format!("`{}` is both a load and a probe", probe.key);
                let error =
                    Diagnostic::new(probe.place, probe.span.clone(), message).related(load.span.clone(), "the load");
                self.errors.push(error.help("limits name either by its name alone; rename one of them"));
            }
        }
        let loads = loads.iter().map(|entry| (entry, true));
        loads
            .chain(probes.iter().map(|entry| (entry, false)))
            .filter_map(|(entry, load)| self.probe(entry, load))
            .collect()
    }

    fn probe(&mut self, entry: &Entry, load: bool) -> Option<Probe> {
        let node = &entry.node;
        let ok = node.get("ok");
        let (kind, settings) =
            ["http", "tcp", "exec", "health"].iter().find_map(|kind| Some((*kind, node.get(kind)?)))?;
        self.good_answer(ok, kind, settings);
        let kind = match kind {
            "http" => ProbeSettings::Http(self.http(settings, ok)),
            "tcp" => ProbeSettings::Tcp(self.tcp(settings, ok)),
            "exec" => ProbeSettings::Exec(self.exec(settings, ok)),
            _ => ProbeSettings::Health {
                target: settings.get("target").and_then(|node| self.target(node)).unwrap_or_default(),
            },
        };
        Some(Probe {
            name: entry.key.clone(),
            place: entry.place,
            load,
            kind,
            rate: value(node, "rate").unwrap_or(Rate(1.0)),
            timeout: value(settings, "timeout").unwrap_or(TIMEOUT),
            max_in_flight: value(node, "max_in_flight").unwrap_or(MAX_IN_FLIGHT),
            slo: node.get("slo").and_then(slo),
        })
    }

    /// Each kind of request has its own idea of a good answer.
    fn good_answer(&mut self, ok: Option<&Node>, kind: &str, settings: &Node) {
        let allowed: &[&str] = match kind {
            "http" => &["status", "contains", "matches"],
            "exec" => &["exit", "contains", "matches"],
            "tcp" => &["contains", "matches"],
            _ => &[],
        };
        for entry in ok.map(Node::entries).unwrap_or_default() {
            let known = ["status", "exit", "contains", "matches"].contains(&entry.key.as_str());
            if known && !allowed.contains(&entry.key.as_str()) {
                let error = Diagnostic::new(
                    entry.place,
                    entry.span.clone(),
                    format!("`{}` says nothing about `{kind}`", entry.key),
                );
                self.errors.push(match allowed {
                    [] => error.help("a `health` probe is ok when the engine says healthy; remove `ok`"),
                    _ => error.help(format!(
                        "the answer of `{kind}` is judged by {}",
                        crate::scenario::diagnostics::listed(allowed.iter().copied())
                    )),
                });
            }
        }
        self.not_both(ok, "contains", "matches");
        self.not_both(Some(settings), "body", "json");
    }

    fn not_both(&mut self, node: Option<&Node>, first: &str, second: &str) {
        let Some((one, other)) = node.and_then(|node| Some((node.entry(first)?, node.entry(second)?))) else { return };
        let message = format!("`{first}` and `{second}` cannot both be given");
        let error = Diagnostic::new(other.place, other.span.clone(), message).related(one.span.clone(), "the other");
        self.errors.push(error.help("remove one of them"));
    }

    fn http(&mut self, node: &Node, ok: Option<&Node>) -> HttpSettings {
        let mut headers: Vec<(String, String)> = entries(node, "headers")
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.node.text()?.to_owned())))
            .collect();
        let json = node.entries().iter().find(|entry| entry.key == "json").map(|entry| Body::Json(json(&entry.node)));
        if json.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".into(), "application/json".into()));
        }
        HttpSettings {
            method: text(node, "method").unwrap_or_else(|| "GET".into()),
            url: self.addressed(node, "url"),
            headers,
            body: json.or_else(|| text(node, "body").map(Body::Text)),
            insecure: value(node, "insecure").unwrap_or(false),
            status: statuses(ok),
            content: content(ok),
        }
    }

    fn tcp(&mut self, node: &Node, ok: Option<&Node>) -> TcpSettings {
        TcpSettings { address: self.addressed(node, "address"), send: text(node, "send"), expect: content(ok) }
    }

    fn exec(&mut self, node: &Node, ok: Option<&Node>) -> ExecSettings {
        let target = node.get("target").and_then(|target| self.target(target));
        let on_host = value(node, "on_host").unwrap_or(false);
        match (node.get("target"), node.get("on_host")) {
            (Some(_), Some(host)) if on_host => {
                self.report(host, "`target` and `on_host` cannot both be given", "remove one of them");
            }
            (None, _) if !on_host => {
                self.report(
                    node,
                    "`exec` does not say where to run",
                    "add `target: NAME`, or `on_host: true` (which needs `--allow-host-exec`)",
                );
            }
            _ => {}
        }
        let exit = ok.and_then(|ok| value::<u8>(ok, "exit")).unwrap_or(0);
        ExecSettings { target, command: texts(node, "command"), exit: exit.into(), content: content(ok) }
    }

    /// A URL or address; a target named as its host must be there.
    fn addressed(&mut self, node: &Node, key: &str) -> String {
        node.get(key).map(|node| self.address(node)).unwrap_or_default()
    }

    /// An address; a target that it names must be there.
    pub(super) fn address(&mut self, node: &Node) -> String {
        let Some(address) = node.text() else { return String::new() };
        if let Some(target) = leaf::named_target(address).filter(|target| !self.targets.contains(*target)) {
            let known: Vec<&str> = self.targets.iter().map(String::as_str).collect();
            let message = format!("`{{{target}}}` in the address is not a target");
            let error = Diagnostic::new(node.place, node.span.clone(), message).narrowed(&format!("{{{target}}}"));
            let error = super::with_candidates(error, target, &known, "target");
            self.errors.push(error);
        }
        address.to_owned()
    }
}

fn statuses(ok: Option<&Node>) -> Vec<StatusRange> {
    let given: Vec<StatusRange> = ok
        .map(|ok| texts(ok, "status"))
        .unwrap_or_default()
        .iter()
        .filter_map(|text| leaf::status(text).ok())
        .collect();
    if given.is_empty() { vec![StatusRange { from: 200, to: 299 }] } else { given }
}

fn content(ok: Option<&Node>) -> Option<Content> {
    let contains = text(ok?, "contains").map(Content::Contains);
    contains.or_else(|| text(ok?, "matches").map(Content::Matches))
}

fn slo(node: &Node) -> Option<Slo> {
    Some(Slo { objective: value(node, "objective")?, period: value(node, "period").unwrap_or(Span::secs(30 * 86_400)) })
}

/// A YAML value as compact JSON, keys in the order of the file.
fn json(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) => scalar_json(scalar),
        Value::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| format!("{}:{}", quoted(&entry.key), json(&entry.node)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
    }
}

fn scalar_json(scalar: &Scalar) -> String {
    match scalar.kind {
        ScalarKind::Null => "null".into(),
        ScalarKind::Bool => scalar.text.clone(),
        // As written where JSON writes numbers the same way; `+1`, `.5` and `0x1F` are texts to JSON.
        ScalarKind::Number if serde_json::from_str::<serde_json::Number>(&scalar.text).is_ok() => scalar.text.clone(),
        ScalarKind::Number | ScalarKind::Text => quoted(&scalar.text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
