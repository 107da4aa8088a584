//! Kraken's public frames, version 1 (arrays) and 2 (objects), in; books with checksums, trades out.
//!
//! There is no update number: only the CRC32 of the ten best levels tells that a book is right. It
//! is made of the numbers as written, so the decimals are taken from the text of each message. No
//! removal is sent for a level that falls out of the subscribed depth.

use crate::batch::{Batch, Symbols, Trade, bounded, decimals, instant, push_level, seconds, whole};
use crate::decoder::Told;
use crate::json::{Malformed, Reader};
use engine::checksum::{Checksum, Form};
use engine::event::{Event, Side};
use engine::market::PartKind;
use values::{MarketId, Nanos, VenueId};

/// Depths that can be subscribed to.
const DEPTHS: [usize; 5] = [10, 25, 100, 500, 1_000];

/// Reads one venue's frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    venue: VenueId,
    pub(crate) symbols: Symbols,
    batch: Batch,
}

/// What the levels of one message say together.
#[derive(Default)]
struct Levels {
    kind: Option<PartKind>,
    price_decimals: u8,
    quantity_decimals: u8,
    checksum: Option<u32>,
    ts_event_ns: Nanos,
}

impl Levels {
    fn text(&mut self, price: &[u8], quantity: &[u8]) {
        self.price_decimals = self.price_decimals.max(decimals(price));
        self.quantity_decimals = self.quantity_decimals.max(decimals(quantity));
    }

