//! What monitoring says of the drill: the alert source is asked from the warm-up to the end, and each answer told.
//!
//! A source that cannot be read before anything is broken ends the drill there: its hypothesis could not be judged. One
//! that is lost later is told as lost, and the drill goes on.

use super::{drill::Drill, inbox::clean};
use crate::{
    detect::{Ask, ReadError, Reading, Tracker},
    event::{AlertChanged, AlertLabels, AlertState, EventKind},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::MissedTickBehavior};

/// How many labels of an alert are kept, ...
const LABELS: usize = 32;
/// ... and how many characters of each and of an error.
const LONGEST: usize = 200;

/// The alert source of a drill.
pub(crate) struct Alerts {
    ask: Ask,
    /// Rings when it has answered for the first time.
    found: Notify,
}

impl Alerts {
    /// Nothing is asked yet.
    pub(crate) fn new(ask: Ask) -> Alerts {
        Alerts { ask, found: Notify::new() }
    }
}

impl Drill {
    /// Asks the alert source for the first time, if there is one.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) async fn find_alerts(&self) -> Result<(), String> {
        let (Some(alerts), Some(terms)) = (&self.alerts, &self.plan.terms.detect) else { return Ok(()) };
        match alerts.ask.ask(&self.clock).await {
            Ok(_) => {
                alerts.found.notify_one();
                Ok(())
            }
            Err(error) => {
                let why = self.fit(&error.to_string());
                Err(format!("the alert source, {} at {}, cannot be read: {why}", terms.source, terms.url))
            }
        }
    }

    /// Asks again and again, from the first answer until the drill ends.
    pub(crate) async fn watch_alerts(self: Arc<Self>) {
        let (Some(alerts), Some(terms)) = (&self.alerts, &self.plan.terms.detect) else { return };
        alerts.found.notified().await;
        let mut ticks = tokio::time::interval(terms.every.0.max(Duration::from_millis(100)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut tracker, mut lost) = (Tracker::default(), false);
        loop {
            ticks.tick().await;
            match alerts.ask.ask(&self.clock).await {
                Ok(reading) => {
                    if std::mem::take(&mut lost) {
                        self.record.tell(EventKind::AlertSourceBack);
                    }
                    self.tell_reading(&reading, &mut tracker);
                }
                Err(error) => lost = self.lose_alerts(&error, lost),
            }
        }
    }

    fn tell_reading(&self, reading: &Reading, tracker: &mut Tracker) {
        let changes = tracker.take(reading);
        let count = |state| reading.alerts.iter().filter(|alert| alert.state == state).count() as u32;
        self.record.tell(EventKind::AlertsRead {
            sent: reading.sent,
            clock_ns: reading.clock_ns,
            pending: count(AlertState::Pending),
            firing: count(AlertState::Firing),
        });
        for change in changes {
            let labels = self.fit_labels(change.labels);
            self.record.tell(EventKind::AlertChanged(AlertChanged { labels, ..change }));
        }
    }

    /// Told once; true from then on.
    fn lose_alerts(&self, error: &ReadError, lost: bool) -> bool {
        if !lost {
            let detail = self.fit(&error.to_string());
            self.record.tell(EventKind::AlertSourceLost { detail });
        }
        true
    }

    /// Labels come from outside: they are bounded and printable.
    fn fit_labels(&self, labels: AlertLabels) -> AlertLabels {
        labels.into_iter().take(LABELS).map(|(name, value)| (self.fit(&name), self.fit(&value))).collect()
    }

    fn fit(&self, text: &str) -> String {
        clean(&text.chars().take(LONGEST).collect::<String>())
    }
}
