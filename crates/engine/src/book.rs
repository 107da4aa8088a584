//! Absolute price levels in; a sorted book, its best levels and its digest out.
//!
//! Each side is one sorted vector with the best level at the **end**. Nearly every change is near
//! the top, so an insertion moves few bytes, and reading the best level is reading the last element.
//! A tree or a hash map would chase pointers for the same answer.
//!
//! A level that is removed deep in the book stays as an empty slot, because prices come and go and
//! come again: a new level near it moves only what lies between. On the recorded session this takes
//! a quarter off the slowest frames. The best level is never an empty slot.

use crate::event::{Level, Side};
use core::fmt::Write as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use values::{Price, Quantity};

/// Most levels on one side, empty slots included. A venue never removes levels that fell out of its
/// own window, so a book that runs for days would grow without end; beyond this the level furthest
/// from the top is dropped.
pub const LEVELS_MAX: usize = 16_384;
/// Empty slots are swept out when they are more than this and more than the levels: fewer cost less
/// than the sweep.
const EMPTY_MAX: usize = 256;
/// How far an insertion looks for an empty slot, before it moves everything up to the top.
const REACH: usize = 64;
/// Slots that a search compares all at once: no branch to be guessed wrong, no load that waits for
/// another. Most levels of a frame lie this near to the one before.
const WINDOW: usize = 16;

/// The resting orders of one market, by price level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    bids: Ladder<true>,
    asks: Ladder<false>,
}

impl Book {
    /// An empty book with room for [`LEVELS_MAX`] levels a side, so that it never allocates again.
    pub fn new() -> Self {
        Self::default()
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
            Side::Buy => self.bids.apply(&[level]),
            Side::Sell => self.asks.apply(&[level]),
        }
    }

    /// Sets many levels of both sides. Fastest when each side's are sorted, as venues send them.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        self.bids.apply(bids);
        self.asks.apply(asks);
    }

    /// Keeps the best `depth` levels of each side.
    pub fn truncate(&mut self, depth: usize) {
        self.bids.truncate(depth);
        self.asks.truncate(depth);
    }

    /// The best level of a side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        match side {
            Side::Buy => self.bids.slots.last().copied(),
            Side::Sell => self.asks.slots.last().copied(),
        }
    }

    /// Best bid and best ask, when both sides have a level.
    #[inline]
    pub fn top(&self) -> Option<(Level, Level)> {
        Some((*self.bids.slots.last()?, *self.asks.slots.last()?))
    }

    /// Whether the best bid is at or above the best ask, which no real book can be.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        self.top().is_some_and(|(bid, ask)| bid.price >= ask.price)
    }

    /// How many levels a side has.
    pub fn depth(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.bids.slots.len() - self.bids.empty,
            Side::Sell => self.asks.slots.len() - self.asks.empty,
        }
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let slots = match side {
            Side::Buy => &self.bids.slots,
            Side::Sell => &self.asks.slots,
        };
        slots.iter().rev().filter(|slot| slot.quantity.0 != 0).copied()
    }

    /// What rests at a price; zero for no such level.
    pub fn quantity(&self, side: Side, price: Price) -> Quantity {
        let found = match side {
            Side::Buy => self.bids.find(price),
            Side::Sell => self.asks.find(price),
        };
        found.map_or(Quantity::ZERO, |level| level.quantity)
    }

    /// See [`microprice`]; from the best levels.
    pub fn microprice(&self) -> Option<Price> {
        let (bid, ask) = self.top()?;
        microprice(bid, ask)
    }

    /// `(bids − asks) / (bids + asks)` over the best `levels` of each side, in parts per million:
    /// 1,000,000 when only bids rest, −1,000,000 when only asks do.
    pub fn imbalance_ppm(&self, levels: usize) -> Option<i64> {
        let total = |side| -> i128 {
            self.levels(side).take(levels).map(|level| i128::from(level.quantity.0)).sum()
        };
        let (bids, asks) = (total(Side::Buy), total(Side::Sell));
        (bids + asks > 0).then(|| ((bids - asks) * 1_000_000 / (bids + asks)) as i64)
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
}

