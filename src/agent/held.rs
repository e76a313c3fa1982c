//! Packets that wait until they are due, in the order in which they are.

use super::traffic::Way;
use std::{cmp::Reverse, collections::BinaryHeap};

/// A packet that waits.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    /// When it came (monotonic nanoseconds).
    pub came: u64,
    /// When it goes.
    pub due: u64,
    /// The faults that hold it, as bits.
    pub by: u64,
    /// Which way it goes.
    pub way: Way,
    /// How it goes.
    pub release: Release,
}

/// How a packet is let go.
#[derive(Debug, PartialEq, Eq)]
pub enum Release {
    /// It waits in the kernel's queue; perhaps with other bytes.
    Accept {
        /// Its number there.
        id: u32,
        /// The damaged bytes.
        rewritten: Option<Vec<u8>>,
    },
    /// Ours is a copy, to be sent.
    Send {
        /// From the IP header on.
        bytes: Vec<u8>,
        /// The interface it was to leave by.
        device: u32,
    },
    /// It ended; ours is the answer, to be sent back to where it came from.
    Answer {
        /// From the IP header on.
        bytes: Vec<u8>,
        /// The interface that the question was to leave by.
        device: u32,
    },
}

impl Release {
    fn size(&self) -> usize {
        match self {
            Release::Accept { rewritten, .. } => rewritten.as_ref().map_or(0, Vec::len),
            Release::Send { bytes, .. } | Release::Answer { bytes, .. } => bytes.len(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    due: u64,
    order: u64,
    held: Held,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// All that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
    bytes: usize,
}

impl Waiting {
    /// Takes one in.
    pub fn hold(&mut self, held: Held) {
        self.order += 1;
        self.bytes += held.release.size();
        self.heap.push(Reverse(Entry { due: held.due, order: self.order, held }));
    }

    /// When the next is due.
    pub fn next_due(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    /// The next that is due at `now`.
    pub fn due(&mut self, now: u64) -> Option<Held> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.bytes -= entry.held.release.size();
        Some(entry.held)
    }

    /// Takes out all that these faults hold, in the order in which they were due.
    pub fn take(&mut self, by: u64) -> Vec<Held> {
        let (mut taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.heap).into_vec().into_iter().partition(|Reverse(entry)| entry.held.by & by != 0);
        self.heap = BinaryHeap::from(kept);
        taken.sort_by(|a, b| a.0.cmp(&b.0));
        self.bytes -= taken.iter().map(|Reverse(entry)| entry.held.release.size()).sum::<usize>();
        taken.into_iter().map(|Reverse(entry)| entry.held).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// How much memory their copies take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(due: u64, by: u64, id: u32) -> Held {
        Held { came: 0, due, by, way: Way::In, release: Release::Accept { id, rewritten: None } }
    }

    fn id(held: &Held) -> u32 {
        match held.release {
            Release::Accept { id, .. } => id,
            Release::Send { .. } | Release::Answer { .. } => panic!("not sent"),
        }
    }

    #[test]
    fn they_leave_when_due_and_in_order() {
        let mut waiting = Waiting::default();
        for (due, number) in [(30, 1), (10, 2), (30, 3), (20, 4)] {
            waiting.hold(held(due, 1, number));
        }
        assert_eq!(waiting.next_due(), Some(10));
        let left: Vec<u32> = std::iter::from_fn(|| waiting.due(30)).map(|held| id(&held)).collect();
        assert_eq!(left, [2, 4, 1, 3], "of two that are due together the first that came leaves first");
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn a_fault_that_ends_lets_go_of_its_own() {
        let mut waiting = Waiting::default();
        for (due, by, number) in [(30, 1, 1), (10, 3, 2), (20, 2, 3)] {
            waiting.hold(held(due, by, number));
        }
        assert_eq!(waiting.take(1).iter().map(id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn copies_are_weighed() {
        let mut waiting = Waiting::default();
        let release = Release::Send { bytes: vec![0; 100], device: 1 };
        waiting.hold(Held { came: 0, due: 5, by: 1, way: Way::Out, release });
        assert_eq!(waiting.bytes(), 100);
        assert!(waiting.due(4).is_none());
        assert!(waiting.due(5).is_some());
        assert_eq!(waiting.bytes(), 0);
    }
}
