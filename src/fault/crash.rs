//! `crash`, `signal`, `process`: a signal from the host's side, so that the engine takes what comes of it for the
//! program's own doing, and the restart policy acts.

use super::{Claim, FaultError, Injection, Proof, injection, must_run, must_survive_its_end, refuse};
use crate::{
    agent::work::{Work, signal::Signalling},
    container::{Container, Op},
};

pub(super) fn crash(signal: &str, on: &Container) -> Result<Injection, FaultError> {
    let injection = send(signal, None, on)?;
    Ok(Injection { proof: Proof::Ended, notes: policy_note(on).into_iter().collect(), ..injection })
}

/// To the main process, or to those whose name or command line holds the regex.
pub(super) fn send(signal: &str, process: Option<&str>, on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    must_survive_its_end(on)?;
    if let Some(Err(error)) = process.map(regex::Regex::new) {
        return refuse(format!("`{}` is not a regular expression: {error}", process.unwrap_or_default()));
    }
    let work = Work::Signal(Signalling { signal: signal.into(), process: process.map(String::from) });
    // What it stops goes on; what it ends, and nobody starts again, is started.
    let goes_on = work.lasts().then(|| Op::End { work: work.clone() });
    Ok(Injection {
        apply: vec![Op::Begin { work }],
        undo: goes_on.into_iter().chain([Op::Start]).collect(),
        claims: vec![Claim::Running],
        proof: Proof::InPlace,
        ..injection(on)
    })
}

/// Without a policy nobody starts it again, and the drill should not be thought to test that.
fn policy_note(on: &Container) -> Option<String> {
    let policy = on.restart_policy.name.as_str();
    matches!(policy, "" | "no")
        .then(|| format!("{} has no restart policy: it stays down until firedrill starts it again", on.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    #[test]
    fn a_crash_is_started_again_if_nobody_else_does_it() {
        let mut api = sim::container("shop", "api", 1);
        let made = crash("SIGKILL", &api).unwrap();
        assert_eq!((made.undo.as_slice(), &made.proof), ([Op::Start].as_slice(), &Proof::Ended));
        assert!(made.notes[0].contains("no restart policy"), "{:?}", made.notes);
        api.restart_policy.name = "always".into();
        assert!(crash("SIGKILL", &api).unwrap().notes.is_empty());
    }

    #[test]
    fn what_is_stopped_goes_on_and_what_is_removed_when_it_ends_is_refused() {
        let mut api = sim::container("shop", "api", 1);
        let stop = send("SIGSTOP", Some("worker"), &api).unwrap();
        assert!(matches!(stop.undo.as_slice(), [Op::End { .. }, Op::Start]), "{:?}", stop.undo);
        assert!(send("SIGHUP", Some("("), &api).unwrap_err().to_string().contains("not a regular expression"));
        api.auto_remove = true;
        assert!(crash("SIGKILL", &api).unwrap_err().to_string().contains("--rm"));
    }
}
