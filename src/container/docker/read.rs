//! What the engine answers, in our own types. Whatever is absent reads as its empty value.

use crate::{
    container::{
        Attachment, Container, ContainerId, EngineEvent, Health, HealthChecks, PublishedPort, ResourceLimits,
        RestartPolicy, State, Usage,
    },
    units::Span,
};
use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as S, ContainerStatsResponse, EndpointSettings,
    EventMessage, HealthConfig, HealthStatusEnum, HostConfig, NetworkSettings, PortMap,
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// A container as it was inspected.
pub(super) fn container(host: &str, answer: ContainerInspectResponse) -> Container {
    let id = answer.id.unwrap_or_default();
    let state = answer.state.unwrap_or_default();
    let config = answer.config.unwrap_or_default();
    let settings = answer.network_settings.unwrap_or_default();
    let host_config = answer.host_config.unwrap_or_default();
    Container {
        name: answer.name.unwrap_or_default().trim_start_matches('/').into(),
        image: config.image.unwrap_or_default(),
        image_id: answer.image.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        state: status(&state),
        exit_code: state.exit_code,
        oom_killed: state.oom_killed.unwrap_or(false),
        pid: state.pid.unwrap_or(0),
        started_at: state.started_at.clone().unwrap_or_default(),
        restart_count: answer.restart_count.unwrap_or(0),
        health: health(&state),
        checks: config.healthcheck.as_ref().and_then(checks),
        restart_policy: restart_policy(&host_config),
        auto_remove: host_config.auto_remove.unwrap_or(false),
        network_mode: host_config.network_mode.clone().unwrap_or_default(),
        pid_mode: host_config.pid_mode.clone().filter(|mode| mode != "private").unwrap_or_default(),
        ports: ports(&settings, host_config.port_bindings.as_ref()),
        networks: networks(settings, &id),
        limits: limits(&host_config),
        id: ContainerId { host: host.into(), id },
    }
}

/// A container as Podman tells it: it has states that Docker has not, on the way to or from those that Docker has.
pub(super) fn foreign(answer: &str) -> Option<ContainerInspectResponse> {
    let mut answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let status = answer.get_mut("State")?.get_mut("Status")?;
    let known = match status.as_str()? {
        "stopped" => S::EXITED,
        "configured" | "initialized" => S::CREATED,
        _ => return None,
    };
    *status = known.to_string().into();
    serde_json::from_value(answer).ok()
}

fn status(state: &ContainerState) -> State {
    match state.status {
        Some(S::CREATED) => State::Created,
        Some(S::RUNNING | S::STOPPING) => State::Running,
        Some(S::PAUSED) => State::Paused,
        Some(S::RESTARTING) => State::Restarting,
        Some(S::REMOVING) => State::Removing,
        Some(S::DEAD) => State::Dead,
        Some(S::EXITED | S::EMPTY) | None => State::Exited,
    }
}

fn health(state: &ContainerState) -> Option<Health> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    }
}

/// 0 and nothing at all mean the engine's default; `NONE` switches off what the image brings.
fn checks(config: &HealthConfig) -> Option<HealthChecks> {
    let off = config.test.as_ref().is_none_or(|test| test.first().is_none_or(|kind| kind == "NONE"));
    let span = |ns: Option<i64>, default: Span| match ns {
        Some(ns) if ns > 0 => Span(Duration::from_nanos(ns.unsigned_abs())),
        _ => default,
    };
    let default = HealthChecks::DEFAULT;
    let retries = config.retries.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    (!off).then(|| HealthChecks {
        every: span(config.interval, default.every),
        timeout: span(config.timeout, default.timeout),
        retries: retries.unwrap_or(default.retries),
    })
}

fn restart_policy(config: &HostConfig) -> RestartPolicy {
    let policy = config.restart_policy.clone().unwrap_or_default();
    let name = policy.name.map(|name| name.to_string()).filter(|name| !name.is_empty());
    RestartPolicy { name: name.unwrap_or_else(|| "no".into()), max_retries: policy.maximum_retry_count.unwrap_or(0) }
}

fn limits(config: &HostConfig) -> ResourceLimits {
    ResourceLimits {
        memory: config.memory.unwrap_or(0),
        memory_swap: config.memory_swap.unwrap_or(0),
        nano_cpus: config.nano_cpus.unwrap_or(0),
        cpu_quota: config.cpu_quota.unwrap_or(0),
        cpu_period: config.cpu_period.unwrap_or(0),
        cpu_shares: config.cpu_shares.unwrap_or(0),
        cpuset: config.cpuset_cpus.clone().unwrap_or_default(),
        pids: config.pids_limit.unwrap_or(0),
    }
}

