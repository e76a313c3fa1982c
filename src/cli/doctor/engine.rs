//! What the engine can do, and what earlier runs left on it.

use super::{Check, State};
use crate::{
    agent::protocol::Abilities,
    clock::RunClock,
    container::{
        Container, ContainerError, ContainerId, Containers, EngineInfo, Holder, RUNNER_LABEL,
        docker::{self, Docker, Trials},
    },
};
use std::time::Duration;

/// Names of locks start so.
const LOCK: &str = "firedrill-lock-";
/// The oldest version of the API that is tested, 1.x.
const OLDEST_API: u32 = 40;
/// Two clocks that differ more than this make a timeline hard to read.
const OFFSET: Duration = Duration::from_millis(500);

/// Everything about the engine; one line if it does not answer.
pub(super) async fn checks() -> Vec<Check> {
    let docker = match docker::connect().await {
        Ok(docker) => docker,
        Err(error) => return vec![unreachable(&error)],
    };
    let info = docker.info();
    let mut checks = vec![reachable(info), api(info), cgroup(info)];
    checks.extend(security(info));
    checks.push(locks_work(&docker).await);
    checks.push(clock(&docker).await);
    match docker.list().await {
        Ok(all) => checks.extend(what_runs(&docker, &all).await),
        Err(error) => checks.push(Check::new(State::Failed, "containers", error.to_string())),
    }
    checks.extend(faults(&docker).await);
    checks
}

/// What each kind of fault needs, tried with helpers beside nothing.
async fn faults(docker: &Docker) -> [Check; 4] {
    let Trials { packets, signals, limits, inside } = docker.try_helpers(&nobody()).await;
    let possible = |about, faults: &str, tried: Result<(), ContainerError>, mend: &str| match tried {
        Ok(()) => Check::new(State::Good, about, format!("tried: {faults} are possible")),
        Err(error) => Check::new(State::Warning, about, format!("{faults} are not possible: {error}")).mend(mend),
    };
    let rootful = "they need a rootful engine without user namespaces, on this firedrill's architecture";
    [
        of_packets(packets),
        possible("signals", "crash and signal", signals, rootful),
        possible("limits", "limits on cpu, memory and pids", limits, "the engine's host must show its /sys/fs/cgroup"),
        possible("burns", "cpu, memory, io and disk used up inside a target", inside, rootful),
    ]
}

fn of_packets(tried: Result<Abilities, ContainerError>) -> Check {
    let about = "packets";
    match tried {
        Ok(Abilities { queue: Some(_), raw: true, owner, .. }) => {
            let gone = if owner { "" } else { "; the kernel is older than 5.12: a killed agent leaves an inert table" };
            Check::new(
                State::Good,
                about,
                format!("tried: all faults of packets are possible, without sch_netem{gone}"),
            )
        }
        Ok(_) => Check::new(State::Warning, about, "only partition, blackhole and reject are possible")
            .mend("load nfnetlink_queue and xt_NFQUEUE (modprobe) for delay, loss, rate, dns and the like"),
        Err(error) => Check::new(State::Warning, about, format!("faults of packets are not possible: {error}"))
            .mend("they need a rootful engine, and a kernel with nf_tables (modprobe nf_tables)"),
    }
}

/// What the doctor's own containers are labelled with.
fn nobody() -> String {
    format!("doctor-{}", std::process::id())
}

fn unreachable(error: &ContainerError) -> Check {
    let text = error.to_string();
    let mend = if text.to_lowercase().contains("permission denied") {
        "run as root or as a member of the group `docker`: sudo usermod -aG docker $USER, then log in again"
    } else {
        "start it (sudo systemctl start docker), install it (Debian, Ubuntu: sudo apt-get install docker.io), or point \
         DOCKER_HOST at it"
    };
    Check::new(State::Failed, "engine", text).mend(mend)
}

fn reachable(info: &EngineInfo) -> Check {
    let EngineInfo { version, name, os, kernel, arch, address, .. } = info;
    Check::new(State::Good, "engine", format!("{version} on {name} ({os}, Linux {kernel}, {arch}) at {address}"))
}

