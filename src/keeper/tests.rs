//! The keeper against the twin of an engine, on a paused clock.

use super::{
    list::List,
    protocol::{Answer, Command, Hello, Undo, VERSION},
    session::{self, End, Heard},
};
use crate::{
    container::{
        Container, ContainerError, Containers, Holder, Op, State,
        sim::{self, HOST, Sim, Trouble},
    },
    fault::Fault,
    units::Span,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

pub fn hello(locked: &[&Container]) -> Hello {
    Hello {
        version: VERSION,
        run: "r1".into(),
        engine: HOST.into(),
        locked: locked.iter().map(|container| container.id.clone()).collect(),
    }
}

pub fn undo_of(fault: usize, settings: &Fault, on: &Container) -> Undo {
    Undo { fault, injection: settings.compile(on).unwrap(), before: on.clone() }
}

/// A keeper at work, and the runner's end of the line.
struct Kept {
    sim: Sim,
    to: mpsc::UnboundedSender<Heard>,
    from: mpsc::UnboundedReceiver<Answer>,
    end: JoinHandle<End>,
    folder: tempfile::TempDir,
}

impl Kept {
    fn new(sim: Sim) -> Kept {
        Kept::again(sim, tempfile::tempdir().unwrap())
    }

    /// A keeper that was started again with the list of the one before.
    fn again(sim: Sim, folder: tempfile::TempDir) -> Kept {
        let (to, heard) = mpsc::unbounded_channel();
        let (answers, from) = mpsc::unbounded_channel();
        let list = List::open(&folder.path().join("list")).unwrap();
        let containers = Arc::new(sim.clone());
        let end = tokio::spawn(async move { session::keep(containers.as_ref(), list, heard, answers).await });
        Kept { sim, to, from, end, folder }
    }

    fn say(&self, command: Command) {
        self.to.send(Heard::Command(command)).unwrap();
    }

    async fn greet(&mut self, locked: &[&Container]) {
        self.say(Command::Hello(hello(locked)));
        assert_eq!(self.from.recv().await, Some(Answer::Ready { version: VERSION }));
    }

    async fn keep(&mut self, undo: &Undo) {
        self.say(Command::Keep(Box::new(undo.clone())));
        let kept = Answer::Kept { fault: undo.fault, on: undo.injection.on.clone() };
        assert_eq!(self.from.recv().await, Some(kept));
    }

    async fn apply(&self, undo: &Undo) {
        for op in &undo.injection.apply {
            self.sim.perform(&undo.injection.on, op).await.unwrap();
        }
    }
}

fn shop() -> (Sim, Container) {
    let api = sim::container("shop", "api", 1);
    (Sim::new([api.clone()]), api)
}

fn every_fault(api: &Container) -> Vec<Fault> {
    vec![
        Fault::Kill { signal: "SIGKILL".into() },
        Fault::Stop { grace: Some(Span::secs(1)) },
        Fault::Pause,
        Fault::Disconnect { network: api.networks.keys().next().unwrap().clone() },
    ]
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_gone_is_followed_by_the_undo_and_the_locks() {
    let (_, api) = shop();
    for fault in every_fault(&api) {
        let (sim, api) = shop();
        let holder = Holder { run: "r1".into(), runner: "somewhere".into(), asks_first: false };
        sim.lock(&api.id, &holder).await.unwrap();
        let mut kept = Kept::new(sim.clone());
        let undo = undo_of(0, &fault, &api);
        kept.greet(&[&api]).await;
        kept.keep(&undo).await;
        kept.apply(&undo).await;
        kept.to.send(Heard::Gone).unwrap();
        assert_eq!(kept.end.await.unwrap(), End::Over, "{fault:?}");
        let now = sim.look(&api.name);
        assert_eq!((now.state, now.networks.keys().next()), (State::Running, api.networks.keys().next()), "{fault:?}");
        assert_eq!(sim.locked(&api.id).await.unwrap(), None);
    }
}

/// An engine that is started again kills helpers, and with them whoever would have taken it back.
#[tokio::test(start_paused = true)]
async fn what_a_killed_agent_left_is_taken_back() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Signal { signal: "SIGSTOP".into(), process: None }, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    kept.apply(&undo).await;
    kept.to.send(Heard::Gone).unwrap();
    assert_eq!(kept.end.await.unwrap(), End::Over);
    assert_eq!(sim.performed().last().map(|(.., op)| op.clone()), undo.injection.undo.first().cloned());
}

#[tokio::test(start_paused = true)]
async fn what_was_never_on_or_was_undone_is_left_alone() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    kept.greet(&[&api]).await;
    kept.keep(&undo_of(0, &Fault::Pause, &api)).await;
    kept.keep(&undo_of(1, &Fault::Kill { signal: "SIGKILL".into() }, &api)).await;
    kept.say(Command::Undone { fault: 1, on: api.id.clone() });
    kept.to.send(Heard::Gone).unwrap();
    assert_eq!(kept.end.await.unwrap(), End::Over);
    assert_eq!(sim.performed(), [], "nothing was done to a container that is as before");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_ends_in_order_leaves_nothing_to_do() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Pause, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    kept.apply(&undo).await;
    kept.say(Command::End);
    assert_eq!(kept.end.await.unwrap(), End::Over);
    assert_eq!(sim.look(&api.name).state, State::Paused, "what the runner could not undo, it has told");
}

