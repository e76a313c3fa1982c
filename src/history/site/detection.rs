//! What alerts saw, as the page shows it: alerts of each service, and a matrix of faults and alerts.

use crate::{
    history::alerts::{Cell, Coverage, Covered, Recall},
    review::escape::plain,
};
use serde::Serialize;

/// Everything about alerts. Texts are without control characters and not escaped.
#[derive(Serialize)]
pub struct Detection {
    /// `7 of 12 injected faults are seen by no alert.`
    says: Option<String>,
    /// The columns.
    alerts: Vec<String>,
    /// One for each fault.
    faults: Vec<Fault>,
    /// One for each service.
    services: Vec<Service>,
}

#[derive(Serialize)]
struct Fault {
    name: String,
    seen: &'static str,
    tone: &'static str,
    runs: usize,
    cells: Vec<Mark>,
}

/// A cell of the matrix, with the head of its column for narrow screens.
#[derive(Serialize)]
struct Mark {
    alert: String,
    says: String,
    tone: &'static str,
}

#[derive(Serialize)]
struct Service {
    name: String,
    says: String,
    runs: usize,
}

/// From what was counted.
pub fn detection(coverage: &Coverage, recall: &[Recall]) -> Detection {
    let service = |one: &Recall| Service { name: plain(&one.service), says: one.says(), runs: one.runs };
    Detection {
        says: coverage.says(),
        alerts: coverage.alerts.iter().map(|alert| plain(alert)).collect(),
        faults: coverage.faults.iter().map(|row| fault(row, &coverage.alerts)).collect(),
        services: recall.iter().map(service).collect(),
    }
}

fn fault(row: &Covered, alerts: &[String]) -> Fault {
    let mark = |(alert, cell): (&String, &Cell)| Mark { alert: plain(alert), says: cell.says(), tone: tone(cell) };
    Fault {
        name: plain(&row.fault),
        seen: row.says(),
        tone: match row.seen {
            Some(true) => "good",
            Some(false) => "bad",
            None => "quiet",
        },
        runs: row.watched,
        cells: alerts.iter().zip(&row.cells).map(mark).collect(),
    }
}

/// `none`: nothing was expected and nothing fired.
fn tone(cell: &Cell) -> &'static str {
    match cell {
        Cell { expected: 0, fired: 0, .. } => "none",
        Cell { expected: 0, .. } | Cell { of: 0, .. } => "quiet",
        Cell { fired, of, .. } if fired == of => "good",
        Cell { fired: 0, .. } => "bad",
        _ => "warn",
    }
}
