//! Stretches of entries in; on a second thread, whether each is chained to the one before it, out.
//!
//! A link needs only the chain *stored* in the entry before, so that stretches can be checked while
//! the reader is ahead. Checksums and numbers it has checked itself: what is found here late is not
//! a flipped byte but an entry that somebody replaced.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::JournalError;
use crate::format::{self, Chain, SEGMENT_HEADER};
use crate::reader::Segment;

/// Bytes of a stretch: some hundred entries, so that handing it over costs nothing by comparison.
const STRETCH_BYTES: usize = 256 * 1024;
/// Stretches that may wait; then the reader waits, which bounds how far ahead it gets.
const WAITING_MAX: usize = 64;

struct Stretch {
    segment: Arc<Segment>,
    from: usize,
    to: usize,
    seq: u64,
    before: Chain,
}

/// The reader's end of the thread.
pub(crate) struct Beside {
    jobs: Option<SyncSender<Stretch>>,
    /// Never locked, only owned: a receiver by itself would keep the reader from being `Sync`.
    results: Mutex<Receiver<Result<(), JournalError>>>,
    waiting: usize,
    thread: Option<JoinHandle<()>>,
    /// Where the next stretch begins.
    from: usize,
    seq: u64,
    before: Chain,
}

impl Beside {
    pub(crate) fn start(from: usize, seq: u64, before: Chain) -> std::io::Result<Self> {
        let (jobs, todo) = sync_channel::<Stretch>(WAITING_MAX);
        let (done, results) = channel();
        let work = move || {
            for stretch in todo {
                if done.send(stretch.check()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("journal-links".to_owned()).spawn(work)?;
        let results = Mutex::new(results);
        let (jobs, thread) = (Some(jobs), Some(thread));
        Ok(Self { jobs, results, waiting: 0, thread, from, seq, before })
    }

    /// Whether enough has been read since the last stretch.
    #[inline]
    pub(crate) fn is_full(&self, at: usize) -> bool {
        at - self.from >= STRETCH_BYTES
    }

    /// Hands over what was read up to `at`, where entry `next_seq` will begin; tells of earlier
    /// stretches that were bad.
    pub(crate) fn hand_over(
        &mut self,
        segment: &Arc<Segment>,
        at: usize,
        next_seq: u64,
        chain: &Chain,
    ) -> Result<(), JournalError> {
        if at > self.from
            && let Some(jobs) = &self.jobs
        {
            let segment = Arc::clone(segment);
            let stretch =
                Stretch { segment, from: self.from, to: at, seq: self.seq, before: self.before };
            self.waiting += usize::from(jobs.send(stretch).is_ok());
        }
        (self.from, self.seq, self.before) = (at, next_seq, *chain);
        while let Some(Ok(result)) = self.results.get_mut().ok().map(|results| results.try_recv()) {
            self.waiting -= 1;
            result?;
        }
        Ok(())
    }

    /// The reader goes on in the next segment.
    pub(crate) fn begin_segment(&mut self) {
        self.from = SEGMENT_HEADER;
    }

    /// Returns when all that was handed over is checked.
    pub(crate) fn finish(&mut self) -> Result<(), JournalError> {
        while self.waiting > 0 {
            self.waiting -= 1;
            let results = self.results.get_mut().expect("never locked");
            results.recv().expect("the thread answers for each stretch")?;
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Stretch {
    fn check(mut self) -> Result<(), JournalError> {
        while self.from < self.to {
            let bytes = &self.segment.map[self.from..self.to];
            let (chain, taken) = format::read_link(bytes, &self.before)
                .map_err(|wrong| self.segment.damage(self.seq, self.from, wrong))?;
            (self.before, self.from, self.seq) = (chain, self.from + taken, self.seq + 1);
        }
        Ok(())
    }
}
