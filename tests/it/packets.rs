//! The packet engine against real packets, between two network namespaces of the test's own.
//!
//! The limits on time are wide, because tests run on busy machines. On a quiet one, `make packets` holds the engine to
//! what it promises (`promised`). Every figure is printed (`--nocapture`).

mod checker;
mod cost;
mod dns;
mod lab;
mod names;
mod promised;
mod shapes;

use checker::{Arrival, Stream, bits_per_second, bulk, connect, different, listen, percentile, stream, stream_while};
use firedrill::agent::protocol::{Command, Cut, Effect, EndReason, FaultId, Receipt, VERSION};
use lab::{Agent, Lab, sh};
use rustix::process::Signal;
use std::{
    io::ErrorKind,
    thread,
    time::{Duration, Instant},
};

/// The strict limit on a quiet machine, the wide one elsewhere.
fn limit(strict: f64, wide: f64) -> f64 {
    if promised::is_quiet() { strict } else { wide }
}

const OUT: &str = r#"{"direction":"out"}"#;
const IN: &str = r#"{"direction":"in"}"#;
const BOTH: &str = "{}";
/// Where packets are counted to the last one: namespaces have a little traffic of their own.
const UDP_OUT: &str = r#"{"direction":"out","protocol":"udp"}"#;
const UDP_IN: &str = r#"{"direction":"in","protocol":"udp"}"#;

