//! Every scenario that comes with firedrill is valid, and every fault has one.

use firedrill::scenario::{self, Loaded};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Every scenario file in the repository.
pub fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let folders = [root.clone(), root.join("examples"), root.join("stacks/web/drills")];
    folders.iter().flat_map(|folder| scenario::folder(folder).expect("the folder is there")).collect()
}

fn read(path: &Path) -> Loaded {
    scenario::read(path, &BTreeMap::new(), &|_| None).unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

/// The kinds of faults or of probes, as the schema has them: exactly one of their keys must be given.
pub fn kinds_of(what: &str) -> BTreeSet<String> {
    let schema: serde_json::Value = serde_json::from_str(&scenario::json_schema()).expect("the schema is JSON");
    let ways = schema["$defs"][what]["oneOf"].as_array().expect("one of several").iter();
    ways.map(|way| way["required"][0].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn every_scenario_is_valid() {
    let files = files();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        read(&file);
    }
}

#[test]
fn every_fault_has_an_example_of_its_name() {
    let examples = files().into_iter().filter(|file| file.parent().is_some_and(|dir| dir.ends_with("examples")));
    let mut kinds = BTreeSet::new();
    for file in examples {
        let Loaded { scenario, .. } = read(&file);
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        assert_eq!(scenario.name, name);
        assert!(scenario.faults.iter().any(|entry| entry.fault.kind() == name), "{name} shows another fault");
        kinds.insert(name);
    }
    assert_eq!(kinds, kinds_of("fault"));
}

#[test]
fn editors_find_the_schema_from_every_scenario() {
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("it is readable");
        let first = text.lines().next().unwrap_or_default();
        let schema =
            first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{file:?}: {first}"));
        let folder = file.parent().expect("a file lies in a folder").join(schema);
        let folder = folder.parent().and_then(|dir| dir.canonicalize().ok());
        assert_eq!(folder, Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").canonicalize().ok(), "{file:?}");
    }
}
