//! Where the system is asked, and how it answers while nothing is wrong: a few GET requests to a published port.

use super::survey::{Port, Service, System};
use crate::{
    cli::sending,
    load::{HttpSettings, StatusRange, TcpSettings},
    measure::{ProbeId, Tally},
    plan::{ProbePlan, ProbeWork},
    units::{Rate, Span},
};
use anyhow::{Context as _, bail};
use rand::{TryRng, rngs::SysRng};
use std::{collections::BTreeMap, fmt, fs::DirBuilder, os::unix::fs::DirBuilderExt, path::PathBuf};

/// Ports that are likely to be the front door, likeliest first.
const FRONT_DOORS: [u16; 8] = [80, 443, 8080, 8443, 8000, 3000, 5000, 9000];
/// Ports where TLS is spoken.
const TLS: [u16; 2] = [443, 8443];
/// What counts as good, tried in this order: the scenario's words and the codes.
const GOOD: [(&str, u16, u16); 3] = [("2xx", 200, 299), ("200-399", 200, 399), ("200-499", 200, 499)];
/// Gentle: a browser with one page open asks more.
const RATE: f64 = 10.0;
/// How often and how long each way of asking is tried.
const TRY_RATE: f64 = 2.0;
const TRY_FOR: Span = Span::secs(2);
const TIMEOUT: Span = Span::secs(2);

/// Where users come in.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The service behind the port.
    pub service: String,
    /// What is sent there.
    pub ask: Ask,
    /// How it answered, if it was asked.
    pub seen: Option<Seen>,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// GET requests.
    Http {
        /// `http://127.0.0.1:8080/`
        url: String,
        /// Good statuses, in a scenario's words.
        status: &'static str,
        /// Whether its certificate is to be believed unseen.
        insecure: bool,
    },
    /// Connections.
    Tcp {
        /// `127.0.0.1:6379`
        address: String,
    },
}

/// How a system answers while nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Requests.
    pub n: u64,
    /// The share that failed.
    pub errors: f64,
    /// The response time that nine of ten kept below.
    pub p90: Span,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ask {
            Ask::Http { url, .. } => f.write_str(url),
            Ask::Tcp { address } => f.write_str(address),
        }
    }
}

/// The likeliest front door, unasked.
///
/// # Errors
/// No TCP port is published.
pub fn unmeasured(system: &System) -> anyhow::Result<Entry> {
    let (service, port) = doors(system)?[0];
    Ok(Entry { service: service.name.clone(), ask: http(port, GOOD[0].0), seen: None })
}

/// Looks for the port that answers GET requests, and measures it; a TCP port if none does. `say` tells what is sent,
/// before it is.
///
/// # Errors
/// No TCP port is published; nothing can be sent.
pub async fn measured(system: &System, length: Span, say: &impl Fn(String)) -> anyhow::Result<Entry> {
    let doors = doors(system)?;
    let mut found = None;
    for (service, port) in &doors {
        let ask = http(*port, GOOD[0].0);
        say(format!("trying {}: GET, {} requests", Entry::at(service, ask.clone()), 12));
        if let Some(status) = speaks_http(*port).await? {
            found = Some(Entry::at(service, http(*port, status)));
            break;
        }
    }
    let (service, port) = doors[0];
    let entry = found.unwrap_or_else(|| Entry::at(service, Ask::Tcp { address: format!("{}", socket(port)) }));
    say(format!("measuring {entry}: {} requests in {length}", (RATE * length.ns() as f64 / 1e9).round()));
    let tally = send(&[probe(work(&entry.ask), RATE)], length).await?.remove(&0).unwrap_or_default();
    let errors = tally.error_share().unwrap_or(1.0);
    let Some(p90) = tally.response(0.9).filter(|_| errors < 0.5) else {
        bail!("{entry} answered {} of {} requests badly; is the system up?", tally.failed(), tally.ended());
    };
    Ok(Entry { seen: Some(Seen { n: tally.ended(), errors, p90 }), ..entry })
}

impl Entry {
    fn at(service: &Service, ask: Ask) -> Entry {
        Entry { service: service.name.clone(), ask, seen: None }
    }
}

/// Published ports, the likeliest front door first.
fn doors(system: &System) -> anyhow::Result<Vec<(&Service, Port)>> {
    let mut doors: Vec<(&Service, Port)> =
        system.services.iter().flat_map(|service| service.ports.iter().map(move |port| (service, *port))).collect();
    let rank = |port: u16| FRONT_DOORS.iter().position(|door| *door == port).unwrap_or(FRONT_DOORS.len());
    doors.sort_by_key(|(_, port)| (rank(port.container), *port));
    if doors.is_empty() {
        bail!(
            "none of its services publishes a TCP port on this host, so there is nothing to ask; publish one \
             (`ports:` in the compose file), or write the scenario by hand from scenarios/demo.yaml"
        );
    }
    Ok(doors)
}

fn socket(port: Port) -> std::net::SocketAddr {
    (port.address, port.host).into()
}

fn http(port: Port, status: &'static str) -> Ask {
    let insecure = TLS.contains(&port.container);
    let scheme = if insecure { "https" } else { "http" };
    Ask::Http { url: format!("{scheme}://{}/", socket(port)), status, insecure }
}

/// Which statuses are good there, if anything answers at all.
async fn speaks_http(port: Port) -> anyhow::Result<Option<&'static str>> {
    let tries = GOOD.map(|(status, ..)| probe(work(&http(port, status)), TRY_RATE));
    let tallies = send(&tries, TRY_FOR).await?;
    let good = |tally: &Tally| tally.ended() > 0 && tally.failed() == 0;
    let best = tallies.iter().find(|(_, tally)| good(tally)).map(|(id, _)| usize::from(*id));
    Ok(best.and_then(|at| GOOD.get(at)).map(|(status, ..)| *status))
}

fn work(ask: &Ask) -> ProbeWork {
    match ask {
        Ask::Http { url, status, insecure } => ProbeWork::Http(HttpSettings {
            method: "GET".into(),
            url: url.clone(),
            headers: Vec::new(),
            body: None,
            insecure: *insecure,
            status: GOOD
                .iter()
                .filter(|good| good.0 == *status)
                .map(|&(_, from, to)| StatusRange { from, to })
                .collect(),
            content: None,
        }),
        Ask::Tcp { address } => ProbeWork::Tcp(TcpSettings { address: address.clone(), send: None, expect: None }),
    }
}

fn probe(work: ProbeWork, rate: f64) -> ProbePlan {
    ProbePlan { name: "init".into(), work, rate: Rate(rate), timeout: TIMEOUT, max_in_flight: 32 }
}

/// Sends for so long, open loop, and counts.
async fn send(probes: &[ProbePlan], length: Span) -> anyhow::Result<BTreeMap<ProbeId, Tally>> {
    let scratch = scratch()?;
    let mut tallies: BTreeMap<ProbeId, Tally> = BTreeMap::new();
    let log = scratch.join("requests.bin");
    let sent = sending::send(probes, length, &log, |slice| {
        let tally = tallies.entry(slice.probe).or_default();
        slice.samples.iter().for_each(|sample| tally.add(sample));
    });
    let sent = sent.await;
    let _ = std::fs::remove_dir_all(&scratch);
    sent?;
    Ok(tallies)
}

/// The load path wants a log; nobody reads this one. A folder that nobody else could have made: a name in a shared
/// folder can be guessed, and lead elsewhere.
fn scratch() -> anyhow::Result<PathBuf> {
    let number = SysRng.try_next_u64().unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("firedrill-init-{number:016x}"));
    DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
