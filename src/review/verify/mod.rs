//! Whether a review says what its run folder says: every figure computed again, every file's digest checked, and the
//! figures and verdicts in the prose compared with those that were generated.
//!
//! `lines` finds the line of a value in a JSON text; `prose` finds what somebody changed in a review, by the `facts` of
//! its lines, and `front` in its front matter.

mod facts;
mod front;
mod lines;
mod prose;

use super::{
    escape,
    people::{BASE, REVIEW, Standing, open},
    write::{self, Composed, FILES, Kept},
};
use crate::{
    analysis::{AnalysisError, DoubtKind, Findings, analyse},
    journal::RunFolder,
};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, fs};

/// At most so many differences of one file are told.
const MOST: usize = 40;

/// How a review compares with its run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files whose digest was compared.
    pub files: usize,
    /// Figures and criteria that were computed again.
    pub figures: usize,
    /// What differs; empty if all is well.
    pub differs: Vec<Difference>,
    /// What is worth knowing and contradicts nothing.
    pub notes: Vec<Difference>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Relative to the run folder.
    pub file: String,
    /// From 1; `None` where it is about the whole file.
    pub line: Option<usize>,
    /// What is there and what was expected.
    pub says: String,
}

/// Compares all of a run folder.
///
/// # Errors
/// Only if there is no journal to speak of: then there is nothing to compare with.
pub fn verify(folder: &RunFolder) -> Result<Verified, AnalysisError> {
    let findings = analyse(folder)?;
    let mut check = Check { folder, findings: &findings, out: Verified::none() };
    check.out.figures = findings.figures.len() + findings.criteria.len();
    check.journal();
    check.sealed();
    check.result();
    check.texts();
    let mut out = check.out;
    out.differs.dedup();
    Ok(out)
}

impl Verified {
    fn none() -> Verified {
        Verified { files: 0, figures: 0, differs: vec![], notes: vec![] }
    }
}

struct Check<'a> {
    folder: &'a RunFolder,
    findings: &'a Findings,
    out: Verified,
}

