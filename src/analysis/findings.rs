//! What a run came to, complete enough for a review to be written from it and from nothing else.
//!
//! Units: every `At` is nanoseconds since the start of the run (wall time = [`RunFacts::started`] + `At`;
//! t+seconds = `At` - [`RunFacts::t0`]); every `_ns` is nanoseconds; every share is a fraction of 1.
//! What could not be measured is `None` or carries its reason; it is never 0.

use super::{
    Absent, AlertFindings, Evidence, EvidenceId, Figure, FigureKind, LogBurst, Objective, Place, TimelineRow, Value,
    Verdict,
    probes::{Criterion, ProbeFindings},
};
use crate::{
    agent::{protocol::Counters, work::Figures},
    clock::At,
    container::{Container, EngineInfo, Op},
    event::{Difference, EarlierRun, FaultId, NoteKind, OpenItem, Phase, Terms, UndoReason},
    measure::ProbeId,
    units::Span,
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

/// One fault, from due to undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultFindings {
    /// Its position.
    pub id: FaultId,
    /// `kill`, `pause`, ...
    pub kind: String,
    /// For people: `kill cache (SIGKILL)`.
    pub label: String,
    /// When it was due (`None` if the run did not get to t=0).
    pub intended: Option<At>,
    /// Intended length; `None`: momentary, or held to the end.
    pub length: Option<Span>,
    /// Whether it holds something that is undone.
    pub held: bool,
    /// When its first request was sent.
    pub requested: Option<At>,
    /// When the first container felt it: not before `low`, not after `high`.
    pub effective: Option<Interval<At>>,
    /// When the undo was asked for.
    pub undo_requested: Option<At>,
    /// Why then.
    pub undo_reason: Option<UndoReason>,
    /// When the last container was free of it.
    pub removed: Option<Interval<At>>,
    /// Who ended it, if it was not us: `restart policy`, ...
    pub ended_by: Option<String>,
    /// For how long, between its effect and its removal, it had nothing to hit (ns): its container was down.
    pub lost_ns: u64,
    /// Why it was left out, if it was.
    pub skipped: Option<String>,
    /// Whether every container was seen to have it. `None`: it was not injected or not looked at.
    pub proven: Option<bool>,
    /// Whether every container was seen to be free of it. `None`: there was nothing to undo, or nobody looked.
    pub undo_proven: Option<bool>,
    /// Each container.
    pub containers: Vec<FaultOn>,
    /// Where it is recorded.
    pub evidence: Vec<EvidenceId>,
}

/// A fault on one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultOn {
    /// Its name.
    pub container: String,
    /// When it felt it.
    pub effective: Option<Interval<At>>,
    /// When it was free of it.
    pub removed: Option<Interval<At>>,
    /// Read back after injection: proven or not, and what was seen.
    pub proof: Option<(bool, String)>,
    /// Read back after the undo: proven or not, and what differed.
    pub undo_proof: Option<(bool, Vec<Difference>)>,
    /// Every operation, in order.
    pub operations: Vec<Operation>,
    /// What its agent came to, if it is about processes or resources and an agent has counted.
    pub worked: Option<Worked>,
    /// What it did to packets, if it is about packets and an agent has counted.
    pub packets: Option<Packets>,
}

/// What work on processes or resources came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worked {
    /// As its agent counted last.
    pub figures: Figures,
    /// Where it is recorded.
    pub evidence: EvidenceId,
}

/// What a fault did to packets, as its agents counted: one, or several in a row when the container was started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Packets {
    /// All counts together. The times are those of the agent that saw most.
    pub counters: Counters,
    /// Where it is recorded: rules read back, and the last counts of each agent.
    pub evidence: Vec<EvidenceId>,
}

impl Packets {
    /// How many it did something to, or could have by its share.
    pub fn touched(&self) -> u64 {
        self.counters.cut + self.counters.meant
    }

    /// Which part of the packets that it is about got past it, because its agent was too slow.
    pub fn leaked_share(&self) -> f64 {
        if self.counters.hit == 0 { 0.0 } else { self.counters.leaked as f64 / self.counters.hit as f64 }
    }
}

