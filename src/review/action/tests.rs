use super::*;
use crate::review::escape;
use proptest::prelude::*;

fn item() -> ActionItem {
    ActionItem {
        id: "A-3f9a1c2b".into(),
        title: "Add an alert that fires when checkout errors exceed 0.1% for 1m".into(),
        state: State::Proposed,
        by: None,
        aim: Aim::Detect,
        priority: Priority::P1,
        priority_why: "an expected page was missed".into(),
        owner: None,
        due: Some("2026-12-22".parse().unwrap()),
        ticket: None,
        finding: Some(Found {
            rule: "expected-alert-absent".into(),
            fingerprint: "0a1b2c3d4e5f".into(),
            evidence: vec!["e12".into(), "e14".into()],
            says: "No alert fired within 92s of the fault.".into(),
        }),
        done_when: "the alert fires within 1m of the fault in 1 run".into(),
        verify: Verify::Scenario {
            scenario: "scenarios/demo.yaml".into(),
            criterion: "alert X fires within 1m".into(),
        },
        reason: None,
        history: vec![Step { on: "2026-11-22".parse().unwrap(), what: "proposed".into() }],
    }
}

fn review(items: &[ActionItem]) -> String {
    let items: String = items.iter().map(|item| item.markdown() + "\n").collect();
    format!("# T\n\n- State: not an item\n\n## Action items\n\n{items}## Open questions\n\n- Owner: nobody's\n")
}

#[test]
fn an_item_reads_as_people_edit_it() {
    insta::assert_snapshot!(item().markdown(), @r"
    ### A-3f9a1c2b: Add an alert that fires when checkout errors exceed 0.1% for 1m

    - State: proposed
    - Type: detect
    - Priority: P1 (an expected page was missed)
    - Owner: unassigned
    - Due: 2026-12-22
    - Ticket: none
    - Finding: expected-alert-absent `0a1b2c3d4e5f` (e12, e14): No alert fired within 92s of the fault.
    - Done when: the alert fires within 1m of the fault in 1 run
    - Verify: scenario `scenarios/demo.yaml`, criterion `alert X fires within 1m`
    - History: 2026-11-22 proposed
    ");
    assert_eq!(read(&review(&[item()])), (vec![item()], vec![]));
}

#[test]
fn what_stands_in_brackets_behind_a_state_is_a_reason_or_a_name() {
    for (state, by, reason) in [
        ("declined (it is switched off)", None, Some("it is switched off")),
        ("declined by Ada (it costs too much)", Some("Ada"), Some("it costs too much")),
        ("declined by Ada", Some("Ada"), None),
        ("done (claimed)", None, None),
        ("done (Ada)", Some("Ada"), None),
        ("done by Ada (SRE)", Some("Ada (SRE)"), None),
    ] {
        let (items, troubles) = read(&review(&[item()]).replace("State: proposed", &format!("State: {state}")));
        let read = (items[0].by.as_deref(), items[0].reason.as_deref());
        assert_eq!((read, troubles.len()), ((by, reason), 0), "{state}");
    }
}

#[test]
fn spaces_case_bold_and_bullets_do_not_matter() {
    let text = "## **Action Items** ##\r\n\r\n####  **a-3F9A1C2B** - Add *it* by 3 %\r\n\r\n*  **STATE**:   In_Progress by ana\r\n+ **owner:** payments-sre\r\n- due :2026-12-22\r\n- Ticket: [SHOP-12](https://tracker.example/SHOP-12)\r\n- Verify: **Scenario** `a.yaml`,\r\n  criterion `p99 <= 1s`\r\n- priority: p0\r\n- Remark: stays\r\n";
    let (items, troubles) = read(text);
    assert_eq!(troubles, []);
    let [item] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((item.id.as_str(), item.state, item.by.as_deref()), ("A-3f9a1c2b", State::InProgress, Some("ana")));
    assert_eq!((item.owner.as_deref(), item.priority), (Some("payments-sre"), Priority::P0));
    assert_eq!(item.due.unwrap().to_string(), "2026-12-22");
    assert_eq!(item.ticket.as_deref(), Some("https://tracker.example/SHOP-12"));
    let verify = Verify::Scenario { scenario: "a.yaml".into(), criterion: "p99 <= 1s".into() };
    assert_eq!(item.verify, verify);
}

#[test]
fn what_cannot_be_understood_is_told_with_its_line() {
    let text = "## Action items\n\n### A-3f9a1c2b: Add it\n\n- State: maybe\n- Due: soon\n- Type: detect\n- Priority: high\n- History: yesterday\n";
    let (items, troubles) = read(text);
    assert_eq!((items.len(), items[0].aim), (1, Aim::Detect));
    let told: Vec<String> = troubles.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert_eq!(
        told[0],
        "line 5, A-3f9a1c2b: state `maybe` is not known; expected one of proposed, accepted, declined, in progress, done, \
         verified, regressed"
    );
    assert_eq!(told[1], "line 6, A-3f9a1c2b: `soon` is not a day; expected one such as 2026-12-22");
}

#[test]
fn a_person_adds_an_item_without_an_id_and_other_headings_are_none() {
    let text = "## Action items\n\n### More candidates\n\nprose\n\n### Set a timeout of 2 s\n\n- Owner: ana\n\n```\n### A-00000000: code\n```\n";
    let (items, _) = read(text);
    let titles: Vec<&str> = items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["Set a timeout of 2 s"]);
    assert_eq!(items[0].id, id_of(&["Set a timeout of 2 s"]));
}

