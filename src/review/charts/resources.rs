//! What containers used: small multiples, CPU filled and memory as a line, each against its own maximum.

use super::{
    Scene, Size, Words,
    frame::Frame,
    points::{Series, thin},
    scale::Scale,
    svg::fit,
};
use crate::review::quantity;

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Its name, and whether it was a target.
    pub name: String,
    /// Cores busy; `NaN` where unknown.
    pub cores: Series,
    /// Bytes.
    pub memory: Series,
    /// Bytes, if there is a limit.
    pub limit: Option<u64>,
}

fn highest(series: &Series) -> f64 {
    series.iter().map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max)
}

impl Usage {
    /// `shop-redis-1 (target): CPU up to 0.42 cores, memory up to 64.0MB of 256MB`.
    pub fn words(&self) -> String {
        let limit = self.limit.map(|l| format!(" of {}", quantity::bytes(l))).unwrap_or_default();
        format!(
            "{}: CPU up to {} cores, memory up to {}{limit}",
            self.name,
            crate::units::trimmed(highest(&self.cores), 2),
            quantity::bytes(highest(&self.memory) as u64)
        )
    }
}

/// Draws it.
pub fn draw(words: &Words, scene: &Scene, size: Size, containers: &[Usage]) -> String {
    let heights = vec![38.0; containers.len()];
    let mut frame = Frame::begin(words, scene, size, &heights);
    for (i, container) in containers.iter().enumerate() {
        let (top, bottom) = frame.panel(i);
        let text = fit(&container.words(), (frame.right - frame.left) * 0.95);
        frame.heading(i, &text, &text);
        frame.svg.line("c-grid", (frame.left, bottom), (frame.right, bottom));
        let cores = Scale::linear((0.0, highest(&container.cores).max(0.01)), (bottom, top));
        let memory = Scale::linear((0.0, highest(&container.memory).max(1.0) * 1.05), (bottom, top));
        let points = |series: &Series, y: &Scale| -> Vec<(f64, f64)> {
            let thinned = thin(series, size.points() / 2);
            thinned.iter().map(|(t, v)| (frame.x.at(*t), y.at(*v))).collect()
        };
        let (busy, used) = (points(&container.cores, &cores), points(&container.memory, &memory));
        for run in busy.split(|(_, y)| !y.is_finite()).filter(|run| !run.is_empty()) {
            let mut closed = vec![(run[0].0, bottom)];
            closed.extend_from_slice(run);
            closed.push((run[run.len() - 1].0, bottom));
            frame.svg.area("c-cpu", &closed, None);
        }
        frame.svg.polyline("c-line c-memory", &used);
    }
    frame.finish()
}
