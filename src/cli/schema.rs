//! `firedrill schema`

use super::{Exit, Global, output::say};
use crate::scenario;

/// Arguments of `firedrill schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firedrill schema > scenarios/schema.json
  # first line of a scenario, for editors:
  # yaml-language-server: $schema=schema.json

  firedrill schema --reference    every key, as Markdown")]
pub struct Schema {
    /// Print the reference of the language as Markdown instead.
    #[arg(long)]
    pub reference: bool,
}

impl Schema {
    /// Prints it.
    pub fn run(&self, _global: &Global) -> anyhow::Result<Exit> {
        let text = if self.reference { scenario::reference() } else { scenario::json_schema() };
        say(text.trim_end());
        Ok(Exit::Held)
    }
}
