//! Payloads in, acknowledged sequence numbers out: the one writer of a journal's folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use memmap2::{Advice, MmapMut};
use values::Nanos;

use crate::JournalError;
use crate::format::{self, Chain, ENTRY_OVERHEAD, GENESIS, SEGMENT_HEADER};
use crate::reader::{Reader, TornTail};

/// Default size of a segment: a busy day makes few files, and a lost one is a small part of it.
pub const SEGMENT_BYTES: usize = 64 * 1024 * 1024;
/// Smallest segment: below a page, mapping and preallocation have nothing to work on.
const SEGMENT_BYTES_MIN: usize = 4096;
/// Largest segment: an entry's size must fit its 32-bit field.
const SEGMENT_BYTES_MAX: usize = 1 << 30;
/// Pages made present at once ahead of the pen. Without it every fifteenth small entry would pay
/// a page fault; with much more, one entry in thousands would pay for all of them.
const PREFAULT_BYTES: usize = 64 * 1024;

/// What an acknowledged entry survives.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of this process, at any instruction: entries are in the page cache.
    Process,
    /// A power cut too, once `sync` has returned (and each finished segment).
    Power,
}

/// How to keep a journal.
#[derive(Copy, Clone, Debug)]
pub struct Options {
    /// Bytes of each segment; an entry must fit into one.
    pub segment_bytes: usize,
    /// What an acknowledged entry survives.
    pub durability: Durability,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, durability: Durability::Process }
    }
}

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The last entry kept; 0 in an empty journal.
    pub last_seq: u64,
    /// The torn end that was cut, if a power cut left one.
    pub cut: Option<TornTail>,
}

/// Appends entries; one per folder, guarded by a lock.
pub struct Writer {
    dir: PathBuf,
    options: Options,
    file: File,
    map: MmapMut,
    at: usize,
    populated: usize,
    last_seq: u64,
    chain: Chain,
    poisoned: bool,
    _lock: File,
}

impl Writer {
    /// Opens (or makes) the journal in `dir`: cuts a torn tail, refuses damage before it.
    ///
    /// The last segment is read and checked whole, of those before it the headers; whoever replays
    /// them checks the rest.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), JournalError> {
        let options = Options {
            segment_bytes: options.segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            ..options
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(JournalError::io("make", dir))?;
        let lock = lock(dir)?;
        let mut segments = format::list_segments(dir)?;
        let unborn = drop_unborn_segment(dir, &mut segments)?;
        let Some(last) = segments.last().copied() else {
            let (file, map) = create_segment(dir, 1, &GENESIS, options)?;
            let writer = Self::at(dir, options, (file, map), lock);
            return Ok((writer, Recovery { last_seq: 0, cut: None }));
        };
        for first in &segments {
            Reader::at_segment(dir, Some(*first))?;
        }
        let mut reader = Reader::at_segment(dir, Some(last))?;
        while reader.next()?.is_some() {}
        reader.check_end()?;
        if let Some(unborn) = unborn.filter(|first| *first != reader.last_seq() + 1) {
            return Err(JournalError::Damaged {
                segment: format::segment_path(dir, unborn),
                seq: reader.last_seq() + 1,
                offset: 0,
                found: format!("an empty segment that was to begin with entry {unborn}"),
                expected: format!("entry {}", reader.last_seq() + 1),
            });
        }
        let (_, at) = reader.position().expect("a segment was opened");
        let mut opened = open_segment(&format::segment_path(dir, last), options)?;
        erase(&mut opened.1, at);
        let mut writer = Self::at(dir, options, opened, lock);
        (writer.at, writer.populated) = (at, at);
        (writer.last_seq, writer.chain) = (reader.last_seq(), reader.chain());
        writer.sync()?;
        let recovery = Recovery { last_seq: writer.last_seq, cut: reader.torn().cloned() };
        Ok((writer, recovery))
    }

    fn at(dir: &Path, options: Options, (file, map): (File, MmapMut), lock: File) -> Self {
        Self {
            dir: dir.to_path_buf(),
            options,
            file,
            map,
            at: SEGMENT_HEADER,
            populated: SEGMENT_HEADER,
            last_seq: 0,
            chain: GENESIS,
            poisoned: false,
            _lock: lock,
        }
    }

    /// Appends one entry whose payload is the parts one after the other; returns its number.
    ///
    /// When it returns, the entry survives the death of this process. Nothing is allocated, except
    /// once per segment. On an error nothing was appended.
    #[inline]
    pub fn append(
        &mut self,
        ts_ns: Nanos,
        kind: u16,
        payload: &[&[u8]],
    ) -> Result<u64, JournalError> {
        let bytes = payload.iter().map(|part| part.len()).sum();
        let taken = format::padded(bytes);
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if self.at + taken > self.map.len() {
            self.rotate(bytes)?;
        }
        if self.at + taken > self.populated {
            self.populate(taken);
        }
        let slot = &mut self.map[self.at..self.at + taken];
        let seq = self.last_seq + 1;
        self.chain = format::write_entry(slot, seq, ts_ns, kind, payload, &self.chain);
        self.at += taken;
        self.last_seq = seq;
        Ok(seq)
    }

