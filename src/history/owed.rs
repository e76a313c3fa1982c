//! What is owed: the action items of all reviews, once each.

use super::{Past, Reports};
use crate::review::action::{ActionItem, State};
use jiff::{civil::Date, tz::TimeZone};
use serde::Serialize;
use std::collections::BTreeMap;

/// An action item and the review that it stands in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Owed<'a> {
    /// The item.
    #[serde(flatten)]
    pub item: &'a ActionItem,
    /// The run whose review it stands in.
    pub run: &'a str,
    /// Of which scenario.
    pub scenario: Option<&'a str>,
    /// The review, as a path below the folder of reports.
    pub review: String,
    /// Since when: the first day of its history, else the day of its run, UTC.
    pub begun: Option<Date>,
    /// Whether its day has passed.
    pub overdue: bool,
    /// Ids of untouched proposals for the same finding in other reviews, newest first; they are not listed.
    pub also: Vec<&'a str>,
}

/// Every item, the most pressing first. A finding that several runs propose to act on is one item: the one that somebody
/// took up, or the newest proposal.
pub fn owed(reports: &Reports, today: Date) -> Vec<Owed<'_>> {
    let mut owed: Vec<Owed<'_>> = Vec::new();
    let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
    // Newest run first, decided items before proposals: whatever comes later of the same finding is an echo.
    for proposal in [false, true] {
        for (past, item) in all(reports).filter(|(_, item)| (item.state == State::Proposed) == proposal) {
            let finding = fingerprint(item);
            match finding.and_then(|finding| newest.get(finding)) {
                Some(first) if proposal && covers(owed[*first].item, past) => owed[*first].also.push(&item.id),
                known => {
                    if let (None, Some(finding)) = (known, finding) {
                        newest.insert(finding, owed.len());
                    }
                    owed.push(one(past, item, today));
                }
            }
        }
    }
    owed.sort_by_key(|owed| {
        let item = owed.item;
        (!item.state.open(), !owed.overdue, item.priority, item.due.unwrap_or(Date::MAX), item.id.clone())
    });
    owed
}

/// How many open items each review has, by its path, of those that [`owed`] lists: what another review answers to is
/// counted there.
pub fn open(reports: &Reports) -> BTreeMap<String, usize> {
    let mut open = BTreeMap::new();
    // The day matters for what is overdue alone.
    for owed in owed(reports, Date::MIN).iter().filter(|owed| owed.item.state.open()) {
        *open.entry(owed.review.clone()).or_default() += 1;
    }
    open
}

/// Whether an item answers a proposal of this run as well. What was verified before the run does not: it came back.
fn covers(item: &ActionItem, past: &Past) -> bool {
    let closed = item.history.last().map(|step| step.on).filter(|_| item.state == State::Verified);
    let began = past.started.map(|at| at.to_zoned(TimeZone::UTC).date());
    closed.zip(began).is_none_or(|(closed, began)| began <= closed)
}

/// Every item of every review, newest run first.
pub fn all(reports: &Reports) -> impl Iterator<Item = (&Past, &ActionItem)> {
    super::once(reports).flat_map(|past| past.actions.iter().map(move |item| (past, item)))
}

fn one<'a>(past: &'a Past, item: &'a ActionItem, today: Date) -> Owed<'a> {
    Owed {
        item,
        run: past.run(),
        scenario: past.scenario.as_deref(),
        review: past.review(),
        begun: begun(item, past),
        overdue: item.overdue(today),
        also: Vec::new(),
    }
}

/// When each finding was first proposed to be acted on.
pub fn since(reports: &Reports) -> BTreeMap<&str, Date> {
    let mut since = BTreeMap::new();
    for (past, item) in all(reports) {
        let (Some(finding), Some(day)) = (fingerprint(item), begun(item, past)) else { continue };
        let first = since.entry(finding).or_insert(day);
        *first = day.min(*first);
    }
    since
}

/// The finding that an item answers to; `None`: a person wrote it.
pub fn fingerprint(item: &ActionItem) -> Option<&str> {
    item.finding.as_ref().map(|found| found.fingerprint.as_str()).filter(|fingerprint| !fingerprint.is_empty())
}

fn begun(item: &ActionItem, past: &Past) -> Option<Date> {
    let run = past.started.map(|at| at.to_zoned(TimeZone::UTC).date());
    item.history.first().map(|step| step.on).or(run)
}

