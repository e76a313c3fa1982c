//! Exit codes, as SCENARIO.md's table has them.

use std::process::ExitCode;

/// How a verb ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Held; or the verb did what it was asked.
    Held = 0,
    /// Hypothesis violated, or not recovered in time.
    Violated = 1,
    /// Scenario or command line invalid; nothing to judge.
    Invalid = 2,
    /// No Docker, no such target, target locked, limits refuse it.
    CouldNotRun = 3,
    /// Halted by a guard; clean.
    Halted = 4,
    /// Something could not be undone, or its undo not be proven.
    CleanupUnproven = 5,
    /// Undecided.
    Undecided = 6,
    /// Baseline not met: nothing injected.
    BaselineNotMet = 7,
    /// Stopped by a person; clean.
    Stopped = 130,
}

impl Exit {
    /// From worst to best, for a series of runs.
    pub const WORST_FIRST: [Exit; 9] = [
        Exit::CleanupUnproven,
        Exit::Stopped,
        Exit::Halted,
        Exit::Violated,
        Exit::Undecided,
        Exit::CouldNotRun,
        Exit::BaselineNotMet,
        Exit::Invalid,
        Exit::Held,
    ];

    /// The exit with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Exit> {
        Exit::WORST_FIRST.into_iter().find(|exit| *exit as u8 == code)
    }

    /// The same for a drill whose review could not be written: what nobody can read decides nothing.
    pub fn without_a_review(self) -> Exit {
        match self {
            Exit::Held | Exit::Violated => Exit::Undecided,
            other => other,
        }
    }

    /// The worst of several; [`Exit::Held`] of none.
    pub fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
        let rank = |exit: &Exit| Exit::WORST_FIRST.iter().position(|other| other == exit);
        exits.into_iter().min_by_key(rank).unwrap_or(Exit::Held)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_exits_with_its_worst() {
        use Exit::*;
        assert_eq!(Exit::worst([]), Held);
        assert_eq!(Exit::worst([Held, BaselineNotMet, Undecided]), Undecided);
        assert_eq!(Exit::worst([Violated, Halted, Held]), Halted);
        assert_eq!(Exit::worst([Stopped, CleanupUnproven, Halted]), CleanupUnproven);
    }
}
