//! Every fault on a real engine: its effect is seen, its undo proven, and what it cannot do said.

use crate::stage::Stage;
use firedrill::{
    agent::work::{Work, burn::Burn, hold::Hold, squeeze::Resource},
    container::{
        Container, ContainerError, ContainerId, Containers, Op, OpOutcome, State,
        compare::{differences, proven},
        docker::{HealthCheck, NewEndpoint, NewPort},
    },
    fault::{Fault, Injection, OneByOne, Proof},
    units::Span,
};
use std::time::{Duration, Instant};

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(String::from).collect()
}

async fn play(stage: &Stage, on: &ContainerId, ops: &[Op]) -> Vec<OpOutcome> {
    let mut outcomes = Vec::new();
    for op in ops {
        let outcome = stage.docker.perform(on, op).await.unwrap_or_else(|error| panic!("{op}: {error}"));
        assert!(outcome.succeeded(), "{op}: {outcome:?}");
        outcomes.push(outcome);
    }
    outcomes
}

fn seen(proof: &Proof, before: &Container, now: &Container) -> bool {
    match proof {
        Proof::NotRunning => now.state == State::Exited,
        Proof::Paused => now.state == State::Paused,
        Proof::Restarted => now.state == State::Running && now.started_at != before.started_at,
        Proof::OffNetwork(network) => !now.networks.contains_key(network),
        Proof::CommandSucceeded | Proof::InPlace => true,
        Proof::Ended => now.state != State::Running || now.started_at != before.started_at,
    }
}

/// Applies, looks, undoes twice; what is different afterwards.
async fn there_and_back(stage: &Stage, id: &ContainerId, fault: &Fault) -> Vec<String> {
    let before = stage.look(id).await;
    let Injection { apply, undo, proof, .. } = fault.compile(&before).unwrap();
    play(stage, id, &apply).await;
    let mut during = stage.look(id).await;
    let begun = Instant::now();
    while !seen(&proof, &before, &during) && begun.elapsed() < Duration::from_secs(5) {
        // A signal is sent before its effect is seen.
        tokio::time::sleep(Duration::from_millis(20)).await;
        during = stage.look(id).await;
    }
    assert!(seen(&proof, &before, &during), "{fault:?}: {proof:?} is not seen in {during:?}");
    play(stage, id, &undo).await;
    let again = play(stage, id, &undo).await;
    let idempotent = again.iter().all(|outcome| {
        matches!(outcome, OpOutcome::Already | OpOutcome::Exited { .. } | OpOutcome::Seen(_) | OpOutcome::Over { .. })
    });
    assert!(idempotent, "the second time there is nothing left to undo: {again:?}");
    let after = differences(&before, &stage.look(id).await);
    assert!(proven(&after), "{fault:?} is not undone: {after:#?}");
    after.into_iter().map(|difference| difference.what).collect()
}