fn api(info: &EngineInfo) -> Check {
    let minor = info.api.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
    match minor {
        Some(minor) if minor >= OLDEST_API => Check::new(State::Good, "API", info.api.clone()),
        _ => Check::new(State::Warning, "API", format!("{}; older than what is tested (1.{OLDEST_API})", info.api))
            .mend("a newer Docker Engine"),
    }
}

fn cgroup(info: &EngineInfo) -> Check {
    Check::new(State::Good, "cgroups", format!("version {}", info.cgroup))
}

fn security(info: &EngineInfo) -> Option<Check> {
    let rootless = info.security.iter().any(|option| option.contains("rootless") || option.contains("userns"));
    rootless.then(|| {
        Check::new(State::Note, "privileges", "rootless, or with user namespaces")
            .mend("kill, stop, restart, pause, disconnect and exec work; faults of packets need a rootful engine")
    })
}

/// Loads the smallest of images, makes a container of it, and removes it.
async fn locks_work(docker: &Docker) -> Check {
    let nobody = nobody();
    let target = ContainerId { host: docker.info().id.clone(), id: nobody.clone() };
    let tried = async {
        docker.lock(&target, &Holder::here(&nobody)).await?;
        docker.unlock(&target, &nobody).await
    };
    match tried.await {
        Ok(()) => Check::new(State::Good, "images", "can be loaded, and containers made of them, without a registry"),
        Err(error) => Check::new(State::Failed, "images", format!("cannot be loaded, or no container made: {error}"))
            .mend("free disk space under the engine's data root; look at its log (journalctl -u docker)"),
    }
}

async fn clock(docker: &Docker) -> Check {
    let ours = RunClock::start();
    let theirs = match docker.clock().await {
        Ok(theirs) => theirs,
        Err(error) => return Check::new(State::Warning, "clock", error.to_string()),
    };
    let took = ours.now();
    let offset = theirs.duration_since(ours.wall(took / 2));
    let seen = format!("the engine's is {} ms off ours, known to {} ms", offset.as_millis(), took / 2_000_000);
    if offset.unsigned_abs() <= OFFSET {
        return Check::new(State::Good, "clock", seen);
    }
    Check::new(State::Warning, "clock", seen).mend("synchronise both hosts (chrony, systemd-timesyncd)")
}

async fn what_runs(docker: &Docker, all: &[Container]) -> Vec<Check> {
    let (ours, others): (Vec<&Container>, Vec<&Container>) = all.iter().partition(|one| one.ours().is_some());
    let running = others.iter().filter(|one| one.state == crate::container::State::Running).count();
    let mut checks = vec![Check::new(State::Note, "containers", format!("{running} running that could be targets"))];
    let (locks, left): (Vec<&Container>, Vec<&Container>) =
        ours.into_iter().partition(|one| one.name.starts_with(LOCK));
    for lock in locks {
        checks.extend(stale(docker, lock).await);
    }
    checks.extend(left.into_iter().filter(|one| !in_use(one)).map(leftover));
    checks
}

/// A lock whose holder lives is a drill that runs, and no business of ours.
async fn stale(docker: &Docker, lock: &Container) -> Option<Check> {
    let target = ContainerId { host: docker.info().id.clone(), id: lock.name.trim_start_matches(LOCK).into() };
    let holder = docker.locked(&target).await.ok()??;
    let seen = format!("on {target} is held by run {} ({})", holder.run, holder.runner);
    if !holder.is_gone() {
        return Some(Check::new(State::Note, "lock", seen));
    }
    let next = if holder.asks_first { "no drill may have it before" } else { "the next drill takes the lock over" };
    let mend = format!("firedrill recover reports/{}; {next}", holder.run);
    Some(Check::new(State::Warning, "lock", format!("{seen}, which is gone")).mend(mend))
}

/// What belongs to a drill that runs is no business of ours either.
fn in_use(one: &Container) -> bool {
    let runner = one.labels.get(RUNNER_LABEL).cloned();
    let run = one.ours().unwrap_or_default();
    runner.is_some_and(|runner| !Holder { run: run.into(), runner, asks_first: false }.is_gone())
}

fn leftover(one: &Container) -> Check {
    let run = one.ours().unwrap_or_default();
    Check::new(State::Warning, "left behind", format!("{} of run {run}", one.name))
        .mend(format!("firedrill recover reports/{run}, or docker rm -f {}", one.name))
}
