//! `firedrill agent`: the helper beside a target. Driven by JSON lines on stdin, answers on stdout, lets go by itself.

use super::{Exit, Global};
use crate::{
    agent::{protocol::Terms, session},
    units::Span,
};

/// Arguments of `firedrill agent`.
#[derive(Debug, clap::Args)]
pub struct Agent {
    /// Undo everything and exit after this time, whatever is said.
    #[arg(long, value_name = "SPAN")]
    pub deadline: Span,
    /// Undo everything and exit after so long a silence of the runner.
    #[arg(long, value_name = "SPAN", default_value = "3s")]
    pub heartbeat: Span,
}

impl Agent {
    /// Runs until its lease is over.
    pub fn run(&self, _: &Global) -> anyhow::Result<Exit> {
        let terms = Terms { deadline: self.deadline, heartbeat: self.heartbeat };
        let (_, orderly) = session::run(terms, std::io::stdin(), std::io::stdout());
        Ok(if orderly { Exit::Held } else { Exit::CleanupUnproven })
    }
}
