//! Payloads in, acknowledged sequence numbers out: the one writer of a journal's folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use values::Nanos;

use crate::JournalError;
use crate::ahead::{AHEAD_BYTES, Ahead};
use crate::commit::{self, Commits, Shared};
use crate::disk::{Disk, SystemDisk};
use crate::format::{self, Chain, ENTRY_OVERHEAD, GENESIS, SEGMENT_HEADER};
use crate::reader::{Reader, TornTail};
use crate::retain;
use crate::segment::{self, Segment};

/// Default size of a segment: a busy day makes few files, and a lost one is a small part of it.
pub const SEGMENT_BYTES: usize = 64 * 1024 * 1024;
/// Smallest segment: below a page, mapping and preallocation have nothing to work on.
const SEGMENT_BYTES_MIN: usize = 4096;
/// Largest segment: an entry's size must fit its 32-bit field.
const SEGMENT_BYTES_MAX: usize = 1 << 30;

/// What an acknowledged entry survives.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of this process, at any instruction: entries are in the page cache.
    Process,
    /// A power cut too, once [`Commits::durable_seq`] has reached it (and each finished segment).
    Power,
    /// The loss of this machine too: a standby has it as well, see [`Commits::ask_standby`].
    Replica,
}

impl Durability {
    /// Whether entries are to be synced.
    pub fn is_synced(self) -> bool {
        self != Self::Process
    }
}

/// How to keep a journal.
#[derive(Copy, Clone, Debug)]
pub struct Options {
    /// Bytes of each segment; an entry must fit into one.
    pub segment_bytes: usize,
    /// What an acknowledged entry survives.
    pub durability: Durability,
    /// The operating system's, but in a test that breaks its promises.
    pub disk: &'static dyn Disk,
}

