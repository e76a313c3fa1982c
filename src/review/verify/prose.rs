//! Numbers and verdicts in generated prose that somebody changed. Words are people's to change; numbers are measured.

use crate::review::people::{changes, front::THEIRS, split};

/// Words that are results as much as any number.
const RESULTS: [&str; 13] = [
    "HELD",
    "VIOLATED",
    "RECOVERED",
    "HALTED",
    "STOPPED",
    "UNDECIDED",
    "STARTED",
    "UNPROVEN",
    "met",
    "broken",
    "undecided",
    "proven",
    "unproven",
];

/// Lines of the edited text in which a generated number was changed, with what was generated.
pub fn edited(generated: &str, text: &str) -> Vec<(usize, String)> {
    let sections = split(text);
    let section_at = |line: usize| sections.iter().rev().find(|section| section.line <= line).map(|s| s.key.as_str());
    let mut found = Vec::new();
    for change in changes(generated, text) {
        if section_at(change.line).is_some_and(|key| key.starts_with("action items")) {
            continue;
        }
        let mut rest = change.new.clone();
        for ours in change.out.iter().filter(|line| !facts(line).is_empty() && !theirs(line)) {
            let Some(at) = likest(ours, &rest) else {
                // A conflict shows the generated line between its markers.
                continue;
            };
            let now = rest.remove(at);
            let line = change.line + change.new.iter().position(|line| *line == now).unwrap_or(0);
            found.extend(difference(ours, now).map(|says| (line, says)));
        }
    }
    found
}

fn theirs(line: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| THEIRS.contains(&key))
}

/// The line that is most like a generated one, if any is.
fn likest(ours: &str, lines: &[&str]) -> Option<usize> {
    let likeness = |line: &str| strsim::sorensen_dice(&words(ours), &words(line));
    let all = lines.iter().enumerate().map(|(i, line)| (likeness(line), i));
    all.filter(|(like, _)| *like >= 0.55).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, i)| i)
}

/// A line without its numbers.
fn words(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// What a generated line says in numbers that the edited one does not.
fn difference(ours: &str, now: &str) -> Option<String> {
    let mut left = facts(now);
    let gone: Vec<&str> = facts(ours)
        .into_iter()
        .filter(|fact| match left.iter().position(|other| other == fact) {
            Some(at) => {
                left.remove(at);
                false
            }
            None => true,
        })
        .collect();
    if gone.is_empty() {
        return None;
    }
    let instead =
        if left.is_empty() { "nothing in its place".to_owned() } else { format!("`{}` here", left.join("`, `")) };
    Some(format!("generated as `{}`, {instead}", gone.join("`, `")))
}

/// Numbers with what is attached to them, and results in words; evidence ids are neither.
fn facts(line: &str) -> Vec<&str> {
    let words = line.split(|c: char| c.is_whitespace() || "|()*`[];\"".contains(c));
    let trimmed = words.map(|word| word.trim_matches(|c: char| ",.:!?".contains(c)));
    let cited =
        |word: &str| word.strip_prefix('e').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    trimmed.filter(|w| w.contains(|c: char| c.is_ascii_digit()) && !cited(w) || RESULTS.contains(w)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "---\nstatus: draft\ndue: 2026-03-06\nverdict: \"HELD\"\ncode: 0\n---\n\n# T\n\nCheckout: 1 of 6,477 (0.015%) request failed; p99 went from 22.2ms to 209ms.\n\n| Time to recover | **1.33s** | met | e11 |\n\n## Action items\n\n### A-1: x\n- Due: 2026-04-01\n";

    fn edit(from: &str, to: &str) -> Vec<(usize, String)> {
        assert!(OURS.contains(from));
        edited(OURS, &OURS.replacen(from, to, 1))
    }

    #[test]
    fn a_changed_number_is_found_with_its_line() {
        assert_eq!(edit("209ms", "109ms"), [(10, "generated as `209ms`, `109ms` here".into())]);
        assert_eq!(edit("**1.33s**", "**0.33s**"), [(12, "generated as `1.33s`, `0.33s` here".into())]);
        assert_eq!(edit(" to 209ms", ""), [(10, "generated as `209ms`, nothing in its place".into())]);
        assert_eq!(edit("| met |", "| broken |"), [(12, "generated as `met`, `broken` here".into())]);
        assert_eq!(edit("\"HELD\"", "\"VIOLATED\""), [(4, "generated as `HELD`, `VIOLATED` here".into())]);
    }

    #[test]
    fn words_answers_and_what_is_theirs_may_change() {
        for (from, to) in [
            ("request failed", "request of a customer failed"),
            ("status: draft", "status: in-review"),
            ("2026-03-06", "2026-05-01"),
            ("2026-04-01", "2026-05-01"),
            ("| e11 |", "| e12 |"),
            ("# T\n", "# T\n\nWe counted 17 tickets.\n"),
        ] {
            assert_eq!(edit(from, to), [], "{from}");
        }
    }
}
