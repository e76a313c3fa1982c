//! What can happen in a run.

use super::{
    AlertChanged, Difference, EarlierRun, FaultId, NotStarted, NoteKind, OpenItem, Operated, Phase, RunStarted,
    SealedFile, UndoReason,
};
use crate::{
    agent::{
        protocol::{Abilities, Counters, EndReason},
        work::Figures,
    },
    clock::At,
    container::{Container, ContainerId, EngineEvent, EngineInfo, Usage},
    fault::Injection,
    measure::{ProbeId, Schedule},
    units::Span,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
