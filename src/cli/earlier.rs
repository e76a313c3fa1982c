//! What earlier runs of a scenario contribute to the review of the next: what they came to, what their rules found, and
//! what their reviews still owe. Captured in the journal, so that the same folder gives the same review for ever.

use crate::{
    event::{Earlier, EarlierRun, OpenItem},
    history::{Past, index, owed},
    journal::RunFolder,
};
use jiff::civil::Date;
use std::{collections::BTreeMap, fs, path::Path};

/// How many earlier runs a review tells of.
const MOST: usize = 20;
/// How many open action items.
const MOST_OPEN: usize = 50;

/// What earlier runs of the scenario came to, newest first, and what their reviews owe, oldest first.
pub fn earlier(reports: &Path, scenario: &str, this: &RunFolder) -> Earlier {
    let Ok(entries) = fs::read_dir(reports) else { return Earlier::default() };
    let marker = format!("-{scenario}-");
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.contains(&marker) && *name != this.run());
    // They begin with their time.
    names.sort_unstable_by(|a, b| b.cmp(a));
    let read = names.iter().filter_map(|name| index::one(&reports.join(name)));
    let pasts: Vec<Past> = read.filter(|past| past.scenario.as_deref() == Some(scenario)).take(MOST).collect();
    Earlier { runs: pasts.iter().filter_map(run).collect(), open: open(pasts) }
}

/// `None` if it is no finished run.
fn run(past: &Past) -> Option<EarlierRun> {
    let summary = past.summary.as_ref()?;
    let fingerprints = |seen: &Vec<crate::history::Seen>| seen.iter().map(|seen| seen.fingerprint.clone()).collect();
    Some(EarlierRun {
        run: summary.run.clone(),
        started: past.started?,
        word: summary.word.clone(),
        code: summary.code,
        recover_ns: summary.figures.recover.value.filter(|ns| *ns >= 0.0).map(|ns| ns as u64),
        git: summary.git.clone(),
        images: summary.images.clone(),
        findings: summary.findings.as_ref().map(fingerprints),
    })
}

/// The items on which something is owed; a finding that several runs proposed to act on counts once.
fn open(pasts: Vec<Past>) -> Vec<OpenItem> {
    let reports = crate::history::Reports { runs: pasts, read_anew: 0 };
    let since = owed::since(&reports);
    // Nothing here depends on the day: whether something is overdue is no concern of a review.
    let listed = owed::owed(&reports, Date::MIN).into_iter().filter(|owed| owed.item.state.open());
    let mut open: Vec<OpenItem> = listed.filter_map(|owed| one(&owed, &since)).collect();
    open.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
    open.truncate(MOST_OPEN);
    open
}

fn one(owed: &owed::Owed<'_>, since: &BTreeMap<&str, Date>) -> Option<OpenItem> {
    let fingerprint = owed::fingerprint(owed.item);
    let known = fingerprint.and_then(|finding| since.get(finding)).copied();
    Some(OpenItem {
        id: owed.item.id.clone(),
        title: owed.item.title.clone(),
        state: owed.item.state_words(),
        since: known.or(owed.begun)?,
        run: owed.run.to_owned(),
        fingerprint: fingerprint.map(String::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(reports: &Path, name: &str, scenario: &str) {
        let folder = reports.join(name);
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "{{\"format\":1,\"run\":{{\"id\":\"{name}\",\"scenario\":\"{scenario}\",\"started\":\"2026-03-01T10:00:00Z\"}},
            \"verdict\":{{\"word\":\"HELD\",\"code\":0}},
            \"probes\":[{{\"name\":\"p\",\"judged\":true}}],
            \"findings\":[{{\"rule\":\"r\",\"fingerprint\":\"f\"}}],
            \"figures\":[{{\"kind\":\"time_to_recover\",\"probe\":\"p\",\"measured\":{{\"value\":1.5e9}}}}]}}"
        );
        fs::write(folder.join("result.json"), text).unwrap();
    }

    #[test]
    fn runs_of_the_same_scenario_are_told_newest_first() {
        let reports = tempfile::tempdir().unwrap();
        for name in ["20260301T100000Z-a-0001", "20260302T100000Z-a-0001", "20260303T100000Z-a-0001"] {
            put(reports.path(), name, "a");
        }
        put(reports.path(), "20260304T100000Z-x-a-0001", "x-a");
        fs::create_dir_all(reports.path().join("20260305T100000Z-a-0001")).unwrap();
        let this = RunFolder(reports.path().join("20260303T100000Z-a-0001"));
        let earlier = earlier(reports.path(), "a", &this).runs;
        let runs: Vec<&str> = earlier.iter().map(|run| run.run.as_str()).collect();
        assert_eq!(runs, ["20260302T100000Z-a-0001", "20260301T100000Z-a-0001"]);
        assert_eq!(earlier[0].recover_ns, Some(1_500_000_000));
    }

    #[test]
    fn what_reviews_still_owe_counts_once_and_from_its_first_day() {
        let reports = tempfile::tempdir().unwrap();
        for (day, state) in [("01", "declined"), ("02", "proposed"), ("03", "proposed")] {
            let name = format!("202603{day}T100000Z-a-0001");
            put(reports.path(), &name, "a");
            let item = |id: &str, finding: &str, state: &str| {
                format!(
                    "### A-0000{day}{id}: Set a limit\n\n- State: {state}\n- Finding: r `{finding}` (e1)\n\
                     - History: 2026-03-{day} proposed\n\n"
                )
            };
            let text = format!("## Action items\n\n{}{}", item("aa", "f", "proposed"), item("bb", "g", state));
            fs::write(reports.path().join(name).join("review.md"), text).unwrap();
        }
        let this = RunFolder(reports.path().join("20260304T100000Z-a-0001"));
        let earlier = earlier(reports.path(), "a", &this);
        let open: Vec<(&str, String)> = earlier.open.iter().map(|o| (o.id.as_str(), o.since.to_string())).collect();
        assert_eq!(open, [("A-000003aa", "2026-03-01".to_owned())], "the declined one is no longer owed");
        assert_eq!(earlier.runs[0].findings.as_deref(), Some(&["f".to_owned()][..]));
    }
}
