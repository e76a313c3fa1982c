//! Alerts of Debian's own Prometheus and Alertmanager, as two drills see them: one asks the first, one the second.

use crate::drill::{Drill, Ran, Web, wait_for};
use serde_json::Value;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};
use tempfile::TempDir;

/// What stands for a bearer token. Prometheus asks for none; it must be nowhere all the same.
const TOKEN: &str = "tok-4f1c9a77d2";

/// Both servers, ended by their process ids.
pub struct Monitoring {
    /// Its port.
    pub prometheus: u16,
    alertmanager: u16,
    children: Vec<Child>,
    _folder: TempDir,
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn start(program: &str, arguments: &[String]) -> Option<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

/// Prometheus scrapes these every second, by job; `None` (and it says so) if it is not installed.
#[expect(clippy::print_stderr, reason = "a test that tests nothing says so")]
pub fn monitoring(jobs: &[(&str, &Web)]) -> Option<Monitoring> {
    let folder = tempfile::tempdir().unwrap();
    let (prometheus, alertmanager) = (free_port(), free_port());
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let rules = write(
        "rules.yml",
        "groups:
- name: drill
  rules:
  - { alert: TargetDown, expr: 'up == 0', for: 1s, labels: { severity: page } }
  - { alert: NeverFires, expr: 'vector(0) > 1', labels: { severity: page } }
  - { alert: AlwaysOn, expr: 'vector(1)' }
"
        .into(),
    );
    let job = |(name, web): &(&str, &Web)| {
        let address = web.url.trim_start_matches("http://").trim_end_matches('/');
        format!("- {{ job_name: {name}, static_configs: [{{ targets: ['{address}'] }}] }}\n")
    };
    let jobs: String = jobs.iter().map(job).collect();
    let config = write(
        "prometheus.yml",
        format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 500ms, evaluation_interval: 1s }}
rule_files: ['{rules}']
alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['127.0.0.1:{alertmanager}'] }}] }}] }}
scrape_configs:\n{jobs}"
        ),
    );
    let routes = write("alertmanager.yml", "{ route: { receiver: none }, receivers: [{ name: none }] }\n".into());
    let data = |name: &str| folder.path().join(name).display().to_string();
    let children = vec![
        start(
            "prometheus-alertmanager",
            &[
                format!("--config.file={routes}"),
                format!("--storage.path={}", data("a")),
                format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                "--cluster.listen-address=".into(),
            ],
        ),
        start(
            "prometheus",
            &[
                format!("--config.file={config}"),
                format!("--storage.tsdb.path={}", data("p")),
                format!("--web.listen-address=127.0.0.1:{prometheus}"),
            ],
        ),
    ];
    let complete = children.iter().all(Option::is_some);
    let made =
        Monitoring { prometheus, alertmanager, children: children.into_iter().flatten().collect(), _folder: folder };
    if !complete {
        eprintln!("prometheus and prometheus-alertmanager are not installed: nothing is tested");
        return None;
    }
    for port in [prometheus, alertmanager] {
        wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
    Some(made)
}

