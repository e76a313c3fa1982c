//! `firedrill bench-load`: the load path alone, with its request log and both histograms; for `scripts/bench-load`.

use super::{Exit, Global, output::say, sending::send};
use crate::{
    clock::RunClock,
    journal::requests::{Block, RequestReader},
    load::{HttpSettings, StatusRange},
    measure::{Class, Sample, Tally},
    plan::{ProbePlan, ProbeWork},
    units::{Rate, Span},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Arguments of `firedrill bench-load`.
#[derive(Debug, clap::Args)]
pub struct BenchLoad {
    /// Where to send GET requests.
    url: String,
    /// How many.
    #[arg(long, default_value = "1000/s")]
    rate: Rate,
    /// For how long.
    #[arg(long = "for", default_value = "20s")]
    length: Span,
    /// How long an answer may take.
    #[arg(long, default_value = "5s")]
    timeout: Span,
    /// How many at once.
    #[arg(long, default_value_t = 4096)]
    max_in_flight: u32,
    /// Keep the request log here.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// What came of it, as JSON. Times in milliseconds.
#[derive(serde::Serialize)]
struct Told {
    offered: u64,
    classes: BTreeMap<&'static str, u64>,
    response_ms: BTreeMap<&'static str, f64>,
    service_ms: BTreeMap<&'static str, f64>,
    /// Sent - intended.
    lateness_ms: BTreeMap<&'static str, f64>,
    behind: bool,
    log_bytes: u64,
    /// To read the whole log back.
    log_read_ms: f64,
}

const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

impl BenchLoad {
    /// Does it.
    pub fn run(&self, _: &Global) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let told = runtime.block_on(self.measure())?;
        say(serde_json::to_string_pretty(&told)?);
        Ok(Exit::Held)
    }

    async fn measure(&self) -> anyhow::Result<Told> {
        let scratch = std::env::temp_dir().join(format!("firedrill-bench-{}.bin", std::process::id()));
        let path = self.log.as_ref().unwrap_or(&scratch);
        // The lateness is the response time of an answer that took none.
        let (mut tally, mut lateness) = (Tally::new(), Tally::new());
        let probes = [self.probe()];
        let due = send(&probes, self.length, path, |slice| {
            for sample in slice.samples.iter() {
                tally.add(sample);
                lateness.add(&Sample { class: Class::Ok, service_ns: 0, ..*sample });
            }
        });
        let offered = due.await?[&0];
        let log_bytes = std::fs::metadata(path)?.len();
        let clock = RunClock::start();
        let reading = clock.now();
        let read = read_back(path)?;
        let log_read_ms = (clock.now() - reading) as f64 / 1e6;
        if self.log.is_none() {
            std::fs::remove_file(path)?;
        }
        anyhow::ensure!(read == offered, "{offered} requests were due and {read} are in the log");
        Ok(Told { log_bytes, log_read_ms, ..told(offered, &tally, &lateness) })
    }

    fn probe(&self) -> ProbePlan {
        let http = HttpSettings {
            method: "GET".into(),
            url: self.url.clone(),
            headers: Vec::new(),
            body: None,
            insecure: false,
            status: vec![StatusRange { from: 200, to: 299 }],
            content: None,
        };
        ProbePlan {
            name: "bench".into(),
            work: ProbeWork::Http(http),
            rate: self.rate,
            timeout: self.timeout,
            max_in_flight: self.max_in_flight,
        }
    }
}

fn read_back(path: &Path) -> anyhow::Result<u64> {
    let mut reader = RequestReader::open(path)?;
    let (mut block, mut count) = (Block { probe: 0, samples: Vec::new() }, 0);
    while reader.next_into(&mut block)? {
        count += block.samples.len() as u64;
    }
    Ok(count)
}

fn told(offered: u64, tally: &Tally, lateness: &Tally) -> Told {
    let ms = |span: Option<Span>| span.map_or(f64::NAN, |span| span.ns() as f64 / 1e6);
    let quantiles = |of: &dyn Fn(f64) -> Option<Span>| QUANTILES.iter().map(|(name, q)| (*name, ms(of(*q)))).collect();
    let counted = Class::ALL.iter().map(|class| (class.name(), tally.count(*class)));
    Told {
        offered,
        classes: counted.filter(|(_, count)| *count > 0).collect(),
        response_ms: quantiles(&|q| tally.response(q)),
        service_ms: quantiles(&|q| tally.service(q)),
        lateness_ms: quantiles(&|q| lateness.response(q)),
        behind: tally.behind(),
        log_bytes: 0,
        log_read_ms: 0.0,
    }
}
