//! The five figures above the fold, and the time to detect where an alert source is connected. Each has a value or says why not; never a 0 that was not measured.

use super::{look::Look, verdict::criterion_name};
use crate::{
    analysis::{Absent, Bounded, Criterion, CriterionStatus, Figure, FigureKind, Hypothesis, Percentiles, Value},
    event::Phase,
    review::quantity,
};
use schemars::JsonSchema;
use serde::Serialize;

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tile {
    /// Permalink: `time-to-recover`.
    pub id: &'static str,
    /// `Time to recover`.
    pub label: &'static str,
    /// `4.21s`, `not measured`.
    pub value: String,
    /// Whether there is a value.
    pub measured: bool,
    /// What belongs to the value: N, range, baseline.
    pub detail: String,
    /// `promised <= 30s`, or that nothing was promised.
    pub objective: String,
    /// `met`, `broken`, `undecided`, `not judged`.
    pub mark: &'static str,
    /// Evidence ids.
    pub evidence: Vec<String>,
}

/// All of them, in their order.
pub fn tiles(look: &Look<'_>) -> Vec<Tile> {
    let mut tiles = vec![mitigate(look), recover(look), failed(look), p99(look), margin(look)];
    if look.findings.terms.detect.is_some() {
        tiles.insert(0, detect(look));
    }
    tiles
}

/// By the first expected alert; judged are all of them.
fn detect(look: &Look<'_>) -> Tile {
    let figure = look.findings.figure(FigureKind::TimeToDetect, None, None);
    let (value, measured, mut detail) = time(figure);
    let impact = look.findings.figure(FigureKind::TimeToDetectFromImpact, None, None).map(|f| f.value);
    if let (true, Some(Ok(Value::Time(ns)))) = (measured, impact) {
        let way = if ns < 0 { "before" } else { "after" };
        detail = format!("{} {way} the impact began", quantity::span(ns.unsigned_abs()));
    }
    let fires = || look.findings.criteria.iter().filter(|c| matches!(c.what, Bounded::AlertFires { .. }));
    let worst = fires().max_by_key(|c| match c.status {
        CriterionStatus::Met => 0,
        CriterionStatus::NotReached => 1,
        CriterionStatus::Undecided => 2,
        CriterionStatus::Broken => 3,
    });
    let met = fires().filter(|c| c.status == CriterionStatus::Met).count() as u64;
    let objective = match (worst.and_then(|c| c.objective), fires().count() as u64) {
        (None, _) => "no alert is expected".into(),
        (Some(objective), 1) => format!("promised {}", quantity::objective(objective)),
        (Some(_), n) => format!("{met} of {n} expected alerts fired in time"),
    };
    Tile {
        id: "time-to-detect",
        label: "Time to detect",
        value,
        measured,
        detail,
        objective,
        mark: mark(worst),
        evidence: look.cite(figure.map(|f| f.evidence.as_slice()).unwrap_or_default()),
    }
}

/// A criterion of the main probe during the fault or in recovery.
fn criterion<'a>(look: &Look<'a>, phase: Phase, what: fn(&Bounded) -> bool) -> Option<&'a Criterion> {
    let main = look.findings.main_probe;
    look.findings.criteria.iter().find(|c| c.phase == phase && c.probe == main && what(&c.what))
}

fn mark(criterion: Option<&Criterion>) -> &'static str {
    criterion.map_or("not judged", |c| match c.status {
        CriterionStatus::Met => "met",
        CriterionStatus::Broken => "broken",
        CriterionStatus::Undecided => "undecided",
        CriterionStatus::NotReached => "not reached",
    })
}

fn promised(criterion: Option<&Criterion>) -> String {
    match criterion.and_then(|c| c.objective) {
        Some(objective) => format!("promised {}", quantity::objective(objective)),
        None => "nothing promised".into(),
    }
}

