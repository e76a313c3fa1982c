//! Finding the engine: `DOCKER_HOST`, or the usual sockets of Docker and Podman.

use super::{BOUND, Docker, errors::told, freezer::Paused, helper::Program};
use crate::{
    container::{ContainerError, EngineInfo},
    units::Span,
};
use bollard::{API_DEFAULT_VERSION, BollardRequest, models::SystemInfo};
use jiff::Timestamp;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// Seconds; our own bound is always shorter.
const BOLLARD_TIMEOUT: u64 = 24 * 3600;

/// Connects to the engine that `DOCKER_HOST` names, or else to the first socket that is there: Docker's,
/// rootless Docker's, Podman's.
///
/// # Errors
/// `Unreachable` with the address that was tried and why.
pub async fn connect() -> Result<Docker, ContainerError> {
    connect_to(&address(std::env::var("DOCKER_HOST").ok(), std::env::var("XDG_RUNTIME_DIR").ok())).await
}

/// Connects to the engine at an address: `unix://`, `tcp://` (with TLS when `DOCKER_TLS_VERIFY` is set) or `https://`.
///
/// # Errors
/// `Unreachable` with the address and why.
pub async fn connect_to(address: &str) -> Result<Docker, ContainerError> {
    let client = open(address).await?;
    let negotiated = tokio::time::timeout(BOUND, client.negotiate_version()).await;
    let client = negotiated.map_err(|_| ContainerError::Unknown(Span(BOUND)))?.map_err(|e| told(e, address))?;
    let version = client.client_version().to_string();
    let client = client.with_request_modifier(move |request| versioned(request, &version));
    let (info, theirs) = introduce(&client, address).await?;
    Ok(Docker {
        client,
        info,
        connected: (theirs, Instant::now()),
        paused: Paused::default(),
        program: Program::default(),
        crew: Default::default(),
    })
}

/// Asks an engine who it is, and what its clock shows.
pub(super) async fn introduce(
    client: &bollard::Docker,
    address: &str,
) -> Result<(EngineInfo, Timestamp), ContainerError> {
    let both = async { tokio::join!(client.info(), client.version()) };
    let (info, version) = tokio::time::timeout(BOUND, both).await.map_err(|_| ContainerError::Unknown(Span(BOUND)))?;
    let (info, version) = (info.map_err(|e| told(e, address))?, version.map_err(|e| told(e, address))?);
    let theirs = clock(&info)?;
    let podman = version.components.iter().flatten().any(|part| part.name.contains("Podman"));
    let info = EngineInfo {
        id: if podman { podmans_id(&info) } else { info.id.clone().unwrap_or_default() },
        name: info.name.unwrap_or_default(),
        version: info.server_version.or(version.version).unwrap_or_default() + if podman { " (Podman)" } else { "" },
        api: client.client_version().to_string(),
        cgroup: match info.cgroup_version {
            Some(bollard::models::SystemInfoCgroupVersionEnum::_2) => 2,
            _ => 1,
        },
        os: info.operating_system.unwrap_or_default(),
        kernel: info.kernel_version.unwrap_or_default(),
        arch: version.arch.or(info.architecture).unwrap_or_default(),
        security: info.security_options.unwrap_or_default(),
        address: address.into(),
    };
    Ok((info, theirs))
}

/// Podman makes up another id for every answer; what stays is where it keeps its containers, and on which host.
fn podmans_id(info: &SystemInfo) -> String {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("podman:{}:{}", said(&info.name), said(&info.docker_root_dir))
}

/// What the engine's clock shows.
pub(super) fn clock(info: &SystemInfo) -> Result<Timestamp, ContainerError> {
    let text = info.system_time.as_deref().unwrap_or_default();
    text.parse().map_err(|_| ContainerError::Refused { status: 200, message: format!("`{text}` is not a time") })
}

/// Where to connect, given the environment.
fn address(docker_host: Option<String>, runtime_dir: Option<String>) -> String {
    if let Some(host) = docker_host.filter(|host| !host.is_empty()) {
        return host;
    }
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    if let Some(dir) = runtime_dir.filter(|dir| !dir.is_empty()) {
        sockets.push(Path::new(&dir).join("docker.sock"));
        sockets.push(Path::new(&dir).join("podman/podman.sock"));
    }
    sockets.push("/run/podman/podman.sock".into());
    let found = sockets.iter().find(|socket| socket.exists()).unwrap_or(&sockets[0]);
    format!("unix://{}", found.display())
}

async fn open(address: &str) -> Result<bollard::Docker, ContainerError> {
    let unreachable = |detail: &str| ContainerError::Unreachable { address: address.into(), detail: detail.into() };
    let (scheme, _) =
        address.split_once("://").ok_or_else(|| unreachable("DOCKER_HOST lacks its scheme (`unix://`)"))?;
    let encrypted = std::env::var("DOCKER_TLS_VERIFY").is_ok_and(|value| !value.is_empty());
    let client = match scheme {
        "unix" => bollard::Docker::connect_with_unix(address, BOLLARD_TIMEOUT, API_DEFAULT_VERSION),
        "tcp" | "https" if encrypted || scheme == "https" => bollard::Docker::connect_with_host(address),
        "tcp" | "http" => {
            let numeric = resolved(address).await.map_err(|detail| unreachable(&detail))?;
            bollard::Docker::connect_with_http(&numeric, BOLLARD_TIMEOUT, API_DEFAULT_VERSION)
        }
        _ => return Err(unreachable("only unix://, tcp:// and https:// are spoken; for ssh, forward the socket")),
    };
    let mut client = client.map_err(|e| told(e, address))?;
    client.set_timeout(Duration::from_secs(BOLLARD_TIMEOUT));
    Ok(client)
}

/// The address with its host name looked up by ourselves: a static binary has no resolver of the system.
async fn resolved(address: &str) -> Result<String, String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/');
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "2375"));
    if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        return Ok(format!("tcp://{host}:{port}"));
    }
    let resolver = hickory_resolver::TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let resolver = resolver.map_err(|e| e.to_string())?;
    let found = resolver.lookup_ip(host).await.map_err(|e| e.to_string())?;
    let ip = found.iter().next().ok_or_else(|| format!("{host} has no address"))?;
    Ok(format!("tcp://{}", std::net::SocketAddr::new(ip, port.parse().map_err(|_| "not a port")?)))
}

/// Asks for the negotiated version, so that an engine newer than we know answers as we expect.
fn versioned(mut request: BollardRequest, version: &str) -> BollardRequest {
    let asked = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("/v{version}{asked}").parse().ok();
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_wins_over_any_socket() {
        assert_eq!(address(Some("tcp://10.0.0.1:2375".into()), None), "tcp://10.0.0.1:2375");
        assert!(address(Some(String::new()), None).starts_with("unix://"));
    }

    #[test]
    fn podmans_socket_is_found_when_docker_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("podman/podman.sock");
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        std::fs::write(&socket, "").unwrap();
        let found = address(None, Some(dir.path().display().to_string()));
        let docker = Path::new("/var/run/docker.sock").exists();
        let expected =
            if docker { "unix:///var/run/docker.sock".into() } else { format!("unix://{}", socket.display()) };
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn an_unreachable_engine_is_named() {
        for (address, detail) in [
            ("unix:///nowhere/docker.sock", "no socket /nowhere/docker.sock"),
            ("ssh://host", "only unix://"),
            ("/var/run/docker.sock", "lacks its scheme"),
            ("tcp://127.0.0.1:1", "refused"),
        ] {
            let error = connect_to(address).await.unwrap_err().to_string();
            assert!(error.contains(address) && error.contains(detail), "{error}");
        }
    }
}
