//! What users of the probes saw: before, during and after in one table, failures by class, and the facts beside.

use super::{
    Fact, Told,
    look::{Look, list},
    verdict::capital,
};
use crate::{
    analysis::{Absent, FigureKind, Neighbour, PhaseStats, ProbeFindings, TickState, Value},
    event::Phase,
    measure::Class,
    review::quantity,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The section.
#[derive(Debug, Clone)]
pub struct Impact {
    /// One table a probe that the review is about, the main one first.
    pub tables: Vec<ImpactTable>,
    /// The same for probes that were only recorded.
    pub beside: Vec<ImpactTable>,
    /// What the main probe saw, in figures.
    pub facts: Vec<Fact>,
    /// The error budget, where there is an SLO.
    pub budget: Option<Fact>,
    /// The same for the summary.
    pub seen: Option<Seen>,
}

/// What users of the main probe saw, each part as the section prints it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `600 of 18,000 (3.33%)`, `none of 18,000`; `None`: no fault was effective while it was sent.
    pub failed: Option<Told>,
    /// `t+0.0s (10:00:26 UTC), 7ms after the fault`; `None`: there was no impact.
    pub began: Option<Told>,
    /// From the first bad moment to the last: `4s`; `None`: it did not end.
    pub lasted: Option<Told>,
    /// Other probes that saw impact: `stock from t+0.1s to t+4.0s`.
    pub others: Vec<Told>,
}

/// One probe before, during and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImpactTable {
    /// The probe.
    pub probe: String,
    /// What it is sent to.
    pub subject: String,
    /// How often: `200/s`.
    pub rate: String,
    /// Whether anything was promised of it.
    pub judged: bool,
    /// `before`, `during`, `after`, of those reached.
    pub columns: Vec<Column>,
    /// Name, one cell a column, and during / before where that makes sense.
    pub rows: Vec<ImpactRow>,
    /// Failures by class; empty if there were none.
    pub classes: Vec<ClassRow>,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Column {
    /// `during`
    pub name: &'static str,
    /// Where its requests lie: evidence ids.
    pub evidence: Vec<String>,
}

impl ImpactTable {
    /// A cell with the evidence of its column; `None` if it holds no value.
    pub fn cell(&self, row: &str, column: &str) -> Option<Told> {
        let at = self.columns.iter().position(|c| c.name == column)?;
        let row = self.rows.iter().find(|r| r.name == row)?;
        let text = row.cells.get(at).filter(|_| row.measured.get(at) == Some(&true))?.clone();
        Some(Told { text, evidence: self.columns[at].evidence.clone() })
    }
}

/// One quantity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImpactRow {
    /// `p99`
    pub name: &'static str,
    /// One a column.
    pub cells: Vec<String>,
    /// `14.2x`, or empty.
    pub ratio: String,
    /// Which of the cells hold a value.
    #[serde(skip)]
    pub measured: Vec<bool>,
}

/// One class of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClassRow {
    /// `timeout`
    pub class: &'static str,
    /// One a column.
    pub cells: Vec<String>,
}

const PHASES: [(Phase, &str); 4] = [
    (Phase::WarmUp, "before any phase was judged"),
    (Phase::Baseline, "before"),
    (Phase::During, "during"),
    (Phase::Recovery, "after"),
];

/// Builds it.
pub fn impact(look: &Look<'_>) -> Impact {
    let main = look.findings.main_probe;
    let mut probes: Vec<&ProbeFindings> = look.findings.probes.iter().filter(|p| !p.phases.is_empty()).collect();
    probes.sort_by_key(|p| (Some(p.id) != main, p.id));
    let (about, beside): (Vec<_>, Vec<_>) = probes.into_iter().partition(|p| p.judged || Some(p.id) == main);
    let tables = |probes: Vec<&ProbeFindings>| probes.into_iter().map(|p| table(look, p)).collect();
    let seen = look.main().map(|main| seen(look, main));
    Impact {
        tables: tables(about),
        beside: tables(beside),
        facts: facts(look, seen.as_ref()),
        budget: budget(look),
        seen,
    }
}