/// An operation that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Of an undo.
    pub undo: bool,
    /// What.
    pub op: Op,
    /// Request sent.
    pub sent: At,
    /// Answer received.
    pub answered: At,
    /// `None` if all is well, else what the engine said.
    pub error: Option<String>,
    /// Where.
    pub evidence: EvidenceId,
}

/// What happened to a container that was not a target. Only those to which something happened, and those that
/// `expect.unaffected` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its name.
    pub container: String,
    /// Its compose service.
    pub service: Option<String>,
    /// Named by `expect.unaffected`.
    pub must_be_unaffected: bool,
    /// Times it ended.
    pub dies: u32,
    /// Times it started.
    pub starts: u32,
    /// Times the kernel's out-of-memory killer struck.
    pub ooms: u32,
    /// Health changes, in order: when, and to what (`unhealthy`).
    pub health: Vec<(At, String)>,
    /// Whether it went bad from the first fault on: out of memory, unhealthy, or ended with an error (for one
    /// that must be unaffected: ended at all).
    pub bad: bool,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// What a container used over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageSeries {
    /// Its name.
    pub container: String,
    /// Whether it was a target.
    pub target: bool,
    /// In order.
    pub points: Vec<UsagePoint>,
    /// The lines of the journal from the first sample to the last.
    pub evidence: Option<EvidenceId>,
}

/// What a container used between the sample before and this one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UsagePoint {
    /// When.
    pub at: At,
    /// Cores busy since the sample before (1.0 = one core); `None` for the first and after a restart.
    pub cores: Option<f64>,
    /// Memory, bytes.
    pub memory: u64,
    /// Memory limit, bytes; `None` is none.
    pub memory_limit: Option<u64>,
    /// Bytes received a second; `None` as for `cores`.
    pub rx_per_s: Option<f64>,
    /// Bytes sent a second.
    pub tx_per_s: Option<f64>,
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

/// A reason to distrust.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// What is wrong.
    pub kind: DoubtKind,
    /// Whether it made the verdict undecided.
    pub decisive: bool,
    /// Where it shows.
    pub evidence: Vec<EvidenceId>,
}

/// What can be wrong with a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// The journal stops before the run ended.
    CutShort,
    /// The journal is damaged; what the reader said.
    Damaged(String),
    /// Part of the evidence could not be written.
    EvidenceLost {
        /// Which file.
        file: String,
        /// What the system said.
        detail: String,
    },
    /// Requests that were due and are not in the log.
    Missing {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// How many.
        missing: u64,
        /// Of how many due.
        due: u64,
    },
    /// More unknown ticks than a phase may have.
    Unknown {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// Unknown ticks / ticks.
        share: f64,
    },
    /// The generator sent late by its own fault.
    GeneratorBehind {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// Seconds behind / seconds.
        share: f64,
    },
    /// Too few requests for the percentile that was promised.
    TooFew {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// How many there were.
        n: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The engine's events were not seen for a while.
    EngineLost {
        /// From.
        from: At,
        /// To; the end of the run if it did not come back.
        to: At,
    },
    /// The alert source could not be read for a while.
    AlertSourceLost {
        /// From the last answer before.
        from: At,
        /// To the first one after, or to the end of the watch.
        to: At,
    },
    /// Nobody would have undone anything after a SIGKILL of the runner, by wish.
    NoKeeper,
    /// Nobody would have undone anything after a SIGKILL of the runner in this time.
    KeeperLost {
        /// From.
        from: At,
        /// To; the end of the run if it did not come back.
        to: At,
    },
    /// The moment of a fault is known only to within this (ns).
    FaultTimeVague {
        /// Which fault.
        fault: FaultId,
        /// Width of the interval.
        width_ns: u64,
    },
    /// The runner's wall clock was stepped by this (ns); figures are monotonic and not touched by it.
    WallClockStepped(i64),
    /// Events of kinds that this version does not know: how many.
    UnknownEvents(u64),
}

/// A container's log in the run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// The container.
    pub container: String,
    /// Relative to the run folder.
    pub file: String,
    /// Bytes.
    pub bytes: u64,
    /// Whether older lines were cut.
    pub cut: bool,
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
