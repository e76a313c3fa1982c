//! Secrets are masked when something is recorded, here and nowhere else: the values that a scenario names with
//! `${env:NAME}` wherever they stand, and what is recognisably a credential. What is executed is never changed.
//!
//! A pattern knows only what looks like a secret. What looks like none is kept out by not being written down:
//! `${env:NAME}` stands in the scenario, the plan and the journal, and is filled in when something is sent.

use regex::bytes::Regex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{ops::Range, sync::LazyLock};

/// What stands in place of a secret.
pub const HIDDEN: &str = "[redacted]";
/// Values shorter than this are no secrets, and hiding them would garble every log.
const SHORTEST: usize = 4;

/// What the name of a password, token or key ends with: `DB_PASSWORD`, `x-api-key`.
const NAME: &str = "(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|\
                    private[_-]?key|credentials?|mysql_pwd|rediscli_auth|requirepass|masterauth)";
/// A value: in quotes, or up to the next separator.
const VALUE: &str = r#"("[^"\\]+"|'[^']+'|[^\s"'\\,;&<>]+)"#;

/// What is recognised, for people, and how; `<name>` and `<value>` stand for the two above. A group is a secret.
const PATTERNS: [(&str, &str); 9] = [
    ("a private key", r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z))"),
    (
        "a login",
        r#"(?i)\bauthorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:basic|bearer|digest|negotiate|token)\s+)?([^\s"'\\,;]+)"#,
    ),
    // A word of prose has no digit in it.
    ("a login", r"(?i)\b(?:basic|bearer)\s+([a-z0-9+/._~-]*[0-9][a-z0-9+/._~-]*=*)"),
    ("a password in a URL", r#"(?i)\b[a-z][a-z0-9+.-]*://[^\s/@:"']*:([^\s/@"']+)@"#),
    ("a password or key", r#"(?i)<name>\\?["']?\s?[:=]\s?(?:<value>|\\["']([^"'\\]+))"#),
    (
        "a password or key",
        r"(?i)(?:(?:^|\s)--?(?:[a-z0-9-]*[_-])?(?:<name>|pass)|\brequirepass|\bmasterauth)\s+<value>",
    ),
    (
        "a password of a client",
        r"\b(?:mysql|mariadb)[\w-]*\s(?:.*\s)?-p<value>|\bredis-cli\s(?:.*\s)?-a\s+<value>|\bcurl\s(?:.*\s)?(?:-u|--user)\s*[^\s:]+:<value>",
    ),
    (
        "a key of a provider",
        r"\b((?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|[sr]k_live_\w{10,}|AIza[\w-]{35})",
    ),
    ("a signed token", r"\b(eyJ[\w-]{6,}\.[\w-]{4,}\.[\w-]*)"),
];

static COMPILED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let compile = |text: &str| Regex::new(&text.replace("<name>", NAME).replace("<value>", VALUE));
    let fixed = "the expression is fixed and a test compiles it";
    PATTERNS.into_iter().map(|(what, text)| (what, compile(text).expect(fixed))).collect()
});

/// What in a text is recognisably a secret: what it is, and where, in bytes.
pub fn recognised(text: &[u8]) -> Vec<(&'static str, Range<usize>)> {
    let mut found = Vec::new();
    for (what, regex) in COMPILED.iter() {
        for captures in regex.captures_iter(text) {
            let secrets = captures.iter().skip(1).flatten().map(|secret| unquoted(text, secret.range()));
            found.extend(secrets.filter(|at| is_value(&text[at.clone()])).map(|at| (*what, at)));
        }
    }
    found
}

/// The same for an entry of a map; places are those in the value.
pub fn recognised_entry(key: &str, value: &str) -> Vec<(&'static str, Range<usize>)> {
    let entry = format!("{key}={value}");
    let before = key.len() + 1;
    let behind = recognised(entry.as_bytes()).into_iter().filter(|(_, at)| at.start >= before);
    let mut found = recognised(value.as_bytes());
    found.extend(behind.map(|(what, at)| (what, at.start - before..at.end - before)));
    found
}

