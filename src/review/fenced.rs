//! Where a Markdown text is fenced code, as CommonMark has it: what stands there is neither heading nor action item.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use std::ops::Range;

/// The fenced code of a text.
pub struct Fenced {
    blocks: Vec<Range<usize>>,
    /// The line, from 1, of a fence that nothing closes: all that follows is code.
    pub open: Option<usize>,
}

impl Fenced {
    /// Finds it.
    pub fn of(markdown: &str) -> Fenced {
        let fenced = |(event, place): (Event<'_>, Range<usize>)| {
            matches!(event, Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_)))).then_some(place)
        };
        let parser = Parser::new_ext(markdown, Options::ENABLE_YAML_STYLE_METADATA_BLOCKS);
        let blocks: Vec<_> = parser.into_offset_iter().filter_map(fenced).collect();
        let last = blocks.last().filter(|last| markdown[last.end..].trim().is_empty());
        let open = last.filter(|last| !closed(&markdown[last.start..last.end]));
        let open = open.map(|open| 1 + markdown[..open.start].matches('\n').count());
        Fenced { blocks, open }
    }

    /// Whether the byte at a place is of such code.
    pub fn holds(&self, at: usize) -> bool {
        let before = self.blocks.partition_point(|block| block.start <= at);
        before.checked_sub(1).and_then(|last| self.blocks.get(last)).is_some_and(|block| at < block.end)
    }
}

/// Whether a block that reaches the end of its text ends in a fence: the same character, at least as many.
fn closed(block: &str) -> bool {
    let Some((first, rest)) = block.split_once('\n') else { return false };
    let character = if first.starts_with('~') { '~' } else { '`' };
    let opened = first.len() - first.trim_start_matches(character).len();
    let last = rest.trim_end().lines().last().unwrap_or_default().trim_start_matches(['>', ' ', '\t']);
    last.len() >= opened && last.chars().all(|c| c == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines, from 1, that are code, and the fence that stays open.
    fn code(text: &str) -> (Vec<usize>, Option<usize>) {
        let fenced = Fenced::of(text);
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let lines = starts.enumerate().filter(|(_, at)| fenced.holds(*at)).map(|(line, _)| line + 1);
        (lines.collect(), fenced.open)
    }

    #[test]
    fn only_the_same_character_as_often_and_nothing_behind_it_closes() {
        assert_eq!(code("a\n\n```\n~~~\n```\n# b\n"), (vec![3, 4, 5], None));
        assert_eq!(code("```\n```text\n```\n# b\n"), (vec![1, 2, 3], None));
        assert_eq!(code("````\n```\n# x\n````\r\n# b\n"), (vec![1, 2, 3, 4], None));
        assert_eq!(code("```\n    ```\n`````\n# b\n"), (vec![1, 2, 3], None));
        assert_eq!(code("---\na: 1\n---\n\n~~~ `x`\n# x\n~~~\n"), (vec![5, 6, 7], None));
        assert_eq!(code("``` a`b\n# no fence\n"), (vec![], None));
    }

    #[test]
    fn what_nothing_closes_is_told() {
        assert_eq!(code("a\n```\n# b\n"), (vec![2, 3], Some(2)));
        assert_eq!(code("a\n````\n# b\n```\n\n"), (vec![2, 3, 4, 5], Some(2)));
        assert_eq!(code("```"), (vec![1], Some(1)));
        assert_eq!(code("> ```\n> # x\n\n# b\n").1, None, "the end of what it stands in ends it");
        assert_eq!(code("- ```\n  # x\n  ```\n\n# b\n").1, None);
        assert_eq!(code("> ~~~\n> # x\n> ~~~\n").1, None);
    }
}
