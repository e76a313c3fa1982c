//! A made-up drill for tests, written by the real writers: load on one or two probes, one pause of ten seconds.
//!
//! ```text
//! 0 s    load, warm-up      10 s  gate passes, pause due (answered 8 ms later)
//! 1 s    baseline           20 s  undo due (answered 6 ms later), recovery until 40 s
//! ```

use super::{Findings, analyse};
use crate::{
    clock::At,
    container::{ContainerId, EngineEvent, Op, OpOutcome, sim},
    event::*,
    journal::{RunFolder, read::tests::started, requests::RequestWriter, write::JournalSink},
    measure::{Class, Sample, Schedule},
    units::{Percent, Rate, Span},
};
use std::collections::BTreeMap;

pub const MS: u64 = 1_000_000;
pub const S: u64 = 1_000 * MS;

/// When the gate passes and the fault is due; when its undo is due; when the run is over.
pub const T0: At = 10 * S;
pub const UNDO: At = 20 * S;
pub const OVER: At = 40 * S;
/// How long the engine takes.
pub const PAUSING: u64 = 8 * MS;
pub const THAWING: u64 = 6 * MS;
/// The engine's lead over our clock.
const LEAD: i64 = 1_500_000;

type Rule = Box<dyn Fn(u64, At) -> Option<Sample>>;

/// A drill to be written and analysed.
pub struct Stage {
    pub run: RunStarted,
    pub events: Vec<(At, EventKind)>,
    loads: Vec<Rule>,
    pub folder: tempfile::TempDir,
}

/// A request that was sent on time.
pub fn ended(index: u64, class: Class, service_ns: u64) -> Option<Sample> {
    Some(Sample { index, class, lateness_ns: 0, waited_ns: 0, service_ns })
}

pub fn errors(at_most: f64) -> Limit {
    Limit { metric: Metric::Errors(Percent(at_most)), op: Comparison::AtMost }
}

pub fn p99(ms: u64) -> Limit {
    Limit { metric: Metric::Latency { quantile: 0.99, bound: Span::millis(ms) }, op: Comparison::AtMost }
}

pub fn limits(limits: &[Limit]) -> Limits {
    Limits { limits: limits.to_vec(), ..Limits::default() }
}

fn api() -> crate::container::Container {
    sim::container("shop", "api", 1)
}

pub const API: &str = "shop-api-1";
pub const DB: &str = "shop-db-1";

impl Stage {
    /// Held: nobody notices the pause. `web` at 200/s promises `errors <= 1 %` in all phases and `p99 <= 100 ms`
    /// in the recovery, within 5 s, stable for 3 s.
    pub fn new() -> Stage {
        let mut run = started();
        run.terms.timing = Timing { warm_up: Span::secs(1), baseline: Span::secs(9), recovery: Span::secs(20) };
        run.terms.faults = vec![FaultTerms {
            kind: "pause".into(),
            label: "pause api".into(),
            containers: vec![],
            at: Span::ZERO,
            length: Some(Span::secs(10)),
            held: true,
        }];
        let mut stage =
            Stage { run, events: Vec::new(), loads: Vec::new(), folder: tempfile::tempdir().expect("a folder") };
        stage.load("web", 200.0, |index, _| ended(index, Class::Ok, 5 * MS));
        let expect = &mut stage.run.terms.expect;
        expect.baseline.insert("web".into(), limits(&[errors(0.01)]));
        expect.during.insert("web".into(), limits(&[errors(0.01)]));
        let (within, stable_for) = (Some(Span::secs(5)), Some(Span::secs(3)));
        expect.recovery.insert("web".into(), Limits { within, stable_for, ..limits(&[errors(0.01), p99(100)]) });
        stage.script();
        stage
    }

