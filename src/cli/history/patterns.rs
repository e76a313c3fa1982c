//! `firedrill history --patterns`: what comes back, what alerts saw, what is owed.

use crate::{
    cli::{Exit, Global, output, table::Table},
    history::{
        Reports,
        alerts::{Cell, Coverage, Recall},
        patterns::{self, Pattern},
    },
    review::{escape::plain, quantity},
};
use jiff::civil::Date;

/// Prints them as of a day.
///
/// # Errors
/// If they cannot be written as JSON.
pub fn tell(reports: &Reports, today: Date, global: &Global) -> anyhow::Result<Exit> {
    let found = patterns::patterns(reports, today);
    if global.json {
        output::say(serde_json::to_string_pretty(&found)?);
        return Ok(Exit::Held);
    }
    output::say(format_args!(
        "what rules found, as the results of {} say",
        quantity::plural(found.runs as u64, "run", "runs")
    ));
    for (title, all) in
        [("RULE", &found.rules), ("SERVICE", &found.services), ("FAULT", &found.faults), ("TEAM", &found.teams)]
    {
        section(title, (!all.is_empty()).then(|| counted(title, all)));
    }
    section("ALERTS", (!found.recall.is_empty()).then(|| recall(&found.recall)));
    section("COVERAGE", (!found.coverage.alerts.is_empty()).then(|| coverage(&found.coverage)));
    if let Some(says) = found.coverage.says() {
        output::say(says);
    }
    output::say(format_args!("\n{}", found.open.says()));
    Ok(Exit::Held)
}

fn section(title: &str, text: Option<String>) {
    output::say(format_args!("\n{}", text.unwrap_or_else(|| format!("{title}\nnone"))));
}

fn counted(title: &str, all: &[Pattern]) -> String {
    let mut table = Table::new([title, "RUNS", "FINDINGS", "FIRST", "LAST", "SCENARIOS"]);
    let day = |day: Option<Date>| day.map_or("-".into(), |day| day.to_string());
    for one in all {
        let scenarios = plain(&one.scenarios.join(", "));
        let cells = [plain(&one.name), one.runs.to_string(), one.findings.to_string(), day(one.first), day(one.last)];
        table.row(cells.into_iter().chain([scenarios]));
    }
    table.text(false)
}

fn recall(all: &[Recall]) -> String {
    let mut table = Table::new(["ALERTS OF", "FIRED OF EXPECTED", "RUNS"]);
    for one in all {
        table.row([plain(&one.service), one.says(), one.runs.to_string()]);
    }
    table.text(false)
}

/// A row a fault, a column an alert.
fn coverage(coverage: &Coverage) -> String {
    let heads = ["FAULT".to_owned(), "SEEN".into(), "RUNS".into()];
    let mut table = Table::new(heads.into_iter().chain(coverage.alerts.iter().map(|alert| plain(alert))));
    for row in &coverage.faults {
        let heads = [plain(&row.fault), row.says().to_owned(), row.watched.to_string()];
        table.row(heads.into_iter().chain(row.cells.iter().map(Cell::says)));
    }
    table.text(false)
}