fn ports(settings: &NetworkSettings, asked: Option<&PortMap>) -> Vec<PublishedPort> {
    let mut published = Vec::new();
    for (key, bindings) in settings.ports.iter().flatten() {
        let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
        for binding in bindings.iter().flatten() {
            let Some(host) = binding.host_port.as_ref().and_then(|port| port.parse().ok()) else { continue };
            published.push(PublishedPort {
                container: port.parse().unwrap_or(0),
                protocol: protocol.into(),
                host_ip: binding.host_ip.clone().unwrap_or_default(),
                host,
                fixed: asked_for(asked, key, host),
            });
        }
    }
    published.sort_by(|a, b| (a.container, &a.protocol, &a.host_ip).cmp(&(b.container, &b.protocol, &b.host_ip)));
    published
}

fn asked_for(asked: Option<&PortMap>, key: &str, host: u16) -> bool {
    let bindings = asked.and_then(|map| map.get(key)).into_iter().flatten().flatten();
    bindings.into_iter().any(|binding| binding.host_port.as_deref() == Some(host.to_string().as_str()))
}

fn networks(settings: NetworkSettings, id: &str) -> BTreeMap<String, Attachment> {
    let networks = settings.networks.unwrap_or_default();
    networks.into_iter().map(|(name, endpoint)| (name, attachment(endpoint, id))).collect()
}

fn attachment(endpoint: EndpointSettings, id: &str) -> Attachment {
    let ipam = endpoint.ipam_config.unwrap_or_default();
    let short = id.get(..12).unwrap_or(id);
    let mut aliases: Vec<String> = endpoint.aliases.unwrap_or_default();
    aliases.retain(|alias| alias != short);
    aliases.sort();
    aliases.dedup();
    Attachment {
        network_id: endpoint.network_id.unwrap_or_default(),
        ipv4: endpoint.ip_address.and_then(|text| text.parse().ok()),
        ipv6: endpoint.global_ipv6_address.and_then(|text| text.parse().ok()),
        static_ipv4: said(ipam.ipv4_address),
        static_ipv6: said(ipam.ipv6_address),
        link_local: ipam.link_local_ips.unwrap_or_default(),
        aliases,
        links: endpoint.links.unwrap_or_default(),
        driver_opts: endpoint.driver_opts.unwrap_or_default().into_iter().collect(),
        mac: said(endpoint.mac_address),
        priority: endpoint.gw_priority.filter(|priority| *priority != 0),
    }
}

fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// What a container uses, whichever cgroup version counted it.
pub(super) fn usage(stats: ContainerStatsResponse) -> Usage {
    let memory = stats.memory_stats.unwrap_or_default();
    let used = memory.usage.unwrap_or(0);
    let detail: HashMap<String, u64> = memory.stats.unwrap_or_default();
    // cgroup v1 says total_inactive_file, v2 inactive_file: cache that costs nothing to take away.
    let cache = detail.get("total_inactive_file").or_else(|| detail.get("inactive_file")).copied().unwrap_or(0);
    let networks: Vec<_> = stats.networks.unwrap_or_default().into_values().collect();
    Usage {
        cpu_ns: stats.cpu_stats.and_then(|cpu| cpu.cpu_usage).and_then(|usage| usage.total_usage).unwrap_or(0),
        memory: used.saturating_sub(cache),
        // Without a limit the engine repeats the host's memory here, or a number near 2^63 (cgroup v1).
        memory_limit: memory.limit.filter(|limit| *limit < 1 << 62).unwrap_or(0),
        rx: networks.iter().filter_map(|network| network.rx_bytes).sum(),
        tx: networks.iter().filter_map(|network| network.tx_bytes).sum(),
    }
}

/// An event of a container, if it is one.
pub(super) fn event(message: EventMessage) -> Option<EngineEvent> {
    let actor = message.actor?;
    let mut attributes = actor.attributes.unwrap_or_default();
    Some(EngineEvent {
        id: actor.id?,
        name: attributes.remove("name").unwrap_or_default(),
        action: message.action?,
        exit_code: attributes.remove("exitCode").and_then(|code| code.parse().ok()),
        time_ns: message.time_nano.or_else(|| message.time.map(|seconds| seconds * 1_000_000_000))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_only_podman_has_are_read() {
        let state = |status| {
            let answer = foreign(&format!("{{ \"Id\": \"1f2e\", \"State\": {{ \"Status\": \"{status}\" }} }}"));
            answer.map(|answer| container("here", answer).state)
        };
        assert_eq!(state("stopped"), Some(State::Exited));
        assert_eq!(state("initialized"), Some(State::Created));
        assert_eq!(state("running").or(state("bewitched")), None, "that is nothing to mend");
    }
}
