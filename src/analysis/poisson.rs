//! How many failures chance alone explains.

use std::collections::HashMap;

/// A tick is bad when it holds more failures than chance gives in all but one of a thousand ticks.
pub const TICK: f64 = 1e-3;

/// So far beyond chance that one tick alone makes a bad run.
pub const BEYOND_DOUBT: f64 = 1e-9;

/// The smallest k with P(X > k) <= `tail`, for X Poisson with this mean: what is more than k is not chance.
pub fn upper_quantile(mean: f64, tail: f64) -> u64 {
    if !mean.is_finite() || mean <= 0.0 {
        return 0;
    }
    // A normal guess lands within a few steps of the answer; the exact tail then decides.
    let sigmas = (-2.0 * tail.ln()).sqrt();
    let mut k = (mean + 0.8 * sigmas * mean.sqrt()).floor() as u64;
    while above(mean, k) > tail {
        k += 1;
    }
    while k > 0 && above(mean, k - 1) <= tail {
        k -= 1;
    }
    k
}

/// P(X > k).
fn above(mean: f64, k: u64) -> f64 {
    let first = k + 1;
    if (first as f64) < mean {
        return 1.0 - at_most(mean, k);
    }
    let (mut term, mut sum, mut j) = (pmf(mean, first), 0.0, first);
    while term > sum * 1e-17 {
        sum += term;
        j += 1;
        term *= mean / j as f64;
    }
    sum
}

/// P(X <= k) for k below the mean: the terms fall towards 0.
fn at_most(mean: f64, k: u64) -> f64 {
    let (mut term, mut sum, mut j) = (pmf(mean, k), 0.0, k);
    while term > sum * 1e-17 {
        sum += term;
        if j == 0 {
            break;
        }
        term *= j as f64 / mean;
        j -= 1;
    }
    sum
}

fn pmf(mean: f64, k: u64) -> f64 {
    (k as f64 * mean.ln() - mean - ln_factorial(k)).exp()
}

/// ln k!: summed for small k, Stirling's series (error under 1e-13) for the rest.
pub fn ln_factorial(k: u64) -> f64 {
    if k < 20 {
        return (2..=k).map(|i| (i as f64).ln()).sum();
    }
    let x = k as f64;
    let ln_root_two_pi = 0.5 * std::f64::consts::TAU.ln();
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x + 0.5) * x.ln() - x + ln_root_two_pi + series
}

/// Remembers quantiles: ticks of one load all have nearly the same n.
#[derive(Debug, Default)]
pub struct Quantiles(HashMap<(u64, u64, u64), u64>);

impl Quantiles {
    /// How many of `n` may go wrong when `share` of them may, before it is not chance.
    pub fn allowed(&mut self, n: u64, share: f64, tail: f64) -> u64 {
        let key = (n, share.to_bits(), tail.to_bits());
        *self.0.entry(key).or_insert_with(|| upper_quantile(n as f64 * share, tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Straight from the definition, for means that allow it.
    fn by_summing(mean: f64, tail: f64) -> u64 {
        let (mut term, mut below, mut k) = ((-mean).exp(), (-mean).exp(), 0);
        while 1.0 - below > tail {
            k += 1;
            term *= mean / k as f64;
            below += term;
        }
        k
    }

    #[test]
    fn known_values() {
        // R: qpois(0.999, lambda)
        for (mean, k) in [(0.1, 2), (0.2, 3), (1.0, 5), (2.0, 8), (10.0, 21), (50.0, 73), (100.0, 132)] {
            assert_eq!(upper_quantile(mean, TICK), k, "mean {mean}");
        }
        assert_eq!(upper_quantile(0.0, TICK), 0);
        assert_eq!(upper_quantile(f64::NAN, TICK), 0);
        assert_eq!(upper_quantile(0.0009, TICK), 0, "less than one in a thousand ticks has even one");
        assert_eq!(upper_quantile(0.0011, TICK), 1);
    }

    #[test]
    fn agrees_with_the_definition() {
        for step in 1..=600 {
            let mean = f64::from(step) * 0.37;
            assert_eq!(upper_quantile(mean, TICK), by_summing(mean, TICK), "mean {mean}");
        }
    }

    #[test]
    fn large_means_are_exact_too() {
        // The tail straddles the bound: above at k, below at k - 1.
        for mean in [1_000.0, 15_000.0, 250_000.0, 3_600_000.0] {
            for tail in [TICK, BEYOND_DOUBT] {
                let k = upper_quantile(mean, tail);
                assert!(above(mean, k) <= tail && above(mean, k - 1) > tail, "mean {mean}");
            }
            let sigmas = (upper_quantile(mean, TICK) as f64 - mean) / mean.sqrt();
            assert!((3.08..3.16).contains(&sigmas), "mean {mean}: {sigmas} sigmas");
        }
        assert_eq!(upper_quantile(1_000.0, TICK), 1_099);
    }

    #[test]
    fn both_ways_to_the_tail_agree_at_the_mean() {
        for mean in [3.0, 47.5, 1_234.5] {
            let k = mean as u64;
            let sum = at_most(mean, k) + {
                let (mut term, mut sum, mut j) = (pmf(mean, k + 1), 0.0, k + 1);
                while term > sum * 1e-17 {
                    sum += term;
                    j += 1;
                    term *= mean / j as f64;
                }
                sum
            };
            assert!((sum - 1.0).abs() < 1e-11, "mean {mean}: {sum}");
        }
    }
}