/// Value and detail of a figure that is a time.
fn time(figure: Option<&Figure>) -> (String, bool, String) {
    match figure.map(|f| (f.value, f.range)) {
        Some((Ok(value), range)) => {
            let give = range.filter(|r| r.high - r.low > 2_000_000);
            let detail = give.map(|r| {
                format!("between {} and {}", quantity::value(Value::Time(r.low)), quantity::value(Value::Time(r.high)))
            });
            (quantity::value(value), true, detail.unwrap_or_default())
        }
        Some((Err(absent), _)) => absent_words(absent),
        None => ("not measured".into(), false, "no probe to measure it with".into()),
    }
}

/// In a tile, the short word stands large and the reason below it.
fn absent_words(absent: Absent) -> (String, bool, String) {
    match absent {
        Absent::NoImpact => ("no impact".into(), false, "observed at this load".into()),
        Absent::NotMitigated { .. } => ("not mitigated".into(), false, "while the fault was active".into()),
        Absent::NotRecovered { at_least_ns } => {
            (format!("> {}", quantity::span(at_least_ns)), false, "not recovered by the end of the run".into())
        }
        Absent::NotDetected => ("not detected".into(), false, "no expected alert fired".into()),
        other => ("not measured".into(), false, other.to_string()),
    }
}

fn mitigate(look: &Look<'_>) -> Tile {
    let figure = look.figure(FigureKind::TimeToMitigate);
    let (value, measured, mut detail) = time(figure);
    if measured && detail.is_empty() {
        detail = "with the fault still active".into();
    }
    let objective = figure.and_then(|f| f.objective);
    let violated = look.findings.verdict.hypothesis == Hypothesis::Violated;
    let mark = match (objective, figure.map(|f| f.value)) {
        (Some(objective), Some(Ok(value))) if objective.met_by(value) => "met",
        (Some(_), Some(Ok(_))) => "broken",
        (Some(_), Some(Err(Absent::NotMitigated { .. }))) if violated => "broken",
        _ => "not judged",
    };
    Tile {
        id: "time-to-mitigate",
        label: "Time to mitigate",
        value,
        measured,
        detail,
        objective: objective.map_or("nothing promised".into(), |o| format!("promised {}", quantity::objective(o))),
        mark,
        evidence: look.cite(figure.map(|f| f.evidence.as_slice()).unwrap_or_default()),
    }
}

fn recover(look: &Look<'_>) -> Tile {
    let figure = look.figure(FigureKind::TimeToRecover);
    let within = criterion(look, Phase::Recovery, |b| *b == Bounded::RecoveredWithin);
    let (value, measured, mut detail) = time(figure);
    if let (true, Some(Ok(Value::Time(lag)))) = (measured, look.figure(FigureKind::RecoveryLag).map(|f| f.value)) {
        detail = match lag {
            ..0 => format!("{} before the fault was removed", quantity::span(lag.unsigned_abs())),
            0 => "when the fault was removed".into(),
            _ => format!("{} after the fault was removed", quantity::span(lag as u64)),
        };
    }
    let objective = match within.and_then(|c| c.objective) {
        Some(objective) => format!("promised {} after removal", quantity::objective(objective)),
        None => "nothing promised".into(),
    };
    Tile {
        id: "time-to-recover",
        label: "Time to recover",
        value,
        measured,
        detail,
        objective,
        mark: mark(within),
        evidence: look.cite(figure.map(|f| f.evidence.as_slice()).unwrap_or_default()),
    }
}

fn failed(look: &Look<'_>) -> Tile {
    let figure = look.figure(FigureKind::RequestsFailed);
    let judged = criterion(look, Phase::During, |b| *b == Bounded::MaxFailed)
        .or_else(|| criterion(look, Phase::During, |b| *b == Bounded::Errors));
    let (value, measured, detail) = match figure.map(|f| (f.value, f.n)) {
        Some((Ok(Value::Count(failed)), Some(n))) if n > 0 => {
            let share = quantity::share(failed as f64 / n as f64);
            (quantity::count(failed), true, format!("of {} offered, {share}", quantity::count(n)))
        }
        Some((Ok(value), _)) => (quantity::value(value), true, String::new()),
        Some((Err(absent), _)) => absent_words(absent),
        None => ("not measured".into(), false, "no probe to measure it with".into()),
    };
    let objective = match judged.map(|c| (&c.what, c.objective)) {
        Some((Bounded::MaxFailed, Some(o))) => format!("promised {} during", quantity::objective(o)),
        Some((_, Some(o))) => format!("promised errors {} during", quantity::objective(o)),
        _ => "nothing promised".into(),
    };
    Tile {
        id: "requests-failed",
        label: "Requests failed",
        value,
        measured,
        detail,
        objective,
        mark: mark(judged),
        evidence: look.cite(figure.map(|f| f.evidence.as_slice()).unwrap_or_default()),
    }
}

