//! Formulas with the numbers put in.

use crate::{
    analysis::{
        AlertOutcome, AlertRow, Bounded, Criterion, CriterionStatus, EvidenceId, FaultFindings, Figure, FigureKind,
        Impact, Interval, PhaseStats, ProbeFindings, TickState, Value, rank,
    },
    clock::At,
    event::Phase,
    review::{
        model::{Look, phase_name},
        quantity,
    },
};
use serde::Serialize;

/// A formula, and what went into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worked {
    /// `tr - ti0`
    pub formula: String,
    /// The same with the numbers put in: `t+1.414s - t+0.089s = 1.33s`; why not, if something is missing.
    pub numbers: String,
    /// What its letters stand for.
    pub inputs: Vec<Input>,
}

/// What went into a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// As the formula names it.
    pub symbol: String,
    /// What it is.
    pub meaning: String,
    /// As a review prints it; `not known` if the run did not tell.
    pub value: String,
    /// Where it comes from.
    #[serde(serialize_with = "cited")]
    pub evidence: Vec<EvidenceId>,
}

fn cited<S: serde::Serializer>(ids: &[EvidenceId], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(ToString::to_string))
}

/// A figure worked out.
pub fn of_figure(look: &Look<'_>, figure: &Figure) -> Worked {
    let sheet = Sheet { look, figure };
    let (formula, inputs) = match (figure.fault.and_then(|id| look.findings.faults.get(id)), figure.probe) {
        (Some(fault), _) => sheet.of_fault(fault),
        (_, Some(probe)) => match look.findings.probes.get(usize::from(probe)) {
            Some(probe) => sheet.of_probe(probe),
            None => (String::new(), vec![]),
        },
        _ => sheet.of_run(),
    };
    let result = figure.value.map(quantity::value).map_err(|absent| absent.to_string());
    Worked { numbers: put_in(&formula, &inputs, result), formula, inputs }
}

/// A criterion worked out, with its definition.
pub fn of_criterion(look: &Look<'_>, criterion: &Criterion) -> (String, Worked) {
    let phase = phase_name(criterion.phase);
    let window = criterion.window.map(|(from, to)| format!("{} to {}", look.when(from).t, look.when(to).t));
    let evidence = criterion.evidence.clone();
    let alerts =
        matches!(criterion.what, Bounded::AlertFires { .. } | Bounded::AlertResolves { .. } | Bounded::NoPage(_));
    let over = match alerts {
        true => "when it is judged".to_owned(),
        false => format!("the requests of {phase} that it is judged over"),
    };
    let many = if alerts { "how many answers of the alert source were read" } else { "how many these are" };
    let n = quantity::count(criterion.n);
    let mut inputs = vec![input("window", &over, window, &evidence), input("N", many, Some(n), &evidence)];
    inputs.extend(parts(look, criterion));
    let (definition, formula) = match &criterion.what {
        Bounded::Errors => {
            ("Requests that did not end well, as a share of all in the window.", "failed / N".to_owned())
        }
        Bounded::Latency(q) => (
            "The response time, from the intended send, that so large a share of answers and timeouts is not above.",
            format!("response time at place k ( k = ceil({} x N) ) in rising order", crate::units::trimmed(*q, 6)),
        ),
        Bounded::MaxFailed => ("Requests that did not end well in all of the phase.", "N - well".into()),
        Bounded::RecoveredWithin => {
            ("Recovery minus the start of the recovery phase; 0 if it came before.", "max(0, tr - tf1)".into())
        }
        Bounded::AlertFires { .. } => (
            "The alert firing for the first time minus the first fault effective, both at the latest.",
            "ta - tf0".into(),
        ),
        Bounded::AlertResolves { .. } => (
            "The alert resolved for the last time minus the start of the recovery phase (the last undo effective).",
            "resolved - tf1".into(),
        ),
        Bounded::NoPage(_) => (
            "Whether no such alert began to fire from the first fault effective to the end of recovery.",
            "no answer of the alert source against it in window".into(),
        ),
        Bounded::Unaffected(_) => (
            "Whether the container stayed as it was: not ended, not unhealthy, not out of memory.",
            "no event against it in window".into(),
        ),
    };
    let result = criterion.measured.map(quantity::value).map_err(|absent| absent.to_string());
    (definition.to_owned(), Worked { numbers: put_in(&formula, &inputs, result), formula, inputs })
}

