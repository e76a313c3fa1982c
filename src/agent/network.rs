//! All network faults of one namespace: the table and the packet thread, kept in step.
//!
//! A fault starts with the thread and then gets its rules; it ends the other way round, so that no packet is handed to
//! somebody who does not know what to do with it.

use super::{
    engine::{Engine, EngineError, Report, now},
    ground::{build, can_untrack, create_table, find_queue},
    netlink::{NetlinkError, Socket},
    nft::{self, Rule, Table},
    protocol::{Abilities, Counters, Cut, Effect, FaultId},
    rules::{self, Act, Means, RULES_MOST, Standing, WAYS},
    shape::{Shape, chance::Chance, loss::Loss},
    traffic::{Block, Traffic, Way},
};
use crate::units::Percent;
use std::collections::BTreeMap;

/// The table's name in the target's namespace.
pub const TABLE: &str = "firedrill";
/// Where the search for free queue numbers starts.
const FIRST_QUEUE: u16 = 0xfd00;

/// Why a network fault is not possible, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Settings, in words.
    #[error("{0}")]
    Settings(String),
    /// The rights or the kernel lack something, in words with what to do.
    #[error("{0}")]
    Lacking(String),
    /// Out of order.
    #[error("fault {} is {is}", fault.0)]
    Order {
        /// Which.
        fault: FaultId,
        /// What it is.
        is: &'static str,
    },
    /// The kernel's.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The packet thread's.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What stands in the table is not what was put there.
    #[error("{0} rules were put in place and {1} were read back")]
    ReadBack(usize, usize),
}

struct Fault {
    traffic: Traffic,
    effect: Effect,
    seed: u64,
    fired: bool,
}

/// What came through behind the queues more often than we accepted it: it was never handed to us. (Merged segments are
/// handed over, accepted and counted one by one, so that the two can be compared.)
#[derive(Default)]
struct Leaks {
    /// Until the rules last changed.
    before: u64,
    /// What came through less what was accepted, when they changed: out and in.
    base: [i64; 2],
}

impl Leaks {
    fn now(&self, balance: [i64; 2]) -> u64 {
        let since = WAYS.iter().map(|way| (balance[*way as usize] - self.base[*way as usize]).max(0) as u64);
        self.before + since.sum::<u64>()
    }
}

/// The network faults of one namespace. Dropping it without [`Network::close`] leaves the undo to the kernel.
pub struct Network {
    socket: Socket,
    abilities: Abilities,
    engine: Option<Engine>,
    faults: BTreeMap<FaultId, Fault>,
    leaks: Leaks,
}

impl Network {
    /// Makes the table, finds out what is possible, and starts the packet thread. No packet notices.
    ///
    /// # Errors
    /// What is lacking, in words.
    pub fn open() -> Result<Network, NetworkError> {
        let mut socket = Socket::open()?;
        let owner = create_table(&mut socket)?;
        let queue = find_queue(&mut socket);
        let engine = match queue.map(|_| Engine::start(FIRST_QUEUE)).transpose() {
            Ok(engine) => engine,
            Err(error) => {
                socket.batch(nft::SUBSYSTEM, |batch| Table { name: TABLE, batch }.delete())?;
                return Err(no_engine(error));
            }
        };
        let untracked = can_untrack(&mut socket);
        let abilities = Abilities { owner, queue, raw: engine.is_some(), untracked };
        let mut network = Network { socket, abilities, engine, faults: BTreeMap::new(), leaks: Leaks::default() };
        let means = network.means();
        network.socket.batch(nft::SUBSYSTEM, |batch| build(batch, means))?;
        Ok(network)
    }