    /// Adds a probe, or replaces the one of that name.
    pub fn load(&mut self, name: &str, rate: f64, rule: impl Fn(u64, At) -> Option<Sample> + 'static) {
        let terms = ProbeTerms {
            name: name.into(),
            kind: ProbeKind::Http,
            load: true,
            subject: format!("GET http://{name}/"),
            rate: Rate(rate),
            timeout: Span::secs(2),
            max_in_flight: 256,
            slo: None,
        };
        let probes = &mut self.run.terms.probes;
        match probes.iter().position(|p| p.name == name) {
            Some(at) => (probes[at], self.loads[at]) = (terms, Box::new(rule)),
            None => {
                probes.push(terms);
                self.loads.push(Box::new(rule));
            }
        }
    }

    /// How `web` answers: class and response time by intended time.
    pub fn web(&mut self, rule: impl Fn(At) -> (Class, u64) + 'static) {
        self.load("web", 200.0, move |index, at| {
            let (class, service) = rule(at);
            ended(index, class, service)
        });
    }

    fn script(&mut self) {
        let on = api();
        let operated = |undo, op, sent, took| {
            let outcome = Ok(OpOutcome::Done);
            let container = on.name.clone();
            EventKind::Operated(Operated {
                fault: 0,
                undo,
                on: on.id.clone(),
                container,
                op,
                sent,
                answered: sent + took,
                outcome,
            })
        };
        self.tell(0, EventKind::PhaseStarted(Phase::Preflight));
        self.tell(MS, EventKind::ClockCompared { offset_ns: LEAD, rtt_ns: 400_000 });
        self.tell(
            2 * MS,
            EventKind::TargetsResolved {
                targets: [("api".to_owned(), vec![on.clone()])].into(),
                neighbours: vec![sim::container("shop", "db", 1)],
                choices: vec!["api: 1 of 1".into()],
            },
        );
        let injection = crate::fault::Fault::Pause.compile(&on).expect("a pause compiles");
        self.tell(3 * MS, EventKind::UndoRecorded { fault: 0, injections: vec![injection] });
        self.tell(50 * MS, EventKind::PhaseStarted(Phase::WarmUp));
        self.tell(S, EventKind::PhaseStarted(Phase::Baseline));
        self.tell(T0 - 1, EventKind::BaselineJudged { attempt: 1, from: S, to: T0 - 1, met: true, readings: vec![] });
        self.tell(T0, EventKind::GatePassed);
        self.tell(T0 + 1, EventKind::FaultRequested { fault: 0, intended: T0 });
        self.engine(T0 + PAUSING, &on.id, API, "pause", None, true);
        self.tell(T0 + PAUSING + MS, operated(false, Op::Pause, T0 + MS, PAUSING));
        self.tell(T0 + PAUSING + MS, EventKind::PhaseStarted(Phase::During));
        self.tell(T0 + 20 * MS, checked(true));
        self.tell(UNDO, EventKind::UndoRequested { fault: 0, intended: Some(UNDO), why: UndoReason::Due });
        self.engine(UNDO + THAWING, &on.id, API, "unpause", None, true);
        self.tell(UNDO + THAWING + MS, operated(true, Op::Unpause, UNDO + MS, THAWING));
        self.tell(UNDO + 20 * MS, undo_checked(true, vec![]));
        self.tell(UNDO + 21 * MS, EventKind::PhaseStarted(Phase::Recovery));
        self.tell(OVER + 21 * MS, EventKind::PhaseStarted(Phase::Report));
        self.tell(OVER + 30 * MS, EventKind::CleanedUp { left: vec![] });
        self.tell(OVER + 31 * MS, EventKind::RunEnded { complete: true });
    }

    /// Adds a fact.
    pub fn tell(&mut self, at: At, kind: EventKind) {
        self.events.push((at, kind));
    }

    /// Adds something that the engine saw, stamped on its own clock.
    pub fn engine(&mut self, at: At, id: &ContainerId, name: &str, action: &str, exit_code: Option<i64>, target: bool) {
        let started = i64::try_from(self.run.started.as_nanosecond()).expect("this century");
        let time_ns = started + i64::try_from(at).expect("a short run") + LEAD;
        let (id, name, action) = (id.id.clone(), name.to_owned(), action.to_owned());
        let event = EngineEvent { id, name, action, exit_code, time_ns };
        self.tell(at + MS / 2, EventKind::ContainerChanged { target, event });
    }