fn p99(look: &Look<'_>) -> Tile {
    let judged = criterion(look, Phase::During, |b| *b == Bounded::Latency(0.99));
    let during = look.main_phase(Phase::During);
    let before = look.main_phase(Phase::Baseline).and_then(|s| s.response.p99);
    let from = before.map_or(String::new(), |b| format!(", baseline {}", quantity::span(b)));
    let judged_value = judged.and_then(|c| Some((c.measured.ok()?, c.window?)));
    let (value, measured, detail) = match (judged_value, during.map(|s| s.response)) {
        (Some((value, (start, _))), _) => {
            (quantity::value(value), true, format!("judged from {}{from}", look.short(start)))
        }
        (None, Some(Percentiles { p99: Some(ns), .. })) => {
            (quantity::span(ns), true, format!("during the fault{from}"))
        }
        (None, Some(p)) => absent_words(Absent::TooFew { n: p.n, needed: 1000 }),
        (None, None) => absent_words(Absent::NotReached),
    };
    let evidence = judged.map(|c| &c.evidence).or_else(|| during.map(|d| &d.evidence));
    Tile {
        id: "p99",
        label: "p99 response time",
        value,
        measured,
        detail,
        objective: promised(judged),
        mark: mark(judged),
        evidence: look.cite(evidence.map(Vec::as_slice).unwrap_or_default()),
    }
}

/// Of every judged objective, met or broken.
fn margin(look: &Look<'_>) -> Tile {
    let figure = look.findings.figure(FigureKind::SmallestMargin, None, None);
    let judged = || look.findings.criteria.iter().filter(|c| c.phase != Phase::Baseline);
    let smallest = look.findings.verdict.smallest_margin;
    let smallest = smallest.and_then(|(margin, i)| Some((margin, look.findings.criteria.get(i)?)));
    // What has no figure, as an alert that did not fire, is broken all the same.
    let broken = smallest.map(|(_, c)| c).filter(|c| c.status == CriterionStatus::Broken);
    let broken = broken.or_else(|| judged().find(|c| c.status == CriterionStatus::Broken));
    let (value, measured, detail) = match (smallest, broken) {
        (Some((margin, _)), Some(b)) if b.margin.is_none() => {
            let others = format!("of the others {}", quantity::margin(margin));
            ("broken".into(), true, format!("{}; {others}", criterion_name(look, b)))
        }
        (_, Some(b)) => (b.margin.map_or_else(|| "broken".into(), quantity::margin), true, criterion_name(look, b)),
        (Some((margin, c)), None) => (quantity::margin(margin), true, criterion_name(look, c)),
        (None, None) if judged().next().is_some() => {
            ("not measured".into(), false, "no criterion could be judged".into())
        }
        (None, None) => absent_words(Absent::NoObjective),
    };
    let mark = match (smallest, broken) {
        (_, Some(_)) => "broken",
        (Some((margin, _)), _) if margin < 0.2 => "low",
        (Some(_), _) => "met",
        _ if judged().next().is_some() => "undecided",
        _ => "not judged",
    };
    let objective = match broken {
        Some(c) if c.objective.is_none() => "promised".into(),
        Some(_) => promised(broken),
        None if judged().next().is_some() => "20% or more is comfortable".into(),
        None => "nothing promised".into(),
    };
    let evidence = broken.or(smallest.map(|(_, c)| c)).map(|c| &c.evidence).or(figure.map(|f| &f.evidence));
    Tile {
        id: "smallest-margin",
        label: "Smallest margin",
        value,
        measured,
        detail,
        objective,
        mark,
        evidence: look.cite(evidence.map(Vec::as_slice).unwrap_or_default()),
    }
}
