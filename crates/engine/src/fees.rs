//! An execution in; its fee by asset, and what that is worth in the quote currency, out.
//!
//! A fee in a third asset keeps its quantity. It is worth what the asset costs at the moment of the
//! fill: in a configured market of it with the same quote currency, else over the account's rates.
//! Where neither is known it is kept apart, unvalued, and shown so.

use crate::engine::Engine;
use crate::event::{Execution, FeeAsset};
use serde::{Deserialize, Serialize};
use values::{Asset, MarketId, Money, SCALE};

/// Assets for which memory is taken at the start; a venue charges in one to three.
const RESERVED: usize = 4;

/// A fee as it was paid.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// In what.
    pub asset: Asset,
    /// How much of it, raw 1e-9; negative is paid to us.
    pub amount: Money,
    /// What it was worth in the market's quote currency; `None` when nothing told.
    pub value: Option<Money>,
}

/// All fees in one asset.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeTotal {
    /// In what.
    pub asset: Asset,
    /// Paid in all.
    pub paid: Money,
    /// The part of it that nobody could value, and that no profit contains.
    pub unvalued: Money,
}

/// Fees by asset, in the order in which the assets came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeTotals(Vec<FeeTotal>);

impl FeeTotals {
    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.0.reserve(RESERVED.saturating_sub(self.0.len()));
    }

    /// Takes in one fee.
    pub fn add(&mut self, fee: &Fee) {
        let unvalued = if fee.value.is_some() { Money::ZERO } else { fee.amount };
        self.merge(&FeeTotal { asset: fee.asset, paid: fee.amount, unvalued });
    }

    /// Takes in another total.
    pub fn merge(&mut self, other: &FeeTotal) {
        if other.paid.0 == 0 && other.unvalued.0 == 0 {
            return;
        }
        let found = self.0.iter_mut().find(|total| total.asset == other.asset);
        let Some(total) = found else {
            self.0.push(*other);
            return;
        };
        total.paid.0 = total.paid.0.saturating_add(other.paid.0);
        total.unvalued.0 = total.unvalued.0.saturating_add(other.unvalued.0);
    }

    /// Asset by asset.
    pub fn iter(&self) -> impl Iterator<Item = &FeeTotal> {
        self.0.iter()
    }
}

impl Engine {
    /// The fee of an execution, and its value now.
    pub(crate) fn fee_of(&self, market: MarketId, done: &Execution) -> Fee {
        let state = &self.markets[market.index()];
        let amount = done.charge.amount;
        let (asset, value) = match done.charge.asset {
            FeeAsset::Quote => (state.quote, Some(done.fee)),
            FeeAsset::Base => (state.base, Some(done.fee)),
            FeeAsset::Other(asset) => (asset, self.value_in_quote(asset, amount, market)),
        };
        Fee { asset, amount, value }
    }

    /// What an amount of an asset is worth in a market's quote currency.
    fn value_in_quote(&self, asset: Asset, amount: Money, market: MarketId) -> Option<Money> {
        let (quote, venue) = (self.markets[market.index()].quote, self.venue_of(market));
        let of_asset = |index: &usize| {
            let state = &self.markets[*index];
            state.base == asset && state.quote == quote && state.mark.0 > 0
        };
        let here = |index: &usize| self.config.markets[*index].venue == venue.0;
        let mut found = (0..self.markets.len()).filter(of_asset);
        let best = found.clone().find(here).or_else(|| found.next());
        let (of, to) = match best {
            Some(index) => (self.markets[index].mark.0, SCALE),
            None => (self.rate_of(asset)?, self.rate_of(quote)?),
        };
        Some(Money(amount.0.saturating_mul(of.into()) / i128::from(to)))
    }

    /// What a unit of an asset is worth in the account's currency, when that has one.
    fn rate_of(&self, asset: Asset) -> Option<i64> {
        let limits = &self.config.limits;
        if limits.currency.is_empty() {
            return None;
        }
        if Asset::new(limits.currency.as_bytes()) == asset {
            return Some(SCALE);
        }
        let named = |rate: &&crate::limits::RateConfig| Asset::new(rate.asset.as_bytes()) == asset;
        let rate = limits.rates.iter().find(named)?;
        let told = rate.market.map(|market| self.markets[usize::from(market)].mark);
        told.filter(|mark| mark.0 > 0).or(rate.rate).map(|price| price.0)
    }
}
