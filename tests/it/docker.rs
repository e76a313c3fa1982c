//! The Docker Engine behind the trait, for real.

use crate::stage::Stage;
use firedrill::{
    container::{Container, ContainerError, Containers, Health, Holder, Op, OpOutcome, State, Watch, docker},
    units::Span,
};
use std::{collections::BTreeSet, time::Duration};

fn exec(arguments: &[&str]) -> Op {
    let command = std::iter::once("/firedrill").chain(arguments.iter().copied()).map(String::from).collect();
    Op::Exec { command, user: None }
}

#[tokio::test]
async fn the_engine_introduces_itself() {
    let docker = docker::connect().await.unwrap();
    let info = docker.engine().await.unwrap();
    assert_eq!(&info, docker.info());
    assert!(!info.id.is_empty() && !info.version.is_empty() && info.api.starts_with("1."), "{info:?}");
    assert!(info.kernel.contains('.') && ["amd64", "arm64"].contains(&info.arch.as_str()), "{info:?}");
    let offset = docker.clock().await.unwrap().duration_since(jiff::Timestamp::now());
    assert!(offset.abs() < jiff::SignedDuration::from_secs(5), "{offset}");
}

#[tokio::test]
async fn operations_are_done_and_those_that_were_so_already_say_so() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let perform = async |op: Op| stage.docker.perform(&id, &op).await;
    let state = async || stage.look(&id).await.state;
    assert_eq!(perform(Op::Start).await, Ok(OpOutcome::Already));
    assert_eq!(perform(Op::Unpause).await, Ok(OpOutcome::Already));
    assert_eq!(perform(Op::Pause).await, Ok(OpOutcome::Done));
    assert_eq!(state().await, State::Paused);
    assert_eq!(perform(Op::Pause).await, Ok(OpOutcome::Already));
    assert_eq!(perform(Op::Unpause).await, Ok(OpOutcome::Done));
    assert_eq!(perform(Op::Kill { signal: "SIGKILL".into() }).await, Ok(OpOutcome::Done));
    assert_eq!(
        perform(Op::AwaitHealthy { within: Span::millis(100) }).await.unwrap_err().to_string().split(" is ").nth(1),
        Some("exited, not healthy, after 100ms")
    );
    assert_eq!(state().await, State::Exited);
    assert_eq!(perform(Op::Kill { signal: "SIGKILL".into() }).await, Ok(OpOutcome::Already));
    assert_eq!(perform(Op::Start).await, Ok(OpOutcome::Done));
    assert_eq!(perform(Op::Stop { grace: Some(Span::secs(5)) }).await, Ok(OpOutcome::Done));
    assert_eq!(state().await, State::Exited);
    assert_eq!(perform(Op::Restart { grace: None }).await, Ok(OpOutcome::Done));
    assert_eq!(perform(Op::AwaitHealthy { within: Span::secs(2) }).await, Ok(OpOutcome::Done));
    stage.docker.remove_container(&id.id).await.unwrap();
    let gone = perform(Op::Start).await.unwrap_err();
    assert!(matches!(&gone, ContainerError::NotFound { what } if what.contains(&id.id)), "{gone:?}");
}

#[tokio::test]
async fn a_command_ends_with_its_code_and_its_output() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let said = stage.docker.perform(&id, &exec(&["--version"])).await.unwrap();
    let OpOutcome::Exited { code: 0, output } = said else { panic!("{said:?}") };
    assert!(output.starts_with("firedrill "), "{output}");
    let failed = stage.docker.perform(&id, &exec(&["no-such-verb"])).await.unwrap();
    assert!(!failed.succeeded(), "{failed:?}");
    let long = stage.docker.perform(&id, &exec(&["run", "--help"])).await.unwrap();
    assert!(matches!(&long, OpOutcome::Exited { output, .. } if output.len() <= 4096), "{long:?}");
}

