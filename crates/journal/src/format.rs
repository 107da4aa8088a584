//! Bytes of a segment in, checked headers and entries out; and the way back.
//!
//! All numbers are little-endian. A segment begins with 64 bytes, then entries at multiples of 8:
//!
//! ```text
//! segment  0 magic "PRNJRNL\0" | 8 version u32 | 12 zero u32 | 16 first seq u64
//!         24 chain before the first entry, 32 bytes | 56 zero u32 | 60 crc32c of bytes 0..60
//! entry    0 size u32 (64 + payload) | 4 crc32c of all other bytes | 8 seq u64 | 16 ts_ns i64
//!         24 kind u16 | 26 unsynced u32 | 30 zero, 2 bytes | 32 chain, 32 bytes | 64 payload | zeros to 8
//! ```
//!
//! The chain is SHA-256 over the chain before, the header without its checksum, and the payload.
//! `size` is written last, as one aligned word: a process that dies in mid-append leaves 0 there,
//! and a reader beside the writer sees the whole entry or none.
//!
//! `unsynced` counts the entries before this one that were not known to be on the disk when it was
//! appended; always 0 where entries are not synced. After a power cut, sectors of the unsynced end
//! are there in any pattern. A gap is then the torn end if no entry behind it vouches for what is
//! missing, and damage if one does.

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU32, Ordering};
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use values::Nanos;

use crate::JournalError;

/// A SHA-256 over everything up to and including one entry.
pub type Chain = [u8; 32];

/// The chain before the first entry of all.
pub const GENESIS: Chain = [0; 32];
/// Bytes before a segment's first entry.
pub const SEGMENT_HEADER: usize = 64;
/// Bytes that an entry needs besides its payload (and up to 7 zeros after it).
pub const ENTRY_OVERHEAD: usize = 64;

const MAGIC: [u8; 8] = *b"PRNJRNL\0";
const VERSION: u32 = 1;
const ALIGNMENT: usize = 8;

const SIZE: Range<usize> = 0..4;
const CRC: Range<usize> = 4..8;
const SEQ: Range<usize> = 8..16;
const TS_NS: Range<usize> = 16..24;
const KIND: Range<usize> = 24..26;
const UNSYNCED: Range<usize> = 26..30;
const RESERVED: Range<usize> = 30..32;
const CHAIN: Range<usize> = 32..64;

/// One entry, borrowed from the mapped segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When, as the writer was told, nanoseconds UTC.
    pub ts_ns: Nanos,
    /// What it is, in the words of whoever writes this journal.
    pub kind: u16,
    /// The bytes.
    pub payload: &'a [u8],
    /// The chain up to and including this entry.
    pub chain: Chain,
}

/// The name of the segment that begins with `first_seq`; names sort as the numbers do.
pub(crate) fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.journal"))
}

