//! Action items read back from a review that people have edited: spaces, case, bold and the kind of bullet do not matter;
//! what cannot be understood is told with its line and what was expected.

use super::{ActionItem, Aim, Found, Priority, State, Step, Verify, write::Key};
use crate::review::fenced::Fenced;
use jiff::civil::Date;
use regex::Regex;
use std::{fmt, sync::LazyLock};

/// A line that cannot be understood, or that hides others. An item is read all the same, without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// From 1.
    pub line: usize,
    /// The item's id; `code block` for one that nothing closes.
    pub about: String,
    /// What is there and what was expected.
    pub says: String,
}

/// `line 12, A-3f9a1c2b: ...`
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.about, self.says)
    }
}

/// All action items of a review, in their order, and what could not be understood. A heading below "Action items" is an
/// item if it has an id or at least one of the known lines; one without an id gets the id that follows from its title.
pub fn read(markdown: &str) -> (Vec<ActionItem>, Vec<Trouble>) {
    let code = Fenced::of(markdown);
    let (mut items, mut troubles) = (Vec::new(), Vec::new());
    for block in blocks(markdown, &code) {
        let (item, mut trouble) = block.item();
        items.push(item);
        troubles.append(&mut trouble);
    }
    troubles.extend(code.open.map(|line| Trouble {
        line,
        about: "code block".into(),
        says: "nothing closes it, so that no action item below it is read; close it with the marks that open it".into(),
    }));
    (items, troubles)
}

/// On which line, from 1, the heading of each action item stands, in their order.
pub fn places(markdown: &str) -> Vec<usize> {
    blocks(markdown, &Fenced::of(markdown)).iter().map(|block| block.at + 1).collect()
}

/// See [`ActionItem::put_into`].
pub(super) fn replace(markdown: &str, item: &ActionItem) -> Option<String> {
    let found = blocks(markdown, &Fenced::of(markdown)).into_iter().find(|block| block.item().0.id == item.id)?;
    let (now, _) = found.item();
    let lines: Vec<&str> = markdown.split('\n').collect();
    let mut edited: Vec<Option<String>> = lines.iter().map(|line| Some((*line).to_owned())).collect();
    if now.title != item.title {
        edited[found.at] = Some(item.heading());
    }
    // New lines follow the last known one, or the heading.
    let mut last = found.lines.iter().map(|line| line.last).max().unwrap_or(found.at);
    let mut added: Vec<String> = Vec::new();
    for key in Key::ALL {
        let new = item.line(key).filter(|_| now.line(key) != item.line(key));
        let gone = item.line(key).is_none();
        match found.lines.iter().find(|line| line.key == key) {
            Some(old) if new.is_some() || gone => {
                edited[old.first..=old.last].fill(None);
                edited[old.first] = new;
            }
            Some(_) => {}
            None => added.extend(new),
        }
    }
    if !added.is_empty() && last == found.at {
        added.insert(0, String::new());
    }
    last = last.min(edited.len() - 1);
    let rest = edited.split_off(last + 1);
    let all = edited.into_iter().chain(added.into_iter().map(Some)).chain(rest);
    Some(all.flatten().collect::<Vec<_>>().join("\n"))
}

/// The lines of one item.
struct ItemLines {
    id: String,
    title: String,
    /// Position of the heading, from 0.
    at: usize,
    lines: Vec<NamedLine>,
}

/// `- State: proposed`, with what follows it indented.
struct NamedLine {
    key: Key,
    value: String,
    first: usize,
    last: usize,
}

