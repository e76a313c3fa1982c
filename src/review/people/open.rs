//! What waits for a person: questions without an answer, action items without a decision, conflicts that nobody has
//! resolved, words that the linter objects to.

use super::{BASE, merge::Conflict, sections::split, standing::Status, witness};
use crate::{
    journal::RunFolder,
    review::{
        Composed,
        action::{self, ActionItem, State, Verify},
        lint::{self, Level},
        model::Prompt,
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
    (!is_placeholder(answer)).then(|| answer.to_owned())
}

/// Whether a text only keeps a place: nothing, `?`, `...`, `TODO: ask Ada`. That something does not apply is an answer.
fn is_placeholder(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_lowercase();
    ["", "todo", "tbd", "tba", "fixme"].contains(&first.as_str())
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
    /// Where it stands in `review.md`, from 1; `None` if it was taken out.
    pub line: Option<usize>,
}

/// All that waits.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Questions without an answer.
    pub prompts: Vec<OpenPrompt>,
    /// Pressing action items that nobody has accepted or declined, and those that were taken out.
    pub actions: Vec<OpenAction>,
    /// Conflicts and errors of language and of action items (a state without what it takes), with their lines.
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

/// What waits for a person in a review; `folder` is its run's.
pub fn waiting(composed: &Composed, folder: &RunFolder) -> Waiting {
    let [_, _, text, _] = &composed.texts;
    let (items, troubles) = action::read(text);
    let (drafted, _) = action::read(&composed.generated);
    let placed: Vec<(&ActionItem, usize)> = items.iter().zip(action::places(text)).collect();
    let pressing = |id: &str| composed.review.actions.iter().any(|action| action.item.id == id && action.visible);
    let undecided = placed.iter().filter(|(item, _)| item.state == State::Proposed && pressing(&item.id));
    let gone = drafted.iter().filter(|drafted| items.iter().all(|item| item.id != drafted.id));
    let told = |line, says| Told { line: Some(line), says };
    let conflicts = composed.conflicts.iter();
    let conflicts = conflicts.map(|Conflict { section, line }| told(*line, format!("a conflict under `{section}`")));
    let words = lint::lint(text, &lint::Options::default()).into_iter().filter(|found| found.level == Level::Error);
    let words =
        words.map(|found| told(found.line, format!("{}: `{}`: {}", found.rule, found.found.trim(), found.message)));
    let unread = troubles.iter().map(|trouble| told(trouble.line, format!("{}: {}", trouble.about, trouble.says)));
    let of_items = |what: &dyn Fn(&ActionItem) -> Option<String>| -> Vec<Told> {
        let says =
            |(item, line): &(&ActionItem, usize)| Some(told(*line, format!("action item {} {}", item.id, what(item)?)));
        placed.iter().filter_map(says).collect()
    };
    let by_drill = |item: &ActionItem| by_drill(item, &drafted);
    Waiting {
        prompts: prompts(text, &composed.review.prompts),
        actions: undecided
            .map(|(item, line)| open(item, Some(*line)))
            .chain(gone.map(|item| open(item, None)))
            .collect(),
        errors: conflicts
            .chain(words)
            .chain(unread)
            .chain(of_items(&|item| unsound(item, by_drill(item), folder)))
            .collect(),
        unfinished: of_items(&|item| unfinished(item, by_drill(item))),
    }
}

fn open(item: &ActionItem, line: Option<usize>) -> OpenAction {
    OpenAction { id: item.id.clone(), title: item.title.clone(), line }
}

/// Whether a drill verifies an item. Taking out the line that says so does not make it a person's.
fn by_drill(item: &ActionItem, drafted: &[ActionItem]) -> bool {
    let scenario = |item: &ActionItem| matches!(item.verify, Verify::Scenario { .. });
    let unsaid = item.verify == Verify::Person(String::new());
    scenario(item) || unsaid && drafted.iter().any(|drafted| drafted.id == item.id && scenario(drafted))
}

/// What a state lacks that anybody can write: declined takes a reason, and only a drill shows what a drill can.
fn unsound(item: &ActionItem, by_drill: bool, folder: &RunFolder) -> Option<String> {
    match item.state {
        State::Declined if item.reason.is_none() => Some("is declined without a reason; add `- Reason: ...`".into()),
        State::Accepted | State::InProgress | State::Done if !ends(item) => Some(
            "has no end state; add `- Done when: ...` with the number, the test or the drill that shows it done".into(),
        ),
        State::Verified if by_drill => {
            let wrong = witness::verified(item.by.as_deref(), &item.id, folder).err()?;
            Some(format!("is {}, but {wrong}; `firedrill followup {}` asks a drill", item.state_words(), item.id))
        }
        _ => None,
    }
}

/// Whether it says when it is done.
fn ends(item: &ActionItem) -> bool {
    !item.done_when.is_empty() || lint::has_end_state(&item.title)
}

/// Why an item keeps its review from being closed: only a drill closes what a drill can verify; the rest takes a name.
/// A proposal is no unfinished work: the pressing ones wait for a decision, the others are carried on.
fn unfinished(item: &ActionItem, by_drill: bool) -> Option<String> {
    let finished = match item.state {
        State::Proposed | State::Declined => true,
        State::Verified => by_drill || item.by.is_some(),
        State::Done => !by_drill && item.by.is_some(),
        State::Accepted | State::InProgress | State::Regressed => false,
    };
    let needs = match by_drill {
        true => "a drill has to verify it, or somebody declines it",
        false => "somebody has to say by name that it is done (`- State: done by NAME`), or declines it",
    };
    (!finished).then(|| format!("is {}; {needs}", item.state_words()))
}

impl Waiting {
    /// What stands in the way of a status: line, and what it is.
    pub fn obstacles(&self, to: Status) -> Vec<(Option<usize>, String)> {
        match to {
            Status::Draft | Status::InReview => vec![],
            Status::Reviewed => self.all(),
            Status::Closed => {
                let unfinished = self.unfinished.iter().map(|told| (told.line, told.says.clone()));
                self.all().into_iter().chain(unfinished).collect()
            }
        }
    }

    /// Questions, then decisions, then errors.
    pub fn all(&self) -> Vec<(Option<usize>, String)> {
        let prompts = self.prompts.iter().map(|prompt| match prompt.line {
            Some(_) => (prompt.line, format!("{} is unanswered: {}", prompt.about, prompt.question)),
            None => (None, format!("{} was taken out and is unanswered: {}", prompt.about, prompt.question)),
        });
        let actions = self.actions.iter().map(|OpenAction { id, title, line }| match line {
            Some(_) => (*line, format!("action item {id} is proposed; accept or decline it: {title}")),
            None => (
                None,
                format!("action item {id} was taken out; decline it with a reason instead ({BASE} has it): {title}"),
            ),
        });
        let errors = self.errors.iter().map(|told| (told.line, told.says.clone()));
        prompts.chain(actions).chain(errors).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = "# T\n\n## Decide (2 questions, 3 min)\n\n### Detection\n\nWhat did you see?\n\nAnswer:\n\n### Margin\n\nWhat room?\n\nAnswer: 20 %,\nas agreed.\n\n## Figures\n\nAnswer: none\n";

    #[test]
    fn answers_are_found_below_their_question() {
        assert_eq!(answer(REVIEW, "Detection"), None);
        assert_eq!(answer(REVIEW, "Margin").as_deref(), Some("20 %,\nas agreed."));
        let said = |words: &str| answer(&REVIEW.replace("20 %,\nas agreed.", words), "Margin");
        for none in ["TODO", "*tbd*", "?", "...", "-", "–", "TBD: ask Ada", "\n\n- [ ] todo"] {
            assert_eq!(said(none), None, "{none}");
        }
        for some in ["n/a", "None.", "0", "Todos were open"] {
            assert_eq!(said(some).as_deref(), Some(some));
        }
        let ask = |about, text: &str| Prompt { about, text: text.into(), minutes: 1, evidence: vec![], answer: None };
        let asked =
            [ask("Detection", "What did you see?"), ask("Margin", "What room?"), ask("History", "What changed?")];
        let open: Vec<_> = prompts(REVIEW, &asked).into_iter().map(|p| (p.about, p.line)).collect();
        assert_eq!(open, [("Detection".to_owned(), Some(5)), ("History".to_owned(), None)]);
    }
}
