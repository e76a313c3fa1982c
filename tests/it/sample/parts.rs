//! What the made-up drill consists of: containers, terms, series, criteria, figures, the timeline.

use super::{END, MS, S, T0, UNDO};
use firedrill::{
    analysis::*,
    container::{Container, ContainerId, EngineInfo, Health, HealthChecks, Op, RestartPolicy, State},
    event::{
        Comparison, Difference, Expectations, FaultTerms, Guard, Limit, Limits, Metric, NoteKind, Phase, ProbeKind,
        ProbeTerms, Slo, Terms, Timing, UndoReason,
    },
    measure::{Class, Schedule},
    units::{Percent, Rate, Span},
};
use std::collections::BTreeMap;

pub fn id(name: &str) -> ContainerId {
    ContainerId { host: "HOST:1".into(), id: format!("{name:0<64}") }
}

pub fn container(name: &str) -> Container {
    Container {
        id: id("7f3ad2"),
        name: name.into(),
        image: "redis:7.4".into(),
        image_id: format!("sha256:{:0<64}", "bb12"),
        labels: BTreeMap::new(),
        state: State::Running,
        exit_code: None,
        oom_killed: false,
        pid: 4242,
        started_at: "2026-03-01T09:00:00Z".into(),
        restart_count: 0,
        health: Some(Health::Healthy),
        checks: Some(HealthChecks { every: Span::secs(5), timeout: Span::secs(2), retries: 3 }),
        restart_policy: RestartPolicy { name: "always".into(), max_retries: 0 },
        auto_remove: false,
        network_mode: "shop_default".into(),
        pid_mode: String::new(),
        networks: BTreeMap::new(),
        ports: vec![],
        limits: Default::default(),
    }
}

pub fn errors(share: f64) -> Limit {
    Limit { metric: Metric::Errors(Percent(share)), op: Comparison::AtMost }
}

pub fn p99(ms: u64) -> Limit {
    Limit { metric: Metric::Latency { quantile: 0.99, bound: Span::millis(ms) }, op: Comparison::AtMost }
}

pub fn terms() -> Terms {
    let limits = |ms| Limits { limits: vec![errors(0.001), p99(ms)], ..Limits::default() };
    let of = |l: Limits| BTreeMap::from([("checkout".to_owned(), l)]);
    Terms {
        scenario: "cache-loss".into(),
        title: "Checkout survives the loss of its cache".into(),
        hypothesis: Some("Without Redis, checkout falls back to the database, and is itself again soon after.".into()),
        of: Some("checkout".into()),
        owner: Some("payments-sre".into()),
        tags: vec!["failover".into(), "cache".into()],
        probes: vec![probe_terms("checkout", true), probe_terms("stock", false)],
        expect: Expectations {
            baseline: of(limits(100)),
            during: of(Limits { within: Some(Span::secs(5)), max_failed: Some(1000), ..limits(400) }),
            recovery: of(Limits { within: Some(Span::secs(30)), stable_for: Some(Span::secs(5)), ..limits(120) }),
            ..Expectations::default()
        },
        detect: None,
        guards: vec![Guard {
            probe: "checkout".into(),
            limit: Limit { metric: Metric::Errors(Percent(0.9)), op: Comparison::Above },
            window: Span::secs(10),
        }],
        timing: Timing { warm_up: Span::secs(5), baseline: Span::secs(20), recovery: Span::secs(60) },
        faults: vec![FaultTerms {
            kind: "pause".into(),
            label: "pause cache".into(),
            containers: vec!["shop-redis-1".into()],
            at: Span::ZERO,
            length: Some(Span::secs(30)),
            held: true,
        }],
    }
}

pub fn probe_terms(name: &str, load: bool) -> ProbeTerms {
    ProbeTerms {
        name: name.into(),
        kind: ProbeKind::Http,
        load,
        subject: format!("GET http://127.0.0.1:8080/{name}"),
        rate: Rate(if load { 200.0 } else { 5.0 }),
        timeout: Span::secs(2),
        max_in_flight: 512,
        slo: load.then_some(Slo { objective: Percent(0.999), period: Span::secs(30 * 86400) }),
    }
}

