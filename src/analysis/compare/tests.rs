use super::*;

fn tested(p: f64, a: f64, b: f64) -> Tested {
    Tested {
        probe: "shop".into(),
        phase: Phase::During,
        quantity: Quantity::Errors,
        value: [Value::Share(a), Value::Share(b)],
        n: [100, 100],
        interval: None,
        test: Test::Fisher,
        p,
        adjusted_p: p,
        reading: Reading::WithinNoise,
    }
}

#[test]
fn the_more_is_looked_at_the_more_it_takes() {
    let mut all = [tested(0.03, 0.1, 0.2), tested(0.01, 0.1, 0.2), tested(0.9, 0.1, 0.1), tested(0.001, 0.1, 0.101)];
    holm(&mut all);
    let adjusted = all.clone().map(|one| one.adjusted_p);
    assert_eq!(adjusted.map(|p| (p * 1e3).round() / 1e3), [0.06, 0.03, 0.9, 0.004]);
    let readings = all.map(|one| one.reading);
    use Reading::*;
    assert_eq!(readings, [WithinNoise, BeyondNoise, WithinNoise, BeyondNoiseSmall]);
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let folder = RunFolder(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run").into());
    let case = Case::read(&folder).unwrap();
    let compared = compare(&case, &case);
    assert!(compared.same_scenario && compared.changes.is_empty() && compared.remarks.is_empty(), "{compared:?}");
    assert!(compared.tested.len() >= 9 && compared.tested.iter().all(|one| one.p == 1.0), "{:?}", compared.tested);
    assert!(compared.criteria.len() == case.findings.criteria.len());
    assert!(compared.figures.iter().all(|pair| pair.value[0] == pair.value[1] && pair.apart != Some(true)));
}

#[test]
fn blocks_hold_what_the_review_counts() {
    let folder = RunFolder(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/run").into());
    let case = Case::read(&folder).unwrap();
    for probe in &case.findings.probes {
        for stats in &probe.phases {
            let blocks = case.blocks.of(probe.id, stats.phase).unwrap();
            let failed: u64 = blocks.iter().map(|block| block.failed).sum();
            let timed: usize = blocks.iter().map(|block| block.timed.len()).sum();
            assert_eq!((failed, timed as u64), (stats.failed, stats.response.n), "{} {:?}", probe.name, stats.phase);
        }
    }
}
