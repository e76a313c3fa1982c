//! What waits for a person: questions without an answer, action items without a decision, conflicts that nobody has
//! resolved, words that the linter objects to.

use super::{
    merge::{self, Conflict},
    sections::split,
    standing::Status,
};
use crate::{
    analysis::Findings,
    review::{
        action::{self, ActionItem, State, Verify},
        lint::{self, Level},
        model::{Prompt, Review},
    },
};
use serde::Serialize;

/// The slot below a question; what follows it is the answer.
pub const ANSWER: &str = "Answer:";

/// A question that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenPrompt {
    /// `Detection`
    pub about: String,
    /// The question.
    pub question: String,
    /// Where it stands in `review.md`, from 1; `None` if it was taken out.
    pub line: Option<usize>,
}

/// The answer to a question, as people wrote it; `None` if there is none.
pub fn answer(review: &str, about: &str) -> Option<String> {
    let wanted = key(about);
    let sections = split(review);
    let section = sections.iter().find(|section| section.key == wanted)?;
    let text = section.text.split_once(&format!("\n{ANSWER}"))?.1;
    let answer = text.trim();
    (!answer.is_empty()).then(|| answer.to_owned())
}

fn key(about: &str) -> String {
    format!("decide / {}", about.to_lowercase())
}

/// The questions of a draft that have no answer in the text.
pub fn prompts(review: &str, asked: &[Prompt]) -> Vec<OpenPrompt> {
    let sections = split(review);
    let waiting = asked.iter().filter(|prompt| answer(review, prompt.about).is_none());
    let open = |prompt: &Prompt| OpenPrompt {
        about: prompt.about.to_owned(),
        question: prompt.text.clone(),
        line: sections.iter().find(|section| section.key == key(prompt.about)).map(|section| section.line),
    };
    waiting.map(open).collect()
}

/// An action item that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenAction {
    /// `A-3f9a1c2b`
    pub id: String,
    /// What is proposed.
    pub title: String,
    /// Where it stands in `review.md`, from 1.
    pub line: Option<usize>,
}

/// All that waits.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Questions without an answer.
    pub prompts: Vec<OpenPrompt>,
    /// Action items that nobody has accepted or declined.
    pub actions: Vec<OpenAction>,
    /// Conflicts and errors of language and of action items, with their lines.
    pub errors: Vec<Told>,
    /// Action items that are not finished, for closing.
    #[serde(skip)]
    unfinished: Vec<Told>,
}

/// A line of `review.md`, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// From 1.
    pub line: Option<usize>,
    /// What it is.
    pub says: String,
}

/// What waits for a person in the text of a review.
pub fn waiting(review: &str, findings: &Findings) -> Waiting {
    let (items, troubles) = action::read(review);
    let at = |item: &ActionItem| heading_of(review, &item.id);
    let undecided = items.iter().filter(|item| item.state == State::Proposed);
    let told = |line, says| Told { line: Some(line), says };
    let conflicts = merge::conflicts(review);
    let conflicts =
        conflicts.iter().map(|Conflict { section, line }| told(*line, format!("a conflict under `{section}`")));
    let words = lint::lint(review, &lint::Options::default()).into_iter().filter(|found| found.level == Level::Error);
    let words =
        words.map(|found| told(found.line, format!("{}: `{}`: {}", found.rule, found.found.trim(), found.message)));
    let unread = troubles.iter().map(|trouble| told(trouble.line, format!("{}: {}", trouble.item, trouble.says)));
    Waiting {
        prompts: prompts(review, &Review::of(findings).prompts),
        actions: undecided
            .map(|item| OpenAction { id: item.id.clone(), title: item.title.clone(), line: at(item) })
            .collect(),
        errors: conflicts.chain(words).chain(unread).collect(),
        unfinished: items.iter().filter_map(|item| Some(Told { line: at(item), says: unfinished(item)? })).collect(),
    }
}

fn heading_of(review: &str, id: &str) -> Option<usize> {
    review.lines().position(|line| line.starts_with('#') && line.contains(id)).map(|at| at + 1)
}

/// Why an item keeps its review from being closed: only a drill closes what a drill can verify; the rest takes a name.
fn unfinished(item: &ActionItem) -> Option<String> {
    let named = item.by.as_ref().is_some_and(|by| !by.trim().is_empty());
    let finished = match (item.state, &item.verify) {
        (State::Verified | State::Declined, _) => true,
        (State::Done, Verify::Person(_)) => named,
        _ => false,
    };
    let needs = match &item.verify {
        Verify::Scenario { .. } => "a drill has to verify it, or somebody declines it",
        Verify::Person(_) => "somebody has to say by name that it is done (`- State: done by NAME`), or declines it",
    };
    (!finished).then(|| format!("action item {} is {}; {needs}", item.id, item.state_words()))
}

impl Waiting {
    /// What stands in the way of a status: line, and what it is.
    pub fn obstacles(&self, to: Status) -> Vec<(Option<usize>, String)> {
        match to {
            Status::Draft | Status::InReview => vec![],
            Status::Reviewed => self.all(),
            Status::Closed => {
                let unfinished = self.unfinished.iter().map(|told| (told.line, told.says.clone()));
                let mut all: Vec<_> = self.all().into_iter().filter(|(line, _)| !self.undecided_at(*line)).collect();
                all.extend(unfinished);
                all
            }
        }
    }

    fn undecided_at(&self, line: Option<usize>) -> bool {
        line.is_some() && self.actions.iter().any(|action| action.line == line)
    }

    /// Questions, then decisions, then errors.
    pub fn all(&self) -> Vec<(Option<usize>, String)> {
        let prompts = self.prompts.iter().map(|prompt| match prompt.line {
            Some(_) => (prompt.line, format!("{} is unanswered: {}", prompt.about, prompt.question)),
            None => (None, format!("{} was taken out and is unanswered: {}", prompt.about, prompt.question)),
        });
        let actions = self.actions.iter().map(|action| {
            (action.line, format!("action item {} is proposed; accept or decline it: {}", action.id, action.title))
        });
        let errors = self.errors.iter().map(|told| (told.line, told.says.clone()));
        prompts.chain(actions).chain(errors).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = "# T\n\n## Decide (2, about 3 min)\n\n### Detection\n\nWhat did you see?\n\nAnswer:\n\n### Margin\n\nWhat room?\n\nAnswer: 20 %,\nas agreed.\n\n## Figures\n\nAnswer: none\n";

    #[test]
    fn answers_are_found_below_their_question() {
        assert_eq!(answer(REVIEW, "Detection"), None);
        assert_eq!(answer(REVIEW, "Margin").as_deref(), Some("20 %,\nas agreed."));
        let ask = |about, text: &str| Prompt { about, text: text.into(), minutes: 1, evidence: vec![], answer: None };
        let asked =
            [ask("Detection", "What did you see?"), ask("Margin", "What room?"), ask("History", "What changed?")];
        let open: Vec<_> = prompts(REVIEW, &asked).into_iter().map(|p| (p.about, p.line)).collect();
        assert_eq!(open, [("Detection".to_owned(), Some(5)), ("History".to_owned(), None)]);
    }
}
