//! What needs a person: at most five questions, each about a moment, asking what or how, never why or who.

use super::{
    look::{Look, list},
    verdict::{capital, criterion_reading},
};
use crate::{
    analysis::{Bounded, Criterion, CriterionStatus, EvidenceId, FigureKind, Happening, Hypothesis, Value, Why, Word},
    clock::At,
    event::{NoteKind, OpenItem, Phase},
    review::{
        action::State,
        quantity,
        rules::{RuleHit, Weight},
    },
};
use schemars::JsonSchema;
use serde::Serialize;

/// How many questions reach a reviewer.
const MOST: usize = 5;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Prompt {
    /// What it is about, in a word or two.
    pub about: &'static str,
    /// The question.
    pub text: String,
    /// About how long it takes.
    pub minutes: u32,
    /// Where the moment is recorded: evidence ids.
    pub evidence: Vec<String>,
    /// What somebody answered, if anybody has.
    pub answer: Option<Answer>,
}

/// What somebody answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    /// As they wrote it.
    pub markdown: String,
    /// The same as harmless HTML.
    pub html: String,
}

/// The most pressing ones, in the order of their weight. What the rules found matters where it was found before.
pub fn prompts(look: &Look<'_>, hits: &[RuleHit]) -> Vec<Prompt> {
    let again = hits.iter().find(|hit| hit.again.is_some());
    let repeated = |of: fn(&RuleHit) -> bool| repeated(look, again.filter(|hit| of(hit))?);
    let pressing: [Rule; 5] = [unproven_undo, not_started, undecided, silent_alert, broken];
    let moments: [Rule; 7] =
        [not_recovered, first_sight, restored_by_removal, neighbour, decision_noted, changed_since, low_margin];
    let ask = |rules: &[Rule]| rules.iter().filter_map(|rule| rule(look)).collect::<Vec<Prompt>>();
    let all =
        ask(&pressing).into_iter().chain(repeated(|hit| !hygiene(hit))).chain(ask(&moments)).chain(repeated(hygiene));
    all.chain(no_impact(look)).take(MOST).collect()
}

type Rule = fn(&Look<'_>) -> Option<Prompt>;

type Ids = Vec<EvidenceId>;

fn ask(look: &Look<'_>, about: &'static str, minutes: u32, text: String, evidence: Ids) -> Option<Prompt> {
    Some(Prompt { about, text, minutes, evidence: look.cite_some(evidence, 3), answer: None })
}

/// Questions about one moment, of the four shapes that make people remember: cues, expectations, options, help.
const SHAPES: [&str; 4] = [
    "What did you see on your dashboards and alerts then?",
    "What did you expect to happen next, and what told you so?",
    "What options did you see at that moment, and what spoke for each?",
    "What help was asked for then, and how was it found?",
];

/// Another shape in another run, always the same in this one.
fn shape(look: &Look<'_>) -> &'static str {
    let number = look.findings.run.id.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    SHAPES[number % SHAPES.len()]
}

/// Where a thing stands in the timeline.
fn row(look: &Look<'_>, is: impl Fn(&Happening) -> bool) -> Ids {
    look.findings.timeline.iter().find(|row| is(&row.what)).map(|row| row.evidence.clone()).unwrap_or_default()
}

fn unproven_undo(look: &Look<'_>) -> Option<Prompt> {
    let left: Vec<String> = look
        .findings
        .faults
        .iter()
        .flat_map(|f| &f.containers)
        .filter(|c| c.undo_proof.as_ref().is_none_or(|(proven, _)| !proven))
        .map(|c| c.container.clone())
        .collect();
    let unproven = look.findings.verdict.word == Word::CleanupUnproven;
    let names = if left.is_empty() { "the targets".into() } else { list(&left, 3) };
    unproven.then_some(())?;
    let text = format!(
        "When the journal ended at {}, {names} was not proven to be as before. What brings it back, and how is that checked?",
        look.moment(look.findings.run.ended)
    );
    ask(look, "Cleanup", 2, text, look.faults_evidence())
}

fn not_started(look: &Look<'_>) -> Option<Prompt> {
    look.not_started().then_some(())?;
    let text = format!(
        "At {} the drill ended without a fault. What needs to be different before it is tried again?",
        look.moment(look.findings.run.ended)
    );
    ask(look, "Next attempt", 2, text, row(look, |what| matches!(what, Happening::NotStarted(_))))
}

fn undecided(look: &Look<'_>) -> Option<Prompt> {
    let undecided = look.findings.verdict.hypothesis == Hypothesis::Undecided && !look.not_started();
    undecided.then_some(())?;
    let reason = look.findings.verdict.reasons.iter().find(|r| !matches!(r.why, Why::UndoUnproven { .. }));
    let because = reason.map(|r| format!("{} ", super::verdict::why(look, &r.why))).unwrap_or_default();
    let evidence = reason.map(|r| r.evidence.clone()).unwrap_or_default();
    ask(look, "Measurement", 1, format!("{because}What makes the next run decisive?"), evidence)
}

/// An expected alert that did not fire.
fn silent_alert(look: &Look<'_>) -> Option<Prompt> {
    let silent = silent(look)?;
    let Bounded::AlertFires { alert, .. } = &silent.what else { return None };
    let at = silent.window.map(|(_, to)| format!("By {} ", look.moment(to))).unwrap_or_default();
    ask(
        look,
        "Detection",
        2,
        format!(
            "{at}alert {alert} was expected and had not fired. What did tell of the fault then, and what does its rule look at?"
        ),
        look.faults_evidence(),
    )
}

fn silent<'a>(look: &Look<'a>) -> Option<&'a Criterion> {
    let fires = |c: &&Criterion| matches!(c.what, Bounded::AlertFires { .. });
    let broken = look.findings.criteria.iter().filter(|c| c.status == CriterionStatus::Broken);
    broken.filter(fires).find(|c| c.measured.is_err())
}