/// What goes into a criterion besides its window and how many requests are in it.
fn parts(look: &Look<'_>, criterion: &Criterion) -> Vec<Input> {
    let findings = look.findings;
    let evidence = &criterion.evidence;
    let when = |at: Option<At>| at.map(|at| look.when(at).t);
    let from = when(criterion.window.map(|(from, _)| from));
    let row = |alert: &str| findings.alerts.iter().flat_map(|a| &a.rows).find(|row| row.alert == alert);
    match (&criterion.what, criterion.measured) {
        (Bounded::Errors, Ok(Value::Share(share))) => {
            let failed = (share * criterion.n as f64).round() as u64;
            vec![input("failed", "those that did not end well", Some(quantity::count(failed)), evidence)]
        }
        (Bounded::Latency(q), _) => {
            let place = rank(*q, usize::try_from(criterion.n).unwrap_or(usize::MAX)) as u64;
            vec![input("k", "so many are not above it", Some(quantity::count(place)), evidence)]
        }
        (Bounded::MaxFailed, Ok(Value::Count(failed))) => {
            let well = quantity::count(criterion.n.saturating_sub(failed));
            vec![input("well", "those that ended well", Some(well), evidence)]
        }
        (Bounded::RecoveredWithin, _) => {
            let impact = criterion.probe.and_then(|id| findings.probes.get(usize::from(id))?.impact.as_ref());
            let end = impact.filter(|impact| impact.confirmed).and_then(|impact| impact.end);
            let recovered = when(end.map(|end| end.high));
            vec![
                input("tr", "the first good completion of the recovery", recovered, evidence),
                input("tf1", "the last undo effective: the recovery phase begins", from, evidence),
            ]
        }
        (Bounded::AlertFires { alert, .. }, _) => {
            let fired = when(row(alert).and_then(|row| row.firing).map(|at| at.high));
            vec![
                input("ta", "the alert firing for the first time", fired, evidence),
                input("tf0", "the first fault effective, at the latest", from, evidence),
            ]
        }
        (Bounded::AlertResolves { alert, .. }, _) => {
            let resolved = when(row(alert).and_then(|row| row.resolved).map(|at| at.high));
            vec![
                input("resolved", "the alert resolved for the last time", resolved, evidence),
                input("tf1", "the last undo effective: the recovery phase begins", from, evidence),
            ]
        }
        _ => vec![],
    }
}

fn input(symbol: &str, meaning: &str, value: Option<String>, evidence: &[EvidenceId]) -> Input {
    Input {
        symbol: symbol.into(),
        meaning: meaning.into(),
        value: value.unwrap_or_else(|| UNKNOWN.into()),
        evidence: evidence.to_vec(),
    }
}

const UNKNOWN: &str = "not known";

/// Each letter of the formula becomes its number; longer letters first, so that none is taken for part of another.
fn put_in(formula: &str, inputs: &[Input], result: Result<String, String>) -> String {
    let value = match result {
        Ok(value) => value,
        Err(absent) => return format!("not measured: {absent}"),
    };
    let known = |word: &str| inputs.iter().find(|input| input.symbol == word && input.value != UNKNOWN);
    let words: Vec<&str> = formula.split(' ').collect();
    let filled: Vec<String> = words
        .iter()
        .map(|word| {
            let letters = word.trim_matches(['(', ')', ',']);
            known(letters).map_or_else(|| (*word).to_owned(), |input| word.replace(letters, &input.value))
        })
        .collect();
    format!("{} = {value}", filled.join(" "))
}

struct Sheet<'a> {
    look: &'a Look<'a>,
    figure: &'a Figure,
}