/// First sequence numbers of the segments in a folder, by their names, in order.
pub(crate) fn list_segments(dir: &Path) -> Result<Vec<u64>, JournalError> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(dir).map_err(JournalError::io("list", dir))? {
        let name = item.map_err(JournalError::io("list", dir))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".journal"));
        if let Some(number) = number.filter(|number| number.len() == 20) {
            found.extend(number.parse::<u64>().ok());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The bytes that an entry with this much payload takes in the file.
pub(crate) fn padded(payload_len: usize) -> usize {
    (ENTRY_OVERHEAD + payload_len).next_multiple_of(ALIGNMENT)
}

/// Writes a segment's first 64 bytes.
pub(crate) fn write_segment_header(bytes: &mut [u8], first_seq: u64, before: &Chain) {
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].fill(0);
    bytes[16..24].copy_from_slice(&first_seq.to_le_bytes());
    bytes[24..56].copy_from_slice(before);
    bytes[56..60].fill(0);
    let crc = crc32c::crc32c(&bytes[0..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
}

/// The chain before a segment's first entry, if its header is good; what is wrong otherwise, as
/// (found, expected).
pub(crate) fn read_segment_header(bytes: &[u8], first_seq: u64) -> Result<Chain, (String, String)> {
    if bytes.len() < SEGMENT_HEADER {
        let expected = format!("a segment header of {SEGMENT_HEADER} bytes");
        return Err((format!("{} bytes in the whole file", bytes.len()), expected));
    }
    if bytes[0..8] != MAGIC {
        return Err((format!("file magic {:02x?}", &bytes[0..8]), format!("{MAGIC:02x?}")));
    }
    let version = u32_at(bytes, 8..12);
    if version != VERSION {
        return Err((format!("format version {version}"), format!("version {VERSION}")));
    }
    let (stored, computed) = (u32_at(bytes, 60..64), crc32c::crc32c(&bytes[0..60]));
    if stored != computed {
        return Err((format!("header checksum {stored:08x}"), format!("{computed:08x}")));
    }
    let named = first_seq_named(bytes);
    if named != first_seq {
        return Err((format!("first entry {named} in the header"), format!("{first_seq}")));
    }
    Ok(bytes[24..56].try_into().expect("32 bytes"))
}

/// The first entry that a header names, good or not; 0 where there is no header.
pub(crate) fn first_seq_named(header: &[u8]) -> u64 {
    if header.len() < SEGMENT_HEADER { 0 } else { u64_at(header, 16..24) }
}

/// When the entry at the start of `bytes` was written, by its unchecked header; `None` without one.
pub(crate) fn ts_ns_named(bytes: &[u8]) -> Option<Nanos> {
    let header = bytes.get(..ENTRY_OVERHEAD).filter(|header| published_size(header) > 0)?;
    Some(Nanos::from_le_bytes(header[TS_NS].try_into().expect("8 bytes")))
}

#[allow(clippy::too_many_arguments, reason = "the fields of one entry")]
/// Fills `slot` (of `padded(payload)` bytes) with an entry and makes it visible; returns its chain.
pub(crate) fn write_entry(
    slot: &mut [u8],
    seq: u64,
    ts_ns: Nanos,
    kind: u16,
    payload: &[&[u8]],
    before: &Chain,
    unsynced: u32,
) -> Chain {
    let mut end = ENTRY_OVERHEAD;
    for part in payload {
        slot[end..end + part.len()].copy_from_slice(part);
        end += part.len();
    }
    slot[end..].fill(0);
    slot[SEQ].copy_from_slice(&seq.to_le_bytes());
    slot[TS_NS].copy_from_slice(&ts_ns.to_le_bytes());
    slot[KIND].copy_from_slice(&kind.to_le_bytes());
    slot[UNSYNCED].copy_from_slice(&unsynced.to_le_bytes());
    slot[RESERVED].fill(0);
    let size = u32::try_from(end).expect("a segment is smaller than 4 GiB").to_le_bytes();
    let chain = chain_of(before, size, &slot[8..32], &slot[ENTRY_OVERHEAD..end]);
    slot[CHAIN].copy_from_slice(&chain);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&size), &slot[8..]);
    slot[CRC].copy_from_slice(&crc.to_le_bytes());
    publish_size(slot, size);
    chain
}

/// What lies at one place of a segment.
pub(crate) enum Found<'a> {
    /// A good entry, and the bytes that it takes.
    Entry(Entry<'a>, usize),
    /// Nothing was written here, or not to the end.
    Nothing,
    /// Something that is not the entry that belongs here, as (found, expected).
    Bad(String, String),
}

/// Reads the entry `seq` that should begin with `bytes`; all checks are made, or with `None` all but
/// that of the chain, which is then to be made by [`read_link`].
pub(crate) fn read_entry<'a>(bytes: &'a [u8], seq: u64, before: Option<&Chain>) -> Found<'a> {
    if bytes.len() < ENTRY_OVERHEAD {
        return Found::Nothing;
    }
    let size = published_size(bytes);
    if size == 0 {
        return Found::Nothing;
    }
    match read_checked(bytes, size) {
        Err((found, expected)) => Found::Bad(found, expected),
        Ok(entry) if entry.seq != seq => {
            Found::Bad(format!("entry number {}", entry.seq), format!("{seq}"))
        }
        Ok(entry) => match before.map_or(Ok(()), |before| check_link(bytes, &entry, before)) {
            Ok(()) => Found::Entry(entry, padded(entry.payload.len())),
            Err((found, expected)) => Found::Bad(found, expected),
        },
    }
}

/// Checks that the entry at the start of `bytes`, which is good by itself, belongs after `before`;
/// returns its chain and the bytes that it takes, or what is wrong, as (found, expected).
pub(crate) fn read_link(bytes: &[u8], before: &Chain) -> Result<(Chain, usize), (String, String)> {
    let entry = read_checked(bytes, published_size(bytes))?;
    check_link(bytes, &entry, before)?;
    Ok((entry.chain, padded(entry.payload.len())))
}

