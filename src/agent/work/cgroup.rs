//! Where the cgroup of a container lies: read from its main process, never guessed from the engine's driver.

use super::{Subject, WorkError, refuse};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the host's tree of cgroups is bound in our helper.
pub const BOUND: &str = "/cgroups";

/// The cgroup of a container, for one controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its folder.
    pub folder: PathBuf,
    /// cgroup v2; else v1.
    pub unified: bool,
}

/// Whether a process belongs to the container, as its cgroups say.
///
/// # Errors
/// It is gone, or is somebody else's.
pub fn belongs(subject: &Subject) -> Result<(), WorkError> {
    let Subject { id, pid } = subject;
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .map_err(|_| WorkError(format!("process {pid} is gone; the container has ended")))?;
    if !is_id(id) || !text.lines().any(|line| line.contains(id.as_str())) {
        return refuse(format!("process {pid} does not belong to container {id}; nothing is done to it"));
    }
    Ok(())
}

/// Whether it is the full id of a container.
pub fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Finds the cgroup of a container.
///
/// # Errors
/// The process is another's, or the controller is not there.
pub fn find(subject: &Subject, controller: &str) -> Result<Group, WorkError> {
    belongs(subject)?;
    let read = |path: String| fs::read_to_string(&path).map_err(|e| WorkError::io(path, e));
    let groups = read(format!("/proc/{}/cgroup", subject.pid))?;
    let mounts = read("/proc/self/mountinfo".into())?;
    let group = locate(&groups, &mounts, &subject.id, controller)?;
    if !group.folder.is_dir() {
        return refuse(format!("the cgroup {} cannot be seen from here", group.folder.display()));
    }
    Ok(group)
}

/// From the texts of `/proc/PID/cgroup` and `/proc/self/mountinfo`.
fn locate(groups: &str, mounts: &str, id: &str, controller: &str) -> Result<Group, WorkError> {
    let lacking = || WorkError(format!("the container has no cgroup with the controller `{controller}`"));
    let (path, unified) = path_of(groups, id, controller).ok_or_else(lacking)?;
    let mut folders: Vec<PathBuf> =
        mounts.lines().filter_map(|line| folder_in(line, &path, unified, controller)).collect();
    // The container's own view comes before ours, and may be read-only.
    folders.sort_by_key(|folder| !folder.starts_with(BOUND));
    let folder = folders.into_iter().next();
    folder.map(|folder| Group { folder, unified }).ok_or_else(|| {
        WorkError(format!("the cgroup {path} of the controller `{controller}` is not mounted where we can see it"))
    })
}

/// The container's cgroup among those of its process, which may sit deeper; v1 first, for hosts that have both.
fn path_of(groups: &str, id: &str, controller: &str) -> Option<(String, bool)> {
    let lines = || {
        groups.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
    };
    let first = lines().find(|(_, controllers, _)| controllers.split(',').any(|one| one == controller));
    let found = first.map(|line| (line, false)).or_else(|| Some((lines().find(|(number, ..)| *number == "0")?, true)));
    let ((_, _, path), unified) = found?;
    let end = path.find(id)? + id.len();
    let end = path[end..].find('/').map_or(path.len(), |more| end + more);
    Some((path[..end].to_owned(), unified))
}

/// The folder of a cgroup below one mount, if that mount shows it.
fn folder_in(mount: &str, path: &str, unified: bool, controller: &str) -> Option<PathBuf> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let (fs, options) = (kind.next()?, kind.nth(1).unwrap_or_default());
    let fits = match unified {
        true => fs == "cgroup2",
        false => fs == "cgroup" && options.split(',').any(|one| one == controller),
    };
    let below = Path::new(path).strip_prefix(root).ok().filter(|_| fits)?;
    Some(Path::new(point).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3b9f0c5d3b9f0c5d3b9f0c5d3b9f0c5d3b9f0c5d3b9f0c5d3b9f0c5d3b9f0c5d";

    fn at(groups: &str, mounts: &str, controller: &str) -> Result<(String, bool), String> {
        let groups = groups.replace("ID", ID);
        let found = locate(&groups, mounts, ID, controller).map_err(|e| e.to_string())?;
        Ok((found.folder.to_string_lossy().replace(ID, "ID"), found.unified))
    }

    const V1: &str = "100 90 0:28 / /cgroups rw - tmpfs tmpfs rw\n\
        32 31 0:29 /docker/other /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n\
        101 100 0:29 / /cgroups/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        102 100 0:32 / /cgroups/memory rw - cgroup cgroup rw,memory\n";

    #[test]
    fn a_cgroup_is_found_whatever_the_driver_and_the_version() {
        let cgroupfs = "9:pids:/docker/ID\n8:memory:/docker/ID\n3:cpu,cpuacct:/docker/ID\n";
        assert_eq!(at(cgroupfs, V1, "cpu"), Ok(("/cgroups/cpu,cpuacct/docker/ID".into(), false)));
        let systemd = "8:memory:/system.slice/docker-ID.scope/init.scope\n0::/system.slice/docker-ID.scope\n";
        assert_eq!(at(systemd, V1, "memory"), Ok(("/cgroups/memory/system.slice/docker-ID.scope".into(), false)));
        let v2 = "30 1 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n31 1 0:26 / /cgroups rw - cgroup2 cgroup2 rw\n";
        let unified = "0::/system.slice/docker-ID.scope/app\n";
        assert_eq!(at(unified, v2, "memory"), Ok(("/cgroups/system.slice/docker-ID.scope".into(), true)));
    }

    #[test]
    fn a_tree_that_is_bound_from_the_middle_is_understood() {
        let nested = "31 1 0:26 /kubepods/outer /cgroups rw - cgroup2 cgroup2 rw\n";
        let found = at("0::/kubepods/outer/docker/ID\n", nested, "pids");
        assert_eq!(found, Ok(("/cgroups/docker/ID".into(), true)));
        assert!(at("0::/elsewhere/ID\n", nested, "pids").unwrap_err().contains("not mounted"));
    }

    #[test]
    fn a_missing_controller_and_a_foreign_process_are_said() {
        assert!(at("8:memory:/docker/ID\n", V1, "pids").unwrap_err().contains("`pids`"));
        assert!(at("8:memory:/user.slice\n", V1, "memory").unwrap_err().contains("no cgroup"));
        let me = Subject { id: ID.into(), pid: std::process::id() as i32 };
        assert!(belongs(&me).unwrap_err().to_string().contains("does not belong"));
    }
}
