//! The load thread: one operating-system thread with a runtime of its own, on which nothing else runs, so
//! that requests leave on time whatever the rest of firedrill is doing.

use super::{
    Job, Pacer,
    connect::Failure,
    driver::{Context, Lane, LoadError},
    http::{self, Link},
    tap::{Outlet, next_slice_end},
    timer::Timer,
};
use crate::{
    clock::{At, RunClock},
    measure::{Class, ProbeId, SLICE_NS},
    plan::ProbeWork,
    probe::tcp,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::pin,
    rc::Rc,
    task::{self, Poll, Waker},
    thread,
};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{oneshot, watch},
};

/// Requests are looked for at most so often, in nanoseconds: at high rates several leave together.
const GRID_NS: u64 = 500_000;

/// The lowest real-time priority: the thread sleeps most of the time, and must not queue behind compilers when it
/// wakes. Being nice is not enough where the kernel groups tasks by session (`sched_autogroup`): beside sixteen
/// busy tasks on two cores, lateness at p99 was 30 ms with nice -10 and 0.5 ms with this.
const URGENCY: u8 = 1;

/// The niceness where real-time scheduling is refused.
const NICENESS: i32 = -10;

/// Makes this thread wake on time, as far as we are allowed to. With a single core it only gets nicer: a generator
/// that cannot keep up must not starve the undo.
fn be_punctual() {
    use thread_priority::{
        RealtimeThreadSchedulePolicy::RoundRobin, ThreadPriority, ThreadSchedulePolicy::Realtime,
        set_thread_priority_and_policy, thread_native_id,
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wanted = URGENCY.try_into().map(ThreadPriority::Crossplatform);
    let real_time = wanted.ok().filter(|_| cores > 1).is_some_and(|priority| {
        set_thread_priority_and_policy(thread_native_id(), priority, Realtime(RoundRobin)).is_ok()
    });
    if !real_time {
        // Refused without privilege; then we wait our turn like everybody else.
        let _ = rustix::process::nice(NICENESS);
    }
}

/// Starts the thread. It answers with the number of requests that each lane was due to send.
pub(super) fn start(
    lanes: &[Lane],
    context: &Context,
    outlet: Outlet,
    stop: watch::Receiver<At>,
) -> Result<oneshot::Receiver<Vec<u64>>, LoadError> {
    let system = |e: std::io::Error| LoadError::System(e.to_string());
    let (done, finished) = oneshot::channel();
    // Made here, so that the caller hears of what is wrong with the settings.
    let targets = lanes.iter().map(|lane| target(lane, context)).collect::<Result<Vec<_>, _>>()?;
    let lanes = lanes.iter().cloned().zip(targets).collect();
    let clock = context.clock;
    raise_descriptor_limit();
    let body = move || {
        be_punctual();
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                let offered = runtime.block_on(run(lanes, clock, &outlet, stop));
                match offered {
                    // Nobody waits for the answer if the driver was dropped.
                    Ok(offered) => drop(done.send(offered)),
                    Err(e) => tracing::error!(error = %e, "load thread"),
                }
            }
            Err(e) => tracing::error!(error = %e, "load thread"),
        }
    };
    thread::Builder::new().name("load".into()).spawn(body).map_err(system)?;
    Ok(finished)
}

/// Whom to ask what.
enum Target {
    Http(Box<http::Target>),
    Tcp(tcp::Target),
}

impl Target {
    /// One request, on the connection at hand if it is of use, or else on a new one.
    async fn ask(&self, link: &mut Option<Link>, seq: u64) -> Result<Class, Failure> {
        match self {
            Target::Tcp(target) => target.ask(seq).await,
            Target::Http(target) => {
                if link.as_mut().is_some_and(|link| !link.usable()) {
                    *link = None;
                }
                let link = match link {
                    Some(link) => link,
                    None => link.insert(Link::open(&target.peer).await?),
                };
                target.ask(link, seq).await
            }
        }
    }
}