/// The same for the words of a command; places are those of [`joined`].
pub fn recognised_words(words: &[String]) -> Vec<(&'static str, Range<usize>)> {
    let text = joined(words);
    let each = starts(words).zip(words).flat_map(|(start, word)| {
        recognised(word.as_bytes()).into_iter().map(move |(what, at)| (what, start + at.start..start + at.end))
    });
    let mut found: Vec<_> = recognised(text.as_bytes()).into_iter().chain(each).collect();
    // A secret that is a word of its own goes as a whole, spaces and all.
    for (start, word) in starts(words).zip(words) {
        found
            .iter_mut()
            .filter(|(_, at)| at.start == start)
            .for_each(|(_, at)| at.end = at.end.max(start + word.len()));
    }
    found
}

/// Words as one text.
fn joined(words: &[String]) -> String {
    words.join(" ")
}

/// Where each word starts in the joined text.
fn starts(words: &[String]) -> impl Iterator<Item = usize> {
    words.iter().scan(0, |at, word| {
        let start = *at;
        *at += word.len() + 1;
        Some(start)
    })
}

fn unquoted(text: &[u8], at: Range<usize>) -> Range<usize> {
    let quoted = at.len() > 2 && matches!(text[at.start], b'"' | b'\'');
    if quoted && text[at.start] == text[at.end - 1] { at.start + 1..at.end - 1 } else { at }
}

/// Whether it can be a value: no variable that is filled in later, no plain word of a setting, not masked already.
fn is_value(text: &[u8]) -> bool {
    let variable = text.first() == Some(&b'$')
        && text.get(1).is_some_and(|next| next.is_ascii_alphabetic() || b"_{($".contains(next));
    let plain = [&b"true"[..], b"false", b"null", b"none", b"yes", b"no"];
    let masked = text.iter().all(|byte| *byte == b'*') || text.starts_with(HIDDEN.as_bytes());
    !variable && !masked && !plain.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Hides secrets: the values that it knows, and what is recognisably one.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    values: Option<Regex>,
}

impl Mask {
    /// Hides these values wherever they stand, too.
    pub fn of(values: &[String]) -> Mask {
        let mut values: Vec<&String> = values.iter().filter(|value| value.len() >= SHORTEST).collect();
        if values.is_empty() {
            return Mask::default();
        }
        // A secret that contains another goes first.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let any: Vec<String> = values.into_iter().map(|value| regex::escape(value)).collect();
        Mask { values: Regex::new(&any.join("|")).ok() }
    }

    /// What a container printed.
    pub fn bytes(&self, text: &[u8]) -> Vec<u8> {
        self.replace(text, recognised(text).into_iter().map(|(_, at)| at).collect())
    }

    /// A text.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Anything that is recorded, whatever its kind: so that a kind that is added later is covered too.
    pub fn all<T: Serialize + DeserializeOwned>(&self, what: T) -> T {
        let Ok(mut tree) = serde_json::to_value(&what) else { return what };
        if !self.tree(&mut tree) {
            return what;
        }
        serde_json::from_value(tree).expect("a text in place of a text")
    }

