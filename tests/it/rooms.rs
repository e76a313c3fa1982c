//! The floor plan holds: which room may name which. Parsed with `syn`, so that comments and strings do not count.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use syn::visit::Visit;

/// An edge that must not be: files under `room` (or outside it, with `only`) must not name `path`.
struct Rule {
    room: &'static [&'static str],
    only: bool,
    path: &'static [&'static str],
    /// Source that breaks the rule, and the file that it pretends to be.
    breaks: (&'static str, &'static str),
}

const fn never(
    room: &'static [&'static str],
    path: &'static [&'static str],
    breaks: (&'static str, &'static str),
) -> Rule {
    Rule { room, only: false, path, breaks }
}

const fn only(
    room: &'static [&'static str],
    path: &'static [&'static str],
    breaks: (&'static str, &'static str),
) -> Rule {
    Rule { room, only: true, path, breaks }
}

const JUDGES: &[&str] = &["src/analysis", "src/review", "src/history"];

const RULES: &[Rule] = &[
    never(JUDGES, &["crate::engine"], ("src/analysis/x.rs", "use crate::engine::run;")),
    never(JUDGES, &["crate::container::docker"], ("src/review/x.rs", "fn f() { crate::container::docker::connect() }")),
    never(JUDGES, &["crate::cli"], ("src/history/x.rs", "use super::super::cli;")),
    never(JUDGES, &["tokio"], ("src/analysis/x.rs", "use {std::fs, tokio::time};")),
    never(&["src/engine"], &["crate::review"], ("src/engine/x.rs", "use crate::{event, review::Review};")),
    never(
        &["src/engine"],
        &["crate::analysis"],
        ("src/engine/x/y.rs", "fn f(_: super::super::super::analysis::Findings) {}"),
    ),
    never(&["src/engine"], &["crate::notify"], ("src/engine/mod.rs", "use super::notify;")),
    only(&["src/container/docker.rs", "src/container/docker"], &["bollard"], ("src/demo/x.rs", "use bollard::Docker;")),
    only(
        &["src/scenario/yaml.rs"],
        &["serde_yaml", "serde_saphyr"],
        ("src/scenario/x.rs", "type X = serde_yaml::Error;"),
    ),
    only(
        &["src/load/http.rs", "src/load/http"],
        &["hyper", "hyper_util"],
        ("src/load/x.rs", "fn f() -> hyper::Result<()> {}"),
    ),
    only(&["src/demo", "src/probe", "src/detect", "src/notify"], &["reqwest"], ("src/load/x.rs", "use reqwest as r;")),
    only(
        &["src/clock.rs"],
        &["jiff::Timestamp::now", "Timestamp::now", "Zoned::now", "SystemTime"],
        ("src/engine/x.rs", "fn f() { Timestamp::now(); }"),
    ),
];

impl Rule {
    fn covers(&self, file: &str) -> bool {
        let inside = self.room.iter().any(|room| file == *room || file.starts_with(&format!("{room}/")));
        inside != self.only
    }

    fn broken_by<'a>(&self, file: &str, paths: &'a BTreeSet<String>) -> Vec<&'a str> {
        if !self.covers(file) {
            return Vec::new();
        }
        let names = |path: &str, forbidden: &str| path == forbidden || path.starts_with(&format!("{forbidden}::"));
        let wall =
            |path: &str, forbidden: &str| forbidden.ends_with("now") && path.ends_with(&format!("::{forbidden}"));
        let hit = |path: &&str| {
            self.path
                .iter()
                .any(|f| names(path, f) || wall(path, f) || path.ends_with("::SystemTime") && *f == "SystemTime")
        };
        paths.iter().map(String::as_str).filter(hit).collect()
    }
}

/// Every path that a file names, `crate`, `self` and `super` resolved; modules under `#[cfg(test)]` are left out.
struct Paths {
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Paths {
    fn of(file: &str, source: &str) -> BTreeSet<String> {
        let inside = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let module = inside.split('/').filter(|part| !matches!(*part, "lib" | "main")).map(String::from).collect();
        let mut paths = Paths { module, found: BTreeSet::new() };
        paths.visit_file(&syn::parse_file(source).unwrap_or_else(|e| panic!("{file}: {e}")));
        paths.found
    }

    fn add(&mut self, segments: &[String]) {
        let mut base = self.module.clone();
        let mut rest = segments;
        let mut relative = false;
        while let Some(first) = rest.first() {
            match first.as_str() {
                "crate" => base.clear(),
                "self" => {}
                "super" => {
                    base.pop();
                }
                _ => break,
            }
            relative = true;
            rest = &rest[1..];
        }
        let whole: Vec<String> = match relative {
            true => std::iter::once("crate".to_owned()).chain(base).chain(rest.iter().cloned()).collect(),
            false => rest.to_vec(),
        };
        self.found.insert(whole.join("::"));
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |ident: &syn::Ident| prefix.iter().cloned().chain([ident.to_string()]).collect::<Vec<_>>();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(prefix, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !only_in_tests(item) {
            self.module.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.add(&segments);
        syn::visit::visit_path(self, path);
    }
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The modules that a file declares under `#[cfg(test)]`, as paths without their extension.
fn test_files(files: &[PathBuf]) -> Vec<PathBuf> {
    let declared = |path: &PathBuf| {
        let parsed = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
        let home = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("mod" | "lib" | "main") => path.parent().unwrap().to_owned(),
            _ => path.with_extension(""),
        };
        let modules = parsed.items.into_iter().filter_map(|item| match item {
            syn::Item::Mod(item) if item.content.is_none() && only_in_tests(&item) => {
                Some(home.join(item.ident.to_string()))
            }
            _ => None,
        });
        modules.collect::<Vec<_>>()
    };
    files.iter().flat_map(declared).collect()
}

fn only_in_tests(item: &syn::ItemMod) -> bool {
    let test = |list: &syn::MetaList| list.tokens.to_string() == "test";
    item.attrs.iter().any(|a| a.path().is_ident("cfg") && a.meta.require_list().is_ok_and(test))
}

#[test]
fn no_room_names_what_it_must_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut broken = Vec::new();
    let tests = test_files(&files);
    let in_tests = |path: &PathBuf| tests.iter().any(|test| path.starts_with(test) || path.with_extension("") == *test);
    for path in files.into_iter().filter(|path| !in_tests(path)) {
        let file = path.strip_prefix(root).unwrap().to_str().unwrap();
        let paths = Paths::of(file, &fs::read_to_string(&path).unwrap());
        broken.extend(RULES.iter().flat_map(|r| r.broken_by(file, &paths)).map(|p| format!("{file} names {p}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_rule_can_fail() {
    for rule in RULES {
        let (file, source) = rule.breaks;
        let paths = Paths::of(file, source);
        assert!(!rule.broken_by(file, &paths).is_empty(), "{file}: `{source}` breaks no rule; it names {paths:?}");
    }
}
