//! Words for what happened. The story keeps what a reader needs; the full log is in the appendix.

use super::{
    decide::quoted,
    look::{Look, When, list, phase_name},
    verdict::{capital, end_of_sentence},
};
use crate::{
    analysis::{Happening, Source, TimelineRow, Value},
    event::{AlertState, NoteKind, UndoReason},
    review::quantity,
};
use schemars::JsonSchema;
use serde::Serialize;

/// How many rows the story has at most.
const STORY: usize = 12;

/// How many rows of the full log are shown at its beginning and at its end.
const FIRST: usize = 4_000;
const LAST: usize = 1_000;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// When.
    pub when: When,
    /// `to 3ms later`, if it is not exact.
    pub give: String,
    /// `runner`, `engine`, `probe`, `alerts`, `person`.
    pub source: &'static str,
    /// What happened.
    pub text: String,
    /// In bold.
    pub milestone: bool,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// The story, and how many rows it leaves to the full log.
/// Of a record, only the milestones.
pub fn story(look: &Look<'_>, record: bool) -> (Vec<Row>, usize) {
    let all = &look.findings.timeline;
    let main = look.findings.main_probe;
    // A story ends when it is sure that all is well.
    let ends = |r: &TimelineRow| matches!(r.what, Happening::RecoveryConfirmed(probe) if Some(probe) == main);
    let stays = |r: &TimelineRow| r.milestone || ends(r);
    let told: Vec<&TimelineRow> = all.iter().filter(|r| stays(r) || tells(r) && !record).collect();
    // When there is too much, the milestones stay and as many of the others as fit.
    let mut others = STORY.saturating_sub(told.iter().filter(|r| stays(r)).count());
    let mut rows = Vec::new();
    for entry in told {
        if !stays(entry) && others == 0 {
            continue;
        }
        others -= usize::from(!stays(entry));
        rows.push(row(look, entry));
    }
    let left_out = all.len() - rows.len();
    (rows, left_out)
}

/// Everything, for the appendix; of more than anybody scrolls through, the beginning and the end.
pub fn full(look: &Look<'_>) -> Vec<Row> {
    let all = &look.findings.timeline;
    let left_out = all.len().saturating_sub(FIRST + LAST);
    if left_out == 0 {
        return all.iter().map(|entry| row(look, entry)).collect();
    }
    let mut rows: Vec<Row> = all[..FIRST].iter().map(|entry| row(look, entry)).collect();
    let text = format!("{} are in journal.jsonl only", quantity::plural(left_out as u64, "row", "rows"));
    rows.push(Row {
        text,
        give: String::new(),
        source: "runner",
        milestone: false,
        evidence: vec![],
        when: look.when(all[FIRST].at),
    });
    rows.extend(all[FIRST + left_out..].iter().map(|entry| row(look, entry)));
    rows
}

/// Whether a row belongs to the story: what people did and saw, and what changed the state of something.
fn tells(row: &TimelineRow) -> bool {
    let quiet = matches!(
        row.what,
        Happening::RunStarted
            | Happening::TargetsChosen(_)
            | Happening::LoadStarted
            | Happening::PhaseStarted(_)
            | Happening::BaselineJudged { met: true, .. }
            | Happening::FaultRequested(_)
            | Happening::UndoRequested { why: UndoReason::Due, .. }
            | Happening::FaultChecked { proven: true, .. }
            | Happening::UndoChecked { proven: true, .. }
    );
    let routine = match &row.what {
        Happening::ContainerChanged { action, target, .. } => routine(action, *target),
        Happening::CleanedUp { left } => left.is_empty(),
        _ => false,
    };
    row.milestone || !quiet && !routine
}

/// What the engine reports of our own doing, or all the time.
fn routine(action: &str, target: bool) -> bool {
    let noise = ["exec_", "top", "attach", "resize", "archive", "export", "rename", "update"];
    let echo = target && matches!(action, "pause" | "unpause" | "kill" | "stop" | "restart");
    echo || noise.iter().any(|a| action.starts_with(a))
}

