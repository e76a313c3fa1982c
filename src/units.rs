//! Quantities as people write them: every number carries its unit.
//!
//! `Span` (`400ms`, `1m30s`), `Rate` (`200/s`), `Percent` (`0.1%`), `Bytes` (`64MB`) and `Cores` (`0.2 cores`) parse from text,
//! print back as they are best read, and serialise as that text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr, time::Duration};

/// Why a text is not the quantity it should be; the message says what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(pub String);

fn error<T>(text: impl Into<String>) -> Result<T, UnitError> {
    Err(UnitError(text.into()))
}

/// Splits the number that a text starts with from the unit behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let value: f64 = text[..end].parse().ok()?;
    Some((value, text[end..].trim_start()))
}

/// A length of time, kept to the nanosecond. Written `250us`, `400ms`, `30s`, `1m30s`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

const SPAN_UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12), ("d", 8.64e13)];

/// A century; longer spans are typing errors and would overflow sums.
const SPAN_MAX_NS: f64 = 3.6e12 * 24.0 * 36525.0;

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(Duration::ZERO);

    /// Whole seconds.
    pub const fn secs(n: u64) -> Span {
        Span(Duration::from_secs(n))
    }

    /// Whole milliseconds.
    pub const fn millis(n: u64) -> Span {
        Span(Duration::from_millis(n))
    }

    /// In nanoseconds.
    pub fn ns(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Span, UnitError> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return error("a length of time is expected, such as `30s`, `400ms` or `1m30s`");
        }
        let mut ns = 0.0;
        while !rest.is_empty() {
            let Some((value, tail)) = number(rest) else {
                return error(format!("`{text}` is not a length of time; write it like `30s`, `400ms` or `1m30s`"));
            };
            let end = tail.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(tail.len());
            let unit = &tail[..end];
            let Some((_, factor)) = SPAN_UNITS.iter().find(|(name, _)| *name == unit) else {
                let what =
                    if unit.is_empty() { "lacks its unit".into() } else { format!("has the unknown unit `{unit}`") };
                return error(format!("`{text}` {what}; the units of time are us, ms, s, m, h and d"));
            };
            ns += value * factor;
            rest = tail[end..].trim_start();
        }
        if ns > SPAN_MAX_NS {
            return error(format!("`{text}` is longer than a century"));
        }
        Ok(Span(Duration::from_nanos(ns.round() as u64)))
    }
}

/// Seconds.
const DAY: u128 = 86_400;

/// Prints with the largest unit that loses nothing readable: `1m30s`, `30s`, `1.25s`, `400ms`, `13.2ms`, `250us`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let whole = ns.is_multiple_of(1_000_000_000);
        let secs = ns / 1_000_000_000;
        match ns {
            0 => write!(f, "0s"),
            _ if whole && secs >= 60 => {
                // People say 36 hours, but seven days.
                let d = if secs >= 2 * DAY { secs / DAY } else { 0 };
                let (h, m, s) = ((secs - d * DAY) / 3600, secs / 60 % 60, secs % 60);
                let part = |n: u128, unit: &str| if n > 0 { format!("{n}{unit}") } else { String::new() };
                write!(f, "{}{}{}{}", part(d, "d"), part(h, "h"), part(m, "m"), part(s, "s"))
            }
            _ if ns >= 1_000_000_000 => write!(f, "{}s", trimmed(ns as f64 / 1e9, 3)),
            _ if ns >= 1_000_000 => write!(f, "{}ms", trimmed(ns as f64 / 1e6, 3)),
            _ if ns >= 1_000 => write!(f, "{}us", trimmed(ns as f64 / 1e3, 3)),
            _ => write!(f, "{ns}ns"),
        }
    }
}

