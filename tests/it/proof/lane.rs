//! One target, one drill after another, each of them hit.

use super::{
    Blow, EndedBy, Kill, Subject,
    trace::{self, Trace},
};
use crate::{
    drill::{Drill, FIREDRILL, Over, Running, Web, run_folder},
    keeper::ours,
};
use firedrill::{
    container::{ContainerId, State, docker::Role},
    event::EventKind,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a target may take to be as before, and what is ours to be gone, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// From the locks to after the undo, when nothing holds the drill up.
const WHOLE_RUN_MS: u64 = 3400;
/// From the keeper's start to after the undo.
const KEPT_MS: u64 = 2200;
/// How long a fault is on.
const HELD_MS: u64 = 1200;

pub struct Lane {
    stage: Drill,
    web: Web,
    before: Trace,
    rng: ChaCha8Rng,
    /// Runs that were killed before there was a keeper: only the name of a lock may be left of them.
    early: Vec<String>,
}

impl Lane {
    pub fn new(seed: u64) -> Lane {
        let mut stage = Drill::new();
        let web = stage.web("web", "0s:ok");
        stage.web("peer", "0s:ok");
        let before = Trace::of(&stage.inspect(&web.id));
        Lane { stage, web, before, rng: ChaCha8Rng::seed_from_u64(seed), early: Vec::new() }
    }

    /// One drill and one blow.
    pub fn strike(&mut self, subject: Subject, blow: Blow) -> Kill {
        let struck = catch_unwind(AssertUnwindSafe(|| self.drill(subject, blow)));
        let struck = struck.unwrap_or_else(|died| {
            let text = died.downcast_ref::<String>().cloned();
            Err(text.or_else(|| died.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
        });
        if let Err(why) = &struck {
            // The next drill is to begin with a whole target, whatever came of this one.
            let kept = subject.kept(blow);
            let _ = fs::remove_dir_all(&kept);
            let _ = Command::new("cp").arg("-a").arg(self.stage.reports()).arg(&kept).status();
            let seed = self.rng.random();
            let (name, wrong) = (subject.name, Some(format!("{why} (reports kept in {})", kept.display())));
            *self = Lane::new(seed);
            return Kill { fault: name, blow, healed: None, wrong };
        }
        let _ = fs::remove_dir_all(self.stage.reports());
        Kill { fault: subject.name, blow, healed: struck.ok().flatten(), wrong: None }
    }

    /// An orderly drill clears away what killed ones left before they had a keeper.
    pub fn close(mut self) -> Option<Kill> {
        if self.early.is_empty() {
            return None;
        }
        let subject = super::SUBJECTS[2];
        let running = self.start(subject);
        let _ = running.finish();
        let left: Vec<String> = self.early.drain(..).filter(|run| !ours(run).is_empty()).collect();
        (!left.is_empty()).then(|| Kill {
            fault: subject.name,
            blow: Blow::Runner,
            healed: None,
            wrong: Some(format!("the next drill left something of {}", left.join(", "))),
        })
    }

    fn start(&mut self, subject: Subject) -> Running {
        let timing = "warm_up: 100ms, baseline: 1s, recovery: 500ms";
        let drill = Over { name: "proof", errors: "100%", timing, ..Over::default() };
        let yaml = drill.fault(&self.web, subject.yaml, subject.length(&format!("{HELD_MS}ms")));
        // The partition's other side.
        let yaml = yaml.replace("load:\n", "  peer: { project: $PROJECT, service: peer, pick: all }\nload:\n");
        let scenario = self.stage.scenario("scenario", &yaml);
        let mut command = self.stage.command(&[&scenario], &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Running::of(command.spawn().unwrap(), &self.stage.reports())
    }

    fn sleep(&mut self, most_ms: u64) {
        let ms = self.rng.random_range(0..most_ms);
        std::thread::sleep(Duration::from_millis(ms));
    }

    /// The time to heal, if there was something to heal.
    fn drill(&mut self, subject: Subject, blow: Blow) -> Result<Option<Duration>, String> {
        let mut running = self.start(subject);
        let kept = |kind: &EventKind| matches!(kind, EventKind::KeeperStarted { .. });
        let hit = |kind: &EventKind| matches!(kind, EventKind::FaultChecked { .. });
        match blow {
            Blow::Runner => {
                running.until(|kind| matches!(kind, EventKind::LocksTaken { .. }));
                self.sleep(WHOLE_RUN_MS);
            }
            Blow::TargetKilled | Blow::TargetRestarted => {
                running.until(hit);
                self.sleep(HELD_MS * 3 / 4);
            }
            _ => {
                running.until(kept);
                self.sleep(KEPT_MS);
            }
        }
        let run = self.run();
        let under = !self.is_as_before();
        self.hit(&running, blow, &run)?;
        let struck = Instant::now();
        let alone = matches!(blow, Blow::Runner | Blow::All);
        if alone {
            let _ = running.child.wait();
        } else {
            self.ends(running, blow)?;
        }
        if blow == Blow::All || alone && subject.ended == EndedBy::Recover {
            self.recover()?;
        }
        if blow == Blow::TargetKilled && self.died_after_the_end(subject) {
            self.docker(&["start", &self.web.id.id])?;
        }
        self.await_whole(struck)?;
        let healed = struck.elapsed();
        self.await_nothing_left(&run, struck)?;
        // And so it stays; what was on its way in when a runner died ends with its lease.
        self.await_whole(Instant::now())?;
        Ok((under && alone).then_some(healed))
    }

    fn run(&self) -> String {
        let folder = run_folder(&self.stage.reports()).expect("a run folder");
        folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn hit(&self, running: &Running, blow: Blow, run: &str) -> Result<(), String> {
        let helpers = || ours(run).into_iter().filter(|one| one.running && one.role == Role::Helper);
        let keeper = || ours(run).into_iter().filter(|one| one.running && one.role == Role::Keeper);
        let pids = |found: Vec<firedrill::container::docker::Ours>| -> Vec<Pid> {
            found.into_iter().filter_map(|one| self.pid(&one.id)).collect()
        };
        match blow {
            Blow::Runner => running.signal(Signal::KILL),
            Blow::Keeper => slay(&pids(keeper().collect())),
            Blow::Helper => slay(&pids(helpers().collect())),
            Blow::All => {
                let all = pids(keeper().chain(helpers()).collect());
                running.signal(Signal::KILL);
                slay(&all);
            }
            Blow::TargetKilled => slay(&Vec::from_iter(self.pid(&self.web.id.id))),
            Blow::TargetRestarted => self.docker(&["restart", "-t", "0", &self.web.id.id])?,
            Blow::DaemonStopped | Blow::DaemonKilled | Blow::DaemonAndRunner => {
                return Err("not on the machine's own daemon".into());
            }
        }
        Ok(())
    }

    /// The main process of a container on this host, if it has one.
    fn pid(&self, id: &str) -> Option<Pid> {
        let id = ContainerId { host: String::new(), id: id.to_owned() };
        let pid = catch_unwind(AssertUnwindSafe(|| self.stage.inspect(&id).pid)).ok()?;
        Pid::from_raw(i32::try_from(pid).ok()?)
    }

    fn docker(&self, arguments: &[&str]) -> Result<(), String> {
        let done = Command::new("docker").args(arguments).output().map_err(|error| error.to_string())?;
        match done.status.success() {
            true => Ok(()),
            false => Err(format!("docker {arguments:?}: {}", String::from_utf8_lossy(&done.stderr))),
        }
    }

    /// The drill goes on without what was killed, and ends clean.
    fn ends(&self, mut running: Running, blow: Blow) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE * 2 {
            if let Ok(Some(status)) = running.child.try_wait() {
                return match status.code() {
                    Some(5) => Err(format!("after {blow:?} the drill ended with 5: {}", self.difference())),
                    Some(_) => Ok(()),
                    None => Err(format!("after {blow:?} the drill died: {status}")),
                };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = running.child.kill();
        Err(format!("after {blow:?} the drill does not end"))
    }

    /// Whether the target ended by our hand when its fault was over already: on a busy machine the blow may come
    /// late, and a signal to frozen processes lands when they are thawed. No drill undoes what somebody does to a
    /// container that is whole, so it is for us to start it.
    fn died_after_the_end(&self, subject: Subject) -> bool {
        let over = if subject.ended == EndedBy::Itself { "fault_checked" } else { "undo_requested" };
        let now = self.stage.inspect(&self.web.id);
        let journal = self.journal().unwrap_or_default();
        let last = |wanted: &dyn Fn(&str) -> bool| journal.lines().enumerate().filter(|(_, line)| wanted(line)).last();
        let died =
            last(&|line| line.contains("container_changed") && line.contains("\"die\"") && line.contains(&now.id.id));
        let undone = last(&|line| line.contains(over));
        let later = matches!((died, undone), (Some((died, _)), Some((undone, _))) if died > undone);
        now.state == State::Exited && now.exit_code == Some(137) && later
    }

    fn journal(&self) -> Option<String> {
        fs::read_to_string(run_folder(&self.stage.reports())?.join("journal.jsonl")).ok()
    }

    fn recover(&self) -> Result<(), String> {
        let folder = run_folder(&self.stage.reports()).expect("a run folder");
        let done = Command::new(FIREDRILL).arg("recover").arg(folder).arg("--yes").stdin(Stdio::null()).output();
        let done = done.map_err(|error| error.to_string())?;
        match done.status.success() {
            true => Ok(()),
            false => Err(format!("recover: {}", String::from_utf8_lossy(&done.stderr))),
        }
    }

    fn is_as_before(&self) -> bool {
        self.before.differs(&Trace::of(&self.stage.inspect(&self.web.id))).is_empty()
    }

    fn difference(&self) -> String {
        self.before.differs(&Trace::of(&self.stage.inspect(&self.web.id))).join("; ")
    }

    fn await_whole(&self, since: Instant) -> Result<(), String> {
        while !self.is_as_before() {
            if since.elapsed() > PATIENCE {
                return Err(format!("not as before after {} s: {}", PATIENCE.as_secs(), self.difference()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Nothing of ours on the engine; only the name of a lock, where there was no keeper yet.
    fn await_nothing_left(&mut self, run: &str, since: Instant) -> Result<(), String> {
        loop {
            let found = ours(run);
            if found.is_empty() {
                return trace::nothing_runs(run);
            }
            if found.iter().all(|one| !one.running) && !self.was_kept() {
                self.early.push(run.to_owned());
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                let names: Vec<String> = found.into_iter().map(|one| one.name).collect();
                return Err(format!("left after {} s: {}", PATIENCE.as_secs(), names.join(", ")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn was_kept(&self) -> bool {
        self.journal().is_some_and(|text| text.contains("keeper_started"))
    }
}

fn slay(pids: &[Pid]) {
    for &pid in pids {
        // It may have ended by itself in the meantime.
        let _ = kill_process(pid, Signal::KILL);
    }
}
