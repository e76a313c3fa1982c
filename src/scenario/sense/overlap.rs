//! Two faults that lay hold of the same thing of the same target at the same time.

use crate::{
    fault::Fault,
    scenario::{FaultEntry, Scenario, diagnostics::Diagnostic, tree::Node},
};

pub(super) fn check(root: &Node, scenario: &Scenario) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for (index, later) in scenario.faults.iter().enumerate() {
        let rivals = scenario.faults[..index].iter();
        if let Some(earlier) = rivals.clone().find(|earlier| collide(earlier, later)) {
            errors.push(explain(root, earlier, later));
        }
    }
    errors
}

fn collide(a: &FaultEntry, b: &FaultEntry) -> bool {
    let shared = a.targets.iter().any(|name| !name.is_empty() && b.targets.contains(name));
    shared && same_claim(&a.fault, &b.fault) && overlap(a, b)
}

fn same_claim(a: &Fault, b: &Fault) -> bool {
    let running = |fault: &Fault| match fault {
        Fault::Kill { .. } | Fault::Crash { .. } | Fault::Signal { .. } | Fault::Stop { .. } => true,
        Fault::Restart { .. } | Fault::Pause | Fault::Burn(_) => true,
        Fault::Squeeze { .. } | Fault::Disconnect { .. } | Fault::Exec { .. } => false,
        Fault::Packets(_) | Fault::Partition(_) => false,
    };
    match (a, b) {
        (Fault::Burn(a), Fault::Burn(b)) => a == b,
        (Fault::Squeeze { resource: a, .. }, Fault::Squeeze { resource: b, .. }) => a == b,
        (Fault::Disconnect { network: a }, Fault::Disconnect { network: b }) => a == b,
        _ => running(a) && running(b),
    }
}

/// From `at` to `at` + `for`; a held fault without `for` lasts to the end, a momentary one for its moment.
fn overlap(a: &FaultEntry, b: &FaultEntry) -> bool {
    let (first, second) = if a.at <= b.at { (a, b) } else { (b, a) };
    first.at == second.at || end(first).is_none_or(|end| second.at.ns() < end)
}

fn end(entry: &FaultEntry) -> Option<u64> {
    match (entry.fault.held(), entry.length) {
        (false, _) => Some(entry.at.ns()),
        (true, Some(length)) => Some(entry.at.ns().saturating_add(length.ns())),
        (true, None) => None,
    }
}

fn explain(root: &Node, earlier: &FaultEntry, later: &FaultEntry) -> Diagnostic {
    let message = format!(
        "`{}` and `{}` of `{}` cannot be at the same time",
        earlier.fault.kind(),
        later.fault.kind(),
        later.targets.join("`, `")
    );
    let faults = root.get("faults").map(Node::items).unwrap_or_default();
    let span = |entry: &FaultEntry| {
        let keys = faults.iter().flat_map(Node::entries);
        keys.into_iter().find(|key| key.place == entry.place).map(|key| key.span.clone()).unwrap_or_default()
    };
    let when = match (earlier.fault.held(), earlier.length) {
        (false, _) => format!("at {}", earlier.at),
        (true, Some(length)) => format!("from {} for {length}", earlier.at),
        (true, None) => format!("from {} to the end, without `for`", earlier.at),
    };
    let what = match &later.fault {
        Fault::Disconnect { network } => format!("its place on the network `{network}`"),
        Fault::Squeeze { resource, .. } => format!("its {} limit", resource.name()),
        _ => "whether it runs".into(),
    };
    let remedy = if earlier.fault.held() || later.fault.held() {
        "let one end (`for`) before the other begins (`at`)"
    } else {
        "let one begin later (`at`)"
    };
    Diagnostic::new(later.place, span(later), message)
        .label(format!("at {}", later.at))
        .related(span(earlier), when)
        .help(format!("both decide {what}; {remedy}"))
}
