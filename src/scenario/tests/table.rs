//! Every key of the table is used by a good scenario and means something to the decoder; its examples are right.

use super::{good, understand};
use crate::scenario::{
    check::check,
    form::{Form, Key, Leaf, Need, Shape},
    language::SCENARIO,
    tree::{Entry, Node, Value},
    yaml,
};
use std::collections::{BTreeMap, BTreeSet};

/// Every shape and leaf that can be reached from the table.
#[derive(Default)]
pub(super) struct Reached {
    pub shapes: BTreeMap<&'static str, &'static Shape>,
    pub leaves: BTreeMap<&'static str, &'static Leaf>,
}

impl Reached {
    pub(super) fn all() -> Reached {
        let mut reached = Reached::default();
        reached.form(Form::Map(&SCENARIO));
        reached
    }

    fn form(&mut self, form: Form) {
        match form {
            Form::Leaf(leaf) => self.leaf(leaf),
            Form::List(of, _) | Form::OneOrMore(of) => self.form(*of),
            Form::Map(shape) => match self.shapes.insert(shape.name, shape) {
                Some(known) => assert!(std::ptr::eq(known, shape), "two shapes are called {}", shape.name),
                None => {
                    let pattern = shape.pattern.iter().map(|pattern| pattern.form);
                    shape.all_keys().map(|key| key.form).chain(pattern).for_each(|form| self.form(form));
                }
            },
            Form::Names { of, .. } => self.form(*of),
            Form::Either(leaf, of) => {
                self.leaf(leaf);
                self.form(*of);
            }
            Form::Anything => {}
        }
    }

    fn leaf(&mut self, leaf: &'static Leaf) {
        let known = self.leaves.insert(leaf.name, leaf);
        assert!(known.is_none_or(|known| std::ptr::eq(known, leaf)), "two leaves are called {}", leaf.name);
    }
}

/// Calls back for every entry of a tree whose key is one of the table's, with the way to it.
fn walk(node: &Node, form: Form, way: &mut Vec<usize>, found: &mut impl FnMut(&Shape, &Entry, &[usize])) {
    let (items, entries) = match &node.value {
        Value::List(items) => (items.as_slice(), &[][..]),
        Value::Map(entries) => (&[][..], entries.as_slice()),
        Value::Scalar(_) => return,
    };
    let mut deeper = |at: usize, node: &Node, form: Form, way: &mut Vec<usize>| {
        way.push(at);
        walk(node, form, way, found);
        way.pop();
    };
    match form {
        Form::List(of, _) | Form::OneOrMore(of) => {
            items.iter().enumerate().for_each(|(at, item)| deeper(at, item, *of, way));
        }
        Form::Names { of, .. } => {
            entries.iter().enumerate().for_each(|(at, entry)| deeper(at, &entry.node, *of, way));
        }
        Form::Either(_, of) => walk(node, *of, way, found),
        Form::Map(shape) => {
            for (at, entry) in entries.iter().enumerate() {
                way.push(at);
                found(shape, entry, way);
                walk(&entry.node, shape.form_of(&entry.key).expect("a good scenario"), way, found);
                way.pop();
            }
        }
        Form::Leaf(_) | Form::Anything => {}
    }
}

/// The tree without the entry at the end of the way.
fn without(mut root: Node, way: &[usize]) -> Node {
    let (last, to_it) = way.split_last().unwrap();
    let mut node = &mut root;
    for at in to_it {
        node = match &mut node.value {
            Value::List(items) => &mut items[*at],
            Value::Map(entries) => &mut entries[*at].node,
            Value::Scalar(_) => unreachable!("the way leads through maps and lists"),
        };
    }
    let Value::Map(entries) = &mut node.value else { unreachable!("the way ends in a map") };
    entries.remove(*last);
    root
}

#[test]
fn every_key_is_used_by_a_good_scenario() {
    let mut used = BTreeSet::new();
    for (_, text) in good() {
        let root = yaml::read(&text).unwrap();
        walk(&root, Form::Map(&SCENARIO), &mut Vec::new(), &mut |shape, entry, _| {
            used.insert((shape.name, entry.key.clone()));
        });
    }
    let reached = Reached::all();
    let all = reached.shapes.values().flat_map(|shape| shape.all_keys().map(|key| (shape.name, key.name.to_owned())));
    let unused: Vec<_> = all.filter(|key| !used.contains(key)).collect();
    assert!(unused.is_empty(), "in no good scenario: {unused:?}");
}

#[test]
fn every_key_of_the_table_means_something_to_the_decoder() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/good/every-key.yaml");
    let root = yaml::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    let whole = understand(root.clone()).unwrap();
    let mut silent = Vec::new();
    walk(&root, Form::Map(&SCENARIO), &mut Vec::new(), &mut |shape, entry, way| {
        if understand(without(root.clone(), way)).is_ok_and(|scenario| scenario == whole) {
            silent.push((shape.name.to_owned(), entry.key.clone()));
        }
    });
    assert!(silent.is_empty(), "can be left out without a difference: {silent:?}");
}

#[test]
fn the_examples_of_the_table_are_right() {
    let reached = Reached::all();
    for shape in reached.shapes.values() {
        for key in shape.all_keys() {
            accepts(shape, key, key.example);
            if let Need::Default(default) = key.need
                && !default.contains(' ')
            {
                accepts(shape, key, default);
            }
            assert!(key.about.ends_with('.'), "{}.{} is a sentence", shape.name, key.name);
        }
    }
    for leaf in reached.leaves.values() {
        for example in leaf.examples.iter().chain(leaf.words.iter().map(|(word, _)| word)) {
            assert_eq!((leaf.check)(example), Ok(()), "{}", leaf.name);
        }
    }
}

/// Whether a value is good behind a key; the rest of its map is left out.
fn accepts(shape: &'static Shape, key: &Key, example: &str) {
    let text = format!("{}: {example}", key.name);
    let node = yaml::read(&text).unwrap_or_else(|e| panic!("{}: {e:?}", key.name));
    let about_it = |message: &str| !message.contains(" lacks ");
    let wrong: Vec<_> = check(&node, shape).into_iter().filter(|error| about_it(&error.message)).collect();
    assert!(wrong.is_empty(), "{}: {wrong:?}", shape.name);
}
