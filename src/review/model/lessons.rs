//! What went well, what did not, and where it was luck. From facts with their figures; what it means is for people.

use super::{
    Told,
    look::{Look, list},
    verdict::{capital, criterion_name},
};
use crate::{
    analysis::{Cleanup, Criterion, CriterionStatus, FigureKind, Hypothesis, UsageSeries, Value},
    event::{NoteKind, Phase},
    review::quantity,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A margin below this is a near miss.
const NEAR: f64 = 0.2;
/// So is memory above this share of its limit.
const FULL: f64 = 0.9;
/// And a recovery that came so shortly before the fault was taken away that one may be the cause of the other (ns).
const SHORTLY: u64 = 2_000_000_000;

/// In three lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lessons {
    /// What went well.
    pub well: Vec<Told>,
    /// What did not.
    pub badly: Vec<Told>,
    /// Near misses.
    pub lucky: Vec<Told>,
}

type Rule = fn(&Look<'_>) -> Option<Told>;

/// Nothing is said of a run in which no fault was applied.
pub fn lessons(look: &Look<'_>) -> Lessons {
    let injected = look.findings.faults.iter().any(|fault| fault.effective.is_some());
    let tell = |rules: &[Rule]| {
        let told = rules.iter().filter(|_| injected).filter_map(|rule| rule(look));
        told.collect::<Vec<_>>()
    };
    Lessons {
        well: tell(&[recovered_by_itself, promises_kept, nobody_else, acknowledged]),
        badly: tell(&[promises_broken, still_degraded, only_by_removal, somebody_else, silence, not_put_back]),
        lucky: tell(&[near_miss, nearly_full, shortly_before, second_try]),
    }
}

fn recovered_by_itself(look: &Look<'_>) -> Option<Told> {
    let under = look.figure(FigureKind::RecoveredUnderFault).filter(|f| f.value == Ok(Value::Flag(true)))?;
    let took = look.time(FigureKind::TimeToRecover)?;
    let main = look.main()?;
    let text =
        format!("{} recovered by itself in {}, with the fault active.", capital(&main.name), quantity::span(took));
    Some(look.told(text, under.evidence.iter().copied()))
}

/// Criteria of the phases after the gate.
fn judged<'a>(look: &Look<'a>, status: CriterionStatus) -> Vec<&'a Criterion> {
    let criteria = look.findings.criteria.iter();
    criteria.filter(|c| c.phase != Phase::Baseline && c.status == status).collect()
}

fn promises_kept(look: &Look<'_>) -> Option<Told> {
    let met = judged(look, CriterionStatus::Met);
    let broken = judged(look, CriterionStatus::Broken).len();
    let of = met.len() + broken;
    let text = format!("{} of {} promises were kept.", met.len(), of);
    (!met.is_empty()).then(|| look.told(text, met.iter().flat_map(|c| c.evidence.iter().copied())))
}

fn nobody_else(look: &Look<'_>) -> Option<Told> {
    let watched = look.findings.scope.neighbours.len() as u64;
    let none = watched > 0 && look.findings.blast.iter().all(|n| !n.bad);
    let text = format!(
        "The fault stayed with its targets: none of {} watched beside them went bad.",
        quantity::plural(watched, "container", "containers")
    );
    none.then(|| look.told(text, look.findings.scope.evidence))
}

fn acknowledged(look: &Look<'_>) -> Option<Told> {
    let ack = look.findings.notes.iter().find(|note| note.kind == NoteKind::Ack)?;
    let (from, _) = look.fault_window()?;
    let after = ack.at.checked_sub(from)?;
    let text = format!("Somebody acknowledged it {} after the fault.", quantity::span(after));
    Some(look.told(text, [ack.evidence]))
}

fn promises_broken(look: &Look<'_>) -> Option<Told> {
    let broken = judged(look, CriterionStatus::Broken);
    let name = |c: &&Criterion| match c.margin {
        Some(margin) => format!("{} (margin {})", criterion_name(look, c), quantity::margin(margin)),
        None => criterion_name(look, c),
    };
    let names: Vec<String> = broken.iter().map(name).collect();
    let text = format!("Broken: {}.", list(&names, 2));
    (!broken.is_empty()).then(|| look.told(text, broken.iter().flat_map(|c| c.evidence.iter().copied())))
}

