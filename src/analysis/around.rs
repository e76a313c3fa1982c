//! What happened beside the measuring: neighbours, usage, remarks, guards, logs.

use super::{
    Evidence, EvidenceId, GuardTrip, Ledger, LogFile, Neighbour, Note, Scope, UsagePoint, UsageSeries, windows::Windows,
};
use crate::{
    clock::At,
    container::{Container, EngineEvent, Usage},
    event::{EarlierRun, Event, EventKind, Guard, Metric, OpenItem, Terms},
};
use std::collections::BTreeMap;

/// Targets and neighbours as they were chosen.
pub fn scope(events: &[Event], ledger: &mut Ledger) -> (Scope, Vec<Container>) {
    for event in events {
        if let EventKind::TargetsResolved { targets, neighbours, choices } = &event.kind {
            let names = neighbours.iter().map(|c| c.name.clone()).collect();
            let evidence = Some(ledger.line(event.seq + 1));
            let (targets, choices) = (targets.clone(), choices.clone());
            let scope = Scope { targets, choices, neighbours: names, watched: neighbours.clone(), evidence };
            return (scope, neighbours.clone());
        }
    }
    (Scope::default(), Vec::new())
}

/// What an engine event means for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// It ended.
    Died,
    /// It began.
    Started,
    /// The kernel's out-of-memory killer struck.
    OutOfMemory,
    /// Its health check changed its mind.
    Health(&'a str),
    /// Paused, thawed, renamed, removed, ...: worth a row, no more.
    Other,
}

/// `None` for the noise of exec, attach and the like.
pub fn change(event: &EngineEvent) -> Option<Change<'_>> {
    if let Some(health) = event.action.strip_prefix("health_status:") {
        return Some(Change::Health(health.trim()));
    }
    match event.action.as_str() {
        "die" => Some(Change::Died),
        "start" => Some(Change::Started),
        "oom" => Some(Change::OutOfMemory),
        "pause" | "unpause" | "kill" | "stop" | "restart" | "destroy" | "rename" | "update" => Some(Change::Other),
        _ => None,
    }
}

/// The blast radius.
pub fn blast(
    events: &[Event],
    neighbours: &[Container],
    terms: &Terms,
    windows: &Windows,
    ledger: &mut Ledger,
) -> Vec<Neighbour> {
    let services: BTreeMap<&str, &str> =
        neighbours.iter().filter_map(|c| Some((c.name.as_str(), c.service()?))).collect();
    let wanted = |name: &str| {
        let service = services.get(name).copied();
        terms.expect.unaffected.iter().any(|wanted| wanted == name || Some(wanted.as_str()) == service)
    };
    let new = |name: &str| Neighbour {
        container: name.to_owned(),
        service: services.get(name).map(|s| (*s).to_owned()),
        must_be_unaffected: wanted(name),
        dies: 0,
        starts: 0,
        ooms: 0,
        health: Vec::new(),
        bad: false,
        evidence: Vec::new(),
    };
    let named = neighbours.iter().filter(|c| wanted(&c.name)).map(|c| (c.name.clone(), new(&c.name)));
    let mut by_name: BTreeMap<String, Neighbour> = named.collect();
    for event in events {
        let EventKind::ContainerChanged { target: false, event: seen } = &event.kind else { continue };
        let Some(change) = change(seen).filter(|change| *change != Change::Other) else { continue };
        let neighbour = by_name.entry(seen.name.clone()).or_insert_with(|| new(&seen.name));
        let since_fault = windows.fault().is_some_and(|fault| event.at >= fault);
        neighbour.take(event.at, change, seen.exit_code, since_fault);
        neighbour.evidence.push(ledger.line(event.seq + 1));
    }
    by_name.into_values().collect()
}

impl Neighbour {
    fn take(&mut self, at: At, change: Change<'_>, exit_code: Option<i64>, since_fault: bool) {
        let bad = match change {
            Change::Died => {
                self.dies += 1;
                self.must_be_unaffected || exit_code != Some(0)
            }
            Change::OutOfMemory => {
                self.ooms += 1;
                true
            }
            Change::Health(health) => {
                self.health.push((at, health.to_owned()));
                health == "unhealthy"
            }
            Change::Started => {
                self.starts += 1;
                false
            }
            Change::Other => false,
        };
        self.bad |= bad && since_fault;
    }
}

