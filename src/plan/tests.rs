//! Plans made over the twin: what is promised, what is refused, and that nothing is touched.

use super::*;
use crate::{
    container::{
        Health, PublishedPort, State,
        sim::{self, Sim},
    },
    event::{Comparison, Expectations, Guard, Limit, Limits, Metric, Timing},
    load::StatusRange,
    scenario::{FaultEntry, Pick, Probe, ProbeSettings, Scenario, Selector, Target},
    units::Percent,
};

fn scenario(targets: Vec<Target>, faults: Vec<FaultEntry>) -> Scenario {
    Scenario {
        name: "cache-loss".into(),
        title: None,
        hypothesis: None,
        of: None,
        owner: None,
        tags: Vec::new(),
        targets,
        probes: Vec::new(),
        expect: Expectations::default(),
        detect: None,
        abort: Vec::new(),
        timing: Timing { warm_up: Span::ZERO, baseline: Span::secs(5), recovery: Span::secs(10) },
        faults,
        vars: BTreeMap::new(),
        secrets: vec!["TOKEN".into()],
    }
}

fn target(name: &str, service: &str, pick: Pick) -> Target {
    let selector = Selector { project: Some("shop".into()), service: Some(service.into()), ..Selector::default() };
    Target { name: name.into(), place: Place { line: 3, column: 3 }, selector, pick }
}

fn fault(line: u32, fault: Fault, target: &str, at: u64, length: Option<u64>) -> FaultEntry {
    let place = Place { line, column: 5 };
    FaultEntry { place, fault, targets: vec![target.into()], at: Span::secs(at), length: length.map(Span::secs) }
}

fn kill() -> Fault {
    Fault::Kill { signal: "SIGKILL".into() }
}

/// A front, four api, one cache; another project beside it.
fn shop() -> Vec<Container> {
    let mut all: Vec<Container> = (1..=4).map(|n| sim::container("shop", "api", n)).collect();
    all.extend([
        sim::container("shop", "front", 1),
        sim::container("shop", "cache", 1),
        sim::container("blog", "web", 1),
    ]);
    all
}

async fn planned(scenario: &Scenario, containers: Vec<Container>) -> Result<Plan, Vec<PlanError>> {
    make(scenario, &Sim::new(containers), 42, &Options::default()).await
}

