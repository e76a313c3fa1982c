//! `pause`: every process of the container is frozen where it stands. Connections stay open; nobody answers.

use super::{Claim, FaultError, Injection, Proof, injection, must_run};
use crate::container::{Container, Op};

pub(super) fn compile(on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    Ok(Injection {
        apply: vec![Op::Pause],
        undo: vec![Op::Unpause],
        claims: vec![Claim::Running],
        proof: Proof::Paused,
        ..injection(on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{State, sim};

    #[test]
    fn a_pause_is_undone_by_a_thaw() {
        let pause = compile(&sim::container("shop", "api", 1)).unwrap();
        assert_eq!((pause.apply, pause.undo), (vec![Op::Pause], vec![Op::Unpause]));
    }

    #[test]
    fn a_container_that_somebody_else_paused_is_left_alone() {
        let mut api = sim::container("shop", "api", 1);
        api.state = State::Paused;
        assert_eq!(compile(&api).unwrap_err().to_string(), "shop-api-1 is paused; a target must be running");
    }
}