fn check_link(bytes: &[u8], entry: &Entry<'_>, before: &Chain) -> Result<(), (String, String)> {
    let size = ((ENTRY_OVERHEAD + entry.payload.len()) as u32).to_le_bytes();
    let chain = chain_of(before, size, &bytes[8..32], entry.payload);
    if chain == entry.chain {
        return Ok(());
    }
    let found = format!("chain {}", short_hex(&entry.chain));
    Err((found, format!("{} from the entries before", short_hex(&chain))))
}

/// Where a good entry begins that was appended when `seq` was durable already, searched from `from`
/// on: proof that what lies before it is damage and not the torn end of what was unsynced.
pub(crate) fn later_entry(bytes: &[u8], from: usize, seq: u64) -> Option<(usize, u64)> {
    let highest = seq + ((bytes.len() - from.min(bytes.len())) / ENTRY_OVERHEAD) as u64;
    let mut at = from.next_multiple_of(ALIGNMENT);
    while at + ENTRY_OVERHEAD <= bytes.len() {
        let rest = &bytes[at..];
        let number = u64_at(rest, SEQ);
        let durable = number.saturating_sub(1 + u64::from(u32_at(rest, UNSYNCED)));
        let plausible = durable >= seq && number <= highest;
        if plausible && read_checked(rest, u32_at(rest, SIZE) as usize).is_ok() {
            return Some((at, number));
        }
        at += ALIGNMENT;
    }
    None
}

/// The entry at the start of `bytes` by its size and checksum alone.
fn read_checked(bytes: &[u8], size: usize) -> Result<Entry<'_>, (String, String)> {
    if size < ENTRY_OVERHEAD || size.next_multiple_of(ALIGNMENT) > bytes.len() {
        let room = format!("between {ENTRY_OVERHEAD} and the {} left in the segment", bytes.len());
        return Err((format!("a size of {size} bytes"), room));
    }
    let stored = u32_at(bytes, CRC);
    let whole = &bytes[8..size.next_multiple_of(ALIGNMENT)];
    let computed = crc32c::crc32c_append(crc32c::crc32c(&(size as u32).to_le_bytes()), whole);
    if stored != computed {
        return Err((format!("checksum {stored:08x}"), format!("{computed:08x} for these bytes")));
    }
    Ok(Entry {
        seq: u64_at(bytes, SEQ),
        ts_ns: Nanos::from_le_bytes(bytes[TS_NS].try_into().expect("8 bytes")),
        kind: u16::from_le_bytes(bytes[KIND].try_into().expect("2 bytes")),
        payload: &bytes[ENTRY_OVERHEAD..size],
        chain: bytes[CHAIN].try_into().expect("32 bytes"),
    })
}

fn chain_of(before: &Chain, size: [u8; 4], header: &[u8], payload: &[u8]) -> Chain {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(size);
    hash.update(header);
    hash.update(payload);
    hash.finalize().into()
}

/// The size as published by a writer that may be alive, in another process.
#[allow(clippy::cast_ptr_alignment, reason = "asserted")]
fn published_size(bytes: &[u8]) -> usize {
    let word = bytes[SIZE].as_ptr().cast_mut().cast::<u32>();
    assert!(word.is_aligned(), "entries begin at multiples of {ALIGNMENT}");
    // SAFETY: in bounds (the slice above) and aligned (asserted); it is only loaded from here, and
    // a writer stores to it atomically.
    u32::from_le(unsafe { AtomicU32::from_ptr(word) }.load(Ordering::Acquire)) as usize
}

/// Makes an entry visible: all that was written to its slot before is seen by whoever sees `size`.
#[allow(clippy::cast_ptr_alignment, reason = "asserted")]
fn publish_size(slot: &mut [u8], size: [u8; 4]) {
    let word = slot[SIZE].as_mut_ptr().cast::<u32>();
    assert!(word.is_aligned(), "entries begin at multiples of {ALIGNMENT}");
    // SAFETY: in bounds (the slice above), aligned (asserted), and the slot is ours alone to write.
    unsafe { AtomicU32::from_ptr(word) }.store(u32::from_ne_bytes(size), Ordering::Release);
}

fn short_hex(chain: &Chain) -> String {
    chain[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn u32_at(bytes: &[u8], range: Range<usize>) -> u32 {
    u32::from_le_bytes(bytes[range].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], range: Range<usize>) -> u64 {
    u64::from_le_bytes(bytes[range].try_into().expect("8 bytes"))
}
