//! A stage for tests with a real engine: containers out of our own program, under names that nobody else has,
//! removed when the stage is dropped, whatever became of the test.

use firedrill::container::{
    Container, ContainerId, Containers,
    docker::{self, Docker, NewContainer},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The tag of the image of every test container of this checkout.
pub fn image_tag() -> String {
    let checkout =
        env!("CARGO_MANIFEST_DIR").bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    format!("firedrill-test:{checkout:08x}")
}

/// The socket of the engine that the tests use.
pub fn engine_socket() -> PathBuf {
    let named = std::env::var("DOCKER_HOST").ok().and_then(|address| Some(address.strip_prefix("unix://")?.into()));
    named.unwrap_or_else(|| "/var/run/docker.sock".into())
}

pub struct Stage {
    pub docker: Docker,
    /// What every name of this stage starts with.
    pub prefix: String,
    image: String,
}

impl Stage {
    /// On the engine of this machine.
    pub async fn new() -> Stage {
        Stage::on(docker::connect().await.expect("the tests need Docker")).await
    }

    /// On some engine.
    pub async fn on(docker: Docker) -> Stage {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("fdt-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let binary = Path::new(env!("CARGO_BIN_EXE_firedrill"));
        let docker = docker.with_helpers_of(binary);
        let image =
            docker.load_image(&image_tag(), binary, BTreeMap::new()).await.expect("our own program makes an image");
        Stage { docker, prefix, image }
    }

    /// A name of this stage.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// A container that idles, as compose would label it; to be changed before it is made.
    pub fn idle(&self, service: &str, number: u32) -> NewContainer {
        NewContainer {
            name: self.name(&format!("{service}-{number}")),
            image: self.image.clone(),
            command: vec!["idle".into()],
            labels: BTreeMap::from([
                ("com.docker.compose.project".to_owned(), self.prefix.clone()),
                ("com.docker.compose.service".to_owned(), service.to_owned()),
            ]),
            ..NewContainer::default()
        }
    }

    /// Makes and starts it.
    pub async fn start(&self, new: &NewContainer) -> ContainerId {
        let id = self.docker.create_container(new).await.expect("created");
        self.docker.start_container(&id).await.expect("started");
        id
    }

    /// An idling container, running.
    pub async fn one(&self, service: &str) -> ContainerId {
        self.start(&self.idle(service, 1)).await
    }

    /// A network of this stage; its name.
    pub async fn network(&self, name: &str, subnet: Option<&str>) -> String {
        let name = self.name(name);
        self.docker.create_network(&name, subnet, BTreeMap::new()).await.expect("network");
        name
    }

    /// The container as it is now.
    pub async fn look(&self, id: &ContainerId) -> Container {
        self.docker.inspect(id).await.expect("inspected")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let (address, prefix) = (self.docker.info().address.clone(), self.prefix.clone());
        let sweeping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(sweep(&address, &prefix));
        });
        let _ = sweeping.join();
    }
}

async fn sweep(address: &str, prefix: &str) {
    let Ok(docker) = docker::connect_to(address).await else { return };
    let mine = format!("{prefix}-");
    let containers = docker.list().await.unwrap_or_default();
    let targets: Vec<&Container> = containers.iter().filter(|one| one.name.starts_with(&mine)).collect();
    let locks = containers.iter().filter(|lock| targets.iter().any(|one| lock.name.ends_with(&one.id.id)));
    for one in targets.iter().copied().chain(locks) {
        let _ = docker.remove_container(&one.id.id).await;
    }
    for network in docker.networks_named(&mine).await.unwrap_or_default() {
        let _ = docker.remove_network(&network).await;
    }
}
