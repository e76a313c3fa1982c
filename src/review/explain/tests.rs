use super::*;
use crate::{
    analysis::stage::{MS, S, Stage, T0, UNDO, ended, frozen},
    measure::Class,
};

/// A pause that users see, on a second probe as well.
fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.web(frozen(T0 + 8 * MS, UNDO + 6 * MS));
    stage.load("steady", 20.0, |index, _| ended(index, Class::Ok, 2 * MS));
    stage
}

#[test]
fn everything_that_is_said_leads_to_bytes_with_their_digest() {
    let stage = stage();
    let findings = stage.analyse();
    let cited = findings.figures.iter().map(|f| (f.kind.name(), &f.evidence));
    let cited = cited.chain(findings.timeline.iter().map(|row| ("timeline", &row.evidence)));
    for (what, evidence) in cited.chain(findings.criteria.iter().map(|c| ("criterion", &c.evidence))) {
        assert!(!evidence.is_empty(), "{what} cites nothing");
    }
    for (evidence, place) in findings.evidence.iter().zip(&findings.places) {
        let place = place.as_ref().unwrap_or_else(|| panic!("{evidence} leads nowhere"));
        let bytes = std::fs::read(stage.run_folder().path().join(&place.file)).unwrap();
        let part = &bytes[place.bytes.start as usize..place.bytes.end as usize];
        assert_eq!(crate::journal::seal::digest(part).unwrap().0, place.digest, "{evidence}");
    }
}

#[test]
fn every_figure_can_be_taken_apart() {
    let stage = stage();
    let findings = stage.analyse();
    let entries = entries(&findings);
    let unlike: std::collections::BTreeSet<&str> = entries.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(unlike.len(), entries.len());
    for entry in &entries {
        let explained = explain(&stage.run_folder(), &findings, &entry.id).unwrap();
        assert!(!explained.worked.formula.is_empty() && !explained.evidence.is_empty(), "{}", entry.id);
        let text = text(&explained);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n') && text.len() < 60_000, "{}", entry.id);
    }
}

#[test]
fn numbers_are_put_in_and_raw_requests_shown() {
    let stage = stage();
    let findings = stage.analyse();
    let explained = explain(&stage.run_folder(), &findings, "recovery-lag/web").unwrap();
    assert_eq!(explained.worked.formula, "tr - tf1");
    let tr = &explained.worked.inputs[0].value;
    assert!(explained.worked.numbers.starts_with(&format!("{tr} - t+10.0")), "{}", explained.worked.numbers);
    let requests = explained.evidence.iter().find(|raw| raw.place.starts_with("requests.bin")).unwrap();
    let excerpt = &requests.excerpt;
    assert_eq!((excerpt.first.len(), excerpt.last.len(), &excerpt.trouble), (5, 5, &None));
    assert!(excerpt.left_out > 100 && excerpt.first[0].contains("  due t"), "{excerpt:?}");

    let failed = explain(&stage.run_folder(), &findings, "requests-failed/web").unwrap();
    let sum: u64 = failed.worked.inputs.iter().map(|i| i.value.replace(',', "").parse::<u64>().unwrap()).sum();
    assert_eq!(Some(sum as f64), failed.exact, "{failed:?}");
    let smallest = explain(&stage.run_folder(), &findings, "smallest-margin").unwrap();
    assert!(smallest.worked.inputs.iter().all(|input| !input.symbol.starts_with("baseline")), "{smallest:?}");
    let margin = quantity::margin(smallest.exact.unwrap());
    assert!(smallest.worked.inputs.iter().any(|input| input.value == margin), "{smallest:?}");
    let journal = place(&stage.run_folder(), &findings, "e0").unwrap();
    assert!(journal.excerpt.first[0].starts_with("{\"seq\":"), "{journal:?}");
}

#[test]
fn numbers_are_put_into_criteria() {
    let folder = RunFolder(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run").into());
    let findings = crate::analysis::analyse(&folder).unwrap();
    let numbers = |id: &str| explain(&folder, &findings, id).unwrap().worked.numbers;
    let p99 = "response time at place 1,659 ( 1,659 = ceil(0.99 x 1,675) ) in rising order = 16.4ms";
    assert_eq!(numbers("during/checkout/p99"), p99);
    assert_eq!(numbers("during/checkout/errors"), "0 / 1,675 = 0%");
    assert_eq!(numbers("during/checkout/failed-in-all"), "2,477 - 2,476 = 1");
    assert_eq!(numbers("recovery/checkout/recovered-within"), "max(0, t+1.414s - t+12.375s) = 0s");
}

#[test]
fn a_name_that_is_nearly_right_finds_its_like() {
    let findings = Stage::new().analyse();
    assert_eq!(nearest(&findings, "time-to-recovr/web")[0], "time-to-recover/web");
    assert_eq!(resolve(&findings, "time-to-recover").as_deref(), Some("time-to-recover/web"));
    assert_eq!(resolve(&findings, "time-to"), None);
    assert!(nearest(&findings, "\u{1b}[31m").is_empty());
}

#[test]
fn what_a_terminal_would_act_on_is_shown_as_text() {
    let mut stage = Stage::new();
    let text = "\u{1b}]0;owned\u{7}\u{202e}gpj".to_owned();
    stage.tell(
        12 * S,
        crate::event::EventKind::Noted { kind: crate::event::NoteKind::Note, text, who: "\u{1b}c".into() },
    );
    let findings = stage.analyse();
    for id in 0..findings.evidence.len() {
        let shown = place_text(&place(&stage.run_folder(), &findings, &format!("e{id}")).unwrap());
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown}");
    }
}
