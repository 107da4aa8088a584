//! What one frame says, gathered while it is read and told only when all of it was well formed.
//!
//! A frame of these venues may tell of several books and trades. The levels of all lie in two
//! buffers that keep their size, so a frame allocates nothing once they have grown.

use crate::json::{Malformed, Reader};
use engine::checksum::Checksum;
use engine::event::{Event, Level, Side};
use engine::level3::OrderChange;
use engine::market::{BookPart, PartKind};
use std::ops::Range;
use values::{MarketId, Nanos, Price, Quantity, VenueId};

/// Where a book message's levels lie, and what else it says.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub market: MarketId,
    pub kind: PartKind,
    pub bids: Range<usize>,
    pub asks: Range<usize>,
    pub update_id: Option<u64>,
    pub previous_update_id: Option<u64>,
    pub depth: Option<usize>,
    pub checksum: Option<Checksum>,
    pub ts_event_ns: Nanos,
}

/// A public trade.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Trade {
    pub market: MarketId,
    pub id: Option<u64>,
    pub price: i64,
    pub quantity: i64,
    pub buyer_is_maker: bool,
    pub ts_event_ns: Nanos,
}

#[derive(Clone, Debug)]
enum Item {
    Book(Book),
    /// A changed book that is chained by numbers or times, and joined to a snapshot by them.
    Diff {
        book: Book,
        update_id: u64,
    },
    Trade(Trade),
    Order {
        market: MarketId,
        change: OrderChange,
        ts_event_ns: Nanos,
    },
    Sequenced {
        number: u64,
        heartbeat: Option<u64>,
    },
    Heartbeat,
    Depth {
        market: MarketId,
        depth: usize,
    },
}

/// The parts of one frame.
#[derive(Debug)]
pub(crate) struct Batch {
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
    items: Vec<Item>,
}

