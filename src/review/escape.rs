//! Text from outside (names, labels, log lines, notes, daemon messages) made harmless for each format.

/// Whether a character changes how others are shown or sent: terminal escapes, other controls, bidirectional
/// overrides, invisible marks, non-characters.
fn meddles(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
        || (c as u32) & 0xfffe == 0xfffe
}

/// One line without anything that meddles: white space becomes a space, the rest a replacement character.
pub fn plain(text: &str) -> String {
    let one = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if meddles(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(one).collect()
}

/// Several lines without anything that meddles.
pub fn lines(text: &str) -> String {
    let one = |c: char| if c != '\n' && c != '\t' && meddles(c) { '\u{fffd}' } else { c };
    text.chars().map(one).collect()
}

/// For text and double-quoted attributes of HTML, SVG and XML.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For a stretch of Markdown text, in a table cell or not: whatever has a meaning in Markdown, in HTML or in a
/// template stands behind a backslash or is a character reference.
pub fn markdown(text: &str) -> String {
    let clean = plain(text);
    let clean = clean.trim();
    let mut out = String::with_capacity(clean.len() + 8);
    let mut before = ' ';
    let mut rest = clean.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        match c {
            // `<= 400ms` is no tag; nothing but a letter or one of these begins one.
            '<' if next.is_ascii_alphabetic() || "/!?".contains(next) => out.push_str("&lt;"),
            '&' if next.is_ascii_alphanumeric() || next == '#' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            // A backslash would leave what a template engine looks for.
            '{' => out.push_str("&#123;"),
            '}' => out.push_str("&#125;"),
            // A bare address becomes a link; with its colon as a reference it stays text.
            ':' if next == '/' => out.push_str("&#58;"),
            '.' if before == 'w' && next.is_ascii_alphanumeric() => out.push_str("&#46;"),
            // Inside a word an underscore has no meaning, and names are easier to read without a backslash.
            '_' if before.is_alphanumeric() && next.is_alphanumeric() => out.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' | '|' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
    guard_start(out)
}

/// What begins a line must not begin a heading, a list, a quotation, a rule or a table.
fn guard_start(text: String) -> String {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = &text[digits..];
    if digits > 0 && (rest.starts_with(". ") || rest.starts_with(") ")) {
        return format!("{}\\{}", &text[..digits], rest);
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('#' | '=' | '>'), _) | (Some('-' | '+'), None | Some(' ' | '-' | '+')) => format!("\\{text}"),
        _ => text,
    }
}

/// For a Markdown code span: no backtick can end it, and a pipe cannot end a table cell.
pub fn code_span(text: &str) -> String {
    let clean = plain(text).replace('|', "\u{2502}").replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #");
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if clean.starts_with('`') || clean.ends_with('`') || clean.is_empty() { " " } else { "" };
    format!("{fence}{pad}{clean}{pad}{fence}")
}

/// For a double-quoted scalar of YAML, with its quotes.
pub fn yaml(text: &str) -> String {
    let mut out = String::from("\"");
    for c in plain(text).chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            // Nothing that reads the file before a YAML parser does shall see a tag or a template.
            '<' | '{' | '}' | '[' | '`' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// For a line of a fenced or indented block of code.
pub fn code_line(text: &str) -> String {
    plain(text).replace("```", "'''").replace("~~~", "---")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markdown() {
        assert_eq!(
            markdown("a_b *c* [d](http://e) <f> {{ g }} | h"),
            "a_b \\*c\\* \\[d\\](http&#58;//e) &lt;f> &#123;&#123; g &#125;&#125; \\| h"
        );
        assert_eq!(markdown("<= 400ms"), "<= 400ms");
        assert_eq!(markdown("# heading"), "\\# heading");
        assert_eq!(markdown("1. item"), "1\\. item");
        assert_eq!(markdown("two\nlines"), "two lines");
    }

    #[test]
    fn nothing_meddles() {
        assert_eq!(plain("\u{1b}[31mred\u{202e}\u{0}"), "\u{fffd}[31mred\u{fffd}\u{fffd}");
    }

    #[test]
    fn code_spans_cannot_be_ended() {
        assert_eq!(code_span("a`b"), "``a`b``");
        assert_eq!(code_span("`"), "`` ` ``");
        assert_eq!(code_span("{{ x }}|"), "`{ { x }}\u{2502}`");
    }
}
