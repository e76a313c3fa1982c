//! The follow-up review: what was owed, what a new run says of it, and how its figures compare with the earlier ones.

use super::{
    followup::{Checked, Outcome},
    owed::Owed,
};
use crate::{
    analysis::compare::{Comparison, CriterionPair, Quantity, Reading, Tested},
    review::{
        action::ActionItem,
        escape::{code_span, markdown},
        model::phase_name,
        quantity,
    },
};
use std::fmt::Write;

/// An item, what the run says of it, and the review that it stands in.
pub struct Row<'a> {
    /// As it was before the run.
    pub item: &'a ActionItem,
    /// What the run says.
    pub checked: &'a Checked,
    /// Its review, below the folder of reports.
    pub review: String,
}

/// Everything that a follow-up review is made of.
pub struct Parts<'a> {
    /// The new run.
    pub run: &'a str,
    /// Its scenario's title.
    pub title: &'a str,
    /// Its verdict's word.
    pub verdict: &'a str,
    /// What was asked of it.
    pub rows: &'a [Row<'a>],
    /// Each earlier run against the new one.
    pub compared: &'a [Comparison],
    /// What else is overdue.
    pub overdue: &'a [Owed<'a>],
}

/// The Markdown.
pub fn markdown_of(parts: &Parts<'_>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# Follow-up: {}\n", markdown(parts.title));
    let count = |outcome| parts.rows.iter().filter(|row| row.checked.outcome == outcome).count();
    let _ = writeln!(
        out,
        "Run {} ended as **{}**. Of {}: {} verified, {} not yet, {} regressed, {} undecided.\n",
        code_span(parts.run),
        markdown(parts.verdict),
        quantity::plural(parts.rows.len() as u64, "action item", "action items"),
        count(Outcome::Verified),
        count(Outcome::NotYet),
        count(Outcome::Regressed),
        count(Outcome::Undecided)
    );
    actions(&mut out, parts.rows);
    parts.compared.iter().for_each(|compared| figures(&mut out, compared));
    overdue(&mut out, parts.overdue);
    out
}

fn actions(out: &mut String, rows: &[Row<'_>]) {
    let _ = writeln!(
        out,
        "## What was followed up\n\n| Item | What | Was | Now | Because | Review |\n|---|---|---|---|---|---|"
    );
    for Row { item, checked, review } in rows {
        let _ = writeln!(
            out,
            "| {} | {} | {} | **{}** | {} | {} |",
            markdown(&item.id),
            markdown(&item.title),
            markdown(&item.state_words()),
            checked.outcome.name(),
            markdown(&checked.why),
            code_span(review)
        );
    }
    out.push('\n');
}

fn figures(out: &mut String, compared: &Comparison) {
    let _ = writeln!(out, "## Compared with {}\n", code_span(&compared.a.run));
    if !compared.same_scenario {
        let _ = writeln!(out, "The two are runs of different scenarios; only what bears the same name is compared.\n");
    }
    let changes: Vec<String> = compared.changes.iter().map(|change| markdown(&change.what)).collect();
    let _ = writeln!(
        out,
        "Changed since: {}.\n",
        if changes.is_empty() { "nothing that is recorded".into() } else { changes.join(", ") }
    );
    if !compared.criteria.is_empty() {
        let _ = writeln!(out, "| Phase | Criterion | Expected | Earlier | This run |\n|---|---|---|---|---|");
        compared.criteria.iter().for_each(|pair| criterion(out, pair));
        out.push('\n');
    }
    let beyond: Vec<&Tested> = compared.tested.iter().filter(|one| one.reading == Reading::BeyondNoise).collect();
    let _ = writeln!(out, "{} of {} tested differences are beyond noise.\n", beyond.len(), compared.tested.len());
    for one in &beyond {
        let _ = writeln!(out, "- {}", difference(one));
    }
    if !beyond.is_empty() {
        out.push('\n');
    }
}

fn criterion(out: &mut String, pair: &CriterionPair) {
    let measured = pair.measured.map(|m| m.map_or_else(|absent| absent.to_string(), quantity::value));
    let status = pair.status.map(|status| format!("{status:?}").to_lowercase());
    let expected = pair.objective[1].map_or("unaffected".into(), quantity::objective);
    let what = format!("{} {}", pair.probe.as_deref().unwrap_or_default(), pair.what);
    let cells = [
        phase_name(pair.phase).to_owned(),
        markdown(&what),
        markdown(&expected),
        format!("{} ({})", markdown(&measured[0]), status[0]),
        format!("{} ({})", markdown(&measured[1]), status[1]),
    ];
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn difference(one: &Tested) -> String {
    let [a, b] = one.value.map(quantity::value);
    let what = match one.quantity {
        Quantity::Errors => "errors".to_owned(),
        Quantity::Percentile(q) => format!("p{}", crate::units::trimmed(q * 100.0, 2)),
    };
    let p = if one.adjusted_p < 0.001 { "under 0.001".into() } else { format!("{:.3}", one.adjusted_p) };
    format!(
        "{} {what}, {}: {} earlier, {} in this run (p {p}, {})",
        markdown(&one.probe),
        phase_name(one.phase),
        markdown(&a),
        markdown(&b),
        one.test.name()
    )
}

fn overdue(out: &mut String, overdue: &[Owed<'_>]) {
    let _ = writeln!(out, "## Overdue\n");
    if overdue.is_empty() {
        let _ = writeln!(out, "Nothing.");
    }
    for owed in overdue {
        let due = owed.item.due.map(|due| due.to_string()).unwrap_or_default();
        let owner = owed.item.owner.as_deref().unwrap_or("unassigned");
        let _ = writeln!(
            out,
            "- {} {} (due {due}, {}, {})",
            markdown(&owed.item.id),
            markdown(&owed.item.title),
            markdown(owner),
            code_span(&owed.review)
        );
    }
}
