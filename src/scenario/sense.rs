//! What fits together and what does not, once every value is known: times, windows, numbers of requests.

mod alerts;
mod overlap;
mod percentiles;
mod secrets;
mod windows;

use super::{Scenario, diagnostics::Diagnostic, tree::Node};

/// Secrets that are written out; what is wrong with a text in another way has been said already.
pub fn secrets(root: &Node, errors: &[Diagnostic]) -> Vec<Diagnostic> {
    let found = secrets::check(root).into_iter();
    found.filter(|secret| errors.iter().all(|error| error.place != secret.place)).collect()
}

/// Everything that cannot be as it is written. Parts that could not be read are left out.
pub fn check(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let mut errors = overlap::check(root, scenario);
    errors.extend(windows::check(root, scenario));
    errors.extend(percentiles::check(root, scenario));
    errors.extend(alerts::check(root, scenario));
    errors
}
