//! The property that all faults share: apply, then undo, leaves the container as it was.

use super::*;
use crate::agent::work::{
    burn::Burn,
    fill::{Amount, Fill},
    hold::Hold,
    load::Load,
};
use crate::container::{
    Attachment, Containers, Health, PublishedPort, RestartPolicy,
    compare::{differences, proven},
    sim::{self, Sim},
};
use crate::{
    agent::{
        dns::{Answer, Dns},
        protocol::{Cut, Effect},
        shape::{Shape, chance::Chance, loss::Loss},
        traffic::{Direction, Ports, Traffic},
    },
    units::Percent,
};
use proptest::prelude::*;
use std::path::PathBuf;

fn some_container() -> impl Strategy<Value = Container> {
    let place = (any::<bool>(), prop::collection::vec("[a-z]{1,6}", 0..3), any::<bool>());
    let ports = prop::collection::vec((1_u16..9999, any::<bool>()), 0..3);
    let health = prop::option::of(Just(Health::Healthy));
    let policy = prop::sample::select(vec!["no", "always", "unless-stopped", "on-failure"]);
    (prop::collection::btree_map("[a-z]{1,4}", place, 0..3), ports, health, policy, 0_i64..1 << 30).prop_map(
        |(networks, ports, health, policy, memory)| {
            let mut made = sim::container("shop", "api", 1);
            for (index, (name, (fixed, aliases, linked))) in networks.into_iter().enumerate() {
                made.networks.insert(name.clone(), attachment(index, &name, fixed, aliases, linked));
            }
            let port = |(container, fixed)| PublishedPort {
                container,
                protocol: "tcp".into(),
                host_ip: "0.0.0.0".into(),
                host: 20_000,
                fixed,
            };
            made.ports = ports.into_iter().map(port).collect();
            made.restart_policy = RestartPolicy { name: policy.into(), max_retries: 0 };
            // None, or enough that a squeeze is one.
            made.limits.memory = if memory % 2 == 0 { 0 } else { memory + (8 << 20) };
            made.health = health;
            made
        },
    )
}

fn attachment(index: usize, name: &str, fixed: bool, mut aliases: Vec<String>, linked: bool) -> Attachment {
    let address = std::net::Ipv4Addr::new(10, 9, index as u8, 7);
    aliases.sort();
    Attachment {
        network_id: format!("net-{name}"),
        ipv4: Some(address.into()),
        static_ipv4: fixed.then(|| address.to_string()),
        aliases,
        links: if linked { vec!["db:database".into()] } else { Vec::new() },
        ..Attachment::default()
    }
}

fn some_fault(networks: Vec<String>) -> impl Strategy<Value = Fault> {
    let grace = || prop::option::of((0_u64..30).prop_map(Span::secs));
    let words = || prop::collection::vec("[a-z]{1,5}", 1..4);
    prop_oneof![
        prop::sample::select(vec!["KILL", "sigterm", "SIGINT"])
            .prop_map(|signal| Fault::Kill { signal: signal.into() }),
        grace().prop_map(|grace| Fault::Stop { grace }),
        grace().prop_map(|grace| Fault::Restart { grace, one_by_one: None }),
        Just(Fault::Pause),
        prop::sample::select(vec!["SIGKILL", "SIGTERM"]).prop_map(|signal| Fault::Crash { signal: signal.into() }),
        (prop::sample::select(vec!["SIGHUP", "SIGSTOP", "SIGKILL"]), prop::option::of("[a-z]{1,6}"))
            .prop_map(|(signal, process)| Fault::Signal { signal: signal.into(), process }),
        some_squeeze(),
        some_burn().prop_map(Fault::Burn),
        some_packets().prop_map(|settings| Fault::Packets(Box::new(settings))),
        prop::sample::select(networks).prop_map(|network| Fault::Disconnect { network }),
        (words(), prop::option::of(words())).prop_map(|(command, undo)| Fault::Exec { command, user: None, undo }),
    ]
}

/// Below every limit that a container of [`some_container`] may have.
fn some_squeeze() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (10_000_000_u64..8_000_000_000).prop_map(|to| Fault::Squeeze { resource: Resource::Cpu, to }),
        (4_u64 << 20..5 << 20).prop_map(|to| Fault::Squeeze { resource: Resource::Memory, to }),
        (1_u64..60_000).prop_map(|to| Fault::Squeeze { resource: Resource::Pids, to }),
    ]
}

