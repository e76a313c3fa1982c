//! `firedrill review`

mod sign;

use super::{Exit, Global, output};
use crate::{
    analysis::{self, Findings},
    clock::RunClock,
    journal::RunFolder,
    review::{
        self, Composed,
        custom::{self, Layout},
        escape,
        people::{self, Status},
    },
};
use anyhow::{Context, anyhow, bail};
use std::{fs, path::Path};

/// Arguments of `firedrill review`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The review depends on the folder alone: the same folder gives the same bytes, wherever and whenever.

People edit review.md. What they wrote stays: what is new is merged into it section by section, against review.base.md,
which holds what was generated last. Where both changed the same lines, both stand in review.md between markers, the
places are named, and the exit code is 1 until somebody has resolved them. review.html shows what people wrote as such.

A review goes from draft to in-review, reviewed and closed, one step at a time; it can go back to any earlier step.
reviewed takes an answer to every question, a decision on every action item that presses (those folded away may stay
proposed), no error of `firedrill lint` and no conflict; closed takes that every action item that was taken up is verified
by a drill, declined with a reason, or, where no drill can tell, done by the word of a named person.

Examples:
  firedrill review reports/20260301T100000Z-cache-loss-7f3a
  firedrill review reports/20260301T100000Z-cache-loss-7f3a --open-prompts
  firedrill review reports/20260301T100000Z-cache-loss-7f3a --status in-review --by Ada
  firedrill review reports/20260301T100000Z-cache-loss-7f3a --template confluence -o page.xml
  firedrill review --json reports/20260301T100000Z-cache-loss-7f3a | jq .verdict"
)]
pub struct Review {
    /// The run folder.
    #[arg(value_name = "FOLDER")]
    pub folder: std::path::PathBuf,
    /// Move the review to this status, in the name of --by.
    #[arg(long, value_name = "STATUS", requires = "by", value_parser = status, conflicts_with = "open_prompts")]
    pub status: Option<Status>,
    /// Who moves it.
    #[arg(long, value_name = "NAME", requires = "status", value_parser = super::name)]
    pub by: Option<String>,
    /// List what waits for a person, and write nothing.
    #[arg(long)]
    pub open_prompts: bool,
    /// Print the review in another layout, and leave the folder alone: `google`, `short`, `confluence` (storage format), or
    /// a minijinja template of your own; its name's ending tells what escapes what it prints.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["status", "open_prompts"])]
    pub template: Option<String>,
    /// Write that into a file.
    #[arg(long, short, value_name = "FILE", requires = "template")]
    pub output: Option<std::path::PathBuf>,
}

fn status(text: &str) -> Result<Status, String> {
    Status::named(text).ok_or_else(|| "a status is draft, in-review, reviewed or closed".to_owned())
}

impl Review {
    /// Writes the review again, and says where it lies.
    ///
    /// # Errors
    /// If the folder is no run folder, or cannot be read or written.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let folder = folder(&self.folder)?;
        let findings = analysis::analyse(&folder)?;
        if let Some(template) = &self.template {
            return other_layout(&folder, &findings, template, self.output.as_deref());
        }
        if self.open_prompts {
            return sign::list_open(&folder, &findings, global);
        }
        if let (Some(status), Some(by)) = (self.status, &self.by) {
            let today = RunClock::start().started().to_zoned(jiff::tz::TimeZone::UTC).date();
            if let Some(refused) = sign::sign(&folder, &findings, status, by, today)? {
                return Ok(refused);
            }
        }
        write(&folder, &findings, global)
    }
}

fn write(folder: &RunFolder, findings: &Findings, global: &Global) -> anyhow::Result<Exit> {
    let composed = review::write_all(folder, findings)
        .with_context(|| format!("cannot write the review into {}", folder.path().display()))?;
    if global.json {
        output::say(composed.texts[0].trim_end());
    } else if !global.quiet {
        for name in review::FILES {
            output::say(folder.path().join(name).display());
        }
    }
    sign::remark(folder, &composed);
    Ok(tell(folder, &composed))
}

