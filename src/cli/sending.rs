//! Load without a drill: for `init`, and for `bench-load`.

use crate::{
    clock::RunClock,
    journal::requests::RequestWriter,
    load::{Context, Load, Slice, drive, schedules},
    measure::ProbeId,
    plan::ProbePlan,
    units::Span,
};
use anyhow::Context as _;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// From the call to the first request.
const RUN_UP_NS: u64 = 100_000_000;

/// Sends for so long, open loop, and shows every slice of it; how many requests were due, by probe. Texts of requests
/// hold no variables.
///
/// # Errors
/// Nothing can be sent, or the log cannot be written.
pub async fn send(
    probes: &[ProbePlan],
    length: Span,
    log: &Path,
    mut see: impl FnMut(Slice),
) -> anyhow::Result<BTreeMap<ProbeId, u64>> {
    let writer = RequestWriter::create(log).with_context(|| log.display().to_string())?;
    let (tap, mut slices) = tokio::sync::mpsc::unbounded_channel();
    let clock = RunClock::start();
    let context =
        Context { clock, run: "none".into(), env: Arc::new(|_| None), log: writer.sink(), tap, containers: None };
    let start = clock.now() + RUN_UP_NS;
    let driver = drive(&Load::Real, probes, &schedules(probes, start), context)?;
    let seeing = async {
        while let Some(slice) = slices.recv().await {
            see(slice);
        }
    };
    let (due, ()) = tokio::join!(driver.stop(start + length.ns()), seeing);
    let trouble = writer.finish()?.trouble;
    anyhow::ensure!(trouble.is_none(), "request log: {}", trouble.unwrap_or_default());
    Ok(due?)
}