fn some_burn() -> impl Strategy<Value = Work> {
    let amount = prop_oneof![
        (1_u64..1 << 40).prop_map(Amount::Bytes),
        (1_u8..=100).prop_map(Amount::Percent),
        (0_u64..1 << 40).prop_map(Amount::Leave)
    ];
    let path = || "/[a-z]{1,6}".prop_map(PathBuf::from);
    prop_oneof![
        (1_u32..9, 1_u8..=100).prop_map(|(workers, load)| Work::Burn(Burn { workers, load })),
        (1_u64..5 << 20, any::<bool>()).prop_map(|(bytes, victim_target)| Work::Hold(Hold { bytes, victim_target })),
        (path(), 1_u32..9, prop::option::of(1_u64..1 << 30)).prop_map(|(path, workers, rate)| Work::Load(Load {
            path,
            workers,
            rate
        })),
        (path(), amount).prop_map(|(path, amount)| Work::Fill(Fill { path, amount })),
    ]
}

fn some_packets() -> impl Strategy<Value = PacketSettings> {
    let percent = || (1_u32..=100).prop_map(|percent| Percent(f64::from(percent) / 100.0));
    let chance = || percent().prop_map(|percent| Chance { percent, correlation: Percent::default() });
    let shape = |shape: Shape| Effect::Shape(Box::new(shape));
    let effect = prop_oneof![
        Just(Effect::Cut(Cut::Drop)),
        Just(Effect::Cut(Cut::Reject)),
        chance().prop_map(move |it| shape(Shape { loss: Some(Loss::Random(it)), ..Shape::default() })),
        chance().prop_map(move |it| shape(Shape { duplicate: Some(it), ..Shape::default() })),
        Just(Effect::Dns(Box::new(Dns { answer: Some(Answer::ServFail), ..Dns::default() }))),
    ];
    let kind = prop::sample::select(vec![PacketKind::Blackhole, PacketKind::Loss, PacketKind::Reject]);
    let direction = prop::sample::select(vec![Direction::Both, Direction::Out, Direction::In]);
    (kind, effect, direction, prop::option::of(1_u16..9999)).prop_map(|(kind, effect, direction, port)| {
        let remote_ports = port.map(|port| Ports { first: port, last: port }).into_iter().collect();
        let traffic = Traffic { direction, remote_ports, ..Traffic::default() };
        let to = vec![To::Addresses("10.0.0.0/8".parse().unwrap())];
        PacketSettings { kind, traffic, to, network: None, effect }
    })
}

fn a_case() -> impl Strategy<Value = (Container, Fault)> {
    some_container().prop_flat_map(|container| {
        let networks = container.networks.keys().cloned().collect();
        (Just(container), some_fault(networks))
    })
}

async fn play(sim: &Sim, on: &ContainerId, ops: &[Op]) {
    for op in ops {
        let outcome = sim.perform(on, op).await.expect("the twin refuses nothing that was compiled");
        assert!(outcome.succeeded(), "{op}: {outcome:?}");
    }
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn apply_then_undo_leaves_the_world_as_it_was((container, fault) in a_case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let sim = Sim::new([container.clone()]);
            let injection = fault.compile(&container).unwrap();
            play(&sim, &injection.on, &injection.apply).await;
            let during = sim.look(&container.name);
            assert!(seen(&injection.proof, &container, &during), "{:?} is not seen in {during:?}", injection.proof);
            let in_place = sim.packet_faults(&container.name);
            let about_packets = matches!(injection.apply[..], [Op::Packets(_)]);
            assert_eq!(in_place, usize::from(about_packets), "packets are hit by packet faults");
            assert_eq!(fault.held(), !injection.undo.is_empty(), "what is held is undone, and nothing else");
            for time in ["once", "twice"] {
                play(&sim, &injection.on, &injection.undo).await;
                let differences = differences(&container, &sim.look(&container.name));
                assert!(proven(&differences), "undone {time}: {differences:?}");
                assert_eq!(sim.working(&container.name), [], "undone {time}");
                assert_eq!(sim.packet_faults(&container.name), 0, "undone {time}");
            }
        });
    }

    #[test]
    fn an_injection_is_plain_data((container, fault) in a_case()) {
        let injection = fault.compile(&container).unwrap();
        let line = serde_json::to_string(&injection).unwrap();
        prop_assert_eq!(serde_json::from_str::<Injection>(&line).unwrap(), injection);
    }
}
