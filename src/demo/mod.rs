//! The embedded system under test: a small web shop in four containers, made of nothing but this binary.
//!
//! ```text
//!   load -> front -> api-1 -> store
//!                 \> api-2 -/
//! ```
//!
//! The front checks both replicas every half second, leaves out the one that does not answer, and tries a request
//! a second time where that is safe. It is a real proxy with real weaknesses, so a drill against it has
//! something to find. The shop itself (`serve`) uses nothing of the runner; `stack` puts it on Docker.

mod api;
mod error;
mod front;
mod names;
mod peer;
mod serve;
mod stack;
pub mod stand_in;
mod store;

pub use error::DemoError;
pub use serve::{Role, serve};
pub use stack::{KEPT_PROJECT, LABEL, OWNER_LABEL, Owner, Shop, down, find, leftovers, up};
