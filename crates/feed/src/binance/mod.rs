//! Binance's public protocol, spot and futures: bytes in, events out; wishes in, request bytes out.
//!
//! [`Decoder`] reads what a venue says, [`Requests`] writes what we ask. Neither touches a socket or
//! a clock, and neither allocates once its buffers have grown.

mod market;
mod reply;
mod request;
mod user;

pub use reply::Answer;
pub use request::{CredentialsError, Requests};

use crate::json::{Malformed, Reader};
use engine::config::CoreConfig;
use engine::event::{Charge, Event, FeeAsset, Level, OrderReport, OwnTrade};
use values::{Asset, MarketId, Money, Nanos, Price, Quantity, VenueId, notional};

/// An instrument at the venue that a decoder reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// What the core calls it.
    pub market: MarketId,
    /// What the venue calls it.
    pub symbol: String,
    /// The asset that is bought and sold.
    pub base: String,
    /// The asset that prices are in.
    pub quote: String,
}

/// What a frame on a socket was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Something that the core is to be told.
    Event(Event<'a>),
    /// A request on this socket was answered well.
    Accepted {
        /// The request's number, when it was one.
        id: Option<u64>,
    },
    /// A request on this socket was refused.
    Refused {
        /// The request's number, when it was one.
        id: Option<u64>,
        /// The venue's code.
        code: i32,
    },
    /// The venue is about to close this stream: connect anew.
    Closing,
    /// Well formed and of no interest: another symbol, another kind of event, somebody else's order.
    Other,
}

/// Reads one venue's frames and replies. Holds the buffers that events borrow from.
#[derive(Debug)]
pub struct Decoder {
    venue: VenueId,
    instruments: Vec<Instrument>,
    bids: Vec<Level>,
    asks: Vec<Level>,
    reports: Vec<OrderReport>,
    trades: Vec<OwnTrade>,
}

impl Decoder {
    /// A decoder for these instruments of a venue.
    pub fn new(venue: VenueId, instruments: Vec<Instrument>) -> Self {
        // A snapshot of 5,000 levels is the largest reply that Binance gives.
        let levels = || Vec::with_capacity(5_000);
        Self {
            venue,
            instruments,
            bids: levels(),
            asks: levels(),
            reports: Vec::with_capacity(256),
            trades: Vec::with_capacity(1_000),
        }
    }

    /// A decoder for all markets that the configuration has at a venue.
    pub fn for_venue(config: &CoreConfig, venue: VenueId) -> Self {
        let instruments = (0_u8..)
            .zip(&config.markets)
            .filter(|(_, market)| market.venue == venue.0)
            .map(|(index, market)| Instrument {
                market: MarketId(index),
                symbol: market.symbol.clone(),
                base: market.base.clone(),
                quote: market.quote.clone(),
            })
            .collect();
        Self::new(venue, instruments)
    }

    /// The instruments' names at the venue.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.instruments.iter().map(|instrument| instrument.symbol.as_str())
    }

    pub(crate) fn known(&self) -> impl Iterator<Item = (&str, MarketId)> {
        self.instruments.iter().map(|one| (one.symbol.as_str(), one.market))
    }

    /// Takes in one more instrument.
    pub fn add(&mut self, instrument: Instrument) {
        self.instruments.push(instrument);
    }

    fn find(&self, symbol: &[u8]) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.symbol.as_bytes() == symbol)
    }
}

/// What a fee is worth in the quote currency, zero when it was paid in a third asset; and the fee.
fn charge(
    instrument: Option<&Instrument>,
    amount: Quantity,
    asset: &[u8],
    price: Price,
) -> (Money, Charge) {
    let paid = Money(i128::from(amount.0));
    let is = |name: fn(&Instrument) -> &String| {
        instrument.is_some_and(|instrument| asset == name(instrument).as_bytes())
    };
    if amount.0 == 0 || is(|instrument| &instrument.quote) {
        (paid, Charge::quote(paid))
    } else if is(|instrument| &instrument.base) {
        (notional(price, amount), Charge { asset: FeeAsset::Base, amount: paid })
    } else {
        let asset = FeeAsset::Other(Asset::new(asset));
        (Money::ZERO, Charge { asset, amount: paid })
    }
}

/// Milliseconds to nanoseconds; `None` beyond the year 2262.
pub(crate) fn nanos(milliseconds: u64) -> Option<Nanos> {
    Nanos::try_from(milliseconds).ok()?.checked_mul(1_000_000)
}

/// Reads `[["price","quantity"],…]` over what a buffer held before.
#[inline]
fn read_levels(reader: &mut Reader<'_>, levels: &mut Vec<Level>) -> Result<(), Malformed> {
    levels.clear();
    reader.array()?;
    while reader.item()? {
        let (price, quantity) = match reader.decimal_pair() {
            Some(pair) => pair,
            None => read_pair(reader)?,
        };
        if price <= 0 || quantity < 0 {
            return Err(reader.malformed("a positive price and a quantity"));
        }
        levels.push(Level { price: Price(price), quantity: Quantity(quantity) });
    }
    Ok(())
}

/// A level in any other form than the usual one.
#[cold]
fn read_pair(reader: &mut Reader<'_>) -> Result<(i64, i64), Malformed> {
    let mut pair = [0; 2];
    reader.array()?;
    for decimal in &mut pair {
        if !reader.item()? {
            return Err(reader.malformed("a price and a quantity"));
        }
        *decimal = reader.decimal()?;
    }
    // Older streams end each level with an empty array.
    while reader.item()? {
        reader.skip()?;
    }
    Ok((pair[0], pair[1]))
}
