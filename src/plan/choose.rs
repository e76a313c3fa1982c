//! From matches to targets: how many, and which. Chance comes from the run's seed, a child of it per target.

use super::{PlanError, select};
use crate::{
    container::{Container, Containers, Op, OpOutcome},
    scenario::{Pick, Target},
};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What was chosen, and how, for people.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// By target name; containers by name.
    pub(super) targets: BTreeMap<String, Vec<Container>>,
    /// One line a target.
    pub(super) lines: Vec<String>,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

/// Chooses the containers of every target. `except` looks at what others were resolved to, so those come first.
pub(super) async fn choose(
    targets: &[Target],
    all: &[Container],
    containers: &dyn Containers,
    seed: u64,
) -> Result<Choice, Vec<PlanError>> {
    let mut choice = Choice::default();
    let mut errors = Vec::new();
    let mut failed = BTreeSet::new();
    for target in in_order(targets)? {
        if target.selector.except.iter().any(|name| failed.contains(name.as_str())) {
            failed.insert(target.name.as_str());
            continue;
        }
        match one(target, &choice, all, containers, seed).await {
            Ok((chosen, line, notes)) => {
                choice.targets.insert(target.name.clone(), chosen);
                choice.lines.push(line);
                choice.notes.extend(notes);
            }
            Err(error) => {
                failed.insert(target.name.as_str());
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(choice) } else { Err(errors) }
}

/// Those that an `except` names before those that say it.
fn in_order(targets: &[Target]) -> Result<Vec<&Target>, Vec<PlanError>> {
    let mut waiting: Vec<&Target> = targets.iter().collect();
    let mut ordered: Vec<&Target> = Vec::new();
    while !waiting.is_empty() {
        let ready =
            |target: &&Target| target.selector.except.iter().all(|name| ordered.iter().any(|done| done.name == *name));
        let Some(at) = waiting.iter().position(ready) else {
            let circle =
                |t: &&Target| PlanError::new(t.place, format!("`except` of target `{}` leads nowhere", t.name));
            return Err(waiting.iter().map(circle).collect());
        };
        ordered.push(waiting.remove(at));
    }
    Ok(ordered)
}

async fn one(
    target: &Target,
    so_far: &Choice,
    all: &[Container],
    containers: &dyn Containers,
    seed: u64,
) -> Result<(Vec<Container>, String, Vec<String>), PlanError> {
    let excepted = target.selector.except.iter().filter_map(|name| so_far.targets.get(name)).flatten();
    let excepted = excepted.map(|one| one.id.id.as_str()).collect();
    let found = select::matches(target, &excepted, all)?;
    let of = found.candidates.len();
    let (chosen, how) = match &target.pick {
        Pick::TheOne => (the_one(target, &found.candidates)?, String::new()),
        Pick::All => (found.candidates.clone(), " (all)".into()),
        Pick::Count(count) => (some(target, &found.candidates, *count as usize, seed)?, format!(" (pick {count})")),
        Pick::Share(share) => {
            let count = ((share.0 * of as f64 + 1e-9).floor() as usize).max(1);
            (some(target, &found.candidates, count, seed)?, format!(" ({share})"))
        }
        Pick::Where { command, prints } => {
            let chosen = asked(target, &found.candidates, containers, command, prints).await?;
            (chosen, format!(" (where `{}` prints `{prints}`)", command.join(" ")))
        }
    };
    let names: Vec<&str> = chosen.iter().map(|one| one.name.as_str()).collect();
    let line = format!("{}: {} of {of}{how}: {}", target.name, names.len(), names.join(", "));
    let notes = found.left_out.iter().map(|why| format!("target `{}`: {why}, and is left out", target.name));
    Ok((chosen.into_iter().cloned().collect(), line, notes.collect()))
}

fn the_one<'a>(target: &Target, candidates: &[&'a Container]) -> Result<Vec<&'a Container>, PlanError> {
    if let [one] = candidates {
        return Ok(vec![one]);
    }
    let names = candidates.iter().map(|one| one.name.as_str()).collect();
    let message =
        format!("target `{}` matches {} containers: {}", target.name, candidates.len(), select::listed(&names));
    Err(PlanError::new(target.place, message).help("say how many: `pick: 1`, `pick: 50%` or `pick: all`"))
}

/// A part of the candidates by lot; the same for the same seed, name of target and number of candidates.
fn some<'a>(
    target: &Target,
    candidates: &[&'a Container],
    count: usize,
    seed: u64,
) -> Result<Vec<&'a Container>, PlanError> {
    if count > candidates.len() {
        let message = format!("target `{}` picks {count} of {} that match", target.name, candidates.len());
        return Err(PlanError::new(target.place, message).help("pick fewer, or `pick: all`"));
    }
    let mut chance = child(seed, &target.name);
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, (chance.next_u64() % (at as u64 + 1)) as usize);
    }
    let mut chosen = order[..count].to_vec();
    chosen.sort_unstable();
    Ok(chosen.into_iter().map(|at| candidates[at]).collect())
}

