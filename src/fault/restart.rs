//! `restart`: stop and start by the engine, all at once or one after the other. Nothing is held, so nothing is undone.

use super::{Claim, FaultError, Injection, OneByOne, Proof, injection, must_run};
use crate::{
    container::{Container, Op},
    units::Span,
};

pub(super) fn compile(
    grace: Option<Span>,
    one_by_one: Option<OneByOne>,
    on: &Container,
) -> Result<Injection, FaultError> {
    must_run(on)?;
    let mut apply = vec![Op::Restart { grace }];
    apply.extend(one_by_one.map(|rolling| Op::AwaitHealthy { within: rolling.within }));
    let mut notes = Vec::new();
    if one_by_one.is_some() && on.health.is_none() {
        notes.push(format!("{} has no health check: running counts as healthy", on.name));
    }
    Ok(Injection { apply, claims: vec![Claim::Running], proof: Proof::Restarted, notes, ..injection(on) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Health, sim};

    #[test]
    fn a_rolling_restart_waits_for_health_and_says_where_there_is_none() {
        let mut api = sim::container("shop", "api", 1);
        let rolling = Some(OneByOne { within: Span::secs(30) });
        let restart = compile(None, rolling, &api).unwrap();
        assert_eq!(restart.apply, [Op::Restart { grace: None }, Op::AwaitHealthy { within: Span::secs(30) }]);
        assert!(restart.undo.is_empty() && restart.notes[0].contains("no health check"));
        api.health = Some(Health::Healthy);
        assert!(compile(None, rolling, &api).unwrap().notes.is_empty());
    }

    #[test]
    fn all_at_once_is_one_operation() {
        let restart = compile(Some(Span::secs(1)), None, &sim::container("shop", "api", 1)).unwrap();
        assert_eq!(restart.apply, [Op::Restart { grace: Some(Span::secs(1)) }]);
    }
}
