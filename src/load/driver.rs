//! Starts the probes of a plan and stops them.

use super::{
    paced,
    sim::{self, Sim},
    tap::Outlet,
    thread,
};
use crate::{
    clock::{At, RunClock},
    container::Containers,
    journal::requests::RequestSink,
    measure::{ProbeId, Schedule, Slice},
    plan::ProbePlan,
    probe,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{
    sync::{mpsc::UnboundedSender, oneshot, watch},
    task::JoinHandle,
};

/// What sends the load.
#[derive(Debug, Clone)]
pub enum Load {
    /// Real requests to real peers.
    Real,
    /// None at all: a pure function says how each request ends.
    Sim(Sim),
}

/// Looks up an environment variable.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What all probes of a run share.
#[derive(Clone)]
pub struct Context {
    /// The clock of the run.
    pub clock: RunClock,
    /// The run's id: `${run}`.
    pub run: String,
    /// Fills in `${env:NAME}`.
    pub env: Env,
    /// The request log.
    pub log: RequestSink,
    /// Gets a [`Slice`] per probe and tenth of a second; closed when all probes have ended.
    pub tap: UnboundedSender<Slice>,
    /// For probes that ask containers; without it those are refused.
    pub containers: Option<Arc<dyn Containers>>,
}

/// Why load cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A setting of a probe makes no request.
    #[error("probe `{probe}`: {what}")]
    Settings {
        /// Its name.
        probe: String,
        /// What is wrong; never holds a secret.
        what: String,
    },
    /// The system refused a thread, a timer, ...
    #[error("load driver: {0}")]
    System(String),
    /// The driver ended by itself: a bug.
    #[error("the load driver died: {0}")]
    Died(String),
}

/// One probe with its schedule.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub probe: ProbeId,
    pub plan: ProbePlan,
    pub schedule: Schedule,
}

/// Schedules for all probes of a plan. The first request of each is due at `first_at` or shortly after:
/// probes are spread over one interval, so that they do not beat in step.
pub fn schedules(probes: &[ProbePlan], first_at: At) -> BTreeMap<ProbeId, Schedule> {
    let count = probes.len().max(1) as u64;
    let schedule = |(position, probe): (usize, &ProbePlan)| {
        let interval_ns = (probe.rate.interval_ns().round() as u64).max(1);
        let offset = interval_ns.min(1_000_000_000) / count * position as u64;
        (position as ProbeId, Schedule { first_at: first_at + offset, interval_ns })
    };
    probes.iter().enumerate().map(schedule).collect()
}

/// The running probes. Dropping it ends them at once, without waiting for answers.
#[derive(Debug)]
pub struct Driver {
    stop: watch::Sender<At>,
    running: Vec<(Vec<ProbeId>, Running)>,
}

/// Each ends with the number of requests that its probes were due to send.
#[derive(Debug)]
enum Running {
    Task(JoinHandle<Vec<u64>>),
    Thread(oneshot::Receiver<Vec<u64>>),
}

/// Starts all probes: probe `i` of `probes` with the schedule `schedules[i]`. Returns at once; call it
/// inside a tokio runtime.
///
/// # Errors
/// If the settings of a probe make no request, or the system refuses what a driver needs.
pub fn drive(
    load: &Load,
    probes: &[ProbePlan],
    schedules: &BTreeMap<ProbeId, Schedule>,
    context: Context,
) -> Result<Driver, LoadError> {
    let (stop, stopped) = watch::channel(At::MAX);
    let outlet = Outlet { log: context.log.clone(), tap: context.tap.clone() };
    let lanes: Vec<Lane> = schedules
        .iter()
        .filter_map(|(&probe, &schedule)| Some(Lane { probe, plan: probes.get(usize::from(probe))?.clone(), schedule }))
        .collect();
    let mut running = Vec::new();
    match load {
        Load::Sim(sim) => {
            let ids = ids(&lanes);
            let task = tokio::spawn(sim::run(sim.clone(), lanes, context.clock, outlet, stopped));
            running.push((ids, Running::Task(task)));
        }
        Load::Real => {
            let mut fast = Vec::new();
            let mut slow = Vec::new();
            for lane in lanes {
                let wrong = |what| LoadError::Settings { probe: lane.plan.name.clone(), what };
                match probe::new(&lane.plan, &context).map_err(wrong)? {
                    Some(probe) => slow.push((lane, probe)),
                    None => fast.push(lane),
                }
            }
            if !fast.is_empty() {
                let thread = thread::start(&fast, &context, outlet.clone(), stopped.clone())?;
                running.push((ids(&fast), Running::Thread(thread)));
            }
            for (lane, probe) in slow {
                let id = lane.probe;
                let task = tokio::spawn(paced::run(lane, probe, context.clock, outlet.clone(), stopped.clone()));
                running.push((vec![id], Running::Task(task)));
            }
        }
    }
    Ok(Driver { stop, running })
}

fn ids(lanes: &[Lane]) -> Vec<ProbeId> {
    lanes.iter().map(|lane| lane.probe).collect()
}

impl Driver {
    /// Sends nothing that is due at or after `at` and waits until every request has ended: at most the
    /// longest timeout. Returns how many requests each probe was due to send.
    ///
    /// # Errors
    /// If a driver died.
    pub async fn stop(self, at: At) -> Result<BTreeMap<ProbeId, u64>, LoadError> {
        self.stop.send_replace(at);
        let mut offered = BTreeMap::new();
        for (probes, running) in self.running {
            let counts = match running {
                Running::Task(task) => task.await.map_err(|e| LoadError::Died(e.to_string()))?,
                Running::Thread(done) => done.await.map_err(|e| LoadError::Died(e.to_string()))?,
            };
            offered.extend(probes.into_iter().zip(counts));
        }
        Ok(offered)
    }
}
