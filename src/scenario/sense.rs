//! What fits together and what does not, once every value is known: times, windows, numbers of requests.

mod alerts;
mod overlap;
mod percentiles;
mod windows;

use super::{Scenario, diagnostics::Diagnostic, tree::Node};

/// Everything that cannot be as it is written. Parts that could not be read are left out.
pub fn check(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let mut errors = overlap::check(root, scenario);
    errors.extend(windows::check(root, scenario));
    errors.extend(percentiles::check(root, scenario));
    errors.extend(alerts::check(root, scenario));
    errors
}
