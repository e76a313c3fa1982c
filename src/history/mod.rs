//! All runs together: what a folder of reports tells that one review cannot.
//!
//! The store is the folder itself, kept in git by whoever wants it kept: each run's `result.json` for figures, each
//! run's `review.md` for what people decided. [`index`] reads them; its cache only saves time and may be deleted at
//! any moment. Nothing here computes a mean over runs: durations of incidents are skewed, so every run stays a row,
//! or a dot.

pub mod followup;
pub mod index;
pub mod owed;
mod past;
pub mod report;
mod result;
mod scan;
pub mod words;

pub use index::{Reports, read};
pub use past::{Figures, Measured, Past, Seen, Summary};