/// The item of an id, in the one review that has it.
///
/// # Errors
/// If there is none, or several reviews have it; for people.
pub fn find<'a>(reports: &'a Reports, id: &str) -> Result<(&'a Past, &'a ActionItem), String> {
    let same = |item: &ActionItem| item.id.eq_ignore_ascii_case(id.trim());
    let found: Vec<(&Past, &ActionItem)> = all(reports).filter(|(_, item)| same(item)).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(format!("no review has an action item {}; `firedrill actions` lists them", id.trim())),
        several => {
            let files: Vec<String> = several.iter().map(|(past, _)| past.review()).collect();
            Err(format!("several reviews have an action item {}: {}", id.trim(), files.join(", ")))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::review::action;

    /// A run with a review of these items: id, state, fingerprint, due.
    pub(crate) fn past(run: &str, items: &[(&str, &str, &str, &str)]) -> Past {
        let lines = |(id, state, fingerprint, due): &(&str, &str, &str, &str)| {
            format!(
                "### {id}: Set a limit\n\n- State: {state}\n- Priority: P1\n- Due: {due}\n- Finding: no-limit `{fingerprint}` (e1)\n\n"
            )
        };
        let text: String = items.iter().map(lines).collect();
        Past {
            folder: run.into(),
            started: Some("2026-03-01T10:00:00Z".parse().unwrap()),
            scenario: Some("a".into()),
            troubles: vec![],
            summary: None,
            actions: action::read(&format!("## Action items\n\n{text}")).0,
        }
    }

    fn ids<'a>(owed: &[Owed<'a>]) -> Vec<&'a str> {
        owed.iter().map(|owed| owed.item.id.as_str()).collect()
    }

    #[test]
    fn a_finding_of_several_runs_is_one_item() {
        let runs = vec![
            past("c", &[("A-0000000c", "proposed", "f1", "none"), ("A-0000001c", "proposed", "f2", "none")]),
            past(
                "b",
                &[("A-0000000b", "accepted by ana", "f1", "2026-04-01"), ("A-0000001b", "proposed", "f2", "none")],
            ),
            past("a", &[("A-0000000a", "proposed", "f1", "none"), ("A-0000002a", "verified", "f1", "none")]),
        ];
        let reports = Reports { runs, read_anew: 0 };
        let owed = owed(&reports, "2026-04-02".parse().unwrap());
        assert_eq!(ids(&owed), ["A-0000000b", "A-0000001c", "A-0000002a"]);
        assert!(owed[0].overdue && owed[0].also == ["A-0000000c", "A-0000000a"], "{owed:?}");
        assert_eq!(owed[1].also, ["A-0000001b"]);
        let by_review = open(&reports);
        assert_eq!(by_review.into_iter().collect::<Vec<_>>(), [("b/review.md".into(), 1), ("c/review.md".into(), 1)]);
    }

    #[test]
    fn what_was_verified_and_is_proposed_again_is_owed_again() {
        let mut closed = past("a", &[("A-0000000a", "verified", "f1", "none")]);
        let step = |on: &str| vec![action::Step { on: on.parse().unwrap(), what: "verified".into() }];
        closed.actions[0].history = step("2026-02-01");
        let again = past("b", &[("A-0000000b", "proposed", "f1", "none")]);
        let mut reports = Reports { runs: vec![again, closed], read_anew: 0 };
        let today = "2026-04-02".parse().unwrap();
        assert_eq!(ids(&owed(&reports, today)), ["A-0000000b", "A-0000000a"]);
        reports.runs[1].actions[0].history = step("2026-03-02");
        assert_eq!(ids(&owed(&reports, today)), ["A-0000000a"]);
    }

    #[test]
    fn an_id_is_found_in_one_review() {
        let items = [("A-0000000c", "proposed", "f1", "none")];
        let twice = Reports { runs: vec![past("b", &items), past("a", &items)], read_anew: 0 };
        assert!(find(&twice, "A-0000000C").unwrap_err().contains("several reviews have"));
        let once = Reports { runs: vec![past("b", &items)], read_anew: 0 };
        assert_eq!(find(&once, " a-0000000c ").unwrap().0.folder, "b");
        assert!(find(&once, "A-1").unwrap_err().contains("no review has an action item A-1"));
    }
}
