//! A three-way merge by section: what was generated last, what people made of it, and what is generated now. A section
//! that only one side changed is taken from there; within a section that both changed, line by line. Where both changed
//! the same lines, both stand in the text between markers. The front matter is merged by its keys, and has none.

use super::{
    front,
    sections::{FRONT, split},
};
use crate::review::fenced::Fenced;
use diffy::{ConflictStyle, IncompleteHunkStyle, MergeOptions};
use std::collections::BTreeMap;

/// A place where both sides changed the same lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The heading above it; empty before the first.
    pub section: String,
    /// The line of its first marker, from 1.
    pub line: usize,
}

const PEOPLE: &str = "<<<<<<< written by people";
const BEFORE: &str = "||||||| generated before";
const NOW: &str = ">>>>>>> generated now";

/// Brings people's text and the new draft together.
pub fn merge(before: &str, people: &str, now: &str) -> String {
    if people == before {
        return now.to_owned();
    }
    let (before, people, now) = (Keyed::of(before), Keyed::of(people), Keyed::of(now));
    let order = order(&people, &now);
    let text = |side: &Keyed<'_>, key: &str| side.by_key.get(key).map(|text| (*text).to_owned());
    let merged = order.iter().map(|key| {
        let (before, people, now) = (text(&before, key), text(&people, key), text(&now, key));
        match (people, now) {
            (Some(people), Some(now)) if key == FRONT => front::merge(&before.unwrap_or_default(), &people, &now),
            // Without it nobody can sign the review.
            (None, Some(now)) if key == FRONT => now,
            (people, now) => section(before, people, now),
        }
    });
    merged.collect()
}

/// The conflicts that stand in a text, new or left from before; a single line of the markers is enough.
pub fn conflicts(text: &str) -> Vec<Conflict> {
    let (sections, code) = (split(text), Fenced::of(text));
    let title = |line| sections.iter().rev().find(|section| section.line <= line).map_or("", |section| section.title);
    let (mut found, mut open, mut next) = (Vec::new(), false, 0);
    for (i, line) in text.lines().enumerate() {
        let at = next;
        next += line.len() + 1;
        let first = line.starts_with("<<<<<<< ");
        let last = line.starts_with(">>>>>>> ");
        // In code this line may be anything.
        let middle = line.starts_with("||||||| ") || line == "=======" && !code.holds(at);
        if first || (last || middle) && !open {
            found.push(Conflict { section: title(i + 1).to_owned(), line: i + 1 });
        }
        open = (open || first || middle) && !last;
    }
    found
}

struct Keyed<'a> {
    keys: Vec<String>,
    by_key: BTreeMap<String, &'a str>,
}

