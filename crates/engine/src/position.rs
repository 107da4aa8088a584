//! Fills in, position, cost (average and first-in-first-out), cash, fees and profit out; exact
//! integers throughout.
//!
//! Cash and cost are kept as raw price times raw quantity (1e-18), so that no fill is ever rounded.
//! A close takes its share of the cost out by integer division and leaves the remainder in the
//! cost: `cash + cost == realised` holds to the last digit after any sequence of fills.

use crate::config::CoreConfig;
use crate::event::Side;
use crate::fees::{Fee, FeeTotals};
use crate::lots::{Lots, share};
use serde::{Deserialize, Serialize};
use values::{Money, Price, Quantity, StrategyId, unscale};

/// What one strategy, or all of them, hold in one market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    quantity: i64,
    /// What the open quantity cost, signed like the quantity; 1e-18.
    cost: i128,
    /// What trading paid (positive) or took (negative), without fees; 1e-18.
    cash: i128,
    realised: i128,
    lots: Lots,
    /// The value of the fees in the quote currency, as far as it was known.
    fees: i128,
    paid: FeeTotals,
    fills: u64,
}

impl Position {
    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.lots.reserve();
        self.paid.reserve();
    }

    /// Takes in one fill; quantity positive, fee positive when paid.
    pub fn fill(&mut self, side: Side, price: Price, quantity: Quantity, fee: &Fee) {
        let signed = signed(side, quantity);
        let value = i128::from(price.0) * i128::from(signed);
        self.cash = self.cash.saturating_sub(value);
        self.fees = self.fees.saturating_add(fee.value.unwrap_or(Money::ZERO).0);
        self.paid.add(fee);
        self.fills += 1;
        let held = self.quantity;
        if held == 0 || (held > 0) == (signed > 0) {
            self.cost = self.cost.saturating_add(value);
            self.lots.open(signed.unsigned_abs(), value);
        } else if signed.unsigned_abs() <= held.unsigned_abs() {
            self.lots.close(signed.unsigned_abs(), value);
            let share = share(self.cost, signed.unsigned_abs(), held.unsigned_abs());
            self.realised = self.realised.saturating_sub(value).saturating_sub(share);
            self.cost -= share;
        } else {
            // Through zero: all of the old is closed, the rest opens at this price.
            let closing = i128::from(price.0) * -i128::from(held);
            self.realised = self.realised.saturating_sub(closing).saturating_sub(self.cost);
            self.cost = value.saturating_sub(closing);
            self.lots.close(held.unsigned_abs(), closing);
            self.lots.open(signed.unsigned_abs() - held.unsigned_abs(), self.cost);
        }
        self.quantity = held.saturating_add(signed);
    }

    /// How much is held; negative is short.
    pub fn quantity(&self) -> Quantity {
        Quantity(self.quantity)
    }

    /// What the held quantity cost on average; `None` when flat. Rounded towards zero.
    pub fn average_cost(&self) -> Option<Price> {
        (self.quantity != 0)
            .then(|| Price((self.cost / i128::from(self.quantity)).try_into().unwrap_or(i64::MAX)))
    }

    /// What the held quantity cost a unit when the oldest is closed first; `None` when flat.
    pub fn fifo_cost(&self) -> Option<Price> {
        let cost = self.lots.cost();
        (self.quantity != 0)
            .then(|| Price((cost / i128::from(self.quantity)).try_into().unwrap_or(i64::MAX)))
    }

    /// The open lots, oldest first.
    pub fn lots(&self) -> &Lots {
        &self.lots
    }

    /// Profit of what was closed, before fees.
    pub fn realised(&self) -> Money {
        money(self.realised)
    }

    /// The same when the oldest is closed first.
    pub fn realised_fifo(&self) -> Money {
        money(self.lots.realised())
    }

    /// Profit that closing at `mark` would realise over what the open lots cost.
    pub fn unrealised_fifo(&self, mark: Price) -> Money {
        let worth = i128::from(mark.0) * i128::from(self.quantity);
        money(worth.saturating_sub(self.lots.cost()))
    }

    /// Profit that closing at `mark` would realise.
    pub fn unrealised(&self, mark: Price) -> Money {
        money((i128::from(mark.0) * i128::from(self.quantity)).saturating_sub(self.cost))
    }

    /// Everything together at `mark`: realised, unrealised, less fees.
    pub fn profit(&self, mark: Price) -> Money {
        let gross = self.cash.saturating_add(i128::from(mark.0) * i128::from(self.quantity));
        Money(money(gross).0.saturating_sub(self.fees))
    }

    /// What trading paid in all, less fees.
    pub fn cash(&self) -> Money {
        Money(money(self.cash).0.saturating_sub(self.fees))
    }

    /// Fees paid, as far as their value in the quote currency was known.
    pub fn fees(&self) -> Money {
        Money(self.fees)
    }

    /// Fees paid by asset.
    pub fn paid(&self) -> &FeeTotals {
        &self.paid
    }

    /// How many fills were taken in.
    pub fn fills(&self) -> u64 {
        self.fills
    }
}

