//! A tree against the table of the language: unknown keys, missing ones, wrong kinds, wrong values; all of them.

use super::{
    Place,
    diagnostics::{Diagnostic, listed, nearest},
    form::{Choice, Form, Key, Leaf, Need, Shape},
    tree::{Entry, Node, Value},
};
use std::{collections::BTreeMap, ops::Range};

/// Examples longer than this help nobody in an error.
const SHORT: usize = 72;

/// A map has a few keys; looking for hints among more would make a hostile file dear.
const FEW: usize = 32;

/// Everything in which a tree differs from a shape.
pub fn check(root: &Node, shape: &'static Shape) -> Vec<Diagnostic> {
    let mut checker = Checker { errors: Vec::new(), within: Vec::new() };
    let owner = Owner { place: root.place, span: root.span.clone(), key: None, named: false, example: None };
    checker.map(root, shape, &owner);
    checker.errors
}

struct Checker {
    errors: Vec<Diagnostic>,
    /// The maps around the value being checked, outermost first.
    within: Vec<&'static Shape>,
}

/// What a value stands behind: a key, or a dash.
struct Owner<'a> {
    place: Place,
    span: Range<usize>,
    key: Option<&'a str>,
    /// The key is a name of the user's own.
    named: bool,
    /// How key and value may be written.
    example: Option<&'static str>,
}

impl<'a> Owner<'a> {
    fn of(entry: &'a Entry) -> Owner<'a> {
        Owner { place: entry.place, span: entry.span.clone(), key: Some(&entry.key), named: false, example: None }
    }

    fn item(node: &Node) -> Owner<'a> {
        Owner { place: node.place, span: node.span.clone(), key: None, named: false, example: None }
    }

    fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.place, self.span.clone(), message)
    }

    /// `the load `checkout``, `` `kill` ``, or `a scenario`.
    fn title(&self, shape: &Shape) -> String {
        let bare = shape.what.split_once(' ').map_or(shape.what, |(_, bare)| bare);
        match self.key {
            Some(key) if self.named => format!("the {bare} `{key}`"),
            Some(key) => format!("`{key}`"),
            None => shape.what.to_owned(),
        }
    }

    /// `` such as `rate: 200/s` ``, if there is a short example.
    fn such_as(&self) -> Option<String> {
        let (key, example) = self.key.zip(self.example.filter(|example| example.len() <= SHORT))?;
        Some(format!("`{key}: {example}`"))
    }
}

impl Checker {
    fn node(&mut self, node: &Node, form: Form, owner: &Owner<'_>) {
        match form {
            Form::Anything => {}
            _ if node.is_broken() => {}
            _ if node.is_null() => self.nothing(form, owner),
            Form::Leaf(leaf) => self.leaf(node, leaf, owner),
            Form::List(of, at_least) => self.list(node, *of, at_least, owner),
            Form::OneOrMore(of) => match &node.value {
                Value::List(_) => self.list(node, *of, 1, owner),
                _ => self.node(node, *of, owner),
            },
            Form::Map(shape) => self.map(node, shape, owner),
            Form::Names { what, name, of } => self.names(node, what, name, *of, owner),
            Form::Either(leaf, of) => match &node.value {
                Value::Scalar(_) => self.leaf(node, leaf, owner),
                _ => self.node(node, *of, owner),
            },
        }
    }

    fn nothing(&mut self, form: Form, owner: &Owner<'_>) {
        let error = owner.error(format!("nothing stands behind `{}:`", owner.key.unwrap_or("-")));
        let write = owner.such_as().unwrap_or_else(|| described(form));
        self.errors.push(error.help(format!("write it, such as {write}, or remove the key")));
    }

    fn leaf(&mut self, node: &Node, leaf: &'static Leaf, owner: &Owner<'_>) {
        let Some(text) = node.text() else {
            let write = owner.such_as().unwrap_or_else(|| format!("`{}`", leaf.examples[0]));
            return self.wrong_kind(node, leaf.what, &format!("write it like {write}"), owner);
        };
        let Err(problem) = (leaf.check)(text) else { return };
        let (message, help) = problem.split_once('\n').unwrap_or((&problem, ""));
        let mut error = Diagnostic::new(node.place, node.span.clone(), message);
        if let (Some(key), false) = (owner.key, leaf.words.is_empty()) {
            error = error.help(format!("`{key}` may be {}", meanings(leaf.words)));
        }
        if let (true, Some(example)) = (text.is_empty(), owner.such_as()) {
            error = error.help(format!("write it, such as {example}"));
        }
        self.errors.push(if help.is_empty() { error } else { error.help(help) });
    }

    /// A single value is shown itself; a list or map is shown by its key.
    fn wrong_kind(&mut self, node: &Node, expected: &str, help: &str, owner: &Owner<'_>) {
        let behind = owner.key.map_or(String::new(), |key| format!(" behind `{key}`"));
        let message = format!("{expected} is expected{behind}, but this is {}", node.found());
        let scalar = matches!(node.value, Value::Scalar(_));
        let error = if scalar { Owner::item(node).error(message) } else { owner.error(message) };
        self.errors.push(error.help(help));
    }