impl Sheet<'_> {
    fn of_fault(&self, fault: &FaultFindings) -> (String, Vec<Input>) {
        let due = self.moment("due", "when the fault was due", fault.intended, &fault.evidence);
        let effective = self.later("tf0", "the fault effective, at the latest", fault.effective, &fault.evidence);
        let asked = self.moment("asked", "when the undo was asked for", fault.undo_requested, &fault.evidence);
        let removed = self.later("tf1", "the fault removed, at the latest", fault.removed, &fault.evidence);
        match self.figure.kind {
            FigureKind::InjectionDelay => ("tf0 - due".into(), vec![effective, due]),
            FigureKind::RemovalDelay => ("tf1 - asked".into(), vec![removed, asked]),
            _ => ("tf1 - tf0".into(), vec![removed, effective]),
        }
    }

    fn of_probe(&self, probe: &ProbeFindings) -> (String, Vec<Input>) {
        let impact = probe.impact.as_ref();
        let began = || self.moment("ti0", "the last good completion before the impact", start(impact), &cites(impact));
        let recovered = || {
            let end = impact.filter(|i| i.confirmed).and_then(|i| i.end);
            self.later("tr", "the first good completion of the recovery", end, &cites(impact))
        };
        let effective = || {
            let first = self
                .look
                .findings
                .faults
                .iter()
                .filter(|f| f.effective.is_some())
                .min_by_key(|f| f.effective.map(|e| e.low));
            let evidence = first.map(|f| f.evidence.clone()).unwrap_or_default();
            self.later("tf0", "the first fault effective, at the latest", first.and_then(|f| f.effective), &evidence)
        };
        let over = || {
            let phase = self.look.findings.phase(Phase::Recovery);
            let evidence = phase.map(|p| p.evidence.clone()).unwrap_or_default();
            self.moment("tf1", "the last undo effective: the recovery phase begins", phase.map(|p| p.from), &evidence)
        };
        match self.figure.kind {
            FigureKind::TimeToImpact => {
                let first_bad = impact.map(|i| i.start);
                let first = self.later("ti0", "the first bad request of the impact", first_bad, &cites(impact));
                ("ti0 - tf0".into(), vec![first, effective()])
            }
            FigureKind::TimeToMitigate => {
                let at = impact.and_then(|i| i.mitigated);
                let mitigated = self.moment("tm", "from when on the mitigated limits hold", at, &cites(impact));
                ("tm - ti0".into(), vec![mitigated, began()])
            }
            FigureKind::TimeToRecover => ("tr - ti0".into(), vec![recovered(), began()]),
            FigureKind::RecoveryLag => ("tr - tf1".into(), vec![recovered(), over()]),
            FigureKind::RecoveredUnderFault => ("tr < tf1".into(), vec![recovered(), self.let_go()]),
            FigureKind::RecoveryFromFault => ("tr - tf0".into(), vec![recovered(), effective()]),
            FigureKind::DegradedSpan => {
                let end = impact.map(|i| i.end.map_or(self.look.findings.run.ended, |end| end.high));
                let last = self.moment("end", "the end of the last bad run", end, &cites(impact));
                ("end - ti0".into(), vec![last, began()])
            }
            FigureKind::DegradedTicks => self.ticks(probe, TickState::Bad, "bad"),
            FigureKind::UnknownTicks => self.ticks(probe, TickState::Unknown, "unknown"),
            FigureKind::OutageTime => self.outages(probe),
            _ => self.counted(probe),
        }
    }

    fn let_go(&self) -> Input {
        let touched = self.look.findings.faults.iter().filter(|fault| fault.effective.is_some());
        let last = touched.filter_map(|fault| Some((fault.removed?.low, fault))).max_by_key(|(low, _)| *low);
        let evidence = last.map(|(_, fault)| fault.evidence.clone()).unwrap_or_default();
        self.moment("tf1", "the last fault removed, at the earliest", last.map(|(low, _)| low), &evidence)
    }

    /// What is computed from counts over phases.
    fn counted(&self, probe: &ProbeFindings) -> (String, Vec<Input>) {
        let of = |phase| probe.phase(phase);
        let failed = |symbol: &str, phase| {
            let meaning = format!("requests of {} that did not end well", phase_name(phase));
            self.count(symbol, &meaning, of(phase).map(|s| s.failed), of(phase))
        };
        let logged = |symbol: &str, phase| {
            let meaning = format!("requests of {} in the log", phase_name(phase));
            self.count(symbol, &meaning, of(phase).map(|s| s.offered.saturating_sub(s.missing)), of(phase))
        };
        let ratio = |symbol: &str, phase| {
            let meaning = format!("failed / requests in the log of {}", phase_name(phase));
            self.input(symbol, &meaning, of(phase).and_then(|s| s.error_ratio).map(quantity::share), of(phase))
        };
        let good = |symbol: &str, phase| {
            let rate = of(phase).and_then(|s| s.goodput).map(|rate| quantity::value(Value::Rate(rate)));
            self.input(symbol, &format!("good answers a second in {}", phase_name(phase)), rate, of(phase))
        };
        let slo = || {
            let allowed = probe.slo.map(|slo| quantity::share(1.0 - slo.objective.0));
            self.input("allowed", "1 - SLO", allowed, None)
        };
        let both = || vec![failed("during", Phase::During), failed("after", Phase::Recovery)];
        match self.figure.kind {
            FigureKind::RequestsFailed => ("during + after".into(), both()),
            FigureKind::ExcessFailures => {
                let mut inputs = both();
                inputs.push(ratio("ratio", Phase::Baseline));
                inputs.extend([logged("n1", Phase::During), logged("n2", Phase::Recovery)]);
                ("during + after - ratio x ( n1 + n2 )".into(), inputs)
            }
            FigureKind::GoodputKept => {
                ("during / before".into(), vec![good("during", Phase::During), good("before", Phase::Baseline)])
            }
            FigureKind::BurnRate => ("ratio / allowed".into(), vec![ratio("ratio", Phase::During), slo()]),
            FigureKind::PeakBurnRate => {
                ("highest error ratio of any minute / allowed".into(), vec![slo(), failed("during", Phase::During)])
            }
            FigureKind::BudgetConsumed => {
                let period = probe.slo.map(|slo| slo.period.to_string());
                let period = self.input("period", "the period of the SLO", period, None);
                ("sum over seconds of error ratio x 1s / ( allowed x period )".into(), vec![slo(), period])
            }
            _ => (self.figure.kind.definition().trim_end_matches('.').to_lowercase(), vec![]),
        }
    }

    fn ticks(&self, probe: &ProbeFindings, state: TickState, word: &str) -> (String, Vec<Input>) {
        let fault = self.look.findings.phase(Phase::During).map(|during| during.from);
        let ticks = || probe.ticks.iter().filter(|t| fault.is_some_and(|fault| t.from >= fault));
        let counted = ticks().filter(|t| t.state == state).count() as u64;
        let all = ticks().count() as u64;
        let evidence = &self.figure.evidence;
        let length = quantity::span(probe.tick_ns);
        let of = format!("{word} ticks, of {} from the fault on", quantity::count(all));
        let inputs = vec![
            self.cited("ticks", &of, Some(quantity::count(counted)), evidence),
            self.cited("tick", "length of a whole tick (those at the edges are shorter)", Some(length), evidence),
        ];
        ("sum of the lengths of ticks x tick".into(), inputs)
    }

    fn outages(&self, probe: &ProbeFindings) -> (String, Vec<Input>) {
        let mut inputs = Vec::new();
        let mut terms = Vec::new();
        for (i, outage) in probe.outages.iter().enumerate() {
            let symbol = format!("gap{}", i + 1);
            let to = outage.first_good.unwrap_or(self.look.findings.run.ended);
            let meaning = format!(
                "no good completion from {} to {}",
                self.look.when(outage.last_good).t,
                outage.first_good.map_or_else(|| "the end".to_owned(), |at| self.look.when(at).t)
            );
            let length = quantity::span(to.saturating_sub(outage.last_good));
            inputs.push(self.cited(&symbol, &meaning, Some(length), &self.figure.evidence));
            terms.push(symbol);
        }
        let formula = if terms.is_empty() { "sum of the gaps".to_owned() } else { terms.join(" + ") };
        (formula, inputs)
    }

    fn of_run(&self) -> (String, Vec<Input>) {
        if let Some(told) = self.of_alerts() {
            return told;
        }
        let FigureKind::SmallestMargin = self.figure.kind else {
            return (self.figure.kind.definition().trim_end_matches('.').to_lowercase(), vec![]);
        };
        let findings = self.look.findings;
        let names = super::Names::of(findings);
        // The baseline is a gate, not a promise.
        let told = |c: &&Criterion| {
            c.phase != Phase::Baseline && matches!(c.status, CriterionStatus::Met | CriterionStatus::Broken)
        };
        let judged = findings.criteria.iter().filter(told).filter_map(|c| Some((c, c.margin?)));
        let input = |(criterion, margin): (&Criterion, f64)| Input {
            symbol: names.criterion(criterion),
            meaning: super::super::model::criterion_reading(self.look, criterion),
            value: quantity::margin(margin),
            evidence: criterion.evidence.clone(),
        };
        ("the smallest of the margins below".into(), judged.map(input).collect())
    }

    /// Times of alerts, each between two moments.
    fn of_alerts(&self) -> Option<(String, Vec<Input>)> {
        let findings = self.look.findings;
        let alerts = findings.alerts.as_ref()?;
        let right = |row: &&AlertRow| matches!(row.outcome, AlertOutcome::Fired | AlertOutcome::Late);
        let rows = || alerts.rows.iter().filter(right);
        let fires = || {
            let first = rows().min_by_key(|row| row.firing.map(|at| at.high));
            let evidence = first.map(|row| row.evidence.clone()).unwrap_or_default();
            self.later("ta", "the first expected alert firing", first.and_then(|row| row.firing), &evidence)
        };
        let impact = findings.main().and_then(|probe| probe.impact.as_ref());
        match self.figure.kind {
            FigureKind::TimeToDetect => {
                let fault =
                    findings.faults.iter().filter(|f| f.effective.is_some()).min_by_key(|f| f.effective.map(|e| e.low));
                let evidence = fault.map(|f| f.evidence.clone()).unwrap_or_default();
                let effective = fault.and_then(|f| f.effective);
                let fault = self.later("tf0", "the first fault effective, at the latest", effective, &evidence);
                Some(("ta - tf0".into(), vec![fires(), fault]))
            }
            FigureKind::TimeToDetectFromImpact => {
                let began = impact.map(|impact| impact.start);
                let began = self.later("ti0", "the start of the impact, at the latest", began, &cites(impact));
                Some(("ta - ti0".into(), vec![fires(), began]))
            }
            FigureKind::AlertReset => {
                let last = rows().max_by_key(|row| row.resolved.map(|at| at.high));
                let evidence = last.map(|row| row.evidence.clone()).unwrap_or_default();
                let over = last.and_then(|row| row.resolved);
                let resolved = self.later("resolved", "the last expected alert resolved", over, &evidence);
                let end = impact.filter(|i| i.confirmed).and_then(|i| i.end);
                let recovered = self.later("tr", "the first good completion of the recovery", end, &cites(impact));
                Some(("resolved - tr".into(), vec![resolved, recovered]))
            }
            _ => None,
        }
    }

    fn moment(&self, symbol: &str, meaning: &str, at: Option<At>, evidence: &[EvidenceId]) -> Input {
        self.cited(symbol, meaning, at.map(|at| self.look.when(at).t), evidence)
    }

    /// The later end of an interval, which is what figures count from and to.
    fn later(&self, symbol: &str, meaning: &str, at: Option<Interval<At>>, evidence: &[EvidenceId]) -> Input {
        self.moment(symbol, meaning, at.map(|at| at.high), evidence)
    }

    fn count(&self, symbol: &str, meaning: &str, n: Option<u64>, of: Option<&PhaseStats>) -> Input {
        self.input(symbol, meaning, n.map(quantity::count), of)
    }

    fn input(&self, symbol: &str, meaning: &str, value: Option<String>, of: Option<&PhaseStats>) -> Input {
        self.cited(symbol, meaning, value, of.map(|s| s.evidence.as_slice()).unwrap_or_default())
    }

    fn cited(&self, symbol: &str, meaning: &str, value: Option<String>, evidence: &[EvidenceId]) -> Input {
        input(symbol, meaning, value, evidence)
    }
}

fn start(impact: Option<&Impact>) -> Option<At> {
    impact.map(|impact| impact.start.low)
}

fn cites(impact: Option<&Impact>) -> Vec<EvidenceId> {
    impact.map(|impact| impact.evidence.clone()).unwrap_or_default()
}
