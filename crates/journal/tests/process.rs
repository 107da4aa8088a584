//! Writers that are processes of their own, and disks that are full. These tests start processes; a
//! process between fork and exec holds copies of all locks, so no other journal test lives here, and
//! these run one at a time.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use journal::{Durability, JournalError, Options, Reader, Writer};

const OPTIONS: Options = Options::new(4096, Durability::Process);

static ALONE: Mutex<()> = Mutex::new(());

fn payload(number: u64) -> Vec<u8> {
    vec![number as u8; number as usize % 1500]
}

/// Checks every entry's bytes; the last one's number.
fn read(dir: &Path) -> u64 {
    let mut reader = Reader::open(dir).unwrap();
    while let Some(entry) = reader.next().unwrap() {
        assert_eq!(entry.payload, payload(entry.seq));
    }
    reader.check_end().unwrap();
    reader.last_seq()
}

/// Not a test by itself: the process that the next test kills. Says each number once it is
/// acknowledged.
#[test]
#[ignore = "run as a child by killed_writer_has_all_that_it_acknowledged"]
fn child_that_appends_until_killed() {
    let Some(dir) = std::env::var_os("PRUNELLA_TEST_JOURNAL") else { return };
    let (mut writer, recovery) = Writer::open(Path::new(&dir), OPTIONS).unwrap();
    let mut acknowledged = fs::OpenOptions::new().write(true).open("/dev/stderr").unwrap();
    for number in recovery.last_seq + 1.. {
        let seq = writer.append(0, 0, &[&payload(number)]).unwrap();
        acknowledged.write_all(&seq.to_le_bytes()).unwrap();
    }
}

#[test]
fn killed_writer_has_all_that_it_acknowledged() {
    let _alone = ALONE.lock();
    let dir = tempfile::tempdir().unwrap();
    for life in 1..=25 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child_that_appends_until_killed", "--nocapture"])
            .env("PRUNELLA_TEST_JOURNAL", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledgements = child.stderr.take().unwrap();
        let mut buffer = [0; 8];
        for _ in 0..life * 13 {
            acknowledgements.read_exact(&mut buffer).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while acknowledgements.read_exact(&mut buffer).is_ok() {}
        let acknowledged = u64::from_le_bytes(buffer);
        drop(Writer::open(dir.path(), OPTIONS).unwrap());
        let last = read(dir.path());
        assert!((acknowledged..=acknowledged + 1).contains(&last), "{last}, {acknowledged}");
    }
}

/// Needs the right to mount a small file system; says so where it has none.
#[test]
fn full_disk_gives_an_error_and_appending_goes_on_when_there_is_room() {
    let _alone = ALONE.lock();
    let dir = tempfile::tempdir().unwrap();
    let mount = |verb: &str, args: &[&str]| {
        let done = Command::new(verb).args(args).arg(dir.path()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=24k", "tmpfs"]) {
        eprintln!("skipped: no right to mount a tmpfs here");
        return;
    }
    let filler = dir.path().join("filler");
    let result = std::panic::catch_unwind(|| {
        let (mut writer, _) = Writer::open(dir.path(), OPTIONS).unwrap();
        fs::write(&filler, [1; 4096]).unwrap();
        let error = loop {
            if let Err(error) = writer.append(0, 0, &[&payload(writer.last_seq() + 1)]) {
                break error;
            }
        };
        assert!(matches!(error, JournalError::NoSpace { .. }), "{error}");
        let last = writer.last_seq();
        fs::remove_file(&filler).unwrap();
        assert_eq!(writer.append(0, 0, &[&payload(last + 1)]).unwrap(), last + 1);
        assert_eq!(read(dir.path()), last + 1);
    });
    assert!(mount("umount", &[]));
    result.unwrap();
}
