//! What containers printed, and what earlier runs came to: captured when a drill ends, so that its folder stands alone.

use super::drill::Drill;
use crate::{
    container::{Container, ContainerError},
    event::{Earlier, EventKind},
    journal::write,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, atomic::Ordering};

/// How much of one container's output is kept, in bytes.
const LOG_LIMIT: usize = 1_000_000;

impl Drill {
    /// Saves what targets and neighbours printed since the run began.
    pub(crate) async fn save_logs(self: &Arc<Self>) {
        let offset = SignedDuration::from_nanos(self.offset_ns.load(Ordering::Relaxed));
        let since = self.clock.started().checked_add(offset).unwrap_or(self.clock.started());
        for container in self.targets().into_iter().chain(&self.plan.neighbours) {
            if self.halt.hurried() {
                return;
            }
            tokio::select! {
                () = self.save_log(container, since) => {}
                () = self.halt.until_hurried() => return,
            }
        }
    }

    async fn save_log(&self, container: &Container, since: Timestamp) {
        let file = format!("logs/{}.log", container.name);
        let printed = match self.containers.logs(&container.id, since, LOG_LIMIT).await {
            Ok(printed) => printed,
            // Neighbours come and go; only a target's words are missed.
            Err(ContainerError::NotFound { .. }) if self.snapshot(&container.id).is_none() => return,
            Err(error) => {
                self.record.tell(EventKind::EvidenceLost { file, detail: error.to_string() });
                return;
            }
        };
        let cut = printed.len() >= LOG_LIMIT;
        let clean = self.record.mask().bytes(&printed);
        let saved = write::whole(&self.folder, &file, &clean);
        self.record.tell(match saved {
            Ok(()) => EventKind::LogsSaved { container: container.name.clone(), file, bytes: clean.len() as u64, cut },
            Err(loss) => EventKind::EvidenceLost { file: loss.file, detail: loss.detail },
        });
    }

    /// Tells what earlier runs came to.
    pub(crate) fn tell_history(&self, earlier: Earlier) {
        self.record.tell(EventKind::HistoryCaptured { earlier: earlier.runs, open: earlier.open });
    }
}
