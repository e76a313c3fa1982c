//! The front matter, key by key: what people write there and what is generated go together without a conflict, since each
//! key belongs to one of the two.

/// The keys that are people's; all others that are generated stay generated.
pub const THEIRS: [&str; 6] = ["status", "owner", "due", "status_history", "participants", "tags"];

/// `key: value` with the lines that go on with it; any other line stands by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// `None`: a comment, an empty line, the lines at both ends.
    pub key: Option<&'a str>,
    /// What stands behind the colon, with its comment.
    pub value: &'a str,
    /// All of it.
    pub text: &'a str,
    /// Its line, from 1.
    pub line: usize,
}

/// All entries; together they are the text.
pub fn entries(front: &str) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut at = 0;
    for (i, line) in front.split_inclusive('\n').enumerate() {
        let (start, end) = (at, at + line.len());
        at = end;
        let goes_on = line.starts_with([' ', '\t']) || line.starts_with("- ");
        if let Some(last) = entries.last_mut().filter(|last| goes_on && last.key.is_some()) {
            last.text = &front[start - last.text.len()..end];
            last.value = last.text.split_once(':').map_or("", |(_, value)| value);
            continue;
        }
        let pair = line.split_once(':').filter(|(key, value)| is_key(key) && value.starts_with(char::is_whitespace));
        let (key, value) = pair.map_or((None, ""), |(key, value)| (Some(key.trim_end()), value));
        entries.push(Entry { key, value, text: line, line: i + 1 });
    }
    entries
}

fn is_key(text: &str) -> bool {
    text.starts_with(char::is_alphabetic) && text.trim_end().chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

/// Brings people's front matter and the new one together: theirs, with what is generated now under generated keys.
pub fn merge(before: &str, people: &str, now: &str) -> String {
    let (before, now) = (entries(before), entries(now));
    let theirs = entries(people).into_iter();
    let mut merged: Vec<(Option<&str>, String)> = theirs
        .filter_map(|theirs| Some((theirs.key, kept(&theirs, of(&before, theirs.key), of(&now, theirs.key))?)))
        .collect();
    // What they do not have stands behind what it follows now.
    let mut after = 1;
    for ours in now.iter().filter(|ours| ours.key.is_some()) {
        match merged.iter().position(|(key, _)| *key == ours.key) {
            Some(at) => after = at + 1,
            None => {
                merged.insert(after.min(merged.len()), (ours.key, ours.text.to_owned()));
                after += 1;
            }
        }
    }
    merged.into_iter().map(|(_, text)| text).collect()
}

fn of<'e, 'a>(entries: &'e [Entry<'a>], key: Option<&str>) -> Option<&'e Entry<'a>> {
    entries.iter().find(|entry| key.is_some() && entry.key == key)
}

/// What becomes of an entry of theirs; `None` if it is gone.
fn kept(theirs: &Entry<'_>, before: Option<&Entry<'_>>, now: Option<&Entry<'_>>) -> Option<String> {
    let untouched = before.is_some_and(|before| same(before, theirs));
    match now {
        None => (!untouched).then(|| theirs.text.to_owned()),
        Some(ours) if same(ours, theirs) => Some(theirs.text.to_owned()),
        Some(ours) if untouched || !ours.key.is_some_and(|key| THEIRS.contains(&key)) => Some(with(theirs, ours.value)),
        Some(_) => Some(theirs.text.to_owned()),
    }
}

fn same(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    list(one.value) == list(other.value)
}

/// The front matter with a key set; a new one stands below `due`, or at the end.
pub fn set(front: &str, key: &str, value: &str) -> String {
    let entries = entries(front);
    let line = format!("{key}: {value}\n");
    let mut texts: Vec<String> = entries.iter().map(|entry| entry.text.to_owned()).collect();
    let at = |key| entries.iter().position(|entry| entry.key == Some(key));
    match at(key) {
        Some(at) => texts[at] = with(&entries[at], value),
        None => texts.insert(at("due").map_or(texts.len().saturating_sub(1), |due| due + 1), line),
    }
    texts.concat()
}

/// An entry with another value; a comment behind the old one stays.
fn with(entry: &Entry<'_>, value: &str) -> String {
    let comment = match entry.value.trim_start().starts_with('[') {
        true => flow(entry.value).1,
        false => read(entry.value).1,
    };
    let comment = comment.lines().next().unwrap_or_default().trim();
    let comment = if comment.starts_with('#') { format!(" {comment}") } else { String::new() };
    format!("{}: {}{comment}\n", entry.key.unwrap_or_default(), value.trim())
}

/// A scalar on one line: bare, or quoted as [`crate::review::escape::yaml`] and people do.
pub fn scalar(value: &str) -> String {
    read(value).0
}

