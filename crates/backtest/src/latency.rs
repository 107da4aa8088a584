//! A table of recorded or computed delays and a seed in; one delay per message out.

use serde::Deserialize;
use values::Nanos;

/// How long a message takes: each entry of the table is as likely as another; one entry is a
/// constant. A distribution is given by its quantiles, a recording by its samples.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Delays(Vec<Nanos>);

impl Delays {
    /// Always the same.
    pub fn constant(ns: Nanos) -> Delays {
        Delays(vec![ns])
    }

    /// What is wrong with the table, in words for a person.
    pub fn problem(&self) -> Option<String> {
        if self.0.is_empty() {
            return Some("expected at least one delay, found none".to_owned());
        }
        let negative = self.0.iter().find(|ns| **ns < 0);
        negative.map(|ns| format!("expected delays of 0 ns or more, found {ns}"))
    }

    /// The next delay.
    #[inline]
    pub fn draw(&self, chance: &mut Chance) -> Nanos {
        match self.0.as_slice() {
            [only] => *only,
            table => table[(chance.next() % table.len() as u64) as usize],
        }
    }
}

/// A seeded source of numbers (SplitMix64): equal seeds give equal numbers on every machine.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait)] // It never ends, and `Option` would say that it may.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
