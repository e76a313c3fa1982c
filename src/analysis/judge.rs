//! The verdict: three facts, then the first word and code that applies.

use super::{
    Cleanup, Criterion, CriterionStatus, Doubt, DoubtKind, FaultFindings, GuardTrip, Hypothesis, Ledger, ProbeFindings,
    Reason, RunOutcome, Verdict, Why, Word, faults::what_differs, windows::lines,
};
use crate::{
    clock::At,
    container::Op,
    event::{Event, EventKind, NotStarted, Phase, Terms, UndoReason},
    journal::read::Journal,
};

/// A fault must have been effective for this share of `for`.
const EFFECTIVE: f64 = 0.9;
/// Less room than this is a low margin.
pub const LOW_MARGIN: f64 = 0.2;

/// What a verdict is drawn from.
pub struct Case<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The hypothesis table.
    pub criteria: &'a [Criterion],
    /// The faults.
    pub faults: &'a [FaultFindings],
    /// What the probes saw.
    pub probes: &'a [ProbeFindings],
    /// Reasons to distrust.
    pub doubts: &'a [Doubt],
    /// Guards that tripped.
    pub guards: &'a [GuardTrip],
}

/// Judges.
pub fn verdict(case: &Case<'_>, ledger: &mut Ledger) -> Verdict {
    let terms = &case.journal.started.terms;
    let run = run_outcome(case);
    let unproven = case.unproven_undos(ledger);
    let cleanup = if unproven.is_empty() { Cleanup::Proven } else { Cleanup::Unproven };
    let (hypothesis, grounds) = case.hypothesis(terms, &run, ledger);
    let smallest_margin = case.smallest_margin();
    let held = hypothesis == Hypothesis::Held && run == RunOutcome::Complete;
    let low_margin = held && smallest_margin.is_some_and(|(margin, _)| margin < LOW_MARGIN);
    let (word, code) = word_and_code(case, cleanup, &run, hypothesis, low_margin);
    Verdict {
        word,
        code,
        cleanup,
        run,
        hypothesis,
        reasons: unproven.into_iter().chain(grounds).collect(),
        smallest_margin,
        low_margin,
        no_impact: held && case.probes.iter().all(|p| p.impact.is_none()),
    }
}

fn word_and_code(case: &Case<'_>, cleanup: Cleanup, run: &RunOutcome, hypothesis: Hypothesis, low: bool) -> (Word, u8) {
    if cleanup == Cleanup::Unproven {
        return (Word::CleanupUnproven, 5);
    }
    if case.journal.started.terms.expect.is_empty() {
        return (Word::Undecided, 2);
    }
    match run {
        RunOutcome::NotStarted(NotStarted::CouldNotRun(_)) => return (Word::NotStarted, 3),
        RunOutcome::NotStarted(NotStarted::BaselineNotMet(_)) => return (Word::NotStarted, 7),
        RunOutcome::NotStarted(NotStarted::GuardTripped(_)) => return (Word::NotStarted, 4),
        RunOutcome::NotStarted(NotStarted::Stopped(_)) => return (Word::NotStarted, 130),
        RunOutcome::Stopped(_) => return (Word::Stopped, 130),
        RunOutcome::Halted(_) => return (Word::Halted, 4),
        RunOutcome::Complete | RunOutcome::GaveUp | RunOutcome::CutShort => {}
    }
    match hypothesis {
        Hypothesis::Violated if case.not_recovered() => (Word::NotRecovered, 1),
        Hypothesis::Violated => (Word::Violated, 1),
        Hypothesis::Undecided => (Word::Undecided, 6),
        Hypothesis::Held if low => (Word::HeldLowMargin, 0),
        Hypothesis::Held => (Word::Held, 0),
    }
}

fn run_outcome(case: &Case<'_>) -> RunOutcome {
    let events = &case.journal.events;
    let complete = events.iter().rev().find_map(|e| match e.kind {
        EventKind::RunEnded { complete } => Some(complete),
        _ => None,
    });
    let not_started = events.iter().find_map(|e| match &e.kind {
        EventKind::NotStarted(why) => Some(why.clone()),
        _ => None,
    });
    let stopped = events.iter().find_map(|e| match &e.kind {
        EventKind::StopRequested { by } => Some(by.clone()),
        _ => None,
    });
    if let Some(why) = not_started {
        return RunOutcome::NotStarted(why);
    }
    match (complete, stopped, case.guards.iter().position(|g| g.halted)) {
        (Some(true), _, None) => RunOutcome::Complete,
        (_, Some(by), _) => RunOutcome::Stopped(by),
        (_, None, Some(trip)) => RunOutcome::Halted(trip),
        (Some(false), None, None) => RunOutcome::GaveUp,
        (_, None, None) => RunOutcome::CutShort,
    }
}

