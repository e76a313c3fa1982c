//! What people write into a review, and how it is kept.
//!
//! `review.md` is for people to edit; `review.base.md` is what was generated last. What differs between the two is
//! theirs. `sections` takes a text apart at its headings, `merge` brings a new draft and people's text together,
//! `front` does so for the front matter, `written` finds what is theirs, `render` sets it as harmless HTML, `standing` reads and moves the status, `open` lists
//! what still waits for somebody, and `witness` asks whether the run that is said to have verified an item did.

pub mod front;
pub mod merge;
pub mod open;
mod render;
mod sections;
pub mod standing;
mod witness;
mod written;

pub use render::html;
pub use sections::{Section, split};
pub use standing::{Standing, Status};
pub use written::{Written, changes, written};

/// The file that people edit.
pub const REVIEW: &str = "review.md";
/// What was generated last, to tell people's text from ours.
pub const BASE: &str = "review.base.md";

/// A text as all of this reads it, whatever editor it went through: no byte order mark, lines that end with `\n` only.
pub fn tidy(text: &str) -> String {
    let mut tidy = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if !tidy.is_empty() && !tidy.ends_with('\n') {
        tidy.push('\n');
    }
    tidy
}
