//! `result.json`: what a run came to, for machines. Versioned; its schema is `result.schema.json`.
//!
//! Times are nanoseconds (`*_ns`), moments are nanoseconds since t=0 (since the start, without a t=0), shares are
//! fractions of 1. What was not measured is `null` with its reason beside it, never 0.

use super::{
    action::ActionItem,
    explain::Names,
    model::{Review, fact_words},
    rules::RuleHit,
};
use crate::{
    analysis::{
        Absent, AlertFindings, AlertOutcome, AlertRow, Criterion, CriterionStatus, EvidenceFile, Figure, Findings,
        Percentiles, PhaseStats, Place, ProbeFindings, Value,
    },
    event::{AlertSource, Phase},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of this file. Fields may be added within a version; none changes its meaning.
pub const FORMAT: u32 = 1;

/// What a run came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "firedrill result")]
pub struct RunResult {
    /// The version of this file.
    pub format: u32,
    /// Which run, of what.
    pub run: RunPart,
    /// Three facts, one word, one code.
    pub verdict: VerdictPart,
    /// The three sentences that head the review: lead and text.
    pub summary: BTreeMap<String, String>,
    /// Everything that was promised, and what came of it.
    pub criteria: Vec<CriterionPart>,
    /// Every figure.
    pub figures: Vec<FigurePart>,
    /// Every load and probe, phase by phase.
    pub probes: Vec<ProbePart>,
    /// Every fault with its times and proofs.
    pub faults: Vec<FaultPart>,
    /// What was expected of alerts and what they did; null without an alert source.
    pub alerts: Option<AlertsPart>,
    /// What the rules found, the gravest first.
    pub findings: Vec<FindingPart>,
    /// What is proposed, one item a finding, in the same order. What became of them is in the review's Markdown.
    pub actions: Vec<ActionItem>,
    /// What the measurement does not tell.
    pub limits: Vec<String>,
    /// Where an evidence id leads in the run folder.
    pub evidence: BTreeMap<String, String>,
    /// The same down to bytes, with their digest; ids that the folder does not hold are left out.
    pub places: BTreeMap<String, PlacePart>,
    /// The files that all of this was computed from.
    pub files: Vec<FilePart>,
}

/// The alerts, as their source told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertsPart {
    /// `prometheus` or `alertmanager`.
    pub source: Option<AlertSource>,
    /// How many answers were read.
    pub answers: u64,
    /// From the last answer before to the first after: nothing is known of alerts then.
    pub gaps_ns: Vec<[i64; 2]>,
    /// The source's clock minus the runner's lies between these.
    pub clock_ns: Option<[i64; 2]>,
    /// Those expected in the order of the scenario, then all others that fired.
    pub rows: Vec<AlertPart>,
}

/// An alert.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertPart {
    /// Its name, and its labels in braces.
    pub alert: String,
    /// Its position in the scenario; null if it was not expected.
    pub expected: Option<usize>,
    /// What came of it.
    pub outcome: AlertOutcome,
    /// When it began to be pending: between these moments.
    pub pending_ns: Option<[i64; 2]>,
    /// When it began to fire.
    pub firing_ns: Option<[i64; 2]>,
    /// When it had resolved; null: not before the end.
    pub resolved_ns: Option<[i64; 2]>,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// What an evidence id leads to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlacePart {
    /// Relative to the run folder.
    pub file: String,
    /// First byte, and the first that does not belong to it. Of requests: the blocks that hold them.
    pub bytes: [u64; 2],
    /// Of these bytes, hexadecimal.
    pub sha256: String,
}

/// A file of evidence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FilePart {
    /// Relative to the run folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// Which run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunPart {
    /// Its id, also the name of its folder.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// One line for people.
    pub title: String,
    /// Free tags.
    pub tags: Vec<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// The load or probe that tiles and sentences are about.
    pub main_probe: Option<String>,
    /// The service that users see: the scenario's `of`, else the main probe.
    pub service: Option<String>,
    /// RFC 3339, UTC.
    pub started: String,
    /// From the first to the last event.
    pub took_ns: u64,
    /// From the start to t=0; null if nothing was injected.
    pub zero_ns: Option<u64>,
    /// The journal stops before the end.
    pub cut_short: bool,
    /// The tool's version.
    pub version: String,
    /// The seed of all chance.
    pub seed: u64,
    /// sha256 of the scenario file.
    pub scenario_digest: String,
    /// `git describe` of the scenario's folder.
    pub git: Option<String>,
    /// Image ids of the targets, by container.
    pub images: BTreeMap<String, String>,
}

