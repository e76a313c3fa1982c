//! What runs in Docker, as services that a drill could be about.

use crate::container::{Container, Health, State};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// Containers that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// The compose project; without one, services are containers by name.
    pub project: Option<String>,
    /// By name.
    pub services: Vec<Service>,
}

/// Containers that do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The compose service, or the container's name.
    pub name: String,
    /// How many run.
    pub replicas: usize,
    /// Published TCP ports.
    pub ports: Vec<Port>,
    /// Whether it has a health check.
    pub health: bool,
}

/// A port that can be reached from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// On the host.
    pub address: IpAddr,
    /// On the host.
    pub host: u16,
    /// In the container.
    pub container: u16,
}

/// Why there is nothing to draft a scenario for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSystem {
    /// Nothing of anybody's runs.
    #[error(
        "no container runs that could be a target; start your system (docker compose up -d), or a shop to try with \
         (firedrill demo up), and type `firedrill init` again"
    )]
    Nothing,
    /// There is no project of that name.
    #[error("no compose project `{0}` runs; there is {1}")]
    Unknown(String, String),
    /// It must be said which.
    #[error("several compose projects run: {0}; choose one with --project")]
    Several(String),
}

/// The compose project that was asked for, or the only one; where none runs, all plain containers.
///
/// # Errors
/// [`NoSystem`].
pub fn system(all: &[Container], wanted: Option<&str>) -> Result<System, NoSystem> {
    let ours = |one: &&Container| one.ours().is_some() || one.protected() || one.network_mode == "host";
    let running: Vec<&Container> = all.iter().filter(|one| one.state == State::Running && !ours(one)).collect();
    let projects: BTreeSet<&str> = running.iter().filter_map(|one| one.project()).collect();
    let names = || if projects.is_empty() { "none".to_owned() } else { Vec::from_iter(projects.clone()).join(", ") };
    let project = match (wanted, projects.len()) {
        (Some(wanted), _) if !projects.contains(wanted) => return Err(NoSystem::Unknown(wanted.into(), names())),
        (Some(wanted), _) => Some(wanted),
        (None, 0) => None,
        (None, 1) => projects.first().copied(),
        (None, _) => return Err(NoSystem::Several(names())),
    };
    let mut services: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for one in running.into_iter().filter(|one| one.project() == project) {
        services.entry(one.service().filter(|_| project.is_some()).unwrap_or(&one.name)).or_default().push(one);
    }
    if services.is_empty() {
        return Err(NoSystem::Nothing);
    }
    let services = services.into_iter().map(|(name, containers)| service(name, &containers)).collect();
    Ok(System { project: project.map(String::from), services })
}

fn service(name: &str, containers: &[&Container]) -> Service {
    let published = containers.iter().flat_map(|one| &one.ports).filter(|port| port.protocol == "tcp" && port.host > 0);
    let port = |port: &crate::container::PublishedPort| Port {
        address: port
            .host_ip
            .parse()
            .ok()
            .filter(|ip: &IpAddr| !ip.is_unspecified())
            .unwrap_or(Ipv4Addr::LOCALHOST.into()),
        host: port.host,
        container: port.container,
    };
    Service {
        name: name.into(),
        replicas: containers.len(),
        ports: Vec::from_iter(published.map(port).collect::<BTreeSet<Port>>()),
        health: containers
            .iter()
            .all(|one: &&Container| matches!(one.health, Some(Health::Starting | Health::Healthy | Health::Unhealthy))),
    }
}

impl fmt::Display for System {
    /// For people, before anything is sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.project {
            Some(project) => write!(f, "compose project {project}:")?,
            None => write!(f, "containers outside of any compose project:")?,
        }
        for Service { name, replicas, ports, health } in &self.services {
            write!(f, "\n  {name}: {replicas} running")?;
            for port in ports {
                write!(f, ", port {} at {}:{}", port.container, port.address, port.host)?;
            }
            if *health {
                write!(f, ", health check")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{PublishedPort, sim};

    fn published(mut one: Container, host: u16) -> Container {
        one.ports =
            vec![PublishedPort { container: 80, protocol: "tcp".into(), host_ip: "0.0.0.0".into(), host, fixed: true }];
        one
    }

    #[test]
    fn the_only_project_is_taken_and_one_of_several_must_be_named() {
        let shop = [published(sim::container("shop", "front", 1), 8080), sim::container("shop", "api", 1)];
        let found = system(&shop, None).unwrap();
        assert_eq!(found.project.as_deref(), Some("shop"));
        assert_eq!(found.services.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["api", "front"]);
        assert_eq!(found.services[1].ports[0].address, IpAddr::from([127, 0, 0, 1]));
        let two = [shop[0].clone(), sim::container("bank", "api", 1)];
        assert_eq!(system(&two, None), Err(NoSystem::Several("bank, shop".into())));
        assert_eq!(system(&two, Some("bank")).unwrap().services.len(), 1);
        assert_eq!(system(&two, Some("zoo")), Err(NoSystem::Unknown("zoo".into(), "bank, shop".into())));
    }

    #[test]
    fn what_is_ours_protected_or_on_the_hosts_network_is_no_system() {
        let mut ours = sim::container("shop", "api", 1);
        ours.labels.insert(crate::container::RUN_LABEL.into(), "r1".into());
        let mut kept = sim::container("shop", "db", 1);
        kept.labels.insert("firedrill.protect".into(), "true".into());
        let mut host = sim::container("shop", "net", 1);
        host.network_mode = "host".into();
        assert_eq!(system(&[ours, kept, host], None), Err(NoSystem::Nothing));
    }
}