fn still_degraded(look: &Look<'_>) -> Option<Told> {
    let main = look.main()?;
    let impact = main.impact.as_ref().filter(|impact| impact.end.is_none())?;
    let text = format!("{} had not recovered when the watch ended.", capital(&main.name));
    (!look.findings.run.cut_short).then(|| look.told(text, impact.evidence.iter().copied()))
}

fn only_by_removal(look: &Look<'_>) -> Option<Told> {
    let under = look.figure(FigureKind::RecoveredUnderFault).filter(|f| f.value == Ok(Value::Flag(false)))?;
    let held = look.findings.faults.iter().any(|fault| fault.held);
    look.main()?.impact.as_ref()?.end.filter(|_| held)?;
    Some(
        look.told(
            "Nothing in the system ended the impact: the removal of the fault did.",
            under.evidence.iter().copied(),
        ),
    )
}

fn somebody_else(look: &Look<'_>) -> Option<Told> {
    let bad: Vec<_> = look.findings.blast.iter().filter(|n| n.bad).collect();
    let names: Vec<String> = bad.iter().map(|n| n.container.clone()).collect();
    let text = format!("The fault reached beyond its targets: {} went bad.", list(&names, 4));
    (!bad.is_empty()).then(|| look.told(text, bad.iter().flat_map(|n| n.evidence.iter().copied())))
}

/// Impact of which nobody said anything.
fn silence(look: &Look<'_>) -> Option<Told> {
    let impact = look.main()?.impact.as_ref()?;
    let lasted = look.time(FigureKind::DegradedSpan).filter(|ns| *ns >= 10_000_000_000)?;
    let text = format!("Nobody left a note in {} of impact.", quantity::span(lasted));
    look.findings.notes.is_empty().then(|| look.told(text, impact.evidence.iter().copied()))
}

fn not_put_back(look: &Look<'_>) -> Option<Told> {
    let unproven = look.findings.verdict.cleanup == Cleanup::Unproven;
    unproven.then(|| look.told("It is not proven that everything was put back.", look.faults_evidence()))
}

/// The closest criterion that was met.
fn near_miss(look: &Look<'_>) -> Option<Told> {
    let near = judged(look, CriterionStatus::Met).into_iter().filter(|c| c.margin.is_some_and(|m| m < NEAR));
    let closest = near.min_by(|a, b| a.margin.unwrap_or(1.0).total_cmp(&b.margin.unwrap_or(1.0)))?;
    let reading = super::verdict::criterion_reading(look, closest);
    let text = format!("{}: met with a margin of {}.", capital(&reading), quantity::margin(closest.margin?));
    Some(look.told(text, closest.evidence.iter().copied()))
}

fn nearly_full(look: &Look<'_>) -> Option<Told> {
    let share = |used: &UsageSeries| {
        let filled = |p: &crate::analysis::UsagePoint| Some(p.memory as f64 / p.memory_limit? as f64);
        used.points.iter().filter_map(filled).fold(0.0, f64::max)
    };
    let fullest = look.findings.usage.iter().max_by(|a, b| share(a).total_cmp(&share(b)))?;
    let text = format!("{} used {} of its memory limit.", fullest.container, quantity::share(share(fullest)));
    (share(fullest) >= FULL).then(|| look.told(text, fullest.evidence))
}

fn shortly_before(look: &Look<'_>) -> Option<Told> {
    let under = look.figure(FigureKind::RecoveredUnderFault).filter(|f| f.value == Ok(Value::Flag(true)))?;
    let Ok(Value::Time(lag)) = look.figure(FigureKind::RecoveryLag)?.value else { return None };
    let before = lag.checked_neg().and_then(|ns| u64::try_from(ns).ok()).filter(|ns| *ns < SHORTLY)?;
    let text = format!("Recovery came only {} before the fault was removed.", quantity::span(before));
    Some(look.told(text, under.evidence.iter().copied()))
}

fn second_try(look: &Look<'_>) -> Option<Told> {
    let tries = &look.findings.baseline_tries;
    let last = tries.last().filter(|t| t.met && t.attempt > 1)?;
    let decided = look.findings.verdict.hypothesis != Hypothesis::Undecided;
    let text = format!("The baseline was met only at try {} of 3.", last.attempt);
    decided.then(|| look.told(text, tries.iter().map(|t| t.evidence)))
}
