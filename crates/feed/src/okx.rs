//! OKX's public frames in; books with checksum and numbers, and trades out.
//!
//! `books` sends a snapshot and then changes of 400 levels. The checksum is a signed number over the
//! 25 best levels; newer streams also chain `prevSeqId` to `seqId`.

use crate::batch::{Batch, Symbols, Trade, read_levels, whole};
use crate::decoder::Told;
use crate::json::{Malformed, Reader};
use engine::checksum::{Checksum, Form};
use engine::event::Event;
use engine::market::PartKind;
use values::{MarketId, Nanos, VenueId};

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
    channel: Option<&'b [u8]>,
    instrument: Option<&'b [u8]>,
    action: Option<&'b [u8]>,
    event: Option<&'b [u8]>,
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
        if bytes == b"pong" {
            self.batch.push_heartbeat();
            return Ok(Told::parts(self.batch.tell(self.venue, tell), 0));
        }
        let envelope = envelope(bytes)?;
        match envelope.event {
            Some(b"error") => return Ok(Told::Refused),
            Some(b"notice") => return Ok(Told::Closing),
            _ => {}
        }
        let (Some(channel), Some(name), Some(mut data)) =
            (envelope.channel, envelope.instrument, envelope.data)
        else {
            return Ok(Told::Other);
        };
        if !matches!(channel, b"books" | b"books-l2-tbt" | b"books50-l2-tbt" | b"trades") {
            return Ok(Told::Other);
        }
        let Some(market) = self.symbols.find(name) else { return Ok(Told::Other) };
        let mut ts_event_ns = 0;
        data.array()?;
        while data.item()? {
            ts_event_ns = if channel == b"trades" {
                self.trade(&mut data, market)?
            } else {
                self.book(&mut data, market, envelope.action)?
            };
        }
        Ok(Told::parts(self.batch.tell(self.venue, tell), ts_event_ns))
    }

    fn book(
        &mut self,
        reader: &mut Reader<'_>,
        market: MarketId,
        action: Option<&[u8]>,
    ) -> Result<Nanos, Malformed> {
        let kind = match action {
            Some(b"snapshot") => PartKind::Snapshot,
            Some(b"update") => PartKind::Change,
            _ => return Err(reader.malformed("an 'action' of snapshot or update")),
        };
        let mark = self.batch.mark();
        let (mut time, mut checksum, mut number, mut previous) = (None, None, None, None);
        let mut sides = 0;
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"asks" => read_levels(reader, &mut self.batch.asks).map(|()| sides += 1)?,
                b"bids" => read_levels(reader, &mut self.batch.bids).map(|()| sides += 1)?,
                b"ts" => time = Some(whole(reader)?),
                b"checksum" => checksum = Some(signed(reader)?),
                b"seqId" => number = Some(signed(reader)?),
                b"prevSeqId" => previous = Some(signed(reader)?),
                _ => reader.skip()?,
            }
        }
        let (Some(time), 2) = (time, sides) else {
            return Err(reader.malformed("'asks', 'bids' and 'ts'"));
        };
        // Since June 2026 the checksum is 0 in every message; it may vanish.
        let checksum = checksum.filter(|&checksum| checksum != 0);
        if checksum.is_none() && (number.is_none() || previous.is_none()) {
            return Err(reader.malformed("'seqId' and 'prevSeqId', or a 'checksum' other than 0"));
        }
        let mut book = self.batch.book_since(mark, market, kind);
        book.update_id = number.and_then(|number| number.try_into().ok());
        // A snapshot says -1: nothing comes before it.
        book.previous_update_id = previous.and_then(|number| number.try_into().ok());
        book.checksum =
            checksum.map(|checksum| Checksum { value: checksum as u32, form: Form::Okx });
        book.ts_event_ns = milliseconds(reader, time)?;
        let ts_event_ns = book.ts_event_ns;
        self.batch.push_book(book);
        Ok(ts_event_ns)
    }

    fn trade(&mut self, reader: &mut Reader<'_>, market: MarketId) -> Result<Nanos, Malformed> {
        let (mut price, mut quantity, mut side) = (None, None, None);
        let (mut id, mut time) = (None, None);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"px" => price = Some(reader.decimal()?),
                b"sz" => quantity = Some(reader.decimal()?),
                b"side" => side = Some(reader.string()?),
                b"tradeId" => id = Some(whole(reader)?),
                b"ts" => time = Some(whole(reader)?),
                _ => reader.skip()?,
            }
        }
        let (Some(price), Some(quantity), Some(time)) = (price, quantity, time) else {
            return Err(reader.malformed("'px', 'sz' and 'ts'"));
        };
        let ts_event_ns = milliseconds(reader, time)?;
        // The side is the taker's. Numbers skip where trades of one order were merged.
        let _ = id;
        let buyer_is_maker = side == Some(b"sell");
        let trade = Trade { market, id: None, price, quantity, buyer_is_maker, ts_event_ns };
        self.batch.push_trade(trade);
        Ok(ts_event_ns)
    }
}

fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut found = Envelope::default();
    reader.object()?;
    while let Some(key) = reader.key()? {
        match key {
            b"event" => found.event = Some(reader.string()?),
            b"action" => found.action = Some(reader.string()?),
            b"arg" => {
                reader.object()?;
                while let Some(key) = reader.key()? {
                    match key {
                        b"channel" => found.channel = Some(reader.string()?),
                        b"instId" => found.instrument = Some(reader.string()?),
                        _ => reader.skip()?,
                    }
                }
            }
            b"data" => {
                reader.peek();
                found.data = Some(reader.clone());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    Ok(found)
}

fn milliseconds(reader: &Reader<'_>, time: u64) -> Result<Nanos, Malformed> {
    crate::binance::nanos(time).ok_or_else(|| reader.malformed("a time before the year 2262"))
}

fn signed(reader: &mut Reader<'_>) -> Result<i64, Malformed> {
    let text = reader.scalar()?;
    core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| reader.malformed("a whole number"))
}