fn every_fault(network: &str) -> Vec<Fault> {
    let command = |undo| Fault::Exec { command: words("/firedrill --version"), user: None, undo };
    vec![
        Fault::Kill { signal: "SIGKILL".into() },
        Fault::Stop { grace: Some(Span::secs(5)) },
        Fault::Restart { grace: None, one_by_one: None },
        Fault::Restart { grace: Some(Span::secs(1)), one_by_one: Some(OneByOne { within: Span::secs(20) }) },
        Fault::Pause,
        Fault::Signal { signal: "SIGSTOP".into(), process: None },
        Fault::Squeeze { resource: Resource::Cpu, to: 300_000_000 },
        Fault::Squeeze { resource: Resource::Memory, to: 48 << 20 },
        Fault::Squeeze { resource: Resource::Pids, to: 50 },
        Fault::Burn(Work::Burn(Burn { workers: 1, load: 20 })),
        Fault::Burn(Work::Hold(Hold { bytes: 1 << 20, victim_target: false })),
        Fault::Disconnect { network: network.into() },
        command(None),
        command(Some(words("/firedrill --version"))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_seen_and_undone_on_a_container_with_everything() {
    let stage = Stage::new().await;
    let (front, back) = (stage.network("front", Some("10.213.72.0/24")).await, stage.network("back", None).await);
    let mut new = stage.idle("api", 1);
    let place = |network: &str, ipv4: Option<&str>| NewEndpoint {
        network: network.into(),
        aliases: vec!["api".into(), "shop".into()],
        ipv4: ipv4.map(String::from),
    };
    new.networks = vec![place(&front, Some("10.213.72.9")), place(&back, None)];
    new.ports = vec![NewPort { container: 80, host_ip: "127.0.0.1".into(), host: None }];
    new.restart_policy.name = "always".into();
    new.limits.memory = 64 << 20;
    new.limits.cpu_shares = 512;
    new.health = Some(HealthCheck {
        command: words("/firedrill --version"),
        interval: Span::millis(200),
        timeout: Span::secs(5),
        retries: 1,
    });
    let id = stage.start(&new).await;
    for fault in every_fault(&front).into_iter().chain([Fault::Disconnect { network: back.clone() }]) {
        stage.docker.perform(&id, &Op::AwaitHealthy { within: Span::secs(20) }).await.unwrap();
        there_and_back(&stage, &id, &fault).await;
        let place = &stage.look(&id).await.networks[&front];
        assert_eq!(place.static_ipv4.as_deref(), Some("10.213.72.9"), "after {fault:?}");
        assert_eq!(place.ipv4.unwrap().to_string(), "10.213.72.9", "after {fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_undone_on_a_container_with_nothing() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    for fault in every_fault("bridge") {
        there_and_back(&stage, &id, &fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_container_stays_down_whatever_its_policy_and_has_it_again_after_the_undo() {
    let stage = Stage::new().await;
    let mut new = stage.idle("api", 1);
    new.restart_policy.name = "always".into();
    new.command = words("idle --seconds 2");
    let id = stage.start(&new).await;
    let before = stage.look(&id).await;
    let kill = Fault::Kill { signal: "SIGKILL".into() }.compile(&before).unwrap();
    assert!(kill.notes[0].contains("restart policy `always`"), "{:?}", kill.notes);
    play(&stage, &id, &kill.apply).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.look(&id).await.state, State::Exited, "the policy does not act on a kill");
    play(&stage, &id, &kill.undo).await;
    let waiting = Instant::now();
    while stage.look(&id).await.restart_count == 0 {
        assert!(waiting.elapsed() < Duration::from_secs(10), "the policy acts again after the undo");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_removed_meanwhile_ends_the_operation_and_names_itself() {
    let stage = Stage::new().await;
    let mut new = stage.idle("api", 1);
    new.health = Some(HealthCheck {
        command: words("/firedrill no-such-verb"),
        interval: Span::millis(100),
        timeout: Span::secs(5),
        retries: 1,
    });
    let id = stage.start(&new).await;
    let (docker, awaited) = (stage.docker.clone(), id.clone());
    let waiting =
        tokio::spawn(async move { docker.perform(&awaited, &Op::AwaitHealthy { within: Span::secs(60) }).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.docker.remove_container(&id.id).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    for answer in [ended, stage.docker.perform(&id, &Op::Unpause).await, stage.docker.perform(&id, &Op::Start).await] {
        assert!(matches!(&answer, Err(ContainerError::NotFound { what }) if what.contains(&id.id)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_is_refused_before_anything_happens() {
    let stage = Stage::new().await;
    let mut fleeting = stage.idle("job", 1);
    fleeting.auto_remove = true;
    let fleeting = stage.look(&stage.start(&fleeting).await).await;
    let kill = Fault::Kill { signal: "KILL".into() };
    assert!(kill.compile(&fleeting).unwrap_err().to_string().contains("--rm"));
    let mut alone = stage.idle("alone", 1);
    alone.network_mode = Some("none".into());
    let alone = stage.look(&stage.start(&alone).await).await;
    let cut = Fault::Disconnect { network: "none".into() };
    assert!(cut.compile(&alone).unwrap_err().to_string().contains("no network of its own"));
}
