//! From findings to the series that charts are drawn of, and the captions that state their reading.

use super::look::Look;
use crate::{
    analysis::{Bounded, ChartPoint, Distribution, FigureKind, ProbeFindings, UsageSeries, Value},
    event::{EarlierRun, Guard, Limit, Metric, Phase},
    measure::Class,
    review::{
        charts::{
            Band, Bound, Mark, Scene, Size, Words,
            budget::{self, Budget},
            latency::{self, Latency},
            outcomes::{self, Outcomes},
            percentiles::{self, Line},
            points::Series,
            resources::{self, Usage},
            runs::{self, Dot},
        },
        quantity,
    },
};
use schemars::JsonSchema;
use serde::Serialize;

/// A drawing, wide and narrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Picture {
    /// Permalink.
    pub id: String,
    /// A few words.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub reading: String,
    /// The same, with what its shades mean.
    pub caption: String,
    /// What it is drawn of: evidence ids.
    pub evidence: Vec<String>,
    /// SVG, for a desk or paper.
    pub wide: String,
    /// SVG, for a telephone.
    pub narrow: String,
}

/// All that the findings can be drawn as; the first belongs above the fold.
pub fn pictures(look: &Look<'_>) -> Vec<Picture> {
    let Some(main) = look.main().filter(|p| !p.chart.is_empty()) else { return vec![] };
    let scene = scene(look, main);
    let mut all = vec![latency_picture(look, main, &scene), outcomes_picture(look, main, &scene)];
    all.extend(super::lanes::picture_of(look, main, &scene));
    all.extend(percentiles_picture(main));
    all.extend(budget_picture(look, main, &scene));
    let requests = look.cite_some(look.requests_evidence(), 4);
    for picture in &mut all {
        picture.evidence.clone_from(&requests);
    }
    all.extend(resources_picture(look, &scene));
    all.extend(runs_picture(look));
    all
}

/// Draws both sizes.
pub fn picture(id: &str, title: String, caption: String, draw: impl Fn(&Words, Size) -> String) -> Picture {
    let words = Words { id: id.into(), title: title.clone(), description: caption.clone() };
    Picture {
        id: id.into(),
        evidence: vec![],
        wide: draw(&words, Size::Wide),
        narrow: draw(&words, Size::Narrow),
        title,
        reading: caption.clone(),
        caption,
    }
}

fn latency_picture(look: &Look<'_>, main: &ProbeFindings, scene: &Scene) -> Picture {
    let data = latency_data(look, main);
    let reading = latency::caption(&data, scene);
    let caption = format!("{reading} {}", shading(scene)).trim_end().to_owned();
    let title = format!("Response time and error rate of {}", main.name);
    let drawn = picture("fig-latency", title, caption, |words, size| latency::draw(words, scene, size, &data));
    Picture { reading, ..drawn }
}

fn outcomes_picture(look: &Look<'_>, main: &ProbeFindings, scene: &Scene) -> Picture {
    let data = outcome_data(look, main);
    let title = format!("Offered requests of {} by outcome", main.name);
    picture("fig-outcomes", title, outcomes::caption(&data), |words, size| outcomes::draw(words, scene, size, &data))
}

fn percentiles_picture(main: &ProbeFindings) -> Option<Picture> {
    let name = |phase| match phase {
        Phase::Baseline => Some("before"),
        Phase::During => Some("during"),
        Phase::Recovery => Some("after"),
        _ => None,
    };
    let line = |d: &Distribution| {
        // The last point is the maximum: at quantile 1 it lies infinitely far out.
        let points = d.points.iter().filter(|(q, _)| *q < 1.0).map(|(q, ns)| (*q, *ns as f64)).collect();
        Some(Line { name: name(d.phase)?, points })
    };
    let lines: Vec<Line> = main.distributions.iter().filter_map(line).filter(|l| !l.points.is_empty()).collect();
    let title = format!("Response times of {} by percentile", main.name);
    let caption = percentiles::caption(&lines);
    let draw = |words: &Words, size| percentiles::draw(words, size, &lines);
    (!lines.is_empty()).then(|| picture("fig-percentiles", title, caption, draw))
}

/// Only with an SLO.
fn budget_picture(look: &Look<'_>, main: &ProbeFindings, scene: &Scene) -> Option<Picture> {
    let slo = main.slo?;
    let allowed = 1.0 - slo.objective.0;
    let Ok(Value::Share(consumed)) = look.figure(FigureKind::BudgetConsumed)?.value else { return None };
    let Ok(Value::Factor(peak)) = look.figure(FigureKind::PeakBurnRate)?.value else { return None };
    let slo = format!("{} over {}", slo.objective, slo.period);
    let data = Budget { burn: burn(look, &main.chart, allowed), peak, consumed, slo };
    let title = format!("Burn rate and error budget of {}, as if in production", main.name);
    let draw = |words: &Words, size| budget::draw(words, scene, size, &data);
    (allowed > 0.0).then(|| picture("fig-budget", title, budget::caption(&data), draw))
}

