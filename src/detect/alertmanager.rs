//! Alertmanager, API v2: the alerts that it holds now. It is told of an alert when it fires, so there is none pending;
//! the `Date` of the answer shows its clock to the second.

use super::{Alert, Body, ReadError};
use crate::event::{AlertLabels, AlertState};
use jiff::{Timestamp, fmt::rfc2822};
use serde::Deserialize;

/// What is asked, behind the address.
pub fn path() -> &'static str {
    "api/v2/alerts"
}

#[derive(Deserialize)]
struct Held {
    labels: AlertLabels,
    #[serde(rename = "startsAt")]
    starts_at: Timestamp,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    state: String,
}

/// Reads an answer; `date` is the header of that name.
///
/// # Errors
/// What makes it no answer of Alertmanager.
pub fn read(body: &[u8], date: Option<&str>) -> Result<Body, ReadError> {
    let held: Vec<Held> = serde_json::from_slice(body).map_err(|e| ReadError::Rubbish(e.to_string()))?;
    let alert = |held: Held| Alert {
        labels: held.labels,
        // Just received counts as firing: whom it concerns is still being sorted out.
        state: if held.status.state == "suppressed" { AlertState::Suppressed } else { AlertState::Firing },
        stamp_ns: None,
        says_ns: i64::try_from(held.starts_at.as_nanosecond()).ok(),
    };
    Ok(Body { clock_ns: date.and_then(clock), alerts: held.into_iter().map(alert).collect() })
}

/// The second that a `Date` names, from its start to its end.
fn clock(date: &str) -> Option<[i64; 2]> {
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let start = i64::try_from(parsed.as_nanosecond()).ok()?;
    Some([start, start.saturating_add(1_000_000_000)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_real_server_is_read() {
        let body = br#"[{"annotations":{},"endsAt":"2026-11-22T22:33:22.586Z","fingerprint":"e71bd22d3f4ff6e8",
            "receivers":[{"name":"none"}],"startsAt":"2026-11-22T22:29:22.586Z",
            "status":{"inhibitedBy":[],"silencedBy":[],"state":"active"},"updatedAt":"2026-11-22T22:29:22.617Z",
            "generatorURL":"http://vm:19190/graph","labels":{"alertname":"Waits"}},
            {"labels":{"alertname":"Silenced"},"startsAt":"2026-11-22T22:29:22Z","status":{"state":"suppressed"}}]"#;
        let read = read(body, Some("Sun, 22 Nov 2026 22:29:24 GMT")).unwrap();
        assert_eq!(read.clock_ns, Some([1_795_386_564_000_000_000, 1_795_386_565_000_000_000]));
        let states: Vec<AlertState> = read.alerts.iter().map(|alert| alert.state).collect();
        assert_eq!(states, [AlertState::Firing, AlertState::Suppressed]);
        assert_eq!(read.alerts[0].says_ns, Some(1_795_386_562_586_000_000));
    }

    #[test]
    fn what_is_no_answer_of_alertmanager_is_said_so() {
        for body in
            ["", "404 page not found", "{}", "[1]", r#"[{"labels":{},"startsAt":"soon","status":{"state":""}}]"#]
        {
            assert!(matches!(read(body.as_bytes(), None), Err(ReadError::Rubbish(_))), "{body}");
        }
        assert_eq!(read(b"[]", Some("half past nine")), Ok(Body::default()), "a clock is not everything");
    }
}
