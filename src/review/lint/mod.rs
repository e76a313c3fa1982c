//! Blameless language as a linter: on our own drafts and on any review in Markdown.
//!
//! `prose` takes a text apart, `rules` says what is looked for, `report` prints findings for people, for machines and for
//! code scanning, and `vale` writes the same rules as a style for the prose linter Vale.

mod prose;
pub mod report;
mod rules;
pub mod vale;

use prose::{Block, Document};
use regex::Regex;
use rules::{Context, Find, ROLES, RULES, Rule};
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
    /// Names of people, besides the `participants` of the front matter.
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
    let compile = |rule| Compiled {
        rule,
        words: words(rule).map(|word| rules::pattern(&word.replace(PERSON, ROLES))).collect(),
        spares: rule.spares.iter().map(|text| rules::pattern(text)).collect(),
    };
    RULES.iter().map(compile).collect()
});

/// Stands for a role or a participant.
const PERSON: &str = "${person}";

fn words(rule: &'static Rule) -> impl Iterator<Item = &'static str> {
    let words = match rule.find {
        Find::Words(words) => words,
        Find::Code(_) => &[],
    };
    words.iter().copied()
}

/// Everything that the rules find in a Markdown text, in its order.
pub fn lint(markdown: &str, options: &Options) -> Vec<Finding> {
    let document = prose::read(markdown);
    let people: Vec<String> =
        options.people.iter().chain(&document.participants).map(|name| regex::escape(name)).collect();
    let named = people.iter().map(|name| rules::pattern(&format!(r"\b{name}\b"))).collect();
    let context = Context { document: &document, people: named, outage: options.outage };
    let mut found: Vec<Finding> = COMPILED
        .iter()
        .filter(|compiled| !compiled.rule.off || options.on.iter().any(|id| id == compiled.rule.id))
        .flat_map(|compiled| apply(compiled, &personal(compiled.rule, &people), &context, markdown))
        .chain(without_reason(&document, markdown))
        .collect();
    found.sort_by_key(|finding| (finding.span.start, finding.rule));
    found
}

/// The patterns in which the people of a text stand, if it has any.
fn personal(rule: &'static Rule, people: &[String]) -> Vec<Regex> {
    let any = format!("(?:{})", people.join("|"));
    let named = words(rule).filter(|word| !people.is_empty() && word.contains(PERSON));
    named.map(|word| rules::pattern(&word.replace(PERSON, &any))).collect()
}

fn apply(compiled: &Compiled, personal: &[Regex], context: &Context<'_>, markdown: &str) -> Vec<Finding> {
    let Compiled { rule, words, spares } = compiled;
    let in_scope = context.document.blocks.iter().filter(|block| rule.scope.holds(block));
    let open = in_scope.filter(|block| !block.allowed.iter().any(|id| id == rule.id));
    let mut findings = Vec::new();
    for block in open {
        let places: Vec<Range<usize>> = match rule.find {
            Find::Words(_) => {
                words.iter().chain(personal).flat_map(|word| word.find_iter(&block.text)).map(|m| m.range()).collect()
            }
            Find::Code(find) => find(block, context),
        };
        let spared: Vec<Range<usize>> = spares
            .iter()
            .flat_map(|spare| spare.find_iter(&block.text).map(|found| found.range()).collect::<Vec<_>>())
            .chain(if rule.spares_quotes { quoted(&block.text) } else { vec![] })
            .collect();
        let kept = places.into_iter().filter(|at| !spared.iter().any(|s| s.start <= at.start && at.end <= s.end));
        findings.extend(kept.map(|at| finding(rule, block, at, markdown)));
    }
    findings
}

/// Quoted speech: between straight or curly double quotes.
fn quoted(text: &str) -> Vec<Range<usize>> {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| rules::pattern("\"[^\"]*\"|“[^”]*”"));
    QUOTED.find_iter(text).map(|found| found.range()).collect()
}

fn without_reason<'a>(document: &'a Document, markdown: &'a str) -> impl Iterator<Item = Finding> + 'a {
    let rule = RULES.iter().find(|rule| rule.id == "suppression-without-reason");
    let at = move |place: &prose::Unreasoned| rule.map(|rule| located(rule, place.0.clone(), markdown));
    document.unreasoned.iter().filter_map(at)
}

fn finding(rule: &'static Rule, block: &Block, at: Range<usize>, markdown: &str) -> Finding {
    let trimmed = at.start + (block.text[at.clone()].len() - block.text[at.clone()].trim_start().len());
    let last = block.text[trimmed..at.end].chars().next_back().map_or(1, char::len_utf8);
    let end = block.place(at.end.saturating_sub(last)) + last;
    located(rule, block.place(trimmed)..end, markdown)
}

fn located(rule: &'static Rule, span: Range<usize>, markdown: &str) -> Finding {
    // A place inside an entity or between two characters belongs to the character before it.
    let floor = |mut at: usize| {
        at = at.min(markdown.len());
        while !markdown.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let span = floor(span.start)..floor(span.end).max(floor(span.start));
    let before = &markdown[..span.start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Finding {
        rule: rule.id,
        level: rule.level,
        line: before.matches('\n').count() + 1,
        column: markdown[line_start..span.start].chars().count() + 1,
        found: markdown[span.clone()].split_whitespace().collect::<Vec<_>>().join(" "),
        span,
        message: rule.says,
        instead: rule.instead,
    }
}

#[cfg(test)]
mod tests;