/// The price between bid and ask, nearer to the side that has less resting on it, because that side
/// gives way first: `(bid · ask_quantity + ask · bid_quantity) / (bid_quantity + ask_quantity)`,
/// rounded down.
#[inline]
pub fn microprice(bid: Level, ask: Level) -> Option<Price> {
    let (bids, asks) = (bid.quantity.0, ask.quantity.0);
    if bid.price.0 >= 0
        && let Some(spread) = ask.price.0.checked_sub(bid.price.0).filter(|spread| *spread >= 0)
        && let (Some(above), Some(total)) = (spread.checked_mul(bids), bids.checked_add(asks))
        && bids >= 0
        && asks >= 0
        && total > 0
    {
        // The same number: `bid · (bids + asks) + (ask − bid) · bids`, over `bids + asks`.
        return Some(Price(bid.price.0 + above / total));
    }
    let weighted = i128::from(bid.price.0) * i128::from(ask.quantity.0)
        + i128::from(ask.price.0) * i128::from(bid.quantity.0);
    let total = i128::from(bid.quantity.0) + i128::from(ask.quantity.0);
    // Between two prices that are i64, so it fits.
    (total > 0).then(|| Price((weighted / total) as i64))
}

/// One side, sorted from the furthest level to the best.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ladder<const BIDS: bool> {
    /// Levels, and empty slots with quantity zero; the last is never empty.
    slots: Vec<Level>,
    /// How many slots are empty.
    empty: usize,
    /// Where prices were; no part of the state.
    #[serde(skip)]
    hints: Hints,
}

/// Where a price was the last time. A venue tells the same prices over and over, and between two
/// times they hardly move, so most searches end where they begin. A wrong hint costs a search.
#[derive(Clone, Debug)]
struct Hints(Box<[(u16, u16); 1 << Hints::BITS]>);

impl Default for Hints {
    fn default() -> Self {
        let table = vec![(0, 0); 1 << Self::BITS].into_boxed_slice();
        Self(table.try_into().expect("as long as the table"))
    }
}

impl Hints {
    /// As many as levels that change within a minute; all of them stay in the nearest caches.
    const BITS: u32 = 13;

    /// A price's place in the table, and what tells it from others with the same place.
    #[inline]
    fn place(price: Price) -> (usize, u16) {
        let mixed = (price.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed >> (64 - Self::BITS)) as usize, (mixed >> 32) as u16)
    }

    #[inline]
    fn near(&self, price: Price) -> Option<usize> {
        let (place, mark) = Self::place(price);
        let (of, at) = self.0[place];
        (of == mark).then_some(usize::from(at))
    }

    #[inline]
    fn put(&mut self, price: Price, at: usize) {
        let (place, mark) = Self::place(price);
        self.0[place] = (mark, at as u16);
    }
}

impl<const BIDS: bool> Default for Ladder<BIDS> {
    fn default() -> Self {
        Self { slots: Vec::with_capacity(LEVELS_MAX), empty: 0, hints: Hints::default() }
    }
}

/// Equal when the levels are, wherever empty slots may be.
impl<const BIDS: bool> PartialEq for Ladder<BIDS> {
    fn eq(&self, other: &Self) -> bool {
        let levels = |side: &Self| side.slots.len() - side.empty;
        let filled = |slot: &&Level| slot.quantity.0 != 0;
        levels(self) == levels(other)
            && self.slots.iter().filter(filled).eq(other.slots.iter().filter(filled))
    }
}

impl<const BIDS: bool> Eq for Ladder<BIDS> {}

impl<const BIDS: bool> Ladder<BIDS> {
    fn clear(&mut self) {
        self.slots.clear();
        self.empty = 0;
    }