/// The verdict.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerdictPart {
    /// `HELD`, `VIOLATED`, ...
    pub word: String,
    /// The exit code of this run (before `--strict`).
    pub code: u8,
    /// `proven` or `unproven`.
    pub cleanup: String,
    /// `complete`, `not started`, `halted by ...`, `stopped by ...`, `cut short`.
    pub run: String,
    /// `held`, `violated` or `undecided`.
    pub hypothesis: String,
    /// Why, weightiest first.
    pub reasons: Vec<String>,
    /// Held with less than 20 % of room.
    pub low_margin: bool,
    /// No probe saw any impact at this load.
    pub no_impact: bool,
    /// As a share of the bound.
    pub smallest_margin: Option<f64>,
}

/// A quantity: its number in a base unit, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Quantity {
    /// The number; null if it was not measured.
    pub value: Option<f64>,
    /// `ns`, `count`, `share`, `factor`, `per_second`, `bytes`, `flag` (0 or 1).
    pub unit: Option<&'static str>,
    /// Why it was not measured.
    pub absent: Option<String>,
}

/// Something promised.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CriterionPart {
    /// What `firedrill explain` calls it: `during/checkout/p99`.
    pub id: String,
    /// `baseline`, `during`, `recovery`.
    pub phase: PhaseName,
    /// Whose; null for a container that must be unaffected.
    pub probe: Option<String>,
    /// `errors`, `p99`, `recovered within`, ...
    pub what: String,
    /// `<=`, `<`, `>=`, `>`.
    pub op: Option<&'static str>,
    /// In the unit of `measured`.
    pub bound: Option<f64>,
    /// What was measured.
    pub measured: Quantity,
    /// Over how many requests.
    pub n: u64,
    /// Distance to the bound as a share of it; negative if broken.
    pub margin: Option<f64>,
    /// What came of it.
    pub status: Status,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// What came of a criterion.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As promised.
    Met,
    /// Not as promised.
    Broken,
    /// The data do not tell.
    Undecided,
    /// The run did not get so far.
    NotReached,
}

/// A phase of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Phase")]
pub enum PhaseName {
    /// Docker, targets, locks, limits.
    Preflight,
    /// Load, thrown away.
    WarmUp,
    /// The gate.
    Baseline,
    /// From the first fault effective to the last undo effective.
    During,
    /// From there.
    Recovery,
    /// What remains.
    Report,
}

/// A figure.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FigurePart {
    /// What `firedrill explain` calls it: `time-to-recover/checkout`.
    pub id: String,
    /// `time_to_recover`, ...
    pub kind: String,
    /// Of which probe.
    pub probe: Option<String>,
    /// Of which fault: its position.
    pub fault: Option<usize>,
    /// What it came to.
    pub measured: Quantity,
    /// Where the truth lies, in the unit of the value.
    pub range: Option<[i64; 2]>,
    /// Over how many.
    pub n: Option<u64>,
    /// `<=`, `<`, `>=`, `>`.
    pub op: Option<&'static str>,
    /// In the unit of the value.
    pub bound: Option<f64>,
    /// Distance to the bound as a share of it.
    pub margin: Option<f64>,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// What a rule found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingPart {
    /// The rule's id.
    pub rule: String,
    /// Of rule, service, fault and signal: the same for the same finding in every run.
    pub fingerprint: String,
    /// What it is about.
    pub service: String,
    /// The kinds of fault, joined by `+`; `none` where the finding does not depend on them.
    pub fault: String,
    /// What shows it.
    pub signal: String,
    /// The finding in a sentence.
    pub title: String,
    /// `observed` or `hypothesis`.
    pub basis: String,
    /// In how many of the last runs it was found, if it was found before.
    pub again: Option<String>,
    /// How it could be tested.
    pub test: String,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// A load or probe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProbePart {
    /// Its name.
    pub name: String,
    /// Load (users) rather than a mere probe.
    pub load: bool,
    /// Whether anything is promised of it.
    pub judged: bool,
    /// Requests a second.
    pub rate: f64,
    /// By phase name.
    pub phases: BTreeMap<String, PhasePart>,
}

