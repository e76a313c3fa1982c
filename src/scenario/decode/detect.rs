//! `detect:`

use super::{Decoder, entries, text, texts, value};
use crate::{
    event::{AlertLabels, AlertSource, AlertTerms, DetectTerms, NoPage},
    scenario::{
        Detect,
        diagnostics::Diagnostic,
        tree::{Entry, Node},
    },
    units::Span,
};

/// How often, unless the scenario says otherwise.
const EVERY: Span = Span::secs(1);
/// The word for all alerts that are not expected.
const OTHERS: &str = "others";

impl Decoder {
    pub(super) fn detect(&mut self, root: &Node) -> Option<Detect> {
        let whole = root.entry("detect")?;
        let node = &whole.node;
        let kinds = [("prometheus", AlertSource::Prometheus), ("alertmanager", AlertSource::Alertmanager)];
        let (source, entry) = kinds.iter().find_map(|(key, source)| Some((*source, node.entry(key)?)))?;
        let named = texts(node, "no_page");
        let terms = DetectTerms {
            source,
            url: self.source_url(entry),
            every: value(node, "every").unwrap_or(EVERY),
            labels: labels(node),
            alerts: node.get("alerts").map(Node::items).unwrap_or_default().iter().filter_map(alert).collect(),
            no_page: NoPage {
                others: named.iter().any(|name| name == OTHERS),
                names: named.into_iter().filter(|name| name != OTHERS).collect(),
            },
        };
        if terms.alerts.is_empty() && terms.no_page.is_empty() && node.get("alerts").is_none() {
            let error = Diagnostic::new(whole.place, whole.span.clone(), "`detect` expects nothing");
            self.errors.push(error.help(
                "name an alert, such as `alerts: [{ name: CheckoutErrors, within: 1m }]`, or write `no_page: others`",
            ));
        }
        Some(Detect {
            place: entry.place,
            terms,
            token: text(&entry.node, "token"),
            insecure: value(&entry.node, "insecure").unwrap_or(false),
        })
    }

    /// The address alone, or the one among the settings.
    fn source_url(&mut self, entry: &Entry) -> String {
        let Some(node) = entry.node.get("url").or(Some(&entry.node)).filter(|node| node.text().is_some()) else {
            return String::new();
        };
        let url = self.address(node);
        if url.contains(['?', '#']) {
            self.report(
                node,
                "an address of an alert source ends before `?`",
                "write where its interface begins, such as `http://127.0.0.1:9090`",
            );
        }
        url
    }
}

fn labels(node: &Node) -> AlertLabels {
    entries(node, "labels")
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.node.text()?.to_owned())))
        .collect()
}

fn alert(node: &Node) -> Option<AlertTerms> {
    Some(AlertTerms {
        name: text(node, "name")?,
        labels: labels(node),
        within: value(node, "within")?,
        resolves_within: value(node, "resolves_within"),
    })
}
