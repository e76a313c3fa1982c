//! Numbers and stamps each fact, and hands it to the sinks in order.

use crate::{
    clock::{At, RunClock},
    event::{Event, EventKind, OnDisk, Sink},
    secrets::Mask,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long arming waits for the disk.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

/// Where every part of the engine tells what happened, without secrets. Copies tell into the same record.
#[derive(Clone)]
pub(crate) struct Record(Arc<Mutex<Pen>>);

struct Pen {
    clock: RunClock,
    next: u64,
    last: At,
    mask: Mask,
    sinks: Vec<Box<dyn Sink>>,
}

impl Record {
    /// A record whose next fact has the number `next`: 0 unless an earlier run is continued.
    pub(crate) fn new(clock: RunClock, next: u64, sinks: Vec<Box<dyn Sink>>) -> Record {
        Record(Arc::new(Mutex::new(Pen { clock, next, last: 0, mask: Mask::default(), sinks })))
    }

    /// Hides these values from now on, besides what is recognisably a secret.
    pub(crate) fn hide(&self, secrets: &[String]) {
        self.with(|pen| pen.mask = Mask::of(secrets));
    }

    /// What hides secrets in what is recorded elsewhere.
    pub(crate) fn mask(&self) -> Mask {
        self.with(|pen| pen.mask.clone())
    }

    /// Tells a fact, and says when that was. Sinks only take it over, so this never waits.
    pub(crate) fn tell(&self, kind: EventKind) -> At {
        self.with(|pen| pen.write(kind))
    }

    /// Tells facts and waits until they would outlive a power cut.
    ///
    /// # Errors
    /// Why they would not.
    pub(crate) async fn tell_durably(&self, kinds: Vec<EventKind>) -> Result<(), String> {
        for kind in kinds {
            self.tell(kind);
        }
        for answer in self.durable() {
            match tokio::time::timeout(DISK_PATIENCE, answer).await {
                Ok(Ok(done)) => done?,
                Ok(Err(_)) => return Err("the journal's thread is gone".into()),
                Err(_) => return Err(format!("the disk did not answer within {} s", DISK_PATIENCE.as_secs())),
            }
        }
        Ok(())
    }

    /// Asks all sinks that what was told so far outlive a power cut.
    pub(crate) fn durable(&self) -> Vec<OnDisk> {
        self.with(|pen| pen.sinks.iter_mut().filter_map(|sink| sink.make_durable()).collect())
    }

    /// Takes the sinks back, to close them; later facts go nowhere.
    pub(crate) fn finish(&self) -> Vec<Box<dyn Sink>> {
        self.with(|pen| std::mem::take(&mut pen.sinks))
    }

    fn with<T>(&self, write: impl FnOnce(&mut Pen) -> T) -> T {
        // A panic in a sink must not silence the others.
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pen {
    fn write(&mut self, kind: EventKind) -> At {
        let at = self.clock.now().max(self.last);
        let event = Event { seq: self.next, at, kind: self.mask.all(kind) };
        self.next += 1;
        self.last = at;
        for sink in &mut self.sinks {
            sink.accept(&event);
        }
        at
    }
}
