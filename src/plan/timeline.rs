//! When each step holds its containers, so that overlaps can be counted. Intended times; t=0 is the gate.

use super::Step;
use crate::fault::Fault;
use std::time::Duration;

/// How long the engine lets a container end by itself unless told otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A stretch of time, both ends belonging to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Stretch {
    pub(super) fn holds(self, moment: Duration) -> bool {
        self.from <= moment && moment <= self.to
    }

    pub(super) fn overlaps(self, other: Stretch) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// When a step holds its containers: from its start to its undo, which is the end of the run if there is no
/// `for`. A restart holds what it restarts for as long as it may take.
pub(super) fn stretch(step: &Step) -> Stretch {
    let from = step.at.0;
    let length = match (&step.settings, step.length) {
        (_, Some(length)) => length.0,
        (Fault::Restart { one_by_one: Some(rolling), .. }, None) => {
            rolling.within.0 * u32::try_from(step.injections.len()).unwrap_or(u32::MAX)
        }
        (Fault::Restart { grace, .. }, None) => grace.map_or(DEFAULT_GRACE, |grace| grace.0),
        (settings, None) if settings.held() => Duration::MAX,
        _ => Duration::ZERO,
    };
    Stretch { from, to: from.saturating_add(length) }
}

/// How many of its containers a step takes away at once.
pub(super) fn at_once(step: &Step) -> usize {
    if step.one_by_one.is_some() { step.injections.len().min(1) } else { step.injections.len() }
}