impl Case<'_> {
    fn hypothesis(&self, terms: &Terms, run: &RunOutcome, ledger: &mut Ledger) -> (Hypothesis, Vec<Reason>) {
        if terms.expect.is_empty() {
            return (Hypothesis::Undecided, vec![Reason { why: Why::NothingToJudge, evidence: Vec::new() }]);
        }
        if matches!(run, RunOutcome::NotStarted(_)) {
            return (Hypothesis::Undecided, Vec::new());
        }
        let blind = self.unproven_faults(terms);
        let deaths = self.deaths_after_undo(ledger);
        let broken = self.broken();
        let vague = self.vague(run, ledger);
        if !blind.is_empty() {
            // What broke a limit, if one broke, is unknown.
            return (Hypothesis::Undecided, blind.into_iter().chain(vague).chain(deaths).chain(broken).collect());
        }
        if matches!(run, RunOutcome::CutShort | RunOutcome::GaveUp) {
            return (Hypothesis::Undecided, vague.into_iter().chain(deaths).chain(broken).collect());
        }
        let violated = !deaths.is_empty() || !broken.is_empty();
        let undecided = !vague.is_empty() || *run != RunOutcome::Complete;
        let reasons = broken.into_iter().chain(deaths).chain(vague).collect();
        match (violated, undecided) {
            (true, _) => (Hypothesis::Violated, reasons),
            (false, true) => (Hypothesis::Undecided, reasons),
            (false, false) => (Hypothesis::Held, reasons),
        }
    }

    /// The gate has judged the baseline already: only what comes after it makes or breaks the hypothesis.
    fn judged(&self) -> impl Iterator<Item = (usize, &Criterion)> {
        self.criteria.iter().enumerate().filter(|(_, c)| c.phase != Phase::Baseline)
    }

    fn broken(&self) -> Vec<Reason> {
        let broken = self.judged().filter(|(_, c)| c.status == CriterionStatus::Broken);
        broken.map(|(i, c)| Reason { why: Why::Broken(i), evidence: c.evidence.clone() }).collect()
    }

    /// Whether it is the recovery that failed: late, or never.
    fn not_recovered(&self) -> bool {
        let late = |c: &Criterion| c.what == super::Bounded::RecoveredWithin && c.status == CriterionStatus::Broken;
        let never = |c: &Criterion| {
            let probe = c.probe.and_then(|id| self.probes.get(usize::from(id)));
            let still_bad = probe.and_then(|p| p.impact.as_ref()).is_some_and(|impact| impact.end.is_none());
            c.phase == Phase::Recovery && c.status == CriterionStatus::Broken && still_bad
        };
        self.criteria.iter().any(|c| late(c) || never(c))
    }

    fn smallest_margin(&self) -> Option<(f64, usize)> {
        let told = |c: &Criterion| matches!(c.status, CriterionStatus::Met | CriterionStatus::Broken);
        self.judged()
            .filter(|(_, c)| told(c))
            .filter_map(|(i, c)| Some((c.margin?, i)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Faults that were due and were not seen to be in place; and drills that touched nothing at all.
    fn unproven_faults(&self, terms: &Terms) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for fault in self.faults {
            let detail = match (&fault.skipped, fault.requested, fault.proven) {
                (Some(why), _, _) if !self.ended_early() => why.clone(),
                (None, None, _) if !self.ended_early() => "it was never asked for".to_owned(),
                (_, Some(_), Some(false)) => what_was_seen(fault),
                (_, Some(_), None) => "nobody looked".to_owned(),
                _ => continue,
            };
            reasons
                .push(Reason { why: Why::FaultUnproven { fault: fault.id, detail }, evidence: fault.evidence.clone() });
        }
        if !terms.expect.may_touch_nothing {
            reasons.extend(self.faults.iter().filter_map(not_felt));
            reasons.extend(self.faults.iter().filter_map(no_packets));
        }
        let touched = self.faults.iter().any(|f| f.effective.is_some());
        if reasons.is_empty() && !touched && !terms.expect.may_touch_nothing {
            reasons.push(Reason { why: Why::TouchedNothing, evidence: Vec::new() });
        }
        reasons
    }

    /// Halted or stopped: faults that were left out are no surprise.
    fn ended_early(&self) -> bool {
        let stopped = |e: &Event| matches!(e.kind, EventKind::StopRequested { .. });
        self.journal.cut_short || self.guards.iter().any(|g| g.halted) || self.journal.events.iter().any(stopped)
    }

    /// What keeps the data from telling.
    fn vague(&self, run: &RunOutcome, ledger: &mut Ledger) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.doubts.iter().filter(|d| d.decisive).filter_map(|d| self.why(d)).collect();
        reasons.extend(self.faults.iter().filter_map(too_short));
        reasons.extend(self.faults.iter().filter_map(leaked));
        let unjudged = |c: &Criterion| match c.status {
            CriterionStatus::Undecided => true,
            CriterionStatus::NotReached => *run == RunOutcome::Complete,
            CriterionStatus::Met | CriterionStatus::Broken => false,
        };
        let unjudged = self.judged().filter(|(_, c)| unjudged(c));
        reasons.extend(unjudged.map(|(i, c)| Reason { why: Why::Unjudged(i), evidence: c.evidence.clone() }));
        if matches!(run, RunOutcome::CutShort | RunOutcome::GaveUp) && reasons.is_empty() {
            let evidence = lines(&self.journal.events, ledger, |kind| matches!(kind, EventKind::RunEnded { .. }));
            reasons.push(Reason { why: Why::CutShort, evidence });
        }
        reasons
    }

    fn why(&self, doubt: &Doubt) -> Option<Reason> {
        let why = match &doubt.kind {
            DoubtKind::CutShort => Why::CutShort,
            DoubtKind::Damaged(what) => Why::EvidenceLost(what.clone()),
            DoubtKind::EvidenceLost { file, .. } => Why::EvidenceLost(file.clone()),
            DoubtKind::Unknown { probe, phase, share } => {
                let stats = self.probes.get(usize::from(*probe)).and_then(|p| p.phase(*phase));
                let behind = stats.is_some_and(|s| s.behind_share > 0.0);
                Why::UnknownTicks { probe: *probe, phase: *phase, share: *share, behind }
            }
            _ => return None,
        };
        Some(Reason { why, evidence: doubt.evidence.clone() })
    }

    /// Undos that were due (something had been asked for) and that nobody has seen to have worked.
    fn unproven_undos(&self, ledger: &mut Ledger) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for fault in self.faults.iter().filter(|f| f.requested.is_some() && f.held) {
            for container in fault.containers.iter().filter(|c| c.operations.iter().any(|o| !o.undo)) {
                let detail = match &container.undo_proof {
                    Some((true, _)) => continue,
                    Some((false, _)) if self.death_after_undo(&container.container).is_some() => continue,
                    Some((false, differences)) => what_differs(differences),
                    None => "nobody looked whether it is undone".to_owned(),
                };
                let why = Why::UndoUnproven { fault: fault.id, container: container.container.clone(), detail };
                reasons.push(Reason { why, evidence: fault.evidence.clone() });
            }
        }
        if reasons.is_empty() {
            reasons.extend(self.left(ledger));
        }
        reasons
    }

    /// What the engine itself says is left, unless it is a container that died after we had started it.
    fn left(&self, ledger: &mut Ledger) -> Option<Reason> {
        let event = self.journal.events.iter().rev().find(|e| matches!(e.kind, EventKind::CleanedUp { .. }))?;
        let EventKind::CleanedUp { left } = &event.kind else { return None };
        let excused =
            self.faults.iter().flat_map(|f| &f.containers).any(|c| self.death_after_undo(&c.container).is_some());
        if left.is_empty() || excused {
            return None;
        }
        let why = Why::UndoUnproven { fault: 0, container: String::new(), detail: left.join("; ") };
        Some(Reason { why, evidence: vec![ledger.line(event.seq + 1)] })
    }

    fn deaths_after_undo(&self, ledger: &mut Ledger) -> Vec<Reason> {
        let mut names: Vec<&str> =
            self.faults.iter().flat_map(|f| &f.containers).map(|c| c.container.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let deaths = names.into_iter().filter_map(|name| Some((name, self.death_after_undo(name)?)));
        deaths
            .map(|(name, (line, exit_code))| Reason {
                why: Why::DiedAfterUndo { container: name.to_owned(), exit_code },
                evidence: vec![ledger.line(line)],
            })
            .collect()
    }

    /// The first end of a container after we had started it again, outside of anything that we did to it: the line
    /// and the exit code.
    fn death_after_undo(&self, name: &str) -> Option<(u64, Option<i64>)> {
        let on: Vec<_> = self.faults.iter().flat_map(|f| &f.containers).filter(|c| c.container == name).collect();
        let operations = || on.iter().flat_map(|c| &c.operations);
        let revives = |o: &&super::Operation| {
            o.error.is_none() && (o.undo && o.op == Op::Start || matches!(o.op, Op::Restart { .. }))
        };
        let started = operations().filter(revives).map(|o| o.answered).min()?;
        let ours = |at: At| {
            let kills = |op: &Op| matches!(op, Op::Kill { .. } | Op::Stop { .. } | Op::Restart { .. });
            operations().any(|o| kills(&o.op) && (o.sent..o.answered.saturating_add(AFTERWARDS)).contains(&at))
        };
        self.journal.events.iter().find_map(|e| match &e.kind {
            EventKind::ContainerChanged { target: true, event }
                if event.name == name && event.action == "die" && e.at > started && !ours(e.at) =>
            {
                Some((e.seq + 1, event.exit_code))
            }
            _ => None,
        })
    }
}

