//! `firedrill validate`

use super::{
    Exit, Global,
    output::{say, warn},
};
use crate::scenario::{self, Diagnostics, Loaded};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Arguments of `firedrill validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill validate scenarios/                     every scenario of a folder
  firedrill validate drill.yaml --set PORT=8080     with a variable
  firedrill validate --json scenarios/              for an editor or CI")]
pub struct Validate {
    #[command(flatten)]
    pub scenarios: super::Scenarios,
}

impl Validate {
    /// Reads every file, without Docker, and prints all that is wrong with any of them.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let read = self.scenarios.read()?;
        if global.json {
            let files: Vec<_> = read.iter().map(as_json).collect();
            say(serde_json::to_string_pretty(&serde_json::json!({ "files": files }))?);
        } else {
            read.iter().for_each(|file| report(file, global));
        }
        let good = read.iter().filter(|file| file.is_ok()).count();
        if !global.json && (read.len() > 1 || good < read.len()) {
            summary(good, read.len());
        }
        Ok(if good == read.len() { Exit::Held } else { Exit::Invalid })
    }
}

impl super::Scenarios {
    /// All scenario files that were named, in the order of naming; those of a folder in the order of their names.
    /// Errors: a folder cannot be read, or holds none.
    pub fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in &self.paths {
            let found =
                scenario::folder(path).map_err(|e| anyhow::anyhow!("{} cannot be read: {e}", path.display()))?;
            anyhow::ensure!(!found.is_empty(), "no scenario (*.yaml) in the folder {}", path.display());
            files.extend(found);
        }
        Ok(files)
    }

    /// All of them, read: each a scenario, or what is wrong with it.
    pub fn read(&self) -> anyhow::Result<Vec<Result<Loaded, Diagnostics>>> {
        let set: BTreeMap<String, String> = self.set.iter().cloned().collect();
        let env = |name: &str| std::env::var(name).ok();
        let read = |path: &PathBuf| scenario::read(path, &set, &env);
        Ok(self.files()?.iter().map(read).collect())
    }
}

fn report(file: &Result<Loaded, Diagnostics>, global: &Global) {
    match file {
        Ok(loaded) if !global.quiet => say(format_args!("{}: valid", loaded.path.display())),
        Ok(_) => {}
        Err(errors) => warn(errors.render(global.color.stderr())),
    }
}

fn summary(good: usize, all: usize) {
    match all - good {
        0 => say(format_args!("{all} scenarios, all valid")),
        bad => warn(format_args!("{bad} of {all} {} invalid", if all == 1 { "scenario" } else { "scenarios" })),
    }
}

fn as_json(file: &Result<Loaded, Diagnostics>) -> serde_json::Value {
    let valid = |path: &Path| serde_json::json!({ "file": path.to_string_lossy(), "valid": true, "errors": [] });
    file.as_ref().map_or_else(Diagnostics::as_json, |loaded| valid(&loaded.path))
}
