//! Whole, shortened and damaged journals in; a verdict on all of it out.

use std::fs;
use std::path::{Path, PathBuf};

use journal::retain::{self, Keep};
use journal::{Durability, JournalError, Options, Reader, SystemDisk, Writer, snapshot, verify};

const SEGMENT: usize = 4096;
const OPTIONS: Options = Options::new(SEGMENT, Durability::Process);
/// Entries that fit into one segment: (4096 - 64) / (64 + 104).
const PER_SEGMENT: u64 = 24;

/// Appends entries up to number `last`, with snapshots of these; the text of entry 1 is `first`.
fn write(dir: &Path, last: u64, snapshots: &[u64], first: u8) {
    let (mut writer, recovery) = Writer::open(dir, OPTIONS).unwrap();
    for number in recovery.last_seq + 1..=last {
        let byte = if number == 1 { first } else { number as u8 };
        let seq = writer.append(number as i64 * 1_000, 7, &[&[byte; 104]]).unwrap();
        if snapshots.contains(&seq) {
            snapshot::write(dir, seq, &writer.chain(), b"state").unwrap();
        }
    }
}

fn segment(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.journal"))
}

fn read(mut reader: Reader) -> Result<Vec<u64>, JournalError> {
    let mut seqs = Vec::new();
    while let Some(entry) = reader.next()? {
        assert_eq!(entry.payload, [entry.seq as u8; 104]);
        seqs.push(entry.seq);
    }
    reader.check_end()?;
    Ok(seqs)
}

fn prune(dir: &Path, segments: u64) -> retain::Pruned {
    let keep = Keep { bytes: Some(segments * SEGMENT as u64), since_ns: None };
    retain::prune(dir, &SystemDisk, keep).unwrap()
}

fn damage_of(dir: &Path) -> (String, u64) {
    match verify(dir, |_| true) {
        Err(JournalError::Damaged { segment, seq, .. }) => {
            (segment.file_name().unwrap().to_str().unwrap().to_owned(), seq)
        }
        other => panic!("expected damage, found {other:?}"),
    }
}

#[test]
fn pruned_journal_begins_at_its_anchor_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10 * PER_SEGMENT, &[100, 150, 200], 1);
    let before = verify(dir.path(), |_| true).unwrap().unwrap();
    let pruned = prune(dir.path(), 8);
    assert_eq!((pruned.segments, pruned.bytes, pruned.first_seq), (2, 2 * SEGMENT as u64, 49));
    let after = verify(dir.path(), |_| true).unwrap().unwrap();
    assert_eq!((after.first_seq, after.last_seq, after.snapshots), (49, 240, 3));
    assert_eq!(after.chain, before.chain);
    assert!(after.problems.is_empty() && after.torn.is_none());
    assert_eq!(read(Reader::open(dir.path()).unwrap()).unwrap(), (49..=240).collect::<Vec<_>>());
    // It goes on as ever.
    write(dir.path(), 250, &[], 1);
    assert_eq!(verify(dir.path(), |_| true).unwrap().unwrap().last_seq, 250);
    assert!(Reader::from(dir.path(), 48).is_err());
}

#[test]
fn nothing_after_the_oldest_snapshot_goes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10 * PER_SEGMENT, &[], 1);
    assert_eq!(prune(dir.path(), 1).segments, 0, "no snapshot: all is needed");
    let mut reader = Reader::open(dir.path()).unwrap();
    while reader.last_seq() < 96 {
        reader.next().unwrap();
    }
    snapshot::write(dir.path(), 96, &reader.chain(), b"state").unwrap();
    assert_eq!(prune(dir.path(), 1).first_seq, 97, "entry 97 is the first that is not in it");
    assert_eq!(Reader::from(dir.path(), 97).unwrap().chain(), reader.chain());
    assert_eq!(prune(dir.path(), 1).segments, 0);
}

#[test]
fn segments_older_than_the_limit_go() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10 * PER_SEGMENT, &[240], 1);
    let keep = |since_ns| Keep { bytes: None, since_ns: Some(since_ns) };
    let pruned = |since_ns| retain::prune(dir.path(), &SystemDisk, keep(since_ns)).unwrap();
    assert_eq!(pruned(49_000).first_seq, 25, "entry 49 may be as old as the end of segment 2");
    assert_eq!(pruned(49_001).first_seq, 49);
    assert_eq!(pruned(i64::MAX - 1).first_seq, 217, "the segment being written stays");
}

#[test]
fn crash_in_a_prune_leaves_a_good_journal_and_the_next_prune_finishes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10 * PER_SEGMENT, &[240], 1);
    let oldest = fs::read(segment(dir.path(), 25)).unwrap();
    assert_eq!(prune(dir.path(), 5).first_seq, 121);
    fs::write(segment(dir.path(), 25), oldest).unwrap();
    assert_eq!(verify(dir.path(), |_| true).unwrap().unwrap().first_seq, 121);
    write(dir.path(), 241, &[], 1);
    assert_eq!(prune(dir.path(), 100).segments, 0);
    assert!(!segment(dir.path(), 25).exists());
}

