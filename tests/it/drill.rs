//! A drill as a user runs it: real containers of our own binary, a scenario, a run, and what came of it.

use crate::stage::Stage;
use firedrill::{
    container::{
        Container, ContainerId, State,
        docker::{self, NewContainer, NewPort},
    },
    event::{Event, EventKind},
    journal::RunFolder,
};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The binary under test.
pub const FIREDRILL: &str = env!("CARGO_BIN_EXE_firedrill");

/// Containers on a stage, a folder for scenarios and reports, and the project name that marks both.
pub struct Drill {
    runtime: Runtime,
    stage: Stage,
    /// The compose project of all its containers.
    pub project: String,
    folder: TempDir,
    made: u32,
}

/// A server on the stage.
#[derive(Debug, Clone)]
pub struct Web {
    /// Which container.
    pub id: ContainerId,
    /// `http://127.0.0.1:<published port>/`
    pub url: String,
}

/// What a run came to.
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output and error together.
    pub output: String,
    /// `result.json` of its only run, or null.
    pub result: Value,
    /// Its run folder, if it made one.
    pub folder: Option<PathBuf>,
}

/// A drill over one web server, as text. What is not set is such that any short outage on a busy machine keeps it.
pub struct Over {
    /// Of the scenario.
    pub name: &'static str,
    pub rate: &'static str,
    /// How long an answer may take.
    pub timeout: &'static str,
    /// How many requests may fail after the fault.
    pub errors: &'static str,
    pub timing: &'static str,
    /// When the fault begins.
    pub at: &'static str,
}

impl Default for Over {
    fn default() -> Over {
        Over {
            name: "drill",
            rate: "20/s",
            timeout: "500ms",
            errors: "50%",
            timing: "warm_up: 200ms, baseline: 1s, recovery: 2s",
            at: "100ms",
        }
    }
}

