//! Reading a single value: what is wrong with a text, and how it should be written. What stands behind a line break
//! is advice.

use super::{ANY_SIGNAL, Leaf, SIGNAL};
use crate::{
    agent::{
        traffic::{Block, Ports},
        work::fill::Amount,
    },
    event::Comparison,
    load::StatusRange,
    scenario::diagnostics::nearest,
    units::{Bytes, Percent, Rate, Span},
};
use std::str::FromStr;

pub(super) fn filled(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("the text is empty".into()) } else { Ok(()) }
}

pub(super) fn slug(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty() && text.len() <= 63 && text.chars().all(good) && !text.starts_with('-') {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a name; write lower-case letters, digits and hyphens, at most 63 of them, like `cache-loss`"
    ))
}

pub(super) fn name(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let start = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if start && text.len() <= 63 && text.chars().all(good) {
        return Ok(());
    }
    Err(format!("`{text}` is not a name; write letters, digits, `-` and `_`, starting with a letter or digit"))
}

pub(super) fn variable(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if ["seq", "run", "env"].contains(&text) {
        return Err(format!("`{text}` has a meaning of its own in `${{...}}`; choose another name"));
    }
    if text.chars().all(good) && text.starts_with(|c: char| !c.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("`{text}` is not a variable's name; write letters, digits and `_`, like `PORT`"))
}

pub(super) fn unit<T: FromStr<Err: ToString>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|e| e.to_string())
}

pub(super) fn some_span(text: &str) -> Result<(), String> {
    match text.parse::<Span>() {
        Ok(Span::ZERO) => Err(format!("`{text}` is no time at all; write a length such as `30s`")),
        read => read.map(drop).map_err(|e| e.to_string()),
    }
}

pub(super) fn rate(text: &str) -> Result<(), String> {
    match text.parse::<Rate>() {
        Ok(rate) if rate.0 > 100_000.0 => {
            Err(format!("`{text}` is more than one generator can send; at most 100000/s"))
        }
        read => read.map(drop).map_err(|e| e.to_string()),
    }
}

pub(super) fn count(text: &str) -> Result<(), String> {
    match text.parse::<u32>() {
        Ok(0) => Err("0 is too few; write a whole number from 1".into()),
        Ok(n) if n > 65_536 => Err(format!("`{n}` is too many; at most 65536")),
        Ok(_) => Ok(()),
        Err(_) => Err(format!("`{text}` is not a whole number from 1")),
    }
}

pub(super) fn number(text: &str) -> Result<(), String> {
    text.parse::<u64>().map(drop).map_err(|_| format!("`{text}` is not a whole number; write one like `500`"))
}

pub(super) fn exit(text: &str) -> Result<(), String> {
    text.parse::<u8>().map(drop).map_err(|_| format!("`{text}` is not an exit code; they go from 0 to 255"))
}

pub(super) fn truth(text: &str) -> Result<(), String> {
    if matches!(text, "true" | "false") { Ok(()) } else { Err(format!("`{text}` is neither `true` nor `false`")) }
}

/// Reads `<= 100ms`. Errors: what is missing, and how it is written.
pub fn limit<T: FromStr<Err: ToString>>(text: &str) -> Result<(Comparison, T), String> {
    let text = text.trim();
    let signs =
        [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("<", Comparison::Below), (">", Comparison::Above)];
    let Some((bound, op)) = signs.iter().find_map(|(sign, op)| Some((text.strip_prefix(sign)?, *op))) else {
        let meant = if text.starts_with("=>") { ">=" } else { "<=" };
        let bare = text.trim_start_matches(['=', '<', '>', '!', '~']).trim();
        return Err(format!(
            "`{text}` lacks its operator; write `{meant} {bare}`\nthe operators are `<=`, `<`, `>=` and `>`"
        ));
    };
    bound.trim().parse().map(|bound| (op, bound)).map_err(|e: T::Err| e.to_string())
}

/// Reads a regex. Errors: the line of the regex reader that says what is wrong.
pub fn regex(text: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(text).map_err(|e| {
        let words = e.to_string();
        let last = words.lines().last().unwrap_or_default();
        format!("`{text}` is not a regular expression: {}", last.trim_start_matches("error: "))
    })
}

pub(super) fn label(text: &str) -> Result<(), String> {
    let key = text.split('=').next().unwrap_or_default();
    if key.trim().is_empty() || key.contains(char::is_whitespace) {
        return Err(format!("`{text}` is not a label; write `name=value`, or `name` for any value"));
    }
    Ok(())
}

pub(super) fn label_name(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.chars().all(good) && text.starts_with(|c: char| !c.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("`{text}` is not a label's name; write letters, digits and `_`, like `severity`"))
}

/// What it is instead is not repeated: it may be the secret itself.
pub(super) fn token(text: &str) -> Result<(), String> {
    let name = text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}'));
    match name.map(variable) {
        Some(Ok(())) => Ok(()),
        _ => Err("a token is not written here; name the environment variable that holds it: `${env:NAME}`".into()),
    }
}

