//! `firedrill verify`: whether a review says what its run folder says.

use super::{Exit, Global, output, review::folder};
use crate::review::verify::{self, Difference};

/// Arguments of `firedrill verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Computes every figure again from the raw files, compares all digests with those of result.json and of the
journal, and looks for figures and verdicts that somebody changed in review.md. Words are yours: a generated sentence may
be said in others as long as its figures and verdicts stay, in their order, and nothing is added to them; a whole section
may be taken out, but no line with a figure out of a section that stands. Your own sentences may hold any number. The
front matter but for status, owner, due, participants and tags, and the `Finding:` of an action item, stay as they are.

Ends with 0 if nothing differs, with 1 if something does, with 2 if the folder holds no run.

Examples:
  firedrill verify reports/20260301T100000Z-cache-loss-7f3a
  firedrill verify --json reports/20260301T100000Z-cache-loss-7f3a | jq .differs"
)]
pub struct Verify {
    /// The run folder.
    #[arg(value_name = "FOLDER")]
    pub folder: std::path::PathBuf,
}

impl Verify {
    /// Compares, and prints what differs.
    ///
    /// # Errors
    /// If the folder is no run folder.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let folder = folder(&self.folder)?;
        let verified = verify::verify(&folder)?;
        if global.json {
            output::say(serde_json::to_string_pretty(&verified)?);
        } else {
            verified.differs.iter().for_each(|difference| output::say(line("differs", difference)));
            if !global.quiet {
                verified.notes.iter().for_each(|note| output::say(line("note", note)));
            }
            let outcome = match verified.differs.len() {
                0 => "nothing differs".to_owned(),
                1 => "1 difference".to_owned(),
                n => format!("{n} differences"),
            };
            output::say(format_args!(
                "{} figures computed again, {} files compared: {outcome}",
                verified.figures, verified.files
            ));
        }
        Ok(if verified.differs.is_empty() { Exit::Held } else { Exit::Violated })
    }
}

/// `differs: review.md:12: generated as ...`
fn line(word: &str, difference: &Difference) -> String {
    let at = difference.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{word}: {}{at}: {}", difference.file, difference.says)
}