/// One second of the made-up load: 200 requests, bad for the first four seconds of the fault, slow until the undo.
pub fn point(second: u64) -> ChartPoint {
    let from = S + second * S;
    let t = from as i64 - T0 as i64;
    let wave = 1.0 + 0.15 * ((second * 7 % 11) as f64 / 11.0);
    let ms = |v: f64| Some((v * wave * 1e6) as u64);
    let mut by_class = [0; 8];
    let (p50, p90, p99, max) = match t / S as i64 {
        0..4 if t >= 0 => {
            by_class[Class::Timeout as usize] = 120;
            by_class[Class::Refused as usize] = 30;
            (ms(1400.0), Some(2 * S), Some(2 * S), Some(2 * S))
        }
        4..30 => (ms(61.0), ms(120.0), ms(210.0), ms(340.0)),
        30 => (ms(30.0), ms(80.0), ms(180.0), ms(400.0)),
        _ => (ms(4.1), ms(7.7), ms(14.0), ms(31.0)),
    };
    by_class[0] = 200 - by_class.iter().sum::<u32>();
    ChartPoint { from, to: from + S, offered: 200, by_class, timed: 170, p50, p90, p99, max }
}

pub fn tick(second: u64) -> Tick {
    let ChartPoint { from, to, offered, by_class, .. } = point(second);
    let failed = offered - by_class[0];
    let state = if failed > 0 { TickState::Bad } else { TickState::Good };
    Tick { from, to, state, offered, failed, slow: 0 }
}

pub fn used(container: &str, target: bool) -> UsageSeries {
    let point = |second: u64| UsagePoint {
        at: second * S,
        cores: (second > 0 && !(target && (26..56).contains(&second))).then_some(0.1 + (second % 7) as f64 * 0.02),
        memory: 40_000_000 + second * 100_000,
        memory_limit: target.then_some(256_000_000),
        rx_per_s: None,
        tx_per_s: None,
    };
    UsageSeries {
        container: container.into(),
        target,
        points: (0..118).map(point).collect(),
        evidence: Some(EvidenceId(5)),
    }
}

pub fn percentiles(n: u64, p50: u64, p90: u64, p99: u64, max: u64) -> Percentiles {
    Percentiles {
        n,
        p50: Some(p50),
        p90: Some(p90),
        p99: Some(p99),
        p999: (n >= 10_000).then_some(max),
        max: Some(max),
    }
}

pub fn stats(phase: Phase, offered: u64, failed: u64, response: Percentiles) -> PhaseStats {
    let timeouts = failed * 4 / 5;
    let classes = [(Class::Ok, offered - failed), (Class::Timeout, timeouts), (Class::Refused, failed - timeouts)];
    PhaseStats {
        phase,
        offered,
        missing: 0,
        by_class: classes.into_iter().filter(|(_, n)| *n > 0).collect(),
        ok: offered - failed,
        failed,
        error_ratio: Some(failed as f64 / offered as f64),
        goodput: Some((offered - failed) as f64 / (offered as f64 / 200.0)),
        response,
        service: response,
        lateness: percentiles(offered, 40_000, 90_000, 130_000, 900_000),
        worst_own_lateness_ns: 812_000,
        behind_share: 0.0,
        unknown_share: 0.0,
        evidence: vec![EvidenceId(6)],
    }
}

pub fn checkout() -> ProbeFindings {
    ProbeFindings {
        id: 0,
        name: "checkout".into(),
        kind: ProbeKind::Http,
        load: true,
        subject: "GET http://127.0.0.1:8080/checkout".into(),
        rate: Rate(200.0),
        timeout: Span::secs(2),
        slo: terms().probes[0].slo,
        judged: true,
        schedule: Some(Schedule { first_at: S, interval_ns: 5 * MS }),
        phases: vec![
            stats(Phase::Baseline, 4000, 0, percentiles(4000, 4 * MS, 8 * MS, 14 * MS, 31 * MS)),
            stats(Phase::During, 6000, 600, percentiles(5880, 62 * MS, 125 * MS, 352 * MS, 2 * S)),
            stats(Phase::Recovery, 12_000, 0, percentiles(12_000, 4 * MS, 8 * MS, 15 * MS, 400 * MS)),
        ],
        ticks: (0..115).map(tick).collect(),
        tick_ns: S,
        chart: (0..115).map(point).collect(),
        impact: Some(Impact {
            start: Interval { low: T0 + 2 * MS, high: T0 + 12 * MS },
            end: Some(Interval { low: T0 + 4 * S, high: T0 + 4 * S + 8 * MS }),
            confirmed: true,
            confirmed_at: Some(T0 + 9 * S),
            bad_runs: vec![(25, 28)],
            mitigated: Some(T0 + 4 * S),
            evidence: vec![EvidenceId(7)],
        }),
        outages: vec![Outage { last_good: T0 + 2 * MS, first_good: Some(T0 + 912 * MS), due: 182, failed: 182 }],
        distributions: vec![
            distribution(Phase::Baseline, 4.0),
            distribution(Phase::During, 60.0),
            distribution(Phase::Recovery, 4.2),
        ],
    }
}

