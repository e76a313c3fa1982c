//! What containers printed, and what earlier runs came to: captured when a drill ends, so that its folder stands alone.

use super::drill::{Done, Drill};
use crate::{
    container::{Container, ContainerError, OpOutcome},
    event::{Earlier, EventKind},
    journal::write,
    plan::Plan,
};
use jiff::{SignedDuration, Timestamp};
use regex::bytes::{Captures, Regex};
use std::sync::{Arc, atomic::Ordering};

/// How much of one container's output is kept, in bytes.
const LOG_LIMIT: usize = 1_000_000;
/// Values shorter than this are no secrets, and hiding them would garble every log.
const SECRET_LENGTH: usize = 4;
const HIDDEN: &[u8] = b"[redacted]";

impl Drill {
    /// Saves what targets and neighbours printed since the run began.
    pub(crate) async fn save_logs(self: &Arc<Self>) {
        let offset = SignedDuration::from_nanos(self.offset_ns.load(Ordering::Relaxed));
        let since = self.clock.started().checked_add(offset).unwrap_or(self.clock.started());
        for container in self.targets().into_iter().chain(&self.plan.neighbours) {
            if self.halt.hurried() {
                return;
            }
            tokio::select! {
                () = self.save_log(container, since) => {}
                () = self.halt.until_hurried() => return,
            }
        }
    }

    async fn save_log(&self, container: &Container, since: Timestamp) {
        let file = format!("logs/{}.log", container.name);
        let printed = match self.containers.logs(&container.id, since, LOG_LIMIT).await {
            Ok(printed) => printed,
            // Neighbours come and go; only a target's words are missed.
            Err(ContainerError::NotFound { .. }) if self.snapshot(&container.id).is_none() => return,
            Err(error) => {
                self.record.tell(EventKind::EvidenceLost { file, detail: error.to_string() });
                return;
            }
        };
        let cut = printed.len() >= LOG_LIMIT;
        let clean = self.redaction.clean(printed);
        let saved = write::whole(&self.folder, &file, &clean);
        self.record.tell(match saved {
            Ok(()) => EventKind::LogsSaved { container: container.name.clone(), file, bytes: clean.len() as u64, cut },
            Err(loss) => EventKind::EvidenceLost { file: loss.file, detail: loss.detail },
        });
    }

    /// Tells what earlier runs came to.
    pub(crate) fn tell_history(&self, earlier: Earlier) {
        self.record.tell(EventKind::HistoryCaptured { earlier: earlier.runs, open: earlier.open });
    }
}

/// Takes secrets out of what containers printed.
pub(crate) struct Redaction {
    values: Vec<Vec<u8>>,
    headers: Regex,
    settings: Regex,
}

impl Redaction {
    /// Hides these values wherever they stand, and what looks like credentials.
    pub(crate) fn new(secrets: &[String]) -> Redaction {
        let long = secrets.iter().filter(|value| value.len() >= SECRET_LENGTH);
        let mut values: Vec<Vec<u8>> = long.map(|value| value.clone().into_bytes()).collect();
        // A secret that contains another goes first.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let headers = r"(?i)(authorization\W{1,4}(?:basic|bearer|digest|token)?\s*)[^\s\x22',;]+";
        let settings =
            r"(?i)((?:password|passwd|secret|api[_-]?key|access[_-]?token)\x22?\s?[=:]\s?\x22?)[^\s\x22',;&]+";
        let regex = |text| Regex::new(text).expect("the expression is fixed and a test compiles it");
        Redaction { values, headers: regex(headers), settings: regex(settings) }
    }

    /// The same outcome, its output without secrets.
    pub(crate) fn outcome(&self, outcome: Done) -> Done {
        match outcome {
            Ok(OpOutcome::Exited { code, output }) => {
                let output = String::from_utf8_lossy(&self.clean(output.into_bytes())).into_owned();
                Ok(OpOutcome::Exited { code, output })
            }
            other => other,
        }
    }

    /// The same plan for the run folder: labels are free text, and people put credentials into them.
    pub(crate) fn plan(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        for container in plan.targets.values_mut().flatten().chain(&mut plan.neighbours) {
            for (name, value) in &mut container.labels {
                *value = self.label(name, value);
            }
        }
        plan
    }

    fn label(&self, name: &str, value: &str) -> String {
        let clean = self.clean(format!("{name}={value}").into_bytes());
        let kept = clean.strip_prefix(format!("{name}=").as_bytes()).unwrap_or(HIDDEN);
        String::from_utf8_lossy(kept).into_owned()
    }

    /// The same text without secrets.
    pub(crate) fn clean(&self, mut text: Vec<u8>) -> Vec<u8> {
        for value in &self.values {
            text = replace(&text, value);
        }
        for pattern in [&self.headers, &self.settings] {
            text = pattern.replace_all(&text, |found: &Captures<'_>| [&found[1], HIDDEN].concat()).into_owned();
        }
        text
    }
}

fn replace(text: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(value.len()).position(|window| window == value) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(HIDDEN);
        rest = &rest[at + value.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_told_without_what_they_hide() {
        let redaction = Redaction::new(&["hunter22".into()]);
        for (name, value, told) in [
            ("com.docker.compose.service", "api", "api"),
            ("note", "uses hunter22 here", "uses [redacted] here"),
            ("db.password", "x1", "[redacted]"),
            ("traefik.auth", "Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
        ] {
            assert_eq!(redaction.label(name, value), told);
        }
    }

    #[test]
    fn secrets_and_what_looks_like_them_are_hidden() {
        let redaction = Redaction::new(&["hunter22".into(), "hunter22-longer".into(), "abc".into()]);
        for (text, clean) in [
            ("token hunter22-longer, then hunter22.", "token [redacted], then [redacted]."),
            ("Authorization: Bearer eyJ0.a-b\nnext", "Authorization: Bearer [redacted]\nnext"),
            ("\"authorization\":\"Basic dXNl\"", "\"authorization\":\"Basic [redacted]\""),
            ("db password=s3cret&x=1", "db password=[redacted]&x=1"),
            ("{\"api_key\": \"k1\"}", "{\"api_key\": \"[redacted]\"}"),
            ("abc is too short", "abc is too short"),
        ] {
            assert_eq!(String::from_utf8(redaction.clean(text.into())).unwrap(), clean);
        }
    }
}