/// A probe in a phase.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PhasePart {
    /// Requests due.
    pub offered: u64,
    /// Ended well.
    pub ok: u64,
    /// Did not.
    pub failed: u64,
    /// By class.
    pub by_class: BTreeMap<String, u64>,
    /// Good answers a second.
    pub goodput: Option<f64>,
    /// From the intended send.
    pub response: PercentilePart,
    /// From the real send.
    pub service: PercentilePart,
    /// Share of ticks of which nothing is known.
    pub unknown_share: f64,
}

/// Percentiles in nanoseconds, each only where N carries it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PercentilePart {
    /// Over how many.
    pub n: u64,
    /// Median.
    pub p50_ns: Option<u64>,
    /// 90th.
    pub p90_ns: Option<u64>,
    /// 99th.
    pub p99_ns: Option<u64>,
    /// 99.9th.
    pub p999_ns: Option<u64>,
    /// Slowest.
    pub max_ns: Option<u64>,
}

/// A fault.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FaultPart {
    /// `pause`, `kill`, ...
    pub kind: String,
    /// For people.
    pub label: String,
    /// On which containers.
    pub containers: Vec<String>,
    /// Effective between these moments.
    pub effective_ns: Option<[i64; 2]>,
    /// Removed between these moments.
    pub removed_ns: Option<[i64; 2]>,
    /// Seen to be in place; null if nobody looked.
    pub proven: Option<bool>,
    /// Seen to be undone; null if there was nothing to undo or nobody looked.
    pub undo_proven: Option<bool>,
    /// What agents counted, by container; empty for a fault that is not about packets.
    pub packets: BTreeMap<String, PacketsPart>,
}

/// What became of the packets of one container.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PacketsPart {
    /// Met by the fault's rules.
    pub met: u64,
    /// Cut by the kernel.
    pub cut: u64,
    /// Held for a time.
    pub delayed: u64,
    /// Dropped by chance.
    pub dropped: u64,
    /// Dropped because the queue of a rate was full.
    pub overflowed: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Let past others.
    pub reordered: u64,
    /// Names that were answered falsely.
    pub answered: u64,
    /// Passed although they were meant.
    pub leaked: u64,
}

/// The file's text.
pub fn json(findings: &Findings, review: &Review) -> String {
    let result = RunResult::of(findings, review);
    let mut text = serde_json::to_string_pretty(&result).expect("plain data with string keys");
    text.push('\n');
    text
}

/// The schema's text.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(RunResult)).expect("a schema is plain JSON");
    text.push('\n');
    text
}

impl RunResult {
    /// From findings, with the review's words.
    pub fn of(findings: &Findings, review: &Review) -> RunResult {
        let name = |id: u16| findings.probes.get(usize::from(id)).map(|p| p.name.clone());
        let names = Names::of(findings);
        RunResult {
            format: FORMAT,
            run: run(findings),
            verdict: verdict(findings, review),
            summary: review.sentences.iter().map(|s| (s.lead.to_owned(), s.text.clone())).collect(),
            criteria: findings
                .criteria
                .iter()
                .map(|c| criterion(names.criterion(c), c, c.probe.and_then(name)))
                .collect(),
            figures: findings.figures.iter().map(|f| figure(names.figure(f), f, f.probe.and_then(name))).collect(),
            probes: findings.probes.iter().map(probe).collect(),
            faults: faults(findings),
            alerts: findings.alerts.as_ref().map(|found| alerts(findings, found)),
            findings: review.hits.iter().map(finding).collect(),
            actions: review.actions.iter().map(|action| action.item.clone()).collect(),
            limits: review.limits.iter().map(|told| told.text.clone()).collect(),
            evidence: findings.evidence.iter().enumerate().map(|(i, e)| (format!("e{i}"), e.to_string())).collect(),
            places: places(findings),
            files: findings.run.files.iter().map(file).collect(),
        }
    }
}