pub fn distribution(phase: Phase, ms: f64) -> Distribution {
    let quantiles: [f64; 9] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];
    Distribution {
        phase,
        points: quantiles.iter().map(|q| (*q, (ms * 1e6 * (1.0 + 1.2 * (1.0 / (1.0 - q)).log10())) as u64)).collect(),
    }
}

pub fn stock() -> ProbeFindings {
    ProbeFindings {
        id: 1,
        name: "stock".into(),
        load: false,
        judged: false,
        rate: Rate(5.0),
        slo: None,
        subject: "GET http://127.0.0.1:8080/stock".into(),
        phases: vec![stats(
            Phase::During,
            150,
            0,
            Percentiles { n: 150, p50: Some(3 * MS), p90: Some(5 * MS), max: Some(9 * MS), ..Default::default() },
        )],
        chart: vec![],
        impact: None,
        outages: vec![],
        distributions: vec![],
        ..checkout()
    }
}

pub fn criterion(phase: Phase, what: Bounded, bound: Value, measured: Value, n: u64) -> Criterion {
    let objective = Objective { op: Comparison::AtMost, bound };
    let met = objective.met_by(measured);
    let window = match phase {
        Phase::Baseline => (T0 - 20 * S, T0),
        Phase::During => (T0 + 5 * S, UNDO),
        _ => (UNDO, END),
    };
    Criterion {
        phase,
        probe: Some(0),
        baseline: match what {
            Bounded::Errors => Some(Value::Share(0.0)),
            Bounded::Latency(_) => Some(Value::Time(14 * MS as i64)),
            _ => None,
        },
        what,
        objective: Some(objective),
        window: Some(window),
        measured: Ok(measured),
        n,
        margin: objective.margin(measured),
        status: if met { CriterionStatus::Met } else { CriterionStatus::Broken },
        evidence: vec![EvidenceId(6)],
    }
}

pub fn time(ns: u64) -> Value {
    Value::Time(ns as i64)
}

pub fn criteria() -> Vec<Criterion> {
    vec![
        criterion(Phase::Baseline, Bounded::Errors, Value::Share(0.001), Value::Share(0.0), 4000),
        criterion(Phase::Baseline, Bounded::Latency(0.99), time(100 * MS), time(14 * MS), 4000),
        criterion(Phase::During, Bounded::Errors, Value::Share(0.001), Value::Share(0.0), 5000),
        criterion(Phase::During, Bounded::Latency(0.99), time(400 * MS), time(212 * MS), 5000),
        criterion(Phase::During, Bounded::MaxFailed, Value::Count(1000), Value::Count(600), 6000),
        criterion(Phase::Recovery, Bounded::Errors, Value::Share(0.001), Value::Share(0.0), 12_000),
        criterion(Phase::Recovery, Bounded::Latency(0.99), time(120 * MS), time(15 * MS), 12_000),
        criterion(Phase::Recovery, Bounded::RecoveredWithin, time(30 * S), time(0), 12_000),
    ]
}

pub fn figure(kind: FigureKind, probe: Option<u16>, value: Result<Value, Absent>) -> Figure {
    Figure {
        kind,
        probe,
        fault: None,
        phase: None,
        value,
        range: None,
        n: None,
        objective: None,
        margin: None,
        evidence: vec![EvidenceId(7)],
    }
}

