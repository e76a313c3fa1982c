//! The templates and how they escape. What a template prints is escaped for its format unless it came from a
//! filter that has done so; nothing in a value is ever read as a template.

use super::{escape, model::Review};
use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde,
};

/// What escapes what a template prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing in a value is Markdown, HTML or a template.
    Markdown,
    /// HTML and XML.
    Markup,
    /// Nothing in a value acts on a terminal.
    Plain,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Markup => "markup",
            Format::Plain => "plain",
        }
    }
}

const MARKDOWN: &str = "review.md";
const HTML: &str = "review.html";

/// The review as Markdown.
pub fn markdown(review: &Review) -> String {
    render(MARKDOWN, review)
}

/// The review as one self-contained HTML page.
pub fn html(review: &Review) -> String {
    render(HTML, review)
}

fn render(name: &str, review: &Review) -> String {
    let environment = environment();
    let template = environment.get_template(name).expect("templates are compiled in and tested");
    template.render(Serde(review)).expect("templates name only what a review has; tests render every branch")
}

/// Ours, with what every template may use: the filters `code`, `block` and `yaml`, and `css`.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build().expect("the usual delimiters"));
    environment.set_auto_escape_callback(|name| match super::custom::format_of(name) {
        Format::Markup => AutoEscape::Html,
        other => AutoEscape::Custom(other.name().into()),
    });
    environment.set_formatter(format_value);
    environment.add_filter("code", |text: &str| Value::from_safe_string(escape::code_span(text)));
    environment.add_filter("block", |text: &str| Value::from_safe_string(escape::code_line(text)));
    environment.add_filter("yaml", |text: &str| Value::from_safe_string(escape::yaml(text)));
    environment.add_global("css", Value::from_safe_string(include_str!("templates/review.css").into()));
    for (name, source) in
        [(MARKDOWN, include_str!("templates/review.md")), (HTML, include_str!("templates/review.html"))]
    {
        environment.add_template(name, source).expect("templates are compiled in and tested");
    }
    environment
}

fn format_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(minijinja::ErrorKind::UndefinedError));
    }
    if value.is_none() {
        return Ok(());
    }
    let text = value.to_string();
    let escaped = match state.auto_escape() {
        _ if value.is_safe() => text,
        AutoEscape::Custom(format) if format == Format::Markdown.name() => escape::markdown(&text),
        AutoEscape::Custom(format) if format == Format::Plain.name() => escape::lines(&text),
        _ => escape::markup(&text),
    };
    out.write_str(&escaped).map_err(Error::from)
}
