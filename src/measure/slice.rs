//! What one probe did in a tenth of a second: what load drivers deliver while they run.

use super::{ProbeId, Sample};
use crate::clock::At;
use std::sync::Arc;

/// Slices end on multiples of this, in nanoseconds of the run.
pub const SLICE_NS: u64 = 100_000_000;

/// What one probe did from one whole tenth of a second to another (the next one, unless we were held up).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Which probe.
    pub probe: ProbeId,
    /// Start, inclusive.
    pub from: At,
    /// End, exclusive.
    pub to: At,
    /// Requests that were due in it.
    pub offered: u64,
    /// Requests that ended in it, in the order in which they ended. They may have been due long before.
    pub samples: Arc<[Sample]>,
    /// Sent, and not ended, at its end.
    pub in_flight: u32,
    /// Due, and not sent, at its end.
    pub backlog: u64,
}
