//! Reviews in another layout: ours for other habits, or a template of the user's own. A template sees what the default
//! one sees, can read no file, and comes to an end.

use super::{
    model::Review,
    template::{self, Format},
};
use minijinja::{Error, ErrorKind, value::Serde};

/// How much a template may do. A step costs one; so do 64 bytes of text, wherever the template makes them, and before
/// they are made: this bounds its memory as well as its time. A long review needs some ten thousand.
const FUEL: u64 = 2_000_000;
/// A template's text is not larger than this, bytes.
pub const MAX_TEMPLATE: u64 = 1 << 20;

/// The layouts that come with firedrill: name, name of the template, its text.
const LAYOUTS: [(&str, &str, &str); 3] = [
    ("google", "google.md", include_str!("templates/google.md")),
    ("short", "short.md", include_str!("templates/short.md")),
    ("confluence", "confluence.xml", include_str!("templates/confluence.xml")),
];

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}: {says}")]
pub struct TemplateError {
    /// The template's file.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub says: String,
}

/// A template and its name, which tells its format: `.md` is Markdown, `.html` and `.xml` are markup, all else is plain
/// text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    name: String,
    source: String,
}

impl Layout {
    /// One that comes with firedrill: `google`, `short`, `confluence`.
    pub fn named(name: &str) -> Option<Layout> {
        let (_, name, source) = LAYOUTS.into_iter().find(|(known, ..)| *known == name)?;
        Some(Layout { name: name.to_owned(), source: source.to_owned() })
    }

    /// One of the user's own.
    pub fn own(name: &str, source: String) -> Layout {
        Layout { name: name.to_owned(), source }
    }

    /// The names of those that come with firedrill.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LAYOUTS.into_iter().map(|(name, ..)| name)
    }

    /// Sets a review in it.
    ///
    /// # Errors
    /// What is wrong with the template, with its line.
    pub fn render(&self, review: &Review) -> Result<String, TemplateError> {
        let mut environment = template::environment();
        environment.set_fuel(Some(FUEL));
        let wrong = |error: Error| self.wrong(&error);
        let template = environment.template_from_named_str(&self.name, &self.source).map_err(wrong)?;
        template.render(Serde(review)).map_err(wrong)
    }

    fn wrong(&self, error: &Error) -> TemplateError {
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let says = match error.kind() {
            ErrorKind::OutOfFuel => {
                format!("the template takes more than {FUEL} steps, or makes too much text; does a loop not end?")
            }
            ErrorKind::TemplateNotFound => format!("{}{detail} (a template can read no files)", error.kind()),
            ErrorKind::UndefinedError => {
                format!("{}{detail} (`firedrill schema --review-context` lists what there is)", error.kind())
            }
            kind => format!("{kind}{detail}"),
        };
        let name = error.name().unwrap_or(&self.name).to_owned();
        TemplateError { name, line: error.line().unwrap_or(1), says }
    }
}

/// The JSON Schema of what a template sees.
pub fn context_schema() -> String {
    let mut schema = schemars::schema_for!(Review);
    schema.insert("title".into(), "What a template of a review sees".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

/// The format that a template's name tells.
pub(super) fn format_of(name: &str) -> Format {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "md" | "markdown" => Format::Markdown,
        "html" | "htm" | "xhtml" | "xml" => Format::Markup,
        _ => Format::Plain,
    }
}
