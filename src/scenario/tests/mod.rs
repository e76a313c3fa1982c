//! The table, the check, the decoder, the schema and the reference agree, and nothing makes the reader panic.

mod robust;
mod schema;
mod table;

use super::{Diagnostic, Scenario, tree::Node, variables::Sources};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

fn env(name: &str) -> Option<String> {
    matches!(name, "HOME" | "TOKEN").then(|| "set".to_owned())
}

fn understand(root: Node) -> Result<Scenario, Vec<Diagnostic>> {
    super::understand_tree(root, &Sources { set: &BTreeMap::new(), env: &env })
}

/// The good scenarios, and those that come with the program, each with its text.
fn good() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join("tests/scenarios/good"), root.join("scenarios")];
    while let Some(folder) = folders.pop() {
        files.extend(super::folder(&folder).unwrap());
        let inside = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folders.extend(inside.filter(|path| path.is_dir()));
    }
    // A compose file of a stack is YAML too.
    let read = |path: PathBuf| (path.clone(), std::fs::read_to_string(&path).unwrap());
    files.into_iter().map(read).filter(|(_, text)| text.lines().any(|line| line.starts_with("scenario:"))).collect()
}
