//! The way from a run folder to findings.

use super::{
    AnalysisError, Criterion, Distribution, EvidenceFile, FINDINGS_FORMAT, Figure, FigureKind, Findings, Impact,
    Ledger, Outage, PhaseStats, ProbeFindings, RunFacts, Tick, Verdict,
    alerts::{self, Alerts},
    around, bursts,
    clocks::Clock,
    criteria, doubts, faults, figures,
    impact::Watched,
    judge,
    log::{self, ProbeLog, RequestLog},
    places, stats, story,
    windows::{self, JUDGED, Windows},
};
use crate::{
    event::{Event, EventKind, Phase, ProbeTerms, RunStarted, SealedFile, Terms},
    journal::{
        RunFolder,
        read::{self, Journal},
        seal::{self, digest},
    },
    measure::ProbeId,
};
use std::fs::File;

/// Computes everything that a review says from what the folder holds.
///
/// # Errors
/// Only if there is no journal to speak of; what is cut or damaged becomes a doubt.
pub fn analyse(folder: &RunFolder) -> Result<Findings, AnalysisError> {
    let journal = read::read(folder)?;
    let terms = &journal.started.terms;
    let events = &journal.events;
    let mut ledger = Ledger::default();
    let tries = windows::baseline_tries(events, &mut ledger);
    let t0 = events.iter().find(|e| e.kind == EventKind::GatePassed).map(|e| e.at);
    let faults = faults::findings(&journal.started, events, t0, &mut ledger);
    let windows = windows::find(events, &faults, terms.timing, &tries);
    let log = log::read(folder, &log::schedules(events), &windows);
    let probes = probes(terms, &log, &windows, &mut ledger);
    let (scope, neighbours) = around::scope(events, &mut ledger);
    let blast = around::blast(events, &neighbours, terms, &windows, &mut ledger);
    let seen = seen(&probes, &log);
    let effective = faults.iter().filter_map(|f| f.effective).min_by_key(|e| e.low);
    let alerts = Alerts::of(&journal.started, events, effective, &windows, &mut ledger);
    let mut criteria = criteria::judge(terms, &windows, &seen, &blast, &mut ledger);
    criteria.extend(alerts.iter().flat_map(alerts::criteria));
    for bare in criteria.iter_mut().filter(|criterion| criterion.evidence.is_empty()) {
        bare.evidence.push(ledger.line(1));
    }
    let alerts = alerts.map(|alerts| alerts.findings());
    let sources = doubts::Sources {
        journal: &journal,
        log: &log,
        windows: &windows,
        probes: &probes,
        faults: &faults,
        alerts: alerts.as_ref(),
    };
    let doubts = doubts::find(&sources, &mut ledger);
    let guards = around::guards(events, terms, &mut ledger);
    let case = judge::Case {
        journal: &journal,
        criteria: &criteria,
        faults: &faults,
        probes: &probes,
        doubts: &doubts,
        guards: &guards,
    };
    let verdict = judge::verdict(&case, &mut ledger);
    let main_probe = main_probe(&probes, terms.of.as_deref());
    let impact = main_probe.and_then(|id| probes.get(usize::from(id))?.impact.as_ref());
    let mut figures = figures::all(&probes, &faults, &windows, &log, &terms.expect, &verdict);
    figures.extend(alerts::figures(alerts.as_ref(), effective, impact));
    figures.iter_mut().for_each(|figure| rest_on_terms(figure, &verdict, &criteria, &mut ledger));
    let phases = windows::phases(events, &windows, &faults, &mut ledger);
    let timeline = story::timeline(events, &faults, &probes, alerts.as_ref(), &mut ledger);
    let notes = around::notes(events, &mut ledger);
    let (earlier, earlier_at) = around::earlier(events, &mut ledger);
    let usage = around::usage(events, &scope, &mut ledger);
    let logs = around::logs(events);
    let engine = Clock::of_engine(journal.started.started, events);
    let bursts = bursts::find(folder, &logs, windows.fault(), &engine, &mut ledger);
    let evidence = ledger.into_places();
    Ok(Findings {
        format: FINDINGS_FORMAT,
        run: run_facts(folder, &journal, t0),
        terms: terms.clone(),
        phases,
        baseline_tries: tries,
        main_probe,
        figures,
        timeline,
        alerts,
        usage,
        notes,
        earlier,
        earlier_at,
        open_before: around::open_before(events),
        logs,
        bursts,
        verdict,
        scope,
        criteria,
        probes,
        faults,
        blast,
        guards,
        doubts,
        places: places::places(folder, &evidence, &log.probes),
        evidence,
    })
}

/// No figure stands without evidence: the smallest margin rests on its criterion, and what was not measured on the
/// terms of the run, its first line.
fn rest_on_terms(figure: &mut Figure, verdict: &Verdict, criteria: &[Criterion], ledger: &mut Ledger) {
    if let (FigureKind::SmallestMargin, Some((_, at))) = (figure.kind, verdict.smallest_margin) {
        figure.evidence.extend(criteria.get(at).into_iter().flat_map(|criterion| &criterion.evidence));
    }
    if figure.evidence.is_empty() {
        figure.evidence.push(ledger.line(1));
    }
}

fn seen<'a>(probes: &'a [ProbeFindings], log: &'a RequestLog) -> Vec<criteria::Seen<'a>> {
    let seen = |probe: &'a ProbeFindings| criteria::Seen {
        log: log.probes.get(&probe.id),
        stats: &probe.phases,
        impact: probe.impact.as_ref(),
    };
    probes.iter().map(seen).collect()
}

