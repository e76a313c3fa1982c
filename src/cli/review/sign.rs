//! Moving a review from draft to closed, and what stands in the way.

use crate::{
    analysis::Findings,
    cli::{Exit, Global, output},
    journal::RunFolder,
    review::{
        self, escape,
        people::{REVIEW, Standing, Status, open},
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
    if by.trim().is_empty() {
        bail!("--by takes the name of whoever moves the review");
    }
    let (text, standing) = read(folder, findings)?;
    let at = Status::ALL.iter().position(|status| *status == standing.status);
    let next = at.and_then(|at| Status::ALL.get(at + 1));
    if to == standing.status {
        bail!("the review is {to} already");
    }
    if to > standing.status && Some(&to) != next {
        let step = next.map_or(String::new(), |next| format!("; the next step is {next}"));
        bail!("a review that is {} cannot become {to} at once{step}", standing.status);
    }
    let waiting = open::waiting(&text, findings);
    let obstacles = waiting.obstacles(to);
    if !obstacles.is_empty() && to > standing.status {
        let path = folder.path().join(REVIEW);
        for (line, says) in &obstacles {
            let at = line.map(|line| format!(":{line}")).unwrap_or_default();
            output::warn(format_args!("{}{at}: {}", path.display(), escape::plain(says)));
        }
        output::warn(format_args!(
            "the review stays {}: {} in the way of {to}",
            standing.status,
            count(obstacles.len())
        ));
        return Ok(Some(Exit::Violated));
    }
    let signed = standing.moved(to, by, today).put_into(&text);
    let Some(signed) = signed else {
        bail!("{} has no front matter to write the status into", folder.path().join(REVIEW).display());
    };
    review::put(folder.path(), REVIEW, &signed)?;
    Ok(None)
}

fn count(n: usize) -> String {
    if n == 1 { "one thing stands".into() } else { format!("{n} things stand") }
}

/// Prints what waits for a person.
///
/// # Errors
/// If `review.md` cannot be read.
pub fn list_open(folder: &RunFolder, findings: &Findings, global: &Global) -> anyhow::Result<Exit> {
    let (text, standing) = read(folder, findings)?;
    let waiting = open::waiting(&text, findings);
    if global.json {
        output::say(serde_json::to_string_pretty(&waiting)?);
        return Ok(Exit::Held);
    }
    for (line, says) in waiting.all() {
        let at = line.map(|line| format!(":{line}")).unwrap_or_default();
        output::say(format_args!("{}{at}: {}", folder.path().join(REVIEW).display(), escape::plain(&says)));
    }
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

/// The review as it stands, or the draft if there is none yet, and how far it has come.
fn read(folder: &RunFolder, findings: &Findings) -> anyhow::Result<(String, Standing)> {
    let kept = review::kept(folder).context("review.md cannot be read")?;
    let composed = review::compose(findings, &kept)?;
    let text = composed.texts[2].clone();
    let standing = Standing::read(&text, &Standing::of(findings))?;
    Ok((text, standing))
}