fn row(look: &Look<'_>, entry: &TimelineRow) -> Row {
    Row {
        when: look.when(entry.at),
        give: entry.give_or_take_ns.map(|ns| format!("to {} later", quantity::span(ns))).unwrap_or_default(),
        source: match entry.source {
            Source::Runner => "runner",
            Source::Engine => "engine",
            Source::Probe => "probe",
            Source::Alerts => "alerts",
            Source::Person => "person",
        },
        text: words(look, &entry.what),
        milestone: entry.milestone,
        evidence: look.cite(&entry.evidence),
    }
}

fn words(look: &Look<'_>, what: &Happening) -> String {
    match what {
        Happening::RunStarted => "Run started".into(),
        Happening::TargetsChosen(n) => {
            format!("Targets chosen: {}", quantity::plural(*n as u64, "container", "containers"))
        }
        Happening::LoadStarted => "Load and probes started".into(),
        Happening::PhaseStarted(phase) => format!("Phase began: {}", phase_name(*phase)),
        Happening::BaselineJudged { attempt, met } => {
            format!("Baseline judged, try {attempt}: {}", if *met { "met" } else { "not met" })
        }
        Happening::GatePassed => "Gate passed: t=0".into(),
        Happening::NotStarted(why) => super::verdict::not_started(why).trim_end_matches('.').into(),
        Happening::Noted { kind, text, who } => noted(*kind, text, who),
        Happening::StopRequested(by) => format!("Stop requested by {by}"),
        Happening::EngineLost(detail) => format!("Engine events stopped: {}", end_of_sentence(detail)),
        Happening::KeeperLost(detail) => format!("Keeper of the undo list lost: {}", end_of_sentence(detail)),
        Happening::EngineBack => "Engine events are back".into(),
        Happening::AlertChanged { alert, state, expected, already } => alert_words(alert, *state, *expected, *already),
        Happening::AlertSourceLost(detail) => format!("Alert source could not be read: {}", end_of_sentence(detail)),
        Happening::AlertSourceBack => "Alert source can be read again".into(),
        Happening::EvidenceLost(file) => format!("Evidence could not be written: {file}"),
        Happening::WallClockStepped(ns) => {
            format!(
                "Wall clock stepped by {}; figures are monotonic and not touched",
                quantity::value(Value::Time(*ns))
            )
        }
        Happening::CleanedUp { left } if left.is_empty() => "Everything put back, locks given back".into(),
        Happening::CleanedUp { left } => format!("Clean-up ended; left behind: {}", list(left, 5)),
        Happening::RunEnded { complete } => format!("Run ended{}", if *complete { "" } else { " early" }),
        Happening::GuardTripped { trip } => guard(look, *trip),
        Happening::ImpactBegan(probe) => format!("Impact on {} began", look.probe_name(*probe)),
        Happening::Mitigated(probe) => format!("{} mitigated, fault still active", capital(look.probe_name(*probe))),
        Happening::Recovered(probe) => format!("{} recovered", capital(look.probe_name(*probe))),
        Happening::RecoveryConfirmed(probe) => format!("Recovery of {} confirmed", look.probe_name(*probe)),
        Happening::ContainerChanged { container, action, exit_code, target } => {
            changed(container, action, *exit_code, *target)
        }
        _ => fault_words(look, what),
    }
}

