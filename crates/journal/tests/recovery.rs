//! Journals that were cut, flipped, torn or killed in; out of each comes the exact beginning of
//! what was written, or a refusal.

use std::fs;
use std::path::{Path, PathBuf};

use journal::{Durability, JournalError, Options, Reader, SEGMENT_HEADER, Writer};
use proptest::prelude::*;

const SEGMENT: usize = 4096;
const OPTIONS: Options = Options::new(SEGMENT, Durability::Process);

type Content = Vec<(u64, i64, u16, Vec<u8>)>;

fn payload(number: u64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (number as usize * 31 + at * 7) as u8 | 1).collect()
}

/// Appends entries of these payload sizes and returns what was written.
fn write(dir: &Path, sizes: &[usize]) -> Content {
    let (mut writer, recovery) = Writer::open(dir, OPTIONS).unwrap();
    let mut content = Content::new();
    for (index, bytes) in sizes.iter().enumerate() {
        let number = recovery.last_seq + 1 + index as u64;
        let payload = payload(number, *bytes);
        let (head, tail) = payload.split_at(bytes / 2);
        let ts_ns = number as i64 * 1_000;
        assert_eq!(writer.append(ts_ns, number as u16, &[head, tail]).unwrap(), number);
        content.push((number, ts_ns, number as u16, payload));
    }
    content
}

fn read(dir: &Path) -> Result<Content, JournalError> {
    let mut reader = Reader::open(dir)?;
    let mut content = Content::new();
    while let Some(entry) = reader.next()? {
        content.push((entry.seq, entry.ts_ns, entry.kind, entry.payload.to_vec()));
    }
    reader.check_end()?;
    Ok(content)
}

/// Opens for writing (which cuts a torn tail) and reads all.
fn recover(dir: &Path) -> Result<Content, JournalError> {
    drop(Writer::open(dir, OPTIONS)?);
    read(dir)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .collect();
    found.sort();
    found
}

/// A fresh copy of the segments with one file's bytes replaced.
fn copy_with(from: &Path, changed: &Path, bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for path in segments(from) {
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    fs::write(dir.path().join(changed.file_name().unwrap()), bytes).unwrap();
    dir
}

fn entry_bytes(payload: usize) -> usize {
    (journal::ENTRY_OVERHEAD + payload).next_multiple_of(8)
}

#[test]
fn entries_come_back_as_written_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let sizes: Vec<usize> = (0..100).map(|index| index * 37 % 500).collect();
    let written = write(dir.path(), &sizes);
    assert!(segments(dir.path()).len() > 5);
    assert_eq!(read(dir.path()).unwrap(), written);
    for first in 1..=101 {
        let mut reader = Reader::from(dir.path(), first).unwrap();
        assert_eq!(reader.next().unwrap().map(|entry| entry.seq), (first <= 100).then_some(first));
    }
    assert!(Reader::from(dir.path(), 102).is_err());
}

#[test]
fn entry_that_ends_with_the_segment_is_followed_by_the_next_segment() {
    let dir = tempfile::tempdir().unwrap();
    let exact = SEGMENT - SEGMENT_HEADER - journal::ENTRY_OVERHEAD;
    let written = write(dir.path(), &[exact, exact, 0, exact - 64, exact - 65, 1]);
    assert_eq!(recover(dir.path()).unwrap(), written);
    let (mut writer, _) = Writer::open(dir.path(), OPTIONS).unwrap();
    let error = writer.append(0, 0, &[&vec![0; exact + 1]]).unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { limit, .. } if limit == exact));
    assert_eq!(writer.append(0, 0, &[b"goes on"]).unwrap(), 7);
}

