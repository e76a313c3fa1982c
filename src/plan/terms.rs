//! The terms of a drill: what the journal keeps of the scenario so that it can be judged for ever.

use super::{ProbePlan, ProbeWork, Step};
use crate::{
    agent::{protocol::Effect, traffic::Direction},
    container::packets::words,
    detect::Settings,
    event::{FaultTerms, ProbeKind, ProbeTerms, Terms},
    fault::{Fault, PacketSettings, To},
    load::{HttpSettings, TcpSettings},
    scenario::{FaultEntry, Probe, ProbeSettings, Scenario},
};

/// Everything that judging needs, as far as the scenario says it: addresses may name a target still, and which
/// containers a fault hits is not known yet. A run begins with these, before it has asked any engine.
pub fn promised(scenario: &Scenario) -> Terms {
    Terms {
        scenario: scenario.name.clone(),
        title: scenario.title.clone().unwrap_or_else(|| scenario.name.clone()),
        hypothesis: scenario.hypothesis.clone(),
        of: scenario.of.clone(),
        owner: scenario.owner.clone(),
        tags: scenario.tags.clone(),
        probes: scenario.probes.iter().map(probe_terms).collect(),
        expect: scenario.expect.clone(),
        detect: scenario.detect.as_ref().map(|detect| detect.terms.clone()),
        guards: scenario.abort.clone(),
        timing: scenario.timing,
        faults: scenario.faults.iter().map(fault_terms).collect(),
    }
}

/// The same, resolved.
pub(super) fn terms(scenario: &Scenario, probes: &[ProbePlan], steps: &[Step], detect: Option<&Settings>) -> Terms {
    let mut terms = promised(scenario);
    if let Some((terms, settings)) = terms.detect.as_mut().zip(detect) {
        terms.url.clone_from(&settings.url);
    }
    for (probe, planned) in terms.probes.iter_mut().zip(probes) {
        match &planned.work {
            ProbeWork::Http(http) => probe.subject = request(http),
            ProbeWork::Tcp(tcp) => probe.subject = connection(tcp),
            ProbeWork::Exec { .. } | ProbeWork::Health { .. } => {}
        }
    }
    for step in steps {
        terms.faults[step.fault].containers = step.injections.iter().map(|injection| injection.name.clone()).collect();
    }
    terms
}

fn probe_terms(probe: &Probe) -> ProbeTerms {
    let (kind, subject) = match &probe.kind {
        ProbeSettings::Http(http) => (ProbeKind::Http, request(http)),
        ProbeSettings::Tcp(tcp) => (ProbeKind::Tcp, connection(tcp)),
        ProbeSettings::Exec(exec) => {
            let place = exec.target.as_deref().unwrap_or("this host");
            (ProbeKind::Exec, format!("`{}` in {place}", exec.command.join(" ")))
        }
        ProbeSettings::Health { target } => (ProbeKind::Health, format!("health of {target}")),
    };
    ProbeTerms {
        name: probe.name.clone(),
        kind,
        load: probe.load,
        subject,
        rate: probe.rate,
        timeout: probe.timeout,
        max_in_flight: probe.max_in_flight,
        slo: probe.slo,
    }
}

/// Secrets are still `${env:NAME}` here.
fn request(http: &HttpSettings) -> String {
    format!("{} {}", http.method, http.url)
}

fn connection(tcp: &TcpSettings) -> String {
    format!("tcp {}", tcp.address)
}

fn fault_terms(entry: &FaultEntry) -> FaultTerms {
    FaultTerms {
        kind: entry.fault.kind().into(),
        label: label(entry),
        containers: vec![],
        at: entry.at,
        length: entry.length,
        held: entry.fault.held(),
    }
}

/// `delayed by 200ms, to store`.
fn packets(settings: &PacketSettings) -> String {
    let effect = match &settings.effect {
        Effect::Dns(dns) => dns.to_string(),
        effect => words(effect),
    };
    if let Some(network) = &settings.network {
        return format!("from {network}");
    }
    let name = |to: &To| match to {
        To::Target(name) | To::Host(name) | To::Container(name) => name.clone(),
        To::Addresses(block) => block.to_string(),
        To::Service { service, .. } => service.clone(),
    };
    let names: Vec<String> = settings.to.iter().map(name).collect();
    if names.is_empty() {
        effect
    } else {
        format!("{effect}, {} {}", way(settings.traffic.direction), names.join(", "))
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "to and from",
        Direction::Out => "to",
        Direction::In => "from",
    }
}

/// `kill cache (SIGKILL)`.
pub(super) fn label(entry: &FaultEntry) -> String {
    let detail = match &entry.fault {
        Fault::Kill { signal } | Fault::Crash { signal } | Fault::Signal { signal, process: None } => signal.clone(),
        Fault::Signal { signal, process: Some(process) } => format!("{signal} to `{process}`"),
        Fault::Squeeze { resource, to } => format!("to {}", resource.amount(*to)),
        Fault::Burn(work) => work.to_string(),
        Fault::Stop { grace: Some(grace) } | Fault::Restart { grace: Some(grace), one_by_one: None } => {
            format!("{grace} of grace")
        }
        Fault::Restart { one_by_one: Some(_), .. } => "one by one".into(),
        Fault::Disconnect { network } => format!("from {network}, via docker"),
        Fault::Packets(settings) => packets(settings),
        Fault::Partition(partition) => {
            let last = partition.between.last().map_or(String::new(), |group| group.join(", "));
            let way = if partition.one_way { "to" } else { "from" };
            format!("{way} {last}, packets {}", words(&Effect::Cut(partition.by)))
        }
        Fault::Exec { command, .. } => command.join(" "),
        Fault::Stop { grace: None } | Fault::Restart { .. } | Fault::Pause => String::new(),
    };
    let plain = format!("{} {}", entry.fault.kind(), entry.targets.join(", "));
    if detail.is_empty() { plain } else { format!("{plain} ({detail})") }
}