    /// What is possible here.
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Takes a fault in; nothing happens to any packet.
    ///
    /// # Errors
    /// Settings that make no sense, or something that is not possible here.
    pub fn arm(&mut self, id: FaultId, traffic: Traffic, effect: Effect, seed: u64) -> Result<(), NetworkError> {
        if id.0 >= FaultId::MOST {
            return Err(NetworkError::Settings(format!("fault numbers are below {}", FaultId::MOST)));
        }
        if self.faults.contains_key(&id) {
            return Err(NetworkError::Order { fault: id, is: "armed already" });
        }
        let effect = self.possible(&traffic, effect)?;
        let traffic = match &effect {
            Effect::Dns(dns) => dns.traffic(traffic).map_err(NetworkError::Settings)?,
            Effect::Shape(_) | Effect::Cut(_) => traffic,
        };
        check_size(&traffic)?;
        self.change(|table| rules::counters(id).iter().for_each(|counter| table.counter(counter)))?;
        self.faults.insert(id, Fault { traffic, effect, seed, fired: false });
        Ok(())
    }

    /// The effect as it can be had here: without an owned table, and for a share of the packets, cuts are made by the
    /// packet thread, because a rule of ours must not outlive us.
    fn possible(&self, traffic: &Traffic, effect: Effect) -> Result<Effect, NetworkError> {
        traffic.check().map_err(NetworkError::Settings)?;
        let by_rule = self.abilities.owner && traffic.share.is_none();
        let effect = match effect {
            Effect::Cut(Cut::Drop) if !by_rule => Effect::Shape(Box::new(lose_all())),
            Effect::Cut(Cut::Reject) if traffic.share.is_some() => {
                return Err(NetworkError::Settings("a share of the packets can be dropped, not refused".into()));
            }
            Effect::Cut(Cut::Reject) if !by_rule => {
                return Err(NetworkError::Lacking(
                    "this kernel (before 5.12) would keep our rules if the agent died; use drop instead".into(),
                ));
            }
            effect => effect,
        };
        match &effect {
            Effect::Shape(shape) => shape.check().map_err(NetworkError::Settings)?,
            Effect::Dns(dns) => dns.check().map_err(NetworkError::Settings)?,
            Effect::Cut(_) => {}
        }
        let lacking = |what: &str| Err(NetworkError::Lacking(what.into()));
        match &effect {
            Effect::Shape(_) | Effect::Dns(_) if self.engine.is_none() => {
                lacking("this kernel has no NFQUEUE (nft_queue, or nft_compat with xt_NFQUEUE)")
            }
            Effect::Dns(dns) if dns.answers() && !self.abilities.untracked => lacking(
                "this kernel cannot keep our answers out of connection tracking (nft_ct); timeout and delay work",
            ),
            _ => Ok(effect),
        }
    }

    /// Begins; when it took effect, and how many rules were read back.
    ///
    /// # Errors
    /// The kernel's, or [`NetworkError::ReadBack`]; the fault is not in place then.
    pub fn fire(&mut self, id: FaultId) -> Result<(u64, usize), NetworkError> {
        let fault = self.fault(id)?;
        if fault.fired {
            return Err(NetworkError::Order { fault: id, is: "fired already" });
        }
        if let Some(work) = fault.effect.work() {
            let (traffic, seed) = (fault.traffic.clone(), fault.seed);
            self.engine()?.begin(id, traffic, work, seed)?;
        }
        self.fault(id)?.fired = true;
        match self.put_rules().map(|count| (now(), count)).and_then(|done| self.read_back().map(|_| done)) {
            Ok(done) => Ok(done),
            Err(error) => {
                // It counts as not fired; what stands is put right by taking it away.
                self.fault(id)?.fired = false;
                self.put_rules()?;
                self.engine.as_ref().map_or(Ok(Report::default()), |engine| engine.end(id))?;
                Err(error)
            }
        }
    }

    /// Gives a fault other peers, without a gap for those that stay.
    ///
    /// # Errors
    /// The kernel's.
    pub fn follow(&mut self, id: FaultId, peers: Vec<Block>) -> Result<u64, NetworkError> {
        let fault = self.fault(id)?;
        let traffic = Traffic { peers: peers.clone(), ..fault.traffic.clone() };
        check_size(&traffic)?;
        fault.traffic = traffic;
        if fault.fired {
            if fault.effect.work().is_some() {
                self.engine()?.follow(id, peers)?;
            }
            self.put_rules()?;
            self.read_back()?;
        }
        Ok(now())
    }

