//! A container against its snapshot, after an undo: what must be the same again, and what is only recorded.

use super::{Attachment, Container, PublishedPort, State};
use crate::event::Difference;
use std::{collections::BTreeMap, fmt::Debug};

/// Every difference, those that must not be first. Empty if nothing changed at all.
///
/// What must match: whether it runs or is paused, limits, restart policy, networks with their names and fixed
/// addresses, fixed ports. Only recorded: process id, start, restart count, health, dynamic addresses and ports,
/// and an end after a *new* start: that is the container's own doing.
pub fn differences(before: &Container, after: &Container) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    let started_again = before.started_at != after.started_at;
    let ended_since = started_again && before.state == State::Running && after.state != State::Paused;
    found.put(!ended_since, "state", before.state.name(), after.state.name());
    found.must("id", &before.id.id, &after.id.id);
    found.must("name", &before.name, &after.name);
    found.must("image", &before.image_id, &after.image_id);
    found.must("auto-remove", before.auto_remove, after.auto_remove);
    found.must("restart policy", policy(before), policy(after));
    limits(&mut found, before, after);
    networks(&mut found, before, after);
    ports(&mut found, before, after);
    found.only("pid", before.pid, after.pid);
    found.only("started at", &before.started_at, &after.started_at);
    found.only("restart count", before.restart_count, after.restart_count);
    found.only("health", before.health.map_or("none", |h| h.name()), after.health.map_or("none", |h| h.name()));
    found.0.sort_by_key(|difference| !difference.must_match);
    found.0
}

/// The differences of a container that is no longer there.
pub fn gone(before: &Container) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    found.must("container", before.state.name(), "removed");
    found.0
}

/// Whether an undo is proven by these differences.
pub fn proven(differences: &[Difference]) -> bool {
    differences.iter().all(|difference| !difference.must_match)
}

struct Found(Vec<Difference>);

impl Found {
    fn must(&mut self, what: impl Into<String>, before: impl ToString, after: impl ToString) {
        self.put(true, what, before, after);
    }

    fn only(&mut self, what: impl Into<String>, before: impl ToString, after: impl ToString) {
        self.put(false, what, before, after);
    }

    fn put(&mut self, must_match: bool, what: impl Into<String>, before: impl ToString, after: impl ToString) {
        let (before, after) = (before.to_string(), after.to_string());
        if before != after {
            self.0.push(Difference { what: what.into(), before, after, must_match });
        }
    }
}

fn policy(container: &Container) -> String {
    match container.restart_policy.max_retries {
        0 => container.restart_policy.name.clone(),
        retries => format!("{}:{retries}", container.restart_policy.name),
    }
}

fn limits(found: &mut Found, before: &Container, after: &Container) {
    let (b, a) = (&before.limits, &after.limits);
    found.must("limits.memory", b.memory, a.memory);
    found.must("limits.memory_swap", b.memory_swap, a.memory_swap);
    found.must("limits.nano_cpus", b.nano_cpus, a.nano_cpus);
    found.must("limits.cpu_quota", b.cpu_quota, a.cpu_quota);
    found.must("limits.cpu_period", b.cpu_period, a.cpu_period);
    found.must("limits.cpu_shares", b.cpu_shares, a.cpu_shares);
    found.must("limits.cpuset", &b.cpuset, &a.cpuset);
    found.must("limits.pids", b.pids, a.pids);
}

fn networks(found: &mut Found, before: &Container, after: &Container) {
    let names = |container: &Container| container.networks.keys().cloned().collect::<Vec<_>>().join(", ");
    found.must("networks", names(before), names(after));
    for (name, b) in &before.networks {
        if let Some(a) = after.networks.get(name) {
            attachment(found, name, b, a);
        }
    }
}