pub fn figures() -> Vec<Figure> {
    let of = |kind, value| figure(kind, Some(0), Ok(value));
    let delay = |kind, ns| Figure { fault: Some(0), ..figure(kind, None, Ok(time(ns))) };
    vec![
        delay(FigureKind::InjectionDelay, 11 * MS),
        delay(FigureKind::RemovalDelay, 9 * MS),
        delay(FigureKind::EffectiveFor, 30 * S),
        of(FigureKind::TimeToImpact, time(7 * MS)),
        figure(FigureKind::TimeToDetect, Some(0), Err(Absent::NoAlertSource)),
        of(FigureKind::TimeToMitigate, time(4 * S)),
        Figure {
            range: Some(Interval { low: 3_988_000_000, high: 4_006_000_000 }),
            ..of(FigureKind::TimeToRecover, time(3_997 * MS))
        },
        of(FigureKind::RecoveryLag, Value::Time(-26_000_000_000)),
        of(FigureKind::RecoveredUnderFault, Value::Flag(true)),
        of(FigureKind::DegradedTicks, time(3 * S)),
        of(FigureKind::DegradedSpan, time(4 * S)),
        of(FigureKind::UnknownTicks, time(0)),
        of(FigureKind::OutageTime, time(910 * MS)),
        Figure { n: Some(18_000), ..of(FigureKind::RequestsFailed, Value::Count(600)) },
        of(FigureKind::ExcessFailures, Value::Estimate(600.0)),
        of(FigureKind::GoodputKept, Value::Share(0.9)),
        of(FigureKind::BurnRate, Value::Factor(100.0)),
        of(FigureKind::PeakBurnRate, Value::Factor(100.0)),
        of(FigureKind::BudgetConsumed, Value::Share(0.0012)),
        figure(FigureKind::SmallestMargin, None, Ok(Value::Share(0.4))),
        figure(FigureKind::DataLoss, None, Err(Absent::NoLedger)),
    ]
}

pub fn operation(undo: bool, op: Op, sent: u64) -> Operation {
    Operation { undo, op, sent, answered: sent + 9 * MS, error: None, evidence: EvidenceId(3) }
}

pub fn pause() -> FaultFindings {
    let effective = Some(Interval { low: T0 + 2 * MS, high: T0 + 11 * MS });
    let removed = Some(Interval { low: UNDO, high: UNDO + 9 * MS });
    FaultFindings {
        id: 0,
        kind: "pause".into(),
        label: "pause cache".into(),
        intended: Some(T0),
        length: Some(Span::secs(30)),
        held: true,
        requested: Some(T0 + 2 * MS),
        effective,
        undo_requested: Some(UNDO),
        undo_reason: Some(UndoReason::Due),
        removed,
        ended_by: None,
        lost_ns: 0,
        skipped: None,
        proven: Some(true),
        undo_proven: Some(true),
        containers: vec![FaultOn {
            worked: None,
            container: "shop-redis-1".into(),
            effective,
            removed,
            proof: Some((true, "paused".into())),
            undo_proof: Some((
                true,
                vec![Difference { what: "pid".into(), before: "4242".into(), after: "4242".into(), must_match: false }],
            )),
            packets: None,
            operations: vec![operation(false, Op::Pause, T0 + 2 * MS), operation(true, Op::Unpause, UNDO)],
        }],
        evidence: vec![EvidenceId(3)],
    }
}

pub fn row(at: u64, source: Source, what: Happening, milestone: bool) -> TimelineRow {
    TimelineRow { at, give_or_take_ns: None, source, what, milestone, evidence: vec![EvidenceId(2)] }
}

pub fn changed(container: &str, action: &str, target: bool) -> Happening {
    Happening::ContainerChanged { container: container.into(), action: action.into(), exit_code: None, target }
}

