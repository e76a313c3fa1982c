//! All runs together: what a folder of reports tells that one review cannot.
//!
//! The store is the folder itself, kept in git by whoever wants it kept: each run's `result.json` for figures, each
//! run's `review.md` for what people decided. [`index`] reads them; its cache only saves time and may be deleted at
//! any moment. Nothing here computes a mean over runs: durations of incidents are skewed, so every run stays a row,
//! or a dot.

pub mod age;
pub mod alerts;
pub mod followup;
pub mod index;
pub mod owed;
mod past;
pub mod patterns;
pub mod report;
mod result;
mod scan;
pub mod site;
pub mod words;

pub use index::{Reports, read};
pub use past::{Alerted, Figures, Measured, Past, Seen, Summary};

/// Every run, newest first; one that lies in two folders counts once.
pub fn once(reports: &Reports) -> impl Iterator<Item = &Past> {
    let mut known = std::collections::BTreeSet::new();
    reports.runs.iter().filter(move |past| known.insert(past.run()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that held, on a day of March 2026, in which rules found this: rule, service, faults, fingerprint.
    pub(super) fn past(run: &str, scenario: &str, day: usize, found: &[(&str, &str, &str, &str)]) -> Past {
        let findings = found.iter().map(|(rule, service, fault, fingerprint)| Seen {
            rule: (*rule).into(),
            fingerprint: (*fingerprint).into(),
            service: Some((*service).into()),
            fault: Some((*fault).into()),
            title: "found".into(),
        });
        let summary = Summary {
            run: run.into(),
            title: scenario.into(),
            tags: vec![],
            owner: None,
            took_ns: 1,
            cut_short: false,
            version: "0.1.0".into(),
            git: Some(if day < 5 { "v1" } else { "v2" }.into()),
            scenario_digest: String::new(),
            images: Default::default(),
            word: "HELD".into(),
            code: 0,
            low_margin: false,
            smallest_margin: Some(0.5),
            probe: Some("shop".into()),
            figures: Figures {
                failed: Some(day as f64),
                offered: Some(1_000),
                p99_before_ns: Some(5_000_000),
                p99_during_ns: Some(7_000_000 * day as u64),
                ..Figures::default()
            },
            service: Some("shop".into()),
            injected: vec![],
            alerts: None,
            findings: Some(findings.collect()),
        };
        Past {
            folder: run.into(),
            started: Some(format!("2026-03-{day:02}T10:00:00Z").parse().unwrap()),
            scenario: Some(scenario.into()),
            troubles: vec![],
            summary: Some(summary),
            actions: vec![],
        }
    }
}
