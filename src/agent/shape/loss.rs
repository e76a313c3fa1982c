//! Lost packets: one by one, or in bursts.

use super::chance::{Chance, Dice};
use crate::units::Percent;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How packets are lost. Names and defaults are those of tc-netem(8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// A share of them.
    Random(Chance),
    /// Two states, good and bad.
    GilbertElliott(GilbertElliott),
    /// Four states: gaps and bursts, each with packets received and lost.
    FourState(FourState),
}

/// Gilbert and Elliott's model, in four shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GilbertElliott {
    /// From good to bad.
    pub p: Percent,
    /// From bad to good; 1 - p unless given.
    #[serde(default)]
    pub r: Option<Percent>,
    /// Lost while bad (1-h); all unless given.
    #[serde(default)]
    pub lost_in_bad: Option<Percent>,
    /// Lost while good (1-k); none unless given.
    #[serde(default)]
    pub lost_in_good: Option<Percent>,
}

/// The four-state Markov model, by its transitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourState {
    /// From a gap, received, into a burst, lost.
    pub p13: Percent,
    /// From a burst, lost, back into a gap; 1 - p13 unless given.
    #[serde(default)]
    pub p31: Option<Percent>,
    /// From a burst, lost, to received within it; none unless given.
    #[serde(default)]
    pub p32: Option<Percent>,
    /// From received within a burst to lost again; always unless given.
    #[serde(default)]
    pub p23: Option<Percent>,
    /// From a gap, received, to one packet lost alone; none unless given.
    #[serde(default)]
    pub p14: Option<Percent>,
}

/// A [`Loss`] at work.
#[derive(Debug, Clone)]
pub enum Losing {
    /// Without states.
    Dice(Dice),
    /// Two states.
    TwoStates {
        /// The settings.
        by: GilbertElliott,
        /// Where it is.
        bad: bool,
    },
    /// Four states.
    FourStates {
        /// The settings.
        by: FourState,
        /// Where it is.
        at: State,
    },
}

/// Where the four-state model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// 1: received, in a gap between bursts.
    Gap,
    /// 2: received, within a burst.
    BurstReceived,
    /// 3: lost, within a burst.
    BurstLost,
    /// 4: lost alone, in a gap.
    GapLost,
}

impl Losing {
    /// Starts good.
    pub fn new(loss: Loss) -> Losing {
        match loss {
            Loss::Random(chance) => Losing::Dice(Dice::new(chance)),
            Loss::GilbertElliott(by) => Losing::TwoStates { by, bad: false },
            Loss::FourState(by) => Losing::FourStates { by, at: State::Gap },
        }
    }

    /// Whether the next packet is lost.
    pub fn next(&mut self, rng: &mut ChaCha8Rng) -> bool {
        match self {
            Losing::Dice(dice) => dice.throw(rng),
            Losing::TwoStates { by, bad } => {
                let lost = rng.random::<f64>() < if *bad { by.lost_in_bad() } else { by.lost_in_good() };
                let leave = if *bad { by.r() } else { by.p.0 };
                *bad ^= rng.random::<f64>() < leave;
                lost
            }
            Losing::FourStates { by, at } => {
                *at = by.after(*at, rng.random());
                matches!(at, State::BurstLost | State::GapLost)
            }
        }
    }
}

impl GilbertElliott {
    fn r(&self) -> f64 {
        self.r.map_or(1.0 - self.p.0, |r| r.0)
    }

    fn lost_in_bad(&self) -> f64 {
        self.lost_in_bad.map_or(1.0, |share| share.0)
    }

    fn lost_in_good(&self) -> f64 {
        self.lost_in_good.map_or(0.0, |share| share.0)
    }
}

