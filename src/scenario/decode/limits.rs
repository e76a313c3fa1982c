//! `errors: "<= 0.1%"`, `p99: "<= 100ms"`

use crate::{
    event::{Limit, Metric},
    scenario::{leaf, tree::Node},
    units::{Percent, Span},
};

/// The quantile that `p50`, `p99`, `p99.9` stand for.
pub fn quantile(key: &str) -> Option<f64> {
    let number = key.strip_prefix('p')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 2) || !digits(part, 3) {
        return None;
    }
    // `0.99` and not `0.9900000000000001`: what is written is what is meant.
    let quantile: f64 = format!("0.{whole:0>2}{part}").parse().ok()?;
    (quantile > 0.0).then_some(quantile)
}

/// The limits of a map, in the order of the file.
pub fn limits(node: &Node) -> Vec<Limit> {
    node.entries().iter().filter_map(|entry| limit(&entry.key, entry.node.text()?)).collect()
}

fn limit(key: &str, text: &str) -> Option<Limit> {
    if key == "errors" {
        let (op, bound) = leaf::limit::<Percent>(text).ok()?;
        return Some(Limit { metric: Metric::Errors(bound), op });
    }
    let quantile = if key == "max" { 1.0 } else { quantile(key)? };
    let (op, bound) = leaf::limit::<Span>(text).ok()?;
    Some(Limit { metric: Metric::Latency { quantile, bound }, op })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_as_they_are_written() {
        for (key, expected) in [
            ("p50", Some(0.5)),
            ("p5", Some(0.05)),
            ("p99", Some(0.99)),
            ("p99.9", Some(0.999)),
            ("p99.99", Some(0.9999)),
            ("p0", None),
            ("p100", None),
            ("p99.", None),
            ("p", None),
            ("q99", None),
            ("p9x", None),
        ] {
            assert_eq!(quantile(key), expected, "{key}");
        }
    }
}
