//! From a scenario and what runs in Docker now to a plan: targets resolved, limits checked, seed fixed, and
//! every operation written out together with its undo.

mod address;
mod choose;
mod limits;
mod make;
mod select;
mod show;
mod terms;
#[cfg(test)]
mod tests;
mod timeline;

pub use make::{Options, make};
pub use show::text;
pub use terms::promised;

use crate::{
    container::{Container, ContainerError, ContainerId, EngineInfo},
    detect,
    event::{FaultId, Terms},
    fault::{Fault, Injection, OneByOne},
    load::{ExecSettings, HttpSettings, TcpSettings},
    scenario::Place,
    units::{Rate, Span},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Why a scenario cannot be run on what is there now. Exit 3: nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// Where in the scenario; line 0 if it is about none.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl PlanError {
    fn new(place: Place, message: impl Into<String>) -> PlanError {
        PlanError { place, message: message.into(), help: None }
    }

    /// The engine does not answer, or not as it should.
    pub fn of_engine(error: &ContainerError) -> PlanError {
        PlanError::new(Place::default(), error.to_string())
            .help("`firedrill doctor` says what is wrong and how to mend it")
    }

    fn help(mut self, help: impl Into<String>) -> PlanError {
        self.help = Some(help.into());
        self
    }
}

/// All that will be done. Written to the run folder as `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The seed of all chance.
    pub seed: u64,
    /// The engine that it was made on.
    pub engine: EngineInfo,
    /// What is promised and judged.
    pub terms: Terms,
    /// By target name: snapshots of the chosen containers.
    pub targets: BTreeMap<String, Vec<Container>>,
    /// Watched, not touched.
    pub neighbours: Vec<Container>,
    /// How targets were chosen, one line each.
    pub choices: Vec<String>,
    /// What is sent, in the order of [`Terms::probes`].
    pub probes: Vec<ProbePlan>,
    /// In the order of [`Terms::faults`].
    pub steps: Vec<Step>,
    /// Who is asked for alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect: Option<detect::Settings>,
    /// Names of environment variables that hold secrets, to be redacted.
    pub secrets: Vec<String>,
    /// What people should know before they let it run.
    pub notes: Vec<String>,
}

impl Plan {
    /// More time than its drill can take: whoever holds a fault for it may let go after that, whatever is said.
    pub fn longest(&self) -> Span {
        let timing = &self.terms.timing;
        let end = |step: &Step| step.at.0 + step.length.map_or(Duration::ZERO, |length| length.0);
        let faults = self.steps.iter().map(end).max().unwrap_or_default();
        let answers = self.probes.iter().map(|probe| probe.timeout.0).max().unwrap_or_default();
        Span(timing.warm_up.0 + 3 * (timing.baseline.0 + answers) + faults + timing.recovery.0 + SLACK)
    }

    /// The name of a container that it knows.
    pub fn name_of(&self, id: &ContainerId) -> Option<&str> {
        let known = self.targets.values().flatten().chain(&self.neighbours);
        known.into_iter().find(|one| one.id == *id).map(|one| one.name.as_str())
    }
}

/// What a drill may take beyond its plan: slow answers of an engine, undos that are tried again.
const SLACK: Duration = Duration::from_secs(300);

/// One fault with everything it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its position.
    pub fault: FaultId,
    /// What it is.
    pub settings: Fault,
    /// Intended start, from t=0.
    pub at: Span,
    /// Intended length; `None`: momentary, or held to the end of the run.
    pub length: Option<Span>,
    /// One a container, in the order they are done.
    pub injections: Vec<Injection>,
    /// One after the other instead of all at once.
    pub one_by_one: Option<OneByOne>,
}

/// A load or probe with its addresses resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbePlan {
    /// Its name.
    pub name: String,
    /// What is sent.
    pub work: ProbeWork,
    /// How often.
    pub rate: Rate,
    /// From the intended time.
    pub timeout: Span,
    /// How many at once.
    pub max_in_flight: u32,
}

/// What a probe does, with container names resolved to ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeWork {
    /// HTTP.
    Http(HttpSettings),
    /// TCP.
    Tcp(TcpSettings),
    /// A command, in these containers in turn, or on this host if there are none.
    Exec {
        /// The command and what is good.
        settings: ExecSettings,
        /// Where.
        containers: Vec<ContainerId>,
    },
    /// Health of these containers.
    Health {
        /// All must be healthy.
        containers: Vec<ContainerId>,
    },
}
