//! The stand-in's own look-ups of names: over UDP, as its `/etc/resolv.conf` says, and answered in words.

use hickory_resolver::{
    TokioResolver,
    config::ResolveHosts,
    net::{DnsError, NetError},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::Mutex;

/// How long it waits for its resolver.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks names up.
pub struct Names {
    resolver: Option<TokioResolver>,
    kept: Mutex<BTreeMap<String, String>>,
}

impl Names {
    /// From `/etc/resolv.conf`; without one, nothing is found.
    pub fn new() -> Names {
        Names { resolver: resolver(), kept: Mutex::default() }
    }

    /// The addresses of a name, sorted and with commas between them.
    ///
    /// # Errors
    /// The resolver's answer, or that there was none, in one word.
    pub async fn look_up(&self, name: &str) -> Result<String, String> {
        let resolver = self.resolver.as_ref().ok_or("unconfigured")?;
        // The final dot keeps search domains out of it.
        match resolver.lookup_ip(format!("{name}.")).await {
            Ok(found) => {
                let mut addresses: Vec<String> = found.iter().map(|address| address.to_string()).collect();
                addresses.sort();
                Ok(addresses.join(","))
            }
            Err(error) => Err(word(&error)),
        }
    }

    /// The same, but what was found once is never asked again: what many applications do.
    ///
    /// # Errors
    /// As [`Names::look_up`].
    pub async fn look_up_once(&self, name: &str) -> Result<String, String> {
        let mut kept = self.kept.lock().await;
        if let Some(known) = kept.get(name) {
            return Ok(known.clone());
        }
        let found = self.look_up(name).await?;
        kept.insert(name.to_owned(), found.clone());
        Ok(found)
    }
}

fn resolver() -> Option<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio().ok()?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.attempts = 1;
    options.timeout = PATIENCE;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().ok()
}

fn word(error: &NetError) -> String {
    match error {
        NetError::Timeout => "timeout".into(),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("{code:?}").to_lowercase(),
        NetError::Dns(DnsError::NoRecordsFound(none)) => format!("{:?}", none.response_code).to_lowercase(),
        other => other.to_string(),
    }
}
