//! One agent from its start to its end: commands in, receipts out, and the lease over both.

use super::{
    engine::now,
    lease::Lease,
    network::{Network, NetworkError},
    protocol::{Command, EndReason, FaultId, ReadError, Receipt, Terms, VERSION, read_command},
    receipts::Receipts,
    work::{Figures, Job, Work, WorkError, orphans, squeeze},
};
use std::{
    collections::BTreeMap,
    io::{BufReader, Read, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// How often figures are sent.
const FIGURES_EVERY: Duration = Duration::from_secs(1);
/// How long the last receipts may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What happens to an agent.
enum Heard {
    Command(Command),
    Nonsense(String),
    Silence,
    Signal,
}

/// Runs until the lease is over; why it ended, and whether everything was undone orderly.
pub fn run(terms: Terms, from: impl Read + Send + 'static, to: impl Write + Send + 'static) -> (EndReason, bool) {
    let (sender, heard) = channel();
    listen(from, sender.clone());
    watch_signals(sender);
    let mut session = Session {
        lease: Lease::start(terms, Instant::now()),
        network: None,
        jobs: BTreeMap::new(),
        receipts: Receipts::to(to),
        figures_at: Instant::now() + FIGURES_EVERY,
    };
    let why = session.obey(&heard);
    session.end(why)
}

fn listen(from: impl Read + Send + 'static, to: Sender<Heard>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        loop {
            let heard = match read_command(&mut from) {
                Ok(Some(command)) => Heard::Command(command),
                Ok(None) | Err(ReadError::Io(_) | ReadError::TooLong) => Heard::Silence,
                Err(error @ ReadError::Malformed(_)) => Heard::Nonsense(error.to_string()),
            };
            let last = matches!(heard, Heard::Silence);
            if to.send(heard).is_err() || last {
                return;
            }
        }
    });
}

/// PID 1 gets only the signals that it has handlers for.
fn watch_signals(to: Sender<Heard>) {
    thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
            let [Ok(mut term), Ok(mut int), Ok(mut hup)] = kinds.map(signal) else { return };
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
                _ = hup.recv() => {}
            }
            // The session may be over already.
            let _ = to.send(Heard::Signal);
        });
    });
}

struct Session {
    lease: Lease,
    network: Option<Network>,
    /// Work on processes and resources.
    jobs: BTreeMap<FaultId, Job>,
    receipts: Receipts,
    figures_at: Instant,
}

impl Session {
    /// Does what it is told until something ends the lease.
    fn obey(&mut self, heard: &Receiver<Heard>) -> EndReason {
        loop {
            if let Some(why) = self.lease.over(Instant::now()) {
                return why;
            }
            match heard.recv_timeout(self.patience()) {
                Ok(Heard::Command(command)) => {
                    if let Some(why) = self.command(command) {
                        return why;
                    }
                }
                Ok(Heard::Nonsense(why)) => self.refuse(None, why),
                Ok(Heard::Silence) => return EndReason::Eof,
                Ok(Heard::Signal) => return EndReason::Signal,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return EndReason::Eof,
            }
            if let Err(why) = self.figures() {
                self.refuse(None, why.to_string());
                return EndReason::Failed;
            }
        }
    }

    fn patience(&self) -> Duration {
        let next = self.lease.ends().0.min(self.figures_at);
        next.saturating_duration_since(Instant::now())
    }

    fn refuse(&mut self, fault: Option<FaultId>, why: String) {
        self.receipts.write(Receipt::Refused { fault, why });
    }

    /// Does one command; why the session is over by it, if it is.
    fn command(&mut self, command: Command) -> Option<EndReason> {
        if let Command::Hello { version } = command {
            return self.hello(version);
        }
        if !self.lease.greeted() {
            self.refuse(None, "say hello first".into());
            return None;
        }
        self.lease.hear(Instant::now());
        let command = self.work(command)?;
        let (fault, done) = match command {
            Command::Arm { fault, traffic, effect, seed } => (
                fault,
                self.network().and_then(|network| {
                    network.arm(fault, traffic, effect, seed)?;
                    Ok(Receipt::Armed { fault, abilities: network.abilities() })
                }),
            ),
            Command::Fire { fault } => (
                fault,
                self.network().and_then(|network| network.fire(fault)).map(|(at, rules)| Receipt::Fired {
                    fault,
                    at,
                    rules,
                }),
            ),
            Command::Follow { fault, peers } => (
                fault,
                self.network()
                    .and_then(|network| network.follow(fault, peers))
                    .map(|at| Receipt::Followed { fault, at }),
            ),
            Command::Undo { fault } => (
                fault,
                self.network().and_then(|network| network.undo(fault)).map(|(at, counters)| Receipt::Undone {
                    fault,
                    at,
                    counters: Box::new(counters),
                }),
            ),
            Command::Heartbeat
            | Command::Hello { .. }
            | Command::Prepare { .. }
            | Command::Mend { .. }
            | Command::EndOrphans { .. } => return None,
            Command::End => return Some(EndReason::Command),
        };
        self.answer(fault, done)
    }

