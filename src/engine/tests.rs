//! Whole drills on tokio's paused clock: simulated load against simulated containers. Nothing real is awaited,
//! so minutes pass in milliseconds and every moment is exact.

mod alerts;
mod course;
mod packets;
mod trouble;

use super::{conductor::Pieces, *};
use crate::{
    clock::{At, RunClock},
    container::{
        Container, ContainerError, Op, State,
        sim::{self, Sim, Trouble},
    },
    detect,
    event::*,
    fault::Fault,
    journal::{RunFolder, read::tests::started},
    load::{self, Load},
    measure::Class,
    plan::{Plan, ProbePlan, ProbeWork, Step},
    units::{Percent, Rate, Span},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// A drill to be: containers of a shop, load at 100/s, phases of a few seconds.
struct Setting {
    sim: Sim,
    load: load::Sim,
    plan: Plan,
    alerts: detect::Source,
    stops: mpsc::UnboundedSender<String>,
    stopped: Option<mpsc::UnboundedReceiver<String>>,
    /// When somebody sets the wall clock, and by how much.
    wall_step: (At, i64),
    events: Kept,
    folder: tempfile::TempDir,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Event>>>);

impl Sink for Kept {
    fn accept(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn errors(at_most: f64) -> Limits {
    let limit = Limit { metric: Metric::Errors(Percent(at_most)), op: Comparison::AtMost };
    Limits { limits: vec![limit], ..Limits::default() }
}

/// Faults on `shop-api-1`: (fault, at, for) in milliseconds.
fn setting(faults: &[(Fault, u64, Option<u64>)]) -> Setting {
    let api = sim::container("shop", "api", 1);
    let step = |(fault, (settings, at, length)): (usize, &(Fault, u64, Option<u64>))| Step {
        fault,
        settings: settings.clone(),
        at: Span::millis(*at),
        length: length.map(Span::millis),
        injections: vec![settings.compile(&api).unwrap()],
        one_by_one: None,
    };
    let terms_of = |(settings, at, length): &(Fault, u64, Option<u64>)| FaultTerms {
        kind: settings.kind().into(),
        label: format!("{} api", settings.kind()),
        containers: vec![api.name.clone()],
        at: Span::millis(*at),
        length: length.map(Span::millis),
        held: settings.held(),
    };
    let mut terms = started().terms;
    terms.timing = Timing { warm_up: Span::secs(1), baseline: Span::secs(5), recovery: Span::secs(10) };
    terms.expect.baseline.insert("web".into(), errors(0.0));
    terms.probes = vec![ProbeTerms {
        name: "web".into(),
        kind: ProbeKind::Http,
        load: true,
        subject: "GET /".into(),
        rate: Rate(100.0),
        timeout: Span::secs(1),
        max_in_flight: 32,
        slo: None,
    }];
    terms.faults = faults.iter().map(terms_of).collect();
    let sim = Sim::new([api.clone(), sim::container("shop", "db", 1)]);
    let probe = ProbePlan {
        name: "web".into(),
        work: ProbeWork::Health { containers: vec![] },
        rate: Rate(100.0),
        timeout: Span::secs(1),
        max_in_flight: 32,
    };
    let plan = Plan {
        seed: 1,
        engine: crate::container::EngineInfo::clone(&engine_info()),
        terms,
        targets: [("api".to_owned(), vec![api.clone()])].into(),
        neighbours: vec![sim::container("shop", "db", 1)],
        choices: vec![],
        probes: vec![probe],
        steps: faults.iter().enumerate().map(step).collect(),
        detect: None,
        secrets: vec![],
        notes: vec![],
    };
    let (stops, stopped) = mpsc::unbounded_channel();
    let load = load::Sim::new(|_, index, _| (Class::Ok, load::scattered(index, MS, 5 * MS)));
    let folder = tempfile::tempdir().unwrap();
    let alerts = detect::Source::Real;
    Setting {
        sim,
        load,
        plan,
        alerts,
        stops,
        stopped: Some(stopped),
        wall_step: (0, 0),
        events: Kept::default(),
        folder,
    }
}

fn engine_info() -> crate::container::EngineInfo {
    crate::container::EngineInfo {
        id: sim::HOST.into(),
        name: "sim".into(),
        version: "1".into(),
        api: "1".into(),
        cgroup: 2,
        os: String::new(),
        kernel: String::new(),
        arch: String::new(),
        security: vec![],
        address: "sim://".into(),
    }
}

impl Setting {
    async fn run(&mut self) -> Ran {
        let (step_at, by_ns) = self.wall_step;
        let clock = RunClock::starting_at("2026-03-01T10:00:00Z".parse().unwrap()).stepping(step_at, by_ns);
        let folder = RunFolder(self.folder.path().join("run"));
        std::fs::create_dir_all(folder.logs()).unwrap();
        let pieces = Pieces { folder, clock, sinks: vec![Box::new(self.events.clone())] };
        let context = Context {
            containers: Arc::new(self.sim.clone()),
            load: Load::Sim(self.load.clone()),
            alerts: self.alerts.clone(),
            env: Arc::new(|_| None),
            onlooker: None,
            stops: self.stopped.take().unwrap(),
            place: None,
            earlier: Default::default(),
        };
        let outcome = Opened::in_memory(pieces, started()).conduct(self.plan.clone(), context).await;
        Ran { outcome, events: self.events.0.lock().unwrap().clone(), api: self.sim.find("shop-api-1") }
    }

    /// Runs, and does something that long after t=0.
    /// With something that happens so long after the gate.
    async fn run_and(
        &mut self,
        after: Duration,
        act: impl FnOnce(Sim, mpsc::UnboundedSender<String>) + Send + 'static,
    ) -> Ran {
        self.run_and_after(EventKind::GatePassed, after, act).await
    }

    async fn run_and_after(
        &mut self,
        moment: EventKind,
        after: Duration,
        act: impl FnOnce(Sim, mpsc::UnboundedSender<String>) + Send + 'static,
    ) -> Ran {
        let (events, sim, stops) = (self.events.clone(), self.sim.clone(), self.stops.clone());
        tokio::spawn(async move {
            while !events.0.lock().unwrap().iter().any(|event| event.kind == moment) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(after).await;
            act(sim, stops);
        });
        self.run().await
    }
}

struct Ran {
    outcome: Outcome,
    events: Vec<Event>,
    api: Option<Container>,
}

impl Ran {
    fn at(&self, wanted: impl Fn(&EventKind) -> bool) -> At {
        self.events.iter().find(|event| wanted(&event.kind)).unwrap_or_else(|| panic!("{:#?}", self.words())).at
    }

    fn has(&self, wanted: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| wanted(&event.kind))
    }

    fn state(&self) -> State {
        self.api.as_ref().unwrap().state
    }

    fn zero(&self) -> At {
        self.at(|kind| *kind == EventKind::GatePassed)
    }

    /// The story from t=0 on in short words with milliseconds, without what comes every second.
    fn words(&self) -> Vec<String> {
        let zero = self.events.iter().find(|event| event.kind == EventKind::GatePassed).map_or(0, |event| event.at);
        let word = |event: &Event| Some(format!("{} {}", event.at.checked_sub(zero)? / MS, word(&event.kind)?));
        self.events.iter().filter_map(word).collect()
    }

    fn operations(&self) -> Vec<String> {
        let of = |event: &Event| match &event.kind {
            EventKind::Operated(done) => Some(done.op.kind().to_owned()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

fn word(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::FaultRequested { fault, .. } => format!("fault {fault}"),
        EventKind::Operated(done) => done.op.kind().to_string(),
        EventKind::FaultChecked { fault, proven, .. } => format!("checked {fault} {proven}"),
        EventKind::FaultSkipped { fault, .. } => format!("skipped {fault}"),
        EventKind::FaultEnded { fault, by, .. } => format!("ended {fault} {by}"),
        EventKind::UndoRequested { fault, why, .. } => format!("undo {fault} {why:?}"),
        EventKind::UndoChecked { fault, proven, .. } => format!("undone {fault} {proven}"),
        EventKind::PhaseStarted(phase) => format!("{phase:?}"),
        EventKind::GuardTripped { halts, .. } => format!("guard {halts}"),
        EventKind::StopRequested { by } => format!("stop {by}"),
        EventKind::EngineLost { .. } => "lost".into(),
        EventKind::EngineBack => "back".into(),
        EventKind::RunEnded { complete } => format!("end {complete}"),
        _ => return None,
    })
}

impl Ran {
    fn performed_ops(&self) -> Vec<Op> {
        let of = |event: &Event| match &event.kind {
            EventKind::Operated(done) => Some(done.op.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}
