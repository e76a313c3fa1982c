//! Alerts that could not be seen in time, or are expected and forbidden at once.

use super::windows::during_length;
use crate::{
    event::AlertTerms,
    scenario::{Scenario, diagnostics::Diagnostic, tree::Node},
    units::Span,
};
use std::time::Duration;

/// Asking more often than this is load.
const OFTEN: Span = Span::millis(200);

pub(super) fn check(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let Some((node, detect)) = root.get("detect").zip(scenario.detect.as_ref()) else { return Vec::new() };
    let mut errors = Vec::new();
    let mut report = |node: &Node, message: String, help: String| {
        errors.push(Diagnostic::new(node.place, node.span.clone(), message).help(help));
    };
    let watched = Span(during_length(scenario).unwrap_or_default().0.saturating_add(scenario.timing.recovery.0));
    let recovery = scenario.timing.recovery;
    let written = node.get("alerts").map(Node::items).unwrap_or_default();
    for (at, item) in written.iter().enumerate() {
        let given = |key: &str| Some((item.get(key)?, item.get(key)?.text()?.parse::<Span>().ok()?));
        if let Some((node, within)) = given("within").filter(|(_, within)| *within > watched) {
            report(
                node,
                format!("an alert may take {within}, but after the fault the drill goes on for {watched} only"),
                "shorten `within`, or lengthen the fault (`for`) or `timing.recovery`".into(),
            );
        }
        if let Some((node, within)) = given("resolves_within").filter(|(_, within)| *within > recovery) {
            report(
                node,
                format!("an alert may take {within} to resolve, but the recovery is watched for {recovery} only"),
                format!("write `timing: {{ recovery: {within} }}` or more, or shorten it"),
            );
        }
        let name = item.get("name").and_then(Node::text);
        let same = |other: &AlertTerms| Some(other.name.as_str()) == name;
        if written.len() == detect.terms.alerts.len()
            && let Some(alert) = detect.terms.alerts.get(at)
            && detect.terms.alerts[..at].iter().any(|other| same(other) && other.labels == alert.labels)
        {
            report(item, format!("`{alert}` is expected twice"), "remove one, or tell them apart by `labels`".into());
        }
    }
    let forbidden = node.get("no_page").map(Node::items).unwrap_or_default();
    for item in forbidden {
        let name = item.text().unwrap_or_default();
        if detect.terms.alerts.iter().any(|alert| alert.name == name) {
            report(item, format!("`{name}` is expected, and must not fire"), "remove it from one of the two".into());
        }
    }
    if let Some(every) =
        node.get("every").filter(|_| detect.terms.every < OFTEN && detect.terms.every.0 > Duration::ZERO)
    {
        report(
            every,
            format!("asking every {} is load on the alert source", detect.terms.every),
            format!("ask every {OFTEN} at most; 1s is usual"),
        );
    }
    errors
}
