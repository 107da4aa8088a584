//! Small identifiers: positions in the configuration's tables, and client order ids.

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! index_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u8);

        impl $name {
            /// The position in the configuration's table.
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }
    };
}

index_id!(
    /// A venue: its position in the configuration's `venues`.
    VenueId
);
index_id!(
    /// One instrument at one venue: its position in the configuration's `markets`.
    MarketId
);
index_id!(
    /// A strategy: its position in the configuration's `strategies`.
    StrategyId
);

/// The identifier under which we send an order: made from the run and a counter, so that a replay
/// makes the same one and a retry after a timeout can never double an order.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientOrderId {
    /// Which journal made it: seconds since the epoch at the journal's first entry.
    pub run: u32,
    /// The order's number within the journal, from 1.
    pub number: u32,
}

impl ClientOrderId {
    /// Reads `PRN-run-number`; `None` for an id that is not ours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?;
        let (run, number) = text.strip_prefix("PRN-")?.split_once('-')?;
        Some(Self { run: run.parse().ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PRN-{}-{}", self.run, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_order_id_reads_back_what_it_writes() {
        let id = ClientOrderId { run: 1_723_161_253, number: 42 };
        assert_eq!(id.to_string(), "PRN-1723161253-42");
        assert_eq!(ClientOrderId::parse(b"PRN-1723161253-42"), Some(id));
        for foreign in ["", "PRN-", "PRN-1", "web_123", "PRN-1-x", "PRN--1"] {
            assert_eq!(ClientOrderId::parse(foreign.as_bytes()), None, "{foreign}");
        }
    }
}
