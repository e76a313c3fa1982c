//! `firedrill compare`: two runs side by side.

use super::{Exit, Global, output, table::Table};
use crate::{
    analysis::{
        Absent, CriterionStatus, Objective, Value,
        compare::{self, Case, Comparison, LEVEL, Quantity, Reading, SMALL, Side, Tested},
    },
    journal::RunFolder,
    review::{
        escape::plain,
        model::phase_name,
        quantity::{self, value},
    },
};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Arguments of `firedrill compare`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Error ratios are compared by a two-proportion z-test whose variance comes from one-second clusters if that is the
larger one, and by Fisher's exact test where few failures are expected; percentiles by a bootstrap over one-second
blocks. The p-values are raised for the number of tests (Holm); under 0.05 a difference is beyond noise. Figures of which
a run has one value, such as its time to recover, are shown without a test: no test can tell there.
Two runs of one system differ by more than the noise inside each; run it several times before you conclude.

Examples:
  firedrill compare reports/20260301T100000Z-cache-loss-7f3a reports/20260308T100000Z-cache-loss-91bc
  firedrill compare 20260301T100000Z-cache-loss-7f3a 20260308T100000Z-cache-loss-91bc --reports reports
  firedrill compare A B --json | jq '.tested[] | select(.reading == \"beyond_noise\")'"
)]
pub struct Compare {
    /// The first run: its folder, or the name of one in the reports.
    #[arg(value_name = "RUN")]
    pub a: PathBuf,
    /// The second run.
    #[arg(value_name = "RUN")]
    pub b: PathBuf,
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "reports")]
    pub reports: PathBuf,
}

impl Compare {
    /// Prints the comparison.
    ///
    /// # Errors
    /// If one of them is no run, or its journal cannot be read.
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let read = |run: &Path| -> anyhow::Result<Case> {
            let folder = folder(run, &self.reports)?;
            Case::read(&folder).with_context(|| format!("{} cannot be compared", folder.path().display()))
        };
        let compared = compare::compare(&read(&self.a)?, &read(&self.b)?);
        if global.json {
            output::say(serde_json::to_string_pretty(&compared)?);
        } else {
            tell(&compared, global);
        }
        Ok(Exit::Held)
    }
}

/// A run by its folder, or by the name of its folder below the folder of reports.
///
/// # Errors
/// If there is none.
pub fn folder(run: &Path, reports: &Path) -> anyhow::Result<RunFolder> {
    let places = [run.to_owned(), reports.join(run)];
    if let Some(found) = places.iter().find(|place| place.join("journal.jsonl").is_file()) {
        return Ok(RunFolder(found.clone()));
    }
    match places.iter().find(|place| place.exists()) {
        Some(other) => bail!("{} is not the folder of a run: it holds no journal.jsonl", other.display()),
        None => bail!("there is no run {}, neither here nor in {}", run.display(), reports.display()),
    }
}

fn tell(compared: &Comparison, global: &Global) {
    for (name, side) in [("A", &compared.a), ("B", &compared.b)] {
        let Side { run, scenario, word, .. } = side;
        output::say(format_args!("{name}  {word:16}  {}  {}", plain(run), plain(scenario)));
    }
    if !compared.same_scenario {
        output::say("\nThese are runs of different scenarios: only what bears the same name is compared.");
    }
    section("What changed between them", changes(compared), "nothing that is recorded");
    section("What was promised", criteria(compared), "nothing in common");
    section("Many observations a run: tested", tested(compared, global), "nothing in common that could be tested");
    section("One value a run: no test can tell", figures(compared), "nothing in common");
    if !compared.remarks.is_empty() {
        output::say(format_args!("\n{}", compared.remarks.iter().map(|r| plain(r)).collect::<Vec<_>>().join("\n")));
    }
    if !global.quiet {
        output::say(format_args!("\n{}", conclusion(compared)));
    }
}

fn section(title: &str, text: Option<String>, nothing: &str) {
    output::say(format_args!("\n{title}\n{}", text.unwrap_or_else(|| nothing.into())));
}

fn conclusion(compared: &Comparison) -> String {
    let all = compared.tested.len();
    let beyond = compared.tested.iter().filter(|one| one.reading == Reading::BeyondNoise).count();
    format!(
        "{beyond} of {all} tested differences are beyond noise (p under {LEVEL} after Holm's correction for {all} tests, and at \
         least {}).\nThe tests know the noise inside these two runs; two runs of the same system differ by more than that.",
        quantity::share(SMALL)
    )
}

fn changes(compared: &Comparison) -> Option<String> {
    let mut table = Table::new(["", "A", "B"]);
    for change in &compared.changes {
        let shown = |side: &Option<String>| side.as_deref().map_or("-".into(), |text| shortened(&plain(text)));
        table.row([change.what.clone(), shown(&change.before), shown(&change.after)]);
    }
    (!compared.changes.is_empty()).then(|| table.text(false))
}

