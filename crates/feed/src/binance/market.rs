//! Public stream frames in; depth changes, tickers and trades out.

use super::{Decoder, Frame, Instrument, nanos, read_levels};
use crate::json::{Malformed, Reader};
use engine::event::{Event, Level};
use values::{MarketId, Price, Quantity};

/// What a frame said, whatever the order in which it said it.
#[derive(Default)]
struct Fields<'b> {
    kind: Option<&'b [u8]>,
    symbol: Option<&'b [u8]>,
    stream: Option<&'b [u8]>,
    event_ms: Option<u64>,
    first_update_id: Option<u64>,
    final_update_id: Option<u64>,
    previous_update_id: Option<u64>,
    last_update_id: Option<u64>,
    trade_id: Option<u64>,
    price: Option<i64>,
    quantity: Option<i64>,
    buyer_is_maker: Option<bool>,
    bid_price: Option<i64>,
    bid_quantity: Option<i64>,
    ask_price: Option<i64>,
    ask_quantity: Option<i64>,
    has_bids: bool,
    has_asks: bool,
    answer: Option<&'b [u8]>,
    error: Option<i32>,
}

impl Decoder {
    /// Reads a frame of the public streams: wrapped (`{"stream":…,"data":…}`) or bare, spot or
    /// futures, depth change, trade, ticker or snapshot, or the answer to a subscription.
    ///
    /// # Errors
    /// The frame is malformed or lacks a field; nothing of it may be used.
    pub fn market(&mut self, bytes: &[u8]) -> Result<Frame<'_>, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut fields = Fields::default();
        self.read_fields(&mut reader, &mut fields, false)?;
        reader.end()?;
        let missing = |name| reader.malformed(name);
        if fields.last_update_id.is_some() {
            // A bare snapshot names no symbol on spot; it is told apart by the stream that it was
            // recorded with, or where there is only one.
            let market = match (fields.symbol, fields.stream, self.instruments.as_slice()) {
                (Some(symbol), ..) => self.find(symbol).map(|instrument| instrument.market),
                (None, Some(stream), _) => self.find_stream(stream),
                (None, None, [only]) => Some(only.market),
                (None, None, _) => None,
            };
            let Some(market) = market else { return Ok(Frame::Other) };
            return Ok(Frame::Event(self.snapshot_event(market, &fields).map_err(missing)?));
        }
        match (fields.kind, fields.final_update_id) {
            (Some(b"serverShutdown"), _) => Ok(Frame::Closing),
            (Some(b"depthUpdate" | b"trade" | b"bookTicker"), _) | (None, Some(_)) => {
                let symbol = fields.symbol.ok_or_else(|| missing("a symbol 's'"))?;
                let Some(market) = self.find(symbol).map(|instrument| instrument.market) else {
                    return Ok(Frame::Other);
                };
                let event = match fields.kind {
                    Some(b"depthUpdate") => self.diff_event(market, &fields),
                    Some(b"trade") => trade_event(market, &fields),
                    _ => ticker_event(market, &fields),
                };
                event.map(Frame::Event).map_err(missing)
            }
            (Some(_), _) => Ok(Frame::Other),
            (None, None) => match (fields.answer, fields.error) {
                (answer, Some(code)) => Ok(Frame::Refused { id: number(answer), code }),
                (Some(_), None) => Ok(Frame::Accepted { id: number(fields.answer) }),
                (None, None) => Err(missing("an event or an answer")),
            },
        }
    }

    /// The market of a stream such as `btcusdt@depth`.
    fn find_stream(&self, stream: &[u8]) -> Option<MarketId> {
        let name = stream.split(|&byte| byte == b'@').next()?;
        let is = |instrument: &&Instrument| instrument.symbol.as_bytes().eq_ignore_ascii_case(name);
        self.instruments.iter().find(is).map(|instrument| instrument.market)
    }

    /// Reads the answer to a depth request.
    pub(crate) fn snapshot(
        &mut self,
        market: MarketId,
        bytes: &[u8],
    ) -> Result<Event<'_>, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut fields = Fields::default();
        self.read_fields(&mut reader, &mut fields, true)?;
        reader.end()?;
        self.snapshot_event(market, &fields).map_err(|expected| reader.malformed(expected))
    }

    #[inline]
    fn read_fields<'b>(
        &mut self,
        reader: &mut Reader<'b>,
        fields: &mut Fields<'b>,
        inner: bool,
    ) -> Result<(), Malformed> {
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"stream" => fields.stream = Some(reader.string()?),
                b"data" if !inner => self.read_fields(reader, fields, true)?,
                b"e" => fields.kind = Some(reader.string()?),
                b"s" | b"symbol" => fields.symbol = Some(reader.string()?),
                b"E" => fields.event_ms = Some(reader.unsigned()?),
                b"U" => fields.first_update_id = Some(reader.unsigned()?),
                b"u" => fields.final_update_id = Some(reader.unsigned()?),
                b"pu" => fields.previous_update_id = Some(reader.unsigned()?),
                b"b" | b"bids" => match reader.peek() {
                    b'[' => {
                        read_levels(reader, &mut self.bids)?;
                        fields.has_bids = true;
                    }
                    b'"' => fields.bid_price = Some(reader.decimal()?),
                    _ => reader.skip()?, // A trade's order number, on older streams.
                },
                b"a" | b"asks" => match reader.peek() {
                    b'[' => {
                        read_levels(reader, &mut self.asks)?;
                        fields.has_asks = true;
                    }
                    b'"' => fields.ask_price = Some(reader.decimal()?),
                    _ => reader.skip()?,
                },
                b"B" => fields.bid_quantity = Some(reader.decimal()?),
                b"A" => fields.ask_quantity = Some(reader.decimal()?),
                b"t" => fields.trade_id = Some(reader.unsigned()?),
                b"p" => fields.price = Some(reader.decimal()?),
                b"q" => fields.quantity = Some(reader.decimal()?),
                b"m" => fields.buyer_is_maker = Some(reader.boolean()?),
                b"lastUpdateId" => fields.last_update_id = Some(reader.unsigned()?),
                b"id" => fields.answer = Some(reader.scalar()?),
                b"error" => fields.error = Some(super::reply::read_error_code(reader)?),
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn diff_event(&self, market: MarketId, fields: &Fields<'_>) -> Result<Event<'_>, &'static str> {
        let first_update_id = fields.first_update_id.ok_or("a first update id 'U'")?;
        let final_update_id = fields.final_update_id.ok_or("a final update id 'u'")?;
        if first_update_id > final_update_id {
            return Err("'U' not above 'u'");
        }
        if !fields.has_bids || !fields.has_asks {
            return Err("levels 'b' and 'a'");
        }
        Ok(Event::DepthDiff {
            market,
            first_update_id,
            final_update_id,
            previous_update_id: fields.previous_update_id,
            bids: &self.bids,
            asks: &self.asks,
            ts_event_ns: fields.event_ms.and_then(nanos).ok_or("an event time 'E'")?,
        })
    }

    fn snapshot_event(
        &self,
        market: MarketId,
        fields: &Fields<'_>,
    ) -> Result<Event<'_>, &'static str> {
        if !fields.has_bids || !fields.has_asks {
            return Err("levels 'bids' and 'asks'");
        }
        let last_update_id = fields.last_update_id.ok_or("an update id 'lastUpdateId'")?;
        Ok(Event::DepthSnapshot { market, last_update_id, bids: &self.bids, asks: &self.asks })
    }
}

