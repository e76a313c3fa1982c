//! The one integration binary: each extra one relinks everything.
#![expect(clippy::unwrap_used, reason = "a test that meets an error should fail there")]

mod actions;
mod binary;
mod demo;
mod docker;
mod doctor;
mod drill;
mod edits;
mod engine;
mod examples;
mod faults;
mod history;
mod hour;
mod keeper;
mod lint;
mod load;
mod names;
mod network;
mod packets;
mod page;
mod plan;
mod proof;
mod readme;
mod rebuild;
mod recover;
mod resources;
mod review;
mod rooms;
mod rules;
mod sample;
mod scenario;
mod second_daemon;
mod stack;
mod stage;
mod truth;
mod truth_outage;
