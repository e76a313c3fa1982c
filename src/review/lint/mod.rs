//! Blameless language as a linter: on our own drafts and on any review in Markdown.
//!
//! `prose` takes a text apart, `rules` says what is looked for, `report` prints findings for people, for machines and for
//! code scanning, and `vale` writes the same rules as a style for the prose linter Vale.

mod prose;
pub mod report;
mod rules;
pub mod vale;

use super::action;
use prose::{Block, Document, Suppression};
use regex::Regex;
pub use rules::has_end_state;
use rules::{Context, ROLES, RULES, Rule};
use serde::Serialize;
use std::{ops::Range, sync::LazyLock};

/// How grave a finding is; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Stands in the way of a signature.
    Error,
    /// Worth another look.
    Warning,
    /// A matter of taste.
    Suggestion,
}

impl Level {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Suggestion => "suggestion",
        }
    }
}

/// Something in a text that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: &'static str,
    /// How grave.
    pub level: Level,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In the text, in bytes.
    pub span: Range<usize>,
    /// The words that were found.
    pub found: String,
    /// What is the matter.
    pub message: &'static str,
    /// What to write instead.
    pub instead: &'static str,
}

/// What a linter may know besides the text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of people, besides those whom the text itself names as taking part.
    pub people: Vec<String>,
    /// Rules to switch on that are off by default, by id.
    pub on: Vec<String>,
    /// Whether the measured availability was zero at some time; `None` if nobody knows.
    pub outage: Option<bool>,
}

/// A rule with its patterns compiled, which takes longer than to read a text with them.
struct Compiled {
    rule: &'static Rule,
    words: Vec<Regex>,
    spares: Vec<Regex>,
}

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    let compile = |rule: &'static Rule| Compiled {
        rule,
        words: words(rule, &[]).iter().map(|word| rules::pattern(word)).collect(),
        spares: rule.spares.iter().map(|text| rules::pattern(text)).collect(),
    };
    RULES.iter().map(compile).collect()
});

/// Stands for a role or a participant.
const PERSON: &str = "${person}";
/// Stands for a participant.
const NAME: &str = "${name}";

/// The patterns of a rule among these people.
fn words(rule: &Rule, people: &[String]) -> Vec<String> {
    let names = people.iter().map(|name| regex::escape(name)).collect::<Vec<_>>().join("|");
    let person = if names.is_empty() { ROLES.to_owned() } else { format!("(?:{ROLES}|{names})") };
    let known = rule.words.iter().filter(|word| !names.is_empty() || !word.contains(NAME));
    known.map(|word| word.replace(PERSON, &person).replace(NAME, &format!("(?:{names})"))).collect()
}

/// The patterns of a rule in which the people of a text stand.
fn personal(rule: &Rule, people: &[String]) -> Vec<Regex> {
    let about_people = rule.words.iter().any(|word| word.contains(PERSON) || word.contains(NAME));
    let words = if people.is_empty() || !about_people { vec![] } else { words(rule, people) };
    words.iter().map(|word| rules::pattern(word)).collect()
}

/// A text, and where its lines start.
struct Text<'a> {
    markdown: &'a str,
    lines: Vec<usize>,
}

impl Text<'_> {
    fn of(markdown: &str) -> Text<'_> {
        let lines = std::iter::once(0).chain(markdown.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Text { markdown, lines }
    }
}

/// Everything that the rules find in a Markdown text, in its order.
pub fn lint(markdown: &str, options: &Options) -> Vec<Finding> {
    let (document, text) = (prose::read(markdown), Text::of(markdown));
    let people = people(&document, markdown, options);
    let context = Context { document: &document, cites: rules::cites_evidence(&document), outage: options.outage };
    let mut found: Vec<Finding> = COMPILED
        .iter()
        .filter(|compiled| !compiled.rule.off || options.on.iter().any(|id| id == compiled.rule.id))
        .filter(|compiled| !(compiled.rule.unless)(&context))
        .flat_map(|compiled| apply(compiled, &personal(compiled.rule, &people), &context, &text))
        .chain(document.suppressions.iter().filter_map(|suppression| mistaken(suppression, &text)))
        .collect();
    found.sort_by_key(|finding| (finding.span.start, finding.rule));
    found
}