/// The judged one that bears the name of the service the drill is about, else the first judged load, else the first
/// judged probe, else the first.
fn main_probe(probes: &[ProbeFindings], of: Option<&str>) -> Option<ProbeId> {
    let judged = || probes.iter().filter(|p| p.judged);
    let named = judged().find(|p| Some(p.name.as_str()) == of);
    let main = named.or_else(|| judged().find(|p| p.load)).or_else(|| judged().next()).or_else(|| probes.first());
    main.map(|p| p.id)
}

fn probes(terms: &Terms, log: &RequestLog, windows: &Windows, ledger: &mut Ledger) -> Vec<ProbeFindings> {
    let probe = |(id, probe): (usize, &ProbeTerms)| {
        let id = ProbeId::try_from(id).unwrap_or(ProbeId::MAX);
        match log.probes.get(&id) {
            Some(log) => watched(id, probe, log, windows, terms, ledger),
            None => findings(id, probe, terms, Watch::default()),
        }
    };
    terms.probes.iter().enumerate().map(probe).collect()
}

/// What was seen of a probe that was started.
#[derive(Default)]
struct Watch {
    phases: Vec<PhaseStats>,
    distributions: Vec<Distribution>,
    ticks: Vec<Tick>,
    tick_ns: u64,
    chart: Vec<super::ChartPoint>,
    impact: Option<Impact>,
    outages: Vec<Outage>,
    schedule: Option<crate::measure::Schedule>,
}

fn watched(
    id: ProbeId,
    probe: &ProbeTerms,
    log: &ProbeLog,
    windows: &Windows,
    terms: &Terms,
    ledger: &mut Ledger,
) -> ProbeFindings {
    let watched = Watched::new(id, &probe.name, log, windows, &terms.expect);
    let ticks = watched.ticks();
    let outages = watched.outages();
    let phases = [Phase::WarmUp].iter().chain(&JUDGED);
    let stats = phases.filter_map(|phase| stats::phase_stats(id, log, windows, *phase, &ticks, ledger));
    let (phases, distributions) = stats.unzip();
    let tick_ns = watched.tick_ns();
    let from = ticks.first().map_or(0, |t| t.from);
    let watch = Watch {
        chart: stats::chart(&log.series, from..windows.watch_end, tick_ns),
        impact: watched.impact(&outages, ledger),
        schedule: Some(log.series.schedule()),
        phases,
        distributions,
        ticks,
        tick_ns,
        outages,
    };
    findings(id, probe, terms, watch)
}

fn findings(id: ProbeId, probe: &ProbeTerms, terms: &Terms, watch: Watch) -> ProbeFindings {
    let expect = &terms.expect;
    let judged =
        [&expect.baseline, &expect.during, &expect.recovery].iter().any(|phase| phase.contains_key(&probe.name));
    ProbeFindings {
        id,
        name: probe.name.clone(),
        kind: probe.kind,
        load: probe.load,
        subject: probe.subject.clone(),
        rate: probe.rate,
        timeout: probe.timeout,
        slo: probe.slo,
        judged,
        schedule: watch.schedule,
        phases: watch.phases,
        ticks: watch.ticks,
        tick_ns: watch.tick_ns,
        chart: watch.chart,
        impact: watch.impact,
        outages: watch.outages,
        distributions: watch.distributions,
    }
}

fn run_facts(folder: &RunFolder, journal: &Journal, t0: Option<u64>) -> RunFacts {
    let started: &RunStarted = &journal.started;
    let terms = &started.terms;
    let engine = journal.events.iter().find_map(|e: &Event| match &e.kind {
        EventKind::EngineFound(engine) => Some(engine.clone()),
        _ => None,
    });
    RunFacts {
        id: started.run.clone(),
        scenario: terms.scenario.clone(),
        title: terms.title.clone(),
        hypothesis: terms.hypothesis.clone(),
        of: terms.of.clone(),
        owner: terms.owner.clone(),
        tags: terms.tags.clone(),
        started: started.started,
        ended: journal.events.iter().map(|e| e.at).max().unwrap_or(0),
        time_zone: started.time_zone.clone(),
        version: started.version.clone(),
        host: started.host.clone(),
        engine,
        engine_clock_ns: Clock::of_engine(started.started, &journal.events).lead(),
        seed: started.seed,
        command: started.command.clone(),
        git: started.git.clone(),
        scenario_path: started.scenario_path.clone(),
        scenario_digest: started.scenario_digest.clone(),
        files: evidence_files(folder),
        sealed: sealed(&journal.events),
        cut_short: journal.cut_short,
        t0,
    }
}

/// What the journal says of the files when the run ended.
fn sealed(events: &[Event]) -> Vec<EvidenceFile> {
    let file =
        |file: &SealedFile| EvidenceFile { name: file.name.clone(), size: file.size, digest: file.sha256.clone() };
    let sealed = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::FilesSealed { files } => Some(files.iter().map(file).collect()),
        _ => None,
    });
    sealed.unwrap_or_default()
}

/// What the findings rest on, with digests, by name. Outputs and exports are not evidence.
fn evidence_files(folder: &RunFolder) -> Vec<EvidenceFile> {
    let mut names = seal::names(folder);
    names.push("journal.jsonl".into());
    names.sort_unstable();
    let file = |name: String| {
        let (digest, size) = digest(File::open(folder.path().join(&name)).ok()?).ok()?;
        Some(EvidenceFile { name, size, digest })
    };
    names.into_iter().filter_map(file).collect()
}
