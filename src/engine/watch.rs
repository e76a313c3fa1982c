//! What the engine sees happen, and what containers use, while a drill runs.

use super::{drill::Drill, ledger::Life};
use crate::{
    container::{Container, EngineEvent, Op, Watch},
    event::EventKind,
};
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::MissedTickBehavior};

/// How far the wall may leave the monotonic clock before it counts as stepped.
const STEP_NS: i64 = 250_000_000;
/// Usage of more containers is not sampled: on a crowded host the questions themselves would be load.
const SAMPLED: usize = 32;
/// How often the engine's clock is compared with ours, in seconds.
const COMPARE_EVERY: u64 = 60;

impl Drill {
    /// Tells what happens to targets and neighbours; `stirred` rings when it is a target, `moved` when anybody that
    /// may be an other end of a packet fault starts or ends.
    pub(crate) async fn watch_events(self: Arc<Self>, stirred: Arc<Notify>, moved: Arc<Notify>) {
        let mut watch = self.containers.watch();
        let watched = Watched::of(&self);
        while let Some(seen) = watch.recv().await {
            match seen {
                Watch::Event(event) => {
                    if matches!(event.action.as_str(), "start" | "die" | "destroy") {
                        moved.notify_one();
                    }
                    if let Some(target) = watched.target(&event) {
                        self.record.tell(EventKind::ContainerChanged { target, event });
                        if target {
                            stirred.notify_one();
                        }
                    }
                }
                Watch::Lost(detail) => drop(self.record.tell(EventKind::EngineLost { detail })),
                Watch::Back => {
                    self.record.tell(EventKind::EngineBack);
                    stirred.notify_one();
                    moved.notify_one();
                }
            }
        }
    }

    /// Samples usage each second, and compares clocks each minute.
    pub(crate) async fn sample(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut stepped = 0;
        for second in 0_u64.. {
            ticks.tick().await;
            stepped = self.compare_wall(stepped);
            self.sample_usage().await;
            self.sample_work();
            if second > 0 && second.is_multiple_of(COMPARE_EVERY) {
                // An engine that does not answer is told of by its event stream.
                let _ = self.compare_clocks().await;
            }
        }
    }

    /// What the agents of faults that are on have come to.
    fn sample_work(&self) {
        for entry in self.ledger.snapshot().iter().filter(|entry| entry.life == Life::Active) {
            let injection = &entry.injection;
            let measured = injection.undo.iter().find_map(|op| match op {
                Op::End { work } => self.containers.figures(&injection.on, work),
                _ => None,
            });
            if let Some(figures) = measured {
                let container = injection.name.clone();
                self.record.tell(EventKind::WorkMeasured { fault: entry.fault, container, figures });
            }
        }
    }

    async fn sample_usage(&self) {
        let containers = self.targets().into_iter().chain(&self.plan.neighbours).take(SAMPLED);
        let asked = containers
            .map(|container| async move { (container.name.clone(), self.containers.usage(&container.id).await) });
        for (container, usage) in join_all(asked).await {
            if let Ok(usage) = usage {
                self.record.tell(EventKind::UsageSampled { container, usage });
            }
        }
    }

    /// Tells when somebody set our wall clock; returns how far it is off by now.
    fn compare_wall(&self, known: i64) -> i64 {
        let now = self.clock.now();
        let off = self.clock.wall_really().as_nanosecond() - self.clock.wall(now).as_nanosecond();
        let off = i64::try_from(off).unwrap_or(i64::MAX);
        if off.abs_diff(known) < STEP_NS.unsigned_abs() {
            return known;
        }
        self.record.tell(EventKind::WallClockStepped { by_ns: off });
        off
    }
}

/// Which containers matter: by id, and by name for those that were made anew.
struct Watched {
    by_id: BTreeMap<String, bool>,
    targets: BTreeSet<String>,
    neighbours: BTreeSet<String>,
}

impl Watched {
    fn of(drill: &Drill) -> Watched {
        let (targets, neighbours) = (drill.targets(), &drill.plan.neighbours);
        let names = |list: &[&Container]| list.iter().map(|container| container.name.clone()).collect();
        let neighbours: Vec<&Container> = neighbours.iter().collect();
        let ids = |list: &[&Container], target| list.iter().map(|c| (c.id.id.clone(), target)).collect::<Vec<_>>();
        Watched {
            by_id: ids(&neighbours, false).into_iter().chain(ids(&targets, true)).collect(),
            targets: names(&targets),
            neighbours: names(&neighbours),
        }
    }

    /// Whether the event is about a target; `None` if about nobody we know.
    fn target(&self, event: &EngineEvent) -> Option<bool> {
        // Commands of our own in containers would fill the journal.
        if event.action.starts_with("exec_") {
            return None;
        }
        let by_name = || match () {
            () if self.targets.contains(&event.name) => Some(true),
            () if self.neighbours.contains(&event.name) => Some(false),
            () => None,
        };
        self.by_id.get(&event.id).copied().or_else(by_name)
    }
}