#[test]
fn missing_segment_is_named_wherever_it_was() {
    for (pruned_to, missing) in [(1, 1), (1, 97), (121, 121), (121, 193)] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 10 * PER_SEGMENT, &[240], 1);
        prune(dir.path(), if pruned_to == 1 { 10 } else { 5 });
        fs::remove_file(segment(dir.path(), missing)).unwrap();
        // In the middle, the end of the segment before is the place where the entry is missing.
        assert_eq!(damage_of(dir.path()).1, missing, "missing {missing}");
        if missing == pruned_to {
            let opened = Writer::open(dir.path(), OPTIONS);
            assert!(matches!(opened, Err(JournalError::Damaged { seq, .. }) if seq == missing));
        }
    }
}

#[test]
fn flipped_byte_is_located() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 5 * PER_SEGMENT, &[120], 1);
    let path = segment(dir.path(), 49);
    let good = fs::read(&path).unwrap();
    for at in (0..64 + PER_SEGMENT as usize * 168).step_by(13) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let expected = 49 + at.saturating_sub(64) as u64 / 168;
        let (name, seq) = damage_of(dir.path());
        assert_eq!((name, seq), (format!("{:020}.journal", 49), expected), "flip at {at}");
    }
}

#[test]
fn flipped_anchor_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10 * PER_SEGMENT, &[240], 1);
    prune(dir.path(), 5);
    let good = fs::read(dir.path().join("anchor")).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(dir.path().join("anchor"), &bad).unwrap();
        assert!(verify(dir.path(), |_| true).is_err(), "flip at {at}");
    }
    fs::remove_file(dir.path().join("anchor")).unwrap();
    assert_eq!(damage_of(dir.path()).1, 1, "without it, the journal began with entry 1");
}

#[test]
fn cut_end_is_told_by_the_snapshot_of_it() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 5 * PER_SEGMENT, &[60, 120], 1);
    fs::remove_file(segment(dir.path(), 97)).unwrap();
    let verified = verify(dir.path(), |_| true).unwrap().unwrap();
    assert_eq!((verified.last_seq, verified.snapshots), (96, 1));
    assert_eq!(verified.problems.len(), 1);
    assert!(verified.problems[0].contains("snapshot of entry 120: its end is missing"));
}

#[test]
fn half_written_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 100, &[], 1);
    let path = segment(dir.path(), 97);
    let mut bytes = fs::read(&path).unwrap();
    bytes[64 + 3 * 168 + 70] ^= 1;
    fs::write(&path, bytes).unwrap();
    let verified = verify(dir.path(), |_| true).unwrap().unwrap();
    assert_eq!((verified.last_seq, verified.torn.unwrap().seq), (99, 100));
}

#[test]
fn bad_and_foreign_snapshots_are_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 50, &[20], 1);
    snapshot::write(dir.path(), 30, &[3; 32], b"of another").unwrap();
    snapshot::write(dir.path(), 40, &[4; 32], b"bad").unwrap();
    fs::write(dir.path().join(format!("{:020}.snapshot", 40)), b"too short").unwrap();
    let verified = verify(dir.path(), |_| true).unwrap().unwrap();
    assert_eq!(verified.snapshots, 1);
    let expected = ["snapshot 30 is of another journal", "snapshot 40 is damaged"];
    assert_eq!(verified.problems, expected);
}

#[test]
fn replaced_entry_with_a_good_checksum_breaks_the_chain_on_the_second_thread_too() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(dir.path(), 300 * PER_SEGMENT, &[], 1);
    write(other.path(), 30 * PER_SEGMENT, &[], 99);
    // Entry 601 begins segment 26 and has the same bytes in both, but another chain.
    let (path, at) = (segment(dir.path(), 601), 64);
    let (mut bytes, forged) =
        (fs::read(&path).unwrap(), fs::read(segment(other.path(), 601)).unwrap());
    bytes[at..at + 168].copy_from_slice(&forged[at..at + 168]);
    fs::write(&path, bytes).unwrap();
    let refused = |read: Result<Vec<u64>, JournalError>| match read {
        Err(JournalError::Damaged { segment, seq, offset, found, .. }) => {
            (segment, seq, offset, found.starts_with("chain "))
        }
        other => panic!("expected damage, found {other:?}"),
    };
    let inline = refused(read(Reader::open(dir.path()).unwrap()));
    assert_eq!(inline, (path, 601, 64, true));
    let beside = Reader::open(dir.path()).unwrap().linked_beside().unwrap();
    assert_eq!(refused(read(beside)), inline);
}

#[test]
fn reader_with_a_second_thread_follows_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = Reader::open(dir.path()).unwrap().linked_beside().unwrap();
    let mut last = 0;
    for end in [0, 1, 30, 30, 500, 10_000] {
        write(dir.path(), end, &[], 1);
        while let Some(entry) = reader.next().unwrap() {
            last += 1;
            assert_eq!(entry.seq, last);
        }
        assert_eq!(last, end);
    }
}