/// A generator of its own for each purpose: adding a target does not change what another one picks.
fn child(seed: u64, purpose: &str) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(purpose).finalize();
    ChaCha8Rng::from_seed(digest.into())
}

/// Those in which a command prints a line or a word.
async fn asked<'a>(
    target: &Target,
    candidates: &[&'a Container],
    containers: &dyn Containers,
    command: &[String],
    prints: &str,
) -> Result<Vec<&'a Container>, PlanError> {
    let op = Op::Exec { command: command.to_vec(), user: None };
    let answers = join_all(candidates.iter().map(|one| containers.perform(&one.id, &op))).await;
    let mut chosen = Vec::new();
    let mut said = Vec::new();
    for (one, answer) in candidates.iter().zip(answers) {
        match answer {
            Ok(OpOutcome::Exited { code: 0, output }) if says(&output, prints) => chosen.push(*one),
            Ok(OpOutcome::Exited { code: 0, output }) => {
                said.push(format!("{} printed `{}`", one.name, output.lines().next().unwrap_or_default().trim()));
            }
            Ok(OpOutcome::Exited { code, .. }) => said.push(format!("{} ended with {code}", one.name)),
            Ok(_) => {}
            Err(error) => said.push(format!("{} could not be asked: {error}", one.name)),
        }
    }
    if chosen.is_empty() {
        let message =
            format!("no container of target `{}` prints `{prints}` when asked `{}`", target.name, command.join(" "));
        return Err(PlanError::new(target.place, message).help(said.join("; ")));
    }
    Ok(chosen)
}

fn says(output: &str, prints: &str) -> bool {
    output.lines().any(|line| line.trim() == prints) || output.split_whitespace().any(|word| word == prints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        container::sim::{Sim, container},
        scenario::{Place, Selector},
        units::Percent,
    };

    fn target(name: &str, pick: Pick) -> Target {
        let selector = Selector { service: Some("api".into()), ..Selector::default() };
        Target { name: name.into(), place: Place { line: 2, column: 1 }, selector, pick }
    }

    async fn chosen(targets: &[Target], replicas: u8, seed: u64) -> Result<Choice, Vec<PlanError>> {
        let all: Vec<Container> = (1..=replicas).map(|n| container("shop", "api", n)).collect();
        let sim = Sim::new(all.clone());
        sim.answers("shop-api-2", &["role"], 0, "role: master\nok");
        choose(targets, &all, &sim, seed).await
    }

    async fn line(pick: Pick, replicas: u8) -> String {
        match chosen(&[target("t", pick)], replicas, 7).await {
            Ok(choice) => choice.lines.join("\n"),
            Err(errors) => errors[0].to_string(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn how_many_are_picked() {
        assert_eq!(line(Pick::TheOne, 1).await, "t: 1 of 1: shop-api-1");
        assert_eq!(line(Pick::TheOne, 2).await, "target `t` matches 2 containers: shop-api-1, shop-api-2");
        assert!(line(Pick::Share(Percent(0.5)), 5).await.starts_with("t: 2 of 5 (50%): "));
        assert!(line(Pick::Share(Percent(0.01)), 5).await.starts_with("t: 1 of 5 (1%): "));
        assert!(line(Pick::Count(3), 4).await.starts_with("t: 3 of 4 (pick 3): "));
        assert_eq!(line(Pick::Count(3), 2).await, "target `t` picks 3 of 2 that match");
        assert_eq!(line(Pick::All, 2).await, "t: 2 of 2 (all): shop-api-1, shop-api-2");
    }

    #[tokio::test(start_paused = true)]
    async fn containers_are_asked() {
        let asks = |prints: &str| Pick::Where { command: vec!["role".into()], prints: prints.into() };
        assert_eq!(line(asks("master"), 3).await, "t: 1 of 3 (where `role` prints `master`): shop-api-2");
        assert_eq!(line(asks("mast"), 3).await, "no container of target `t` prints `mast` when asked `role`");
    }

    #[tokio::test(start_paused = true)]
    async fn the_seed_decides_and_one_target_does_not_change_another() {
        let pick = |name| target(name, Pick::Count(2));
        let alone = chosen(&[pick("a")], 9, 1).await.unwrap();
        let both = chosen(&[pick("b"), pick("a")], 9, 1).await.unwrap();
        assert_eq!(alone.targets["a"], both.targets["a"]);
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            seen.insert(chosen(&[pick("a")], 9, seed).await.unwrap().lines);
        }
        assert!(seen.len() > 5, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn except_takes_away_what_the_other_target_became() {
        let mut rest = target("rest", Pick::All);
        rest.selector.except = vec!["one".into()];
        let choice = chosen(&[rest.clone(), target("one", Pick::Count(1))], 3, 5).await.unwrap();
        let one = &choice.targets["one"][0];
        assert_eq!(choice.targets["rest"].len(), 2);
        assert!(!choice.targets["rest"].contains(one));
        let mut circle = target("one", Pick::All);
        circle.selector.except = vec!["rest".into()];
        assert_eq!(chosen(&[rest, circle], 3, 5).await.unwrap_err().len(), 2);
    }
}
