//! The facts of a run, in the past tense. The engine records them and nothing else; every verdict is
//! computed from them later. One event is one line of `journal.jsonl`.

mod alerts;
mod terms;
pub use alerts::*;
pub use terms::*;

use crate::{
    agent::{
        protocol::{Abilities, Counters, EndReason},
        work::Figures,
    },
    clock::At,
    container::{Container, ContainerError, ContainerId, EngineEvent, EngineInfo, OpOutcome, Usage},
    fault::Injection,
    measure::{ProbeId, Schedule},
    units::Span,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// The version of the journal. A reader keeps unknown kinds of event; it refuses a higher version.
pub const FORMAT: u32 = 1;

/// One fact: numbered and stamped by the conductor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 0, 1, 2, ... without gaps.
    pub seq: u64,
    /// Nanoseconds since the run started, monotonic.
    pub at: At,
    /// What happened.
    pub kind: EventKind,
}

/// Which fault: its position in [`Terms::faults`].
pub type FaultId = usize;

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The first event, always.
    RunStarted(Box<RunStarted>),
    /// The engine answered.
    EngineFound(EngineInfo),
    /// Targets were chosen: by name, the containers as they were (the snapshots).
    TargetsResolved {
        /// By the target's name in the scenario.
        targets: BTreeMap<String, Vec<Container>>,
        /// Running containers that are watched but not touched: same project, network or host as a target.
        neighbours: Vec<Container>,
        /// How they were chosen, for people, one line each (`api: 1 of 2 (50%): shop-api-2`).
        choices: Vec<String>,
    },
    /// All targets are ours alone.
    LocksTaken {
        /// Names of the containers.
        containers: Vec<String>,
    },
    /// What is undone if everything goes wrong. Fsynced before the first operation of that fault.
    UndoRecorded {
        /// Which fault.
        fault: FaultId,
        /// With the undo operations inside, one injection per container.
        injections: Vec<Injection>,
    },
    /// Somebody keeps the undo list who outlives the runner; again, after `KeeperLost`.
    KeeperStarted {
        /// Where, for people.
        place: String,
    },
    /// The keeper does not answer any more.
    KeeperLost {
        /// Why.
        detail: String,
    },
    /// Nobody keeps the undo list, by wish: had the runner been killed, faults would have stayed on.
    KeeperLeftOut,
    /// Nothing was injected, and why.
    NotStarted(NotStarted),
    /// Load and probes are being sent from now.
    LoadStarted {
        /// By probe id.
        schedules: BTreeMap<ProbeId, Schedule>,
    },
    /// A phase began.
    PhaseStarted(Phase),
    /// A baseline window ended and was judged.
    BaselineJudged {
        /// 1, 2 or 3.
        attempt: u32,
        /// Its start.
        from: At,
        /// Its end.
        to: At,
        /// Whether every limit held.
        met: bool,
        /// What was measured against what, one line a limit.
        readings: Vec<String>,
    },
    /// The gate passed: this event's `at` is t=0.
    GatePassed,
    /// A fault was due: operations are being sent now.
    FaultRequested {
        /// Which.
        fault: FaultId,
        /// When it was due.
        intended: At,
    },
    /// One operation on one container ended (of a fault or of an undo).
    Operated(Operated),
    /// The fault was read back.
    FaultChecked {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// Whether what should be seen is seen.
        proven: bool,
        /// What was seen.
        seen: String,
    },
    /// A fault that was due is left out, and why (guard, stop, target gone).
    FaultSkipped {
        /// Which.
        fault: FaultId,
        /// Why.
        why: String,
    },
    /// A held fault ended without us.
    FaultEnded {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// By what (`restart policy`, `started by someone else`, ...).
        by: String,
    },
    /// An agent runs beside a container.
    AgentStarted {
        /// The container whose network it is in.
        container: String,
        /// The agent's own container.
        agent: ContainerId,
        /// It lets go so long after its start, whatever is said.
        deadline: Span,
        /// And after so long a silence of the runner.
        heartbeat: Span,
    },
    /// An agent has taken a fault in; no packet has noticed.
    AgentArmed {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// The addresses of the other ends; empty: everybody.
        peers: Vec<String>,
        /// All its chance.
        seed: u64,
        /// What the kernel there allows.
        abilities: Abilities,
    },
    /// An agent has put a fault in place and read it back.
    AgentFired {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// When, on the monotonic clock of the agent's kernel, nanoseconds.
        agent_ns: u64,
        /// How many rules were read back.
        rules: usize,
    },
    /// The other ends of a fault are elsewhere, and its agent knows.
    AgentFollowed {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// All addresses.
        peers: Vec<String>,
    },
    /// What a fault has done so far, as its agent counts; every second while it is on.
    AgentCounted {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// Since the agent began.
        counters: Box<Counters>,
        /// CPU time of the whole agent so far, nanoseconds.
        cpu_ns: u64,
    },
    /// An agent has taken a fault away and read that back.
    AgentUndone {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// What it did, for the last time.
        counters: Box<Counters>,
    },
    /// An agent did not do what it was asked, or could not be had.
    AgentRefused {
        /// Which fault, if it was about one.
        fault: Option<FaultId>,
        /// The container.
        container: String,
        /// Why, for people.
        why: String,
    },
    /// An agent has ended.
    AgentEnded {
        /// The container whose network it was in.
        container: String,
        /// Why; `None`: it was ended by somebody, and could not say.
        why: Option<EndReason>,
        /// What it could not undo orderly (the kernel did), or its last words.
        failed: Option<String>,
        /// Receipts that nobody took in time.
        lost_receipts: u64,
    },
    /// The network that a fault hits went away (the container ended); it is put back if the container returns.
    FaultLost {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
        /// How.
        why: String,
    },
    /// A fault is in place again, in the new network of a container that was started again.
    FaultBack {
        /// Which.
        fault: FaultId,
        /// The container.
        container: String,
    },
    /// An undo was due: operations are being sent now.
    UndoRequested {
        /// Which fault.
        fault: FaultId,
        /// When it was due; absent if it is early.
        intended: Option<At>,
        /// Why now.
        why: UndoReason,
    },
    /// The container was compared with its snapshot after the undo.
    UndoChecked {
        /// Which fault.
        fault: FaultId,
        /// The container.
        container: String,
        /// Whether everything that must match does.
        proven: bool,
        /// What must match and does not; then what is only recorded (pid, start time, ...).
        differences: Vec<Difference>,
    },
    /// All undos are done; locks are given back.
    CleanedUp {
        /// What is left, for people; empty if nothing is.
        left: Vec<String>,
    },
    /// The engine saw something happen to a target or a neighbour.
    ContainerChanged {
        /// Whether it is a target.
        target: bool,
        /// What.
        event: EngineEvent,
    },
    /// The event stream broke, or came back.
    EngineLost {
        /// Why.
        detail: String,
    },
    /// The engine answers again.
    EngineBack,
    /// What a container used.
    UsageSampled {
        /// Its name.
        container: String,
        /// How much.
        usage: Usage,
    },
    /// What a fault's agent has come to so far; every second while it works.
    WorkMeasured {
        /// Which fault.
        fault: FaultId,
        /// The container.
        container: String,
        /// Since it began.
        figures: Figures,
    },
    /// The engine's clock against ours.
    ClockCompared {
        /// Engine's - ours, nanoseconds.
        offset_ns: i64,
        /// How long the question took: the offset is known to half of it.
        rtt_ns: u64,
    },
    /// An alert source answered.
    AlertsRead {
        /// When it was asked; the event's own moment is when the answer was read.
        sent: At,
        /// What its clock showed in between: from, to, nanoseconds since 1970.
        clock_ns: Option<[i64; 2]>,
        /// How many alerts were pending.
        pending: u32,
        /// How many fired.
        firing: u32,
    },
    /// An alert is not as the answer before had it.
    AlertChanged(AlertChanged),
    /// The alert source does not answer, or not as it should: nothing is known of alerts from the last answer on.
    AlertSourceLost {
        /// Why.
        detail: String,
    },
    /// The alert source answers again.
    AlertSourceBack,
    /// Our wall clock no longer agrees with the monotonic one.
    WallClockStepped {
        /// Wall - (start + monotonic), nanoseconds.
        by_ns: i64,
    },
    /// A guard tripped.
    GuardTripped {
        /// Position in [`Terms::guards`].
        guard: usize,
        /// What was measured, for people.
        measured: String,
        /// Whether it stops anything; after the last undo it is only recorded.
        halts: bool,
    },
    /// Someone asked the run to stop.
    StopRequested {
        /// `ctrl-C`, `SIGTERM`, `SIGHUP`, ...
        by: String,
    },
    /// Something that a person said.
    Noted {
        /// Which kind of remark.
        kind: NoteKind,
        /// Their words.
        text: String,
        /// The login name they said it under.
        who: String,
    },
    /// What a container printed from baseline to end is in the run folder.
    LogsSaved {
        /// The container.
        container: String,
        /// The file, relative to the run folder.
        file: String,
        /// How many bytes.
        bytes: u64,
        /// Whether older lines were cut.
        cut: bool,
    },
    /// Part of the evidence could not be written (disk full, ...).
    EvidenceLost {
        /// Which file.
        file: String,
        /// What the system said.
        detail: String,
    },
    /// The files of the run folder are finished, but for the journal.
    FilesSealed {
        /// By name.
        files: Vec<SealedFile>,
    },
    /// What a review says of earlier runs; captured so that the folder stands alone.
    HistoryCaptured {
        /// Newest first.
        earlier: Vec<EarlierRun>,
        /// Action items of their reviews that were open when this run began, oldest first.
        #[serde(default)]
        open: Vec<OpenItem>,
    },
    /// The last event of a run that was not cut short.
    RunEnded {
        /// Whether it went through all its phases.
        complete: bool,
    },
}

