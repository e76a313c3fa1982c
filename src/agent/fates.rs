//! Several faults on one packet: what each makes of it goes on to the next. Pure: time comes in, bytes stay out.

use super::{
    packet::Flow,
    shape::{Damage, Fate, Lost, Shape, Shaper},
    tally::Tally,
    traffic::{Share, Traffic, Way, chosen},
};
use crate::units::Percent;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A fault at work.
pub struct Running {
    /// Which packets.
    pub traffic: Traffic,
    /// What happens to them.
    pub shape: Box<Shape>,
    /// What it did.
    pub tally: Tally,
    seed: u64,
    shapers: [Shaper; 2],
    rng: ChaCha8Rng,
}

impl Running {
    /// From its beginning; the same seed does the same to the same packets.
    pub fn new(traffic: Traffic, shape: Box<Shape>, seed: u64) -> Running {
        let shapers = [Shaper::new(&shape, seed), Shaper::new(&shape, seed.wrapping_add(1))];
        let rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(2));
        Running { traffic, shape, seed, shapers, rng, tally: Tally::default() }
    }

    /// Whether this packet is among the chosen share.
    pub fn means(&mut self, flow: &Flow) -> bool {
        match self.traffic.share {
            None => true,
            Some(Share::Connections(percent)) => chosen(percent, flow, self.seed),
            Some(Share::Packets(Percent(share))) => self.rng.random::<f64>() < share,
        }
    }

    /// One copy of a packet goes through this fault; what comes of it is added.
    pub fn shape(&mut self, way: Way, copy: Going, length: usize, into: &mut Vec<Going>) {
        let Fate { first, double } = self.shapers[way as usize].next(copy.due, length);
        let counts = &mut self.tally.counts;
        counts.duplicated += u64::from(double.is_some());
        for outcome in [Some(first), double].into_iter().flatten() {
            match outcome {
                Ok(to) => {
                    counts.delayed += u64::from(to.due > copy.due);
                    counts.reordered += u64::from(to.past_others);
                    into.push(Going { due: to.due, damage: to.damage.or(copy.damage) });
                }
                Err(Lost::Chance) => counts.dropped += 1,
                Err(Lost::QueueFull) => counts.overflowed += 1,
            }
        }
    }
}

/// One copy of a packet on its way through the faults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Going {
    /// When it goes on (monotonic nanoseconds).
    pub due: u64,
    /// How it is damaged.
    pub damage: Option<Damage>,
}

impl Going {
    /// At once, and whole.
    pub fn untouched(came: u64) -> Going {
        Going { due: came, damage: None }
    }
}

/// A packet that was queued when headers were enough, before a fault came that needs all of it: what can be done
/// without is done.
pub fn make_do_with_headers(way: Way, came: u64, copies: &mut Vec<Going>) {
    match way {
        Way::In => {
            copies.truncate(1);
            copies.iter_mut().for_each(|copy| copy.damage = None);
        }
        Way::Out if copies.is_empty() => {}
        Way::Out => *copies = vec![Going::untouched(came)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::packet;

    fn running(traffic: &str, shape: &str) -> Running {
        let read = "the settings are right";
        Running::new(serde_json::from_str(traffic).expect(read), serde_json::from_str(shape).expect(read), 7)
    }

    fn flow() -> Flow {
        let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
        packet::read(&bytes).expect("a packet")
    }

    #[test]
    fn faults_act_one_after_the_other() {
        let mut late = running("{}", r#"{"delay":{"time":"30ms"}}"#);
        let mut twice = running("{}", r#"{"duplicate":{"percent":"100%"},"delay":{"time":"20ms"}}"#);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        late.shape(Way::Out, Going::untouched(5), 28, &mut first);
        first.into_iter().for_each(|copy| twice.shape(Way::Out, copy, 28, &mut second));
        assert_eq!(second.iter().map(|copy| copy.due).collect::<Vec<_>>(), [50_000_005, 50_000_005]);
        assert_eq!((late.tally.counts.delayed, twice.tally.counts.duplicated), (1, 1));
    }

    #[test]
    fn a_share_of_the_packets_is_meant() {
        let mut fault = running(r#"{"share":{"packets":"30%"}}"#, r#"{"delay":{"time":"30ms"}}"#);
        let meant = (0..10_000).filter(|_| fault.means(&flow())).count();
        assert!((2850..3150).contains(&meant), "{meant}");
    }

    #[test]
    fn with_headers_alone_nothing_is_rewritten_or_copied() {
        let damaged = Going { due: 9, damage: Some(Damage::Detected) };
        let mut copies = vec![damaged, damaged];
        make_do_with_headers(Way::In, 5, &mut copies);
        assert_eq!(copies, [Going { due: 9, damage: None }], "it still waits until it is due");
        make_do_with_headers(Way::Out, 5, &mut copies);
        assert_eq!(copies, [Going::untouched(5)], "no copy could be sent later");
        let mut lost = Vec::new();
        make_do_with_headers(Way::Out, 5, &mut lost);
        assert!(lost.is_empty(), "losing needs no payload");
    }
}