/// What concerns a fault and its undo.
fn fault_words(look: &Look<'_>, what: &Happening) -> String {
    let label = |fault: &usize| look.fault_label(*fault);
    match what {
        Happening::FaultRequested(fault) => format!("Fault requested: {}", label(fault)),
        Happening::FaultEffective { fault, container } => format!("Fault effective on {container}: {}", label(fault)),
        Happening::FaultChecked { fault, container, proven, seen } => {
            let proof = if *proven { "proven" } else { "not proven" };
            format!("{} on {container} read back: {proof} ({})", capital(label(fault)), end_of_sentence(seen))
        }
        Happening::FaultSkipped { fault, why } => {
            format!("Fault left out: {}: {}", label(fault), end_of_sentence(why))
        }
        Happening::FaultEnded { fault, container, by } => {
            format!("{} on {container} ended without the runner: {by}", capital(label(fault)))
        }
        Happening::FaultLost { fault, container, why } => {
            format!("{} on {container} lost its hold: {}", capital(label(fault)), end_of_sentence(why))
        }
        Happening::FaultBack { fault, container } => {
            format!("{} is in place again on {container}", capital(label(fault)))
        }
        Happening::PeersMoved { fault, container, peers } => {
            format!("{} on {container} follows its other ends to {}", capital(label(fault)), list(peers, 4))
        }
        Happening::AgentTrouble { container, why } => {
            format!("The agent beside {container}: {}", end_of_sentence(why))
        }
        Happening::OperationFailed { fault, undo, container, error } => {
            let of = if *undo { "the undo of " } else { "" };
            format!("An operation of {of}{} on {container} was refused: {}", label(fault), end_of_sentence(error))
        }
        Happening::UndoRequested { fault, why } => format!("Undo requested: {} ({})", label(fault), reason(*why)),
        Happening::FaultRemoved { fault, container } => format!("Fault removed from {container}: {}", label(fault)),
        Happening::UndoChecked { fault, container, proven } => {
            let proof = if *proven { "proven" } else { "not proven" };
            format!("Undo of {} on {container} read back: {proof}", label(fault))
        }
        _ => String::new(),
    }
}

/// `Alert CheckoutErrors (expected) fires`.
fn alert_words(alert: &str, state: AlertState, expected: bool, already: bool) -> String {
    let role = if expected { "expected" } else { "not expected" };
    let does = match state {
        AlertState::Pending => "is pending",
        AlertState::Firing => "fires",
        AlertState::Suppressed => "is suppressed: silenced or inhibited",
        AlertState::Resolved => "is resolved",
    };
    let already = if already { " when the alert source is first read" } else { "" };
    format!("Alert {alert} ({role}) {does}{already}")
}

fn guard(look: &Look<'_>, trip: usize) -> String {
    match look.findings.guards.get(trip) {
        Some(guard) => {
            let effect = if guard.halted { "halts the drill" } else { "recorded only" };
            format!("Guard tripped, {effect}: {} ({})", guard.condition, end_of_sentence(&guard.measured))
        }
        None => "Guard tripped".into(),
    }
}

fn noted(kind: NoteKind, text: &str, who: &str) -> String {
    let said = match kind {
        NoteKind::Note => "noted",
        NoteKind::Ack => "acknowledged",
        NoteKind::Saw => "saw",
        NoteKind::Decided => "decided",
    };
    format!("{who} {said}: {}", quoted(text))
}

fn changed(container: &str, action: &str, exit_code: Option<i64>, target: bool) -> String {
    let role = if target { "target" } else { "not a target" };
    let what = match action {
        "die" => "ended".to_owned(),
        "oom" => "met the out-of-memory killer".to_owned(),
        "start" => "started".to_owned(),
        "kill" => "was sent a signal".to_owned(),
        "stop" => "was stopped".to_owned(),
        "restart" => "was restarted".to_owned(),
        "destroy" => "was removed".to_owned(),
        "pause" => "paused".to_owned(),
        "unpause" => "resumed".to_owned(),
        other => match other.strip_prefix("health_status: ") {
            Some(state) => format!("became {state}"),
            None => other.to_owned(),
        },
    };
    let code = exit_code.map(|c| format!(" with exit code {c}")).unwrap_or_default();
    format!("{container} ({role}) {what}{code}")
}

/// Why an undo happened when it did.
pub fn reason(why: UndoReason) -> &'static str {
    match why {
        UndoReason::Due => "due",
        UndoReason::RunEnded => "end of the run",
        UndoReason::Guard => "a guard tripped",
        UndoReason::Stopped => "the drill was stopped",
        UndoReason::NotProven => "the fault did not go in as planned",
        UndoReason::Failed => "the runner met an error of its own",
        UndoReason::AlreadyOver => "it was over already",
        UndoReason::Recovered => "firedrill recover",
    }
}
