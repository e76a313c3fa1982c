//! Making a plan: look once at what runs, choose, compile, check. Everything that is wrong is told at once.

use super::{Plan, PlanError, ProbePlan, ProbeWork, Step, address, choose, limits, terms};
use crate::{
    container::{Container, ContainerId, Containers, Op, State},
    detect,
    fault::{Around, Fault, Injection},
    scenario::{Detect, FaultEntry, Place, Probe, ProbeSettings, Scenario},
};
use std::collections::{BTreeMap, BTreeSet};

/// What whoever asks for a plan allows.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Commands of `exec` probes may run on this host.
    pub allow_host_exec: bool,
}

/// Resolves a scenario over what runs now. Touches nothing; `where` questions are commands in containers.
///
/// # Errors
/// Everything that keeps it from being run, all at once.
pub async fn make(
    scenario: &Scenario,
    containers: &dyn Containers,
    seed: u64,
    options: &Options,
) -> Result<Plan, Vec<PlanError>> {
    let engine_says =
        |error: crate::container::ContainerError| vec![PlanError::new(Place::default(), error.to_string())];
    let engine = containers.engine().await.map_err(engine_says)?;
    let all = containers.list().await.map_err(engine_says)?;
    let choice = choose::choose(&scenario.targets, &all, containers, seed).await?;
    let (steps, mut errors) =
        parted(scenario.faults.iter().enumerate().map(|(at, entry)| step(at, entry, &choice.targets, &all)));
    let addresses = address::Addresses { targets: &choice.targets, engine: &engine };
    let (probes, wrong) =
        parted(scenario.probes.iter().map(|probe| probe_plan(probe, &addresses, options).map_err(|e| vec![e])));
    errors.extend(wrong);
    let detect = scenario.detect.as_ref().map(|detect| settings(detect, &addresses)).transpose();
    let detect = detect.unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    errors.extend(limits::check(scenario, &steps, &choice.targets, &all));
    errors.extend(unknown_bystanders(scenario, &all));
    if !errors.is_empty() {
        errors.sort_by_key(|error| (error.place.line, error.place.column));
        return Err(errors);
    }
    Ok(Plan {
        seed,
        terms: terms::terms(scenario, &probes, &steps, detect.as_ref()),
        detect,
        neighbours: neighbours(&choice.targets, &all),
        notes: notes(scenario, &choice, &steps),
        engine,
        targets: choice.targets,
        choices: choice.lines,
        probes,
        steps,
        secrets: scenario.secrets.clone(),
    })
}

/// Who is asked for alerts, its address resolved.
fn settings(detect: &Detect, addresses: &address::Addresses) -> Result<detect::Settings, PlanError> {
    let settings = detect.settings();
    Ok(detect::Settings { url: addresses.url(&settings.url, detect.place)?, ..settings })
}

/// Those that are well, and everything that is wrong with the others.
fn parted<T>(results: impl Iterator<Item = Result<T, Vec<PlanError>>>) -> (Vec<T>, Vec<PlanError>) {
    let (mut well, mut wrong) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => well.push(one),
            Err(errors) => wrong.extend(errors),
        }
    }
    (well, wrong)
}

fn step(
    fault: usize,
    entry: &FaultEntry,
    targets: &BTreeMap<String, Vec<Container>>,
    all: &[Container],
) -> Result<Step, Vec<PlanError>> {
    let on = hit(entry, targets)?;
    let around = Around { targets: Some(targets), all };
    let compiled = on.iter().map(|container| {
        let compiled = entry.fault.compile_among(container, &around);
        compiled.map_err(|why| vec![PlanError::new(entry.place, format!("`{}` is refused: {why}", entry.fault.kind()))])
    });
    let (mut injections, errors): (Vec<Injection>, _) = parted(compiled);
    if !errors.is_empty() {
        return Err(errors);
    }
    once_a_network(&mut injections);
    let one_by_one = match entry.fault {
        Fault::Restart { one_by_one, .. } => one_by_one,
        _ => None,
    };
    Ok(Step { fault, settings: entry.fault.clone(), at: entry.at, length: entry.length, injections, one_by_one })
}

/// The containers of a fault's targets, each once.
fn hit<'a>(
    entry: &FaultEntry,
    targets: &'a BTreeMap<String, Vec<Container>>,
) -> Result<Vec<&'a Container>, Vec<PlanError>> {
    let mut on: Vec<&Container> = Vec::new();
    for name in &entry.targets {
        let Some(found) = targets.get(name) else {
            return Err(vec![PlanError::new(entry.place, format!("there is no target `{name}`"))]);
        };
        for one in found {
            if on.iter().all(|other| other.id != one.id) {
                on.push(one);
            }
        }
    }
    Ok(on)
}

/// Of targets that share a network, one has its packets changed for all; the owner, if it is among them.
fn once_a_network(injections: &mut Vec<Injection>) {
    let owner = |injection: &Injection| match injection.apply.first() {
        Some(Op::Packets(fault)) => Some(fault.owner.clone()),
        _ => None,
    };
    let mut kept: BTreeMap<ContainerId, ContainerId> = BTreeMap::new();
    for (injection, owner) in injections.iter().filter_map(|one| Some((one, owner(one)?))) {
        let first = kept.entry(owner.clone()).or_insert_with(|| injection.on.clone());
        if injection.on == owner {
            *first = owner;
        }
    }
    injections.retain(|one| owner(one).is_none_or(|owner| kept.get(&owner) == Some(&one.on)));
}

