//! Making and removing what is ours: images, networks and containers of the demo, of locks and of tests.

use super::{BOUND, Docker, image};
use crate::{
    container::{ContainerError, ContainerId, ResourceLimits, RestartPolicy},
    units::Span,
};
use bollard::{
    body_full,
    models::{
        ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig, Ipam, IpamConfig,
        NetworkConnectRequest, NetworkCreateRequest, NetworkingConfig, PortBinding,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, ImportImageOptions, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
        RemoveImageOptions,
    },
};
use futures_util::StreamExt;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::Duration,
};

/// How long an engine may take to unpack an image, beyond [`BOUND`].
const LOAD_TIME: Duration = Duration::from_secs(110);

/// A container to be made. Start from `NewContainer::default()`.
#[derive(Debug, Clone, Default)]
pub struct NewContainer {
    /// Its name.
    pub name: String,
    /// Image id or tag.
    pub image: String,
    /// Arguments behind the image's entrypoint.
    pub command: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it hangs; none: the engine's default network.
    pub networks: Vec<NewEndpoint>,
    /// `none`, `host`, `container:<id>`; overrules `networks`.
    pub network_mode: Option<String>,
    /// Ports published on the host.
    pub ports: Vec<NewPort>,
    /// How its health is checked.
    pub health: Option<HealthCheck>,
    /// What happens when it ends.
    pub restart_policy: RestartPolicy,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
    /// Whether it may not write to its own files.
    pub read_only: bool,
    /// Which resolvers it asks, or its engine on its behalf; none: those of the host.
    pub dns: Vec<String>,
    /// Grace of a stop.
    pub stop_grace: Option<Span>,
    /// What it may use.
    pub limits: ResourceLimits,
}

/// A place on a network.
#[derive(Debug, Clone, Default)]
pub struct NewEndpoint {
    /// The network's name.
    pub network: String,
    /// Names on it, besides the container's own.
    pub aliases: Vec<String>,
    /// A fixed address; the network needs a configured subnet.
    pub ipv4: Option<String>,
}

/// A published port (TCP).
#[derive(Debug, Clone)]
pub struct NewPort {
    /// Inside.
    pub container: u16,
    /// Address on the host (`127.0.0.1`).
    pub host_ip: String,
    /// Port on the host; `None`: the engine chooses.
    pub host: Option<u16>,
}

/// A health check: a command in the container, good if it ends with 0.
#[derive(Debug, Clone)]
pub struct HealthCheck {
    /// Program and arguments; no shell.
    pub command: Vec<String>,
    /// Between checks.
    pub interval: Span,
    /// How long one may take.
    pub timeout: Span,
    /// So many failures in a row are unhealthy.
    pub retries: u32,
}

impl Docker {
    /// Loads an image that holds one program as `/firedrill`, its entrypoint, unless the engine has that very
    /// image already. Returns its id.
    ///
    /// # Errors
    /// `Refused` if the program cannot be read; else those of the engine.
    pub async fn load_image(
        &self,
        tag: &str,
        binary: &Path,
        labels: BTreeMap<String, String>,
    ) -> Result<String, ContainerError> {
        let packed = packed_program(tag, binary, labels);
        let packed = packed.map_err(|e| refused(format!("{} cannot be packed: {e}", binary.display())))?;
        self.load(tag, packed).await
    }

    /// Loads a packed image unless it is there already. Returns its id, as the engine knows it.
    pub(super) async fn load(&self, tag: &str, image: image::Image) -> Result<String, ContainerError> {
        if let Some(id) = self.loaded(tag, &image).await? {
            return Ok(id);
        }
        let earlier = self.ask(self.client.inspect_image(tag)).await.ok().and_then(|found| found.id);
        let body = body_full(image.archive.clone().into());
        let mut stream = std::pin::pin!(self.client.import_image(ImportImageOptions::default(), body, None));
        let loading = async {
            while let Some(progress) = stream.next().await {
                progress?;
            }
            Ok(())
        };
        self.bounded(LOAD_TIME, loading).await?;
        let missing = || refused(format!("the engine took the image {tag} and does not have it"));
        let id = self.loaded(tag, &image).await?.ok_or_else(missing)?;
        if let Some(earlier) = earlier.filter(|earlier| *earlier != id) {
            // Nobody names it any more; if a container still uses it, it stays.
            let _ = self.remove_image(&earlier).await;
        }
        Ok(id)
    }

