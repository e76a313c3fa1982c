//! Reading a fault back: is what should be seen, seen?

use super::drill::{Done, succeeded};
use crate::{
    container::{Container, OpOutcome, State},
    fault::Proof,
};

/// Whether `now` shows the proof, and what was seen, for people.
pub(crate) fn seen(proof: &Proof, before: &Container, now: &Container, last: Option<&Done>) -> (bool, String) {
    let state = now.state.name();
    match proof {
        Proof::NotRunning => (!now.state.runs(), ended(now)),
        Proof::Paused => (now.state == State::Paused, state.into()),
        Proof::Restarted => {
            let later = now.started_at != before.started_at;
            let again = if later { "started again" } else { "not started again" };
            (later && now.state == State::Running, format!("{state}, {again}"))
        }
        Proof::OffNetwork(network) => {
            let on = now.networks.contains_key(network);
            (!on, format!("{} network {network}", if on { "still on" } else { "off" }))
        }
        Proof::Ended => {
            let again = now.started_at != before.started_at;
            let told =
                if again { format!("it has ended and was started again; {}", now.state.name()) } else { ended(now) };
            (again || !matches!(now.state, State::Running | State::Paused), told)
        }
        Proof::InPlace => match last {
            Some(Ok(OpOutcome::Seen(seen))) => (true, seen.clone()),
            _ => (false, "not in place".into()),
        },
        Proof::CommandSucceeded => match last {
            Some(Ok(outcome)) if succeeded(&Ok(outcome.clone())) => (true, "the command ended with 0".into()),
            Some(Ok(OpOutcome::Exited { code, .. })) => (false, format!("the command ended with {code}")),
            Some(Err(error)) => (false, error.to_string()),
            Some(Ok(_)) | None => (false, "the command did not run".into()),
        },
    }
}

/// Whether a fault with this proof can be seen to last, so that its end without us can be noticed.
pub(crate) fn lasting(proof: &Proof) -> bool {
    match proof {
        Proof::NotRunning | Proof::Paused | Proof::OffNetwork(_) | Proof::Ended | Proof::InPlace => true,
        Proof::Restarted | Proof::CommandSucceeded => false,
    }
}

/// Whether a fault that was seen to be in place still is, as far as the container shows.
pub(crate) fn holds(proof: &Proof, before: &Container, now: &Container) -> bool {
    match proof {
        // It may be down for a while before somebody, or its restart policy, has it running again.
        Proof::Ended => now.state != State::Running,
        Proof::InPlace => true,
        other => seen(other, before, now, None).0,
    }
}

/// What a container looks like while a fault with this proof is on it.
pub(crate) fn under(proof: &Proof, container: &mut Container) {
    match proof {
        Proof::NotRunning | Proof::Ended => container.state = State::Exited,
        Proof::Paused => container.state = State::Paused,
        Proof::OffNetwork(network) => drop(container.networks.remove(network)),
        Proof::Restarted | Proof::CommandSucceeded | Proof::InPlace => {}
    }
}

fn ended(now: &Container) -> String {
    match now.exit_code {
        Some(code) if !now.state.runs() => format!("{}, code {code}", now.state.name()),
        _ => now.state.name().into(),
    }
}
