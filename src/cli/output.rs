//! Writing to the terminal: colour only where it is wanted, and a closed pipe is no error.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl When {
    /// Whether standard output gets colours.
    pub fn stdout(self) -> bool {
        self.on(io::stdout().is_terminal())
    }

    /// Whether standard error gets colours.
    pub fn stderr(self) -> bool {
        self.on(io::stderr().is_terminal())
    }

    fn on(self, terminal: bool) -> bool {
        match self {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Prints to standard output. A reader that went away (`| head`) is not our error.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints to standard error.
pub fn warn(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints an error with what led to it.
pub fn complain(error: &anyhow::Error) {
    warn(format_args!("error: {error:#}"));
}