    /// Ends a fault; what it held went on at once. Its last counters.
    ///
    /// # Errors
    /// The kernel's.
    pub fn undo(&mut self, id: FaultId) -> Result<(u64, Counters), NetworkError> {
        self.fault(id)?.fired = false;
        self.settle_leaks()?;
        self.put_rules()?;
        let at = now();
        let worked = self.fault(id)?.effect.work().is_some();
        let report = if worked { self.engine()?.end(id)? } else { self.report()? };
        let counted = self.counted()?;
        self.leaks.base = self.balance(&report, &counted);
        let counters = self.with_kernel(&report, &counted).remove(&id).unwrap_or_default();
        self.faults.remove(&id);
        self.leaks.base = self.balance(&report, &counted);
        self.read_back()?;
        self.change(|table| rules::counters(id).iter().for_each(|counter| table.delete_counter(counter)))?;
        Ok((at, counters))
    }

    /// What each armed fault did.
    ///
    /// # Errors
    /// The kernel's.
    pub fn counters(&mut self) -> Result<BTreeMap<FaultId, Counters>, NetworkError> {
        let counted = self.counted()?;
        let report = self.report()?;
        Ok(self.with_kernel(&report, &counted))
    }

    /// Whether anything is armed.
    pub fn is_idle(&self) -> bool {
        self.faults.is_empty()
    }

    /// Undoes everything: takes the rules away, drains what is held, then removes the table. The last counters.
    ///
    /// # Errors
    /// What could not be done orderly; the kernel does the rest when this process exits.
    pub fn close(mut self) -> Result<BTreeMap<FaultId, Counters>, NetworkError> {
        self.settle_leaks()?;
        self.faults.values_mut().for_each(|fault| fault.fired = false);
        self.put_rules()?;
        let report = match self.engine.take() {
            Some(engine) => engine.close()?,
            None => Report::default(),
        };
        let counted = self.counted()?;
        self.leaks.base = self.balance(&report, &counted);
        let last = self.with_kernel(&report, &counted);
        self.change(|table| table.delete())?;
        Ok(last)
    }

    fn fault(&mut self, id: FaultId) -> Result<&mut Fault, NetworkError> {
        self.faults.get_mut(&id).ok_or(NetworkError::Order { fault: id, is: "not armed" })
    }

    fn engine(&self) -> Result<&Engine, NetworkError> {
        self.engine.as_ref().ok_or(NetworkError::Engine(EngineError::Gone))
    }

    fn report(&self) -> Result<Report, NetworkError> {
        self.engine.as_ref().map_or(Ok(Report::default()), |engine| Ok(engine.report()?))
    }

