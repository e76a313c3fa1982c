//! `index.html` over all runs: one file, no request to anywhere, everything from outside escaped, and everything readable
//! without the one small script, which only searches.

mod detection;
mod dots;
mod glance;
mod trends;
mod years;

use super::{
    Past, Reports, once, owed,
    patterns::{Patterns, patterns},
    words::Row,
};
use crate::review::escape;
use base64::{Engine, prelude::BASE64_STANDARD};
use detection::Detection;
use glance::Tile;
use jiff::{civil::Date, tz::TimeZone};
use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use trends::Trend;
use years::Year;

/// Tells our page from one that somebody else put there.
pub const MARK: &str = "<meta name=\"generator\" content=\"firedrill history\">";

/// Searches the list; a browser without script shows no field for it.
const SCRIPT: &str = include_str!("../templates/index.js");

/// Scenarios that have a button of their own in the filter.
const BUTTONS: usize = 40;

/// The page as of a day. `has` says whether a file below the folder of reports is there to be linked to.
pub fn page(reports: &Reports, today: Date, has: impl Fn(&str) -> bool) -> String {
    let numbers = numbers(reports);
    let open = owed::open(reports);
    let row = |past: &Past| listed(past, &open, &numbers, &has);
    let runs: Vec<Listed> = reports.runs.iter().map(row).collect();
    let actions = actions(reports, today, &has);
    let patterns = patterns(reports, today);
    let days = || once(reports).filter_map(day);
    let scenarios = trends::trends(reports, &numbers, &has);
    let page = Page {
        today: today.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        runs: once(reports).count(),
        from: days().min().map(|day| day.to_string()),
        to: days().max().map(|day| day.to_string()),
        unreadable: reports.runs.iter().filter(|past| past.summary.is_none()).count(),
        tiles: glance::tiles(&scenarios, &patterns),
        scenarios,
        buttons: numbers
            .iter()
            .take(BUTTONS)
            .map(|(name, number)| Button { name: escape::plain(name), number: *number })
            .collect(),
        overdue: actions.iter().filter(|action| action.overdue).count(),
        actions,
        open: patterns.open.says(),
        day: today.strftime("%-d %B").to_string(),
        years: years::years(reports, today, &open, &has),
        rows: runs,
        detection: detection::detection(&patterns.coverage, &patterns.recall),
        patterns,
    };
    render(&page)
}

#[derive(Serialize)]
struct Page {
    today: String,
    version: &'static str,
    runs: usize,
    from: Option<String>,
    to: Option<String>,
    unreadable: usize,
    tiles: Vec<Tile>,
    scenarios: Vec<Trend>,
    buttons: Vec<Button>,
    actions: Vec<Action>,
    overdue: usize,
    /// How many items are open, and for how long.
    open: String,
    /// `1 March`
    day: String,
    years: Vec<Year>,
    rows: Vec<Listed>,
    detection: Detection,
    patterns: Patterns,
}

/// A scenario in the filter. Its name appears in no class and no selector.
#[derive(Serialize)]
struct Button {
    name: String,
    number: usize,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    row: Row,
    /// The review, if there is one.
    href: Option<String>,
    /// Of its scenario.
    number: usize,
    title: String,
    /// What else it can be found by.
    words: String,
}

#[derive(Serialize)]
struct Action {
    id: String,
    title: String,
    priority: String,
    state: String,
    owner: String,
    due: String,
    overdue: bool,
    ticket: Option<String>,
    scenario: String,
    href: Option<String>,
}

/// Scenarios by name, numbered.
type Numbers = BTreeMap<String, usize>;

fn numbers(reports: &Reports) -> Numbers {
    let names: std::collections::BTreeSet<String> =
        reports.runs.iter().filter_map(|past| past.scenario.clone()).collect();
    names.into_iter().zip(1..).collect()
}

fn listed(past: &Past, open: &BTreeMap<String, usize>, numbers: &Numbers, has: &impl Fn(&str) -> bool) -> Listed {
    Listed {
        row: Row::of(past, open),
        href: href(past, has),
        number: past.scenario.as_ref().and_then(|name| numbers.get(name)).copied().unwrap_or(0),
        title: past.summary.as_ref().map(|summary| escape::plain(&summary.title)).unwrap_or_default(),
        words: words(past),
    }
}

/// The run's id, its tags, owner, service and faults, and which rules found something where.
fn words(past: &Past) -> String {
    let mut words: Vec<&str> = vec![past.run()];
    if let Some(summary) = &past.summary {
        words.extend(summary.tags.iter().chain(&summary.owner).chain(&summary.service).map(String::as_str));
        words.extend(summary.injected.iter().map(String::as_str));
        words.extend(summary.findings.iter().flatten().map(|seen| seen.rule.as_str()));
        words.extend(summary.findings.iter().flatten().filter_map(|seen| seen.service.as_deref()));
    }
    let mut known = std::collections::BTreeSet::new();
    words.retain(|word| known.insert(*word));
    escape::plain(&words.join(" "))
}

