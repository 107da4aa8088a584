//! Single orders in, as they are created, changed and deleted; the levels that they add up to out.
//!
//! The stream has its oddities, seen in a recorded day. Orders older than the stream are never
//! announced, so their deletion names an unknown order. Delivery is not always in order: an order
//! may be created after its own deletion, and a change may come late. An order that is gone must not
//! come back, so the numbers of the last deleted ones are kept.
//!
//! Unlike a book of levels this one takes memory while it runs: its trees grow with the orders. No
//! strategy can trade on it, because it never becomes live.

use crate::book::Book;
use crate::event::{Level, Side};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use values::{Price, Quantity};

/// How many deleted orders are remembered: minutes of the recorded day, where the latest creation
/// came 64 ms after its deletion.
const GONE_MAX: usize = 4_096;

/// What happened to an order.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OrderAction {
    /// It rests now.
    Created,
    /// Its quantity is now this.
    Changed,
    /// It no longer rests.
    Deleted,
}

/// One order of a book that is told order by order.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OrderChange {
    /// What happened.
    pub action: OrderAction,
    /// The venue's number of the order.
    pub id: u64,
    /// Its side.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// What is left of it.
    pub quantity: Quantity,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Resting {
    side: Side,
    price: Price,
    quantity: Quantity,
}

/// What happened so far; only ever counts up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level3Counters {
    /// Orders created.
    pub created: u64,
    /// Orders changed.
    pub changed: u64,
    /// Orders deleted.
    pub deleted: u64,
    /// Deletions of orders whose creation was not seen.
    pub deleted_unknown: u64,
    /// Creations of orders that were deleted before.
    pub created_late: u64,
    /// Creations of orders that rest already.
    pub created_twice: u64,
    /// Changes of orders that were deleted before.
    pub changed_late: u64,
    /// Changes of orders whose creation was not seen; they are known from then on.
    pub changed_unknown: u64,
}

/// The resting orders that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level3 {
    orders: BTreeMap<u64, Resting>,
    totals: [BTreeMap<i64, i64>; 2],
    gone: BTreeSet<u64>,
    gone_order: VecDeque<u64>,
    /// What happened so far.
    pub counters: Level3Counters,
}

impl Level3 {
    /// Forgets every order; the counts stay.
    pub fn clear(&mut self) {
        let counters = core::mem::take(&mut self.counters);
        *self = Self { counters, ..Self::default() };
    }

    /// How many orders are known to rest.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Takes one change and keeps the levels of `book` equal to the sum of the known orders.
    pub fn apply(&mut self, change: &OrderChange, book: &mut Book) {
        let OrderChange { action, id, side, price, quantity } = *change;
        let is_gone = self.gone.contains(&id);
        match action {
            OrderAction::Created => {
                self.counters.created += 1;
                if is_gone {
                    self.counters.created_late += 1;
                    return;
                }
                self.counters.created_twice += u64::from(self.orders.contains_key(&id));
            }
            OrderAction::Changed => {
                self.counters.changed += 1;
                if is_gone {
                    self.counters.changed_late += 1;
                    return;
                }
                self.counters.changed_unknown += u64::from(!self.orders.contains_key(&id));
            }
            OrderAction::Deleted => {
                self.counters.deleted += 1;
                self.counters.deleted_unknown += u64::from(!self.orders.contains_key(&id));
                self.remember_gone(id);
            }
        }
        if let Some(old) = self.orders.remove(&id) {
            self.add(old.side, old.price, -old.quantity.0, book);
        }
        if action != OrderAction::Deleted && quantity.0 > 0 {
            self.orders.insert(id, Resting { side, price, quantity });
            self.add(side, price, quantity.0, book);
        }
    }

    fn add(&mut self, side: Side, price: Price, quantity: i64, book: &mut Book) {
        let totals = &mut self.totals[usize::from(side == Side::Sell)];
        let total = totals.entry(price.0).or_default();
        *total = total.saturating_add(quantity);
        let total = *total;
        if total == 0 {
            totals.remove(&price.0);
        }
        book.set(side, Level { price, quantity: Quantity(total) });
    }

    fn remember_gone(&mut self, id: u64) {
        if !self.gone.insert(id) {
            return;
        }
        self.gone_order.push_back(id);
        if self.gone_order.len() > GONE_MAX
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: OrderAction, id: u64, price: i64, quantity: i64) -> OrderChange {
        let (price, quantity) = (Price(price), Quantity(quantity));
        OrderChange { action, id, side: Side::Buy, price, quantity }
    }

    fn play(changes: &[OrderChange]) -> (Level3, Vec<(i64, i64)>) {
        let (mut orders, mut book) = (Level3::default(), Book::new());
        for change in changes {
            orders.apply(change, &mut book);
        }
        let levels = book.levels(Side::Buy).map(|level| (level.price.0, level.quantity.0));
        (orders, levels.collect())
    }

    use OrderAction::{Changed, Created, Deleted};

    #[test]
    fn orders_of_one_price_add_up_and_changes_replace() {
        let (orders, levels) = play(&[
            change(Created, 1, 10, 5),
            change(Created, 2, 10, 7),
            change(Created, 3, 9, 1),
            change(Changed, 1, 10, 2),
            change(Deleted, 3, 9, 1),
        ]);
        assert_eq!((levels, orders.len()), (vec![(10, 9)], 2));
    }

    #[test]
    fn an_order_that_is_gone_does_not_come_back() {
        let (orders, levels) = play(&[
            change(Deleted, 1, 10, 5),
            change(Created, 1, 10, 5),
            change(Changed, 1, 10, 4),
        ]);
        assert_eq!(levels, []);
        let counters = &orders.counters;
        assert_eq!(
            (counters.deleted_unknown, counters.created_late, counters.changed_late),
            (1, 1, 1)
        );
    }

    #[test]
    fn memory_of_the_gone_is_bounded() {
        let changes: Vec<_> = (0..10_000).map(|id| change(Deleted, id, 10, 1)).collect();
        assert_eq!(play(&changes).0.gone.len(), GONE_MAX);
    }
}
