//! Wishes to be durable in; how far the journal is durable out: group commit on a thread of its own.
//!
//! One fdatasync covers every entry that was appended before it began, so that a burst costs as many
//! syncs as the disk can do and not as many as there are entries. Whoever must not act before its
//! entry is durable compares numbers and goes on with its work; nobody waits in line.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};

use crate::JournalError;
use crate::disk::Disk;

/// What writer and committer both see.
pub(crate) struct Shared {
    dir: PathBuf,
    disk: &'static dyn Disk,
    /// Up to where somebody waits.
    wanted: AtomicU64,
    /// Up to where the disk holds everything.
    durable: AtomicU64,
    /// Up to where the standby holds everything; `u64::MAX` when none is asked.
    acknowledged: AtomicU64,
    /// 0 while good; otherwise the system's word on the sync that failed. Never set back.
    failed: AtomicI32,
    is_over: AtomicBool,
    /// The segment that is being written; replaced when the journal goes on in the next.
    file: Mutex<(Arc<File>, PathBuf)>,
}

impl Shared {
    pub(crate) fn go_on_in(&self, file: Arc<File>, path: PathBuf) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = (file, path);
    }

    /// What the disk of this machine is known to hold.
    pub(crate) fn durable_seq(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn synced(&self, seq: u64) {
        self.durable.fetch_max(seq, Ordering::Release);
    }

    /// The final failure, if there was one.
    pub(crate) fn failure(&self) -> Result<(), JournalError> {
        match self.failed.load(Ordering::Acquire) {
            0 => Ok(()),
            code => {
                let error = io::Error::from_raw_os_error(code);
                Err(JournalError::io("sync", &self.dir)(error))
            }
        }
    }

    pub(crate) fn fail(&self, error: &io::Error) {
        self.failed.store(error.raw_os_error().unwrap_or(libc::EIO), Ordering::Release);
    }

    /// Syncs once if anything is wanted; false when nothing was.
    fn commit(&self) -> bool {
        // First the number and then the file: a number of the next segment comes with its file,
        // and all before that segment was synced when the journal went on.
        let wanted = self.wanted.load(Ordering::Acquire);
        if wanted <= self.durable.load(Ordering::Relaxed) {
            return false;
        }
        let (file, path) = self.file.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match self.disk.sync_data(&file, &path) {
            Ok(()) => drop(self.durable.fetch_max(wanted, Ordering::Release)),
            // The kernel may have dropped what it could not write: a second try proves nothing.
            Err(error) => self.fail(&error),
        }
        true
    }
}

/// The committing thread's handle; made by [`crate::Writer::commits`].
pub struct Commits {
    shared: Arc<Shared>,
    /// `None` where somebody syncs by hand.
    committer: Option<Thread>,
    thread: Option<JoinHandle<()>>,
}

impl Commits {
    pub(crate) fn start(
        shared: Arc<Shared>,
        dir: &Path,
        on_commit: impl Fn() + Send + 'static,
    ) -> Result<Self, JournalError> {
        let work = Arc::clone(&shared);
        let run = move || {
            while !work.is_over.load(Ordering::Acquire) {
                if work.commit() {
                    on_commit();
                    if work.failure().is_err() {
                        return;
                    }
                } else {
                    std::thread::park();
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("journal-commit".to_owned())
            .spawn(run)
            .map_err(JournalError::io("start a thread for", dir))?;
        Ok(Self { shared, committer: Some(thread.thread().clone()), thread: Some(thread) })
    }

    pub(crate) fn by_hand(shared: Arc<Shared>) -> Self {
        Self { shared, committer: None, thread: None }
    }

    /// Asks for everything up to `seq`, an entry that was appended, to be made durable. Returns at
    /// once; costs a system call only when the committer sleeps.
    pub fn wanted(&self, seq: u64) {
        if self.shared.wanted.fetch_max(seq, Ordering::Release) < seq
            && let Some(committer) = &self.committer
        {
            committer.unpark();
        }
    }

    /// The last entry that is as durable as was asked for: on the disk, and with the standby where
    /// one is asked.
    ///
    /// # Errors
    /// A sync failed. That is final: nothing may follow from what was not durable before.
    pub fn durable_seq(&self) -> Result<u64, JournalError> {
        self.shared.failure()?;
        let on_disk = self.shared.durable.load(Ordering::Acquire);
        Ok(on_disk.min(self.shared.acknowledged.load(Ordering::Acquire)))
    }

    /// The highest entry that was asked for.
    pub fn wanted_seq(&self) -> u64 {
        self.shared.wanted.load(Ordering::Acquire)
    }

    /// From now on an entry counts as durable only when a standby has acknowledged it too.
    pub fn ask_standby(&self) -> Standby {
        self.shared.acknowledged.store(0, Ordering::Release);
        Standby { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(committer) = &self.committer {
            committer.unpark();
        }
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Where the acknowledgements of a standby come in.
pub struct Standby {
    shared: Arc<Shared>,
}

impl Standby {
    /// The standby holds everything up to `seq`. Numbers that go back are late and change nothing.
    pub fn acknowledge(&self, seq: u64) {
        self.shared.acknowledged.fetch_max(seq, Ordering::Release);
    }
}

pub(crate) fn shared(
    dir: &Path,
    disk: &'static dyn Disk,
    file: Arc<File>,
    path: PathBuf,
) -> Arc<Shared> {
    Arc::new(Shared {
        dir: dir.to_path_buf(),
        disk,
        wanted: AtomicU64::new(0),
        durable: AtomicU64::new(0),
        acknowledged: AtomicU64::new(u64::MAX),
        failed: AtomicI32::new(0),
        is_over: AtomicBool::new(false),
        file: Mutex::new((file, path)),
    })
}