/// The broken criterion that is farthest from its bound.
fn broken(look: &Look<'_>) -> Option<Prompt> {
    let broken = || look.findings.criteria.iter().filter(|c| c.status == CriterionStatus::Broken);
    let farthest = broken()
        .filter(|c| c.what != Bounded::RecoveredWithin && !c.what.about_alerts())
        .min_by(|a, b| depth(a).total_cmp(&depth(b)))?;
    let reading = criterion_reading(look, farthest);
    ask(
        look,
        "Expectation",
        2,
        format!(
            "{}. What made the promised figure the expectation, and what in the system sets the measured one?",
            capital(&reading)
        ),
        farthest.evidence.clone(),
    )
}

fn depth(criterion: &Criterion) -> f64 {
    criterion.margin.unwrap_or(f64::MIN)
}

fn hygiene(hit: &RuleHit) -> bool {
    hit.candidate.weight == Weight::Hygiene
}

/// A finding that was found before: what became of the action item for it?
fn repeated(look: &Look<'_>, hit: &RuleHit) -> Option<Prompt> {
    let mut open = look.findings.open_before.iter();
    let item = open.find(|item| item.fingerprint.as_deref() == Some(hit.fingerprint.as_str()));
    let text = format!("{} {}", hit.says(), item.map_or(NO_ITEM.into(), owed));
    ask(look, "Repeated", 1, text, hit.evidence.clone())
}

/// Declined, verified, or never taken up: all that is known is that nothing is owed.
const NO_ITEM: &str = "No action item is open for it. What makes up for it today, and what removes it for good?";

fn owed(item: &OpenItem) -> String {
    let OpenItem { id, state, since, .. } = item;
    let is = |state: State| item.state.starts_with(state.name());
    let question = if is(State::Proposed) {
        "What speaks for it, what against, and what action fits the finding better?"
    } else if is(State::Done) || is(State::Regressed) {
        "What did the work change, and what does it leave in place?"
    } else {
        "What keeps it open, and what smaller step can be finished before the next drill?"
    };
    format!("Action item {id} for it has been open since {since} ({state}). {question}")
}

fn not_recovered(look: &Look<'_>) -> Option<Prompt> {
    let main = look.main()?;
    let impact = main.impact.as_ref()?;
    let late = look
        .findings
        .criteria
        .iter()
        .find(|c| c.what == Bounded::RecoveredWithin && c.status == CriterionStatus::Broken);
    let at = match (impact.end, late) {
        (None, _) => look.findings.run.ended,
        (Some(end), Some(_)) => end.middle(),
        _ => return None,
    };
    let state = if impact.end.is_none() { "still degraded" } else { "only just back" };
    ask(
        look,
        "Recovery",
        2,
        format!(
            "At {} {} was {state}. What has to happen for it to come back, and how long does each step take?",
            look.moment(at),
            main.name
        ),
        impact.evidence.clone(),
    )
}

fn first_sight(look: &Look<'_>) -> Option<Prompt> {
    // Asked already, about an alert of its own.
    silent(look).is_none().then_some(())?;
    let main = look.main()?;
    let at: At = main.impact.as_ref()?.start.middle();
    ask(
        look,
        "Detection",
        1,
        format!("At {} the impact on {} began. {}", look.moment(at), main.name, shape(look)),
        main.impact.as_ref()?.evidence.clone(),
    )
}

fn restored_by_removal(look: &Look<'_>) -> Option<Prompt> {
    let under = look.figure(FigureKind::RecoveredUnderFault)?;
    matches!(under.value, Ok(Value::Flag(false))).then_some(())?;
    look.main()?.impact.as_ref()?.end?;
    look.findings.faults.iter().any(|f| f.held).then_some(())?;
    let removed = look.fault_window()?.1;
    ask(
        look,
        "Mitigation",
        1,
        format!(
            "Service came back only after the fault was removed at {}. What limits the damage while such a fault lasts?",
            look.moment(removed)
        ),
        under.evidence.clone(),
    )
}

fn neighbour(look: &Look<'_>) -> Option<Prompt> {
    let targets = || look.findings.scope.targets.values().flatten();
    let hit = look.findings.blast.iter().find(|n| n.bad && targets().all(|c| c.name != n.container))?;
    let when = hit.health.iter().find(|(_, state)| state == "unhealthy").map(|(at, _)| *at);
    let at = when.map(|at| format!(" at {}", look.moment(at))).unwrap_or_default();
    ask(
        look,
        "Blast radius",
        1,
        format!("{} was not a target and went bad{at}. What connects it to the fault?", hit.container),
        hit.evidence.clone(),
    )
}

