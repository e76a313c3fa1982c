//! Receipts on their way out: whoever writes one never waits, whether or not anybody reads.

use super::protocol::{Receipt, line};
use std::{
    io::Write,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// How many may wait. The rest is lost, and counted.
const WAITING_MOST: usize = 256;
/// Figures give way to what happens only once.
const FIGURES_MOST: usize = 128;

/// The way out.
pub struct Receipts {
    sender: Option<SyncSender<Receipt>>,
    done: Receiver<()>,
    written: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    sent: usize,
    /// How many nobody took in time.
    pub lost: u64,
}

impl Receipts {
    /// Starts the thread that writes.
    pub fn to(mut out: impl Write + Send + 'static) -> Receipts {
        let (sender, receiver) = sync_channel::<Receipt>(WAITING_MOST);
        let (finished, done) = sync_channel(1);
        let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = written.clone();
        thread::spawn(move || {
            for receipt in receiver {
                if out.write_all(line(&receipt).as_bytes()).and_then(|()| out.flush()).is_err() {
                    break;
                }
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            let _ = finished.send(());
        });
        Receipts { sender: Some(sender), done, written, sent: 0, lost: 0 }
    }

    /// Hands a receipt over, or loses it.
    pub fn write(&mut self, receipt: Receipt) {
        let waiting = self.sent.saturating_sub(self.written.load(std::sync::atomic::Ordering::Relaxed));
        let crowded = matches!(receipt, Receipt::Counters { .. }) && waiting >= FIGURES_MOST;
        let taken = !crowded && self.sender.as_ref().is_some_and(|sender| sender.try_send(receipt).is_ok());
        if taken {
            self.sent += 1;
        } else {
            self.lost += 1;
        }
    }

    /// Waits until all are written, but no longer than this.
    pub fn finish(mut self, patience: Duration) {
        self.sender = None;
        let _ = self.done.recv_timeout(patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::protocol::FaultId;
    use std::{io, sync::mpsc};

    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_reading_costs_receipts_but_no_time() {
        let (hold, stuck) = mpsc::channel();
        let mut receipts = Receipts::to(Stuck(stuck));
        for _ in 0..1000 {
            receipts.write(Receipt::Counters { at: 0, faults: Default::default(), cpu: 0 });
        }
        assert!((800..=1000).contains(&receipts.lost), "{}", receipts.lost);
        let before = receipts.lost;
        receipts.write(Receipt::Followed { fault: FaultId(1), at: 0 });
        assert_eq!(receipts.lost, before, "what happens only once finds a place");
        drop(hold);
        receipts.finish(Duration::from_secs(5));
    }
}
