//! Markdown as a reader of prose sees it: blocks of text with the section they stand in, each character with its
//! place in the file. Code, quoted text and front matter are not prose. Besides it, only
//! `people/render.rs` and `fenced.rs` name the Markdown parser.

use crate::review::people::{
    front::{entries, list, scalar},
    standing::UNASSIGNED,
};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// What part of a review a block stands in; told by its headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Before the first heading below the title, or under "Summary".
    Summary,
    /// "Timeline".
    Timeline,
    /// "What happened", "Impact", "Background", ...
    Told,
    /// "Contributing factors", "Root causes".
    Factors,
    /// "What went wrong", "What could be better".
    Wrong,
    /// "Action items".
    Actions,
    /// "Decide", "Open questions".
    Prompts,
    /// "Appendix".
    Appendix,
    /// Anything else.
    Other,
}

/// Which words in a heading tell its section; the first that fits counts.
const HEADINGS: [(&str, Section); 18] = [
    ("appendix", Section::Appendix),
    ("action", Section::Actions),
    ("decide", Section::Prompts),
    ("question", Section::Prompts),
    ("summary", Section::Summary),
    ("tl;dr", Section::Summary),
    ("timeline", Section::Timeline),
    ("factor", Section::Factors),
    ("cause", Section::Factors),
    ("trigger", Section::Told),
    ("wrong", Section::Wrong),
    ("could be better", Section::Wrong),
    ("poorly", Section::Wrong),
    ("what happened", Section::Told),
    ("impact", Section::Told),
    ("background", Section::Told),
    ("lead", Section::Told),
    ("restored", Section::Told),
];

impl Section {
    fn of(heading: &str) -> Option<Section> {
        let heading = heading.to_lowercase();
        HEADINGS.iter().find(|(word, _)| heading.contains(word)).map(|(_, section)| *section)
    }
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A heading.
    Heading,
    /// A paragraph.
    Paragraph,
    /// An item of a list.
    Item,
    /// A row of a table, its cells between bars.
    Row,
}

/// A piece of prose.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it stands.
    pub section: Section,
    /// What it is.
    pub kind: Kind,
    /// Its text without markup; a code span is one placeholder character.
    pub text: String,
    /// Whether a link or a footnote is in it.
    pub link: bool,
    /// Rules that are switched off here, by id.
    pub allowed: Vec<String>,
    /// Where parts of `text` begin in the file: (in `text`, in the file).
    places: Vec<(usize, usize)>,
}

/// Stands for a code span.
pub const CODE: char = '\u{fffc}';

impl Block {
    fn new(section: Section, kind: Kind) -> Block {
        Block { section, kind, text: String::new(), link: false, allowed: vec![], places: vec![] }
    }

    fn push(&mut self, text: &str, at: usize) {
        self.places.push((self.text.len(), at));
        self.text.push_str(text);
    }

    /// Where a byte of `text` stands in the file.
    pub fn place(&self, at: usize) -> usize {
        let part = self.places.partition_point(|(from, _)| *from <= at);
        self.places.get(part.wrapping_sub(1)).map_or(0, |(from, place)| place + (at - from))
    }
}

/// Rules that are switched off for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Their ids, as they were written.
    pub rules: Vec<String>,
    /// Whether a reason is given; without one nothing is switched off.
    pub reason: bool,
    /// Where in the file.
    pub place: Range<usize>,
}

/// A document taken apart.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// In order.
    pub blocks: Vec<Block>,
    /// In order.
    pub suppressions: Vec<Suppression>,
    /// `owner: ...` and `participants: [...]` of the front matter.
    pub people: Vec<String>,
    /// `verdict: ...` of the front matter.
    pub verdict: Option<String>,
    /// `status: ...` of the front matter.
    pub status: Option<String>,
}

/// Takes a Markdown text apart.
pub fn read(markdown: &str) -> Document {
    let mut reader = Reader::default();
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    for (event, place) in Parser::new_ext(markdown, options).into_offset_iter() {
        reader.take(event, &place);
    }
    reader.flush();
    reader.document
}