    #[inline]
    fn apply(&mut self, levels: &[Level]) {
        let mut near = self.slots.len();
        for &level in levels {
            near = self.set(level, self.hints.near(level.price).unwrap_or(near));
            self.hints.put(level.price, near);
        }
        if self.empty > EMPTY_MAX && self.empty * 2 > self.slots.len() {
            self.sweep();
        }
    }

    /// Sets one level and gives where it was, near which the next one will be.
    #[inline]
    fn set(&mut self, level: Level, near: usize) -> usize {
        let at = match self.slots.get(near) {
            Some(slot) if slot.price == level.price => near,
            _ => self.position(rank::<BIDS>(level.price), near),
        };
        let filled = level.quantity.0 != 0;
        match self.slots.get_mut(at) {
            Some(slot) if slot.price == level.price => {
                let was_filled = slot.quantity.0 != 0;
                *slot = level;
                self.empty = self.empty + usize::from(was_filled) - usize::from(filled);
                if !filled && at + 1 == self.slots.len() {
                    self.drop_empty_best();
                }
            }
            _ if filled => self.insert(at, level),
            _ => {}
        }
        at
    }

    /// Puts a new level between two others; an empty slot within reach takes up the shift.
    fn insert(&mut self, at: usize, level: Level) {
        let reach = self.slots[at..].iter().take(REACH);
        if let Some(empty) = reach.into_iter().position(|slot| slot.quantity.0 == 0) {
            self.slots.copy_within(at..at + empty, at + 1);
            self.slots[at] = level;
            self.empty -= 1;
            return;
        }
        if self.slots.len() < LEVELS_MAX {
            self.slots.insert(at, level);
        } else if at > 0 {
            // Full: the furthest makes room, unless the new one is further still.
            self.empty -= usize::from(self.slots[0].quantity.0 == 0);
            self.slots.copy_within(1..at, 0);
            self.slots[at - 1] = level;
        }
    }

    fn find(&self, price: Price) -> Option<&Level> {
        let at = self.position(rank::<BIDS>(price), self.slots.len());
        self.slots.get(at).filter(|slot| slot.price == price)
    }

    fn truncate(&mut self, depth: usize) {
        let excess = (self.slots.len() - self.empty).saturating_sub(depth);
        if excess > 0 {
            self.sweep();
            self.slots.drain(..excess);
        }
    }

    #[cold]
    fn sweep(&mut self) {
        self.slots.retain(|slot| slot.quantity.0 != 0);
        self.empty = 0;
    }

    fn drop_empty_best(&mut self) {
        while self.slots.last().is_some_and(|slot| slot.quantity == Quantity::ZERO) {
            self.slots.pop();
            self.empty -= 1;
        }
    }

    /// The first slot whose rank is not below `wanted`: within the window before `near`, or else
    /// further off.
    #[inline]
    fn position(&self, wanted: i64, near: usize) -> usize {
        let slots = self.slots.as_slice();
        let below = |slot: &Level| rank::<BIDS>(slot.price) < wanted;
        if slots.get(near).is_none_or(|slot| !below(slot))
            && let Some(window) = slots[..near.min(slots.len())].last_chunk::<WINDOW>()
        {
            let above: usize = window.iter().map(|slot| usize::from(!below(slot))).sum();
            if above < WINDOW {
                return near.min(slots.len()) - above;
            }
        }
        self.position_far(wanted, near)
    }

    /// The same from anywhere: gallops from `near` in steps that double, then bisects the last step.
    fn position_far(&self, wanted: i64, near: usize) -> usize {
        let slots = self.slots.as_slice();
        let below = |slot: &Level| rank::<BIDS>(slot.price) < wanted;
        let (mut low, mut high, mut step) = (0, slots.len(), WINDOW);
        if slots.get(near).is_none_or(|slot| !below(slot)) {
            high = near.min(high);
            while high > step {
                if below(&slots[high - step]) {
                    low = high - step;
                    break;
                }
                high -= step;
                step *= 2;
            }
        } else {
            low = near;
            while low + step < high {
                if !below(&slots[low + step]) {
                    high = low + step;
                    break;
                }
                low += step;
                step *= 2;
            }
        }
        low + slots[low..high].partition_point(below)
    }
}

