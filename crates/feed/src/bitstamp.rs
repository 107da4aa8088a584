//! Bitstamp's public frames in; changed levels chained by time, single orders, trades out.
//!
//! `diff_order_book_PAIR` sends changed levels with a microtimestamp that strictly rises, to be
//! joined with a snapshot that a request brings. `live_orders_PAIR` tells order by order. Snapshots
//! name no pair; where they are recorded they are wrapped like a frame of the channel
//! `order_book_snapshot_PAIR`.

use crate::batch::{Batch, Symbols, Trade, read_levels, whole};
use crate::decoder::Told;
use crate::json::{Malformed, Reader};
use engine::event::{Event, Side};
use engine::level3::{OrderAction, OrderChange};
use engine::market::PartKind;
use values::{MarketId, Nanos, Price, Quantity, VenueId};

/// The pair of the channels that had no suffix, until other pairs were added.
const FIRST_PAIR: &[u8] = b"btcusd";

/// Reads one venue's frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    venue: VenueId,
    pub(crate) symbols: Symbols,
    batch: Batch,
}

/// The frame's own fields; `data` is read after them, wherever it stands.
#[derive(Default)]
struct Envelope<'b> {
    event: Option<&'b [u8]>,
    channel: Option<&'b [u8]>,
    data: Option<Reader<'b>>,
}

impl Decoder {
    pub fn new(venue: VenueId, symbols: Symbols) -> Self {
        Self { venue, symbols, batch: Batch::new() }
    }

