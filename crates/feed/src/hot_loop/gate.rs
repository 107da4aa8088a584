//! Requests and replies that must not leave before their cause is durable in; the same out once it is.
//!
//! At the level `process` the gate stands open: an entry in the page cache survives what this level
//! is for. Otherwise new orders and the replies to commands wait here until the entry that caused
//! them is durable. Cancels and questions do not wait: repeating or losing one changes nothing, and
//! a cancel only lowers the risk. A cancel takes its own order out of here, so that it cannot leave
//! after it.

use super::machine::LoopError;
use crate::histogram::Histogram;
use engine::event::Purpose;
use journal::Commits;
use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use values::{ClientOrderId, Nanos, VenueId};

/// What waits.
pub(super) enum Held {
    /// A request, and since when its cause was there, if a market frame was it.
    Request { venue: VenueId, purpose: Purpose, bytes: Vec<u8>, start_ns: Option<Nanos> },
    /// A reply to a command.
    Reply { text: String, to: SyncSender<String> },
}

struct Waiting {
    seq: u64,
    since_ns: Nanos,
    held: Held,
}

/// The gate between the core's outputs and the sockets.
pub(super) struct Gate {
    commits: Option<Commits>,
    stall_ns: Nanos,
    waiting: VecDeque<Waiting>,
    spare: Vec<Vec<u8>>,
    durable_seq: u64,
    /// When the journal last got further, or had nothing to do.
    progress_ns: Nanos,
    is_stalled: bool,
    pub waits: Histogram,
}

impl Gate {
    /// A gate that never holds anything back.
    pub(super) fn open() -> Gate {
        Gate {
            commits: None,
            stall_ns: Nanos::MAX,
            waiting: VecDeque::new(),
            spare: Vec::new(),
            durable_seq: 0,
            progress_ns: 0,
            is_stalled: false,
            waits: Histogram::default(),
        }
    }

    /// A gate that opens for what `commits` has made durable; a journal that gets no further for
    /// `stall_ns` is stalled.
    pub(super) fn on(commits: Commits, stall_ns: Nanos) -> Gate {
        let waiting = VecDeque::with_capacity(64);
        Gate { commits: Some(commits), stall_ns, waiting, ..Gate::open() }
    }

    /// Whether a request must wait for its cause.
    #[inline]
    pub(super) fn holds(&self, purpose: Purpose) -> bool {
        self.commits.is_some() && matches!(purpose, Purpose::Place(_))
    }

    /// Keeps a request until `seq` is durable.
    pub(super) fn hold(
        &mut self,
        now_ns: Nanos,
        seq: u64,
        (venue, purpose): (VenueId, Purpose),
        bytes: &[u8],
        start_ns: Option<Nanos>,
    ) {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        self.push(now_ns, seq, Held::Request { venue, purpose, bytes: copy, start_ns });
    }

    /// Sends the reply, or keeps it until `seq` is durable: who is told "done" must be able to
    /// rely on it.
    pub(super) fn reply(&mut self, now_ns: Nanos, seq: u64, text: String, to: SyncSender<String>) {
        if self.commits.is_some() {
            self.push(now_ns, seq, Held::Reply { text, to });
        } else {
            // Whoever asked may have gone; the command stands.
            let _ = to.send(text);
        }
    }

    fn push(&mut self, now_ns: Nanos, seq: u64, held: Held) {
        self.waiting.push_back(Waiting { seq, since_ns: now_ns, held });
        self.want(seq);
    }

    /// Whether anything waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Asks for everything up to `seq` to be made durable.
    pub(super) fn want(&self, seq: u64) {
        if let Some(commits) = &self.commits {
            commits.wanted(seq);
        }
    }

    /// Takes out an order that waits: it is to be cancelled, so it never leaves.
    pub(super) fn withdraw(&mut self, id: ClientOrderId) -> bool {
        let is_it = |waiting: &Waiting| matches!(&waiting.held, Held::Request { purpose, .. } if *purpose == Purpose::Place(id));
        let at = self.waiting.iter().position(is_it);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }

