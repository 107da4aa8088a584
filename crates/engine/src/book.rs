//! Absolute price levels in; a sorted book, its best levels and its digest out.
//!
//! Each side is one sorted vector with the best level at the **end**. Nearly every change is near
//! the top, so an insertion moves few bytes, and reading the best level is reading the last element.
//! A tree or a hash map would chase pointers for the same answer.

use crate::event::{Level, Side};
use core::fmt::Write as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use values::Price;

/// Most levels on one side. A venue never removes levels that fell out of its own window, so a book
/// that runs for days would grow without end; beyond this the level furthest from the top is dropped.
pub const LEVELS_MAX: usize = 16_384;

/// The resting orders of one market, by price level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty book with room for [`LEVELS_MAX`] levels a side, so that it never allocates again.
    pub fn new() -> Self {
        Self { bids: Vec::with_capacity(LEVELS_MAX), asks: Vec::with_capacity(LEVELS_MAX) }
    }

    /// Forgets every level.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Sets the quantity at a price; zero removes the level.
    #[inline]
    pub fn set(&mut self, side: Side, level: Level) {
        match side {
            Side::Buy => set(&mut self.bids, level, |price| price.0),
            Side::Sell => set(&mut self.asks, level, |price| !price.0),
        }
    }

    /// Sets many levels of both sides.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for &level in bids {
            set(&mut self.bids, level, |price| price.0);
        }
        for &level in asks {
            set(&mut self.asks, level, |price| !price.0);
        }
    }

    /// The best level of a side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.side(side).last().copied()
    }

    /// Best bid and best ask, when both sides have a level.
    #[inline]
    pub fn top(&self) -> Option<(Level, Level)> {
        Some((*self.bids.last()?, *self.asks.last()?))
    }

    /// Whether the best bid is at or above the best ask, which no real book can be.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        self.top().is_some_and(|(bid, ask)| bid.price >= ask.price)
    }

    /// How many levels a side has.
    pub fn depth(&self, side: Side) -> usize {
        self.side(side).len()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.side(side).iter().rev().copied()
    }

    /// SHA-256 of the lines `b PRICE QUANTITY` then `a PRICE QUANTITY`, best first, joined by
    /// newlines, numbers in plain notation without trailing zeros. Two books are the same exactly
    /// when their digests are.
    pub fn digest(&self) -> [u8; 32] {
        let mut text = String::new();
        for (letter, side) in [('b', Side::Buy), ('a', Side::Sell)] {
            for level in self.levels(side) {
                if !text.is_empty() {
                    text.push('\n');
                }
                // Writing into a String cannot fail.
                let _ = write!(text, "{letter} {} {}", level.price, level.quantity);
            }
        }
        Sha256::digest(text.as_bytes()).into()
    }

    fn side(&self, side: Side) -> &Vec<Level> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }
}

/// Sets one level in a vector sorted by rising `rank`, best at the end.
#[inline]
fn set(levels: &mut Vec<Level>, level: Level, rank: impl Fn(Price) -> i64) {
    let wanted = rank(level.price);
    let at = position(levels, wanted, &rank);
    let found = levels.get(at).is_some_and(|held| held.price == level.price);
    match (found, level.quantity.0 == 0) {
        (true, false) => levels[at] = level,
        (true, true) => drop(levels.remove(at)),
        (false, false) if levels.len() < LEVELS_MAX => levels.insert(at, level),
        // Full: the furthest level makes room, unless the new one is further still.
        (false, false) if at > 0 => {
            levels.copy_within(1..at, 0);
            levels[at - 1] = level;
        }
        (false, _) => {}
    }
}

/// The first index whose rank is not below `wanted`. Gallops from the end, where changes happen,
/// in steps that double, then bisects the last step.
#[inline]
fn position(levels: &[Level], wanted: i64, rank: impl Fn(Price) -> i64) -> usize {
    let (mut high, mut step) = (levels.len(), 4);
    loop {
        let low = high.saturating_sub(step);
        if low == 0 || rank(levels[low].price) < wanted {
            let window = &levels[low..high];
            return low + window.partition_point(|held| rank(held.price) < wanted);
        }
        high = low;
        step *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use values::Quantity;

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price), quantity: Quantity(quantity) }
    }

    #[test]
    fn best_levels_are_highest_bid_and_lowest_ask() {
        let mut book = Book::new();
        book.apply(&[level(10, 1), level(12, 2), level(11, 3)], &[level(15, 4), level(13, 5)]);
        assert_eq!(book.top(), Some((level(12, 2), level(13, 5))));
        book.set(Side::Buy, level(12, 0));
        assert_eq!(book.best(Side::Buy), Some(level(11, 3)));
        assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), [level(13, 5), level(15, 4)]);
        assert!(!book.is_crossed());
        book.set(Side::Buy, level(13, 1));
        assert!(book.is_crossed());
    }

    #[test]
    fn a_full_side_drops_its_furthest_level() {
        let mut book = Book::new();
        for price in 0..LEVELS_MAX as i64 {
            book.set(Side::Buy, level(1_000 + price, 1));
        }
        book.set(Side::Buy, level(999, 1));
        assert_eq!(book.levels(Side::Buy).last(), Some(level(1_000, 1)), "further: refused");
        book.set(Side::Buy, level(1_000_000, 7));
        assert_eq!(book.best(Side::Buy), Some(level(1_000_000, 7)));
        assert_eq!(book.depth(Side::Buy), LEVELS_MAX);
        assert_eq!(book.levels(Side::Buy).last(), Some(level(1_001, 1)));
    }

    #[test]
    fn digest_is_the_hash_of_the_plain_lines() {
        let mut book = Book::new();
        book.apply(
            &[level(61_837_630_000_000, 500_000_000)],
            &[level(61_838_000_000_000, 27_000_000_000)],
        );
        let expected: [u8; 32] = Sha256::digest(b"b 61837.63 0.5\na 61838 27").into();
        assert_eq!(book.digest(), expected);
    }

    proptest! {
        #[test]
        fn book_agrees_with_a_sorted_map(
            changes in prop::collection::vec((any::<bool>(), 1..200_i64, 0..4_i64), 0..400),
        ) {
            let mut book = Book::new();
            let mut naive = [BTreeMap::new(), BTreeMap::new()];
            for (is_bid, price, quantity) in changes {
                let side = if is_bid { Side::Buy } else { Side::Sell };
                book.set(side, level(price, quantity));
                let map: &mut BTreeMap<i64, i64> = &mut naive[usize::from(!is_bid)];
                if quantity == 0 { map.remove(&price); } else { map.insert(price, quantity); }
                let bids: Vec<_> = naive[0].iter().rev().map(|(&p, &q)| level(p, q)).collect();
                let asks: Vec<_> = naive[1].iter().map(|(&p, &q)| level(p, q)).collect();
                prop_assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), bids);
                prop_assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), asks);
            }
        }
    }
}