    async fn loaded(&self, tag: &str, image: &image::Image) -> Result<Option<String>, ContainerError> {
        let found = match self.ask(self.client.inspect_image(tag)).await {
            Err(ContainerError::NotFound { .. }) => return Ok(None),
            answer => answer?,
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        let same = found.id.as_deref() == Some(&image.id) || labels.get(image::LAYER_LABEL) == Some(&image.layer);
        Ok(found.id.filter(|_| same))
    }

    /// Removes an image by tag or id; done as well if it is not there.
    ///
    /// # Errors
    /// Those of the engine, among them `Conflict` while a container uses it.
    pub async fn remove_image(&self, tag: &str) -> Result<(), ContainerError> {
        gone_is_fine(self.ask(self.client.remove_image(tag, None::<RemoveImageOptions>, None)).await.map(drop))
    }

    /// Makes a bridge network; with a subnet (`10.1.2.0/24`), containers on it may have fixed addresses.
    ///
    /// # Errors
    /// `Conflict` if there is one of that name; else those of the engine.
    pub async fn create_network(
        &self,
        name: &str,
        subnet: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<(), ContainerError> {
        // Engines differ in whether they allow two networks of one name.
        if self.ask(self.client.inspect_network(name, None)).await.is_ok() {
            return Err(ContainerError::Conflict(format!("a network named {name} exists already")));
        }
        let ipam = subnet.map(|subnet| Ipam {
            config: Some(vec![IpamConfig { subnet: Some(subnet.into()), ..IpamConfig::default() }]),
            ..Ipam::default()
        });
        let request = NetworkCreateRequest {
            name: name.into(),
            driver: Some("bridge".into()),
            ipam,
            labels: Some(labels.into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        self.ask(self.client.create_network(request)).await.map(drop)
    }

    /// Removes a network; done as well if it is not there.
    ///
    /// # Errors
    /// Those of the engine, among them a refusal while containers hang on it.
    pub async fn remove_network(&self, name: &str) -> Result<(), ContainerError> {
        gone_is_fine(self.ask(self.client.remove_network(name)).await)
    }

    /// The names of the networks that bear a label (`name` or `name=value`).
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn networks_labelled(&self, label: &str) -> Result<Vec<String>, ContainerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let found = self.ask(self.client.list_networks(Some(options))).await?;
        Ok(found.into_iter().filter_map(|network| network.name).collect())
    }

    /// The names of the networks that start so.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn networks_named(&self, start: &str) -> Result<Vec<String>, ContainerError> {
        let found = self.ask(self.client.list_networks(None)).await?;
        let names = found.into_iter().filter_map(|network| network.name);
        Ok(names.filter(|name| name.starts_with(start)).collect())
    }

    /// Makes a container; it is not started.
    ///
    /// # Errors
    /// `Conflict` if the name is taken; else those of the engine.
    pub async fn create_container(&self, new: &NewContainer) -> Result<ContainerId, ContainerError> {
        let options = CreateContainerOptionsBuilder::new().name(&new.name).build();
        let made = self.ask(self.client.create_container(Some(options), body(new))).await?;
        let id = ContainerId { host: self.info.id.clone(), id: made.id };
        // An older engine takes one network at creation, so the others follow.
        for place in new.networks.iter().skip(1).filter(|_| new.network_mode.is_none()) {
            let request = NetworkConnectRequest { container: id.id.clone(), endpoint_config: Some(endpoint(place)) };
            self.ask(self.client.connect_network(&place.network, request)).await?;
        }
        Ok(id)
    }

    /// Starts a container; done as well if it runs.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn start_container(&self, id: &ContainerId) -> Result<(), ContainerError> {
        self.bounded(BOUND, self.client.start_container(&id.id, None)).await
    }

    /// Removes a container, running or not, by id or name; done as well if it is not there.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn remove_container(&self, id: &str) -> Result<(), ContainerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match gone_is_fine(self.bounded(BOUND, self.client.remove_container(id, Some(options))).await) {
            // Somebody else is removing it.
            Err(ContainerError::Conflict(message)) if message.contains("already in progress") => Ok(()),
            answer => answer,
        }
    }
}

