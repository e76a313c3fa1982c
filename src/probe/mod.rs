//! Probes beside the load: TCP, commands, and Docker's health checks. One file each.
//!
//! All are open loops like the load (see `crate::load`): a request is due when its schedule says so, whatever
//! the answers do, and its timeout counts from then. HTTP and TCP run on the load thread; what asks the
//! container engine or starts processes implements [`Probe`] and runs on the engine's own runtime.
//!
//! # A new probe
//! One file here, one variant of `plan::ProbeWork`, and the arm in [`new`] that the compiler asks for.

mod exec;
mod health;
pub(crate) mod tcp;

use crate::{
    container::ContainerError,
    load::Context,
    measure::Class,
    plan::{ProbePlan, ProbeWork},
};
use std::{future::Future, pin::Pin, sync::Arc};

/// How one request ends, some time later.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Class> + Send + 'a>>;

/// Something that can be asked how it is. Whoever asks bounds the time: dropping the question ends it.
pub trait Probe: Send + Sync {
    /// Asks once; `seq` is the number of the request.
    fn ask(&self, seq: u64) -> Asked<'_>;
}

/// The probe of a plan, if it is one of these.
///
/// # Errors
/// What makes no request; never holds a secret.
pub fn new(plan: &ProbePlan, context: &Context) -> Result<Option<Arc<dyn Probe>>, String> {
    let containers = || context.containers.clone().ok_or_else(|| "there is no container engine to ask".to_owned());
    Ok(match &plan.work {
        ProbeWork::Http(_) | ProbeWork::Tcp(_) => None,
        ProbeWork::Exec { settings, containers: on } if on.is_empty() => {
            Some(Arc::new(exec::OnThisHost::new(settings, context)?))
        }
        ProbeWork::Exec { settings, containers: on } => {
            Some(Arc::new(exec::InContainers::new(settings, on, containers()?, context)?))
        }
        ProbeWork::Health { containers: of } => Some(Arc::new(health::Health::new(of, containers()?))),
    })
}

/// How an error of the container engine counts.
fn class_of(error: &ContainerError) -> Class {
    match error {
        ContainerError::Unknown(_) => Class::Timeout,
        // Gone, stopped, paused, or no engine at all: nobody there to answer.
        ContainerError::Unreachable { .. }
        | ContainerError::NotFound { .. }
        | ContainerError::Conflict(_)
        | ContainerError::Refused { .. } => Class::Refused,
    }
}
