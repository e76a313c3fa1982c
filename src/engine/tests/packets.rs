//! Packet faults against the twin of an agent: armed, fired, counted, followed, undone; and agents that die.

use super::*;
use crate::{
    agent::{
        protocol::{Cut, Effect},
        traffic::Traffic,
    },
    fault::{PacketKind, PacketSettings},
};

fn blackhole() -> Fault {
    let (traffic, effect) = (Traffic::default(), Effect::Cut(Cut::Drop));
    Fault::Packets(Box::new(PacketSettings { kind: PacketKind::Blackhole, traffic, to: vec![], network: None, effect }))
}

fn lost(kind: &EventKind) -> bool {
    matches!(kind, EventKind::FaultLost { .. })
}

fn back(kind: &EventKind) -> bool {
    matches!(kind, EventKind::FaultBack { .. })
}

fn counted(ran: &Ran) -> Vec<u64> {
    let of = |event: &Event| match &event.kind {
        EventKind::AgentCounted { counters, .. } | EventKind::AgentUndone { counters, .. } => Some(counters.hit),
        _ => None,
    };
    ran.events.iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_packet_fault_is_armed_before_t0_fired_by_one_line_counted_and_undone() {
    let mut setting = setting(&[(blackhole(), 1000, Some(3000))]);
    let sim = setting.sim.clone();
    let during = sim.clone();
    let ran = setting
        .run_and(Duration::from_millis(2000), move |_, _| assert_eq!(during.packet_faults("shop-api-1"), 1))
        .await;
    assert!(ran.outcome.clean && ran.outcome.complete, "{:#?}", ran.words());
    assert!(ran.at(|kind| matches!(kind, EventKind::AgentArmed { .. })) < ran.zero());
    let fired = ran.at(|kind| matches!(kind, EventKind::AgentFired { .. }));
    assert!((fired - ran.zero()).abs_diff(1000 * MS) < 10 * MS, "{:#?}", ran.words());
    assert!(counted(&ran).last().is_some_and(|hit| (250..350).contains(hit)), "{:?}", counted(&ran));
    assert_eq!(ran.operations(), ["packets", "free packets"]);
    assert_eq!(sim.packet_faults("shop-api-1"), 0);
    assert!(ran.has(|kind| matches!(kind, EventKind::AgentEnded { why: Some(_), failed: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_cannot_do_is_known_before_anything_is_sent() {
    let mut setting = setting(&[(blackhole(), 0, Some(1000))]);
    setting.sim.agent_refuses("this kernel has no NFQUEUE");
    let ran = setting.run().await;
    let why = |kind: &EventKind| match kind {
        EventKind::NotStarted(NotStarted::CouldNotRun(why)) => why.contains("no NFQUEUE") && why.contains("blackhole"),
        _ => false,
    };
    assert!(ran.has(why), "{:#?}", ran.events);
    assert!(!ran.has(|kind| matches!(kind, EventKind::LoadStarted { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_killed_ends_its_fault_and_the_run_says_so() {
    let mut setting = setting(&[(blackhole(), 0, Some(6000))]);
    let sim = setting.sim.clone();
    let ran = setting.run_and(Duration::from_millis(2000), |sim, _| sim.kill_agents("shop-api-1")).await;
    assert!(ran.has(|kind| matches!(kind, EventKind::FaultEnded { by, .. } if by.contains("agent"))));
    assert!(ran.has(|kind| matches!(kind, EventKind::AgentEnded { why: None, .. })));
    assert!(ran.outcome.clean, "a new agent has found nothing left: {:?}", ran.outcome.left);
    assert_eq!(sim.packet_faults("shop-api-1"), 0);
    let undone = ran.at(|kind| matches!(kind, EventKind::UndoChecked { .. })) - ran.zero();
    assert!(undone < 3000 * MS, "it is over then and there: {:#?}", ran.words());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_died_before_its_fault_was_due_is_replaced() {
    let mut setting = setting(&[(blackhole(), 3000, Some(2000))]);
    let ran = setting.run_and(Duration::from_millis(1000), |sim, _| sim.kill_agents("shop-api-1")).await;
    assert!(ran.outcome.clean && ran.outcome.complete, "{:#?}", ran.words());
    assert!(ran.has(|kind| matches!(kind, EventKind::AgentUndone { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_fault_follows_its_target_into_a_new_network_and_the_gap_is_told() {
    let mut setting = setting(&[(blackhole(), 0, Some(8000))]);
    let sim = setting.sim.clone();
    let api = &mut setting.plan.targets.get_mut("api").unwrap()[0];
    api.restart_policy.name = "always".into();
    let policed = Sim::new([api.clone(), sim::container("shop", "db", 1)]);
    setting.sim = policed.clone();
    drop(sim);
    let seen = policed.clone();
    let ran = setting
        .run_and(Duration::from_millis(2000), move |sim, _| {
            sim.crash("shop-api-1", 1);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                assert_eq!(seen.packet_faults("shop-api-1"), 1, "in place in the new network");
            });
        })
        .await;
    assert!(ran.at(lost) < ran.at(back), "{:#?}", ran.words());
    assert!(ran.at(back) - ran.at(lost) < 1000 * MS);
    assert!(ran.outcome.clean && ran.outcome.complete, "{:#?}", ran.words());
    assert_eq!(policed.packet_faults("shop-api-1"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_kill_under_a_packet_fault_takes_it_away_and_the_start_brings_it_back() {
    let kill = Fault::Kill { signal: "SIGKILL".into() };
    let mut setting = setting(&[(blackhole(), 0, Some(8000)), (kill, 2000, Some(2000))]);
    let ran = setting.run().await;
    assert!(ran.at(lost) < ran.at(back), "{:#?}", ran.words());
    assert!(ran.outcome.clean && ran.outcome.complete, "{:#?}", ran.words());
    assert_eq!(setting.sim.packet_faults("shop-api-1"), 0);
}

#[tokio::test(start_paused = true)]
async fn several_faults_on_one_network_have_one_agent_and_end_one_by_one() {
    let faults = [(blackhole(), 0, Some(3000)), (blackhole(), 1000, Some(4000)), (blackhole(), 2000, None)];
    let mut setting = setting(&faults);
    let sim = setting.sim.clone();
    let ran = setting
        .run_and(Duration::from_millis(2500), move |sim, _| assert_eq!(sim.packet_faults("shop-api-1"), 3))
        .await;
    let started = ran.events.iter().filter(|event| matches!(event.kind, EventKind::AgentStarted { .. })).count();
    assert_eq!(started, 1);
    assert!(ran.outcome.clean && ran.outcome.complete, "{:#?}", ran.words());
    assert_eq!(sim.packet_faults("shop-api-1"), 0);
}