macro_rules! compiled {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a fixed pattern, tried by tests"));
    };
}
compiled!(HEADING, r"^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$");
compiled!(ID, r"(?i)^[*_`]*(A-[0-9a-f]{8})[*_`]*\s*[:.\-–—]?[*_]*\s*(.*)$");
compiled!(NAMED, r"^ {0,3}[-*+]\s+([*_]*)([A-Za-z][A-Za-z _]*?)\s*[*_]*\s*:(.*)$");
compiled!(COMMENT, r"<!--.*?-->");
compiled!(STATE, r"(?i)^([a-z _-]+?)(?:\s+by\s+(.+)|\s*\((.+)\))?$");
compiled!(REMARKED, r"^(.+?)\s*\((.+)\)$");
compiled!(PRIORITY, r"(?is)^(P[0-3])\b\s*(?:[(:,]\s*(.*?)\)?)?$");
compiled!(EVIDENCE, r"\be\d+\b");
compiled!(LINKED, r"^\[[^\]]*\]\(\s*<?([^)>\s]+)>?\s*\)$");

fn blocks(markdown: &str, code: &Fenced) -> Vec<ItemLines> {
    let mut found: Vec<ItemLines> = Vec::new();
    // The level of the heading that the items stand under.
    let mut section: Option<usize> = None;
    let mut current: Option<ItemLines> = None;
    let mut next = 0;
    for (at, line) in markdown.split('\n').enumerate() {
        let start = next;
        next += line.len() + 1;
        let line = line.trim_end_matches('\r');
        if code.holds(start) {
            continue;
        }
        if let Some(heading) = HEADING.captures(line) {
            found.extend(current.take().filter(ItemLines::is_one));
            let level = heading[1].len();
            if section.is_none_or(|own| level <= own) {
                section = heading[2].to_lowercase().contains("action item").then_some(level);
            } else {
                current = Some(ItemLines::begin(at, &heading[2]));
            }
        } else if let Some(item) = &mut current {
            item.take(at, line);
        }
    }
    found.extend(current.filter(ItemLines::is_one));
    found
}

impl ItemLines {
    fn begin(at: usize, heading: &str) -> ItemLines {
        let heading = COMMENT.replace_all(heading, "");
        let (id, title) = match ID.captures(heading.trim()) {
            Some(parts) => (lower_id(&parts[1]), text(&parts[2])),
            None => (String::new(), text(&heading)),
        };
        ItemLines { id, title, at, lines: Vec::new() }
    }

    fn take(&mut self, at: usize, line: &str) {
        if let Some(parts) = NAMED.captures(line) {
            let name = parts[2].to_lowercase().replace('_', " ");
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            let known = Key::ALL.into_iter().find(|key| key.name().to_lowercase() == name);
            if let Some(key) = known.filter(|key| self.lines.iter().all(|line| line.key != *key)) {
                // `**State:** x`: the bold ends behind the colon.
                let value = if parts[1].is_empty() { &parts[3] } else { parts[3].trim_start_matches(['*', '_']) };
                self.lines.push(NamedLine { key, value: value.trim().to_owned(), first: at, last: at });
                return;
            }
        }
        let follows = line.starts_with([' ', '\t']) && !line.trim_start().starts_with(['-', '*', '+']);
        if let Some(before) = self.lines.last_mut().filter(|before| before.last + 1 == at)
            && follows
            && !line.trim().is_empty()
        {
            before.value.push(' ');
            before.value.push_str(line.trim());
            before.last = at;
        }
    }

    fn is_one(&self) -> bool {
        !self.id.is_empty() || !self.lines.is_empty()
    }

    fn item(&self) -> (ActionItem, Vec<Trouble>) {
        let id = if self.id.is_empty() { super::id_of(&[&self.title]) } else { self.id.clone() };
        let mut item = ActionItem {
            id: id.clone(),
            title: self.title.clone(),
            state: State::Proposed,
            by: None,
            aim: Aim::Process,
            priority: Priority::P3,
            priority_why: String::new(),
            owner: None,
            due: None,
            ticket: None,
            finding: None,
            done_when: String::new(),
            verify: Verify::Person(String::new()),
            reason: None,
            history: Vec::new(),
        };
        let mut troubles = Vec::new();
        for line in &self.lines {
            let value = COMMENT.replace_all(&line.value, "");
            if let Err(says) = item.set(line.key, value.trim()) {
                troubles.push(Trouble { line: line.first + 1, about: id.clone(), says });
            }
        }
        (item, troubles)
    }
}

