//! How far percentiles of two runs are apart, and how far they might be by chance: whole seconds are drawn again and
//! again from those that were measured.

use super::{blocks::Block, proportion::two_sided};
use crate::analysis::stats::Ranked;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// How often is drawn.
const DRAWS: usize = 500;
/// With fewer seconds than this nothing is said.
const FEWEST: usize = 5;
/// The same runs give the same answer.
const SEED: u64 = 0x6669_7265;

/// A percentile in two runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// In the first, microseconds.
    pub a_us: u32,
    /// In the second.
    pub b_us: u32,
    /// The second minus the first is not less than this, with 97.5 % confidence.
    pub low_us: i64,
    /// And not more than this.
    pub high_us: i64,
    /// How probable a difference at least as large is by chance.
    pub p: f64,
}

/// One for each (rising) quantile; none if a run is too short.
pub fn percentiles(a: &[Block], b: &[Block], quantiles: &[f64]) -> Vec<Difference> {
    if a.len() < FEWEST || b.len() < FEWEST || quantiles.is_empty() {
        return vec![];
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let (from_a, from_b) = (Urn::of(a).draw(quantiles, &mut rng), Urn::of(b).draw(quantiles, &mut rng));
    let (is_a, is_b) = (exactly(a, quantiles), exactly(b, quantiles));
    let one = |i: usize| {
        let (x, y) = (&from_a[i], &from_b[i]);
        let mut differences: Vec<i64> = x.iter().zip(y).map(|(x, y)| i64::from(*y) - i64::from(*x)).collect();
        differences.sort_unstable();
        let tail = differences.len() / 40;
        let p = two_sided(f64::from(is_b[i]) - f64::from(is_a[i]), variance(x) + variance(y));
        let (low_us, high_us) = (differences[tail], differences[differences.len() - 1 - tail]);
        Difference { a_us: is_a[i], b_us: is_b[i], low_us, high_us, p }
    };
    (0..quantiles.len()).map(one).collect()
}

fn exactly(blocks: &[Block], quantiles: &[f64]) -> Vec<u32> {
    let mut ranked = Ranked::new(blocks.iter().flat_map(|block| block.timed.iter().copied()).collect());
    quantiles.iter().map(|quantile| ranked.at(*quantile).unwrap_or(0)).collect()
}

fn variance(values: &[u32]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

/// Seconds to draw from. Response times are kept to a thousandth, so that a second is a short list of counts.
struct Urn {
    /// The response times that occur, rising.
    values: Vec<u32>,
    /// By second: position in `values`, and how many.
    seconds: Vec<Vec<(u32, u32)>>,
}

impl Urn {
    fn of(blocks: &[Block]) -> Urn {
        let counted = |block: &Block| {
            let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
            block.timed.iter().for_each(|us| *counts.entry(rounded(*us)).or_default() += 1);
            counts
        };
        let counts: Vec<BTreeMap<u32, u32>> = blocks.iter().map(counted).collect();
        let mut values: Vec<u32> = counts.iter().flat_map(BTreeMap::keys).copied().collect();
        values.sort_unstable();
        values.dedup();
        let place = |us: &u32| values.binary_search(us).unwrap_or(0) as u32;
        let placed = |counts: &BTreeMap<u32, u32>| counts.iter().map(|(us, n)| (place(us), *n)).collect();
        let seconds = counts.iter().map(placed).collect();
        Urn { values, seconds }
    }

    /// By quantile: its value in every draw.
    fn draw(&self, quantiles: &[f64], rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
        let mut drawn = vec![Vec::with_capacity(DRAWS); quantiles.len()];
        let mut counts = vec![0_u64; self.values.len()];
        for _ in 0..DRAWS {
            counts.fill(0);
            for _ in 0..self.seconds.len() {
                let second = &self.seconds[rng.random_range(0..self.seconds.len())];
                second.iter().for_each(|(place, n)| counts[*place as usize] += u64::from(*n));
            }
            self.read_off(&counts, quantiles, &mut drawn);
        }
        drawn
    }

    fn read_off(&self, counts: &[u64], quantiles: &[f64], drawn: &mut [Vec<u32>]) {
        let n: u64 = counts.iter().sum();
        let (mut place, mut below) = (0, 0);
        for (quantile, values) in quantiles.iter().zip(drawn) {
            let rank = ((quantile * n as f64).ceil() as u64).max(1);
            while place < counts.len() && below + counts[place] < rank {
                below += counts[place];
                place += 1;
            }
            values.push(self.values.get(place).or(self.values.last()).copied().unwrap_or(0));
        }
    }
}

/// To ten bits.
fn rounded(us: u32) -> u32 {
    let shift = (u32::BITS - us.leading_zeros()).saturating_sub(10);
    us >> shift << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds whose level wanders, as a busy machine's does, around `base`.
    fn seconds(count: usize, base: f64, seed: u64) -> Vec<Block> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let second = |_| {
            let level = base * (0.9 + 0.2 * rng.random::<f64>());
            let timed: Vec<u32> = (0..100).map(|_| (level * (1.0 + rng.random::<f64>())) as u32).collect();
            Block { logged: 100, failed: 0, timed }
        };
        (0..count).map(second).collect()
    }

    #[test]
    fn the_same_system_is_within_noise_and_a_slower_one_is_not() {
        let by_chance = (0..100).filter(|i| {
            let d = percentiles(&seconds(20, 5e3, *i), &seconds(20, 5e3, i + 1_000), &[0.5]);
            d[0].p < 0.05
        });
        let by_chance = by_chance.count();
        assert!(by_chance <= 12, "{by_chance} of 100 equal pairs were called different at 5 %");
        let d = percentiles(&seconds(20, 5e3, 1), &seconds(20, 6e3, 2), &[0.5, 0.99]);
        assert!(d.iter().all(|d| d.p < 1e-3 && d.low_us > 500 && d.high_us < 3_500), "{d:?}");
    }

    #[test]
    fn one_bad_second_says_little_of_the_99th_percentile() {
        let mut hiccup = seconds(20, 5e3, 1);
        hiccup[3].timed.iter_mut().for_each(|us| *us = 900_000);
        let d = percentiles(&seconds(20, 5e3, 2), &hiccup, &[0.99])[0];
        assert!(d.b_us == 900_000 && d.p > 0.01, "{d:?}");
    }

    #[test]
    fn short_runs_and_equal_ones_give_no_alarm() {
        assert_eq!(percentiles(&seconds(4, 5e3, 1), &seconds(20, 5e3, 1), &[0.5]), []);
        let same = seconds(10, 5e3, 1);
        assert_eq!(percentiles(&same, &same, &[0.5])[0].p, 1.0);
    }

    #[test]
    fn rounding_keeps_a_thousandth() {
        assert_eq!((rounded(0), rounded(1023), rounded(1025), rounded(u32::MAX)), (0, 1023, 1024, 0xffc0_0000));
    }
}
