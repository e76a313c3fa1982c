//! How much is owed, and for how long. A median is told only of enough items, a mean never.

use super::{Reports, owed};
use crate::review::{action::State, quantity::plural};
use jiff::civil::Date;
use serde::Serialize;

/// From so many items on, their median age is worth a word.
const ENOUGH: usize = 5;

/// The open action items of all reviews, a finding of several runs counted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    /// How many there are.
    pub items: usize,
    /// How many of them are overdue.
    pub overdue: usize,
    /// How many of them a drill found undone again.
    pub regressed: usize,
    /// The age of the newest, days since its finding was first proposed to be acted on; null: nothing is open.
    pub newest_days: Option<i32>,
    /// The age of the oldest.
    pub oldest_days: Option<i32>,
    /// The age in the middle; null for fewer than five, of which it would say nothing.
    pub median_days: Option<i32>,
}

/// As of a day.
pub fn open(reports: &Reports, today: Date) -> Open {
    let since = owed::since(reports);
    let listed = owed::owed(reports, today);
    let open: Vec<&owed::Owed<'_>> = listed.iter().filter(|owed| owed.item.state.open()).collect();
    let day = |owed: &&owed::Owed<'_>| owed::fingerprint(owed.item).and_then(|f| since.get(f).copied()).or(owed.begun);
    let mut ages: Vec<i32> =
        open.iter().filter_map(day).map(|day| today.since(day).map_or(0, |span| span.get_days()).max(0)).collect();
    ages.sort_unstable();
    Open {
        items: open.len(),
        overdue: open.iter().filter(|owed| owed.overdue).count(),
        regressed: open.iter().filter(|owed| owed.item.state == State::Regressed).count(),
        newest_days: ages.first().copied(),
        oldest_days: ages.last().copied(),
        median_days: (ages.len() >= ENOUGH).then(|| median(&ages)),
    }
}

/// Of sorted ages, rounded up in the middle of two.
fn median(ages: &[i32]) -> i32 {
    let upper = ages[ages.len() / 2];
    if ages.len().is_multiple_of(2) { (ages[ages.len() / 2 - 1] + upper + 1) / 2 } else { upper }
}

impl Open {
    /// `7 open action items: median age 12 days, from 3 to 40; 1 overdue; 2 regressed.`
    pub fn says(&self) -> String {
        let items = plural(self.items as u64, "open action item", "open action items");
        let days = |n: i32| plural(u64::try_from(n).unwrap_or(0), "day", "days");
        let age = match (self.newest_days, self.oldest_days, self.median_days) {
            (Some(newest), Some(oldest), Some(median)) => {
                format!(": median age {}, from {newest} to {oldest}", days(median))
            }
            (Some(newest), Some(oldest), None) if newest == oldest => format!(": {} old", days(oldest)),
            (Some(newest), Some(oldest), None) => format!(": {newest} to {} old, too few for a median", days(oldest)),
            _ => String::new(),
        };
        format!("{items}{age}; {} overdue; {} regressed.", self.overdue, self.regressed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::owed::tests::past;

    fn of(items: &[(&str, &str, &str, &str)]) -> Open {
        open(&Reports { runs: vec![past("a", items)], read_anew: 0 }, "2026-03-11".parse().unwrap())
    }

    #[test]
    fn a_median_is_told_of_enough_items_only() {
        let few = of(&[("A-0000000a", "regressed", "f1", "2026-03-10"), ("A-0000000b", "verified", "f2", "none")]);
        assert_eq!(few.says(), "1 open action item: 10 days old; 1 overdue; 1 regressed.");
        let ids = ["A-0000000a", "A-0000000b", "A-0000000c", "A-0000000d", "A-0000000e"];
        let many = of(&ids.map(|id| (id, "proposed", id, "none")));
        assert_eq!(many.says(), "5 open action items: median age 10 days, from 10 to 10; 0 overdue; 0 regressed.");
        assert_eq!(of(&[]).says(), "0 open action items; 0 overdue; 0 regressed.");
    }

    #[test]
    fn the_middle_of_two_is_rounded_up() {
        assert_eq!((median(&[1, 2, 9]), median(&[1, 2, 3, 9])), (2, 3));
    }
}
