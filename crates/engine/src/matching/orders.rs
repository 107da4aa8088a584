//! Our orders in: refused, traded at once, rested, taken out.

use std::collections::BTreeSet;

use values::{Price, Quantity, SCALE, notional};

use super::{External, MatchEvent, Matching, OrderKind, OrderRequest, Refusal, Resting};
use super::{better, opposite, reaches};
use crate::event::Side;

impl Matching {
    /// A new order; its number.
    ///
    /// # Errors
    /// The account cannot pay, or a `PostOnly` order would take; nothing has changed.
    pub fn place(
        &mut self,
        request: OrderRequest,
        out: &mut Vec<MatchEvent>,
    ) -> Result<u64, Refusal> {
        self.check(&request)?;
        self.last_order += 1;
        let id = self.last_order;
        out.push(MatchEvent::Accepted { order: id });
        let mut left = request.quantity.0;
        if request.kind != OrderKind::FillOrKill || self.takeable(&request, None).0 >= left {
            left = self.take(id, &request, out);
        }
        if left > 0 {
            match request.kind {
                OrderKind::GoodTillCancel | OrderKind::PostOnly => self.rest(id, &request, left),
                _ => out.push(MatchEvent::Expired { order: id, in_match: false }),
            }
        }
        self.refresh();
        Ok(id)
    }

    /// Takes an order out; false when it does not rest here.
    pub fn cancel(&mut self, order: u64, out: &mut Vec<MatchEvent>) -> bool {
        let Some(&(side, price)) = self.places.get(&order) else {
            return false;
        };
        let queue = &self.queues[side as usize][&price];
        let Some(index) = queue.iter().position(|resting| resting.id == order) else {
            return false;
        };
        self.remove(side, price, index);
        out.push(MatchEvent::Canceled { order });
        self.refresh();
        true
    }

    /// How much base an amount of quote buys or sells now, in whole lots, without trading with the
    /// account's own orders.
    pub fn quantity_for(&self, account: usize, side: Side, quote: i128) -> Quantity {
        let all = OrderRequest {
            account,
            side,
            kind: OrderKind::Market,
            price: Price(0),
            quantity: Quantity(i64::MAX),
        };
        Quantity(self.takeable(&all, Some(quote)).0)
    }

    pub(super) fn check(&self, request: &OrderRequest) -> Result<(), Refusal> {
        let balances = self.balances(request.account);
        if request.kind == OrderKind::PostOnly
            && self
                .visible_best(opposite(request.side))
                .is_some_and(|best| reaches(request.side, request.price, best))
        {
            return Err(Refusal::WouldTake);
        }
        let enough = match (request.side, request.kind) {
            (Side::Sell, _) => balances.base_free >= i128::from(request.quantity.0),
            (Side::Buy, OrderKind::Market) => self.takeable(request, None).1 <= balances.quote_free,
            (Side::Buy, _) => {
                self.cost(request.price, request.quantity.0, self.fee_max()) <= balances.quote_free
            }
        };
        if enough { Ok(()) } else { Err(Refusal::Balance) }
    }

    /// How much could be taken at once and what it would cost; with an amount, no more than it buys.
    pub(super) fn takeable(&self, request: &OrderRequest, amount: Option<i128>) -> (i64, i128) {
        let other = opposite(request.side) as usize;
        let mut prices: BTreeSet<Price> = self.queues[other].keys().copied().collect();
        let (mut quantity, mut cost) = (0, 0);
        let mut rest = amount;
        // Strangers' levels are walked from the best; only as many as are needed.
        let mut strangers: Box<dyn Iterator<Item = (&Price, &External)>> = match request.side {
            Side::Buy => Box::new(self.external[other].iter()),
            Side::Sell => Box::new(self.external[other].iter().rev()),
        };
        let mut stranger = strangers.next();
        while quantity < request.quantity.0 {
            let own = match request.side {
                Side::Buy => prices.first().copied(),
                Side::Sell => prices.last().copied(),
            };
            let Some(price) = better(request.side, stranger.map(|(price, _)| *price), own) else {
                break;
            };
            if request.kind != OrderKind::Market && !reaches(request.side, request.price, price) {
                break;
            }
            let mut here = 0;
            if let Some((_, level)) = stranger.filter(|(at, _)| **at == price) {
                here += level.left();
                stranger = strangers.next();
            }
            if prices.remove(&price) {
                let others = self.queues[other][&price].iter();
                here += others
                    .filter(|order| order.account != request.account)
                    .map(|order| order.remaining)
                    .sum::<i64>();
            }
            let mut wanted = here.min(request.quantity.0 - quantity);
            if let Some(rest) = &mut rest {
                let lot = i128::from(self.config.lot.0);
                let bought = *rest * i128::from(SCALE) / i128::from(price.0) / lot * lot;
                let all = bought >= i128::from(wanted);
                wanted = wanted.min(i64::try_from(bought).unwrap_or(i64::MAX));
                *rest -= notional(price, Quantity(wanted)).0;
                if !all {
                    return (quantity + wanted, cost);
                }
            }
            quantity += wanted;
            cost += self.cost(price, wanted, self.config.taker_fee_ppm);
        }
        (quantity, cost)
    }

