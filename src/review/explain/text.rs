//! An explanation for people, as lines of a terminal.

use super::{Entry, Explained, Input, Raw};
use crate::review::{escape, quantity};
use std::fmt::Write;

/// How many places are opened in full; the others are named.
const OPENED: usize = 12;

/// Ids, values and names, one a line.
pub fn list(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
    let line = |entry: &Entry| {
        format!("{:width$}  {} ({})\n", entry.id, escape::plain(&entry.value), escape::plain(&entry.name))
    };
    entries.iter().map(line).collect()
}

/// All of it.
pub fn text(explained: &Explained) -> String {
    let mut out = String::new();
    let line = |out: &mut String, name: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {name:<11} {}", escape::plain(text));
    };
    let _ = writeln!(out, "{}\n{}: {}\n", explained.id, escape::plain(&explained.name), explained.value);
    line(&mut out, "definition", &explained.definition);
    line(&mut out, "formula", &explained.worked.formula);
    line(&mut out, "numbers", &explained.worked.numbers);
    if let Some([low, high]) = &explained.range {
        line(&mut out, "range", &format!("{low} to {high}"));
    }
    if let Some(n) = explained.n {
        line(&mut out, "N", &quantity::count(n));
    }
    if let Some(promised) = &explained.promised {
        let margin = explained.margin.map(|m| format!(", margin {}", quantity::margin(m))).unwrap_or_default();
        line(&mut out, "promised", &format!("{promised}{margin}"));
    }
    inputs(&mut out, &explained.worked.inputs);
    for raw in explained.evidence.iter().take(OPENED) {
        out.push('\n');
        out.push_str(&place(raw));
    }
    if let Some(more) = explained.evidence.get(OPENED..).filter(|more| !more.is_empty()) {
        let names: Vec<&str> = more.iter().map(|raw| raw.id.as_str()).collect();
        let _ = writeln!(out, "\nand {}; each by `firedrill explain FOLDER eN`", names.join(" "));
    }
    out
}

fn inputs(out: &mut String, inputs: &[Input]) {
    let width = |of: fn(&Input) -> &str| inputs.iter().map(|i| of(i).chars().count()).max().unwrap_or(0).min(48);
    let (symbols, values) = (width(|i| &i.symbol), width(|i| &i.value));
    for (i, input) in inputs.iter().enumerate() {
        let head = if i == 0 { "inputs" } else { "" };
        let cited: Vec<String> = input.evidence.iter().take(8).map(ToString::to_string).collect();
        let (symbol, value, meaning) = (&input.symbol, escape::plain(&input.value), escape::plain(&input.meaning));
        let _ = writeln!(out, "  {head:<11} {symbol:<symbols$}  {value:<values$}  {meaning}  {}", cited.join(" "));
    }
}

/// A place with what stands there.
pub fn place(raw: &Raw) -> String {
    let mut out = format!("{}  {}", raw.id, escape::plain(&raw.place));
    if let (Some([from, to]), Some(digest)) = (raw.bytes, &raw.sha256) {
        let _ = write!(out, ", bytes {from}-{}, sha256 {digest}", to.saturating_sub(1));
    }
    out.push('\n');
    let excerpt = &raw.excerpt;
    for line in &excerpt.first {
        let _ = writeln!(out, "    {line}");
    }
    if excerpt.left_out > 0 {
        let _ = writeln!(out, "    ... {} left out ...", quantity::count(excerpt.left_out));
    }
    for line in &excerpt.last {
        let _ = writeln!(out, "    {line}");
    }
    if let Some(trouble) = &excerpt.trouble {
        let _ = writeln!(out, "    ({})", escape::plain(trouble));
    }
    out
}
