//! Paces a slow probe on the caller's runtime: tokio's milliseconds are good enough for it, and a paused
//! clock may drive it.

use super::{
    Job, Pacer,
    driver::Lane,
    tap::{Outlet, next_slice_end},
};
use crate::{
    clock::{At, RunClock},
    measure::{Class, SLICE_NS},
    probe::Probe,
};
use std::sync::Arc;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

/// How one request ended.
struct Ended {
    job: Job,
    sent: At,
    at: At,
    class: Class,
}

/// Runs until stopped and all is answered. Says how many requests were due.
pub(super) async fn run(
    lane: Lane,
    probe: Arc<dyn Probe>,
    clock: RunClock,
    outlet: Outlet,
    mut stop: watch::Receiver<At>,
) -> Vec<u64> {
    let mut pacer = Pacer::new(lane.schedule, lane.plan.timeout.ns(), lane.plan.max_in_flight);
    let mut under_way = JoinSet::new();
    let mut slice_end = next_slice_end(clock.now());
    while stop.has_changed().is_ok() {
        pacer.stop(*stop.borrow_and_update());
        let now = clock.now();
        while let Some(job) = pacer.waiting(now).or_else(|| pacer.due(now)) {
            under_way.spawn(ask(Arc::clone(&probe), job, clock));
        }
        let finished = pacer.finished();
        if finished || now >= slice_end {
            // The last slice may end a little in the future: nothing comes after it.
            let end = if finished { next_slice_end(now) } else { now / SLICE_NS * SLICE_NS };
            outlet.hand_over(pacer.slice(lane.probe, end));
            slice_end = end + SLICE_NS;
        }
        if finished {
            break;
        }
        let next = pacer.next_event().min(slice_end);
        tokio::select! {
            Some(ended) = under_way.join_next(), if !under_way.is_empty() => record(&mut pacer, ended),
            () = tokio::time::sleep_until(clock.instant(next)) => {}
            _ = stop.changed() => {}
        }
    }
    vec![pacer.offered()]
}

async fn ask(probe: Arc<dyn Probe>, job: Job, clock: RunClock) -> Ended {
    let sent = clock.now();
    let asked = tokio::time::timeout_at(clock.instant(job.deadline), probe.ask(job.index)).await;
    Ended { job, sent, at: clock.now(), class: asked.unwrap_or(Class::Timeout) }
}

fn record(pacer: &mut Pacer, ended: Result<Ended, JoinError>) {
    match ended {
        Ok(Ended { job, sent, at, class }) => pacer.ended(job, sent, at, class),
        // A bug in a probe ends its driver, which then says that it died.
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        // Nobody cancels these but the driver's own end.
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        container::{Containers, Health, sim},
        journal::requests::RequestWriter,
        load::{Context, ExecSettings, Load, drive, schedules},
        plan::{ProbePlan, ProbeWork},
        units::{Rate, Span},
    };
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn plan(work: ProbeWork) -> ProbePlan {
        ProbePlan { name: "p".into(), work, rate: Rate(10.0), timeout: Span::secs(1), max_in_flight: 4 }
    }

    /// Ten seconds of one probe; `change` happens after five.
    async fn classes(
        sim: Arc<sim::Sim>,
        work: ProbeWork,
        change: impl FnOnce(&sim::Sim),
    ) -> BTreeMap<&'static str, usize> {
        let folder = tempfile::tempdir().unwrap();
        let writer = RequestWriter::create(&folder.path().join("requests.bin")).unwrap();
        let (tap, mut slices) = tokio::sync::mpsc::unbounded_channel();
        let clock = RunClock::start();
        let containers: Arc<dyn Containers> = Arc::<sim::Sim>::clone(&sim);
        let env: crate::load::Env = Arc::new(|_| None);
        let context = Context { clock, run: "r".into(), env, log: writer.sink(), tap, containers: Some(containers) };
        let probes = [plan(work)];
        let driver = drive(&Load::Real, &probes, &schedules(&probes, 0), context).unwrap();
        tokio::time::sleep(Duration::from_millis(4_950)).await;
        change(&sim);
        tokio::time::sleep(Duration::from_millis(5_000)).await;
        assert_eq!(driver.stop(10_000_000_000).await.unwrap(), [(0, 100)].into());
        let mut counts = BTreeMap::new();
        while let Some(slice) = slices.recv().await {
            slice.samples.iter().for_each(|s| *counts.entry(s.class.name()).or_default() += 1);
        }
        counts
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_that_turns_unhealthy_is_an_unexpected_status() {
        let container = sim::container("shop", "api", 1);
        let (id, name) = (container.id.clone(), container.name.clone());
        let sim = Arc::new(sim::Sim::new([container]));
        sim.health(&name, Health::Healthy);
        let work = ProbeWork::Health { containers: vec![id] };
        let counts = classes(sim, work, |sim| sim.health(&name, Health::Unhealthy)).await;
        assert_eq!(counts, [("ok", 50), ("unexpected status", 50)].into());
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_in_a_container_answers_by_code_and_output() {
        let container = sim::container("shop", "cache", 1);
        let (id, name) = (container.id.clone(), container.name.clone());
        let sim = Arc::new(sim::Sim::new([container]));
        sim.answers(&name, &["redis-cli", "ping"], 0, "PONG\n");
        let settings = ExecSettings {
            target: Some("cache".into()),
            command: vec!["redis-cli".into(), "ping".into()],
            exit: 0,
            content: Some(crate::load::Content::Contains("PONG".into())),
        };
        let work = ProbeWork::Exec { settings, containers: vec![id] };
        let counts = classes(sim, work, |sim| sim.crash(&name, 1)).await;
        assert_eq!(counts, [("ok", 50), ("refused", 50)].into());
    }
}