    /// Removes facts.
    pub fn forget(&mut self, unwanted: impl Fn(&EventKind) -> bool) {
        self.events.retain(|(_, kind)| !unwanted(kind));
    }

    /// Changes facts.
    pub fn change(&mut self, change: impl Fn(&mut At, &mut EventKind)) {
        self.events.iter_mut().for_each(|(at, kind)| change(at, kind));
    }

    /// The journal ends here.
    pub fn cut(&mut self, at: At) {
        self.events.retain(|(when, _)| *when < at);
    }

    pub fn run_folder(&self) -> RunFolder {
        RunFolder(self.folder.path().to_owned())
    }

    /// Writes the folder.
    pub fn write(&self) -> RunFolder {
        let folder = self.run_folder();
        std::fs::create_dir_all(folder.logs()).expect("a folder");
        std::fs::write(folder.scenario(), "scenario: quiet\n").expect("a file");
        let end = self.write_journal(&folder);
        self.write_requests(&folder, end);
        folder
    }

    fn schedule(rate: f64) -> Schedule {
        Schedule { first_at: 60 * MS, interval_ns: (1e9 / rate) as u64 }
    }

    fn write_journal(&self, folder: &RunFolder) -> At {
        let mut events = self.events.clone();
        let rates = self.run.terms.probes.iter().map(|p| p.rate.0).enumerate();
        let schedules: BTreeMap<_, _> = rates.map(|(id, rate)| (id as u16, Self::schedule(rate))).collect();
        events.push((50 * MS, EventKind::LoadStarted { schedules }));
        events.push((0, EventKind::RunStarted(Box::new(self.run.clone()))));
        events.sort_by_key(|(at, kind)| (*at, !matches!(kind, EventKind::RunStarted(_))));
        let (losses, _told) = tokio::sync::mpsc::unbounded_channel();
        let mut sink = JournalSink::create(folder, losses).expect("a journal");
        for (seq, (at, kind)) in events.iter().enumerate() {
            sink.accept(&Event { seq: seq as u64, at: *at, kind: kind.clone() });
        }
        drop(sink);
        let over = |kind: &EventKind| matches!(kind, EventKind::PhaseStarted(Phase::Report) | EventKind::NotStarted(_));
        events.iter().find(|(_, kind)| over(kind)).or(events.last()).map_or(0, |(at, _)| *at)
    }

    fn write_requests(&self, folder: &RunFolder, end: At) {
        let log = RequestWriter::create(&folder.requests()).expect("a log");
        let sink = log.sink();
        for (id, (probe, rule)) in self.run.terms.probes.iter().zip(&self.loads).enumerate() {
            let schedule = Self::schedule(probe.rate.0);
            let mut samples: Vec<Sample> =
                (0..schedule.due_before(end)).filter_map(|index| rule(index, schedule.intended(index))).collect();
            samples.sort_by_key(|s| schedule.intended(s.index) + s.response_ns());
            samples.chunks(1_000).for_each(|some| sink.push(id as u16, some.into()));
        }
        log.finish().expect("written");
    }

    /// Writes and analyses.
    pub fn analyse(&self) -> Findings {
        analyse(&self.write()).expect("findings")
    }
}

pub fn checked(proven: bool) -> EventKind {
    let seen = if proven { "paused" } else { "running" }.into();
    EventKind::FaultChecked { fault: 0, container: API.into(), proven, seen }
}

pub fn undo_checked(proven: bool, differences: Vec<Difference>) -> EventKind {
    EventKind::UndoChecked { fault: 0, container: API.into(), proven, differences }
}

/// What a frozen server does to requests.
pub fn frozen(from: At, to: At) -> impl Fn(At) -> (Class, u64) {
    move |at| {
        let (service, timeout) = (5 * MS, 2 * S);
        match at {
            _ if at + service <= from || at >= to => (Class::Ok, service),
            _ if to - at + service > timeout => (Class::Timeout, timeout),
            _ => (Class::Ok, to - at + service),
        }
    }
}
