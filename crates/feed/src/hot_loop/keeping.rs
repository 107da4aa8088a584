//! A running journal's folder in; snapshots, its older part checked, and only what is to be kept, out.
//!
//! All of it waits for the disk, so that none of it is done on the hot thread.

use super::turn::SnapshotJob;
use super::{Options, Shared};
use crate::net::wall_ns;
use journal::retain::{self, Keep};
use journal::{SystemDisk, snapshot};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use values::Nanos;

/// What the threads beside the hot one know of the journal.
pub(super) struct Keeper {
    dir: PathBuf,
    keep_bytes: Option<u64>,
    keep_ns: Option<Nanos>,
    /// The entries up to this one were not read by the recovery.
    unread_seq: u64,
    /// Whether they have been read since. What was not checked is not thrown away.
    is_checked: AtomicBool,
    shared: Arc<Shared>,
    is_over: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn new(
        options: &Options,
        unread_seq: u64,
        shared: &Arc<Shared>,
        is_over: &Arc<AtomicBool>,
    ) -> Keeper {
        Keeper {
            dir: options.journal_dir.clone(),
            keep_bytes: options.journal_keep_bytes,
            keep_ns: options.journal_keep_ns,
            unread_seq,
            is_checked: AtomicBool::new(unread_seq == 0),
            shared: Arc::clone(shared),
            is_over: Arc::clone(is_over),
        }
    }

    /// Checks what the recovery skipped because it began with a snapshot, at the lowest priority.
    /// Damage there changes nothing about the present state: people are told, trading goes on.
    pub(super) fn check_older(&self) {
        if self.is_checked.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: a plain system call; on Linux 0 is the calling thread, and failing changes nothing.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
        let go_on = |seq| seq < self.unread_seq && !self.is_over.load(Ordering::Acquire);
        match journal::verify(&self.dir, go_on) {
            Err(error) => self.shared.note(format!(
                "the journal's older part, which a restart from the snapshot does not need: {error}"
            )),
            Ok(_) if self.is_over.load(Ordering::Acquire) => {}
            Ok(_) => self.is_checked.store(true, Ordering::Release),
        }
    }

    /// Writes each snapshot, and removes what need not be kept from then on.
    pub(super) fn write_snapshots(&self, jobs: &Receiver<SnapshotJob>) {
        while let Ok(job) = jobs.recv() {
            if let Err(error) = snapshot::write(&self.dir, job.seq, &job.chain, &job.state) {
                self.shared.note(format!("snapshot {} was not written: {error}", job.seq));
            } else {
                self.prune();
            }
        }
    }

    fn prune(&self) {
        let since_ns = self.keep_ns.map(|keep_ns| wall_ns() - keep_ns);
        let keep = Keep { bytes: self.keep_bytes, since_ns };
        if keep == Keep::default() || !self.is_checked.load(Ordering::Acquire) {
            return;
        }
        match retain::prune(&self.dir, &SystemDisk, keep) {
            Ok(pruned) if pruned.segments > 0 => self.shared.note(format!(
                "removed {} old segments ({} bytes): the journal begins with entry {}",
                pruned.segments, pruned.bytes, pruned.first_seq
            )),
            Ok(_) => {}
            Err(error) => self.shared.note(format!("the journal was not pruned: {error}")),
        }
    }
}