pub(super) fn pick(text: &str) -> Result<(), String> {
    if text == "all" {
        return Ok(());
    }
    if text.trim_end().ends_with('%') {
        return match text.parse::<Percent>() {
            Ok(Percent(0.0)) => Err("0% picks nothing; remove the target, or pick more".into()),
            read => read.map(drop).map_err(|e| e.to_string()),
        };
    }
    match text.parse::<u32>() {
        Ok(0) => Err("0 picks nothing; remove the target, or pick more".into()),
        Ok(_) => Ok(()),
        Err(_) => Err(format!("`{text}` is no amount; write a number, a percentage such as `50%`, or `all`")),
    }
}

/// Reads `200`, `2xx` or `200-204`.
pub fn status(text: &str) -> Result<StatusRange, String> {
    let wrong = || format!("`{text}` is not an HTTP status; write it like `200`, `2xx` or `200-204`");
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..600).contains(code));
    let (from, to) = match (text.strip_suffix("xx"), text.split_once('-')) {
        (Some(hundreds), _) => {
            let from = code(&format!("{hundreds}00")).ok_or_else(wrong)?;
            (from, from + 99)
        }
        (None, Some((from, to))) => (code(from).ok_or_else(wrong)?, code(to).ok_or_else(wrong)?),
        (None, None) => {
            let code = code(text).ok_or_else(wrong)?;
            (code, code)
        }
    };
    if from > to {
        Err(format!("`{text}` goes backwards; write the lower status first"))
    } else {
        Ok(StatusRange { from, to })
    }
}

pub(super) fn method(text: &str) -> Result<(), String> {
    let upper = text.to_ascii_uppercase();
    match text {
        _ if !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase()) => Ok(()),
        _ if !upper.is_empty() && upper.chars().all(|c| c.is_ascii_uppercase()) => {
            Err(format!("`{text}` is not an HTTP method; they are written in capitals: `{upper}`"))
        }
        _ => Err(format!("`{text}` is not an HTTP method; write one like `GET` or `POST`")),
    }
}

pub(super) fn header(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if ["content-length", "transfer-encoding", "connection"].contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!("`{text}` is set by firedrill itself; remove it"));
    }
    if !text.is_empty() && text.chars().all(good) { Ok(()) } else { Err(format!("`{text}` is not a header's name")) }
}

pub(super) fn header_value(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control() && *c != '\t') {
        Some(_) => Err("a header's value is one line, without control characters".into()),
        None => Ok(()),
    }
}

/// Splits a URL's text into what names a target (`{front}`) and a URL that can be read.
pub fn url(text: &str) -> Result<url::Url, String> {
    let how = "write it like `http://127.0.0.1:8080/path`";
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err(format!("`{text}` is not a URL that can be sent to; {how}"));
    }
    if text.contains(char::is_whitespace) {
        return Err(format!("`{text}` holds a space; write it as `%20`"));
    }
    let host = text.splitn(3, '/').nth(2).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    if host.contains("${") {
        return Err(format!(
            "the host of `{text}` would change with every request\nfor a host that is set once, write `${{NAME}}`"
        ));
    }
    let readable = match named_target(text) {
        Some(target) => text.replacen(&format!("{{{target}}}"), "target.invalid", 1),
        None => text.to_owned(),
    };
    let url = url::Url::parse(&readable).map_err(|e| format!("`{text}` is not a URL: {e}; {how}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user or password in a URL ends up in the review; send it as a header, with `${env:NAME}`".into());
    }
    Ok(url)
}

/// The target whose address stands for the host: `front` in `http://{front}:80/` or `{front}:80`.
pub fn named_target(text: &str) -> Option<&str> {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let inside = authority.strip_prefix('{')?;
    inside.split_once('}').map(|(target, _)| target)
}

pub(super) fn address(text: &str) -> Result<(), String> {
    let how = "write it like `127.0.0.1:6379` or `{cache}:6379`";
    if text.contains("://") {
        return Err(format!("`{text}` is a URL, but only `host:port` is needed; {how}"));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !host.contains(char::is_whitespace) => match port.parse::<u16>() {
            Ok(1..) => Ok(()),
            _ => Err(format!("`{port}` is not a port; they go from 1 to 65535")),
        },
        _ => Err(format!("`{text}` lacks its port; {how}")),
    }
}

/// Reads a fatal signal: `KILL`, `SIGKILL`. Errors: why another one does not go this way.
pub fn signal(text: &str) -> Result<&'static str, String> {
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let words = SIGNAL.words.iter().map(|(word, _)| *word);
    if let Some(word) = words.clone().find(|word| *word == bare) {
        return Ok(word);
    }
    let others = ["HUP", "USR1", "USR2", "STOP", "CONT", "WINCH", "PIPE", "ALRM", "CHLD", "URG"];
    if others.contains(&bare) {
        return Err(format!(
            "`{text}` does not end a container; `kill` takes fatal signals only\nany signal sent through the engine switches the restart policy off until the next start; the fault `signal` does not: `signal: {{ target: ..., signal: {bare} }}`"
        ));
    }
    Err(unknown_word(text, &SIGNAL))
}

