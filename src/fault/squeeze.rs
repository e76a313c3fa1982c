//! `cpu` with `quota`, `memory` and `pids` with `limit`: a lower limit in the target's own cgroup. The engine is not
//! asked: it cannot take back a limit that was not there before.

use super::{Claim, FaultError, Injection, Proof, injection, must_run, refuse};
use crate::{
    agent::work::{
        Work,
        squeeze::{Resource, Squeeze},
    },
    container::{Container, Op, ResourceLimits},
};

/// The shortest quota is a hundredth of the usual period.
const CPU_LEAST: u64 = 10_000_000;
/// With less the kernel kills whatever runs there.
const MEMORY_LEAST: u64 = 4 << 20;

pub(super) fn compile(resource: Resource, to: u64, on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    let least = match resource {
        Resource::Cpu => CPU_LEAST,
        Resource::Memory => MEMORY_LEAST,
        Resource::Pids => 1,
    };
    if to < least {
        return refuse(format!(
            "{} is too little for anything to run; at least {}",
            resource.amount(to),
            resource.amount(least)
        ));
    }
    let from = limit(resource, &on.limits);
    if let Some(from) = from.filter(|from| *from <= to) {
        return refuse(format!("{} may use {} as it is; a squeeze must be lower", on.name, resource.amount(from)));
    }
    let work = Work::Squeeze(Squeeze { resource, to, from });
    Ok(Injection {
        apply: vec![Op::Begin { work: work.clone() }],
        undo: vec![Op::End { work }],
        claims: vec![Claim::Limit(resource.name().into())],
        proof: Proof::InPlace,
        notes: vec![format!(
            "{}: its {} limit is written into its cgroup, so a restart ends the squeeze, and `docker inspect` does not show it",
            on.name,
            resource.name()
        )],
        ..injection(on)
    })
}

/// The limit that the engine gave it, in the resource's own unit.
fn limit(resource: Resource, limits: &ResourceLimits) -> Option<u64> {
    let some = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    match resource {
        Resource::Memory => some(limits.memory),
        Resource::Pids => some(limits.pids),
        Resource::Cpu => some(limits.nano_cpus).or_else(|| {
            let period = some(limits.cpu_period).unwrap_or(100_000);
            some(limits.cpu_quota).map(|quota| (u128::from(quota) * 1_000_000_000 / u128::from(period)) as u64)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    fn squeeze(resource: Resource, to: u64, change: impl Fn(&mut ResourceLimits)) -> Result<Squeeze, String> {
        let mut api = sim::container("shop", "api", 1);
        change(&mut api.limits);
        let made = compile(resource, to, &api).map_err(|error| error.to_string())?;
        let Op::End { work: Work::Squeeze(squeeze) } = made.undo.into_iter().next().unwrap() else { panic!() };
        Ok(squeeze)
    }

    #[test]
    fn the_undo_knows_the_limit_that_the_engine_gave() {
        assert_eq!(squeeze(Resource::Memory, 64 << 20, |_| {}).unwrap().from, None);
        assert_eq!(squeeze(Resource::Memory, 64 << 20, |l| l.memory = 128 << 20).unwrap().from, Some(128 << 20));
        assert_eq!(
            squeeze(Resource::Cpu, 200_000_000, |l| l.nano_cpus = 1_500_000_000).unwrap().from,
            Some(1_500_000_000)
        );
        let quota = |l: &mut ResourceLimits| (l.cpu_quota, l.cpu_period) = (25_000, 50_000);
        assert_eq!(squeeze(Resource::Cpu, 200_000_000, quota).unwrap().from, Some(500_000_000));
        assert_eq!(squeeze(Resource::Pids, 20, |l| l.pids = -1).unwrap().from, None);
    }

    #[test]
    fn a_limit_that_is_no_squeeze_or_lets_nothing_run_is_refused() {
        assert!(squeeze(Resource::Pids, 20, |l| l.pids = 20).unwrap_err().contains("must be lower"));
        assert!(squeeze(Resource::Memory, 4096, |_| {}).unwrap_err().contains("too little"));
        assert!(squeeze(Resource::Cpu, 1, |_| {}).unwrap_err().contains("too little"));
    }
}
