//! **firedrill** breaks containers on purpose, measures the recovery, and drafts the review.
//!
//! Data flows one way. A scenario (`scenario`) and what runs in Docker now become a plan (`plan`);
//! the conductor (`engine`) turns the plan into facts, which the run folder keeps (`journal`).
//! Everything after that reads only the folder: `analysis` computes findings, `review` writes.

pub mod agent;
pub mod analysis;
pub mod cli;
pub mod clock;
pub mod container;
pub mod demo;
pub mod detect;
pub mod engine;
pub mod event;
pub mod fault;
pub mod history;
pub mod journal;
pub mod keeper;
pub mod load;
pub mod measure;
pub mod notify;
pub mod plan;
pub mod probe;
pub mod review;
pub mod scenario;
pub mod secrets;
pub mod units;
