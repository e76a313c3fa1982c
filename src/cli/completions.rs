//! `firedrill completions`: for bash, zsh, fish, elvish and PowerShell.

use super::{Cli, Exit, Global};
use clap::CommandFactory;
use std::io;

/// Arguments of `firedrill completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firedrill completions bash > /etc/bash_completion.d/firedrill")]
pub struct Completions {
    /// For which shell.
    pub shell: clap_complete::Shell,
}

impl Completions {
    /// Prints them.
    pub fn run(&self, _: &Global) -> anyhow::Result<Exit> {
        clap_complete::generate(self.shell, &mut Cli::command(), "firedrill", &mut io::stdout().lock());
        Ok(Exit::Held)
    }
}
