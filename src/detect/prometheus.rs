//! Prometheus: its own series of alerts, by an instant query.
//!
//! `timestamp(ALERTS)` says of each alert when its rule was last evaluated; the moment of the query stands beside each
//! value and shows the server's clock to the millisecond. `or vector(0)` brings that even when no alert is there.

use super::{Alert, Body, ReadError};
use crate::event::{AlertLabels, AlertState};
use serde::Deserialize;

/// What is asked, behind the address.
pub fn path() -> &'static str {
    "api/v1/query?query=timestamp%28ALERTS%29%20or%20vector%280%29"
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    metric: AlertLabels,
    /// The moment of the query, and the value as a text.
    value: (f64, String),
}

/// Reads an answer.
///
/// # Errors
/// What makes it no answer of Prometheus.
pub fn read(body: &[u8]) -> Result<Body, ReadError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|e| ReadError::Rubbish(e.to_string()))?;
    let data = match answer.data {
        Some(data) if answer.status == "success" => data,
        _ => return Err(ReadError::Rubbish(answer.error.unwrap_or_else(|| "there is no `data` in it".into()))),
    };
    let queried = data.result.first().and_then(|sample| nanoseconds(sample.value.0));
    let queried = queried.ok_or_else(|| ReadError::Rubbish("it does not say when the query was made".into()))?;
    let alerts = data.result.into_iter().filter_map(alert).collect();
    // Given in whole milliseconds, cut off.
    Ok(Body { clock_ns: Some([queried, queried.saturating_add(MS)]), alerts })
}

const MS: i64 = 1_000_000;

fn alert(sample: Sample) -> Option<Alert> {
    let mut labels = sample.metric;
    let state = match labels.remove("alertstate")?.as_str() {
        "pending" => AlertState::Pending,
        "firing" => AlertState::Firing,
        _ => return None,
    };
    let stamp_ns = sample.value.1.parse().ok().and_then(nanoseconds);
    Some(Alert { labels, state, stamp_ns, says_ns: None })
}

/// Seconds since 1970, if they lie in this age of the world.
fn nanoseconds(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1e3).round();
    (ms > 0.0 && ms < (i64::MAX / MS) as f64).then(|| ms as i64 * MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> AlertLabels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_answer_of_a_real_server_is_read() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"alertname":"Always","alertstate":"firing","severity":"page"},"value":[1795386562.245,"1795386561.586"]},
            {"metric":{"alertname":"Waits","alertstate":"pending"},"value":[1795386562.245,"1795386561.586"]},
            {"metric":{},"value":[1795386562.245,"0"]}]}}"#;
        let stamp_ns = Some(1_795_386_561_586_000_000);
        let alert = |pairs: &[(&str, &str)], state| Alert { labels: labels(pairs), state, stamp_ns, says_ns: None };
        assert_eq!(
            read(body).unwrap(),
            Body {
                clock_ns: Some([1_795_386_562_245_000_000, 1_795_386_562_246_000_000]),
                alerts: vec![
                    alert(&[("alertname", "Always"), ("severity", "page")], AlertState::Firing),
                    alert(&[("alertname", "Waits")], AlertState::Pending),
                ],
            }
        );
    }

    #[test]
    fn what_is_no_answer_of_prometheus_is_said_so() {
        for (body, why) in [
            ("", "EOF while parsing"),
            ("<html>", "expected value"),
            ("[]", "expected"),
            ("{}", "missing field `status`"),
            (r#"{"status":"success"}"#, "there is no `data` in it"),
            (r#"{"status":"success","data":{"result":[]}}"#, "does not say when"),
            (r#"{"status":"error","error":"query timed out"}"#, "query timed out"),
            (r#"{"status":"success","data":{"result":[{"metric":{},"value":[-1,"0"]}]}}"#, "does not say when"),
            (r#"{"status":"success","data":{"result":[{"metric":{"a":1},"value":[1,"0"]}]}}"#, "invalid type"),
        ] {
            let error = read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{body}: {error}");
        }
    }
}
