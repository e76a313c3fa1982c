//! A lower limit in the target's own cgroup, and the very bytes that stood there put back.

use super::{
    Figures, Subject, WorkError,
    cgroup::{self, Group},
    refuse,
};
use crate::units::{Bytes, trimmed};
use serde::{Deserialize, Serialize};
use std::{fmt, fs, io::Write, path::PathBuf};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// CPU time, in billionths of a core.
    Cpu,
    /// Memory, in bytes.
    Memory,
    /// Processes and threads.
    Pids,
}

impl Resource {
    /// As the kernel calls its controller.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Pids => "pids",
        }
    }

    /// So much of it, for people.
    pub fn amount(self, value: u64) -> String {
        match self {
            Resource::Cpu => format!("{} cores", trimmed(value as f64 / 1e9, 3)),
            Resource::Memory => Bytes(value).to_string(),
            Resource::Pids => format!("{value} processes"),
        }
    }
}

/// A limit for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Squeeze {
    /// Of what.
    pub resource: Resource,
    /// The limit while it lasts.
    pub to: u64,
    /// The limit before, as the engine keeps it; `None`: none.
    pub from: Option<u64>,
}

impl fmt::Display for Squeeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {} to {}", self.resource.name(), self.resource.amount(self.to))
    }
}

/// The shortest quota of CPU time that the kernel takes, in microseconds.
const QUOTA_LEAST: u64 = 1000;
/// Memory is counted in pages; the largest in use.
const PAGE_MOST: u64 = 64 << 10;
/// cgroup v1 shows "no limit" as a number near this.
const NO_MEMORY_LIMIT: u64 = 1 << 62;

/// The file that holds a limit.
#[derive(Debug, Clone)]
struct Knob {
    resource: Resource,
    group: Group,
}

impl Knob {
    fn file(&self) -> PathBuf {
        let name = match (self.resource, self.group.unified) {
            (Resource::Cpu, false) => "cpu.cfs_quota_us",
            (Resource::Cpu, true) => "cpu.max",
            (Resource::Memory, false) => "memory.limit_in_bytes",
            (Resource::Memory, true) => "memory.max",
            (Resource::Pids, _) => "pids.max",
        };
        self.group.folder.join(name)
    }

    /// What stands there, without the line break.
    fn read(&self) -> Result<String, WorkError> {
        let file = self.file();
        let text = fs::read_to_string(&file).map_err(|e| WorkError::io(file.display(), e))?;
        Ok(text.trim_end().to_owned())
    }

    /// Microseconds; the other half of a CPU limit.
    fn period(&self) -> Result<u64, WorkError> {
        let text = match self.group.unified {
            true => self.read()?.split(' ').nth(1).unwrap_or_default().to_owned(),
            false => number_in(&self.group, "cpu.cfs_period_us")?.to_string(),
        };
        text.parse().ok().filter(|period| *period > 0).ok_or_else(|| WorkError(format!("`{text}` is no CPU period")))
    }

    /// What a text there means; `None`: no limit.
    fn meaning(&self, text: &str) -> Result<Option<u64>, WorkError> {
        let first = text.split(' ').next().unwrap_or_default();
        if first == "max" || first == "-1" {
            return Ok(None);
        }
        let value: u64 = first.parse().map_err(|_| WorkError(format!("`{text}` is no limit")))?;
        Ok(match self.resource {
            Resource::Cpu => Some((u128::from(value) * 1_000_000_000 / u128::from(self.period()?)) as u64),
            Resource::Memory => Some(value).filter(|value| *value < NO_MEMORY_LIMIT),
            Resource::Pids => Some(value),
        })
    }

    /// How a limit is written there.
    fn text(&self, value: Option<u64>) -> Result<String, WorkError> {
        let nothing = if self.group.unified || self.resource == Resource::Pids { "max" } else { "-1" };
        if self.resource != Resource::Cpu {
            return Ok(value.map_or_else(|| nothing.to_owned(), |value| value.to_string()));
        }
        let period = self.period()?;
        let quota = value.map(|value| {
            let exact = (u128::from(value) * u128::from(period) + 500_000_000) / 1_000_000_000;
            (exact as u64).max(QUOTA_LEAST).to_string()
        });
        let quota = quota.unwrap_or_else(|| nothing.to_owned());
        Ok(if self.group.unified { format!("{quota} {period}") } else { quota })
    }