    fn change(&mut self, fill: impl FnOnce(&mut Table<'_>)) -> Result<(), NetworkError> {
        Ok(self.socket.batch(nft::SUBSYSTEM, |batch| fill(&mut Table { name: TABLE, batch }))?)
    }

    fn means(&self) -> Means {
        let numbers = self.engine.as_ref().map(Engine::numbers);
        Means { untracked: self.abilities.untracked, queues: numbers.zip(self.abilities.queue) }
    }

    /// The rules of the faults that are fired now.
    fn wanted(&self) -> Vec<Rule> {
        let standing = |(id, fault): (&FaultId, &Fault)| Standing {
            fault: *id,
            traffic: fault.traffic.clone(),
            act: match fault.effect {
                Effect::Shape(_) | Effect::Dns(_) => Act::Queue,
                Effect::Cut(cut) => Act::Cut { cut, void: self.abilities.queue.is_some() },
            },
        };
        let fired: Vec<Standing> = self.faults.iter().filter(|(_, fault)| fault.fired).map(standing).collect();
        rules::changing_rules(&fired)
    }

    /// Replaces what stands in the changing chains, all at once.
    fn put_rules(&mut self) -> Result<usize, NetworkError> {
        let wanted = self.wanted();
        self.change(|table| {
            rules::changing().iter().for_each(|chain| table.flush(chain));
            wanted.iter().for_each(|rule| table.rule(rule));
        })?;
        Ok(wanted.len())
    }

    fn read_back(&mut self) -> Result<usize, NetworkError> {
        let wanted: Vec<nft::Listed> =
            rules::standing(self.means()).iter().chain(&self.wanted()).map(Rule::listed).collect();
        let found = nft::rules(&mut self.socket, TABLE)?;
        let same = |chain: &str| {
            let of = |rules: &[nft::Listed]| rules.iter().filter(|r| r.chain == chain).cloned().collect::<Vec<_>>();
            of(&wanted) == of(&found)
        };
        let queueing = rules::queueing(self.means()).into_iter().map(|rule| rule.chain);
        let chains = rules::base().into_iter().map(|(name, _)| name).chain(rules::changing()).chain(queueing);
        if wanted.len() == found.len() && chains.into_iter().all(|chain| same(&chain)) {
            Ok(found.len())
        } else {
            Err(NetworkError::ReadBack(wanted.len(), found.len()))
        }
    }

    fn counted(&mut self) -> Result<BTreeMap<String, u64>, NetworkError> {
        Ok(nft::counters(&mut self.socket, TABLE)?.into_iter().collect())
    }

    /// Before rules change: what has leaked stays so, whatever passes while they do.
    fn settle_leaks(&mut self) -> Result<(), NetworkError> {
        let counted = self.counted()?;
        let report = self.report()?;
        self.leaks.before = self.leaks.now(self.balance(&report, &counted));
        Ok(())
    }

    /// What came through behind the queues less what was accepted, out and in.
    fn balance(&self, report: &Report, counted: &BTreeMap<String, u64>) -> [i64; 2] {
        WAYS.map(|way| {
            let through = self.faults.keys().map(|id| of(counted, *id, way, "leak")).sum::<u64>();
            through as i64 - report.accepted[way as usize] as i64
        })
    }

    /// Adds what the kernel counted to what the packet thread did.
    fn with_kernel(&self, report: &Report, counted: &BTreeMap<String, u64>) -> BTreeMap<FaultId, Counters> {
        let both = |id, what| WAYS.iter().map(|way| of(counted, id, *way, what)).sum::<u64>();
        let leaked = self.leaks.now(self.balance(report, counted));
        let counters = |id: &FaultId| {
            let seen = report.faults.get(id).cloned().unwrap_or_default();
            Counters { hit: both(*id, "hit"), cut: both(*id, "cut"), leaked, ..seen }
        };
        self.faults.keys().map(|id| (*id, counters(id))).collect()
    }
}

fn of(counted: &BTreeMap<String, u64>, fault: FaultId, way: Way, what: &str) -> u64 {
    counted.get(&rules::counter(fault, way, what)).copied().unwrap_or(0)
}

fn lose_all() -> Shape {
    let chance = Chance { percent: Percent(1.0), correlation: Percent(0.0) };
    Shape { loss: Some(Loss::Random(chance)), ..Shape::default() }
}

fn check_size(traffic: &Traffic) -> Result<(), NetworkError> {
    let size = rules::size(traffic);
    if size > RULES_MOST {
        return Err(NetworkError::Settings(format!(
            "peers and ports make {size} rules, and {RULES_MOST} are the limit; use blocks of addresses or ranges of ports"
        )));
    }
    Ok(())
}

fn no_engine(error: EngineError) -> NetworkError {
    match error {
        EngineError::Io(io) if io.kind() == std::io::ErrorKind::PermissionDenied => {
            NetworkError::Lacking("no right to send whole packets (NET_RAW)".into())
        }
        error => error.into(),
    }
}
