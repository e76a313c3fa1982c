//! What a run came to, complete enough for a review to be written from it and from nothing else.
//!
//! Units: every `At` is nanoseconds since the start of the run (wall time = [`RunFacts::started`] + `At`;
//! t+seconds = `At` - [`RunFacts::t0`]); every `_ns` is nanoseconds; every share is a fraction of 1.
//! What could not be measured is `None` or carries its reason; it is never 0.

mod beside;
mod doubt;
mod faults;
pub use beside::*;
pub use doubt::*;
pub use faults::*;

use super::{
    Absent, AlertFindings, Evidence, EvidenceId, Figure, FigureKind, LogBurst, Objective, Place, TimelineRow, Value,
    Verdict,
    probes::{Criterion, ProbeFindings},
};
use crate::{
    clock::At,
    container::{Container, EngineInfo},
    event::{EarlierRun, FaultId, NoteKind, OpenItem, Phase, Terms},
    measure::ProbeId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of [`Findings`], for `result.json`.
pub const FINDINGS_FORMAT: u32 = 1;

/// Everything that a review says, as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// [`FINDINGS_FORMAT`].
    pub format: u32,
    /// Which run, of what, where, with which tools.
    pub run: RunFacts,
    /// What was promised and how it is judged, as the journal has it.
    pub terms: Terms,
    /// Three facts, one word, one code.
    pub verdict: Verdict,
    /// The phases that the run reached, in order, as the analysis places them (see [`PhaseWindow`]).
    pub phases: Vec<PhaseWindow>,
    /// The tries of the gate, in order.
    pub baseline_tries: Vec<BaselineTry>,
    /// What was chosen, and the containers that were watched.
    pub scope: Scope,
    /// One row for each limit, in the order baseline, during, recovery, unaffected.
    pub criteria: Vec<Criterion>,
    /// In the order of [`crate::event::Terms::probes`]: `probes[id]`.
    pub probes: Vec<ProbeFindings>,
    /// The probe that tiles and sentences are about: the judged one named like `of`, else the first judged load,
    /// else the first judged probe, else the first.
    pub main_probe: Option<ProbeId>,
    /// In the order of [`crate::event::Terms::faults`]: `faults[id]`.
    pub faults: Vec<FaultFindings>,
    /// What the alerts did; `None`: no alert source is connected.
    pub alerts: Option<AlertFindings>,
    /// All figures; look one up with [`Findings::figure`].
    pub figures: Vec<Figure>,
    /// Everything that happened, in order.
    pub timeline: Vec<TimelineRow>,
    /// What happened to containers that were not targets.
    pub blast: Vec<Neighbour>,
    /// What containers used.
    pub usage: Vec<UsageSeries>,
    /// What people said.
    pub notes: Vec<Note>,
    /// Guards that tripped.
    pub guards: Vec<GuardTrip>,
    /// Reasons to distrust a figure, worst first.
    pub doubts: Vec<Doubt>,
    /// Earlier runs of the same scenario, newest first.
    pub earlier: Vec<EarlierRun>,
    /// Where the journal tells of them.
    pub earlier_at: Option<EvidenceId>,
    /// Action items of their reviews that were open when this run began, oldest first.
    #[serde(default)]
    pub open_before: Vec<OpenItem>,
    /// Log files of containers in the run folder.
    pub logs: Vec<LogFile>,
    /// What they began to print when the fault came.
    #[serde(default)]
    pub bursts: Vec<LogBurst>,
    /// What an [`EvidenceId`] stands for.
    pub evidence: Vec<Evidence>,
    /// The same down to bytes, with digests, in the same order; `None` where the folder does not hold it.
    pub places: Vec<Option<Place>>,
}

impl Findings {
    /// A figure by what it tells and whose it is.
    pub fn figure(&self, kind: FigureKind, probe: Option<ProbeId>, fault: Option<FaultId>) -> Option<&Figure> {
        self.figures.iter().find(|f| f.kind == kind && f.probe == probe && f.fault == fault)
    }

    /// A phase, if the run reached it.
    pub fn phase(&self, phase: Phase) -> Option<&PhaseWindow> {
        self.phases.iter().find(|w| w.phase == phase)
    }

