//! Work on processes and resources of containers: helpers that were made ready, or are at it. Each is an agent with a
//! lease of its own; what we hold of it is the line to it, and dropping that ends the work.

use super::{
    Docker, Role,
    member::{GOODBYE, Member},
};
use crate::{
    agent::{
        protocol::{Command, FaultId, Receipt},
        work::{Figures, Post, Subject, Work, cgroup, signal::Signalling},
    },
    container::{Container, ContainerError, NewHelper, Op, OpOutcome, State, helper::HelperMount, helper::Namespace},
    units::Span,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// An agent has one piece of work.
const ONE: FaultId = FaultId(0);
/// The longest silence of ours that an agent bears.
const HEARTBEAT: &str = "5s";
/// What the lease of an agent ends by, if nobody says how long the run takes.
const DEADLINE: Span = Span::secs(3600);
/// How long burners whose line is lost may take to notice.
const LEASE: Duration = Duration::from_secs(8);
/// The command line of an agent inside a container.
const OURS_INSIDE: &str = "^/proc/[0-9]+/exe agent --deadline";
/// The run that helpers without one belong to.
const NO_RUN: &str = "by-hand";

type Key = (String, Work);
type Members = HashMap<String, Vec<(Work, Arc<Placed>)>>;

/// Work that is ready or under way, by container and what it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Crew {
    members: Arc<Mutex<Members>>,
    run: Arc<OnceLock<String>>,
}

/// An agent at its post, and the start of the container that it was made ready for.
#[derive(Debug)]
pub(super) struct Placed {
    member: Member,
    started_at: String,
    /// In the target's pid namespace, so that the agent inside could be started; it ends with us.
    anchor: Option<Member>,
}

impl Placed {
    /// Sends it away; what it did ends.
    pub(super) async fn leave(&self) {
        self.member.leave().await;
    }
}

impl Crew {
    /// Of which run its helpers are, unless that is known already.
    pub(super) fn belong_to(&self, run: &str) {
        let _ = self.run.set(run.to_owned());
    }

    fn run(&self) -> &str {
        self.run.get().map_or(NO_RUN, String::as_str)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest is found first: the same work may be done again after an agent was lost over it.
    fn put(&self, (id, work): Key, placed: Arc<Placed>) {
        self.members().entry(id).or_default().insert(0, (work, placed));
    }

    /// Drops every line; what still goes on ends with it.
    pub(super) fn dismiss(&self) {
        self.members().clear();
    }

    fn take(&self, (id, work): &Key) -> Option<Arc<Placed>> {
        let mut members = self.members();
        let of_container = members.get_mut(id)?;
        let at = of_container.iter().position(|(known, _)| known == work)?;
        Some(of_container.remove(at).1)
    }

    /// How many agents inside a container are held from here.
    fn inside(&self, id: &str) -> usize {
        let live =
            |(work, placed): &&(Work, Arc<Placed>)| work.post() == Post::Inside && placed.member.over().is_none();
        self.members().get(id).map_or(0, |of_container| of_container.iter().filter(live).count())
    }

    fn find(&self, id: &str, work: &Work) -> Option<Arc<Placed>> {
        self.members().get(id)?.iter().find(|(known, _)| known == work).map(|(_, placed)| Arc::clone(placed))
    }
}

impl Docker {
    /// Starts the agent of work that is about to be done.
    pub(super) async fn make_ready(&self, id: &str, op: &Op, run: &str, deadline: Span) -> Result<(), ContainerError> {
        let Op::Begin { work } = op else { return Ok(()) };
        self.crew.belong_to(run);
        let placed = self.place(id, work, run, deadline).await?;
        self.crew.put((id.to_owned(), work.clone()), Arc::new(placed));
        Ok(())
    }

