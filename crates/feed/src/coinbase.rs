//! Coinbase Advanced Trade's public frames in; the message's number, books and trades out.
//!
//! `sequence_num` counts every message of a connection, whatever its channel. Levels are absolute.
//! What an event is about is told by its fields, so their order does not matter.

use crate::batch::{Batch, Symbols, Trade, bounded, instant, push_level, whole};
use crate::decoder::Told;
use crate::json::{Malformed, Reader};
use engine::event::{Event, Side};
use engine::market::PartKind;
use values::VenueId;

/// Reads one venue's frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    venue: VenueId,
    pub(crate) symbols: Symbols,
    batch: Batch,
}

/// What the frame as a whole says.
#[derive(Default)]
struct Envelope<'b> {
    channel: Option<&'b [u8]>,
    kind: Option<&'b [u8]>,
    timestamp: Option<&'b [u8]>,
    number: Option<u64>,
    heartbeat: Option<u64>,
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
        let mut envelope = Envelope::default();
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"channel" => envelope.channel = Some(reader.string()?),
                b"type" => envelope.kind = Some(reader.string()?),
                b"timestamp" => envelope.timestamp = Some(reader.string()?),
                b"sequence_num" => envelope.number = Some(reader.unsigned()?),
                b"events" => self.events(&mut reader, &mut envelope)?,
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        if envelope.kind == Some(b"error") {
            return Ok(Told::Refused);
        }
        let Some(number) = envelope.number else {
            return match envelope.channel {
                Some(_) => Err(reader.malformed("a 'sequence_num'")),
                None => Ok(Told::Other),
            };
        };
        let ts_event_ns = envelope.timestamp.and_then(instant);
        let ts_event_ns = ts_event_ns.ok_or_else(|| reader.malformed("a 'timestamp'"))?;
        self.batch.push_number(number, envelope.heartbeat);
        self.batch.stamp(ts_event_ns);
        Ok(Told::parts(self.batch.tell(self.venue, tell), ts_event_ns))
    }

    fn events<'b>(
        &mut self,
        reader: &mut Reader<'b>,
        envelope: &mut Envelope<'b>,
    ) -> Result<(), Malformed> {
        reader.array()?;
        while reader.item()? {
            let (mut kind, mut product, mut is_book) = (None, None, false);
            let mark = self.batch.mark();
            reader.object()?;
            while let Some(key) = reader.key()? {
                match key {
                    b"type" => kind = Some(reader.string()?),
                    b"product_id" => product = Some(reader.string()?),
                    b"updates" => {
                        self.updates(reader)?;
                        is_book = true;
                    }
                    b"trades" => self.trades(reader, kind == Some(b"snapshot"))?,
                    b"heartbeat_counter" => envelope.heartbeat = Some(whole(reader)?),
                    _ => reader.skip()?,
                }
            }
            if !is_book {
                continue;
            }
            let product = product.ok_or_else(|| reader.malformed("a 'product_id'"))?;
            let kind = match kind {
                Some(b"snapshot") => PartKind::Snapshot,
                Some(b"update") => PartKind::Change,
                _ => return Err(reader.malformed("a 'type' of snapshot or update")),
            };
            if let Some(market) = self.symbols.find(product) {
                let book = self.batch.book_since(mark, market, kind);
                self.batch.push_book(book);
            }
        }
        Ok(())
    }

    fn updates(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        reader.array()?;
        while reader.item()? {
            let (mut side, mut price, mut quantity) = (None, None, None);
            reader.object()?;
            while let Some(key) = reader.key()? {
                match key {
                    b"side" => {
                        side = match reader.string()? {
                            b"bid" => Some(Side::Buy),
                            b"offer" | b"ask" => Some(Side::Sell),
                            _ => return Err(reader.malformed("a side of bid or offer")),
                        }
                    }
                    b"price_level" => price = Some(reader.scalar()?),
                    b"new_quantity" => quantity = Some(reader.scalar()?),
                    _ => reader.skip()?,
                }
            }
            let (Some(side), Some(price), Some(quantity)) = (side, price, quantity) else {
                return Err(reader.malformed("'side', 'price_level' and 'new_quantity'"));
            };
            let (price, quantity) = (bounded(reader, price)?, bounded(reader, quantity)?);
            push_level(reader, self.batch.side(side), price, quantity)?;
        }
        Ok(())
    }

    fn trades(&mut self, reader: &mut Reader<'_>, is_history: bool) -> Result<(), Malformed> {
        let first = self.batch.len();
        reader.array()?;
        while reader.item()? {
            let (mut product, mut price, mut quantity, mut id) = (None, None, None, None);
            let (mut side, mut time) = (None, None);
            reader.object()?;
            while let Some(key) = reader.key()? {
                match key {
                    b"product_id" => product = Some(reader.string()?),
                    b"price" => price = Some(reader.decimal()?),
                    b"size" => quantity = Some(reader.decimal()?),
                    b"trade_id" => id = Some(whole(reader)?),
                    b"side" => side = Some(reader.string()?),
                    b"time" => time = instant(reader.string()?),
                    _ => reader.skip()?,
                }
            }
            let (Some(product), Some(price), Some(quantity)) = (product, price, quantity) else {
                return Err(reader.malformed("'product_id', 'price' and 'size'"));
            };
            let Some(market) = self.symbols.find(product) else { continue };
            if !is_history {
                self.batch.push_trade(Trade {
                    market,
                    id,
                    price,
                    quantity,
                    // The side is the maker's.
                    buyer_is_maker: side == Some(b"BUY"),
                    ts_event_ns: time.unwrap_or(0),
                });
            }
        }
        // The newest comes first.
        self.batch.reverse_from(first);
        Ok(())
    }
}