fn target(lane: &Lane, context: &Context) -> Result<Target, LoadError> {
    let wrong = |what| LoadError::Settings { probe: lane.plan.name.clone(), what };
    match &lane.plan.work {
        ProbeWork::Http(settings) => {
            http::Target::new(settings, context).map(|target| Target::Http(Box::new(target))).map_err(wrong)
        }
        ProbeWork::Tcp(settings) => tcp::Target::new(settings, context).map(Target::Tcp).map_err(wrong),
        ProbeWork::Exec { .. } | ProbeWork::Health { .. } => Err(wrong("it does not run on the load thread".into())),
    }
}

/// A frozen server may hold thousands of connections; the soft limit is often 1024.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it, running out of descriptors counts as our own fault.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// One probe on the load thread.
struct FastLane {
    probe: ProbeId,
    target: Target,
    clock: RunClock,
    state: RefCell<State>,
}

struct State {
    pacer: Pacer,
    /// Workers with a connection and nothing to do; the one used last on top.
    idle: Vec<Rc<Worker>>,
    /// What was sent, in the order of its deadlines, with who sent it. What has ended meanwhile stays until then.
    deadlines: VecDeque<(Job, Rc<Worker>)>,
}

/// One connection and what it is to do.
#[derive(Default)]
struct Worker {
    /// Given by the pacer, not yet taken.
    given: Cell<Option<Job>>,
    /// The request under way.
    current: Cell<Option<u64>>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Worker {
    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn listen(&self, cx: &task::Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }
}

async fn run(
    lanes: Vec<(Lane, Target)>,
    clock: RunClock,
    outlet: &Outlet,
    mut stop: watch::Receiver<At>,
) -> Result<Vec<u64>, LoadError> {
    let system = |e: std::io::Error| LoadError::System(e.to_string());
    let lanes: Vec<Rc<FastLane>> =
        lanes.into_iter().map(|(lane, target)| Rc::new(FastLane::new(&lane, target, clock))).collect();
    let mut timer = Timer::new().map_err(system)?;
    let mut slice_end = next_slice_end(clock.now());
    let mut tick = 0;
    loop {
        if stop.has_changed().is_err() {
            return Ok(lanes.iter().map(|lane| lane.state.borrow().pacer.offered()).collect());
        }
        let until = *stop.borrow_and_update();
        let now = clock.now();
        for lane in &lanes {
            lane.state.borrow_mut().pacer.stop(until);
            lane.tick(now);
        }
        let finished = lanes.iter().all(|lane| lane.state.borrow().pacer.finished());
        if finished || now >= slice_end {
            // The last slice may end a little in the future: nothing comes after it.
            let end = if finished { next_slice_end(now) } else { now / SLICE_NS * SLICE_NS };
            lanes.iter().for_each(|lane| outlet.hand_over(lane.state.borrow_mut().pacer.slice(lane.probe, end)));
            slice_end = end + SLICE_NS;
        }
        if finished {
            return Ok(lanes.iter().map(|lane| lane.state.borrow().pacer.offered()).collect());
        }
        let next = lanes.iter().map(|lane| lane.next_event()).min().unwrap_or(At::MAX).min(slice_end);
        // Counted from when this tick should have been: its own delay must not add up.
        tick = next.max(tick + GRID_NS).max(now);
        timer.arm(tick.saturating_sub(clock.now())).map_err(system)?;
        elapsed_or_stopped(&mut timer, &mut stop).await.map_err(system)?;
    }
}

/// Waits for the timer, or for news about the stop.
async fn elapsed_or_stopped(timer: &mut Timer, stop: &mut watch::Receiver<At>) -> std::io::Result<()> {
    let mut stopped = pin!(stop.changed());
    std::future::poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        timer.poll_elapsed(cx)
    })
    .await
}

impl FastLane {
    fn new(lane: &Lane, target: Target, clock: RunClock) -> FastLane {
        let pacer = Pacer::new(lane.schedule, lane.plan.timeout.ns(), lane.plan.max_in_flight);
        let state = RefCell::new(State { pacer, idle: Vec::new(), deadlines: VecDeque::new() });
        FastLane { probe: lane.probe, target, clock, state }
    }

