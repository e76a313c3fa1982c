//! Puts the shop on Docker, and takes it off again: image, network, four containers, labelled as compose would.

use super::DemoError;
use crate::{
    container::{
        ContainerId, Containers, Op, PublishedPort, ResourceLimits, State,
        docker::{Docker, HealthCheck, NewContainer, NewEndpoint, NewPort},
    },
    units::Span,
};
use futures_util::future::try_join_all;
use std::{collections::BTreeMap, time::Duration};

/// Every container and network of a demo bears this label, with its project. (Not the label of a run's own
/// helpers: those are never targets, and the shop is there to be one.)
pub const LABEL: &str = "firedrill.demo";
/// Who started it: [`Owner::KEPT`], or a process that removes it when it ends.
pub const OWNER_LABEL: &str = "firedrill.demo.owner";
/// The project of `firedrill demo up`.
pub const KEPT_PROJECT: &str = "firedrill-demo";
const IMAGE: &str = "firedrill-demo";
/// How long the shop may take to be healthy.
const START: Duration = Duration::from_secs(20);

/// The shop, up and healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    /// Its compose project.
    pub project: String,
    /// Where its front listens on this host: `http://127.0.0.1:32768`.
    pub url: String,
}

/// Starts the shop and waits until it is healthy. On an error, what was made stays: call [`down`] in any case.
///
/// # Errors
/// Those of the engine.
pub async fn up(docker: &Docker, project: &str, owner: &Owner) -> Result<Shop, DemoError> {
    let binary = std::env::current_exe()?;
    let image = image(project);
    docker.load_image(&image, &binary, BTreeMap::new()).await?;
    docker.create_network(project, None, labels(project, owner)).await?;
    let port = if owner.0 == Owner::KEPT { Some(free_port()?) } else { None };
    let parts = parts().into_iter().map(|part| part.container(project, owner, &image, port)).collect::<Vec<_>>();
    let ids = try_join_all(parts.iter().map(|new| start(docker, new))).await?;
    let healthy = Op::AwaitHealthy { within: Span(START) };
    try_join_all(ids.iter().map(|id| docker.perform(id, &healthy))).await?;
    Ok(Shop { project: project.into(), url: url(docker, ids.last()).await? })
}

/// The shop of a project if all of it is there and runs.
///
/// # Errors
/// Those of the engine.
pub async fn find(docker: &Docker, project: &str) -> Result<Option<Shop>, DemoError> {
    let mine = docker.list().await?.into_iter().filter(|one| one.labels.get(LABEL).is_some_and(|of| of == project));
    let running: Vec<_> = mine.filter(|one| one.state == State::Running).collect();
    let port = running.iter().filter(|one| one.service() == Some("front")).find_map(|front| front.ports.first());
    let whole = running.len() == parts().len();
    Ok(port.filter(|_| whole).map(|port| Shop { project: project.into(), url: url_of(port) }))
}

/// Removes a shop, whatever of it there is.
///
/// # Errors
/// Those of the engine.
pub async fn down(docker: &Docker, project: &str) -> Result<(), DemoError> {
    let ours = docker.list().await?.into_iter().filter(|one| one.labels.get(LABEL).is_some_and(|of| of == project));
    let ids: Vec<String> = ours.map(|one| one.id.id).collect();
    try_join_all(ids.iter().map(|id| docker.remove_container(id))).await?;
    for network in docker.networks_labelled(&format!("{LABEL}={project}")).await? {
        docker.remove_network(&network).await?;
    }
    Ok(docker.remove_image(&image(project)).await?)
}

/// The projects of demos whose process was killed before it could remove them.
///
/// # Errors
/// Those of the engine.
pub async fn leftovers(docker: &Docker) -> Result<Vec<String>, DemoError> {
    let found = docker.list().await?;
    let abandoned = found.iter().filter(|one| one.labels.get(OWNER_LABEL).is_some_and(|owner| Owner::gone(owner)));
    let mut projects: Vec<String> = abandoned.filter_map(|one| one.labels.get(LABEL).cloned()).collect();
    projects.sort();
    projects.dedup();
    Ok(projects)
}

/// Who is responsible for removing a demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// Nobody but a person, with `firedrill demo down`.
    pub const KEPT: &'static str = "kept";

    /// A person.
    pub fn kept() -> Owner {
        Owner(Owner::KEPT.into())
    }

    /// This process, recognisable after its number was given to another one.
    pub fn this_process() -> Owner {
        let pid = std::process::id();
        Owner(format!("{} {pid} {}", boot(), started(pid).unwrap_or_default()))
    }

    /// Whether the process that a label names ran on this boot of this host, and does not any more.
    fn gone(label: &str) -> bool {
        let mut words = label.split(' ');
        let (Some(host), Some(Ok(pid)), Some(start)) =
            (words.next(), words.next().map(str::parse::<u32>), words.next())
        else {
            return false;
        };
        host == boot() && started(pid).as_deref() != Some(start)
    }
}

