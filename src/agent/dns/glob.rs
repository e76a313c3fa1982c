//! Names with wildcards.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// The longest name there is, as text without its final dot.
const LONGEST: usize = 253;

/// A name in which `*` stands for any characters, dots included, and `?` for one. Case and a final dot do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(String);

impl Glob {
    /// Whether this name, in lower case and without its final dot, is one of them.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go back to: behind the last star, and how much of the name that star stands for.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    star = Some((p, n));
                }
                Some(byte) if *byte == b'?' || *byte == name[n] => (p, n) = (p + 1, n + 1),
                _ => {
                    let Some((behind, taken)) = star else { return false };
                    star = Some((behind, taken + 1));
                    (p, n) = (behind, taken + 1);
                }
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Glob, String> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.*?".contains(c);
        if name.is_empty() || name.len() > LONGEST || name.contains("..") || !name.chars().all(fits) {
            return Err(format!("`{text}` is not a name such as `payments`, `payments*` or `*.example.com`"));
        }
        Ok(Glob(name))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_match_with_stars_and_whatever_their_case() {
        for (glob, matching, other) in [
            ("payments", &["payments"][..], &["payments.local", "payment", "xpayments"][..]),
            ("Payments*.", &["payments", "payments.corp.local", "payments-2"], &["my-payments"]),
            ("*.example.com", &["a.example.com", "a.b.example.com"], &["example.com", "a.example.com.local"]),
            ("db-?", &["db-1"], &["db-", "db-10"]),
            ("*a*b", &["ab", "aab", "xaxbxb"], &["ba", "abx"]),
            ("*", &["", "anything.at.all"], &[]),
        ] {
            let glob: Glob = glob.parse().expect("a glob");
            assert!(matching.iter().all(|name| glob.matches(name)), "{glob} means all of {matching:?}");
            assert!(!other.iter().any(|name| glob.matches(name)), "{glob} means none of {other:?}");
        }
        for text in ["", ".", "a b", "a..b", "http://a", "ä"] {
            assert!(text.parse::<Glob>().is_err(), "{text}");
        }
    }

    /// The same by definition, slowly.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if slow(rest, name) => true,
            (Some((b'*', _)), Some((_, after))) => slow(pattern, after),
            (Some((p, rest)), Some((n, after))) => (*p == b'?' || p == n) && slow(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_as_defined(pattern in "[ab*?]{1,8}", name in "[ab]{0,10}") {
            let glob: Glob = pattern.parse().expect("a glob");
            prop_assert_eq!(glob.matches(&name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