fn probe_plan(probe: &Probe, addresses: &address::Addresses, options: &Options) -> Result<ProbePlan, PlanError> {
    let work = match &probe.kind {
        ProbeSettings::Http(http) => {
            let mut http = http.clone();
            http.url = addresses.url(&http.url, probe.place)?;
            ProbeWork::Http(http)
        }
        ProbeSettings::Tcp(tcp) => {
            let mut tcp = tcp.clone();
            tcp.address = addresses.socket(&tcp.address, probe.place)?;
            ProbeWork::Tcp(tcp)
        }
        ProbeSettings::Exec(settings) => {
            let containers = match &settings.target {
                Some(target) => ids(addresses.targets, target, probe.place)?,
                None if options.allow_host_exec => Vec::new(),
                None => {
                    let error =
                        PlanError::new(probe.place, format!("probe `{}` runs a command on this host", probe.name));
                    return Err(error.help("allow it with --allow-host-exec, or name a `target` to run it in"));
                }
            };
            ProbeWork::Exec { settings: settings.clone(), containers }
        }
        ProbeSettings::Health { target } => health(addresses.targets, target, probe)?,
    };
    let Probe { name, rate, timeout, max_in_flight, .. } = probe;
    Ok(ProbePlan { name: name.clone(), work, rate: *rate, timeout: *timeout, max_in_flight: *max_in_flight })
}

fn ids(targets: &BTreeMap<String, Vec<Container>>, target: &str, place: Place) -> Result<Vec<ContainerId>, PlanError> {
    let found = targets.get(target).ok_or_else(|| PlanError::new(place, format!("there is no target `{target}`")))?;
    Ok(found.iter().map(|one| one.id.clone()).collect())
}

fn health(targets: &BTreeMap<String, Vec<Container>>, target: &str, probe: &Probe) -> Result<ProbeWork, PlanError> {
    let containers = ids(targets, target, probe.place)?;
    if let Some(without) = targets[target].iter().find(|one| one.health.is_none()) {
        let error = PlanError::new(probe.place, format!("{} has no health check to look at", without.name));
        return Err(error.help("give it one, or use a `tcp` or `exec` probe"));
    }
    Ok(ProbeWork::Health { containers })
}

/// A name that nothing bears would stay unaffected for ever.
fn unknown_bystanders(scenario: &Scenario, all: &[Container]) -> Vec<PlanError> {
    let known: BTreeSet<&str> = all.iter().flat_map(|one| [Some(one.name.as_str()), one.service()]).flatten().collect();
    let unknown = scenario.expect.unaffected.iter().filter(|name| !known.contains(name.as_str()));
    let error = |name: &String| {
        PlanError::new(
            Place::default(),
            format!("`expect.unaffected` names `{name}`, which is no service or container"),
        )
        .help(format!("there is: {}", super::select::listed(&known)))
    };
    unknown.map(error).collect()
}

/// Running containers of the targets' projects and networks; everything that runs if there are none.
fn neighbours(targets: &BTreeMap<String, Vec<Container>>, all: &[Container]) -> Vec<Container> {
    let targets: Vec<&Container> = targets.values().flatten().collect();
    let others = |one: &&Container| {
        one.state == State::Running && one.ours().is_none() && !targets.iter().any(|target| target.id == one.id)
    };
    let near = |one: &&Container| targets.iter().any(|target| close(target, one));
    let found: Vec<Container> = all.iter().filter(others).filter(near).cloned().collect();
    if found.is_empty() { all.iter().filter(others).cloned().collect() } else { found }
}

fn close(target: &Container, other: &Container) -> bool {
    let same_project = target.project().is_some() && target.project() == other.project();
    let id = |one: &Container| format!("container:{}", one.id.id);
    same_project
        || target.networks.keys().any(|name| other.networks.contains_key(name))
        || other.network_mode == id(target)
        || target.network_mode == id(other)
}

fn notes(scenario: &Scenario, choice: &choose::Choice, steps: &[Step]) -> Vec<String> {
    let mut notes = choice.notes.clone();
    notes.extend(steps.iter().flat_map(|step| &step.injections).flat_map(|injection| injection.notes.clone()));
    notes.extend(moving_addresses(scenario, choice, steps));
    let mut seen = BTreeSet::new();
    notes.retain(|note| seen.insert(note.clone()));
    notes
}

/// A load that is sent to an address which the fault itself may change measures the wrong thing.
fn moving_addresses(scenario: &Scenario, choice: &choose::Choice, steps: &[Step]) -> Vec<String> {
    let hit: BTreeSet<&ContainerId> = steps
        .iter()
        .filter(|step| {
            !matches!(
                step.settings,
                Fault::Pause
                    | Fault::Exec { .. }
                    | Fault::Squeeze { .. }
                    | Fault::Burn(_)
                    | Fault::Packets(_)
                    | Fault::Partition(_)
            )
        })
        .flat_map(|step| step.injections.iter().map(|injection| &injection.on))
        .collect();
    let note = |probe: &Probe| {
        let address = match &probe.kind {
            ProbeSettings::Http(http) => &http.url,
            ProbeSettings::Tcp(tcp) => &tcp.address,
            ProbeSettings::Exec(_) | ProbeSettings::Health { .. } => return None,
        };
        let [container] = choice.targets.get(address::names(address)?)?.as_slice() else { return None };
        let fixed = container.ports.iter().any(|port| port.fixed)
            || container.networks.values().any(|place| place.static_ipv4.is_some());
        (hit.contains(&container.id) && !fixed).then(|| {
            format!(
                "`{}` is sent to {}, whose address may be another after the fault; publish a fixed port",
                probe.name, container.name
            )
        })
    };
    scenario.probes.iter().filter_map(note).collect()
}