impl Batch {
    pub fn new() -> Self {
        let levels = || Vec::with_capacity(5_000);
        Self { bids: levels(), asks: levels(), items: Vec::with_capacity(64) }
    }

    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
        self.items.clear();
    }

    /// Both sides' lengths: where the next book's levels begin.
    pub fn mark(&self) -> (usize, usize) {
        (self.bids.len(), self.asks.len())
    }

    /// A book whose levels were put in since `mark`.
    pub fn book_since(&self, mark: (usize, usize), market: MarketId, kind: PartKind) -> Book {
        Book {
            market,
            kind,
            bids: mark.0..self.bids.len(),
            asks: mark.1..self.asks.len(),
            update_id: None,
            previous_update_id: None,
            depth: None,
            checksum: None,
            ts_event_ns: 0,
        }
    }

    pub fn side(&mut self, side: Side) -> &mut Vec<Level> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    pub fn push_book(&mut self, book: Book) {
        self.items.push(Item::Book(book));
    }

    pub fn push_diff(&mut self, book: Book, update_id: u64) {
        self.items.push(Item::Diff { book, update_id });
    }

    pub fn push_trade(&mut self, trade: Trade) {
        self.items.push(Item::Trade(trade));
    }

    pub fn push_order(&mut self, market: MarketId, change: OrderChange, ts_event_ns: Nanos) {
        self.items.push(Item::Order { market, change, ts_event_ns });
    }

    pub fn push_depth(&mut self, market: MarketId, depth: usize) {
        self.items.push(Item::Depth { market, depth });
    }

    pub fn push_heartbeat(&mut self) {
        self.items.push(Item::Heartbeat);
    }

    /// A message's number comes before what the message says.
    pub fn push_number(&mut self, number: u64, heartbeat: Option<u64>) {
        self.items.insert(0, Item::Sequenced { number, heartbeat });
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn reverse_from(&mut self, first: usize) {
        self.items[first..].reverse();
    }

    /// Gives all books the frame's time.
    pub fn stamp(&mut self, ts_ns: Nanos) {
        for item in &mut self.items {
            if let Item::Book(book) = item {
                book.ts_event_ns = ts_ns;
            }
        }
    }

    /// Tells all parts in order; how many there were.
    pub fn tell(&self, venue: VenueId, tell: &mut impl FnMut(&Event<'_>)) -> usize {
        for item in &self.items {
            tell(&self.event(venue, item));
        }
        self.items.len()
    }

    fn event(&self, venue: VenueId, item: &Item) -> Event<'_> {
        match item {
            Item::Book(book) => Event::Book {
                market: book.market,
                part: BookPart {
                    kind: book.kind,
                    update_id: book.update_id,
                    previous_update_id: book.previous_update_id,
                    bids: &self.bids[book.bids.clone()],
                    asks: &self.asks[book.asks.clone()],
                    depth: book.depth,
                    checksum: book.checksum,
                },
                ts_event_ns: book.ts_event_ns,
            },
            Item::Diff { book, update_id } => self.numbered(book, *update_id),
            Item::Trade(trade) => Event::Trade {
                market: trade.market,
                trade_id: trade.id.unwrap_or(0),
                price: Price(trade.price),
                quantity: Quantity(trade.quantity),
                buyer_is_maker: trade.buyer_is_maker,
                ts_event_ns: trade.ts_event_ns,
            },
            Item::Order { market, change, ts_event_ns } => {
                Event::RestingOrder { market: *market, change: *change, ts_event_ns: *ts_event_ns }
            }
            Item::Sequenced { number, heartbeat } => {
                Event::Sequenced { venue, number: *number, heartbeat: *heartbeat }
            }
            Item::Depth { market, depth } => Event::Depth { market: *market, depth: *depth },
            Item::Heartbeat => Event::Heartbeat { venue, channel: engine::event::Channel::Market },
        }
    }

    fn numbered(&self, book: &Book, update_id: u64) -> Event<'_> {
        let (bids, asks) = (&self.bids[book.bids.clone()], &self.asks[book.asks.clone()]);
        match book.kind {
            PartKind::Snapshot => {
                Event::DepthSnapshot { market: book.market, last_update_id: update_id, bids, asks }
            }
            PartKind::Change => Event::DepthDiff {
                market: book.market,
                first_update_id: update_id,
                final_update_id: update_id,
                previous_update_id: None,
                bids,
                asks,
                ts_event_ns: book.ts_event_ns,
            },
        }
    }
}

/// The instruments of a venue by its own names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    known: Vec<(String, MarketId)>,
    /// Whether unknown ones are taken in, as a check of a recording does.
    discovers: bool,
}

impl Symbols {
    pub fn new(known: Vec<(String, MarketId)>) -> Self {
        Self { known, discovers: false }
    }

    pub fn discovering() -> Self {
        Self { known: Vec::new(), discovers: true }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known().map(|(name, _)| name)
    }

    pub fn known(&self) -> impl Iterator<Item = (&str, MarketId)> {
        self.known.iter().map(|(name, market)| (name.as_str(), *market))
    }

    /// Which market a name is. A check takes in at most as many as a `MarketId` can tell apart.
    pub fn find(&mut self, name: &[u8]) -> Option<MarketId> {
        if let Some((_, market)) = self.known.iter().find(|(known, _)| known.as_bytes() == name) {
            return Some(*market);
        }
        if !self.discovers || name.is_empty() {
            return None;
        }
        let market = MarketId(u8::try_from(self.known.len()).ok()?);
        self.known.push((String::from_utf8_lossy(name).into_owned(), market));
        Some(market)
    }
}

/// Puts in a level, if it can be one. A price beyond what we can hold, such as the asks at
/// 9,999,999,999 that people leave for fun, is too far from any trade to matter and is left out.
pub(crate) fn push_level(
    reader: &Reader<'_>,
    levels: &mut Vec<Level>,
    price: i64,
    quantity: i64,
) -> Result<(), Malformed> {
    if price <= 0 || quantity < 0 {
        return Err(reader.malformed("a positive price and a quantity"));
    }
    if price < i64::MAX {
        levels.push(Level { price: Price(price), quantity: Quantity(quantity) });
    }
    Ok(())
}