impl FourState {
    fn after(&self, state: State, draw: f64) -> State {
        let p31 = self.p31.map_or(1.0 - self.p13.0, |p| p.0);
        let p32 = self.p32.map_or(0.0, |p| p.0);
        let p23 = self.p23.map_or(1.0, |p| p.0);
        let p14 = self.p14.map_or(0.0, |p| p.0);
        match state {
            State::Gap if draw < p14 => State::GapLost,
            State::Gap if draw < p14 + self.p13.0 => State::BurstLost,
            State::Gap | State::GapLost => State::Gap,
            State::BurstReceived if draw < p23 => State::BurstLost,
            State::BurstReceived => State::BurstReceived,
            State::BurstLost if draw < p32 => State::BurstReceived,
            State::BurstLost if draw < p32 + p31 => State::Gap,
            State::BurstLost => State::BurstLost,
        }
    }
}

impl Loss {
    /// # Errors
    /// Shares that leave one state in two directions at more than 100 % together.
    pub fn check(&self) -> Result<(), String> {
        let Loss::FourState(by) = self else { return Ok(()) };
        if by.p14.map_or(0.0, |p| p.0) + by.p13.0 > 1.0 {
            return Err("p13 and p14 leave the same state and are more than 100% together".into());
        }
        if by.p32.map_or(0.0, |p| p.0) + by.p31.map_or(0.0, |p| p.0) > 1.0 {
            return Err("p31 and p32 leave the same state and are more than 100% together".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::shape::tests::{near, rng};

    fn percent(share: f64) -> Percent {
        Percent(share)
    }

    /// The share lost, and the mean length of a run of losses.
    fn figures(loss: Loss) -> (f64, f64) {
        let (mut losing, mut rng) = (Losing::new(loss), rng(5));
        let lost: Vec<bool> = (0..400_000).map(|_| losing.next(&mut rng)).collect();
        let total = lost.iter().filter(|l| **l).count() as f64;
        let runs = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
        (total / lost.len() as f64, total / runs)
    }

    #[test]
    fn gilbert_elliott_has_the_share_and_the_bursts_of_theory() {
        let by = GilbertElliott { p: percent(0.01), r: Some(percent(0.25)), lost_in_bad: None, lost_in_good: None };
        let (share, burst) = figures(Loss::GilbertElliott(by));
        near(share, 0.01 / 0.26, 0.002);
        near(burst, 4.0, 0.15);
        let by = GilbertElliott { lost_in_bad: Some(percent(0.5)), lost_in_good: Some(percent(0.001)), ..by };
        let (share, _) = figures(Loss::GilbertElliott(by));
        near(share, 0.01 / 0.26 * 0.5 + 0.25 / 0.26 * 0.001, 0.002);
    }

    #[test]
    fn with_p_alone_it_is_plain_loss() {
        let by = GilbertElliott { p: percent(0.1), r: None, lost_in_bad: None, lost_in_good: None };
        near(figures(Loss::GilbertElliott(by)).0, 0.1, 0.003);
        let by = FourState { p13: percent(0.1), p31: None, p32: None, p23: None, p14: None };
        near(figures(Loss::FourState(by)).0, 0.1, 0.003);
    }

    #[test]
    fn four_states_follow_their_stationary_shares() {
        let by = FourState {
            p13: percent(0.02),
            p31: Some(percent(0.2)),
            p32: Some(percent(0.3)),
            p23: Some(percent(0.4)),
            p14: Some(percent(0.01)),
        };
        // Balance: pi3 p31 = pi1 p13; pi2 p23 = pi3 p32; pi4 = pi1 p14.
        let (one, three, two, four) = (1.0, 0.02 / 0.2, 0.02 / 0.2 * 0.3 / 0.4, 0.01);
        near(figures(Loss::FourState(by)).0, (three + four) / (one + two + three + four), 0.003);
    }

    #[test]
    fn impossible_shares_are_refused() {
        let by = FourState { p13: percent(0.6), p31: None, p32: None, p23: None, p14: Some(percent(0.6)) };
        assert!(Loss::FourState(by).check().is_err());
    }
}