/// Who took part, as far as anybody says: in the options, in the front matter, and by name in action items.
fn people(document: &Document, markdown: &str, options: &Options) -> Vec<String> {
    let mut people: Vec<String> = options.people.iter().chain(&document.people).cloned().collect();
    for item in action::read(markdown).0 {
        let by = item.by.filter(|_| item.state.by_person());
        people.extend(item.owner.into_iter().chain(by));
    }
    people.retain(|name| !name.trim().is_empty());
    people
}

/// What is wrong with a rule's name, if there is none of that name: which one may be meant, and which there are.
pub fn unknown(id: &str) -> Option<String> {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    if ids.contains(&id) {
        return None;
    }
    let near = ids.iter().map(|known| (strsim::osa_distance(id, known), known)).min();
    let meant = near.filter(|(slips, known)| *slips <= known.len().div_ceil(3));
    let meant = meant.map(|(_, known)| format!("did you mean `{known}`? ")).unwrap_or_default();
    Some(format!("there is no rule `{}`; {meant}there is: {}", super::escape::plain(id), ids.join(", ")))
}

fn apply(compiled: &Compiled, personal: &[Regex], context: &Context<'_>, text: &Text<'_>) -> Vec<Finding> {
    let Compiled { rule, words, spares } = compiled;
    let in_scope = context.document.blocks.iter().filter(|block| rule.scope.holds(block));
    let open = in_scope.filter(|block| !block.allowed.iter().any(|id| id == rule.id));
    let mut findings = Vec::new();
    for block in open {
        let words = if personal.is_empty() { words } else { personal };
        let said = words.iter().flat_map(|word| word.find_iter(&block.text)).map(|found| found.range());
        let places: Vec<Range<usize>> = said.chain((rule.code)(block, context)).collect();
        let spared: Vec<Range<usize>> = spares
            .iter()
            .flat_map(|spare| spare.find_iter(&block.text).map(|found| found.range()).collect::<Vec<_>>())
            .chain(if rule.spares_quotes { quoted(&block.text) } else { vec![] })
            .collect();
        let kept = places.into_iter().filter(|at| !spared.iter().any(|s| s.start <= at.start && at.end <= s.end));
        findings.extend(kept.map(|at| finding(rule, block, at, text)));
    }
    findings
}

/// Quoted speech: between straight or curly double quotes.
fn quoted(text: &str) -> Vec<Range<usize>> {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| rules::pattern("\"[^\"]*\"|“[^”]*”"));
    QUOTED.find_iter(text).map(|found| found.range()).collect()
}

/// What is the matter with a suppression.
fn mistaken(suppression: &Suppression, text: &Text<'_>) -> Option<Finding> {
    let id = match suppression.reason {
        false => "suppression-without-reason",
        true if suppression.rules.iter().any(|rule| unknown(rule).is_some()) => "suppression-of-nothing",
        true => return None,
    };
    let rule = RULES.iter().find(|rule| rule.id == id)?;
    Some(located(rule, suppression.place.clone(), text))
}

fn finding(rule: &'static Rule, block: &Block, at: Range<usize>, text: &Text<'_>) -> Finding {
    let trimmed = at.start + (block.text[at.clone()].len() - block.text[at.clone()].trim_start().len());
    let last = block.text[trimmed..at.end].chars().next_back().map_or(1, char::len_utf8);
    let end = block.place(at.end.saturating_sub(last)) + last;
    located(rule, block.place(trimmed)..end, text)
}

fn located(rule: &'static Rule, span: Range<usize>, text: &Text<'_>) -> Finding {
    let markdown = text.markdown;
    // A place inside an entity or between two characters belongs to the character before it.
    let floor = |mut at: usize| {
        at = at.min(markdown.len());
        while !markdown.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let span = floor(span.start)..floor(span.end).max(floor(span.start));
    let line = text.lines.partition_point(|start| *start <= span.start);
    let line_start = text.lines[line - 1];
    Finding {
        rule: rule.id,
        level: rule.level,
        line,
        column: markdown[line_start..span.start].chars().count() + 1,
        found: markdown[span.clone()].split_whitespace().collect::<Vec<_>>().join(" "),
        span,
        message: rule.says,
        instead: rule.instead,
    }
}

#[cfg(test)]
mod tests;