    /// Takes out any order that waits; for a stalled journal, whose orders would leave too late.
    pub(super) fn withdraw_any(&mut self) -> Option<(VenueId, Purpose)> {
        let at = self.waiting.iter().position(|w| matches!(w.held, Held::Request { .. }))?;
        match self.waiting.remove(at)?.held {
            Held::Request { venue, purpose, .. } => Some((venue, purpose)),
            Held::Reply { .. } => None,
        }
    }

    /// Looks how far the journal is; true when it has just stalled.
    ///
    /// # Errors
    /// A sync failed: final, nothing may leave any more.
    pub(super) fn poll(&mut self, now_ns: Nanos) -> Result<bool, LoopError> {
        let Some(commits) = &self.commits else { return Ok(false) };
        let durable_seq = commits.durable_seq()?;
        if durable_seq > self.durable_seq || durable_seq >= commits.wanted_seq() {
            self.durable_seq = durable_seq;
            self.progress_ns = now_ns;
            self.is_stalled = false;
        }
        let is_stalled = now_ns - self.progress_ns > self.stall_ns;
        Ok(is_stalled && !core::mem::replace(&mut self.is_stalled, is_stalled))
    }

    /// The next that may leave.
    pub(super) fn next(&mut self, now_ns: Nanos) -> Option<Held> {
        self.waiting.front().filter(|waiting| waiting.seq <= self.durable_seq)?;
        let next = self.waiting.pop_front()?;
        self.waits.record(now_ns - next.since_ns);
        Some(next.held)
    }

    /// Takes a buffer back, to be used again.
    pub(super) fn give_back(&mut self, bytes: Vec<u8>) {
        self.spare.push(bytes);
    }

    /// Whether others may act on an entry.
    #[inline]
    pub(super) fn is_through(&self, seq: u64) -> bool {
        self.commits.is_none() || seq <= self.durable_seq
    }

    /// Everything up to here is durable; 0 while nothing was asked for.
    pub(super) fn durable_seq(&self) -> u64 {
        self.durable_seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::{Disk, Durability, Options, SystemDisk, Writer};
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use std::sync::mpsc::sync_channel;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    const STALL_NS: Nanos = 1_000_000_000;
    const WAIT: Duration = Duration::from_secs(20);

    fn id(number: u32) -> ClientOrderId {
        ClientOrderId { run: 1, number }
    }

    /// A disk that syncs only when it is let, and then well or not.
    #[derive(Debug, Default)]
    struct Slow {
        let_through: Mutex<Option<bool>>,
        changed: Condvar,
    }

    impl Slow {
        fn let_through(&self, is_good: bool) {
            *self.let_through.lock().unwrap() = Some(is_good);
            self.changed.notify_all();
        }
    }

    impl Disk for Slow {
        fn reserve(&self, file: &File, path: &Path, bytes: u64) -> io::Result<()> {
            SystemDisk.reserve(file, path, bytes)
        }

        fn sync_data(&self, _: &File, _: &Path) -> io::Result<()> {
            let guard = self.let_through.lock().unwrap();
            let (guard, _) = self
                .changed
                .wait_timeout_while(guard, WAIT, |let_through| let_through.is_none())
                .unwrap();
            if *guard == Some(true) { Ok(()) } else { Err(io::Error::from_raw_os_error(5)) }
        }

        fn sync_all(&self, _: &File, _: &Path) -> io::Result<()> {
            Ok(())
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            SystemDisk.rename(from, to)
        }

        fn sync_dir(&self, _: &Path) -> io::Result<()> {
            Ok(())
        }
    }

    struct Bench {
        gate: Gate,
        disk: &'static Slow,
        committed: std::sync::mpsc::Receiver<()>,
        _writer: Writer,
        _dir: tempfile::TempDir,
    }

    /// A gate on a journal of three entries.
    fn bench() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let disk: &'static Slow = Box::leak(Box::default());
        let options = Options { disk, ..Options::new(16 * 1024, Durability::Power) };
        let (mut writer, _) = Writer::open(dir.path(), options).unwrap();
        for _ in 0..3 {
            writer.append(0, 1, &[b"entry"]).unwrap();
        }
        let (tell, committed) = std::sync::mpsc::channel();
        let commits = writer.commits(move || tell.send(()).unwrap_or_default()).unwrap();
        Bench { gate: Gate::on(commits, STALL_NS), disk, committed, _writer: writer, _dir: dir }
    }

