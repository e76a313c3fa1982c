//! Packet faults through whole drills, seen from outside: by the load, by a peer's own connections, by what the
//! engine counts; and gone afterwards, whoever dies.

use crate::drill::{Drill, Over, Ran, Running, Web, wait_for};
use firedrill::{
    agent::protocol::Counters,
    container::{Container, ContainerId, docker::NewEndpoint},
    event::EventKind,
};
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use std::{
    fs::File,
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsFd,
    process::Command,
    thread,
    time::{Duration, Instant},
};

fn over(web: &Web, fault: &str, length: &str) -> String {
    let timing = "warm_up: 200ms, baseline: 2s, recovery: 5s";
    Over { name: "network", timeout: "1500ms", errors: "90%", timing, ..Over::default() }.fault(web, fault, length)
}

fn phase<'a>(ran: &'a Ran, phase: &str) -> &'a serde_json::Value {
    &ran.result["probes"][0]["phases"][phase]
}

/// Median response of the load in a phase, milliseconds.
fn median(ran: &Ran, of: &str) -> f64 {
    phase(ran, of)["response"]["p50_ns"].as_f64().unwrap_or_else(|| panic!("{:#}", ran.result)) / 1e6
}

fn failed(ran: &Ran, of: &str) -> f64 {
    let phase = phase(ran, of);
    phase["failed"].as_f64().unwrap() / phase["offered"].as_f64().unwrap()
}

/// The last word of the agent.
fn counters(ran: &Ran) -> Counters {
    let undone = |event: firedrill::event::Event| match event.kind {
        EventKind::AgentUndone { counters, .. } => Some(*counters),
        _ => None,
    };
    ran.events().into_iter().filter_map(undone).next_back().expect("an agent has undone it")
}

/// Runs one fault on a web server; it was undone, and the agent has counted.
fn drilled(fault: &str) -> (Ran, Counters) {
    let (ran, counters, _) = drilled_and_reviewed(fault);
    (ran, counters)
}

fn drilled_and_reviewed(fault: &str) -> (Ran, Counters, String) {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run(&over(&web, fault, "3s"), &[]);
    let counters = counters(&ran);
    // On a busy machine the generator may be behind, which decides nothing.
    assert!(matches!(ran.code, 0 | 1 | 6), "{}", ran.output);
    assert!(failed(&ran, "recovery") < 0.5, "it is gone: {}", ran.output);
    assert!(no_agents(&web.id), "no agent is left");
    let review = ran.review();
    (ran, counters, review)
}

/// Whether nothing of ours stands beside a container, and no table of ours is in its network.
fn no_agents(id: &ContainerId) -> bool {
    let label = format!("label=firedrill.beside={}", id.id);
    let listed = Command::new("docker").args(["ps", "-aq", "--filter", &label]).output().unwrap();
    assert!(listed.status.success());
    listed.stdout.is_empty()
}