fn packed_program(tag: &str, binary: &Path, labels: BTreeMap<String, String>) -> std::io::Result<image::Image> {
    let files = image::program(binary, "firedrill")?;
    let env = image::library_path(&files).map(|path| format!("LD_LIBRARY_PATH={path}"));
    let recipe = image::Recipe {
        tag: tag.into(),
        entrypoint: vec!["/firedrill".into()],
        env: env.into_iter().collect(),
        labels,
    };
    image::pack(&recipe, &files)
}

fn refused(message: String) -> ContainerError {
    ContainerError::Refused { status: 0, message }
}

fn gone_is_fine(answer: Result<(), ContainerError>) -> Result<(), ContainerError> {
    match answer {
        Err(ContainerError::NotFound { .. }) => Ok(()),
        answer => answer,
    }
}

fn body(new: &NewContainer) -> ContainerCreateBody {
    let first = new.networks.first().filter(|_| new.network_mode.is_none());
    ContainerCreateBody {
        image: Some(new.image.clone()),
        cmd: Some(new.command.clone()).filter(|command| !command.is_empty()),
        env: Some(new.env.clone()),
        labels: Some(new.labels.clone().into_iter().collect()),
        exposed_ports: Some(new.ports.iter().map(|port| format!("{}/tcp", port.container)).collect()),
        healthcheck: new.health.as_ref().map(health_config),
        stop_timeout: new.stop_grace.map(|grace| i64::try_from(grace.0.as_secs()).unwrap_or(i64::MAX)),
        host_config: Some(host_config(new)),
        networking_config: first.map(|place| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(place.network.clone(), endpoint(place))])),
        }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(new: &NewContainer) -> HostConfig {
    let nonzero = |value: i64| Some(value).filter(|value| *value != 0);
    let limits = &new.limits;
    let network = new.networks.first().map(|place| place.network.clone());
    HostConfig {
        network_mode: new.network_mode.clone().or(network),
        port_bindings: Some(new.ports.iter().map(binding).collect()),
        restart_policy: Some(restart_policy(&new.restart_policy)),
        auto_remove: Some(new.auto_remove),
        readonly_rootfs: Some(new.read_only),
        dns: Some(new.dns.clone()).filter(|dns| !dns.is_empty()),
        memory: nonzero(limits.memory),
        memory_swap: nonzero(limits.memory_swap),
        nano_cpus: nonzero(limits.nano_cpus),
        cpu_quota: nonzero(limits.cpu_quota),
        cpu_period: nonzero(limits.cpu_period),
        cpu_shares: nonzero(limits.cpu_shares),
        cpuset_cpus: Some(limits.cpuset.clone()).filter(|set| !set.is_empty()),
        pids_limit: nonzero(limits.pids),
        ..HostConfig::default()
    }
}

fn binding(port: &NewPort) -> (String, Option<Vec<PortBinding>>) {
    let host_port = port.host.map_or_else(String::new, |host| host.to_string());
    let binding = PortBinding { host_ip: Some(port.host_ip.clone()), host_port: Some(host_port) };
    (format!("{}/tcp", port.container), Some(vec![binding]))
}

fn restart_policy(policy: &RestartPolicy) -> bollard::models::RestartPolicy {
    use bollard::models::RestartPolicyNameEnum as Name;
    let name = match policy.name.as_str() {
        "always" => Name::ALWAYS,
        "unless-stopped" => Name::UNLESS_STOPPED,
        "on-failure" => Name::ON_FAILURE,
        _ => Name::NO,
    };
    bollard::models::RestartPolicy { name: Some(name), maximum_retry_count: Some(policy.max_retries) }
}

fn health_config(check: &HealthCheck) -> HealthConfig {
    let ns = |span: Span| i64::try_from(span.ns()).ok();
    let test = std::iter::once("CMD".to_owned()).chain(check.command.iter().cloned());
    HealthConfig {
        test: Some(test.collect()),
        interval: ns(check.interval),
        timeout: ns(check.timeout),
        retries: Some(i64::from(check.retries)),
        ..HealthConfig::default()
    }
}

fn endpoint(place: &NewEndpoint) -> EndpointSettings {
    EndpointSettings {
        aliases: Some(place.aliases.clone()),
        ipam_config: place.ipv4.clone().map(|ip| EndpointIpamConfig { ipv4_address: Some(ip), ..Default::default() }),
        ..EndpointSettings::default()
    }
}