/// Reads any signal: `HUP`, `SIGHUP`.
pub fn any_signal(text: &str) -> Result<&'static str, String> {
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = ANY_SIGNAL.words.iter().map(|(word, _)| *word).find(|word| *word == bare);
    known.ok_or_else(|| unknown_word(text, &ANY_SIGNAL))
}

pub(super) fn some_bytes(text: &str) -> Result<(), String> {
    match text.parse::<Bytes>() {
        Ok(Bytes(0)) => Err(format!("`{text}` is nothing; write a size such as `64MB`")),
        read => read.map(drop).map_err(|e| e.to_string()),
    }
}

/// Reads how full a file system shall be: a size, or a percentage.
pub fn amount(text: &str) -> Result<Amount, String> {
    if !text.trim_end().ends_with('%') {
        some_bytes(text)?;
        return text.parse::<Bytes>().map(|bytes| Amount::Bytes(bytes.0)).map_err(|e| e.to_string());
    }
    let share: Percent = text.parse().map_err(|e: crate::units::UnitError| e.to_string())?;
    match (share.0 * 100.0).round() as u8 {
        0 => Err(format!("`{text}` is nothing; write a percentage such as `80%`")),
        percent => Ok(Amount::Percent(percent)),
    }
}

pub(super) fn path(text: &str) -> Result<(), String> {
    let good = text.starts_with('/') && !text.split('/').any(|part| part == "..") && !text.contains('\0');
    if good { Ok(()) } else { Err(format!("`{text}` is no absolute path; write one like `/data`, without `..`")) }
}

pub(super) fn victim(text: &str) -> Result<(), String> {
    if text == "target" {
        Ok(())
    } else {
        Err(format!("`{text}` is not `target`; leave the key out for our own process"))
    }
}

pub(super) fn via(text: &str) -> Result<(), String> {
    if text == "docker" {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not `docker`\nwithout `via`, an agent cuts the packets of that network, which is undone exactly"
    ))
}

/// One of the words of a leaf.
pub(super) fn word(text: &str, leaf: &Leaf) -> Result<(), String> {
    let known = leaf.words.iter().any(|(word, _)| *word == text);
    if known { Ok(()) } else { Err(unknown_word(text, leaf)) }
}

pub(super) fn peer(text: &str) -> Result<(), String> {
    if text.contains(['/', ':']) || text.parse::<std::net::IpAddr>().is_ok() {
        return text.parse::<Block>().map(drop);
    }
    name(text).map_err(|_| {
        format!(
            "`{text}` is no target, address or block of addresses\nwrite `store`, `10.0.0.0/8`, or `{{ host: api.example.com }}`"
        )
    })
}

pub(super) fn ip(text: &str) -> Result<(), String> {
    let read = text.parse::<std::net::IpAddr>();
    read.map(drop).map_err(|_| format!("`{text}` is not an address; write one like `192.0.2.1` or `2001:db8::1`"))
}

pub(super) fn ports(text: &str) -> Result<(), String> {
    let read = text.parse::<Ports>().map_err(|e| format!("{e}; write it like `5432` or `8000-8100`"))?;
    if read.first == 0 { Err("port 0 is no port; they go from 1 to 65535".into()) } else { Ok(()) }
}

/// Reads `20% of connections`; true for connections, false for packets.
pub fn part(text: &str) -> Result<(Percent, bool), String> {
    let wrong = || {
        format!("`{text}` is no share of connections or packets; write it like `20% of connections` or `5% of packets`")
    };
    let (share, whose) = text.split_once(" of ").ok_or_else(wrong)?;
    let percent: Percent = share.trim().parse().map_err(|e: crate::units::UnitError| e.to_string())?;
    match whose.trim() {
        _ if percent == Percent(0.0) => Err("0% of anything is no fault".into()),
        "connections" => Ok((percent, true)),
        "packets" => Ok((percent, false)),
        _ => Err(wrong()),
    }
}

pub(super) fn host(text: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-.:_".contains(c);
    if !text.is_empty() && text.len() <= 253 && text.chars().all(good) {
        return Ok(());
    }
    Err(format!("`{text}` is not a host's name; write it without scheme and path, like `api.example.com`"))
}

pub(super) fn one_by_one(text: &str) -> Result<(), String> {
    if text == "healthy" { Ok(()) } else { Err(format!("`{text}` is not `healthy`")) }
}

pub(super) fn none(text: &str) -> Result<(), String> {
    if text == "none" {
        return Ok(());
    }
    Err(format!(
        "`{text}` is neither `none` nor a list; write the command as a list of words: `[redis-cli, config, resetstat]`"
    ))
}

fn unknown_word(text: &str, leaf: &Leaf) -> String {
    let words = leaf.words.iter().map(|(word, _)| *word);
    match nearest(text, words.clone()) {
        Some(meant) => format!("`{text}` is not {}; did you mean `{meant}`?", leaf.what),
        None => format!("`{text}` is not {}", leaf.what),
    }
}