    /// Reads a frame and tells what it says, if all of it is well formed.
    pub fn market(
        &mut self,
        bytes: &[u8],
        tell: &mut impl FnMut(&Event<'_>),
    ) -> Result<Told, Malformed> {
        self.batch.clear();
        let mut reader = Reader::new(bytes);
        let mut found = Envelope::default();
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"event" => found.event = Some(reader.string()?),
                b"channel" => found.channel = Some(reader.string()?),
                b"data" => {
                    reader.peek();
                    found.data = Some(reader.clone());
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        match found.event {
            Some(b"bts:request_reconnect") => return Ok(Told::Closing),
            Some(b"bts:error") => return Ok(Told::Refused),
            Some(b"bts:heartbeat") => self.batch.push_heartbeat(),
            Some(event) => {
                if let (Some(channel), Some(mut data)) = (found.channel, found.data) {
                    let told = self.data(&mut data, event, channel)?;
                    self.batch.tell(self.venue, tell);
                    return Ok(told);
                }
            }
            None => {}
        }
        Ok(Told::parts(self.batch.tell(self.venue, tell), 0))
    }

    /// The answer to a request for the whole book.
    pub fn snapshot(
        &mut self,
        market: MarketId,
        bytes: &[u8],
        tell: &mut impl FnMut(&Event<'_>),
    ) -> Result<Told, Malformed> {
        self.batch.clear();
        let mut reader = Reader::new(bytes);
        let told = self.book(&mut reader, market, PartKind::Snapshot)?;
        reader.end()?;
        self.batch.tell(self.venue, tell);
        Ok(told)
    }

    fn data(
        &mut self,
        reader: &mut Reader<'_>,
        event: &[u8],
        channel: &[u8],
    ) -> Result<Told, Malformed> {
        let of = |prefix: &[u8]| pair(channel, prefix);
        if event.starts_with(b"bts:") {
            return Ok(Told::Other);
        }
        if let Some(name) = of(b"diff_order_book") {
            let Some(market) = self.symbols.find(name) else { return Ok(Told::Other) };
            return self.book(reader, market, PartKind::Change);
        }
        if let Some(name) = of(b"order_book_snapshot") {
            let Some(market) = self.symbols.find(name) else { return Ok(Told::Other) };
            return self.book(reader, market, PartKind::Snapshot);
        }
        if let Some(name) = of(b"live_trades") {
            let Some(market) = self.symbols.find(name) else { return Ok(Told::Other) };
            return self.trade(reader, market);
        }
        if let Some(name) = of(b"live_orders") {
            let Some(market) = self.symbols.find(name) else { return Ok(Told::Other) };
            let action = match event {
                b"order_created" => OrderAction::Created,
                b"order_changed" => OrderAction::Changed,
                b"order_deleted" => OrderAction::Deleted,
                _ => return Ok(Told::Other),
            };
            return self.order(reader, market, action);
        }
        Ok(Told::Other)
    }

    fn book(
        &mut self,
        reader: &mut Reader<'_>,
        market: MarketId,
        kind: PartKind,
    ) -> Result<Told, Malformed> {
        let mark = self.batch.mark();
        let (mut time, mut sides) = (None, 0);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"microtimestamp" => time = Some(whole(reader)?),
                b"bids" => read_levels(reader, &mut self.batch.bids).map(|()| sides += 1)?,
                b"asks" => read_levels(reader, &mut self.batch.asks).map(|()| sides += 1)?,
                _ => reader.skip()?,
            }
        }
        let (Some(time), 2) = (time, sides) else {
            return Err(reader.malformed("'microtimestamp', 'bids' and 'asks'"));
        };
        let mut book = self.batch.book_since(mark, market, kind);
        book.ts_event_ns = microseconds(reader, time)?;
        let told = Told::At(book.ts_event_ns);
        self.batch.push_diff(book, time);
        Ok(told)
    }

    fn trade(&mut self, reader: &mut Reader<'_>, market: MarketId) -> Result<Told, Malformed> {
        let (mut price, mut quantity, mut side, mut time) = (None, None, None, None);
        let (mut price_text, mut quantity_text) = (None, None);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                // The numbers are floats that were printed; the texts are what was meant.
                b"price" => price = Some(reader.scalar()?),
                b"amount" => quantity = Some(reader.scalar()?),
                b"price_str" => price_text = Some(reader.decimal()?),
                b"amount_str" => quantity_text = Some(reader.decimal()?),
                b"type" => side = Some(whole(reader)?),
                b"microtimestamp" => time = Some(whole(reader)?),
                _ => reader.skip()?,
            }
        }
        let (Some(price), Some(quantity)) = (
            price_text.or_else(|| price.and_then(rounded)),
            quantity_text.or_else(|| quantity.and_then(rounded)),
        ) else {
            return Err(reader.malformed("'price' and 'amount'"));
        };
        let ts_event_ns = time.map_or(Ok(0), |time| microseconds(reader, time))?;
        let buyer_is_maker = side == Some(1);
        let trade = Trade { market, id: None, price, quantity, buyer_is_maker, ts_event_ns };
        self.batch.push_trade(trade);
        Ok(Told::At(ts_event_ns))
    }

    fn order(
        &mut self,
        reader: &mut Reader<'_>,
        market: MarketId,
        action: OrderAction,
    ) -> Result<Told, Malformed> {
        let (mut id, mut price, mut quantity, mut side) = (None, None, None, None);
        let (mut price_text, mut quantity_text) = (None, None);
        let (mut micros, mut in_seconds) = (None, None);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"id" => id = Some(whole(reader)?),
                b"price" => price = rounded(reader.scalar()?),
                b"amount" => quantity = rounded(reader.scalar()?),
                b"price_str" => price_text = Some(reader.decimal()?),
                b"amount_str" => quantity_text = Some(reader.decimal()?),
                b"order_type" => side = Some(whole(reader)?),
                b"microtimestamp" => micros = Some(whole(reader)?),
                b"datetime" => in_seconds = Some(whole(reader)?),
                _ => reader.skip()?,
            }
        }
        let (Some(id), Some(price), Some(quantity), Some(side @ (0 | 1))) =
            (id, price_text.or(price), quantity_text.or(quantity), side)
        else {
            return Err(reader.malformed("'id', 'price', 'amount' and an 'order_type' of 0 or 1"));
        };
        let side = if side == 0 { Side::Buy } else { Side::Sell };
        // Without a microtimestamp there is only the second of the order's creation, which says
        // nothing about when this was sent.
        let ts_event_ns = micros.map_or(Ok(0), |time| microseconds(reader, time))?;
        let _ = in_seconds;
        let (price, quantity) = (Price(price), Quantity(quantity));
        self.batch.push_order(
            market,
            OrderChange { action, id, side, price, quantity },
            ts_event_ns,
        );
        Ok(Told::At(ts_event_ns))
    }
}

/// The pair of a channel that begins with `prefix`.
fn pair<'b>(channel: &'b [u8], prefix: &[u8]) -> Option<&'b [u8]> {
    match channel.strip_prefix(prefix)? {
        [] => Some(FIRST_PAIR),
        [b'_', pair @ ..] => Some(pair),
        _ => None,
    }
}

/// A float as it was printed, such as `1.7885566900000001`, at our nine decimals.
fn rounded(text: &[u8]) -> Option<i64> {
    let end = text.iter().position(|&byte| byte == b'.').map_or(text.len(), |at| at + 10);
    let kept = &text[..end.min(text.len())];
    values::Price::parse(kept).ok().map(|price| price.0)
}

fn microseconds(reader: &Reader<'_>, time: u64) -> Result<Nanos, Malformed> {
    Nanos::try_from(time)
        .ok()
        .and_then(|time| time.checked_mul(1_000))
        .ok_or_else(|| reader.malformed("a time before the year 2262"))
}