    /// The probe that the review is about.
    pub fn main(&self) -> Option<&ProbeFindings> {
        self.probes.get(usize::from(self.main_probe?))
    }
}

/// Where the truth lies when it is not known exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval<T> {
    /// Not before (not less than).
    pub low: T,
    /// Not after (not more than).
    pub high: T,
}

impl Interval<At> {
    /// The best single guess.
    pub fn middle(&self) -> At {
        self.low.midpoint(self.high)
    }
}

/// Which run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Its id, also the name of its folder.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// One line for people.
    pub title: String,
    /// What was believed.
    pub hypothesis: Option<String>,
    /// The user-facing service.
    pub of: Option<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Wall time at `At` 0.
    pub started: Timestamp,
    /// The last event's moment.
    pub ended: At,
    /// IANA name of the zone people here think in.
    pub time_zone: String,
    /// The tool's version.
    pub version: String,
    /// The runner's host name.
    pub host: String,
    /// The container engine, if it answered.
    pub engine: Option<EngineInfo>,
    /// How far the engine's clock was ahead of ours, nanoseconds; its stamps are moved by that.
    #[serde(default)]
    pub engine_clock_ns: Option<Interval<i64>>,
    /// The seed of all chance.
    pub seed: u64,
    /// What was typed.
    pub command: Vec<String>,
    /// `git describe` of the scenario's folder.
    pub git: Option<String>,
    /// Where the scenario was read from.
    pub scenario_path: String,
    /// sha256 of the scenario file.
    pub scenario_digest: String,
    /// The files of evidence in the run folder, with their digests, by name.
    pub files: Vec<EvidenceFile>,
    /// The digests that the journal has of them, taken when the run ended; empty if it has none.
    pub sealed: Vec<EvidenceFile>,
    /// The journal stops before the end of the run.
    pub cut_short: bool,
    /// When the gate passed: t=0. `None`: nothing was injected.
    pub t0: Option<At>,
}

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFile {
    /// Relative to the run folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// sha256, hexadecimal.
    pub digest: String,
}

/// A phase of the run. `baseline` is the window that was judged last; `during` starts when the first fault may
/// have become effective and ends when the last undo surely was; `recovery` starts there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseWindow {
    /// Which.
    pub phase: Phase,
    /// Its start.
    pub from: At,
    /// Its end.
    pub to: At,
    /// The lines it was read from.
    pub evidence: Vec<EvidenceId>,
}

/// One try of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineTry {
    /// 1, 2 or 3.
    pub attempt: u32,
    /// Its start.
    pub from: At,
    /// Its end.
    pub to: At,
    /// Whether all limits held, as the engine judged it then.
    pub met: bool,
    /// What it measured, one line a limit.
    pub readings: Vec<String>,
    /// Where.
    pub evidence: EvidenceId,
}

/// What the drill was aimed at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Snapshots of the targets, by target name.
    pub targets: BTreeMap<String, Vec<Container>>,
    /// How they were chosen, one line each.
    pub choices: Vec<String>,
    /// Names of the containers that were watched but not touched.
    pub neighbours: Vec<String>,
    /// Snapshots of those.
    pub watched: Vec<Container>,
    /// Where.
    pub evidence: Option<EvidenceId>,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: At,
    /// What kind of remark.
    pub kind: NoteKind,
    /// Their words.
    pub text: String,
    /// Their login name.
    pub who: String,
    /// Where.
    pub evidence: EvidenceId,
}

/// A guard that tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuardTrip {
    /// When.
    pub at: At,
    /// Position in [`crate::event::Terms::guards`].
    pub guard: usize,
    /// The condition for people: `checkout errors > 30% for 10s`.
    pub condition: String,
    /// What was measured.
    pub measured: String,
    /// Whether it halted the drill.
    pub halted: bool,
    /// Where.
    pub evidence: EvidenceId,
}

/// A value beside what it is compared with; for tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Measured, or why not.
    pub value: Result<Value, Absent>,
    /// Over how many requests.
    pub n: Option<u64>,
    /// Promised.
    pub objective: Option<Objective>,
}