    /// Writes, and reads back what the kernel made of it.
    fn write(&self, text: &str) -> Result<String, WorkError> {
        let file = self.file();
        let written = fs::OpenOptions::new().write(true).open(&file).and_then(|mut f| f.write_all(text.as_bytes()));
        written.map_err(|e| WorkError::io(format!("{text} into {}", file.display()), e))?;
        self.read()
    }

    /// Whether two limits are one to the kernel, which keeps memory in pages and CPU time in microseconds.
    fn same(&self, a: Option<u64>, b: Option<u64>) -> bool {
        let grain = match self.resource {
            Resource::Cpu => 1_000_000,
            Resource::Memory => PAGE_MOST,
            Resource::Pids => 1,
        };
        match (a, b) {
            (Some(a), Some(b)) => a.abs_diff(b) < grain,
            (None, None) => true,
            _ => false,
        }
    }

    /// What is used now, if a limit below it makes no sense.
    fn used(&self) -> Option<u64> {
        let read = |name| number_in(&self.group, name).ok();
        match (self.resource, self.group.unified) {
            (Resource::Cpu, _) => None,
            (Resource::Pids, _) => read("pids.current"),
            (Resource::Memory, unified) => {
                let (used, cache) = match unified {
                    true => ("memory.current", "inactive_file"),
                    false => ("memory.usage_in_bytes", "total_inactive_file"),
                };
                // Cache that nobody used lately is given up without a word.
                Some(read(used)?.saturating_sub(field(&self.group, "memory.stat", cache)))
            }
        }
    }

    /// How often it was felt so far.
    fn felt(&self) -> Figures {
        let group = &self.group;
        let of = |file, key| field(group, file, key);
        match (self.resource, group.unified) {
            (Resource::Cpu, unified) => Figures {
                throttled: of("cpu.stat", "nr_throttled"),
                throttled_ns: if unified {
                    of("cpu.stat", "throttled_usec") * 1000
                } else {
                    of("cpu.stat", "throttled_time")
                },
                ..Figures::default()
            },
            (Resource::Memory, true) => Figures {
                refused: of("memory.events", "max"),
                oom_kills: of("memory.events", "oom_kill"),
                ..Figures::default()
            },
            (Resource::Memory, false) => Figures {
                refused: number_in(group, "memory.failcnt").unwrap_or(0),
                oom_kills: of("memory.oom_control", "oom_kill"),
                ..Figures::default()
            },
            (Resource::Pids, _) => Figures { refused: of("pids.events", "max"), ..Figures::default() },
        }
    }
}

fn number_in(group: &Group, name: &str) -> Result<u64, WorkError> {
    let file = group.folder.join(name);
    let text = fs::read_to_string(&file).map_err(|e| WorkError::io(file.display(), e))?;
    text.trim().parse().map_err(|_| WorkError(format!("{}: `{}` is no number", file.display(), text.trim())))
}

