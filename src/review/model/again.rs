//! What was there before: whether a finding comes back, and what earlier reviews still owe.

use crate::{analysis::Findings, event::EarlierRun, review::quantity};
use jiff::{civil::Date, tz::TimeZone};

/// How far back recurrence is counted, this run included.
const WINDOW: usize = 5;

/// `Seen in 3 of the last 5 runs, first on 2026-03-01.` `None` if it is new, or nothing is known of earlier runs.
pub fn recurrence(findings: &Findings, fingerprint: &str) -> Option<String> {
    let known: Vec<&EarlierRun> = findings.earlier.iter().filter(|run| run.findings.is_some()).collect();
    let had = |run: &&&EarlierRun| run.findings.as_ref().is_some_and(|all| all.iter().any(|one| one == fingerprint));
    let first = known.iter().filter(had).map(|run| run.started).min()?;
    let window = known.iter().take(WINDOW - 1);
    let (seen, of) = (1 + window.clone().filter(had).count(), 1 + window.count());
    let first = day(first);
    Some(match seen {
        1 => format!("Not seen in the {} runs before; first on {first}.", of - 1),
        _ => format!("Seen in {seen} of the last {of} runs, first on {first}."),
    })
}

/// `Open from last time: 3 (oldest 21 days): A-3f9a1c2b Add an alert (accepted by ana); ...` `None` if nothing is.
pub fn open_before(findings: &Findings) -> Option<String> {
    let open = &findings.open_before;
    let oldest = open.iter().map(|item| item.since).min()?;
    let days = day(findings.run.started).since(oldest).map_or(0, |span| span.get_days()).max(0);
    let age = quantity::plural(u64::try_from(days).unwrap_or(0), "day", "days");
    let shown: Vec<String> =
        open.iter().take(SHOWN).map(|item| format!("{} {} ({})", item.id, item.title, item.state)).collect();
    let more = open.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(format!("{} (oldest {age}): {}{more}", open.len(), shown.join("; ")))
}

/// How many open items are named.
const SHOWN: usize = 5;

fn day(at: jiff::Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OpenItem;

    fn findings(earlier: &[Option<&[&str]>]) -> Findings {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run");
        let mut findings = crate::analysis::analyse(&crate::journal::RunFolder(folder.into())).unwrap();
        let run = |(i, found): (usize, &Option<&[&str]>)| EarlierRun {
            run: format!("r{i}"),
            started: format!("2026-03-{:02}T10:00:00Z", 20 - i).parse().unwrap(),
            word: "HELD".into(),
            code: 0,
            recover_ns: None,
            git: None,
            images: Default::default(),
            findings: found.map(|found| found.iter().map(|f| (*f).to_owned()).collect()),
        };
        findings.earlier = earlier.iter().enumerate().map(run).collect();
        findings
    }

    #[test]
    fn a_finding_that_comes_back_is_counted_over_the_last_five_runs() {
        let seen = |earlier: &[Option<&[&str]>]| recurrence(&findings(earlier), "f");
        let (f, none): (Option<&[&str]>, Option<&[&str]>) = (Some(&["f", "g"]), Some(&[]));
        assert_eq!(seen(&[]), None);
        assert_eq!(seen(&[none, none]), None);
        assert_eq!(seen(&[f, none, f]).unwrap(), "Seen in 3 of the last 4 runs, first on 2026-03-18.");
        assert_eq!(
            seen(&[f, None, none, none, none, none, f]).unwrap(),
            "Seen in 2 of the last 5 runs, first on 2026-03-14."
        );
        assert_eq!(seen(&[none, none, none, none, f]).unwrap(), "Not seen in the 4 runs before; first on 2026-03-16.");
    }

    #[test]
    fn what_is_owed_is_told_with_the_age_of_the_oldest() {
        let mut findings = findings(&[]);
        assert_eq!(open_before(&findings), None);
        let item = |id: &str, since: &str| OpenItem {
            id: id.into(),
            title: "Set a limit".into(),
            state: "accepted by ana".into(),
            fingerprint: None,
            since: since.parse().unwrap(),
            run: "r".into(),
        };
        findings.open_before = vec![item("A-1", "2026-11-01"), item("A-2", "2026-11-20")];
        let told = open_before(&findings).unwrap();
        assert!(told.starts_with("2 (oldest 21 days): A-1 Set a limit (accepted by ana); A-2 "), "{told}");
        findings.open_before = (0..9).map(|i| item(&format!("A-{i}"), "2026-11-20")).collect();
        assert!(open_before(&findings).unwrap().ends_with("; and 4 more"));
    }
}
