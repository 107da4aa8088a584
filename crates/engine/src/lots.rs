//! Fills in; the open lots, oldest first, and what closing the oldest first has realised, out.
//!
//! Bounded: when there is no room for one more lot, the two oldest become one at their average, which
//! is counted. Cost stays exact (1e-18), so first-in-first-out and average cost differ only in how
//! they split the same profit into realised and unrealised.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::Price;

/// Lots kept of one position, 8 kB: a maker that builds up its largest position in fifty fills is
/// well below it.
pub const LOTS_MAX: usize = 256;

/// What one fill opened and later fills have not closed yet.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lot {
    /// Positive, long or short.
    quantity: u64,
    /// Signed like the position; 1e-18.
    cost: i128,
}

/// The open lots of one position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lots {
    open: VecDeque<Lot>,
    /// Sum of the lots' costs.
    cost: i128,
    realised: i128,
    merged: u64,
}

impl Lots {
    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.open.reserve(LOTS_MAX.saturating_sub(self.open.len()));
    }

    /// A fill adds to the position, or begins it.
    pub fn open(&mut self, quantity: u64, cost: i128) {
        if quantity == 0 {
            return;
        }
        if self.open.len() >= LOTS_MAX {
            self.merge();
        }
        self.cost = self.cost.saturating_add(cost);
        self.open.push_back(Lot { quantity, cost });
    }

    /// A fill takes from the position; `value` is what is closed at the fill's price, signed like
    /// the fill.
    pub fn close(&mut self, mut quantity: u64, value: i128) {
        self.realised = self.realised.saturating_sub(value);
        while quantity > 0
            && let Some(lot) = self.open.front_mut()
        {
            let taken = if lot.quantity <= quantity {
                let lot = *lot;
                self.open.pop_front();
                quantity -= lot.quantity;
                lot.cost
            } else {
                let part = share(lot.cost, quantity, lot.quantity);
                lot.cost -= part;
                lot.quantity -= quantity;
                quantity = 0;
                part
            };
            self.cost = self.cost.saturating_sub(taken);
            self.realised = self.realised.saturating_sub(taken);
        }
    }

    fn merge(&mut self) {
        let (Some(first), Some(second)) = (self.open.pop_front(), self.open.front_mut()) else {
            return;
        };
        second.quantity = second.quantity.saturating_add(first.quantity);
        second.cost = second.cost.saturating_add(first.cost);
        self.merged += 1;
    }

    /// What the open lots cost; 1e-18.
    pub fn cost(&self) -> i128 {
        self.cost
    }

    /// What closing the oldest first has realised, before fees; 1e-18.
    pub fn realised(&self) -> i128 {
        self.realised
    }

    /// How many lots are open.
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// How often the two oldest were joined for want of room.
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// What the oldest lot cost a unit; `None` when flat.
    pub fn oldest(&self) -> Option<Price> {
        let lot = self.open.front()?;
        Some(Price((lot.cost.abs() / i128::from(lot.quantity)).try_into().unwrap_or(i64::MAX)))
    }
}

/// `cost * part / whole` without overflow, for `part <= whole`.
pub(crate) fn share(cost: i128, part: u64, whole: u64) -> i128 {
    let (part, whole) = (i128::from(part), i128::from(whole));
    cost / whole * part + cost % whole * part / whole
}
