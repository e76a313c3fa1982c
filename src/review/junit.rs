//! `junit.xml`: one test case a criterion, and one for the verdict. Violated is a failure; undecided, halted,
//! stopped, not started and not reached are errors; nothing is ever skipped.

use super::{escape, model::Review};
use crate::analysis::{Findings, RunOutcome, Word};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// What becomes of a test case.
enum Outcome {
    Passed,
    Failed(String),
    Errored(String),
}

/// One run.
pub fn one(findings: &Findings, review: &Review) -> String {
    print(&format!("firedrill {}", findings.run.scenario), [suite(findings, review)])
}

/// A series of runs, in their order, as one file.
pub fn series<'a>(runs: impl IntoIterator<Item = (&'a Findings, &'a Review)>) -> String {
    print("firedrill", runs.into_iter().map(|(findings, review)| suite(findings, review)))
}

fn print(name: &str, suites: impl IntoIterator<Item = TestSuite>) -> String {
    let mut report = Report::new(escape::plain(name));
    report.add_test_suites(suites);
    report.to_string().expect("writing XML to memory")
}

fn suite(findings: &Findings, review: &Review) -> TestSuite {
    let mut suite = TestSuite::new(escape::plain(&findings.run.scenario));
    suite.set_time(Duration::from_nanos(findings.run.ended));
    for (name, value) in [("run", &findings.run.id), ("verdict", &review.banner.word), ("started", &review.started_iso)]
    {
        suite.add_property((name, escape::plain(value).as_str()));
    }
    for row in &review.criteria {
        let name = format!("{} {} {} {}", row.phase, row.probe, row.what, row.expected);
        let reading = format!("{} (expected {}, margin {}, N = {})", row.measured, row.expected, row.margin, row.n);
        let outcome = match row.status {
            "met" => Outcome::Passed,
            "broken" => Outcome::Failed(reading),
            other => Outcome::Errored(format!("{other}: {reading}")),
        };
        suite.add_test_case(case(&findings.run.scenario, &name, outcome));
    }
    suite.add_test_case(case(&findings.run.scenario, "verdict", verdict(findings, review)));
    suite
}

fn verdict(findings: &Findings, review: &Review) -> Outcome {
    let text = format!("{}: {}", review.banner.word, review.banner.why);
    match (findings.verdict.word, &findings.verdict.run) {
        (_, RunOutcome::CutShort | RunOutcome::GaveUp) => Outcome::Errored(text),
        (Word::Held | Word::HeldLowMargin, _) => Outcome::Passed,
        (Word::Violated | Word::NotRecovered, _) => Outcome::Failed(text),
        (Word::Halted | Word::Stopped | Word::Undecided | Word::NotStarted | Word::CleanupUnproven, _) => {
            Outcome::Errored(text)
        }
    }
}

fn case(scenario: &str, name: &str, outcome: Outcome) -> TestCase {
    let words: Vec<&str> = name.split_whitespace().collect();
    let status = match &outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Errored(_) => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let mut case = TestCase::new(escape::plain(&words.join(" ")), status);
    case.set_classname(escape::plain(scenario));
    if let Outcome::Failed(text) | Outcome::Errored(text) = &outcome {
        case.status.set_message(escape::plain(text));
    }
    case
}