fn trade_event(market: MarketId, fields: &Fields<'_>) -> Result<Event<'static>, &'static str> {
    let (Some(price), Some(quantity)) = (fields.price, fields.quantity) else {
        return Err("a price 'p' and a quantity 'q'");
    };
    if price < 0 || quantity < 0 {
        return Err("a price and a quantity that are not negative");
    }
    Ok(Event::Trade {
        market,
        trade_id: fields.trade_id.ok_or("a trade id 't'")?,
        price: Price(price),
        quantity: Quantity(quantity),
        buyer_is_maker: fields.buyer_is_maker.ok_or("a taker's side 'm'")?,
        ts_event_ns: fields.event_ms.and_then(nanos).ok_or("an event time 'E'")?,
    })
}

#[inline]
fn ticker_event(market: MarketId, fields: &Fields<'_>) -> Result<Event<'static>, &'static str> {
    let level = |price: Option<i64>, quantity: Option<i64>| {
        let (price, quantity) = (price?, quantity?);
        (price >= 0 && quantity >= 0)
            .then_some(Level { price: Price(price), quantity: Quantity(quantity) })
    };
    Ok(Event::BookTicker {
        market,
        update_id: fields.final_update_id.ok_or("an update id 'u'")?,
        bid: level(fields.bid_price, fields.bid_quantity).ok_or("a best bid 'b' and 'B'")?,
        ask: level(fields.ask_price, fields.ask_quantity).ok_or("a best ask 'a' and 'A'")?,
    })
}

/// A request's number; `None` when it was a text.
pub(super) fn number(text: Option<&[u8]>) -> Option<u64> {
    core::str::from_utf8(text?).ok()?.parse().ok()
}
