//! Chance with memory: draws that lean on the one before, while the stated share stays exact.
//!
//! tc-netem(8) mixes each draw with the last one in the given proportion. That narrows the spread, so that "10 % with a
//! correlation of 75 %" loses far less than 10 %. Here the mixing is done on normal values, whose spread it keeps:
//! the correlation is the one asked for, and so is the share.

use crate::units::Percent;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::{SQRT_2, TAU};

/// How often something happens, and how much each time depends on the time before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// The share of packets.
    pub percent: Percent,
    /// 0 %: each packet by itself; towards 100 %: in ever longer runs.
    #[serde(default)]
    pub correlation: Percent,
}

/// A series of draws.
#[derive(Debug, Clone)]
pub struct Draws {
    correlation: f64,
    last: Option<f64>,
}

impl Draws {
    /// A series whose neighbours correlate so much (0 to 1).
    pub fn new(correlation: Percent) -> Draws {
        Draws { correlation: correlation.0, last: None }
    }

    /// Standard normal.
    pub fn normal(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        let fresh = normal(rng);
        if self.correlation == 0.0 {
            return fresh;
        }
        let value = match self.last {
            Some(last) => self.correlation * last + (1.0 - self.correlation * self.correlation).sqrt() * fresh,
            None => fresh,
        };
        self.last = Some(value);
        value
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        if self.correlation == 0.0 { rng.random() } else { below(self.normal(rng)) }
    }
}

/// A [`Chance`] at work.
#[derive(Debug, Clone)]
pub struct Dice {
    share: f64,
    draws: Draws,
}

impl Dice {
    /// Ready to be thrown.
    pub fn new(chance: Chance) -> Dice {
        Dice { share: chance.percent.0, draws: Draws::new(chance.correlation) }
    }

    /// Whether it happens this time.
    pub fn throw(&mut self, rng: &mut ChaCha8Rng) -> bool {
        self.draws.uniform(rng) < self.share
    }
}

/// Box and Muller's way to a normal value.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (TAU * v).cos()
}

/// The share of normal values below `z` (Abramowitz and Stegun 7.1.26, good to 1e-7).
pub fn below(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = poly * (-x * x).exp() / 2.0;
    if z < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::shape::tests::{near, rng};

    const N: usize = 200_000;

    fn throws(percent: f64, correlation: f64) -> Vec<bool> {
        let chance = Chance { percent: Percent(percent), correlation: Percent(correlation) };
        let (mut dice, mut rng) = (Dice::new(chance), rng(1));
        (0..N).map(|_| dice.throw(&mut rng)).collect()
    }

    fn share(throws: &[bool]) -> f64 {
        throws.iter().filter(|hit| **hit).count() as f64 / throws.len() as f64
    }

    #[test]
    fn the_share_is_exact_without_and_with_correlation() {
        for (percent, correlation, tolerance) in [(0.1, 0.0, 0.002), (0.1, 0.75, 0.006), (0.01, 0.25, 0.001)] {
            near(share(&throws(percent, correlation)), percent, tolerance);
        }
        assert_eq!(share(&throws(0.0, 0.5)), 0.0);
        assert_eq!(share(&throws(1.0, 0.0)), 1.0);
    }

    #[test]
    fn correlation_makes_runs() {
        let again = |throws: &[bool]| {
            let pairs: Vec<&[bool]> = throws.windows(2).filter(|pair| pair[0]).collect();
            pairs.iter().filter(|pair| pair[1]).count() as f64 / pairs.len() as f64
        };
        near(again(&throws(0.1, 0.0)), 0.1, 0.01);
        assert!(again(&throws(0.1, 0.75)) > 0.35, "a loss is followed by a loss far more often");
    }

    #[test]
    fn neighbours_correlate_as_asked() {
        let (mut draws, mut rng) = (Draws::new(Percent(0.5)), rng(2));
        let values: Vec<f64> = (0..N).map(|_| draws.normal(&mut rng)).collect();
        let product: f64 = values.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / N as f64;
        let variance: f64 = values.iter().map(|v| v * v).sum::<f64>() / N as f64;
        near(variance, 1.0, 0.03);
        near(product, 0.5, 0.03);
    }

    #[test]
    fn the_normal_share_below() {
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_345), (-1.0, 0.158_655), (2.326_348, 0.99), (-3.0, 0.001_350)] {
            near(below(z), share, 1e-6);
        }
    }
}
