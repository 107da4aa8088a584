//! A journal's folder and what may be forgotten in; the journal without its oldest segments out.
//!
//! What is kept still proves itself. The *anchor*, a file of its own, repeats the header of the
//! first segment kept: its number, and the chain over everything that was forgotten. It is on the
//! disk before the first segment goes, so that a segment that is merely lost is always noticed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use values::Nanos;

use crate::JournalError;
use crate::disk::{Disk, SystemDisk};
use crate::format::{self, Chain, GENESIS, SEGMENT_HEADER};
use crate::reader::Reader;
use crate::segment::remove_if_exists;
use crate::snapshot;
use crate::writer;

const ANCHOR: &str = "anchor";
const UNFINISHED: &str = "anchor.unfinished";

/// What to keep; whatever exceeds either limit may go. The segment being written always stays.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Bytes of segments; `None` for no limit.
    pub bytes: Option<u64>,
    /// Segments with an entry from then on; `None` for no limit.
    pub since_ns: Option<Nanos>,
}

/// What a prune did.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Segments that went.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The first entry kept.
    pub first_seq: u64,
}

/// One segment of a journal.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its first entry.
    pub first_seq: u64,
    /// When that was written; `None` while it has no entry.
    pub first_ns: Option<Nanos>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Where a journal begins: the first entry kept, and the chain before it.
pub(crate) fn anchor(dir: &Path) -> Result<(u64, Chain), JournalError> {
    let path = dir.join(ANCHOR);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((1, GENESIS)),
        Err(error) => return Err(JournalError::io("read", &path)(error)),
    };
    let seq = format::first_seq_named(&bytes);
    format::read_segment_header(&bytes, seq).map(|before| (seq, before)).map_err(
        |(found, expected)| JournalError::Damaged {
            segment: path,
            seq,
            offset: 0,
            found,
            expected,
        },
    )
}

/// First numbers of the segments kept, in order. Those before the anchor are what a prune that a
/// crash cut short left behind.
pub(crate) fn kept_segments(dir: &Path) -> Result<Vec<u64>, JournalError> {
    // Listed before the anchor is read: a prune beside this then shows too many, never too few.
    let mut segments = format::list_segments(dir)?;
    let (seq, _) = anchor(dir)?;
    segments.retain(|first| *first >= seq);
    match segments.first() {
        Some(found) if *found != seq => Err(JournalError::Damaged {
            segment: format::segment_path(dir, seq),
            seq,
            offset: 0,
            found: format!("a segment that begins with entry {found} as the first"),
            expected: format!("one that begins with entry {seq}"),
        }),
        _ => Ok(segments),
    }
}

/// The segments kept, oldest first.
///
/// # Errors
/// A header is damaged, the first segment is missing, or the system refuses.
pub fn list(dir: &Path) -> Result<Vec<Listed>, JournalError> {
    kept_segments(dir)?
        .into_iter()
        .map(|first_seq| {
            let path = format::segment_path(dir, first_seq);
            let bytes = std::fs::metadata(&path).map_err(JournalError::io("look at", &path))?.len();
            let first_ns = Reader::at_segment(dir, Some(first_seq))?.first_ns();
            Ok(Listed { first_seq, first_ns, bytes })
        })
        .collect()
}

/// Removes the oldest segments that exceed `keep`. Never one with an entry after the oldest
/// snapshot, because a restart may need that one when the later snapshots are bad: so without
/// a snapshot nothing goes. Slow (it waits for the disk), and for one caller at a time.
///
/// # Errors
/// A header is damaged, or the system refuses; what is left is a good journal even so.
pub fn prune(dir: &Path, disk: &dyn Disk, keep: Keep) -> Result<Pruned, JournalError> {
    let listed = list(dir)?;
    let excess = excess(&listed, keep);
    let needed_seq = if excess == 0 { 0 } else { snapshot::oldest_seq(dir)?.unwrap_or(0) };
    let gone = (0..excess).take_while(|at| listed[at + 1].first_seq <= needed_seq + 1).count();
    if gone > 0 {
        write_anchor(dir, disk, listed[gone].first_seq)?;
    }
    let (first_seq, _) = anchor(dir)?;
    // Also what an earlier prune left; oldest first, so that a crash leaves no gap.
    for old in format::list_segments(dir)?.into_iter().filter(|first| *first < first_seq) {
        remove_if_exists(&format::segment_path(dir, old))?;
    }
    let bytes = listed[..gone].iter().map(|segment| segment.bytes).sum();
    Ok(Pruned { segments: gone, bytes, first_seq })
}

/// As [`prune`], for a journal that nobody writes.
///
/// # Errors
/// As for [`prune`], and `Locked` beside a writer, which prunes by itself.
pub fn prune_at_rest(dir: &Path, keep: Keep) -> Result<Pruned, JournalError> {
    let _lock = writer::lock(dir)?;
    prune(dir, &SystemDisk, keep)
}

/// How many of the oldest segments exceed what is to be kept.
fn excess(listed: &[Listed], keep: Keep) -> usize {
    let mut bytes: u64 = listed.iter().map(|segment| segment.bytes).sum();
    let is_over = |pair: &&[Listed]| {
        let too_many = keep.bytes.is_some_and(|most| bytes > most);
        // A segment's last entry is not later than the first of the next.
        let ended_ns = pair[1].first_ns.unwrap_or(Nanos::MAX);
        bytes -= pair[0].bytes;
        too_many || keep.since_ns.is_some_and(|since_ns| ended_ns < since_ns)
    };
    listed.windows(2).take_while(is_over).count()
}

/// Says where the journal begins from now on; on the disk when it returns.
fn write_anchor(dir: &Path, disk: &dyn Disk, first_seq: u64) -> Result<(), JournalError> {
    let before = Reader::at_segment(dir, Some(first_seq))?.chain();
    let mut bytes = [0; SEGMENT_HEADER];
    format::write_segment_header(&mut bytes, first_seq, &before);
    let (passing, path) = (dir.join(UNFINISHED), dir.join(ANCHOR));
    let write_all = |mut file: File| {
        file.write_all(&bytes)?;
        disk.sync_all(&file, &passing)
    };
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&passing)
        .and_then(write_all)
        .map_err(JournalError::io("write", &passing))?;
    disk.rename(&passing, &path).map_err(JournalError::io("name", &path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))
}
