//! A scenario, typed. Every value has been checked; what names a place keeps its line for later errors.
//!
//! Text that may hold `${seq}`, `${run}` or a secret (`${env:TOKEN}`) keeps those unexpanded: they are filled
//! in when a request is built, so that no secret reaches a plan, a journal or an error.

use super::diagnostics::boundary;
use crate::{
    detect,
    event::{DetectTerms, Expectations, Guard, Slo, Timing},
    fault::Fault,
    load::{ExecSettings, HttpSettings, TcpSettings},
    units::{Percent, Rate, Span},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Line and column in the scenario file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Place {
    /// The place of a byte of the source; the end for one that is past it.
    pub fn of(source: &str, byte: usize) -> Place {
        let before = &source[..boundary(source, byte)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            line: number(before.matches('\n').count() + 1),
            column: number(before[line_start..].chars().count() + 1),
        }
    }

    /// The byte of the source that this place is; its end for one that is past it.
    pub fn byte(self, source: &str) -> usize {
        let line_start = match self.line {
            0 | 1 => 0,
            line => source.match_indices('\n').nth(line as usize - 2).map_or(source.len(), |(at, _)| at + 1),
        };
        let column = self.column.saturating_sub(1) as usize;
        source[line_start..].char_indices().nth(column).map_or(source.len(), |(at, _)| line_start + at)
    }
}

/// A whole scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// A slug: lower-case letters, digits, hyphens.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// What is believed.
    pub hypothesis: Option<String>,
    /// The user-facing service.
    pub of: Option<String>,
    /// Who owns the review.
    pub owner: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// By name, in the order of the file.
    pub targets: Vec<Target>,
    /// Loads first, then probes.
    pub probes: Vec<Probe>,
    /// What is judged.
    pub expect: Expectations,
    /// Which alerts are expected, and who is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect: Option<Detect>,
    /// What stops it early.
    pub abort: Vec<Guard>,
    /// Lengths of the phases.
    pub timing: Timing,
    /// In the order of the file.
    pub faults: Vec<FaultEntry>,
    /// Variables after `--set`, environment and defaults; no secrets.
    pub vars: BTreeMap<String, String>,
    /// Names of the environment variables used as secrets.
    pub secrets: Vec<String>,
}

/// A named set of containers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the scenario.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// All given keys must match.
    pub selector: Selector,
    /// How many of the matches.
    pub pick: Pick,
}

/// Which containers match. All given keys are ANDed; at least one is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selector {
    /// Compose project.
    pub project: Option<String>,
    /// Compose service.
    pub service: Option<String>,
    /// Regex over the container's name, anchored at both ends; checked to be valid.
    pub name: Option<String>,
    /// Image as asked for (`redis`, `redis:7`); a name without a tag matches every tag.
    pub image: Option<String>,
    /// Labels: value, or `None` for "has it".
    pub labels: BTreeMap<String, Option<String>>,
    /// All but what these other targets were resolved to.
    pub except: Vec<String>,
}

/// How many of the matches, and which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The default: exactly one match is expected; several are an error.
    TheOne,
    /// So many, chosen by the seed.
    Count(u32),
    /// This share, rounded down, at least one, chosen by the seed.
    Share(Percent),
    /// Every match; the only one that may exceed half of a service.
    All,
    /// Those in which the command prints the text (asked before t=0).
    Where {
        /// Program and arguments, run in each match.
        command: Vec<String>,
        /// The output must contain this line or word.
        prints: String,
    },
}

/// Which alerts are expected, and who is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detect {
    /// Where the source stands.
    pub place: Place,
    /// What is promised.
    pub terms: DetectTerms,
    /// `${env:NAME}`: the name of the bearer token.
    pub token: Option<String>,
    /// Certificates are not checked.
    pub insecure: bool,
}

impl Detect {
    /// Who is asked, and how.
    pub fn settings(&self) -> detect::Settings {
        detect::Settings {
            source: self.terms.source,
            url: self.terms.url.clone(),
            token: self.token.clone(),
            insecure: self.insecure,
            every: self.terms.every,
            labels: self.terms.labels.clone(),
        }
    }
}

/// A load or probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Under `load` rather than `probes`.
    pub load: bool,
    /// What is sent.
    pub kind: ProbeSettings,
    /// How often.
    pub rate: Rate,
    /// How long an answer may take, from the intended time.
    pub timeout: Span,
    /// How many at once.
    pub max_in_flight: u32,
    /// Service level objective.
    pub slo: Option<Slo>,
}

/// What a probe sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeSettings {
    /// HTTP.
    Http(HttpSettings),
    /// TCP.
    Tcp(TcpSettings),
    /// A command.
    Exec(ExecSettings),
    /// Docker's health state of a target (by its name in the scenario).
    Health {
        /// Target name; every container of it must be healthy.
        target: String,
    },
}

/// A fault on the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultEntry {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub fault: Fault,
    /// The targets it hits, by name; one but for a partition.
    pub targets: Vec<String>,
    /// Intended start, from t=0.
    pub at: Span,
    /// Intended length.
    pub length: Option<Span>,
}
