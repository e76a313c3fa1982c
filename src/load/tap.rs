//! Where slices go as soon as they are over.

use crate::{
    clock::At,
    journal::requests::RequestSink,
    measure::{SLICE_NS, Slice},
};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// Where slices go.
#[derive(Clone)]
pub(super) struct Outlet {
    pub log: RequestSink,
    pub tap: UnboundedSender<Slice>,
}

impl Outlet {
    /// Hands a slice to the log and to the tap. Neither blocks.
    pub fn hand_over(&self, slice: Slice) {
        self.log.push(slice.probe, Arc::clone(&slice.samples));
        // Nobody may be listening any more; the log has it.
        let _ = self.tap.send(slice);
    }
}

/// The first end of a slice after this moment.
pub(super) fn next_slice_end(now: At) -> At {
    (now / SLICE_NS + 1) * SLICE_NS
}
