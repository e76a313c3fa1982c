//! `firedrill explain`: where a figure comes from.

use super::{Exit, Global, output, review::folder};
use crate::{analysis, review::explain};
use anyhow::bail;

/// Arguments of `firedrill explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without FIGURE, lists what can be explained. An evidence id (e7) shows what it leads to.

Examples:
  firedrill explain reports/20260301T100000Z-cache-loss-7f3a
  firedrill explain reports/20260301T100000Z-cache-loss-7f3a time-to-recover/checkout
  firedrill explain reports/20260301T100000Z-cache-loss-7f3a during/checkout/p99 --json
  firedrill explain reports/20260301T100000Z-cache-loss-7f3a e7")]
pub struct Explain {
    /// The run folder.
    #[arg(value_name = "FOLDER")]
    pub folder: std::path::PathBuf,
    /// Which figure, by its id.
    #[arg(value_name = "FIGURE")]
    pub figure: Option<String>,
}

impl Explain {
    /// Prints the list, or one figure with definition, formula, inputs and raw lines.
    ///
    /// # Errors
    /// If the folder is no run folder, or the figure is not one of its.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let folder = folder(&self.folder)?;
        let findings = analysis::analyse(&folder)?;
        let Some(typed) = &self.figure else {
            let entries = explain::entries(&findings);
            match global.json {
                true => output::say(serde_json::to_string_pretty(&entries)?),
                false => output::say(explain::list(&entries).trim_end()),
            }
            return Ok(Exit::Held);
        };
        if let Some(raw) = explain::place(&folder, &findings, typed) {
            match global.json {
                true => output::say(serde_json::to_string_pretty(&raw)?),
                false => output::say(explain::place_text(&raw).trim_end()),
            }
            return Ok(Exit::Held);
        }
        let Some(explained) =
            explain::resolve(&findings, typed).and_then(|id| explain::explain(&folder, &findings, &id))
        else {
            bail!("{}", unknown(&findings, typed));
        };
        match global.json {
            true => output::say(serde_json::to_string_pretty(&explained)?),
            false => output::say(explain::text(&explained).trim_end()),
        }
        Ok(Exit::Held)
    }
}

/// What to say of a figure that is not there.
fn unknown(findings: &analysis::Findings, typed: &str) -> String {
    let typed = crate::review::escape::plain(typed);
    let near = explain::nearest(findings, &typed);
    let hint = match near.is_empty() {
        true => "without a name, `firedrill explain FOLDER` lists them all".to_owned(),
        false => format!("did you mean {}?", near.join(", ")),
    };
    format!("this run has no figure `{typed}`; {hint}")
}
