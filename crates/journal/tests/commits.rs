//! Group commit: what counts as durable, when the disk refuses, and when a standby must have it too.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use journal::{Commits, Disk, Durability, JournalError, Options, Reader, SystemDisk, Writer};

const WAIT: Duration = Duration::from_secs(20);

/// Counts syncs, and refuses from a given one on.
#[derive(Debug)]
struct Counting {
    syncs: AtomicU64,
    refuse_from: u64,
}

impl Counting {
    fn leaked(refuse_from: u64) -> &'static Self {
        Box::leak(Box::new(Self { syncs: AtomicU64::new(0), refuse_from }))
    }
}

impl Disk for Counting {
    fn reserve(&self, file: &File, path: &Path, bytes: u64) -> io::Result<()> {
        SystemDisk.reserve(file, path, bytes)
    }

    fn sync_data(&self, file: &File, path: &Path) -> io::Result<()> {
        if self.syncs.fetch_add(1, Ordering::SeqCst) + 1 >= self.refuse_from {
            return Err(io::Error::from_raw_os_error(5));
        }
        SystemDisk.sync_data(file, path)
    }

    fn sync_all(&self, file: &File, path: &Path) -> io::Result<()> {
        SystemDisk.sync_all(file, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.sync_dir(dir)
    }
}

/// A writer at power level, its committer, and a wait for the next sync.
fn open(dir: &Path, disk: &'static dyn Disk) -> (Writer, Commits, impl Fn()) {
    let options = Options { disk, ..Options::new(16 * 1024, Durability::Power) };
    let (writer, _) = Writer::open(dir, options).unwrap();
    let (told, heard) = channel();
    let commits = writer.commits(move || told.send(()).unwrap_or_default()).unwrap();
    (writer, commits, move || heard.recv_timeout(WAIT).expect("a sync in time"))
}

#[test]
fn burst_is_durable_with_fewer_syncs_than_entries_over_rotations_too() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Counting::leaked(u64::MAX);
    let (mut writer, commits, wait) = open(dir.path(), disk);
    assert_eq!(commits.durable_seq().unwrap(), 0);
    for _ in 0..2_000 {
        let seq = writer.append(0, 1, &[&[7; 200]]).unwrap();
        commits.wanted(seq);
    }
    while commits.durable_seq().unwrap() < 2_000 {
        wait();
    }
    assert!(disk.syncs.load(Ordering::SeqCst) < 1_500, "{disk:?}");
    drop((commits, writer));
    let mut reader = Reader::open(dir.path()).unwrap();
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.last_seq(), 2_000);
}

#[test]
fn failed_sync_is_final_for_committer_and_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, commits, wait) = open(dir.path(), Counting::leaked(2));
    let first = writer.append(0, 1, &[b"kept"]).unwrap();
    commits.wanted(first);
    wait();
    assert_eq!(commits.durable_seq().unwrap(), first);
    let second = writer.append(0, 1, &[b"lost?"]).unwrap();
    commits.wanted(second);
    wait();
    for _ in 0..2 {
        let error = commits.durable_seq().unwrap_err();
        assert!(matches!(error, JournalError::Io { doing: "sync", .. }), "{error}");
        commits.wanted(second + 1);
    }
    assert!(matches!(writer.sync(), Err(JournalError::Poisoned)));
    assert!(matches!(writer.append(0, 1, &[b"no"]), Err(JournalError::Poisoned)));
}

/// A follower that reads the journal beside the writer and acknowledges what it holds.
#[test]
fn entry_counts_as_durable_only_when_the_standby_has_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, commits, wait) = open(dir.path(), &SystemDisk);
    let standby = commits.ask_standby();
    let (go, may_go) = channel::<()>();
    let folder = dir.path().to_path_buf();
    let follower = std::thread::spawn(move || {
        let mut reader = Reader::open(&folder).unwrap();
        may_go.recv_timeout(WAIT).unwrap();
        while reader.last_seq() < 3 {
            if reader.next().unwrap().is_some() {
                standby.acknowledge(reader.last_seq());
            }
        }
    });
    for _ in 0..3 {
        writer.append(0, 1, &[b"entry"]).unwrap();
    }
    commits.wanted(3);
    wait();
    assert_eq!(commits.durable_seq().unwrap(), 0, "on the disk, but the standby has nothing");
    go.send(()).unwrap();
    follower.join().unwrap();
    assert_eq!(commits.durable_seq().unwrap(), 3);
}
