//! All runs at a glance: four tiles, each a count and where it leads.

use super::{Patterns, trends::Trend};
use crate::review::quantity::plural;
use serde::Serialize;

/// How many scenarios are named.
const NAMED: usize = 3;

/// One tile. Texts are without control characters and not escaped.
#[derive(Serialize)]
pub struct Tile {
    label: &'static str,
    /// The section that tells more.
    section: &'static str,
    /// `None`: nothing is known.
    value: Option<String>,
    detail: String,
    /// `met`, `low`, `broken`, or nothing.
    state: &'static str,
}

/// The four.
pub fn tiles(scenarios: &[Trend], patterns: &Patterns) -> Vec<Tile> {
    vec![held(scenarios), open(patterns), unseen(patterns), fired(patterns)]
}

fn held(scenarios: &[Trend]) -> Tile {
    let not: Vec<&str> = scenarios.iter().filter(|one| !one.held).map(|one| one.name.as_str()).collect();
    let more = not.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = not.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    Tile {
        label: "Scenarios that held last",
        section: "scenarios",
        value: (!scenarios.is_empty()).then(|| format!("{} of {}", scenarios.len() - not.len(), scenarios.len())),
        state: state(not.is_empty(), "broken"),
        detail: if not.is_empty() { String::new() } else { format!("Not held: {named}{more}") },
    }
}

fn open(patterns: &Patterns) -> Tile {
    let open = &patterns.open;
    let pressing = open.overdue + open.regressed;
    Tile {
        label: "Open action items",
        section: "actions",
        value: Some(open.items.to_string()),
        detail: format!("{} overdue, {} regressed", open.overdue, open.regressed),
        state: if pressing > 0 { "broken" } else { state(open.items == 0, "low") },
    }
}

fn unseen(patterns: &Patterns) -> Tile {
    let coverage = &patterns.coverage;
    let (unseen, known) = (coverage.unseen(), coverage.known());
    let dark = coverage.faults.len() - known;
    Tile {
        label: "Faults that no alert sees",
        section: "detection",
        value: (known > 0).then(|| format!("{unseen} of {known}")),
        detail: if dark > 0 { format!("nothing is known of {dark} more") } else { String::new() },
        state: if known == 0 { "" } else { state(unseen == 0, "broken") },
    }
}

fn fired(patterns: &Patterns) -> Tile {
    let sum = |count: fn(&crate::history::alerts::Recall) -> usize| patterns.recall.iter().map(count).sum::<usize>();
    let (fired, expected, runs) = (sum(|one| one.fired), sum(|one| one.expected), sum(|one| one.runs));
    Tile {
        label: "Expected alerts that fired",
        section: "detection",
        value: (expected > 0).then(|| format!("{fired} of {expected}")),
        detail: if runs > 0 { format!("over {}", plural(runs as u64, "run", "runs")) } else { String::new() },
        state: if expected == 0 { "" } else { state(fired == expected, "low") },
    }
}

fn state(met: bool, otherwise: &'static str) -> &'static str {
    if met { "met" } else { otherwise }
}