impl ActionItem {
    fn set(&mut self, key: Key, value: &str) -> Result<(), String> {
        let said = optional(value);
        match key {
            Key::State => {
                let (state, by, remark) = state(value)?;
                (self.state, self.by) = (state, by);
                if state == State::Declined && self.reason.is_none() {
                    self.reason = remark;
                }
            }
            Key::Type => self.aim = one_of("type", value, &Aim::ALL, Aim::name)?,
            Key::Priority => (self.priority, self.priority_why) = priority(value)?,
            Key::Owner => self.owner = said,
            Key::Due => self.due = said.map(|_| date(value)).transpose()?,
            Key::Ticket => self.ticket = said.map(|_| address(value)),
            Key::Finding => self.finding = said.map(|_| found(value)),
            Key::DoneWhen => self.done_when = text(value),
            Key::Verify => self.verify = verify(value),
            Key::Reason => self.reason = said.or(self.reason.take()),
            Key::History => self.history = history(value)?,
        }
        Ok(())
    }
}

/// What people write where there is nothing.
pub(super) const NOTHING: [&str; 8] = ["", "none", "unassigned", "-", "–", "n/a", "nobody", "tbd"];

fn optional(value: &str) -> Option<String> {
    let value = text(value);
    (!NOTHING.contains(&value.to_lowercase().as_str())).then_some(value)
}

/// The state, by whom, and what else stands behind a state that says `by` nobody: `declined (it is switched off)`.
fn state(value: &str) -> Result<(State, Option<String>, Option<String>), String> {
    let value = text(value);
    let parts = STATE.captures(&value);
    let name = parts.as_ref().map_or(value.as_str(), |parts| parts.get(1).map_or("", |m| m.as_str()));
    let name = name.replace(['_', '-'], " ");
    let state = one_of("state", &name, &State::ALL, State::name)?;
    let part = |n: usize| parts.as_ref().and_then(|parts| parts.get(n)).map(|m| m.as_str().trim().to_owned());
    let said = |text: &String| !NOTHING.contains(&text.to_lowercase().as_str());
    let (by, remark) = (part(2).filter(said), part(3).filter(said));
    // `done (claimed)` names nobody.
    let remark = remark.filter(|text| !["claimed", "reason"].contains(&text.to_lowercase().as_str()));
    Ok(match by.as_deref().and_then(|by| REMARKED.captures(by)) {
        Some(parts) if state == State::Declined => (state, Some(parts[1].to_owned()), Some(parts[2].to_owned())),
        _ if state == State::Declined => (state, by, remark),
        _ => (state, by.or(remark), None),
    })
}

fn priority(value: &str) -> Result<(Priority, String), String> {
    let value = text(value);
    let Some(parts) = PRIORITY.captures(&value) else {
        return Err(format!("priority `{value}` is not known; expected P0, P1, P2 or P3"));
    };
    let priority = one_of("priority", &parts[1], &Priority::ALL, Priority::name)?;
    Ok((priority, parts.get(2).map_or(String::new(), |m| m.as_str().trim().to_owned())))
}

fn one_of<T: Copy>(what: &str, value: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let words = text(value).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    all.iter().copied().find(|one| name(*one).to_lowercase() == words).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        format!("{what} `{words}` is not known; expected one of {}", names.join(", "))
    })
}

fn date(value: &str) -> Result<Date, String> {
    let value = text(value);
    value.parse().map_err(|_| format!("`{value}` is not a day; expected one such as 2026-12-22"))
}

fn address(value: &str) -> String {
    match LINKED.captures(value) {
        Some(parts) => parts[1].to_owned(),
        None => match value.strip_prefix('<').and_then(|v| v.strip_suffix('>')).filter(|v| v.starts_with("http")) {
            Some(address) => address.to_owned(),
            None => text(value),
        },
    }
}

