//! Everything that a doubting reader asks for: how to run it again, every figure with its definition, every
//! operation with its proof, the configuration, the files with their digests, the full log.

use super::{
    Fact,
    look::{Look, When},
    pictures::limit_words,
    timeline::{self, Row},
};
use crate::{
    agent::protocol::Counters,
    analysis::{FaultFindings, FaultOn, Figure, Interval, Operation, Value},
    container::Op,
    event::Limits,
    review::{explain::Names, quantity},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Clocks that are less apart than this, nanoseconds, are told of by nobody.
const CLOCKS: i64 = 10_000_000;

/// All of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Appendix {
    /// What to type to run it again.
    pub rerun: String,
    /// What to type to write this review again.
    pub rebuild: String,
    /// Every figure.
    pub figures: Vec<FigureRow>,
    /// Every fault with its operations.
    pub faults: Vec<FaultRecord>,
    /// The targets as they were.
    pub containers: Vec<Fact>,
    /// How they were chosen.
    pub choices: Vec<String>,
    /// What was promised and how it was timed.
    pub configuration: Vec<Fact>,
    /// Versions, host, seed, digests.
    pub provenance: Vec<Fact>,
    /// Name, size, digest.
    pub files: Vec<(String, String, String)>,
    /// Logs of containers in the folder.
    pub logs: Vec<Fact>,
    /// How each figure is computed.
    pub definitions: Vec<Fact>,
    /// Evidence id and where it leads.
    pub evidence: Vec<(String, String)>,
    /// The full log.
    pub log: Vec<Row>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FigureRow {
    /// Permalink, unique.
    pub id: String,
    /// `time to recover`
    pub name: &'static str,
    /// Whose: a probe, a fault, or the run.
    pub whose: String,
    /// Value, or why there is none.
    pub value: String,
    /// Where the truth lies, if that is open.
    pub range: String,
    /// Over how many.
    pub n: String,
    /// Promised.
    pub objective: String,
    /// Distance to the objective.
    pub margin: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FaultRecord {
    /// `pause cache`
    pub label: String,
    /// Its times in a sentence.
    pub times: String,
    /// One a container: proofs in words.
    pub proofs: Vec<Fact>,
    /// In order.
    pub operations: Vec<OperationRow>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OperationRow {
    /// When it was sent.
    pub when: When,
    /// `apply` or `undo`.
    pub part: &'static str,
    /// On which container.
    pub container: String,
    /// What was done.
    pub op: String,
    /// How long the answer took.
    pub took: String,
    /// `done`, or what the engine said.
    pub outcome: String,
    /// Evidence id.
    pub evidence: String,
}

/// Builds it.
pub fn appendix(look: &Look<'_>) -> Appendix {
    let findings = look.findings;
    Appendix {
        rerun: rerun(look),
        rebuild: format!("firedrill review {}", folder(look)),
        figures: figures(look),
        faults: findings.faults.iter().map(|f| fault(look, f)).collect(),
        containers: containers(look),
        choices: findings.scope.choices.clone(),
        configuration: configuration(look),
        provenance: provenance(look),
        files: findings.run.files.iter().map(|f| (f.name.clone(), quantity::bytes(f.size), f.digest.clone())).collect(),
        logs: logs(look),
        definitions: definitions(look),
        evidence: evidence(look),
        log: timeline::full(look),
    }
}

/// The folder as the command line takes it: reports are kept in `reports/`.
pub fn folder(look: &Look<'_>) -> String {
    quoted_word(&format!("reports/{}", look.findings.run.id))
}

/// What was typed, each word quoted where a shell needs it; with the seed, so that the same targets are picked, and without
/// the place of the reports, which is whoever's who types it.
fn rerun(look: &Look<'_>) -> String {
    let run = &look.findings.run;
    let mut typed = run.command.iter();
    let mut words = Vec::new();
    while let Some(word) = typed.next() {
        match word.as_str() {
            "--reports" => drop(typed.next()),
            word if word.starts_with("--reports=") => {}
            word => words.push(quoted_word(word)),
        }
    }
    if words.is_empty() {
        words = vec!["firedrill".into(), "run".into(), quoted_word(&run.scenario_path)];
    }
    if let Some(program) = words.first_mut() {
        *program = "firedrill".into();
    }
    let seeded = words.iter().any(|w| w == "--seed" || w.starts_with("--seed="));
    if !seeded && words.get(1).is_some_and(|verb| verb == "run") {
        words.push(format!("--seed {}", run.seed));
    }
    words.join(" ")
}

fn quoted_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn figures(look: &Look<'_>) -> Vec<FigureRow> {
    let names = Names::of(look.findings);
    look.findings.figures.iter().map(|f| figure(look, &names, f)).collect()
}

fn figure(look: &Look<'_>, names: &Names, figure: &Figure) -> FigureRow {
    let whose = match (figure.probe, figure.fault) {
        (Some(probe), _) => look.probe_name(probe).to_owned(),
        (_, Some(fault)) => look.fault_label(fault).to_owned(),
        _ => "the run".into(),
    };
    let dash = || "–".to_owned();
    FigureRow {
        id: format!("figure/{}", names.figure(figure)),
        name: figure.kind.name(),
        whose,
        value: figure.value.map_or_else(|absent| absent.to_string(), quantity::value),
        range: figure.range.map(range).unwrap_or_default(),
        n: figure.n.map_or_else(dash, quantity::count),
        objective: figure.objective.map_or_else(dash, quantity::objective),
        margin: figure.margin.map_or_else(dash, quantity::margin),
        evidence: look.cite(&figure.evidence),
    }
}

/// One a kind of figure, in the order in which they first appear.
fn definitions(look: &Look<'_>) -> Vec<Fact> {
    let mut kinds: Vec<_> = look.findings.figures.iter().map(|f| f.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().map(|kind| plain(kind.name(), kind.definition())).collect()
}

/// Both ends, if they print differently.
fn range(range: Interval<i64>) -> String {
    let (low, high) = (quantity::value(Value::Time(range.low)), quantity::value(Value::Time(range.high)));
    if low == high { String::new() } else { format!("{low} to {high}") }
}

fn fault(look: &Look<'_>, fault: &FaultFindings) -> FaultRecord {
    let mut operations: Vec<(&FaultOn, &Operation)> =
        fault.containers.iter().flat_map(|c| c.operations.iter().map(move |o| (c, o))).collect();
    operations.sort_by_key(|(_, o)| o.sent);
    FaultRecord {
        label: fault.label.clone(),
        times: times(look, fault),
        proofs: fault.containers.iter().flat_map(|c| [Some(proof(look, c)), touched(look, c)]).flatten().collect(),
        operations: operations.into_iter().map(|(c, o)| operation(look, c, o)).collect(),
    }
}

fn times(look: &Look<'_>, fault: &FaultFindings) -> String {
    let moment = |name: &str, at: Option<u64>| at.map(|at| format!("{name} {}", look.when(at).t));
    let interval = |name: &str, at: Option<crate::analysis::Interval<u64>>| {
        at.map(|i| match i.high - i.low {
            0 => format!("{name} {}", look.when(i.low).t),
            _ => format!("{name} between {} and {}", look.when(i.low).t, look.when(i.high).t),
        })
    };
    let parts = [
        moment("due", fault.intended),
        moment("requested", fault.requested),
        interval("effective", fault.effective),
        moment("undo asked", fault.undo_requested),
        interval("removed", fault.removed),
        fault.skipped.as_ref().map(|why| format!("left out: {why}")),
        fault.ended_by.as_ref().map(|by| format!("ended by {by}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "not reached".into() } else { parts.join("; ") }
}

fn proof(look: &Look<'_>, on: &FaultOn) -> Fact {
    let applied = match &on.proof {
        Some((true, seen)) => format!("fault proven ({seen})"),
        Some((false, seen)) => format!("fault not proven ({seen})"),
        None => "fault not read back".into(),
    };
    let undone = match &on.undo_proof {
        Some((proven, differences)) => {
            let word = if *proven { "undo proven" } else { "undo not proven" };
            let shown: Vec<String> = differences
                .iter()
                .map(|d| {
                    let mark = if d.must_match { "must match" } else { "recorded only" };
                    format!("{}: {} to {} ({mark})", d.what, d.before, d.after)
                })
                .collect();
            if shown.is_empty() { word.to_owned() } else { format!("{word}; {}", shown.join("; ")) }
        }
        None => "undo not read back".into(),
    };
    let evidence: Vec<_> = on.operations.iter().map(|o| o.evidence).collect();
    let worked = on.worked.map(|worked| format!("; {}", worked.figures)).unwrap_or_default();
    Fact { name: on.container.clone(), text: format!("{applied}{worked}; {undone}"), evidence: look.cite(&evidence) }
}

/// What became of packets, as an agent counted.
fn touched(look: &Look<'_>, on: &FaultOn) -> Option<Fact> {
    let packets = on.packets.as_ref()?;
    let name = format!("{}, packets", on.container);
    Some(Fact { name, text: packet_words(&packets.counters), evidence: look.cite(&packets.evidence) })
}

/// `1,204 met by its rules; 1,204 delayed; delay median 50 ms, p99 51 ms`.
fn packet_words(counters: &Counters) -> String {
    let counts = [
        (counters.queries, "look-ups of names"),
        (counters.matched, "of names that are meant"),
        (counters.answered, "answered by the agent"),
        (counters.cut, "ended"),
        (counters.delayed, "delayed"),
        (counters.dropped, "lost"),
        (counters.overflowed, "dropped by a full queue"),
        (counters.duplicated, "doubled"),
        (counters.corrupted, "damaged"),
        (counters.reordered, "let past others"),
        (counters.early, "let go early, at the undo"),
        (counters.unheld, "not delayed, because no more could be held"),
        (counters.unsent, "not sent by the kernel"),
        (counters.leaked, "got past the agent"),
    ];
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    let mut parts = vec![format!("{} met by its rules", quantity::count(counters.hit))];
    parts.extend(some.map(|(count, what)| format!("{} {what}", quantity::count(count))));
    if let Some(spread) = counters.achieved.as_ref().filter(|_| counters.delayed > 0) {
        let [p50, p99, max] = [spread.p50, spread.p99, spread.max].map(quantity::span);
        parts.push(format!("delay achieved: median {p50}, p99 {p99}, at most {max}"));
    }
    parts.join("; ")
}

fn operation(look: &Look<'_>, on: &FaultOn, operation: &Operation) -> OperationRow {
    OperationRow {
        when: look.when(operation.sent),
        part: if operation.undo { "undo" } else { "apply" },
        container: on.container.clone(),
        op: op_words(&operation.op),
        took: quantity::span(operation.answered.saturating_sub(operation.sent)),
        outcome: operation.error.clone().unwrap_or_else(|| "done".into()),
        evidence: operation.evidence.to_string(),
    }
}

fn op_words(op: &Op) -> String {
    let grace = |g: &Option<crate::units::Span>| g.map(|g| format!(" (grace {g})")).unwrap_or_default();
    match op {
        Op::Kill { signal } => format!("kill {signal}"),
        Op::Stop { grace: g } => format!("stop{}", grace(g)),
        Op::Start => "start".into(),
        Op::Restart { grace: g } => format!("restart{}", grace(g)),
        Op::Pause => "pause".into(),
        Op::Unpause => "unpause".into(),
        Op::Disconnect { network } => format!("disconnect from {network}"),
        Op::Connect { network, .. } => format!("connect to {network}"),
        Op::Exec { command, .. } => {
            format!("exec {}", command.iter().map(|w| quoted_word(w)).collect::<Vec<_>>().join(" "))
        }
        Op::Begin { work } => work.to_string(),
        Op::End { work } => format!("end: {work}"),
        Op::Packets(fault) => fault.to_string(),
        Op::FreePackets { .. } => "let packets go as before".into(),
        Op::AwaitHealthy { within } => format!("wait until healthy, at most {within}"),
    }
}

fn containers(look: &Look<'_>) -> Vec<Fact> {
    let evidence: Vec<_> = look.findings.scope.evidence.iter().copied().collect();
    let one = |(target, container): (&String, &crate::container::Container)| {
        let digest: String = container.image_id.chars().take(19).collect();
        let restart = if container.restart_policy.name.is_empty() { "no" } else { &container.restart_policy.name };
        let health = container.health.map_or("no health check", |_| "health check");
        Fact {
            name: container.name.clone(),
            text: format!(
                "target {target}; id {}; image {} ({digest}); {}; restart policy {restart}; {health}",
                container.id,
                container.image,
                container.state.name()
            ),
            evidence: look.cite(&evidence),
        }
    };
    let all = look.findings.scope.targets.iter().flat_map(|(name, list)| list.iter().map(move |c| (name, c)));
    all.map(one).collect()
}

fn plain(name: &str, text: impl Into<String>) -> Fact {
    Fact { name: name.into(), text: text.into(), evidence: vec![] }
}

fn configuration(look: &Look<'_>) -> Vec<Fact> {
    let terms = &look.findings.terms;
    let mut facts = vec![plain(
        "timing",
        format!(
            "warm-up {}, baseline {}, recovery {}",
            terms.timing.warm_up, terms.timing.baseline, terms.timing.recovery
        ),
    )];
    for probe in &terms.probes {
        let role = if probe.load { "load" } else { "probe" };
        let slo = probe.slo.map(|s| format!(", SLO {} over {}", s.objective, s.period)).unwrap_or_default();
        facts.push(plain(
            &format!("{role} {}", probe.name),
            format!(
                "{} at {}, timeout {}, at most {} in flight{slo}",
                probe.subject, probe.rate, probe.timeout, probe.max_in_flight
            ),
        ));
    }
    let expect = &terms.expect;
    for (name, limits) in [
        ("expect baseline", &expect.baseline),
        ("expect during", &expect.during),
        ("expect mitigated", &expect.mitigated),
        ("expect recovery", &expect.recovery),
    ] {
        facts.extend(limits.iter().map(|(probe, limits)| plain(name, format!("{probe}: {}", limits_words(limits)))));
    }
    if !expect.unaffected.is_empty() {
        facts.push(plain("expect unaffected", expect.unaffected.join(", ")));
    }
    facts.extend(super::detection::source(look).map(|told| Fact {
        name: "alert source".into(),
        text: told.text,
        evidence: told.evidence,
    }));
    for guard in &terms.guards {
        facts.push(plain("guard", format!("{}: {} for {}", guard.probe, limit_words(guard.limit), guard.window)));
    }
    for fault in &terms.faults {
        let length = fault.length.map(|l| format!(" for {l}")).unwrap_or_default();
        facts.push(plain(
            "fault",
            format!("{} at {}{length} on {}", fault.label, fault.at, fault.containers.join(", ")),
        ));
    }
    facts
}

fn limits_words(limits: &Limits) -> String {
    let mut parts: Vec<String> = limits.limits.iter().map(|l| limit_words(*l)).collect();
    parts.extend(limits.max_failed.map(|n| format!("at most {} failed", quantity::count(n))));
    parts.extend(limits.within.map(|s| format!("within {s}")));
    parts.extend(limits.stable_for.map(|s| format!("stable for {s}")));
    parts.join(", ")
}

fn provenance(look: &Look<'_>) -> Vec<Fact> {
    let run = &look.findings.run;
    let mut facts = vec![
        plain("run", run.id.clone()),
        plain("firedrill", run.version.clone()),
        plain("runner host", run.host.clone()),
        plain("seed", run.seed.to_string()),
        plain("scenario", run.scenario_path.clone()),
        plain("scenario sha256", run.scenario_digest.clone()),
    ];
    facts.extend(run.git.as_ref().map(|git| plain("scenario in git", git.clone())));
    if let Some(engine) = &run.engine {
        facts.push(plain(
            "engine",
            format!(
                "Docker {} (API {}), {}, kernel {}, {}, cgroup v{}",
                engine.version, engine.api, engine.os, engine.kernel, engine.arch, engine.cgroup
            ),
        ));
    }
    let apart = run.engine_clock_ns.filter(|lead| lead.low > CLOCKS || lead.high < -CLOCKS);
    facts.extend(
        apart.map(|lead| plain("engine's clock", format!("{}; its stamps are moved by that", quantity::lead(lead)))),
    );
    facts
}

/// `journal.jsonl:48, bytes 812-1033, sha256 2f6c58de2ab2`; the whole digest is in `result.json`.
fn evidence(look: &Look<'_>) -> Vec<(String, String)> {
    let places = look.findings.places.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let words = |place: Option<&crate::analysis::Place>| {
        let Some(place) = place else { return String::new() };
        let short: String = place.digest.chars().take(12).collect();
        format!(", bytes {}-{}, sha256 {short}", place.bytes.start, place.bytes.end.saturating_sub(1))
    };
    let all = look.findings.evidence.iter().zip(places).enumerate();
    all.map(|(i, (evidence, place))| (format!("e{i}"), format!("{evidence}{}", words(place)))).collect()
}

fn logs(look: &Look<'_>) -> Vec<Fact> {
    let one = |log: &crate::analysis::LogFile| {
        let cut = if log.cut { ", older lines cut" } else { "" };
        plain(&log.container, format!("{} ({}{cut})", log.file, quantity::bytes(log.bytes)))
    };
    look.findings.logs.iter().map(one).collect()
}
