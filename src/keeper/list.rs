//! What is kept, on disk: the commands that changed it, one a line, each there before it is acknowledged.

use super::protocol::{Command, Hello, LINE_MOST, Undo};
use crate::{
    agent::protocol::{ReadError, line, read},
    event::FaultId,
};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The undo list of one run.
#[derive(Debug)]
pub struct List {
    file: File,
    hello: Option<Hello>,
    open: BTreeMap<(FaultId, String), Undo>,
    over: bool,
}

impl List {
    /// What a keeper before this one was told, or an empty list.
    ///
    /// # Errors
    /// What the system says if the file cannot be made or read.
    pub fn open(path: &Path) -> io::Result<List> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut list = List { file: file.try_clone()?, hello: None, open: BTreeMap::new(), over: false };
        let mut from = BufReader::new(&file);
        loop {
            match read(&mut from, LINE_MOST) {
                Ok(Some(command)) => list.apply(&command),
                Ok(None) => break,
                // Half a line that was never acknowledged.
                Err(ReadError::Malformed(_)) => {}
                Err(ReadError::TooLong) => break,
                Err(ReadError::Io(error)) => return Err(error),
            }
        }
        // What was cut off is closed by the end of its line, so that the next one stands alone.
        file.write_all(b"\n")?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(list)
    }

    /// Takes a command: on disk first.
    ///
    /// # Errors
    /// What the system says if it cannot be written; the list is as before.
    pub fn take(&mut self, command: &Command) -> io::Result<()> {
        if *command == Command::Heartbeat {
            return Ok(());
        }
        self.file.write_all(line(command).as_bytes())?;
        // An undo that is played once too often does nothing; one that is forgotten leaves a fault on.
        if matches!(command, Command::Hello(_) | Command::Keep(_)) {
            self.file.sync_data()?;
        }
        self.apply(command);
        Ok(())
    }

    fn apply(&mut self, command: &Command) {
        match command {
            Command::Hello(hello) => self.hello = Some(hello.clone()),
            Command::Keep(undo) => {
                self.open.insert((undo.fault, undo.injection.on.id.clone()), Undo::clone(undo));
            }
            Command::Undone { fault, on } => {
                self.open.remove(&(*fault, on.id.clone()));
            }
            Command::End => self.over = true,
            Command::Heartbeat => {}
        }
    }

    /// Whose list it is.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// What is not undone.
    pub fn open_undos(&self) -> Vec<Undo> {
        self.open.values().cloned().collect()
    }

    /// Whether the runner ended the run.
    pub fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::tests::{hello, undo_of};
    use crate::{container::sim, fault::Fault};

    #[test]
    fn a_list_is_read_back_as_it_was_told_and_half_a_line_does_not_hide_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let (api, db) = (sim::container("shop", "api", 1), sim::container("shop", "db", 1));
        let (pause, kill) = (undo_of(0, &Fault::Pause, &api), undo_of(1, &Fault::Pause, &db));
        let mut list = List::open(&path).unwrap();
        list.take(&Command::Hello(hello(&[&api]))).unwrap();
        list.take(&Command::Keep(Box::new(pause.clone()))).unwrap();
        let whole = std::fs::read(&path).unwrap();
        // The machine lost its power in the middle of a line.
        std::fs::write(&path, [&whole[..], b"{\"keep\":{\"fau"].concat()).unwrap();
        let mut list = List::open(&path).unwrap();
        assert_eq!(list.hello(), Some(&hello(&[&api])));
        assert_eq!(list.open_undos(), std::slice::from_ref(&pause));
        list.take(&Command::Keep(Box::new(kill.clone()))).unwrap();
        list.take(&Command::Undone { fault: 0, on: api.id.clone() }).unwrap();
        let list = List::open(&path).unwrap();
        assert_eq!((list.open_undos(), list.is_over()), (vec![kill], false));
    }
}