fn attachment(found: &mut Found, network: &str, before: &Attachment, after: &Attachment) {
    let what = |part: &str| format!("networks.{network}.{part}");
    let listed = |list: &[String]| list.join(", ");
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    found.must(what("network"), &before.network_id, &after.network_id);
    found.must(what("aliases"), listed(&before.aliases), listed(&after.aliases));
    found.must(what("static_ipv4"), said(&before.static_ipv4), said(&after.static_ipv4));
    found.must(what("static_ipv6"), said(&before.static_ipv6), said(&after.static_ipv6));
    found.must(what("link_local"), listed(&before.link_local), listed(&after.link_local));
    found.must(what("links"), listed(&before.links), listed(&after.links));
    found.must(what("driver_opts"), pairs(&before.driver_opts), pairs(&after.driver_opts));
    found.must(what("priority"), before.priority.unwrap_or(0), after.priority.unwrap_or(0));
    found.only(what("ipv4"), shown(&before.ipv4), shown(&after.ipv4));
    found.only(what("ipv6"), shown(&before.ipv6), shown(&after.ipv6));
    found.only(what("mac"), said(&before.mac), said(&after.mac));
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

fn shown(value: &Option<impl Debug>) -> String {
    value.as_ref().map_or_else(|| "none".into(), |value| format!("{value:?}"))
}

/// A container that does not run publishes nothing; that it does not run is said already.
fn ports(found: &mut Found, before: &Container, after: &Container) {
    if before.state != State::Running || after.state != State::Running {
        return;
    }
    let listed = |container: &Container, fixed: bool| {
        let ports = container.ports.iter().filter(|port| port.fixed == fixed);
        ports.map(published).collect::<Vec<_>>().join(", ")
    };
    found.must("fixed ports", listed(before, true), listed(after, true));
    found.only("dynamic ports", listed(before, false), listed(after, false));
}

fn published(port: &PublishedPort) -> String {
    format!("{}:{}->{}/{}", port.host_ip, port.host, port.container, port.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    fn seen(change: impl Fn(&mut Container)) -> Vec<(String, bool)> {
        let before = sim::container("shop", "api", 1);
        let mut after = before.clone();
        change(&mut after);
        differences(&before, &after).into_iter().map(|d| (d.what, d.must_match)).collect()
    }

    #[test]
    fn the_same_container_differs_in_nothing() {
        assert_eq!(seen(|_| {}), []);
        assert!(proven(&[]));
    }

    #[test]
    fn what_must_match_is_told_from_what_is_only_recorded_and_comes_first() {
        let all = seen(|c| {
            c.pid += 1;
            c.restart_count += 1;
            c.limits.memory = 7;
            c.networks.get_mut("shop_default").unwrap().aliases.clear();
            c.networks.get_mut("shop_default").unwrap().ipv4 = None;
        });
        let expected = [
            ("limits.memory", true),
            ("networks.shop_default.aliases", true),
            ("networks.shop_default.ipv4", false),
            ("pid", false),
            ("restart count", false),
        ];
        assert_eq!(all, expected.map(|(what, must)| (what.to_owned(), must)));
    }

    #[test]
    fn still_dead_is_no_undo_but_started_again_and_then_dying_is_the_containers_own_doing() {
        assert_eq!(seen(|c| c.state = State::Exited), [("state".into(), true)]);
        assert_eq!(seen(|c| c.state = State::Paused), [("state".into(), true)]);
        let died_later = seen(|c| {
            c.state = State::Exited;
            c.started_at = "2026-03-01T11:00:00Z".into();
        });
        assert_eq!(died_later, [("state".into(), false), ("started at".into(), false)]);
    }

    #[test]
    fn a_fixed_port_must_be_published_again_and_a_dynamic_one_may_move() {
        let with = |fixed: bool, host: u16| {
            let mut container = sim::container("shop", "api", 1);
            container.ports =
                vec![PublishedPort { container: 80, protocol: "tcp".into(), host_ip: "0.0.0.0".into(), host, fixed }];
            container
        };
        assert!(!proven(&differences(&with(true, 8080), &with(true, 9090))));
        assert!(proven(&differences(&with(false, 32768), &with(false, 32769))));
    }

    #[test]
    fn a_container_that_is_gone_proves_nothing() {
        assert!(!proven(&gone(&sim::container("shop", "api", 1))));
    }
}