fn seen(look: &Look<'_>, main: &ProbeFindings) -> Seen {
    let impact = main.impact.as_ref();
    let of_impact = |text: String| look.told(text, impact.into_iter().flat_map(|i| i.evidence.iter().copied()));
    let lasted = look.time(FigureKind::DegradedSpan).filter(|_| impact.is_some_and(|i| i.end.is_some()));
    Seen {
        failed: main.phase(Phase::During).map(|during| failed(look, during)),
        began: impact.map(|impact| of_impact(began(look, impact))),
        lasted: lasted.map(|long| of_impact(quantity::span(long))),
        others: look.findings.probes.iter().filter(|p| p.id != main.id).filter_map(|p| affected(look, p)).collect(),
    }
}

/// From the first fault to the end of recovery, if that figure exists, else during.
fn failed(look: &Look<'_>, during: &PhaseStats) -> Told {
    let figure = look.figure(FigureKind::RequestsFailed);
    let part = |failed, offered| match failed {
        0 => format!("none of {}", quantity::count(offered)),
        _ => quantity::part(failed, offered),
    };
    match figure.map(|f| (f.value, f.n, &f.evidence)) {
        Some((Ok(Value::Count(failed)), Some(n), evidence)) => look.told(part(failed, n), evidence.iter().copied()),
        _ => look.told(part(during.failed, during.offered), during.evidence.iter().copied()),
    }
}

fn began(look: &Look<'_>, impact: &crate::analysis::Impact) -> String {
    let start = look.moment(impact.start.middle());
    match look.time(FigureKind::TimeToImpact) {
        Some(0) => format!("{start}, with the fault"),
        Some(after) => format!("{start}, {} after the fault", quantity::span(after)),
        None => start,
    }
}

/// `stock from t+0.1s to t+4.0s`
fn affected(look: &Look<'_>, probe: &ProbeFindings) -> Option<Told> {
    let impact = probe.impact.as_ref()?;
    let end = impact.end.map_or("the end of the watch".into(), |end| look.short(end.middle()));
    let text = format!("{} from {} to {end}", probe.name, look.short(impact.start.middle()));
    Some(look.told(text, impact.evidence.iter().copied()))
}

