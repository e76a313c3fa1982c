//! Writes the request log on a thread of its own. Whoever measures never waits for the disk.

use super::{
    BLOCK_SAMPLES, BlockHeader, END_OF_LOG, RequestLogError, SAMPLE_BYTES, WAITED, file_header, put_varint, zigzag,
};
use crate::measure::{ProbeId, Sample};
use flate2::{Compress, Compression, FlushCompress, Status};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Samples on their way to the writer at most (40 MB): 100 s of a stuck disk at 10,000/s. More are lost, and counted.
const QUEUED_SAMPLES: usize = 1 << 20;
/// How long a sample may wait for its block to be full.
const BLOCK_TIME: Duration = Duration::from_secs(1);

enum Message {
    Samples(ProbeId, Arc<[Sample]>),
    Finish,
}

/// What writer and sinks tell each other.
#[derive(Default)]
struct Shared {
    queued: AtomicUsize,
    lost: AtomicU64,
    trouble: OnceLock<String>,
}

/// Hands samples to the writer. Never blocks; clone it freely.
#[derive(Clone)]
pub struct RequestSink {
    to: Sender<Message>,
    shared: Arc<Shared>,
}

impl RequestSink {
    /// Hands over samples of one probe, in the order in which they ended. Samples that the writer has no
    /// room for are lost and counted.
    pub fn push(&self, probe: ProbeId, samples: Arc<[Sample]>) {
        let count = samples.len();
        if count == 0 {
            return;
        }
        let before = self.shared.queued.fetch_add(count, Ordering::Relaxed);
        let room = before + count <= QUEUED_SAMPLES && self.shared.trouble.get().is_none();
        if !room || self.to.send(Message::Samples(probe, samples)).is_err() {
            self.shared.queued.fetch_sub(count, Ordering::Relaxed);
            self.shared.lose(count, "the disk does not keep up");
        }
    }

    /// What went wrong with the log, as soon as something did; from then on it is incomplete.
    pub fn trouble(&self) -> Option<&str> {
        self.shared.trouble.get().map(String::as_str)
    }

    /// How many samples did not get into the log.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn lose(&self, samples: usize, why: &str) {
        self.lost.fetch_add(samples as u64, Ordering::Relaxed);
        self.trouble.get_or_init(|| why.into());
    }
}

/// What became of a request log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Samples in the log.
    pub samples: u64,
    /// Samples that did not get into it.
    pub lost: u64,
    /// Why, if any were lost or the log could not be closed in order.
    pub trouble: Option<String>,
}

/// The request log of a run while it is written. The first write error ends it: the file is cut back to its
/// last whole block, later samples are counted as lost, and [`RequestSink::trouble`] says why.
pub struct RequestWriter {
    thread: JoinHandle<u64>,
    sink: RequestSink,
}

impl RequestWriter {
    /// Creates the file; it must not exist.
    ///
    /// # Errors
    /// What the system says about the file.
    pub fn create(path: &Path) -> io::Result<RequestWriter> {
        let mut file = File::create_new(path)?;
        file.write_all(&file_header())?;
        RequestWriter::onto(file)
    }

    /// Writes blocks to a file whose header stands already.
    pub(super) fn onto(file: File) -> io::Result<RequestWriter> {
        let (to, from) = mpsc::channel();
        let sink = RequestSink { to, shared: Arc::default() };
        let scribe = Scribe::new(file, Arc::clone(&sink.shared));
        let thread = thread::Builder::new().name("request-log".into()).spawn(move || scribe.run(&from))?;
        Ok(RequestWriter { thread, sink })
    }

    /// A handle to write with.
    pub fn sink(&self) -> RequestSink {
        self.sink.clone()
    }

    /// Writes what is left, closes the log in order and waits for the disk. Blocks.
    ///
    /// # Errors
    /// Only if the writer's thread itself failed; trouble with the disk is in the answer.
    pub fn finish(self) -> Result<Written, RequestLogError> {
        // The thread ends by itself only after `Finish`, so that a failed send means that it panicked.
        let _ = self.sink.to.send(Message::Finish);
        let samples = self.thread.join().map_err(|_| io::Error::other("the writer failed"))?;
        Ok(Written { samples, lost: self.sink.lost(), trouble: self.sink.trouble().map(Into::into) })
    }
}

/// The writer's thread.
struct Scribe {
    file: File,
    shared: Arc<Shared>,
    pending: BTreeMap<ProbeId, Vec<Sample>>,
    encoder: Encoder,
    /// Length of the file up to its last whole block; `None` once a write failed.
    whole: Option<u64>,
    samples: u64,
}