#[test]
fn what_changed_is_put_into_the_review_and_the_rest_stays() {
    let mut text = review(&[item(), ActionItem { id: "A-00000001".into(), ..item() }]);
    text = text.replacen("- Owner: unassigned", "* **Owner**:  unassigned\n- Remark: ask the shop's team", 1);
    let mut done = item();
    (done.state, done.by) = (State::Verified, Some("20260301T100000Z-demo-7f3a".into()));
    done.reason = Some("it was in the way".into());
    let new = done.put_into(&text).unwrap();
    assert!(new.contains("- State: verified by 20260301T100000Z-demo-7f3a\n"), "{new}");
    assert!(new.contains("* **Owner**:  unassigned\n- Remark: ask the shop's team\n"), "{new}");
    assert!(new.contains("- History: 2026-11-22 proposed\n- Reason: it was in the way\n"), "{new}");
    assert_eq!(read(&new).0, [done.clone(), ActionItem { id: "A-00000001".into(), ..item() }]);
    done.reason = None;
    assert!(!done.put_into(&new).unwrap().contains("Reason"));
    assert_eq!(ActionItem { id: "A-ffffffff".into(), ..item() }.put_into(&text), None);
}

#[test]
fn an_item_without_an_id_in_its_heading_is_changed_too() {
    let text = "## Action items\n\n### Set a timeout of 2 s\n\n- Owner: ana\n";
    let done = ActionItem { state: State::Done, by: Some("ana".into()), ..read(text).0.remove(0) };
    let new = done.put_into(text).unwrap();
    assert!(new.contains("### Set a timeout of 2 s\n") && new.contains("- State: done by ana"), "{new}");
    assert_eq!(read(&new).0, [done]);
}

#[test]
fn due_by_policy() {
    let day = "2026-11-22".parse().unwrap();
    let due = Priority::ALL.map(|p| p.due(day).map(|d| d.to_string()));
    assert_eq!(due, [Some("2026-12-07".into()), Some("2026-12-22".into()), Some("2027-01-17".into()), None]);
    assert!(!item().overdue("2026-12-22".parse().unwrap()) && item().overdue("2026-12-23".parse().unwrap()));
}

/// Any text as it comes out of `escape`: one line, nothing that meddles, no space at the ends.
fn words() -> impl Strategy<Value = String> {
    "\\PC{1,40}".prop_map(|text| escape::plain(&text).trim().to_owned())
}

fn named() -> impl Strategy<Value = String> {
    words().prop_filter("a word for nothing", |text| !super::read::NOTHING.contains(&text.to_lowercase().as_str()))
}

fn code() -> impl Strategy<Value = String> {
    "[ -{}~`]{1,30}".prop_map(|text| text.trim().to_owned()).prop_filter("what a code span changes", |text| {
        !text.is_empty() && !["{{", "{%", "{#", "|"].iter().any(|lost| text.contains(lost))
    })
}

fn any_item() -> impl Strategy<Value = ActionItem> {
    let day = (2000i16..2100, 1i8..13, 1i8..29).prop_map(|(y, m, d)| jiff::civil::date(y, m, d));
    let fixed = ("A-[0-9a-f]{8}", words(), 0usize..7, 0usize..5, 0usize..4);
    let verify = prop_oneof![
        (code(), code()).prop_map(|(scenario, criterion)| Verify::Scenario { scenario, criterion }),
        words().prop_filter("a scenario", |w| !w.to_lowercase().contains("scenario")).prop_map(Verify::Person),
    ];
    let found = ("[a-z]{1,9}(-[a-z]{1,9})?", "[0-9a-f]{12}", prop::collection::vec("e[0-9]{1,4}", 0..4), words())
        .prop_map(|(rule, fingerprint, evidence, says)| Found { rule, fingerprint, evidence, says });
    let step = (day.clone(), words().prop_map(|w| w.replace(';', ",")));
    let steps = prop::collection::vec(step.prop_map(|(on, what)| Step { on, what }), 0..4);
    let some = (prop::option::of(named()), prop::option::of(day), prop::option::of(named()), prop::option::of(found));
    (fixed, some, words(), verify, prop::option::of(named()), steps).prop_map(
        |((id, title, state, aim, priority), (owner, due, ticket, finding), done_when, verify, reason, history)| {
            ActionItem {
                id,
                title,
                state: State::ALL[state],
                by: None,
                aim: Aim::ALL[aim],
                priority: Priority::ALL[priority],
                priority_why: "a rule (printed)".into(),
                owner,
                due,
                ticket,
                finding,
                done_when,
                verify,
                reason,
                history,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read_back(item in any_item()) {
        let text = review(std::slice::from_ref(&item));
        let (items, troubles) = read(&text);
        prop_assert!(troubles.is_empty(), "{troubles:?}\n{text}");
        prop_assert_eq!(items.as_slice(), std::slice::from_ref(&item), "{}", text);
        prop_assert_eq!(item.put_into(&text), Some(text.clone()));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(## Action items\n)?(### A-0000000f: x\n)?(- (State|History|Verify|Finding|Due): \\PC{0,30}\n){0,5}\\PC{0,200}") {
        let (items, _) = read(&text);
        for item in items {
            let again = item.put_into(&text);
            prop_assert!(again.is_none() || !again.unwrap().is_empty());
        }
    }
}
