//! A folder in, segment files out: preallocated, mapped, and under their own name only when whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use memmap2::MmapMut;

use crate::JournalError;
use crate::format::{self, Chain, SEGMENT_HEADER};
use crate::writer::Options;

/// What a segment is called until its header is written; a crash may leave one, the next takes it.
const UNFINISHED: &str = "next.unfinished";

/// A segment's file and its bytes.
pub(crate) struct Segment {
    pub file: Arc<File>,
    pub map: MmapMut,
}

/// Makes an empty segment under a passing name, all its space reserved. The slow part.
pub(crate) fn prepare(dir: &Path, options: Options) -> Result<Segment, JournalError> {
    discard_prepared(dir)?;
    open(&dir.join(UNFINISHED), options)
}

/// Removes a prepared segment that nobody needs.
pub(crate) fn discard_prepared(dir: &Path) -> Result<(), JournalError> {
    remove_if_exists(&dir.join(UNFINISHED))
}

/// Writes the header of the prepared segment and gives it its own name.
pub(crate) fn finish(
    dir: &Path,
    segment: &mut Segment,
    first_seq: u64,
    before: &Chain,
    options: Options,
) -> Result<(), JournalError> {
    let (passing, path) = (dir.join(UNFINISHED), format::segment_path(dir, first_seq));
    format::write_segment_header(&mut segment.map[..SEGMENT_HEADER], first_seq, before);
    let (disk, durable) = (options.disk, options.durability.is_synced());
    if durable {
        disk.sync_all(&segment.file, &passing).map_err(JournalError::io("sync", &passing))?;
    }
    disk.rename(&passing, &path).map_err(JournalError::io("name", &path))?;
    if durable {
        disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    }
    Ok(())
}

/// Opens or makes a segment of full length with all its blocks reserved: a write through a mapping
/// has no way to report a full disk but SIGBUS.
pub(crate) fn open(path: &Path, options: Options) -> Result<Segment, JournalError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(JournalError::io("open", path))?;
    let length = file.metadata().map_err(JournalError::io("look at", path))?.len();
    let bytes = length.max(options.segment_bytes as u64);
    if let Err(error) = options.disk.reserve(&file, path, bytes) {
        if matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT)) {
            if length == 0 {
                remove_if_exists(path)?;
            }
            return Err(JournalError::NoSpace { path: path.to_path_buf(), bytes });
        }
        return Err(JournalError::io("reserve space for", path)(error));
    }
    // SAFETY: we hold the lock, so nobody else writes, and nobody shortens the file.
    let map = unsafe { MmapMut::map_mut(&file) }.map_err(JournalError::io("map", path))?;
    Ok(Segment { file: Arc::new(file), map })
}

/// Zeroes what was left behind the last good entry, touching only what is not zero already.
pub(crate) fn erase(map: &mut MmapMut, from: usize) {
    if let Some(last) = map[from..].iter().rposition(|byte| *byte != 0) {
        map[from..=from + last].fill(0);
    }
}

/// A last segment whose header never reached the disk holds no entry: it is removed, to be made
/// again when it is needed. Returns the number that it was to begin with.
pub(crate) fn drop_unborn(
    dir: &Path,
    segments: &mut Vec<u64>,
) -> Result<Option<u64>, JournalError> {
    let Some(last) = segments.last().copied() else { return Ok(None) };
    let path = format::segment_path(dir, last);
    let file = File::open(&path).map_err(JournalError::io("open", &path))?;
    // SAFETY: we hold the lock, so nobody shortens the file.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(JournalError::io("map", &path))?;
    let header = &map[..map.len().min(SEGMENT_HEADER)];
    let blank = header.len() < SEGMENT_HEADER || header.iter().all(|byte| *byte == 0);
    let alone = segments.len() == 1 && last != 1;
    if !blank || alone || format::later_entry(&map, SEGMENT_HEADER, last - 1).is_some() {
        return Ok(None);
    }
    remove_if_exists(&path)?;
    segments.pop();
    Ok(Some(last))
}

pub(crate) fn remove_if_exists(path: &Path) -> Result<(), JournalError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(JournalError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