/// Tells this boot of this host, and this container, from others.
fn boot() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let space = std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{}/{space}", read("/proc/sys/kernel/random/boot_id"))
}

/// When a process was started, in the kernel's ticks; `None` if there is none.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold spaces; the start is the 20th field behind it.
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}

/// One container of the shop.
struct Part {
    service: &'static str,
    number: u32,
    arguments: &'static [&'static str],
    published: bool,
}

fn parts() -> [Part; 4] {
    let api = ["api", "--store", "store:8080"].as_slice();
    let front = ["front", "--api", "api-1:8080", "--api", "api-2:8080"].as_slice();
    [
        Part { service: "store", number: 1, arguments: &["store"], published: false },
        Part { service: "api", number: 1, arguments: api, published: false },
        Part { service: "api", number: 2, arguments: api, published: false },
        Part { service: "front", number: 1, arguments: front, published: true },
    ]
}

impl Part {
    fn container(&self, project: &str, owner: &Owner, image: &str, port: Option<u16>) -> NewContainer {
        let numbered = format!("{}-{}", self.service, self.number);
        let mut labels = labels(project, owner);
        labels.insert("com.docker.compose.service".into(), self.service.into());
        labels.insert("com.docker.compose.container-number".into(), self.number.to_string());
        labels.insert("com.docker.compose.oneoff".into(), "False".into());
        let port = NewPort { container: 8080, host_ip: "127.0.0.1".into(), host: port };
        NewContainer {
            name: format!("{project}-{numbered}"),
            image: image.into(),
            command: ["demo-serve"].iter().chain(self.arguments).map(|&word| word.into()).collect(),
            labels,
            networks: vec![NewEndpoint {
                network: project.into(),
                aliases: vec![self.service.into(), numbered],
                ipv4: None,
            }],
            ports: if self.published { vec![port] } else { Vec::new() },
            health: Some(health()),
            read_only: true,
            stop_grace: Some(Span(Duration::from_secs(3))),
            limits: ResourceLimits { memory: 64 << 20, memory_swap: 64 << 20, pids: 64, ..ResourceLimits::default() },
            ..NewContainer::default()
        }
    }
}

fn health() -> HealthCheck {
    HealthCheck {
        command: ["/firedrill", "demo-serve", "check"].map(String::from).into(),
        interval: Span(Duration::from_secs(2)),
        timeout: Span(Duration::from_secs(2)),
        retries: 3,
    }
}

fn image(project: &str) -> String {
    format!("{IMAGE}:{project}")
}

fn labels(project: &str, owner: &Owner) -> BTreeMap<String, String> {
    let pairs = [(LABEL, project), (OWNER_LABEL, &owner.0), ("com.docker.compose.project", project)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

async fn start(docker: &Docker, new: &NewContainer) -> Result<ContainerId, DemoError> {
    let id = docker.create_container(new).await?;
    docker.start_container(&id).await?;
    Ok(id)
}

async fn url(docker: &Docker, front: Option<&ContainerId>) -> Result<String, DemoError> {
    let unknown = || DemoError::Unhealthy("the front has no published port".into());
    let front = docker.inspect(front.ok_or_else(unknown)?).await?;
    Ok(url_of(front.ports.first().ok_or_else(unknown)?))
}

fn url_of(port: &PublishedPort) -> String {
    format!("http://{}:{}", port.host_ip, port.host)
}

/// A port on loopback that nobody uses now. One that the engine chooses is another one after a restart of the
/// front, and a shop that is kept may be drilled for long.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_another_one_has_its_number() {
        let Owner(me) = Owner::this_process();
        assert!(!Owner::gone(&me));
        assert!(Owner::gone(&format!("{me}0")), "another start time");
        assert!(!Owner::gone(&format!("other{me}")), "another host: cannot be known");
        assert!(!Owner::gone(Owner::KEPT));
    }

    #[test]
    fn every_part_bears_the_labels_of_compose() {
        for part in parts() {
            let new = part.container("shop", &Owner::kept(), "i", None);
            assert_eq!(new.labels["com.docker.compose.project"], "shop");
            assert_eq!(new.labels["com.docker.compose.service"], part.service);
            assert!(!new.labels.contains_key(crate::container::RUN_LABEL), "it is there to be a target");
        }
    }
}
