//! Docker's health checks: good when every container is healthy, or, without a check, runs.

use super::{Asked, Probe, class_of};
use crate::{
    container::{self, ContainerId, Containers, State},
    measure::Class,
};
use std::sync::Arc;

pub(super) struct Health {
    of: Vec<ContainerId>,
    containers: Arc<dyn Containers>,
}

impl Health {
    pub fn new(of: &[ContainerId], containers: Arc<dyn Containers>) -> Health {
        Health { of: of.to_vec(), containers }
    }
}

impl Probe for Health {
    fn ask(&self, _: u64) -> Asked<'_> {
        Box::pin(async move {
            for id in &self.of {
                match self.containers.inspect(id).await {
                    Ok(container) if well(&container) => {}
                    Ok(_) => return Class::Status,
                    Err(e) => return class_of(&e),
                }
            }
            Class::Ok
        })
    }
}

fn well(container: &container::Container) -> bool {
    let healthy = container.health.is_none_or(|health| health == container::Health::Healthy);
    container.state == State::Running && healthy
}