/// Events may be told a little after the operation that caused them was answered.
const AFTERWARDS: u64 = 500_000_000;

/// In place on every container, and none of them met it.
fn not_felt(fault: &FaultFindings) -> Option<Reason> {
    let worked: Vec<_> = fault.containers.iter().filter_map(|on| on.worked.as_ref()).collect();
    let nothing = !worked.is_empty() && worked.iter().all(|worked| !worked.figures.touched());
    let evidence = worked.iter().map(|worked| worked.evidence).collect();
    (nothing && fault.proven == Some(true)).then_some(Reason { why: Why::NotFelt { fault: fault.id }, evidence })
}

/// More than this share of the packets past a fault makes what it did uncertain.
const LEAKED: f64 = 0.01;

/// In place on every container, and nothing came by on any of them.
fn no_packets(fault: &FaultFindings) -> Option<Reason> {
    let counted: Vec<_> = fault.containers.iter().filter_map(|on| on.packets.as_ref()).collect();
    let nothing = !counted.is_empty() && counted.iter().all(|packets| packets.touched(&fault.kind) == 0);
    let evidence = counted.iter().flat_map(|packets| packets.evidence.clone()).collect();
    (nothing && fault.proven == Some(true)).then_some(Reason { why: Why::NoPackets { fault: fault.id }, evidence })
}

