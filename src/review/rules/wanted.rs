//! What a run has to show for an action item to be closed: the criterion behind `Verify:`. Rules write it into items, and
//! `followup` asks a run for it, so that both use the same words.

use crate::{
    analysis::{Bounded, Criterion, Findings},
    review::{escape, model::look::phase_name, quantity},
};
use std::fmt;

/// A criterion, by what can tell whether it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A promise of the scenario, as [`promise`] words it.
    Promise(String),
    /// A promise, kept with room to spare.
    Room(String),
    /// A probe that is well again when the watch ends, though nothing is promised of that.
    Recovered(String),
    /// A probe that is well again before the fault is removed.
    RecoveredUnderFault(String),
    /// A guard that does not trip, by its condition.
    Quiet(String),
    /// Everything is put back.
    Clean,
    /// The hypothesis can be judged.
    Decided,
    /// A rule that finds nothing.
    Nothing {
        /// Its id.
        rule: String,
        /// On what: a service, a container, a probe, an alert, ...
        on: String,
    },
}

const ROOM: &str = " with a margin of at least 20%";
const RECOVERED: (&str, &str) = ("recovery: ", " recovered before the watch ends");
const UNDER_FAULT: &str = " recovered under fault = yes";
const QUIET: (&str, &str) = ("guard ", " does not trip");
const CLEAN: &str = "cleanup proven";
const DECIDED: &str = "hypothesis held or violated";
const NOTHING: (&str, &str) = ("rule ", " finds nothing on ");

/// As an item has it.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Promise(words) => f.write_str(words),
            Wanted::Room(words) => write!(f, "{words}{ROOM}"),
            Wanted::Recovered(probe) => write!(f, "{}{probe}{}", RECOVERED.0, RECOVERED.1),
            Wanted::RecoveredUnderFault(probe) => write!(f, "{probe}{UNDER_FAULT}"),
            Wanted::Quiet(guard) => write!(f, "{}{guard}{}", QUIET.0, QUIET.1),
            Wanted::Clean => f.write_str(CLEAN),
            Wanted::Decided => f.write_str(DECIDED),
            Wanted::Nothing { rule, on } => write!(f, "{}{rule}{}{on}", NOTHING.0, NOTHING.1),
        }
    }
}

impl Wanted {
    /// From the words of an item. Words that are nothing else can only be a promise.
    pub fn read(words: &str) -> Wanted {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let between = |(before, after): (&str, &str)| words.strip_prefix(before)?.strip_suffix(after);
        let nothing = words.strip_prefix(NOTHING.0).and_then(|rest| rest.split_once(NOTHING.1));
        if words == CLEAN {
            Wanted::Clean
        } else if words == DECIDED {
            Wanted::Decided
        } else if let Some((rule, on)) = nothing {
            Wanted::Nothing { rule: rule.into(), on: on.into() }
        } else if let Some(guard) = between(QUIET) {
            Wanted::Quiet(guard.into())
        } else if let Some(probe) = between(RECOVERED) {
            Wanted::Recovered(probe.into())
        } else if let Some(probe) = words.strip_suffix(UNDER_FAULT) {
            Wanted::RecoveredUnderFault(probe.into())
        } else if let Some(promise) = words.strip_suffix(ROOM) {
            Wanted::Room(promise.into())
        } else {
            Wanted::Promise(words)
        }
    }
}

/// A promise of the scenario in words, bound included: `during: checkout p99 <= 400ms`, `recovery: checkout recovered
/// within 30s`, `during: alert CacheDown fires within 1m`.
pub fn promise(criterion: &Criterion, findings: &Findings) -> String {
    let probe = criterion.probe.and_then(|id| findings.probes.get(usize::from(id))).map(|probe| probe.name.as_str());
    let bound = criterion.objective.map(|bound| format!(" {}", quantity::objective(bound))).unwrap_or_default();
    let what = match &criterion.what {
        Bounded::RecoveredWithin => format!("recovered {}", within(findings, probe.unwrap_or_default())),
        what if what.about_alerts() => what.to_string(),
        what => format!("{what}{bound}"),
    };
    let whose = probe.map(|name| format!("{name} ")).unwrap_or_default();
    format!("{}: {whose}{what}", phase_name(criterion.phase))
}

/// When a probe is to be well again: `within 30s`, or `before the watch ends` where no time is promised.
pub fn within(findings: &Findings, probe: &str) -> String {
    let limits = findings.terms.expect.recovery.get(probe);
    limits.and_then(|limits| limits.within).map_or("before the watch ends".into(), |span| format!("within {span}"))
}

/// Whether two stretches of a criterion say the same, whatever a review's Markdown made of their letters and spaces.
pub fn same(one: &str, other: &str) -> bool {
    let plain = |words: &str| {
        // `recovered within <= 30s` is how recoveries were worded once.
        let words = escape::code_span(words).to_lowercase().replace("within <= ", "within ");
        words.trim_matches('`').split_whitespace().collect::<Vec<_>>().join(" ")
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let all = [
            Wanted::Promise("during: checkout p99 <= 400ms".into()),
            Wanted::Promise("recovery: checkout recovered within 30s".into()),
            Wanted::Room("during: checkout p99 <= 400ms".into()),
            Wanted::Recovered("checkout".into()),
            Wanted::RecoveredUnderFault("checkout".into()),
            Wanted::Quiet("checkout errors > 30% for 10s".into()),
            Wanted::Clean,
            Wanted::Decided,
            Wanted::Nothing { rule: "no-memory-limit".into(), on: "api".into() },
        ];
        for wanted in all {
            assert_eq!(Wanted::read(&wanted.to_string()), wanted);
            assert_eq!(Wanted::read(&format!("  {}\n", wanted.to_string().replace(' ', "  "))), wanted);
        }
    }

    #[test]
    fn words_are_the_same_in_any_spelling_of_theirs() {
        assert!(same("During:  checkout p99 <= 400ms", "during: checkout P99 <= 400ms"));
        assert!(same("alert A{b=\"c|d\"} fires", "alert A{b=\"c\u{2502}d\"} fires"));
        assert!(same("recovery: web recovered within <= 30s", "recovery: web recovered within 30s"));
        assert!(!same("during: checkout p99 <= 400ms", "during: checkout p99 <= 40ms"));
    }
}
