//! The YAML file as a tree, every key and value with its place. No YAML crate is named here.

use super::Place;
use std::ops::Range;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it starts.
    pub place: Place,
    /// Bytes of the source; for lists and maps only where they start.
    pub span: Range<usize>,
    /// What it is.
    pub value: Value,
}

/// What a node can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// In order.
    List(Vec<Node>),
    /// In the order of the file; keys may still be there twice.
    Map(Vec<Entry>),
}

/// A single value as it was written, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Its text; variables are expanded in it.
    pub text: String,
    /// What YAML takes it for.
    pub kind: ScalarKind,
    /// A variable in it could not be expanded, which has been reported: nothing more is said of it.
    pub broken: bool,
}

/// What YAML takes an unquoted value for. Only a JSON body and "nothing there" depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Anything else, and whatever is quoted.
    Text,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key starts.
    pub place: Place,
    /// Bytes of the key.
    pub span: Range<usize>,
    /// What it stands for.
    pub node: Node,
}

impl Node {
    /// The value under a key; the first one, if the key is there twice.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A key with its value; one without a value counts as absent.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key && !entry.node.is_null())
    }

    /// The entries of a map; nothing for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; a single value counts as a list of one, and nothing as an empty list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ if self.is_null() => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The text of a single value that is there.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) if scalar.kind != ScalarKind::Null && !scalar.broken => Some(&scalar.text),
            _ => None,
        }
    }

    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind == ScalarKind::Null)
    }

    /// Whether nothing more is to be said of it.
    pub fn is_broken(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.broken)
    }

    /// For people: what was found here.
    pub fn found(&self) -> &'static str {
        match &self.value {
            Value::Scalar(Scalar { kind: ScalarKind::Null, .. }) => "nothing",
            Value::Scalar(Scalar { kind: ScalarKind::Bool, .. }) => "true or false",
            Value::Scalar(Scalar { kind: ScalarKind::Number, .. }) => "a number",
            Value::Scalar(Scalar { kind: ScalarKind::Text, .. }) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// A node as the JSON value that YAML takes it for, keys in the order of the file.
pub fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar(scalar) => scalar_json(scalar),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json(&entry.node))).collect(),
    }
}

fn scalar_json(scalar: &Scalar) -> serde_json::Value {
    match scalar.kind {
        ScalarKind::Null => serde_json::Value::Null,
        ScalarKind::Bool => (scalar.text == "true").into(),
        // `+1`, `.5` and `0x1F` are no numbers in JSON: they stay as they are written.
        ScalarKind::Number => serde_json::from_str(&scalar.text).unwrap_or_else(|_| scalar.text.as_str().into()),
        ScalarKind::Text => scalar.text.as_str().into(),
    }
}
