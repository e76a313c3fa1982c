//! `{target}` as the host of an address: the target's own address, so that random ports in CI work.

use super::PlanError;
use crate::{
    container::{Container, EngineInfo},
    scenario::Place,
};
use std::{collections::BTreeMap, net::IpAddr};

/// The targets that an address may name.
pub(super) struct Addresses<'a> {
    pub(super) targets: &'a BTreeMap<String, Vec<Container>>,
    pub(super) engine: &'a EngineInfo,
}

impl Addresses<'_> {
    /// A url with its `{target}` replaced.
    pub(super) fn url(&self, url: &str, place: Place) -> Result<String, PlanError> {
        let Some((scheme, rest)) = url.split_once("://") else { return Ok(url.into()) };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        Ok(format!("{scheme}://{}{path}", self.authority(authority, default, place)?))
    }

    /// A `host:port` with its `{target}` replaced.
    pub(super) fn socket(&self, address: &str, place: Place) -> Result<String, PlanError> {
        self.authority(address, 0, place)
    }

    fn authority(&self, authority: &str, default: u16, place: Place) -> Result<String, PlanError> {
        let Some((before, name, after)) = placeholder(authority) else { return Ok(authority.into()) };
        let port = after.strip_prefix(':').map_or(Ok(default), str::parse);
        let port = port.map_err(|_| PlanError::new(place, format!("`{after}` is not a port")))?;
        let containers = self.targets.get(name);
        let [container] = containers.map_or(&[][..], Vec::as_slice) else {
            let count = containers.map_or(0, Vec::len);
            let error =
                PlanError::new(place, format!("`{{{name}}}` stands for {count} containers; an address needs one"));
            return Err(error.help("name a target that picks one container"));
        };
        let (host, port) = self.reach(container, port).ok_or_else(|| {
            PlanError::new(place, format!("{} has no address of its own and publishes no port {port}", container.name))
        })?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Ok(format!("{before}{host}:{port}"))
    }

    /// The published port where there is one, which works from wherever the engine is; else the container's own.
    fn reach(&self, container: &Container, port: u16) -> Option<(String, u16)> {
        let published = container.ports.iter().filter(|p| p.container == port && p.protocol == "tcp" && p.host != 0);
        let best = published.min_by_key(|p| (!p.fixed, p.host_ip.contains(':')));
        if let Some(published) = best {
            return Some((self.host(&published.host_ip), published.host));
        }
        let own = container.networks.values().find_map(|place| place.ipv4.or(place.ipv6));
        let host_network = || (container.network_mode == "host").then(|| self.host("0.0.0.0"));
        own.map(|ip: IpAddr| ip.to_string()).or_else(host_network).map(|host| (host, port))
    }

    /// Any address of the engine's host is reached where we reach the engine.
    fn host(&self, ip: &str) -> String {
        let everywhere = matches!(ip, "" | "0.0.0.0" | "::");
        let remote =
            self.engine.address.strip_prefix("tcp://").or_else(|| self.engine.address.strip_prefix("https://"));
        match remote.and_then(|rest| rest.rsplit_once(':')) {
            Some((host, _)) if everywhere => host.trim_matches(['[', ']']).to_owned(),
            _ if everywhere => "127.0.0.1".into(),
            _ => ip.to_owned(),
        }
    }
}

/// `user@{front}:80` as `user@`, `front`, `:80`; `${...}` is something else.
fn placeholder(authority: &str) -> Option<(&str, &str, &str)> {
    let open = authority.find('{').filter(|at| !authority[..*at].ends_with('$'))?;
    let close = open + authority[open..].find('}')?;
    Some((&authority[..open], &authority[open + 1..close], &authority[close + 1..]))
}

/// The targets whose address a text names.
pub(super) fn names(text: &str) -> Option<&str> {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next()?;
    placeholder(authority).map(|(_, name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{PublishedPort, sim};

    fn url(text: &str, change: impl Fn(&mut Container), engine: &str) -> Result<String, PlanError> {
        let mut front = sim::container("shop", "front", 1);
        change(&mut front);
        let targets = BTreeMap::from([("front".into(), vec![front]), ("two".into(), vec![])]);
        let info = EngineInfo { address: engine.into(), ..sim_engine() };
        Addresses { targets: &targets, engine: &info }.url(text, Place::default())
    }

    fn sim_engine() -> EngineInfo {
        let text = r#"{"id":"","name":"","version":"","api":"","cgroup":2,"os":"","kernel":"","arch":"","security":[],"address":""}"#;
        serde_json::from_str(text).unwrap()
    }

    fn publish(host_ip: &str, host: u16) -> impl Fn(&mut Container) {
        move |c| {
            let port =
                PublishedPort { container: 80, protocol: "tcp".into(), host_ip: host_ip.into(), host, fixed: false };
            c.ports = vec![port];
        }
    }

    #[test]
    fn a_published_port_wins_over_the_containers_own_address() {
        let unix = "unix:///var/run/docker.sock";
        assert_eq!(url("http://{front}:80/a?b={c}", |_| {}, unix).unwrap(), "http://172.30.5.1:80/a?b={c}");
        assert_eq!(url("http://{front}/", publish("0.0.0.0", 32768), unix).unwrap(), "http://127.0.0.1:32768/");
        assert_eq!(url("http://{front}/", publish("10.0.0.1", 80), unix).unwrap(), "http://10.0.0.1:80/");
        assert_eq!(url("http://{front}:81/", publish("", 32768), unix).unwrap(), "http://172.30.5.1:81/");
    }

    #[test]
    fn a_remote_engines_ports_are_at_the_engine() {
        assert_eq!(url("http://{front}/", publish("", 8080), "tcp://10.1.1.1:2375").unwrap(), "http://10.1.1.1:8080/");
    }

    #[test]
    fn what_is_no_placeholder_is_left_alone() {
        for text in ["http://a:80/{front}", "http://${env:HOST}/x", "http://[::1]:80/"] {
            assert_eq!(url(text, |_| {}, "unix://").unwrap(), text);
        }
        assert_eq!(
            (names("http://{front}:80/x"), names("{db}:5432"), names("http://a/{b}")),
            (Some("front"), Some("db"), None)
        );
    }

    #[test]
    fn an_address_needs_exactly_one_container() {
        let error = url("http://{two}/", |_| {}, "unix://").unwrap_err().to_string();
        assert_eq!(error, "`{two}` stands for 0 containers; an address needs one");
    }
}
