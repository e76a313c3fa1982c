//! `firedrill doctor`: what this host and Docker can and cannot do, and how to mend it.

mod engine;
mod host;

use super::{Exit, Global, output::say};
use serde::Serialize;

/// Arguments of `firedrill doctor`.
#[derive(Debug, clap::Args)]
pub struct Doctor {}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Good,
    /// Good to know.
    Note,
    /// Drills run, but something is worse than it could be.
    Warning,
    /// No drill can run.
    Failed,
}

impl State {
    /// A word, so that nobody needs colours to read it.
    fn word(self) -> &'static str {
        match self {
            State::Good => "ok",
            State::Note => "note",
            State::Warning => "warning",
            State::Failed => "FAILED",
        }
    }

    fn color(self) -> &'static str {
        match self {
            State::Good => "\x1b[32m",
            State::Note => "\x1b[2m",
            State::Warning => "\x1b[33m",
            State::Failed => "\x1b[1;31m",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    state: State,
    /// What was looked at.
    about: &'static str,
    /// What was seen.
    seen: String,
    /// What to do about it.
    mend: Option<String>,
}

impl Check {
    fn new(state: State, about: &'static str, seen: impl Into<String>) -> Check {
        Check { state, about, seen: seen.into(), mend: None }
    }

    fn mend(mut self, mend: impl Into<String>) -> Check {
        self.mend = Some(mend.into());
        self
    }

    fn line(&self, color: bool) -> String {
        let (on, off) = if color { (self.state.color(), "\x1b[0m") } else { ("", "") };
        let mut text = format!("{on}{:>8}{off}  {}: {}", self.state.word(), self.about, self.seen);
        if let Some(mend) = &self.mend {
            text.push_str(&format!("\n          -> {mend}"));
        }
        text
    }
}

impl Doctor {
    /// Looks, prints, and ends with 3 if no drill could run.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut checks = runtime.block_on(engine::checks());
        checks.extend(host::checks());
        let failed = checks.iter().any(|check| check.state == State::Failed);
        if global.json {
            say(serde_json::to_string_pretty(&serde_json::json!({ "ready": !failed, "checks": checks }))?);
        } else {
            print(&checks, global);
        }
        Ok(if failed { Exit::CouldNotRun } else { Exit::Held })
    }
}

fn print(checks: &[Check], global: &Global) {
    let shown = checks.iter().filter(|check| !global.quiet || matches!(check.state, State::Warning | State::Failed));
    shown.for_each(|check| say(check.line(global.color.stdout())));
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    say(match (count(State::Failed), count(State::Warning)) {
        (0, 0) => "Drills can run here.".to_owned(),
        (0, warnings) => format!("Drills can run here; warnings: {warnings}."),
        (_, _) => "No drill can run here until what FAILED is mended.".to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_read_without_colour_and_says_how_to_mend() {
        let check = Check::new(State::Failed, "Docker", "nobody answers").mend("start it");
        assert_eq!(check.line(false), "  FAILED  Docker: nobody answers\n          -> start it");
        assert!(check.line(true).starts_with("\x1b[1;31m"));
    }
}
