//! On this day: what was drilled on the same day of the calendar in earlier years, so that it is read again.

use super::{day, href};
use crate::{
    history::{Past, Reports, once, words::Row},
    review::escape::plain,
};
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

/// A run of this day in an earlier year. Texts are without control characters and not escaped.
#[derive(Serialize)]
pub struct Year {
    /// `2025, a year ago`
    when: String,
    /// The day, as a machine reads it.
    day: String,
    title: String,
    /// The review, if there is one.
    href: Option<String>,
    verdict: String,
    tone: &'static str,
    /// The key figures that were measured, in words.
    figures: Vec<String>,
    /// The gravest finding.
    found: Option<String>,
}

/// The runs of this day in earlier years, newest first.
pub fn years(reports: &Reports, today: Date, open: &BTreeMap<String, usize>, has: &impl Fn(&str) -> bool) -> Vec<Year> {
    let row = |past| Row::of(past, open);
    let of = |past| day(past).filter(|day| same_day(*day, today)).map(|day| year(past, row(past), day, today, has));
    once(reports).filter_map(of).collect()
}

/// What happened on 29 February is remembered on the 28th in years without one.
fn same_day(then: Date, today: Date) -> bool {
    let (now, month) = ((today.month(), today.day()), (then.month(), then.day()));
    let leap = month == (2, 29) && now == (2, 28) && !today.in_leap_year();
    then.year() < today.year() && (month == now || leap)
}

fn year(past: &Past, row: Row, then: Date, today: Date, has: &impl Fn(&str) -> bool) -> Year {
    let summary = past.summary.as_ref();
    let title = summary.map(|summary| plain(&summary.title)).filter(|title| !title.is_empty());
    let found = summary.and_then(|summary| summary.findings.as_ref()?.first());
    Year {
        when: match today.year() - then.year() {
            1 => format!("{}, a year ago", then.year()),
            years => format!("{}, {years} years ago", then.year()),
        },
        day: then.to_string(),
        title: title.unwrap_or_else(|| row.scenario.clone()),
        href: href(past, has),
        figures: figures(&row),
        verdict: row.verdict,
        tone: row.tone,
        found: found.map(|seen| plain(&seen.title)).filter(|title| !title.is_empty()),
    }
}

fn figures(row: &Row) -> Vec<String> {
    let told = [("failed", &row.failed), ("p99", &row.p99), ("recovered in", &row.recovered), ("margin", &row.margin)];
    let known = told.into_iter().filter(|(_, value)| value.contains(|c: char| c.is_ascii_digit()));
    let words = |(name, value): (&str, &String)| match name {
        "failed" => format!("{value} failed"),
        _ => format!("{name} {value}"),
    };
    known.map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::past;
    use jiff::civil::date;

    #[test]
    fn a_day_is_the_same_in_earlier_years_only() {
        let today = date(2027, 3, 1);
        for (then, same) in [
            (date(2026, 3, 1), true),
            (date(2024, 3, 1), true),
            (date(2027, 3, 1), false),
            (date(2028, 3, 1), false),
            (date(2026, 3, 2), false),
            (date(2026, 4, 1), false),
            (date(2024, 2, 29), false),
        ] {
            assert_eq!(same_day(then, today), same, "{then}");
        }
        assert!(same_day(date(2024, 2, 29), date(2027, 2, 28)) && !same_day(date(2024, 2, 29), date(2028, 2, 28)));
        assert!(same_day(date(2024, 2, 29), date(2028, 2, 29)));
    }

    #[test]
    fn what_was_drilled_then_is_told_with_what_it_found() {
        let mut old = past("20240301T100000Z-a-0001", "a", 1, &[("no-limit", "redis", "kill", "f1")]);
        old.started = Some("2024-03-01T10:00:00Z".parse().unwrap());
        let runs = vec![past("20260301T100000Z-a-0001", "a", 1, &[]), old];
        let all = years(&Reports { runs, read_anew: 0 }, date(2027, 3, 1), &BTreeMap::new(), &|_| false);
        let told: Vec<(&str, Option<&str>)> =
            all.iter().map(|year| (year.when.as_str(), year.found.as_deref())).collect();
        assert_eq!(told, [("2026, a year ago", None), ("2024, 3 years ago", Some("found"))]);
        assert_eq!(all[0].figures, ["1 of 1,000 (0.1%) failed", "p99 5ms to 7ms", "margin +50%"]);
    }
}