    /// Does a command about work; any other is given back.
    fn work(&mut self, command: Command) -> Option<Command> {
        let (fault, done) = match command {
            Command::Prepare { fault, work, subject } if fault.0 < FaultId::MOST => (
                fault,
                Job::prepare(&work, subject.as_ref()).map(|job| {
                    self.jobs.insert(fault, job);
                    Receipt::Prepared { fault }
                }),
            ),
            Command::Mend { fault, work: Work::Squeeze(squeeze), subject } => {
                (fault, squeeze::mend(&squeeze, &subject).map(|seen| mended(fault, seen)))
            }
            Command::EndOrphans { fault, container } => {
                (fault, orphans::end(&container).map(|seen| mended(fault, seen)))
            }
            Command::Fire { fault } if self.jobs.contains_key(&fault) => {
                let begun = self.jobs.get_mut(&fault).map_or_else(|| Ok(String::new()), Job::begin);
                (fault, begun.map(|seen| Receipt::Begun { fault, at: now(), seen }))
            }
            Command::Undo { fault } if self.jobs.contains_key(&fault) => {
                let over = self.jobs.get_mut(&fault).map(|job| over(fault, job));
                self.jobs.remove(&fault);
                (fault, over.unwrap_or_else(|| Err(WorkError("it is over already".into()))))
            }
            other => return Some(other),
        };
        match done {
            Ok(receipt) => self.receipts.write(receipt),
            Err(error) => self.refuse(Some(fault), error.to_string()),
        }
        None
    }

    fn answer(&mut self, fault: FaultId, done: Result<Receipt, NetworkError>) -> Option<EndReason> {
        match done {
            Ok(receipt) => {
                self.receipts.write(receipt);
                None
            }
            Err(error) => {
                let broken = matches!(error, NetworkError::Engine(_));
                self.refuse(Some(fault), error.to_string());
                broken.then_some(EndReason::Failed)
            }
        }
    }

    fn hello(&mut self, version: u32) -> Option<EndReason> {
        if version != VERSION {
            self.refuse(None, format!("the runner speaks version {version}, this agent {VERSION}"));
            return Some(EndReason::Version);
        }
        self.lease.greet(Instant::now());
        self.receipts.write(Receipt::Ready { version: VERSION, lease: self.lease.terms(), pid: std::process::id() });
        None
    }

    /// Opened by the first fault, so that an agent without one leaves no trace in the namespace.
    fn network(&mut self) -> Result<&mut Network, NetworkError> {
        match &mut self.network {
            Some(network) => Ok(network),
            empty => Ok(empty.insert(Network::open()?)),
        }
    }

    /// Sends figures if it is time.
    fn figures(&mut self) -> Result<(), NetworkError> {
        if Instant::now() < self.figures_at {
            return Ok(());
        }
        self.figures_at = Instant::now() + FIGURES_EVERY;
        if let Some(network) = self.network.as_mut().filter(|network| !network.is_idle()) {
            let faults = network.counters()?;
            self.receipts.write(Receipt::Counters { at: now(), faults, cpu: cpu() });
        }
        if !self.jobs.is_empty() {
            let works = self.jobs.iter().map(|(fault, job)| (*fault, job.figures())).collect();
            self.receipts.write(Receipt::Figures { at: now(), works });
            let lost = self.jobs.iter().filter_map(|(fault, job)| Some((*fault, job.lost()?)));
            let lost: Vec<_> = lost.map(|(fault, why)| Receipt::Lost { fault, why }).collect();
            lost.into_iter().for_each(|receipt| self.receipts.write(receipt));
        }
        Ok(())
    }

    /// Ends work that nobody ended; why it could not be, if so.
    fn leave(&mut self, fault: FaultId, mut job: Job) -> Option<String> {
        match over(fault, &mut job) {
            Ok(receipt) => {
                self.receipts.write(receipt);
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Undoes everything first; words come after.
    fn end(mut self, why: EndReason) -> (EndReason, bool) {
        let jobs = std::mem::take(&mut self.jobs);
        let left: Vec<String> = jobs.into_iter().filter_map(|(fault, job)| self.leave(fault, job)).collect();
        let closed = self.network.take().map_or(Ok(Default::default()), Network::close);
        let at = now();
        let failed = match closed {
            Ok(last) => {
                for (fault, counters) in last {
                    self.receipts.write(Receipt::Undone { fault, at, counters: Box::new(counters) });
                }
                (!left.is_empty()).then(|| left.join("; "))
            }
            Err(error) => Some(error.to_string()),
        };
        let orderly = failed.is_none();
        let lost_receipts = self.receipts.lost;
        self.receipts.write(Receipt::Ended { why, at, failed, lost_receipts });
        self.receipts.finish(LAST_WORDS);
        (why, orderly)
    }
}

/// Nothing of ours was under way, so there are no figures.
fn mended(fault: FaultId, seen: String) -> Receipt {
    Receipt::Over { fault, at: now(), seen, figures: Figures::default() }
}

/// Ends work; what came of it.
fn over(fault: FaultId, job: &mut Job) -> Result<Receipt, WorkError> {
    let figures = job.figures();
    job.end().map(|seen| Receipt::Over { fault, at: now(), seen, figures })
}

/// CPU time of this process, in nanoseconds.
fn cpu() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as u64 * 1_000_000_000 + used.tv_nsec as u64
}