fn tables(container: &Container) -> String {
    let pid = container.pid.to_string();
    let listed = Command::new("nsenter").args(["-t", &pid, "-n", "nft", "list", "tables"]).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

#[test]
fn a_delay_is_felt_each_way_and_gone_afterwards() {
    let (ran, counters, review) = drilled_and_reviewed("delay: { target: web, time: 100ms }");
    let (before, during, after) = (median(&ran, "baseline"), median(&ran, "during"), median(&ran, "recovery"));
    assert!(during >= 195.0, "100 ms in, 100 ms out: {during} ms");
    assert!(before < 100.0 && after < 100.0, "{before} ms before, {after} ms after");
    assert!(counters.delayed > 50 && counters.leaked == 0, "{counters:?}");
    let told = ran.result["faults"][0]["packets"].as_object().and_then(|all| all.values().next()).cloned();
    assert_eq!(told.map(|told| told["delayed"].clone()), Some(counters.delayed.into()), "{:#}", ran.result["faults"]);
    let achieved = counters.achieved.expect("a histogram");
    assert!((99_000_000..130_000_000).contains(&achieved.p50), "{achieved:?}");
    assert!(review.contains("delay achieved: median 10"), "{review}");
}

#[test]
fn a_blackhole_swallows_everything_and_gives_it_back() {
    let (ran, counters) = drilled("blackhole: { target: web }");
    let timed_out = phase(&ran, "during")["by_class"]["timeout"].as_f64().unwrap_or(0.0);
    // What is asked in the last second and a half is answered after the end.
    assert!(timed_out > 10.0 && failed(&ran, "during") > 0.4, "{:#}", phase(&ran, "during"));
    assert!(counters.cut > 10 && counters.cut == counters.hit, "{counters:?}");
}

#[test]
fn a_refusal_is_answered_at_once() {
    let (ran, counters) = drilled("reject: { target: web, own_ports: 80, protocol: tcp }");
    let classes = &phase(&ran, "during")["by_class"];
    let told = ["refused", "reset"].map(|class| classes[class].as_f64().unwrap_or(0.0)).iter().sum::<f64>();
    assert!(told > 10.0, "refused, not silent: {classes}");
    assert!(counters.cut > 10, "{counters:?}");
}

#[test]
fn losses_are_retransmitted_and_cost_time() {
    let (ran, counters) = drilled("loss: { target: web, percent: 50% }");
    assert!(median(&ran, "during") > 100.0, "{:#}", phase(&ran, "during"));
    let share = counters.dropped as f64 / counters.meant as f64;
    assert!((0.3..0.7).contains(&share), "{counters:?}");
}

#[test]
fn damaged_packets_are_dropped_by_their_receiver() {
    let (ran, counters) = drilled("corrupt: { target: web, percent: 100%, direction: out }");
    assert!(failed(&ran, "during") > 0.3 && counters.corrupted > 10, "{counters:?}");
}

#[test]
fn overtaking_packets_come_sooner_than_the_others() {
    let (ran, counters) = drilled("reorder: { target: web, percent: 50%, delay: 100ms, direction: out }");
    assert!(counters.reordered > 10 && counters.delayed > 10, "{counters:?}");
    assert!(counters.achieved.expect("a histogram").p99 >= 99_000_000);
    assert!(failed(&ran, "during") < 0.2);
}

#[test]
fn a_slow_link_is_slow() {
    let (ran, counters) = drilled("rate: { target: web, bandwidth: 48kbit/s }");
    assert!(median(&ran, "during") > 3.0 * median(&ran, "baseline") && median(&ran, "during") > 30.0);
    assert!(counters.delayed > 50, "{counters:?}");
}

#[test]
fn doubled_packets_leave_the_container_twice() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run(&over(&web, "duplicate: { target: web, percent: 100%, direction: out }", "4s"), &[]);
    let counters = counters(&ran);
    assert!(counters.duplicated > 50 && counters.duplicated == counters.meant, "{counters:?}");
    // What the engine counts on its side of the cable, a second.
    let events = ran.events();
    let at = |wanted: &dyn Fn(&EventKind) -> bool| events.iter().find(|event| wanted(&event.kind)).unwrap().at;
    let fired = at(&|kind| matches!(kind, EventKind::AgentFired { .. }));
    let undone = at(&|kind| matches!(kind, EventKind::AgentUndone { .. }));
    // Others may be running beside it; their packets are not meant.
    let name = stage.inspect(&web.id).name;
    let sent = |from: u64, to: u64| {
        let tx = events.iter().filter(|event| (from..to).contains(&event.at)).filter_map(|event| match &event.kind {
            EventKind::UsageSampled { container, usage } if *container == name => Some((event.at, usage.tx)),
            _ => None,
        });
        let samples: Vec<(u64, u64)> = tx.collect();
        let (first, last) = (samples.first().unwrap(), samples.last().unwrap());
        (last.1 - first.1) as f64 / (last.0 - first.0) as f64
    };
    let (before, during) = (sent(0, fired), sent(fired, undone));
    assert!(during > 1.5 * before, "{before} before, {during} while doubled");
}

/// A web server and a peer on a network of their own.
struct Pair {
    stage: Drill,
    web: Web,
    network: String,
    peer: Container,
}

impl Pair {
    fn new() -> Pair {
        let mut stage = Drill::new();
        let network = stage.network("net");
        let place = NewEndpoint { network: network.clone(), ..NewEndpoint::default() };
        let web = stage.web_with("web", "0s:ok", |new| new.networks = vec![place.clone()]);
        let peer = stage.idle("peer", &["--http", "80"], |new| new.networks = vec![place]);
        Pair { stage, web, network, peer }
    }

    fn address(&self) -> IpAddr {
        self.stage.inspect(&self.web.id).networks[&self.network].ipv4.expect("it runs")
    }

    /// A connection from the peer's own network to the web server: how long it took.
    fn connects(&self) -> Option<Duration> {
        connects_from(self.stage.inspect(&self.peer.id).pid, self.address())
    }
}

fn connects_from(pid: i64, address: IpAddr) -> Option<Duration> {
    let peer = thread::spawn(move || {
        let network = File::open(format!("/proc/{pid}/ns/net")).expect("the peer runs");
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).expect("tests run as root");
        let started = Instant::now();
        TcpStream::connect_timeout(&SocketAddr::new(address, 80), Duration::from_millis(700)).ok()?;
        Some(started.elapsed())
    });
    peer.join().expect("it ended well")
}