/// Reads `[[price, quantity, …], …]` behind what a buffer holds; further fields are passed over.
pub(crate) fn read_levels(
    reader: &mut Reader<'_>,
    levels: &mut Vec<Level>,
) -> Result<(), Malformed> {
    reader.array()?;
    while reader.item()? {
        let (price, quantity) = match reader.decimal_pair() {
            Some(pair) => pair,
            None => read_pair(reader)?,
        };
        push_level(reader, levels, price, quantity)?;
    }
    Ok(())
}

/// A level in any other form than the usual one.
fn read_pair(reader: &mut Reader<'_>) -> Result<(i64, i64), Malformed> {
    let mut pair = [0; 2];
    reader.array()?;
    for decimal in &mut pair {
        if !reader.item()? {
            return Err(reader.malformed("a price and a quantity"));
        }
        let text = reader.scalar()?;
        *decimal = bounded(reader, text)?;
    }
    while reader.item()? {
        reader.skip()?;
    }
    Ok((pair[0], pair[1]))
}

/// A decimal in raw units of 1e-9; the largest number for everything beyond it.
pub(crate) fn bounded(reader: &Reader<'_>, text: &[u8]) -> Result<i64, Malformed> {
    match Price::parse(text) {
        Ok(price) => Ok(price.0),
        Err(values::ParseDecimalError::Range) if text.first() != Some(&b'-') => Ok(i64::MAX),
        Err(_) => Err(reader.malformed("a decimal of at most nine places")),
    }
}

/// A whole number written as a number or a text.
pub(crate) fn whole(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    let text = reader.scalar()?;
    core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| reader.malformed("a whole number"))
}

/// Decimals that a number is written with.
pub(crate) fn decimals(text: &[u8]) -> u8 {
    let point = text.iter().position(|&byte| byte == b'.');
    point.map_or(0, |at| (text.len() - at - 1).min(9) as u8)
}

/// `1618678133.365913` in seconds, to nanoseconds.
pub(crate) fn seconds(text: &[u8]) -> Option<Nanos> {
    Price::parse(text).ok().map(|time| time.0)
}

/// `2026-08-09T21:05:48.228568804Z` to nanoseconds since 1970.
pub(crate) fn instant(text: &[u8]) -> Option<Nanos> {
    let number = |range: Range<usize>| -> Option<i64> {
        text.get(range)?.iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1970..2262).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut fraction = 0;
    if text.get(19) == Some(&b'.') {
        let digits = text[20..].iter().take_while(|byte| byte.is_ascii_digit()).count().min(9);
        fraction = number(20..20 + digits)? * 10_i64.pow(9 - digits as u32);
    }
    // Days since 1970 of the proleptic Gregorian calendar, with the year beginning in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + in_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_nanoseconds_since_1970() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T12:00:00.5Z", Some(1_709_208_000_500_000_000)),
            ("2026-08-09T21:05:48.228568804Z", Some(1_786_309_548_228_568_804)),
            ("2021-04-17T16:48:52.123456Z", Some(1_618_678_132_123_456_000)),
            ("2026-13-09T21:05:48Z", None),
            ("yesterday", None),
        ] {
            assert_eq!(instant(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn discovering_takes_in_names_in_their_order() {
        let mut symbols = Symbols::discovering();
        let found = ["A", "B", "A", ""].map(|name| symbols.find(name.as_bytes()));
        assert_eq!(found, [Some(MarketId(0)), Some(MarketId(1)), Some(MarketId(0)), None]);
        assert_eq!(Symbols::new(vec![]).find(b"A"), None);
    }
}
