//! Time of one book update and a look at both best levels: `cargo bench -p prunella-engine --bench book`.
//!
//! Goal: 50 ns at p50, 150 ns at p99. A million adds, changes and deletes near a top that walks. The
//! time of reading the clock twice is measured too and taken off.

use engine::book::Book;
use engine::event::{Level, Side};
use std::hint::black_box;
use std::time::Instant;
use values::{Price, Quantity};

const UPDATES: usize = 1_000_000;
const TICK: i64 = 10_000_000;

/// A small generator with a seed, so that every run plays the same.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Most changes lie within a few ticks of the top, a few a hundred times as deep; a third removes.
fn updates() -> Vec<(Side, Level)> {
    let (mut chance, mut middle) = (Chance(7), 6_183_763_i64);
    let update = |_| {
        middle += [0, 0, 0, 1, 0, 0, 0, -1][chance.next() as usize % 8];
        let depth = match chance.next() % 10 {
            0 => 100 + chance.next() % 1_000,
            1..=3 => 10 + chance.next() % 90,
            _ => chance.next() % 10,
        } as i64;
        let quantity =
            if chance.next() % 3 == 0 { 0 } else { 1 + chance.next() as i64 % 1_000_000 };
        let quantity = Quantity(quantity.abs());
        if chance.next() % 2 == 0 {
            (Side::Buy, Level { price: Price((middle - 1 - depth) * TICK), quantity })
        } else {
            (Side::Sell, Level { price: Price((middle + 1 + depth) * TICK), quantity })
        }
    };
    (0..UPDATES).map(update).collect()
}

fn main() {
    let updates = updates();
    let mut book = Book::new();
    let begun = Instant::now();
    for &(side, level) in &updates {
        book.set(side, level);
        black_box(book.top());
    }
    let together_ns = begun.elapsed().as_nanos() as f64 / UPDATES as f64;
    let clock_ns = percentile(&mut timed(&updates, |_, _| {}), 0.5);
    let mut book = Book::new();
    let mut taken_ns = timed(&updates, |side, level| {
        book.set(side, level);
        black_box(book.top());
    });
    let mut at = |share| percentile(&mut taken_ns, share).saturating_sub(clock_ns);
    println!(
        "update and best levels: mean {together_ns:.1} ns without a clock between; p50 {} ns  \
         p99 {} ns  p99.9 {} ns  max {} ns  (clock {clock_ns} ns taken off; depth {} and {})",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        book.depth(Side::Buy),
        book.depth(Side::Sell),
    );
}

fn timed(updates: &[(Side, Level)], mut work: impl FnMut(Side, Level)) -> Vec<u64> {
    let time = |&(side, level)| {
        let begun = Instant::now();
        work(side, level);
        begun.elapsed().as_nanos() as u64
    };
    updates.iter().map(time).collect()
}

fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * share) as usize]
}
