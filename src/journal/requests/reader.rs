//! Reads the request log, block by block.

use super::{
    BLOCK_HEADER, BLOCK_SAMPLES, BlockHeader, END_OF_LOG, FILE_HEADER, MAGIC, RequestLogError, SAMPLE_BYTES, VERSION,
    WAITED, take_varint, unzigzag,
};
use crate::measure::{Class, ProbeId, Sample};
use flate2::{Decompress, FlushDecompress, Status};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// Samples of one probe, in the order in which they ended (to within 100 ms).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whose.
    pub probe: ProbeId,
    /// At least one.
    pub samples: Vec<Sample>,
}

/// Reads a request log from front to end.
pub struct RequestReader<R = BufReader<File>> {
    from: R,
    offset: u64,
    /// Where the block that was read last begins.
    block_start: u64,
    end: End,
    payload: Vec<u8>,
    raw: Vec<u8>,
    inflate: Decompress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    InOrder,
    Cut,
}

impl RequestReader {
    /// Opens the log of a run.
    ///
    /// # Errors
    /// If the file cannot be read, is no request log, or is one of a later version.
    pub fn open(path: &Path) -> Result<RequestReader, RequestLogError> {
        RequestReader::new(BufReader::with_capacity(1 << 16, File::open(path)?))
    }
}

impl RequestReader {
    /// Goes on at the start of a block that was met before ([`RequestReader::block_bytes`]).
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn skip_to(&mut self, block: u64) -> io::Result<()> {
        self.from.seek(SeekFrom::Start(block))?;
        (self.offset, self.block_start, self.end) = (block, block, End::NotYet);
        Ok(())
    }
}

impl<R: Read> RequestReader<R> {
    /// Reads from anything.
    ///
    /// # Errors
    /// As [`RequestReader::open`].
    pub fn new(mut from: R) -> Result<RequestReader<R>, RequestLogError> {
        let mut header = [0; FILE_HEADER];
        let got = fill(&mut from, &mut header)?;
        if header[..4] != MAGIC[..] {
            return Err(RequestLogError::NotALog);
        }
        let version = u16::from_le_bytes([header[4], header[5]]);
        if got == FILE_HEADER && (version != VERSION || header[6..] != [0, 0]) {
            return Err(RequestLogError::Version(version));
        }
        let end = if got == FILE_HEADER { End::NotYet } else { End::Cut };
        let inflate = Decompress::new(false);
        Ok(RequestReader {
            from,
            offset: got as u64,
            block_start: got as u64,
            end,
            payload: Vec::new(),
            raw: Vec::new(),
            inflate,
        })
    }

    /// The next block; `None` at the end, be it the proper one or a cut ([`RequestReader::cut_short`]).
    ///
    /// # Errors
    /// If the file cannot be read or is damaged; what follows a damaged block cannot be read.
    pub fn next_block(&mut self) -> Result<Option<Block>, RequestLogError> {
        let mut block = Block { probe: 0, samples: Vec::new() };
        Ok(self.next_into(&mut block)?.then_some(block))
    }

    /// As [`RequestReader::next_block`], into a block that is used again; false at the end.
    ///
    /// # Errors
    /// The same.
    pub fn next_into(&mut self, block: &mut Block) -> Result<bool, RequestLogError> {
        block.samples.clear();
        if self.end != End::NotYet {
            return Ok(false);
        }
        let start = self.offset;
        self.block_start = start;
        let Some(header) = self.header()? else { return Ok(false) };
        if !self.payload(&header)? {
            return Ok(false);
        }
        block.probe = header.probe;
        let damaged = |what| RequestLogError::Damaged { offset: start, what };
        if crc32fast::hash(&self.payload) != header.crc {
            return Err(damaged("the checksum of a block does not fit"));
        }
        self.inflate(header.samples as usize).ok_or(damaged("a block cannot be inflated"))?;
        columns(&self.raw, header.samples as usize, &mut block.samples).ok_or(damaged("a block makes no sense"))?;
        Ok(true)
    }

    /// The bytes of the block that was read last.
    pub fn block_bytes(&self) -> std::ops::Range<u64> {
        self.block_start..self.offset
    }

    /// Whether the log ends without having been closed: its runner was killed, or its disk was full.
    pub fn cut_short(&self) -> bool {
        self.end == End::Cut
    }

    /// Reads a block's header; `None` at the end.
    fn header(&mut self) -> Result<Option<BlockHeader>, RequestLogError> {
        let mut bytes = [0; BLOCK_HEADER];
        let start = self.offset;
        let got = fill(&mut self.from, &mut bytes)?;
        self.offset += got as u64;
        if got < BLOCK_HEADER {
            self.end = End::Cut;
            return Ok(None);
        }
        let damaged = |what| Err(RequestLogError::Damaged { offset: start, what });
        let Some(header) = BlockHeader::from_bytes(&bytes) else {
            return damaged("the header of a block does not fit its checksum");
        };
        let samples = header.samples as usize;
        if header.probe == END_OF_LOG {
            self.end = End::InOrder;
            return if fill(&mut self.from, &mut [0])? == 0 { Ok(None) } else { damaged("bytes follow its end") };
        }
        if samples > BLOCK_SAMPLES || header.length as usize > samples * SAMPLE_BYTES + 1024 {
            return damaged("a block is too large");
        }
        Ok(Some(header))
    }

    /// Reads a block's payload; false if the file ends inside it.
    fn payload(&mut self, header: &BlockHeader) -> Result<bool, RequestLogError> {
        self.payload.resize(header.length as usize, 0);
        let got = fill(&mut self.from, &mut self.payload)?;
        self.offset += got as u64;
        if got < self.payload.len() {
            self.end = End::Cut;
        }
        Ok(got == self.payload.len())
    }

    fn inflate(&mut self, samples: usize) -> Option<()> {
        self.raw.clear();
        self.raw.reserve(samples * SAMPLE_BYTES);
        self.inflate.reset(false);
        let done = self.inflate.decompress_vec(&self.payload, &mut self.raw, FlushDecompress::Finish);
        matches!(done, Ok(Status::StreamEnd)).then_some(())
    }
}

/// Takes the columns of a block apart again; `None` if they do not add up.
fn columns(raw: &[u8], count: usize, into: &mut Vec<Sample>) -> Option<()> {
    let mut rest = raw;
    let mut index = 0u64;
    into.reserve(count);
    for _ in 0..count {
        index = index.wrapping_add(unzigzag(take_varint(&mut rest)?) as u64);
        into.push(Sample { index, class: Class::Ok, lateness_ns: 0, waited_ns: 0, service_ns: 0 });
    }
    let (classes, mut rest) = rest.split_at_checked(count)?;
    for (sample, byte) in into.iter_mut().zip(classes) {
        sample.class = Class::from_code(byte & !WAITED)?;
    }
    for sample in into.iter_mut() {
        sample.lateness_ns = nanos(&mut rest)?;
    }
    for sample in into.iter_mut() {
        sample.service_ns = nanos(&mut rest)?;
    }
    for (sample, _) in into.iter_mut().zip(classes).filter(|(_, byte)| *byte & WAITED != 0) {
        sample.waited_ns = nanos(&mut rest)?;
    }
    rest.is_empty().then_some(())
}

fn nanos(from: &mut &[u8]) -> Option<u64> {
    take_varint(from)?.checked_mul(1000)
}

/// Reads until the buffer is full or the input ends; says how much it got.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match from.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
