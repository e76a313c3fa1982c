//! Follows the load while it runs: for the gate, for the guards, and for whoever looks on.

use super::{drill::Drill, gate::Gate};
use crate::{
    event::{EventKind, UndoReason},
    measure::{Slice, SlidingGuard, Trip},
    units::Span,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::mpsc::UnboundedReceiver;

/// How often guards look whether the load has gone silent.
const SILENCE_STEP: Duration = Duration::from_millis(500);

/// Takes a copy of each slice; must not block.
pub type Onlooker = Box<dyn FnMut(&Slice) + Send>;

struct Watchman {
    position: usize,
    probe: usize,
    window: Span,
    guard: SlidingGuard,
    tripped: bool,
}

impl Drill {
    /// Takes slices until the load has ended.
    pub(crate) async fn follow(
        self: Arc<Self>,
        mut slices: UnboundedReceiver<Slice>,
        gate: Arc<Gate>,
        mut onlooker: Option<Onlooker>,
    ) {
        let mut watchmen = self.watchmen();
        let mut silence = tokio::time::interval(SILENCE_STEP);
        loop {
            tokio::select! {
                slice = slices.recv() => {
                    let Some(slice) = slice else { return };
                    gate.take(&slice);
                    self.guard(&mut watchmen, |watchman| watchman.take(&slice));
                    if let Some(onlooker) = &mut onlooker {
                        onlooker(&slice);
                    }
                }
                _ = silence.tick() => {
                    let now = self.clock.now();
                    self.guard(&mut watchmen, |watchman| watchman.guard.silent(now).then_some(Trip::NoData(watchman.window)));
                }
            }
        }
    }

    fn watchmen(&self) -> Vec<Watchman> {
        let terms = &self.plan.terms;
        let watchman = |(position, guard): (usize, &crate::event::Guard)| {
            let probe = terms.probes.iter().position(|probe| probe.name == guard.probe)?;
            Some(Watchman { position, probe, window: guard.window, guard: SlidingGuard::new(guard), tripped: false })
        };
        terms.guards.iter().enumerate().filter_map(watchman).collect()
    }

    /// Asks each guard; one that trips halts the drill, unless everything is undone already.
    fn guard(&self, watchmen: &mut [Watchman], ask: impl Fn(&mut Watchman) -> Option<Trip>) {
        for watchman in watchmen {
            let Some(trip) = ask(watchman).filter(|_| !watchman.tripped) else { continue };
            if self.load_over.load(Ordering::Relaxed) {
                continue;
            }
            watchman.tripped = true;
            let halts = !self.all_undone.load(Ordering::Relaxed) && self.halt.reason().is_none();
            let guard = watchman.position;
            self.record.tell(EventKind::GuardTripped { guard, measured: trip.to_string(), halts });
            if halts {
                let probe = &self.plan.terms.guards[guard].probe;
                self.halt.halt(UndoReason::Guard, format!("guard on {probe}: {trip}"));
            }
        }
    }
}

impl Watchman {
    fn take(&mut self, slice: &Slice) -> Option<Trip> {
        if usize::from(slice.probe) == self.probe { self.guard.take(slice) } else { None }
    }
}