fn fired(running: &Running) {
    running.until(|kind| matches!(kind, EventKind::FaultChecked { proven: true, .. }));
}

const PARTITION: &str = "partition: { between: [web, peer] }";

fn with_peer(yaml: String) -> String {
    yaml.replace("load:\n", "  peer: { project: $PROJECT, service: peer }\nload:\n")
}

#[test]
fn a_partition_is_between_its_groups_only() {
    let pair = Pair::new();
    assert!(pair.connects().is_some(), "before");
    let ran = pair.stage.run_while(&with_peer(over(&pair.web, PARTITION, "4s")), &[], |_, running| {
        fired(running);
        assert_eq!(pair.connects(), None, "cut off");
    });
    assert!(pair.connects().is_some(), "after: {}", ran.output);
    assert!(failed(&ran, "during") < 0.1, "the load comes from elsewhere: {}", ran.output);
    assert!(counters(&ran).cut > 0);
}

#[test]
fn a_delay_to_a_peer_follows_it_to_its_new_address() {
    let pair = Pair::new();
    let delay = "delay: { target: web, to: peer, time: 150ms, direction: in }";
    let ran = pair.stage.run_while(&with_peer(over(&pair.web, delay, "12s")), &[], |stage, running| {
        fired(running);
        assert!(pair.connects().is_some_and(|took| took >= Duration::from_millis(145)));
        // Somebody else takes its address while it is down.
        stage.docker(&["stop", "-t", "0", &pair.peer.id.id]);
        let squatter = stage.name("squatter");
        let args = ["run", "-d", "--rm", "--name", &squatter, "--network", &pair.network, &stage.image(), "idle"];
        stage.docker(&args);
        stage.docker(&["start", &pair.peer.id.id]);
        running
            .until(|kind| matches!(kind, EventKind::AgentFollowed { peers, .. } if !peers.contains(&"0.0.0.0".into())));
        assert!(pair.connects().is_some_and(|took| took >= Duration::from_millis(145)), "followed");
        stage.docker(&["rm", "-f", &squatter]);
    });
    assert!(pair.connects().is_some_and(|took| took < Duration::from_millis(145)), "{}", ran.output);
}

#[test]
fn a_container_is_cut_off_one_network_and_keeps_its_address() {
    let pair = Pair::new();
    let before = pair.stage.inspect(&pair.web.id);
    let cut = format!("disconnect: {{ target: web, network: {} }}", pair.network);
    let ran = pair.stage.run_while(&over(&pair.web, &cut, "4s"), &[], |_, running| {
        fired(running);
        assert_eq!(pair.connects(), None, "cut off");
    });
    assert!(pair.connects().is_some(), "after: {}", ran.output);
    assert_eq!(pair.stage.inspect(&pair.web.id).networks, before.networks);
}

/// All rules of a fault are one message to the kernel.
#[test]
fn hundreds_of_peers_are_in_place_at_once() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let peers: Vec<String> = (0..150).map(|n| format!("10.90.{n}.0/24")).collect();
    let fault = format!("delay: {{ target: web, time: 5ms, to: [{}], ports: [80, 443] }}", peers.join(", "));
    let ran = stage.run(&over(&web, &fault, "300ms"), &[]);
    ran.expect(6);
    assert!(ran.output.contains("was in place, and no packet that it is about came by"), "{}", ran.output);
}

#[test]
fn when_the_runner_is_killed_its_faults_go_by_themselves() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    for fault in ["delay: { target: web, time: 300ms }", "blackhole: { target: web }"] {
        let mut killed = Instant::now();
        stage.run_while(&over(&web, fault, "60s"), &[], |_, running| {
            fired(running);
            running.signal(Signal::KILL);
            killed = Instant::now();
        });
        wait_for(|| no_agents(&web.id));
        assert!(killed.elapsed() < Duration::from_secs(10), "{fault}: {:?}", killed.elapsed());
        let target = stage.inspect(&web.id);
        assert!(!tables(&target).contains("firedrill"), "{fault}: {}", tables(&target));
        let port = web.url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
        let address = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port);
        assert!(TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok());
        std::fs::remove_dir_all(stage.reports()).unwrap();
        stage.unlock(&web.id);
    }
}

