//! Frames of the played market in; the strangers' levels moved, and ours served where they are due.

use std::collections::BTreeMap;

use values::{Price, Quantity};

use super::{External, MatchEvent, Matching, opposite, reaches};
use crate::event::{Level, Side};

impl Matching {
    /// The whole played book, replacing what was played before.
    pub fn load(&mut self, bids: &[Level], asks: &[Level], out: &mut Vec<MatchEvent>) {
        self.overlay.clear();
        let mut told: BTreeMap<(Side, Price), i64> = BTreeMap::new();
        for side in [Side::Buy, Side::Sell] {
            for price in self.external[side as usize].keys() {
                told.insert((side, *price), 0);
            }
        }
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            told.extend(levels.iter().map(|level| ((side, level.price), level.quantity.0)));
        }
        for ((side, price), quantity) in told {
            self.tell(side, price, quantity);
        }
        self.settle(out);
    }

    /// A depth frame: absolute quantities of changed levels.
    pub fn diff(&mut self, bids: &[Level], asks: &[Level], out: &mut Vec<MatchEvent>) {
        let mut told = std::mem::take(&mut self.overlay);
        told.retain(|(side, price), quantity| {
            self.external[*side as usize].get(price).map_or(0, |level| level.told) != *quantity
        });
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            told.extend(levels.iter().map(|level| ((side, level.price), level.quantity.0)));
        }
        for ((side, price), quantity) in told {
            self.tell(side, price, quantity);
        }
        for queue in self.queues.iter_mut().flat_map(BTreeMap::values_mut) {
            for order in queue {
                order.lead = 0;
            }
        }
        self.settle(out);
    }

    /// A best-price frame between two depth frames: moves the top, nothing else.
    pub fn ticker(&mut self, bid: Level, ask: Level, out: &mut Vec<MatchEvent>) {
        for (side, top) in [(Side::Buy, bid), (Side::Sell, ask)] {
            let levels = &self.external[side as usize];
            let mut told: Vec<(Price, i64)> = match side {
                Side::Buy => levels.range(Price(top.price.0 + 1)..).map(|(p, _)| (*p, 0)).collect(),
                Side::Sell => levels.range(..top.price).map(|(p, _)| (*p, 0)).collect(),
            };
            if levels.get(&top.price).is_none_or(|level| level.told != top.quantity.0) {
                told.push((top.price, top.quantity.0));
            }
            for (price, quantity) in told {
                let before = self.external[side as usize].get(&price).map_or(0, |level| level.told);
                self.overlay.entry((side, price)).or_insert(before);
                self.tell(side, price, quantity);
            }
        }
        self.settle(out);
    }

    /// A public trade between strangers: serves ours first where they stand in front.
    pub fn trade(
        &mut self,
        price: Price,
        quantity: Quantity,
        buyer_is_maker: bool,
        out: &mut Vec<MatchEvent>,
    ) {
        let side = if buyer_is_maker { Side::Buy } else { Side::Sell };
        let mut left = quantity.0;
        while left > 0 {
            let Some(best) = self.queue_best(side).filter(|best| reaches(side, *best, price))
            else {
                break;
            };
            if best == price {
                left -= self.trade_at(side, price, left, out);
                break;
            }
            let filled = left.min(self.queues[side as usize][&best][0].remaining);
            self.fill_resting(side, best, 0, filled, out);
            left -= filled;
        }
        if left > 0 {
            let trade = self.next_trade();
            out.push(MatchEvent::Printed {
                trade,
                price,
                quantity: Quantity(left),
                buyer_is_maker,
            });
        }
        self.refresh();
    }

    pub(super) fn tell(&mut self, side: Side, price: Price, quantity: i64) {
        let levels = &mut self.external[side as usize];
        let before = levels.get(&price).map_or(0, |level| level.told);
        if quantity > 0 {
            levels.insert(price, External { told: quantity, consumed: 0 });
        } else {
            levels.remove(&price);
        }
        if let Some(queue) = self.queues[side as usize].get_mut(&price) {
            for order in queue {
                if quantity < before {
                    order.level_shrank(before - quantity);
                }
                order.ahead = order.ahead.min(quantity.max(0));
            }
        }
        self.touched.push((side, price));
    }

    /// Strangers whose price crosses ours are served by us; then the visible book is brought up.
    pub(super) fn settle(&mut self, out: &mut Vec<MatchEvent>) {
        for side in [Side::Buy, Side::Sell] {
            while let Some(own) = self.queue_best(side) {
                let other = opposite(side);
                let Some(price) =
                    self.external_best(other).filter(|price| reaches(side, own, *price))
                else {
                    break;
                };
                let level = self.external[other as usize].get_mut(&price);
                let Some(level) = level else { break };
                let filled = level.left().min(self.queues[side as usize][&own][0].remaining);
                level.consumed += filled;
                self.touched.push((other, price));
                self.fill_resting(side, own, 0, filled, out);
            }
        }
        self.refresh();
    }

    pub(super) fn trade_at(
        &mut self,
        side: Side,
        price: Price,
        left: i64,
        out: &mut Vec<MatchEvent>,
    ) -> i64 {
        let mut served = 0;
        let mut index = 0;
        while let Some(order) =
            self.queues[side as usize].get_mut(&price).and_then(|queue| queue.get_mut(index))
        {
            let reached = order.level_traded(left - served);
            let before = order.remaining;
            if reached > 0 {
                self.fill_resting(side, price, index, reached, out);
                served += reached;
            }
            index += usize::from(reached < before);
        }
        served
    }
}
