//! From values to pixels, and the values that are worth a label.

/// A linear or logarithmic scale onto a stretch of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    /// Pixel of `low`.
    from: f64,
    /// Pixel of `high`.
    to: f64,
    log: bool,
}

impl Scale {
    /// Linear.
    pub fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Scale {
        Scale { low, high: if high > low { high } else { low + 1.0 }, from, to, log: false }
    }

    /// Logarithmic; values below `low` (which is positive) lie on it.
    pub fn log((low, high): (f64, f64), (from, to): (f64, f64)) -> Scale {
        Scale { low, high: if high > low { high } else { low * 10.0 }, from, to, log: true }
    }

    /// The pixel of a value; `NaN` stays `NaN`, values outside lie on the edge.
    pub fn at(&self, value: f64) -> f64 {
        if value.is_nan() {
            return f64::NAN;
        }
        let value = value.clamp(self.low, self.high);
        let part = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + part * (self.to - self.from)
    }

    /// Whether a value lies within the scale.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The bounds of a logarithmic axis: the data with a little room, on 1, 2 or 5 times a power of ten.
pub fn log_bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for v in values.filter(|v| v.is_finite() && *v > 0.0) {
        low = low.min(v);
        high = high.max(v);
    }
    if high == 0.0 {
        return (1.0, 1000.0);
    }
    let (low, high) = (step_below(low), step_above(high * 1.02));
    if high / low < 10.0 { (low, step_above(low * 9.9)) } else { (low, high) }
}

const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

fn step_below(value: f64) -> f64 {
    let ten = 10f64.powf(value.log10().floor());
    STEPS.iter().rev().map(|s| s * ten).find(|s| *s <= value * 1.000_001).unwrap_or(ten)
}

fn step_above(value: f64) -> f64 {
    let ten = 10f64.powf(value.log10().floor());
    STEPS.iter().map(|s| s * ten).find(|s| *s >= value * 0.999_999).unwrap_or(ten * 10.0)
}

/// Labelled values of a logarithmic axis: powers of ten, and 2 and 5 between them where they fit into `limit`.
pub fn log_ticks((low, high): (f64, f64), limit: usize) -> Vec<f64> {
    let every = |steps: &[f64]| -> Vec<f64> {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let all = (first..=last).flat_map(|e| steps.iter().map(move |s| s * 10f64.powi(e)));
        all.filter(|v| *v >= low * 0.999 && *v <= high * 1.001).collect()
    };
    let fine = every(&STEPS);
    if fine.len() <= limit { fine } else { every(&[1.0]) }
}

/// Labelled values of a linear axis from zero, at most `limit` of them, and the axis' upper end.
pub fn linear_ticks(high: f64, limit: usize) -> (Vec<f64>, f64) {
    let high = if high > 0.0 { high } else { 1.0 };
    let mut step = step_above(high / limit as f64);
    if high >= 2.0 {
        step = step.max(1.0);
    }
    let n = (high / step * 0.999_999).ceil().max(1.0) as u32;
    ((0..=n).map(|i| f64::from(i) * step).collect(), f64::from(n) * step)
}

/// Whole seconds that are worth a label, at most `limit` of them.
pub fn time_ticks(from: f64, to: f64, limit: usize) -> Vec<i64> {
    const STEPS: [i64; 14] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600];
    let fits = |step: &i64| ((to - from) / *step as f64) <= limit as f64;
    let step =
        STEPS.iter().copied().find(fits).unwrap_or_else(|| ((to - from) / limit as f64 / 3600.0).ceil() as i64 * 3600);
    let first = (from / step as f64).ceil() as i64;
    let last = (to / step as f64).floor() as i64;
    (first..=last).map(|i| i * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_axes_are_round() {
        assert_eq!(log_bounds([0.9, 1900.0].into_iter()), (0.5, 2000.0));
        assert_eq!(log_bounds([f64::NAN].into_iter()), (1.0, 1000.0));
        assert_eq!(log_ticks((0.5, 2000.0), 5), [1.0, 10.0, 100.0, 1000.0]);
        let scale = Scale::log((1.0, 100.0), (100.0, 0.0));
        assert!((scale.at(10.0) - 50.0).abs() < 1e-9);
        assert_eq!(scale.at(0.0), 100.0);
        assert!(scale.at(f64::NAN).is_nan());
    }

    #[test]
    fn time_is_labelled_at_round_seconds() {
        assert_eq!(time_ticks(-20.0, 90.0, 6), [-20, 0, 20, 40, 60, 80]);
        assert!(time_ticks(-20.0, 90_000.0, 8).len() <= 9);
    }

    #[test]
    fn linear_axes_start_at_zero() {
        assert_eq!(linear_ticks(230.0, 4), (vec![0.0, 100.0, 200.0, 300.0], 300.0));
        assert_eq!(linear_ticks(0.0, 4).1, 1.0);
    }
}
