//! What the evidence leaves open, and what the measurement does not tell.

use super::{
    Fact, Told,
    look::{Look, list, phase_name},
    verdict::end_of_sentence,
};
use crate::{
    analysis::{BaselineTry, Doubt, DoubtKind, EvidenceId, Happening, TimelineRow, Value},
    event::ProbeKind,
    review::quantity,
};

/// The tries of the gate.
pub fn tries(look: &Look<'_>) -> Vec<Fact> {
    let one = |t: &BaselineTry| Fact {
        name: format!("Try {} of 3, {} to {}", t.attempt, look.short(t.from), look.short(t.to)),
        text: format!("{}: {}", if t.met { "met" } else { "not met" }, t.readings.join("; ")),
        evidence: look.cite(&[t.evidence]),
    };
    look.findings.baseline_tries.iter().map(one).collect()
}

/// One line each, doubts first.
pub fn lines(look: &Look<'_>) -> Vec<Told> {
    let findings = look.findings;
    let told = |doubt: &Doubt| {
        let text = doubt_words(look, &doubt.kind);
        let decisive = if doubt.decisive { " This made the verdict undecided." } else { "" };
        look.told(format!("{text}{decisive}"), evidence(look, doubt))
    };
    let mut lines: Vec<Told> = findings.doubts.iter().map(told).collect();
    let unjudged: Vec<String> = findings.probes.iter().filter(|p| !p.judged).map(|p| p.name.clone()).collect();
    if !unjudged.is_empty() {
        let verb = if unjudged.len() == 1 { "was" } else { "were" };
        let text = format!("{} {verb} recorded and not judged: nothing is promised of it.", list(&unjudged, 6));
        lines.push(look.told(text, vec![]));
    }
    if findings.probes.iter().any(|p| p.kind == ProbeKind::Http && p.load) {
        let text = "Load is synthetic, from one host and without retries: real users arrive and wait otherwise.";
        lines.push(look.told(text, vec![]));
    }
    lines
}

/// A doubt without a place of its own is about the requests or the fault that it names.
fn evidence(look: &Look<'_>, doubt: &Doubt) -> Vec<EvidenceId> {
    if !doubt.evidence.is_empty() {
        return doubt.evidence.clone();
    }
    match doubt.kind {
        DoubtKind::FaultTimeVague { .. } => look.faults_evidence(),
        _ => look.requests_evidence(),
    }
}