impl Scribe {
    fn new(file: File, shared: Arc<Shared>) -> Scribe {
        let whole = Some(super::FILE_HEADER as u64);
        Scribe { file, shared, pending: BTreeMap::new(), encoder: Encoder::new(), whole, samples: 0 }
    }

    fn run(mut self, from: &Receiver<Message>) -> u64 {
        let mut due = Instant::now() + BLOCK_TIME;
        loop {
            match from.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Message::Samples(probe, samples)) => self.take(probe, &samples),
                Ok(Message::Finish) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= due {
                self.flush();
                due = Instant::now() + BLOCK_TIME;
            }
        }
        self.flush();
        self.close();
        self.samples
    }

    fn take(&mut self, probe: ProbeId, samples: &[Sample]) {
        self.shared.queued.fetch_sub(samples.len(), Ordering::Relaxed);
        let pending = self.pending.entry(probe).or_default();
        pending.extend_from_slice(samples);
        if pending.len() >= BLOCK_SAMPLES {
            let full = std::mem::take(pending);
            full.chunks(BLOCK_SAMPLES).for_each(|chunk| self.write(probe, chunk));
        }
    }

    fn flush(&mut self) {
        for (probe, mut samples) in std::mem::take(&mut self.pending) {
            if !samples.is_empty() {
                self.write(probe, &samples);
                samples.clear();
            }
            self.pending.insert(probe, samples);
        }
    }

    fn write(&mut self, probe: ProbeId, samples: &[Sample]) {
        let Some(whole) = self.whole else {
            return self.shared.lose(samples.len(), "the log was given up");
        };
        let block = self.encoder.block(probe, samples);
        match self.file.write_all(block) {
            Ok(()) => {
                self.whole = Some(whole + block.len() as u64);
                self.samples += samples.len() as u64;
            }
            Err(e) => self.give_up(whole, samples.len(), &e),
        }
    }

    /// A half-written block would hide all that follows; cut it off, and write no more.
    fn give_up(&mut self, whole: u64, samples: usize, error: &io::Error) {
        self.shared.lose(samples, &error.to_string());
        // Best effort: a reader tolerates the cut tail that would be left.
        let _ = self.file.set_len(whole);
        self.whole = None;
    }

    fn close(&mut self) {
        if self.whole.is_none() {
            return;
        }
        let end = BlockHeader { probe: END_OF_LOG, samples: 0, length: 0, crc: 0 }.to_bytes();
        if let Err(e) = self.file.write_all(&end).and_then(|()| self.file.sync_data()) {
            self.shared.trouble.get_or_init(|| e.to_string());
        }
    }
}

/// Turns samples into blocks; keeps its buffers.
struct Encoder {
    raw: Vec<u8>,
    block: Vec<u8>,
    deflate: Compress,
}

impl Encoder {
    fn new() -> Encoder {
        Encoder { raw: Vec::new(), block: Vec::new(), deflate: Compress::new(Compression::fast(), false) }
    }

    fn block(&mut self, probe: ProbeId, samples: &[Sample]) -> &[u8] {
        self.columns(samples);
        self.block.clear();
        self.block.resize(super::BLOCK_HEADER, 0);
        // Incompressible input grows by 5 bytes in 16 kB at most.
        self.block.reserve(self.raw.len() + self.raw.len() / 1000 + 64);
        self.deflate.reset();
        let done = self.deflate.compress_vec(&self.raw, &mut self.block, FlushCompress::Finish);
        debug_assert!(matches!(done, Ok(Status::StreamEnd)), "room was reserved for all of it");
        let payload = &self.block[super::BLOCK_HEADER..];
        let (length, crc) = (payload.len() as u32, crc32fast::hash(payload));
        let header = BlockHeader { probe, samples: samples.len() as u32, length, crc };
        self.block[..super::BLOCK_HEADER].copy_from_slice(&header.to_bytes());
        &self.block
    }

    fn columns(&mut self, samples: &[Sample]) {
        self.raw.clear();
        self.raw.reserve(samples.len() * SAMPLE_BYTES);
        let mut before = 0;
        for sample in samples {
            put_varint(&mut self.raw, zigzag(sample.index.wrapping_sub(before) as i64));
            before = sample.index;
        }
        for sample in samples {
            self.raw.push(sample.class as u8 | if sample.waited_ns > 0 { WAITED } else { 0 });
        }
        for sample in samples {
            put_varint(&mut self.raw, micros(sample.lateness_ns));
        }
        for sample in samples {
            put_varint(&mut self.raw, micros(sample.service_ns));
        }
        for sample in samples.iter().filter(|s| s.waited_ns > 0) {
            put_varint(&mut self.raw, micros(sample.waited_ns));
        }
    }
}

fn micros(ns: u64) -> u64 {
    ns / 1000 + u64::from(ns % 1000 >= 500)
}