/// Of each point, the error ratio of the minute that ends with it, divided by what is allowed.
fn burn(look: &Look<'_>, points: &[ChartPoint], allowed: f64) -> Series {
    let mut first = 0;
    let at = |(i, point): (usize, &ChartPoint)| {
        while points[first].from.saturating_add(MINUTE) < point.to {
            first += 1;
        }
        let minute = &points[first.min(i)..=i];
        let offered: u64 = minute.iter().map(|p| u64::from(p.offered)).sum();
        let ok: u64 = minute.iter().map(|p| u64::from(p.by_class[Class::Ok as usize])).sum();
        let ratio = if offered == 0 { f64::NAN } else { offered.saturating_sub(ok) as f64 / offered as f64 };
        (look.seconds(point.to), ratio / allowed)
    };
    points.iter().enumerate().map(at).collect()
}

/// The id of the chart that stands beside the earlier runs.
const RUNS: &str = "fig-runs";

fn runs_picture(look: &Look<'_>) -> Option<Picture> {
    let (run, earlier) = (&look.findings.run, &look.findings.earlier);
    let last = earlier.first().filter(|_| !look.not_started())?;
    let day = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%m-%d").to_string();
    let dot = |(i, one): (usize, &EarlierRun)| Dot {
        day: day(one.started),
        recover: one.recover_ns,
        held: one.word.starts_with("HELD"),
        changed: earlier.get(i + 1).is_some_and(|before| differs(before, one)),
    };
    let mut dots: Vec<Dot> = earlier.iter().enumerate().map(dot).rev().collect();
    dots.push(Dot {
        day: day(run.started),
        recover: look.time(FigureKind::TimeToRecover),
        held: look.findings.verdict.word.to_string().starts_with("HELD"),
        changed: !super::past::changes(look, last).is_empty(),
    });
    let caption = runs::caption(&dots);
    let drawn = picture(RUNS, "This scenario, run by run".into(), caption, |words: &Words, size| {
        runs::draw(words, size, &dots)
    });
    Some(Picture { evidence: look.cite_some(look.findings.earlier_at, 1), ..drawn })
}

/// Whether two runs, one after the other, were of different versions.
fn differs(before: &EarlierRun, after: &EarlierRun) -> bool {
    let git = before.git.is_some() && after.git.is_some() && before.git != after.git;
    git || before.images.iter().any(|(name, image)| after.images.get(name).is_some_and(|now| now != image))
}

/// Nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// How many containers have room.
const CONTAINERS: usize = 6;

fn resources_picture(look: &Look<'_>, scene: &Scene) -> Option<Picture> {
    let mut used: Vec<&UsageSeries> = look.findings.usage.iter().filter(|u| u.points.len() > 1).collect();
    used.sort_by_key(|u| !u.target);
    let left_out = used.len().saturating_sub(CONTAINERS);
    let containers: Vec<Usage> = used.into_iter().take(CONTAINERS).map(|u| usage(look, u)).collect();
    if containers.is_empty() {
        return None;
    }
    let words: Vec<String> = containers.iter().map(Usage::words).collect();
    let more = if left_out > 0 { format!(" {left_out} more containers are not drawn.") } else { String::new() };
    let caption = format!("{}. CPU is filled, memory is a line, each against its own maximum.{more}", words.join("; "));
    let draw = |words: &Words, size| resources::draw(words, scene, size, &containers);
    let evidence = look.cite_some(look.findings.usage.iter().flat_map(|used| used.evidence), 1);
    Some(Picture { evidence, ..picture("fig-resources", "CPU and memory of containers".into(), caption, draw) })
}

fn usage(look: &Look<'_>, series: &UsageSeries) -> Usage {
    let role = if series.target { " (target)" } else { "" };
    Usage {
        name: format!("{}{role}", series.container),
        cores: series.points.iter().map(|p| (look.seconds(p.at), p.cores.unwrap_or(f64::NAN))).collect(),
        memory: series.points.iter().map(|p| (look.seconds(p.at), p.memory as f64)).collect(),
        limit: series.points.iter().find_map(|p| p.memory_limit),
    }
}

/// What the shading and the hatching mean, if there are any.
fn shading(scene: &Scene) -> String {
    match (scene.faults.is_empty(), scene.impacts.is_empty()) {
        (true, _) => String::new(),
        (false, true) => "Shaded: a fault was effective. No impact was observed at this load.".into(),
        (false, false) => "Shaded: a fault was effective. Hatched: from the start of impact to recovery.".into(),
    }
}

