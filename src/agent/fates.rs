//! Several faults on one packet: what each makes of it goes on to the next. Pure: time comes in, bytes stay out.

use super::{
    dns::{Asked, Course, Dns, Resolving},
    packet::Flow,
    protocol::Counters,
    shape::{Damage, Fate, Lost, Shape, Shaper},
    tally::Tally,
    traffic::{Share, Traffic, Way, chosen},
};
use crate::units::Percent;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a fault does to packets that are handed to us.
#[derive(Debug, Clone)]
pub enum Work {
    /// Late, never, twice, damaged, out of order, slowly.
    Shape(Box<Shape>),
    /// Questions to resolvers.
    Dns(Box<Dns>),
}

/// A [`Work`] under way.
enum Doing {
    Shape(Box<Shape>, Box<[Shaper; 2]>),
    Dns(Box<Resolving>),
}

/// A packet as faults see it.
#[derive(Debug, Clone, Copy)]
pub struct Met<'a> {
    /// Which way it goes.
    pub way: Way,
    /// Its headers.
    pub flow: &'a Flow,
    /// What it asks a resolver; looked for only if a fault may want to know.
    pub asked: Option<&'a Asked>,
    /// When it came (monotonic nanoseconds).
    pub came: u64,
    /// Whether more may be held; what is to be late goes on at once otherwise, and is counted.
    pub room: bool,
}

/// A fault at work.
pub struct Running {
    /// Which packets.
    pub traffic: Traffic,
    /// What it did.
    pub tally: Tally,
    doing: Doing,
    seed: u64,
    rng: ChaCha8Rng,
}

impl Running {
    /// From its beginning; the same seed does the same to the same packets.
    pub fn new(traffic: Traffic, work: Work, seed: u64) -> Running {
        let doing = match work {
            Work::Shape(shape) => {
                let shapers = [Shaper::new(&shape, seed), Shaper::new(&shape, seed.wrapping_add(1))];
                Doing::Shape(shape, Box::new(shapers))
            }
            Work::Dns(dns) => Doing::Dns(Box::new(Resolving::new(*dns))),
        };
        let rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(2));
        Running { traffic, doing, seed, rng, tally: Tally::default() }
    }

    /// Whether it needs whole packets of this way: to rewrite or double them, to send copies, or to read questions.
    pub fn needs_whole(&self, way: Way) -> bool {
        match (&self.doing, way) {
            (Doing::Shape(shape, _), Way::In) => shape.rewrites(),
            (Doing::Shape(shape, _), Way::Out) => !shape.only_loses(),
            (Doing::Dns(_), way) => way == Way::Out,
        }
    }

    /// Whether it damages packets.
    pub fn corrupts(&self) -> bool {
        matches!(&self.doing, Doing::Shape(shape, _) if shape.corrupt.is_some())
    }

    /// Whether it looks at questions.
    pub fn listens(&self) -> bool {
        matches!(self.doing, Doing::Dns(_))
    }

    /// A packet that is its traffic goes through this fault: what becomes of the copies so far, and whether it is meant.
    pub fn meet(&mut self, packet: Met<'_>, copies: &mut Vec<Going>) -> bool {
        self.tally.counts.seen += 1;
        if self.listens() {
            return packet.asked.is_some_and(|asked| self.hear(packet, asked, copies));
        }
        let meant = self.means(packet.flow);
        if meant {
            self.tally.counts.meant += 1;
            let before = std::mem::take(copies);
            before.into_iter().for_each(|copy| self.shape(packet, copy, copies));
        }
        meant
    }

    /// A question goes through this fault.
    fn hear(&mut self, packet: Met<'_>, asked: &Asked, copies: &mut Vec<Going>) -> bool {
        let (resolver, chosen) = (packet.flow.destination, self.means(packet.flow));
        let (Doing::Dns(fault), counts) = (&mut self.doing, &mut self.tally.counts) else { return false };
        if fault.is_forwarded(asked, resolver, packet.came) {
            return false;
        }
        let matched = fault.dns.means(&asked.name);
        let course = if matched && chosen { fault.dns.course(asked) } else { Course::On };
        counts.queries += 1;
        counts.matched += u64::from(matched);
        counts.meant += u64::from(course != Course::On);
        let (open, mut done): (Vec<Going>, Vec<Going>) = copies.drain(..).partition(|copy| copy.reply.is_none());
        for copy in open {
            let due = copy.due;
            match fault.treat(course, copy, asked, packet.flow) {
                Some(copy) => {
                    counts.answered += u64::from(copy.reply.is_some());
                    done.push(Going { due: put_off(counts, packet, due, copy.due), ..copy });
                }
                None => counts.dropped += 1,
            }
        }
        *copies = done;
        course != Course::On
    }

    /// Whether this packet is among the chosen share.
    fn means(&mut self, flow: &Flow) -> bool {
        match self.traffic.share {
            None => true,
            Some(Share::Connections(percent)) => chosen(percent, flow, self.seed),
            Some(Share::Packets(Percent(share))) => self.rng.random::<f64>() < share,
        }
    }

    /// One copy of a packet goes through this fault; what comes of it is added.
    fn shape(&mut self, packet: Met<'_>, copy: Going, into: &mut Vec<Going>) {
        let Doing::Shape(_, shapers) = &mut self.doing else { return into.push(copy) };
        let Fate { first, double } = shapers[packet.way as usize].next(copy.due, packet.flow.length);
        let counts = &mut self.tally.counts;
        counts.duplicated += u64::from(double.is_some());
        for outcome in [Some(first), double].into_iter().flatten() {
            match outcome {
                Ok(to) => {
                    counts.reordered += u64::from(to.past_others);
                    let due = put_off(counts, packet, copy.due, to.due);
                    into.push(Going { due, damage: to.damage.or(copy.damage), reply: copy.reply.clone() });
                }
                Err(Lost::Chance) => counts.dropped += 1,
                Err(Lost::QueueFull) => counts.overflowed += 1,
            }
        }
    }
}