#[tokio::test]
async fn a_container_is_read_as_it_was_made() {
    let stage = Stage::new().await;
    let network = stage.network("front", Some("10.213.71.0/24")).await;
    let mut new = stage.idle("api", 1);
    new.networks = vec![docker::NewEndpoint {
        network: network.clone(),
        aliases: vec!["shop".into(), "api".into()],
        ipv4: Some("10.213.71.9".into()),
    }];
    new.ports = vec![
        docker::NewPort { container: 80, host_ip: "127.0.0.1".into(), host: None },
        docker::NewPort { container: 81, host_ip: "127.0.0.1".into(), host: Some(free_port()) },
    ];
    new.health = Some(docker::HealthCheck {
        command: vec!["/firedrill".into(), "--version".into()],
        interval: Span::millis(200),
        timeout: Span::secs(5),
        retries: 1,
    });
    new.restart_policy.name = "always".into();
    new.limits.memory = 64 << 20;
    let id = stage.start(&new).await;
    stage.docker.perform(&id, &Op::AwaitHealthy { within: Span::secs(20) }).await.unwrap();
    let Container { networks, ports, health, limits, restart_policy, pid, .. } = stage.look(&id).await;
    let place = &networks[&network];
    assert_eq!(
        (place.ipv4.unwrap().to_string().as_str(), place.static_ipv4.as_deref()),
        ("10.213.71.9", Some("10.213.71.9"))
    );
    assert_eq!(place.aliases, ["api", "shop"]);
    assert_eq!(ports.iter().map(|p| (p.container, p.fixed)).collect::<Vec<_>>(), [(80, false), (81, true)]);
    assert_eq!((health, limits.memory, restart_policy.name.as_str()), (Some(Health::Healthy), 64 << 20, "always"));
    assert!(pid > 0);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn usage_and_logs_are_read() {
    let stage = Stage::new().await;
    let since = stage.docker.clock().await.unwrap();
    let mut new = stage.idle("talker", 1);
    new.command = vec!["--help".into()];
    let talker = stage.start(&new).await;
    let id = stage.one("api").await;
    let usage = stage.docker.usage(&id).await.unwrap();
    assert!(usage.cpu_ns > 0 && usage.memory > 0, "{usage:?}");
    let all = stage.docker.logs(&talker, since, 1 << 20).await.unwrap();
    let text = String::from_utf8(all.clone()).unwrap();
    assert!(text.contains("Usage:"), "{text}");
    let first: jiff::Timestamp = text.split(' ').next().unwrap().parse().expect("each line has its time");
    assert!(first >= since);
    assert_eq!(stage.docker.logs(&talker, since, 100).await.unwrap(), all[all.len() - 100..]);
}

#[tokio::test]
async fn what_happens_to_a_container_is_watched() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let mut watch = stage.docker.watch();
    stage.docker.perform(&id, &Op::Kill { signal: "SIGKILL".into() }).await.unwrap();
    stage.docker.perform(&id, &Op::Start).await.unwrap();
    // What happened just before the call may come as well.
    let mut seen = BTreeSet::new();
    let mut started_again = false;
    while !started_again {
        let next = tokio::time::timeout(Duration::from_secs(5), watch.recv()).await.expect("an event in time");
        if let Some(Watch::Event(event)) = next
            && event.id == id.id
        {
            assert_eq!(event.name, stage.name("api-1"));
            assert_eq!(event.exit_code, (event.action == "die").then_some(137));
            started_again = event.action == "start" && seen.contains("die");
            seen.insert(event.action);
        }
    }
    assert!(seen.contains("die") && seen.contains("kill"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_24_that_want_a_lock_one_gets_it() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let wants = (0..24).map(|n| {
        let (docker, id) = (stage.docker.clone(), id.clone());
        let holder = Holder::here(&format!("run-{n}"));
        tokio::spawn(async move { (holder.run.clone(), docker.lock(&id, &holder).await.unwrap()) })
    });
    let mut winners = Vec::new();
    let mut named = BTreeSet::new();
    for want in wants.collect::<Vec<_>>() {
        match want.await.unwrap() {
            (run, None) => winners.push(run),
            (_, Some(holder)) => drop(named.insert(holder.run)),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), winners, "every loser names the winner");
    stage.docker.unlock(&id, "somebody else").await.unwrap();
    assert!(stage.docker.locked(&id).await.unwrap().is_some(), "only its holder gives a lock back");
    stage.docker.unlock(&id, &winners[0]).await.unwrap();
    assert_eq!(stage.docker.locked(&id).await.unwrap(), None);
}

#[tokio::test]
async fn the_lock_of_a_process_that_is_gone_is_taken_over() {
    let stage = Stage::new().await;
    let id = stage.one("api").await;
    let alive = Holder::here("new");
    let own = format!("process {} on", std::process::id());
    let dead = Holder { run: "old".into(), runner: alive.runner.replace(&own, "process 4111222 on"), ..alive.clone() };
    assert_eq!(stage.docker.lock(&id, &dead).await.unwrap(), None);
    assert_eq!(stage.docker.lock(&id, &alive).await.unwrap(), None, "reaped and taken");
    assert_eq!(stage.docker.locked(&id).await.unwrap(), Some(alive.clone()));
    assert_eq!(stage.docker.lock(&id, &Holder::here("third")).await.unwrap(), Some(alive));
}

fn says(said: &firedrill::container::Said) -> &str {
    use firedrill::container::Said::{Complaint, Line};
    match said {
        Line(text) | Complaint(text) => text,
    }
}

/// The next line, within a time that a busy machine keeps.
async fn next(helper: &mut firedrill::container::Helper) -> Option<String> {
    let said = tokio::time::timeout(Duration::from_secs(20), helper.said.recv()).await.expect("a word in time");
    said.map(|said| says(&said).to_owned())
}

async fn is_gone(stage: &Stage, id: &firedrill::container::ContainerId) -> bool {
    for _ in 0..400 {
        if matches!(stage.docker.inspect(id).await, Err(ContainerError::NotFound { .. })) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_answers_line_by_line_and_is_gone_when_nobody_holds_its_stdin() {
    use firedrill::{agent::protocol, container::NewHelper};
    let stage = Stage::new().await;
    let target = stage.one("api").await;
    let new = NewHelper::new("helper-test", "agent", &["agent", "--deadline", "60s", "--heartbeat", "30s"])
        .in_network_of(&target)
        .with("NET_ADMIN")
        .with("NET_RAW");
    let mut helper = stage.docker.start_helper(&new).await.unwrap();
    let made = stage.look(&helper.id).await;
    assert_eq!(
        (made.ours(), made.network_mode.as_str()),
        (Some("helper-test"), format!("container:{}", target.id).as_str())
    );
    let hello = protocol::line(&protocol::Command::Hello { version: protocol::VERSION });
    helper.say.send(hello.trim_end().into()).await.unwrap();
    let ready = next(&mut helper).await.expect("an answer");
    assert!(ready.contains("\"ready\""), "{ready}");
    let firedrill::container::Helper { id, say, mut said } = helper;
    drop(say);
    let mut last = String::new();
    while let Some(word) = said.recv().await {
        says(&word).clone_into(&mut last);
    }
    assert!(last.contains("\"ended\"") && last.contains("\"eof\""), "{last}");
    assert!(is_gone(&stage, &id).await, "it removes itself");
    stage.docker.remove_helper(&id).await.expect("done as well if it is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_cannot_run_says_why_and_leaves_nothing() {
    use firedrill::container::NewHelper;
    let stage = Stage::new().await;
    let mut helper = stage.docker.start_helper(&NewHelper::new("helper-test", "agent", &["agent"])).await.unwrap();
    let mut words = String::new();
    while let Some(word) = next(&mut helper).await {
        words += &word;
    }
    assert!(words.contains("--deadline"), "what is missing is said: {words}");
    assert!(is_gone(&stage, &helper.id).await);
    let nobody = firedrill::container::ContainerId { host: String::new(), id: "0".repeat(64) };
    let refused = stage.docker.start_helper(&NewHelper::new("helper-test", "agent", &["agent"]).in_network_of(&nobody));
    assert!(refused.await.is_err(), "nobody to stand beside");
}
