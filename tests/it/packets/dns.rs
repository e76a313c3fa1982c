//! Look-ups of names that fail, come late or lie: between namespaces, and in real containers with both kinds of resolver.

use super::{
    lab::{Agent, Lab},
    limit,
    names::{TRUTH, Told, ask, ask_all, ask_tcp, serve, serve_forwarding, serve_on},
};
use crate::{drill::wait_for, stage::Stage};
use firedrill::container::{ContainerId, docker::NewEndpoint};
use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};
use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    time::{Duration, Instant},
};

/// Where the lab's stand-in for Docker's resolver really listens.
const BEHIND: u16 = 5311;

/// A lab whose target has resolvers of every kind: others over IPv4 and IPv6, and one that is embedded as Docker's is.
fn lab() -> Lab {
    let lab = Lab::new();
    serve(&lab.peer, "10.99.0.2", 53);
    serve(&lab.peer, "fd99::2", 53);
    serve_forwarding(&lab.target, BEHIND, "10.99.0.2");
    for protocol in ["udp", "tcp"] {
        let redirect = format!("-p {protocol} --dport 53 -j DNAT --to-destination 127.0.0.11:{BEHIND}");
        lab.target.sh(&format!("iptables -t nat -A OUTPUT -d 127.0.0.11 {redirect}"));
    }
    for resolver in RESOLVERS {
        assert_eq!(ask(&lab.target, resolver, "payments.").0, Told::truth(), "{resolver}");
    }
    lab
}