/// A finished file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedFile {
    /// Relative to the run folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// Where a run comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`FORMAT`].
    pub format: u32,
    /// The run's id, also the name of its folder.
    pub run: String,
    /// Wall time at `at` 0.
    pub started: Timestamp,
    /// IANA name of the zone that people here think in.
    pub time_zone: String,
    /// firedrill's version.
    pub version: String,
    /// The command that was typed, without secrets.
    pub command: Vec<String>,
    /// The host name of the runner.
    pub host: String,
    /// Where the scenario was read from.
    pub scenario_path: String,
    /// sha256 of the scenario file.
    pub scenario_digest: String,
    /// The seed of all chance in this run.
    pub seed: u64,
    /// `git describe --always --dirty` of the scenario's folder, if it is in git.
    pub git: Option<String>,
    /// What was promised and how it is judged.
    pub terms: Terms,
}

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Docker, targets, locks, limits.
    Preflight,
    /// Load, thrown away.
    WarmUp,
    /// The gate.
    Baseline,
    /// From the first fault effective to the last undo effective.
    During,
    /// From there, in full length.
    Recovery,
    /// What remains: logs, last undos of faults held to the end.
    Report,
}

/// Why a run did not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotStarted {
    /// Exit 3: no Docker, no such target, target locked, limits refuse it.
    CouldNotRun(String),
    /// Exit 7: the baseline was not met in three windows.
    BaselineNotMet(String),
    /// Exit 4: a guard tripped before t=0.
    GuardTripped(String),
    /// Exit 130: stopped by a person before t=0.
    Stopped(String),
}

