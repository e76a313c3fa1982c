//! What the drill would have cost, had this been production traffic: the burn rate over time, and the error budget.

use super::{
    Scene, Size, Words,
    frame::Frame,
    points::{Series, thin},
    scale::Scale,
    svg::{Anchor, fit},
};
use crate::{review::quantity, units::trimmed};

/// Burn rates that people alert on. Of a budget of 30 days they spend 2% in 1h, 5% in 6h, and all of it in 30d.
const REFERENCES: [(f64, &str); 3] = [(14.4, "14.4x"), (6.0, "6x"), (1.0, "1x")];
/// Below this nothing is told apart.
const FLOOR: f64 = 0.1;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Error ratio of the minute before, divided by 1 - SLO.
    pub burn: Series,
    /// The highest of any whole minute from the fault on (of all of it, if it is shorter).
    pub peak: f64,
    /// Share of the budget of the whole period.
    pub consumed: f64,
    /// `99.9% over 30d`
    pub slo: String,
}

impl Budget {
    fn highest(&self) -> f64 {
        self.burn.iter().map(|point| point.1).filter(|burn| burn.is_finite()).fold(0.0, f64::max)
    }
}

/// Draws it: the budget above, since time is not its axis.
pub fn draw(words: &Words, scene: &Scene, size: Size, data: &Budget) -> String {
    let mut frame = Frame::begin(words, scene, size, &[14.0, 130.0]);
    bar(&mut frame, data);
    let (top, bottom) = frame.panel(1);
    frame.heading(1, "Burn rate of the minute before, log scale", "Burn rate, log scale");
    let y = Scale::log((FLOOR, data.highest().max(30.0) * 1.2), (bottom, top));
    let ticks = [0.1, 1.0, 10.0, 100.0, 1000.0].into_iter().filter(|tick| y.holds(*tick));
    let ticks: Vec<(f64, String)> = ticks.map(|tick| (tick, format!("{}x", trimmed(tick, 1)))).collect();
    frame.grid(&y, &ticks);
    for (burn, _) in REFERENCES {
        frame.svg.line("c-limit", (frame.left, y.at(burn)), (frame.right, y.at(burn)));
    }
    let points: Vec<(f64, f64)> =
        thin(&data.burn, size.points()).iter().map(|(t, burn)| (frame.x.at(*t), y.at(*burn))).collect();
    frame.svg.polyline("c-line c-p99", &points);
    // Before the fault, where the line is low.
    for (burn, label) in REFERENCES {
        frame.svg.text("c-bound c-halo", (frame.left + 4.0, y.at(burn) - 3.0), Anchor::Start, label);
    }
    frame.finish()
}

/// The whole width is the budget of the period; what the drill used is hatched.
fn bar(frame: &mut Frame<'_>, data: &Budget) {
    let (top, bottom) = frame.panel(0);
    let used = format!("udget of {}: {} used", data.slo, quantity::share(data.consumed));
    let narrow = fit(&format!("B{used}"), frame.right - frame.left);
    frame.heading(0, &format!("Error b{used}"), &narrow);
    let hatch = frame.svg.pattern("used", "c-hatch", 7.0, "M-1 8L8 -1M-1 1L1 -1M6 8L8 6");
    let width = frame.right - frame.left;
    frame.svg.rect("c-budget", (frame.left, top), (width, bottom - top), None);
    let used = (width * data.consumed.clamp(0.0, 1.0)).max(if data.consumed > 0.0 { 2.0 } else { 0.0 });
    frame.svg.rect("c-budget-used", (frame.left, top), (used, bottom - top), None);
    frame.svg.rect("c-impact-bar", (frame.left, top), (used, bottom - top), Some(&hatch));
}

/// What the chart shows, in a sentence.
pub fn caption(data: &Budget) -> String {
    let above = REFERENCES.iter().find(|(burn, _)| data.peak >= *burn);
    let reads = match above {
        Some((burn, _)) => format!("at or above the line of {}x", trimmed(*burn, 1)),
        None => "below the line of 1x".into(),
    };
    format!(
        "If this had been production traffic: over a whole minute the burn rate was at most {}x, {reads}; the drill used \
         {} of the error budget of {}. The line is of the minute before, or of as much of it as was measured. Of the budget of \
         30 days, 14.4x spends 2% in an hour, 6x 5% in six hours, 1x all in 30 days.",
        trimmed(data.peak, 2),
        quantity::share(data.consumed),
        data.slo
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caption_reads_the_lines() {
        let data = |peak| Budget { burn: vec![], peak, consumed: 0.0012, slo: "99.9% over 30d".into() };
        assert!(caption(&data(20.0)).contains("at most 20x, at or above the line of 14.4x; the drill used 0.12% of"));
        assert!(caption(&data(0.0)).contains("at most 0x, below the line of 1x"));
    }
}
