//! Whether two error ratios differ by more than chance.

use super::{Test, blocks::Block};
use crate::analysis::poisson::ln_factorial;

/// Below so many expected in any cell the normal approximation is not used.
const FEW: f64 = 5.0;

/// The p-value, two-sided, and the test that gave it: the more cautious of one that takes every request for itself
/// and one that takes every second for itself.
pub fn test(a: &[Block], b: &[Block]) -> (Test, f64) {
    let (a_sum, b_sum) = (Sum::of(a), Sum::of(b));
    let single = if a_sum.expects_few(&b_sum) {
        (Test::Fisher, fisher(&a_sum, &b_sum))
    } else {
        (Test::TwoProportion, z_test(&a_sum, &b_sum))
    };
    match clustered(a, &a_sum, b, &b_sum) {
        Some(p) if p > single.1 => (Test::TwoProportionClustered, p),
        _ => single,
    }
}

#[derive(Debug, Clone, Copy)]
struct Sum {
    failed: u64,
    n: u64,
}

impl Sum {
    fn of(blocks: &[Block]) -> Sum {
        Sum { failed: blocks.iter().map(|b| b.failed).sum(), n: blocks.iter().map(|b| b.logged).sum() }
    }

    fn ratio(&self) -> f64 {
        self.failed as f64 / self.n as f64
    }

    fn pooled(&self, other: &Sum) -> f64 {
        (self.failed + other.failed) as f64 / (self.n + other.n) as f64
    }

    fn expects_few(&self, other: &Sum) -> bool {
        let pooled = self.pooled(other);
        let rare = pooled.min(1.0 - pooled);
        self.n.min(other.n) as f64 * rare < FEW
    }
}

fn z_test(a: &Sum, b: &Sum) -> f64 {
    let pooled = a.pooled(b);
    let variance = pooled * (1.0 - pooled) * (1.0 / a.n as f64 + 1.0 / b.n as f64);
    two_sided(a.ratio() - b.ratio(), variance)
}

/// With the variance of a ratio over clusters (each cluster's own failures against what the ratio expects of it).
/// `None` where there are too few seconds for it, or nothing varies.
fn clustered(a: &[Block], a_sum: &Sum, b: &[Block], b_sum: &Sum) -> Option<f64> {
    let variance = cluster_variance(a, a_sum)? + cluster_variance(b, b_sum)?;
    (variance > 0.0).then(|| two_sided(a_sum.ratio() - b_sum.ratio(), variance))
}

fn cluster_variance(blocks: &[Block], sum: &Sum) -> Option<f64> {
    let k = blocks.len() as f64;
    let off = |block: &Block| (block.failed as f64 - sum.ratio() * block.logged as f64).powi(2);
    let squares: f64 = blocks.iter().map(off).sum();
    (blocks.len() > 1).then(|| squares * k / (k - 1.0) / (sum.n as f64).powi(2))
}

/// Fisher's exact test: the probability of all tables that are no more probable than this one.
fn fisher(a: &Sum, b: &Sum) -> f64 {
    let (failed, n) = (a.failed + b.failed, a.n + b.n);
    let ln_choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let ln_p = |k: u64| ln_choose(failed, k) + ln_choose(n - failed, a.n - k) - ln_choose(n, a.n);
    let seen = ln_p(a.failed);
    let possible = a.n.saturating_sub(n - failed)..=failed.min(a.n);
    let as_rare: f64 = possible.map(ln_p).filter(|p| *p <= seen + 1e-7).map(f64::exp).sum();
    as_rare.min(1.0)
}

/// How probable a normal difference of this variance is to be as far from 0, either way.
pub fn two_sided(difference: f64, variance: f64) -> f64 {
    if difference == 0.0 {
        return 1.0;
    }
    if variance <= 0.0 {
        return 0.0;
    }
    erfc(difference.abs() / (2.0 * variance).sqrt())
}

/// The complementary error function of something not negative: its series near 0, its continued fraction beyond.
fn erfc(x: f64) -> f64 {
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut term, mut sum, mut k) = (x, x, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * x * x / (2.0 * k + 1.0);
            sum += term;
            k += 1.0;
        }
        return 1.0 - 2.0 * scale * sum;
    }
    let tail = (1..=60).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
    scale / tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() <= want.abs() * 1e-6 + 1e-12, "{got} is not {want}");
    }

    fn even(seconds: u64, rate: u64, failed: u64) -> Vec<Block> {
        (0..seconds).map(|_| Block { logged: rate, failed, timed: vec![] }).collect()
    }

    #[test]
    fn the_tail_of_the_normal_distribution_is_known() {
        // R: 2 * pnorm(-z)
        for (z, p) in [(0.5, 0.617_075_077), (1.96, 0.049_995_790), (3.0, 0.002_699_796), (6.0, 1.973_175e-9)] {
            near(two_sided(z, 1.0), p);
        }
        assert_eq!((two_sided(0.0, 0.0), two_sided(1.0, 0.0)), (1.0, 0.0));
    }

    #[test]
    fn fisher_agrees_with_known_tables() {
        // R: fisher.test(matrix(c(1, 9, 11, 3), 2))$p.value, and the lady tasting tea
        near(fisher(&Sum { failed: 1, n: 12 }, &Sum { failed: 9, n: 12 }), 0.002_759_456);
        near(fisher(&Sum { failed: 3, n: 4 }, &Sum { failed: 1, n: 4 }), 0.485_714_285);
        assert_eq!(fisher(&Sum { failed: 0, n: 100 }, &Sum { failed: 0, n: 100 }), 1.0);
    }

    #[test]
    fn two_proportions() {
        // z = 3.23592, without continuity correction
        near(z_test(&Sum { failed: 30, n: 1000 }, &Sum { failed: 60, n: 1000 }), 0.001_212_496_586);
        let (test, p) = test(&even(100, 100, 3), &even(100, 100, 6));
        assert_eq!(test, Test::TwoProportion);
        assert!(p < 1e-10, "{p}");
    }

    #[test]
    fn many_failures_in_one_second_are_one_event() {
        let mut hiccup = even(20, 100, 0);
        hiccup[7].failed = 60;
        let (which, p) = test(&even(20, 100, 0), &hiccup);
        assert_eq!(which, Test::TwoProportionClustered);
        assert!((0.3..0.35).contains(&p), "{p}");
        let (_, request_by_request) = (0, z_test(&Sum::of(&even(20, 100, 0)), &Sum::of(&hiccup)));
        assert!(request_by_request < 1e-10, "which would have been certain of it: {request_by_request}");
    }
}
