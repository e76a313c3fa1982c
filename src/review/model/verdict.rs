//! The banner: verdict word, why, and what to do if something may be left behind.

use super::{
    Told,
    hypothesis::Expected,
    look::{Look, list, phase_name},
};
use crate::{
    analysis::{Bounded, Cleanup, Criterion, Happening, Hypothesis, Reason, RunOutcome, Why, Word},
    event::{NotStarted, Phase},
    review::{people::Standing, quantity},
};
use schemars::JsonSchema;
use serde::Serialize;

/// What stands on top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Banner {
    /// `HELD`, `VIOLATED`, ...
    pub word: String,
    /// `good`, `warn`, `bad`, `quiet`: colour and icon.
    pub tone: &'static str,
    /// The weightiest reason, in a sentence.
    pub why: String,
    /// Where that shows: evidence ids.
    pub evidence: Vec<String>,
    /// Further reasons.
    pub more: Vec<Told>,
    /// `DRAFT - generated, not reviewed`.
    pub status: String,
    /// The exit code.
    pub code: u8,
    /// Cleanup, run and hypothesis, each in a word or two.
    pub facts: Vec<(&'static str, String)>,
}

/// Builds it; what it says of criteria is what the section says of them.
pub fn banner(look: &Look<'_>, expected: &Expected) -> Banner {
    let verdict = &look.findings.verdict;
    let mut reasons = reasons(look, expected);
    let first = match headline(look) {
        Some(headline) => headline,
        None if reasons.is_empty() => plain_reason(look, expected),
        None => reasons.remove(0),
    };
    let (cleanup, run, hypothesis) = fact_words(look.findings);
    Banner {
        word: word(look),
        tone: tone(verdict.word),
        why: first.text,
        evidence: first.evidence,
        more: reasons,
        status: Standing::of(look.findings).words(),
        code: verdict.code,
        facts: vec![("cleanup", cleanup), ("run", run), ("hypothesis", hypothesis)],
    }
}

/// Every reason in a sentence; criteria that could not be judged share one, for they follow from the others.
fn reasons(look: &Look<'_>, expected: &Expected) -> Vec<Told> {
    let all = &look.findings.verdict.reasons;
    let reason = |r: &Reason| {
        let text = match r.why {
            Why::Unjudged(_) => return None,
            Why::Broken(i) => format!("{}.", capital(&expected.rows.get(i)?.reading)),
            ref other => why(look, other),
        };
        Some(look.told(text, r.evidence.iter().copied()))
    };
    let mut told: Vec<Told> = all.iter().filter_map(reason).collect();
    told.dedup();
    let names = all.iter().filter_map(|r| match r.why {
        Why::Unjudged(i) => Some(expected.rows.get(i)?.title.clone()),
        _ => None,
    });
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        told.push(look.told(format!("Not judged: {}.", list(&names, 3)), vec![]));
    }
    told
}

/// The word with what belongs to it: `HALTED`, `UNDECIDED`.
fn word(look: &Look<'_>) -> String {
    let word = look.findings.verdict.word.to_string();
    if look.findings.run.cut_short { format!("{word}, CUT SHORT") } else { word }
}

fn tone(word: Word) -> &'static str {
    match word {
        Word::Held => "good",
        Word::HeldLowMargin | Word::Halted | Word::Stopped | Word::Undecided => "warn",
        Word::Violated | Word::NotRecovered | Word::CleanupUnproven => "bad",
        Word::NotStarted => "quiet",
    }
}

/// What the run itself came to, where that is the news.
fn headline(look: &Look<'_>) -> Option<Told> {
    let findings = look.findings;
    match (&findings.verdict.word, &findings.verdict.run) {
        (Word::NotStarted, RunOutcome::NotStarted(why)) => {
            let row = findings.timeline.iter().find(|row| matches!(row.what, Happening::NotStarted(_)));
            Some(look.told(not_started(why), row.map(|row| row.evidence.clone()).unwrap_or_default()))
        }
        (Word::Halted, RunOutcome::Halted(trip)) => {
            let trip = findings.guards.get(*trip)?;
            let text = format!(
                "The guard {} halted the drill at {}: {}.",
                trip.condition,
                look.moment(trip.at),
                end_of_sentence(&trip.measured)
            );
            Some(look.told(text, [trip.evidence]))
        }
        (Word::Stopped, RunOutcome::Stopped(by)) => {
            Some(look.told(format!("The drill was stopped by {by}; faults were undone."), vec![]))
        }
        _ => None,
    }
}