    /// Masks all texts of a tree, and says whether there was something to mask.
    fn tree(&self, tree: &mut Value) -> bool {
        match tree {
            Value::String(text) => self.put(text, recognised(text.as_bytes())),
            Value::Array(items) if items.iter().all(Value::is_string) => self.words(items),
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.tree(item) | any),
            Value::Object(entries) => entries.iter_mut().fold(false, |any, (key, value)| {
                any | match value {
                    Value::String(text) => self.put(text, recognised_entry(key, text)),
                    other => self.tree(other),
                }
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn words(&self, items: &mut [Value]) -> bool {
        let words: Vec<String> = items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
        let found = recognised_words(&words);
        let mut any = false;
        for ((item, word), start) in items.iter_mut().zip(&words).zip(starts(&words)) {
            let end = start + word.len();
            let inside = found.iter().filter(|(_, at)| at.start < end && start < at.end);
            let places = inside.map(|(what, at)| (*what, at.start.max(start) - start..at.end.min(end) - start));
            let mut text = word.clone();
            any |= self.put(&mut text, places.collect());
            *item = Value::String(text);
        }
        any
    }

    fn put(&self, text: &mut String, found: Vec<(&str, Range<usize>)>) -> bool {
        let masked = self.replace(text.as_bytes(), found.into_iter().map(|(_, at)| at).collect());
        let any = masked != text.as_bytes();
        if any {
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
        any
    }

    fn replace(&self, text: &[u8], mut places: Vec<Range<usize>>) -> Vec<u8> {
        places.extend(self.values.iter().flat_map(|values| values.find_iter(text).map(|found| found.range())));
        places.sort_by_key(|place| (place.start, place.end));
        let mut masked = Vec::with_capacity(text.len());
        let mut done = 0;
        for place in places {
            if place.start >= done && !place.is_empty() {
                masked.extend_from_slice(&text[done..place.start]);
                masked.extend_from_slice(HIDDEN.as_bytes());
            }
            done = done.max(place.end);
        }
        masked.extend_from_slice(&text[done..]);
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_recognisably_a_secret_is_hidden_and_nothing_else() {
        let mask = Mask::of(&["hunter22".into(), "hunter22-longer".into(), "abc".into()]);
        for (text, masked) in [
            ("token hunter22-longer, then hunter22.", "token [redacted], then [redacted]."),
            ("Authorization: Bearer eyJ0.a-b\nnext", "Authorization: Bearer [redacted]\nnext"),
            ("\"authorization\":\"Basic dXNl\"", "\"authorization\":\"Basic [redacted]\""),
            ("curl -H 'Authorization: Bearer q' x", "curl -H 'Authorization: Bearer [redacted]' x"),
            ("sent with bearer abcdef0123", "sent with bearer [redacted]"),
            ("db password=s3cret&x=1", "db password=[redacted]&x=1"),
            ("MYSQL_ROOT_PASSWORD='two words' mysql", "MYSQL_ROOT_PASSWORD='[redacted]' mysql"),
            ("{\"api_key\": \"k1\"}", "{\"api_key\": \"[redacted]\"}"),
            ("{\\\"password\\\":\\\"k1\\\"}", "{\\\"password\\\":\\\"[redacted]\\\"}"),
            ("psql postgres://app:s3cret@db/shop", "psql postgres://app:[redacted]@db/shop"),
            ("redis://:s3cret@cache:6379", "redis://:[redacted]@cache:6379"),
            ("tool --db-password s3cret --x", "tool --db-password [redacted] --x"),
            ("redis-cli config set requirepass s3cret", "redis-cli config set requirepass [redacted]"),
            ("redis-cli -h cache -a s3cret ping", "redis-cli -h cache -a [redacted] ping"),
            ("mysqladmin -uroot -ps3cret -P3306 ping", "mysqladmin -uroot -p[redacted] -P3306 ping"),
            ("curl -u app:s3cret http://x", "curl -u app:[redacted] http://x"),
            ("key AKIAIOSFODNN7EXAMPLE.", "key [redacted]."),
            ("x eyJhbGciOi.eyJzdWIi.c2ln y", "x [redacted] y"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\n", "[redacted]\n"),
            ("abc is too short", "abc is too short"),
            ("basic authentication and bearer tokens", "basic authentication and bearer tokens"),
            ("PGPASSWORD=$PW psql --token ${env:TOKEN}", "PGPASSWORD=$PW psql --token ${env:TOKEN}"),
            ("http://127.0.0.1:8080/cart@2", "http://127.0.0.1:8080/cart@2"),
            ("docker exec -u 0:0 web; PWD=/tmp", "docker exec -u 0:0 web; PWD=/tmp"),
        ] {
            assert_eq!(mask.text(text), masked);
            assert_eq!(mask.text(masked), masked, "masked twice");
        }
    }

    #[test]
    fn a_secret_behind_its_flag_or_key_is_hidden_in_anything_that_is_recorded() {
        let told = json!({
            "command": ["mysql", "--password", "two words", "-e", "select 1"],
            "labels": { "db.password": "x1", "traefik.auth": "Authorization: Bearer abc", "service": "api" },
            "at": 9_007_199_254_740_993_u64, "share": 0.1, "none": null,
        });
        let masked = json!({
            "command": ["mysql", "--password", HIDDEN, "-e", "select 1"],
            "labels": { "db.password": HIDDEN, "traefik.auth": "Authorization: Bearer [redacted]", "service": "api" },
            "at": 9_007_199_254_740_993_u64, "share": 0.1, "none": null,
        });
        assert_eq!(Mask::default().all(told), masked);
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        assert_eq!(Mask::default().bytes(b"\xff token=abcd \xfe"), b"\xff token=[redacted] \xfe");
    }
}
