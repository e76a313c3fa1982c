//! People's Markdown as HTML that can do nothing: no raw HTML, no images, links only where they lead to a page, a
//! mailbox or a place beside the review.

use crate::review::escape;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// As harmless HTML.
pub fn html(markdown: &str) -> String {
    let text = escape::lines(markdown);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut links = Vec::new();
    let harmless = Parser::new_ext(&text, options).filter_map(|event| harmless(event, &mut links));
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, harmless);
    html
}

/// `links`: of each link that is open, whether it is kept.
fn harmless<'a>(event: Event<'a>, links: &mut Vec<bool>) -> Option<Event<'a>> {
    Some(match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Heading { level, .. }) => {
            Event::Start(Tag::Heading { level: below(level), id: None, classes: vec![], attrs: vec![] })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            links.push(safe(&dest_url));
            if !safe(&dest_url) {
                return None;
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::End(TagEnd::Link) => match links.pop() {
            Some(true) => Event::End(TagEnd::Link),
            _ => return None,
        },
        // The page asks nobody for anything, so that it shows no images either.
        Event::Start(Tag::Image { .. }) => Event::Text(CowStr::Borrowed("[image: ")),
        Event::End(TagEnd::Image) => Event::Text(CowStr::Borrowed("]")),
        other => other,
    })
}

/// The page has headings of its own down to the third level.
fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H4,
        HeadingLevel::H2 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// Whether a link leads to a page, a mailbox or a place beside the review.
fn safe(to: &str) -> bool {
    let to = to.trim();
    let lower = to.to_ascii_lowercase();
    if to.contains(['\\', '<', '>']) || to.contains(char::is_control) || to.starts_with("//") {
        return false;
    }
    let scheme = to.find([':', '/', '?', '#']).filter(|at| to[*at..].starts_with(':'));
    scheme.is_none() || ["http://", "https://", "mailto:"].iter().any(|known| lower.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_do_something_is_text() {
        for (markdown, shown) in [
            ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
            ("a <img src=x onerror=y> b", "<p>a &lt;img src=x onerror=y&gt; b</p>"),
            ("[l](javascript:alert)", "<p>l</p>"),
            ("[l](JavaScript&#58;alert)", "<p>l</p>"),
            ("[l](data:text/html,x)", "<p>l</p>"),
            ("[l](//evil/x)", "<p>l</p>"),
            ("<javascript:alert>", "<p>javascript:alert</p>"),
            ("![i](http://evil/x.png)", "<p>[image: i]</p>"),
            ("[![i](x)](vbscript:y)", "<p>[image: i]</p>"),
            ("{{ 7 * 7 }}", "<p>{{ 7 * 7 }}</p>"),
            ("\u{1b}[31m\u{202e}x", "<p>\u{fffd}[31m\u{fffd}x</p>"),
        ] {
            assert_eq!(html(markdown).trim_end(), shown, "{markdown}");
        }
    }

    #[test]
    fn what_people_mean_is_kept() {
        for (markdown, shown) in [
            ("[l](https://a.example/b?c=d:e)", "<p><a href=\"https://a.example/b?c=d:e\">l</a></p>"),
            ("[l](logs/api.log#L1)", "<p><a href=\"logs/api.log#L1\">l</a></p>"),
            ("<ada@example.org>", "<p><a href=\"mailto:ada@example.org\">ada@example.org</a></p>"),
            ("# big", "<h4>big</h4>"),
            ("- [x] done", "<ul>\n<li><input disabled=\"\" type=\"checkbox\" checked=\"\"/>\ndone</li>\n</ul>"),
            ("`a < b`", "<p><code>a &lt; b</code></p>"),
        ] {
            assert_eq!(html(markdown).trim_end(), shown, "{markdown}");
        }
    }
}
