//! A folder in (default: the present one); microseconds until one 200-byte entry is on the disk out,
//! for every way of writing that this machine has.
//!
//! `cargo run --release -p prunella-journal --example durability_speed -- [FOLDER [samples]]`
//!
//! With `samples`: one round, and each row as its name, a tab and all durations in nanoseconds.
//!
//! The first rows write to a file of one segment, entry after entry, each made durable before the
//! next, as a decision that waits would be. The last rows are the journal's own group commit under
//! a load: how long an appended entry waits until it is durable.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, squeue, types};
use journal::{Durability, Options, Writer};
use memmap2::MmapMut;

const ENTRY: usize = 264;
const ENTRIES: usize = 3_000;
const FILE_BYTES: usize = 16 * 1024 * 1024;

/// A file of full length; `zeroed` writes each block, otherwise they are only reserved.
fn prepared(path: &Path, zeroed: bool, flags: i32) -> File {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(flags)
        .open(path)
        .expect("open");
    if zeroed {
        let zeros = vec![0; 1024 * 1024];
        for _ in 0..FILE_BYTES / zeros.len() {
            file.write_all(&zeros).expect("write");
        }
    } else {
        // SAFETY: a plain system call on a descriptor that we own.
        assert_eq!(unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, FILE_BYTES as i64) }, 0);
    }
    file.sync_all().expect("sync");
    file
}

fn timed(mut once: impl FnMut(usize)) -> Vec<u64> {
    let each = |number| {
        let begun = Instant::now();
        once(number * ENTRY);
        begun.elapsed().as_nanos() as u64
    };
    (0..ENTRIES).map(each).collect()
}

fn mapped(path: &Path, zeroed: bool) -> Vec<u64> {
    let file = prepared(path, zeroed, 0);
    // SAFETY: nobody else has the file.
    let mut map = unsafe { MmapMut::map_mut(&file) }.expect("map");
    timed(|at| {
        map[at..at + ENTRY].fill(7);
        file.sync_data().expect("sync");
    })
}

fn written(path: &Path, flags: i32) -> Vec<u64> {
    let file = prepared(path, true, flags);
    timed(|at| {
        file.write_all_at(&[7; ENTRY], at as u64).expect("write");
        if flags == 0 {
            file.sync_data().expect("sync");
        }
    })
}

/// Write and fdatasync as one linked submission.
fn ringed(path: &Path) -> std::io::Result<Vec<u64>> {
    let mut ring = IoUring::new(8)?;
    let file = prepared(path, true, 0);
    let fd = types::Fd(file.as_raw_fd());
    let entry = [7_u8; ENTRY];
    Ok(timed(|at| {
        let write = opcode::Write::new(fd, entry.as_ptr(), ENTRY as u32).offset(at as u64).build();
        let sync = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build();
        // SAFETY: the entry and the file outlive the wait below.
        unsafe {
            let mut queue = ring.submission();
            queue.push(&write.flags(squeue::Flags::IO_LINK)).expect("room");
            queue.push(&sync).expect("room");
        }
        ring.submit_and_wait(2).expect("submit");
        for done in ring.completion() {
            assert!(done.result() >= 0, "{}", done.result());
        }
    }))
}

/// The journal itself: appends at a steady rate, and when each was seen durable.
fn grouped(dir: &Path, per_second: u64) -> (Vec<u64>, Vec<u64>) {
    let options = Options::new(FILE_BYTES, Durability::Power);
    let (mut writer, _) = Writer::open(dir, options).expect("open");
    let commits = writer.commits(|| {}).expect("a thread");
    let (mut appends, mut waits) = (Vec::new(), Vec::new());
    let mut pending: VecDeque<(u64, Instant)> = VecDeque::new();
    let gap = Duration::from_nanos(1_000_000_000 / per_second);
    let (begun, total) = (Instant::now(), (per_second * 3).min(60_000));
    let mut next = begun;
    while waits.len() < total as usize {
        if appends.len() < total as usize && Instant::now() >= next {
            next += gap;
            let start = Instant::now();
            let seq = writer.append(0, 1, &[&[7; 200]]).expect("append");
            appends.push(start.elapsed().as_nanos() as u64);
            commits.wanted(seq);
            pending.push_back((seq, start));
        }
        let durable = commits.durable_seq().expect("the disk works");
        while pending.front().is_some_and(|(seq, _)| *seq <= durable) {
            let (_, start) = pending.pop_front().expect("seen above");
            waits.push(start.elapsed().as_nanos() as u64);
        }
        std::hint::spin_loop();
    }
    (appends, waits)
}

fn show(name: &str, mut durations: Vec<u64>) {
    if wants_samples() {
        let each: Vec<String> = durations.iter().map(u64::to_string).collect();
        println!("{name}\t{}", each.join(","));
        return;
    }
    durations.sort_unstable();
    let at = |share: f64| durations[((durations.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "{name:<46} p50 {:>8.1}   p99 {:>8.1}   p99.9 {:>8.1}   max {:>9.1} µs",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

fn wants_samples() -> bool {
    std::env::args().nth(2).as_deref() == Some("samples")
}

fn main() {
    let parent = std::env::args().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let path = parent.join("durability_speed.file");
    for round in 1..=if wants_samples() { 1 } else { 2 } {
        if !wants_samples() {
            println!("round {round}, {ENTRIES} entries of {ENTRY} B one by one:");
        }
        show("mmap, reserved blocks, fdatasync", mapped(&path, false));
        show("mmap, zeroed blocks, fdatasync", mapped(&path, true));
        show("pwrite, zeroed blocks, fdatasync", written(&path, 0));
        show("pwrite, zeroed blocks, O_DSYNC", written(&path, libc::O_DSYNC));
        match ringed(&path) {
            Ok(durations) => show("io_uring write+fdatasync linked, zeroed", durations),
            Err(error) => eprintln!("io_uring is not available here: {error}"),
        }
    }
    std::fs::remove_file(&path).expect("remove");
    for per_second in [1_000, 10_000] {
        let dir = parent.join("durability_speed.journal");
        let (appends, waits) = grouped(&dir, per_second);
        show(&format!("group commit, {per_second}/s: append"), appends);
        show(&format!("group commit, {per_second}/s: until durable"), waits);
        std::fs::remove_dir_all(&dir).expect("remove");
    }
}
