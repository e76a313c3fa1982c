//! A review taken apart at its headings, so that two versions of it can be compared section by section.

use crate::review::fenced::Fenced;
use std::collections::BTreeMap;

/// The deepest heading that begins a section of its own.
const DEEPEST: usize = 3;

/// A heading and what stands below it, up to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// The same in every version of the text: headings from the outermost on, without their numbers.
    pub key: String,
    /// The heading as it stands; `front matter`, or empty for what comes before the first heading.
    pub title: &'a str,
    /// All of it, heading included.
    pub text: &'a str,
    /// Its first line, from 1.
    pub line: usize,
}

/// The key of the front matter.
pub const FRONT: &str = "front matter";

/// All sections, in order; together they are the text.
pub fn split(markdown: &str) -> Vec<Section<'_>> {
    let mut splitter = Splitter { sections: Vec::new(), path: Default::default(), met: BTreeMap::new() };
    let front = front_matter(markdown);
    if front > 0 {
        splitter.add(FRONT.to_owned(), FRONT, &markdown[..front], 1);
    }
    let mut open = Open { start: front, line: 1 + markdown[..front].matches('\n').count(), heading: None };
    let (mut at, mut number) = (open.start, open.line);
    let code = Fenced::of(markdown);
    for line in markdown[front..].split_inclusive('\n') {
        if let Some(heading) = heading(line).filter(|_| !code.holds(at)) {
            splitter.close(&open, &markdown[open.start..at]);
            open = Open { start: at, line: number, heading: Some(heading) };
        }
        at += line.len();
        number += 1;
    }
    splitter.close(&open, &markdown[open.start..]);
    splitter.sections
}

/// How long the front matter is, with its closing line; 0 if there is none.
fn front_matter(markdown: &str) -> usize {
    if !markdown.starts_with("---\n") {
        return 0;
    }
    markdown[4..].find("\n---\n").map_or(0, |end| 4 + end + "\n---\n".len())
}

/// Level and text of an ATX heading that begins a section.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.len() - line.trim_start_matches('#').len();
    let text = line[level..].strip_prefix(' ')?;
    (1..=DEEPEST).contains(&level).then(|| (level, text.trim()))
}

struct Open<'a> {
    start: usize,
    line: usize,
    heading: Option<(usize, &'a str)>,
}

struct Splitter<'a> {
    sections: Vec<Section<'a>>,
    /// Names of the headings above, by level.
    path: [String; DEEPEST],
    met: BTreeMap<String, u32>,
}

impl<'a> Splitter<'a> {
    fn close(&mut self, open: &Open<'a>, text: &'a str) {
        match open.heading {
            None if text.is_empty() => {}
            None => self.add(String::new(), "", text, open.line),
            Some((level, title)) => {
                self.path[level - 1] = if level == 1 { "title".into() } else { name(title) };
                self.path[level..].iter_mut().for_each(String::clear);
                let above = self.path[1..level].iter().filter(|part| !part.is_empty());
                let key = above.map(String::as_str).collect::<Vec<_>>().join(" / ");
                self.add(if level == 1 { "title".into() } else { key }, title, text, open.line);
            }
        }
    }

    fn add(&mut self, key: String, title: &'a str, text: &'a str, line: usize) {
        let times = self.met.entry(key.clone()).and_modify(|n| *n += 1).or_insert(1);
        let key = if *times == 1 { key } else { format!("{key} ({times})") };
        self.sections.push(Section { key, title, text, line });
    }
}

/// A heading without what changes from draft to draft: `Decide (2 questions, 3 min)`, `A-3f9a: Add an alert`.
fn name(title: &str) -> String {
    let before = title.split(" (").next().unwrap_or(title);
    let id = before.split_once(':').map(|(id, _)| id).filter(|id| id.starts_with("A-") && !id.contains(' '));
    id.unwrap_or(before).trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_begin_sections_and_code_does_not() {
        let text = "---\na: 1\n---\n\n# T\n\n## Decide (2 questions, 3 min)\n\n### Detection\nx\n\n```\n## no\n```\n#### deep\n## Action items\n### A-1f: Do it\n### A-1f: Again\n";
        let sections = split(text);
        let keys: Vec<_> = sections.iter().map(|s| (s.key.as_str(), s.line)).collect();
        assert_eq!(
            keys,
            [
                ("front matter", 1),
                ("", 4),
                ("title", 5),
                ("decide", 7),
                ("decide / detection", 9),
                ("action items", 16),
                ("action items / a-1f", 17),
                ("action items / a-1f (2)", 18)
            ]
        );
        assert_eq!(sections.iter().map(|s| s.text).collect::<String>(), text);
    }
}