    fn hold(gate: &mut Gate, seq: u64, number: u32) {
        assert!(gate.holds(Purpose::Place(id(number))));
        gate.hold(0, seq, (VenueId(0), Purpose::Place(id(number))), b"POST", None);
    }

    #[test]
    fn order_leaves_only_when_its_entry_is_durable_and_a_cancel_never_waits() {
        let Bench { mut gate, disk, committed, .. } = bench();
        assert!(!gate.holds(Purpose::Cancel(id(1))));
        assert!(!gate.holds(Purpose::QueryOrder(id(1))));
        hold(&mut gate, 3, 1);
        let (to, replies) = sync_channel(1);
        gate.reply(0, 3, "done".to_owned(), to);
        assert!(!gate.poll(1).unwrap());
        assert!(gate.next(1).is_none(), "the disk has nothing yet");
        assert!(replies.try_recv().is_err());
        disk.let_through(true);
        committed.recv_timeout(WAIT).unwrap();
        assert!(!gate.poll(2).unwrap());
        assert!(matches!(gate.next(2), Some(Held::Request { purpose, .. })
            if purpose == Purpose::Place(id(1))));
        assert!(matches!(gate.next(2), Some(Held::Reply { .. })));
        assert_eq!(gate.durable_seq(), 3);
    }

    #[test]
    fn cancelled_order_never_leaves() {
        let Bench { mut gate, disk, committed, .. } = bench();
        hold(&mut gate, 3, 1);
        hold(&mut gate, 3, 2);
        assert!(gate.withdraw(id(1)) && !gate.withdraw(id(1)));
        disk.let_through(true);
        committed.recv_timeout(WAIT).unwrap();
        gate.poll(2).unwrap();
        assert!(matches!(gate.next(2), Some(Held::Request { purpose, .. })
            if purpose == Purpose::Place(id(2))));
        assert!(gate.next(2).is_none());
    }

    #[test]
    fn journal_without_progress_is_stalled_once_until_it_gets_further() {
        let Bench { mut gate, disk, committed, .. } = bench();
        assert!(!gate.poll(0).unwrap());
        hold(&mut gate, 3, 1);
        assert!(!gate.poll(STALL_NS).unwrap());
        assert!(gate.poll(STALL_NS + 1).unwrap());
        assert!(!gate.poll(STALL_NS + 2).unwrap(), "told once");
        assert_eq!(gate.withdraw_any(), Some((VenueId(0), Purpose::Place(id(1)))));
        assert_eq!(gate.withdraw_any(), None);
        disk.let_through(true);
        committed.recv_timeout(WAIT).unwrap();
        assert!(!gate.poll(9 * STALL_NS).unwrap());
    }

    #[test]
    fn failed_sync_lets_nothing_through_ever() {
        let Bench { mut gate, disk, committed, .. } = bench();
        hold(&mut gate, 3, 1);
        disk.let_through(false);
        committed.recv_timeout(WAIT).unwrap();
        for now_ns in 1..3 {
            let error = gate.poll(now_ns).unwrap_err().to_string();
            assert!(error.contains("trading stopped"), "{error}");
            assert!(gate.next(now_ns).is_none());
        }
    }
}