    fn list(&mut self, node: &Node, of: Form, at_least: usize, owner: &Owner<'_>) {
        let Value::List(items) = &node.value else {
            return self.wrong_kind(node, "a list", &list_help(node, of, owner), owner);
        };
        if items.len() < at_least {
            let name = owner.key.unwrap_or("this list");
            let (is, needed) = match (items.len(), at_least) {
                (0, 1) => ("is empty".to_owned(), "one item is".to_owned()),
                (0, _) => ("is empty".to_owned(), format!("{at_least} items are")),
                (some, _) => (format!("has {some} of {at_least} items"), format!("{at_least} items are")),
            };
            let error = owner.error(format!("`{name}` {is}"));
            let write = owner.such_as().unwrap_or_else(|| described(of));
            self.errors.push(error.help(format!("at least {needed} needed, such as {write}")));
        }
        for item in items {
            self.node(item, of, &Owner::item(item));
        }
    }

    fn names(&mut self, node: &Node, what: &str, name: &'static Leaf, of: Form, owner: &Owner<'_>) {
        let Value::Map(entries) = &node.value else {
            let help = format!("write the name of {what}, a colon, and what it is");
            return self.wrong_kind(node, "a map of names", &help, owner);
        };
        if entries.is_empty() {
            let key = owner.key.unwrap_or("this map");
            self.errors.push(owner.error(format!("`{key}` is empty")).help(format!("name {what}, or remove the key")));
        }
        self.duplicates(entries);
        for entry in entries {
            if let Err(message) = (name.check)(&entry.key) {
                self.errors.push(Owner::of(entry).error(message));
            }
            self.node(&entry.node, of, &Owner { named: true, ..Owner::of(entry) });
        }
    }

    fn map(&mut self, node: &Node, shape: &'static Shape, owner: &Owner<'_>) {
        let Value::Map(entries) = &node.value else {
            return self.not_a_map(node, shape, owner);
        };
        self.duplicates(entries);
        for entry in entries {
            match shape.form_of(&entry.key) {
                Some(form) => {
                    let known = shape.all_keys().find(|key| key.name == entry.key);
                    let example = known.map(|key| key.example);
                    self.within.push(shape);
                    self.node(&entry.node, form, &Owner { example, ..Owner::of(entry) });
                    self.within.pop();
                }
                None => self.errors.push(self.unknown(entry, entries, shape, owner)),
            }
        }
        for key in shape.keys.iter().filter(|key| key.need == Need::Required) {
            if !entries.iter().any(|entry| entry.key == key.name) {
                self.errors.push(missing(key, shape, owner));
            }
        }
        if let Some(choice) = &shape.choice {
            self.chosen(entries, shape, choice, owner);
        }
    }

    fn not_a_map(&mut self, node: &Node, shape: &'static Shape, owner: &Owner<'_>) {
        let help = match (owner.such_as(), owner.key) {
            (Some(example), _) => format!("write it like {example}; {}", its_keys(shape)),
            (None, Some(key)) => format!("write it as `{key}: {{ ... }}` with the keys {}", key_list(shape)),
            (None, None) if self.within.is_empty() => "it starts with its name, such as `scenario: cache-loss`".into(),
            (None, None) => its_keys(shape),
        };
        let expected = match owner.key {
            Some(key) if shape.what.trim_matches('`') == key => "a map in braces",
            _ => shape.what,
        };
        self.wrong_kind(node, expected, &help, owner);
    }

    fn chosen(&mut self, entries: &[Entry], shape: &Shape, choice: &Choice, owner: &Owner<'_>) {
        let known = |entry: &&Entry| {
            choice.keys.iter().any(|key| key.name == entry.key) || choice.later.contains(&entry.key.as_str())
        };
        let mut chosen = entries.iter().filter(known);
        match (chosen.next(), chosen.next()) {
            (Some(first), Some(second)) if first.key != second.key => {
                let message = format!("{} holds both `{}` and `{}`", shape.what, first.key, second.key);
                let error = Owner::of(second).error(message).related(first.span.clone(), "the first one");
                self.errors.push(error.help(format!("one {} each; give the second an entry of its own", choice.what)));
            }
            // An unknown key is probably the choice misspelt, and has been reported.
            (None, _) if entries.iter().all(|entry| shape.form_of(&entry.key).is_some()) => {
                let message = format!("{} lacks its kind", owner.title(shape));
                let words = listed(choice.keys.iter().map(|key| key.name)).replace(" and ", " or ");
                self.errors.push(owner.error(message).help(format!("add one of {words}")));
            }
            _ => {}
        }
    }

    fn duplicates(&mut self, entries: &[Entry]) {
        let mut seen: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in entries {
            if let Some(first) = seen.get(entry.key.as_str()) {
                let error = Owner::of(entry).error(format!("`{}` is here twice", entry.key));
                let error = error.related(first.span.clone(), "the first one");
                self.errors.push(error.help("remove or rename one of them"));
            } else {
                seen.insert(entry.key.as_str(), entry);
            }
        }
    }