impl<'a> Keyed<'a> {
    fn of(text: &'a str) -> Keyed<'a> {
        let sections = split(text);
        Keyed {
            keys: sections.iter().map(|s| s.key.clone()).collect(),
            by_key: sections.into_iter().map(|s| (s.key, s.text)).collect(),
        }
    }
}

/// People's order; what only the new draft has stands behind what it follows there, and what neither has is gone.
fn order(people: &Keyed<'_>, now: &Keyed<'_>) -> Vec<String> {
    let mut order = people.keys.clone();
    let mut after = 0;
    for key in &now.keys {
        match order.iter().position(|known| known == key) {
            Some(at) => after = at + 1,
            None => {
                order.insert(after, key.clone());
                after += 1;
            }
        }
    }
    order
}

/// `None`: the section is not there.
fn section(before: Option<String>, people: Option<String>, now: Option<String>) -> String {
    if people == before || people == now {
        return now.unwrap_or_default();
    }
    if now == before {
        return people.unwrap_or_default();
    }
    let text = |side: Option<String>| side.map(|text| super::tidy(&text)).unwrap_or_default();
    lines(&text(before), &text(people), &text(now))
}

fn lines(before: &str, people: &str, now: &str) -> String {
    let mut options = MergeOptions::new();
    options.set_conflict_style(ConflictStyle::Diff3).set_incomplete_hunk_style(IncompleteHunkStyle::Git);
    match options.merge(before, people, now) {
        Ok(merged) => merged,
        Err(marked) => marked.split_inclusive('\n').map(named).collect(),
    }
}

/// A marker in words of ours.
fn named(line: &str) -> String {
    match line {
        "<<<<<<< ours\n" => format!("{PEOPLE}\n"),
        "||||||| original\n" => format!("{BEFORE}\n"),
        ">>>>>>> theirs\n" => format!("{NOW}\n"),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEFORE: &str = "---\nstatus: draft\nowner: \"a\"\n---\n\n# T\n\nSum 1.\n\n## Timeline\n\n| a |\n|---|\n| 1 |\n\n## Impact\n\nx\n";

    fn edit(from: &str, to: &str) -> String {
        assert!(BEFORE.contains(from), "{from}");
        BEFORE.replacen(from, to, 1)
    }

    #[test]
    fn what_people_wrote_stays_and_what_is_new_comes() {
        let people = edit("x\n", "x\n\nWe saw it on the dashboard.\n").replace("draft", "reviewed");
        let now = edit("| 1 |\n", "| 1 |\n| 2 |\n");
        let merged = merge(BEFORE, &people, &now);
        assert_eq!(merged, people.replace("| 1 |\n", "| 1 |\n| 2 |\n"));
        assert!(conflicts(&merged).is_empty());
        assert_eq!(merge(&now, &merged, &now), merged, "again, and nothing changes");
    }

    #[test]
    fn both_sides_of_the_same_line_stand_between_markers() {
        let merged = merge(BEFORE, &edit("Sum 1.", "Sum one."), &edit("Sum 1.", "Sum 2."));
        assert!(
            merged.contains("<<<<<<< written by people\nSum one.\n||||||| generated before\nSum 1.\n=======\nSum 2.\n>>>>>>> generated now\n"),
            "{merged}"
        );
        assert_eq!(conflicts(&merged), [Conflict { section: "T".into(), line: 8 }]);
    }

    #[test]
    fn sections_come_and_go() {
        let added = edit("## Impact", "## Our notes\n\nhere\n\n## Impact");
        assert_eq!(merge(BEFORE, &added, BEFORE), added, "one that people added");
        let more = edit("## Impact", "## Detection\n\nnone\n\n## Impact");
        assert_eq!(merge(BEFORE, &BEFORE.replace("x\n", "y\n"), &more), more.replace("x\n", "y\n"), "one that is new");
        let without = edit("## Impact\n\nx\n", "");
        assert_eq!(merge(BEFORE, &without, BEFORE), without, "one that people took out");
        let changed = merge(BEFORE, &without, &edit("x\n", "y\n"));
        assert_eq!(conflicts(&changed).len(), 1, "taken out, and changed since: {changed}");
        let dropped = merge(BEFORE, &edit("x\n", "x, and why\n"), &without);
        assert_eq!(conflicts(&dropped).len(), 1, "edited, and no longer generated: {dropped}");
    }

    fn markdown() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "# T\n",
            "## A\n",
            "## B (1)\n",
            "### A-1: x\n",
            "\n",
            "p\n",
            "q 2\n",
            "```\n",
            "---\n",
            "| a |\n",
        ]);
        prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn one_side_alone_is_taken_as_it_is(a in markdown(), b in markdown()) {
            prop_assert_eq!(merge(&a, &a, &b), b.clone());
            let kept = merge(&a, &b, &a);
            prop_assert_eq!(merge(&a, &kept, &a), kept.clone());
            prop_assert!(conflicts(&kept).is_empty());
        }

        #[test]
        fn nothing_that_people_wrote_is_lost(a in markdown(), b in markdown(), c in markdown()) {
            let merged = merge(&a, &b, &c);
            for line in b.lines().filter(|line| !a.contains(line) && !c.contains(line)) {
                prop_assert!(merged.contains(line), "{} is lost in {}", line, merged);
            }
        }
    }
}