pub fn timeline() -> Vec<TimelineRow> {
    let on = || "shop-redis-1".to_owned();
    let noted = |kind, text: &str| Happening::Noted { kind, text: text.into(), who: "ana".into() };
    vec![
        row(0, Source::Runner, Happening::RunStarted, false),
        row(200 * MS, Source::Runner, Happening::TargetsChosen(1), false),
        row(S, Source::Runner, Happening::LoadStarted, false),
        row(T0 - 20 * S, Source::Runner, Happening::PhaseStarted(Phase::Baseline), false),
        row(T0, Source::Runner, Happening::BaselineJudged { attempt: 1, met: true }, false),
        row(T0, Source::Runner, Happening::GatePassed, true),
        row(T0 + 2 * MS, Source::Runner, Happening::FaultRequested(0), false),
        TimelineRow {
            give_or_take_ns: Some(4_500_000),
            ..row(T0 + 7 * MS, Source::Engine, Happening::FaultEffective { fault: 0, container: on() }, true)
        },
        TimelineRow {
            give_or_take_ns: Some(5 * MS),
            ..row(T0 + 7 * MS, Source::Probe, Happening::ImpactBegan(0), true)
        },
        row(T0 + 8 * MS, Source::Engine, changed("shop-redis-1", "pause", true), false),
        row(
            T0 + 40 * MS,
            Source::Runner,
            Happening::FaultChecked { fault: 0, container: on(), proven: true, seen: "paused".into() },
            false,
        ),
        row(T0 + 3 * S, Source::Person, noted(NoteKind::Ack, "on it"), false),
        row(T0 + 4 * S, Source::Probe, Happening::Recovered(0), true),
        row(T0 + 9 * S, Source::Probe, Happening::RecoveryConfirmed(0), false),
        row(T0 + 12 * S, Source::Engine, changed("shop-worker-1", "health_status: unhealthy", false), false),
        row(UNDO, Source::Runner, Happening::UndoRequested { fault: 0, why: UndoReason::Due }, false),
        row(UNDO + 9 * MS, Source::Engine, Happening::FaultRemoved { fault: 0, container: on() }, true),
        row(UNDO + 9 * MS, Source::Engine, changed("shop-redis-1", "unpause", true), false),
        row(UNDO + 50 * MS, Source::Runner, Happening::UndoChecked { fault: 0, container: on(), proven: true }, false),
        row(UNDO + 4 * S, Source::Engine, changed("shop-worker-1", "health_status: healthy", false), false),
        row(END, Source::Runner, Happening::CleanedUp { left: vec![] }, false),
        row(END, Source::Runner, Happening::RunEnded { complete: true }, true),
    ]
}

pub fn facts() -> RunFacts {
    RunFacts {
        id: "20260301T100000Z-cache-loss-7f3a".into(),
        scenario: "cache-loss".into(),
        title: "Checkout survives the loss of its cache".into(),
        hypothesis: terms().hypothesis,
        of: Some("checkout".into()),
        owner: Some("payments-sre".into()),
        tags: vec!["failover".into(), "cache".into()],
        started: "2026-03-01T10:00:00Z".parse().unwrap(),
        ended: END,
        time_zone: "UTC".into(),
        version: "0.1.0".into(),
        host: "laptop".into(),
        engine: Some(EngineInfo {
            id: "HOST:1".into(),
            name: "laptop".into(),
            version: "20.10.24".into(),
            api: "1.41".into(),
            cgroup: 2,
            os: "Debian GNU/Linux 12 (bookworm)".into(),
            kernel: "6.1.0".into(),
            arch: "amd64".into(),
            security: vec![],
            address: "unix:///var/run/docker.sock".into(),
        }),
        engine_clock_ns: None,
        seed: 42,
        command: vec!["firedrill".into(), "run".into(), "scenarios/cache-loss.yaml".into()],
        git: Some("v1.4.0-3-gabc".into()),
        scenario_path: "scenarios/cache-loss.yaml".into(),
        scenario_digest: format!("{:a<64}", "5f"),
        sealed: vec![],
        files: vec![
            EvidenceFile { name: "journal.jsonl".into(), size: 48_213, digest: format!("{:b<64}", "01") },
            EvidenceFile { name: "requests.bin".into(), size: 81_002, digest: format!("{:c<64}", "02") },
        ],
        cut_short: false,
        t0: Some(T0),
    }
}

pub fn phase(phase: Phase, from: u64, to: u64) -> PhaseWindow {
    PhaseWindow { phase, from, to, evidence: vec![EvidenceId(2)] }
}
