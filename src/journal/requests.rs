//! `requests.bin`: every request of a run. The truth for phases, percentiles and edges.
//!
//! ```text
//! file   = magic "FDRQ", u16 version, u16 zero, block*
//! block  = u16 probe, u32 samples, u32 length, u32 crc of payload, u32 crc of the 14 bytes before, payload
//! end    = a block of probe 0xffff without samples: the log was closed in order
//! ```
//!
//! All numbers are little-endian. A payload is one deflate stream over five columns, so that equal things
//! stand together: index deltas (zigzag), classes (bit 3: waited for a slot), lateness, service time, and
//! the wait of those that waited; varints, spans in microseconds. So a moment read back is at most 1 us off.

mod reader;
mod writer;

pub use reader::{Block, RequestReader};
pub use writer::{RequestSink, RequestWriter, Written};

use crate::measure::ProbeId;
use std::io;

const MAGIC: [u8; 4] = *b"FDRQ";
const VERSION: u16 = 1;
const FILE_HEADER: usize = 8;
const BLOCK_HEADER: usize = 18;
const END_OF_LOG: ProbeId = ProbeId::MAX;

/// Samples in a block at most, so that a damaged count cannot ask for much memory.
const BLOCK_SAMPLES: usize = 16_384;
/// Bytes of a sample at most: five varints of 10 bytes each, less the class.
const SAMPLE_BYTES: usize = 41;
/// In the class column: this sample has a wait.
const WAITED: u8 = 1 << 3;

/// Why a request log cannot be read (further).
#[derive(Debug, thiserror::Error)]
pub enum RequestLogError {
    /// The file cannot be read or written.
    #[error("request log: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("not a request log")]
    NotALog,
    /// A later firedrill wrote it.
    #[error("request log of version {0}; this firedrill reads version {VERSION}")]
    Version(u16),
    /// Bytes are not what was written.
    #[error("request log damaged at byte {offset}: {what}")]
    Damaged {
        /// Where the damaged block starts.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The numbers in front of each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BlockHeader {
    probe: ProbeId,
    samples: u32,
    length: u32,
    crc: u32,
}

impl BlockHeader {
    fn to_bytes(self) -> [u8; BLOCK_HEADER] {
        let mut bytes = [0; BLOCK_HEADER];
        bytes[0..2].copy_from_slice(&self.probe.to_le_bytes());
        bytes[2..6].copy_from_slice(&self.samples.to_le_bytes());
        bytes[6..10].copy_from_slice(&self.length.to_le_bytes());
        bytes[10..14].copy_from_slice(&self.crc.to_le_bytes());
        let own = crc32fast::hash(&bytes[..14]);
        bytes[14..18].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// `None` if the header's own checksum does not fit.
    fn from_bytes(bytes: &[u8; BLOCK_HEADER]) -> Option<BlockHeader> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        (crc32fast::hash(&bytes[..14]) == u32_at(14)).then(|| BlockHeader {
            probe: u16::from_le_bytes([bytes[0], bytes[1]]),
            samples: u32_at(2),
            length: u32_at(6),
            crc: u32_at(10),
        })
    }
}

fn file_header() -> [u8; FILE_HEADER] {
    let mut bytes = [0; FILE_HEADER];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Takes a varint off the front; `None` if there is none.
#[inline]
fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = from.split_first()?;
    *from = rest;
    if first < 0x80 {
        return Some(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    for shift in (7..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests;