fn places(findings: &Findings) -> BTreeMap<String, PlacePart> {
    let part = |(i, place): (usize, &Option<Place>)| {
        let Place { file, bytes, digest } = place.clone()?;
        Some((format!("e{i}"), PlacePart { file, bytes: [bytes.start, bytes.end], sha256: digest }))
    };
    findings.places.iter().enumerate().filter_map(part).collect()
}

fn file(file: &EvidenceFile) -> FilePart {
    FilePart { name: file.name.clone(), size: file.size, sha256: file.digest.clone() }
}

fn run(findings: &Findings) -> RunPart {
    let run = &findings.run;
    let targets = findings.scope.targets.values().flatten();
    let main = findings.main().map(|probe| probe.name.clone());
    RunPart {
        id: run.id.clone(),
        scenario: run.scenario.clone(),
        title: run.title.clone(),
        tags: run.tags.clone(),
        owner: run.owner.clone(),
        service: run.of.clone().or_else(|| main.clone()),
        main_probe: main,
        started: run.started.to_string(),
        took_ns: run.ended,
        zero_ns: run.t0,
        cut_short: run.cut_short,
        version: run.version.clone(),
        seed: run.seed,
        scenario_digest: run.scenario_digest.clone(),
        git: run.git.clone(),
        images: targets.map(|c| (c.name.clone(), c.image_id.clone())).collect(),
    }
}

fn verdict(findings: &Findings, review: &Review) -> VerdictPart {
    let (cleanup, run, hypothesis) = fact_words(findings);
    let verdict = &findings.verdict;
    VerdictPart {
        word: verdict.word.to_string(),
        code: verdict.code,
        cleanup,
        run,
        hypothesis,
        reasons: std::iter::once(review.banner.why.clone())
            .chain(review.banner.more.iter().map(|m| m.text.clone()))
            .collect(),
        low_margin: verdict.low_margin,
        no_impact: verdict.no_impact,
        smallest_margin: verdict.smallest_margin.map(|(margin, _)| margin),
    }
}

fn quantity(value: Result<Value, Absent>) -> Quantity {
    match value {
        Ok(value) => Quantity { value: Some(value.number()), unit: Some(unit(value)), absent: None },
        Err(absent) => Quantity { value: None, unit: None, absent: Some(absent.to_string()) },
    }
}

fn unit(value: Value) -> &'static str {
    match value {
        Value::Time(_) => "ns",
        Value::Count(_) | Value::Estimate(_) => "count",
        Value::Share(_) => "share",
        Value::Factor(_) => "factor",
        Value::Rate(_) => "per_second",
        Value::Bytes(_) => "bytes",
        Value::Flag(_) => "flag",
    }
}

