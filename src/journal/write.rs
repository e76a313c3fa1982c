//! Making a run folder, and appending to its journal.
//!
//! The journal has a thread of its own, so that nothing in a drill waits for a disk; only arming asks for an
//! answer ([`Sink::make_durable`]). A disk that is full or broken never ends a run: what could not be written is
//! reported once, and from then on only what matters most is tried.

use super::RunFolder;
use crate::event::{Event, EventKind, OnDisk, Sink};
use jiff::{Timestamp, tz::TimeZone};
use rand::{TryRng, rngs::SysRng};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::mpsc,
    thread,
};
use tokio::sync::{mpsc as async_mpsc, oneshot};

/// Part of the evidence that could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Which file, relative to the run folder.
    pub file: String,
    /// What the system said.
    pub detail: String,
}

/// Makes `reports/<UTC time>-<scenario>-<short id>/`, readable by nobody else, with its `logs/`.
///
/// # Errors
/// What the system says if the folder cannot be made.
pub fn create(reports: &Path, scenario: &str, started: Timestamp) -> io::Result<RunFolder> {
    fs::create_dir_all(reports)?;
    let time = started.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut tries = 0;
    loop {
        let path = reports.join(format!("{time}-{scenario}-{:04x}", short_id()?));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {
                let folder = RunFolder(path);
                DirBuilder::new().mode(0o700).create(folder.logs())?;
                return Ok(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 64 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn short_id() -> io::Result<u16> {
    let mut bytes = [0; 2];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u16::from_le_bytes(bytes))
}

/// Writes one file of the run folder whole (`scenario.yaml`, `plan.json`, a log).
///
/// # Errors
/// What could not be written; the run goes on without it.
pub fn whole(folder: &RunFolder, file: &str, bytes: &[u8]) -> Result<(), Loss> {
    fs::write(folder.path().join(file), bytes)
        .map_err(|error| Loss { file: file.to_owned(), detail: error.to_string() })
}

/// How much space is set aside, so that a disk that fills up still takes the end of the story.
const RESERVE: usize = 32 * 1024;

/// The file that holds the reserve; gone when it was needed, or when the run ended.
const RESERVE_FILE: &str = "reserve";

enum Message {
    Event(Box<Event>),
    Durable(oneshot::Sender<Result<(), String>>),
}

/// Appends events to `journal.jsonl`, on a thread of its own.
#[derive(Debug)]
pub struct JournalSink {
    to: mpsc::Sender<Message>,
    thread: Option<thread::JoinHandle<()>>,
}

impl JournalSink {
    /// Starts the journal of a new run. Losses are told to `losses`, once a file.
    ///
    /// # Errors
    /// What the system says if the file cannot be made.
    pub fn create(folder: &RunFolder, losses: async_mpsc::UnboundedSender<Loss>) -> io::Result<JournalSink> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(folder.journal())?;
        Self::start(Writer::new(folder, file, losses)?)
    }

    /// Opens the journal of an earlier run, to append to it (`firedrill recover`). A cut last line goes first.
    ///
    /// # Errors
    /// What the system says if the file cannot be opened.
    pub fn append(folder: &RunFolder, losses: async_mpsc::UnboundedSender<Loss>) -> io::Result<JournalSink> {
        let file = OpenOptions::new().append(true).open(folder.journal())?;
        let written = fs::read(folder.journal())?;
        let whole = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        Self::start(Writer::new(folder, file, losses)?)
    }

    fn start(mut writer: Writer) -> io::Result<JournalSink> {
        let (to, from) = mpsc::channel();
        let thread = thread::Builder::new().name("journal".into()).spawn(move || writer.run(&from))?;
        Ok(JournalSink { to, thread: Some(thread) })
    }
}

/// Waits until the writer has written what it was given.
impl Drop for JournalSink {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread ends when its sender is gone.
            let (gone, _) = mpsc::channel();
            drop(std::mem::replace(&mut self.to, gone));
            let _ = thread.join();
        }
    }
}

impl Sink for JournalSink {
    fn accept(&mut self, event: &Event) {
        // A writer that is gone has told its loss.
        let _ = self.to.send(Message::Event(Box::new(event.clone())));
    }

    fn make_durable(&mut self) -> Option<OnDisk> {
        let (answer, on_disk) = oneshot::channel();
        if let Err(mpsc::SendError(Message::Durable(answer))) = self.to.send(Message::Durable(answer)) {
            let _ = answer.send(Err("the journal's thread is gone".into()));
        }
        Some(on_disk)
    }
}

struct Writer {
    file: File,
    folder: File,
    reserve: std::path::PathBuf,
    /// How long the file is up to its last whole line.
    good: u64,
    /// Lines gathered and not yet written.
    gathered: Vec<u8>,
    /// What went wrong first.
    failed: Option<String>,
    losses: async_mpsc::UnboundedSender<Loss>,
}

impl Writer {
    fn new(folder: &RunFolder, file: File, losses: async_mpsc::UnboundedSender<Loss>) -> io::Result<Writer> {
        Ok(Writer {
            good: file.metadata()?.len(),
            folder: File::open(folder.path())?,
            reserve: folder.path().join(RESERVE_FILE),
            gathered: Vec::new(),
            failed: None,
            losses,
            file,
        })
    }