/// A power cut may leave any beginning of the entry, its size included; a killed process leaves
/// anything but the size. Each beginning must give back all entries before it.
#[test]
fn writer_stopped_at_every_byte_of_an_entry_keeps_all_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &[5, 40, 0, 61]);
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let begin = SEGMENT_HEADER + entry_bytes(5) + entry_bytes(40) + entry_bytes(0);
    for stopped in 0..=entry_bytes(61) {
        for size_last in [false, true] {
            let mut bytes = whole.clone();
            bytes[begin + stopped..].fill(0);
            if size_last {
                bytes[begin..begin + 4.min(stopped)].fill(0);
            }
            let copy = copy_with(dir.path(), &path, &bytes);
            let is_whole = stopped >= entry_bytes(61) - 3 && !size_last;
            let expected = if is_whole { &written[..] } else { &written[..3] };
            assert_eq!(recover(copy.path()).unwrap(), expected, "stopped at byte {stopped}");
            let (mut writer, recovery) = Writer::open(copy.path(), OPTIONS).unwrap();
            assert_eq!(recovery.cut, None, "the first opening has cut it");
            writer.append(9, 9, &[b"next"]).unwrap();
            drop(writer);
            let after = read(copy.path()).unwrap();
            assert_eq!(after[..after.len() - 1], *expected);
            assert_eq!(after.last().unwrap().3, b"next");
        }
    }
}

/// Flips these bits of every segment, one at a time; how many flips cut the last entry.
fn flip_each(sizes: &[usize], bits_of_byte: impl Fn(usize) -> Vec<u8>) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), sizes);
    let paths = segments(dir.path());
    let copy = copy_with(dir.path(), &paths[0], &fs::read(&paths[0]).unwrap());
    let (mut refused, mut cut) = (0, 0);
    for path in &paths {
        let good = fs::read(path).unwrap();
        let flipped = copy.path().join(path.file_name().unwrap());
        for at in 0..good.len() {
            for bit in bits_of_byte(at) {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                fs::write(&flipped, &bytes).unwrap();
                let place = format!("bit {bit} of byte {at} in {}", path.display());
                match recover(copy.path()) {
                    Err(JournalError::Damaged { .. }) => refused += 1,
                    Err(other) => panic!("{place}: {other}"),
                    Ok(content) if content == written => {}
                    Ok(content) => {
                        assert_eq!(content, written[..written.len() - 1], "{place}");
                        assert_eq!(path, paths.last().unwrap(), "{place}: cut, not the tail");
                        cut += 1;
                    }
                }
            }
        }
        fs::write(&flipped, &good).unwrap();
    }
    assert!(refused > 0);
    cut
}

#[test]
fn every_bit_flip_gives_the_exact_beginning_or_a_refusal() {
    let used = SEGMENT_HEADER + [0, 3, 61, 9].map(entry_bytes).iter().sum::<usize>();
    let bits = |at: usize| if at < used { (0..8).collect() } else { vec![at as u8 % 8] };
    let cut = flip_each(&[0, 3, 61, 9], bits);
    assert_eq!(cut, entry_bytes(9) * 8, "each bit of the last entry, and no other");
}

#[test]
fn flip_in_every_byte_of_two_segments_gives_the_exact_beginning_or_a_refusal() {
    let cut = flip_each(&[0, 3, 900, 900, 1000, 700, 200, 9], |at| vec![at as u8 % 8]);
    assert_eq!(cut, entry_bytes(9), "each byte of the last entry, and no other");
}

#[test]
fn every_truncation_gives_the_exact_beginning_or_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &[0, 3, 900, 900, 1000, 700, 200, 9]);
    for path in segments(dir.path()) {
        let last = path == *segments(dir.path()).last().unwrap();
        let good = fs::read(&path).unwrap();
        for length in 0..good.len() {
            let copy = copy_with(dir.path(), &path, &good[..length]);
            match recover(copy.path()) {
                Err(JournalError::Damaged { .. }) => assert!(!last, "length {length}"),
                Err(other) => panic!("length {length}: {other}"),
                Ok(content) => {
                    assert!(last || content.len() == written.len(), "length {length}");
                    assert_eq!(content, written[..content.len()], "length {length}");
                }
            }
        }
    }
}

