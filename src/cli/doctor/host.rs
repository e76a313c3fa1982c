//! What this machine gives the runner.

use super::{Check, State};
use crate::{container::docker::image, units::Bytes};
use rustix::{
    fs::statvfs,
    process::{Resource, getrlimit},
};
use std::{fs, io::Read, path::Path};

/// A drill writes a few megabytes, and logs of its targets.
const DISK: u64 = 1 << 30;
/// One per request in flight, and then some.
const FILES: u64 = 4096;

/// Everything about this machine.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![disk(), binary(), files(), cores()];
    checks.extend(kernel());
    checks
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

/// What faults of packets want. The kernel of the engine counts; it is this one unless the engine is elsewhere.
fn kernel() -> Vec<Check> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let config = config(&release).unwrap_or_default();
    let features = [
        ("nf_tables", "NF_TABLES", "for all faults of packets"),
        ("nfnetlink_queue", "NETFILTER_NETLINK_QUEUE", "for delay, loss, duplicate, corrupt, reorder and rate"),
        ("sch_netem", "NET_SCH_NETEM", "not needed: firedrill brings its own"),
    ];
    let check = |(module, option, what): (&str, &str, &str)| {
        let there = if has(module, &release) || configured(&config, option) { "there" } else { "not there" };
        Check::new(State::Note, "kernel", format!("{module} is {there} ({what})"))
    };
    features.into_iter().map(check).collect()
}

/// How the kernel was built, where it or its distribution says so.
fn config(release: &str) -> Option<String> {
    let mut text = String::new();
    let packed = fs::File::open("/proc/config.gz").ok();
    match packed.map(|file| flate2::read::GzDecoder::new(file).read_to_string(&mut text)) {
        Some(Ok(_)) => Some(text),
        _ => fs::read_to_string(format!("/boot/config-{release}")).ok(),
    }
}

fn configured(config: &str, option: &str) -> bool {
    config.lines().any(|line| line.strip_prefix("CONFIG_").and_then(|rest| rest.strip_prefix(option)) == Some("=y"))
}

/// Loaded, or on disk to be loaded.
fn has(module: &str, release: &str) -> bool {
    let file = format!("/{module}.ko");
    let on_disk = fs::read_to_string(format!("/lib/modules/{release}/modules.dep"));
    Path::new(&format!("/sys/module/{module}")).exists()
        || on_disk.is_ok_and(|text| text.lines().any(|line| line.split(':').next().is_some_and(|p| p.contains(&file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_built_in_or_it_is_not() {
        let config = "CONFIG_NF_TABLES=y\nCONFIG_NF_TABLES_INET=y\n# CONFIG_NET_SCH_NETEM is not set\n";
        assert!(configured(config, "NF_TABLES"));
        assert!(!configured(config, "NET_SCH_NETEM") && !configured(config, "NF"));
    }
}