fn found(value: &str) -> Found {
    let (head, says) = value.split_once(": ").unwrap_or((value, ""));
    let rule = head.split(['`', '(']).next().unwrap_or(head);
    let evidence = head.split_once('(').map(|(_, inside)| inside).unwrap_or_default();
    Found {
        rule: text(rule),
        fingerprint: spans(head).into_iter().next().unwrap_or_default(),
        evidence: EVIDENCE.find_iter(evidence).map(|m| m.as_str().to_owned()).collect(),
        says: text(says),
    }
}

fn verify(value: &str) -> Verify {
    let mut spans = spans(value).into_iter();
    let by_drill = value.trim_start_matches(['*', '_']).to_lowercase().starts_with("scenario");
    match (by_drill, spans.next(), spans.next()) {
        (true, Some(scenario), criterion) => Verify::Scenario { scenario, criterion: criterion.unwrap_or_default() },
        _ => Verify::Person(text(value)),
    }
}

/// `2026-11-22 proposed; 2026-11-25 accepted by ana`
fn history(value: &str) -> Result<Vec<Step>, String> {
    let steps = split_steps(value);
    let steps = steps.iter().map(|step| step.trim()).filter(|step| !step.is_empty());
    let one = |step: &str| {
        let (day, what) = step.split_once(char::is_whitespace).unwrap_or((step, ""));
        Ok(Step { on: date(day)?, what: text(what) })
    };
    steps.map(one).collect()
}

/// At each semicolon that does not end a character reference (`&#58;`).
fn split_steps(value: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    for part in value.split_inclusive(';') {
        let whole = |at: usize| reference(&part[at + 1..]).is_some_and(|(_, length)| at + 1 + length == part.len());
        let open = part.rfind('&').is_some_and(whole);
        let ends = part.ends_with(';') && !open;
        let piece = if ends { &part[..part.len() - 1] } else { part };
        if let Some(last) = steps.last_mut() {
            last.push_str(piece);
        }
        if ends {
            steps.push(String::new());
        }
    }
    steps
}

/// The code spans of a line, without their fences.
fn spans(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some(start) = rest.find('`') {
        let fence = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + fence..];
        let mut from = 0;
        let end = loop {
            let Some(at) = inside[from..].find('`').map(|at| at + from) else { return found };
            let run = inside[at..].len() - inside[at..].trim_start_matches('`').len();
            if run == fence {
                break at;
            }
            from = at + run;
        };
        let span = &inside[..end];
        let padded = span.starts_with(' ') && span.ends_with(' ') && (span.contains('`') || span.trim().is_empty());
        found.push(if padded { span.get(1..span.len() - 1).unwrap_or_default().to_owned() } else { span.to_owned() });
        rest = &inside[end + fence..];
    }
    found
}

/// Text without the marks of Markdown around and in it.
fn text(value: &str) -> String {
    let mut value = value.trim();
    for mark in ["**", "__", "`"] {
        let bare = value.strip_prefix(mark).and_then(|v| v.strip_suffix(mark)).filter(|v| !v.ends_with('\\'));
        value = bare.unwrap_or(value).trim();
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' if rest.starts_with(|next: char| next.is_ascii_punctuation()) => {
                out.extend(rest.chars().next());
                rest = &rest[1..];
            }
            '&' => match reference(rest) {
                Some((meant, length)) => {
                    out.push(meant);
                    rest = &rest[length..];
                }
                None => out.push(c),
            },
            c => out.push(c),
        }
    }
    out
}

/// What stands behind an ampersand: the character that is meant, and how many bytes say so.
fn reference(rest: &str) -> Option<(char, usize)> {
    let end = rest.find(';').filter(|end| *end <= 8)?;
    let meant = match &rest[..end] {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        name => char::from_u32(name.strip_prefix('#')?.parse().ok()?)?,
    };
    Some((meant, end + 1))
}

fn lower_id(id: &str) -> String {
    format!("A-{}", id[2..].to_lowercase())
}
