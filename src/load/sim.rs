//! A load that exists only on the clock, for tests of the engine: a pure function says how each request ends.

use super::{
    driver::Lane,
    tap::{Outlet, next_slice_end},
};
use crate::{
    clock::{At, RunClock},
    measure::{Class, ProbeId, SLICE_NS, Sample, Slice},
};
use std::{cmp::Reverse, collections::BinaryHeap, fmt, sync::Arc};
use tokio::sync::watch;

type Respond = dyn Fn(ProbeId, u64, At) -> (Class, u64) + Send + Sync;

/// How a simulated server answers.
#[derive(Clone)]
pub struct Sim {
    respond: Arc<Respond>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

impl Sim {
    /// `respond(probe, index, intended)` says how that request ends and how many nanoseconds it takes.
    pub fn new(respond: impl Fn(ProbeId, u64, At) -> (Class, u64) + Send + Sync + 'static) -> Sim {
        Sim { respond: Arc::new(respond) }
    }
}

/// Requests of one probe that have been sent and not ended, the first to end on top.
struct Flight {
    lane: Lane,
    next: u64,
    open: BinaryHeap<Reverse<(At, u64, Class, u64)>>,
    sliced: At,
}

impl Flight {
    fn step(&mut self, sim: &Sim, to: At, stop: At) -> Slice {
        let due = self.lane.schedule.due_before(to.min(stop)).max(self.next);
        let offered = due - self.next;
        for index in self.next..due {
            let intended = self.lane.schedule.intended(index);
            let (class, service) = (sim.respond)(self.lane.probe, index, intended);
            let timeout = self.lane.plan.timeout.ns();
            let (class, service) = if service > timeout { (Class::Timeout, timeout) } else { (class, service) };
            self.open.push(Reverse((intended + service, index, class, service)));
        }
        self.next = due;
        let mut samples = Vec::new();
        while let Some(&Reverse((ended, index, class, service_ns))) = self.open.peek()
            && ended < to
        {
            self.open.pop();
            samples.push(Sample { index, class, lateness_ns: 0, waited_ns: 0, service_ns });
        }
        Slice {
            probe: self.lane.probe,
            from: std::mem::replace(&mut self.sliced, to),
            to,
            offered,
            samples: samples.into(),
            in_flight: self.open.len() as u32,
            backlog: 0,
        }
    }

    fn finished(&self, stop: At) -> bool {
        self.open.is_empty() && self.lane.schedule.intended(self.next) >= stop
    }
}

/// Runs until stopped and all is answered.
pub(super) async fn run(
    sim: Sim,
    lanes: Vec<Lane>,
    clock: RunClock,
    outlet: Outlet,
    mut stop: watch::Receiver<At>,
) -> Vec<u64> {
    let start = clock.now() / SLICE_NS * SLICE_NS;
    let flight = |lane| Flight { lane, next: 0, open: BinaryHeap::new(), sliced: start };
    let mut flights: Vec<Flight> = lanes.into_iter().map(flight).collect();
    let mut to = next_slice_end(clock.now());
    loop {
        tokio::time::sleep_until(clock.instant(to)).await;
        let until = *stop.borrow_and_update();
        flights.iter_mut().for_each(|flight| outlet.hand_over(flight.step(&sim, to, until)));
        if flights.iter().all(|flight| flight.finished(until)) || stop.has_changed().is_err() {
            return flights.iter().map(|flight| flight.next).collect();
        }
        to += SLICE_NS;
    }
}

/// A response time that depends on nothing but the request, between `from` and `to` (for `respond` functions).
pub fn scattered(index: u64, from: u64, to: u64) -> u64 {
    // Weyl sequence: equidistributed, and no seed to carry about.
    let share = (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as f64 / f64::from(u32::MAX);
    from + ((to - from) as f64 * share) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        container::ContainerId,
        journal::requests::RequestWriter,
        load::{Context, Load, drive, schedules},
        plan::{ProbePlan, ProbeWork},
        units::{Rate, Span},
    };
    use std::time::Duration;

    fn probe(rate: f64) -> ProbePlan {
        let containers: Vec<ContainerId> = Vec::new();
        let work = ProbeWork::Health { containers };
        ProbePlan { name: "p".into(), work, rate: Rate(rate), timeout: Span::secs(1), max_in_flight: 9 }
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_of_a_simulation_is_in_one_slice() {
        let folder = tempfile::tempdir().unwrap();
        let writer = RequestWriter::create(&folder.path().join("requests.bin")).unwrap();
        let (tap, mut slices) = tokio::sync::mpsc::unbounded_channel();
        let clock = RunClock::start();
        let env: crate::load::Env = Arc::new(|_| None);
        let context = Context { clock, run: "r".into(), env, log: writer.sink(), tap, containers: None };
        // Frozen from 2 s to 4 s: answered when it thaws, or timed out.
        let sim = Sim::new(|_, index, intended| match intended {
            2_000_000_000..4_000_000_000 => (Class::Ok, 4_000_000_000 - intended),
            _ => (Class::Ok, scattered(index, 1_000_000, 3_000_000)),
        });
        let probes = [probe(1000.0), probe(10.0)];
        let driver = drive(&Load::Sim(sim), &probes, &schedules(&probes, 0), context).unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let offered = driver.stop(600_000_000_000).await.unwrap();
        assert_eq!(offered.into_iter().collect::<Vec<_>>(), [(0, 600_000), (1, 6_000)]);
        let (mut seen, mut late, mut to) = (0, 0, [0; 2]);
        while let Some(slice) = slices.recv().await {
            assert_eq!(std::mem::replace(&mut to[usize::from(slice.probe)], slice.to), slice.from);
            seen += slice.samples.len();
            late += slice.samples.iter().filter(|s| s.class == Class::Timeout).count();
        }
        assert_eq!((seen, late), (606_000, 1_010), "half of the freeze is longer than the timeout");
        assert_eq!(writer.finish().unwrap().samples, 606_000);
    }
}