/// `key value` lines; 0 if it is not there.
fn field(group: &Group, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(group.folder.join(file)).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// A squeeze of one container.
pub struct Squeezed {
    squeeze: Squeeze,
    knob: Knob,
    /// The very bytes that stood there.
    before: String,
    /// What stands there because of us.
    ours: Option<String>,
    felt: Figures,
}

impl Squeezed {
    /// Finds the file, and what stands in it.
    ///
    /// # Errors
    /// No such controller; a limit that somebody else changed, that would be no lower, or that is too low.
    pub fn prepare(squeeze: &Squeeze, subject: &Subject) -> Result<Squeezed, WorkError> {
        let resource = squeeze.resource;
        let knob = Knob { resource, group: cgroup::find(subject, resource.name())? };
        let before = knob.read()?;
        let found = knob.meaning(&before)?;
        let said = |limit: Option<u64>| limit.map_or("no limit".into(), |limit| resource.amount(limit));
        if !knob.same(found, squeeze.from) {
            return refuse(format!(
                "its {} limit is {} in its cgroup, but {} as the engine knows it; somebody else has changed it",
                resource.name(),
                said(found),
                said(squeeze.from)
            ));
        }
        let squeezed = Squeezed { squeeze: squeeze.clone(), knob, before, ours: None, felt: Figures::default() };
        squeezed.fits()?;
        Ok(squeezed)
    }

    fn fits(&self) -> Result<(), WorkError> {
        let Squeeze { resource, to, from } = &self.squeeze;
        if let Some(from) = from.filter(|from| from <= to) {
            return refuse(format!("it may use {} only as it is; a squeeze must be lower", resource.amount(from)));
        }
        match self.knob.used() {
            Some(used) if used > *to => refuse(format!(
                "it uses {} now; a limit of {} would not squeeze it but break it; choose a higher one",
                resource.amount(used),
                resource.amount(*to)
            )),
            _ => Ok(()),
        }
    }

    /// Writes the limit, and reads it back.
    ///
    /// # Errors
    /// What the kernel says; the old limit stands then.
    pub fn apply(&mut self) -> Result<String, WorkError> {
        self.fits()?;
        self.felt = self.knob.felt();
        let wanted = self.knob.text(Some(self.squeeze.to))?;
        let seen = self.knob.write(&wanted);
        let meaning = seen.clone().and_then(|seen| self.knob.meaning(&seen));
        let wanted_meaning = self.knob.meaning(&wanted)?;
        match (seen, meaning) {
            (Ok(seen), Ok(meaning)) if self.knob.same(meaning, wanted_meaning) => {
                let told = format!("{} reads {seen}, was {}", self.name(), self.before);
                self.ours = Some(seen);
                Ok(told)
            }
            (seen, _) => {
                let _ = self.knob.write(&self.before);
                seen.and_then(|seen| refuse(format!("{} reads {seen} after {wanted} was written", self.name())))
            }
        }
    }

    fn name(&self) -> String {
        self.knob.file().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Puts back what stood there, unless somebody else has changed it since. A cgroup that is gone has no limit.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn restore(&mut self) -> Result<String, WorkError> {
        let Some(ours) = self.ours.take() else { return Ok(format!("{} was not touched", self.name())) };
        if !self.knob.group.folder.is_dir() {
            return Ok("its cgroup is gone, and the limit with it".into());
        }
        put_back(&self.knob, &ours, &self.before)
    }

    /// What stands there instead of our limit: a container that is started again has a new cgroup.
    pub fn lost(&self) -> Option<String> {
        let ours = self.ours.as_ref()?;
        match self.knob.read() {
            Ok(now) if now == *ours => None,
            Ok(now) => {
                Some(format!("{} reads {now}: the container was started again, or somebody changed it", self.name()))
            }
            Err(_) => Some("its cgroup is gone, and the limit with it".into()),
        }
    }

    /// What was felt since it was applied.
    pub fn figures(&self) -> Figures {
        if self.ours.is_none() {
            return Figures::default();
        }
        let now = self.knob.felt();
        Figures {
            throttled: now.throttled.saturating_sub(self.felt.throttled),
            throttled_ns: now.throttled_ns.saturating_sub(self.felt.throttled_ns),
            refused: now.refused.saturating_sub(self.felt.refused),
            oom_kills: now.oom_kills.saturating_sub(self.felt.oom_kills),
            ..Figures::default()
        }
    }
}

fn put_back(knob: &Knob, ours: &str, before: &str) -> Result<String, WorkError> {
    let name = knob.file().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let now = knob.read()?;
    if now == before {
        return Ok(format!("{name} reads {before}, as before"));
    }
    if now != ours {
        return Ok(format!("{name} reads {now}: somebody else has changed it, and it is left so"));
    }
    let seen = knob.write(before)?;
    if knob.same(knob.meaning(&seen)?, knob.meaning(before)?) {
        Ok(format!("{name} reads {seen}, as before"))
    } else {
        refuse(format!("{name} reads {seen} after {before} was written"))
    }
}

/// Puts back the limit that an agent which is gone has left. Done as well if there is nothing to put back.
///
/// # Errors
/// What the kernel says.
pub fn mend(squeeze: &Squeeze, subject: &Subject) -> Result<String, WorkError> {
    let knob = Knob { resource: squeeze.resource, group: cgroup::find(subject, squeeze.resource.name())? };
    let now = knob.read()?;
    let (ours, before) = (knob.text(Some(squeeze.to))?, knob.text(squeeze.from)?);
    if knob.same(knob.meaning(&now)?, squeeze.from) {
        return Ok(format!("{} reads {now}, as before", knob.file().display()));
    }
    let ours = if knob.same(knob.meaning(&now)?, knob.meaning(&ours)?) { now } else { ours };
    put_back(&knob, &ours, &before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knob(files: &[(&str, &str)], resource: Resource, unified: bool) -> (tempfile::TempDir, Knob) {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), format!("{text}\n")).unwrap());
        let group = Group { folder: folder.path().to_owned(), unified };
        (folder, Knob { resource, group })
    }

    fn squeezed(knob: &Knob, to: u64) -> Squeezed {
        let before = knob.read().unwrap();
        let from = knob.meaning(&before).unwrap();
        let squeeze = Squeeze { resource: knob.resource, to, from };
        Squeezed { squeeze, knob: knob.clone(), before, ours: None, felt: Figures::default() }
    }

    /// Files that are no cgroup keep the tail of a longer text.
    fn now(knob: &Knob) -> String {
        knob.read().unwrap().lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn limits_are_read_and_written_as_both_versions_keep_them() {
        let (_a, one) = knob(&[("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "100000")], Resource::Cpu, false);
        assert_eq!(one.meaning("-1"), Ok(None));
        assert_eq!(one.meaning("50000"), Ok(Some(500_000_000)));
        assert_eq!(one.text(Some(200_000_000)), Ok("20000".into()));
        assert_eq!(one.text(Some(1)), Ok("1000".into()), "the least that the kernel takes");
        let (_b, two) = knob(&[("cpu.max", "max 50000")], Resource::Cpu, true);
        assert_eq!(two.text(Some(200_000_000)), Ok("10000 50000".into()));
        assert_eq!(two.text(None), Ok("max 50000".into()));
        let (_c, memory) = knob(&[("memory.limit_in_bytes", "9223372036854771712")], Resource::Memory, false);
        assert_eq!(memory.meaning("9223372036854771712"), Ok(None));
        assert_eq!(memory.meaning("4096"), Ok(Some(4096)));
    }

    #[test]
    fn a_limit_of_billionths_is_exact_in_microseconds() {
        let (_a, one) = knob(&[("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "33333")], Resource::Cpu, false);
        for quota in [1000_u64, 1001, 17_777, 33_333, 250_001] {
            let meant = one.meaning(&quota.to_string()).unwrap();
            assert_eq!(one.text(meant), Ok(quota.to_string()));
        }
    }

    #[test]
    fn the_very_bytes_are_put_back_unless_somebody_else_wrote() {
        let (_a, one) = knob(&[("pids.max", "max"), ("pids.current", "3")], Resource::Pids, true);
        let mut squeeze = squeezed(&one, 100);
        assert!(squeeze.apply().unwrap().contains("reads 100, was max"));
        assert_eq!(now(&one), "100");
        squeeze.restore().unwrap();
        assert_eq!(now(&one), "max");
        squeeze.apply().unwrap();
        fs::write(one.file(), "777\n").unwrap();
        assert!(squeeze.lost().unwrap().contains("reads 777"));
        assert!(squeeze.restore().unwrap().contains("somebody else"));
        assert_eq!(now(&one), "777");
        assert!(squeeze.restore().unwrap().contains("not touched"), "and only once");
    }

    #[test]
    fn what_would_break_or_not_squeeze_is_refused() {
        let (_a, one) = knob(&[("pids.max", "50"), ("pids.current", "30")], Resource::Pids, true);
        assert!(squeezed(&one, 50).fits().unwrap_err().to_string().contains("must be lower"));
        assert!(squeezed(&one, 10).fits().unwrap_err().to_string().contains("it uses 30 processes now"));
        assert_eq!(squeezed(&one, 40).fits(), Ok(()));
    }
}