/// When a packet goes on that would without this fault, and is to go later with it.
fn put_off(counts: &mut Counters, packet: Met<'_>, without: u64, with: u64) -> u64 {
    let late = u64::from(with > without);
    if packet.room {
        counts.delayed += late;
        with
    } else {
        counts.unheld += late;
        without
    }
}

/// One copy of a packet on its way through the faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Going {
    /// When it goes on (monotonic nanoseconds).
    pub due: u64,
    /// How it is damaged.
    pub damage: Option<Damage>,
    /// The packet that goes back instead: its question is answered by us.
    pub reply: Option<Vec<u8>>,
}

impl Going {
    /// At once, and whole.
    pub fn untouched(came: u64) -> Going {
        Going { due: came, damage: None, reply: None }
    }
}

impl Resolving {
    /// What becomes of one copy of a question; `None`: nothing.
    fn treat(&mut self, course: Course, copy: Going, asked: &Asked, flow: &Flow) -> Option<Going> {
        let late = copy.due.saturating_add(self.dns.delay.ns());
        let copy = match course {
            Course::On => copy,
            Course::Late => Going { due: late, ..copy },
            Course::Ends => return None,
            Course::Answered => {
                return Some(Going {
                    due: late,
                    reply: Some(asked.answered(flow, self.dns.answer.as_ref()?)?),
                    ..copy
                });
            }
        };
        self.passes(asked, flow.destination, copy.due);
        Some(copy)
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
    use crate::agent::{dns::question, packet};

    fn running(traffic: &str, shape: &str) -> Running {
        let read = "the settings are right";
        let work = Work::Shape(serde_json::from_str(shape).expect(read));
        Running::new(serde_json::from_str(traffic).expect(read), work, 7)
    }

    fn resolving(dns: &str) -> Running {
        let work = Work::Dns(serde_json::from_str(dns).expect("the settings are right"));
        Running::new(Traffic::default(), work, 7)
    }

    /// What becomes of a question that passes these faults in turn.
    fn ask(faults: &mut [Running], resolver: &str, name: &str) -> Vec<Going> {
        let (asked, flow) = question(resolver, name);
        let mut copies = vec![Going::untouched(5)];
        for fault in faults {
            fault.meet(Met { way: Way::Out, flow: &flow, asked: Some(&asked), came: 5, room: true }, &mut copies);
        }
        copies
    }

    #[test]
    fn a_question_is_late_and_then_answered_and_the_answer_is_shaped_too() {
        let mut faults = [
            running("{}", r#"{"delay":{"time":"30ms"}}"#),
            resolving(r#"{"names":["pay*"],"answer":"servfail","delay":"20ms"}"#),
            resolving(r#"{"delay":"1s"}"#),
            running("{}", r#"{"duplicate":{"percent":"100%"}}"#),
        ];
        let copies = ask(&mut faults, "127.0.0.11", "payments.");
        assert_eq!(copies.iter().map(|copy| copy.due).collect::<Vec<_>>(), [50_000_005; 2]);
        assert!(copies.iter().all(|copy| copy.reply.is_some()));
        let counts = faults.each_ref().map(|fault| &fault.tally.counts);
        assert_eq!((counts[1].queries, counts[1].matched, counts[1].meant, counts[1].answered), (1, 1, 1, 1));
        assert_eq!((counts[2].delayed, counts[2].answered), (0, 0), "what is answered is asked of nobody");
        let copies = ask(&mut faults, "127.0.0.11", "other.");
        assert_eq!((copies[0].due, &copies[0].reply), (1_030_000_005, &None));
        assert_eq!((faults[1].tally.counts.queries, faults[1].tally.counts.matched), (2, 1));
    }

    #[test]
    fn docker_asking_on_is_not_delayed_again() {
        let mut fault = [resolving(r#"{"delay":"20ms"}"#)];
        assert_eq!(ask(&mut fault, "127.0.0.11", "payments.")[0].due, 20_000_005);
        assert_eq!(ask(&mut fault, "10.0.0.53", "payments."), [Going::untouched(5)]);
        assert_eq!(ask(&mut fault, "10.0.0.53", "other.")[0].due, 20_000_005, "the target itself, asking another");
        assert_eq!((fault[0].tally.counts.queries, fault[0].tally.counts.delayed), (2, 2));
    }

    #[test]
    fn a_timeout_ends_questions_and_nothing_else() {
        let mut fault = [resolving(r#"{"names":["payments"],"answer":"timeout"}"#)];
        assert_eq!(ask(&mut fault, "10.0.0.53", "payments."), []);
        assert_eq!(ask(&mut fault, "10.0.0.53", "catalogue."), [Going::untouched(5)]);
        let (flow, mut copies) = (flow(), vec![Going::untouched(5)]);
        assert!(!fault[0].meet(Met { way: Way::Out, flow: &flow, asked: None, came: 5, room: true }, &mut copies));
        assert_eq!((copies.len(), fault[0].tally.counts.dropped, fault[0].tally.counts.seen), (1, 1, 3));
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
        let flow = flow();
        let met = Met { way: Way::Out, flow: &flow, asked: None, came: 5, room: true };
        late.shape(met, Going::untouched(5), &mut first);
        first.into_iter().for_each(|copy| twice.shape(met, copy, &mut second));
        assert_eq!(second.iter().map(|copy| copy.due).collect::<Vec<_>>(), [50_000_005, 50_000_005]);
        assert_eq!((late.tally.counts.delayed, twice.tally.counts.duplicated), (1, 1));
    }

    #[test]
    fn without_room_to_hold_more_what_is_to_be_late_goes_at_once_and_is_counted_apart() {
        let shape = r#"{"delay":{"time":"30ms"},"reorder":{"chance":{"percent":"100%"},"gap":2}}"#;
        let mut faults = [running("{}", shape), resolving(r#"{"delay":"20ms"}"#)];
        let (asked, flow) = question("127.0.0.11", "payments.");
        for room in [true, true, false, false] {
            let met = Met { way: Way::Out, flow: &flow, asked: Some(&asked), came: 5, room };
            let mut copies = vec![Going::untouched(5)];
            faults.iter_mut().for_each(|fault| assert!(fault.meet(met, &mut copies)));
            assert!(room || copies == [Going::untouched(5)], "{copies:?}");
        }
        let counts = faults.each_ref().map(|fault| &fault.tally.counts);
        assert_eq!((counts[0].delayed, counts[0].reordered, counts[0].unheld), (1, 2, 1));
        assert_eq!((counts[1].delayed, counts[1].unheld), (2, 2));
        let mut lossy = running("{}", r#"{"loss":{"random":{"percent":"100%"}},"delay":{"time":"30ms"}}"#);
        let mut copies = vec![Going::untouched(5)];
        lossy.meet(Met { way: Way::Out, flow: &flow, asked: None, came: 5, room: false }, &mut copies);
        assert_eq!((copies.len(), lossy.tally.counts.dropped), (0, 1), "what needs no room happens all the same");
    }

    #[test]
    fn a_share_of_the_packets_is_meant() {
        let mut fault = running(r#"{"share":{"packets":"30%"}}"#, r#"{"delay":{"time":"30ms"}}"#);
        let meant = (0..10_000).filter(|_| fault.means(&flow())).count();
        assert!((2850..3150).contains(&meant), "{meant}");
    }

    #[test]
    fn with_headers_alone_nothing_is_rewritten_or_copied() {
        let damaged = Going { due: 9, damage: Some(Damage::Detected), reply: None };
        let mut copies = vec![damaged.clone(), damaged];
        make_do_with_headers(Way::In, 5, &mut copies);
        assert_eq!(copies, [Going::untouched(9)], "it still waits until it is due");
        make_do_with_headers(Way::Out, 5, &mut copies);
        assert_eq!(copies, [Going::untouched(5)], "no copy could be sent later");
        let mut lost = Vec::new();
        make_do_with_headers(Way::Out, 5, &mut lost);
        assert!(lost.is_empty(), "losing needs no payload");
    }
}
