//! What an engine has lost sight of that died while it was starting a container: the container's first process, which
//! has not begun yet, and the shim that holds it. Docker then takes the container for stopped, and does not start it as
//! long as they are there ("task ...: already exists").

use super::{
    Subject, WorkError, cgroup, refuse,
    signal::{Held, pids},
};
use rustix::process::Signal;
use std::fs;

/// Ends them, and says how many there were. The container must be one that the engine takes for stopped.
///
/// # Errors
/// They cannot be seen, or may not be signalled.
pub fn end(id: &str) -> Result<String, WorkError> {
    if !cgroup::is_id(id) {
        return refuse(format!("`{id}` is no container's id"));
    }
    // A shim that lost its process would wait for orders; a process that lost its shim, for ever.
    let ended = end_all(|pid| cgroup::belongs(&Subject { id: id.into(), pid }))? + end_all(|pid| holds(id, pid))?;
    Ok(format!("ended what the engine had lost sight of: {ended} of process and shim"))
}

fn end_all(meant: impl Fn(i32) -> Result<(), WorkError>) -> Result<usize, WorkError> {
    let held: Vec<Held> = pids()?.filter_map(|pid| Held::of(pid, || meant(pid)).ok()).collect();
    for one in &held {
        one.send(Signal::KILL).map_err(|error| WorkError::io("SIGKILL could not be sent", error))?;
    }
    Ok(held.len())
}

/// Whether a process is the shim of the container: a program of that name that was told its id.
fn holds(id: &str, pid: i32) -> Result<(), WorkError> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    match words.split_first() {
        Some((program, told)) if program.contains("-shim") && told.iter().any(|word| word.contains(id)) => Ok(()),
        _ => refuse(format!("process {pid} does not hold container {id}")),
    }
}