/// One operation on one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operated {
    /// Of which fault.
    pub fault: FaultId,
    /// Whether this is its undo.
    pub undo: bool,
    /// Which container.
    pub on: ContainerId,
    /// Its name.
    pub container: String,
    /// What was done.
    pub op: crate::container::Op,
    /// When the request was sent.
    pub sent: At,
    /// When the answer came.
    pub answered: At,
    /// How it ended.
    pub outcome: Result<OpOutcome, ContainerError>,
}

/// Why an undo happened when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoReason {
    /// The end of `for`.
    Due,
    /// The end of the run.
    RunEnded,
    /// A guard.
    Guard,
    /// A person.
    Stopped,
    /// The fault ended without us; what is left of it is undone and checked.
    AlreadyOver,
    /// The fault did not go in as it should.
    NotProven,
    /// The runner met an error of its own.
    Failed,
    /// `firedrill recover`.
    Recovered,
}

/// A difference between a container and its snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `state`, `networks.front.aliases`, `pid`, ...
    pub what: String,
    /// In the snapshot.
    pub before: String,
    /// Now.
    pub after: String,
    /// Whether it must be the same; otherwise it is only recorded.
    pub must_match: bool,
}

/// What people say from another terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// Any remark.
    Note,
    /// "I am on it."
    Ack,
    /// "I saw this."
    Saw,
    /// "We decided that."
    Decided,
}

impl NoteKind {
    /// As typed and as read.
    pub fn name(self) -> &'static str {
        match self {
            NoteKind::Note => "note",
            NoteKind::Ack => "ack",
            NoteKind::Saw => "saw",
            NoteKind::Decided => "decided",
        }
    }
}

/// What an earlier run of the same scenario came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierRun {
    /// Its id.
    pub run: String,
    /// When it started.
    pub started: Timestamp,
    /// Its verdict word.
    pub word: String,
    /// Its exit code.
    pub code: u8,
    /// Time to recover of the main load, nanoseconds, if it was measured.
    pub recover_ns: Option<u64>,
    /// `git describe` of the scenario then.
    pub git: Option<String>,
    /// Image ids of the targets then, by container name.
    pub images: BTreeMap<String, String>,
    /// Fingerprints of what rules found then; `None`: its result does not tell.
    #[serde(default)]
    pub findings: Option<Vec<String>>,
}

/// An action item of an earlier run's review, on which work or a decision was owed when this run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenItem {
    /// Its id.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// How far it was: `accepted by ana`.
    pub state: String,
    /// Of the finding that it comes from.
    pub fingerprint: Option<String>,
    /// Since when it was owed.
    pub since: jiff::civil::Date,
    /// The run whose review it stands in.
    pub run: String,
}

/// What earlier runs of a scenario contribute to a review.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Earlier {
    /// Newest first.
    pub runs: Vec<EarlierRun>,
    /// Oldest first.
    pub open: Vec<OpenItem>,
}

/// Takes the events of a run, in order. `accept` only hands over: the work is done on the sink's own thread.
pub trait Sink: Send {
    /// Takes one event.
    fn accept(&mut self, event: &Event);

    /// Asks that everything accepted so far outlive a power cut. The answer comes when it does, or says why it
    /// does not; `None` from a sink that keeps nothing.
    fn make_durable(&mut self) -> Option<OnDisk> {
        None
    }
}

/// The answer to [`Sink::make_durable`]; an error is what the system said.
pub type OnDisk = oneshot::Receiver<Result<(), String>>;
