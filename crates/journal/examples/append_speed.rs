//! A folder in (default: the present one); nanoseconds per append of 200 B and 1.5 kB out.
//!
//! `cargo run --release -p prunella-journal --example append_speed -- [FOLDER]`
//!
//! Rotation into a new segment is included, and so is whatever the machine does besides.

use std::path::{Path, PathBuf};
use std::time::Instant;

use journal::{Options, Reader, Writer};

const APPENDS: usize = 1_000_000;

fn measure(dir: &Path, payload_bytes: usize) -> Vec<u64> {
    let (mut writer, _) = Writer::open(dir, Options::default()).expect("open");
    let payload = vec![0x5a; payload_bytes];
    let mut durations = Vec::with_capacity(APPENDS);
    for number in 0..APPENDS {
        let begun = Instant::now();
        writer.append(number as i64, 1, &[&payload]).expect("append");
        durations.push(begun.elapsed().as_nanos() as u64);
    }
    durations
}

fn main() {
    let parent = std::env::args().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    for payload_bytes in [200, 1_500] {
        let dir = parent.join(format!("append_speed_{payload_bytes}"));
        let mut durations = measure(&dir, payload_bytes);
        durations.sort_unstable();
        let at = |share: f64| durations[((durations.len() - 1) as f64 * share) as usize];
        println!(
            "append {payload_bytes:>5} B   p50 {:>6}   p99 {:>6}   p99.9 {:>6}   max {:>9} ns of {}",
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
            durations.len(),
        );
        let begun = Instant::now();
        let mut reader = Reader::open(&dir).expect("open");
        while reader.next().expect("read").is_some() {}
        let per_second = reader.last_seq() as f64 / begun.elapsed().as_secs_f64();
        println!("read   {payload_bytes:>5} B   {per_second:>9.0} entries/s, all checks made");
        std::fs::remove_dir_all(&dir).expect("remove");
    }
}
