//! What is promised of the engine on a quiet machine (the README has the same), and what is asked of it on a busy one.
//!
//! `make packets` sets FIREDRILL_QUIET, and with it the release build.

use std::env::var_os;

/// A limit: the promise, and the wide one for machines that do other things beside.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    strict: f64,
    wide: f64,
}

const fn promise(strict: f64, wide: f64) -> Promise {
    Promise { strict, wide }
}

/// How far the median delay is off, in ms.
pub const DELAY_MEDIAN: Promise = promise(0.3, 20.0);
/// How far the delay of all but one in a hundred is off, in ms.
pub const DELAY_P99: Promise = promise(1.0, 200.0);
/// By which share a rate is missed.
pub const RATE: Promise = promise(0.03, 0.25);
/// TCP through a delay on the way out, as a share of the same on the way in.
pub const BULK: Promise = promise(0.6, 0.25);
/// From the word to the first packet that is late, p99, in ms.
pub const EFFECT: Promise = promise(5.0, 200.0);
/// Between the first and the last of fifty containers, in ms.
pub const TOGETHER: Promise = promise(50.0, 2000.0);
/// TCP with an armed and idle agent, as a share of the same without: as fast, but for what two measurements differ by.
pub const IDLE: Promise = promise(0.95, 0.5);

/// Whether the machine is said to be quiet.
pub fn is_quiet() -> bool {
    var_os("FIREDRILL_QUIET").is_some()
}

impl Promise {
    pub fn limit(self) -> f64 {
        if is_quiet() { self.strict } else { self.wide }
    }
}

#[test]
fn the_command_of_the_readme_holds_the_release_build_to_what_the_readme_promises() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |file: &str| std::fs::read_to_string(format!("{root}/{file}")).unwrap();
    let makefile = read("Makefile");
    let recipe = makefile.split("\npackets:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    for part in ["build --release --locked", "FIREDRILL_QUIET=1", "/release/firedrill", "--include-ignored"] {
        assert!(recipe.contains(part), "{part} is missing in {recipe}");
    }
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let percent = |promise: Promise| format!("{:.0} %", promise.strict * 100.0);
    let told = [
        format!("within {} ms in the median and {} ms at p99", DELAY_MEDIAN.strict, DELAY_P99.strict),
        format!("a rate within {}", percent(RATE)),
        format!("bulk TCP outward at least {} of", percent(BULK)),
        format!("in effect within {} ms at p99", EFFECT.strict),
        format!("fifty containers within {} ms", TOGETHER.strict),
        format!("at least {} of the throughput", percent(IDLE)),
    ];
    for words in told {
        assert!(readme.contains(&words), "the README does not say: {words}");
    }
}
