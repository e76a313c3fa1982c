//! Whether a limit holds, and by how much.

use super::Tally;
use crate::{
    event::{Comparison, Limit, Metric},
    units::{Span, trimmed},
};
use std::{fmt, time::Duration};

/// One limit held against what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The limit.
    pub limit: Limit,
    /// In the metric's unit: a share for errors, nanoseconds for latencies. `None`: not measured, because
    /// too few requests carry such a figure. That is never zero.
    pub measured: Option<f64>,
    /// Whether it holds; `None` if nothing was measured.
    pub holds: Option<bool>,
    /// The requests that carry it: offered ones for errors, answers and timeouts for latencies.
    pub n: u64,
}

/// Whether `n` requests carry such a quantile: at least ten of them must lie beyond it. (`max` needs one.)
pub fn carries(n: u64, quantile: f64) -> bool {
    // 100 x (1 - 0.9) is 9.999... in binary.
    if quantile >= 1.0 { n > 0 } else { n as f64 * (1.0 - quantile) >= 10.0 - 1e-6 }
}

/// Holds a limit against a tally: errors over offered requests, latencies over answers and timeouts.
pub fn judge(limit: Limit, tally: &Tally) -> Reading {
    let (measured, n) = match limit.metric {
        Metric::Errors(_) => (tally.error_share(), tally.offered()),
        Metric::Latency { quantile, bound } => {
            let carried = carries(tally.timed(), quantile);
            (if carried { latency(tally, quantile, bound) } else { None }, tally.timed())
        }
    };
    Reading { limit, measured, holds: measured.map(|value| limit.op.holds(value, limit.bound())), n }
}

/// Two values in one cell of the histogram are equal as far as we know.
fn latency(tally: &Tally, quantile: f64, bound: Span) -> Option<f64> {
    let value = tally.response(quantile)?;
    let cells = tally.response_histogram();
    let us = |span: Span| span.ns() / 1000;
    let same = bound.ns().is_multiple_of(1000) && cells.equivalent(us(value), us(bound));
    Some(if same { bound } else { value }.ns() as f64)
}

impl Limit {
    /// The bound in the metric's unit: a share, or nanoseconds.
    pub fn bound(&self) -> f64 {
        match self.metric {
            Metric::Errors(share) => share.0,
            Metric::Latency { bound, .. } => bound.ns() as f64,
        }
    }

    /// `errors`, `p99`, `max`.
    pub fn name(&self) -> String {
        match self.metric {
            Metric::Errors(_) => "errors".into(),
            Metric::Latency { quantile, .. } if quantile >= 1.0 => "max".into(),
            Metric::Latency { quantile, .. } => format!("p{}", trimmed(quantile * 100.0, 4)),
        }
    }

    /// A value in the metric's unit as people read it: `0.05%`, `312ms`.
    pub fn value(&self, measured: f64) -> String {
        match self.metric {
            Metric::Errors(_) => format!("{}%", trimmed(measured * 100.0, 3)),
            Metric::Latency { .. } => readable(Span(Duration::from_nanos(measured as u64))),
        }
    }
}

/// Three digits, as the histogram has them: `312ms` and not `312.319ms`.
fn readable(span: Span) -> String {
    let ns = span.ns();
    let digits = ns.checked_ilog10().map_or(1, |log| log + 1);
    let step = 10u64.pow(digits.saturating_sub(3));
    Span(Duration::from_nanos((ns + step / 2) / step * step)).to_string()
}

impl Reading {
    /// How far the measured value is from the bound, as a share of the bound: positive inside, negative
    /// outside. `None` if nothing was measured or the bound is 0.
    pub fn margin(&self) -> Option<f64> {
        let bound = self.limit.bound();
        let inside = match self.limit.op {
            Comparison::AtMost | Comparison::Below => bound - self.measured?,
            Comparison::AtLeast | Comparison::Above => self.measured? - bound,
        };
        (bound > 0.0).then(|| inside / bound)
    }
}

/// `p99 312ms, limit <= 400ms (n 6000)`
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = self.measured.map_or("not measured".into(), |value| self.limit.value(value));
        let (name, sign, bound) = (self.limit.name(), self.limit.op.sign(), self.limit.value(self.limit.bound()));
        write!(f, "{name} {measured}, limit {sign} {bound} (n {})", self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::{Class, Sample},
        units::Percent,
    };

    fn tally(answers_ms: impl IntoIterator<Item = u64>) -> Tally {
        let mut tally = Tally::new();
        for ms in answers_ms {
            let service_ns = ms * 1_000_000;
            tally.add(&Sample { index: 0, class: Class::Ok, lateness_ns: 0, waited_ns: 0, service_ns });
        }
        tally
    }

    fn p(quantile: f64, op: Comparison, bound_ms: u64) -> Limit {
        Limit { metric: Metric::Latency { quantile, bound: Span::millis(bound_ms) }, op }
    }

    #[test]
    fn ten_requests_must_lie_beyond_a_quantile() {
        for (n, quantile, carried) in [
            (100, 0.9, true),
            (99, 0.9, false),
            (1000, 0.99, true),
            (999, 0.99, false),
            (10_000, 0.999, true),
            (200, 0.95, true),
            (1, 1.0, true),
            (0, 1.0, false),
        ] {
            assert_eq!(carries(n, quantile), carried, "{n} {quantile}");
        }
        let reading = judge(p(0.99, Comparison::AtMost, 400), &tally([1; 999]));
        assert_eq!((reading.measured, reading.holds), (None, None));
        assert_eq!(reading.to_string(), "p99 not measured, limit <= 400ms (n 999)");
    }

    #[test]
    fn a_value_on_its_bound_is_equal_to_it() {
        // 2 s lies inside a cell of about 1 ms.
        let tally = tally(vec![2000; 2000]);
        assert_eq!(judge(p(0.99, Comparison::AtMost, 2000), &tally).holds, Some(true));
        assert_eq!(judge(p(0.99, Comparison::Below, 2000), &tally).holds, Some(false));
        assert_eq!(judge(p(0.99, Comparison::AtLeast, 2000), &tally).holds, Some(true));
        assert_eq!(judge(p(0.99, Comparison::AtMost, 1990), &tally).holds, Some(false));
    }

    #[test]
    fn readings_say_value_limit_and_n() {
        let errors = Limit { metric: Metric::Errors(Percent(0.001)), op: Comparison::AtMost };
        let mut some = tally(1..=1000);
        some.add(&Sample { index: 0, class: Class::Reset, lateness_ns: 0, waited_ns: 0, service_ns: 5 });
        assert_eq!(judge(errors, &some).to_string(), "errors 0.1%, limit <= 0.1% (n 1001)");
        assert_eq!(judge(errors, &some).holds, Some(true));
        let latency = judge(p(0.99, Comparison::AtMost, 2000), &some);
        assert_eq!(latency.to_string(), "p99 990ms, limit <= 2s (n 1000)");
        assert!((latency.margin().unwrap() - 0.505).abs() < 0.001);
        assert!(judge(p(0.99, Comparison::AtMost, 495), &some).margin().unwrap() < -0.99);
    }
}
