//! A secret that is written out stands in the repository, and would stand in the journal and the review.

use crate::{
    scenario::{
        diagnostics::Diagnostic,
        tree::{Node, Scalar, ScalarKind, Value},
    },
    secrets::{recognised, recognised_entry, recognised_words},
};
use std::ops::Range;

pub(super) fn check(root: &Node) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    walk(root, &mut errors);
    errors
}

fn walk(node: &Node, errors: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::Scalar(_) => errors.extend(text(node).and_then(|text| found(node, text, recognised(text.as_bytes())))),
        Value::List(items) => match items.iter().map(text).collect::<Option<Vec<&str>>>() {
            Some(words) => errors.extend(command(items, &words)),
            None => items.iter().for_each(|item| walk(item, errors)),
        },
        Value::Map(entries) => {
            for entry in entries {
                match text(&entry.node) {
                    Some(text) => errors.extend(found(&entry.node, text, recognised_entry(&entry.key, text))),
                    None => walk(&entry.node, errors),
                }
            }
        }
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(Scalar { text, kind: ScalarKind::Text, broken: false }) => Some(text),
        _ => None,
    }
}

/// The first secret among words.
fn command(items: &[Node], words: &[&str]) -> Option<Diagnostic> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let places = recognised_words(&words);
    let mut start = 0;
    items.iter().zip(&words).find_map(|(item, word)| {
        let (from, to) = (start, start + word.len());
        start = to + 1;
        let inside = places.iter().filter(|(_, at)| from <= at.start && at.start < to);
        let inside = inside.map(|(what, at)| (*what, at.start - from..at.end.min(to) - from));
        found(item, word, inside.collect())
    })
}

/// One error for a text, however many patterns recognise it.
fn found(node: &Node, text: &str, places: Vec<(&str, Range<usize>)>) -> Option<Diagnostic> {
    let (what, at) = places.into_iter().next()?;
    let message = format!("this looks like {what}, and would be written into the run folder");
    let error = Diagnostic::new(node.place, node.span.clone(), message)
        .help("keep it in the environment; in a request or a command, `${env:NAME}` stands for it and reaches no file");
    Some(error.narrowed(&text[at]).hidden())
}
