//! What every chart over time shares: bands of faults and impact, marks with their labels, the time axis.

use super::{
    Band, Scene, Size, Words,
    scale::{Scale, time_ticks},
    svg::{Anchor, Svg, fit, width_of},
};
use crate::review::quantity;

const ROW: f64 = 20.0;
const GAP: f64 = 28.0;
const AXIS: f64 = 40.0;
/// Between a mark and its words.
const APART: f64 = 4.0;
/// So far may words stand out over the right edge of the panels.
const MARGIN: f64 = 24.0;

/// A drawing with its panels laid out one above the other on one time axis.
#[derive(Debug)]
pub struct Frame<'a> {
    /// To draw on.
    pub svg: Svg,
    /// From seconds to pixels.
    pub x: Scale,
    /// Left edge of the panels.
    pub left: f64,
    /// Right edge of the panels.
    pub right: f64,
    /// Wide or narrow.
    pub size: Size,
    panels: Vec<(f64, f64)>,
    scene: &'a Scene,
    rows: Vec<Row>,
}

/// One line of the strip above the panels.
#[derive(Debug)]
enum Row {
    Bands { class: &'static str, bands: Vec<Band> },
    Marks(Vec<Label>),
}

/// A mark's label, placed.
#[derive(Debug, Clone)]
struct Label {
    /// Where the mark is.
    x: f64,
    text: String,
    /// Where its words are held, and how.
    held: (f64, Anchor),
}

impl<'a> Frame<'a> {
    /// Lays out panels of these heights and draws what lies behind the data.
    pub fn begin(words: &Words, scene: &'a Scene, size: Size, heights: &[f64]) -> Frame<'a> {
        let (left, right) = match size {
            Size::Wide => (52.0, size.width() - 58.0),
            Size::Narrow => (48.0, size.width() - 34.0),
        };
        let x = Scale::linear((scene.from, scene.to), (left, right));
        let rows = rows(scene, size, &x, (left, right));
        let mut y = rows.len() as f64 * ROW + GAP;
        let mut panels = Vec::new();
        for height in heights {
            panels.push((y, y + height));
            y += height + GAP;
        }
        let svg = Svg::new(words, size, y - GAP + AXIS);
        let mut frame = Frame { svg, x, left, right, size, panels, scene, rows };
        frame.background();
        frame
    }

    /// Top and bottom of a panel.
    pub fn panel(&self, i: usize) -> (f64, f64) {
        self.panels[i]
    }

    fn background(&mut self) {
        let hatch = self.svg.pattern("hatch", "c-hatch", 7.0, "M-1 8L8 -1M-1 1L1 -1M6 8L8 6");
        for (top, bottom) in self.panels.clone() {
            for band in &self.scene.faults {
                let (a, b) = (self.x.at(band.from), self.x.at(band.to));
                self.svg.rect("c-fault", (a, top), ((b - a).max(1.0), bottom - top), None);
            }
            for band in &self.scene.impacts {
                let (a, b) = (self.x.at(band.from), self.x.at(band.to));
                self.svg.rect("c-impact", (a, top), ((b - a).max(1.0), bottom - top), Some(&hatch));
            }
        }
        self.strip(&hatch);
    }

    fn strip(&mut self, hatch: &str) {
        let (x, left, right) = (self.x, self.left, self.right);
        for (i, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            let base = (i + 1) as f64 * ROW - 4.0;
            match row {
                Row::Bands { class, bands } => {
                    for band in bands {
                        let (a, b) = (x.at(band.from), x.at(band.to).max(x.at(band.from) + 2.0));
                        let fill = (class == "c-impact-bar").then_some(hatch);
                        self.svg.rect(class, (a, base - 2.0), (b - a, 5.0), fill);
                        let text = fit(&band.label, right - left);
                        let start = a.min(right - width_of(&text)).max(left);
                        self.svg.text("c-label", (start, base - 5.0), Anchor::Start, &text);
                    }
                }
                Row::Marks(labels) => {
                    let bottom = self.panels.last().map_or(base, |p| p.1);
                    for label in labels {
                        self.svg.line("c-mark", (label.x, base - 12.0), (label.x, bottom));
                        let (at, anchor) = label.held;
                        self.svg.text("c-label", (at, base - 3.0), anchor, &label.text);
                    }
                }
            }
        }
    }

    /// A panel's heading, above its left edge.
    pub fn heading(&mut self, i: usize, wide: &str, narrow: &str) {
        let (top, _) = self.panels[i];
        let text = if self.size == Size::Wide { wide } else { narrow };
        self.svg.text("c-heading", (self.left, top - 8.0), Anchor::Start, text);
    }

    /// Horizontal grid lines with their labels.
    pub fn grid(&mut self, y: &Scale, ticks: &[(f64, String)]) {
        for (value, label) in ticks {
            let at = y.at(*value);
            self.svg.line("c-grid", (self.left, at), (self.right, at));
            self.svg.text("c-tick", (self.left - 6.0, at + 4.0), Anchor::End, label);
        }
    }

    /// Labels at the right edge, each beside the end of its line and none on another.
    pub fn ends(&mut self, mut labels: Vec<(f64, &'static str, String)>, (top, bottom): (f64, f64)) {
        labels.retain(|(y, ..)| y.is_finite());
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = top - 14.0;
        let room = labels.len() as f64 * 14.0;
        for (i, (y, class, text)) in labels.into_iter().enumerate() {
            let lowest = bottom - room + (i as f64 + 1.0) * 14.0;
            let at = y.max(last + 14.0).min(lowest.max(last + 14.0));
            last = at;
            self.svg.text(class, (self.right + 5.0, at + 4.0), Anchor::Start, &text);
        }
    }

    /// Draws the time axis and ends the drawing.
    pub fn finish(mut self) -> String {
        let bottom = self.panels.last().map_or(0.0, |p| p.1);
        let limit = if self.size == Size::Wide { 10 } else { 4 };
        self.svg.line("c-axis", (self.left, bottom), (self.right, bottom));
        let zero = self.scene.zero;
        for s in time_ticks(self.scene.from, self.scene.to, limit) {
            let x = self.x.at(s as f64);
            self.svg.line("c-axis", (x, bottom), (x, bottom + 5.0));
            let sign = if s < 0 { '-' } else { '+' };
            self.svg.text(
                "c-tick",
                (x, bottom + 18.0),
                Anchor::Middle,
                &format!("{}{sign}{}s", self.scene.origin, s.abs()),
            );
            let utc = quantity::utc_time(quantity::wall(zero, s.saturating_mul(1_000_000_000)));
            self.svg.text("c-tick c-utc", (x, bottom + 33.0), Anchor::Middle, &utc);
        }
        self.svg.text("c-tick c-utc", (0.0, bottom + 33.0), Anchor::Start, "UTC");
        self.svg.finish()
    }
}

fn rows(scene: &Scene, size: Size, x: &Scale, edges: (f64, f64)) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(band_rows(&scene.faults, "c-fault-bar", "faults", x, edges));
    rows.extend(band_rows(&scene.impacts, "c-impact-bar", "impacts", x, edges));
    rows.extend(mark_rows(scene, size, x, edges));
    rows
}

/// Bands whose labels do not meet share a row; more than three rows become one.
fn band_rows(bands: &[Band], class: &'static str, many: &str, x: &Scale, (left, right): (f64, f64)) -> Vec<Row> {
    let mut rows: Vec<(f64, Vec<Band>)> = Vec::new();
    for band in bands {
        let width = width_of(&band.label);
        let start = x.at(band.from).min(right - width).max(left);
        let end = x.at(band.to).max(start + width) + 8.0;
        match rows.iter_mut().find(|(free, _)| *free <= start) {
            Some((free, row)) => {
                *free = end;
                row.push(band.clone());
            }
            None => rows.push((end, vec![band.clone()])),
        }
    }
    if rows.len() > 3 {
        let mut all = bands.to_vec();
        for band in &mut all {
            band.label.clear();
        }
        all[0].label = format!("{} {many}", bands.len());
        rows = vec![(0.0, all)];
    }
    rows.into_iter().map(|(_, bands)| Row::Bands { class, bands }).collect()
}

/// Where a mark's words are held, and where they end: to its right, else to its left, else up to the edge and across it.
fn held(x: f64, width: f64, (left, right): (f64, f64)) -> ((f64, Anchor), f64) {
    match () {
        () if x + APART + width <= right => ((x + APART, Anchor::Start), x + APART + width),
        () if x - APART - width >= left => ((x - APART, Anchor::End), x - APART),
        () => ((right, Anchor::End), right),
    }
}

/// Marks closer than a few pixels share a label; labels that would meet go to another row, at most three.
fn mark_rows(scene: &Scene, size: Size, x: &Scale, (left, right): (f64, f64)) -> Vec<Row> {
    let near = if size == Size::Wide { 4.0 } else { 6.0 };
    let mut labels: Vec<Label> = Vec::new();
    let mut marks = scene.marks.clone();
    marks.sort_by(|a, b| a.at.total_cmp(&b.at));
    for mark in &marks {
        let at = x.at(mark.at);
        match labels.last_mut() {
            Some(last) if at - last.x <= near => last.text = format!("{}, {}", last.text, mark.label),
            _ => labels.push(Label { x: at, text: mark.label.clone(), held: (at, Anchor::Start) }),
        }
    }
    let mut rows: Vec<(f64, Vec<Label>)> = Vec::new();
    for mut label in labels {
        label.text = fit(&label.text, (right - left) * 0.8);
        let width = width_of(&label.text);
        let end;
        (label.held, end) = held(label.x, width, (left, right + MARGIN));
        let start = end - width;
        match rows.iter().position(|(free, _)| *free <= start) {
            Some(i) => {
                rows[i].0 = end + 8.0;
                rows[i].1.push(label);
            }
            None if rows.len() < 3 => rows.push((end + 8.0, vec![label])),
            // No room left: the line alone; the timeline has the words.
            None => rows[2].1.push(Label { text: String::new(), ..label }),
        }
    }
    rows.into_iter().map(|(_, labels)| Row::Marks(labels)).collect()
}