fn decision_noted(look: &Look<'_>) -> Option<Prompt> {
    let note = look.findings.notes.iter().find(|n| n.kind == NoteKind::Decided)?;
    ask(
        look,
        "Decision",
        1,
        format!(
            "At {} it was noted as decided: {}. What were the options, and what spoke for this one?",
            look.moment(note.at),
            quoted(&note.text)
        ),
        vec![note.evidence],
    )
}

/// Somebody's words, marked as such, and not too many.
pub fn quoted(text: &str) -> String {
    let short: String = text.chars().take(120).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("\u{201c}{}{dots}\u{201d}", short.trim())
}

fn changed_since(look: &Look<'_>) -> Option<Prompt> {
    let last = look.findings.earlier.first()?;
    let word = look.findings.verdict.word.to_string();
    (last.word != word && !look.not_started()).then_some(())?;
    let changes = super::past::changes(look, last);
    let known = if changes.is_empty() { String::new() } else { format!(" Known changes: {}.", list(&changes, 3)) };
    ask(
        look,
        "History",
        1,
        format!("The run before ({}) ended {}, this one {word}. What changed in between?{known}", last.run, last.word),
        vec![],
    )
}

fn low_margin(look: &Look<'_>) -> Option<Prompt> {
    look.findings.verdict.low_margin.then_some(())?;
    let (_, at) = look.findings.verdict.smallest_margin?;
    let criterion = look.findings.criteria.get(at)?;
    let reading = criterion_reading(look, criterion);
    let text = format!("{}. What room does this need, and what creates it?", capital(&reading));
    ask(look, "Margin", 1, text, criterion.evidence.clone())
}

fn no_impact(look: &Look<'_>) -> Option<Prompt> {
    look.findings.verdict.no_impact.then_some(())?;
    let main = look.main()?;
    let during = main.phase(Phase::During)?;
    ask(
        look,
        "Next dose",
        1,
        format!(
            "From {} on, no impact was observed over {} at {}. What load or which harder variant tells more next time?",
            look.moment(look.fault_window()?.0),
            quantity::plural(during.offered, "request", "requests"),
            main.rate
        ),
        during.evidence.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::Findings, event::EarlierRun, review::rules};

    /// The sample's run, whose first finding was found in the run before as well; the item for it was this far.
    fn findings(state: Option<&str>) -> Findings {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run");
        let mut findings = crate::analysis::analyse(&crate::journal::RunFolder(folder.into())).unwrap();
        let found = rules::hits(&findings)[0].fingerprint.clone();
        findings.earlier = vec![EarlierRun {
            run: "r1".into(),
            started: "2026-03-01T10:00:00Z".parse().unwrap(),
            word: findings.verdict.word.to_string(),
            code: 0,
            recover_ns: None,
            git: None,
            images: Default::default(),
            findings: Some(vec![found.clone()]),
        }];
        let item = |state: &str| OpenItem {
            id: "A-0badcafe".into(),
            title: "Pin the image".into(),
            state: state.into(),
            fingerprint: Some(found.clone()),
            since: "2026-03-01".parse().unwrap(),
            run: "r1".into(),
        };
        findings.open_before = state.map(item).into_iter().collect();
        findings
    }

    fn asked(findings: &Findings) -> Vec<Prompt> {
        let all = prompts(&Look::at(findings), &rules::hits(findings));
        all.into_iter().filter(|prompt| prompt.about == "Repeated").collect()
    }

    #[test]
    fn what_was_found_before_is_asked_about_once_by_the_state_of_its_item() {
        for (state, question) in [
            (None, "No action item is open for it. What makes up for it today"),
            (Some("proposed"), "(proposed). What speaks for it"),
            (Some("accepted by ana"), "(accepted by ana). What keeps it open"),
            (Some("done by ana"), "What did the work change"),
            (Some("regressed by r0"), "What did the work change"),
        ] {
            let asked = asked(&findings(state));
            assert_eq!(asked.len(), 1);
            assert!(asked[0].text.contains("Seen in 2 of the last 2 runs, first on 2026-03-01. "), "{asked:?}");
            assert!(asked[0].text.contains(question), "{asked:?}");
        }
        let mut new = findings(None);
        new.earlier[0].findings = Some(vec![]);
        assert!(asked(&new).is_empty(), "what is new is not asked about");
    }

    #[test]
    fn what_broke_a_promise_is_asked_about_before_moments_and_hygiene_after() {
        let about = |findings: &Findings| -> Vec<&'static str> {
            prompts(&Look::at(findings), &rules::hits(findings)).iter().map(|prompt| prompt.about).collect()
        };
        let held = about(&findings(None));
        assert_eq!(held.last(), Some(&"Repeated"), "{held:?}");
        assert!(held.len() <= MOST && held.len() > 1, "{held:?}");
    }
}