    /// Trades what can be traded at once; what is left.
    pub(super) fn take(
        &mut self,
        id: u64,
        request: &OrderRequest,
        out: &mut Vec<MatchEvent>,
    ) -> i64 {
        let other = opposite(request.side);
        let mut left = request.quantity.0;
        while left > 0 {
            let best = better(request.side, self.external_best(other), self.queue_best(other));
            let Some(price) = best.filter(|price| {
                request.kind == OrderKind::Market || reaches(request.side, request.price, *price)
            }) else {
                break;
            };
            let front = self.queues[other as usize].get(&price).map(|queue| queue[0]);
            let strangers =
                self.external[other as usize].get(&price).map_or(0, |level| level.left());
            let before_front = front.map_or(strangers, |order| order.ahead.min(strangers));
            if before_front > 0 {
                let quantity = left.min(before_front);
                self.take_external(id, request, price, quantity, out);
                left -= quantity;
            } else if let Some(front) = front {
                if front.account == request.account {
                    self.remove(other, price, 0);
                    out.push(MatchEvent::Expired { order: front.id, in_match: true });
                    continue;
                }
                let quantity = left.min(front.remaining);
                let trade = self.fill_resting(other, price, 0, quantity, out);
                self.fill_taker(id, request, trade, price, quantity, out);
                left -= quantity;
            }
        }
        left
    }

    pub(super) fn take_external(
        &mut self,
        id: u64,
        request: &OrderRequest,
        price: Price,
        quantity: i64,
        out: &mut Vec<MatchEvent>,
    ) {
        let other = opposite(request.side);
        if let Some(level) = self.external[other as usize].get_mut(&price) {
            level.consumed += quantity;
        }
        if let Some(queue) = self.queues[other as usize].get_mut(&price) {
            for order in queue {
                order.ahead = (order.ahead - quantity).max(0);
            }
        }
        self.touched.push((other, price));
        let trade = self.next_trade();
        out.push(MatchEvent::Printed {
            trade,
            price,
            quantity: Quantity(quantity),
            buyer_is_maker: request.side == Side::Sell,
        });
        self.fill_taker(id, request, trade, price, quantity, out);
    }

    pub(super) fn rest(&mut self, id: u64, request: &OrderRequest, left: i64) {
        let side = request.side as usize;
        let locked = match request.side {
            Side::Buy => self.cost(request.price, left, self.fee_max()),
            Side::Sell => i128::from(left),
        };
        self.wallets.add(request.account, self.paying_asset(request.side), -locked, locked);
        let ahead = self.external[side].get(&request.price).map_or(0, |level| level.left());
        self.queues[side].entry(request.price).or_default().push(Resting {
            id,
            account: request.account,
            side: request.side,
            price: request.price,
            remaining: left,
            locked,
            ahead,
            lead: 0,
        });
        self.places.insert(id, (request.side, request.price));
        self.touched.push((request.side, request.price));
    }

    /// Takes a resting order out of the book and frees what it still locks.
    pub(super) fn remove(&mut self, side: Side, price: Price, index: usize) {
        let Some(queue) = self.queues[side as usize].get_mut(&price) else {
            return;
        };
        let order = queue.remove(index);
        if queue.is_empty() {
            self.queues[side as usize].remove(&price);
        }
        self.places.remove(&order.id);
        let asset = self.paying_asset(order.side);
        self.wallets.add(order.account, asset, order.locked, -order.locked);
        self.touched.push((order.side, order.price));
    }
}