fn ids(ids: &[crate::analysis::EvidenceId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn criterion(id: String, criterion: &Criterion, probe: Option<String>) -> CriterionPart {
    CriterionPart {
        id,
        phase: phase(criterion.phase),
        probe,
        what: criterion.what.to_string(),
        op: criterion.objective.map(|o| o.op.sign()),
        bound: criterion.objective.map(|o| o.bound.number()),
        measured: quantity(criterion.measured),
        n: criterion.n,
        margin: criterion.margin,
        status: match criterion.status {
            CriterionStatus::Met => Status::Met,
            CriterionStatus::Broken => Status::Broken,
            CriterionStatus::Undecided => Status::Undecided,
            CriterionStatus::NotReached => Status::NotReached,
        },
        evidence: ids(&criterion.evidence),
    }
}

fn phase(phase: Phase) -> PhaseName {
    match phase {
        Phase::Preflight => PhaseName::Preflight,
        Phase::WarmUp => PhaseName::WarmUp,
        Phase::Baseline => PhaseName::Baseline,
        Phase::During => PhaseName::During,
        Phase::Recovery => PhaseName::Recovery,
        Phase::Report => PhaseName::Report,
    }
}

fn figure(id: String, figure: &Figure, probe: Option<String>) -> FigurePart {
    FigurePart {
        id,
        kind: figure.kind.name().replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
        probe,
        fault: figure.fault,
        measured: quantity(figure.value),
        range: figure.range.map(|r| [r.low, r.high]),
        n: figure.n,
        op: figure.objective.map(|o| o.op.sign()),
        bound: figure.objective.map(|o| o.bound.number()),
        margin: figure.margin,
        evidence: ids(&figure.evidence),
    }
}

fn finding(hit: &RuleHit) -> FindingPart {
    FindingPart {
        rule: hit.rule.into(),
        fingerprint: hit.fingerprint.clone(),
        service: hit.service.clone(),
        fault: hit.fault.clone(),
        signal: hit.signal.clone(),
        title: hit.title.clone(),
        basis: hit.basis.name().into(),
        again: hit.again.clone(),
        test: hit.test.clone(),
        evidence: ids(&hit.evidence),
    }
}

fn probe(probe: &ProbeFindings) -> ProbePart {
    ProbePart {
        name: probe.name.clone(),
        load: probe.load,
        judged: probe.judged,
        rate: probe.rate.0,
        phases: probe.phases.iter().map(|s| (super::model::phase_name(s.phase).to_owned(), stats(s))).collect(),
    }
}

fn stats(stats: &PhaseStats) -> PhasePart {
    PhasePart {
        offered: stats.offered,
        ok: stats.ok,
        failed: stats.failed,
        by_class: stats.by_class.iter().map(|(class, n)| (class.name().to_owned(), *n)).collect(),
        goodput: stats.goodput,
        response: percentiles(&stats.response),
        service: percentiles(&stats.service),
        unknown_share: stats.unknown_share,
    }
}

fn percentiles(p: &Percentiles) -> PercentilePart {
    PercentilePart { n: p.n, p50_ns: p.p50, p90_ns: p.p90, p99_ns: p.p99, p999_ns: p.p999, max_ns: p.max }
}

fn alerts(findings: &Findings, found: &AlertFindings) -> AlertsPart {
    let zero = findings.run.t0.unwrap_or(0) as i64;
    let moment = |i: crate::analysis::Interval<u64>| [i.low as i64 - zero, i.high as i64 - zero];
    let row = |row: &AlertRow| AlertPart {
        alert: row.alert.clone(),
        expected: row.expected,
        outcome: row.outcome,
        pending_ns: row.pending.map(moment),
        firing_ns: row.firing.map(moment),
        resolved_ns: row.resolved.map(moment),
        evidence: ids(&row.evidence),
    };
    AlertsPart {
        source: findings.terms.detect.as_ref().map(|terms| terms.source),
        answers: found.answers,
        gaps_ns: found.gaps.iter().map(|(from, to)| [*from as i64 - zero, *to as i64 - zero]).collect(),
        clock_ns: found.clock_ns.map(|lead| [lead.low, lead.high]),
        rows: found.rows.iter().map(row).collect(),
    }
}

fn faults(findings: &Findings) -> Vec<FaultPart> {
    let zero = findings.run.t0.unwrap_or(0) as i64;
    let moments = |i: Option<crate::analysis::Interval<u64>>| i.map(|i| [i.low as i64 - zero, i.high as i64 - zero]);
    let one = |fault: &crate::analysis::FaultFindings| FaultPart {
        kind: fault.kind.clone(),
        label: fault.label.clone(),
        containers: fault.containers.iter().map(|c| c.container.clone()).collect(),
        effective_ns: moments(fault.effective),
        removed_ns: moments(fault.removed),
        proven: fault.proven,
        undo_proven: fault.undo_proven,
        packets: fault.containers.iter().filter_map(|on| Some((on.container.clone(), packets(on)?))).collect(),
    };
    findings.faults.iter().map(one).collect()
}

fn packets(on: &crate::analysis::FaultOn) -> Option<PacketsPart> {
    let counts = &on.packets.as_ref()?.counters;
    Some(PacketsPart {
        met: counts.hit,
        cut: counts.cut,
        delayed: counts.delayed,
        dropped: counts.dropped,
        overflowed: counts.overflowed,
        duplicated: counts.duplicated,
        corrupted: counts.corrupted,
        reordered: counts.reordered,
        answered: counts.answered,
        leaked: counts.leaked,
    })
}