/// A number with at most `digits` decimals and no trailing zeros.
pub fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// How often something happens, in events per second. Written `200/s`, `30/m`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl Rate {
    /// Nanoseconds between one event and the next.
    pub fn interval_ns(self) -> f64 {
        1e9 / self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Rate, UnitError> {
        let expected = || UnitError(format!("`{text}` is not a rate; write it like `200/s` or `30/m`"));
        let (value, unit) = number(text.trim()).ok_or_else(expected)?;
        let per = match unit.strip_prefix('/').map(str::trim_start) {
            Some("s") => 1.0,
            Some("m") => 60.0,
            Some("h") => 3600.0,
            _ => return Err(expected()),
        };
        let rate = value / per;
        if rate <= 0.0 { error(format!("the rate `{text}` must be more than zero")) } else { Ok(Rate(rate)) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = if self.0 >= 1.0 {
            (self.0, "s")
        } else if self.0 * 60.0 >= 1.0 {
            (self.0 * 60.0, "m")
        } else {
            (self.0 * 3600.0, "h")
        };
        write!(f, "{}/{unit}", trimmed(value, 3))
    }
}

/// A share between 0 % and 100 %, kept as a fraction. Written `0.1%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Percent(pub f64);

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Percent, UnitError> {
        match number(text.trim()) {
            Some((value, "%")) if value <= 100.0 => Ok(Percent(value / 100.0)),
            Some((_, "%")) => error(format!("`{text}` is more than 100%")),
            Some((_, "")) => error(format!("`{text}` lacks its unit; write `{}%`", text.trim())),
            _ => error(format!("`{text}` is not a percentage; write it like `0.1%`")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", trimmed(self.0 * 100.0, 4))
    }
}

/// An amount of memory or disk. Written `64MB`, `1.5GiB`; `k`, `M`, `G` are decimal, `Ki`, `Mi`, `Gi` binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub u64);

const BYTE_UNITS: [(&str, f64); 7] =
    [("B", 1.0), ("kB", 1e3), ("KiB", 1024.0), ("MB", 1e6), ("MiB", 1048576.0), ("GB", 1e9), ("GiB", 1073741824.0)];

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Bytes, UnitError> {
        let found = number(text.trim()).and_then(|(value, unit)| {
            let (_, factor) = BYTE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
            Some(Bytes((value * factor).round() as u64))
        });
        found.ok_or_else(|| UnitError(format!("`{text}` is not a size; write it like `64MB` or `1GiB`")))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)].into_iter().find(|(_, factor)| self.0 as f64 >= *factor);
        match best {
            Some((unit, factor)) => write!(f, "{}{unit}", trimmed(self.0 as f64 / factor, 2)),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// An amount of CPU time, in billionths of a core. Written `0.2 cores`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cores(pub u64);

impl FromStr for Cores {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Cores, UnitError> {
        let how = "write it like `0.2 cores` or `1 core`";
        match number(text.trim()) {
            Some((value, "core" | "cores")) if value > 0.0 && value < 1e6 => Ok(Cores((value * 1e9).round() as u64)),
            Some((_, "")) => error(format!("`{text}` lacks its unit; {how}")),
            _ => error(format!("`{text}` is no number of cores; {how}")),
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", trimmed(self.0 as f64 / 1e9, 3), if self.0 == 1_000_000_000 { "core" } else { "cores" })
    }
}

/// How fast a link is, in bits a second. Written `1Mbit/s`; `k`, `M`, `G` are decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct BitRate(pub u64);

const BIT_UNITS: [(&str, f64); 4] = [("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3), ("bit/s", 1.0)];

impl FromStr for BitRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<BitRate, UnitError> {
        let found = number(text.trim()).and_then(|(value, unit)| {
            let (_, factor) = BIT_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
            Some(BitRate((value * factor).round() as u64))
        });
        found.ok_or_else(|| {
            UnitError(format!("`{text}` is not a bit rate; write it like `1Mbit/s`, `64kbit/s` or `2.5Gbit/s`"))
        })
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = BIT_UNITS.into_iter().find(|(_, factor)| self.0 as f64 >= *factor);
        let (unit, factor) = best.unwrap_or(("bit/s", 1.0));
        write!(f, "{}{unit}", trimmed(self.0 as f64 / factor, 3))
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Span, Rate, Percent, Cores, Bytes, BitRate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ns, printed) in [
            ("30s", 30_000_000_000, "30s"),
            ("1m30s", 90_000_000_000, "1m30s"),
            ("90s", 90_000_000_000, "1m30s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("400ms", 400_000_000, "400ms"),
            ("250us", 250_000, "250us"),
            ("2h", 7_200_000_000_000, "2h"),
            ("36h", 129_600_000_000_000, "36h"),
            ("7d", 604_800_000_000_000, "7d"),
            ("49h", 176_400_000_000_000, "2d1h"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.ns(), span.to_string().as_str()), (ns, printed), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_quantity_says_what_is_expected() {
        let says = |e: UnitError| e.to_string();
        assert!(says("30".parse::<Span>().unwrap_err()).contains("lacks its unit"));
        assert!(says("30parsecs".parse::<Span>().unwrap_err()).contains("unknown unit `parsecs`"));
        assert!(says("-3s".parse::<Span>().unwrap_err()).contains("not a length of time"));
        assert!(says("101%".parse::<Percent>().unwrap_err()).contains("more than 100%"));
        assert!(says("5".parse::<Percent>().unwrap_err()).contains("write `5%`"));
        assert!(says("0/s".parse::<Rate>().unwrap_err()).contains("more than zero"));
        assert!("9999999999h".parse::<Span>().is_err());
    }

    #[test]
    fn rates_percentages_and_sizes_read_and_print() {
        assert_eq!("30/m".parse::<Rate>().unwrap(), Rate(0.5));
        assert_eq!(Rate(0.5).to_string(), "30/m");
        assert_eq!("0.1%".parse::<Percent>().unwrap().to_string(), "0.1%");
        assert_eq!("64MB".parse::<Bytes>().unwrap(), Bytes(64_000_000));
        assert_eq!(Bytes(64_000_000).to_string(), "64MB");
        assert_eq!("0.2 cores".parse::<Cores>().unwrap(), Cores(200_000_000));
        assert_eq!(Cores(1_000_000_000).to_string(), "1 core");
        assert!("0.2".parse::<Cores>().unwrap_err().to_string().contains("lacks its unit"));
    }
}
