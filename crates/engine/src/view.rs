//! The core's state, read-only, for metrics and status.

use crate::breaker::BreakerState;
use crate::breaks::Breaks;
use crate::config::CoreConfig;
use crate::counters::Counters;
use crate::engine::{Engine, Freshness};
use crate::equity::Equity;
use crate::guardian::Guardian;
use crate::limits::Scope;
use crate::market::Market;
use crate::order::{Order, OrderState, OrderTable};
use crate::position::Position;
use crate::reconcile::Stage;
use crate::risk::TradingState;
use crate::schedule::Parents;
use values::{MarketId, Money, Nanos, Price, StrategyId, VenueId};

impl Engine {
    /// What it was configured with.
    pub fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// Active, reducing or halted; a clean shutdown counts as halted.
    pub fn trading_state(&self) -> TradingState {
        if self.is_shutting_down { TradingState::Halted } else { self.state }
    }

    /// Where flow is routed.
    pub fn active_venue(&self) -> VenueId {
        self.active_venue
    }

    /// Whether the venue said "too many requests" and new orders wait.
    pub fn is_held(&self, venue: VenueId, now_ns: Nanos) -> bool {
        now_ns < self.venues[venue.index()].held_until_ns
    }

    /// Where our books and a venue's differ.
    pub fn breaks(&self) -> &Breaks {
        &self.breaks
    }

    /// All counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// All orders.
    pub fn orders(&self) -> &OrderTable {
        &self.orders
    }

    /// The orders that the core keeps and works off: stops, icebergs, schedules, people's orders.
    pub fn parents(&self) -> &Parents {
        &self.parents
    }

    /// Running estimate of a venue's order latency; zero before the first order.
    pub fn order_latency_ns(&self, venue: VenueId) -> Nanos {
        self.venues[venue.index()].latency_ns
    }

    /// Open orders of a venue.
    pub fn open_orders(&self, venue: VenueId) -> impl Iterator<Item = &Order> {
        self.orders.open().iter().filter(move |o| self.venue_of(o.new.market) == venue)
    }

    /// How many orders of a venue are of unknown fate.
    pub fn orders_unknown(&self, venue: VenueId) -> usize {
        self.open_orders(venue).filter(|order| order.state == OrderState::Unknown).count()
    }

    /// A market's book and its counters.
    pub fn market(&self, market: MarketId) -> &Market {
        &self.markets[market.index()].market
    }

    /// All strategies' position in a market.
    pub fn position(&self, market: MarketId) -> &Position {
        &self.markets[market.index()].position
    }

    /// One strategy's position in a market.
    pub fn strategy_position(&self, market: MarketId, strategy: StrategyId) -> &Position {
        &self.markets[market.index()].by_strategy[usize::from(strategy.0)]
    }

    /// The last microprice of a market, which values its position; zero before the first.
    pub fn mark(&self, market: MarketId) -> Price {
        self.markets[market.index()].mark
    }

    /// Profit of what was closed, all markets, before fees.
    pub fn realised(&self) -> Money {
        self.realised_of(Scope::Account)
    }

    /// Profit that closing everything at the marks would realise.
    pub fn unrealised(&self) -> Money {
        self.unrealised_of(Scope::Account)
    }

    /// Everything won since the start of the run, fees taken off.
    pub fn profit(&self) -> Money {
        self.profit_of(Scope::Account)
    }

    /// A venue's breaker.
    pub fn breaker(&self, venue: VenueId) -> BreakerState {
        self.venues[venue.index()].breaker.state()
    }

    /// How young a venue's market data is.
    pub fn freshness(&self, venue: VenueId) -> Freshness {
        self.venues[venue.index()].freshness
    }

    /// How far a venue's reconciliation is.
    pub fn reconciliation(&self, venue: VenueId) -> Stage {
        self.venues[venue.index()].stage
    }

    /// Whether only market data is taken from a venue.
    pub fn is_data_only(&self, venue: VenueId) -> bool {
        self.config.venues[venue.index()].is_data_only
    }

    /// Whether a venue's orders and position agree with ours; where there can be none, they do.
    pub fn is_reconciled(&self, venue: VenueId) -> bool {
        self.is_data_only(venue) || self.reconciliation(venue) == Stage::Reconciled
    }

    /// Whether a command halted this venue.
    pub fn is_halted(&self, venue: VenueId) -> bool {
        self.venues[venue.index()].is_halted
    }

    /// Whether the user stream of a venue is up, where there is one.
    pub fn is_user_up(&self, venue: VenueId) -> bool {
        self.is_data_only(venue) || self.venues[venue.index()].is_user_up
    }

    /// New orders a second that a venue may get now, leases counted.
    pub fn order_rate(&self, venue: VenueId, now_ns: Nanos) -> u32 {
        self.venues[venue.index()].rate.limit(now_ns)
    }

    /// What is watched of a strategy.
    pub fn guardian(&self, strategy: StrategyId) -> &Guardian {
        &self.guardians[usize::from(strategy.0)]
    }

    /// How the profit of a scope has moved; a market's is the account's.
    pub fn equity(&self, scope: Scope) -> &Equity {
        &self.equities[self.equity_index(scope)]
    }
}