fn scene(look: &Look<'_>, main: &ProbeFindings) -> Scene {
    let seconds = |at| look.seconds(at);
    let from = main.chart.first().map_or(0, |p| p.from);
    let to = main.chart.last().map_or(1, |p| p.to);
    let run = &look.findings.run;
    let faults = look.findings.faults.iter().filter_map(|fault| {
        let (start, end) = (fault.effective?.low, fault.removed.map(|r| r.high));
        // What holds nothing is over when it has happened; what was not undone lasts to the edge.
        let end = end.unwrap_or(if fault.held { to } else { start });
        Some(Band { from: seconds(start), to: seconds(end), label: format!("fault: {}", fault.label) })
    });
    let impacts = main.impact.iter().map(|impact| {
        let (start, end) = (impact.start.middle(), impact.end.map(|e| e.middle()));
        let took = look.time(FigureKind::TimeToRecover);
        let long = end.map(|e| quantity::span(took.unwrap_or(e.saturating_sub(start))));
        Band {
            from: seconds(start),
            to: seconds(end.unwrap_or(to)),
            label: format!("impact: {}", long.unwrap_or_else(|| "not over".into())),
        }
    });
    Scene {
        from: seconds(from),
        to: seconds(to),
        zero: quantity::wall(run.started, run.t0.unwrap_or(0) as i64),
        origin: if run.t0.is_some() { "t" } else { "start" },
        faults: faults.collect(),
        impacts: impacts.collect(),
        marks: marks(look, to),
    }
}

fn marks(look: &Look<'_>, to: u64) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut mark = |at: u64, label: &str| {
        if at <= to {
            marks.push(Mark { at: look.seconds(at), label: label.into() });
        }
    };
    for fault in &look.findings.faults {
        if let Some(at) = fault.undo_requested {
            mark(at, "undo asked");
        }
        if let (Some(removed), true) = (fault.removed, fault.undo_requested.is_some()) {
            mark(removed.high, "undo effective");
        }
    }
    for trip in look.findings.guards.iter().filter(|g| g.halted) {
        mark(trip.at, "guard tripped");
    }
    marks
}

fn series(look: &Look<'_>, points: &[ChartPoint], pick: impl Fn(&ChartPoint) -> Option<f64>) -> Series {
    let middle = |p: &ChartPoint| look.seconds(p.from.midpoint(p.to));
    points.iter().map(|p| (middle(p), pick(p).unwrap_or(f64::NAN))).collect()
}

fn latency_data(look: &Look<'_>, main: &ProbeFindings) -> Latency {
    let time = |pick: fn(&ChartPoint) -> Option<u64>| series(look, &main.chart, |p| pick(p).map(|v| v as f64));
    let errors = |p: &ChartPoint| {
        let ok = p.by_class[Class::Ok as usize];
        (p.offered > 0).then(|| f64::from(p.offered.saturating_sub(ok)) / f64::from(p.offered))
    };
    Latency {
        p50: time(|p| p.p50),
        p90: time(|p| p.p90),
        p99: time(|p| p.p99),
        max: time(|p| p.max),
        errors: series(look, &main.chart, errors),
        latency_bounds: bounds(look, main, true),
        error_bounds: bounds(look, main, false),
    }
}

/// Limits over the window in which they were judged; guards from the start of load to the end.
fn bounds(look: &Look<'_>, main: &ProbeFindings, latency: bool) -> Vec<Bound> {
    let judged = look.findings.criteria.iter().filter(|c| c.probe == Some(main.id)).filter_map(|c| {
        let fits = match c.what {
            Bounded::Latency(_) => latency,
            Bounded::Errors => !latency,
            _ => false,
        };
        let (from, to) = c.window?;
        let objective = c.objective.filter(|_| fits)?;
        Some(Bound {
            from: look.seconds(from),
            to: look.seconds(to),
            value: objective.bound.number(),
            label: format!("{} {}", c.what, quantity::objective(objective)),
            guard: false,
        })
    });
    let guards = look.findings.terms.guards.iter().filter(|g| g.probe == main.name);
    let (from, to) = (main.chart.first().map_or(0, |p| p.from), main.chart.last().map_or(0, |p| p.to));
    let guards = guards.filter_map(|g| {
        let (value, name) = guard_bound(g, latency)?;
        Some(Bound {
            from: look.seconds(from),
            to: look.seconds(to),
            value,
            label: format!("guard {name} for {}", g.window),
            guard: true,
        })
    });
    judged.chain(guards).collect()
}

fn guard_bound(guard: &Guard, latency: bool) -> Option<(f64, String)> {
    let value = match guard.limit.metric {
        Metric::Latency { bound, .. } if latency => bound.ns() as f64,
        Metric::Errors(share) if !latency => share.0,
        _ => return None,
    };
    Some((value, limit_words(guard.limit)))
}

/// `errors > 30%`
pub fn limit_words(limit: Limit) -> String {
    let sign = limit.op.sign();
    match limit.metric {
        Metric::Errors(share) => format!("errors {sign} {share}"),
        Metric::Latency { quantile, bound } => format!("{} {sign} {bound}", Bounded::Latency(quantile)),
    }
}

fn outcome_data(look: &Look<'_>, main: &ProbeFindings) -> Outcomes {
    let tick = main.chart.first().map_or(1.0, |p| (p.to - p.from) as f64 / 1e9);
    let ticks = main.chart.iter().map(|p| (look.seconds(p.from), p.by_class.map(u64::from))).collect();
    Outcomes { ticks, tick }
}
