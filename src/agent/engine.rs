//! The packet thread: takes packets from the queues, asks the shapers, holds, and lets go when due.
//!
//! What leaves is never held in the kernel's queue: a held packet counts as unsent, and TCP would stop sending. It is
//! copied, dropped there at once, and the copy is sent when due. What comes in is held where it is, and accepted.

mod packets;

use super::{
    fates::Work,
    netlink::NetlinkError,
    nfqueue::{Copied, Queue},
    protocol::{Counters, FaultId},
    traffic::{Block, Traffic},
};
use packets::Loop;
use rustix::{event::EventfdFlags, fd::OwnedFd, io::Errno, time::ClockId};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// The longest answer of the packet thread that is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the packet thread cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The kernel's.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A descriptor's.
    #[error("packet thread: {0}")]
    Io(#[from] std::io::Error),
    /// It does not answer, or has ended.
    #[error("the packet thread does not answer")]
    Gone,
}

impl From<Errno> for EngineError {
    fn from(errno: Errno) -> EngineError {
        EngineError::Io(errno.into())
    }
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn now() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the thread is asked.
enum Order {
    Begin { fault: FaultId, traffic: Traffic, work: Work, seed: u64 },
    Follow { fault: FaultId, peers: Vec<Block> },
    End { fault: FaultId },
    Report,
    Close,
}

/// What the thread knows.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By fault.
    pub faults: BTreeMap<FaultId, Counters>,
    /// Accepted by verdict so far, out and in: all that the counters behind the queues should show.
    pub accepted: [u64; 2],
}

/// The packet thread, from outside.
pub struct Engine {
    orders: mpsc::Sender<(Order, mpsc::Sender<Report>)>,
    wake: Arc<OwnedFd>,
    numbers: [u16; 2],
    thread: Option<thread::JoinHandle<Result<(), EngineError>>>,
}

impl Engine {
    /// Opens queues and sockets in the namespace of this thread, and starts.
    ///
    /// # Errors
    /// No NFQUEUE, no NET_ADMIN, no NET_RAW.
    pub fn start(first_queue: u16) -> Result<Engine, EngineError> {
        let out = Queue::bind(first_queue, Copied::Headers, false)?;
        let incoming = Queue::bind(out.number() + 1, Copied::Headers, false)?;
        let numbers = [out.number(), incoming.number()];
        let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (orders, receiver) = mpsc::channel();
        let mut packets = Loop::new([out, incoming], wake.clone(), receiver)?;
        let thread = thread::Builder::new().name("packets".into()).spawn(move || packets.run())?;
        Ok(Engine { orders, wake, numbers, thread: Some(thread) })
    }

    /// Its queues, out and in.
    pub fn numbers(&self) -> [u16; 2] {
        self.numbers
    }

    /// Does this to these packets from now on, as far as rules hand them over.
    ///
    /// # Errors
    /// [`EngineError::Gone`].
    pub fn begin(&self, fault: FaultId, traffic: Traffic, work: Work, seed: u64) -> Result<(), EngineError> {
        self.ask(Order::Begin { fault, traffic, work, seed }).map(|_| ())
    }

    /// Other peers.
    ///
    /// # Errors
    /// [`EngineError::Gone`].
    pub fn follow(&self, fault: FaultId, peers: Vec<Block>) -> Result<(), EngineError> {
        self.ask(Order::Follow { fault, peers }).map(|_| ())
    }

    /// Lets go of what this fault holds; its rules must be gone already. The report still has its counters.
    ///
    /// # Errors
    /// [`EngineError::Gone`].
    pub fn end(&self, fault: FaultId) -> Result<Report, EngineError> {
        self.ask(Order::End { fault })
    }

    /// What it knows.
    ///
    /// # Errors
    /// [`EngineError::Gone`].
    pub fn report(&self) -> Result<Report, EngineError> {
        self.ask(Order::Report)
    }

    /// Lets go of everything and ends; the rules must be gone already, the base chains must still stand.
    ///
    /// # Errors
    /// [`EngineError::Gone`], or what ended the thread before.
    pub fn close(mut self) -> Result<Report, EngineError> {
        let report = self.ask(Order::Close);
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Ok(ended)) if report.is_ok() => ended.and(report),
            Some(Ok(Err(why))) => Err(why),
            _ => Err(EngineError::Gone),
        }
    }

    fn ask(&self, order: Order) -> Result<Report, EngineError> {
        let (sender, receiver) = mpsc::channel();
        self.orders.send((order, sender)).map_err(|_| EngineError::Gone)?;
        rustix::io::write(&self.wake, &1_u64.to_ne_bytes())?;
        receiver.recv_timeout(PATIENCE).map_err(|_| EngineError::Gone)
    }
}
