//! Fills with their fees in; by how much each balance at a venue must have moved out.
//!
//! Balances are compared by asset and venue, not by market: several markets share a quote currency,
//! and a fee may be paid in what another market trades. What was there before we came is the
//! baseline, taken at the first comparison.

use crate::event::Side;
use crate::fees::Fee;
use crate::position::signed;
use serde::{Deserialize, Serialize};
use values::{Asset, Price, Quantity, SCALE};

/// By how much a venue may round the value of each fill: it keeps balances in 1e-8.
const ROUNDING: i128 = 10;

/// One balance as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Of what.
    pub asset: Asset,
    /// Whether it is traded there, and not only paid with.
    pub is_traded: bool,
    baseline: Option<i128>,
    /// By trading and fees; 1e-18.
    moved: i128,
    /// Fills that were paid with it, each rounded by the venue.
    rounded: u64,
    /// By how much the venue's differed when it was last compared.
    differs_by: i128,
    /// How often in a row by that much.
    times: u32,
}

impl Balance {
    fn of(asset: Asset, is_traded: bool) -> Self {
        let (baseline, moved, rounded) = (None, 0, 0);
        Self { asset, is_traded, baseline, moved, rounded, differs_by: 0, times: 0 }
    }

    /// What should be there, raw 1e-9; nothing before the first comparison.
    pub fn expected(&self) -> Option<i128> {
        Some(self.baseline?.saturating_add(self.moved / i128::from(SCALE)))
    }

    /// Ours, when the venue's differs by more than rounding; the first one told is the baseline.
    pub fn compare(&mut self, theirs: i128) -> Option<i128> {
        let moved = self.moved / i128::from(SCALE);
        let baseline = *self.baseline.get_or_insert(theirs.saturating_sub(moved));
        let ours = baseline.saturating_add(moved);
        if theirs.saturating_sub(ours).saturating_abs() > self.margin() {
            return Some(ours);
        }
        self.times = 0;
        None
    }

    /// Notes a difference that nothing explains; how often in a row it has been the same.
    pub(crate) fn differs(&mut self, by: i128) -> u32 {
        if by.saturating_sub(self.differs_by).saturating_abs() > self.margin() {
            self.times = 0;
        }
        self.differs_by = by;
        self.times = self.times.saturating_add(1);
        self.times
    }

    fn margin(&self) -> i128 {
        i128::from(self.rounded).saturating_mul(ROUNDING)
    }

    /// A person says that this much came or went by other means.
    pub(crate) fn accept(&mut self, difference: i128) {
        self.baseline = self.baseline.map(|baseline| baseline.saturating_add(difference));
    }
}

/// The balances of one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances(Vec<Balance>);

impl Balances {
    /// Takes in a market of the venue.
    pub fn list(&mut self, base: Asset, quote: Asset) {
        for (asset, is_traded) in [(base, true), (quote, false)] {
            if let Some(known) = self.get_mut(asset) {
                known.is_traded |= is_traded;
            } else {
                self.0.push(Balance::of(asset, is_traded));
            }
        }
    }

    /// One of them.
    pub fn get_mut(&mut self, asset: Asset) -> Option<&mut Balance> {
        self.0.iter_mut().find(|balance| balance.asset == asset)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Balance> {
        self.0.iter()
    }

    /// A fill: what was traded moves by the quantity, the quote currency by the value, and what the
    /// fee was paid in by the fee. An asset that no market lists is not compared.
    pub fn fill(
        &mut self,
        (base, quote): (Asset, Asset),
        side: Side,
        (price, quantity): (Price, Quantity),
        fee: &Fee,
    ) {
        let (scale, signed) = (i128::from(SCALE), i128::from(signed(side, quantity)));
        let moves = [
            (base, signed.saturating_mul(scale), 0),
            (quote, -i128::from(price.0).saturating_mul(signed), 1),
            (fee.asset, fee.amount.0.saturating_mul(-scale), 0),
        ];
        for (asset, by, rounded) in moves {
            if let Some(balance) = self.get_mut(asset) {
                balance.moved = balance.moved.saturating_add(by);
                balance.rounded += rounded;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::Money;

    const UNIT: i128 = SCALE as i128;

    fn asset(name: &str) -> Asset {
        Asset::new(name.as_bytes())
    }

    #[test]
    fn markets_share_a_currency_and_a_fee_is_paid_from_what_another_market_trades() {
        let [btc, bnb, usdt] = ["BTC", "BNB", "USDT"].map(asset);
        let mut balances = Balances::default();
        balances.list(btc, usdt);
        balances.list(bnb, usdt);
        for (name, theirs) in [(btc, 1), (bnb, 10), (usdt, 1_000)] {
            assert_eq!(balances.get_mut(name).expect("listed").compare(theirs * UNIT), None);
        }
        let fee = Fee { asset: bnb, amount: Money(UNIT / 10), value: None };
        let whole = Quantity(SCALE);
        balances.fill((btc, usdt), Side::Buy, (Price(100 * SCALE), whole), &fee);
        balances.fill((bnb, usdt), Side::Sell, (Price(30 * SCALE), whole), &fee);
        let expected: Vec<_> = balances.iter().map(Balance::expected).collect();
        let btc_now = Some(2 * UNIT);
        assert_eq!(expected, [btc_now, Some(930 * UNIT), Some(88 * UNIT / 10)]);
        assert_eq!(balances.iter().map(|b| b.is_traded).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn rounding_of_each_fill_is_no_difference_and_more_is() {
        let [btc, usdt] = ["BTC", "USDT"].map(asset);
        let mut balances = Balances::default();
        balances.list(btc, usdt);
        let fee = Fee { asset: usdt, amount: Money::ZERO, value: Some(Money::ZERO) };
        let cash = balances.get_mut(usdt).expect("listed");
        assert_eq!(cash.compare(1_000), None);
        balances.fill((btc, usdt), Side::Buy, (Price(7), Quantity(SCALE)), &fee);
        let cash = balances.get_mut(usdt).expect("listed");
        assert_eq!((cash.compare(993 + 10), cash.compare(993 - 10)), (None, None));
        assert_eq!(cash.compare(993 + 11), Some(993));
        cash.accept(11);
        assert_eq!(cash.compare(993 + 11), None);
    }
}
