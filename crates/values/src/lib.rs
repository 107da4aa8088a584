//! Fixed-point money, identifiers and time: what every other crate speaks in.
//!
//! Prices and quantities are integers at a fixed 1e-9; products are `i128`. No float takes part.

mod decimal;
mod ids;

pub use decimal::{Money, ParseDecimalError, Price, Quantity, SCALE, notional, unscale};
pub use ids::{Asset, ClientOrderId, MarketId, StrategyId, VenueId};

/// Nanoseconds since the Unix epoch, UTC.
pub type Nanos = i64;
