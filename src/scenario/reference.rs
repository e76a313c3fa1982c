//! The reference of the language as Markdown, from the same table as the check and the schema.

use super::{
    form::{Form, Key, Leaf, Need, Pattern, Shape},
    language::SCENARIO,
};

const INTRO: &str = "\
# The scenario file: every key

Made from the program's own table of the language by `firedrill schema --reference`; do not edit.
`firedrill validate FILE` checks a file without Docker and shows all errors at once. Editors complete and
underline with a first line of `# yaml-language-server: $schema=schema.json`.
";

const VARIABLES: &str = "\
## Variables

| written | stands for |
|---|---|
| `${NAME}` | `--set NAME=value`, else the file's `vars:`, else the environment; unset is an error |
| `${NAME:-default}` | the same, or the default |
| `${seq}`, `${run}` | in `http`, `tcp`, `exec` and `ok.contains` of a load or probe: the number of the request, the id of the run |
| `${env:NAME}` | in the same places, in the commands of the fault `exec`, and as the `token` of an alert source: a secret from the environment, filled in when something is sent; it reaches no journal, review or error text. A secret that is written out is an error |
| `$${` | a plain `${` |

What was typed for this run wins, and what happens to be exported in a shell never overrides the file. A value
under `vars:` may itself use `--set` and the environment: `PORT: \"${PORT:-8080}\"` lets either set the port.
Variables are filled into single values after the file is read, so a value never becomes structure.
";

const LIMITS: &str = "\
## What is checked beyond the keys

- Targets and probes that are named exist; `except` does not run in a circle; no selector is empty.
- Two faults do not decide the same thing of one target at one time (`kill`, `stop`, `restart` and `pause` all
  decide whether it runs).
- A percentile has requests enough: N x (1 - q) of at least 10, with N = rate x length of the phase.
- `within` + `stable_for` fit into `timing.recovery`; `within` under `during` ends before the fault does.
- An alert's `within` ends before the drill does, and its `resolves_within` fits into `timing.recovery`.
- There is something to judge.
";

/// All of it, as Markdown.
pub fn reference() -> String {
    let mut writer = Writer::default();
    writer.shape(&SCENARIO);
    let mut text = String::from(INTRO);
    for shape in &writer.shapes {
        text.push_str(&section(shape));
    }
    text.push_str(&values(&writer.leaves));
    text.push('\n');
    text.push_str(VARIABLES);
    text.push('\n');
    text.push_str(LIMITS);
    text
}

/// What there is to describe, in the order in which it is met.
#[derive(Default)]
struct Writer {
    shapes: Vec<&'static Shape>,
    leaves: Vec<&'static Leaf>,
}

impl Writer {
    fn shape(&mut self, shape: &'static Shape) {
        if self.shapes.iter().any(|known| known.name == shape.name) {
            return;
        }
        self.shapes.push(shape);
        let pattern = shape.pattern.as_ref().map(|pattern| pattern.form);
        shape.all_keys().map(|key| key.form).chain(pattern).for_each(|form| self.form(form));
    }

    fn form(&mut self, form: Form) {
        match form {
            Form::Leaf(leaf) => self.leaf(leaf),
            Form::List(of, _) | Form::OneOrMore(of) => self.form(*of),
            Form::Map(shape) => self.shape(shape),
            Form::Names { of, .. } => self.form(*of),
            Form::Either(leaf, of) => {
                self.leaf(leaf);
                self.form(*of);
            }
            Form::Anything => {}
        }
    }

    fn leaf(&mut self, leaf: &'static Leaf) {
        if !self.leaves.iter().any(|known| known.name == leaf.name) {
            self.leaves.push(leaf);
        }
    }
}

fn section(shape: &Shape) -> String {
    let mut text = format!("\n## {}\n\n", shape.name);
    if !shape.about.is_empty() {
        text.push_str(shape.about);
        text.push_str("\n\n");
    }
    if let Some(choice) = &shape.choice {
        text.push_str(&format!("Exactly one {}:\n\n{}\n", choice.what, table(choice.keys, None)));
        if !choice.later.is_empty() {
            let later: Vec<String> = choice.later.iter().map(|name| format!("`{name}`")).collect();
            text.push_str(&format!("Named, and not available in this version: {}.\n\n", later.join(", ")));
        }
        text.push_str("Beside it:\n\n");
    }
    text.push_str(&table(shape.keys, shape.pattern.as_ref()));
    text
}

fn table(keys: &[Key], pattern: Option<&Pattern>) -> String {
    let mut text = String::from("| key | value | without it | meaning | example |\n|---|---|---|---|---|\n");
    for key in keys {
        let need = match key.need {
            Need::Required => "**required**".into(),
            Need::Optional => String::new(),
            Need::Default(default) if default.contains(' ') => default.to_owned(),
            Need::Default(default) => code(default),
        };
        text.push_str(&row(&[code(key.name), value(key.form), need, key.about.into(), code(key.example)]));
    }
    if let Some(p) = pattern {
        text.push_str(&row(&[code(p.name), value(p.form), String::new(), p.about.into(), code(p.example)]));
    }
    text
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

fn value(form: Form) -> String {
    let link = |name: &str| format!("[{name}](#{name})");
    match form {
        Form::Leaf(leaf) => link(leaf.name),
        Form::List(of, _) => format!("list of {}", value(*of)),
        Form::OneOrMore(of) => format!("{}, or a list", value(*of)),
        Form::Map(shape) => link(shape.name),
        Form::Names { of, .. } => format!("name: {}", value(*of)),
        Form::Either(leaf, of) => format!("{}, or {}", link(leaf.name), value(*of)),
        Form::Anything => "any YAML".into(),
    }
}

fn values(leaves: &[&'static Leaf]) -> String {
    let mut text =
        String::from("\n## Values\n\nEvery number carries its unit.\n\n| value | is | examples |\n|---|---|---|\n");
    for leaf in leaves {
        let words = leaf.words.iter().map(|(word, about)| format!("`{word}` {about}"));
        let words = words.collect::<Vec<_>>().join("; ");
        let about = if words.is_empty() { leaf.about.to_owned() } else { words };
        let examples: Vec<String> = leaf.examples.iter().map(|example| code(example)).collect();
        text.push_str(&row(&[format!("<a id=\"{0}\"></a>{0}", leaf.name), about, examples.join(", ")]));
    }
    text
}
