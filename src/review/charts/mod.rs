//! Charts: pure functions from plain series to SVG text. No script, no font, no colour of their own: classes
//! are styled by the page, and dashes, hatches and labels carry everything that colour carries.
//!
//! Times are seconds since t=0; before it they are negative.

pub mod budget;
pub mod frame;
pub mod lanes;
pub mod latency;
pub mod outcomes;
pub mod percentiles;
pub mod points;
pub mod resources;
pub mod runs;
pub mod scale;
pub mod svg;

use jiff::Timestamp;

/// What all charts of a run share: a stretch of time and what happened in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Left edge, seconds since t=0.
    pub from: f64,
    /// Right edge, seconds since t=0.
    pub to: f64,
    /// Wall time of t=0.
    pub zero: Timestamp,
    /// What moments are told from: `t`, or `start` in a run that did not get to t=0.
    pub origin: &'static str,
    /// Shaded: while a fault was effective.
    pub faults: Vec<Band>,
    /// Hatched: while the users of the probe were affected.
    pub impacts: Vec<Band>,
    /// Vertical lines with a label.
    pub marks: Vec<Mark>,
}

/// A stretch of time with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Seconds since t=0.
    pub from: f64,
    /// Seconds since t=0.
    pub to: f64,
    /// What it is, for people.
    pub label: String,
}

/// A moment with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Seconds since t=0.
    pub at: f64,
    /// What happened, for people.
    pub label: String,
}

/// A horizontal line over the part of time in which it applies.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Seconds since t=0.
    pub from: f64,
    /// Seconds since t=0.
    pub to: f64,
    /// In the unit of the chart.
    pub value: f64,
    /// `p99 <= 400ms (during)`.
    pub label: String,
    /// A guard stops the drill; a limit is judged.
    pub guard: bool,
}

/// How wide a chart is drawn: once for a desk or paper, once for a telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 920 units.
    Wide,
    /// 340 units.
    Narrow,
}

impl Size {
    /// Width of the drawing, in CSS pixels.
    pub fn width(self) -> f64 {
        match self {
            Size::Wide => 920.0,
            Size::Narrow => 340.0,
        }
    }

    /// How many points a series may have.
    pub fn points(self) -> usize {
        match self {
            Size::Wide => 600,
            Size::Narrow => 240,
        }
    }

    /// Told apart in ids, which are unique in a page.
    pub fn suffix(self) -> &'static str {
        match self {
            Size::Wide => "w",
            Size::Narrow => "n",
        }
    }
}

/// What a reader who cannot see the drawing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Unique in the page; prefixes every id inside the drawing.
    pub id: String,
    /// A few words.
    pub title: String,
    /// The reading, in a sentence or two.
    pub description: String,
}
