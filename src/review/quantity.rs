//! How a review prints quantities: three significant digits, a unit, thousands apart.

use crate::analysis::{Interval, Objective, Value};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

const S: f64 = 1e9;

/// A number with three significant digits, and no more decimals than that needs.
fn three(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

/// A length of time, given in nanoseconds, as all of firedrill prints it: `850us`, `12.4ms`, `1.81s`, `1m35s`.
pub fn span(ns: u64) -> String {
    Value::Time(i64::try_from(ns).unwrap_or(i64::MAX)).to_string()
}

/// How far another clock is from ours, nanoseconds: `3.2ms ahead, give or take 600us`.
pub fn lead(lead: Interval<i64>) -> String {
    let middle = lead.low.midpoint(lead.high);
    let way = if middle < 0 { "behind" } else { "ahead" };
    let half = lead.high.abs_diff(lead.low) / 2;
    format!("{} {way}, give or take {}", span(middle.unsigned_abs()), span(half))
}

/// A figure's value: thousands apart, and `0%` only of zero.
pub fn value(value: Value) -> String {
    match value {
        Value::Count(n) => count(n),
        Value::Share(v) => share(v),
        Value::Bytes(n) => bytes(n),
        other => other.to_string(),
    }
}

/// What is promised: `<= 400ms`.
pub fn objective(objective: Objective) -> String {
    format!("{} {}", objective.op.sign(), value(objective.bound))
}

/// A margin: `+23%`, `-140%`.
pub fn margin(margin: f64) -> String {
    let percent = margin * 100.0;
    if percent > 0.0 && percent < 1.0 {
        return format!("+{}%", crate::units::trimmed(percent, 2));
    }
    format!("{}{}%", if percent < 0.0 { "-" } else { "+" }, count(percent.abs().round() as u64))
}

/// A moment, relative to t=0: `t+30.0s`, `t-5.0s`. Given in nanoseconds since t=0.
pub fn moment(ns: i64) -> String {
    let s = ns as f64 / S;
    let sign = if s < -0.0499 { '-' } else { '+' };
    format!("t{sign}{:.1}s", s.abs())
}

/// A moment to the millisecond: `t+30.012s`.
pub fn moment_ms(ns: i64) -> String {
    let s = ns as f64 / S;
    let sign = if s < -0.0005 { '-' } else { '+' };
    format!("t{sign}{:.3}s", s.abs())
}

/// A count with thousands apart: `12,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A share: `0%` only if it is zero, `<0.001%` if it would round to it, `100%` only if it is all.
pub fn share(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent == 0.0 {
        "0%".into()
    } else if percent < 0.001 {
        "<0.001%".into()
    } else if percent < 1.0 {
        format!("{}%", crate::units::trimmed(percent, 3))
    } else if fraction < 1.0 && percent >= 99.95 {
        format!("{}%", crate::units::trimmed((percent * 1000.0).floor() / 1000.0, 3))
    } else {
        format!("{}%", crate::units::trimmed(percent, if percent < 10.0 { 2 } else { 1 }))
    }
}

/// `n` of `total` with its share: `412 of 12,000 (3.43%)`; nothing of nothing has no share.
pub fn part(n: u64, total: u64) -> String {
    if total == 0 {
        return format!("{} of 0", count(n));
    }
    format!("{} of {} ({})", count(n), count(total), share(n as f64 / total as f64))
}

/// A number and its noun: `1 request`, `1,200 requests`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Memory and files: `64.0MB`.
pub fn bytes(n: u64) -> String {
    let value = n as f64;
    match n {
        0..=999 => format!("{n}B"),
        1_000..=999_499 => format!("{}kB", three(value / 1e3)),
        999_500..=999_499_999 => format!("{}MB", three(value / 1e6)),
        _ => format!("{}GB", three(value / 1e9)),
    }
}

/// The wall time `ns` after `zero`.
pub fn wall(zero: Timestamp, ns: i64) -> Timestamp {
    zero.checked_add(SignedDuration::from_nanos(ns)).unwrap_or(zero)
}

/// `10:00:30` in UTC.
pub fn utc_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

/// `10:00:30.125` in UTC.
pub fn utc_time_ms(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S%.3f").to_string()
}

/// `2026-03-01 10:00:30 UTC`.
pub fn utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_have_a_sign() {
        assert_eq!(margin(0.234), "+23%");
        assert_eq!(margin(-12.5), "-1,250%");
        assert_eq!(margin(0.001), "+0.1%");
    }

    #[test]
    fn zero_is_only_said_of_zero() {
        assert_eq!(share(0.0), "0%");
        assert_eq!(share(1e-7), "<0.001%");
        assert_eq!(share(0.001), "0.1%");
        assert_eq!(share(0.9999), "99.99%");
        assert_eq!(share(0.9999999), "99.999%");
        assert_eq!(share(1.0), "100%");
        assert_eq!(part(412, 12_000), "412 of 12,000 (3.43%)");
        assert_eq!(part(0, 0), "0 of 0");
    }

    #[test]
    fn moments_stand_relative_to_zero() {
        assert_eq!(moment(30_000_000_000), "t+30.0s");
        assert_eq!(moment(-5_000_000_000), "t-5.0s");
        assert_eq!(moment(-1_000_000), "t+0.0s");
        assert_eq!(moment_ms(12_000_000), "t+0.012s");
    }
}