/// `["a", "b"]` on one line, or `- a` on lines of their own; anything else is a list of one.
pub fn list(value: &str) -> Vec<String> {
    if value.trim_start().starts_with('[') {
        return flow(value).0;
    }
    let mut lines = value.lines().map(str::trim).filter(|line| !line.is_empty());
    let items: Vec<String> = lines.clone().filter_map(|line| line.strip_prefix("- ")).map(scalar).collect();
    if items.is_empty() { lines.next().map(scalar).into_iter().collect() } else { items }
}

/// The items in brackets, and what stands behind them.
fn flow(value: &str) -> (Vec<String>, &str) {
    let mut rest = value.trim_start().trim_start_matches('[');
    let mut items = Vec::new();
    loop {
        rest = rest.trim_start();
        let end = |rest: &str| rest.find([',', ']']).unwrap_or(rest.len());
        let (item, behind) = match rest.starts_with(['"', '\'']) {
            true => read(rest),
            false => (rest[..end(rest)].trim().to_owned(), &rest[end(rest)..]),
        };
        items.extend(Some(item).filter(|item| !item.is_empty()));
        let behind = &behind[end(behind)..];
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (items, behind.strip_prefix(']').unwrap_or(behind)),
        }
    }
}

/// A scalar, and what stands behind it.
fn read(value: &str) -> (String, &str) {
    let value = value.trim_start();
    let mut out = String::new();
    let quote = value.chars().next().filter(|c| ['"', '\''].contains(c));
    let Some(quote) = quote else {
        let line = value.lines().next().unwrap_or_default();
        let end = if line.starts_with('#') { 0 } else { line.find(" #").unwrap_or(line.len()) };
        return (line[..end].trim().to_owned(), &value[end..]);
    };
    let mut chars = value[1..].chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' if quote == '\'' && chars.as_str().starts_with('\'') => out.extend(chars.next()),
            '\\' if quote == '"' => match chars.next() {
                Some('x') => {
                    let hex: String = chars.by_ref().take(2).collect();
                    out.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
                }
                other => out.extend(other),
            },
            c if c == quote => break,
            c => out.push(c),
        }
    }
    (out, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "---\nstatus: draft\nowner: \"shop\"\ndue: 2026-03-06\nverdict: \"HELD\"\ntags: [\"a\", \"b\"]\n---\n";

    #[test]
    fn values_are_read_however_they_are_quoted() {
        for (value, meant) in [
            (" Ada # the owner\n", "Ada"),
            (" 'it''s' # x", "it's"),
            (" \"a # b\" # c", "a # b"),
            (" # nobody", ""),
            ("\"\\x3cb> \\\"q\\\"\"", "<b> \"q\""),
            ("\"open", "open"),
        ] {
            assert_eq!(scalar(value), meant, "{value}");
        }
        for value in [" [a, 'b, c', \"d]\"] # x", "\n  - a\n  - 'b, c'\n  - \"d]\"\n"] {
            assert_eq!(list(value), ["a", "b, c", "d]"], "{value}");
        }
        assert_eq!((list("[]"), list("["), list("[,"), list("")), (vec![], vec![], vec![], vec![]));
    }

    #[test]
    fn each_key_belongs_to_one_side() {
        let people = "---\nstatus: In review # since Monday\nowner: Ada\ndue: '2026-03-06'\n# ours\nverdict: \"VIOLATED\" # no\nreviewers:\n  - Bob\ntags: [x]\n---\n";
        let now = BEFORE.replace("---\nstatus: draft", "---\nformat: 2\nstatus: in-review").replace("shop", "Ada");
        let merged = "---\nformat: 2\nstatus: In review # since Monday\nowner: Ada\ndue: '2026-03-06'\n# ours\nverdict: \"HELD\" # no\nreviewers:\n  - Bob\ntags: [x]\n---\n";
        assert_eq!(merge(BEFORE, people, &now), merged);
        assert_eq!(merge(&now, merged, &now), merged, "again, and nothing changes");
        let next = now.replace("HELD", "HALTED").replace("format: 2\n", "");
        let later = merged.replace("HELD", "HALTED").replace("format: 2\n", "");
        assert_eq!(merge(&now, merged, &next), later);
        let bare = "---\na: 1\n---\n";
        assert_eq!(
            merge(BEFORE, bare, BEFORE),
            BEFORE.replace("\n---\n", "\na: 1\n---\n"),
            "what was taken out is back"
        );
    }

    #[test]
    fn a_key_is_set_with_all_of_its_lines_and_its_comment_stays() {
        let set_both = |front: &str| set(&set(front, "status", "closed"), "status_history", "[\"x\"]");
        assert_eq!(
            set_both("---\nstatus: draft # yet\ndue: x\nstatus_history:\n- a\n- b\n---\n"),
            "---\nstatus: closed # yet\ndue: x\nstatus_history: [\"x\"]\n---\n"
        );
        assert_eq!(
            set_both("---\nstatus: draft\ndue: x\nrun: y\n---\n"),
            "---\nstatus: closed\ndue: x\nstatus_history: [\"x\"]\nrun: y\n---\n"
        );
    }
}