#[test]
fn damage_in_the_middle_names_segment_entry_and_byte() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[10, 10, 10]);
    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[SEGMENT_HEADER + entry_bytes(10) + 70] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let Err(error) = Writer::open(dir.path(), OPTIONS) else { panic!("opened") };
    let JournalError::Damaged { segment, seq, offset, .. } = &error else { panic!("{error}") };
    assert_eq!((segment, *seq), (&path, 2));
    assert_eq!(*offset, (SEGMENT_HEADER + entry_bytes(10)) as u64);
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn missing_or_swapped_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[1800; 8]);
    let paths = segments(dir.path());
    let hidden = dir.path().join("hidden");
    fs::rename(&paths[1], &hidden).unwrap();
    assert!(matches!(read(dir.path()), Err(JournalError::Damaged { seq: 3, .. })));
    fs::copy(&paths[2], &paths[1]).unwrap();
    assert!(matches!(read(dir.path()), Err(JournalError::Damaged { seq: 3, .. })));
    fs::rename(&hidden, &paths[1]).unwrap();
    assert_eq!(read(dir.path()).unwrap().len(), 8);
}

#[test]
fn segments_made_ahead_are_used_and_the_unused_one_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 4 * 1024 * 1024, ..OPTIONS };
    for life in 1..=3_u64 {
        let (mut writer, _) = Writer::open(dir.path(), options).unwrap();
        for _ in 0..6_000 {
            let number = writer.last_seq() + 1;
            writer.append(0, 0, &[&payload(number, 1_000)]).unwrap();
        }
        drop(writer);
        let content = read(dir.path()).unwrap();
        assert_eq!(content.len() as u64, life * 6_000);
        assert!(content.iter().all(|(seq, _, _, bytes)| *bytes == payload(*seq, 1_000)));
        assert!(!dir.path().join("next.unfinished").exists());
    }
    assert_eq!(segments(dir.path()).len(), 5);
}

#[test]
fn second_writer_is_refused_with_the_first_ones_pid() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::open(dir.path(), OPTIONS).unwrap();
    let Err(error) = Writer::open(dir.path(), OPTIONS) else { panic!("two writers") };
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    Writer::open(dir.path(), OPTIONS).unwrap();
}

#[test]
fn reader_beside_a_live_writer_sees_each_entry_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _) = Writer::open(dir.path(), OPTIONS).unwrap();
    let mut reader = Reader::open(dir.path()).unwrap();
    let appending = std::thread::spawn(move || {
        for number in 1..=20_000_u64 {
            writer.append(0, 0, &[&payload(number, number as usize % 300)]).unwrap();
        }
    });
    let mut seen = 0;
    while seen < 20_000 {
        if let Some(entry) = reader.next().unwrap() {
            seen += 1;
            assert_eq!(entry.seq, seen);
            assert_eq!(entry.payload, payload(seen, seen as usize % 300));
        }
    }
    appending.join().unwrap();
    assert_eq!(reader.next().unwrap(), None);
}

#[test]
fn power_durability_syncs_over_rotations_and_reopens() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Power, ..OPTIONS };
    let (mut writer, _) = Writer::open(dir.path(), options).unwrap();
    for number in 1..=10 {
        assert_eq!(writer.append(0, 0, &[&[1; 900]]).unwrap(), number);
        writer.sync().unwrap();
    }
    drop(writer);
    assert_eq!(Writer::open(dir.path(), options).unwrap().1.last_seq, 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn appending_and_reopening_in_any_pattern_reads_back_the_same(
        lives in prop::collection::vec(prop::collection::vec(0_usize..1200, 0..12), 1..6),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut written = Content::new();
        for sizes in &lives {
            written.extend(write(dir.path(), sizes));
            // What a power cut may leave behind the last entry, unless it looks like one.
            let path = segments(dir.path()).pop().unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let tail = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 8 * 8 + 8;
            let room = garbage.len().min(bytes.len().saturating_sub(tail));
            if tail < bytes.len() {
                bytes[tail..tail + room].copy_from_slice(&garbage[..room]);
                fs::write(&path, bytes).unwrap();
            }
            prop_assert_eq!(&recover(dir.path()).unwrap(), &written);
        }
    }
}
