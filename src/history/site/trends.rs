//! A scenario's runs as dots, figure by figure: one dot a run, marks where versions changed, no line through them and no
//! mean: what differs between two runs is theirs, not a trend's.

use super::{Numbers, dots, href};
use crate::{
    history::{Past, Reports, once},
    review::{escape, quantity},
};
use serde::Serialize;

/// Older runs are in the list only.
const MOST: usize = 60;

/// One scenario.
#[derive(Serialize)]
pub struct Trend {
    /// Its name.
    pub name: String,
    /// Its number among the scenarios of the page.
    pub number: usize,
    /// How many runs it has.
    pub runs: usize,
    /// How many of them are drawn.
    pub drawn: usize,
    /// The last verdict's word.
    pub last: String,
    /// Whether that is one of those that held.
    pub held: bool,
    /// One for each figure.
    pub strips: Vec<Strip>,
    /// What changed at each mark.
    pub marks: Vec<String>,
}

/// One figure of all runs.
#[derive(Serialize)]
pub struct Strip {
    /// Its name.
    pub name: &'static str,
    /// Smallest to largest, over how many runs.
    pub range: String,
    /// An SVG drawing; safe.
    pub svg: String,
}

/// One for each scenario, in the order of their names.
pub fn trends(reports: &Reports, numbers: &Numbers, has: &impl Fn(&str) -> bool) -> Vec<Trend> {
    let one = |(name, number): (&String, &usize)| {
        let all: Vec<&Past> = once(reports).filter(|past| past.scenario.as_ref() == Some(name)).collect();
        let runs = all.len();
        // Oldest first, as time runs.
        let mut drawn: Vec<&Past> = all.into_iter().filter(|past| past.summary.is_some()).take(MOST).collect();
        drawn.reverse();
        let last = drawn.last().and_then(|past| past.summary.as_ref());
        let changes = changes(&drawn);
        Trend {
            name: escape::plain(name),
            number: *number,
            runs,
            drawn: drawn.len(),
            last: last.map_or("UNREADABLE".into(), |summary| escape::plain(&summary.word)),
            held: last.is_some_and(|summary| summary.code == 0),
            strips: strips(&drawn, &changes, has),
            marks: changes.into_iter().map(|(at, what)| format!("{}: {what}", started(drawn[at]))).collect(),
        }
    };
    numbers.iter().map(one).collect()
}

/// At which run something changed against the one before, and what.
fn changes(runs: &[&Past]) -> Vec<(usize, String)> {
    let change = |at: usize| {
        let (before, now) = (runs[at - 1].summary.as_ref()?, runs[at].summary.as_ref()?);
        let mut what = Vec::new();
        if before.git != now.git {
            let shown = |git: &Option<String>| escape::plain(git.as_deref().unwrap_or("unknown"));
            what.push(format!("git {} to {}", shown(&before.git), shown(&now.git)));
        }
        if before.scenario_digest != now.scenario_digest {
            what.push("the scenario".to_owned());
        }
        if before.version != now.version {
            what.push(format!("firedrill {} to {}", escape::plain(&before.version), escape::plain(&now.version)));
        }
        let images = now.images.iter().filter(|(name, id)| before.images.get(*name).is_some_and(|other| other != *id));
        what.extend(images.map(|(name, _)| format!("image of {}", escape::plain(name))));
        (!what.is_empty()).then(|| (at, what.join(", ")))
    };
    (1..runs.len()).filter_map(change).collect()
}

type Figure = fn(&crate::history::Figures) -> Option<f64>;

/// How its value is printed.
type Print = fn(f64) -> String;

const FIGURES: [(&str, Figure, Print); 3] = [
    ("Requests failed", |f| Some(f.failed? / f.offered.filter(|n| *n > 0)? as f64), quantity::share),
    ("p99 during the fault", |f| f.p99_during_ns.map(|ns| ns as f64), span),
    ("Time to recover", |f| f.recover.value.filter(|ns| *ns >= 0.0), span),
];

fn span(ns: f64) -> String {
    quantity::span(ns as u64)
}

fn strips(runs: &[&Past], changes: &[(usize, String)], has: &impl Fn(&str) -> bool) -> Vec<Strip> {
    let marks: Vec<usize> = changes.iter().map(|(at, _)| *at).collect();
    let strip = |(name, figure, print): &(&'static str, Figure, Print)| {
        let dot = |past: &&Past| {
            let summary = past.summary.as_ref()?;
            let value = figure(&summary.figures).filter(|value| value.is_finite());
            let shown = value.map_or("not measured".into(), print);
            let says = format!("{}: {shown}, {}", started(past), escape::plain(&summary.word));
            Some(dots::Dot {
                value,
                shape: dots::Shape::of(summary.code, summary.low_margin),
                says,
                href: href(past, has),
            })
        };
        let all: Vec<dots::Dot> = runs.iter().filter_map(dot).collect();
        let mut values: Vec<f64> = all.iter().filter_map(|dot| dot.value).collect();
        values.sort_by(f64::total_cmp);
        let range = match (values.first(), values.last()) {
            (Some(low), Some(high)) => {
                let runs = quantity::plural(values.len() as u64, "run", "runs");
                format!("{} to {} over {runs}", print(*low), print(*high))
            }
            _ => "not measured in any run".into(),
        };
        let svg = dots::draw(&all, &marks, values.last().copied().unwrap_or(0.0), name, &range, *print);
        Strip { name, range, svg }
    };
    FIGURES.iter().map(strip).collect()
}

fn started(past: &Past) -> String {
    past.started.map_or("unknown".into(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}