/// What the evidence leaves open: facts without an explanation, as questions.
pub fn questions(look: &Look<'_>) -> Vec<Told> {
    let rules: [fn(&Look<'_>) -> Option<Told>; 4] = [unexplained_change, early_impact, bad_later, ended_oddly];
    rules.iter().filter_map(|rule| rule(look)).collect()
}

/// Another verdict than last time, and nothing known has changed.
fn unexplained_change(look: &Look<'_>) -> Option<Told> {
    let last = look.findings.earlier.first().filter(|_| !look.not_started())?;
    let word = look.findings.verdict.word.to_string();
    let unexplained = last.word != word && super::past::changes(look, last).is_empty();
    let text = format!(
        "The run before ({}) ended {}, this one {word}, and no change of versions is known. What differs between the two?",
        last.run, last.word
    );
    unexplained.then(|| look.told(text, vec![]))
}

/// Impact that began before the fault can have.
fn early_impact(look: &Look<'_>) -> Option<Told> {
    let impact = look.main()?.impact.as_ref()?;
    let (from, _) = look.fault_window()?;
    let text = format!(
        "The impact began at {}, before the fault was effective at {}. What else happened then?",
        look.moment(impact.start.high),
        look.short(from)
    );
    (impact.start.high < from).then(|| look.told(text, impact.evidence.iter().copied()))
}

/// Stretches of bad ticks after the first one was over.
fn bad_later(look: &Look<'_>) -> Option<Told> {
    let main = look.main()?;
    let impact = main.impact.as_ref()?;
    let later = impact.bad_runs.get(1..).filter(|runs| !runs.is_empty())?;
    let from = main.ticks.get(later.first()?.0)?.from;
    let text = format!(
        "{} went bad again {}, first at {}. What brought it back?",
        super::verdict::capital(&main.name),
        quantity::plural(later.len() as u64, "time", "times"),
        look.moment(from)
    );
    Some(look.told(text, impact.evidence.iter().copied()))
}

/// A container outside the targets that ended with an error.
fn ended_oddly(look: &Look<'_>) -> Option<Told> {
    let targets = || look.findings.scope.targets.values().flatten();
    let odd = |row: &&TimelineRow| match &row.what {
        Happening::ContainerChanged { container, action, exit_code, .. } => {
            action == "die" && exit_code.is_some_and(|code| code != 0) && targets().all(|c| c.name != *container)
        }
        _ => false,
    };
    let row = look.findings.timeline.iter().find(odd)?;
    let Happening::ContainerChanged { container, exit_code: Some(code), .. } = &row.what else { return None };
    let text = format!(
        "{container}, which was no target, ended with exit code {code} at {}. What made it end?",
        look.moment(row.at)
    );
    Some(look.told(text, row.evidence.iter().copied()))
}

fn doubt_words(look: &Look<'_>, kind: &DoubtKind) -> String {
    let place = |probe: &u16, phase| format!("{}, {}", look.probe_name(*probe), phase_name(phase));
    match kind {
        DoubtKind::CutShort => "The journal stops before the run ended; what came after is not known.".into(),
        DoubtKind::Damaged(detail) => format!("The journal is damaged: {}.", end_of_sentence(detail)),
        DoubtKind::EvidenceLost { file, detail } => {
            format!("Part of {file} could not be written: {}.", end_of_sentence(detail))
        }
        DoubtKind::Missing { probe, phase, missing, due } => format!(
            "{} requests that were due are not in the log ({}).",
            quantity::part(*missing, *due),
            place(probe, *phase)
        ),
        DoubtKind::Unknown { probe, phase, share } => {
            format!("{} of the ticks are unknown ({}).", quantity::share(*share), place(probe, *phase))
        }
        DoubtKind::GeneratorBehind { probe, phase, share } => format!(
            "The generator was behind in {} of the seconds, by its own doing ({}).",
            quantity::share(*share),
            place(probe, *phase)
        ),
        DoubtKind::TooFew { probe, phase, n, needed } => format!(
            "N = {} is too small for the percentile that was promised, which needs {} ({}).",
            quantity::count(*n),
            quantity::count(*needed),
            place(probe, *phase)
        ),
        DoubtKind::EngineLost { from, to } => {
            format!("The engine's events were not seen from {} to {}.", look.moment(*from), look.short(*to))
        }
        DoubtKind::AlertSourceLost { from, to } => format!(
            "The alert source could not be read from {} to {}; what fired and resolved then is not known.",
            look.moment(*from),
            look.short(*to)
        ),
        DoubtKind::NoKeeper => {
            "The drill ran without a keeper: had the runner been killed, its faults would have stayed on.".into()
        }
        DoubtKind::KeeperLost { from, to } => {
            format!("The keeper was lost from {} to {}; nothing came of it.", look.moment(*from), look.short(*to))
        }
        DoubtKind::FaultTimeVague { fault, width_ns } => format!(
            "The moment at which {} became effective is known to within {} only.",
            look.fault_label(*fault),
            quantity::span(*width_ns)
        ),
        DoubtKind::WallClockStepped(ns) => format!(
            "The runner's wall clock was stepped by {}; times of day after that are off by it, figures are not.",
            quantity::value(Value::Time(*ns))
        ),
        DoubtKind::UnknownEvents(n) => format!(
            "{} of kinds that this version of firedrill does not know.",
            quantity::plural(*n, "event is", "events are")
        ),
    }
}