pub fn scenario(url: &str, detect: &str) -> String {
    format!(
        "scenario: alerts
targets: {{ web: {{ project: $PROJECT, service: web, pick: all }} }}
load:
  web: {{ http: {{ url: \"{url}\", timeout: 500ms }}, rate: 50/s }}
expect:
  baseline: {{ web: {{ errors: \"<= 1%\" }} }}
  recovery: {{ web: {{ errors: \"<= 1%\", within: 5s, stable_for: 3s }} }}
detect:
{detect}
timing: {{ warm_up: 4s, baseline: 2s, recovery: 10s }}
faults: [{{ pause: {{ target: web }}, at: 0s, for: 10s }}]
"
    )
}

fn row<'a>(ran: &'a Ran, alert: &str) -> &'a Value {
    let rows = ran.result["alerts"]["rows"].as_array().unwrap_or_else(|| panic!("{}", ran.output));
    // Expected ones come first; the other drill's target may be down as well.
    let found = rows.iter().find(|row| row["alert"].as_str().is_some_and(|name| name.starts_with(alert)));
    found.unwrap_or_else(|| panic!("no {alert} in {rows:#?}"))
}

/// Every file of the run holds the name of the token's variable at most.
fn holds_no_token(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => holds_no_token(&entry.path()),
            false => {
                let bytes = fs::read(entry.path()).unwrap();
                assert!(!String::from_utf8_lossy(&bytes).contains(TOKEN), "{:?} holds the token", entry.path());
            }
        }
    }
}

/// One alert fires, one was to fire and does not, one fired before and is nobody's business.
fn asks_prometheus(ran: &Ran) {
    ran.expect(1);
    assert_eq!(row(ran, "TargetDown")["outcome"], "fired");
    assert_eq!(row(ran, "NeverFires")["outcome"], "missing");
    let before = row(ran, "AlwaysOn");
    assert_eq!(before["outcome"], "unrelated");
    assert!(before["firing_ns"][1].as_i64().is_none_or(|at| at < 0), "{before:#}");
    let figure = |kind: &str| {
        let figures = ran.result["figures"].as_array().unwrap().iter();
        figures.filter(|f| f["kind"] == kind).map(|f| f["measured"]["value"].as_f64()).next().unwrap()
    };
    let detected = figure("time_to_detect").expect("measured") / 1e9;
    assert!((1.0..9.9).contains(&detected), "a scrape, an evaluation and `for: 1s` later, not {detected} s");
    assert_eq!(figure("alert_recall"), Some(0.5));
    let clock = &ran.result["alerts"]["clock_ns"];
    let (low, high) = (clock[0].as_i64().unwrap(), clock[1].as_i64().unwrap());
    assert!(low <= 1_000_000 && high >= -1_000_000, "one machine has one clock: {low}..{high} ns");
    assert!(high - low < 50_000_000, "known to {} ns", high - low);
    let broken: Vec<&str> = ran.result["criteria"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["status"] == "broken")
        .map(|c| c["what"].as_str().unwrap())
        .collect();
    assert_eq!(broken, ["alert NeverFires fires within 5s"]);
    let review = ran.review();
    for words in ["## Detection and response", "**missing**", "Detected by alert TargetDown", "NeverFires did not fire"]
    {
        assert!(review.contains(words), "{words} is not in the review:\n{review}");
    }
    let findings = ran.result["findings"].as_array().unwrap().iter();
    assert!(findings.clone().any(|f| f["rule"] == "expected-alert-absent"));
    holds_no_token(ran.folder.as_ref().unwrap());
}

/// The same alert where it is sent to; nothing else may begin to fire.
fn asks_alertmanager(ran: &Ran) {
    ran.expect(0);
    let fired = row(ran, "TargetDown");
    assert_eq!(fired["outcome"], "fired");
    assert!(fired["pending_ns"].is_null() && fired["resolved_ns"].is_array(), "{fired:#}");
    assert!(ran.result["alerts"]["clock_ns"].is_array(), "its `Date` shows its clock");
    assert!(ran.review().contains("alert TargetDown"), "{}", ran.review());
}

#[test]
fn real_alerts_are_seen_and_missed() {
    let mut drills = [Drill::new(), Drill::new()];
    let [first, second] = &mut drills;
    let webs = [first.web("web", "0s:ok"), second.web("web", "0s:ok")];
    let Some(monitoring) = monitoring(&[("one", &webs[0]), ("two", &webs[1])]) else { return };
    let (prometheus, alertmanager) = (monitoring.prometheus, monitoring.alertmanager);
    let by_prometheus = format!(
        "  prometheus: {{ url: \"http://127.0.0.1:{prometheus}/\", token: \"${{env:FIREDRILL_TEST_TOKEN}}\" }}
  alerts:
    - {{ name: TargetDown, labels: {{ job: one }}, within: 9900ms, resolves_within: 9s }}
    - {{ name: NeverFires, within: 5s }}
  no_page: [SearchDown]"
    );
    let by_alertmanager = format!(
        "  alertmanager: http://127.0.0.1:{alertmanager}
  labels: {{ job: two }}
  alerts: [{{ name: TargetDown, within: 12s, resolves_within: 9s }}]
  no_page: others"
    );
    let [first, second] = &drills;
    // A drill holds a runtime that stays on its thread: only the commands run side by side.
    let commands =
        [(first, &webs[0], &by_prometheus), (second, &webs[1], &by_alertmanager)].map(|(drill, web, detect)| {
            let path = drill.scenario("alerts", &scenario(&web.url, detect));
            let mut command = drill.command(&[&path], &[]);
            command.env("FIREDRILL_TEST_TOKEN", TOKEN);
            (command, drill.reports())
        });
    let both =
        commands.map(|(mut command, reports)| thread::spawn(move || Ran::of(command.output().unwrap(), &reports)));
    let [one, two] = both.map(|running| running.join().unwrap());
    asks_prometheus(&one);
    asks_alertmanager(&two);
    // A source of another kind is told before anything is broken.
    let mut third = Drill::new();
    let web = third.web("web", "0s:ok");
    let wrong = format!("  prometheus: http://127.0.0.1:{alertmanager}\n  no_page: others");
    let refused = third.run(&scenario(&web.url, &wrong), &[]);
    refused.expect(3);
    assert!(refused.output.contains("it answers with status 404"), "{}", refused.output);
}

/// What the example says in its comment, from a line to the next empty one, without the margin.
fn commented(example: &str, first: &str) -> String {
    let margin = "#   ";
    let lines = example.lines().skip_while(|line| *line != format!("{margin}{first}"));
    lines.map_while(|line| line.strip_prefix(margin)).map(|line| format!("{line}\n")).collect()
}

/// The program, running; said on standard error where it is not installed.
#[expect(clippy::print_stderr, reason = "a test that tests nothing says so")]
fn installed(program: &str, arguments: &[String]) -> Option<Child> {
    let child = start(program, arguments);
    if child.is_none() {
        eprintln!("{program} is not installed: nothing is tested");
    }
    child
}

#[test]
fn the_example_runs_word_for_word_with_the_monitoring_that_it_asks_for() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/alerts.yaml");
    let example = fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (exporter, prometheus) = (free_port(), free_port());
    let asking =
        ["--config.file=/etc/prometheus/blackbox.yml".to_owned(), format!("--web.listen-address=127.0.0.1:{exporter}")];
    let Some(asking) = installed("prometheus-blackbox-exporter", &asking) else { return };
    let mut monitoring =
        Monitoring { prometheus, alertmanager: 0, children: vec![asking], _folder: tempfile::tempdir().unwrap() };
    let shop = crate::demo::Shop::up("alerts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let replicas = runtime.block_on(shop.containers()).into_iter().filter(|one| one.service() == Some("api"));
    let addresses: Vec<String> =
        replicas.map(|api| api.networks.values().find_map(|network| network.ipv4).unwrap().to_string()).collect();
    let scrape = commented(&example, "scrape_configs:")
        .replace("API-1", &addresses[0])
        .replace("API-2", &addresses[1])
        .replace("127.0.0.1:9115", &format!("127.0.0.1:{exporter}"));
    fs::write(folder.path().join("rules.yml"), commented(&example, "groups:")).unwrap();
    fs::write(folder.path().join("prometheus.yml"), format!("rule_files: [rules.yml]\n{scrape}")).unwrap();
    let at = |option: &str, name: &str| format!("--{option}={}", folder.path().join(name).display());
    let listen = format!("--web.listen-address=127.0.0.1:{prometheus}");
    let arguments = [at("config.file", "prometheus.yml"), at("storage.tsdb.path", "data"), listen];
    let Some(collecting) = installed("prometheus", &arguments) else { return };
    monitoring.children.push(collecting);
    for port in [exporter, prometheus] {
        wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    let reports = folder.path().join("reports");
    let mut command = Command::new(crate::drill::FIREDRILL);
    command.arg("run").arg(&path).arg("--reports").arg(&reports).args(["--set", &format!("project={}", shop.project)]);
    let done = command.args(["--set", &format!("PROMETHEUS=http://127.0.0.1:{prometheus}")]).output().unwrap();
    let ran = Ran::of(done, &reports);
    ran.expect(0);
    assert_eq!(row(&ran, "ShopReplicaDown")["outcome"], "fired");
    assert!(ran.review().contains("Detected by alert ShopReplicaDown"), "{}", ran.review());
}
