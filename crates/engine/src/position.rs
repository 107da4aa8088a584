//! Fills in, position, average cost, cash, fees and profit out; exact integers throughout.
//!
//! Cash and cost are kept as raw price times raw quantity (1e-18), so that no fill is ever rounded.
//! A close takes its share of the cost out by integer division and leaves the remainder in the
//! cost: `cash + cost == realised` holds to the last digit after any sequence of fills.

use crate::event::Side;
use serde::{Deserialize, Serialize};
use values::{Money, Price, Quantity, SCALE};

/// What one strategy, or all of them, hold in one market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    quantity: i64,
    /// What the open quantity cost, signed like the quantity; 1e-18.
    cost: i128,
    /// What trading paid (positive) or took (negative), without fees; 1e-18.
    cash: i128,
    realised: i128,
    fees: i128,
    fills: u64,
}

impl Position {
    /// Takes in one fill; quantity positive, fee positive when paid.
    pub fn fill(&mut self, side: Side, price: Price, quantity: Quantity, fee: Money) {
        let signed = signed(side, quantity);
        let value = i128::from(price.0) * i128::from(signed);
        self.cash = self.cash.saturating_sub(value);
        self.fees = self.fees.saturating_add(fee.0);
        self.fills += 1;
        let held = self.quantity;
        if held == 0 || (held > 0) == (signed > 0) {
            self.cost = self.cost.saturating_add(value);
        } else if signed.unsigned_abs() <= held.unsigned_abs() {
            let share = share(self.cost, signed.unsigned_abs(), held.unsigned_abs());
            self.realised = self.realised.saturating_sub(value).saturating_sub(share);
            self.cost -= share;
        } else {
            // Through zero: all of the old is closed, the rest opens at this price.
            let closing = i128::from(price.0) * -i128::from(held);
            self.realised = self.realised.saturating_sub(closing).saturating_sub(self.cost);
            self.cost = value.saturating_sub(closing);
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

    /// Profit of what was closed, before fees.
    pub fn realised(&self) -> Money {
        money(self.realised)
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

    /// Fees paid.
    pub fn fees(&self) -> Money {
        Money(self.fees)
    }

    /// How many fills were taken in.
    pub fn fills(&self) -> u64 {
        self.fills
    }
}

/// Positive for a buy.
pub fn signed(side: Side, quantity: Quantity) -> i64 {
    match side {
        Side::Buy => quantity.0,
        Side::Sell => quantity.0.saturating_neg(),
    }
}

/// `cost * part / whole` without overflow, for `part <= whole`.
fn share(cost: i128, part: u64, whole: u64) -> i128 {
    let (part, whole) = (i128::from(part), i128::from(whole));
    cost / whole * part + cost % whole * part / whole
}

fn money(raw: i128) -> Money {
    Money(raw / i128::from(SCALE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(price: i64) -> Price {
        Price(price * SCALE)
    }

    fn of(quantity: i64) -> Quantity {
        Quantity(quantity * SCALE)
    }

    fn usd(amount: i128) -> Money {
        Money(amount * i128::from(SCALE))
    }

    #[test]
    fn fills_move_cost_and_profit_as_a_bookkeeper_would() {
        let mut position = Position::default();
        position.fill(Side::Buy, at(100), of(2), usd(1));
        position.fill(Side::Buy, at(110), of(2), usd(1));
        assert_eq!(position.average_cost(), Some(at(105)));
        position.fill(Side::Sell, at(115), of(1), usd(1));
        assert_eq!(position.realised(), usd(10));
        assert_eq!(position.average_cost(), Some(at(105)));
        position.fill(Side::Sell, at(100), of(5), Money::ZERO);
        assert_eq!(position.quantity(), of(-2));
        assert_eq!(position.realised(), usd(10 - 15));
        assert_eq!(position.average_cost(), Some(at(100)));
        assert_eq!(position.unrealised(at(90)), usd(20));
        assert_eq!(position.fees(), usd(3));
        assert_eq!(position.profit(at(90)), usd(-5 + 20 - 3));
    }

    proptest! {
        #[test]
        fn cash_cost_and_realised_conserve(
            fills in proptest::collection::vec((any::<bool>(), 1i64..1 << 50, 1i64..1 << 50), 1..200),
            mark in 1i64..1 << 50,
        ) {
            let mut position = Position::default();
            let (mut quantity, mut cash) = (0i128, 0i128);
            for (buys, price, size) in fills {
                let side = if buys { Side::Buy } else { Side::Sell };
                position.fill(side, Price(price), Quantity(size), Money(7));
                let sign = if buys { 1 } else { -1 };
                quantity += sign * i128::from(size);
                cash -= sign * i128::from(size) * i128::from(price);
                prop_assert_eq!(position.cash + position.cost, position.realised);
            }
            prop_assert_eq!(i128::from(position.quantity), quantity);
            prop_assert_eq!(position.cash, cash);
            let split = position.realised().0 + position.unrealised(Price(mark)).0 - position.fees;
            prop_assert!((split - position.profit(Price(mark)).0).abs() <= 1);
            prop_assert!(position.quantity != 0 || position.cost == 0);
        }
    }
}