async fn refused(scenario: &Scenario, containers: Vec<Container>) -> Vec<String> {
    let errors = planned(scenario, containers).await.map(|plan| plan.choices).unwrap_err();
    errors.iter().map(|error| format!("{}: {error}", error.place.line)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_everything_that_will_be_done() {
    let drill = scenario(vec![target("cache", "cache", Pick::All)], vec![fault(9, kill(), "cache", 0, Some(30))]);
    let plan = planned(&drill, shop()).await.unwrap();
    assert_eq!(plan.choices, ["cache: 1 of 1 (all): shop-cache-1"]);
    assert_eq!(plan.steps[0].injections[0].undo, [crate::container::Op::Start]);
    assert_eq!(plan.terms.faults[0].label, "kill cache (SIGKILL)");
    assert_eq!((plan.terms.title.as_str(), plan.secrets.as_slice()), ("cache-loss", &["TOKEN".to_owned()][..]));
    let neighbours: Vec<&str> = plan.neighbours.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(neighbours, ["shop-api-1", "shop-api-2", "shop-api-3", "shop-api-4", "shop-front-1"]);
}

#[tokio::test(start_paused = true)]
async fn planning_touches_nothing() {
    let sim = Sim::new(shop());
    let before = crate::container::Containers::list(&sim).await.unwrap();
    let drill = scenario(vec![target("api", "api", Pick::Count(2))], vec![fault(9, kill(), "api", 0, Some(30))]);
    make(&drill, &sim, 42, &Options::default()).await.unwrap();
    assert_eq!(crate::container::Containers::list(&sim).await.unwrap(), before);
    assert!(sim.performed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn more_than_half_of_a_service_must_be_asked_for() {
    let two = |pick| vec![target("api", "api", pick)];
    let hit = |pick| scenario(two(pick), vec![fault(9, kill(), "api", 0, Some(30))]);
    assert!(planned(&hit(Pick::Count(2)), shop()).await.is_ok());
    let three = refused(&hit(Pick::Count(3)), shop()).await;
    assert_eq!(three, ["9: at 0s this takes 3 of 4 running replicas of service api; at most 2 unless asked"]);
    assert!(planned(&hit(Pick::All), shop()).await.is_ok());
    let both = vec![target("all", "api", Pick::All), target("one", "api", Pick::Count(1))];
    let mixed = scenario(both, vec![fault(9, Fault::Pause, "all", 2, Some(9)), fault(10, kill(), "one", 0, Some(30))]);
    let errors = refused(&mixed, shop()).await;
    assert!(errors[0].starts_with("10: at 2s this takes 4 of 4"), "the one that did not ask is named: {errors:?}");
    let sole = scenario(vec![target("cache", "cache", Pick::TheOne)], vec![fault(9, kill(), "cache", 0, Some(30))]);
    assert_eq!(refused(&sole, shop()).await, ["9: `kill` takes the only running replica of service cache"]);
}

#[tokio::test(start_paused = true)]
async fn overlap_in_time_counts_and_one_after_the_other_does_not() {
    let targets = || {
        let mut rest = target("b", "api", Pick::Count(2));
        rest.selector.except = vec!["a".into()];
        vec![target("a", "api", Pick::Count(2)), rest]
    };
    let drill =
        |at| scenario(targets(), vec![fault(9, kill(), "a", 0, Some(10)), fault(10, Fault::Pause, "b", at, Some(5))]);
    assert!(planned(&drill(11), shop()).await.is_ok());
    let overlapping = refused(&drill(5), shop()).await;
    assert_eq!(overlapping, ["10: at 5s this takes 4 of 4 running replicas of service api; at most 2 unless asked"]);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_takes_one_at_a_time() {
    let rolling = Fault::Restart { grace: None, one_by_one: Some(OneByOne { within: Span::secs(30) }) };
    let drill = |fault_| scenario(vec![target("api", "api", Pick::Count(4))], vec![fault(9, fault_, "api", 0, None)]);
    assert!(planned(&drill(rolling), shop()).await.is_ok());
    let at_once = refused(&drill(Fault::Restart { grace: None, one_by_one: None }), shop()).await;
    assert!(at_once[0].contains("takes 4 of 4"), "{at_once:?}");
}

#[tokio::test(start_paused = true)]
async fn two_hands_on_one_thing_are_refused() {
    let drill = |second: Fault, at, length| {
        let first = fault(9, Fault::Pause, "cache", 0, Some(10));
        scenario(vec![target("cache", "cache", Pick::All)], vec![first, fault(12, second, "cache", at, length)])
    };
    let clash = refused(&drill(kill(), 5, None), shop()).await;
    assert_eq!(clash, ["12: `kill` (from 5s on) and `pause` (0s to 10s) both want the running of shop-cache-1"]);
    assert!(planned(&drill(kill(), 11, None), shop()).await.is_ok());
    let command = |undo| Fault::Exec { command: vec!["x".into()], user: None, undo };
    assert!(refused(&drill(command(None), 3, None), shop()).await[0].contains("both want the inside"));
    let network = Fault::Disconnect { network: "shop_default".into() };
    assert!(planned(&drill(network, 3, Some(3)), shop()).await.is_ok(), "a pause does not mind the network");
}

#[tokio::test(start_paused = true)]
async fn who_shares_a_namespace_is_not_broken_for_ever() {
    let mut all = shop();
    let mut sidecar = sim::container("shop", "sidecar", 1);
    sidecar.network_mode = format!("container:{}", all[5].id.id);
    sidecar.networks.clear();
    all.push(sidecar);
    let drill = |what| scenario(vec![target("cache", "cache", Pick::All)], vec![fault(9, what, "cache", 0, Some(10))]);
    let ended = refused(&drill(kill()), all.clone()).await;
    assert!(ended[0].contains("shop-sidecar-1 shares the network of shop-cache-1"), "{ended:?}");
    let signal = |signal: &str| Fault::Signal { signal: signal.into(), process: None };
    assert!(refused(&drill(signal("KILL")), all.clone()).await[0].contains("would stay cut off"));
    assert!(planned(&drill(signal("HUP")), all.clone()).await.is_ok());
    assert!(planned(&drill(Fault::Pause), all.clone()).await.is_ok());

    let owner = format!("container:{}", all[5].id.id);
    let beside = all.last_mut().unwrap();
    (beside.network_mode, beside.pid_mode) = ("none".into(), owner);
    for fault in [kill(), signal("SIGTERM"), Fault::Stop { grace: None }] {
        let ended = refused(&drill(fault), all.clone()).await;
        assert!(ended[0].contains("shop-sidecar-1 shares the processes of shop-cache-1"), "{ended:?}");
    }
    assert!(planned(&drill(Fault::Pause), all).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn every_error_is_told_at_once_with_its_line() {
    let mut all = shop();
    all[4].auto_remove = true;
    let targets = vec![target("front", "front", Pick::All), target("api", "api", Pick::Count(1))];
    let mut drill = scenario(targets, vec![fault(9, kill(), "front", 0, None), fault(8, kill(), "nobody", 0, None)]);
    drill.expect.unaffected = vec!["blogg".into()];
    let errors = refused(&drill, all).await;
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with("0: `expect.unaffected` names `blogg`"), "{errors:?}");
    assert_eq!(errors[1], "8: there is no target `nobody`");
    assert!(errors[2].starts_with("9: `kill` is refused: shop-front-1 was started with --rm"), "{errors:?}");
}

fn http(url: &str) -> ProbeSettings {
    ProbeSettings::Http(crate::load::HttpSettings {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        insecure: false,
        status: vec![StatusRange { from: 200, to: 299 }],
        content: None,
    })
}

fn probe(name: &str, kind: ProbeSettings) -> Probe {
    let place = Place { line: 20, column: 1 };
    Probe {
        name: name.into(),
        place,
        load: true,
        kind,
        rate: Rate(10.0),
        timeout: Span::secs(1),
        max_in_flight: 8,
        slo: None,
    }
}

#[tokio::test(start_paused = true)]
async fn probes_get_addresses_and_containers() {
    let mut all = shop();
    let port =
        PublishedPort { container: 80, protocol: "tcp".into(), host_ip: "0.0.0.0".into(), host: 32_768, fixed: false };
    all[4].ports = vec![port];
    all[5].health = Some(Health::Healthy);
    let targets = vec![target("front", "front", Pick::All), target("cache", "cache", Pick::All)];
    let mut drill = scenario(targets, vec![fault(9, kill(), "front", 0, Some(5))]);
    drill.probes = vec![
        probe("checkout", http("http://{front}:80/checkout")),
        probe("health", ProbeSettings::Health { target: "cache".into() }),
    ];
    let plan = planned(&drill, all.clone()).await.unwrap();
    assert_eq!(plan.terms.probes[0].subject, "GET http://127.0.0.1:32768/checkout");
    assert_eq!(plan.terms.probes[1].subject, "health of cache");
    assert_eq!(plan.probes[1].work, ProbeWork::Health { containers: vec![all[5].id.clone()] });
    assert!(plan.notes[0].contains("whose address may be another after the fault"), "{:?}", plan.notes);
    all[5].health = None;
    assert_eq!(refused(&drill, all).await, ["20: shop-cache-1 has no health check to look at"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_on_this_host_must_be_allowed() {
    let mut drill = scenario(vec![target("cache", "cache", Pick::All)], Vec::new());
    let settings = crate::load::ExecSettings { target: None, command: vec!["true".into()], exit: 0, content: None };
    drill.probes = vec![probe("host", ProbeSettings::Exec(settings))];
    assert_eq!(refused(&drill, shop()).await, ["20: probe `host` runs a command on this host"]);
    let allowed = Options { allow_host_exec: true };
    assert!(make(&drill, &Sim::new(shop()), 1, &allowed).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_is_an_error_without_a_line() {
    let sim = Sim::new(shop());
    sim.lose("gone");
    let errors = make(&scenario(Vec::new(), Vec::new()), &sim, 1, &Options::default()).await.unwrap_err();
    assert_eq!((errors[0].place.line, errors[0].message.contains("no Docker engine answers")), (0, true));
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_plain_data() {
    let drill = scenario(vec![target("api", "api", Pick::Count(2))], vec![fault(9, kill(), "api", 0, None)]);
    let plan = planned(&drill, shop()).await.unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    assert!(plan.targets["api"].iter().all(|one| one.state == State::Running));
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_read_second_by_second() {
    let mut all = shop();
    all[5].restart_policy.name = "always".into();
    let targets = vec![target("cache", "cache", Pick::All), target("api", "api", Pick::Count(2))];
    let rolling = Fault::Restart { grace: None, one_by_one: Some(OneByOne { within: Span::secs(20) }) };
    let faults = vec![
        fault(9, kill(), "cache", 0, Some(30)),
        fault(12, rolling, "api", 5, None),
        fault(15, Fault::Disconnect { network: "shop_default".into() }, "cache", 40, None),
    ];
    let mut drill = scenario(targets, faults);
    drill.title = Some("Checkout survives the loss of its cache".into());
    drill.timing.warm_up = Span::secs(2);
    drill.probes = vec![probe("checkout", http("http://10.0.0.1/checkout"))];
    let errors = Limit { metric: Metric::Errors(Percent(0.001)), op: Comparison::AtMost };
    let limits = Limits { limits: vec![errors], within: Some(Span::secs(5)), max_failed: Some(9), ..Limits::default() };
    drill.expect.during.insert("checkout".into(), limits);
    drill.abort = vec![Guard { probe: "checkout".into(), limit: errors, window: Span::secs(10) }];
    insta::assert_snapshot!(text(&planned(&drill, all).await.unwrap()));
}
