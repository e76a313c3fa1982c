//! Another part of the shop, found by name again and again: a container that comes back may have a new address.

use super::DemoError;
use hickory_resolver::{TokioResolver, config::ResolveHosts};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Who to talk to, and where it was last seen.
pub struct Peer {
    name: String,
    port: u16,
    resolver: TokioResolver,
    address: Mutex<Option<SocketAddr>>,
}

impl Peer {
    /// From `name:port`; the name may be an IP address.
    pub fn new(text: &str) -> Result<Peer, DemoError> {
        let wrong = || DemoError::Address(text.to_owned());
        let (name, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let fixed = name.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port));
        Ok(Peer { name: name.to_owned(), port, resolver: resolver()?, address: Mutex::new(fixed) })
    }

    /// The name it goes by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it was last seen.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for its address again; keeps the old one if nobody knows.
    pub async fn look_up(&self) {
        if self.name.parse::<IpAddr>().is_ok() {
            return;
        }
        // The trailing dot keeps the search domains of the host out of it.
        let Ok(answer) = self.resolver.lookup_ip(format!("{}.", self.name)).await else { return };
        if let Some(ip) = answer.iter().next() {
            *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(SocketAddr::new(ip, self.port));
        }
    }

    /// Looks it up for ever.
    pub async fn follow(&self, every: Duration) {
        loop {
            self.look_up().await;
            tokio::time::sleep(every).await;
        }
    }
}

/// Docker's own name server, without a cache: its answers are said to hold for ten minutes, and do not.
fn resolver() -> Result<TokioResolver, DemoError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.attempts = 1;
    options.timeout = Duration::from_millis(250);
    options.use_hosts_file = ResolveHosts::Never;
    Ok(builder.build()?)
}

/// A client that gives up connecting after `connect` and waiting after `total`, and never retries by itself.
pub fn client(connect: Duration, total: Duration) -> Result<reqwest::Client, DemoError> {
    // Plain HTTP only; an empty root store spares us the search for certificates that an empty image lacks.
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect)
        .timeout(total)
        .build()?;
    Ok(client)
}
