//! One line for each thing worth one.

use super::view::View;
use crate::{
    clock::At,
    engine,
    event::{ALERT_NAME, AlertChanged, AlertState, Event, EventKind, NotStarted, Phase, UndoReason, alert_title},
    units::trimmed,
};

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BOLD: &str = "1";
const DIM: &str = "2";

/// Text in a colour, where colours are wanted.
pub fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// When, as `t+12.3s` from t=0 on, and `-12.3s` or nothing before.
pub fn moment(view: &View, at: At) -> String {
    let seconds = |ns: u64| trimmed(ns as f64 / 1e9, 1);
    match view.zero {
        Some(zero) if at >= zero => format!("t+{}s", fixed(at - zero)),
        _ => format!("{}s", seconds(at)),
    }
}

fn fixed(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e9)
}

/// What is said of an event, if anything.
pub fn line(event: &Event, view: &View, colour: bool) -> Option<String> {
    let (code, text) = told(&event.kind, view)?;
    let when = match event.kind {
        EventKind::GatePassed => "t=0".into(),
        _ => moment(view, event.at),
    };
    let lines: Vec<String> = text.lines().map(|line| paint(colour, code, &harmless(line))).collect();
    Some(format!("{} {}", paint(colour, DIM, &format!("{when:>9}")), lines.join(&format!("\n{:10}", ""))))
}

/// What an engine or a container says must not move the cursor; the indent is ours.
fn harmless(line: &str) -> String {
    let words = line.trim_start();
    format!("{}{}", &line[..line.len() - words.len()], engine::clean(words))
}

fn told(kind: &EventKind, view: &View) -> Option<(&'static str, String)> {
    let label = |fault: &usize| {
        let terms = view.terms.as_ref().and_then(|terms| terms.faults.get(*fault));
        terms.map_or_else(|| format!("fault {fault}"), |terms| terms.label.clone())
    };
    Some(match kind {
        EventKind::RunStarted(started) => (BOLD, format!("{} (seed {})", started.terms.title, started.seed)),
        EventKind::LocksTaken { containers } => ("0", format!("targets: {}", containers.join(", "))),
        EventKind::NotStarted(why) => (YELLOW, format!("not started: {}", not_started(why))),
        EventKind::PhaseStarted(Phase::WarmUp) => ("0", "load is on; warming up".into()),
        EventKind::PhaseStarted(Phase::Recovery) => ("0", "watching the recovery".into()),
        EventKind::BaselineJudged { attempt, met, readings, .. } => {
            let code = if *met { GREEN } else { YELLOW };
            let verdict = if *met { "met" } else { "not met" };
            let readings = readings.iter().map(|reading| format!("\n  {reading}")).collect::<String>();
            (code, format!("baseline {attempt} of 3 {verdict}{readings}"))
        }
        EventKind::GatePassed => (GREEN, "gate passed".into()),
        EventKind::FaultRequested { fault, .. } => (BOLD, label(fault)),
        EventKind::Operated(done) => match &done.outcome {
            Ok(outcome) if outcome.succeeded() => return None,
            Ok(_) => (RED, format!("{} on {} failed", done.op.kind(), done.container)),
            Err(error) => (RED, format!("{} on {}: {error}", done.op.kind(), done.container)),
        },
        EventKind::FaultChecked { container, proven: true, seen, .. } => ("0", format!("{container} is hit: {seen}")),
        EventKind::FaultChecked { container, seen, .. } => (RED, format!("not proven on {container}: {seen}")),
        EventKind::FaultSkipped { fault, why } => (YELLOW, format!("left out: {} ({why})", label(fault))),
        EventKind::FaultEnded { container, by, .. } => {
            (YELLOW, format!("{container}: the fault ended without us: {by}"))
        }
        EventKind::UndoRequested { fault, why, .. } => (BOLD, format!("undo of {}{}", label(fault), because(*why))),
        EventKind::UndoChecked { container, proven: true, .. } => (GREEN, format!("{container} is as before")),
        EventKind::UndoChecked { container, differences, .. } => {
            let wrong = differences.iter().filter(|d| d.must_match);
            let wrong: String = wrong.map(|d| format!("\n  {}: {}, now {}", d.what, d.before, d.after)).collect();
            (RED, format!("{container} is NOT as before{wrong}"))
        }
        EventKind::GuardTripped { measured, halts, .. } => {
            (RED, format!("guard: {measured}{}", if *halts { "; halting" } else { " (recorded only)" }))
        }
        EventKind::StopRequested { by } => (YELLOW, format!("{by}: stopping and undoing (again: without waiting)")),
        EventKind::EngineLost { detail } => (RED, format!("the Docker engine is gone: {detail}")),
        EventKind::KeeperLost { detail } => (YELLOW, format!("the keeper is lost: {detail}")),
        EventKind::EngineBack => (GREEN, "the Docker engine is back".into()),
        EventKind::AlertChanged(change) => alert(change)?,
        EventKind::AlertSourceLost { detail } => (YELLOW, format!("the alert source cannot be read: {detail}")),
        EventKind::AlertSourceBack => (GREEN, "the alert source can be read again".into()),
        EventKind::Noted { kind, text, who } => ("36", format!("{} by {who}: {text}", kind.name())),
        EventKind::EvidenceLost { file, detail } => (RED, format!("{file} is incomplete: {detail}")),
        EventKind::WallClockStepped { by_ns } => {
            (YELLOW, format!("somebody set the wall clock: {} s", by_ns / 1_000_000_000))
        }
        EventKind::CleanedUp { left } if !left.is_empty() => (RED, format!("left behind:\n  {}", left.join("\n  "))),
        EventKind::ContainerChanged { target, event } => {
            let bad = matches!(event.action.as_str(), "die" | "oom" | "health_status: unhealthy");
            if !bad || *target {
                return None;
            }
            (YELLOW, format!("{}: {}", event.name, event.action))
        }
        _ => return None,
    })
}

/// What an alert does; one that was there from the start is no news.
fn alert(change: &AlertChanged) -> Option<(&'static str, String)> {
    change.after?;
    let name = change.labels.get(ALERT_NAME).map_or("?", String::as_str);
    let code = if change.state == AlertState::Resolved { GREEN } else { YELLOW };
    Some((code, format!("alert {}: {}", alert_title(name, &change.labels), change.state)))
}

fn because(why: UndoReason) -> &'static str {
    match why {
        UndoReason::Due => "",
        UndoReason::RunEnded => " (end of the run)",
        UndoReason::Guard => " (guard)",
        UndoReason::Stopped => " (stopped)",
        UndoReason::AlreadyOver => " (what is left of it)",
        UndoReason::NotProven => " (a fault did not go in)",
        UndoReason::Failed => " (an error of our own)",
        UndoReason::Recovered => " (recover)",
    }
}

/// Why a run did not start, for people.
pub fn not_started(why: &NotStarted) -> String {
    match why {
        NotStarted::CouldNotRun(why) => why.clone(),
        NotStarted::BaselineNotMet(why) => format!("baseline not met: {why}"),
        NotStarted::GuardTripped(why) => why.clone(),
        NotStarted::Stopped(by) => format!("stopped by {by}"),
    }
}
