//! What happened, row by row, as typed facts: the review finds the words.

use super::EvidenceId;
use crate::{
    clock::At,
    event::{AlertState, FaultId, NotStarted, NoteKind, Phase, UndoReason},
    measure::ProbeId,
};
use serde::{Deserialize, Serialize};

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// When.
    pub at: At,
    /// It happened between `at` and so much later (ns); `None`: exact on the runner's clock.
    pub give_or_take_ns: Option<u64>,
    /// Who says so.
    pub source: Source,
    /// What happened.
    pub what: Happening,
    /// Belongs to the story in its shortest form.
    pub milestone: bool,
    /// Where.
    pub evidence: Vec<EvidenceId>,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The runner.
    Runner,
    /// The container engine.
    Engine,
    /// Computed from the request log.
    Probe,
    /// The alert source.
    Alerts,
    /// Somebody.
    Person,
}

/// What can stand in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// The run began.
    RunStarted,
    /// Targets chosen: how many containers.
    TargetsChosen(usize),
    /// Load and probes began.
    LoadStarted,
    /// A phase began.
    PhaseStarted(Phase),
    /// A try of the gate.
    BaselineJudged {
        /// Which.
        attempt: u32,
        /// Met.
        met: bool,
    },
    /// t=0.
    GatePassed,
    /// Nothing was injected.
    NotStarted(NotStarted),
    /// A fault was asked for.
    FaultRequested(FaultId),
    /// A fault became effective on a container.
    FaultEffective {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
    },
    /// A fault was read back.
    FaultChecked {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
        /// Proven.
        proven: bool,
        /// What was seen.
        seen: String,
    },
    /// A fault was left out.
    FaultSkipped {
        /// Which.
        fault: FaultId,
        /// Why.
        why: String,
    },
    /// A fault ended without us.
    FaultEnded {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
        /// By what.
        by: String,
    },
    /// The network that a fault hits went away.
    FaultLost {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
        /// How.
        why: String,
    },
    /// A fault is in place again.
    FaultBack {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
    },
    /// The other ends of a packet fault have other addresses, and it follows them.
    PeersMoved {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
        /// All addresses.
        peers: Vec<String>,
    },
    /// An agent did not do what it was asked, or ended untold.
    AgentTrouble {
        /// Beside which container.
        container: String,
        /// What it was.
        why: String,
    },
    /// An operation failed.
    OperationFailed {
        /// Of which fault.
        fault: FaultId,
        /// Of its undo.
        undo: bool,
        /// Where.
        container: String,
        /// What the engine said.
        error: String,
    },
    /// An undo was asked for.
    UndoRequested {
        /// Of which fault.
        fault: FaultId,
        /// Why then.
        why: UndoReason,
    },
    /// A container was free of a fault.
    FaultRemoved {
        /// Which.
        fault: FaultId,
        /// Where.
        container: String,
    },
    /// An undo was read back.
    UndoChecked {
        /// Of which fault.
        fault: FaultId,
        /// Where.
        container: String,
        /// Proven.
        proven: bool,
    },
    /// First bad run begins, to the request.
    ImpactBegan(ProbeId),
    /// The mitigated limits hold from here, the fault still active.
    Mitigated(ProbeId),
    /// The last bad run ends, to the request.
    Recovered(ProbeId),
    /// And stayed so long enough.
    RecoveryConfirmed(ProbeId),
    /// A guard tripped.
    GuardTripped {
        /// Position in [`super::Findings::guards`].
        trip: usize,
    },
    /// Someone asked to stop.
    StopRequested(String),
    /// The engine saw something.
    ContainerChanged {
        /// Whose.
        container: String,
        /// `die`, `start`, `health_status: healthy`, ...
        action: String,
        /// With `die`.
        exit_code: Option<i64>,
        /// Whether it is a target.
        target: bool,
    },
    /// An alert changed, as its source says.
    AlertChanged {
        /// Its name, with labels.
        alert: String,
        /// What it is now.
        state: AlertState,
        /// Whether it is expected.
        expected: bool,
        /// It was so when the first answer came.
        already: bool,
    },
    /// The alert source could not be read: why.
    AlertSourceLost(String),
    /// And could again.
    AlertSourceBack,
    /// Engine events stopped.
    EngineLost(String),
    /// The keeper of the undo list was lost: why.
    KeeperLost(String),
    /// And came back.
    EngineBack,
    /// Evidence could not be written: the file.
    EvidenceLost(String),
    /// The wall clock stepped, ns.
    WallClockStepped(i64),
    /// Somebody said something.
    Noted {
        /// What kind of remark.
        kind: NoteKind,
        /// Their words.
        text: String,
        /// Their login name.
        who: String,
    },
    /// All is put back (or what is left).
    CleanedUp {
        /// Empty if nothing is.
        left: Vec<String>,
    },
    /// The run ended.
    RunEnded {
        /// Went through all phases.
        complete: bool,
    },
}
