//! A file that fills a file system of the target. It never had a name, so it is gone when we are.

use super::{
    Figures, WorkError, file, refuse,
    room::{self, Ground, Room},
};
use crate::units::Bytes;
use rustix::{fs::FallocateFlags, io::Errno};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Where and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// A folder in the target.
    pub path: PathBuf,
    /// How much.
    pub amount: Amount,
}

/// How full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many bytes more.
    Bytes(u64),
    /// Until so many percent of it are used.
    Percent(u8),
    /// Until so many bytes are free.
    Leave(u64),
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.amount {
            Amount::Bytes(bytes) => write!(f, "fill {path} with {}", Bytes(bytes)),
            Amount::Percent(percent) => write!(f, "fill {path} to {percent}%"),
            Amount::Leave(bytes) => write!(f, "fill {path} until {} are free", Bytes(bytes)),
        }
    }
}

impl Amount {
    /// How many bytes more that takes.
    fn of(self, room: Room) -> u64 {
        match self {
            Amount::Bytes(bytes) => bytes,
            Amount::Percent(percent) => {
                let wanted = u128::from(room.total) * u128::from(percent) / 100;
                (wanted as u64).saturating_sub(room.total - room.free)
            }
            Amount::Leave(bytes) => room.free.saturating_sub(bytes),
        }
    }
}

const PIECE: u64 = 8 << 20;
/// How long filling may take; the rest of what was asked is left out, and said.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Filled, or about to be.
pub struct Filler {
    fill: Fill,
    folder: PathBuf,
    file: Option<fs::File>,
    held: u64,
}

impl Filler {
    /// Finds out what lies behind the path.
    ///
    /// # Errors
    /// No such folder, the host's own disk, or more than there is.
    pub fn prepare(fill: &Fill) -> Result<Filler, WorkError> {
        let folder = room::folder(&fill.path)?;
        let ground = room::ground(&folder)?;
        if let Ground::Hosts(why) = ground {
            return refuse(format!(
                "{} is on the host's own disk ({why}), which everything here would feel; give the target a file system \
                 of its own: a tmpfs (`--tmpfs {0}:size=64m`), or a volume with a size (`docker volume create --opt \
                 type=tmpfs --opt device=tmpfs --opt o=size=64m NAME`)",
                fill.path.display()
            ));
        }
        let wanted = wanted(fill, &folder)?;
        if ground == Ground::Memory {
            room::memory(wanted)?;
            room::own_memory(wanted)?;
        }
        super::hold::give_way()?;
        // That it can be written to is found out now rather than then.
        let file = file::nameless(Path::new(&folder))?;
        Ok(Filler { fill: fill.clone(), folder, file: Some(file), held: 0 })
    }

    /// Takes the room.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(&mut self) -> Result<String, WorkError> {
        let wanted = wanted(&self.fill, &self.folder)?;
        let Some(file) = &self.file else { return refuse("it is over already") };
        let begun = Instant::now();
        while self.held < wanted && begun.elapsed() < PATIENCE {
            let piece = PIECE.min(wanted - self.held);
            match grow(file, self.held, piece) {
                Ok(()) => self.held += piece,
                // Full is full.
                Err(Errno::NOSPC | Errno::DQUOT) => break,
                Err(error) => return Err(WorkError::io(self.fill.path.display(), error)),
            }
        }
        let now = room::room(&self.folder)?;
        Ok(format!("{} taken, {} of {} free", Bytes(self.held), Bytes(now.free), Bytes(now.total)))
    }

    /// Bytes held now.
    pub fn figures(&self) -> Figures {
        Figures { held: self.held, ..Figures::default() }
    }

    /// Gives the room back.
    pub fn stop(&mut self) -> String {
        drop(self.file.take());
        self.held = 0;
        match room::room(&self.folder) {
            Ok(now) => format!("{} of {} free", Bytes(now.free), Bytes(now.total)),
            Err(error) => error.to_string(),
        }
    }
}

/// How much is to be taken now.
fn wanted(fill: &Fill, folder: &Path) -> Result<u64, WorkError> {
    let now = room::room(folder)?;
    let wanted = fill.amount.of(now);
    let (path, free, total) = (fill.path.display(), Bytes(now.free), Bytes(now.total));
    if wanted == 0 {
        return refuse(format!("{path} is that full already: {free} of {total} are free"));
    }
    if wanted > now.free {
        return refuse(format!("{path} has {free} of {total} free, less than {}", Bytes(wanted)));
    }
    Ok(wanted)
}

fn grow(file: &fs::File, from: u64, by: u64) -> Result<(), Errno> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), from, by) {
        Err(Errno::OPNOTSUPP) => {
            let block = vec![0x66_u8; by as usize];
            file.write_all_at(&block, from).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_counted_from_what_is_used() {
        let room = Room { total: 1000, free: 600 };
        assert_eq!(Amount::Bytes(70).of(room), 70);
        assert_eq!(Amount::Percent(80).of(room), 400);
        assert_eq!(Amount::Percent(30).of(room), 0);
        assert_eq!(Amount::Leave(10).of(room), 590);
        assert_eq!(Amount::Leave(700).of(room), 0);
    }
}
