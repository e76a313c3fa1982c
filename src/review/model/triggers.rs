//! When a drill asks for a review: users were hurt, it took long, somebody had to step in, others were hit, or the
//! measuring failed. A passing drill that meets none of these gets a record of one page.

use super::{Told, look::Look};
use crate::{
    analysis::{Cleanup, DoubtKind, EvidenceId, FigureKind, Happening, RunOutcome, Value, Word},
    event::NoteKind,
    review::quantity,
};

/// Without an SLO, more than this share of failed requests is degradation that users see.
const FAILED: f64 = 0.01;
/// More than this of degradation is long, nanoseconds.
const LONG: u64 = 60_000_000_000;

/// More unknown than this share of a phase is measuring that failed; below, a scheduler's hiccup.
const UNKNOWN: f64 = 0.01;

/// A trigger that is met.
pub struct Trigger {
    says: String,
    evidence: Vec<EvidenceId>,
}

/// All that are met.
pub fn met(look: &Look<'_>) -> Vec<Trigger> {
    let rules: [fn(&Look<'_>) -> Option<Trigger>; 7] =
        [verdict, degradation, data_loss, resolution, intervention, others, measuring];
    rules.iter().filter_map(|rule| rule(look)).collect()
}

/// In a sentence.
pub fn line(look: &Look<'_>, met: &[Trigger]) -> Told {
    if met.is_empty() {
        let text = "The drill held and met no review trigger (users hurt, data lost, slow recovery, people stepping in, \
                    others hit, failed measuring): this page is its record.";
        return look.told(text, vec![]);
    }
    let says: Vec<&str> = met.iter().map(|trigger| trigger.says.as_str()).collect();
    let evidence = met.iter().flat_map(|trigger| trigger.evidence.iter().take(2).copied());
    look.told(format!("What asks for a review: {}.", says.join("; ")), evidence)
}

fn trigger(says: impl Into<String>, evidence: Vec<EvidenceId>) -> Trigger {
    Trigger { says: says.into(), evidence }
}

fn verdict(look: &Look<'_>) -> Option<Trigger> {
    let verdict = &look.findings.verdict;
    let plain = verdict.word == Word::Held && verdict.run == RunOutcome::Complete && verdict.cleanup == Cleanup::Proven;
    let evidence = verdict.reasons.first().map(|reason| reason.evidence.clone()).unwrap_or_default();
    (!plain).then(|| trigger(format!("the verdict is {}", verdict.word), evidence))
}

fn degradation(look: &Look<'_>) -> Option<Trigger> {
    let figure = look.figure(FigureKind::RequestsFailed)?;
    let (Ok(Value::Count(failed)), Some(n)) = (figure.value, figure.n) else { return None };
    let allowed = look.main()?.slo.map_or(FAILED, |slo| 1.0 - slo.objective.0);
    let share = if n == 0 { 0.0 } else { failed as f64 / n as f64 };
    let says = format!(
        "{} requests failed, more than {}",
        quantity::part(failed, n),
        quantity::share((allowed * 1e9).round() / 1e9)
    );
    (share > allowed).then(|| trigger(says, figure.evidence.clone()))
}

fn data_loss(look: &Look<'_>) -> Option<Trigger> {
    let figure = look.findings.figures.iter().find(|figure| figure.kind == FigureKind::DataLoss)?;
    let lost = matches!(figure.value, Ok(Value::Count(n)) if n > 0);
    lost.then(|| trigger("data was lost", figure.evidence.clone()))
}

fn resolution(look: &Look<'_>) -> Option<Trigger> {
    let lasted = look.time(FigureKind::DegradedSpan).filter(|ns| *ns > LONG)?;
    let says = format!("the impact lasted {}, more than {}", quantity::span(lasted), quantity::span(LONG));
    Some(trigger(says, look.figure(FigureKind::DegradedSpan)?.evidence.clone()))
}

fn intervention(look: &Look<'_>) -> Option<Trigger> {
    let note = look.findings.notes.iter().find(|note| matches!(note.kind, NoteKind::Ack | NoteKind::Decided));
    let stop = look.findings.timeline.iter().find(|row| matches!(row.what, Happening::StopRequested(_)));
    let evidence = note.map(|note| vec![note.evidence]).or(stop.map(|row| row.evidence.clone()))?;
    Some(trigger("somebody stepped in", evidence))
}

fn others(look: &Look<'_>) -> Option<Trigger> {
    let hit = look.findings.blast.iter().find(|neighbour| neighbour.bad)?;
    Some(trigger(format!("{} went bad and was no target", hit.container), hit.evidence.clone()))
}

fn measuring(look: &Look<'_>) -> Option<Trigger> {
    let failed = |kind: &DoubtKind| match kind {
        DoubtKind::Unknown { share, .. } => *share > UNKNOWN,
        kind => matches!(kind, DoubtKind::EvidenceLost { .. } | DoubtKind::Damaged(_)),
    };
    let doubt = look.findings.doubts.iter().find(|doubt| doubt.decisive || failed(&doubt.kind))?;
    Some(trigger("the measuring failed in part", doubt.evidence.clone()))
}
