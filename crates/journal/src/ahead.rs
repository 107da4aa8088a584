//! What the writer will need soon in; pages present and the next segment made, beside it, out.
//!
//! Appending is a copy and a hash; everything slow about a segment (reserving 64 MiB, mapping them,
//! the first touch of each page, letting go of the old ones) is done by a thread of its own, before
//! the writer comes there. When that thread is late, the writer is merely slower, never wrong.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::JournalError;
use crate::segment::{self, Segment};
use crate::writer::Options;

/// How far ahead pages are made present: a thousand frames give the thread milliseconds, which is
/// what it may have to wait for a processor.
pub(crate) const AHEAD_BYTES: usize = 1024 * 1024;
/// Jobs that may wait; a request for pages that finds no room is dropped, the pages then fault.
const JOBS_MAX: usize = 8;

enum Job {
    Populate { address: usize, bytes: usize },
    Prepare,
    Retire(Segment),
}

/// The writer's end of the thread.
pub(crate) struct Ahead {
    jobs: Option<SyncSender<Job>>,
    /// Never locked, only owned: a receiver by itself would keep the writer from being `Sync`.
    prepared: Mutex<Receiver<Result<Segment, JournalError>>>,
    preparing: bool,
    thread: Option<JoinHandle<()>>,
    dir: PathBuf,
}

impl Ahead {
    pub(crate) fn start(dir: &Path, options: Options) -> Result<Self, JournalError> {
        let (jobs, todo) = sync_channel::<Job>(JOBS_MAX);
        let (done, prepared) = sync_channel(1);
        let folder = dir.to_path_buf();
        let work = move || {
            for job in todo {
                match job {
                    Job::Populate { address, bytes } => make_present(address, bytes),
                    Job::Prepare => {
                        let made = segment::prepare(&folder, options);
                        if let Ok(Segment { map, .. }) = &made {
                            let first = map.len().min(2 * AHEAD_BYTES);
                            make_present(map.as_ptr() as usize, first);
                        }
                        let _ = done.send(made);
                    }
                    Job::Retire(old) => drop(old),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("journal-ahead".to_owned())
            .spawn(work)
            .map_err(JournalError::io("start a thread for", dir))?;
        Ok(Self {
            jobs: Some(jobs),
            prepared: Mutex::new(prepared),
            preparing: false,
            thread: Some(thread),
            dir: dir.to_path_buf(),
        })
    }

    /// Has these pages made present. They belong to the current segment, which is retired through
    /// the same queue, or dropped after `self`: so they are still mapped when their turn comes.
    pub(crate) fn populate(&self, pages: &mut [u8]) {
        let job = Job::Populate { address: pages.as_mut_ptr() as usize, bytes: pages.len() };
        let _ = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
    }

    /// Has the next segment made, unless it is already.
    pub(crate) fn prepare(&mut self) {
        let asked = |jobs: &SyncSender<Job>| jobs.try_send(Job::Prepare).is_ok();
        self.preparing = self.preparing || self.jobs.as_ref().is_some_and(asked);
    }

    /// The prepared segment, if one was asked for; waits for it if need be.
    pub(crate) fn take(&mut self) -> Option<Result<Segment, JournalError>> {
        let prepared = self.prepared.get_mut().ok()?;
        std::mem::take(&mut self.preparing).then(|| prepared.recv().ok()).flatten()
    }

    /// Lets go of a finished segment.
    pub(crate) fn retire(&self, old: Segment) {
        // A full queue waits: the requests for this segment's pages must come before its end.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Job::Retire(old)));
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
        if self.prepared.get_mut().is_ok_and(|prepared| prepared.try_recv().is_ok()) {
            let _ = segment::discard_prepared(&self.dir);
        }
    }
}

fn make_present(address: usize, bytes: usize) {
    // SAFETY: sysconf only reads; the advice changes no content, and the pages are mapped (see
    // `populate`). Where a kernel does not know it, pages fault when they are first written.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let begin = address / page * page;
        let length = address + bytes - begin;
        libc::madvise(begin as *mut libc::c_void, length, libc::MADV_POPULATE_WRITE);
    }
}