/// Digests to as many digits as tell them apart.
fn shortened(text: &str) -> String {
    let digest = |word: &str| word.len() >= 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let word = |word: &str| {
        let (scheme, hex) = word.rsplit_once(':').unwrap_or(("", word));
        if digest(hex) {
            format!("{scheme}{}{}", if scheme.is_empty() { "" } else { ":" }, &hex[..12])
        } else {
            word.into()
        }
    };
    text.split(' ').map(word).collect::<Vec<String>>().join(" ")
}

fn criteria(compared: &Comparison) -> Option<String> {
    let mut table = Table::new(["PHASE", "CRITERION", "EXPECTED", "A", "", "B", ""]);
    for pair in &compared.criteria {
        let [a, b] = pair.measured.map(measured);
        let [status_a, status_b] = pair.status.map(status);
        let what = format!("{} {}", plain(pair.probe.as_deref().unwrap_or_default()), pair.what);
        let phase = phase_name(pair.phase).to_owned();
        table.row([phase, what.trim().into(), expected(pair.objective), a, status_a.into(), b, status_b.into()]);
    }
    (!compared.criteria.is_empty()).then(|| table.text(false))
}

fn expected(objective: [Option<Objective>; 2]) -> String {
    let shown = objective.map(|o| o.map_or("unaffected".into(), quantity::objective));
    if shown[0] == shown[1] { shown[0].clone() } else { format!("{}, then {}", shown[0], shown[1]) }
}

fn measured(measured: Result<Value, Absent>) -> String {
    measured.map_or_else(|absent| absent.to_string(), value)
}

fn status(status: CriterionStatus) -> &'static str {
    match status {
        CriterionStatus::Met => "met",
        CriterionStatus::Broken => "broken",
        CriterionStatus::Undecided => "undecided",
        CriterionStatus::NotReached => "not reached",
    }
}

fn tested(compared: &Comparison, global: &Global) -> Option<String> {
    let heads = ["PHASE", "QUANTITY", "A", "B", "N OF A", "N OF B", "DIFFERENCE, 95 %", "P", "READING", "TEST"];
    let mut table = Table::new(heads);
    for one in &compared.tested {
        let [a, b] = one.value.map(value);
        let [n_a, n_b] = one.n.map(quantity::count);
        let what = format!("{} {}", plain(&one.probe), named(one.quantity));
        let (phase, test) = (phase_name(one.phase).to_owned(), one.test.name().to_owned());
        table.row([phase, what, a, b, n_a, n_b, difference(one), probability(one.adjusted_p), reading(one), test]);
        if one.reading == Reading::BeyondNoise {
            table.paint(8, "1;33");
        }
    }
    (!compared.tested.is_empty()).then(|| table.text(global.color.stdout()))
}

fn named(quantity: Quantity) -> String {
    match quantity {
        Quantity::Errors => "errors".into(),
        Quantity::Percentile(q) => format!("p{}", crate::units::trimmed(q * 100.0, 2)),
    }
}

fn difference(one: &Tested) -> String {
    let signed = |ns: i64| format!("{}{}", if ns > 0 { "+" } else { "" }, Value::Time(ns));
    one.interval.map_or("-".into(), |i| format!("{} to {}", signed(i.low), signed(i.high)))
}

fn probability(p: f64) -> String {
    if p < 0.001 { "<0.001".into() } else { format!("{p:.3}") }
}

fn reading(one: &Tested) -> String {
    match one.reading {
        Reading::WithinNoise => "within noise".into(),
        Reading::BeyondNoiseSmall => format!("beyond noise, under {}", quantity::share(SMALL)),
        Reading::BeyondNoise => "beyond noise".into(),
    }
}

fn figures(compared: &Comparison) -> Option<String> {
    let mut table = Table::new(["FIGURE", "A", "B", ""]);
    for pair in &compared.figures {
        let name = format!("{} {}", plain(pair.probe.as_deref().unwrap_or_default()), pair.kind.name());
        let [a, b] = pair.value.map(measured);
        let apart = match pair.apart {
            Some(true) => "apart by more than the measuring error",
            Some(false) => "within the measuring error",
            None => "",
        };
        table.row([name.trim().into(), a, b, apart.into()]);
    }
    (!compared.figures.is_empty()).then(|| table.text(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_told_apart_by_their_first_digits() {
        let digest = "9b".repeat(32);
        assert_eq!(shortened(&format!("redis:7 sha256:{digest}")), "redis:7 sha256:9b9b9b9b9b9b");
        assert_eq!(shortened(&digest), "9b9b9b9b9b9b");
        assert_eq!(probability(0.000_4), "<0.001");
    }
}
