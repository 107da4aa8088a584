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

/// The name of a currency or coin, such as `USDT`. Small and copied, so that a fee can name an
/// asset that no configuration knows; of a longer name the first bytes count.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Asset([u8; Asset::BYTES_MAX]);

impl Asset {
    /// Longest name; the longest that venues have is ten bytes.
    pub const BYTES_MAX: usize = 16;

    /// The asset of this name.
    pub fn new(name: &[u8]) -> Self {
        let mut bytes = [0; Self::BYTES_MAX];
        let used = name.len().min(Self::BYTES_MAX);
        bytes[..used].copy_from_slice(&name[..used]);
        Self(bytes)
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        out.write_str(&String::from_utf8_lossy(&self.0[..used]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_shows_the_name_it_was_made_of() {
        for (name, shown) in [("BNB", "BNB"), ("", ""), ("ABCDEFGHIJKLMNOPQ", "ABCDEFGHIJKLMNOP")] {
            assert_eq!(Asset::new(name.as_bytes()).to_string(), shown);
        }
        assert_ne!(Asset::new(b"BNB"), Asset::new(b"BNBX"));
    }

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
