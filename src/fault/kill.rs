//! `kill`: a fatal signal through the engine, which switches the restart policy off until the next start.

use super::{Claim, FaultError, Injection, Proof, injection, must_run, refuse};
use crate::container::{Container, Op};

/// Signals that end a process which does not handle them, and that nobody uses to say something else.
/// `HUP`, `USR1` and their like would switch the restart policy off just the same, and kill nothing.
const FATAL: [&str; 12] = ["KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV", "BUS", "ILL", "FPE", "SYS", "TRAP", "STKFLT"];

pub(super) fn compile(signal: &str, on: &Container) -> Result<Injection, FaultError> {
    let name = signal.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if !FATAL.contains(&name) {
        return refuse(format!("{signal} does not kill; use one of {}", FATAL.join(", ")));
    }
    must_run(on)?;
    super::must_survive_its_end(on)?;
    Ok(Injection {
        apply: vec![Op::Kill { signal: format!("SIG{name}") }],
        undo: vec![Op::Start],
        claims: vec![Claim::Running],
        proof: Proof::NotRunning,
        notes: restart_policy_note(on).into_iter().collect(),
        ..injection(on)
    })
}

/// Only where there is a policy to switch off.
pub(super) fn restart_policy_note(on: &Container) -> Option<String> {
    let policy = on.restart_policy.name.as_str();
    let has_one = !matches!(policy, "" | "no");
    has_one.then(|| {
        format!(
            "{}: the engine does not apply its restart policy `{policy}` to what it ended itself, so whether it \
             comes back by itself is not tested; firedrill starts it again",
            on.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    #[test]
    fn a_kill_is_undone_by_a_start_and_says_what_becomes_of_the_restart_policy() {
        let mut api = sim::container("shop", "api", 1);
        let kill = compile("kill", &api).unwrap();
        assert_eq!((kill.apply, kill.undo), (vec![Op::Kill { signal: "SIGKILL".into() }], vec![Op::Start]));
        assert!(kill.notes.is_empty());
        api.restart_policy.name = "always".into();
        assert!(compile("SIGKILL", &api).unwrap().notes[0].contains("restart policy `always`"));
    }

    #[test]
    fn what_cannot_be_undone_or_does_not_kill_is_refused() {
        let mut api = sim::container("shop", "api", 1);
        assert!(compile("USR1", &api).unwrap_err().to_string().contains("does not kill"));
        api.auto_remove = true;
        assert!(compile("KILL", &api).unwrap_err().to_string().contains("removes it"));
    }
}