/// The address of a run's review, relative to the page: every odd byte of the path is escaped.
fn href(past: &Past, has: &impl Fn(&str) -> bool) -> Option<String> {
    let file = format!("{}/review.html", past.folder);
    has(&file).then(|| {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        // A dot in front keeps a first part with a colon from being read as a scheme.
        format!("./{}", file.bytes().map(byte).collect::<String>())
    })
}

fn day(past: &Past) -> Option<Date> {
    past.started.map(|at| at.to_zoned(TimeZone::UTC).date())
}

fn actions(reports: &Reports, today: Date, has: &impl Fn(&str) -> bool) -> Vec<Action> {
    let by_run: BTreeMap<&str, &Past> = once(reports).map(|past| (past.run(), past)).collect();
    let open = owed::owed(reports, today).into_iter().filter(|owed| owed.item.state.open());
    let one = |owed: owed::Owed<'_>| {
        let item = owed.item;
        let link = by_run.get(owed.run).and_then(|past| href(past, has));
        let web = |ticket: &&String| ticket.starts_with("https://") || ticket.starts_with("http://");
        Action {
            id: escape::plain(&item.id),
            title: escape::plain(&item.title),
            priority: item.priority.to_string(),
            state: escape::plain(&item.state_words()),
            owner: escape::plain(item.owner.as_deref().unwrap_or("unassigned")),
            due: item.due.map_or("-".into(), |due| due.to_string()),
            overdue: owed.overdue,
            ticket: item.ticket.as_ref().filter(web).map(|ticket| escape::plain(ticket)),
            scenario: escape::plain(owed.scenario.unwrap_or("unknown")),
            href: link.map(|link| format!("{link}#actions")),
        }
    };
    open.map(one).collect()
}

fn render(page: &Page) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build().expect("the usual delimiters"));
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(escaped);
    let css = concat!(include_str!("../../review/templates/review.css"), include_str!("../templates/index.css"));
    environment.add_global("css", Value::from_safe_string(css.into()));
    environment.add_global("script", Value::from_safe_string(SCRIPT.into()));
    // The browser runs this script and no other.
    environment.add_global("digest", BASE64_STANDARD.encode(Sha256::digest(SCRIPT)));
    environment.add_global("mark", Value::from_safe_string(MARK.into()));
    environment.add_template("index.html", include_str!("../templates/index.html")).expect("compiled in and tested");
    let template = environment.get_template("index.html").expect("compiled in and tested");
    template.render(Serde(page)).expect("the template names only what a page has; a test renders every branch")
}

fn escaped(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(minijinja::ErrorKind::UndefinedError));
    }
    if value.is_none() {
        return Ok(());
    }
    let text = value.to_string();
    out.write_str(&if value.is_safe() { text } else { escape::markup(&text) }).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::past;

    fn reports() -> Reports {
        let mut odd = past("20250301T100000Z-odd-0001", "cache", 1, &[("<script>", "a\"b", "kill", "f1")]);
        odd.folder = "javascript:alert(1)/<b>".into();
        odd.scenario = Some("<script>alert(1)</script>{{ 1117 * 1117 }}".into());
        let cut = Past {
            summary: None,
            troubles: vec!["result.json is empty".into()],
            ..past("20260302T100000Z-cut-0001", "cache", 2, &[])
        };
        let runs = (1..=9)
            .rev()
            .map(|day| past(&format!("2026030{day}T100000Z-a-0001"), "a", day, &[("r", "s", "none", "f2")]));
        Reports { runs: runs.chain([cut, odd]).collect(), read_anew: 0 }
    }

    #[test]
    fn nothing_from_outside_gets_through() {
        let page = page(&reports(), "2027-03-01".parse().unwrap(), |_| true);
        assert_eq!(page.matches("<script").count(), 1, "ours");
        for odd in ["<script>alert", "<b>", "href=\"javascript", "1247689", "http://", "https://", "url("] {
            assert!(!page.contains(odd), "{odd}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;{{ 1117 * 1117 }}"));
        assert!(page.contains("href=\"./javascript%3Aalert%281%29/%3Cb%3E/review.html\""));
    }

    #[test]
    fn what_is_there_is_shown_and_linked() {
        let today: Date = "2027-03-01".parse().unwrap();
        let all = page(&reports(), today, |file| file.starts_with("2026030"));
        assert!(
            all.contains(MARK) && all.contains("11 runs of 3 scenarios") && all.contains("as of 2027-03-01"),
            "{all}"
        );
        assert!(all.contains("UNREADABLE") && all.contains("result.json is empty"));
        assert_eq!(all.matches("<circle").count(), 5 + 27 + 3, "the key, and a dot a figure of nine runs and of one");
        assert!(all.contains("href=\"./20260309T100000Z-a-0001/review.html\"") && !all.contains("%3Cb%3E/review.html"));
        assert!(all.contains("On this day") && all.contains("2026, a year ago"), "{all}");
        assert!(!page(&reports(), "2027-05-01".parse().unwrap(), |_| true).contains("On this day"));
        assert!(page(&Reports { runs: vec![], read_anew: 0 }, today, |_| true).contains("No run yet"));
        assert!(page(&reports(), today, |_| true) == page(&reports(), today, |_| true), "the same bytes");
    }
}
