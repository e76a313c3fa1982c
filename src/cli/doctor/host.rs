//! What this machine gives the runner.

use super::{Check, State};
use crate::{container::docker::image, units::Bytes};
use rustix::{
    fs::statvfs,
    process::{Resource, getrlimit},
};
use std::{fs, path::Path};

/// A drill writes a few megabytes, and logs of its targets.
const DISK: u64 = 1 << 30;
/// One per request in flight, and then some.
const FILES: u64 = 4096;

/// Everything about this machine.
pub(super) fn checks() -> Vec<Check> {
    vec![disk(), binary(), files(), cores()]
}

fn disk() -> Check {
    let folder = if Path::new("reports").is_dir() { "reports" } else { "." };
    let free = match statvfs(folder) {
        Ok(stat) => stat.f_bavail * stat.f_frsize,
        Err(error) => return Check::new(State::Warning, "disk", format!("{folder} cannot be read: {error}")),
    };
    let seen = format!("{} free for reports in {folder}", Bytes(free));
    if free < DISK {
        return Check::new(State::Warning, "disk", seen)
            .mend("free some; a drill whose disk fills up goes on without evidence");
    }
    Check::new(State::Good, "disk", seen)
}

fn binary() -> Check {
    match fs::read("/proc/self/exe").map(|program| image::interpreter(&program)) {
        Ok(None) => Check::new(State::Good, "binary", "static: it can be its own helper image"),
        Ok(Some(loader)) => Check::new(
            State::Note,
            "binary",
            format!("dynamic ({loader}): its libraries go into the helper image with it"),
        )
        .mend("build with .cargo/config.toml as it is, without RUSTFLAGS, for a static one"),
        Err(error) => Check::new(State::Warning, "binary", format!("cannot be read: {error}")),
    }
}

fn files() -> Check {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let seen = format!("{limit} open at once");
    if limit < FILES {
        return Check::new(State::Warning, "files", seen)
            .mend(format!("ulimit -n {FILES}: each request in flight needs one"));
    }
    Check::new(State::Good, "files", seen)
}

fn cores() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Check::new(State::Warning, "cores", "1")
            .mend("load and targets share it: keep rates low, or drill from another host");
    }
    Check::new(State::Good, "cores", cores.to_string())
}
