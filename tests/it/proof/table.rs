//! The table, in Markdown.

use super::{Blow, Kill};
use std::{collections::BTreeMap, fmt, time::Duration};

pub struct Table {
    rows: BTreeMap<&'static str, BTreeMap<Blow, Cell>>,
}

#[derive(Default)]
struct Cell {
    kills: usize,
    wrong: usize,
    healed: Vec<Duration>,
}

impl Table {
    pub fn of(kills: &[Kill]) -> Table {
        let mut rows: BTreeMap<&'static str, BTreeMap<Blow, Cell>> = BTreeMap::new();
        for kill in kills {
            for name in [kill.fault, ALL] {
                let cell = rows.entry(name).or_default().entry(kill.blow).or_default();
                cell.kills += 1;
                cell.wrong += usize::from(kill.wrong.is_some());
                cell.healed.extend(kill.healed);
            }
        }
        rows.values_mut().flat_map(BTreeMap::values_mut).for_each(|cell| cell.healed.sort_unstable());
        Table { rows }
    }
}

/// The last row: it sorts behind every key of a fault.
const ALL: &str = "~all";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = |blow: &Blow| self.rows.values().any(|row| row.contains_key(blow));
        let columns: Vec<Blow> = Blow::ALL.into_iter().filter(met).collect();
        writeln!(f, "| fault | {} |", columns.iter().map(|blow| blow.title()).collect::<Vec<_>>().join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(columns.len()))?;
        for (name, row) in &self.rows {
            let cells = columns.iter().map(|blow| row.get(blow).map_or_else(String::new, Cell::to_string));
            let name = if *name == ALL { "all".to_owned() } else { format!("`{name}`") };
            writeln!(f, "| {name} | {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Cell {
    /// `20 of 20, 18 / 62 ms`: healed, p50 and p99.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kills - self.wrong, self.kills)?;
        if let (Some(half), Some(most)) = (quantile(&self.healed, 0.5), quantile(&self.healed, 0.99)) {
            write!(f, ", {} / {} ms", half.as_millis(), most.as_millis())?;
        }
        Ok(())
    }
}

/// The smallest value that is not exceeded by so many.
fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}
