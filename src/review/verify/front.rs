//! The generated keys of the front matter: machines read them, so that their values are compared as they stand.

use crate::review::people::{
    Section,
    front::{Entry, THEIRS, entries, scalar},
};

/// Keys whose value is not the generated one, with their lines.
pub fn edited(ours: &Section<'_>, theirs: Option<&Section<'_>>) -> Vec<(usize, String)> {
    let Some(theirs) = theirs else {
        return vec![(1, "the front matter is gone; the run's verdict stands there".into())];
    };
    let theirs = entries(theirs.text);
    let ours = entries(ours.text).into_iter();
    let generated = ours.filter(|entry| entry.key.is_some_and(|key| !THEIRS.contains(&key)));
    generated.flat_map(|entry| differs(&entry, &theirs)).collect()
}

fn differs(ours: &Entry<'_>, theirs: &[Entry<'_>]) -> Vec<(usize, String)> {
    let (key, value) = (ours.key.unwrap_or_default(), scalar(ours.value));
    let there: Vec<_> = theirs.iter().filter(|entry| entry.key == ours.key).collect();
    if there.is_empty() {
        return vec![(1, format!("`{key}` is gone; generated as `{value}`"))];
    }
    let other = there.into_iter().filter(|entry| scalar(entry.value) != value);
    other.map(|entry| (entry.line, format!("generated as `{value}`, `{}` here", scalar(entry.value)))).collect()
}
