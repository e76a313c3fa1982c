//! What changed from answer to answer. Pure: the same answers give the same changes.

use super::{Alert, Reading};
use crate::{
    clock::At,
    event::{AlertChanged, AlertLabels, AlertState},
};
use std::collections::BTreeMap;

/// What is known of the alerts so far.
#[derive(Debug, Default)]
pub struct Tracker {
    known: BTreeMap<AlertLabels, Known>,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    state: AlertState,
    stamp_ns: Option<i64>,
}

/// The last answer.
#[derive(Debug, Clone, Copy)]
struct Last {
    sent: At,
    clock_ns: Option<[i64; 2]>,
}

impl Tracker {
    /// Takes an answer; what it changes, by label.
    pub fn take(&mut self, reading: &Reading) -> Vec<AlertChanged> {
        let mut now: BTreeMap<&AlertLabels, &Alert> = BTreeMap::new();
        for alert in &reading.alerts {
            // In the moment of a change a source may know both; the later one is how it is.
            let newer = now.get(&alert.labels).is_none_or(|other| other.stamp_ns <= alert.stamp_ns);
            if newer {
                now.insert(&alert.labels, alert);
            }
        }
        let mut changes: Vec<AlertChanged> = now.values().filter_map(|alert| self.begun(alert)).collect();
        let gone: Vec<AlertLabels> = self.known.keys().filter(|labels| !now.contains_key(labels)).cloned().collect();
        changes.extend(gone.into_iter().map(|labels| self.gone(labels, reading)));
        changes.sort_by(|a, b| a.labels.cmp(&b.labels));
        for (labels, alert) in now {
            self.known.insert(labels.clone(), Known { state: alert.state, stamp_ns: alert.stamp_ns });
        }
        self.last = Some(Last { sent: reading.sent, clock_ns: reading.clock_ns });
        changes
    }

    fn begun(&self, alert: &Alert) -> Option<AlertChanged> {
        let before = self.known.get(&alert.labels);
        if before.is_some_and(|known| known.state == alert.state) {
            return None;
        }
        // The rule was evaluated then; what an evaluation finds may be readable only a little later than the next
        // question was asked, so it may lie before the question that still found it otherwise.
        let since = self.last.and_then(|last| last.clock_ns).zip(alert.stamp_ns);
        Some(AlertChanged {
            labels: alert.labels.clone(),
            state: alert.state,
            after: self.last.map(|last| last.sent),
            stamped_ns: since.map(|([asked, _], stamp)| [asked.min(stamp), stamp]),
            says_ns: alert.says_ns,
        })
    }

    fn gone(&mut self, labels: AlertLabels, reading: &Reading) -> AlertChanged {
        let before = self.known.remove(&labels);
        let since = before.and_then(|known| known.stamp_ns).zip(reading.clock_ns);
        AlertChanged {
            labels,
            state: AlertState::Resolved,
            after: self.last.map(|last| last.sent),
            stamped_ns: since.map(|(stamp, [_, asked])| [stamp.min(asked), asked]),
            says_ns: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn labels(name: &str) -> AlertLabels {
        [("alertname".to_owned(), name.to_owned())].into()
    }

    /// An answer at so many seconds, of a source whose clock is 100 s ahead and whose rules run half a second before.
    fn reading(second: u64, alerts: &[(&str, AlertState)]) -> Reading {
        let clock = ((second + 100) * S) as i64;
        let alert = |(name, state): &(&str, AlertState)| Alert {
            labels: labels(name),
            state: *state,
            stamp_ns: Some(clock - S as i64 / 2),
            says_ns: None,
        };
        Reading {
            sent: second * S,
            answered: second * S + 1_000,
            clock_ns: Some([clock, clock + 1_000]),
            alerts: alerts.iter().map(alert).collect(),
        }
    }

    fn told(changes: &[AlertChanged]) -> Vec<String> {
        let stamp = |change: &AlertChanged| {
            change.stamped_ns.map_or("?".into(), |[low, high]| format!("{}..{}", low / 100_000_000, high / 100_000_000))
        };
        changes
            .iter()
            .map(|c| format!("{} {} {} {:?}", c.labels["alertname"], c.state, stamp(c), c.after.map(|at| at / S)))
            .collect()
    }

    #[test]
    fn an_alert_is_told_when_it_changes_and_only_then() {
        let mut tracker = Tracker::default();
        let mut take = |second, alerts: &[(&str, AlertState)]| told(&tracker.take(&reading(second, alerts)));
        assert_eq!(take(1, &[("Old", AlertState::Firing)]), ["Old firing ? None"]);
        assert_eq!(take(2, &[("Old", AlertState::Firing)]), [] as [&str; 0]);
        let both = [("Old", AlertState::Firing), ("New", AlertState::Pending)];
        assert_eq!(take(3, &both), ["New pending 1020..1025 Some(2)"]);
        let both = [("Old", AlertState::Firing), ("New", AlertState::Firing)];
        assert_eq!(take(4, &both), ["New firing 1030..1035 Some(3)"]);
        assert_eq!(take(5, &[("Old", AlertState::Firing)]), ["New resolved 1035..1050 Some(4)"]);
        assert_eq!(take(6, &[]), ["Old resolved 1045..1060 Some(5)"]);
        assert_eq!(take(7, &[("New", AlertState::Firing)]), ["New firing 1060..1065 Some(6)"]);
    }

    #[test]
    fn of_two_states_the_later_stamp_counts() {
        let mut tracker = Tracker::default();
        let mut both = reading(1, &[("A", AlertState::Firing), ("A", AlertState::Pending)]);
        both.alerts[0].stamp_ns = Some(2);
        both.alerts[1].stamp_ns = Some(1);
        assert_eq!(told(&tracker.take(&both)), ["A firing ? None"]);
    }
}
