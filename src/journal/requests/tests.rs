use super::*;
use crate::measure::{Class, Sample};
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;

fn some(count: u64) -> Vec<Sample> {
    let mut chance = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut sample = |n: u64| Sample {
        // Answers overtake each other.
        index: if n.is_multiple_of(50) {
            n + 1
        } else if n % 50 == 1 {
            n - 1
        } else {
            n
        },
        class: if n.is_multiple_of(97) { Class::Timeout } else { Class::Ok },
        lateness_ns: 1000 * chance.random_range(20..400),
        waited_ns: if n.is_multiple_of(211) { 1000 * chance.random_range(1..20) } else { 0 },
        service_ns: 1000 * chance.random_range(300..5_000),
    };
    (0..count).map(&mut sample).collect()
}

fn written(folder: &tempfile::TempDir, probes: &[(ProbeId, Vec<Sample>)]) -> PathBuf {
    let path = folder.path().join("requests.bin");
    let writer = RequestWriter::create(&path).unwrap();
    let sink = writer.sink();
    for (probe, samples) in probes {
        samples.chunks(100).for_each(|chunk| sink.push(*probe, chunk.into()));
    }
    let written = writer.finish().unwrap();
    let all = probes.iter().map(|(_, s)| s.len() as u64).sum();
    assert_eq!(written, Written { samples: all, lost: 0, trouble: None });
    path
}

fn read(bytes: &[u8]) -> (Vec<Block>, Result<bool, RequestLogError>) {
    let mut blocks = Vec::new();
    let mut reader = match RequestReader::new(bytes) {
        Ok(reader) => reader,
        Err(e) => return (blocks, Err(e)),
    };
    loop {
        match reader.next_block() {
            Ok(Some(block)) => blocks.push(block),
            Ok(None) => return (blocks, Ok(reader.cut_short())),
            Err(e) => return (blocks, Err(e)),
        }
    }
}

#[test]
fn what_was_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (some(40_000), some(300));
    let path = written(&folder, &[(0, one.clone()), (3, two.clone())]);
    let bytes = std::fs::read(path).unwrap();
    let (blocks, end) = read(&bytes);
    assert!(!end.unwrap(), "it was closed in order");
    let of = |probe| -> Vec<Sample> {
        blocks.iter().filter(|b| b.probe == probe).flat_map(|b| b.samples.iter().copied()).collect()
    };
    assert_eq!(of(0), one);
    assert_eq!(of(3), two);
    let each = bytes.len() as f64 / 40_300.0;
    assert!(each < 4.0, "{each:.2} bytes a request");
}

#[test]
fn spans_are_kept_to_the_microsecond() {
    let folder = tempfile::tempdir().unwrap();
    let odd = Sample {
        index: u64::MAX,
        class: Class::NotSent,
        lateness_ns: 1_499,
        waited_ns: 1_500,
        service_ns: 2_000_000_499,
    };
    let path = written(&folder, &[(0, vec![odd])]);
    let block = RequestReader::open(&path).unwrap().next_block().unwrap().unwrap();
    assert_eq!(block.samples, [Sample { lateness_ns: 1_000, waited_ns: 2_000, service_ns: 2_000_000_000, ..odd }]);
}

#[test]
fn a_cut_tail_is_said_and_what_stands_before_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(written(&folder, &[(0, some(400)), (1, some(20))])).unwrap();
    let whole = read(&bytes).0;
    for length in 4..bytes.len() {
        let (blocks, end) = read(&bytes[..length]);
        assert!(end.unwrap(), "cut at {length}");
        assert_eq!(blocks[..], whole[..blocks.len()]);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_never_taken_for_a_cut() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(written(&folder, &[(0, some(60)), (1, some(20))])).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(read(&flipped).1.is_err(), "byte {at}");
    }
    let mut flipped = bytes;
    flipped[40] ^= 1;
    let says = read(&flipped).1.unwrap_err().to_string();
    assert_eq!(says, "request log damaged at byte 8: the checksum of a block does not fit");
}

#[test]
fn a_full_disk_ends_the_log_and_is_said() {
    // Every write to this device fails as on a full disk.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let writer = RequestWriter::onto(full).unwrap();
    let sink = writer.sink();
    sink.push(0, some(20_000).into());
    sink.push(0, some(100).into());
    let written = writer.finish().unwrap();
    assert_eq!((written.samples, written.lost), (0, 20_100));
    assert!(written.trouble.unwrap().contains("No space left"), "the system's words");
}

#[test]
fn other_files_are_refused() {
    assert!(matches!(read(b"PK\x03\x04....").1, Err(RequestLogError::NotALog)));
    assert!(matches!(read(b"").1, Err(RequestLogError::NotALog)));
    assert!(matches!(read(b"FDRQ\x02\x00\x00\x00").1, Err(RequestLogError::Version(2))));
}
