//! Swimlanes: faults, what users of the probe saw, containers and people, one above the other on one time axis.

use super::{
    Scene, Size, Words,
    frame::Frame,
    svg::{Anchor, fit, width_of},
};

/// One lane.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Stretches.
    pub bars: Vec<Bar>,
    /// Moments with a word.
    pub dots: Vec<(f64, String)>,
}

/// How a stretch looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A fault.
    Fault,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not known.
    Unknown,
}

/// A stretch of a lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Seconds since t=0.
    pub from: f64,
    /// Seconds since t=0.
    pub to: f64,
    /// What it is.
    pub look: Look,
    /// Written into it where it fits.
    pub label: String,
}

const LANE: f64 = 38.0;

/// Draws it.
pub fn draw(words: &Words, scene: &Scene, size: Size, lanes: &[Lane]) -> String {
    // The lanes tell of faults and impact themselves.
    let bare = Scene { faults: vec![], impacts: vec![], ..scene.clone() };
    let mut frame = Frame::begin(words, &bare, size, &[lanes.len() as f64 * LANE]);
    let (top, _) = frame.panel(0);
    let hatch = frame.svg.pattern("bad", "c-k-stroke", 6.0, "M-1 7L7 -1M-1 1L1 -1M5 7L7 5");
    let dots = frame.svg.pattern("unknown", "c-k-stroke", 5.0, "M2 2h1v1h-1z");
    for (i, lane) in lanes.iter().enumerate() {
        let y = top + i as f64 * LANE;
        frame.svg.line("c-grid", (frame.left, y), (frame.right, y));
        let name = fit(&lane.name, frame.right - frame.left);
        frame.svg.text("c-lane", (frame.left, y + 13.0), Anchor::Start, &name);
        for bar in &lane.bars {
            draw_bar(&mut frame, y + 17.0, bar, (&hatch, &dots));
        }
        let mut free = f64::MIN;
        for (at, word) in &lane.dots {
            let x = frame.x.at(*at);
            frame.svg.dot("c-dot", (x, y + 24.0), 4.0);
            let fits = x + 7.0 >= free && x + 7.0 + width_of(word) < frame.right + 30.0;
            if fits {
                frame.svg.text("c-label c-halo", (x + 7.0, y + 28.0), Anchor::Start, word);
                free = x + 7.0 + width_of(word) + 8.0;
            }
        }
    }
    frame.finish()
}

fn draw_bar(frame: &mut Frame<'_>, y: f64, bar: &Bar, (hatch, dots): (&str, &str)) {
    let (a, b) = (frame.x.at(bar.from), frame.x.at(bar.to));
    let size = ((b - a).max(1.5), 14.0);
    let (class, pattern) = match bar.look {
        Look::Fault => ("c-fault-bar", None),
        Look::Good => ("c-k-ok", None),
        Look::Bad => ("c-k-timeout", Some(hatch)),
        Look::Unknown => ("c-k-unsent", Some(dots)),
    };
    frame.svg.rect(class, (a, y), size, None);
    if pattern.is_some() {
        frame.svg.rect("c-k-pattern", (a, y), size, pattern);
    }
    if width_of(&bar.label) + 8.0 < size.0 {
        let class = if bar.look == Look::Fault { "c-inside" } else { "c-label c-halo" };
        frame.svg.text(class, (a + 4.0, y + 11.0), Anchor::Start, &bar.label);
    }
}
