//! Findings as text for people, as JSON in the shape that prose linters share, and as SARIF for code scanning.

use super::{Finding, Level, rules::RULES};
use serde::Serialize;
use serde_json::json;

/// The findings of one file.
#[derive(Debug, Clone)]
pub struct Linted {
    /// As it was named.
    pub path: String,
    /// In the order of the text.
    pub findings: Vec<Finding>,
}

/// `review.md:12:5: error: `should have`: why [counterfactual]`, and below it what to write instead.
pub fn text(linted: &[Linted], paint: impl Fn(Level, &str) -> String) -> String {
    let mut out = String::new();
    for (file, finding) in each(linted) {
        let level = paint(finding.level, finding.level.name());
        let place = format!("{}:{}:{}", file.path, finding.line, finding.column);
        out.push_str(&format!(
            "{place}: {level}: `{}`: {} [{}]\n",
            short(&finding.found),
            finding.message,
            finding.rule
        ));
        out.push_str(&format!("    instead: {}\n", finding.instead));
    }
    out
}

/// Every rule with its examples, for people.
pub fn rules() -> String {
    let one = |rule: &super::Rule| {
        let off = if rule.off { ", off unless asked for" } else { "" };
        let quoted = |texts: &[&str]| {
            texts.iter().map(|text| format!("\"{}\"", first_line(text))).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{} ({}{off}): {}\n    where: {}\n    instead: {}\n    finds: {}\n    leaves: {}\n",
            rule.id,
            rule.level.name(),
            rule.says,
            rule.scope.name(),
            rule.instead,
            quoted(rule.fires),
            quoted(rule.rests)
        )
    };
    RULES.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// One finding as prose linters write it; `start` and `end` are bytes of the file.
#[derive(Serialize)]
struct Check<'a> {
    path: &'a str,
    check_path: String,
    severity: Level,
    message: &'a str,
    line: usize,
    column: usize,
    start: usize,
    end: usize,
    extent: usize,
    found: &'a str,
    replacements: &'a str,
}

/// A JSON array of checks.
pub fn json(linted: &[Linted]) -> String {
    let checks: Vec<Check<'_>> = each(linted)
        .map(|(file, finding)| Check {
            path: &file.path,
            check_path: format!("firedrill.{}", finding.rule),
            severity: finding.level,
            message: finding.message,
            line: finding.line,
            column: finding.column,
            start: finding.span.start,
            end: finding.span.end,
            extent: finding.span.len(),
            found: &finding.found,
            replacements: finding.instead,
        })
        .collect();
    serde_json::to_string_pretty(&checks).unwrap_or_default()
}

/// SARIF 2.1.0.
pub fn sarif(linted: &[Linted]) -> String {
    let rules: Vec<_> = RULES
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.says },
                "help": { "text": rule.instead },
                "defaultConfiguration": { "level": sarif_level(rule.level), "enabled": !rule.off },
            })
        })
        .collect();
    let results: Vec<_> = each(linted)
        .map(|(file, finding)| {
            json!({
                "ruleId": finding.rule,
                "level": sarif_level(finding.level),
                "message": { "text": format!("`{}`: {}; {}", short(&finding.found), finding.message, finding.instead) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(&file.path) },
                    "region": {
                        "startLine": finding.line,
                        "startColumn": finding.column,
                        "byteOffset": finding.span.start,
                        "byteLength": finding.span.len(),
                    },
                }}],
            })
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "firedrill lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default()
}

/// A path as a reference in a URI.
fn uri(path: &str) -> String {
    let one = |byte: u8| match byte {
        b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(one).collect()
}

fn sarif_level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Suggestion => "note",
    }
}

fn each(linted: &[Linted]) -> impl Iterator<Item = (&Linted, &Finding)> {
    linted.iter().flat_map(|file| file.findings.iter().map(move |finding| (file, finding)))
}

/// A line's worth of what was found, without what could move a cursor.
fn short(found: &str) -> String {
    let clean: String = found.chars().filter(|c| !c.is_control()).take(60).collect();
    if clean.chars().count() < found.chars().count() { format!("{clean}...") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::lint::{Options, lint};

    fn linted() -> Vec<Linted> {
        vec![Linted { path: "a.md".into(), findings: lint("# T\n\nIt should have fired.\n", &Options::default()) }]
    }

    #[test]
    fn people_are_told_the_place_and_what_to_write() {
        let told = text(&linted(), |_, level| level.to_owned());
        assert!(told.starts_with("a.md:3:4: error: `should have`: "), "{told}");
        assert!(told.contains("[counterfactual]\n    instead: "), "{told}");
    }

    #[test]
    fn a_path_is_written_as_a_uri() {
        assert_eq!(uri("reports/my review.md"), "reports/my%20review.md");
        assert_eq!(uri("/tmp/a:b%é?.md"), "/tmp/a%3Ab%25%C3%A9%3F.md");
    }

    #[test]
    fn machines_are_told_the_same() {
        let checks: serde_json::Value = serde_json::from_str(&json(&linted())).unwrap();
        assert_eq!(checks[0]["check_path"], "firedrill.counterfactual");
        assert_eq!((checks[0]["start"].as_u64(), checks[0]["extent"].as_u64()), (Some(8), Some(11)));
        let log: serde_json::Value = serde_json::from_str(&sarif(&linted())).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["results"][0]["ruleId"], "counterfactual");
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), RULES.len());
        assert_eq!(run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
    }
}
