//! Ids that stay the same from run to run: `time-to-recover/checkout`, `injection-delay/kill-api-sigkill`,
//! `during/checkout/p99`.

use crate::{
    analysis::{Criterion, Figure, Findings},
    review::model::phase_name,
};
use std::collections::BTreeMap;

/// The names of probes and faults as parts of ids.
#[derive(Debug, Clone)]
pub struct Names {
    probes: Vec<String>,
    faults: Vec<String>,
}

impl Names {
    /// Of a run.
    pub fn of(findings: &Findings) -> Names {
        Names {
            probes: unlike(findings.probes.iter().map(|probe| slug(&probe.name))),
            faults: unlike(findings.faults.iter().map(|fault| slug(&fault.label))),
        }
    }

    /// `time-to-recover/checkout`; a figure of the whole run stands alone: `smallest-margin`.
    pub fn figure(&self, figure: &Figure) -> String {
        let owner = match (figure.probe, figure.fault) {
            (Some(probe), _) => self.probes.get(usize::from(probe)),
            (_, Some(fault)) => self.faults.get(fault),
            _ => None,
        };
        let kind = slug(figure.kind.name());
        owner.map_or_else(|| kind.clone(), |owner| format!("{kind}/{owner}"))
    }

    /// `during/checkout/p99`
    pub fn criterion(&self, criterion: &Criterion) -> String {
        let (phase, what) = (phase_name(criterion.phase), slug(&criterion.what.to_string()));
        match criterion.probe.and_then(|probe| self.probes.get(usize::from(probe))) {
            Some(probe) => format!("{phase}/{probe}/{what}"),
            None => format!("{phase}/{what}"),
        }
    }
}

/// Two of the same name are told apart by a number.
fn unlike(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    let mut one = |name: String| {
        let times = met.entry(name.clone()).and_modify(|n| *n += 1).or_insert(1);
        if *times == 1 { name } else { format!("{name}-{times}") }
    };
    names.map(&mut one).collect()
}

/// Small letters, digits, dots and dashes: safe in a shell, a path and an address.
fn slug(text: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let words: Vec<&str> = text.split(|c| !kept(c)).filter(|word| !word.is_empty()).collect();
    let slug = words.join("-").to_lowercase();
    if slug.is_empty() { "unnamed".into() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_unlike_each_other() {
        let names = unlike(["kill api (SIGKILL)", "kill api, SIGKILL", "\u{1b}[31m"].map(slug).into_iter());
        assert_eq!(names, ["kill-api-sigkill", "kill-api-sigkill-2", "31m"]);
        assert_eq!(slug("\u{202e}"), "unnamed");
    }
}