impl Check<'_> {
    fn differs(&mut self, file: &str, line: Option<usize>, says: impl Into<String>) {
        self.out.differs.push(difference(file, line, says.into()));
    }

    fn note(&mut self, file: &str, line: Option<usize>, says: impl Into<String>) {
        self.out.notes.push(difference(file, line, says.into()));
    }

    fn read(&self, name: &str) -> Option<String> {
        String::from_utf8(fs::read(self.folder.path().join(name)).ok()?).ok()
    }

    /// What the readers of journal and request log met.
    fn journal(&mut self) {
        for doubt in &self.findings.doubts {
            match &doubt.kind {
                DoubtKind::Damaged(what) => {
                    let file = if what.contains("request") { "requests.bin" } else { "journal.jsonl" };
                    self.differs(file, line_in(what), what.clone());
                }
                DoubtKind::CutShort => self.note("journal.jsonl", None, "it stops before the run ended"),
                _ => {}
            }
        }
    }

    /// What the journal itself says of files: their digests when the run ended, the scenario's, the lengths of logs.
    fn sealed(&mut self) {
        let run = &self.findings.run;
        let files: BTreeMap<&str, _> = run.files.iter().map(|file| (file.name.as_str(), file)).collect();
        for sealed in &run.sealed {
            match files.get(sealed.name.as_str()) {
                None => self.differs(&sealed.name, None, "it is gone; the journal knows its digest"),
                Some(file) if file.digest != sealed.digest => {
                    self.differs(
                        &sealed.name,
                        None,
                        changed("when the run ended, the journal", &sealed.digest, &file.digest),
                    );
                }
                Some(_) => {}
            }
        }
        if let Some(file) = files.get("scenario.yaml").filter(|file| file.digest != run.scenario_digest) {
            // A scenario of which the journal has no digest is one of a test.
            if !run.scenario_digest.is_empty() {
                self.differs("scenario.yaml", None, changed("the journal", &run.scenario_digest, &file.digest));
            }
        }
        for log in &self.findings.logs {
            match files.get(log.file.as_str()) {
                None => self.differs(&log.file, None, "it is gone; the journal says that it was saved"),
                Some(file) if file.size != log.bytes => {
                    self.differs(
                        &log.file,
                        None,
                        format!("it has {} bytes, the journal says {}", file.size, log.bytes),
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// `result.json` against the same, computed again.
    fn result(&mut self) {
        let name = FILES[0];
        let Some(text) = self.read(name) else {
            return self.differs(name, None, "it is missing or no text; `firedrill review` writes it");
        };
        let kept: Value = match serde_json::from_str(&text) {
            Ok(kept) => kept,
            Err(error) => return self.differs(name, Some(error.line()), format!("it is no JSON: {error}")),
        };
        // Digests and places follow from the files: where those differ, that is told of the files themselves.
        let follow: &[&str] = if self.digests(&kept) { &[] } else { &["/files", "/places"] };
        let now: Value = serde_json::from_str(&write::texts(self.findings)[0].1).unwrap_or_default();
        if let (Some(wrote), Some(this)) = (kept.pointer("/run/version"), now.pointer("/run/version"))
            && (wrote != this || this != env!("CARGO_PKG_VERSION"))
        {
            self.note(
                name,
                None,
                format!("the run was recorded by firedrill {this}, this is {}", env!("CARGO_PKG_VERSION")),
            );
        }
        let places = lines::of(&text);
        let mut found = Vec::new();
        compare(&kept, &now, String::new(), follow, &mut found);
        let more = found.len().saturating_sub(MOST);
        for (pointer, says) in found.into_iter().take(MOST) {
            self.differs(name, lines::nearest(&places, &pointer), format!("{}: {says}", named(&pointer, &now)));
        }
        if more > 0 {
            self.differs(name, None, format!("and {more} more differences"));
        }
    }

    /// The digests that `result.json` has of the files that it was computed from; whether all are as they should be.
    fn digests(&mut self, kept: &Value) -> bool {
        let Some(list) = kept.get("files").and_then(Value::as_array) else {
            self.differs(FILES[0], None, "it has no digests of files, so that none was compared with it");
            return false;
        };
        let mut now: BTreeMap<&str, &str> =
            self.findings.run.files.iter().map(|f| (f.name.as_str(), f.digest.as_str())).collect();
        let mut told = Vec::new();
        for file in list {
            let (Some(name), Some(digest)) = (file["name"].as_str(), file["sha256"].as_str()) else { continue };
            self.out.files += 1;
            match now.remove(name) {
                None => told.push((name.to_owned(), "it is gone; result.json knows its digest".to_owned())),
                Some(found) if found != digest => told.push((name.to_owned(), changed("result.json", digest, found))),
                Some(_) => {}
            }
        }
        told.extend(
            now.keys().map(|name| ((*name).to_owned(), "it was not there when result.json was written".into())),
        );
        let all = told.is_empty();
        told.into_iter().for_each(|(file, says)| self.differs(&file, None, says));
        all
    }

    /// `review.md`, its base, the page and the JUnit file.
    fn texts(&mut self) {
        let kept = match write::kept(self.folder) {
            Ok(kept) => kept,
            Err(error) => return self.differs(REVIEW, None, error.to_string()),
        };
        let Some(text) = &kept.review else {
            return self.differs(REVIEW, None, "it is missing; `firedrill review` writes it");
        };
        let composed = match write::compose(self.findings, &kept) {
            Ok(composed) => composed,
            Err(error) => return self.differs(REVIEW, Some(error.line), error.says),
        };
        let tidy = super::people::tidy(text);
        let edited = prose::edited(&composed.generated, &tidy);
        for (line, says) in edited.into_iter().chain(prose::dangling(&composed.generated, &tidy)) {
            self.differs(REVIEW, Some(line), says);
        }
        for conflict in &composed.conflicts {
            let says = format!("a conflict under `{}` is not resolved", escape::plain(&conflict.section));
            self.note(REVIEW, Some(conflict.line), says);
        }
        self.status(&composed);
        self.base(&kept);
        let stale = *text != composed.texts[2];
        if stale {
            self.note(REVIEW, None, "`firedrill review` has newer text to bring in");
        }
        for (at, name) in [(1, FILES[1]), (3, FILES[3])] {
            match self.read(name) {
                None => self.differs(name, None, "it is missing or no text; `firedrill review` writes it"),
                Some(found) if found != composed.texts[at] => self.page(name, &found, &kept, &composed.texts[at]),
                Some(_) => {}
            }
        }
    }

    /// What stands in the way of the status that the review says it has.
    fn status(&mut self, composed: &Composed) {
        let status = composed.review.standing.status;
        for (line, says) in open::waiting(composed, self.folder).obstacles(status) {
            self.note(REVIEW, line, format!("the status is {status}, but {says}"));
        }
    }

    /// A file that nobody edits. The page shows what people wrote, so it falls behind when they write on.
    fn page(&mut self, name: &str, found: &str, kept: &Kept, expected: &str) {
        let edited = kept.review.as_deref().map(super::people::tidy) != kept.base;
        let line = found.lines().zip(expected.lines()).position(|(a, b)| a != b).map(|at| at + 1);
        if edited && name == FILES[3] {
            self.note(name, None, "it does not show review.md as it is now; `firedrill review` writes it again");
        } else {
            self.differs(name, line, "it is not what the run folder gives; `firedrill review` writes it again");
        }
    }

    /// What was generated last, against the same, generated again with the status of then.
    fn base(&mut self, kept: &Kept) {
        let Some(base) = &kept.base else {
            return self.note(
                BASE,
                None,
                "it is missing, so that what people wrote cannot be told from what was generated",
            );
        };
        let draft = Standing::of(self.findings);
        let then = Standing::read(base, &draft).unwrap_or(draft);
        let review = super::model::Review::of(self.findings).standing(then);
        let expected = super::markdown(&review);
        if let Some(change) = super::people::changes(&expected, base).first() {
            self.differs(BASE, Some(change.line), "it is not what the run folder gives; nobody needs to edit it");
        }
    }
}

fn difference(file: &str, line: Option<usize>, says: String) -> Difference {
    Difference { file: escape::plain(file), line, says: escape::plain(&says) }
}

fn changed(who: &str, then: &str, now: &str) -> String {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    format!("its sha256 is {}, {who} says {}", short(now), short(then))
}

/// `line 3 is event 3 where ...`
fn line_in(text: &str) -> Option<usize> {
    let rest = text.split_once("line ")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Where two JSON values differ: pointer, and what is there and what was expected. What is at some pointers is left out.
fn compare(kept: &Value, now: &Value, at: String, without: &[&str], found: &mut Vec<(String, String)>) {
    if without.contains(&at.as_str()) {
        return;
    }
    match (kept, now) {
        (Value::Object(kept), Value::Object(now)) => {
            for (key, value) in now {
                let inside = format!("{at}/{key}");
                match kept.get(key) {
                    Some(inner) => compare(inner, value, inside, without, found),
                    None if without.contains(&inside.as_str()) => {}
                    None => found.push((inside, format!("missing, the run folder gives {}", short(value)))),
                }
            }
            for key in kept.keys().filter(|key| !now.contains_key(*key)) {
                found.push((format!("{at}/{key}"), "the run folder gives no such thing".into()));
            }
        }
        (Value::Array(kept), Value::Array(now)) => {
            if kept.len() != now.len() {
                found.push((at.clone(), format!("{} entries, the run folder gives {}", kept.len(), now.len())));
            }
            for (i, (kept, now)) in kept.iter().zip(now).enumerate() {
                compare(kept, now, format!("{at}/{i}"), without, found);
            }
        }
        (kept, now) if kept == now => {}
        (kept, now) => found.push((at, format!("{} here, the run folder gives {}", short(kept), short(now)))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A pointer with the figure's id in place of its number: `figures/time-to-recover/checkout/measured/value`.
fn named(pointer: &str, result: &Value) -> String {
    let mut parts = pointer.trim_start_matches('/').splitn(3, '/');
    let (list, index, rest) = (parts.next().unwrap_or(""), parts.next(), parts.next().unwrap_or(""));
    let id =
        index.and_then(|i| result.get(list)?.get(i.parse::<usize>().ok()?)?.get("id")?.as_str().map(str::to_owned));
    match id {
        Some(id) => format!("{id} ({rest})"),
        None => pointer.trim_start_matches('/').replace('/', "."),
    }
}

#[cfg(test)]
mod tests;
