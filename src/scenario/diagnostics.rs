//! What is wrong with a scenario: a list, all of it at once, each with file, line, column, excerpt and advice.

use super::Place;
use crate::secrets::{self, Mask};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use std::{fmt, ops::Range, path::PathBuf};

/// More errors than this are counted, not printed.
const SHOWN: usize = 40;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Where; `None` if the file as a whole is meant.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Bytes of the source.
    #[serde(skip)]
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// Beside the caret (`did you mean ...?`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What was expected and what to do, a sentence each.
    pub help: Vec<String>,
    /// Another place that has to do with it.
    #[serde(skip)]
    pub related: Option<(Range<usize>, String)>,
    /// The part of the span that is meant, where the source shows it as it is.
    #[serde(skip)]
    part: Option<String>,
    /// What it points at is not shown.
    #[serde(skip)]
    hidden: bool,
}

impl Diagnostic {
    /// An error at a place.
    pub fn new(place: Place, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { place: Some(place), span, ..Diagnostic::whole(message) }
    }

    /// An error of the file as a whole.
    pub fn whole(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            place: None,
            span: 0..0,
            message: message.into(),
            label: None,
            help: Vec::new(),
            related: None,
            part: None,
            hidden: false,
        }
    }

    /// Adds advice.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// Adds words beside the caret.
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        self.label = Some(text.into());
        self
    }

    /// Points at a second place as well.
    pub fn related(mut self, span: Range<usize>, text: impl Into<String>) -> Diagnostic {
        self.related = Some((span, text.into()));
        self
    }

    /// Points at a part of the span.
    pub fn narrowed(mut self, part: &str) -> Diagnostic {
        self.part = Some(part.to_owned());
        self
    }

    /// Keeps what it points at out of the excerpt.
    pub fn hidden(mut self) -> Diagnostic {
        self.hidden = true;
        self
    }

    /// Hides secrets in everything that it says.
    fn without_secrets(&mut self) {
        let mask = Mask::default();
        let said = self.help.iter_mut().chain([&mut self.message]).chain(&mut self.label);
        said.for_each(|text| *text = mask.text(text));
    }

    /// Moves the span to the part that is meant, and checks it against the source.
    fn settle(&mut self, source: &str) {
        let clamp = |n: usize| boundary(source, n);
        self.span = clamp(self.span.start)..clamp(self.span.end.max(self.span.start));
        let Some(part) = self.part.take() else { return };
        let Some(at) = source[self.span.clone()].find(&part) else { return };
        let start = self.span.start + at;
        self.span = start..start + part.len();
        self.place = Some(Place::of(source, start));
    }
}

/// All that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// The file, as it was named.
    pub path: PathBuf,
    /// Its text without secrets, for the excerpts; empty if it could not be read.
    pub source: String,
    /// In the order of the file.
    pub errors: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Puts errors into the order of the file, each once (an alias shows its anchor's errors again).
    pub fn new(path: PathBuf, source: String, mut errors: Vec<Diagnostic>) -> Diagnostics {
        errors.iter_mut().for_each(|error| error.settle(&source));
        errors.sort_by_key(|error| (error.place.map(|place| (place.line, place.column)), error.span.start));
        errors.dedup_by(|a, b| a.place == b.place && a.message == b.message);
        errors.iter_mut().for_each(Diagnostic::without_secrets);
        let source = without_secrets(source, &errors);
        Diagnostics { path, source, errors }
    }

    /// As people read it, with or without colours.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(120);
        let shown = self.errors.iter().take(SHOWN).map(|error| renderer.render(&[self.group(error)]));
        let mut text = shown.collect::<Vec<_>>().join("\n\n");
        if self.errors.len() > SHOWN {
            text.push_str(&format!("\n\n... and {} more", self.errors.len() - SHOWN));
        }
        text.push('\n');
        text
    }

    fn group<'a>(&'a self, error: &'a Diagnostic) -> Group<'a> {
        let path = self.path.to_string_lossy();
        let title = Level::ERROR.primary_title(printable(&error.message));
        let mut group = match error.place {
            Some(_) => title.element(self.excerpt(error).path(path)),
            None => title.element(Origin::path(path)),
        };
        for help in &error.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        group
    }

    fn excerpt<'a>(&'a self, error: &'a Diagnostic) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let first = error.related.as_ref().map_or(error.span.start, |(span, _)| span.start.min(error.span.start));
        let last = error.related.as_ref().map_or(error.span.end, |(span, _)| span.end.max(error.span.end));
        let (window, line, offset) = window(&self.source, first..last);
        let caret = caret(window, error.span.start - offset..error.span.end.max(error.span.start) - offset);
        let primary = AnnotationKind::Primary.span(caret).label(error.label.as_deref());
        let mut snippet = Snippet::source(window).line_start(line).annotation(primary);
        if let Some((span, label)) = &error.related {
            let span = caret_of(window, span, offset);
            snippet = snippet.annotation(AnnotationKind::Context.span(span).label(label.as_str()));
        }
        snippet
    }

    /// For machines: a list of `{line, column, message, label?, help}`.
    pub fn as_json(&self) -> serde_json::Value {
        serde_json::json!({ "file": self.path.to_string_lossy(), "valid": self.errors.is_empty(), "errors": self.errors })
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The same text with a `*` for every byte of a secret, so that all places stay.
fn without_secrets(source: String, errors: &[Diagnostic]) -> String {
    let meant = errors.iter().filter(|error| error.hidden).map(|error| error.span.clone());
    let places = secrets::recognised(source.as_bytes()).into_iter().map(|(_, at)| at).chain(meant);
    let mut text = source.clone();
    for place in places.filter(|at| !source[at.clone()].contains("${")) {
        let stars = source[place.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' });
        text.replace_range(place, &stars.collect::<String>());
    }
    text
}

/// The whole lines around a span, the number of the first one, and where it starts.
fn window(source: &str, span: Range<usize>) -> (&str, usize, usize) {
    let start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source[span.end..].find('\n').map_or(source.len(), |at| span.end + at);
    (&source[start..end], source[..start].matches('\n').count() + 1, start)
}

fn caret_of(window: &str, span: &Range<usize>, offset: usize) -> Range<usize> {
    caret(window, span.start - offset..span.end.max(span.start) - offset)
}

/// A caret is at least one character wide and stays on its line: a text over many lines is shown by its first.
fn caret(window: &str, span: Range<usize>) -> Range<usize> {
    let line_end = window[span.start..].find('\n').map_or(window.len(), |at| span.start + at);
    let end = span.end.clamp(span.start, line_end);
    let trimmed = span.start + window[span.start..end].trim_end().len();
    if trimmed > span.start {
        return span.start..trimmed;
    }
    let next = window[span.start..line_end].chars().next().map_or(0, char::len_utf8);
    span.start..span.start + next
}

/// The start of the character that a byte belongs to; the end for one that is past it.
pub fn boundary(source: &str, byte: usize) -> usize {
    (0..=byte.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap_or(0)
}

/// Text from a file may hold escape sequences; a terminal must not obey them.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The candidate that somebody who wrote `word` probably meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let far = (word.chars().count() / 3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
