//! A venue's public protocol: its name in the configuration, and how its book messages chain.

use serde::{Deserialize, Serialize};

/// Whose frames a venue sends; decides the decoder and the rule by which a book is kept in step.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Binance spot: each change names the first and last update in it.
    #[default]
    BinanceSpot,
    /// Binance USD-M and Coin-M futures: each change names the update before it (`pu`).
    BinanceFutures,
    /// Coinbase Advanced Trade: one number counts all messages of a connection.
    Coinbase,
    /// Kraken, version 1 and 2: a checksum of the ten best levels of each side.
    Kraken,
    /// OKX: numbers that chain; until June 2026 a checksum of the 25 best levels.
    Okx,
    /// Bitstamp's changed levels: a time that only rises.
    Bitstamp,
    /// Bitstamp order by order: no proof at all, but every order has a number.
    BitstampOrders,
}

/// How a market knows that no change is missing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Chain {
    /// By the numbers of the updates: each begins where the last one ended.
    #[default]
    Numbers,
    /// By a time that strictly rises; a lost change goes unnoticed until the book is crossed.
    Time,
}

impl Protocol {
    pub(crate) fn chain(self) -> Chain {
        if self == Self::Bitstamp { Chain::Time } else { Chain::Numbers }
    }

    /// Whether the snapshot has to be fetched by a request; otherwise a subscription brings it.
    pub fn fetches_snapshot(self) -> bool {
        matches!(
            self,
            Self::BinanceSpot | Self::BinanceFutures | Self::Bitstamp | Self::BitstampOrders
        )
    }
}
