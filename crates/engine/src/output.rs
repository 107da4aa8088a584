//! What the core wants done or known; the shell does it only after the input is in the journal.

use crate::breaks::{About, BreakClass, BreakState};
use crate::event::{Side, TimeInForce};
use crate::reason::DenialReason;
use crate::schedule::{EndReason, ParentState};
use crate::strategy::breaker::Gate;
use values::{ClientOrderId, MarketId, Money, Nanos, Price, Quantity, StrategyId, VenueId};

/// An order that passed every check.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewOrder {
    /// Our id.
    pub client_order_id: ClientOrderId,
    /// Where.
    pub market: MarketId,
    /// Who wanted it.
    pub strategy: StrategyId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// How much, positive.
    pub quantity: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
}

/// An act of the core itself, without diagnosis, to keep the book safe.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Reflex {
    /// Market data is too old: no new orders there, resting ones cancelled.
    StaleMarket,
    /// Market data is fresh again.
    FreshMarket,
    /// Too many refusals or unknowns: the breaker opened.
    BreakerOpened,
    /// The back-off is over: one probe order may pass.
    BreakerHalfOpen,
    /// The probe was answered well.
    BreakerClosed,
    /// The kill switch was thrown.
    Killed,
    /// The user stream was away for too long: everything of ours there is cancelled.
    UserLost,
    /// A strategy asked again and again for what it must not have: its breaker opened.
    StrategyBreakerOpened,
    /// A strategy may send one probe order.
    StrategyBreakerHalfOpen,
    /// The strategy's probe was taken.
    StrategyBreakerClosed,
    /// A strategy traded the same way too often: stopped until a person re-arms it.
    StrategyStopped,
}

impl Reflex {
    /// The name that metrics and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleMarket => "stale_market",
            Self::FreshMarket => "fresh_market",
            Self::BreakerOpened => "breaker_opened",
            Self::BreakerHalfOpen => "breaker_half_open",
            Self::BreakerClosed => "breaker_closed",
            Self::Killed => "killed",
            Self::UserLost => "user_lost",
            Self::StrategyBreakerOpened => "strategy_breaker_opened",
            Self::StrategyBreakerHalfOpen => "strategy_breaker_half_open",
            Self::StrategyBreakerClosed => "strategy_breaker_closed",
            Self::StrategyStopped => "strategy_stopped",
        }
    }
}

/// What the core asks of the shell.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Output {
    /// Send this order.
    Place(NewOrder),
    /// Cancel this order.
    Cancel {
        /// Where.
        market: MarketId,
        /// Which.
        client_order_id: ClientOrderId,
    },
    /// Ask what became of this order.
    QueryOrder {
        /// Where.
        market: MarketId,
        /// Which.
        client_order_id: ClientOrderId,
    },
    /// Fetch a depth snapshot.
    FetchSnapshot(MarketId),
    /// Fetch our open orders.
    FetchOpenOrders(MarketId),
    /// Fetch our trades from this id on.
    FetchMyTrades {
        /// Where.
        market: MarketId,
        /// From which trade id on.
        from_id: u64,
    },
    /// Fetch our balances.
    FetchAccount(VenueId),
    /// Drop this venue's market data connection and connect anew.
    Reconnect(VenueId),

    /// For the record: an intent was refused by us, never sent.
    Denied {
        /// Where.
        market: MarketId,
        /// Whose intent.
        strategy: StrategyId,
        /// Why.
        reason: DenialReason,
    },
    /// For the record: an order of ours traded.
    Filled {
        /// Where.
        market: MarketId,
        /// Whose.
        client_order_id: ClientOrderId,
        /// Buy or sell.
        side: Side,
        /// At what price.
        price: Price,
        /// How much.
        quantity: Quantity,
        /// Fee in the quote currency.
        fee: Money,
    },
    /// For the record: a reflex acted.
    Reflex {
        /// Where; `None` is everywhere.
        venue: Option<VenueId>,
        /// Which.
        reflex: Reflex,
    },
    /// For the record: our books differ from what the venue says.
    Break {
        /// Its number.
        id: u32,
        /// What kind.
        class: BreakClass,
        /// Where.
        venue: VenueId,
        /// In which market, unless it is about a balance.
        market: Option<MarketId>,
        /// About what.
        about: About,
        /// What we have, raw 1e-9.
        ours: i128,
        /// What the venue says, raw 1e-9.
        theirs: i128,
    },
    /// For the record: this venue's open orders and position agree with ours; trading may begin.
    Reconciled(VenueId),
    /// For the record: what one venue offered when an order was routed. The orders of the decision
    /// follow it, numbered from `decision` on.
    Offered {
        /// Number of the first order that was sent for it.
        decision: u32,
        /// Where.
        market: MarketId,
        /// Best bid.
        bid: Price,
        /// Best offer.
        ask: Price,
        /// How much rested within the order's limit, as far as the book was read.
        depth: Quantity,
        /// Fee of this order there.
        fee_ppm: i64,
        /// Running estimate of the order latency.
        latency_ns: Nanos,
        /// Expected cost of all of it there against the middle, fee included.
        cost_ppm: i64,
        /// The same with latency and inventory: the smallest wins.
        score_ppm: i64,
        /// Why nothing could be sent there.
        obstacle: Option<DenialReason>,
        /// How much was sent there.
        share: Quantity,
    },
    /// For the record: an order that the core keeps moved on.
    Parent {
        /// Which.
        id: u32,
        /// To where.
        state: ParentState,
        /// Why it ends.
        end: Option<EndReason>,
    },
    /// For the record: the intents of a strategy with a process of its own are taken, or not.
    StrategyGate {
        /// Whose.
        strategy: StrategyId,
        /// What its breaker lets through now.
        gate: Gate,
    },
    /// For the record: a reflex acted on a strategy.
    StrategyReflex {
        /// Whose.
        strategy: StrategyId,
        /// Which.
        reflex: Reflex,
    },
    /// For the record: this check would have denied, and only counts.
    Observed {
        /// Where.
        market: MarketId,
        /// Whose intent.
        strategy: StrategyId,
        /// What would have been the reason.
        reason: DenialReason,
    },
    /// For the record: a break is escalated, or has ended.
    BreakMoved {
        /// Its number.
        id: u32,
        /// To where.
        state: BreakState,
    },
}
