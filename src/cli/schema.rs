//! `firedrill schema`

use super::{Exit, Global, output::say};
use crate::{review, scenario};

/// Arguments of `firedrill schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill schema > scenarios/schema.json
  # first line of a scenario, for editors:
  # yaml-language-server: $schema=schema.json

  firedrill schema --reference         every key, as Markdown
  firedrill schema --review-context    what `firedrill review --template FILE` gives a template")]
pub struct Schema {
    /// Print the reference of the language as Markdown instead.
    #[arg(long)]
    pub reference: bool,
    /// Print the JSON Schema of what a template of a review sees.
    #[arg(long, conflicts_with = "reference")]
    pub review_context: bool,
}

impl Schema {
    /// Prints it.
    pub fn run(&self, _global: &Global) -> anyhow::Result<Exit> {
        let text = match (self.reference, self.review_context) {
            (true, _) => scenario::reference(),
            (_, true) => review::custom::context_schema(),
            _ => scenario::json_schema(),
        };
        say(text.trim_end());
        Ok(Exit::Held)
    }
}