/// Nothing was injected, and why.
pub fn not_started(why: &NotStarted) -> String {
    match why {
        NotStarted::CouldNotRun(detail) => format!("Nothing was injected: {}.", end_of_sentence(detail)),
        NotStarted::BaselineNotMet(detail) => {
            format!("The baseline was not met, so nothing was injected: {}.", end_of_sentence(detail))
        }
        NotStarted::GuardTripped(detail) => {
            format!("A guard tripped before t=0, so nothing was injected: {}.", end_of_sentence(detail))
        }
        NotStarted::Stopped(by) => format!("Stopped before t=0 by {}; nothing was injected.", end_of_sentence(by)),
    }
}

/// Without the full stop, which the sentence around it brings.
pub fn end_of_sentence(text: &str) -> &str {
    text.trim().trim_end_matches(['.', '!', ':'])
}

/// There was no reason to give: all is plainly well.
fn plain_reason(look: &Look<'_>, expected: &Expected) -> Told {
    let all = quantity::plural(expected.met as u64, "criterion was", "criteria were");
    if look.findings.verdict.no_impact {
        return look.told(format!("{all} met; no impact was observed at this load."), look.requests_evidence());
    }
    match expected.closest() {
        Some(row) => Told {
            text: format!("{all} met; the smallest margin since the fault is {} ({}).", row.margin, row.title),
            evidence: row.evidence.clone(),
        },
        None => look.told(format!("{all} met."), look.requests_evidence()),
    }
}

/// `checkout p99 during the fault`.
pub fn criterion_name(look: &Look<'_>, criterion: &Criterion) -> String {
    match criterion.probe {
        Some(probe) => format!("{} {} {}", look.probe_name(probe), noun(&criterion.what), phrase(criterion.phase)),
        None => criterion.what.to_string(),
    }
}

/// What is bounded, as the subject of a sentence.
fn noun(what: &Bounded) -> String {
    match what {
        Bounded::Errors => "error rate".into(),
        Bounded::MaxFailed => "failures in all".into(),
        Bounded::RecoveredWithin => "recovery time".into(),
        other => other.to_string(),
    }
}

/// A phase within a sentence.
fn phrase(phase: Phase) -> &'static str {
    match phase {
        Phase::Baseline => "in the baseline",
        Phase::During => "during the fault",
        Phase::Recovery => "after the fault",
        other => phase_name(other),
    }
}

/// A criterion and what became of it: `checkout error rate during the fault: 6.87%, promised <= 0.1% (N = 6,000)`.
pub fn criterion_reading(look: &Look<'_>, criterion: &Criterion) -> String {
    let measured = match &criterion.measured {
        Ok(_) => super::hypothesis::measured(criterion),
        Err(absent) => absent.to_string(),
    };
    if criterion.what.about_alerts() {
        return format!("{}: {measured}", criterion_name(look, criterion));
    }
    let promised = criterion.objective.map(|o| format!(", promised {}", quantity::objective(o))).unwrap_or_default();
    let n = if criterion.n > 0 { format!(" (N = {})", quantity::count(criterion.n)) } else { String::new() };
    format!("{}: {measured}{promised}{n}", criterion_name(look, criterion))
}

/// How many packets a fault was meant for.
fn met(look: &Look<'_>, fault: crate::event::FaultId) -> u64 {
    let containers = look.findings.faults.get(fault).into_iter().flat_map(|fault| &fault.containers);
    containers.filter_map(|on| on.packets.as_ref()).map(|packets| packets.counters.meant).sum()
}

