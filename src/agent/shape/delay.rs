//! Late packets: a time, and how it varies.

use super::chance::{Draws, below};
use crate::units::{Percent, Span};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A delay. Its names are those of tc-netem(8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The mean.
    pub time: Span,
    /// How far it varies: the half width of `uniform`, the standard deviation of the others.
    #[serde(default)]
    pub jitter: Span,
    /// How it varies.
    #[serde(default)]
    pub distribution: Distribution,
    /// How much each variation leans on the one before.
    #[serde(default)]
    pub correlation: Percent,
}

/// The form of the variation. All have the mean 0; negative delays are no delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Between -jitter and +jitter, all alike.
    #[default]
    Uniform,
    /// The bell.
    Normal,
    /// Mostly a little early, seldom very late (shape 3).
    Pareto,
    /// A quarter normal, three quarters Pareto.
    ParetoNormal,
}

/// The mean and the standard deviation of a Pareto value of shape 3 and scale 1.
const PARETO_MEAN: f64 = 1.5;
const PARETO_DEVIATION: f64 = 0.866_025_403_784_438_6;
/// What the mixture of a quarter and three quarters must be divided by to deviate by 1: sqrt(1/16 + 9/16).
const MIXED_DEVIATION: f64 = 0.790_569_415_042_094_9;
/// Where the tails are cut, so that one packet in a million does not wait for a minute.
const TAIL: f64 = 1e-6;

/// A [`Delay`] at work.
#[derive(Debug, Clone)]
pub struct Lateness {
    delay: Delay,
    draws: Draws,
    second: Draws,
}

impl Lateness {
    /// Ready.
    pub fn new(delay: Delay) -> Lateness {
        Lateness { delay, draws: Draws::new(delay.correlation), second: Draws::new(delay.correlation) }
    }

    /// The delay of the next packet, in nanoseconds.
    pub fn next(&mut self, rng: &mut ChaCha8Rng) -> u64 {
        let jitter = self.delay.jitter.ns() as f64;
        if jitter == 0.0 {
            return self.delay.time.ns();
        }
        let varied = self.delay.time.ns() as f64 + jitter * self.variation(rng);
        varied.max(0.0).round() as u64
    }

    fn variation(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        match self.delay.distribution {
            Distribution::Uniform => 2.0 * self.draws.uniform(rng) - 1.0,
            Distribution::Normal => self.draws.normal(rng),
            Distribution::Pareto => pareto(self.draws.normal(rng)),
            Distribution::ParetoNormal => {
                (0.25 * self.draws.normal(rng) + 0.75 * pareto(self.second.normal(rng))) / MIXED_DEVIATION
            }
        }
    }
}

/// The Pareto value that stands where `z` stands among the normal ones, with mean 0 and deviation 1.
fn pareto(z: f64) -> f64 {
    let above = (1.0 - below(z)).max(TAIL);
    (above.powf(-1.0 / 3.0) - PARETO_MEAN) / PARETO_DEVIATION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::shape::tests::{near, rng};

    fn sample(distribution: Distribution, correlation: f64) -> Vec<f64> {
        let delay = Delay {
            time: Span::millis(100),
            jitter: Span::millis(10),
            distribution,
            correlation: Percent(correlation),
        };
        let (mut lateness, mut rng) = (Lateness::new(delay), rng(3));
        (0..200_000).map(|_| lateness.next(&mut rng) as f64 / 1e6).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn deviation(values: &[f64]) -> f64 {
        let mean = mean(values);
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn without_jitter_it_is_the_time() {
        let delay = Delay {
            time: Span::millis(5),
            jitter: Span::ZERO,
            distribution: Distribution::Normal,
            correlation: Percent(0.0),
        };
        assert_eq!(Lateness::new(delay).next(&mut rng(1)), 5_000_000);
    }

    #[test]
    fn every_distribution_has_its_mean_and_deviation() {
        use Distribution::*;
        for (distribution, expected, tolerance) in
            [(Uniform, 10.0 / 3f64.sqrt(), 0.1), (Normal, 10.0, 0.1), (Pareto, 10.0, 0.8), (ParetoNormal, 10.0, 0.8)]
        {
            for correlation in [0.0, 0.5] {
                let values = sample(distribution, correlation);
                near(mean(&values), 100.0, 0.25);
                near(deviation(&values), expected, tolerance);
            }
        }
    }

    #[test]
    fn uniform_stays_inside_and_pareto_has_one_long_tail() {
        let uniform = sample(Distribution::Uniform, 0.0);
        assert!(uniform.iter().all(|v| (90.0..=110.0).contains(v)));
        let mut pareto = sample(Distribution::Pareto, 0.0);
        pareto.sort_by(f64::total_cmp);
        assert!(pareto[0] > 94.0 && pareto[pareto.len() - 1] > 200.0, "{} {}", pareto[0], pareto[pareto.len() - 1]);
    }

    #[test]
    fn never_negative() {
        let delay = Delay {
            time: Span::millis(1),
            jitter: Span::millis(10),
            distribution: Distribution::Normal,
            correlation: Percent(0.0),
        };
        let (mut lateness, mut rng) = (Lateness::new(delay), rng(4));
        assert!((0..1000).any(|_| lateness.next(&mut rng) == 0));
    }
}