/// What containers used, by name.
pub fn usage(events: &[Event], scope: &Scope, ledger: &mut Ledger) -> Vec<UsageSeries> {
    let targets: Vec<&str> = scope.targets.values().flatten().map(|c| c.name.as_str()).collect();
    type Before = Option<(At, Usage)>;
    let mut series: BTreeMap<&str, (UsageSeries, Before)> = BTreeMap::new();
    let mut lines: Option<(u64, u64)> = None;
    for event in events {
        let EventKind::UsageSampled { container, usage } = &event.kind else { continue };
        lines = Some((lines.map_or(event.seq + 1, |(first, _)| first), event.seq + 1));
        let (series, before) = series.entry(container).or_insert_with(|| {
            let target = targets.contains(&container.as_str());
            (UsageSeries { container: container.clone(), target, points: Vec::new(), evidence: None }, None)
        });
        series.points.push(point(event.at, usage, *before));
        *before = Some((event.at, *usage));
    }
    let evidence = lines.map(|(from, to)| ledger.cite(Evidence::Journal { from, to }));
    series.into_values().map(|(series, _)| UsageSeries { evidence, ..series }).collect()
}

/// Counters that fell mean that the container was started anew: nothing can be said of the time between.
fn point(at: At, now: &Usage, before: Option<(At, Usage)>) -> UsagePoint {
    let rate = |counter: fn(&Usage) -> u64| {
        let (then, before) = before?;
        let grown = counter(now).checked_sub(counter(&before))?;
        let elapsed = at.checked_sub(then).filter(|ns| *ns > 0)?;
        Some(grown as f64 / elapsed as f64)
    };
    let per_s = |counter| rate(counter).map(|per_ns| per_ns * 1e9);
    UsagePoint {
        at,
        cores: rate(|u| u.cpu_ns),
        memory: now.memory,
        memory_limit: (now.memory_limit > 0).then_some(now.memory_limit),
        rx_per_s: per_s(|u| u.rx),
        tx_per_s: per_s(|u| u.tx),
    }
}

/// What people said.
pub fn notes(events: &[Event], ledger: &mut Ledger) -> Vec<Note> {
    let note = |event: &Event| match &event.kind {
        EventKind::Noted { kind, text, who } => {
            let evidence = ledger.line(event.seq + 1);
            Some(Note { at: event.at, kind: *kind, text: text.clone(), who: who.clone(), evidence })
        }
        _ => None,
    };
    events.iter().filter_map(note).collect()
}

/// Guards that tripped.
pub fn guards(events: &[Event], terms: &Terms, ledger: &mut Ledger) -> Vec<GuardTrip> {
    let trip = |event: &Event| match &event.kind {
        EventKind::GuardTripped { guard, measured, halts } => Some(GuardTrip {
            at: event.at,
            guard: *guard,
            condition: terms.guards.get(*guard).map_or_else(String::new, condition),
            measured: measured.clone(),
            halted: *halts,
            evidence: ledger.line(event.seq + 1),
        }),
        _ => None,
    };
    events.iter().filter_map(trip).collect()
}

/// `checkout errors > 30% for 10s`
pub fn condition(guard: &Guard) -> String {
    let limit = guard.limit;
    let bound = match limit.metric {
        Metric::Errors(share) => share.to_string(),
        Metric::Latency { bound, .. } => bound.to_string(),
    };
    format!("{} {} {} {bound} for {}", guard.probe, limit.name(), limit.op.sign(), guard.window)
}

/// Logs of containers.
pub fn logs(events: &[Event]) -> Vec<LogFile> {
    let file = |event: &Event| match &event.kind {
        EventKind::LogsSaved { container, file, bytes, cut } => {
            Some(LogFile { container: container.clone(), file: file.clone(), bytes: *bytes, cut: *cut })
        }
        _ => None,
    };
    events.iter().filter_map(file).collect()
}

/// Earlier runs of the same scenario.
pub fn earlier(events: &[Event], ledger: &mut Ledger) -> (Vec<EarlierRun>, Option<EvidenceId>) {
    let captured = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::HistoryCaptured { earlier, .. } => Some((earlier.clone(), event.seq + 1)),
        _ => None,
    });
    captured.map_or_else(Default::default, |(earlier, line)| (earlier, Some(ledger.line(line))))
}

/// Action items of their reviews that were open when this run began.
pub fn open_before(events: &[Event]) -> Vec<OpenItem> {
    let captured = events.iter().find_map(|event| match &event.kind {
        EventKind::HistoryCaptured { open, .. } => Some(open.clone()),
        _ => None,
    });
    captured.unwrap_or_default()
}