fn leaked(fault: &FaultFindings) -> Option<Reason> {
    let packets = fault.containers.iter().filter_map(|on| on.packets.as_ref());
    let worst = packets.max_by(|a, b| a.leaked_share().total_cmp(&b.leaked_share()))?;
    let share = worst.leaked_share();
    let why = Why::Leaked { fault: fault.id, share };
    (share > LEAKED).then(|| Reason { why, evidence: worst.evidence.clone() })
}

fn what_was_seen(fault: &FaultFindings) -> String {
    let seen = fault.containers.iter().filter_map(|c| match &c.proof {
        Some((true, _)) => None,
        Some((false, seen)) => Some(format!("{}: {seen}", c.container)),
        None => Some(format!("{}: nobody looked", c.container)),
    });
    seen.collect::<Vec<_>>().join("; ")
}

/// Under 90 % of `for`, unless we ended it early for a reason that is told anyway.
fn too_short(fault: &FaultFindings) -> Option<Reason> {
    let meant = fault.length.filter(|_| fault.held)?.ns();
    // How soon a crashed container is back is what a crash finds out.
    let found_out = fault.kind == "crash" && fault.ended_by.is_some();
    let early = found_out || matches!(fault.undo_reason, Some(UndoReason::Guard | UndoReason::Stopped));
    let held = fault.removed?.high.saturating_sub(fault.effective?.low);
    let effective = held.saturating_sub(fault.lost_ns);
    let share = effective as f64 / meant.max(1) as f64;
    let why = Why::EffectiveTooShort { fault: fault.id, share };
    (share < EFFECTIVE && !early).then(|| Reason { why, evidence: fault.evidence.clone() })
}
