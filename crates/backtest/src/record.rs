//! What happened during a run, as columns for a report.

use engine::event::{Side, TimeInForce};
use values::{ClientOrderId, MarketId, Nanos, StrategyId};

/// One order that the core sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// When the core decided.
    pub ts_ns: Nanos,
    /// Our id.
    pub id: ClientOrderId,
    /// Where.
    pub market: MarketId,
    /// Whose.
    pub strategy: StrategyId,
    /// Buy or sell.
    pub side: Side,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Limit, raw.
    pub price: i64,
    /// How much, raw.
    pub quantity: i64,
}

/// One execution of ours, when we learn of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FillRow {
    /// When we learnt of it.
    pub ts_ns: Nanos,
    /// Our id.
    pub id: ClientOrderId,
    /// Where.
    pub market: MarketId,
    /// Whose.
    pub strategy: StrategyId,
    /// Buy or sell.
    pub side: Side,
    /// Whether we were resting.
    pub is_maker: bool,
    /// At what price, raw.
    pub price: i64,
    /// How much, raw.
    pub quantity: i64,
    /// Fee, raw quote.
    pub fee: i64,
    /// Microprice just then, raw.
    pub mark: i64,
    /// What we hold there afterwards, raw.
    pub position: i64,
}

/// One market at a sampled moment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SampleRow {
    /// When.
    pub ts_ns: Nanos,
    /// Where.
    pub market: MarketId,
    /// Microprice, raw; 0 before the first.
    pub mark: i64,
    /// What we hold there, raw.
    pub position: i64,
    /// Profit of all markets since the start, fees taken off, raw quote.
    pub profit: i64,
}

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Frames applied.
    pub frames: u64,
    /// Rows applied on both sides: a depth level, a trade and a ticker count as one each.
    pub rows: u64,
    /// Orders sent.
    pub orders: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Orders that the venue refused.
    pub rejected: u64,
    /// Intents that our own risk check refused, by reason.
    pub denied: std::collections::BTreeMap<String, u64>,
    /// Reflexes of the core, by name.
    pub reflexes: std::collections::BTreeMap<String, u64>,
    /// Times a book was lost and could not be had again from the data.
    pub snapshots_missing: u64,
}

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Orders sent.
    pub orders: Vec<OrderRow>,
    /// Executions.
    pub fills: Vec<FillRow>,
    /// Samples at equal times, all markets each.
    pub samples: Vec<SampleRow>,
    /// Counts.
    pub counts: Counts,
    /// SHA-256 of the core's state at the end, outputs included.
    pub state_hash: [u8; 32],
    /// First and last time.
    pub span_ns: (Nanos, Nanos),
    /// Nanoseconds from an order's output to the core's having its acceptance; when measured.
    pub accept_ns: Vec<i64>,
}
