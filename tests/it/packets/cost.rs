//! What the engine costs, how soon it takes effect, and how many of it go together.

use super::{
    BOTH, OUT, UDP_OUT,
    checker::{Stream, bulk, flood, stream_while},
    delay,
    lab::{Agent, Lab, sh},
    limit, promised, slow,
};
use crate::{drill::wait_for, stage::Stage};
use firedrill::agent::protocol::{Command, FaultId, Receipt};
use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU time of the whole machine so far, in seconds, in steps of 10 ms.
pub fn machine_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").expect("a kernel");
    let fields: Vec<f64> =
        stat.lines().next().expect("a line").split_whitespace().skip(1).flat_map(str::parse).collect();
    let idle = fields[3] + fields[4];
    (fields[..8].iter().sum::<f64>() - idle) / 100.0
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn an_armed_engine_that_is_idle_costs_no_throughput() {
    let lab = Lab::new();
    let time = Duration::from_millis(1200);
    let measure = || bulk(&lab.target, &lab.peer, lab.peer.v4, time) / 1e9;
    measure();
    let (mut bare, mut armed) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        bare.push(measure());
        let mut agent = lab.agent();
        agent.arm(1, BOTH, &delay("50ms"));
        armed.push(measure());
        agent.say(&Command::End);
        agent.gone();
    }
    let ratios = bare.iter().zip(&armed).map(|(bare, armed)| armed / bare).collect();
    let (ratio, bare, armed) = (median(ratios), median(bare), median(armed));
    println!("TCP: bare {bare:.2} Gbit/s, armed and idle {armed:.2}, {ratio:.3} x in the median of nine pairs");
    assert!(ratio > promised::IDLE.limit(), "{ratio}");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn what_a_packet_costs_beside_iptables() {
    let lab = Lab::new();
    let statistic = "OUTPUT -p udp -m statistic --mode random --probability 0.01 -j DROP";
    println!("{}", sh("iptables --version").trim());
    let (paced, time) = (Stream { rate: 5000.0, count: 15_000, size: 128 }, Duration::from_secs(2));
    let row = |what: &str, agent: Option<&Agent>| {
        let (whole, own) = (machine_cpu(), agent.map_or(0.0, Agent::cpu));
        stream_while(&lab.target, &lab.peer, lab.peer.v4, paced, || ());
        let (whole, own) = (machine_cpu() - whole, agent.map_or(0.0, Agent::cpu) - own);
        let [whole, own] = [whole, own].map(|seconds| seconds * 1e6 / paced.count as f64);
        let (sent, arrived) = flood(&lab.target, &lab.peer, lab.peer.v4, 128, time);
        let per_second = |count: u64| count as f64 / time.as_secs_f64() / 1e3;
        let (sent, arrived) = (per_second(sent), per_second(arrived));
        println!(
            "{what}: {whole:.1} us of CPU a packet at 5,000/s, {own:.1} of it the engine's; \
             at full speed {sent:.0},000/s sent, {arrived:.0},000/s arrived"
        );
        arrived
    };
    row("bare", None);
    lab.target.sh(&format!("iptables -A {statistic}"));
    row("iptables, 1 % lost", None);
    lab.target.sh(&format!("iptables -D {statistic}"));
    let mut agent = lab.agent();
    for (number, what, effect) in [
        (1, "ours, 1 % lost", r#"{"shape":{"loss":{"random":{"percent":"1%"}}}}"#.to_owned()),
        (2, "ours, 0 ms late", delay("0ms")),
    ] {
        agent.fault(number, UDP_OUT, &effect);
        let arrived = row(what, Some(&agent));
        let counters = agent.undo(number);
        let leaked = counters.leaked as f64 / counters.hit.max(1) as f64;
        println!("    {:.2} % of the packets at full speed and before leaked past the engine", leaked * 100.0);
        assert!(arrived > limit(50.0, 5.0), "{arrived},000/s");
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn it_takes_effect_soon_after_the_word() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    let trials = 120;
    let (mut words, origin) = (Vec::new(), Instant::now());
    let arrivals = stream_while(&lab.peer, &lab.target, lab.target.v4, slow(5000.0, 60_000), || {
        thread::sleep(Duration::from_millis(100));
        for trial in 0..trials {
            let fault = FaultId(trial % 60);
            agent.arm(fault.0, r#"{"direction":"in","protocol":"udp"}"#, &delay("20ms"));
            thread::sleep(Duration::from_millis(25));
            words.push(origin.elapsed().as_secs_f64() * 1e3);
            agent.say(&Command::Fire { fault });
            agent.wait(|receipt| matches!(receipt, Receipt::Fired { .. }).then_some(()));
            thread::sleep(Duration::from_millis(20));
            agent.undo(fault.0);
        }
    });
    let mut late: Vec<f64> = Vec::new();
    for word in &words {
        let sent = |one: &super::Arrival| one.at.as_secs_f64() * 1e3 - one.delay_ms;
        let first = arrivals.iter().filter(|one| one.delay_ms > 10.0 && sent(one) >= *word).map(sent);
        late.push(first.fold(f64::MAX, f64::min) - word);
    }
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
    println!(
        "from the word to the first packet that is late: p50 {:.2}, p99 {:.2}, max {:.2} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert!(at(0.99) < promised::EFFECT.limit(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants the machine to itself: make packets"]
async fn fifty_containers_are_hit_together() {
    const COUNT: u32 = 50;
    let stage = Stage::new().await;
    let network = stage.network("net", Some("10.213.80.0/24")).await;
    let mut targets: Vec<(SocketAddr, Agent)> = Vec::new();
    for number in 1..=COUNT {
        let mut new = stage.idle("many", number);
        new.networks =
            vec![firedrill::container::docker::NewEndpoint { network: network.clone(), ..Default::default() }];
        new.command.extend(["--http".into(), "80".into()]);
        let seen = stage.look(&stage.start(&new).await).await;
        let address = seen.networks[&network].ipv4.expect("an address");
        targets.push(((address, 80).into(), Agent::beside(seen.pid)));
    }
    let answers = |address: &SocketAddr, patience| TcpStream::connect_timeout(address, patience).is_ok();
    for (address, agent) in &mut targets {
        wait_for(|| answers(address, Duration::from_secs(5)));
        agent.arm(1, BOTH, r#"{"cut":"drop"}"#);
    }
    let word = firedrill::agent::engine::now();
    for (_, agent) in &mut targets {
        agent.say(&Command::Fire { fault: FaultId(1) });
    }
    let mut fired: Vec<f64> = Vec::new();
    for (_, agent) in &mut targets {
        let at = agent.wait(|receipt| match receipt {
            Receipt::Fired { at, .. } => Some(*at),
            _ => None,
        });
        fired.push((at - word) as f64 / 1e6);
    }
    fired.sort_by(f64::total_cmp);
    let (first, last) = (fired[0], fired[fired.len() - 1]);
    let memory: u64 = targets.iter().map(|(_, agent)| agent.memory_kb()).sum::<u64>() / u64::from(COUNT);
    println!("{COUNT} containers: hit {first:.1} to {last:.1} ms after the word; an agent takes {memory} KB");
    assert!(last - first < promised::TOGETHER.limit(), "{fired:?}");
    let reached = thread::scope(|scope| {
        let trying = |address: SocketAddr| scope.spawn(move || answers(&address, Duration::from_millis(600)));
        let tries: Vec<_> = targets.iter().map(|(address, _)| trying(*address)).collect();
        tries.into_iter().filter_map(|one| one.join().ok().filter(|reached| *reached)).count()
    });
    assert_eq!(reached, 0, "none is reached from outside");
    for (address, agent) in &mut targets {
        agent.undo(1);
        wait_for(|| answers(address, Duration::from_secs(5)));
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn a_datagram_every_200_us_through_100_ms_arrives() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    agent.fault(1, OUT, &delay("100ms"));
    let count = 25_000;
    let arrivals = super::stream(&lab.target, &lab.peer, lab.peer.v4, slow(5000.0, count));
    let counters = agent.undo(1);
    println!("UDP at 5,000/s through 100 ms: {} of {count} arrived, {} leaked", arrivals.len(), counters.leaked);
    assert_eq!((arrivals.len() as u64, counters.leaked), (count, 0));
}