#[tokio::test(start_paused = true)]
async fn silence_is_death_and_heartbeats_are_life() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Pause, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    kept.apply(&undo).await;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        kept.say(Command::Heartbeat);
    }
    assert_eq!(sim.look(&api.name).state, State::Paused);
    let silent = Instant::now();
    assert_eq!(kept.end.await.unwrap(), End::Over);
    assert!(silent.elapsed() >= session::SILENCE && silent.elapsed() < session::SILENCE + Duration::from_secs(2));
    assert_eq!(sim.look(&api.name).state, State::Running);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_was_under_way_is_undone_when_it_lands() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Stop { grace: Some(Span::secs(5)) }, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    // The runner sent it and died; the engine gives the container its grace.
    sim.trouble("stop", Trouble::Slow(Span::secs(4)));
    let (slow, id) = (sim.clone(), api.id.clone());
    let stop = undo.injection.apply[0].clone();
    tokio::spawn(async move { slow.perform(&id, &stop).await });
    kept.to.send(Heard::Gone).unwrap();
    assert_eq!(kept.end.await.unwrap(), End::Over);
    assert_eq!(sim.look(&api.name).state, State::Running);
    assert!(sim.performed().iter().any(|(_, _, op)| *op == Op::Start));
}

#[tokio::test(start_paused = true)]
async fn a_keeper_without_its_engine_goes_on_when_it_is_started_again() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Pause, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    kept.apply(&undo).await;
    sim.lose("restarting");
    // It does not wait for the end of its patience: the engine that carried the runner's words is gone.
    let lost = Instant::now();
    assert!(matches!((&mut kept.end).await.unwrap(), End::Later(_)) && lost.elapsed() < session::QUIET * 2);
    sim.restore();
    // Nobody says hello: the runner is dead.
    let again = Kept::again(sim.clone(), kept.folder);
    assert_eq!(again.end.await.unwrap(), End::Over);
    assert_eq!(sim.look(&api.name).state, State::Running);
}

#[tokio::test(start_paused = true)]
async fn a_runner_may_come_back_to_a_keeper_that_was_started_again() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Pause, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    kept.to.send(Heard::Leave).unwrap();
    assert!(matches!(kept.end.await.unwrap(), End::Later(_)));
    let mut again = Kept::again(sim.clone(), kept.folder);
    tokio::time::sleep(Duration::from_secs(4)).await;
    again.greet(&[&api]).await;
    again.apply(&undo).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    again.say(Command::Heartbeat);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(sim.look(&api.name).state, State::Paused);
    again.say(Command::End);
    assert_eq!(again.end.await.unwrap(), End::Over);
}

#[tokio::test(start_paused = true)]
async fn the_button_asks_the_runner_first_and_undoes_if_it_does_not_listen() {
    let (sim, api) = shop();
    let mut kept = Kept::new(sim.clone());
    let undo = undo_of(0, &Fault::Pause, &api);
    kept.greet(&[&api]).await;
    kept.keep(&undo).await;
    kept.apply(&undo).await;
    kept.to.send(Heard::Button).unwrap();
    assert_eq!(kept.from.recv().await, Some(Answer::StopAsked));
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        kept.say(Command::Heartbeat);
    }
    assert_eq!(sim.look(&api.name).state, State::Paused, "the runner has its time");
    assert_eq!(kept.end.await.unwrap(), End::Over);
    assert_eq!(sim.look(&api.name).state, State::Running);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_set_right_is_left_with_its_lock_and_what_is_gone_is_done() {
    let (sim, api) = shop();
    let db = sim::container("shop", "db", 1);
    let holder = Holder { run: "r1".into(), runner: "somewhere".into(), asks_first: false };
    sim.lock(&api.id, &holder).await.unwrap();
    let mut kept = Kept::new(sim.clone());
    kept.greet(&[&api, &db]).await;
    let undo = undo_of(0, &Fault::Pause, &api);
    kept.keep(&undo).await;
    kept.keep(&undo_of(1, &Fault::Pause, &db)).await;
    kept.apply(&undo).await;
    for _ in 0..200 {
        sim.trouble("unpause", Trouble::Fails(ContainerError::Conflict("no".into())));
    }
    kept.to.send(Heard::Gone).unwrap();
    assert_eq!(kept.end.await.unwrap(), End::Left(vec![api.id.clone()]));
    assert_eq!(sim.locked(&api.id).await.unwrap(), Some(holder));
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_refused() {
    let (sim, api) = shop();
    for change in [(|hello: &mut Hello| hello.version += 1) as fn(&mut Hello), |hello| hello.engine = "another".into()]
    {
        let mut kept = Kept::new(sim.clone());
        kept.say(Command::Keep(Box::new(undo_of(0, &Fault::Pause, &api))));
        assert!(matches!(kept.from.recv().await, Some(Answer::Refused { .. })), "hello comes first");
        let mut stranger = hello(&[&api]);
        change(&mut stranger);
        kept.say(Command::Hello(stranger));
        assert!(matches!(kept.end.await.unwrap(), End::Refused(_)));
    }
    let mut kept = Kept::new(sim.clone());
    kept.greet(&[&api]).await;
    let mut foreign = undo_of(0, &Fault::Pause, &api);
    foreign.injection.on.id = "f".repeat(64);
    kept.say(Command::Keep(Box::new(foreign)));
    assert!(matches!(kept.from.recv().await, Some(Answer::Refused { .. })));
}