fn table(look: &Look<'_>, probe: &ProbeFindings) -> ImpactTable {
    let reached: Vec<(&PhaseStats, &'static str)> =
        PHASES.iter().filter_map(|(phase, name)| Some((probe.phase(*phase)?, *name))).collect();
    let stats: Vec<&PhaseStats> = reached.iter().map(|(s, _)| *s).collect();
    ImpactTable {
        probe: probe.name.clone(),
        subject: probe.subject.clone(),
        rate: probe.rate.to_string(),
        judged: probe.judged,
        columns: reached.iter().map(|(stats, name)| Column { name, evidence: look.cite(&stats.evidence) }).collect(),
        rows: rows(&stats),
        classes: classes(&stats),
    }
}

type Pick = fn(&PhaseStats) -> Option<f64>;
type Print = fn(f64) -> String;
/// Name, where to find it, how to print it, whether during / before makes sense.
type Quantity = (&'static str, Pick, Print, bool);

fn rows(stats: &[&PhaseStats]) -> Vec<ImpactRow> {
    let time = |v: f64| quantity::span(v as u64);
    let quantities: [Quantity; 8] = [
        ("offered", |s| Some(s.offered as f64), |v| quantity::count(v as u64), false),
        ("failed", |s| Some(s.failed as f64), |v| quantity::count(v as u64), false),
        ("error rate", |s| s.error_ratio, quantity::share, false),
        ("good answers a second", |s| s.goodput, |v| crate::units::trimmed(v, 1), true),
        ("p50", |s| s.response.p50.map(|v| v as f64), time, true),
        ("p90", |s| s.response.p90.map(|v| v as f64), time, true),
        ("p99", |s| s.response.p99.map(|v| v as f64), time, true),
        ("p99.9", |s| s.response.p999.map(|v| v as f64), time, true),
    ];
    let mut rows: Vec<ImpactRow> = quantities
        .iter()
        .map(|(name, pick, print, compare)| ImpactRow {
            name,
            cells: stats.iter().map(|s| pick(s).map_or_else(|| absent(name, s), print)).collect(),
            measured: stats.iter().map(|s| pick(s).is_some()).collect(),
            ratio: if *compare { ratio(stats, *pick) } else { String::new() },
        })
        .collect();
    // What no phase has requests enough for needs no row.
    rows.retain(|row| row.cells.iter().any(|cell| cell != "N too small"));
    rows.push(ImpactRow {
        name: "max",
        cells: stats.iter().map(|s| s.response.max.map_or_else(|| "no answer".into(), quantity::span)).collect(),
        measured: stats.iter().map(|s| s.response.max.is_some()).collect(),
        ratio: ratio(stats, |s| s.response.max.map(|v| v as f64)),
    });
    rows
}

/// A percentile is withheld where N does not carry it.
fn absent(name: &str, stats: &PhaseStats) -> String {
    if !name.starts_with('p') {
        return "not measured".into();
    }
    if stats.response.n == 0 { "no answer".into() } else { "N too small".into() }
}

/// During / before.
fn ratio(stats: &[&PhaseStats], pick: Pick) -> String {
    let of = |phase: Phase| stats.iter().find(|s| s.phase == phase).and_then(|s| pick(s));
    match (of(Phase::Baseline), of(Phase::During)) {
        (Some(before), Some(during)) if before > 0.0 => {
            let times = during / before;
            format!("{}x", crate::units::trimmed(times, if times < 10.0 { 2 } else { 0 }))
        }
        _ => String::new(),
    }
}

fn classes(stats: &[&PhaseStats]) -> Vec<ClassRow> {
    let count = |s: &PhaseStats, class: Class| s.by_class.iter().find(|(c, _)| *c == class).map_or(0, |(_, n)| *n);
    Class::ALL
        .into_iter()
        .filter(|class| *class != Class::Ok && stats.iter().any(|s| count(s, *class) > 0))
        .map(|class| ClassRow {
            class: class.name(),
            cells: stats.iter().map(|s| quantity::count(count(s, class))).collect(),
        })
        .collect()
}

/// Figures of the main probe beside its table.
fn facts(look: &Look<'_>, seen: Option<&Seen>) -> Vec<Fact> {
    let named =
        |name: &str, told: &Told| Fact { name: name.into(), text: told.text.clone(), evidence: told.evidence.clone() };
    let failed = seen.and_then(|s| s.failed.as_ref()).map(|told| named("Requests failed", told));
    let began = seen.and_then(|s| s.began.as_ref()).map(|told| named("Impact began", told));
    let others = seen.into_iter().flat_map(|s| &s.others).map(|told| named("Also affected", told));
    let mut facts: Vec<Fact> = failed.into_iter().chain(began).chain(degraded(look)).chain(others).collect();
    for kind in [FigureKind::OutageTime, FigureKind::ExcessFailures, FigureKind::GoodputKept] {
        facts.extend(fact(look, kind));
    }
    facts.push(Fact {
        name: "Data correctness".into(),
        text: "not measured: no ledger of writes".into(),
        evidence: vec![],
    });
    facts
}

/// Three numbers, never one.
fn degraded(look: &Look<'_>) -> Option<Fact> {
    let say = |kind| match look.figure(kind).map(|f| f.value) {
        Some(Ok(value)) => quantity::value(value),
        Some(Err(absent)) => absent.to_string(),
        None => "not measured".into(),
    };
    let ticks = look.figure(FigureKind::DegradedTicks)?;
    if ticks.value.is_err() {
        return Some(Fact { name: "Degraded".into(), text: say(FigureKind::DegradedTicks), evidence: vec![] });
    }
    Some(Fact {
        name: "Degraded".into(),
        text: format!(
            "{} of bad ticks{}; {} from first to last; {} unknown",
            say(FigureKind::DegradedTicks),
            bad_ticks(look).unwrap_or_default(),
            say(FigureKind::DegradedSpan),
            say(FigureKind::UnknownTicks)
        ),
        evidence: look.cite(&ticks.evidence),
    })
}

/// ` (1 of 7, each 5s long)`: a tick is bad as a whole.
fn bad_ticks(look: &Look<'_>) -> Option<String> {
    let main = look.main()?;
    let from = look.findings.phase(Phase::During)?.from;
    let ticks = || main.ticks.iter().filter(|tick| tick.from >= from);
    let bad = ticks().filter(|tick| tick.state == TickState::Bad).count() as u64;
    let (bad_ones, all) = (quantity::count(bad), quantity::count(ticks().count() as u64));
    (bad > 0).then(|| format!(" ({bad_ones} of {all}, each {} long)", quantity::span(main.tick_ns)))
}

fn fact(look: &Look<'_>, kind: FigureKind) -> Option<Fact> {
    let figure = look.figure(kind).filter(|f| f.value != Err(Absent::NoImpact))?;
    let n = figure.n.map(|n| format!(" (N = {})", quantity::count(n))).unwrap_or_default();
    let text = match (kind, figure.value) {
        (_, Err(absent)) => absent.to_string(),
        (FigureKind::ExcessFailures, Ok(value)) => {
            format!("{} more than the baseline's error rate accounts for{n}", quantity::value(value))
        }
        (FigureKind::OutageTime, Ok(value)) => format!("{}{}", quantity::value(value), outages(look)),
        (_, Ok(value)) => format!("{}{n}", quantity::value(value)),
    };
    Some(Fact { name: capital(kind.name()), text, evidence: look.cite(&figure.evidence) })
}

fn outages(look: &Look<'_>) -> String {
    let Some(main) = look.main() else { return String::new() };
    let one = |o: &crate::analysis::Outage| match o.first_good {
        Some(end) => format!("{} to {}", look.when(o.last_good).t, look.when(end).t),
        None => format!("{} to the end", look.when(o.last_good).t),
    };
    let gaps: Vec<String> = main.outages.iter().map(one).collect();
    if gaps.is_empty() { String::new() } else { format!(" ({})", list(&gaps, 3)) }
}

fn budget(look: &Look<'_>) -> Option<Fact> {
    let slo = look.main()?.slo?;
    let say = |kind| match look.figure(kind).map(|f| f.value) {
        Some(Ok(Value::Share(v))) => quantity::share(v),
        Some(Ok(value)) => quantity::value(value),
        Some(Err(absent)) => absent.to_string(),
        None => "not measured".into(),
    };
    let consumed = look.figure(FigureKind::BudgetConsumed)?;
    Some(Fact {
        name: "Error budget".into(),
        text: format!(
            "if this had been production traffic: {} of the budget of {} over {}; burn rate {} during, {} at its peak",
            say(FigureKind::BudgetConsumed),
            slo.objective,
            slo.period,
            say(FigureKind::BurnRate),
            say(FigureKind::PeakBurnRate)
        ),
        evidence: look.cite(&consumed.evidence),
    })
}

/// Containers outside the targets to which something happened.
pub fn blast(look: &Look<'_>) -> Vec<Fact> {
    let targets = || look.findings.scope.targets.values().flatten();
    let outside = |n: &&Neighbour| targets().all(|c| c.name != n.container);
    let all = look.findings.blast.iter().filter(outside);
    let happened =
        all.filter(|n| n.bad || n.must_be_unaffected || n.dies + n.starts + n.ooms > 0 || !n.health.is_empty());
    happened.map(|n| neighbour(look, n)).collect()
}

fn neighbour(look: &Look<'_>, neighbour: &Neighbour) -> Fact {
    let times = |n: u32, what: &str| (n > 0).then(|| format!("{what} {}", quantity::plural(n.into(), "time", "times")));
    let mut seen: Vec<String> =
        [times(neighbour.dies, "ended"), times(neighbour.starts, "started"), times(neighbour.ooms, "out of memory")]
            .into_iter()
            .flatten()
            .collect();
    seen.extend(neighbour.health.iter().take(4).map(|(at, state)| format!("{state} at {}", look.short(*at))));
    let seen = if seen.is_empty() { "nothing happened to it".into() } else { seen.join(", ") };
    let judged = if neighbour.must_be_unaffected { " (promised to be unaffected)" } else { "" };
    let verdict = if neighbour.bad { "went bad" } else { "stayed good" };
    Fact {
        name: neighbour.container.clone(),
        text: format!("{verdict}{judged}: {seen}"),
        evidence: look.cite(&neighbour.evidence),
    }
}
