//! A run as the cells of a table, for the terminal and for the page.

use super::past::{Measured, Past};
use crate::review::{escape::plain, quantity};
use serde::Serialize;
use std::collections::BTreeMap;

/// Stands where nothing is known.
const NOTHING: &str = "-";

/// One run. Texts are without control characters and not escaped for any format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The folder, below the folder of reports.
    pub folder: String,
    /// The run's id.
    pub run: String,
    /// `2026-03-01 10:00 UTC`
    pub started: String,
    /// Of which scenario.
    pub scenario: String,
    /// The verdict's word, or that there is none.
    pub verdict: String,
    /// `good`, `warn`, `bad`, `quiet`: how it is coloured where there are colours.
    pub tone: &'static str,
    /// Requests failed of those offered.
    pub failed: String,
    /// 99th percentile before and during the fault.
    pub p99: String,
    /// Recovery - start of impact.
    pub recovered: String,
    /// Alert - fault.
    pub detected: String,
    /// The smallest margin.
    pub margin: String,
    /// How many of its action items are open, as [`super::owed::open`] counts.
    pub open: String,
    /// What is wrong with its files.
    pub troubles: Vec<String>,
}

impl Row {
    /// Of a run, with the open items of all reviews.
    pub fn of(past: &Past, open: &BTreeMap<String, usize>) -> Row {
        let summary = past.summary.as_ref();
        let figures = summary.map(|summary| &summary.figures);
        let started = past.started.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let nothing = || NOTHING.to_owned();
        Row {
            folder: plain(&past.folder),
            run: plain(past.run()),
            started: started.unwrap_or_else(|| "at an unknown time".into()),
            scenario: plain(past.scenario.as_deref().unwrap_or("unknown")),
            verdict: summary.map_or("UNREADABLE".into(), |summary| plain(&summary.word)),
            tone: summary.map_or("quiet", |summary| tone(summary.code, summary.low_margin)),
            failed: figures.and_then(|f| Some(failed(f.failed?, f.offered?))).unwrap_or_else(nothing),
            p99: figures.map_or_else(nothing, |f| p99(f.p99_before_ns, f.p99_during_ns)),
            recovered: figures.map_or_else(nothing, |f| time(&f.recover)),
            detected: figures.map_or_else(nothing, |f| time(&f.detect)),
            margin: summary.and_then(|s| s.smallest_margin).map_or_else(nothing, quantity::margin),
            open: open.get(&past.review()).map_or_else(nothing, usize::to_string),
            troubles: past.troubles.iter().map(|trouble| plain(trouble)).collect(),
        }
    }
}

fn tone(code: u8, low_margin: bool) -> &'static str {
    match code {
        0 if low_margin => "warn",
        0 => "good",
        1 | 5 => "bad",
        _ => "quiet",
    }
}

fn failed(n: f64, of: u64) -> String {
    quantity::part(n.max(0.0) as u64, of)
}

fn p99(before: Option<u64>, during: Option<u64>) -> String {
    let shown = |ns: Option<u64>| ns.map_or(NOTHING.into(), quantity::span);
    if before.is_none() && during.is_none() {
        NOTHING.into()
    } else {
        format!("{} to {}", shown(before), shown(during))
    }
}

/// A length of time, or why there is none, in few words.
fn time(measured: &Measured) -> String {
    let absent = measured.absent.as_deref().unwrap_or_default();
    match measured.value {
        Some(ns) if ns < 0.0 => format!("-{}", quantity::span(-ns as u64)),
        Some(ns) => quantity::span(ns as u64),
        None if absent.starts_with("no impact") => "no impact".into(),
        None if absent.starts_with("not recovered") => "not recovered".into(),
        None if absent.starts_with("not detected") => "not detected".into(),
        None => NOTHING.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_no_number() {
        let absent = |why: &str| Measured { value: None, absent: Some(why.into()) };
        assert_eq!(time(&absent("no impact observed at this load")), "no impact");
        assert_eq!(time(&absent("not recovered by the end of the run (at least 9s)")), "not recovered");
        assert_eq!(time(&Measured::default()), "-");
        assert_eq!(time(&Measured { value: Some(-1.5e9), absent: None }), "-1.5s");
    }

    #[test]
    fn a_run_that_cannot_be_read_has_a_row() {
        let past = Past {
            folder: "evil\u{1b}[2J".into(),
            started: None,
            scenario: None,
            troubles: vec!["result.json is empty".into()],
            summary: None,
            actions: vec![],
        };
        let row = Row::of(&past, &BTreeMap::new());
        assert_eq!((row.verdict.as_str(), row.folder.as_str()), ("UNREADABLE", "evil\u{fffd}[2J"));
    }
}
