//! Positions and open orders in; exposure and profit of a scope, in the account's currency, out.
//!
//! The worst case counts: every open order, those of unknown fate included, as if filled.

use crate::engine::Engine;
use crate::event::Side;
use crate::fees::FeeTotals;
use crate::limits::Scope;
use crate::position::Position;
use crate::risk::PlaceIntent;
use values::{MarketId, Money, Price, SCALE, StrategyId, unscale};

const ONE: Price = Price(SCALE);

/// What could be held, should everything open fill on the worse side of each market.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Sum of absolute values.
    pub gross: Money,
    /// Everything netted, with all open buys filled.
    pub long: Money,
    /// Everything netted the other way, with all open sells filled.
    pub short: Money,
    /// Some market has a position or an order and no price yet.
    pub is_unpriced: bool,
}

impl Exposure {
    /// The larger of the two nettings.
    pub fn net(&self) -> Money {
        self.long.max(self.short)
    }
}

impl Engine {
    /// What one unit of a market's quote currency is worth in the account's; `None` until a market
    /// has told.
    pub fn quote_rate(&self, market: MarketId) -> Option<Price> {
        self.asset_rate(&self.config.markets[market.index()].quote)
    }

    /// What one unit of an asset is worth in the account's currency.
    pub fn asset_rate(&self, asset: &str) -> Option<Price> {
        let limits = &self.config.limits;
        if limits.currency.is_empty() || limits.currency == asset {
            return Some(ONE);
        }
        let rate = limits.rates.iter().find(|rate| rate.asset == asset)?;
        let told = rate.market.map(|market| self.markets[usize::from(market)].mark);
        told.filter(|mark| mark.0 > 0).or(rate.rate)
    }

    /// Whether a market belongs to a scope.
    pub(crate) fn is_in(&self, scope: Scope, market: usize) -> bool {
        let config = &self.config.markets[market];
        match scope {
            Scope::Account | Scope::Strategy(_) => true,
            Scope::Venue(index) => config.venue == index,
            Scope::Instrument(index) => config.instrument == index,
            Scope::Market(index) => usize::from(index) == market,
        }
    }

    /// The markets and positions of a scope.
    pub fn positions(&self, scope: Scope) -> impl Iterator<Item = (MarketId, &Position)> {
        let states = self.markets.iter().enumerate();
        states.filter(move |(index, _)| self.is_in(scope, *index)).map(move |(index, state)| {
            let position = match scope {
                Scope::Strategy(strategy) => &state.by_strategy[usize::from(strategy)],
                _ => &state.position,
            };
            (MarketId(index as u8), position)
        })
    }

    /// Open buys and sells of a scope in one of its markets.
    pub(crate) fn open_in(&self, scope: Scope, market: MarketId) -> (i128, i128) {
        let (mut buying, mut selling) = (0, 0);
        for order in self.orders.open().iter().filter(|order| order.new.market == market) {
            if let Scope::Strategy(index) = scope
                && order.new.strategy != StrategyId(index)
            {
                continue;
            }
            match order.new.side {
                Side::Buy => buying += i128::from(order.exposure().0),
                Side::Sell => selling += i128::from(order.exposure().0),
            }
        }
        (buying, selling)
    }

    /// What a scope could come to hold.
    pub fn exposure(&self, scope: Scope) -> Exposure {
        self.exposure_with(scope, None)
    }

    /// The same with one more order sent.
    pub(crate) fn exposure_with(
        &self,
        scope: Scope,
        intent: Option<(MarketId, &PlaceIntent)>,
    ) -> Exposure {
        let mut sum = Exposure::default();
        for (market, position) in self.positions(scope) {
            let held = i128::from(position.quantity().0);
            let (mut buying, mut selling) = self.open_in(scope, market);
            let mut price = self.mark(market);
            if let Some((at, intent)) = intent
                && at == market
            {
                match intent.side {
                    Side::Buy => buying += i128::from(intent.quantity.0),
                    Side::Sell => selling += i128::from(intent.quantity.0),
                }
                price = price.max(intent.price);
            }
            if held == 0 && buying == 0 && selling == 0 {
                continue;
            }
            let Some(rate) = self.quote_rate(market).filter(|_| price.0 > 0) else {
                sum.is_unpriced = true;
                continue;
            };
            let worth = |quantity: i128| convert(value(quantity, price), rate);
            let most = (held + buying).abs().max((held - selling).abs());
            sum.gross.0 = sum.gross.0.saturating_add(worth(most));
            sum.long.0 = sum.long.0.saturating_add(worth(held + buying));
            sum.short.0 = sum.short.0.saturating_add(worth(selling - held));
        }
        sum
    }

    /// Everything won in a scope since the start of the run, fees taken off.
    pub fn profit_of(&self, scope: Scope) -> Money {
        self.total(scope, Position::profit)
    }

    /// Profit of what was closed in a scope, before fees.
    pub fn realised_of(&self, scope: Scope) -> Money {
        self.total(scope, |position, _| position.realised())
    }

    /// The same with the oldest closed first.
    pub fn realised_fifo_of(&self, scope: Scope) -> Money {
        self.total(scope, |position, _| position.realised_fifo())
    }

    /// Profit that closing everything in a scope would realise over what its open lots cost.
    pub fn unrealised_fifo_of(&self, scope: Scope) -> Money {
        self.total(scope, Position::unrealised_fifo)
    }

    /// Fees paid in a scope, by asset.
    pub fn fees_paid_in(&self, scope: Scope) -> FeeTotals {
        let mut sum = FeeTotals::default();
        for (_, position) in self.positions(scope) {
            position.paid().iter().for_each(|total| sum.merge(total));
        }
        sum
    }

    /// Profit that closing everything in a scope at the marks would realise.
    pub fn unrealised_of(&self, scope: Scope) -> Money {
        self.total(scope, Position::unrealised)
    }

    /// Fees paid in a scope, as far as their value was known.
    pub fn fees_of(&self, scope: Scope) -> Money {
        self.total(scope, |position, _| position.fees())
    }

    /// What is held in a scope at the marks; negative is short.
    pub fn value_of(&self, scope: Scope) -> Money {
        self.total(scope, |position, mark| values::notional(mark, position.quantity()))
    }

    fn total(&self, scope: Scope, pick: fn(&Position, Price) -> Money) -> Money {
        let mut sum: i128 = 0;
        for (market, position) in self.positions(scope).filter(|(_, it)| it.fills() > 0) {
            // Without a rate yet no order of ours was let pass there.
            let rate = self.quote_rate(market).unwrap_or(ONE);
            sum = sum.saturating_add(convert(pick(position, self.mark(market)).0, rate));
        }
        Money(sum)
    }
}

fn value(quantity: i128, price: Price) -> i128 {
    unscale(quantity * i128::from(price.0))
}

/// Into the account's currency; one to one is exact.
fn convert(amount: i128, rate: Price) -> i128 {
    if rate == ONE {
        return amount;
    }
    unscale(amount.saturating_mul(i128::from(rate.0)))
}