#[test]
fn when_the_agent_is_killed_traffic_flows_at_once_and_the_run_says_so() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let target = stage.inspect(&web.id);
    let ran = stage.run_while(&over(&web, "blackhole: { target: web }", "20s"), &[], |stage, running| {
        fired(running);
        let agents = stage.beside(&web.id);
        assert_eq!(agents.len(), 1);
        stage.docker(&["kill", &agents[0]]);
        running.until(|kind| matches!(kind, EventKind::FaultEnded { .. }));
        assert!(!tables(&target).contains("firedrill"), "{}", tables(&target));
    });
    ran.expect(6);
    assert!(ran.events().iter().any(|event| matches!(event.kind, EventKind::AgentEnded { why: None, .. })));
    assert!(ran.review().contains("it was ended by somebody"), "{}", ran.review());
}

#[test]
fn an_agent_that_stands_still_is_ended_and_its_fault_with_it() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let target = stage.inspect(&web.id);
    let ran = stage.run_while(&over(&web, "blackhole: { target: web }", "30s"), &[], |stage, running| {
        fired(running);
        let agent = ContainerId { id: stage.beside(&web.id).remove(0), ..web.id.clone() };
        let pid = Pid::from_raw(stage.inspect(&agent).pid as i32).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        running.until(|kind| matches!(kind, EventKind::FaultEnded { .. }));
        assert!(!tables(&target).contains("firedrill"), "{}", tables(&target));
    });
    ran.expect(6);
}

#[test]
fn a_table_that_others_left_is_told_before_anything_happens() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let pid = stage.inspect(&web.id).pid.to_string();
    let made = Command::new("nsenter").args(["-t", &pid, "-n", "nft", "add", "table", "inet", "firedrill"]).status();
    assert!(made.unwrap().success());
    let refused = stage.run(&over(&web, "blackhole: { target: web }", "2s"), &[]);
    refused.expect(3);
    let advice = ["nsenter", "-t", &pid, "-n", "nft", "delete", "table", "inet", "firedrill"];
    assert!(refused.output.contains(&advice.join(" ")), "{}", refused.output);
    assert!(!refused.events().iter().any(|event| matches!(event.kind, EventKind::FaultRequested { .. })));
    // The advice works.
    assert!(Command::new(advice[0]).args(&advice[1..]).status().unwrap().success());
    std::fs::remove_dir_all(stage.reports()).unwrap();
    let ran = stage.run(&over(&web, "blackhole: { target: web }", "2s"), &[]);
    assert!(ran.events().iter().any(|event| matches!(event.kind, EventKind::FaultRequested { .. })), "{}", ran.output);
}

#[test]
fn a_fault_follows_its_target_through_a_restart() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let ran = stage.run_while(&over(&web, "blackhole: { target: web }", "10s"), &[], |stage, running| {
        fired(running);
        stage.docker(&["restart", "-t", "0", &web.id.id]);
        running.until(|kind| matches!(kind, EventKind::FaultBack { .. }));
        assert!(tables(&stage.inspect(&web.id)).contains("firedrill"), "in its new network");
    });
    let events = ran.events();
    let at = |wanted: fn(&EventKind) -> bool| events.iter().position(|event| wanted(&event.kind));
    assert!(at(|k| matches!(k, EventKind::FaultLost { .. })) < at(|k| matches!(k, EventKind::FaultBack { .. })));
    assert!(matches!(ran.code, 0 | 1 | 6), "{}", ran.output);
    assert!(!tables(&stage.inspect(&web.id)).contains("firedrill"));
}

#[test]
fn a_fault_that_no_packet_meets_decides_nothing() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let nobody = over(&web, "blackhole: { target: web, to: 192.0.2.1 }", "2s");
    let ran = stage.run(&nobody, &[]);
    ran.expect(6);
    assert!(ran.review().contains("no packet that it is about came by"), "{}", ran.review());
    std::fs::remove_dir_all(stage.reports()).unwrap();
    let ran = stage.run(&nobody.replace("expect:\n", "expect:\n  may_touch_nothing: true\n"), &[]);
    assert!(matches!(ran.code, 0 | 6) && !ran.review().contains("no packet"), "{}", ran.output);
}

#[test]
fn who_shares_a_network_must_be_a_target_and_the_hosts_is_never_one() {
    let mut stage = Drill::new();
    let web = stage.web("web", "0s:ok");
    let side = stage.idle("side", &[], |new| new.network_mode = Some(format!("container:{}", web.id.id)));
    let refused = stage.run(&over(&web, "blackhole: { target: web }", "2s"), &[]);
    refused.expect(3);
    assert!(refused.output.contains(&format!("{} shares the network of", side.name)), "{}", refused.output);
    let host = stage.idle("bare", &[], |new| new.network_mode = Some("host".into()));
    let bare = over(&web, "blackhole: { target: web }", "2s").replace("service: web", "service: bare");
    let refused = stage.run(&bare, &[]);
    refused.expect(3);
    assert!(refused.output.contains(&format!("{} uses the network of the host", host.name)), "{}", refused.output);
}
