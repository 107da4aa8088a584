//! Executions in; balances, locks and fees moved.

use values::{Price, Quantity, notional};

use super::{MatchEvent, Matching, OrderRequest};
use crate::event::Side;

const PARTS: i128 = 1_000_000;
/// Fees are cut to the eight decimals in which they are told, so that balances are exactly what a
/// client can compute from its fills.
const RAW_PER_DIGIT: i128 = 10;

impl Matching {
    pub(super) fn fee_max(&self) -> u32 {
        self.config.maker_fee_ppm.max(self.config.taker_fee_ppm)
    }

    /// What a buyer needs for this, in quote.
    pub(super) fn cost(&self, price: Price, quantity: i64, fee_ppm: u32) -> i128 {
        let amount = notional(price, Quantity(quantity)).0;
        let fee = if self.config.fee_in_quote { amount * i128::from(fee_ppm) / PARTS } else { 0 };
        amount + fee
    }

    /// What an order on this side is paid with.
    pub(super) fn paying_asset(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.quote,
            Side::Sell => self.base,
        }
    }

    pub(super) fn fill_taker(
        &mut self,
        id: u64,
        request: &OrderRequest,
        trade: u64,
        price: Price,
        quantity: i64,
        out: &mut Vec<MatchEvent>,
    ) {
        let fee = self.fee(request.side, price, quantity, self.config.taker_fee_ppm);
        let paid = self.settle_balances(request.account, request.side, price, quantity, fee);
        self.wallets.add(request.account, self.paying_asset(request.side), -paid, 0);
        let quantity = Quantity(quantity);
        out.push(MatchEvent::Filled { order: id, trade, price, quantity, fee, is_maker: false });
    }

    /// Fills part of a resting order, prints the trade and gives its number.
    pub(super) fn fill_resting(
        &mut self,
        side: Side,
        price: Price,
        index: usize,
        quantity: i64,
        out: &mut Vec<MatchEvent>,
    ) -> u64 {
        let trade = self.next_trade();
        let fee = self.fee(side, price, quantity, self.config.maker_fee_ppm);
        let order = self.queues[side as usize][&price][index];
        let paid = self.settle_balances(order.account, side, price, quantity, fee);
        self.wallets.add(order.account, self.paying_asset(side), 0, -paid);
        if let Some(resting) =
            self.queues[side as usize].get_mut(&price).and_then(|queue| queue.get_mut(index))
        {
            resting.remaining -= quantity;
            resting.locked -= paid;
        }
        self.touched.push((side, price));
        let buyer_is_maker = side == Side::Buy;
        let quantity = Quantity(quantity);
        out.push(MatchEvent::Printed { trade, price, quantity, buyer_is_maker });
        out.push(MatchEvent::Filled {
            order: order.id,
            trade,
            price,
            quantity,
            fee,
            is_maker: true,
        });
        if order.remaining == quantity.0 {
            self.remove(side, price, index);
        }
        trade
    }

    pub(super) fn fee(&self, side: Side, price: Price, quantity: i64, fee_ppm: u32) -> i128 {
        let received = if self.config.fee_in_quote || side == Side::Sell {
            notional(price, Quantity(quantity)).0
        } else {
            i128::from(quantity)
        };
        received * i128::from(fee_ppm) / PARTS / RAW_PER_DIGIT * RAW_PER_DIGIT
    }

    /// Credits what the side receives and gives what it has to pay from its other balance.
    pub(super) fn settle_balances(
        &mut self,
        account: usize,
        side: Side,
        price: Price,
        quantity: i64,
        fee: i128,
    ) -> i128 {
        let amount = notional(price, Quantity(quantity)).0;
        match (side, self.config.fee_in_quote) {
            (Side::Buy, true) => {
                self.wallets.add(account, self.base, i128::from(quantity), 0);
                self.fees.quote_free += fee;
                amount + fee
            }
            (Side::Buy, false) => {
                self.wallets.add(account, self.base, i128::from(quantity) - fee, 0);
                self.fees.base_free += fee;
                amount
            }
            (Side::Sell, _) => {
                self.wallets.add(account, self.quote, amount - fee, 0);
                self.fees.quote_free += fee;
                i128::from(quantity)
            }
        }
    }
}
