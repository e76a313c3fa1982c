//! `firedrill init`: a first scenario, drafted from what runs in Docker and from a few seconds of measuring.

mod draft;
mod measure;
mod survey;

use super::{
    Exit, Global,
    output::{say, warn},
};
use crate::{
    container::{Containers, docker},
    review,
    units::Span,
};
use anyhow::{Context, bail};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Arguments of `firedrill init`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Looks at what runs (a compose project first), sends a few GET requests to a port that it publishes, and writes a
scenario that runs as it is. Nothing is broken yet.

Examples:
  firedrill init                              the only compose project that runs, into first-drill.yaml
  firedrill init shop.yaml --project shop     one of several
  firedrill init --no-measure                 sends nothing; the limits are then guesses, and say so"
)]
pub struct Init {
    /// The file to write.
    #[arg(value_name = "FILE", default_value = "first-drill.yaml")]
    pub file: PathBuf,
    /// The compose project, where several run.
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// For how long to measure.
    #[arg(long = "for", value_name = "TIME", default_value = "5s")]
    pub length: Span,
    /// Send nothing.
    #[arg(long)]
    pub no_measure: bool,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// Measuring longer than this would be a load test.
const LONGEST: Span = Span::secs(60);

impl Init {
    /// Looks, measures, writes.
    ///
    /// # Errors
    /// Nothing runs that could be a target, several projects do, or the file is there already.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        if self.length > LONGEST {
            bail!("--for {}: at most {LONGEST}", self.length);
        }
        self.never_over()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (text, entry) = match runtime.block_on(self.drafted(global)) {
            Ok(drafted) => drafted,
            Err(error) => {
                warn(format_args!("error: {error:#}"));
                return Ok(Exit::CouldNotRun);
            }
        };
        // Measuring takes a while: it may have come meanwhile.
        self.never_over()?;
        self.write(&text).with_context(|| format!("cannot write {}", self.file.display()))?;
        self.tell(&entry, global);
        Ok(Exit::Held)
    }

    fn never_over(&self) -> anyhow::Result<()> {
        if self.file.exists() && !self.force {
            bail!("{} is there already; --force replaces it, or name another file", self.file.display());
        }
        Ok(())
    }

    /// Whole or not at all.
    fn write(&self, text: &str) -> io::Result<()> {
        let name = self.file.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        review::put(folder.unwrap_or(Path::new(".")), name, text)
    }

    async fn drafted(&self, global: &Global) -> anyhow::Result<(String, String)> {
        let docker = docker::connect().await?;
        let mut all = Vec::new();
        for one in docker.list().await? {
            // A container that ends meanwhile is none to drill against.
            all.extend(docker.inspect(&one.id).await.ok());
        }
        let system = survey::system(&all, self.project.as_deref())?;
        let said = |text: String| {
            if !global.quiet && !global.json {
                say(text);
            }
        };
        said(system.to_string());
        let entry = if self.no_measure {
            measure::unmeasured(&system)?
        } else {
            measure::measured(&system, self.length, &said).await?
        };
        Ok((draft::scenario(&system, &entry), entry.to_string()))
    }

    fn tell(&self, entry: &str, global: &Global) {
        let file = self.file.display();
        if global.json {
            say(serde_json::json!({ "file": self.file, "entry": entry }));
        } else {
            say(format_args!("{file} is written. Read it, then:\n  firedrill plan {file}\n  firedrill run {file}"));
        }
    }
}
