//! What people say from other terminals: lines appended to a file in the run folder, read as they come.
//!
//! The folder is closed to others, but the text is untrusted all the same: it is bounded, and cleaned of
//! control characters before it gets into the journal or a terminal.

use super::drill::Drill;
use crate::{
    event::{EventKind, NoteKind},
    journal::RunFolder,
    secrets::Mask,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    sync::Arc,
    time::Duration,
};

/// How often the inbox is looked at.
const STEP: Duration = Duration::from_millis(200);
/// How much is read at a time, in bytes.
const PIECE: u64 = 64 * 1024;
/// How long a remark may be, in characters.
const LONGEST: usize = 2000;

/// Something said to a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// A remark.
    Remark {
        /// Of which kind.
        kind: NoteKind,
        /// The words.
        text: String,
        /// Under which login name.
        who: String,
    },
    /// "Stop, and undo."
    Stop {
        /// Under which login name.
        who: String,
    },
}

/// Says something to the drill of a run folder.
///
/// # Errors
/// What the system says if the inbox cannot be written.
pub fn say(folder: &RunFolder, said: &Said) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Mask::default().all(said.clone()))?;
    line.push(b'\n');
    let mut inbox = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.inbox())?;
    // One write, so that lines of two terminals do not mix.
    inbox.write_all(&line)
}

/// Text from outside, fit for a journal and a terminal.
pub fn clean(text: &str) -> String {
    let printable = text.chars().filter(|c| !reorders(*c)).map(|c| if c.is_control() { ' ' } else { c });
    printable.take(LONGEST).collect::<String>().trim().to_owned()
}

/// Invisible characters, and those that make text read in another order than it is written.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl Drill {
    /// Reads the inbox until the drill ends.
    pub(crate) async fn read_inbox(self: Arc<Self>) {
        let mut read = 0;
        loop {
            tokio::time::sleep(STEP).await;
            for said in fresh(&self.folder, &mut read) {
                match said {
                    Said::Remark { kind, text, who } => {
                        let (text, who) = (clean(&text), clean(&who));
                        self.record.tell(EventKind::Noted { kind, text, who });
                    }
                    Said::Stop { who } => self.stop(&format!("firedrill stop ({})", clean(&who))),
                }
            }
        }
    }

    /// A person asks to stop.
    pub(crate) fn stop(&self, by: &str) {
        self.record.tell(EventKind::StopRequested { by: by.to_owned() });
        self.halt.person(by);
    }
}

/// Whole lines that came since the last look. What is no remark of ours is skipped.
fn fresh(folder: &RunFolder, read: &mut u64) -> Vec<Said> {
    let piece = piece(folder, *read).unwrap_or_default();
    let Some(end) = piece.iter().rposition(|&byte| byte == b'\n') else {
        // A line as long as that is no remark.
        *read += if piece.len() as u64 == PIECE { PIECE } else { 0 };
        return vec![];
    };
    *read += end as u64 + 1;
    piece[..end].split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn piece(folder: &RunFolder, from: u64) -> io::Result<Vec<u8>> {
    let mut inbox = File::open(folder.inbox())?;
    inbox.seek(SeekFrom::Start(from))?;
    let mut piece = Vec::new();
    inbox.take(PIECE).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_arrive_once_and_clean_lines_only() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder(dir.path().to_owned());
        let mut read = 0;
        assert_eq!(fresh(&folder, &mut read), []);
        let remark = Said::Remark { kind: NoteKind::Saw, text: "the queue grows".into(), who: "kim".into() };
        say(&folder, &remark).unwrap();
        std::fs::OpenOptions::new().append(true).open(folder.inbox()).unwrap().write_all(b"nonsense\n{\"cut").unwrap();
        assert_eq!(fresh(&folder, &mut read), [remark]);
        assert_eq!(fresh(&folder, &mut read), []);
    }

    #[test]
    fn text_from_outside_is_bounded_and_has_no_control_characters() {
        assert_eq!(clean(" a\u{1b}[31mred\nb\u{7} "), "a [31mred b");
        assert_eq!(clean("a\u{202e}b\u{200b}c"), "abc");
        assert_eq!(clean(&"x".repeat(5000)).len(), LONGEST);
    }
}
