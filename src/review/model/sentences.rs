//! The three sentences above the fold, put together from the finished sections and from nothing else: a figure that no
//! section shows cannot stand here.

use super::{
    Fact, Sentence, Told,
    hypothesis::{CriterionRow, Expected},
    impact::{Impact, ImpactTable, Seen},
    look::list,
    response::Response,
    verdict::{capital, end_of_sentence},
};
use crate::review::quantity;

/// What the summary is made of.
pub struct Sections<'a> {
    /// Nothing was injected.
    pub not_started: bool,
    /// The journal stops before the end.
    pub cut_short: bool,
    /// Where the terms of the drill are recorded.
    pub terms: &'a [String],
    /// The tries of the gate.
    pub tries: &'a [Fact],
    /// Expected and observed.
    pub expected: &'a Expected,
    /// What users saw.
    pub impact: &'a Impact,
    /// Detection and response.
    pub response: &'a Response,
}

/// What we did; what users of the probe saw; how it ended.
pub fn three(sections: &Sections<'_>) -> Vec<Sentence> {
    let [did, saw, ended] = match sections.not_started {
        true => [
            sections.prepared(),
            sections.before_zero(),
            Parts::of("No fault was injected, so there was nothing to undo."),
        ],
        false => [sections.did(), sections.saw(), sections.ended()],
    };
    let leads = ["What we did", "What users of the probe saw", "How it ended"];
    leads.into_iter().zip([did, saw, ended]).map(|(lead, parts)| parts.sentence(lead)).collect()
}

/// A sentence that grows, with the evidence of its parts.
#[derive(Default)]
struct Parts {
    text: String,
    evidence: Vec<String>,
}

impl Parts {
    fn of(text: impl Into<String>) -> Parts {
        Parts { text: text.into(), evidence: vec![] }
    }

    fn say(mut self, text: &str) -> Parts {
        self.text.push_str(text);
        self
    }

    /// What a section says, between words of our own.
    fn tell(self, before: &str, told: &Told, after: &str) -> Parts {
        self.say(before).say(&told.text).say(after).cite(&told.evidence)
    }

    /// Each place once.
    fn cite(mut self, evidence: &[String]) -> Parts {
        for id in evidence {
            if !self.evidence.contains(id) {
                self.evidence.push(id.clone());
            }
        }
        self
    }

    fn sentence(self, lead: &'static str) -> Sentence {
        Sentence { lead, text: self.text, evidence: self.evidence }
    }
}

impl Sections<'_> {
    fn main(&self) -> Option<&ImpactTable> {
        self.impact.tables.first().filter(|_| self.impact.seen.is_some())
    }

    fn prepared(&self) -> Parts {
        match self.main() {
            Some(main) => Parts::of(format!(
                "Load {} ran at {} to see the baseline; no fault was applied.",
                main.probe, main.rate
            ))
            .cite(self.terms),
            None => Parts::of("Nothing was sent and no fault was applied.").cite(self.terms),
        }
    }

    fn before_zero(&self) -> Parts {
        let Some(last) = self.tries.last() else { return Parts::of("No load was sent.") };
        let times = quantity::plural(self.tries.len() as u64, "time", "times");
        let parts = Parts::of(format!("The baseline was judged {times}, last: {}.", end_of_sentence(&last.text)));
        self.tries.iter().fold(parts, |parts, attempt| parts.cite(&attempt.evidence))
    }

    fn did(&self) -> Parts {
        let applied: Vec<String> = self.response.applied.iter().map(|told| told.text.clone()).collect();
        let parts = match applied.is_empty() {
            true => Parts::of("No fault was injected"),
            false => Parts::of(format!("The drill applied {}", list(&applied, MOST_FAULTS))),
        };
        let parts =
            self.response.applied.iter().take(MOST_FAULTS).fold(parts, |parts, told| parts.cite(&told.evidence));
        match self.main() {
            Some(main) => parts.say(&format!(" while load {} ran at {}.", main.probe, main.rate)).cite(self.terms),
            None => parts.say("."),
        }
    }

    fn saw(&self) -> Parts {
        let (Some(main), Some(seen)) = (self.main(), &self.impact.seen) else {
            return Parts::of("No probe was watching.");
        };
        let name = capital(&main.probe);
        let Some(failed) = &seen.failed else {
            return Parts::of(format!("{name} did not reach the phase in which a fault was effective."));
        };
        let parts = Parts::of(format!("{name}: ")).tell("", failed, " requests failed");
        let parts = promise(parts, self.expected.failed());
        let parts = promise(slowed(parts, main), self.expected.slow());
        let others: Vec<String> = seen.others.iter().map(|told| told.text.clone()).collect();
        let parts = hurt(parts, seen);
        match others.is_empty() {
            true => parts,
            false => {
                let parts = parts.say(&format!(" Also affected: {}.", list(&others, MOST_OTHERS)));
                seen.others.iter().take(MOST_OTHERS).fold(parts, |parts, told| parts.cite(&told.evidence))
            }
        }
    }

    fn ended(&self) -> Parts {
        let ending = &self.response.ending;
        let parts = Parts::of(end_of_sentence(&ending.text)).cite(&ending.evidence);
        let mut parts = promise(parts, self.expected.recovered()).say(".");
        if self.cut_short {
            parts = parts.say(" The journal stops there: the run was cut short.");
        }
        parts = parts.tell(" ", &self.response.detected, "");
        match &self.response.cleanup {
            Some(cleanup) => parts.tell(" ", cleanup, ""),
            None => parts,
        }
    }
}

/// How many faults and probes are named; the others are counted.
const MOST_FAULTS: usize = 3;
const MOST_OTHERS: usize = 4;

/// The highest of these percentiles that N carries during the fault, before and then.
fn slowed(parts: Parts, main: &ImpactTable) -> Parts {
    let row = ["p99", "p90", "p50"].into_iter().find(|row| main.cell(row, "during").is_some());
    let Some(row) = row else { return parts };
    match (main.cell(row, "before"), main.cell(row, "during")) {
        (Some(before), Some(then)) => parts.tell(&format!("; {row} went from "), &before, "").tell(" to ", &then, ""),
        (None, Some(then)) => parts.tell(&format!("; {row} was "), &then, ""),
        _ => parts,
    }
}

fn hurt(parts: Parts, seen: &Seen) -> Parts {
    match (&seen.began, &seen.lasted) {
        (None, _) => parts.say("; no impact was observed at this load."),
        (Some(began), Some(lasted)) => parts.tell("; impact began at ", began, "").tell(", and lasted ", lasted, "."),
        (Some(began), None) => parts.tell("; impact began at ", began, ", and was not over when the watch ended."),
    }
}

/// ` (promised p99 <= 400ms from t+5.0s: 212ms, N = 5,000, margin +47%)`
fn promise(parts: Parts, row: Option<&CriterionRow>) -> Parts {
    let Some(row) = row.filter(|row| row.status != "not reached") else { return parts };
    let (what, when) = match row.what.as_str() {
        "recovered within" => ("", " after removal"),
        "failed in all" => ("", " during the fault"),
        what => (what, ""),
    };
    let gap = if what.is_empty() { "" } else { " " };
    let from = row.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    let of = |name: &str, value: &str| if value == "–" { String::new() } else { format!(", {name} {value}") };
    let (n, margin) = (of("N =", &row.n), of("margin", &row.margin));
    let promised = format!("{what}{gap}{}{when}{from}", row.expected);
    parts.say(&format!(" (promised {promised}: {}{n}{margin})", row.measured)).cite(&row.evidence)
}