impl Options {
    /// With the operating system's disk.
    pub const fn new(segment_bytes: usize, durability: Durability) -> Self {
        Self { segment_bytes, durability, disk: &SystemDisk }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new(SEGMENT_BYTES, Durability::Process)
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
    /// Declared, and so dropped, before the segment whose pages its thread touches.
    ahead: Ahead,
    segment: Segment,
    first_seq: u64,
    at: usize,
    /// How far pages were asked for, and from where on more will be.
    asked: usize,
    ask_from: usize,
    last_seq: u64,
    chain: Chain,
    /// What the committing thread and this one both see.
    shared: Arc<Shared>,
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
        let mut segments = retain::kept_segments(dir)?;
        let unborn = segment::drop_unborn(dir, &mut segments)?;
        let Some(last) = segments.last().copied() else {
            let mut first = segment::prepare(dir, options)?;
            segment::finish(dir, &mut first, 1, &GENESIS, options)?;
            let writer = Self::at(dir, options, first, 1, lock)?;
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
        let path = format::segment_path(dir, last);
        let mut opened = segment::open(&path, options)?;
        segment::erase(&mut opened.map, at);
        let mut writer = Self::at(dir, options, opened, last, lock)?;
        (writer.at, writer.asked, writer.ask_from) = (at, at, at);
        (writer.last_seq, writer.chain) = (reader.last_seq(), reader.chain());
        writer.sync()?;
        if options.durability.is_synced() {
            // The life before may have died between giving the segment its name and syncing that.
            options.disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
        }
        let recovery = Recovery { last_seq: writer.last_seq, cut: reader.torn().cloned() };
        Ok((writer, recovery))
    }

    fn at(
        dir: &Path,
        options: Options,
        segment: Segment,
        first_seq: u64,
        lock: File,
    ) -> Result<Self, JournalError> {
        let path = format::segment_path(dir, first_seq);
        let shared = commit::shared(dir, options.disk, Arc::clone(&segment.file), path);
        Ok(Self {
            dir: dir.to_path_buf(),
            options,
            ahead: Ahead::start(dir, options)?,
            shared,
            segment,
            first_seq,
            at: SEGMENT_HEADER,
            asked: SEGMENT_HEADER,
            ask_from: SEGMENT_HEADER,
            last_seq: 0,
            chain: GENESIS,
            poisoned: false,
            _lock: lock,
        })
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
        if self.at + taken > self.segment.map.len() {
            self.rotate(bytes)?;
        }
        if self.at >= self.ask_from {
            self.look_ahead();
        }
        let slot = &mut self.segment.map[self.at..self.at + taken];
        let seq = self.last_seq + 1;
        let unsynced = if self.options.durability.is_synced() {
            u32::try_from(self.last_seq - self.shared.durable_seq()).unwrap_or(u32::MAX)
        } else {
            0
        };
        self.chain = format::write_entry(slot, seq, ts_ns, kind, payload, &self.chain, unsynced);
        self.at += taken;
        self.last_seq = seq;
        Ok(seq)
    }

    /// Unless `Durability::Process`: returns when all entries are on the disk. A failure is final:
    /// the kernel may have thrown away what it could not write, so a second try that succeeds would
    /// prove nothing.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.poisoned || self.shared.failure().is_err() {
            self.poisoned = true;
            return Err(JournalError::Poisoned);
        }
        if !self.options.durability.is_synced() {
            return Ok(());
        }
        let path = format::segment_path(&self.dir, self.first_seq);
        self.options.disk.sync_data(&self.segment.file, &path).map_err(|error| {
            self.poisoned = true;
            self.shared.fail(&error);
            JournalError::io("sync", &self.dir)(error)
        })?;
        self.shared.synced(self.last_seq);
        Ok(())
    }

    /// Starts the thread that makes entries durable in groups; `on_commit` is called on it after
    /// each sync. Ask for it once, and drop it before the writer.
    pub fn commits(&self, on_commit: impl Fn() + Send + 'static) -> Result<Commits, JournalError> {
        Commits::start(Arc::clone(&self.shared), &self.dir, on_commit)
    }

    /// As [`Writer::commits`], without a thread: entries are durable when [`Writer::sync`] was called.
    pub fn commits_by_hand(&self) -> Commits {
        Commits::by_hand(Arc::clone(&self.shared))
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
        let mut next = match self.ahead.take() {
            Some(prepared) => prepared?,
            None => segment::prepare(&self.dir, self.options)?,
        };
        let first_seq = self.last_seq + 1;
        segment::finish(&self.dir, &mut next, first_seq, &self.chain, self.options)?;
        self.first_seq = first_seq;
        let path = format::segment_path(&self.dir, first_seq);
        self.shared.go_on_in(Arc::clone(&next.file), path);
        self.ahead.retire(std::mem::replace(&mut self.segment, next));
        (self.at, self.asked, self.ask_from) = (SEGMENT_HEADER, SEGMENT_HEADER, SEGMENT_HEADER);
        Ok(())
    }

    /// Has the pages after these made present, and from the middle on the next segment.
    #[cold]
    fn look_ahead(&mut self) {
        let length = self.segment.map.len();
        let end = (self.at + 2 * AHEAD_BYTES).min(length);
        self.ahead.populate(&mut self.segment.map[self.asked..end]);
        if self.at > length / 2 {
            self.ahead.prepare();
        }
        self.asked = end;
        self.ask_from = if end < length { end - AHEAD_BYTES } else { usize::MAX };
    }
}

/// Takes the journal's lock, which the kernel gives back whenever and however this process ends.
pub(crate) fn lock(dir: &Path) -> Result<File, JournalError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_sync_poisons_the_writer_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(4096, Durability::Power);
        let (mut writer, _) = Writer::open(dir.path(), options).unwrap();
        writer.append(0, 0, &[b"first"]).unwrap();
        // A pipe cannot be synced: the system refuses as it would for a disk that has gone.
        let good = std::mem::replace(
            &mut writer.segment.file,
            Arc::new(std::os::fd::OwnedFd::from(std::io::pipe().unwrap().1).into()),
        );
        assert!(matches!(writer.sync(), Err(JournalError::Io { doing: "sync", .. })));
        writer.segment.file = good;
        assert!(matches!(writer.sync(), Err(JournalError::Poisoned)));
        assert!(matches!(writer.append(0, 0, &[b"second"]), Err(JournalError::Poisoned)));
    }
}
