//! What goes into the swimlanes: faults, ticks of the main probe, states of containers, alerts, notes of people.

use super::{
    look::{Look, list},
    pictures::{Picture, picture},
};
use crate::{
    analysis::{AlertRow, Happening, ProbeFindings, TickState},
    clock::At,
    event::AlertState,
    review::{
        charts::{
            Scene, Words,
            lanes::{self, Bar, Lane, Look as Paint},
        },
        quantity,
    },
};
use std::collections::BTreeMap;

/// How many containers have room.
const CONTAINERS: usize = 6;
/// How many alerts have room.
const ALERTS: usize = 5;

/// Draws them, if there is anything beside the fault.
pub fn picture_of(look: &Look<'_>, main: &ProbeFindings, scene: &Scene) -> Option<Picture> {
    let mut lanes = vec![faults(look, scene)];
    lanes.extend(ticks(look, main));
    let states = containers(look, scene);
    let shown: Vec<String> = states.iter().map(|l| l.name.clone()).collect();
    lanes.extend(states);
    lanes.extend(alerts(look));
    lanes.extend(people(look));
    let caption = caption(look, main, &shown);
    (lanes.len() > 1).then(|| {
        picture("fig-lanes", "What happened where".into(), caption, |words: &Words, size| {
            lanes::draw(words, scene, size, &lanes)
        })
    })
}

fn faults(look: &Look<'_>, scene: &Scene) -> Lane {
    let bars = look.findings.faults.iter().filter_map(|fault| {
        let from = look.seconds(fault.effective?.low);
        let to = fault.removed.map_or(if fault.held { scene.to } else { from }, |r| look.seconds(r.high));
        Some(Bar { from, to, look: Paint::Fault, label: fault.label.clone() })
    });
    Lane { name: "faults".into(), bars: bars.collect(), dots: vec![] }
}

/// Neighbouring ticks of one state become one bar.
fn ticks(look: &Look<'_>, main: &ProbeFindings) -> Option<Lane> {
    let mut bars: Vec<Bar> = Vec::new();
    for tick in &main.ticks {
        let (paint, label) = match tick.state {
            TickState::Good => (Paint::Good, "good"),
            TickState::Bad => (Paint::Bad, "bad"),
            TickState::Unknown => (Paint::Unknown, "unknown"),
        };
        let (from, to) = (look.seconds(tick.from), look.seconds(tick.to));
        match bars.last_mut() {
            Some(last) if last.look == paint => last.to = to,
            _ => bars.push(Bar { from, to, look: paint, label: label.into() }),
        }
    }
    let name = format!("{}, by tick of {}", main.name, quantity::span(main.tick_ns));
    (!bars.is_empty()).then_some(Lane { name, bars, dots: vec![] })
}

/// Stretches in which a container was paused, not running or unhealthy, as the engine's events tell.
fn containers(look: &Look<'_>, scene: &Scene) -> Vec<Lane> {
    let mut open: BTreeMap<(&str, &str), At> = BTreeMap::new();
    let mut bars: BTreeMap<&str, Vec<Bar>> = BTreeMap::new();
    for row in &look.findings.timeline {
        let Happening::ContainerChanged { container, action, .. } = &row.what else { continue };
        let (state, begins) = match action.as_str() {
            "die" => ("not running", true),
            "start" => ("not running", false),
            "pause" => ("paused", true),
            "unpause" => ("paused", false),
            "health_status: unhealthy" => ("unhealthy", true),
            "health_status: healthy" => ("unhealthy", false),
            _ => continue,
        };
        if begins {
            open.entry((container, state)).or_insert(row.at);
        } else if let Some(from) = open.remove(&(container.as_str(), state)) {
            bars.entry(container).or_default().push(bar(look, from, look.seconds(row.at), state));
        }
    }
    for ((container, state), from) in open {
        bars.entry(container).or_default().push(bar(look, from, scene.to, state));
    }
    bars.into_iter().take(CONTAINERS).map(|(name, bars)| Lane { name: name.into(), bars, dots: vec![] }).collect()
}

/// Alerts that were expected or fired during the drill: hatched while firing, dotted while pending or suppressed.
fn alerts(look: &Look<'_>) -> Vec<Lane> {
    let rows = look.findings.alerts.iter().flat_map(|alerts| &alerts.rows);
    let lane = |row: &AlertRow| {
        let bars = row.stretches.iter().map(|(state, from, to)| Bar {
            from: look.seconds(*from),
            to: look.seconds(*to),
            look: if *state == AlertState::Firing { Paint::Bad } else { Paint::Unknown },
            label: state.to_string(),
        });
        Lane { name: format!("alert {} ({})", row.alert, row.outcome.name()), bars: bars.collect(), dots: vec![] }
    };
    let worth = |row: &&AlertRow| row.expected.is_some() || row.firing.is_some();
    rows.filter(worth).take(ALERTS).map(lane).collect()
}

fn bar(look: &Look<'_>, from: At, to: f64, state: &str) -> Bar {
    Bar { from: look.seconds(from), to, look: Paint::Bad, label: state.into() }
}

fn people(look: &Look<'_>) -> Option<Lane> {
    let dots: Vec<_> = look.findings.notes.iter().map(|n| (look.seconds(n.at), n.kind.name().to_owned())).collect();
    (!dots.is_empty()).then_some(Lane { name: "people".into(), bars: vec![], dots })
}

fn caption(look: &Look<'_>, main: &ProbeFindings, containers: &[String]) -> String {
    let bad = main.ticks.iter().filter(|t| t.state == TickState::Bad).count() as u64;
    let changed = match containers {
        [] => "no container changed its state".to_owned(),
        names => format!("{} changed state", list(names, 3)),
    };
    let notes = match look.findings.notes.len() as u64 {
        0 => String::new(),
        n => format!("; {} of people", quantity::plural(n, "note", "notes")),
    };
    let bad = if bad == 0 { "No bad tick".into() } else { quantity::plural(bad, "bad tick", "bad ticks") };
    format!("{bad} of {}; {changed}{notes}.", main.name)
}
