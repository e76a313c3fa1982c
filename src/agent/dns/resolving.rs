//! A dns fault at work: which questions it takes, and which are Docker's own.
//!
//! Docker's embedded resolver forwards what it cannot answer itself, out of the target's own namespace. A question that
//! we let pass to it is known when it comes by again on its way to somebody else, and left alone: it has had its
//! delay, or was not among the chosen share.

use super::{Asked, Dns};
use hickory_resolver::proto::rr::RecordType;
use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
};

/// Docker's embedded resolver, as containers on networks of their own see it.
const EMBEDDED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
/// How long it tries to have a question answered: three servers with four seconds each, and some.
const FORWARDING_NS: u64 = 15_000_000_000;
/// More questions than this are not remembered at once.
const REMEMBERED_MOST: usize = 4096;

/// A question that went on to the embedded resolver.
#[derive(Debug)]
struct Passed {
    until: u64,
    id: u16,
    kind: RecordType,
    name: String,
}

impl Passed {
    fn is(&self, asked: &Asked) -> bool {
        (self.id, self.kind, &self.name) == (asked.id(), asked.kind(), &asked.name)
    }
}

/// A dns fault at work.
#[derive(Debug)]
pub struct Resolving {
    /// Its settings.
    pub dns: Dns,
    passed: VecDeque<Passed>,
}

impl Resolving {
    /// From its beginning.
    pub fn new(dns: Dns) -> Resolving {
        Resolving { dns, passed: VecDeque::new() }
    }

    /// Whether this is Docker's resolver asking on, at this moment (monotonic nanoseconds).
    pub fn is_forwarded(&mut self, asked: &Asked, resolver: IpAddr, now: u64) -> bool {
        while self.passed.front().is_some_and(|first| first.until < now) {
            self.passed.pop_front();
        }
        resolver != EMBEDDED && self.passed.iter().any(|passed| passed.is(asked))
    }

    /// A question goes on to its resolver, not before `due`.
    pub fn passes(&mut self, asked: &Asked, resolver: IpAddr, due: u64) {
        if resolver == EMBEDDED {
            if self.passed.len() >= REMEMBERED_MOST {
                self.passed.pop_front();
            }
            let (id, kind, name) = (asked.id(), asked.kind(), asked.name.clone());
            self.passed.push_back(Passed { until: due + FORWARDING_NS, id, kind, name });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::tests::question;
    use super::*;

    #[test]
    fn what_docker_asks_on_is_told_from_what_the_target_asks() {
        let mut fault = Resolving::new(Dns::default());
        let (embedded, upstream) = ("127.0.0.11", "10.0.0.53");
        let (asked, flow) = question(embedded, "payments.");
        assert!(!fault.is_forwarded(&asked, flow.destination, 0));
        fault.passes(&asked, flow.destination, 1_000);
        assert!(!fault.is_forwarded(&asked, flow.destination, 1_000), "asked of Docker once more");
        let (forwarded, flow) = question(upstream, "Payments.");
        assert!(fault.is_forwarded(&forwarded, flow.destination, 2_000));
        assert!(fault.is_forwarded(&forwarded, flow.destination, 3_000), "tried with a second server");
        assert!(!fault.is_forwarded(&question(upstream, "other.").0, flow.destination, 3_000));
        assert!(!fault.is_forwarded(&forwarded, flow.destination, 2_000 + FORWARDING_NS), "long ago");
    }

    #[test]
    fn a_question_to_another_resolver_passes_without_being_remembered() {
        let mut fault = Resolving::new(Dns::default());
        let (asked, flow) = question("10.0.0.53", "payments.");
        fault.passes(&asked, flow.destination, 0);
        assert!(!fault.is_forwarded(&asked, "10.0.0.54".parse().expect("v4"), 1), "the next server on the list");
    }

    #[test]
    fn memory_is_bounded() {
        let mut fault = Resolving::new(Dns::default());
        let (asked, flow) = question("127.0.0.11", "payments.");
        (0..2 * REMEMBERED_MOST as u64).for_each(|now| fault.passes(&asked, flow.destination, now));
        assert_eq!(fault.passed.len(), REMEMBERED_MOST);
    }
}