    /// Sends what is due, and ends what has taken too long.
    fn tick(self: &Rc<Self>, now: At) {
        let mut state = self.state.borrow_mut();
        state.pacer.expire(now);
        while let Some((job, worker)) = state.deadlines.front()
            && job.deadline <= now
        {
            if worker.current.get() == Some(job.index) {
                worker.expired.set(true);
                worker.wake();
            }
            state.deadlines.pop_front();
        }
        while let Some(job) = state.pacer.due(now) {
            let worker = state.idle.pop();
            let fresh = worker.is_none();
            let worker = worker.unwrap_or_default();
            worker.given.set(Some(job));
            worker.wake();
            state.assign(job, &worker);
            if fresh {
                tokio::task::spawn_local(Rc::clone(self).work(worker));
            }
        }
    }

    /// When the pacer or a deadline needs us.
    fn next_event(&self) -> At {
        let mut state = self.state.borrow_mut();
        while let Some((job, worker)) = state.deadlines.front()
            && worker.current.get() != Some(job.index)
        {
            state.deadlines.pop_front();
        }
        let deadline = state.deadlines.front().map_or(At::MAX, |(job, _)| job.deadline);
        state.pacer.next_event().min(deadline)
    }

    /// The life of one connection: requests, one after the other, until it fails.
    async fn work(self: Rc<Self>, me: Rc<Worker>) {
        let mut link = None;
        while let Some(job) = self.next_job(&me, &mut link).await {
            let sent = self.clock.now();
            let outcome = match sent < job.deadline {
                true => self.perform(&me, &mut link, job.index).await,
                false => Ok(Class::NotSent),
            };
            let ended = self.clock.now();
            me.current.set(None);
            let mut state = self.state.borrow_mut();
            match outcome {
                Ok(class) => state.pacer.ended(job, sent, ended, class),
                // Nothing will do but to have it count as late by our own fault.
                Err(Failure::Ours) => state.pacer.ended(job, job.deadline, job.deadline, Class::NotSent),
                Err(Failure::Theirs(class)) => state.pacer.ended(job, sent, ended, class),
            }
            if outcome.is_err() {
                link = None;
            }
        }
    }

    /// One request, on the connection at hand or on a new one; ends early when it has taken too long.
    async fn perform(&self, me: &Worker, link: &mut Option<Link>, index: u64) -> Result<Class, Failure> {
        let mut request = pin!(self.target.ask(link, index));
        std::future::poll_fn(|cx| {
            if me.expired.take() {
                return Poll::Ready(Err(Failure::Theirs(Class::Timeout)));
            }
            me.listen(cx);
            request.as_mut().poll(cx)
        })
        .await
    }

    /// What to do next: what was given, what waits for a slot, or, after some idle time, what is due then.
    /// `None` if there is no connection to keep.
    async fn next_job(&self, me: &Rc<Worker>, link: &mut Option<Link>) -> Option<Job> {
        if let Some(job) = me.given.take() {
            return Some(job);
        }
        {
            let mut state = self.state.borrow_mut();
            if let Some(job) = state.pacer.waiting(self.clock.now()) {
                state.assign(job, me);
                return Some(job);
            }
            link.as_ref()?;
            state.idle.push(Rc::clone(me));
        }
        let link = link.as_mut()?;
        std::future::poll_fn(|cx| {
            if let Some(job) = me.given.take() {
                return Poll::Ready(Some(job));
            }
            me.listen(cx);
            if link.poll_end(cx).is_ready() {
                self.state.borrow_mut().idle.retain(|idle| !Rc::ptr_eq(idle, me));
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}

impl State {
    fn assign(&mut self, job: Job, worker: &Rc<Worker>) {
        worker.current.set(Some(job.index));
        worker.expired.set(false);
        self.deadlines.push_back((job, Rc::clone(worker)));
    }
}