    /// With `Durability::Power`: returns when all entries are on the disk. A failure is final: the
    /// kernel may have thrown away what it could not write, so a second try that succeeds would
    /// prove nothing.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if self.options.durability == Durability::Process {
            return Ok(());
        }
        // fdatasync also writes what was changed through the mapping: on Linux both are one cache.
        self.file.sync_data().map_err(|error| {
            self.poisoned = true;
            JournalError::io("sync", &self.dir)(error)
        })
    }

    /// The number of the last entry; 0 in an empty journal.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The chain up to and including the last entry.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// Goes on in a new segment, which must hold `payload_bytes`.
    #[cold]
    fn rotate(&mut self, payload_bytes: usize) -> Result<(), JournalError> {
        let limit = self.options.segment_bytes - SEGMENT_HEADER - ENTRY_OVERHEAD;
        if format::padded(payload_bytes) > self.options.segment_bytes - SEGMENT_HEADER {
            return Err(JournalError::TooLarge { bytes: payload_bytes, limit });
        }
        // The old segment goes to the disk first: a later one must never be the only survivor.
        self.sync()?;
        let next = create_segment(&self.dir, self.last_seq + 1, &self.chain, self.options)?;
        (self.file, self.map) = next;
        (self.at, self.populated) = (SEGMENT_HEADER, SEGMENT_HEADER);
        Ok(())
    }

    /// Makes the pages of the next entry, and some after it, present and writable.
    #[cold]
    fn populate(&mut self, taken: usize) {
        let end = (self.at + taken + PREFAULT_BYTES).min(self.map.len());
        // Older kernels do not know this advice; then each page faults when it is first written.
        let _ = self.map.advise_range(Advice::PopulateWrite, self.at, end - self.at);
        self.populated = end;
    }
}

/// Takes the journal's lock, which the kernel gives back whenever and however this process ends.
fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    // SAFETY: a plain system call on a descriptor that we own.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EWOULDBLOCK) {
            return Err(JournalError::io("lock", &path)(error));
        }
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() };
        return Err(JournalError::Locked { dir: dir.to_path_buf(), pid: pid.to_owned() });
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(JournalError::io("write", &path))?;
    Ok(file)
}

/// A last segment whose header never reached the disk holds no entry: it is removed, to be made
/// again when it is needed. Returns the number that it was to begin with.
fn drop_unborn_segment(dir: &Path, segments: &mut Vec<u64>) -> Result<Option<u64>, JournalError> {
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

fn remove_if_exists(path: &Path) -> Result<(), JournalError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(JournalError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes a segment under a passing name and gives it its own only when its header is in it.
fn create_segment(
    dir: &Path,
    first_seq: u64,
    before: &Chain,
    options: Options,
) -> Result<(File, MmapMut), JournalError> {
    let passing = dir.join("next.unfinished");
    remove_if_exists(&passing)?;
    let (file, mut map) = open_segment(&passing, options)?;
    format::write_segment_header(&mut map[..SEGMENT_HEADER], first_seq, before);
    let path = format::segment_path(dir, first_seq);
    let durable = options.durability == Durability::Power;
    if durable {
        file.sync_all().map_err(JournalError::io("sync", &passing))?;
    }
    std::fs::rename(&passing, &path).map_err(JournalError::io("name", &path))?;
    if durable {
        sync_dir(dir)?;
    }
    Ok((file, map))
}

/// Returns when the folder's list of names is on the disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(JournalError::io("sync", dir))
}

/// Opens or makes a segment of full length with all its blocks reserved: a write through a mapping
/// has no way to report a full disk but SIGBUS.
fn open_segment(path: &Path, options: Options) -> Result<(File, MmapMut), JournalError> {
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
    // SAFETY: a plain system call on a descriptor that we own.
    let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes as libc::off_t) };
    if code == libc::ENOSPC || code == libc::EDQUOT {
        if length == 0 {
            remove_if_exists(path)?;
        }
        return Err(JournalError::NoSpace { path: path.to_path_buf(), bytes });
    }
    if code != 0 {
        let error = io::Error::from_raw_os_error(code);
        return Err(JournalError::io("reserve space for", path)(error));
    }
    // SAFETY: we hold the lock, so nobody else writes, and nobody shortens the file.
    let map = unsafe { MmapMut::map_mut(&file) }.map_err(JournalError::io("map", path))?;
    Ok((file, map))
}

/// Zeroes what was left behind the last good entry, touching only what is not zero already.
fn erase(map: &mut MmapMut, from: usize) {
    if let Some(last) = map[from..].iter().rposition(|byte| *byte != 0) {
        map[from..=from + last].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_sync_poisons_the_writer_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 4096, durability: Durability::Power };
        let (mut writer, _) = Writer::open(dir.path(), options).unwrap();
        writer.append(0, 0, &[b"first"]).unwrap();
        // A pipe cannot be synced: the system refuses as it would for a disk that has gone.
        let good = std::mem::replace(
            &mut writer.file,
            std::os::fd::OwnedFd::from(std::io::pipe().unwrap().1).into(),
        );
        assert!(matches!(writer.sync(), Err(JournalError::Io { doing: "sync", .. })));
        writer.file = good;
        assert!(matches!(writer.sync(), Err(JournalError::Poisoned)));
        assert!(matches!(writer.append(0, 0, &[b"second"]), Err(JournalError::Poisoned)));
    }
}
