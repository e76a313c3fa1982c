//! What a run answers to a criterion: yes, no, or that it does not tell.

use crate::{
    analysis::{
        Absent, Criterion, CriterionStatus, FigureKind, Findings, LOW_MARGIN, RunOutcome, Value, Word, condition,
    },
    event::Phase,
    review::{
        quantity,
        rules::{RuleHit, Wanted, could_find, promise, same},
    },
};

/// Yes or no, each with what it rests on.
pub enum Answer {
    /// What is wanted is reached.
    Yes(String),
    /// It is not.
    No(String),
}

/// A run that is asked.
pub struct Run<'a> {
    /// What it came to.
    pub findings: &'a Findings,
    /// What the rules found in it.
    pub hits: &'a [RuleHit],
}

impl Run<'_> {
    /// Whether what is wanted is reached.
    ///
    /// # Errors
    /// Why the run does not tell, for people.
    pub fn ask(&self, wanted: &Wanted) -> Result<Answer, String> {
        if let Some(no) = self.ended_by(wanted) {
            return Ok(Answer::No(no));
        }
        self.decided()?;
        match wanted {
            Wanted::Promise(words) => self.promise(words)?.ok_or_else(|| unknown(words)),
            Wanted::Room(words) => self.room(words),
            Wanted::Recovered(probe) => match self.promise(&wanted.to_string())? {
                Some(promised) => Ok(promised),
                None => self.recovered(probe),
            },
            Wanted::RecoveredUnderFault(probe) => self.recovered_under_fault(probe),
            Wanted::Quiet(guard) => self.quiet(guard),
            Wanted::Clean => Ok(Answer::Yes("everything was put back, and that is proven".into())),
            Wanted::Decided => Ok(Answer::Yes(format!("the run ended as {}", self.findings.verdict.word))),
            Wanted::Nothing { rule, on } => self.nothing(rule, on),
        }
    }

    /// What is wanted can be the very thing for whose lack a run is not decided.
    fn ended_by(&self, wanted: &Wanted) -> Option<String> {
        let (verdict, guards) = (&self.findings.verdict, &self.findings.guards);
        match (wanted, verdict.word, &verdict.run) {
            (Wanted::Clean, Word::CleanupUnproven, _) => Some("it is not proven that everything was put back".into()),
            (Wanted::Decided, Word::Undecided, _) => Some("the run ended as UNDECIDED".into()),
            (Wanted::Quiet(guard), Word::Halted, RunOutcome::Halted(trip)) => {
                let trip = guards.get(*trip).filter(|trip| same(&trip.condition, guard))?;
                Some(format!("the guard {} halted the run: {}", trip.condition, trip.measured))
            }
            _ => None,
        }
    }

    fn decided(&self) -> Result<(), String> {
        let verdict = &self.findings.verdict;
        if verdict.run == RunOutcome::Complete && matches!(verdict.code, 0 | 1) {
            return Ok(());
        }
        Err(format!("the run ended as {} (code {}), which decides nothing", verdict.word, verdict.code))
    }

    /// The promise of these words. The gate has judged those of the baseline already.
    fn promised(&self, words: &str) -> Option<&Criterion> {
        self.promises().find(|criterion| same(&promise(criterion, self.findings), words))
    }

    fn promises(&self) -> impl Iterator<Item = &Criterion> {
        self.findings.criteria.iter().filter(|criterion| criterion.phase != Phase::Baseline)
    }

    /// `None`: the scenario promises nothing of that kind.
    fn promise(&self, words: &str) -> Result<Option<Answer>, String> {
        let Some(criterion) = self.promised(words) else {
            let mut all = self.promises().map(|criterion| promise(criterion, self.findings));
            let other = all.find(|now| same(unbounded(now), unbounded(words)));
            return other.map_or(Ok(None), |now| Err(format!("the scenario promises `{now}` now, not `{words}`")));
        };
        let measured = criterion.measured.map_or_else(|absent| absent.to_string(), quantity::value);
        match criterion.status {
            CriterionStatus::Met => Ok(Some(Answer::Yes(format!("`{words}` was met: {measured}")))),
            CriterionStatus::Broken => Ok(Some(Answer::No(format!("`{words}` was broken: {measured}")))),
            CriterionStatus::Undecided => Err(format!("`{words}` is undecided: {measured}")),
            CriterionStatus::NotReached => Err(format!("the run did not get as far as `{words}`")),
        }
    }

    /// Only of a run that held is there any room to speak of.
    fn room(&self, words: &str) -> Result<Answer, String> {
        let kept = match self.promise(words)?.ok_or_else(|| unknown(words))? {
            Answer::Yes(kept) => kept,
            broken @ Answer::No(_) => return Ok(broken),
        };
        let word = self.findings.verdict.word;
        if !matches!(word, Word::Held | Word::HeldLowMargin) {
            return Ok(Answer::No(format!("{kept}, and the run ended as {word}")));
        }
        let margin = self.promised(words).and_then(|criterion| criterion.margin);
        let margin = margin.ok_or_else(|| format!("{kept}, which has no margin"))?;
        let told = format!("{kept}, a margin of {}", quantity::margin(margin));
        Ok(if margin >= LOW_MARGIN { Answer::Yes(told) } else { Answer::No(told) })
    }

    fn recovered(&self, name: &str) -> Result<Answer, String> {
        let watched = |probe: &&crate::analysis::ProbeFindings| {
            let after = probe.phase(Phase::Recovery);
            probe.judged && same(&probe.name, name) && after.is_some_and(|after| after.offered > 0)
        };
        let probe = self.findings.probes.iter().find(watched);
        let probe = probe.ok_or_else(|| format!("no judged probe {name} was sent after the fault"))?;
        Ok(match &probe.impact {
            None => Answer::Yes(format!("{name}: {}", Absent::NoImpact)),
            Some(impact) if impact.end.is_some() && impact.confirmed => Answer::Yes(format!("{name} recovered")),
            Some(_) => Answer::No(format!("{name} was not well again when the watch ended")),
        })
    }

    fn recovered_under_fault(&self, name: &str) -> Result<Answer, String> {
        let probe = self.findings.probes.iter().find(|probe| same(&probe.name, name));
        let figure = probe.and_then(|p| self.findings.figure(FigureKind::RecoveredUnderFault, Some(p.id), None));
        match figure.map(|figure| &figure.value) {
            Some(Ok(Value::Flag(true))) => Ok(Answer::Yes(format!("{name} recovered before the fault was removed"))),
            Some(Ok(_) | Err(Absent::NotRecovered { .. })) => {
                Ok(Answer::No(format!("{name} did not recover before the fault was removed")))
            }
            Some(Err(Absent::NoImpact)) => Ok(Answer::Yes(format!("{name}: {}", Absent::NoImpact))),
            Some(Err(absent)) => Err(format!("whether {name} recovered under the fault is not known: {absent}")),
            None => Err(format!("no probe {name} was sent")),
        }
    }

    fn quiet(&self, guard: &str) -> Result<Answer, String> {
        if let Some(trip) = self.findings.guards.iter().find(|trip| same(&trip.condition, guard)) {
            return Ok(Answer::No(format!("the guard {} tripped: {}", trip.condition, trip.measured)));
        }
        let known = self.findings.terms.guards.iter().any(|known| same(&condition(known), guard));
        known
            .then(|| Answer::Yes(format!("the guard {guard} did not trip")))
            .ok_or_else(|| format!("the scenario has no guard {guard}"))
    }

    fn nothing(&self, rule: &str, on: &str) -> Result<Answer, String> {
        let wanted = Wanted::Nothing { rule: rule.into(), on: on.into() }.to_string();
        let still = |hit: &&RuleHit| {
            same(&hit.candidate.criterion.to_string(), &wanted) || (hit.rule == rule && same(&hit.service, on))
        };
        if let Some(hit) = self.hits.iter().find(still) {
            return Ok(Answer::No(format!("rule {rule} still finds: {}", hit.title)));
        }
        could_find(self.findings, rule, on)?;
        Ok(Answer::Yes(format!("rule {rule} finds nothing on {on} any more")))
    }
}

fn unknown(words: &str) -> String {
    format!("the scenario promises nothing that reads `{words}`")
}

/// Up to the bound: `during: checkout p99`, `during: alert CacheDown fires`.
fn unbounded(words: &str) -> &str {
    let end = [" <", " >", " within "].iter().filter_map(|bound| words.find(bound)).min();
    &words[..end.unwrap_or(words.len())]
}
