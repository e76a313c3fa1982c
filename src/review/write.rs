//! From findings to the files of a run folder, each written whole or not at all. What people wrote into `review.md`
//! stays there.

use super::{
    junit,
    model::Review,
    people::{
        self, BASE, REVIEW, Standing,
        merge::{self, Conflict},
        standing::Unreadable,
    },
    result, template,
};
use crate::{analysis::Findings, journal::RunFolder};
use std::{fs, io, io::Write, path::Path};

/// The names of the files that a review consists of, in the order in which they are written.
pub const FILES: [&str; 4] = ["result.json", "junit.xml", REVIEW, "review.html"];

/// A text of a review that is larger than this is none, bytes.
const MAX_TEXT: u64 = 64 << 20;

/// What of a review is in the folder already.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// `review.md`, as people left it.
    pub review: Option<String>,
    /// `review.base.md`: what was generated last.
    pub base: Option<String>,
}

/// A review, and what became of people's text.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The texts of [`FILES`], in that order.
    pub texts: [String; 4],
    /// What is generated for `review.md`: the next `review.base.md`.
    pub generated: String,
    /// Where people and the new draft changed the same lines.
    pub conflicts: Vec<Conflict>,
    /// Nobody knows what was generated last, so `review.md` is left as it is.
    pub without_base: bool,
    /// What all of this shows, for other layouts.
    pub review: Review,
}

/// The texts of a review that nobody has edited, by file name. Pure: the same findings give the same bytes.
pub fn texts(findings: &Findings) -> [(&'static str, String); 4] {
    let draft = Review::of(findings);
    let texts = [
        result::json(findings, &draft),
        junit::one(findings, &draft),
        template::markdown(&draft),
        template::html(&draft),
    ];
    let mut names = FILES.into_iter();
    texts.map(|text| (names.next().unwrap_or_default(), text))
}

/// The texts of a review with what people wrote. Pure.
///
/// # Errors
/// If the front matter says something that cannot be understood.
pub fn compose(findings: &Findings, kept: &Kept) -> Result<Composed, Unreadable> {
    let draft = Standing::of(findings);
    let edited = kept.review.as_deref().map(people::tidy);
    let standing = edited.as_deref().map_or(Ok(draft.clone()), |text| Standing::read(text, &draft))?;
    let review = Review::of(findings).standing(standing);
    let generated = template::markdown(&review);
    let text = match (&edited, &kept.base) {
        (None, _) => generated.clone(),
        (Some(edited), Some(base)) => merge::merge(&people::tidy(base), edited, &generated),
        (Some(edited), None) => edited.clone(),
    };
    // What machines read depends on the run alone.
    let (result, junit) = (result::json(findings, &review), junit::one(findings, &review));
    let without_base = kept.base.is_none() && text != generated;
    let conflicts = merge::conflicts(&text);
    let review = if text == generated { review } else { review.with_people(&generated, &text) };
    let html = template::html(&review);
    Ok(Composed { texts: [result, junit, text, html], generated, conflicts, without_base, review })
}

/// Writes the review into the folder of its run, and keeps what people wrote.
///
/// # Errors
/// What the system says if a file cannot be read or written, and what is wrong with a `review.md` that cannot be
/// understood; files written before that are whole.
pub fn write_all(folder: &RunFolder, findings: &Findings) -> io::Result<Composed> {
    let composed = compose(findings, &kept(folder)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    let [result, junit, review, html] = &composed.texts;
    // The text before its base: between the two, both sides have made the same change, and nothing is lost.
    for (name, text) in
        [(FILES[0], result), (FILES[1], junit), (REVIEW, review), (BASE, &composed.generated), (FILES[3], html)]
    {
        put(folder.path(), name, text)?;
    }
    Ok(composed)
}

/// What of a review is in a folder.
///
/// # Errors
/// If a file is there and cannot be read, or is no text.
pub fn kept(folder: &RunFolder) -> io::Result<Kept> {
    Ok(Kept { review: text(folder.path(), REVIEW)?, base: text(folder.path(), BASE)? })
}

fn text(folder: &Path, name: &str) -> io::Result<Option<String>> {
    let path = folder.join(name);
    let wrong = |kind, says: &str| io::Error::new(kind, format!("{} {says}", path.display()));
    let no_text = |says: &str| wrong(io::ErrorKind::InvalidData, &format!("{says}; it is left as it is: move it away"));
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(file) if !file.is_file() => return Err(no_text("is no file")),
        Ok(file) if file.len() > MAX_TEXT => return Err(no_text("is larger than any review")),
        _ => {}
    }
    let bytes = fs::read(&path).map_err(|error| wrong(error.kind(), &format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| no_text("is not UTF-8 text"))?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// A file under its name only when all of it is written: a reader never meets half of it.
///
/// # Errors
/// What the system says; the file is then as it was.
pub fn put(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let half = folder.join(format!(".{name}.new"));
    let write = || {
        let mut file = fs::File::create(&half)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&half, folder.join(name))
    };
    write().map_err(|error| {
        // The error that matters is the one at hand.
        let _ = fs::remove_file(&half);
        let path = folder.join(name);
        let says = format!(
            "{} cannot be written: {error}; it is as it was, and its folder has to be writable",
            path.display()
        );
        io::Error::new(error.kind(), says)
    })
}
