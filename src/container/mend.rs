//! The typed operations that would make a container as it is expected to be, whatever went wrong before.

use super::{Container, Op, State};

/// What to do about a container that is not as expected, whatever the reason.
pub fn mend(expected: &Container, now: &Container) -> Vec<Op> {
    let mut ops = Vec::new();
    if expected.state == State::Running {
        match now.state {
            State::Paused => ops.push(Op::Unpause),
            state if !state.runs() => ops.push(Op::Start),
            _ => {}
        }
    }
    for (network, attachment) in &expected.networks {
        if !now.networks.contains_key(network) {
            ops.push(Op::Connect { network: network.clone(), attachment: Box::new(attachment.clone()) });
        }
    }
    ops
}