    fn unknown(&self, entry: &Entry, siblings: &[Entry], shape: &Shape, owner: &Owner<'_>) -> Diagnostic {
        let key = entry.key.as_str();
        let error = Owner::of(entry).error(format!("{} has no key `{key}`", shape.what));
        if let Some(choice) = shape.choice.as_ref().filter(|choice| choice.later.contains(&key)) {
            let kind = choice.what.trim_start_matches("kind of ");
            let message = format!("the {kind} `{key}` is not available in this version");
            let known = listed(choice.keys.iter().map(|key| key.name));
            return Owner::of(entry).error(message).help(format!("this version has {known}"));
        }
        if key == "<<" {
            let error = Owner::of(entry).error("merge keys (`<<`) are not read");
            return error.help("write the keys out, so that the scenario can be read aloud");
        }
        let error = match self.hint(key, siblings, shape, owner) {
            Some(hint) => error.label(hint),
            None => error,
        };
        error.help(its_keys(shape))
    }

    /// Where an unknown key probably belongs, or what was meant by it.
    fn hint(&self, key: &str, siblings: &[Entry], shape: &Shape, owner: &Owner<'_>) -> Option<String> {
        let outer = self.within.last();
        if outer.is_some_and(|outer| outer.form_of(key).is_some()) {
            return Some(format!("belongs beside {}, one level up", owner.title(shape)));
        }
        let inside = |form: Option<Form>| matches!(form, Some(Form::Map(inner)) if inner.form_of(key).is_some());
        let there = siblings.iter().take(FEW).map(|entry| entry.key.as_str());
        let mut beside = there.chain(shape.keys.iter().map(|key| key.name));
        if let Some(inner) = beside.find(|name| inside(shape.form_of(name))) {
            return Some(format!("belongs inside `{inner}`"));
        }
        // A key of another phase.
        let elsewhere = outer.into_iter().flat_map(|outer| outer.keys);
        let has = |other: &&Key| matches!(other.form, Form::Names { of: Form::Map(s), .. } if s.form_of(key).is_some());
        if let Some(other) = elsewhere.into_iter().find(has) {
            return Some(format!("is for `{}`", other.name));
        }
        if key == "p100" && shape.pattern.is_some() {
            return Some("did you mean `max`?".into());
        }
        let later = shape.choice.as_ref().map_or(&[][..], |choice| choice.later);
        let known = shape.all_keys().map(|key| key.name).chain(later.iter().copied());
        nearest(key, known).map(|meant| format!("did you mean `{meant}`?"))
    }
}

fn missing(key: &Key, shape: &Shape, owner: &Owner<'_>) -> Diagnostic {
    let example =
        if key.example.len() <= SHORT { format!(", such as `{}: {}`", key.name, key.example) } else { String::new() };
    owner
        .error(format!("{} lacks `{}`", owner.title(shape), key.name))
        .help(format!("add `{}:`{example}", key.name))
        .help(as_advice(key.about))
}

/// A sentence of the table, in the style of advice.
fn as_advice(about: &str) -> String {
    let mut chars = about.trim_end_matches('.').chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

fn its_keys(shape: &Shape) -> String {
    match shape.all_keys().count() {
        1 => format!("its only key is {}", key_list(shape)),
        _ => format!("its keys are {}", key_list(shape)),
    }
}

fn key_list(shape: &Shape) -> String {
    let names = shape.all_keys().map(|key| key.name).chain(shape.pattern.iter().map(|pattern| pattern.name));
    listed(names)
}

fn list_help(node: &Node, of: Form, owner: &Owner<'_>) -> String {
    match (node.text(), of, owner.key) {
        (Some(text), Form::Leaf(_), Some(key)) if !text.is_empty() => {
            let words = text.split_whitespace().collect::<Vec<_>>().join(", ");
            format!("write `{key}: [{words}]`; for a shell: `[sh, -c, \"...\"]`")
        }
        (_, _, Some(key)) => format!("start each item with a dash: `{key}:`, then `  - ...`"),
        _ => format!("write it as `[one, two]`: {}", described(of)),
    }
}

fn described(form: Form) -> String {
    match form {
        Form::Leaf(leaf) => format!("`{}`", leaf.examples[0]),
        Form::List(of, _) | Form::OneOrMore(of) => described(*of),
        Form::Map(shape) => format!("{} with {}", shape.what, key_list(shape)),
        Form::Names { what, .. } => format!("the name of {what} and what it is"),
        Form::Either(leaf, _) => format!("`{}`", leaf.examples[0]),
        Form::Anything => "a value".into(),
    }
}

fn meanings(words: &[(&str, &str)]) -> String {
    words.iter().map(|(word, about)| format!("`{word}` ({about})")).collect::<Vec<_>>().join(", ")
}
