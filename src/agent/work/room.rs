//! What the host can spare, and whose a file system is. A drill of one container must not fell its host.

use super::{WorkError, refuse};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// So much of the host's memory stays available, in percent.
const MEMORY_FLOOR: u64 = 10;
/// So much of a disk that is the host's stays free, in bytes and in percent; the greater counts.
const DISK_FLOOR: u64 = 1 << 30;
const DISK_FLOOR_PERCENT: u64 = 5;
/// Files that the engine binds into every container from its own disk.
const ENGINES_FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// That the host can spare so much memory.
///
/// # Errors
/// It cannot.
pub fn memory(bytes: u64) -> Result<(), WorkError> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|e| WorkError::io("/proc/meminfo", e))?;
    let spare = spare_memory(&text);
    if bytes > spare {
        let (asked, spare) = (crate::units::Bytes(bytes), crate::units::Bytes(spare));
        return refuse(format!(
            "the host can spare {spare} of memory ({MEMORY_FLOOR}% of it stay available), not {asked}"
        ));
    }
    Ok(())
}

/// That the container that we are in may use so much more memory, as far as it can see its own limit.
///
/// # Errors
/// It may not.
pub fn own_memory(bytes: u64) -> Result<(), WorkError> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let first = |paths: [&str; 2]| paths.into_iter().find_map(number);
    let limit = first(["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]);
    let used = first(["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"]);
    let Some(left) = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used)) else { return Ok(()) };
    if bytes > left {
        let (asked, left) = (crate::units::Bytes(bytes), crate::units::Bytes(left));
        return refuse(format!(
            "the container may use {left} of memory more, not {asked}: the kernel would kill for want of it"
        ));
    }
    Ok(())
}

fn spare_memory(meminfo: &str) -> u64 {
    let field = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().split(' ').next()?.parse::<u64>().ok()
    };
    let (total, available) = (field("MemTotal:").unwrap_or(0), field("MemAvailable:").unwrap_or(0));
    available.saturating_sub(total * MEMORY_FLOOR / 100) * 1024
}

/// Room in a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All of it, as far as ordinary users may have it.
    pub total: u64,
    /// For ordinary users.
    pub free: u64,
}

/// How much room there is now.
///
/// # Errors
/// What the kernel says.
pub fn room(path: &Path) -> Result<Room, WorkError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| WorkError::io(path.display(), e))?;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    Ok(Room { total: (used + stat.f_bavail) * stat.f_frsize, free: stat.f_bavail * stat.f_frsize })
}

/// That so much can be written where the host may lie behind, without filling it up.
///
/// # Errors
/// It would fall below the floor.
pub fn disk(path: &Path, bytes: u64) -> Result<(), WorkError> {
    let Room { total, free } = room(path)?;
    let floor = DISK_FLOOR.max(total / 100 * DISK_FLOOR_PERCENT);
    if free < floor.saturating_add(bytes) {
        let (free, floor) = (crate::units::Bytes(free), crate::units::Bytes(floor));
        return refuse(format!("{} has {free} left, and {floor} of it stay free", path.display()));
    }
    Ok(())
}

/// What lies behind a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// Memory.
    Memory,
    /// A file system of the container's own.
    Own,
    /// The host's disk, and how one sees that.
    Hosts(&'static str),
}

/// Whose the file system behind a path is.
///
/// # Errors
/// There is no such folder.
pub fn ground(path: &Path) -> Result<Ground, WorkError> {
    let path = folder(path)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| WorkError::io("/proc/self/mountinfo", e))?;
    let device = |path: &Path| fs::metadata(path).map(|data| data.dev()).ok();
    let found = classify(&mounts, &path);
    if found != Ground::Own {
        return Ok(found);
    }
    let engines =
        ENGINES_FILES.iter().any(|file| device(Path::new(file)).is_some_and(|its| Some(its) == device(&path)));
    if engines {
        return Ok(Ground::Hosts("it is the disk of the engine itself"));
    }
    let whole_system = ["etc", "proc", "usr"].iter().all(|name| path.join(name).is_dir());
    Ok(if whole_system { Ground::Hosts("it is the root of a system") } else { Ground::Own })
}

/// A folder, without links.
///
/// # Errors
/// It is not there, or is no folder.
pub fn folder(path: &Path) -> Result<PathBuf, WorkError> {
    let real = path.canonicalize().map_err(|e| WorkError::io(format!("{} in the container", path.display()), e))?;
    if real.is_dir() { Ok(real) } else { refuse(format!("{} in the container is no folder", path.display())) }
}

/// By the mount that a path lies on.
fn classify(mounts: &str, path: &Path) -> Ground {
    let parts = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?.to_owned(), PathBuf::from(place.next()?.replace("\\040", " ")));
        Some((root, point, kind.split(' ').next()?.to_owned()))
    };
    let over = mounts.lines().filter_map(parts).filter(|(_, point, _)| path.starts_with(point));
    // Of two mounts on one point the later one is seen.
    let Some((root, point, kind)) = over.max_by_key(|(_, point, _)| point.components().count()) else {
        return Ground::Hosts("nothing is known of it");
    };
    match kind.as_str() {
        "tmpfs" | "ramfs" => Ground::Memory,
        _ if point == Path::new("/") || kind == "overlay" => Ground::Hosts("it is the container's own layer"),
        _ if root != "/" => Ground::Hosts("it is a folder of a larger file system"),
        _ => Ground::Own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_memory_is_not_spared() {
        let text = "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    400 kB\n";
        assert_eq!(spare_memory(text), 300 * 1024);
        assert!(memory(u64::MAX).unwrap_err().to_string().contains("stay available"));
    }

    #[test]
    fn the_hosts_disk_is_told_from_a_file_system_of_its_own() {
        let mounts = "1 0 0:50 / / rw - overlay overlay rw\n\
            2 1 0:51 / /tmp rw - tmpfs tmpfs rw,size=64k\n\
            3 1 8:1 /var/lib/docker/volumes/a/_data /data rw - ext4 /dev/sda1 rw\n\
            4 1 7:0 / /own rw - ext4 /dev/loop0 rw\n\
            5 4 0:52 / /own/cache rw - tmpfs tmpfs rw\n";
        let at = |path: &str| classify(mounts, Path::new(path));
        assert!(matches!(at("/var/log"), Ground::Hosts(_)));
        assert_eq!(at("/tmp/x"), Ground::Memory);
        assert_eq!(at("/data"), Ground::Hosts("it is a folder of a larger file system"));
        assert_eq!(at("/own/deep"), Ground::Own);
        assert_eq!(at("/own/cache"), Ground::Memory);
    }

    #[test]
    fn a_path_that_is_not_there_is_said() {
        assert!(
            ground(Path::new("/no/such/folder")).unwrap_err().to_string().contains("/no/such/folder in the container")
        );
    }
}
