//! Open-loop load: sent on schedule, whatever the answers do.
//!
//! [`drive`] starts every probe of a plan. Each has a [`Schedule`]; request `i` is due at
//! `schedule.intended(i)` and belongs there, however late it is sent. HTTP runs on an OS thread of its own
//! (`http`); the slow probes (`crate::probe`) on the caller's runtime (`paced`); a simulation (`sim`)
//! stands in for all of them in tests of the engine.
//!
//! What comes of each request goes two ways, a tenth of a second at a time: to the request log
//! ([`RequestSink`]), and to the live tap as a [`Slice`]. Slices of one probe follow each other without
//! gap or overlap; their ends lie on whole tenths of a second of the run. Every request that was due
//! before the stop is in exactly one slice, at the latest its timeout after it was due.
//!
//! ```ignore
//! let (tap, mut slices) = tokio::sync::mpsc::unbounded_channel();
//! let schedules = load::schedules(&plan.probes, clock.now() + 50_000_000);
//! let driver = load::drive(&Load::Real, &plan.probes, &schedules, Context { clock, run, env, log: writer.sink(), tap, containers })?;
//! while let Some(slice) = slices.recv().await { /* measure::Tally, measure::SlidingGuard, ... */ }
//! let offered = driver.stop(clock.now()).await?; // what is in flight may still end; the tap closes afterwards
//! ```

pub(crate) mod connect;
mod content;
mod driver;
mod http;
mod paced;
mod pacer;
mod settings;
mod sim;
mod tap;
mod template;
mod thread;
mod timer;
pub(crate) mod tls;

pub use crate::measure::{SLICE_NS, Slice};
pub use content::{CONTENT_KEPT, Check};
pub use driver::{Context, Driver, Env, Load, LoadError, drive, schedules};
pub use pacer::{Job, Pacer};
pub use settings::*;
pub use sim::{Sim, scattered};
pub use template::{Template, Unset};