/// A reason as a sentence.
pub fn why(look: &Look<'_>, why: &Why) -> String {
    let criterion = |i: &usize| look.findings.criteria.get(*i).map(|c| criterion_reading(look, c)).unwrap_or_default();
    match why {
        Why::UndoUnproven { fault, container, detail } => format!(
            "The undo of {} on {container} is not proven: {}.",
            look.fault_label(*fault),
            end_of_sentence(detail)
        ),
        Why::Broken(i) => format!("{}.", capital(&criterion(i))),
        Why::Unjudged(i) => format!("Could not be judged: {}.", criterion(i)),
        Why::DiedAfterUndo { container, exit_code } => {
            let code = exit_code.map(|c| format!(" with exit code {c}")).unwrap_or_default();
            format!("{container} was started again by the undo and ended afterwards{code}.")
        }
        Why::FaultUnproven { fault, detail } => {
            format!("{} was not seen to be in place: {}.", capital(look.fault_label(*fault)), end_of_sentence(detail))
        }
        Why::EffectiveTooShort { fault, share } => format!(
            "{} was effective for {} of its intended time; under 90% tells too little.",
            capital(look.fault_label(*fault)),
            quantity::share(*share)
        ),
        Why::NotFelt { fault } => {
            format!("{} was in place, and its target never met it.", capital(look.fault_label(*fault)))
        }
        Why::TouchedNothing => "No fault touched anything.".into(),
        Why::NoPackets { fault } if met(look, *fault) > 0 => format!(
            "{} was in place and met {} packets, and changed none of them.",
            capital(look.fault_label(*fault)),
            quantity::count(met(look, *fault))
        ),
        Why::NoPackets { fault } if look.findings.faults.get(*fault).is_some_and(|f| f.kind == "dns") => format!(
            "{} was in place, and nobody looked up a name that it is about; an application that remembers addresses does not.",
            capital(look.fault_label(*fault))
        ),
        Why::NoPackets { fault } => {
            format!("{} was in place, and no packet that it is about came by.", capital(look.fault_label(*fault)))
        }
        Why::Leaked { fault, share } => format!(
            "{} could not be held: {} of the packets that it is about got past it; over 1% tells too little.",
            capital(look.fault_label(*fault)),
            quantity::share(*share)
        ),
        Why::UnknownTicks { probe, phase, share, behind } => format!(
            "{}{} of the time {} nothing certain is known of {}; over 5% tells too little.",
            if *behind { "The generator was behind: for " } else { "For " },
            quantity::share(*share),
            phrase(*phase),
            look.probe_name(*probe)
        ),
        Why::EvidenceLost(what) => format!("Part of the evidence is lost: {}.", end_of_sentence(what)),
        Why::CutShort => "The journal stops before the run ended.".into(),
        Why::NothingToJudge => "Nothing was promised, so there is nothing to judge.".into(),
    }
}

/// With a capital first letter.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Cleanup, run, hypothesis: the three facts in words.
pub fn fact_words(findings: &crate::analysis::Findings) -> (String, String, String) {
    let cleanup = match findings.verdict.cleanup {
        Cleanup::Proven => "proven",
        Cleanup::Unproven => "unproven",
    };
    let run = match &findings.verdict.run {
        RunOutcome::Complete => "complete".to_owned(),
        RunOutcome::NotStarted(_) => "not started".to_owned(),
        RunOutcome::Halted(trip) => {
            let guard = findings.guards.get(*trip).map(|g| format!(" by {}", g.condition)).unwrap_or_default();
            format!("halted{guard}")
        }
        RunOutcome::Stopped(by) => format!("stopped by {by}"),
        RunOutcome::GaveUp => "ended early".to_owned(),
        RunOutcome::CutShort => "cut short".to_owned(),
    };
    let hypothesis = match findings.verdict.hypothesis {
        Hypothesis::Held => "held",
        Hypothesis::Violated => "violated",
        Hypothesis::Undecided => "undecided",
    };
    (cleanup.into(), run, hypothesis.into())
}

/// The command that undoes what may be left, when the undo is not proven.
pub fn recover(look: &Look<'_>) -> Option<String> {
    let unproven = look.findings.verdict.cleanup == Cleanup::Unproven;
    unproven.then(|| format!("firedrill recover {}", super::appendix::folder(look)))
}

/// Names of the containers that a fault was on.
pub fn containers_of(fault: &crate::analysis::FaultFindings) -> String {
    let names: Vec<String> = fault.containers.iter().map(|c| c.container.clone()).collect();
    list(&names, 3)
}
