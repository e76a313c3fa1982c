//! What a command's drills came to: the last words on standard output, and one JUnit file.

use super::{Exit, Global, drill::Done, output};
use crate::{
    analysis::Findings,
    review::{self, junit, model::Review},
    scenario::Loaded,
};
use anyhow::Context;
use std::path::Path;

/// Stands for the word of a verdict that cannot be read.
const NO_REVIEW: &str = "NO REVIEW";

/// Says what became of each drill, and writes the JUnit file if one is wanted.
///
/// # Errors
/// If the JUnit file cannot be written.
pub fn tell(all: &[Loaded], done: &[Done], global: &Global, junit: Option<&Path>) -> anyhow::Result<()> {
    let reviewed: Vec<(&Findings, Review)> = done
        .iter()
        .filter_map(|done| done.findings.as_ref())
        .map(|findings| (findings, Review::of(findings)))
        .collect();
    if let Some(path) = junit {
        let text = junit::series(reviewed.iter().map(|(findings, review)| (*findings, review)));
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    for done in done {
        if let Some(trouble) = &done.trouble {
            output::warn(format_args!("{}: {trouble}", done.scenario));
        }
    }
    match (global.json, done) {
        (true, _) => json(done),
        (false, [one]) if all.len() == 1 => single(one, global),
        (false, _) => table(all, done),
    }
    Ok(())
}

fn json(done: &[Done]) {
    for findings in done.iter().filter_map(|done| done.findings.as_ref()) {
        output::say(review::texts(findings)[0].1.trim_end());
    }
}

/// One drill: the head of its review.
fn single(done: &Done, global: &Global) {
    let Some(findings) = &done.findings else { return };
    let review = Review::of(findings);
    let folder = done.folder.as_ref().filter(|_| done.trouble.is_none());
    // Without a review on disk there is nothing to sign: the terminal has the only copy of what was seen.
    let (word, why) = match &done.trouble {
        None => (review.banner.word.as_str(), &review.banner.why),
        Some(trouble) => (NO_REVIEW, trouble),
    };
    let shown = painted(word, done.exit, global.color.stdout());
    if global.quiet {
        output::say(format_args!(
            "{shown}: {why} {}",
            folder.map_or_else(String::new, |folder| folder.path().join("review.md").display().to_string())
        ));
        return;
    }
    let width = super::live::width_of(&std::io::stdout());
    output::say(format_args!("\n{shown}: {}", wrapped(why, width, word.len() + 2)));
    for sentence in &review.sentences {
        output::say(format_args!("  {}", wrapped(&sentence.text, width, 2)));
    }
    if let Some(folder) = folder {
        output::say(format_args!("\n{}", folder.path().join("review.html").display()));
        output::say(folder.path().join("review.md").display());
    }
}

/// A line a scenario, also for those that were not reached.
fn table(all: &[Loaded], done: &[Done]) {
    let width = all.iter().map(|loaded| loaded.scenario.name.len()).max().unwrap_or(0);
    let mut lines = vec![String::new()];
    for (number, loaded) in all.iter().enumerate() {
        let name = &loaded.scenario.name;
        let line = match done.get(number) {
            None => format!("{name:width$}    -  not reached"),
            Some(done) => {
                let readable = done.findings.as_ref().filter(|_| done.trouble.is_none());
                let word = readable.map_or_else(|| NO_REVIEW.into(), |findings| Review::of(findings).banner.word);
                let folder = done.folder.as_ref().map(|folder| folder.path().display().to_string());
                format!("{name:width$}  {:>3}  {word:18}  {}", done.exit as u8, folder.unwrap_or_default())
            }
        };
        lines.push(line);
    }
    output::say(lines.join("\n"));
}

/// Breaks a text between words, where it goes to a terminal; `indent` columns are taken on every line.
fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else { return text.to_owned() };
    let (mut out, mut column) = (String::new(), indent);
    for word in text.split(' ') {
        let long = word.chars().count();
        if column > indent && column + 1 + long > width {
            out.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += long;
    }
    out
}

fn painted(word: &str, exit: Exit, colour: bool) -> String {
    let code = match exit {
        Exit::Held => "1;32",
        Exit::Violated | Exit::CleanupUnproven => "1;31",
        _ => "1;33",
    };
    super::live::paint(colour, code, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_only_on_a_terminal() {
        assert_eq!(wrapped("one two three", Some(9), 2), "one two\n  three");
        assert_eq!(wrapped("one two three", None, 2), "one two three");
    }
}
