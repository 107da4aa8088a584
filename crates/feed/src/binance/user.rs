//! Private stream frames in; reports on our own orders out.

use super::market::number;
use super::{Decoder, Frame, charge};
use crate::json::{Malformed, Reader};
use engine::event::{Event, Execution, OrderReport, VenueOrderStatus};
use values::{ClientOrderId, Price, Quantity};

/// What a frame said. Scalars stay text until the kind of event is known, because other events use
/// the same letters for other things.
#[derive(Default)]
struct Fields<'b> {
    kind: Option<&'b [u8]>,
    symbol: Option<&'b [u8]>,
    client_id: Option<&'b [u8]>,
    original_client_id: Option<&'b [u8]>,
    execution_type: Option<&'b [u8]>,
    status: Option<&'b [u8]>,
    order_id: Option<&'b [u8]>,
    last_quantity: Option<&'b [u8]>,
    last_price: Option<&'b [u8]>,
    cumulative_quantity: Option<&'b [u8]>,
    fee: Option<&'b [u8]>,
    fee_asset: Option<&'b [u8]>,
    trade_id: Option<&'b [u8]>,
    is_maker: Option<&'b [u8]>,
    answer: Option<&'b [u8]>,
    error: Option<i32>,
}

impl Decoder {
    /// Reads a frame of the WebSocket API: an event of the user stream, wrapped
    /// (`{"subscriptionId":…,"event":…}`) or bare, or the answer to a request.
    ///
    /// # Errors
    /// The frame is malformed or lacks a field; nothing of it may be used.
    pub fn user(&mut self, bytes: &[u8]) -> Result<Frame<'_>, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut fields = Fields::default();
        read_fields(&mut reader, &mut fields, false)?;
        reader.end()?;
        match (fields.kind, fields.error, fields.answer) {
            (Some(b"executionReport"), ..) => {
                self.report(&fields).map_err(|expected| reader.malformed(expected))
            }
            (Some(b"eventStreamTerminated" | b"serverShutdown"), ..) => Ok(Frame::Closing),
            (Some(_), ..) => Ok(Frame::Other),
            (None, Some(code), answer) => Ok(Frame::Refused { id: number(answer), code }),
            (None, None, Some(answer)) => Ok(Frame::Accepted { id: number(Some(answer)) }),
            (None, None, None) => Err(reader.malformed("an event or an answer")),
        }
    }

    fn report(&mut self, fields: &Fields<'_>) -> Result<Frame<'static>, &'static str> {
        // A cancel's report carries the cancel's own id in `c` and the order's in `C`.
        let ours = [fields.original_client_id, fields.client_id];
        let Some(client_order_id) = ours.into_iter().flatten().find_map(ClientOrderId::parse)
        else {
            return Ok(Frame::Other);
        };
        let Some(instrument) = self.find(fields.symbol.ok_or("a symbol 's'")?) else {
            return Ok(Frame::Other);
        };
        let decimal = |text: Option<&[u8]>| text.and_then(|text| Quantity::parse(text).ok());
        let execution = if fields.execution_type == Some(b"TRADE") {
            let price = Price(decimal(fields.last_price).ok_or("a last price 'L'")?.0);
            let amount = decimal(fields.fee).unwrap_or(Quantity::ZERO);
            let asset = fields.fee_asset.unwrap_or(b"");
            let (fee, charge) = charge(Some(instrument), amount, asset, price);
            Some(Execution {
                trade_id: number(fields.trade_id).ok_or("a trade id 't'")?,
                price,
                quantity: decimal(fields.last_quantity).ok_or("a last quantity 'l'")?,
                fee,
                charge,
                is_maker: fields.is_maker == Some(b"true"),
            })
        } else {
            None
        };
        Ok(Frame::Event(Event::Order {
            venue: self.venue,
            report: OrderReport {
                client_order_id,
                venue_order_id: number(fields.order_id).ok_or("an order id 'i'")?,
                status: fields.status.and_then(order_status).ok_or("an order status 'X'")?,
                cumulative_quantity: decimal(fields.cumulative_quantity)
                    .ok_or("a cumulative quantity 'z'")?,
                execution,
            },
        }))
    }
}

/// The venue's word for an order's state.
pub(super) fn order_status(word: &[u8]) -> Option<VenueOrderStatus> {
    Some(match word {
        // A pending cancel is not used by the venue; until it is done, the order stands.
        b"NEW" | b"PENDING_NEW" | b"PENDING_CANCEL" => VenueOrderStatus::New,
        b"PARTIALLY_FILLED" => VenueOrderStatus::PartiallyFilled,
        b"FILLED" => VenueOrderStatus::Filled,
        b"CANCELED" => VenueOrderStatus::Canceled,
        b"REJECTED" => VenueOrderStatus::Rejected,
        b"EXPIRED" | b"EXPIRED_IN_MATCH" => VenueOrderStatus::Expired,
        _ => return None,
    })
}

fn read_fields<'b>(
    reader: &mut Reader<'b>,
    fields: &mut Fields<'b>,
    inner: bool,
) -> Result<(), Malformed> {
    reader.object()?;
    while let Some(key) = reader.key()? {
        let field = match key {
            b"event" if !inner => {
                read_fields(reader, fields, true)?;
                continue;
            }
            b"error" if !inner => {
                fields.error = Some(super::reply::read_error_code(reader)?);
                continue;
            }
            b"id" => &mut fields.answer,
            b"e" => &mut fields.kind,
            b"s" => &mut fields.symbol,
            b"c" => &mut fields.client_id,
            b"C" => &mut fields.original_client_id,
            b"x" => &mut fields.execution_type,
            b"X" => &mut fields.status,
            b"i" => &mut fields.order_id,
            b"l" => &mut fields.last_quantity,
            b"L" => &mut fields.last_price,
            b"z" => &mut fields.cumulative_quantity,
            b"n" => &mut fields.fee,
            b"N" => &mut fields.fee_asset,
            b"t" => &mut fields.trade_id,
            b"m" => &mut fields.is_maker,
            _ => {
                reader.skip()?;
                continue;
            }
        };
        if matches!(reader.peek(), b'{' | b'[') {
            reader.skip()?; // The same letter in an event that we do not read.
        } else {
            *field = Some(reader.scalar()?);
        }
    }
    Ok(())
}
