//! What happens to a packet, as pure and seeded models: no clock, no socket.
//!
//! The order within one fault: lost, doubled, damaged, sent over the narrow link, delayed (or let past). Several
//! faults on one packet act one after the other.

pub mod chance;
pub mod delay;
pub mod loss;
pub mod rate;

use chance::{Chance, Dice};
use delay::{Delay, Lateness};
use loss::{Losing, Loss};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rate::{Link, RateLimit};
use serde::{Deserialize, Serialize};

/// The settings of one packet fault; everything that is not given does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shape {
    /// Late.
    pub delay: Option<Delay>,
    /// Never.
    pub loss: Option<Loss>,
    /// Twice.
    pub duplicate: Option<Chance>,
    /// Damaged.
    pub corrupt: Option<Corrupt>,
    /// Ahead of those before it.
    pub reorder: Option<Reorder>,
    /// Slowly.
    pub rate: Option<RateLimit>,
}

/// One flipped bit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// How often.
    pub chance: Chance,
    /// The checksum is made to fit again, so that the damage reaches the application. Otherwise the receiver's kernel
    /// drops the packet.
    #[serde(default)]
    pub undetected: bool,
}

/// Some packets skip the delay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// How many of those that may.
    pub chance: Chance,
    /// Every how-many-th packet may; 1 unless given.
    #[serde(default = "one")]
    pub gap: u32,
}

fn one() -> u32 {
    1
}

impl Shape {
    /// # Errors
    /// Settings that make no sense together, in words.
    pub fn check(&self) -> Result<(), String> {
        if *self == Shape::default() {
            return Err("a packet fault that does nothing".into());
        }
        if self.reorder.is_some() && self.delay.is_none_or(|delay| delay.time.ns() == 0) {
            return Err("reordering needs a delay for the others".into());
        }
        if self.reorder.is_some_and(|reorder| reorder.gap == 0) {
            return Err("a gap of 0 packets lets none past".into());
        }
        self.loss.map_or(Ok(()), |loss| loss.check())?;
        self.rate.map_or(Ok(()), |rate| rate.check())
    }

    /// Whether packets are rewritten or doubled.
    pub fn rewrites(&self) -> bool {
        self.duplicate.is_some() || self.corrupt.is_some()
    }

    /// Whether packets are lost or go on as they are, and nothing else.
    pub fn only_loses(&self) -> bool {
        *self == Shape { loss: self.loss, ..Shape::default() }
    }
}

/// Why a packet does not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// By chance.
    Chance,
    /// The queue of the narrow link was full.
    QueueFull,
}

/// How one copy of a packet goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// When (nanoseconds on the caller's clock).
    pub due: u64,
    /// Whether one bit is flipped, and whether so that nobody notices.
    pub damage: Option<Damage>,
    /// It skipped the delay.
    pub past_others: bool,
}

/// How a packet is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The checksum tells.
    Detected,
    /// The checksum fits.
    Undetected,
}

/// What becomes of a packet: its copy, and perhaps a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// The packet.
    pub first: Result<Way, Lost>,
    /// Its double.
    pub double: Option<Result<Way, Lost>>,
}

/// A [`Shape`] at work, in one direction.
#[derive(Debug, Clone)]
pub struct Shaper {
    rng: ChaCha8Rng,
    lateness: Option<Lateness>,
    losing: Option<Losing>,
    duplicate: Option<Dice>,
    corrupt: Option<(Dice, Damage)>,
    reorder: Option<(Dice, u32)>,
    since_past: u32,
    link: Option<Link>,
}

impl Shaper {
    /// The same seed gives the same fates.
    pub fn new(shape: &Shape, seed: u64) -> Shaper {
        let damage = |undetected| if undetected { Damage::Undetected } else { Damage::Detected };
        Shaper {
            rng: ChaCha8Rng::seed_from_u64(seed),
            lateness: shape.delay.map(Lateness::new),
            losing: shape.loss.map(Losing::new),
            duplicate: shape.duplicate.map(Dice::new),
            corrupt: shape.corrupt.map(|corrupt| (Dice::new(corrupt.chance), damage(corrupt.undetected))),
            reorder: shape.reorder.map(|reorder| (Dice::new(reorder.chance), reorder.gap)),
            since_past: 0,
            link: shape.rate.map(Link::new),
        }
    }

    /// The fate of a packet of `length` bytes that comes at `at` nanoseconds.
    pub fn next(&mut self, at: u64, length: usize) -> Fate {
        let lost = self.losing.as_mut().is_some_and(|losing| losing.next(&mut self.rng));
        let twice = self.duplicate.as_mut().is_some_and(|dice| dice.throw(&mut self.rng));
        // As in netem: of a packet that is doubled and lost, one copy arrives.
        match (lost, twice) {
            (true, false) => Fate { first: Err(Lost::Chance), double: None },
            (true, true) | (false, false) => Fate { first: self.way(at, length), double: None },
            (false, true) => Fate { first: self.way(at, length), double: Some(self.way(at, length)) },
        }
    }

    fn way(&mut self, at: u64, length: usize) -> Result<Way, Lost> {
        let damage = match &mut self.corrupt {
            Some((dice, damage)) => dice.throw(&mut self.rng).then_some(*damage),
            None => None,
        };
        let sent = match &mut self.link {
            Some(link) => link.send(at, length).ok_or(Lost::QueueFull)?,
            None => at,
        };
        let past_others = self.lets_past();
        let delay = match &mut self.lateness {
            Some(lateness) if !past_others => lateness.next(&mut self.rng),
            _ => 0,
        };
        Ok(Way { due: sent.saturating_add(delay), damage, past_others })
    }

    fn lets_past(&mut self) -> bool {
        let Some((dice, gap)) = &mut self.reorder else { return false };
        self.since_past += 1;
        let past = self.since_past >= *gap && dice.throw(&mut self.rng);
        if past {
            self.since_past = 0;
        }
        past
    }
}

#[cfg(test)]
mod tests;
