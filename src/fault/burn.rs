//! `cpu` with `workers`, `memory` with `hold`, `io`, `disk`: something inside the target uses up what it has. Our own
//! program runs there as long as we hold it; nothing is copied, and nothing need be installed.

use super::{Claim, FaultError, Injection, Proof, injection, must_run, refuse};
use crate::{
    agent::work::Work,
    container::{Container, Op},
    units::Bytes,
};

/// More threads than this are a load on the host's scheduler rather than on the target.
const WORKERS_MOST: u32 = 256;

pub(super) fn compile(work: Work, on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    sensible(&work, on)?;
    let work_name = work.to_string();
    Ok(Injection {
        apply: vec![Op::Begin { work: work.clone() }],
        undo: vec![Op::End { work }],
        // What ends the container at its begin or its end is refused; what ends it in between ends the burn.
        claims: vec![Claim::Inside(work_name)],
        proof: Proof::InPlace,
        ..injection(on)
    })
}

fn sensible(work: &Work, on: &Container) -> Result<(), FaultError> {
    let workers = match work {
        Work::Burn(burn) => burn.workers,
        Work::Load(load) => load.workers,
        Work::Hold(hold) => {
            let limit = u64::try_from(on.limits.memory).unwrap_or(0);
            let killed =
                "the kernel would kill the burner at once; hold less, or say `victim: target` if that is meant";
            return match limit {
                1.. if hold.bytes > limit && !hold.victim_target => {
                    refuse(format!("{} may use {}, less than {}: {killed}", on.name, Bytes(limit), Bytes(hold.bytes)))
                }
                _ => Ok(()),
            };
        }
        Work::Signal(_) | Work::Squeeze(_) | Work::Fill(_) => return Ok(()),
    };
    match workers {
        1..=WORKERS_MOST => Ok(()),
        _ => refuse(format!("{workers} workers; from 1 to {WORKERS_MOST} make sense")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::work::{burn::Burn, hold::Hold},
        container::sim,
    };

    #[test]
    fn what_is_begun_is_ended() {
        let work = Work::Burn(Burn { workers: 2, load: 80 });
        let made = compile(work.clone(), &sim::container("shop", "api", 1)).unwrap();
        assert_eq!((made.apply, made.undo), (vec![Op::Begin { work: work.clone() }], vec![Op::End { work }]));
    }

    #[test]
    fn more_memory_than_there_may_be_is_refused_unless_the_target_shall_die() {
        let mut api = sim::container("shop", "api", 1);
        api.limits.memory = 64 << 20;
        let hold = |victim_target| Work::Hold(Hold { bytes: 128 << 20, victim_target });
        assert!(compile(hold(false), &api).unwrap_err().to_string().contains("victim: target"));
        assert!(compile(hold(true), &api).is_ok());
        assert!(compile(Work::Burn(Burn { workers: 0, load: 5 }), &api).unwrap_err().to_string().contains("0 workers"));
    }
}
