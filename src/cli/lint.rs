//! `firedrill lint`: blameless language, in our drafts and in any review.

use super::{Exit, Global, live, output};
use crate::{
    analysis::{FigureKind, analyse},
    journal::RunFolder,
    review::lint::{self, Level, Options, report::Linted, vale},
};
use anyhow::{Context, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Arguments of `firedrill lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 1 if something at least as grave as --fail-on was found, with 0 if not.
A rule is switched off for the next paragraph, with a reason, by
  <!-- firedrill-lint: allow animated because the alert is named so -->

Examples:
  firedrill lint reports/20260301T100000Z-cache-loss-7f3a/review.md
  firedrill lint --person Ada --person Bob postmortems/*.md
  firedrill lint --format sarif review.md > review.sarif
  firedrill lint --vale .vale/styles      the rules for editors that run Vale; README.md there says which it cannot tell")]
pub struct Lint {
    /// Markdown files.
    #[arg(value_name = "FILE", required_unless_present_any = ["vale", "rules"])]
    pub files: Vec<PathBuf>,
    /// How findings are printed; `--json` is the same as `json`.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The least grave finding that makes the exit code 1.
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "error")]
    pub fail_on: FailOn,
    /// Somebody who took part, besides `owner` and `participants` of the front matter and the names in action items; may be
    /// given several times.
    #[arg(long, value_name = "NAME")]
    pub person: Vec<String>,
    /// Switch on a rule that is off by default (`person-named`); may be given several times.
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// Print every rule with examples, and lint nothing.
    #[arg(long, conflicts_with = "files")]
    pub rules: bool,
    /// Write the rules as a style for Vale into this folder of styles, and lint nothing.
    #[arg(long, value_name = "FOLDER", conflicts_with = "files")]
    pub vale: Option<PathBuf>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// A JSON array in the shape that prose linters share.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// A level, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Errors only.
    Error,
    /// Warnings too.
    Warning,
    /// Everything.
    Suggestion,
}

impl From<FailOn> for Level {
    fn from(fail_on: FailOn) -> Level {
        match fail_on {
            FailOn::Error => Level::Error,
            FailOn::Warning => Level::Warning,
            FailOn::Suggestion => Level::Suggestion,
        }
    }
}

impl Lint {
    /// Lints, and prints what was found.
    ///
    /// # Errors
    /// If a file cannot be read or is no text, or the style cannot be written.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        if let Some(says) = self.rule.iter().find_map(|rule| lint::unknown(rule)) {
            bail!("{says}");
        }
        if self.rules {
            output::say(lint::report::rules().trim_end());
            return Ok(Exit::Held);
        }
        if let Some(styles) = &self.vale {
            return write_style(styles, &self.options(None), global);
        }
        let linted = self.files.iter().map(|file| self.one(file)).collect::<anyhow::Result<Vec<_>>>()?;
        let format = if global.json { Format::Json } else { self.format };
        match format {
            Format::Text => tell(&linted, global),
            Format::Json => output::say(lint::report::json(&linted)),
            Format::Sarif => output::say(lint::report::sarif(&linted)),
        }
        let limit = Level::from(self.fail_on);
        let grave = linted.iter().flat_map(|file| &file.findings).any(|finding| finding.level <= limit);
        Ok(if grave { Exit::Violated } else { Exit::Held })
    }

    fn one(&self, path: &Path) -> anyhow::Result<Linted> {
        let shown = path.display().to_string();
        let bytes = fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            bail!("{shown} is not UTF-8 text; `firedrill lint` reads Markdown");
        };
        Ok(Linted { path: shown, findings: lint::lint(&text, &self.options(measured_outage(path))) })
    }

    fn options(&self, outage: Option<bool>) -> Options {
        Options { people: self.person.clone(), on: self.rule.clone(), outage }
    }
}

/// Whether the run whose folder a review lies in had a time without any good answer; `None` if it lies in none.
fn measured_outage(review: &Path) -> Option<bool> {
    let folder = RunFolder(review.canonicalize().ok()?.parent()?.into());
    if !folder.journal().is_file() {
        return None;
    }
    let findings = analyse(&folder).ok()?;
    Some(findings.figures.iter().any(|figure| figure.kind == FigureKind::OutageTime && figure.value.is_ok()))
}

fn tell(linted: &[Linted], global: &Global) {
    let colour = global.color.stdout();
    let paint = |level, word: &str| {
        let code = match level {
            Level::Error => "1;31",
            Level::Warning => "1;33",
            Level::Suggestion => "1;36",
        };
        live::paint(colour, code, word)
    };
    let text = lint::report::text(linted, paint);
    if !text.is_empty() {
        output::say(text.trim_end());
    }
    if !global.quiet {
        let of = |level| linted.iter().flat_map(|file| &file.findings).filter(|f| f.level == level).count();
        let (errors, warnings, suggestions) = (of(Level::Error), of(Level::Warning), of(Level::Suggestion));
        let many = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        output::say(format_args!(
            "{}: {}, {}, {}",
            many(linted.len(), "file"),
            many(errors, "error"),
            many(warnings, "warning"),
            many(suggestions, "suggestion")
        ));
    }
}

fn write_style(styles: &Path, options: &Options, global: &Global) -> anyhow::Result<Exit> {
    let folder = styles.join(vale::STYLE);
    let write = || {
        fs::create_dir_all(&folder)?;
        vale::files(options).into_iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
    };
    write().with_context(|| format!("the style cannot be written into {}", folder.display()))?;
    if !global.quiet {
        output::say(format_args!("{}\nuse it with `BasedOnStyles = {}` in .vale.ini", folder.display(), vale::STYLE));
    }
    Ok(Exit::Held)
}
