//! The review: from findings to Markdown, HTML, JSON, JUnit and SVG. Pure: strings out, no clock, no environment.
//!
//! `rules` finds what is worth acting on, `action` is what is proposed; [`model::Review`] holds every word and figure;
//! `template` sets it as Markdown and HTML, `custom` in any other layout, `result` and `junit` for machines; `charts` draws; `explain` takes a figure
//! apart, `verify` computes all again; `lint` reads prose; `fenced` finds what in Markdown is code; `escape` makes text from outside harmless; `people` keeps what
//! people write; `write` puts the files into the run folder.

pub mod action;
pub mod charts;
pub mod custom;
pub mod escape;
pub mod explain;
mod fenced;
pub mod junit;
pub mod lint;
pub mod model;
pub mod people;
pub mod quantity;
pub mod result;
pub mod rules;
mod template;
pub mod verify;
mod write;

pub use template::{html, markdown};
pub use write::{Composed, FILES, Kept, compose, kept, put, texts, write_all};
