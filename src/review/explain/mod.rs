//! A figure taken apart: its definition, its formula with the numbers put in, what went into it, and the raw lines.
//!
//! `names` gives every figure and criterion an id that stays the same from run to run, `formula` puts the numbers in,
//! `raw` opens the files that the evidence leads to, and `text` prints it all for people.

mod formula;
mod names;
mod raw;
#[cfg(test)]
mod tests;
mod text;

pub use formula::{Input, Worked};
pub use names::Names;
pub use raw::{Excerpt, Raw};
pub use text::{list, place as place_text, text};

use super::{model::Look, quantity};
use crate::{
    analysis::{Absent, Criterion, EvidenceId, Figure, Findings, Objective, Value},
    journal::RunFolder,
};
use serde::Serialize;

/// A figure or criterion, taken apart.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// `time-to-recover/checkout`
    pub id: String,
    /// `time to recover of checkout`
    pub name: String,
    /// As a review prints it.
    pub value: String,
    /// In the base unit; `None` if it was not measured.
    pub exact: Option<f64>,
    /// Where the truth lies, as a review prints it, if that is open.
    pub range: Option<[String; 2]>,
    /// Over how many.
    pub n: Option<u64>,
    /// What was promised, if anything was.
    pub promised: Option<String>,
    /// Distance to that as a share of it.
    pub margin: Option<f64>,
    /// How it is computed, in a sentence.
    pub definition: String,
    /// Formula and inputs.
    #[serde(flatten)]
    pub worked: Worked,
    /// Where it comes from, opened.
    pub evidence: Vec<Raw>,
}

/// An id and what it is called, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `time-to-recover/checkout`
    pub id: String,
    /// `time to recover of checkout`
    pub name: String,
    /// As a review prints it.
    pub value: String,
}

enum Subject<'a> {
    Figure(&'a Figure),
    Criterion(&'a Criterion),
}

/// Everything that can be explained, figures first.
pub fn entries(findings: &Findings) -> Vec<Entry> {
    subjects(findings).map(|(id, subject)| subject.entry(id, findings)).collect()
}

/// One of them; `None` if there is none of that id.
pub fn explain(folder: &RunFolder, findings: &Findings, id: &str) -> Option<Explained> {
    let (id, subject) = subjects(findings).find(|(known, _)| known == id)?;
    let look = Look::at(findings);
    let Entry { id, name, value } = subject.entry(id, findings);
    let (measured, objective, evidence) = subject.parts();
    let (range, n, margin) = match &subject {
        Subject::Figure(f) => (f.range, f.n, f.margin),
        Subject::Criterion(c) => (None, Some(c.n), c.margin),
    };
    let ends = range.map(|r| [Value::Time(r.low), Value::Time(r.high)].map(quantity::value));
    let (definition, worked) = match &subject {
        Subject::Figure(figure) => (figure.kind.definition().to_owned(), formula::of_figure(&look, figure)),
        Subject::Criterion(criterion) => formula::of_criterion(&look, criterion),
    };
    Some(Explained {
        id,
        name,
        value,
        exact: measured.ok().map(Value::number),
        range: ends.filter(|[low, high]| low != high),
        n,
        promised: objective.map(quantity::objective),
        margin,
        definition,
        evidence: raw::open_all(folder, findings, &all_evidence(&worked, evidence)),
        worked,
    })
}

/// A place by its evidence id, opened.
pub fn place(folder: &RunFolder, findings: &Findings, id: &str) -> Option<Raw> {
    let number = id.strip_prefix('e')?.parse().ok()?;
    findings.evidence.get(number)?;
    raw::open_all(folder, findings, &[EvidenceId(number)]).pop()
}

/// The ids that are spelt most like this one.
pub fn nearest(findings: &Findings, id: &str) -> Vec<String> {
    let likeness = |known: &str| {
        let whole = strsim::normalized_damerau_levenshtein(known, id);
        let part = if !id.is_empty() && known.contains(id) { 1.0 } else { 0.0 };
        (whole.max(part) * 1e6) as u64
    };
    let mut ids: Vec<String> = subjects(findings).map(|(id, _)| id).collect();
    ids.sort_by_key(|known| std::cmp::Reverse(likeness(known)));
    ids.retain(|known| likeness(known) >= 400_000);
    ids.truncate(4);
    ids
}

/// What was typed as the id of something: the id itself, or all of it up to the owner if only one has that.
pub fn resolve(findings: &Findings, typed: &str) -> Option<String> {
    let ids: Vec<String> = subjects(findings).map(|(id, _)| id).collect();
    if ids.iter().any(|id| id == typed) {
        return Some(typed.to_owned());
    }
    let mut begun = ids.into_iter().filter(|id| id.strip_prefix(typed).is_some_and(|rest| rest.starts_with('/')));
    let only = begun.next();
    only.filter(|_| begun.next().is_none())
}

fn subjects(findings: &Findings) -> impl Iterator<Item = (String, Subject<'_>)> {
    let names = Names::of(findings);
    let figures: Vec<_> = findings.figures.iter().map(|f| (names.figure(f), Subject::Figure(f))).collect();
    let criteria = findings.criteria.iter().map(move |c| (names.criterion(c), Subject::Criterion(c)));
    figures.into_iter().chain(criteria)
}

/// What the figure cites, and what its inputs cite, each once.
fn all_evidence(worked: &Worked, own: &[EvidenceId]) -> Vec<EvidenceId> {
    let of_inputs = worked.inputs.iter().flat_map(|input| &input.evidence);
    let mut all: Vec<EvidenceId> = own.iter().chain(of_inputs).copied().collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|id| seen.insert(*id));
    all
}

impl Subject<'_> {
    fn parts(&self) -> (Result<Value, Absent>, Option<Objective>, &[EvidenceId]) {
        match self {
            Subject::Figure(f) => (f.value, f.objective, &f.evidence),
            Subject::Criterion(c) => (c.measured, c.objective, &c.evidence),
        }
    }

    fn entry(&self, id: String, findings: &Findings) -> Entry {
        let look = Look::at(findings);
        let name = match self {
            Subject::Figure(figure) => match (figure.probe, figure.fault) {
                (Some(probe), _) => format!("{} of {}", figure.kind.name(), look.probe_name(probe)),
                (_, Some(fault)) => format!("{} of {}", figure.kind.name(), look.fault_label(fault)),
                _ => figure.kind.name().to_owned(),
            },
            Subject::Criterion(criterion) => super::model::criterion_name(&look, criterion),
        };
        let value = self.parts().0.map_or_else(|absent| absent.to_string(), quantity::value);
        Entry { id, name, value }
    }
}
