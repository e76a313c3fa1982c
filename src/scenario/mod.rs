//! The scenario file: from YAML to a typed [`Scenario`], with all errors at once.
//!
//! ```text
//! bytes -> yaml (a tree, every key and value with its place) -> variables (`${...}` in single values)
//!       -> check (the tree against the table in `language`)  -> decode (the typed model) -> sense (what fits together)
//! ```
//! Every stage adds to one list of errors; only a text that is not YAML ends it early. The table is also what the
//! JSON Schema and the reference are made from.

mod check;
mod decode;
mod diagnostics;
mod folder;
mod form;
mod language;
mod leaf;
mod model;
mod reference;
mod schema;
mod sense;
#[cfg(test)]
mod tests;
mod tree;
mod variables;
mod yaml;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use folder::folder;
pub use model::*;
pub use reference::reference;
pub use schema::json_schema;

use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

/// Larger files are not scenarios, bytes.
const MAX_BYTES: usize = 1 << 20;

/// A scenario and the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub scenario: Scenario,
    /// The file's text, as it is.
    pub source: String,
    /// sha256 of the text, in hex.
    pub digest: String,
    /// Where it was read from.
    pub path: PathBuf,
}

impl Loaded {
    /// An error found later (by the plan, against what runs in Docker), shown in the same way as the reader's own.
    pub fn error_at(&self, place: Place, message: impl Into<String>, help: Option<String>) -> Diagnostics {
        let start = place.byte(&self.source);
        let word = self.source[start..].find(|c: char| c.is_whitespace() || ":,{}[]".contains(c)).unwrap_or(0);
        let error = Diagnostic::new(place, start..start + word, message);
        let error = help.into_iter().fold(error, Diagnostic::help);
        Diagnostics::new(self.path.clone(), self.source.clone(), vec![error])
    }
}

/// Reads a scenario. Variables come from `set`, then the file's own `vars:`, then `env`.
/// Errors: everything that is wrong with it.
pub fn read(
    path: &Path,
    set: &BTreeMap<String, String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Diagnostics> {
    read_text(path, load(path)?, set, env)
}

/// Like [`read`], for a text that is there already; `path` is only shown.
pub fn read_text(
    path: &Path,
    source: String,
    set: &BTreeMap<String, String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Diagnostics> {
    match understand(&source, &variables::Sources { set, env }) {
        Ok(scenario) => {
            let digest = Sha256::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(Loaded { scenario, source, digest, path: path.to_owned() })
        }
        Err(errors) => Err(Diagnostics::new(path.to_owned(), source, errors)),
    }
}

fn understand(source: &str, sources: &variables::Sources<'_>) -> Result<Scenario, Vec<Diagnostic>> {
    understand_tree(yaml::read(source).map_err(|error| vec![*error])?, sources)
}

fn understand_tree(mut root: tree::Node, sources: &variables::Sources<'_>) -> Result<Scenario, Vec<Diagnostic>> {
    if root.is_null() {
        let empty = Diagnostic::whole("the file is empty");
        return Err(vec![
            empty.help("a scenario starts with its name, `scenario: cache-loss`; see `firedrill schema`"),
        ]);
    }
    let expanded = variables::expand(&mut root, sources);
    let mut errors = check::check(&root, &language::SCENARIO);
    let (scenario, meaning) = decode::decode(&root, expanded);
    errors.extend(meaning);
    errors.extend(sense::check(&root, &scenario));
    errors.extend(sense::secrets(&root, &errors));
    if errors.is_empty() { Ok(scenario) } else { Err(errors) }
}

/// The text of a file. Errors: not there, too big, not UTF-8.
fn load(path: &Path) -> Result<String, Diagnostics> {
    let fail = |source: String, error| Diagnostics::new(path.to_owned(), source, vec![error]);
    let unreadable =
        |e: std::io::Error| fail(String::new(), Diagnostic::whole(format!("this file cannot be read: {e}")));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        let error = Diagnostic::whole("the file is larger than 1 MiB");
        return Err(fail(String::new(), error.help("a scenario fits on a screen; is this the right file?")));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let source = String::from_utf8_lossy(e.as_bytes()).into_owned();
        let error = Diagnostic::new(Place::of(&source, at), at..at, "the file is not UTF-8 text from here on");
        fail(source, error.help("save it as UTF-8"))
    })
}
