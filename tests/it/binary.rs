//! The binary is its own helper image, FROM scratch: it must be static, and quick to start.

use std::{fs, path::Path};

/// Whether an ELF file asks for a loader (a `PT_INTERP` program header), read by hand: 64 bit, little endian.
fn wants_a_loader(elf: &[u8]) -> bool {
    let word = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().unwrap());
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "a 64 bit little endian ELF file");
    let (table, size, count) = (word(32) as usize, usize::from(half(54)), usize::from(half(56)));
    let kind = |n: usize| u32::from_le_bytes(elf[table + n * size..][..4].try_into().unwrap());
    (0..count).any(|n| kind(n) == 3)
}

#[test]
fn the_binary_is_static() {
    let elf = fs::read(env!("CARGO_BIN_EXE_firedrill")).unwrap();
    assert!(
        !wants_a_loader(&elf),
        "the binary is dynamic: is RUSTFLAGS set? It replaces the flags of .cargo/config.toml"
    );
}

#[test]
fn the_check_for_a_loader_can_fail() {
    let dynamic = ["/bin/sh", "/bin/true"].map(Path::new).into_iter().find(|p| p.exists()).expect("a shell");
    assert!(wants_a_loader(&fs::read(dynamic).unwrap()));
}
