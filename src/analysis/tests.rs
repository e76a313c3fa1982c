//! Whole made-up drills: each row of the verdict's table, each further rule, and the figures.

mod codes;
mod garbled;
mod rules;
mod windows;

use super::{stage::*, *};
use crate::{
    clock::At,
    container::Op,
    event::*,
    measure::{Class, Sample},
    units::{Percent, Span},
};

fn outcome(findings: &Findings) -> (Word, u8) {
    (findings.verdict.word, findings.verdict.code)
}

fn whys(findings: &Findings) -> Vec<&Why> {
    findings.verdict.reasons.iter().map(|r| &r.why).collect()
}

fn time(findings: &Findings, kind: FigureKind) -> i64 {
    let figure = findings.figure(kind, Some(0), None).unwrap();
    match figure.value {
        Ok(Value::Time(ns)) => ns,
        other => panic!("{kind:?}: {other:?}"),
    }
}

fn value(findings: &Findings, kind: FigureKind) -> Result<Value, Absent> {
    findings.figure(kind, Some(0), None).unwrap().value
}

fn near(found: i64, truth: u64, within: u64) -> bool {
    found.abs_diff(truth as i64) <= within
}

fn not_judged_during(stage: &mut Stage) {
    stage.run.terms.expect.during.clear();
}
