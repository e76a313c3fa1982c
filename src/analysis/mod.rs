//! From the facts in a run folder to findings: windows, verdict, impact, recovery, figures.
//!
//! Pure apart from reading the folder's files. Nothing here knows the engine, Docker or the network: the same
//! folder gives the same findings for ever.
//!
//! ```text
//! journal -> faults (when effective, when removed) -> windows (the phases)
//! requests -> log -> series (five bytes a request) -> ticks (bad or not) -> edges -> impact
//! all of it -> criteria, doubts -> judge (the verdict); figures; story (the timeline)
//! ```

mod alerts;
mod analyse;
mod around;
mod bursts;
mod clocks;
pub mod compare;
mod criteria;
mod doubts;
mod edges;
mod evidence;
mod faults;
mod figure;
mod figures;
mod findings;
mod impact;
mod judge;
mod log;
mod packets;
mod places;
mod poisson;
mod probes;
mod series;
#[cfg(test)]
pub(crate) mod stage;
mod stats;
mod story;
#[cfg(test)]
mod tests;
mod ticks;
mod timeline;
mod verdict;
mod windows;

pub use alerts::{AlertEdge, AlertFindings, AlertOutcome, AlertRow};
pub use analyse::analyse;
pub use around::condition;
pub use bursts::LogBurst;
pub use evidence::*;
pub use figure::*;
pub use findings::*;
pub use judge::LOW_MARGIN;
pub use places::Place;
pub use probes::*;
pub use stats::rank;
pub use timeline::*;
pub use verdict::*;

use crate::journal::read::JournalError;

/// Why a run folder cannot be analysed at all. A journal that is merely cut or has holes can.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// There is no journal to speak of.
    #[error(transparent)]
    Journal(#[from] JournalError),
}
