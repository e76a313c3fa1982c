//! From answers to spells: how long each alert was pending and firing, on our clock, and when nothing was known.

use crate::{
    analysis::{EvidenceId, Interval, Ledger, clocks::Clock},
    clock::At,
    event::{AlertChanged, AlertLabels, AlertState, DetectTerms, Event, EventKind},
};
use std::collections::BTreeMap;

/// From quiet to quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    /// Whose.
    pub labels: AlertLabels,
    /// When it began to be pending.
    pub pending: Option<Interval<At>>,
    /// When it began to fire; `None`: it never did, or did when the first answer came.
    pub firing: Option<Interval<At>>,
    /// It fired when the first answer came.
    pub before: bool,
    /// When it was silenced or inhibited before it ever fired: nobody was told.
    pub suppressed: Option<Interval<At>>,
    /// When it was over.
    pub ended: Option<Interval<At>>,
    /// Where it began in the first answer.
    first_seen: At,
    /// Lines.
    pub evidence: Vec<EvidenceId>,
}

impl Spell {
    fn begin(labels: AlertLabels, at: At) -> Spell {
        Spell {
            labels,
            pending: None,
            firing: None,
            before: false,
            suppressed: None,
            ended: None,
            first_seen: at,
            evidence: Vec::new(),
        }
    }

    /// Whether it fired at any time that was watched.
    pub fn fires(&self) -> bool {
        self.before || self.firing.is_some()
    }

    /// What it was, from, to; `end` is where the watch ends.
    pub fn stretches(&self, end: At) -> Vec<(AlertState, At, At)> {
        let over = self.ended.map_or(end, |ended| ended.high);
        let firing = self.firing.map(|firing| firing.high).or(self.before.then_some(self.first_seen));
        let loud = firing.or(self.suppressed.map(|from| from.high));
        let mut all = Vec::new();
        if let Some(pending) = self.pending {
            all.push((AlertState::Pending, pending.high, loud.unwrap_or(over)));
        }
        if let Some(from) = self.suppressed {
            all.push((AlertState::Suppressed, from.high, firing.unwrap_or(over)));
        }
        all.extend(firing.map(|from| (AlertState::Firing, from, over)));
        all.retain(|(_, from, to)| from < to);
        all
    }
}

/// A change, as it was told.
#[derive(Debug, Clone)]
pub struct Edge {
    pub labels: AlertLabels,
    pub state: AlertState,
    /// `None`: the first answer had it already.
    pub at: Option<Interval<At>>,
    pub seen: At,
    pub evidence: EvidenceId,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Watch {
    pub spells: Vec<Spell>,
    pub edges: Vec<Edge>,
    pub watched: Option<(At, At)>,
    pub answers: u64,
    pub gaps: Vec<(At, At)>,
    pub clock_ns: Option<Interval<i64>>,
    pub evidence: Vec<EvidenceId>,
}

impl Watch {
    /// From the journal; what comes after `end` is left out.
    pub fn read(terms: &DetectTerms, events: &[Event], clock: &Clock, end: At, ledger: &mut Ledger) -> Watch {
        let mut watch = Watch { clock_ns: clock.lead(), ..Watch::default() };
        let mut open: BTreeMap<AlertLabels, Spell> = BTreeMap::new();
        let (mut first, mut last, mut end_known) = (None, None, None);
        for event in events.iter() {
            match &event.kind {
                EventKind::AlertsRead { sent, .. } => {
                    watch.answers += 1;
                    if let Some((_, known)) = last.filter(|(_, known)| apart(terms, *known, *sent)) {
                        watch.gaps.push((known, *sent));
                    }
                    first = first.or(Some((event.seq + 1, *sent)));
                    last = Some((event.seq + 1, event.at));
                    end_known = Some(event.at);
                }
                EventKind::AlertChanged(change) => {
                    let line = ledger.line(event.seq + 1);
                    let at = edge(change, event.at, clock);
                    let (labels, state) = (change.labels.clone(), change.state);
                    watch.edges.push(Edge { labels, state, at, seen: event.at, evidence: line });
                    watch.spells.extend(take(&mut open, change, at, event.at, line));
                }
                _ => {}
            }
        }
        watch.spells.extend(open.into_values());
        watch.spells.sort_by(|a, b| (begun(a), &a.labels).cmp(&(begun(b), &b.labels)));
        watch.watched = first.zip(end_known).map(|((_, from), to)| (from, to));
        if let Some((_, known)) = last.filter(|(_, known)| apart(terms, *known, end)) {
            watch.gaps.push((known, end));
        }
        watch.evidence = first
            .map(|(line, _)| line)
            .into_iter()
            .chain(last.map(|(line, _)| line))
            .map(|line| ledger.line(line))
            .collect();
        watch.evidence.dedup();
        watch
    }

    /// How much of a stretch of time nothing is known of, as a share of it.
    pub fn unread(&self, from: At, to: At) -> f64 {
        let Some((first, _)) = self.watched else { return 1.0 };
        let head = (from, first.clamp(from, to));
        let inside = self.gaps.iter().map(|(a, b)| ((*a).clamp(from, to), (*b).clamp(from, to)));
        let unread: u64 = inside.chain([head]).map(|(a, b)| b.saturating_sub(a)).sum();
        unread as f64 / to.saturating_sub(from).max(1) as f64
    }
}

/// Two answers are so far apart that at least one between them is missing and was not merely slow.
fn apart(terms: &DetectTerms, known: At, next: At) -> bool {
    next.saturating_sub(known) > terms.every.ns().saturating_mul(5) / 2
}

fn begun(spell: &Spell) -> At {
    let edges = [spell.pending, spell.suppressed, spell.firing];
    if spell.before { 0 } else { edges.into_iter().flatten().map(|edge| edge.high).min().unwrap_or(0) }
}

/// When a change happened, on our clock. `None`: before the first answer.
fn edge(change: &AlertChanged, seen: At, clock: &Clock) -> Option<Interval<At>> {
    let after = change.after?;
    let stamped =
        change.stamped_ns.and_then(|[low, high]| Some((clock.at(low, seen)?.low, clock.at(high, seen)?.high)));
    let (low, high) = stamped.unwrap_or((after, seen));
    let high = high.min(seen);
    Some(Interval { low: low.min(high), high })
}

/// Takes a change into the open spells; the spell that it ends.
fn take(
    open: &mut BTreeMap<AlertLabels, Spell>,
    change: &AlertChanged,
    edge: Option<Interval<At>>,
    seen: At,
    line: EvidenceId,
) -> Option<Spell> {
    let known = open.get(&change.labels).is_some();
    match change.state {
        AlertState::Resolved => {
            let mut spell = open.remove(&change.labels)?;
            spell.ended = edge;
            spell.evidence.push(line);
            Some(spell)
        }
        state => {
            // Pending again without having been quiet in any answer: one spell ended, and another began.
            let again = state == AlertState::Pending && known;
            let over = if again { open.remove(&change.labels) } else { None };
            let spell = open.entry(change.labels.clone()).or_insert_with(|| Spell::begin(change.labels.clone(), seen));
            spell.evidence.push(line);
            match state {
                AlertState::Pending => spell.pending = edge,
                AlertState::Suppressed if !spell.fires() => spell.suppressed = edge,
                AlertState::Firing if !spell.fires() => {
                    spell.firing = edge;
                    spell.before = edge.is_none();
                }
                _ => {}
            }
            over.map(|spell| Spell { ended: edge, ..spell })
        }
    }
}
