//! `${NAME}` in single values. Expanded after parsing, so that a value can never become structure.
//!
//! A name is looked up in `--set`, then `vars:`, then the environment: what was typed for this run wins, and what
//! happens to be exported in a shell never overrides what the file says. A value under `vars:` may itself use
//! `--set` and the environment, which is how a file opts in: `PORT: "${PORT:-8080}"`.
//!
//! Inside a request (`http`, `tcp`, `exec` of a load or probe, and its `ok.contains`) `${seq}`, `${run}` and `${env:NAME}` stay as they are,
//! and so does `$${`: they are filled in when a request is built. So does `${env:NAME}` in the commands of the fault `exec`, and as the `token` of an alert
//! source. Everywhere else `$${` is a plain `${`.

use super::{
    diagnostics::{Diagnostic, nearest},
    leaf,
    tree::{Node, ScalarKind, Value},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where names are looked up.
pub struct Sources<'a> {
    /// `--set name=value`.
    pub set: &'a BTreeMap<String, String>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// What was expanded.
#[derive(Debug, Default)]
pub struct Expanded {
    /// Variables that are used, with their values.
    pub used: BTreeMap<String, String>,
    /// Environment variables used as secrets.
    pub secrets: BTreeSet<String>,
    /// What could not be.
    pub errors: Vec<Diagnostic>,
}

/// Expands every single value of a scenario in place.
pub fn expand(root: &mut Node, sources: &Sources<'_>) -> Expanded {
    let mut expander = Expander { sources, vars: BTreeMap::new(), done: Expanded::default() };
    let Value::Map(entries) = &mut root.value else { return expander.done };
    let own = entries.iter_mut().filter(|entry| entry.key == "vars");
    for entry in own {
        expander.define(&mut entry.node);
    }
    for entry in entries.iter_mut().filter(|entry| entry.key != "vars") {
        let level = match entry.key.as_str() {
            "load" | "probes" => Level::Names,
            "detect" => Level::Detect,
            "faults" => Level::Faults,
            _ => Level::Plain,
        };
        expander.walk(&mut entry.node, level);
    }
    expander.done
}

/// How far it is to the text of a request, in which `${seq}` has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// No request here.
    Plain,
    /// A map of names.
    Names,
    /// One load or probe.
    Probe,
    /// Its good answer.
    Answer,
    /// What is expected of alerts.
    Detect,
    /// Who is asked for them.
    Source,
    /// Text that is sent, or looked for in the answer.
    Request,
    /// The timeline.
    Faults,
    /// The fault `exec`.
    Exec,
    /// Its commands.
    Command,
}

impl Level {
    /// Whether `${env:NAME}` is filled in later.
    fn is_filled(self) -> bool {
        matches!(self, Level::Request | Level::Command)
    }

    fn behind(self, key: &str) -> Level {
        match (self, key) {
            (Level::Names, _) => Level::Probe,
            (Level::Probe, "http" | "tcp" | "exec") => Level::Request,
            (Level::Probe, "ok") => Level::Answer,
            (Level::Detect, "prometheus" | "alertmanager") => Level::Source,
            (Level::Source, "token") => Level::Request,
            (Level::Answer, "contains") | (Level::Request, _) => Level::Request,
            (Level::Faults, "exec") => Level::Exec,
            (Level::Exec, "command" | "undo") => Level::Command,
            _ => Level::Plain,
        }
    }
}

struct Expander<'a> {
    sources: &'a Sources<'a>,
    vars: BTreeMap<String, String>,
    done: Expanded,
}

/// What a `${...}` asks for.
enum Reference<'a> {
    /// `${NAME}`, `${NAME:-default}`.
    Variable { name: &'a str, default: Option<&'a str> },
    /// `${seq}`, `${run}`.
    PerRequest,
    /// `${env:NAME}`.
    Secret(&'a str),
}

