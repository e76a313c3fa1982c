//! `stop`: an orderly end. The engine asks, waits for the grace, then kills.

use super::{
    Claim, FaultError, Injection, Proof, injection, kill::restart_policy_note, must_run, must_survive_its_end,
};
use crate::{
    container::{Container, Op},
    units::Span,
};

pub(super) fn compile(grace: Option<Span>, on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    must_survive_its_end(on)?;
    Ok(Injection {
        apply: vec![Op::Stop { grace }],
        undo: vec![Op::Start],
        claims: vec![Claim::Running],
        proof: Proof::NotRunning,
        notes: restart_policy_note(on).into_iter().collect(),
        ..injection(on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{State, sim};

    #[test]
    fn a_stop_is_undone_by_a_start() {
        let stop = compile(Some(Span::secs(3)), &sim::container("shop", "api", 1)).unwrap();
        assert_eq!((stop.apply, stop.undo), (vec![Op::Stop { grace: Some(Span::secs(3)) }], vec![Op::Start]));
    }

    #[test]
    fn only_what_runs_can_be_stopped() {
        let mut api = sim::container("shop", "api", 1);
        api.state = State::Exited;
        assert_eq!(compile(None, &api).unwrap_err().to_string(), "shop-api-1 is exited; a target must be running");
    }
}