#[derive(Default)]
struct Reader {
    document: Document,
    block: Option<Block>,
    /// By level of heading, 1 to 6.
    sections: [Option<Section>; 6],
    /// How deep in what is not prose.
    skipped: u32,
    front: bool,
    /// Inside the head of a table.
    head: bool,
    /// The head of the table at hand has a link: it stands for all rows.
    linked: bool,
    /// Inside a footnote, which says where something is from.
    footnote: bool,
    /// Suppressions for the next block.
    allowed: Vec<String>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, place: &Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.front => self.front_matter(&text),
            _ if self.skipped > 0 => {}
            Event::Text(text) => self.push(&text, place.start),
            Event::Code(_) => self.push(CODE.encode_utf8(&mut [0; 4]), place.start),
            Event::SoftBreak | Event::HardBreak => self.push(" ", place.start),
            Event::FootnoteReference(_) => self.link(),
            Event::Html(html) | Event::InlineHtml(html) => self.comment(&html, place),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::Image { .. } => self.skipped += 1,
            Tag::MetadataBlock(_) => self.front = true,
            Tag::Heading { level, .. } => {
                self.sections[*level as usize - 1..].fill(None);
                self.begin(Kind::Heading);
            }
            Tag::Item => self.begin(Kind::Item),
            Tag::TableHead => {
                self.skipped += 1;
                (self.head, self.linked) = (true, false);
            }
            Tag::TableRow => {
                self.begin(Kind::Row);
                let linked = self.linked;
                self.block.iter_mut().for_each(|row| row.link = linked);
            }
            Tag::Link { .. } if self.head => self.linked = true,
            Tag::FootnoteDefinition(_) => self.footnote = true,
            Tag::Paragraph if self.block.is_none() => self.begin(Kind::Paragraph),
            Tag::Link { .. } => self.link(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock | TagEnd::BlockQuote(_) | TagEnd::Image | TagEnd::TableHead => {
                self.skipped = self.skipped.saturating_sub(1);
                self.head = false;
            }
            TagEnd::MetadataBlock(_) => self.front = false,
            TagEnd::FootnoteDefinition => {
                self.flush();
                self.footnote = false;
            }
            TagEnd::TableCell if self.skipped == 0 => {
                let end = self.block.as_ref().map_or(0, |block| block.place(block.text.len()));
                self.push(" | ", end);
            }
            TagEnd::Heading(level) => {
                let level = level as usize;
                let heading = self.block.as_ref().map(|block| block.text.clone()).unwrap_or_default();
                self.sections[level - 1..].fill(None);
                // What a deeper heading does not say, it inherits.
                self.sections[level - 1] = Section::of(&heading).or(match level {
                    1 => Some(Section::Summary),
                    2 => Some(Section::Other),
                    _ => None,
                });
                self.flush();
            }
            TagEnd::Paragraph if self.block.as_ref().is_some_and(|block| block.kind == Kind::Item) => {
                self.push(" ", self.block.as_ref().map_or(0, |block| block.place(block.text.len())));
            }
            TagEnd::Paragraph | TagEnd::Item | TagEnd::TableRow => self.flush(),
            _ => {}
        }
    }

    fn section(&self) -> Section {
        self.sections.iter().rev().find_map(|section| *section).unwrap_or(Section::Summary)
    }

    fn begin(&mut self, kind: Kind) {
        self.flush();
        let mut block = Block::new(self.section(), kind);
        block.allowed = std::mem::take(&mut self.allowed);
        block.link = self.footnote;
        self.block = Some(block);
    }

    fn push(&mut self, text: &str, at: usize) {
        if let Some(block) = &mut self.block {
            block.push(text, at);
        }
    }

    fn link(&mut self) {
        self.block.iter_mut().for_each(|block| block.link = true);
    }

    fn flush(&mut self) {
        if let Some(block) = self.block.take().filter(|block| !block.text.trim().is_empty()) {
            self.document.blocks.push(block);
        }
    }

    /// `<!-- firedrill-lint: allow RULE, RULE because REASON -->`: in a block, for that block; alone, for the next one.
    fn comment(&mut self, html: &str, place: &Range<usize>) {
        let Some((_, rest)) = html.split_once("firedrill-lint: allow ") else { return };
        let said = rest.split("-->").next().unwrap_or(rest);
        let (rules, reason) = said.split_once(" because ").unwrap_or((said, ""));
        let rules: Vec<String> = rules.split(',').map(|rule| rule.trim().to_owned()).collect();
        let reason = !reason.trim().is_empty();
        self.document.suppressions.push(Suppression { rules: rules.clone(), reason, place: place.clone() });
        if !reason {
            return;
        }
        match &mut self.block {
            Some(block) => block.allowed.extend(rules),
            None => self.allowed.extend(rules),
        }
    }

    fn front_matter(&mut self, text: &str) {
        let document = &mut self.document;
        for entry in entries(text) {
            let value = || Some(scalar(entry.value)).filter(|value| !value.is_empty());
            match entry.key {
                Some("owner") => document.people.extend(value().filter(|owner| owner != UNASSIGNED)),
                Some("participants") => document.people.extend(list(entry.value)),
                Some("verdict") => document.verdict = value(),
                Some("status") => document.status = value(),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_told_from_code_quotes_and_front_matter() {
        let text = "---\nowner: \"shop-team\"\nparticipants: [\"Ada\", Bob]\nverdict: \"HELD\"\n---\n# T\n\nOne `two`\nthree.\n\n> said\n\n```\ncode\n```\n\n## Action items\n\n- do **it**\n\n| a | b |\n|---|---|\n| x | y |\n";
        let document = read(text);
        let blocks: Vec<_> = document.blocks.iter().map(|b| (b.section, b.kind, b.text.as_str())).collect();
        assert_eq!(
            blocks,
            [
                (Section::Summary, Kind::Heading, "T"),
                (Section::Summary, Kind::Paragraph, "One \u{fffc} three."),
                (Section::Summary, Kind::Heading, "Action items"),
                (Section::Actions, Kind::Item, "do it"),
                (Section::Actions, Kind::Row, "x | y | "),
            ]
        );
        assert_eq!(document.people, ["shop-team", "Ada", "Bob"]);
        assert_eq!(document.verdict.as_deref(), Some("HELD"));
        let item = &document.blocks[3];
        assert_eq!(&text[item.place(3)..item.place(3) + 2], "it");
    }

    #[test]
    fn a_rule_is_switched_off_for_one_block_and_only_with_a_reason() {
        let text = "<!-- firedrill-lint: allow animated because the alert is named so -->\nOne!\n\nTwo! <!-- firedrill-lint: allow animated -->\n";
        let document = read(text);
        assert_eq!(document.blocks.iter().map(|b| b.allowed.len()).sum::<usize>(), 1);
        assert_eq!(document.suppressions.iter().map(|s| s.reason).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_is_below_a_heading_belongs_to_it() {
        let text = "# T\n## Timeline\n### 14:00\nx\n## Notes\ny\n### Why did it happen?\nz\n";
        let sections: Vec<_> =
            read(text).blocks.iter().filter(|b| b.kind == Kind::Paragraph).map(|b| b.section).collect();
        assert_eq!(sections, [Section::Timeline, Section::Other, Section::Other]);
    }
}