impl Expander<'_> {
    /// The file's own variables; one may use those above it.
    fn define(&mut self, vars: &mut Node) {
        let Value::Map(entries) = &mut vars.value else { return };
        for entry in entries {
            self.walk(&mut entry.node, Level::Plain);
            if let Some(text) = entry.node.text() {
                self.vars.insert(entry.key.clone(), text.to_owned());
            }
        }
    }

    fn walk(&mut self, node: &mut Node, level: Level) {
        match &mut node.value {
            Value::Scalar(scalar) if scalar.kind == ScalarKind::Text && scalar.text.contains("${") => {
                let written = std::mem::take(&mut scalar.text);
                let errors = self.done.errors.len();
                let expanded = self.text(&written, node, level);
                if let Value::Scalar(scalar) = &mut node.value {
                    scalar.text = expanded;
                    scalar.broken = self.done.errors.len() > errors;
                }
            }
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| self.walk(item, level)),
            Value::Map(entries) => {
                entries.iter_mut().for_each(|entry| self.walk(&mut entry.node, level.behind(&entry.key)));
            }
        }
    }

    fn text(&mut self, written: &str, node: &Node, level: Level) -> String {
        let mut text = String::new();
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                text.push_str(&rest[..at - 1]);
                text.push_str(if level.is_filled() { "$${" } else { "${" });
                rest = &rest[at + 2..];
                continue;
            }
            text.push_str(&rest[..at]);
            let Some(length) = rest[at..].find('}') else {
                self.error(
                    node,
                    &rest[at..],
                    "`${` is not closed with `}`",
                    "write `${NAME}`; for a plain `${` write `$${`",
                );
                return text + &rest[at..];
            };
            let whole = &rest[at..=at + length];
            let value = self.value(whole, node, level);
            text.push_str(&value);
            rest = &rest[at + length + 1..];
        }
        text + rest
    }

    /// What stands for one `${...}`; itself, if it cannot be expanded.
    fn value(&mut self, whole: &str, node: &Node, level: Level) -> String {
        let inside = &whole[2..whole.len() - 1];
        match reference(inside) {
            Err(message) => {
                self.error(
                    node,
                    whole,
                    &message,
                    "write `${NAME}` or `${NAME:-default}`; for a plain `${` write `$${`",
                );
                whole.to_owned()
            }
            Ok(Reference::Variable { name, default }) => {
                let Some(value) = self.look_up(name, node, whole).or_else(|| default.map(str::to_owned)) else {
                    return whole.to_owned();
                };
                self.done.used.insert(name.to_owned(), value.clone());
                // What a value holds is text, even if it looks like a secret's name.
                if level.is_filled() { value.replace("${", "$${") } else { value }
            }
            Ok(Reference::PerRequest) if level == Level::Request => whole.to_owned(),
            Ok(Reference::Secret(name)) if level.is_filled() => {
                self.done.secrets.insert(name.to_owned());
                if (self.sources.env)(name).is_none() {
                    self.error(
                        node,
                        whole,
                        &format!("the environment variable `{name}` is not set"),
                        &format!("set it before the run: `export {name}=...`"),
                    );
                }
                whole.to_owned()
            }
            Ok(reference) => {
                let secret = matches!(reference, Reference::Secret(_));
                let (place, also) = if secret { (" or a command", ", and in the fault `exec`") } else { ("", "") };
                self.error(
                    node,
                    whole,
                    &format!("`{whole}` has a value only inside a request{place}"),
                    &format!("it can be used in `http`, `tcp`, `exec` and `ok.contains` of `load` and `probes`{also}"),
                );
                whole.to_owned()
            }
        }
    }

    fn look_up(&mut self, name: &str, node: &Node, whole: &str) -> Option<String> {
        let known = self.sources.set.get(name).or_else(|| self.vars.get(name)).cloned();
        if known.is_some() {
            return known;
        }
        let found = (self.sources.env)(name);
        match &found {
            Some(_) if looks_secret(name) => self.error(
                node,
                whole,
                &format!("`{name}` looks like a secret, and would be written into the journal"),
                &format!("inside a request or a command write `${{env:{name}}}`: that reaches no journal, review or error text"),
            ),
            None if !whole.contains(":-") => self.unset(name, node, whole),
            _ => {}
        }
        found
    }

    fn unset(&mut self, name: &str, node: &Node, whole: &str) {
        let names: Vec<String> = self.sources.set.keys().chain(self.vars.keys()).cloned().collect();
        let help = match nearest(name, names.iter().map(String::as_str).chain(["seq", "run"])) {
            Some(meant) => format!("did you mean `${{{meant}}}`?"),
            None => format!(
                "set it with `--set {name}=...`, under `vars:`, or in the environment; or write `${{{name}:-default}}`"
            ),
        };
        self.error(node, whole, &format!("the variable `{name}` is not set"), &help);
    }

    /// The caret stands under the `${...}` itself where the source shows it as it is.
    fn error(&mut self, node: &Node, whole: &str, message: &str, help: &str) {
        let error = Diagnostic::new(node.place, node.span.clone(), message).help(help);
        self.done.errors.push(error.narrowed(whole));
    }
}

fn reference(inside: &str) -> Result<Reference<'_>, String> {
    if let Some(name) = inside.strip_prefix("env:") {
        return named(name).map(Reference::Secret);
    }
    if matches!(inside, "seq" | "run") {
        return Ok(Reference::PerRequest);
    }
    let (name, default) = match inside.split_once(":-") {
        Some((_, default)) if default.contains("${") => return Err("a default cannot hold another variable".into()),
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    Ok(Reference::Variable { name: named(name)?, default })
}

fn named(name: &str) -> Result<&str, String> {
    (leaf::VARIABLE.check)(name).map(|()| name)
}

fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "PRIVATE_KEY", "ACCESS_KEY"];
    parts.iter().any(|part| name.contains(part))
}
