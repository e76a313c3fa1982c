//! What in a review is people's: the lines that differ from what is generated.

use super::{
    render,
    sections::{FRONT, split},
};
use diffy::{DiffOptions, Line};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What people wrote in one section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Written {
    /// The heading that it stands under.
    pub section: String,
    /// Their Markdown, as they wrote it.
    pub markdown: String,
    /// The same as harmless HTML: no raw HTML, no scripts, no images, links only to http, https, mailto or relative.
    pub html: String,
    /// Generated lines that they took out or replaced.
    pub replaced: Vec<String>,
}

/// A stretch of lines in which two texts differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The first line of the stretch in the later text, from 1; where lines were only taken out, the line after them.
    pub line: usize,
    /// Lines of the earlier text that are not in the later.
    pub out: Vec<&'a str>,
    /// Lines of the later text that are not in the earlier.
    pub new: Vec<&'a str>,
}

/// Where two texts differ, line by line.
pub fn changes<'a>(earlier: &'a str, later: &'a str) -> Vec<Change<'a>> {
    let mut options = DiffOptions::new();
    options.set_context_len(0);
    let patch = options.create_patch(earlier, later);
    let (old, new): (Vec<&str>, Vec<&str>) = (earlier.lines().collect(), later.lines().collect());
    let stretch = |hunk: &diffy::Hunk<'_, str>| {
        let taken = |of: fn(&Line<'_, str>) -> bool| hunk.lines().iter().filter(|line| of(line)).count();
        let (out, inserted) =
            (taken(|line| matches!(line, Line::Delete(_))), taken(|line| matches!(line, Line::Insert(_))));
        // An empty range begins at the line before.
        let first = |range: diffy::HunkRange, some: usize| range.start().saturating_sub(usize::from(some > 0));
        let part = |lines: &[&'a str], from: usize, many: usize| lines.iter().skip(from).take(many).copied().collect();
        let (from_old, from_new) = (first(hunk.old_range(), out), first(hunk.new_range(), inserted));
        Change { line: from_new + 1, out: part(&old, from_old, out), new: part(&new, from_new, inserted) }
    };
    patch.hunks().iter().map(stretch).collect()
}

/// What people wrote, section by section, in the order of their text. The front matter is not prose and is left out.
pub fn written(generated: &str, review: &str) -> Vec<Written> {
    let ours = split(generated);
    let ours: BTreeMap<&str, &str> = ours.iter().map(|s| (s.key.as_str(), s.text)).collect();
    let mut all = Vec::new();
    for section in split(review).iter().filter(|section| section.key != FRONT) {
        let (markdown, replaced) = match ours.get(section.key.as_str()) {
            None => (body(section.text).to_owned(), vec![]),
            Some(same) if *same == section.text => continue,
            Some(ours) => theirs(ours, section.text),
        };
        if markdown.trim().is_empty() && replaced.is_empty() {
            continue;
        }
        let html = render::html(&markdown);
        all.push(Written { section: section.title.to_owned(), markdown, html, replaced });
    }
    let kept: BTreeSet<String> = split(review).into_iter().map(|section| section.key).collect();
    let gone = split(generated).into_iter().filter(|section| section.key != FRONT && !kept.contains(&section.key));
    all.extend(gone.filter(|section| !section.text.trim().is_empty()).map(|section| Written {
        section: section.title.to_owned(),
        markdown: String::new(),
        html: String::new(),
        replaced: vec!["the whole section".into()],
    }));
    all
}

/// A section without its heading, which is shown by itself.
fn body(text: &str) -> &str {
    if text.starts_with('#') {
        text.split_once('\n').map_or("", |(_, body)| body).trim_start_matches('\n')
    } else {
        text
    }
}

/// Their lines, stretches apart by an empty line, and ours that they took out.
fn theirs(ours: &str, section: &str) -> (String, Vec<String>) {
    let mut markdown = String::new();
    let mut replaced = Vec::new();
    for change in changes(ours, section) {
        let new = change.new.join("\n");
        if !new.trim().is_empty() {
            markdown.push_str(if markdown.is_empty() { "" } else { "\n" });
            markdown.push_str(&new);
            markdown.push('\n');
        }
        // A slot that was filled in is not replaced.
        let out = change.out.into_iter().filter(|line| !line.trim().is_empty() && line.trim() != super::open::ANSWER);
        replaced.extend(out.map(str::to_owned));
    }
    (markdown, replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "---\na: 1\n---\n\n# T\n\nSum 1.\n\n## Impact\n\nx 1\n\ny\n";

    #[test]
    fn only_what_people_wrote_is_theirs() {
        assert!(written(OURS, OURS).is_empty());
        let review = OURS.replace("x 1\n", "x 2\n").replace("a: 1", "a: 2") + "\n## Ours\n\nWe **saw** it.\n";
        let found = written(OURS, &review);
        let told: Vec<_> = found.iter().map(|w| (w.section.as_str(), w.markdown.as_str(), w.replaced.len())).collect();
        assert_eq!(told, [("Impact", "x 2\n", 1), ("Ours", "We **saw** it.\n", 0)]);
        let without = OURS.split("## Impact").next().unwrap();
        assert_eq!(written(OURS, without)[0].replaced, ["the whole section"]);
        assert_eq!(found[1].html, "<p>We <strong>saw</strong> it.</p>\n");
    }

    #[test]
    fn changes_have_the_line_of_the_later_text() {
        let at: Vec<_> = changes("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n").iter().map(|c| (c.line, c.new.len())).collect();
        assert_eq!(at, [(2, 1), (5, 1)]);
        assert_eq!(changes("a\nb\nc\n", "a\nc\n")[0].line, 2);
    }
}
