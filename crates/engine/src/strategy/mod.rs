//! A market, our position and our working orders in; order intents out. A shelf.
//!
//! A strategy is a pure function with a small state of its own. It proposes; the risk check decides.

pub mod breaker;
mod external;
pub mod market_maker;
pub mod momentum;
pub mod onnx;

use crate::book::Book;
use crate::config::{MarketConfig, StrategyConfig, StrategyKind};
use crate::event::{Level, Side};
use crate::order::Order;
use crate::risk::Intent;
use serde::{Deserialize, Serialize};
use values::{MarketId, Nanos, Price, Quantity, StrategyId};

/// What a strategy may look at, in one market at one moment.
#[derive(Copy, Clone, Debug)]
pub struct View<'a> {
    /// Now.
    pub now_ns: Nanos,
    /// Which market.
    pub market: MarketId,
    /// The strategy itself, to know its own orders.
    pub strategy: StrategyId,
    /// The market's steps and limits.
    pub limits: &'a MarketConfig,
    /// Best bid.
    pub bid: Level,
    /// Best offer.
    pub ask: Level,
    /// The microprice.
    pub microprice: Price,
    /// Whether the book has just changed; else an order of ours ended.
    pub is_update: bool,
    /// Whether this is the active venue.
    pub is_active: bool,
    /// This strategy's position in this market.
    pub position: Quantity,
    /// This strategy's position in this instrument over all venues.
    pub position_all_venues: Quantity,
    /// All strategies' position in this market.
    pub position_market: Quantity,
    /// How many orders this strategy has open in this instrument over all venues.
    pub open_all_venues: usize,
    /// Every open order, of every strategy and market.
    pub orders: &'a [Order],
    /// The market's whole book.
    pub book: &'a Book,
}

impl<'a> View<'a> {
    /// This strategy's open orders in this market.
    pub fn own(&self) -> impl Iterator<Item = &'a Order> + use<'a> {
        let (market, strategy) = (self.market, self.strategy);
        self.orders.iter().filter(move |o| o.new.market == market && o.new.strategy == strategy)
    }

    /// The best price of our own resting orders on a side, of any strategy in this market.
    pub fn own_best(&self, side: Side) -> Option<Price> {
        let resting =
            self.orders.iter().filter(|o| o.new.market == self.market && o.new.side == side);
        let prices = resting.map(|o| o.new.price);
        match side {
            Side::Buy => prices.max(),
            Side::Sell => prices.min(),
        }
    }

    /// How much more may be bought or sold before the position limit, open orders counted.
    pub fn room(&self, side: Side) -> Quantity {
        let open = self.orders.iter().filter(|o| o.new.market == self.market && o.new.side == side);
        let open = open.map(|o| o.exposure().0).fold(0, i64::saturating_add);
        let position = match side {
            Side::Buy => self.position_market.0,
            Side::Sell => self.position_market.0.saturating_neg(),
        };
        let most = self.limits.position_max.0;
        Quantity(most.saturating_sub(position).saturating_sub(open).max(0))
    }

    /// A size as the market takes it: whole lots within the room and the largest order; zero when
    /// that is below the smallest order.
    pub fn sized(&self, side: Side, wanted: Quantity) -> Quantity {
        let most = wanted.min(self.room(side)).min(self.limits.quantity_max);
        let whole = Quantity(most.0 - most.0 % self.limits.lot.0);
        if whole < self.limits.quantity_min { Quantity::ZERO } else { whole }
    }
}

/// `value * ppm / 1e6`, rounded towards zero.
pub fn parts_per_million(value: i64, ppm: i64) -> i64 {
    (i128::from(value) * i128::from(ppm) / 1_000_000) as i64
}

/// The tick at or below.
pub fn tick_down(price: i64, tick: Price) -> i64 {
    price - price.rem_euclid(tick.0)
}

/// The tick at or above.
pub fn tick_up(price: i64, tick: Price) -> i64 {
    tick_down(price + tick.0 - 1, tick)
}

/// A strategy's own memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StrategyState {
    /// The maker remembers nothing: its quotes are in the order table.
    MarketMaker,
    /// The averages per market and the time of the last order.
    Momentum(momentum::Memory),
    /// It remembers in its own process; here is what guards us from it.
    External(breaker::StrategyBreaker),
    /// A model with each market's figures.
    Onnx(Box<onnx::Memory>),
}

impl StrategyState {
    /// A fresh memory for a configured strategy.
    pub fn new(config: &StrategyConfig, markets: usize, instruments: usize) -> Self {
        match &config.kind {
            StrategyKind::MarketMaker { .. } => Self::MarketMaker,
            StrategyKind::External(patience) => {
                Self::External(breaker::StrategyBreaker::new(patience))
            }
            StrategyKind::Momentum { fast_updates, slow_updates, .. } => {
                let (fast, slow) = (*fast_updates, *slow_updates);
                Self::Momentum(momentum::Memory::new(fast, slow, markets, instruments))
            }
            StrategyKind::Onnx { .. } => {
                Self::Onnx(Box::new(onnx::Memory::new(markets, instruments)))
            }
        }
    }

    /// Lets the strategy look; its intents are appended.
    pub fn look(&mut self, kind: &StrategyKind, view: &View<'_>, intents: &mut Vec<Intent>) {
        match (self, kind) {
            (
                Self::MarketMaker,
                StrategyKind::MarketMaker { half_spread_ppm, quantity, skew_ppm, requote_ppm },
            ) => market_maker::quote(
                &market_maker::Settings {
                    half_spread_ppm: *half_spread_ppm,
                    quantity: *quantity,
                    skew_ppm: *skew_ppm,
                    requote_ppm: *requote_ppm,
                },
                view,
                intents,
            ),
            (
                Self::Momentum(memory),
                StrategyKind::Momentum { trigger_ppm, quantity, cooldown_ns, .. },
            ) => momentum::take(
                &momentum::Settings {
                    trigger_ppm: *trigger_ppm,
                    quantity: *quantity,
                    cooldown_ns: *cooldown_ns,
                },
                memory,
                view,
                intents,
            ),
            (Self::External(_), StrategyKind::External(_)) => {}
            (
                Self::Onnx(memory),
                StrategyKind::Onnx { quantity, threshold_micros, horizon_ns, cooldown_ns },
            ) => onnx::take(
                &onnx::Settings {
                    threshold_micros: *threshold_micros,
                    quantity: *quantity,
                    horizon_ns: *horizon_ns,
                    cooldown_ns: *cooldown_ns,
                },
                memory,
                view,
                intents,
            ),
            _ => unreachable!("a strategy's memory is made from its own configuration"),
        }
    }

    /// The book of a market is out of step: averages of it mean nothing any more.
    pub fn forget(&mut self, market: MarketId) {
        match self {
            Self::Momentum(memory) => memory.forget(market),
            Self::Onnx(memory) => memory.forget(market),
            Self::MarketMaker | Self::External(_) => {}
        }
    }

    /// A public trade.
    pub fn on_trade(&mut self, market: MarketId, quantity: Quantity, buyer_is_maker: bool) {
        if let Self::Onnx(memory) = self {
            memory.on_trade(market, quantity, buyer_is_maker);
        }
    }

    /// The same, to be changed.
    pub(crate) fn onnx_mut(&mut self) -> Option<&mut onnx::Memory> {
        if let Self::Onnx(memory) = self { Some(memory) } else { None }
    }

    /// What an ONNX strategy remembers.
    pub fn onnx(&self) -> Option<&onnx::Memory> {
        if let Self::Onnx(memory) = self { Some(memory) } else { None }
    }
}
