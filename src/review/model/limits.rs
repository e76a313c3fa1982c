//! What the measurement does not tell.

use super::{
    Fact,
    look::{Look, list, phase_name},
    verdict::end_of_sentence,
};
use crate::{
    analysis::{BaselineTry, DoubtKind, Value},
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
pub fn lines(look: &Look<'_>) -> Vec<String> {
    let findings = look.findings;
    let mut lines: Vec<String> = findings
        .doubts
        .iter()
        .map(|d| {
            let text = doubt(look, &d.kind);
            if d.decisive { format!("{text} This made the verdict undecided.") } else { text }
        })
        .collect();
    let unjudged: Vec<String> = findings.probes.iter().filter(|p| !p.judged).map(|p| p.name.clone()).collect();
    if !unjudged.is_empty() {
        let verb = if unjudged.len() == 1 { "was" } else { "were" };
        lines.push(format!("{} {verb} recorded and not judged: nothing is promised of it.", list(&unjudged, 6)));
    }
    if findings.probes.iter().any(|p| p.kind == ProbeKind::Http && p.load) {
        lines.push(
            "Load is synthetic, sent from one host and without retries; real users arrive otherwise, and wait otherwise."
                .into(),
        );
    }
    let not_measured =
        if findings.terms.detect.is_some() { "Data correctness was" } else { "Detection and data correctness were" };
    lines.push(format!("{not_measured} not measured."));
    lines
}

fn doubt(look: &Look<'_>, kind: &DoubtKind) -> String {
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
