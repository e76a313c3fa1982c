//! Three facts, then one word and one code.

use super::EvidenceId;
use crate::{
    event::{FaultId, NotStarted, Phase},
    measure::ProbeId,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The word of the banner.
    pub word: Word,
    /// The exit code (`--strict` is applied by the command line, from `low_margin`).
    pub code: u8,
    /// Is everything put back?
    pub cleanup: Cleanup,
    /// Did the run go through?
    pub run: RunOutcome,
    /// Did the hypothesis hold? Judged as far as the data go, whatever became of the run.
    pub hypothesis: Hypothesis,
    /// Why each fact is as it is, weightiest first. Never empty unless all is plainly well.
    pub reasons: Vec<Reason>,
    /// The smallest margin of all criteria that are met or broken, and its position in
    /// [`super::Findings::criteria`].
    pub smallest_margin: Option<(f64, usize)>,
    /// Held, and the smallest margin is under 20 %.
    pub low_margin: bool,
    /// Held, and no probe saw any impact at this load.
    pub no_impact: bool,
}

/// The words of the banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Code 0.
    Held,
    /// Code 0; 1 with `--strict`.
    HeldLowMargin,
    /// Code 1.
    Violated,
    /// Code 1: it did not recover, or not in time.
    NotRecovered,
    /// Code 4.
    Halted,
    /// Code 130.
    Stopped,
    /// Code 6; or 2 if nothing was promised.
    Undecided,
    /// Code 3, 4, 7 or 130.
    NotStarted,
    /// Code 5.
    CleanupUnproven,
}

/// `HELD, LOW MARGIN`
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Word::Held => "HELD",
            Word::HeldLowMargin => "HELD, LOW MARGIN",
            Word::Violated => "VIOLATED",
            Word::NotRecovered => "NOT RECOVERED",
            Word::Halted => "HALTED",
            Word::Stopped => "STOPPED",
            Word::Undecided => "UNDECIDED",
            Word::NotStarted => "NOT STARTED",
            Word::CleanupUnproven => "CLEANUP UNPROVEN",
        })
    }
}

/// Is everything put back?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// Every undo was read back, or nothing was touched.
    Proven,
    /// Not everything.
    Unproven,
}

/// Did the run go through?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// All phases.
    Complete,
    /// Nothing was injected.
    NotStarted(NotStarted),
    /// A guard: position in [`super::Findings::guards`].
    Halted(usize),
    /// A person or signal.
    Stopped(String),
    /// The runner ended it early by itself: a fault did not go in, or a part of the runner failed.
    GaveUp,
    /// The journal just ends (the runner was killed, the disk was full).
    CutShort,
}

/// Did the hypothesis hold?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hypothesis {
    /// All criteria met.
    Held,
    /// At least one broken, by a fault that is proven.
    Violated,
    /// The data do not tell.
    Undecided,
}

/// Why a fact is as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What.
    pub why: Why,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// What makes or unmakes a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// An undo was not proven.
    UndoUnproven {
        /// Of which fault.
        fault: FaultId,
        /// Where.
        container: String,
        /// What is not as it was, for people.
        detail: String,
    },
    /// A criterion is broken: position in [`super::Findings::criteria`].
    Broken(usize),
    /// A criterion could not be judged: position in [`super::Findings::criteria`].
    Unjudged(usize),
    /// A container that we started again ended afterwards.
    DiedAfterUndo {
        /// Which.
        container: String,
        /// With which code.
        exit_code: Option<i64>,
    },
    /// A fault was not seen to be in place.
    FaultUnproven {
        /// Which.
        fault: FaultId,
        /// What was seen instead.
        detail: String,
    },
    /// A fault was effective for less than 90 % of `for`.
    EffectiveTooShort {
        /// Which.
        fault: FaultId,
        /// Effective / `for`.
        share: f64,
    },
    /// A fault on resources was in place, and its containers never met it.
    NotFelt {
        /// Which.
        fault: FaultId,
    },
    /// No fault touched anything.
    TouchedNothing,
    /// A packet fault was in place, and no packet came by.
    NoPackets {
        /// Which.
        fault: FaultId,
    },
    /// Too many packets got past a fault, because its agent was too slow or could hold no more.
    Leaked {
        /// Which.
        fault: FaultId,
        /// Leaked / met.
        share: f64,
    },
    /// Too many unknown ticks.
    UnknownTicks {
        /// Of which probe.
        probe: ProbeId,
        /// In which phase.
        phase: Phase,
        /// Unknown / all.
        share: f64,
        /// Whether it was the generator that fell behind.
        behind: bool,
    },
    /// Part of the evidence is lost: what.
    EvidenceLost(String),
    /// The journal stops before the run ended.
    CutShort,
    /// Nothing was promised.
    NothingToJudge,
}