impl Over {
    /// With one fault, for so long; without a length where that is empty. Further faults can be written behind it.
    pub fn fault(&self, web: &Web, fault: &str, length: &str) -> String {
        let Over { name, rate, timeout, errors, timing, at } = self;
        let length = if length.is_empty() { String::new() } else { format!("    for: {length}\n") };
        format!(
            "scenario: {name}
targets:
  web: {{ project: $PROJECT, service: web, pick: all }}
load:
  web: {{ http: {{ url: \"{}\", timeout: {timeout} }}, rate: {rate}, ok: {{ status: 2xx }} }}
expect:
  recovery: {{ web: {{ errors: \"<= {errors}\" }} }}
timing: {{ {timing} }}
faults:
  - {fault}
    at: {at}
{length}",
            web.url
        )
    }
}

impl Drill {
    /// An empty stage.
    pub fn new() -> Drill {
        Drill::staged(Stage::new())
    }

    /// The same, on the engine at this address; `command` has to be told of it.
    pub fn at(address: &str) -> Drill {
        Drill::staged(async { Stage::on(docker::connect_to(address).await.unwrap()).await })
    }

    fn staged(stage: impl Future<Output = Stage>) -> Drill {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stage = runtime.block_on(stage);
        Drill { runtime, project: stage.prefix.clone(), stage, folder: tempfile::tempdir().unwrap(), made: 0 }
    }

    /// A container of `firedrill idle` with these further arguments, started.
    pub fn idle(&mut self, service: &str, arguments: &[&str], more: impl FnOnce(&mut NewContainer)) -> Container {
        self.made += 1;
        let mut new = self.stage.idle(service, self.made);
        new.command.extend(arguments.iter().map(|&a| a.to_owned()));
        more(&mut new);
        let id = self.runtime.block_on(self.stage.start(&new));
        self.inspect(&id)
    }

    /// A web server that answers by this script, published on a port of the engine's choice.
    pub fn web(&mut self, service: &str, script: &str) -> Web {
        self.web_with(service, script, |_| ())
    }

    /// The same, made a little differently.
    pub fn web_with(&mut self, service: &str, script: &str, more: impl FnOnce(&mut NewContainer)) -> Web {
        let port = free_port();
        let arguments = ["--http", "80", "--script", script, "--stamp"];
        let made = self.idle(service, &arguments, |new| {
            new.ports = vec![NewPort { container: 80, host_ip: "127.0.0.1".into(), host: Some(port) }];
            more(new);
        });
        let web = Web { id: made.id, url: format!("http://127.0.0.1:{port}/") };
        wait_for(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        web
    }

    /// A container as it is now.
    pub fn inspect(&self, id: &ContainerId) -> Container {
        self.runtime.block_on(self.stage.look(id))
    }

    /// Whether a container runs, as the engine says now.
    pub fn state(&self, id: &ContainerId) -> State {
        self.inspect(id).state
    }

    /// Runs the docker client; for what a person would do meanwhile.
    pub fn docker(&self, arguments: &[&str]) {
        let done = Command::new("docker").args(arguments).output().unwrap();
        assert!(done.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A network of this stage; its name.
    pub fn network(&self, name: &str) -> String {
        self.runtime.block_on(self.stage.network(name, None))
    }

    /// A name of this stage; what bears it is swept away in the end.
    pub fn name(&self, name: &str) -> String {
        self.stage.name(name)
    }

    /// The image of this stage's containers.
    pub fn image(&self) -> String {
        self.stage.idle("any", 0).image
    }

    /// The ids of our helpers beside a container.
    pub fn beside(&self, id: &ContainerId) -> Vec<String> {
        let label = format!("label=firedrill.beside={}", id.id);
        let listed = Command::new("docker").args(["ps", "-q", "--no-trunc", "--filter", &label]).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).lines().map(String::from).collect()
    }

    /// Gives back the lock that a killed run left on a container. Its keeper may be about to, as well.
    pub fn unlock(&self, id: &ContainerId) {
        let lock = format!("firedrill-lock-{}", id.id);
        let docker = |arguments: &[&str]| Command::new("docker").args(arguments).output().unwrap();
        docker(&["rm", "-f", &lock]);
        wait_for(|| docker(&["ps", "-aq", "--filter", &format!("name={lock}")]).stdout.is_empty());
    }

    /// Where reports go.
    pub fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    /// Writes a scenario; `$PROJECT` in it is this stage's project.
    pub fn scenario(&self, name: &str, yaml: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.yaml"));
        fs::write(&path, yaml.replace("$PROJECT", &self.project)).unwrap();
        path
    }

    /// `firedrill run` on these scenarios, with further arguments, not yet started.
    pub fn command(&self, scenarios: &[&Path], arguments: &[&str]) -> Command {
        let mut command = Command::new(FIREDRILL);
        command.arg("run").args(scenarios).arg("--reports").arg(self.reports()).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    }

    /// Runs one scenario to its end.
    pub fn run(&self, yaml: &str, arguments: &[&str]) -> Ran {
        self.run_while(yaml, arguments, |_, _| ())
    }

    /// Runs one scenario, and does something meanwhile.
    pub fn run_while(&self, yaml: &str, arguments: &[&str], meanwhile: impl FnOnce(&Drill, &Running)) -> Ran {
        let scenario = self.scenario("scenario", yaml);
        let running =
            Running { child: self.command(&[&scenario], arguments).spawn().unwrap(), reports: self.reports() };
        meanwhile(self, &running);
        running.finish()
    }
}

/// A run under way.
pub struct Running {
    /// Its process.
    pub child: Child,
    reports: PathBuf,
}

impl Running {
    /// A run that was started in another way.
    pub fn of(child: Child, reports: &Path) -> Running {
        Running { child, reports: reports.to_owned() }
    }

    /// What its journal holds by now.
    pub fn events(&self) -> Vec<Event> {
        events(&self.reports)
    }

    /// Waits until its journal holds an event that `wanted` accepts.
    pub fn until(&self, wanted: impl Fn(&EventKind) -> bool) {
        wait_for(|| events(&self.reports).iter().any(|event| wanted(&event.kind)));
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn finish(self) -> Ran {
        Ran::of(self.child.wait_with_output().unwrap(), &self.reports)
    }
}

impl Ran {
    /// From what a finished `firedrill run` printed and left among the reports.
    pub fn of(done: Output, reports: &Path) -> Ran {
        let folder = run_folder(reports);
        let result = folder.as_ref().and_then(|f| fs::read(f.join("result.json")).ok());
        Ran {
            code: done.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned(),
            result: result.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap()),
            folder,
        }
    }

    /// Checks the exit code, and shows what was printed if it is another.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Ran {
        assert_eq!(self.code, code, "exit code; it printed:\n{}\nresult: {:#}", self.output, self.result["verdict"]);
        self
    }

    /// Its journal.
    pub fn events(&self) -> Vec<Event> {
        let folder = self.folder.as_ref().expect("a run folder");
        firedrill::journal::read::read(&RunFolder(folder.clone())).unwrap().events
    }

    /// The review, as Markdown.
    pub fn review(&self) -> String {
        fs::read_to_string(self.folder.as_ref().expect("a run folder").join("review.md")).unwrap()
    }
}

/// Whether a fault was read back and is in place.
pub fn hit(kind: &EventKind) -> bool {
    matches!(kind, EventKind::FaultChecked { proven: true, .. })
}

/// The only run folder among the reports.
pub fn run_folder(reports: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(reports).ok()?;
    entries.filter_map(|e| e.ok()).map(|e| e.path()).find(|p| p.join("journal.jsonl").exists())
}

fn events(reports: &Path) -> Vec<Event> {
    let Some(file) = run_folder(reports).and_then(|f| fs::File::open(f.join("journal.jsonl")).ok()) else {
        return Vec::new();
    };
    BufReader::new(file).lines().map_while(Result::ok).filter_map(|l| serde_json::from_str(&l).ok()).collect()
}

/// Waits until something is so, for at most half a minute.
#[track_caller]
pub fn wait_for(mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "waited 30 s in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