    fn checksum(&self) -> Option<Checksum> {
        let form = Form::Kraken {
            price_decimals: self.price_decimals,
            quantity_decimals: self.quantity_decimals,
        };
        self.checksum.map(|value| Checksum { value, form })
    }
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
        let told = if reader.peek() == b'[' {
            self.array(&mut reader)?
        } else {
            self.object(&mut reader)?
        };
        reader.end()?;
        let count = self.batch.tell(self.venue, tell);
        Ok(if count == 0 { told } else { Told::parts(count, told.ts_event_ns()) })
    }

    /// Version 1: `[channel, {…}, ({…},) "book-1000", "XBT/USD"]`.
    fn array(&mut self, reader: &mut Reader<'_>) -> Result<Told, Malformed> {
        let mark = self.batch.mark();
        let mut levels = Levels::default();
        let (mut trades, mut channel, mut pair) = (None, None, None);
        reader.array()?;
        let mut index = 0;
        while reader.item()? {
            match reader.peek() {
                b'{' if index > 0 => self.sides(reader, &mut levels)?,
                b'[' => {
                    trades = Some(reader.clone());
                    reader.skip()?;
                }
                b'"' if channel.is_none() => channel = Some(reader.string()?),
                b'"' => pair = Some(reader.string()?),
                _ => reader.skip()?,
            }
            index += 1;
        }
        let (Some(channel), Some(pair)) = (channel, pair) else {
            return Err(reader.malformed("a channel's name and a pair"));
        };
        if channel == b"trade" {
            let Some(market) = self.symbols.find(pair) else { return Ok(Told::Other) };
            let mut trades = trades.ok_or_else(|| reader.malformed("a list of trades"))?;
            return self.array_trades(&mut trades, market);
        }
        let Some(depth) = channel.strip_prefix(b"book-") else { return Ok(Told::Other) };
        let depth = core::str::from_utf8(depth).ok().and_then(|text| text.parse().ok());
        let depth = depth.ok_or_else(|| reader.malformed("a depth after 'book-'"))?;
        let kind = levels.kind.ok_or_else(|| reader.malformed("levels of a book"))?;
        if kind == PartKind::Change && levels.checksum.is_none() {
            return Err(reader.malformed("a checksum 'c'"));
        }
        self.push(mark, pair, kind, Some(depth), &levels);
        Ok(Told::At(levels.ts_event_ns))
    }

    fn push(
        &mut self,
        mark: (usize, usize),
        pair: &[u8],
        kind: PartKind,
        depth: Option<usize>,
        levels: &Levels,
    ) {
        let Some(market) = self.symbols.find(pair) else { return };
        let mut book = self.batch.book_since(mark, market, kind);
        book.depth = depth;
        book.checksum = levels.checksum();
        book.ts_event_ns = levels.ts_event_ns;
        self.batch.push_book(book);
    }

    fn sides(&mut self, reader: &mut Reader<'_>, levels: &mut Levels) -> Result<(), Malformed> {
        reader.object()?;
        while let Some(key) = reader.key()? {
            let (side, kind) = match key {
                b"as" => (Side::Sell, PartKind::Snapshot),
                b"bs" => (Side::Buy, PartKind::Snapshot),
                b"a" => (Side::Sell, PartKind::Change),
                b"b" => (Side::Buy, PartKind::Change),
                b"c" if reader.peek() == b'"' => {
                    levels.checksum = Some(checksum(reader)?);
                    continue;
                }
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            if reader.peek() != b'[' {
                reader.skip()?; // A ticker's fields have the same names.
                continue;
            }
            levels.kind = Some(kind);
            self.array_levels(reader, side, levels)?;
        }
        Ok(())
    }

    /// `["price","volume","time"("r")]`; a ticker's and a spread's arrays hold no arrays.
    fn array_levels(
        &mut self,
        reader: &mut Reader<'_>,
        side: Side,
        levels: &mut Levels,
    ) -> Result<(), Malformed> {
        reader.array()?;
        while reader.item()? {
            if reader.peek() != b'[' {
                reader.skip()?;
                continue;
            }
            let mut texts: [&[u8]; 3] = [b""; 3];
            reader.array()?;
            let mut count = 0;
            while reader.item()? {
                let text = reader.scalar()?;
                if let Some(place) = texts.get_mut(count) {
                    *place = text;
                }
                count += 1;
            }
            let (price, quantity) = (bounded(reader, texts[0])?, bounded(reader, texts[1])?);
            push_level(reader, self.batch.side(side), price, quantity)?;
            levels.text(texts[0], texts[1]);
            levels.ts_event_ns = levels.ts_event_ns.max(seconds(texts[2]).unwrap_or(0));
        }
        Ok(())
    }

    /// `["price","volume","time","side","type","misc"]`.
    fn array_trades(
        &mut self,
        reader: &mut Reader<'_>,
        market: MarketId,
    ) -> Result<Told, Malformed> {
        let mut latest = 0;
        reader.array()?;
        while reader.item()? {
            let mut texts: [&[u8]; 4] = [b""; 4];
            let mut count = 0;
            reader.array()?;
            while reader.item()? {
                let text = reader.scalar()?;
                if let Some(place) = texts.get_mut(count) {
                    *place = text;
                }
                count += 1;
            }
            let (price, quantity) = (bounded(reader, texts[0])?, bounded(reader, texts[1])?);
            let ts_event_ns = seconds(texts[2]).ok_or_else(|| reader.malformed("a time"))?;
            latest = ts_event_ns.max(latest);
            self.batch.push_trade(Trade {
                market,
                id: None,
                price,
                quantity,
                buyer_is_maker: texts[3] == b"s",
                ts_event_ns,
            });
        }
        Ok(Told::At(latest))
    }

    /// Version 2: `{"channel":"book","type":"snapshot","data":[…]}`, and both versions' notices.
    fn object(&mut self, reader: &mut Reader<'_>) -> Result<Told, Malformed> {
        let (mut channel, mut kind, mut event, mut data) = (None, None, None, None);
        let (mut result, mut is_good) = (None, true);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"channel" => channel = Some(reader.string()?),
                b"type" => kind = Some(reader.string()?),
                b"event" => event = Some(reader.string()?),
                b"success" => is_good = reader.boolean()?,
                b"status" if reader.peek() == b'"' => is_good &= reader.string()? != b"error",
                b"data" => {
                    data = Some(reader.clone());
                    reader.skip()?;
                }
                b"result" => {
                    result = Some(reader.clone());
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
        }
        if !is_good {
            return Ok(Told::Refused);
        }
        if channel == Some(b"heartbeat") || matches!(event, Some(b"heartbeat" | b"pong")) {
            self.batch.push_heartbeat();
        }
        if let Some(mut result) = result {
            self.subscribed(&mut result)?;
        }
        match (channel, data) {
            (Some(b"book"), Some(mut data)) => {
                let kind = match kind {
                    Some(b"snapshot") => PartKind::Snapshot,
                    Some(b"update") => PartKind::Change,
                    _ => return Err(reader.malformed("a 'type' of snapshot or update")),
                };
                self.object_books(&mut data, kind)
            }
            (Some(b"trade"), Some(mut data)) if kind == Some(b"update") => {
                self.object_trades(&mut data)
            }
            _ => Ok(Told::Other),
        }
    }

    /// The acknowledgement of a subscription names the depth.
    fn subscribed(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        if reader.peek() != b'{' {
            return Ok(());
        }
        let (mut symbol, mut depth) = (None, None);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"symbol" => symbol = Some(reader.scalar()?),
                b"depth" => depth = Some(whole(reader)? as usize),
                _ => reader.skip()?,
            }
        }
        if let (Some(symbol), Some(depth)) = (symbol, depth)
            && let Some(market) = self.symbols.find(symbol)
        {
            self.batch.push_depth(market, depth);
        }
        Ok(())
    }

    fn object_books(&mut self, reader: &mut Reader<'_>, kind: PartKind) -> Result<Told, Malformed> {
        let mut latest = 0;
        reader.array()?;
        while reader.item()? {
            let mark = self.batch.mark();
            let (mut symbol, mut levels) = (None, Levels::default());
            reader.object()?;
            while let Some(key) = reader.key()? {
                match key {
                    b"symbol" => symbol = Some(reader.string()?),
                    b"bids" => self.object_levels(reader, Side::Buy, &mut levels)?,
                    b"asks" => self.object_levels(reader, Side::Sell, &mut levels)?,
                    b"checksum" => levels.checksum = Some(checksum(reader)?),
                    b"timestamp" => levels.ts_event_ns = instant(reader.string()?).unwrap_or(0),
                    _ => reader.skip()?,
                }
            }
            let (Some(symbol), Some(_)) = (symbol, levels.checksum) else {
                return Err(reader.malformed("a 'symbol' and a 'checksum'"));
            };
            if self.symbols.find(symbol).is_none() {
                continue;
            }
            let (bids, asks) = self.batch.mark();
            // Without the confirmation of the subscription a snapshot tells how deep it goes.
            let held = (bids - mark.0).max(asks - mark.1);
            let depth = match kind {
                PartKind::Snapshot => DEPTHS.into_iter().find(|&depth| depth >= held),
                PartKind::Change => None,
            };
            self.push(mark, symbol, kind, depth, &levels);
            latest = levels.ts_event_ns.max(latest);
        }
        Ok(Told::At(latest))
    }

    fn object_levels(
        &mut self,
        reader: &mut Reader<'_>,
        side: Side,
        levels: &mut Levels,
    ) -> Result<(), Malformed> {
        reader.array()?;
        while reader.item()? {
            let (mut price, mut quantity) = (None, None);
            reader.object()?;
            while let Some(key) = reader.key()? {
                match key {
                    b"price" => price = Some(reader.scalar()?),
                    b"qty" => quantity = Some(reader.scalar()?),
                    _ => reader.skip()?,
                }
            }
            let (Some(price), Some(quantity)) = (price, quantity) else {
                return Err(reader.malformed("'price' and 'qty'"));
            };
            levels.text(price, quantity);
            let (price, quantity) = (bounded(reader, price)?, bounded(reader, quantity)?);
            push_level(reader, self.batch.side(side), price, quantity)?;
        }
        Ok(())
    }

    fn object_trades(&mut self, reader: &mut Reader<'_>) -> Result<Told, Malformed> {
        let mut latest = 0;
        reader.array()?;
        while reader.item()? {
            let (mut symbol, mut price, mut quantity) = (None, None, None);
            let (mut side, mut time, mut id) = (None, None, None);
            reader.object()?;
            while let Some(key) = reader.key()? {
                match key {
                    b"symbol" => symbol = Some(reader.string()?),
                    b"price" => price = Some(reader.decimal()?),
                    b"qty" => quantity = Some(reader.decimal()?),
                    b"side" => side = Some(reader.string()?),
                    b"timestamp" => time = instant(reader.string()?),
                    b"trade_id" => id = Some(whole(reader)?),
                    _ => reader.skip()?,
                }
            }
            let (Some(symbol), Some(price), Some(quantity)) = (symbol, price, quantity) else {
                return Err(reader.malformed("'symbol', 'price' and 'qty'"));
            };
            let Some(market) = self.symbols.find(symbol) else { continue };
            let ts_event_ns = time.unwrap_or(0);
            latest = ts_event_ns.max(latest);
            let buyer_is_maker = side == Some(b"sell");
            let trade = Trade { market, id, price, quantity, buyer_is_maker, ts_event_ns };
            self.batch.push_trade(trade);
        }
        Ok(Told::At(latest))
    }
}

fn checksum(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    let value = whole(reader)?;
    u32::try_from(value).map_err(|_| reader.malformed("a checksum of 32 bits"))
}
