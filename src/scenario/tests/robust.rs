//! Whatever a file holds, the reader answers: a scenario, or errors that can be printed.

use super::env;
use crate::scenario::{Place, read_text};
use proptest::prelude::*;
use std::{collections::BTreeMap, path::Path};

const SKETCH: &str = include_str!("../../../tests/scenarios/good/every-key.yaml");

/// Reads a text and prints what comes of it.
fn answers(text: &str) -> Result<(), TestCaseError> {
    match read_text(Path::new("x.yaml"), text.to_owned(), &BTreeMap::new(), &env) {
        Ok(loaded) => {
            let shown = loaded.error_at(loaded.scenario.targets[0].place, "later", None).render(true);
            prop_assert!(shown.contains("later"));
        }
        Err(errors) => {
            prop_assert!(!errors.errors.is_empty());
            prop_assert!(errors.render(false).starts_with("error"));
            prop_assert!(!errors.render(false).contains('\u{1b}'), "an escape sequence reaches the terminal");
            errors.as_json().to_string();
        }
    }
    Ok(())
}

/// One slip of the keyboard: a piece cut out, doubled, or replaced.
fn slip() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let signs = "[-:{}\\[\\],&*<>|%@`\"'$#!?~\\\\ \n\t0-9a-z\u{1b}\u{85}é]{0,6}";
    (any::<prop::sample::Index>(), 0..12usize, signs)
}

fn slipped(slips: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = SKETCH.chars().collect();
    for (at, length, put) in slips {
        let start = at.index(chars.len());
        let end = (start + length).min(chars.len());
        chars.splice(start..end, put.chars());
        if chars.is_empty() {
            break;
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_slip_of_the_keyboard_is_answered(slips in prop::collection::vec(slip(), 1..4)) {
        answers(&slipped(&slips))?;
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        answers(&text)?;
    }

    #[test]
    fn any_yaml_like_text_is_answered(text in "[-:{}\\[\\],&*<>|%@`\"'$#!?~\\\\ \n\ta-c]{0,80}") {
        answers(&text)?;
    }

    #[test]
    fn a_place_and_its_byte_are_the_same(text in "[a\né\u{1F525}]{0,30}", at in 0..40usize) {
        let byte = crate::scenario::diagnostics::boundary(&text, at);
        prop_assert_eq!(Place::of(&text, byte).byte(&text), byte);
    }
}
