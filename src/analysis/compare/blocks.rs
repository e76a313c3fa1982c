//! The requests of a run, second by second.

use crate::{
    analysis::{
        AnalysisError, Ledger, faults,
        log::{self, ProbeLog},
        windows::{self, JUDGED, Windows},
    },
    event::{EventKind, Phase},
    journal::{RunFolder, read},
    measure::{Class, ProbeId},
};
use std::collections::BTreeMap;

const SECOND: u64 = 1_000_000_000;

/// The requests that were due in one second of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// In the log.
    pub logged: u64,
    /// Of those, not ended well.
    pub failed: u64,
    /// Response times of answers and timeouts, microseconds.
    pub timed: Vec<u32>,
}

/// All blocks of a run, by probe and phase.
#[derive(Debug, Default)]
pub struct Blocks(BTreeMap<(ProbeId, Phase), Vec<Block>>);

impl Blocks {
    /// Those of one probe in one phase, in order; `None` if there are none.
    pub fn of(&self, probe: ProbeId, phase: Phase) -> Option<&[Block]> {
        self.0.get(&(probe, phase)).map(Vec::as_slice).filter(|blocks| !blocks.is_empty())
    }
}

/// Reads them, with the same phases as the review has.
///
/// # Errors
/// If the journal cannot be read.
pub fn read(folder: &RunFolder) -> Result<Blocks, AnalysisError> {
    let journal = read::read(folder)?;
    let (events, timing) = (&journal.events, journal.started.terms.timing);
    let mut ledger = Ledger::default();
    let tries = windows::baseline_tries(events, &mut ledger);
    let zero = events.iter().find(|event| event.kind == EventKind::GatePassed).map(|event| event.at);
    let faults = faults::findings(&journal.started, events, zero, &mut ledger);
    let windows = windows::find(events, &faults, timing, &tries);
    let log = log::read(folder, &log::schedules(events), &windows);
    let phases = |(id, log): (&ProbeId, &ProbeLog)| {
        let id = *id;
        JUDGED.map(|phase| ((id, phase), phase_blocks(log, &windows, phase)))
    };
    Ok(Blocks(log.probes.iter().flat_map(phases).collect()))
}

/// A request that was carried over the start of the fault belongs to its first second.
fn phase_blocks(log: &ProbeLog, windows: &Windows, phase: Phase) -> Vec<Block> {
    let Some(window) = windows.of(phase) else { return vec![] };
    let mut blocks = Vec::new();
    let mut from = window.start;
    while from < window.end {
        let to = from.saturating_add(SECOND).min(window.end);
        let elsewhere = |index: &usize| phase == Phase::Baseline && log.carried.binary_search(index).is_ok();
        blocks.push(block(log, log.series.due_in(from..to).filter(|index| !elsewhere(index))));
        from = to;
    }
    if let (Phase::During, Some(first)) = (phase, blocks.first_mut()) {
        let due = log.series.due_in(window);
        let carried = block(log, log.carried.iter().copied().filter(|index| !due.contains(index)));
        first.logged += carried.logged;
        first.failed += carried.failed;
        first.timed.extend(carried.timed);
    }
    blocks.retain(|block| block.logged > 0);
    blocks
}

fn block(log: &ProbeLog, requests: impl Iterator<Item = usize>) -> Block {
    let mut block = Block::default();
    for index in requests {
        let Some(class) = log.series.class(index) else { continue };
        block.logged += 1;
        block.failed += u64::from(class != Class::Ok);
        if class.timed() {
            block.timed.push(log.series.response_us(index));
        }
    }
    block
}