/// A number that rises towards the best price of a side.
#[inline]
fn rank<const BIDS: bool>(price: Price) -> i64 {
    if BIDS { price.0 } else { !price.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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
    fn truncation_keeps_the_best_levels() {
        let mut book = Book::new();
        let levels: Vec<_> = (1..=20).map(|price| level(price, 1)).collect();
        book.apply(&levels, &levels);
        book.apply(&[level(15, 0)], &[level(5, 0)]);
        book.truncate(3);
        let prices = |side| book.levels(side).map(|level| level.price.0).collect::<Vec<_>>();
        assert_eq!((prices(Side::Buy), prices(Side::Sell)), (vec![20, 19, 18], vec![1, 2, 3]));
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

    #[test]
    fn empty_slots_are_reused_and_swept_and_do_not_count() {
        let (mut book, mut plain) = (Book::new(), Book::new());
        for price in 1..=2_000 {
            book.set(Side::Sell, level(price, 1));
        }
        for price in 2..=2_000 {
            book.set(Side::Sell, level(price, 0));
        }
        assert_eq!((book.depth(Side::Sell), book.asks.slots.len() < 600), (1, true));
        plain.set(Side::Sell, level(1, 1));
        assert_eq!(book, plain);
        book.set(Side::Sell, level(1, 0));
        assert_eq!((book.best(Side::Sell), book.asks.slots.len()), (None, 0));
    }

    proptest! {
        #[test]
        fn microprice_is_the_weighted_mean_rounded_down(
            bid in 0..i64::MAX, spread in 0..1_i64 << 40, bids in 0..i64::MAX, asks in 1..i64::MAX,
        ) {
            let ask = bid.saturating_add(spread);
            let (b, a) = (i128::from(bid), i128::from(ask));
            let (bq, aq) = (i128::from(bids), i128::from(asks));
            let exact = b.checked_mul(aq).zip(a.checked_mul(bq)).and_then(|(x, y)| x.checked_add(y));
            prop_assume!(exact.is_some());
            let expected = exact.map(|sum| Price((sum / (aq + bq)) as i64));
            prop_assert_eq!(microprice(level(bid, bids), level(ask, asks)), expected);
        }

        #[test]
        fn book_agrees_with_a_sorted_map(
            changes in prop::collection::vec(
                (any::<bool>(), prop::collection::vec((1..300_i64, 0..3_i64), 1..30)), 0..60,
            ),
        ) {
            let mut book = Book::new();
            let mut naive = [BTreeMap::new(), BTreeMap::new()];
            for (is_bid, changes) in changes {
                let levels: Vec<_> = changes.iter().map(|&(p, q)| level(p, q)).collect();
                if is_bid { book.apply(&levels, &[]) } else { book.apply(&[], &levels) }
                let map: &mut BTreeMap<i64, i64> = &mut naive[usize::from(!is_bid)];
                for (price, quantity) in changes {
                    if quantity == 0 { map.remove(&price); } else { map.insert(price, quantity); }
                }
                let bids: Vec<_> = naive[0].iter().rev().map(|(&p, &q)| level(p, q)).collect();
                let asks: Vec<_> = naive[1].iter().map(|(&p, &q)| level(p, q)).collect();
                prop_assert_eq!(book.depth(Side::Buy), bids.len());
                prop_assert_eq!(book.depth(Side::Sell), asks.len());
                prop_assert_eq!(book.top(), bids.first().copied().zip(asks.first().copied()));
                prop_assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), bids);
                prop_assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), asks);
            }
        }
    }
}