    /// Takes messages until the sink is dropped; what has piled up is written in one go.
    fn run(&mut self, from: &mpsc::Receiver<Message>) {
        let mut reserved = false;
        while let Ok(first) = from.recv() {
            for message in std::iter::once(first).chain(from.try_iter()) {
                match message {
                    Message::Event(event) => self.take(&event),
                    Message::Durable(answer) => {
                        let _ = answer.send(self.sync());
                    }
                }
            }
            self.write();
            if !reserved {
                // After the first line, which is wanted early.
                reserved = true;
                let _ = fs::write(&self.reserve, [0; RESERVE]);
            }
        }
        let _ = fs::remove_file(&self.reserve);
        let _ = self.sync();
    }

    fn take(&mut self, event: &Event) {
        if self.failed.is_some() && !weighty(&event.kind) {
            return;
        }
        match serde_json::to_vec(event) {
            Ok(mut line) => {
                line.push(b'\n');
                self.gathered.append(&mut line);
            }
            Err(error) => self.lost(&error.to_string()),
        }
        if pivotal(&event.kind) {
            let _ = self.sync();
        }
    }

    /// Writes what was gathered; after a failure the file ends with a whole line all the same.
    fn write(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.gathered);
        if let Err(error) = self.append(&lines) {
            self.lost(&error.to_string());
            let _ = fs::remove_file(&self.reserve);
            let told = self.append(&lines);
            self.lost_again(told);
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines);
        match written {
            Ok(()) => self.good += lines.len() as u64,
            Err(_) => drop(self.file.set_len(self.good)),
        }
        written
    }

    fn sync(&mut self) -> Result<(), String> {
        self.write();
        let synced = self.file.sync_data().and_then(|()| self.folder.sync_all());
        if let Err(error) = synced {
            self.lost(&error.to_string());
        }
        match &self.failed {
            Some(detail) => Err(detail.clone()),
            None => Ok(()),
        }
    }

    fn lost(&mut self, detail: &str) {
        if self.failed.is_none() {
            self.failed = Some(detail.to_owned());
            let _ = self.losses.send(Loss { file: "journal.jsonl".into(), detail: detail.to_owned() });
        }
    }

    fn lost_again(&mut self, told: io::Result<()>) {
        if let Err(error) = told {
            tracing::warn!(%error, "the journal cannot be written");
        }
    }
}

/// Events after which the disk is asked to keep what was written; nobody waits for it.
fn pivotal(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::RunStarted(_)
            | EventKind::NotStarted(_)
            | EventKind::GatePassed
            | EventKind::UndoChecked { .. }
            | EventKind::CleanedUp { .. }
            | EventKind::StopRequested { .. }
            | EventKind::GuardTripped { .. }
            | EventKind::RunEnded { .. }
    )
}

/// Events that are still tried on a disk that is full: all but the ones that come every second.
fn weighty(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::UsageSampled { .. }
            | EventKind::WorkMeasured { .. }
            | EventKind::ContainerChanged { .. }
            | EventKind::ClockCompared { .. }
            | EventKind::AgentCounted { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::read::{self, tests::started};
    use std::os::unix::fs::PermissionsExt;

    fn event(seq: u64, kind: EventKind) -> Event {
        Event { seq, at: seq, kind }
    }

    fn folder() -> (tempfile::TempDir, RunFolder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = create(&dir.path().join("reports"), "quiet", "2026-03-01T10:00:00Z".parse().unwrap()).unwrap();
        (dir, folder)
    }

    #[test]
    fn the_folder_is_named_after_time_and_scenario_and_closed_to_others() {
        let (_dir, folder) = folder();
        assert!(folder.run().starts_with("20260301T100000Z-quiet-"), "{}", folder.run());
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(folder.logs().is_dir());
    }

    #[test]
    fn events_are_on_disk_when_asked_for_and_appended_to_later() {
        let (_dir, folder) = folder();
        let (losses, mut told) = async_mpsc::unbounded_channel();
        let mut sink = JournalSink::create(&folder, losses.clone()).unwrap();
        sink.accept(&event(0, EventKind::RunStarted(Box::new(started()))));
        sink.accept(&event(1, EventKind::GatePassed));
        assert_eq!(sink.make_durable().unwrap().blocking_recv().unwrap(), Ok(()));
        assert_eq!(read::read(&folder).unwrap().events.len(), 2);
        drop(sink);

        OpenOptions::new().append(true).open(folder.journal()).unwrap().write_all(b"{\"seq\":2,\"a").unwrap();
        let mut sink = JournalSink::append(&folder, losses).unwrap();
        sink.accept(&event(2, EventKind::RunEnded { complete: false }));
        drop(sink);
        let journal = read::read(&folder).unwrap();
        assert_eq!((journal.events.len(), journal.cut_short), (3, false));
        assert_eq!((journal.damage, journal.next), (None, 3));
        assert!(told.try_recv().is_err());
        assert!(!folder.path().join(RESERVE_FILE).exists());
    }

    #[test]
    fn a_full_disk_is_told_once_and_stops_nothing() {
        let (_dir, folder) = folder();
        let (losses, mut told) = async_mpsc::unbounded_channel();
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut sink = JournalSink::start(Writer::new(&folder, full, losses).unwrap()).unwrap();
        sink.accept(&event(0, EventKind::GatePassed));
        sink.accept(&event(1, EventKind::EngineBack));
        assert!(sink.make_durable().unwrap().blocking_recv().unwrap().unwrap_err().contains("No space left"));
        drop(sink);
        assert_eq!(told.try_recv().unwrap().file, "journal.jsonl");
        assert!(told.try_recv().is_err());
    }
}
