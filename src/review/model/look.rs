//! Findings with the questions that every section asks of them: when was that, whose is it, where is it shown.

use super::Told;
use crate::{
    analysis::{EvidenceId, Figure, FigureKind, Findings, Happening, PhaseStats, ProbeFindings, RunOutcome, Value},
    clock::{At, wall},
    event::{FaultId, Phase},
    measure::ProbeId,
    review::quantity,
};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

/// A way to look at findings.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What is looked at.
    pub findings: &'a Findings,
}

/// A moment, in both of its readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct When {
    /// `t+30.012s`, or `start+1.2s` in a run that did not get to t=0.
    pub t: String,
    /// `10:00:30.012`
    pub utc: String,
}

impl<'a> Look<'a> {
    /// At these findings.
    pub fn at(findings: &'a Findings) -> Look<'a> {
        Look { findings }
    }

    /// Nanoseconds since t=0 (since the start, without a t=0).
    pub fn since_zero(&self, at: At) -> i64 {
        at as i64 - self.findings.run.t0.unwrap_or(0) as i64
    }

    /// Seconds since t=0, for charts.
    pub fn seconds(&self, at: At) -> f64 {
        self.since_zero(at) as f64 / 1e9
    }

    /// A moment for tables, to the millisecond.
    pub fn when(&self, at: At) -> When {
        When { t: self.t(at, quantity::moment_ms), utc: quantity::utc_time_ms(wall(self.findings.run.started, at)) }
    }

    fn t(&self, at: At, print: fn(i64) -> String) -> String {
        let text = print(self.since_zero(at));
        match self.findings.run.t0 {
            Some(_) => text,
            None => format!("start{}", text.trim_start_matches('t')),
        }
    }

    /// A moment within a sentence: `t+30.0s (10:00:30 UTC)`.
    pub fn moment(&self, at: At) -> String {
        let utc = quantity::utc_time(wall(self.findings.run.started, at));
        format!("{} ({utc} UTC)", self.t(at, quantity::moment))
    }

    /// A moment within a sentence that has named the clock already: `t+30.0s`.
    pub fn short(&self, at: At) -> String {
        self.t(at, quantity::moment)
    }

    /// The start on the clocks of the people there, unless those show UTC or the zone is not known here.
    pub fn local_start(&self) -> Option<String> {
        let run = &self.findings.run;
        let zone = TimeZone::get(&run.time_zone).ok()?;
        let local = run.started.to_zoned(zone);
        if local.offset().seconds() == 0 {
            return None;
        }
        Some(format!("{} {}", local.strftime("%H:%M:%S"), run.time_zone))
    }

    /// A probe's name.
    pub fn probe_name(&self, id: ProbeId) -> &'a str {
        self.findings.probes.get(usize::from(id)).map_or("a probe", |p| p.name.as_str())
    }

    /// A fault for people.
    pub fn fault_label(&self, id: FaultId) -> &'a str {
        self.findings.faults.get(id).map_or("a fault", |f| f.label.as_str())
    }

    /// The probe that the review is about.
    pub fn main(&self) -> Option<&'a ProbeFindings> {
        self.findings.main()
    }

    /// A phase of the probe that the review is about.
    pub fn main_phase(&self, phase: Phase) -> Option<&'a PhaseStats> {
        self.main()?.phase(phase)
    }

    /// A figure of the probe that the review is about.
    pub fn figure(&self, kind: FigureKind) -> Option<&'a Figure> {
        self.findings.figure(kind, self.findings.main_probe, None)
    }

    /// A time among the figures of the main probe, in nanoseconds.
    pub fn time(&self, kind: FigureKind) -> Option<u64> {
        match self.figure(kind)?.value {
            Ok(Value::Time(ns)) => Some(ns.max(0) as u64),
            _ => None,
        }
    }

    /// Evidence as it is cited.
    pub fn cite(&self, ids: &[EvidenceId]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    /// Evidence of two kinds, each place once, at most so many.
    pub fn cite_some(&self, ids: impl IntoIterator<Item = EvidenceId>, most: usize) -> Vec<String> {
        let mut known = Vec::new();
        for id in ids {
            if known.len() < most && !known.contains(&id) {
                known.push(id);
            }
        }
        self.cite(&known)
    }

    /// Where the terms of the drill stand: the first line of the journal.
    pub fn terms_evidence(&self) -> Vec<EvidenceId> {
        let first = self.findings.timeline.iter().find(|row| matches!(row.what, Happening::RunStarted));
        first.map(|row| row.evidence.clone()).unwrap_or_default()
    }

    /// Where the requests of the main probe lie that its figures are computed from.
    pub fn requests_evidence(&self) -> Vec<EvidenceId> {
        self.main().into_iter().flat_map(|main| &main.phases).flat_map(|phase| phase.evidence.clone()).collect()
    }

    /// Where it is recorded that the faults were applied.
    pub fn faults_evidence(&self) -> Vec<EvidenceId> {
        let applied = self.findings.faults.iter().filter(|fault| fault.requested.is_some());
        applied.flat_map(|fault| fault.evidence.iter().take(3).copied()).collect()
    }

    /// A sentence with its evidence: each place once, at most four.
    pub fn told(&self, text: impl Into<String>, evidence: impl IntoIterator<Item = EvidenceId>) -> Told {
        Told { text: text.into(), evidence: self.cite_some(evidence, 4) }
    }

    /// Whether nothing was injected.
    pub fn not_started(&self) -> bool {
        matches!(self.findings.verdict.run, RunOutcome::NotStarted(_))
    }

    /// The first moment at which a fault was effective and the last at which one was, as far as is known.
    pub fn fault_window(&self) -> Option<(At, At)> {
        let faults = || self.findings.faults.iter();
        let from = faults().filter_map(|f| f.effective.map(|e| e.low)).min()?;
        let to = faults().filter_map(|f| f.removed.or(f.effective).map(|e| e.high)).max()?;
        Some((from, to.max(from)))
    }
}

/// `a`, `a and b`, `a, b and c`; more than `most` are counted.
pub fn list(items: &[String], most: usize) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        _ if items.len() > most => {
            format!("{} and {} more", items[..most].join(", "), items.len() - most)
        }
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// As people read a phase.
pub fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Preflight => "preflight",
        Phase::WarmUp => "warm-up",
        Phase::Baseline => "baseline",
        Phase::During => "during",
        Phase::Recovery => "recovery",
        Phase::Report => "report",
    }
}