const RESOLVERS: [&str; 3] = ["127.0.0.11", "10.99.0.2", "fd99::2"];

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn names_that_are_meant_are_answered_as_told_and_no_others() {
    let lab = lab();
    let before = lab.target.rules();
    let mut agent = lab.agent();
    let nothing = Told::Addresses(vec![]);
    for (number, (answer, told)) in (0..).zip([
        (r#""servfail""#, Told::Code(ResponseCode::ServFail)),
        (r#""nxdomain""#, Told::Code(ResponseCode::NXDomain)),
        (r#""timeout""#, Told::Nothing),
        (r#"{"wrong":["10.66.6.6","10.66.6.7"]}"#, Told::Addresses(vec!["10.66.6.6".into(), "10.66.6.7".into()])),
    ]) {
        agent.fault(number, "{}", &format!(r#"{{"dns":{{"names":["Payments*"],"answer":{answer}}}}}"#));
        for resolver in RESOLVERS {
            assert_eq!(ask(&lab.target, resolver, "payMENTS.local.").0, told, "{answer} {resolver}");
            assert_eq!(
                ask(&lab.target, resolver, "catalogue.local.").0,
                Told::truth(),
                "{answer} {resolver}: not meant"
            );
            let other_kind = ask_all(&lab.target, resolver, &[("payments.", RecordType::AAAA)]).remove(0).0;
            let expected = if number == 3 { &nothing } else { &told };
            assert_eq!(&other_kind, expected, "{answer} {resolver}: an address of the other version");
        }
        let counters = agent.undo(number);
        assert_eq!((counters.queries, counters.matched, counters.meant), (9, 6, 6), "{counters:?}");
        let ours = if number == 2 { (0, 6) } else { (6, 0) };
        assert_eq!((counters.answered, counters.dropped, counters.unsent, counters.leaked), (ours.0, ours.1, 0, 0));
        for resolver in RESOLVERS {
            assert_eq!(ask(&lab.target, resolver, "payments.").0, Told::truth(), "{answer} {resolver}: healed");
        }
    }
    agent.close_stdin();
    assert_eq!(agent.gone(), Some(0));
    assert_eq!(lab.target.rules(), before);
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn one_socket_hears_false_answers_and_true_ones() {
    let lab = lab();
    let mut agent = lab.agent();
    agent.fault(1, "{}", r#"{"dns":{"names":["payments"],"answer":"nxdomain"}}"#);
    for resolver in RESOLVERS {
        let a = |name| (name, RecordType::A);
        let questions = [a("catalogue."), a("payments."), a("catalogue."), a("payments."), a("stock.")];
        let told: Vec<Told> = ask_all(&lab.target, resolver, &questions).into_iter().map(|(told, _)| told).collect();
        let (no, yes) = (Told::Code(ResponseCode::NXDomain), Told::truth());
        assert_eq!(told, [yes.clone(), no.clone(), yes.clone(), no, yes], "{resolver}");
        // First a false one: had it opened a connection, the true one would go astray.
        let told: Vec<Told> =
            ask_all(&lab.target, resolver, &questions[1..]).into_iter().map(|(told, _)| told).collect();
        assert_eq!(told[1], Told::truth(), "{resolver}: the same port, after our answer");
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn a_delay_hits_once_though_docker_asks_on() {
    let lab = lab();
    let mut agent = lab.agent();
    agent.fault(1, "{}", r#"{"dns":{"names":["payments"],"delay":"150ms"}}"#);
    for resolver in RESOLVERS {
        let (told, took) = ask(&lab.target, resolver, "payments.");
        println!("{resolver}: {took:?}");
        assert_eq!(told, Told::truth(), "{resolver}");
        assert!(took >= Duration::from_millis(150), "{resolver}: {took:?}");
        assert!(took < Duration::from_millis(limit(155.0, 290.0) as u64), "{resolver}: {took:?}: once, not twice");
        assert!(ask(&lab.target, resolver, "catalogue.").1 < Duration::from_millis(140), "{resolver}");
        if resolver != "127.0.0.11" {
            let (told, took) = ask_tcp(&lab.target, resolver, "payments.");
            assert!(
                told == Told::truth() && took >= Duration::from_millis(150),
                "{resolver} over TCP: {told:?} {took:?}"
            );
        }
    }
    let counters = agent.undo(1);
    assert_eq!((counters.queries, counters.matched, counters.delayed), (8, 5, 5), "{counters:?}");
    agent.fault(2, "{}", r#"{"dns":{"answer":"servfail","delay":"150ms"}}"#);
    let (told, took) = ask(&lab.target, "127.0.0.11", "payments.");
    assert_eq!(told, Told::Code(ResponseCode::ServFail));
    assert!(took >= Duration::from_millis(150), "a false answer can be late, too: {took:?}");
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn over_tcp_what_would_be_answered_falsely_goes_unanswered() {
    let lab = lab();
    let mut agent = lab.agent();
    for (number, answer) in (0..).zip([r#""servfail""#, r#""timeout""#, r#"{"wrong":["10.66.6.6"]}"#]) {
        agent.fault(number, "{}", &format!(r#"{{"dns":{{"names":["payments"],"answer":{answer}}}}}"#));
        for resolver in ["10.99.0.2", "fd99::2"] {
            assert_eq!(ask_tcp(&lab.target, resolver, "payments.").0, Told::Nothing, "{answer} {resolver}");
            assert_eq!(ask_tcp(&lab.target, resolver, "catalogue.").0, Told::truth(), "{answer} {resolver}");
        }
        assert!(agent.undo(number).dropped >= 2);
        assert_eq!(ask_tcp(&lab.target, "10.99.0.2", "payments.").0, Told::truth(), "healed");
    }
}

#[test]
#[ignore = "wants the machine to itself: make packets"]
fn it_composes_with_other_faults_and_leaves_loopback_to_itself() {
    let lab = lab();
    let mut agent = lab.agent();
    agent.fault(1, r#"{"direction":"out"}"#, r#"{"shape":{"delay":{"time":"100ms"}}}"#);
    agent.fault(2, "{}", r#"{"dns":{"names":["payments"],"answer":"servfail"}}"#);
    let (told, took) = ask(&lab.target, "10.99.0.2", "payments.");
    assert_eq!(told, Told::Code(ResponseCode::ServFail));
    assert!(took >= Duration::from_millis(100), "the way to the resolver is long: {took:?}");
    let (told, took) = ask(&lab.target, "127.0.0.11", "payments.");
    assert_eq!(told, Told::Code(ResponseCode::ServFail));
    assert!(took < Duration::from_millis(100), "loopback is not delayed: {took:?}");
    agent.undo(1);
    let resolvers = r#"{"peers":["10.99.0.2"]}"#;
    agent.undo(2);
    agent.fault(3, resolvers, r#"{"dns":{"answer":"nxdomain"}}"#);
    assert_eq!(ask(&lab.target, "10.99.0.2", "payments.").0, Told::Code(ResponseCode::NXDomain));
    assert_eq!(ask(&lab.target, "fd99::2", "payments.").0, Told::truth(), "another resolver");
    agent.undo(3);
    agent.fault(4, r#"{"share":{"packets":"50%"}}"#, r#"{"dns":{"answer":"servfail"}}"#);
    let told: Vec<Told> = (0..40).map(|_| ask(&lab.target, "127.0.0.11", "payments.").0).collect();
    let failed = told.iter().filter(|told| **told != Told::truth()).count();
    assert!(
        (8..=32).contains(&failed),
        "{failed} of 40: half, and the half of the rest is not hit when Docker asks on"
    );
    let counters = agent.undo(4);
    assert_eq!((counters.queries, counters.meant), (40, failed as u64));
}

/// A page of a stand-in, from outside: status and body.
fn page(address: &str, path: &str) -> (u16, String) {
    let mut connection = TcpStream::connect((address, 80)).expect("it listens");
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("text");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

/// A stand-in in a container: where it answers, and its process.
async fn stand_in(stage: &Stage, id: &ContainerId) -> (String, i64) {
    let seen = stage.look(id).await;
    let address = seen.networks.values().find_map(|place| place.ipv4).expect("an address").to_string();
    wait_for(|| TcpStream::connect((address.as_str(), 80)).is_ok());
    (address, seen.pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_with_dockers_resolver_is_told_what_we_say_and_then_the_truth_again() {
    let stage = Stage::new().await;
    let network = stage.network("net", Some("10.213.75.0/24")).await;
    // What Docker does not know itself it asks here, out of the target's namespace.
    serve_on(UdpSocket::bind("10.213.75.1:53").expect("the gateway is this host"));
    let place = |alias: &str| NewEndpoint { network: network.clone(), aliases: vec![alias.into()], ipv4: None };
    let mut payments = stage.idle("payments", 1);
    payments.networks = vec![place("payments")];
    let payments = stage.start(&payments).await;
    let truth = stage.look(&payments).await.networks[&network].ipv4.expect("an address").to_string();
    let mut app = stage.idle("app", 1);
    app.networks = vec![place("app")];
    app.dns = vec!["10.213.75.1".into()];
    app.command.extend(["--http".into(), "80".into()]);
    let (app, pid) = stand_in(&stage, &stage.start(&app).await).await;
    let ok = |addresses: &str| (200, addresses.to_owned());
    assert_eq!(page(&app, "/resolve/payments"), ok(&truth));
    assert_eq!(page(&app, "/resolve-once/payments"), ok(&truth));
    assert_eq!(page(&app, "/resolve/outside.example"), ok(TRUTH));

    let mut agent = Agent::beside(pid);
    for (number, (answer, told)) in (0..).zip([
        (r#""servfail""#, (502, "servfail".to_owned())),
        (r#""nxdomain""#, (502, "nxdomain".to_owned())),
        (r#""timeout""#, (502, "timeout".to_owned())),
        (r#"{"wrong":["10.66.6.6"]}"#, ok("10.66.6.6")),
    ]) {
        agent.fault(number, "{}", &format!(r#"{{"dns":{{"names":["payments*","*.example"],"answer":{answer}}}}}"#));
        assert_eq!(page(&app, "/resolve/payments"), told, "{answer}");
        assert_eq!(page(&app, "/resolve/outside.example"), told, "{answer}: what Docker would ask on");
        assert_eq!(page(&app, "/resolve/app"), ok(&app), "{answer}: another name");
        let counters = agent.undo(number);
        assert!(counters.answered + counters.dropped >= 2 && counters.leaked == 0, "{counters:?}");
        assert_eq!(page(&app, "/resolve/payments"), ok(&truth), "after {answer}");
        assert_eq!(page(&app, "/resolve/outside.example"), ok(TRUTH), "after {answer}");
    }
    agent.fault(5, "{}", r#"{"dns":{"answer":"servfail"}}"#);
    assert_eq!(page(&app, "/resolve-once/payments"), ok(&truth), "an application that keeps what it found");
    let counters = agent.undo(5);
    assert_eq!((counters.queries, counters.answered), (0, 0), "in place, and touched nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_containers_a_delay_hits_once_whoever_their_resolver_is() {
    let stage = Stage::new().await;
    let network = stage.network("net", Some("10.213.76.0/24")).await;
    serve_on(UdpSocket::bind("10.213.76.1:53").expect("the gateway is this host"));
    let mut embedded = stage.idle("embedded", 1);
    embedded.networks = vec![NewEndpoint { network, aliases: vec![], ipv4: None }];
    // On the default bridge there is no embedded resolver.
    let direct = stage.idle("direct", 1);
    for mut new in [embedded, direct] {
        new.dns = vec!["10.213.76.1".into()];
        new.command.extend(["--http".into(), "80".into()]);
        let (app, pid) = stand_in(&stage, &stage.start(&new).await).await;
        let timed = |path: &str| {
            let start = Instant::now();
            (page(&app, path), start.elapsed())
        };
        assert_eq!(timed("/resolve/outside.example").0, (200, TRUTH.to_owned()), "{}", new.name);
        let mut agent = Agent::beside(pid);
        agent.fault(1, "{}", r#"{"dns":{"names":["*.example"],"delay":"700ms"}}"#);
        let (told, took) = timed("/resolve/outside.example");
        println!("{}: {took:?}", new.name);
        assert_eq!(told, (200, TRUTH.to_owned()), "{}", new.name);
        assert!((Duration::from_millis(700)..Duration::from_millis(1350)).contains(&took), "{}: {took:?}", new.name);
        let counters = agent.undo(1);
        assert!(counters.delayed >= 1 && counters.delayed == counters.matched, "{counters:?}");
        assert!(timed("/resolve/outside.example").1 < Duration::from_millis(700), "{}: healed", new.name);
    }
}
