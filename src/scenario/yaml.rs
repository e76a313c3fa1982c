//! YAML text to a [`Node`] tree. The only file that names the YAML crate.
//!
//! The crate is told to pass duplicate keys through, so that the second one can be shown beside the first;
//! its budgets bound what a hostile file may cost before anything is decoded.

use super::{
    Place,
    diagnostics::{Diagnostic, boundary},
    tree::{Entry, Node, Scalar, ScalarKind, Value},
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{
    Budget, DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned,
    budget::BudgetBreach,
};
use std::{fmt, ops::Range};

/// How deep lists and maps may nest; a scenario needs eight levels.
const MAX_DEPTH: usize = 32;
/// How many values a file may hold, aliases written out.
const MAX_NODES: usize = 50_000;
/// How many values aliases may stand for in all.
const MAX_ALIASED: usize = 10_000;

/// Reads one YAML document. Errors: what the YAML reader says, in our words, with its place.
pub fn read(source: &str) -> Result<Node, Box<Diagnostic>> {
    let root: Spanned<Raw> =
        serde_yaml::from_str_with_options(source, options()).map_err(|e| Box::new(explain(&e, source)))?;
    node(root, source)
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.flow_nesting_limit = MAX_DEPTH;
    budget.max_nodes = MAX_NODES;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    options.alias_limits.max_total_replayed_events = MAX_ALIASED;
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options.non_finite_float_policy = NonFiniteFloatPolicy::AsString;
    options.with_snippet = false;
    options
}

/// A node as the crate hands it over.
enum Raw {
    Null,
    Bool(bool),
    /// With its text, should the source not show it.
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Raw, D::Error> {
        from.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = from.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn node(raw: Spanned<Raw>, source: &str) -> Result<Node, Box<Diagnostic>> {
    let (place, span) = (place(&raw.defined), span(&raw.defined, source));
    let scalar = |text: String, kind| Value::Scalar(Scalar { text, kind, broken: false });
    let value = match raw.value {
        Raw::Null => scalar(String::new(), ScalarKind::Null),
        Raw::Bool(value) => scalar(value.to_string(), ScalarKind::Bool),
        Raw::Number(text) => scalar(as_written(&source[span.clone()]).map_or(text, str::to_owned), ScalarKind::Number),
        Raw::Text(text) => scalar(text, ScalarKind::Text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, source)).collect::<Result<_, _>>()?),
        Raw::Map(entries) => {
            Value::Map(entries.into_iter().map(|(k, v)| entry(k, v, source)).collect::<Result<_, _>>()?)
        }
    };
    Ok(Node { place, span, value })
}

fn entry(key: Spanned<Raw>, value: Spanned<Raw>, source: &str) -> Result<Entry, Box<Diagnostic>> {
    let key = node(key, source)?;
    match key.value {
        Value::Scalar(Scalar { text, kind, .. }) if kind != ScalarKind::Null => {
            Ok(Entry { key: text, place: key.place, span: key.span, node: node(value, source)? })
        }
        _ => {
            let error = Diagnostic::new(key.place, key.span.clone(), format!("{} cannot be a key", key.found()));
            Err(Box::new(error.help("a key is a single word before a colon, such as `service:`")))
        }
    }
}

/// A number keeps the text it was written with (`1.10` is not `1.1` where a text is wanted).
fn as_written(source: &str) -> Option<&str> {
    let text = source.trim();
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
    plain.then_some(text)
}

fn place(location: &Location) -> Place {
    let number = |n: u64| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
    Place { line: number(location.line()), column: number(location.column()) }
}

/// The parser's own errors know lines and columns only; values know their bytes as well.
fn span(location: &Location, source: &str) -> Range<usize> {
    let known = location.span().byte_offset().zip(location.span().byte_len());
    let Some((offset, length)) = known else {
        let start = place(location).byte(source);
        return start..start;
    };
    let clamp = |n: u64| boundary(source, usize::try_from(n).unwrap_or(usize::MAX));
    clamp(offset)..clamp(offset.saturating_add(length))
}

fn explain(error: &Error, source: &str) -> Diagnostic {
    let at = error.location().unwrap_or(Location::UNKNOWN);
    let (message, help) = words(error);
    let place = if at == Location::UNKNOWN { Place { line: 1, column: 1 } } else { place(&at) };
    let diagnostic = Diagnostic::new(place, span(&at, source), message);
    if help.is_empty() { diagnostic } else { diagnostic.help(help) }
}

/// What went wrong, and what to do about it.
fn words(error: &Error) -> (String, String) {
    let say = |message: &str, help: &str| (message.to_owned(), help.to_owned());
    let unalias = "write the values out; a scenario hardly needs aliases";
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => words(error),
        Error::MultipleDocuments { .. } => say(
            "a second document starts here, but a file holds one scenario",
            "put it in a file of its own; `firedrill run` takes several files, or a folder",
        ),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("lists and maps are nested more than {MAX_DEPTH} deep"), "a scenario needs eight levels".into())
        }
        Error::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            (format!("the file holds more than {MAX_NODES} values"), "split it into several scenarios".into())
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            (format!("the aliases (`*name`) stand for more than {MAX_ALIASED} values"), unalias.into())
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            say("this alias stands for something that holds it", unalias)
        }
        Error::UnknownAnchor { .. } => say(
            "no anchor of this name comes before this alias",
            "an anchor is set with `&name`; quote a text that starts with `*`",
        ),
        Error::Eof { .. } => say("the file ends in the middle of a value", ""),
        Error::ExternalMessage { msg, .. } => syntax(msg),
        other => (format!("not valid YAML: {other}"), String::new()),
    }
}

/// The parser's words for the usual slips say little to somebody who writes YAML twice a year; these say what to do.
fn syntax(message: &str) -> (String, String) {
    let has = |part: &str| message.contains(part);
    let say = |message: &str, help: &str| (format!("not valid YAML: {message}"), help.to_owned());
    if has("recursion limit") || has("nesting") {
        (format!("lists and maps are nested more than {MAX_DEPTH} deep"), "a scenario needs eight levels".into())
    } else if has("tab") {
        say("a tab is not expected here", "indent with spaces")
    } else if has("mapping values are not allowed") {
        say(
            "a `:` is not expected here",
            "quote a text that holds `: `; if this is meant as a key, check its indentation",
        )
    } else if has("did not find expected key") {
        say("a key is expected here", "indent it like the keys beside it; quote a text that starts with a sign")
    } else if has("flow") && has("did not find expected") {
        say(
            "a comma or a closing `}` or `]` is expected before this",
            "a `{` or `[` above is not closed, or a comma is missing",
        )
    } else if has("unclosed quote") {
        say("this quote is not closed", "close it, or double it where it is part of the text")
    } else if has("unexpected character") {
        say(
            "a character that a file cannot hold as it is",
            "remove it, or write it as an escape in double quotes (`\\e`, `\\0`)",
        )
    } else {
        say(
            message.trim_end_matches('.'),
            "check the indentation, and quote texts that hold `: `, ` #`, `{` or start with a sign",
        )
    }
}