/// What each strategy holds of each instrument over all venues, kept so that no book update has to
/// add it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    instruments: usize,
    by_strategy: Vec<i64>,
}

impl Held {
    /// Nothing is held; the last strategy is people's.
    pub fn of(config: &CoreConfig) -> Self {
        let instruments = config.instruments_count();
        Self { instruments, by_strategy: vec![0; instruments * (config.strategies.len() + 1)] }
    }

    /// A strategy traded.
    pub fn fill(&mut self, strategy: StrategyId, instrument: u8, signed: i64) {
        let slot = strategy.index() * self.instruments + usize::from(instrument);
        self.by_strategy[slot] = self.by_strategy[slot].saturating_add(signed);
    }

    /// What a strategy holds of an instrument.
    pub fn get(&self, strategy: usize, instrument: u8) -> Quantity {
        Quantity(self.by_strategy[strategy * self.instruments + usize::from(instrument)])
    }
}

/// Positive for a buy.
pub fn signed(side: Side, quantity: Quantity) -> i64 {
    match side {
        Side::Buy => quantity.0,
        Side::Sell => quantity.0.saturating_neg(),
    }
}

fn money(raw: i128) -> Money {
    Money(unscale(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lots::LOTS_MAX;
    use proptest::prelude::*;
    use values::{Asset, SCALE};

    fn at(price: i64) -> Price {
        Price(price * SCALE)
    }

    fn of(quantity: i64) -> Quantity {
        Quantity(quantity * SCALE)
    }

    fn usd(amount: i128) -> Money {
        Money(amount * i128::from(SCALE))
    }

    fn paid(amount: Money) -> Fee {
        Fee { asset: Asset::new(b"USDT"), amount, value: Some(amount) }
    }

    #[test]
    fn fills_move_cost_and_profit_as_a_bookkeeper_would() {
        let mut position = Position::default();
        position.fill(Side::Buy, at(100), of(2), &paid(usd(1)));
        position.fill(Side::Buy, at(110), of(2), &paid(usd(1)));
        assert_eq!(position.average_cost(), Some(at(105)));
        position.fill(Side::Sell, at(115), of(1), &paid(usd(1)));
        assert_eq!((position.realised(), position.realised_fifo()), (usd(10), usd(15)));
        assert_eq!(position.average_cost(), Some(at(105)));
        assert_eq!((position.lots().count(), position.lots().oldest()), (2, Some(at(100))));
        position.fill(Side::Sell, at(100), of(5), &paid(Money::ZERO));
        assert_eq!(position.quantity(), of(-2));
        assert_eq!((position.realised(), position.realised_fifo()), (usd(-5), usd(-5)));
        assert_eq!((position.average_cost(), position.fifo_cost()), (Some(at(100)), Some(at(100))));
        assert_eq!(position.unrealised(at(90)), usd(20));
        assert_eq!(position.fees(), usd(3));
        assert_eq!(position.profit(at(90)), usd(-5 + 20 - 3));
    }

    #[test]
    fn first_in_is_first_out_long_and_short() {
        for (opens, closes) in [(Side::Buy, Side::Sell), (Side::Sell, Side::Buy)] {
            let sign = if opens == Side::Buy { 1 } else { -1 };
            let mut position = Position::default();
            for price in [100, 130, 160] {
                position.fill(opens, at(price), of(1), &paid(Money::ZERO));
            }
            position.fill(closes, at(200), of(2), &paid(Money::ZERO));
            assert_eq!(position.realised_fifo(), usd(sign * 170), "200 - 100 and 200 - 130");
            assert_eq!(position.realised(), usd(sign * 140), "twice 200 - 130");
            assert_eq!(position.fifo_cost(), Some(at(160)));
            assert_eq!(position.unrealised_fifo(at(200)), usd(sign * 40));
        }
    }

    #[test]
    fn full_ring_joins_the_two_oldest_at_their_average() {
        let mut position = Position::default();
        for price in 1..=LOTS_MAX as i64 + 1 {
            position.fill(Side::Buy, at(price * 2), of(1), &paid(Money::ZERO));
        }
        assert_eq!((position.lots().count(), position.lots().merged()), (LOTS_MAX, 1));
        assert_eq!(position.lots().oldest(), Some(at(3)), "of 2 and 4");
        position.fill(Side::Sell, at(10), of(2), &paid(Money::ZERO));
        assert_eq!(position.realised_fifo(), usd(14));
    }

    #[test]
    fn fees_are_kept_by_asset_and_what_has_no_value_is_no_profit() {
        let mut position = Position::default();
        let bnb = |value| Fee { asset: Asset::new(b"BNB"), amount: Money(3), value };
        position.fill(Side::Buy, at(100), of(1), &paid(Money(5)));
        position.fill(Side::Buy, at(100), of(1), &bnb(Some(Money(1_800))));
        position.fill(Side::Buy, at(100), of(1), &bnb(None));
        assert_eq!(position.fees(), Money(1_805));
        let totals: Vec<_> = position.paid().iter().collect();
        assert_eq!((totals[0].paid, totals[0].unvalued), (Money(5), Money::ZERO));
        assert_eq!(totals[1].asset, Asset::new(b"BNB"));
        assert_eq!((totals[1].paid, totals[1].unvalued), (Money(6), Money(3)));
    }

    proptest! {
        #[test]
        fn cash_cost_and_realised_conserve_at_either_cost(
            fills in proptest::collection::vec((any::<bool>(), 1i64..1 << 50, 1i64..1 << 50), 1..600),
            mark in 1i64..1 << 50,
            flattens in any::<bool>(),
        ) {
            let mut position = Position::default();
            let (mut quantity, mut cash, count) = (0i128, 0i128, fills.len() as i128);
            let mut fill = |position: &mut Position, buys: bool, price: i64, size: i64| {
                let side = if buys { Side::Buy } else { Side::Sell };
                position.fill(side, Price(price), Quantity(size), &paid(Money(7)));
                let sign = if buys { 1 } else { -1 };
                quantity += sign * i128::from(size);
                cash -= sign * i128::from(size) * i128::from(price);
            };
            for (buys, price, size) in fills {
                fill(&mut position, buys, price, size);
                prop_assert_eq!(position.cash + position.cost, position.realised);
                prop_assert_eq!(position.cash + position.lots.cost(), position.lots.realised());
            }
            let rest = position.quantity;
            if flattens && rest != 0 {
                fill(&mut position, rest < 0, mark, rest.abs());
            }
            prop_assert_eq!(i128::from(position.quantity), quantity);
            prop_assert_eq!(position.cash, cash);
            let fees: i128 = position.paid().iter().map(|total| total.paid.0).sum();
            prop_assert_eq!(fees, 7 * (count + i128::from(flattens && rest != 0)));
            let at_mark = Price(mark);
            let average = position.realised().0 + position.unrealised(at_mark).0;
            let fifo = position.realised_fifo().0 + position.unrealised_fifo(at_mark).0;
            // Each of the four is rounded towards zero once.
            prop_assert!((average - fifo).abs() <= 2);
            prop_assert!((average - position.fees - position.profit(at_mark).0).abs() <= 1);
            if position.quantity == 0 {
                prop_assert_eq!((position.cost, position.lots.cost()), (0, 0));
                prop_assert_eq!((position.lots.count(), position.realised()), (0, position.realised_fifo()));
            }
        }
    }
}
