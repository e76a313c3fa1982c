//! Moving a review from draft to closed, and what stands in the way.

use crate::{
    analysis::Findings,
    cli::{Exit, Global, output},
    journal::RunFolder,
    review::{
        self, Composed, escape,
        people::{REVIEW, Status, open},
    },
};
use anyhow::{Context, bail};
use jiff::civil::Date;

/// Moves the review on; the exit code if something stands in the way, which is told then.
///
/// # Errors
/// If `review.md` cannot be read or written, or the step is none.
pub fn sign(
    folder: &RunFolder,
    findings: &Findings,
    to: Status,
    by: &str,
    today: Date,
) -> anyhow::Result<Option<Exit>> {
    let composed = read(folder, findings)?;
    let standing = &composed.review.standing;
    let at = Status::ALL.iter().position(|status| *status == standing.status);
    let next = at.and_then(|at| Status::ALL.get(at + 1));
    if to == standing.status {
        bail!("the review is {to} already");
    }
    if to > standing.status && Some(&to) != next {
        let step = next.map_or(String::new(), |next| format!("; the next step is {next}"));
        bail!("a review that is {} cannot become {to} at once{step}", standing.status);
    }
    let obstacles = open::waiting(&composed, folder).obstacles(to);
    if !obstacles.is_empty() && to > standing.status {
        obstacles.iter().for_each(|obstacle| output::warn(told(folder, obstacle)));
        output::warn(format_args!(
            "the review stays {}: {} in the way of {to}",
            standing.status,
            count(obstacles.len())
        ));
        return Ok(Some(Exit::Violated));
    }
    let signed = standing.moved(to, by, today).put_into(&composed.texts[2]);
    let Some(signed) = signed else {
        bail!("{} has no front matter to write the status into", folder.path().join(REVIEW).display());
    };
    review::put(folder.path(), REVIEW, &signed)?;
    Ok(None)
}

/// Says so where the status was set by hand to one that what stands in the review does not bear.
pub fn remark(folder: &RunFolder, composed: &Composed) {
    let status = composed.review.standing.status;
    let obstacles = open::waiting(composed, folder).obstacles(status);
    obstacles.iter().for_each(|obstacle| output::warn(told(folder, obstacle)));
    if !obstacles.is_empty() {
        output::warn(format_args!(
            "{}: the status is {status}, and {} in the way of that",
            folder.path().join(REVIEW).display(),
            count(obstacles.len())
        ));
    }
}

/// `review.md:12: ...`
fn told(folder: &RunFolder, (line, says): &(Option<usize>, String)) -> String {
    let at = line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{at}: {}", folder.path().join(REVIEW).display(), escape::plain(says))
}

fn count(n: usize) -> String {
    if n == 1 { "one thing stands".into() } else { format!("{n} things stand") }
}

/// Prints what waits for a person.
///
/// # Errors
/// If `review.md` cannot be read.
pub fn list_open(folder: &RunFolder, findings: &Findings, global: &Global) -> anyhow::Result<Exit> {
    let composed = read(folder, findings)?;
    let standing = &composed.review.standing;
    let waiting = open::waiting(&composed, folder);
    if global.json {
        output::say(serde_json::to_string_pretty(&waiting)?);
        return Ok(Exit::Held);
    }
    // A closed review is to be finished as well.
    let listed = waiting.obstacles(standing.status.max(Status::Reviewed));
    listed.iter().for_each(|obstacle| output::say(told(folder, obstacle)));
    if !global.quiet {
        let owner = standing.owner.as_deref().unwrap_or("unassigned");
        output::say(format_args!(
            "{}; owner {}; due {}; {} unanswered, {} to decide",
            standing.status,
            escape::plain(owner),
            standing.due,
            waiting.prompts.len(),
            waiting.actions.len()
        ));
    }
    Ok(Exit::Held)
}

/// The review as it stands, or the draft if there is none yet.
fn read(folder: &RunFolder, findings: &Findings) -> anyhow::Result<Composed> {
    let kept = review::kept(folder).context("the review cannot be read")?;
    Ok(review::compose(findings, &kept)?)
}