/// The review, with what people wrote, in another layout.
fn other_layout(folder: &RunFolder, findings: &Findings, template: &str, to: Option<&Path>) -> anyhow::Result<Exit> {
    let layout = match Layout::named(template) {
        Some(layout) => layout,
        None => Layout::own(template, source(template)?),
    };
    let composed = review::compose(findings, &review::kept(folder)?)?;
    let text = layout.render(&composed.review)?;
    match to {
        Some(path) => {
            spare_run_files(path)?;
            fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        None => output::say(text.trim_end()),
    }
    Ok(Exit::Held)
}

/// Another layout is nobody's review: what a run is made of, and what people wrote of it, is not written over.
fn spare_run_files(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || Some(fs::canonicalize(parent).ok()?.join(path.file_name()?));
    let Some(target) = fs::canonicalize(path).ok().or_else(beside) else { return Ok(()) };
    let runs = target.ancestors().skip(1).take(2).map(|folder| RunFolder(folder.into()));
    for run in runs.filter(|run| run.journal().is_file()) {
        let recorded =
            [run.journal(), run.requests(), run.hlog(), run.scenario(), run.plan(), run.keeper(), run.runner()];
        let written = review::FILES.iter().chain(&[people::BASE, "followup.md"]).map(|name| run.path().join(name));
        if target.starts_with(run.logs()) || recorded.into_iter().chain(written).any(|own| own == target) {
            bail!(
                "{} is a file of the run itself and is left as it is; name another one, such as {}",
                path.display(),
                run.path().join("page.md").display()
            );
        }
    }
    Ok(())
}

/// The text of a template of the user's own.
fn source(path: &str) -> anyhow::Result<String> {
    let file = match fs::metadata(path) {
        Ok(file) => file,
        Err(error) => {
            let names: Vec<&str> = Layout::names().collect();
            bail!("there is no template {path} ({error}); those that come with firedrill are {}", names.join(", "));
        }
    };
    if file.len() > custom::MAX_TEMPLATE {
        bail!("{path} is larger than a template may be ({} bytes)", custom::MAX_TEMPLATE);
    }
    let bytes = fs::read(path).with_context(|| format!("{path} cannot be read"))?;
    String::from_utf8(bytes).map_err(|_| anyhow!("{path} is not UTF-8 text"))
}

/// What somebody has to know of the merge.
fn tell(folder: &RunFolder, composed: &Composed) -> Exit {
    let review = folder.path().join(review::FILES[2]);
    if composed.without_base {
        output::warn(format_args!(
            "{}: review.base.md was missing, so all that differs from the draft counts as written by people and was kept; \
             to have it generated anew, move it away",
            review.display()
        ));
    }
    for conflict in &composed.conflicts {
        let section = match conflict.section.as_str() {
            "" => "before the first heading".to_owned(),
            title => format!("under `{}`", escape::plain(title)),
        };
        output::warn(format_args!(
            "{}:{}: conflict {section}: people and the new draft changed the same lines; keep what is right and remove the markers",
            review.display(),
            conflict.line
        ));
    }
    if composed.conflicts.is_empty() { Exit::Held } else { Exit::Violated }
}

/// A folder that holds a run; a journal named by its own path will do.
pub(super) fn folder(path: &Path) -> anyhow::Result<RunFolder> {
    let shown = path.display();
    let inside = path.file_name().is_some_and(|name| name == "journal.jsonl");
    let folder = RunFolder(if inside { path.parent().unwrap_or(Path::new(".")).into() } else { path.into() });
    if !folder.path().exists() {
        bail!("there is no folder {shown}");
    }
    if !folder.path().is_dir() {
        bail!("{shown} is not a folder; name the folder of a run, such as reports/20260301T100000Z-cache-loss-7f3a");
    }
    if !folder.journal().is_file() {
        bail!("{shown} is not the folder of a run: it holds no journal.jsonl");
    }
    Ok(folder)
}
