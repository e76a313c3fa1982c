use super::{rules::Scope, *};

/// A text under a heading of the rule's scope.
fn placed(rule: &Rule, text: &str) -> String {
    let heading = match rule.scope {
        Scope::Actions => "Action items",
        Scope::Prompts => "Decide",
        Scope::Story => "Timeline",
        Scope::Opinion | Scope::Judgement => "Summary",
        _ => "Notes",
    };
    let item = if rule.scope == Scope::Actions { "- " } else { "" };
    format!("# T\n\n## {heading}\n\n{item}{text}\n")
}

fn ids(markdown: &str) -> Vec<&'static str> {
    let options = Options { people: vec!["Ada".into()], on: vec!["person-named".into()], outage: None };
    lint(markdown, &options).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn every_rule_fires_and_rests_as_its_examples_say() {
    for rule in &RULES {
        assert!(!rule.fires.is_empty() && !rule.rests.is_empty(), "{} has no examples", rule.id);
        for text in rule.fires {
            assert!(ids(&placed(rule, text)).contains(&rule.id), "{} does not fire on: {text}", rule.id);
        }
        for text in rule.rests {
            assert!(!ids(&placed(rule, text)).contains(&rule.id), "{} fires on: {text}", rule.id);
        }
    }
}

#[test]
fn a_finding_knows_its_place_and_its_words() {
    let found = lint("# T\n\nThe **alert\nshould have** fired, äh, clearly.\n", &Options::default());
    let told: Vec<_> = found.iter().map(|f| (f.rule, f.line, f.column, f.found.as_str())).collect();
    assert_eq!(told, [("counterfactual", 4, 1, "should have"), ("normative", 4, 26, "clearly")]);
}

#[test]
fn scopes_keep_rules_to_their_sections() {
    assert!(!ids("# T\n\n## Action items\n\n- Say by 3 May what should have fired.\n").contains(&"counterfactual"));
    assert!(!ids("# T\n\n## Notes\n\nThere was insufficient disk.\n").contains(&"absence-as-cause"));
    assert!(!ids("# T\n\n## Why did it happen?\n\nx\n").contains(&"why-who"), "headings may ask why");
}

#[test]
fn an_outage_that_was_measured_may_be_called_one() {
    let lint_with = |outage| lint("# T\n\nThe outage lasted 3 s.\n", &Options { outage, ..Options::default() });
    assert_eq!((lint_with(Some(true)).len(), lint_with(Some(false)).len(), lint_with(None).len()), (0, 1, 1));
}

#[test]
fn one_factor_is_too_few_unless_the_drill_held_or_nobody_has_reviewed_it() {
    let text = |verdict, status| {
        format!(
            "---\nverdict: {verdict}\nstatus: {status}\n---\n# T\n\n## Contributing factors\n\n- The pool was full.\n"
        )
    };
    assert!(ids(&text("VIOLATED", "reviewed")).contains(&"single-root-cause"));
    assert!(!ids(&text("HELD", "reviewed")).contains(&"single-root-cause"));
    assert!(!ids(&text("VIOLATED", "draft")).contains(&"single-root-cause"));
}

#[test]
fn code_quotes_and_allowed_blocks_are_left_alone() {
    let text = "# T\n\n`should have!`\n\n> it should have fired!\n\n```\nclearly!\n```\n\n\
                <!-- firedrill-lint: allow animated because the alert is named so -->\nDoom!\n";
    assert_eq!(ids(text), Vec::<&str>::new());
}

/// How not to write: what the field's bad example is criticised for, in words of our own.
const BAD: &str = "# Storage crash

## Summary

This was a massive, horrible outage! The root cause was operator error: Ada obviously failed to read the runbook.

## Timeline

- 14:00 Ada broke the primary by a careless restart.
- 14:10 The team ignored the page. It should have been escalated at once.
- 14:30 There was insufficient monitoring on the replica.

## Contributing factors

- Someone forgot to enable replication, which is ridiculous. It probably never worked.

## Action items

- Improve monitoring.
- Train engineers to be more careful.
- Make backups better.
";

#[test]
fn the_bad_example_is_found_out() {
    let found = ids(BAD);
    let rules: std::collections::BTreeSet<_> = found.iter().collect();
    assert!(found.len() >= 10 && rules.len() >= 6, "{found:?}");
}

#[test]
fn any_text_at_all_is_read_without_a_panic() {
    for text in [
        "",
        "\u{0}",
        "|a|\n|-|\n|ä|",
        "# \n\n-\n\n- - !",
        "<!-- firedrill-lint: allow",
        "&amp;should have&lt;!",
        "\r\n\r!",
    ] {
        let _ = ids(text);
    }
}

#[test]
fn the_people_are_those_that_the_text_names() {
    let text = |front: &str, item: &str| {
        format!(
            "---\n{front}\n---\n# T\n\nana broke the cache. ana failed to notice.\n\n## Action items\n\n### Add a limit of 2 s\n\n- State: accepted\n{item}\n"
        )
    };
    let both = ["person-as-cause", "mechanistic"];
    let ids = |text: String| lint(&text, &Options::default()).into_iter().map(|f| f.rule).collect::<Vec<_>>();
    assert_eq!(ids(text("participants: [\"kim\", \"ana\"]", "")), both);
    assert_eq!(ids(text("owner: ana", "")), both);
    assert_eq!(ids(text("owner: unassigned", "- Owner: ana")), both);
    assert_eq!(ids(text("owner: unassigned", "").replace("accepted", "accepted by ana")), both);
    assert_eq!(ids(text("owner: unassigned", "- Owner: kim")), Vec::<&str>::new());
}

#[test]
fn a_figure_without_evidence_is_found_only_where_evidence_is_cited() {
    let told = "It took 34 s.\n";
    assert_eq!(ids(&format!("# T\n\n{told}")), Vec::<&str>::new());
    assert_eq!(ids(&format!("# T\n\n{told}\nIt lasted 12 s [e7].\n\n[e7]: #e7\n")), ["unsourced-number"]);
    assert_eq!(ids(&format!("# T\n\nIt lasted 12 s (e7).\n\n## Decide\n\n{told}")), Vec::<&str>::new());
}

#[test]
fn a_name_that_no_rule_has_is_told_with_the_one_that_may_be_meant() {
    assert_eq!(unknown("hedge"), None);
    let told = unknown("unsorced-number").unwrap();
    assert!(
        told.starts_with("there is no rule `unsorced-number`; did you mean `unsourced-number`? there is: "),
        "{told}"
    );
    assert!(unknown("nope").unwrap().starts_with("there is no rule `nope`; there is: counterfactual, "));
}