    /// Begins work, with the agent that was made ready if it still fits.
    pub(super) async fn begin(&self, id: &str, work: Work) -> Result<OpOutcome, ContainerError> {
        let key = (id.to_owned(), work);
        let ready = self.crew.take(&key);
        let now = self.look(id).await?;
        let fits = |placed: &Arc<Placed>| placed.started_at == now.started_at && placed.member.over().is_none();
        let placed = match ready.filter(fits) {
            Some(placed) => placed,
            None => Arc::new(self.place(id, &key.1, self.crew.run(), DEADLINE).await?),
        };
        let begun = placed.member.ask(Command::Fire { fault: ONE }).await?;
        if key.1.lasts() {
            self.crew.put(key, placed);
        }
        match begun {
            Receipt::Begun { seen, .. } => Ok(OpOutcome::Seen(seen)),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends work. What no agent of ours holds any more is mended, or waited for until its own lease has ended it; an
    /// agent that stands still is put down, and stays known as lost.
    pub(super) async fn end(&self, id: &str, work: Work) -> Result<OpOutcome, ContainerError> {
        let key = (id.to_owned(), work);
        if let Some(placed) = self.crew.take(&key) {
            if placed.member.over().is_none() {
                match placed.member.ask(Command::Undo { fault: ONE }).await {
                    Ok(Receipt::Over { seen, figures, .. }) => {
                        placed.member.leave().await;
                        return Ok(OpOutcome::Over { seen, figures });
                    }
                    Ok(other) => tracing::debug!("{}", unexpected(&other)),
                    Err(error) => tracing::debug!("the agent does not undo: {error}"),
                }
            }
            if placed.member.fell_silent() {
                self.put_down(id, &placed).await?;
                self.crew.put(key.clone(), placed);
            }
        }
        match &key.1 {
            Work::Squeeze(_) => self.mend(id, &key.1).await,
            Work::Signal(signal) => self.take_back(id, signal).await,
            _ => self.until_nobody_burns(id).await,
        }
    }

    /// Ends an agent that does not listen: its container, or the one command of ours inside the target that is it.
    async fn put_down(&self, id: &str, placed: &Placed) -> Result<(), ContainerError> {
        if let Some(anchor) = &placed.anchor {
            let process = Some(format!("^/proc/{}/exe agent ", anchor.pid()));
            let kill = Work::Signal(Signalling { signal: "SIGKILL".into(), process });
            if let Err(error) = Box::pin(self.begin(id, kill)).await {
                tracing::debug!("the agent that stands still is not killed, or gone: {error}");
            }
        }
        self.remove_container(&placed.anchor.as_ref().unwrap_or(&placed.member).on().id).await
    }

    async fn mend(&self, id: &str, work: &Work) -> Result<OpOutcome, ContainerError> {
        let now = self.look(id).await?;
        if !matches!(now.state, State::Running | State::Paused) {
            // A limit is gone with the cgroup that it was in.
            return Ok(OpOutcome::Already);
        }
        let member = self.outside(&now, work.post(), self.crew.run(), DEADLINE).await?;
        let subject = subject(&now)?;
        match member.ask(Command::Mend { fault: ONE, work: work.clone(), subject }).await? {
            Receipt::Over { seen, .. } => Ok(OpOutcome::Seen(seen)),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends what the engine lost sight of when it died while it was starting a container.
    pub(super) async fn end_orphans(&self, id: &str) -> Result<String, ContainerError> {
        let now = self.look(id).await?;
        let member = self.outside(&now, Post::Host, self.crew.run(), DEADLINE).await?;
        match member.ask(Command::EndOrphans { fault: ONE, container: now.id.id }).await? {
            Receipt::Over { seen, .. } => Ok(seen),
            other => Err(unexpected(&other)),
        }
    }

    /// What an agent that is gone has stopped goes on; whoever has ended meanwhile need not.
    async fn take_back(&self, id: &str, signal: &Signalling) -> Result<OpOutcome, ContainerError> {
        if self.look(id).await?.state != State::Running {
            return Ok(OpOutcome::Already);
        }
        match Box::pin(self.begin(id, Work::Signal(signal.taken_back()))).await {
            Err(ContainerError::Conflict(why)) if why.contains("no process") => Ok(OpOutcome::Already),
            answer => answer,
        }
    }

    /// What is done inside a container ends with its lease; that is waited for.
    async fn until_nobody_burns(&self, id: &str) -> Result<OpOutcome, ContainerError> {
        let begun = tokio::time::Instant::now();
        let (mut burned, mut killed) = (false, false);
        while self.agents_inside(id).await? > self.crew.inside(id) {
            burned = true;
            if begun.elapsed() > LEASE && !killed {
                // One that stands still notices nothing.
                killed = true;
                let kill = Signalling { signal: "SIGKILL".into(), process: Some(OURS_INSIDE.into()) };
                let _ = Box::pin(self.begin(id, Work::Signal(kill))).await;
            }
            if begun.elapsed() > LEASE * 2 {
                return Err(ContainerError::Conflict("an agent of firedrill still runs in the container".into()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(if burned { OpOutcome::Done } else { OpOutcome::Already })
    }

    /// How many of the commands that run in the container are agents of ours.
    async fn agents_inside(&self, id: &str) -> Result<usize, ContainerError> {
        let mut agents = 0;
        let found = self.ask(self.client.inspect_container(id, None)).await?;
        for exec in found.exec_ids.unwrap_or_default() {
            let Ok(state) = self.ask(self.client.inspect_exec(&exec)).await else { continue };
            let config = state.process_config.unwrap_or_default();
            let agent = config.arguments.unwrap_or_default().first().is_some_and(|first| first == "agent")
                && config.entrypoint.unwrap_or_default().starts_with("/proc/");
            agents += usize::from(agent && state.running == Some(true));
        }
        Ok(agents)
    }

    /// Removes the helpers of a run that do not go by themselves when their line has ended.
    pub(super) async fn clear_helpers(&self, run: &str) -> Result<(), ContainerError> {
        let until = tokio::time::Instant::now() + GOODBYE;
        loop {
            let mut left = self.ours(Some(run)).await?;
            left.retain(|one| one.role == Role::Helper);
            if left.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                for one in left {
                    self.remove_container(&one.id).await?;
                }
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Why work is over although nobody ended it.
    pub(super) fn work_lost(&self, id: &str, work: &Work) -> Option<String> {
        self.crew.find(id, work)?.member.over()
    }

    /// What work has come to so far.
    pub(super) fn work_figures(&self, id: &str, work: &Work) -> Option<Figures> {
        self.crew.find(id, work).map(|placed| placed.member.figures())
    }

    /// Puts an agent at the post that the work needs, and makes sure that it can do it.
    pub(super) async fn place(
        &self,
        id: &str,
        work: &Work,
        run: &str,
        deadline: Span,
    ) -> Result<Placed, ContainerError> {
        let now = self.look(id).await?;
        let (member, anchor) = match work.post() {
            Post::Inside => {
                let (member, anchor) = self.inside(&now, run, deadline).await?;
                (member, Some(anchor))
            }
            post => (self.outside(&now, post, run, deadline).await?, None),
        };
        let subject = match work.post() {
            Post::Inside => None,
            _ => Some(subject(&now)?),
        };
        let prepared = member.ask(Command::Prepare { fault: ONE, work: work.clone(), subject }).await?;
        match prepared {
            Receipt::Prepared { .. } => Ok(Placed { member, started_at: now.started_at, anchor }),
            other => Err(unexpected(&other)),
        }
    }

    async fn outside(&self, on: &Container, post: Post, run: &str, deadline: Span) -> Result<Member, ContainerError> {
        let mut new = agent(run, deadline).beside(&on.id);
        new.processes = Namespace::Host;
        new.host_cgroups = true;
        match post {
            Post::Host => new.capabilities.push("KILL".into()),
            Post::Cgroups | Post::Inside => new.mounts.push(HelperMount {
                source: "/sys/fs/cgroup".into(),
                target: cgroup::BOUND.into(),
                read_only: false,
            }),
        }
        Member::greet(self.start_helper(new).await?).await
    }

    /// An agent inside a container that may hold nothing at all: the program is run out of `/proc`, where the anchor,
    /// which shares its processes and has no rights, shows it.
    async fn inside(&self, on: &Container, run: &str, deadline: Span) -> Result<(Member, Member), ContainerError> {
        let new = agent(run, deadline).among_processes_of(&on.id);
        let arguments = new.arguments.clone();
        let anchor = Member::greet(self.start_helper(new).await?).await?;
        let command = std::iter::once(format!("/proc/{}/exe", anchor.pid())).chain(arguments).collect();
        let helper = self.exec_helper(&on.id, command).await?;
        let member = Member::greet(helper).await?;
        Ok((member, anchor))
    }
}

fn agent(run: &str, deadline: Span) -> NewHelper {
    NewHelper::new(run, "agent", &["agent", "--deadline", &deadline.to_string(), "--heartbeat", HEARTBEAT])
}

fn subject(on: &Container) -> Result<Subject, ContainerError> {
    let pid = i32::try_from(on.pid).ok().filter(|pid| *pid > 0);
    let pid = pid.ok_or_else(|| ContainerError::Conflict(format!("{} does not run", on.name)))?;
    Ok(Subject { id: on.id.id.clone(), pid })
}

fn unexpected(receipt: &Receipt) -> ContainerError {
    ContainerError::Conflict(format!("the agent answered out of turn: {receipt:?}"))
}
