//! The packet thread from inside: one turn after the other, until it is told to close.

use super::{EngineError, Order, Report, now};
use crate::agent::{
    dns,
    fates::{Going, Met, Running, make_do_with_headers},
    held::{Held, Release, Waiting},
    inject::{ANSWER_MARK, Injector, MARK},
    nfqueue::{Copied, Queue, Queued, Say},
    packet::{self, Flow},
    protocol::{Counters, FaultId},
    shape::Damage,
    traffic::Way,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustix::{
    event::{PollFd, PollFlags},
    fd::OwnedFd,
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

/// Packets of one queue that are handled before what is due is looked at again.
const TURN: usize = 32;
/// What may be held; more is let go at once, and counted.
const HELD_MOST: usize = 60_000;
const HELD_BYTES_MOST: usize = 96 << 20;
/// Draining: how often, how long to wait for stragglers in between, and how long at most.
const ROUNDS: usize = 3;
const SILENCE: Duration = Duration::from_millis(1);
const DRAIN_MOST_NS: u64 = 2_000_000_000;

/// The packet thread, from inside.
pub(super) struct Loop {
    queues: [Queue; 2],
    injector: Injector,
    answerer: Injector,
    timer: OwnedFd,
    wake: Arc<OwnedFd>,
    orders: mpsc::Receiver<(Order, mpsc::Sender<Report>)>,
    faults: BTreeMap<FaultId, Running>,
    waiting: Waiting,
    accepted: [u64; 2],
    timer_at: Option<u64>,
    rng: ChaCha8Rng,
    buffer: Vec<u8>,
}

impl Loop {
    /// Opens what it needs beside the queues.
    pub(super) fn new(
        queues: [Queue; 2],
        wake: Arc<OwnedFd>,
        orders: mpsc::Receiver<(Order, mpsc::Sender<Report>)>,
    ) -> Result<Loop, EngineError> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Loop {
            queues,
            injector: Injector::open(MARK)?,
            answerer: Injector::open(ANSWER_MARK)?,
            timer: rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?,
            wake,
            orders,
            faults: BTreeMap::new(),
            waiting: Waiting::default(),
            accepted: [0; 2],
            timer_at: None,
            rng: ChaCha8Rng::seed_from_u64(0),
            buffer: vec![0; 128 * 1024],
        })
    }

    /// Until it is told to close.
    pub(super) fn run(&mut self) -> Result<(), EngineError> {
        loop {
            self.wait(None)?;
            for way in [Way::In, Way::Out] {
                self.release_due()?;
                self.take_in(way)?;
            }
            if self.obey()? {
                return Ok(());
            }
            self.release_due()?;
            self.set_timer()?;
        }
    }

    /// Waits until there is something to do; false if nothing came in this time.
    fn wait(&self, patience: Option<Duration>) -> Result<bool, EngineError> {
        let timeout = patience.map(|time| Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) });
        let on = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let [out, incoming] = self.queues.each_ref().map(|queue| on(rustix::fd::AsFd::as_fd(queue)));
        let mut fds = [out, incoming, PollFd::new(&self.timer, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
        let watched = if patience.is_some() { 2 } else { 4 };
        match rustix::event::poll(&mut fds[..watched], timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Handles packets of one queue, not too many; true if there were any.
    fn take_in(&mut self, way: Way) -> Result<bool, EngineError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut done = Ok(false);
        for _ in 0..TURN {
            done = match self.queues[way as usize].next(&mut buffer) {
                Ok(Some(packet)) => self.handle(way, &packet).map(|()| true),
                Ok(None) => break,
                Err(error) => Err(error.into()),
            };
            if done.is_err() {
                break;
            }
        }
        self.buffer = buffer;
        self.queues[way as usize].flush()?;
        done
    }

    fn handle(&mut self, way: Way, packet: &Queued<'_>) -> Result<(), EngineError> {
        let came = now();
        let flow = packet::read(packet.bytes);
        let (by, mut copies) = match &flow {
            Some(flow) => self.meet(way, packet, flow, came),
            None => (0, vec![Going::untouched(came)]),
        };
        if flow.is_some_and(|flow| flow.length > packet.bytes.len()) {
            make_do_with_headers(way, came, &mut copies);
        }
        match way {
            Way::Out => self.send_on(packet, came, by, copies),
            Way::In => self.let_in(packet, came, by, &copies),
        }
    }

    /// Sends a packet through all faults that mean it: which those are, and what comes of it.
    fn meet(&mut self, way: Way, packet: &Queued<'_>, flow: &Flow, came: u64) -> (u64, Vec<Going>) {
        let (mut by, mut copies) = (0, vec![Going::untouched(came)]);
        let concerned = |fault: &Running| fault.traffic.matches(way, flow, packet.over_loopback());
        let listened_to = self.faults.values().any(|fault| fault.listens() && concerned(fault));
        let asked = listened_to.then(|| dns::asked(packet.bytes, flow)).flatten();
        let met = Met { way, flow, asked: asked.as_ref(), came, room: self.has_room() };
        for (id, fault) in self.faults.iter_mut().filter(|(_, fault)| concerned(fault)) {
            by |= u64::from(fault.meet(met, &mut copies)) << id.0;
        }
        (by, copies)
    }

    /// Out: a packet that nothing happens to goes on as it is; of all others copies are sent.
    fn send_on(&mut self, packet: &Queued<'_>, came: u64, by: u64, copies: Vec<Going>) -> Result<(), EngineError> {
        if copies == [Going::untouched(came)] {
            return self.say(Way::Out, packet.id, Say::Accept, None);
        }
        self.say(Way::Out, packet.id, Say::Drop, None)?;
        let device = packet.device;
        for Going { due, damage, reply } in copies {
            let whole = |original: &[u8], this: &mut Loop| this.damaged(original, damage, by);
            let release = match reply {
                Some(reply) => Release::Answer { bytes: whole(&reply, self).unwrap_or(reply), device },
                None => {
                    let bytes = whole(packet.bytes, self).unwrap_or_else(|| packet.bytes.to_vec());
                    Release::Send { bytes, device }
                }
            };
            self.hold(came, due, by, Way::Out, release)?;
        }
        Ok(())
    }

    /// In: the packet itself waits in the queue; its double comes in once more through loopback.
    fn let_in(&mut self, packet: &Queued<'_>, came: u64, by: u64, copies: &[Going]) -> Result<(), EngineError> {
        let Some((first, doubles)) = copies.split_first() else {
            return self.say(Way::In, packet.id, Say::Drop, None);
        };
        let rewritten = self.damaged(packet.bytes, first.damage, by);
        self.hold(came, first.due, by, Way::In, Release::Accept { id: packet.id, rewritten })?;
        for copy in doubles {
            let bytes = self.damaged(packet.bytes, copy.damage, by).unwrap_or_else(|| packet.bytes.to_vec());
            self.hold(came, copy.due, by, Way::In, Release::Send { bytes, device: 0 })?;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < HELD_MOST && self.waiting.bytes() < HELD_BYTES_MOST
    }

    /// The damaged bytes, if it is to be damaged and can be.
    fn damaged(&mut self, bytes: &[u8], damage: Option<Damage>, by: u64) -> Option<Vec<u8>> {
        let mut copy = bytes.to_vec();
        let done = match damage? {
            Damage::Detected => packet::damage(&mut copy, &mut self.rng),
            Damage::Undetected => packet::damage_unseen(&mut copy, &mut self.rng),
        };
        if !done {
            return None;
        }
        let corrupting = |fault: &&mut Running| fault.corrupts();
        self.running(by).filter(corrupting).for_each(|fault| fault.tally.counts.corrupted += 1);
        Some(copy)
    }

    fn running(&mut self, by: u64) -> impl Iterator<Item = &mut Running> {
        self.faults.iter_mut().filter(move |(id, _)| by >> id.0 & 1 == 1).map(|(_, fault)| fault)
    }

    fn count(&mut self, by: u64, change: impl Fn(&mut Counters)) {
        self.running(by).for_each(|fault| change(&mut fault.tally.counts));
    }

    fn say(&mut self, way: Way, id: u32, say: Say, rewritten: Option<&[u8]>) -> Result<(), EngineError> {
        if say == Say::Accept {
            self.accepted[way as usize] += 1;
        }
        Ok(self.queues[way as usize].say(id, say, rewritten)?)
    }

    fn hold(&mut self, came: u64, due: u64, by: u64, way: Way, release: Release) -> Result<(), EngineError> {
        let held = Held { came, due, by, way, release };
        if due <= came {
            self.release(held)
        } else {
            self.waiting.hold(held);
            Ok(())
        }
    }

    fn release_due(&mut self) -> Result<(), EngineError> {
        while let Some(held) = self.waiting.due(now()) {
            let (achieved, late) = (now() - held.came, now().saturating_sub(held.due));
            self.running(held.by).for_each(|fault| fault.tally.released(achieved, late));
            self.release(held)?;
        }
        self.queues.iter_mut().try_for_each(|queue| queue.flush())?;
        Ok(())
    }

    fn release(&mut self, held: Held) -> Result<(), EngineError> {
        match held.release {
            Release::Accept { id, rewritten } => self.say(held.way, id, Say::Accept, rewritten.as_deref()),
            Release::Send { bytes, device } => {
                self.queues[held.way as usize].flush_accepts()?;
                let sent = self.injector.send(&bytes, device);
                self.count(held.by, |counts| counts.unsent += u64::from(sent.is_err()));
                Ok(())
            }
            Release::Answer { bytes, device } => {
                let sent = self.answerer.send(&bytes, device);
                self.count(held.by, |counts| counts.unsent += u64::from(sent.is_err()));
                Ok(())
            }
        }
    }

    /// Lets go of what these faults hold, before it is due.
    fn let_go(&mut self, by: u64) -> Result<(), EngineError> {
        for held in self.waiting.take(by) {
            self.count(held.by, |counts| counts.early += 1);
            self.release(held)?;
        }
        self.queues.iter_mut().try_for_each(|queue| queue.flush())?;
        Ok(())
    }

    /// Handles what was handed over before, to the last packet. Those that other faults still get may keep coming.
    fn drain(&mut self) -> Result<(), EngineError> {
        let until = now() + DRAIN_MOST_NS;
        for _ in 0..ROUNDS {
            while now() < until && (self.take_in(Way::In)? | self.take_in(Way::Out)?) {
                self.release_due()?;
            }
            // A packet that met a rule just before it went away may still be on its way to us.
            self.wait(Some(SILENCE))?;
        }
        Ok(())
    }

    /// Does what was ordered; true if it was to close.
    fn obey(&mut self) -> Result<bool, EngineError> {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        while let Ok((order, answer)) = self.orders.try_recv() {
            let close = matches!(order, Order::Close);
            let report = self.follow_order(order)?;
            // Whoever asked may have lost patience.
            let _ = answer.send(report);
            if close {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn follow_order(&mut self, order: Order) -> Result<Report, EngineError> {
        match order {
            Order::Begin { fault, traffic, work, seed } => {
                self.faults.insert(fault, Running::new(traffic, work, seed));
                self.choose_copying()?;
            }
            Order::Follow { fault, peers } => {
                if let Some(running) = self.faults.get_mut(&fault) {
                    running.traffic.peers = peers;
                }
            }
            Order::End { fault } => {
                self.drain()?;
                self.let_go(1 << fault.0)?;
                let report = self.report();
                self.faults.remove(&fault);
                self.choose_copying()?;
                return Ok(report);
            }
            Order::Report => {}
            Order::Close => {
                self.drain()?;
                self.let_go(u64::MAX)?;
            }
        }
        Ok(self.report())
    }

    /// Packets are copied whole only while some fault needs more than their headers.
    fn choose_copying(&self) -> Result<(), EngineError> {
        for way in [Way::In, Way::Out] {
            let whole = self.faults.values().any(|fault| fault.needs_whole(way));
            self.queues[way as usize].copy(if whole { Copied::Whole } else { Copied::Headers })?;
        }
        Ok(())
    }

    fn report(&self) -> Report {
        let (held, held_bytes) = (self.waiting.len() as u64, self.waiting.bytes() as u64);
        let counters = |fault: &Running| Counters { held, held_bytes, ..fault.tally.counters() };
        Report {
            faults: self.faults.iter().map(|(id, fault)| (*id, counters(fault))).collect(),
            accepted: self.accepted,
        }
    }

    fn set_timer(&mut self) -> Result<(), EngineError> {
        let due = self.waiting.next_due();
        if due == self.timer_at {
            return Ok(());
        }
        self.timer_at = due;
        let at = due.unwrap_or(0);
        let value = Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = Itimerspec { it_interval: zero, it_value: value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec)?;
        Ok(())
    }
}