fn delay(time: &str) -> String {
    format!(r#"{{"shape":{{"delay":{{"time":"{time}"}}}}}}"#)
}

fn slow(rate: f64, count: u64) -> Stream {
    Stream { rate, count, size: 128 }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn delays_are_as_asked() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    let mut number = 0;
    for ms in [1, 10, 100] {
        for (rate, count) in [(100.0, 200), (5000.0, 10_000)] {
            for out in [true, false] {
                let (from, to) = if out { (&lab.target, &lab.peer) } else { (&lab.peer, &lab.target) };
                agent.fault(number, if out { OUT } else { IN }, &delay(&format!("{ms}ms")));
                // The median of three rounds: a moment in which the machine stands still is one round's.
                let rounds = [(); 3].map(|()| {
                    let arrivals = stream(from, to, to.v4, slow(rate, count));
                    assert_eq!((arrivals.len() as u64, different(&arrivals)), (count, count), "all arrive, once");
                    assert!(percentile(&arrivals, 0.0) >= f64::from(ms) - 0.05, "none is early");
                    [0.5, 0.99].map(|share| percentile(&arrivals, share) - f64::from(ms))
                });
                let [p50, p99] = [0, 1].map(|at| cost::median(rounds.iter().map(|round| round[at]).collect()));
                println!("{ms} ms at {rate}/s out={out}: error p50 {p50:.3} p99 {p99:.3} ms");
                assert_eq!(agent.undo(number).leaked, 0);
                assert!(p50 < promised::DELAY_MEDIAN.limit(), "median error {p50} ms");
                assert!(p99 < promised::DELAY_P99.limit(), "p99 error {p99} ms");
                number += 1;
            }
        }
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn version_6_and_large_packets_are_delayed_too() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    agent.fault(1, BOTH, &delay("20ms"));
    for size in [128, 6000] {
        for (from, to) in [(&lab.target, &lab.peer), (&lab.peer, &lab.target)] {
            for address in [to.v4, to.v6] {
                let arrivals = stream(from, to, address, Stream { size, ..slow(200.0, 40) });
                assert_eq!(different(&arrivals), 40, "{address} {size}");
                assert!(percentile(&arrivals, 0.0) >= 19.95, "{address} {size}: {}", percentile(&arrivals, 0.0));
                assert!(percentile(&arrivals, 0.5) < limit(20.5, 60.0), "{address} {size}");
            }
        }
    }
    let counters = agent.undo(1);
    assert_eq!(counters.unsent, 0, "pieces of large packets were sent");
}

/// The losses among so many, as lengths of runs.
fn runs(arrivals: &[Arrival], count: u64) -> Vec<u64> {
    let there: std::collections::BTreeSet<u64> = arrivals.iter().map(|arrival| arrival.number).collect();
    let (mut runs, mut run) = (Vec::new(), 0);
    for number in 0..=count {
        if number < count && !there.contains(&number) {
            run += 1;
        } else if run > 0 {
            runs.push(std::mem::take(&mut run));
        }
    }
    runs
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn losses_come_in_their_share_and_in_their_bursts() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    let count = 5000;
    for (number, share) in [(0, 0.001), (1, 0.01), (2, 0.1), (3, 0.5)] {
        let percent = share * 100.0;
        agent.fault(number, UDP_OUT, &format!(r#"{{"shape":{{"loss":{{"random":{{"percent":"{percent}%"}}}}}}}}"#));
        let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(5000.0, count));
        let lost = (count - different(&arrivals)) as f64;
        let (mean, spread) = (count as f64 * share, 2.576 * (count as f64 * share * (1.0 - share)).sqrt());
        println!("loss {percent}%: {lost} of {count}");
        assert!((lost - mean).abs() <= spread.max(1.0), "{lost} lost, {mean} expected, within {spread:.1}");
        assert_eq!(agent.undo(number).dropped as f64, lost, "the engine's count is the receiver's");
    }
    agent.fault(4, UDP_IN, r#"{"shape":{"loss":{"gilbert_elliott":{"p":"1%","r":"25%"}}}}"#);
    let arrivals = stream(&lab.peer, &lab.target, lab.target.v6, slow(5000.0, 2 * count));
    let bursts = runs(&arrivals, 2 * count);
    let mean = bursts.iter().sum::<u64>() as f64 / bursts.len() as f64;
    println!("Gilbert-Elliott: {} bursts of {mean:.2} in the mean, 4 expected", bursts.len());
    assert!((mean - 4.0).abs() < 1.0 && (60..140).contains(&bursts.len()), "{} bursts of {mean}", bursts.len());
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn packets_are_doubled_damaged_and_reordered_in_their_shares() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    let near = |count: u64, share: f64| {
        (count as f64 - 2000.0 * share).abs() < 2.576 * (2000.0 * share * (1.0 - share)).sqrt()
    };
    let ways = [(UDP_OUT, &lab.target, &lab.peer), (UDP_IN, &lab.peer, &lab.target)];
    for (number, (traffic, from, to)) in (0..).zip(ways) {
        for (more, address) in [(0, to.v4), (20, to.v6)] {
            let number = number * 5 + more;
            agent.fault(number, traffic, r#"{"shape":{"duplicate":{"percent":"20%"}}}"#);
            let arrivals = stream(from, to, address, slow(4000.0, 2000));
            let doubled = arrivals.len() as u64 - 2000;
            assert!(different(&arrivals) == 2000 && near(doubled, 0.2), "{doubled} doubled");
            assert_eq!(agent.undo(number).duplicated, doubled);

            agent.fault(number + 1, traffic, r#"{"shape":{"corrupt":{"chance":{"percent":"10%"}}}}"#);
            let arrivals = stream(from, to, address, slow(4000.0, 2000));
            let dropped = 2000 - different(&arrivals);
            assert!(near(dropped, 0.1), "{dropped} dropped by the receiver");
            assert!(arrivals.iter().all(|one| one.payload[16..].iter().all(|b| *b == b'x')), "nobody got damage");
            assert_eq!(agent.undo(number + 1).corrupted, dropped);
        }
    }
    agent.fault(40, OUT, r#"{"shape":{"corrupt":{"chance":{"percent":"100%"},"undetected":true}}}"#);
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v6, Stream { size: 1000, ..slow(1000.0, 300) });
    let damaged = arrivals.iter().filter(|one| one.payload[16..].iter().any(|b| *b != b'x')).count();
    assert!(arrivals.len() == 300 && damaged > 280, "{damaged} of {} damaged, unseen", arrivals.len());
    agent.undo(40);
    agent.fault(41, UDP_OUT, r#"{"shape":{"delay":{"time":"50ms"},"reorder":{"chance":{"percent":"25%"}}}}"#);
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(4000.0, 2000));
    let early = arrivals.iter().filter(|one| one.delay_ms < 49.9).count() as u64;
    let reordered = agent.undo(41).reordered;
    println!("reordered: {reordered} by the engine, {early} early");
    assert!(arrivals.len() == 2000 && near(reordered, 0.25), "{reordered} let past");
    assert!(early <= reordered, "the others were late");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn a_rate_is_held() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    for (number, megabits, out) in [(0, 1.0, true), (1, 10.0, false), (2, 100.0, true)] {
        let (from, to) = if out { (&lab.target, &lab.peer) } else { (&lab.peer, &lab.target) };
        let bits = megabits * 1e6;
        let effect = format!(r#"{{"shape":{{"rate":{{"bits_per_second":{bits},"queue":"50MB"}}}}}}"#);
        agent.fault(number, if out { OUT } else { IN }, &effect);
        let packets = bits / 8.0 / 1250.0;
        let arrivals =
            stream(from, to, to.v4, Stream { rate: packets * 1.5, count: (packets * 1.5) as u64, size: 1250 });
        let measured = bits_per_second(&arrivals) / 1e6;
        println!("{megabits} Mbit/s: {measured:.3} measured");
        assert!((measured / megabits - 1.0).abs() < promised::RATE.limit(), "{measured} instead of {megabits} Mbit/s");
        agent.undo(number);
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn bulk_transfer_outward_is_not_throttled_by_the_holding() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    let time = Duration::from_millis(3500);
    agent.fault(1, OUT, &delay("50ms"));
    let out = bulk(&lab.target, &lab.peer, lab.peer.v4, time) / 1e6;
    let leaked = agent.undo(1).leaked;
    agent.fault(2, IN, &delay("50ms"));
    let incoming = bulk(&lab.peer, &lab.target, lab.target.v4, time) / 1e6;
    println!(
        "TCP through 50 ms: out {out:.0} Mbit/s (leaked {leaked}), in {incoming:.0} Mbit/s, {:.2}",
        out / incoming
    );
    agent.undo(2);
    assert!(out > promised::BULK.limit() * incoming, "out {out:.0}, in {incoming:.0} Mbit/s");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn cuts_drop_or_refuse_what_they_match_and_nothing_else() {
    let lab = Lab::new();
    listen(&lab.peer, &["10.99.0.2", "10.99.0.3", "fd99::2"], &[80, 81]);
    listen(&lab.target, &["10.99.0.1", "127.0.0.1"], &[80]);
    let mut agent = lab.agent();
    let traffic = r#"{"peers":["10.99.0.2","fd99::/64"],"protocol":"tcp","remote_ports":["80"]}"#;
    for (number, effect, kind) in
        [(0, r#"{"cut":"reject"}"#, ErrorKind::ConnectionRefused), (1, r#"{"cut":"drop"}"#, ErrorKind::TimedOut)]
    {
        agent.fault(number, traffic, effect);
        for address in ["10.99.0.2", "fd99::2"] {
            let (failed, took) = connect(&lab.target, address, 80);
            assert_eq!(failed, Some(kind), "{effect} {address}");
            assert!(kind == ErrorKind::TimedOut || took < Duration::from_millis(300), "refused at once: {took:?}");
            assert_eq!(connect(&lab.target, address, 81).0, None, "another port");
        }
        assert_eq!(connect(&lab.target, "10.99.0.3", 80).0, None, "another peer");
        assert_eq!(connect(&lab.peer, "10.99.0.1", 80).0, None, "our port is not theirs");
        let counters = agent.undo(number);
        assert!(counters.cut >= 2, "{} cut", counters.cut);
        assert_eq!(connect(&lab.target, "10.99.0.2", 80).0, None, "healed");
    }
    agent.fault(2, BOTH, r#"{"cut":"reject"}"#);
    assert_eq!(connect(&lab.peer, "10.99.0.1", 80).0, Some(ErrorKind::ConnectionRefused), "from outside, answered");
    assert_eq!(connect(&lab.target, "127.0.0.1", 80).0, None, "loopback is left alone");
    agent.undo(2);
    agent.fault(4, UDP_OUT, r#"{"cut":"drop"}"#);
    let told = lab.target.run(|| {
        let socket = std::net::UdpSocket::bind("10.99.0.1:0").unwrap();
        socket.connect("10.99.0.2:9").unwrap();
        (0..20).all(|_| socket.send(b"x").is_ok())
    });
    assert!(told, "a sender into silence is told nothing");
    assert_eq!(agent.undo(4).cut, 20);
    agent.fault(3, IN, r#"{"cut":"drop"}"#);
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(500.0, 50));
    assert_eq!(arrivals.len(), 50, "one way only");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn faults_compose_and_end_one_by_one() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    agent.fault(1, OUT, &delay("30ms"));
    agent.fault(2, OUT, &delay("20ms"));
    agent.fault(
        3,
        r#"{"direction":"out","peers":["10.99.0.2"]}"#,
        r#"{"shape":{"loss":{"random":{"percent":"50%"}}}}"#,
    );
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(1000.0, 400));
    assert!((150..250).contains(&arrivals.len()), "{} of 400", arrivals.len());
    assert!(percentile(&arrivals, 0.0) >= 49.9, "30 and 20");
    assert_eq!(stream(&lab.target, &lab.peer, lab.peer.v6, slow(1000.0, 100)).len(), 100, "no loss to other addresses");
    agent.undo(3);
    agent.undo(1);
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(1000.0, 100));
    assert!(percentile(&arrivals, 0.0) >= 19.9 && percentile(&arrivals, 0.0) < 30.0);
    agent.say(&Command::Follow { fault: FaultId(2), peers: vec!["10.99.0.3".parse().unwrap()] });
    agent.wait(|receipt| matches!(receipt, Receipt::Followed { .. }).then_some(()));
    let arrivals = stream(&lab.target, &lab.peer, lab.peer.v4, slow(1000.0, 100));
    assert!(percentile(&arrivals, 0.0) < 20.0, "the fault follows its peer to another address");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn a_share_of_the_connections_is_the_same_in_both_directions() {
    let lab = Lab::new();
    listen(&lab.peer, &["10.99.0.2"], &[80]);
    let mut agent = lab.agent();
    agent.fault(1, r#"{"share":{"connections":"50%"}}"#, r#"{"cut":"drop"}"#);
    let failed: Vec<bool> = (0..12).map(|_| connect(&lab.target, "10.99.0.2", 80).0.is_some()).collect();
    assert!(failed.contains(&true) && failed.contains(&false), "{failed:?}");
    assert_eq!(agent.undo(1).leaked, 0, "what is let past on purpose does not count as leaked");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn an_undo_loses_no_packet_that_is_held() {
    let lab = Lab::new();
    for (traffic, from, to) in [(OUT, &lab.target, &lab.peer), (IN, &lab.peer, &lab.target)] {
        let mut agent = lab.agent();
        agent.fault(1, traffic, &delay("400ms"));
        let arrivals = stream_while(from, to, to.v4, slow(2000.0, 2000), || {
            thread::sleep(Duration::from_millis(500));
            let counters = agent.undo(1);
            assert!(counters.early > 100, "{} were held", counters.early);
        });
        assert_eq!((arrivals.len(), different(&arrivals)), (2000, 2000), "{traffic}: all arrive, once");
        agent.say(&Command::End);
        assert_eq!(agent.gone(), Some(0));
        let mut agent = lab.agent();
        agent.fault(1, traffic, &delay("400ms"));
        let arrivals = stream_while(from, to, to.v4, slow(2000.0, 2000), || {
            thread::sleep(Duration::from_millis(500));
            agent.close_stdin();
            assert_eq!(agent.gone(), Some(0), "undone at the end of the line");
        });
        assert_eq!((arrivals.len(), different(&arrivals)), (2000, 2000), "{traffic}: the table goes after the drain");
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn what_passes_an_engine_that_stands_still_is_counted_as_leaked() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    agent.fault(1, UDP_IN, r#"{"shape":{"loss":{"random":{"percent":"100%"}}}}"#);
    agent.signal(Signal::STOP);
    let count = 75_000;
    let arrivals = stream(&lab.peer, &lab.target, lab.target.v4, Stream { rate: 1e9, count, size: 64 });
    agent.signal(Signal::CONT);
    let counters = agent.undo(1);
    println!("{} of {count} leaked", counters.leaked);
    assert!(!arrivals.is_empty(), "the queue fails open");
    assert!(counters.leaked >= arrivals.len() as u64);
    assert_eq!((counters.hit, counters.seen + counters.leaked), (count, count));
}

#[test]
fn what_a_full_agent_cannot_hold_goes_at_once_and_is_counted_apart() {
    let lab = Lab::new();
    let mut agent = lab.agent();
    agent.fault(1, UDP_OUT, &delay("1m"));
    let count = 2500;
    let large = Stream { rate: 2500.0, count, size: 60_000 };
    let mut counters = None;
    let arrivals = stream_while(&lab.target, &lab.peer, lab.peer.v4, large, || {
        thread::sleep(Duration::from_millis(2500));
        counters = Some(agent.undo(1));
    });
    let counters = counters.expect("undone");
    println!("{count} of 60 kB: {counters:?}, {} arrived", arrivals.len());
    assert_eq!((counters.hit, counters.delayed + counters.unheld + counters.leaked), (count, count));
    assert!(counters.unheld > 500, "96 MiB are held at most: {}", counters.unheld);
    assert_eq!(counters.early, counters.delayed, "what was held was let go at the undo");
}

/// Whether our table is in the target's namespace.
fn table_stands(lab: &Lab) -> bool {
    lab.target.sh("nft list tables").contains("firedrill")
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn a_killed_agent_leaves_nothing_and_foreign_rules_stay_as_they_were() {
    let lab = Lab::new();
    listen(&lab.peer, &["10.99.0.2"], &[80]);
    lab.target.sh("iptables -A INPUT -p tcp --dport 4444 -m statistic --mode random --probability 0.1 -j DROP");
    lab.target.sh("iptables -t nat -A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:4");
    lab.target.sh(
        "nft add table inet theirs '{ chain c { type filter hook output priority 0; tcp dport 9 counter drop; }; }'",
    );
    let before = lab.target.rules();
    for moment in [0_u64, 3, 20, 60, 150] {
        let mut agent = lab.agent();
        agent.fault(1, BOTH, &delay("50ms"));
        agent.fault(2, r#"{"peers":["10.99.0.2"]}"#, r#"{"cut":"drop"}"#);
        assert!(table_stands(&lab) && connect(&lab.target, "10.99.0.2", 80).0.is_some(), "cut");
        thread::sleep(Duration::from_millis(moment));
        agent.signal(Signal::KILL);
        let killed = Instant::now();
        agent.gone();
        assert_eq!(connect(&lab.target, "10.99.0.2", 80).0, None, "packets flow again");
        println!("healed {:.1} ms after SIGKILL", killed.elapsed().as_secs_f64() * 1e3);
        assert!(!table_stands(&lab), "the kernel took the table away");
        assert_eq!(lab.target.rules(), before);
    }
    // Killed while it makes its table.
    for ms in 0..8 {
        let mut agent = Agent::start(&lab, &["--deadline", "1m"]);
        agent.say(&Command::Hello { version: VERSION });
        let effect = Effect::Cut(Cut::Drop);
        agent.say(&Command::Arm { fault: FaultId(1), traffic: Default::default(), effect, seed: 1 });
        agent.say(&Command::Fire { fault: FaultId(1) });
        thread::sleep(Duration::from_millis(ms * 4));
        agent.signal(Signal::KILL);
        agent.gone();
        assert_eq!(connect(&lab.target, "10.99.0.2", 80).0, None);
        assert_eq!(lab.target.rules(), before);
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn the_lease_ends_by_itself() {
    let lab = Lab::new();
    listen(&lab.peer, &["10.99.0.2"], &[80]);
    let before = lab.target.rules();
    type Ending = fn(&mut Agent);
    let endings: [(&[&str], Ending, EndReason); 5] = [
        (&["--deadline", "1m"], |agent| agent.close_stdin(), EndReason::Eof),
        (&["--deadline", "1m", "--heartbeat", "600ms"], |_| {}, EndReason::Heartbeat),
        (&["--deadline", "900ms"], |_| {}, EndReason::Deadline),
        (&["--deadline", "1m"], |agent| agent.signal(Signal::TERM), EndReason::Signal),
        (&["--deadline", "1m"], |agent| agent.say(&Command::End), EndReason::Command),
    ];
    for (terms, end, expected) in endings {
        let mut agent = Agent::start(&lab, terms);
        agent.say(&Command::Hello { version: VERSION });
        agent.fault(1, BOTH, r#"{"cut":"drop"}"#);
        assert_eq!(connect(&lab.target, "10.99.0.2", 80).0, Some(ErrorKind::TimedOut));
        end(&mut agent);
        let why = agent.wait(|receipt| match receipt {
            Receipt::Ended { why, failed: None, .. } => Some(*why),
            Receipt::Ended { failed, .. } => panic!("{failed:?}"),
            _ => None,
        });
        assert_eq!((why, agent.gone()), (expected, Some(0)));
        assert_eq!(connect(&lab.target, "10.99.0.2", 80).0, None, "{expected:?} heals");
        assert_eq!(lab.target.rules(), before);
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn a_second_agent_and_senseless_commands_are_refused() {
    let lab = Lab::new();
    let refused = |agent: &mut Agent| {
        agent.wait(|receipt| match receipt {
            Receipt::Refused { why, .. } => Some(why.clone()),
            Receipt::Ended { .. } => panic!("it ended instead"),
            _ => None,
        })
    };
    let mut agent = lab.agent();
    agent.say(&Command::Fire { fault: FaultId(9) });
    assert!(refused(&mut agent).contains("fault 9 is not armed"));
    agent.say(&Command::Arm {
        fault: FaultId(1),
        traffic: Default::default(),
        effect: Effect::Shape(Default::default()),
        seed: 1,
    });
    assert!(refused(&mut agent).contains("does nothing"));
    agent.fault(1, BOTH, &delay("5ms"));
    let mut second = lab.agent();
    second.say(&Command::Arm {
        fault: FaultId(1),
        traffic: Default::default(),
        effect: Effect::Cut(Cut::Drop),
        seed: 1,
    });
    let why = refused(&mut second);
    assert!(why.contains("another"), "{why}");
    assert_eq!(stream(&lab.target, &lab.peer, lab.peer.v4, slow(500.0, 50)).len(), 50, "the first goes on");
    assert!(sh("ip netns list").contains("fdt-"), "the lab still stands");
}
